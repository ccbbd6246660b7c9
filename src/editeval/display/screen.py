"""A snapshot as lines of styled text, for any width, or as one line: pure, and cheap enough to be made twice a second.

Own lines, because a rich Table of six workers takes 11 ms per frame, sixteen times as long: 2 % of a core.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from editeval.display import snapshot as views
from editeval.display.snapshot import RunSnapshot, ScoreSoFar, StageView, WorkerView
from editeval.text import NOTHING, bar, clock, extent, fit, fixed, number, one_line

Line = list[tuple[str, str]]
"""(text, rich style) parts; a line is never wider than it was asked to be."""

MAX_ROWS = 16  # workers with a row each; more are summed up per state
MAX_BAR = 60
MARGIN = 4  # columns kept free: a terminal echoes Ctrl-C as ^C, which must not begin a new line
NARROW, WIDE = 90 - MARGIN, 118 - MARGIN  # below NARROW no memory, power, temperature; from WIDE on with history
_SPARKS = "▁▂▃▄▅▆▇"  # no full block: rows stay apart
_STATE_STYLES = {
    views.EDITING: "green",
    views.JUDGING: "green",
    views.LOADING: "cyan",
    views.ENCODING: "cyan",
    views.RESTARTING: "bold red",
    views.DEAD: "bold red",
}
_STAGE_STYLES = {"running": "bold", "loading": "bold"}
_FINISH = "finishing what runs; Ctrl-C again stops at once"


def lines(picture: RunSnapshot, columns: int, height: int = 1000) -> list[Line]:
    """The whole picture for a terminal of `columns` and, by summing up the workers, `height` lines if possible."""
    width = max(columns - MARGIN, 1)
    head = [_title(picture), *_stages(picture.stages, width)]
    tail = list(_failure(picture, width))
    rooms = height - len(head) - len(tail) - 1
    if len(picture.workers) > min(MAX_ROWS, rooms):
        body = list(_states(picture.workers, width))
    else:
        body = list(_rows(picture.workers, width)) if picture.workers else []
    return [_cut(line, width) for line in (*head, *body, *tail)]


def _title(picture: RunSnapshot) -> Line:
    if picture.state == "starting":
        return [("starting", "yellow")]
    facts = [one_line(picture.name), extent(picture.num_samples, picture.num_seeds)]
    if picture.workers:
        facts.append(f"{len(picture.workers)} workers")
    facts.append(clock(picture.at - picture.began_at) + (" in this invocation" if picture.is_continued else ""))
    state = _FINISH if picture.state == "stopping" else "" if picture.state == "running" else picture.state
    return [(" · ".join(facts), "bold"), (f"  {state}", "yellow")]


def _stages(stages: Sequence[StageView], width: int) -> Iterator[Line]:
    """A bar per stage, all of one length; what else there is to say of a stage stands beside it or below."""
    counts = max((len(_counts(stage)) for stage in stages), default=0)
    paces = max((len(_pace(stage)) for stage in stages), default=0)
    details = max((_size(_details(stage)) for stage in stages), default=0)
    room = width - len("judge  ") - counts - paces - 4
    title = min(max(width // 5, 8), 26)
    is_one_line = room - details - title >= 12
    length = min(max(room - title - (details if is_one_line else 0), 4), MAX_BAR)
    for stage in stages:
        style = _STAGE_STYLES.get(stage.state, "")
        full, empty = bar(_share(stage), length)
        yield [
            (f"{stage.kind:5}  {fit(one_line(stage.title), title)} ", style),
            (full, "green" if stage.state == "ended" else "cyan"),
            (empty, "dim"),
            (f" {_counts(stage):>{counts}}  ", style),
            (f"{_pace(stage):{paces}}", ""),
            *(_details(stage) if is_one_line else []),
        ]
        if details and not is_one_line and _details(stage):
            yield [(" " * 5, ""), *_details(stage)]
        if stage.num_batches:
            yield [("batch  ", ""), (f"{stage.batch}/{stage.num_batches}", "bold"), (f" {one_line(stage.step)}", "")]
        if stage.score is not None:
            yield _score(stage.score, stage)


def _share(stage: StageView) -> float:
    return (stage.done + stage.failed) / stage.total if stage.total else 1.0


def _counts(stage: StageView) -> str:
    return f"{stage.done + stage.failed}/{stage.total} {_share(stage):4.0%}"


def _score(score: ScoreSoFar, stage: StageView) -> Line:
    is_known = score.low is not None and score.high is not None
    interval = f"{fixed(score.low)} to {fixed(score.high)}" if is_known else "interval unreliable"
    said = f"  95 % {interval}  n {score.num_scored} of {stage.total}  "
    warning = "" if stage.state == "ended" else "provisional"
    whose = f"{warning and '  '}{one_line(score.score_set)}"
    value = f"{one_line(score.metric)} {fixed(score.mean)}"
    return [("score  ", ""), (value, "bold"), (said, ""), (warning, "yellow"), (whose, "dim")]


def _pace(stage: StageView) -> str:
    if stage.state == "running":
        return f"{number(stage.images_per_min, 1)} img/min  ETA {clock(stage.eta_s)}"
    return {"loading": "loading models", "waiting": "waiting"}.get(stage.state, stage.state)


def _details(stage: StageView) -> Line:
    failed = "failed" if stage.kind == "edit" else "unscored"
    parts = [
        (f"  {stage.failed} {failed}", "bold red") if stage.failed else None,
        (f"  {stage.retried} retried", "yellow") if stage.retried else None,
        (f"  {stage.already} already", "") if stage.already else None,
    ]
    return [part for part in parts if part is not None]


# -- workers -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Column:
    title: str
    width: int
    cell: Callable[[WorkerView], str]
    is_right: bool = True


def _columns(workers: Sequence[WorkerView], width: int) -> list[_Column]:
    """All columns that fit; the sample takes what is left."""
    device = min(max(len(w.device) for w in workers), 16)
    is_mixed = len({w.stage for w in workers}) > 1
    step = 16 if width >= (WIDE + 20 if is_mixed else NARROW) else 7
    chosen = [
        *([_Column("stage", 12, lambda w: one_line(w.stage), is_right=False)] if is_mixed else []),
        _Column("#", 3, lambda w: str(w.worker)),
        _Column("device", max(device, 6), lambda w: one_line(w.device), is_right=False),
        _Column("state", 11, lambda w: w.state, is_right=False),
        _Column("sample", 0, lambda w: one_line(w.sample), is_right=False),
        _Column("step", step, lambda w: _step(w, step), is_right=False),
        _Column("s/img", 6, lambda w: number(w.seconds_per_image, 2 if (w.seconds_per_image or 0) < 100 else 0)),
        _Column("done", 5, lambda w: str(w.done)),
        _Column("fail", 4, lambda w: str(w.failed)),
        _Column("util", 4, lambda w: number(w.gpu.utilisation if w.gpu else None, 0, "%")),
    ]
    if width >= NARROW:
        chosen += [
            _Column("GiB", 5, lambda w: number(_gib(w), 1)),
            _Column("W", 4, lambda w: number(w.gpu.power_w if w.gpu else None)),
            _Column("°C", 3, lambda w: number(w.gpu.temperature_c if w.gpu else None)),
        ]
    if width >= WIDE:
        points = min(12 + (width - WIDE) // 2, views.MAX_HISTORY)
        chosen.append(_Column(f"last {points} s", points, lambda w: _sparks(w.history[-points:]), is_right=False))
    taken = sum(c.width for c in chosen) + len(chosen) - 1
    room = max(width - taken, 8)
    return [replace(c, width=room) if c.title == "sample" else c for c in chosen]


def _rows(workers: Sequence[WorkerView], width: int) -> Iterator[Line]:
    columns = _columns(workers, width)
    yield [(" ".join(fit(c.title, c.width, c.is_right) for c in columns), "dim")]
    for worker in workers:
        line: Line = []
        for column in columns:
            style = _STATE_STYLES.get(worker.state, "dim") if column.title == "state" else ""
            if column.title == "fail" and worker.failed:
                style = "bold red"
            elif column.title.startswith("last "):
                style = "cyan"
            line += [(fit(column.cell(worker), column.width, column.is_right), style), (" ", "")]
        yield line[:-1]


def _step(worker: WorkerView, width: int) -> str:
    if worker.num_steps:
        count = f"{worker.step}/{worker.num_steps}"
        full, empty = bar(worker.step / worker.num_steps, 8)
        return f"{full}{empty} {count}" if width > 9 + len(count) - 1 else count
    if worker.state_s is not None and worker.state_s >= 1:
        return f"{worker.state_s:.0f} s" if worker.state_s < 120 else clock(worker.state_s)
    return ""


def _gib(worker: WorkerView) -> float | None:
    memory = worker.gpu.memory_mib if worker.gpu else None
    return None if memory is None else memory / 1024


def _sparks(history: Sequence[int]) -> str:
    return "".join(_SPARKS[min(max(share, 0), 99) * len(_SPARKS) // 100] for share in history)


def _states(workers: Sequence[WorkerView], width: int) -> Iterator[Line]:
    """One line per state: how many workers, and what their GPUs do."""
    groups: dict[tuple[str, str], list[WorkerView]] = {}
    for worker in workers:
        groups.setdefault((worker.stage, worker.state), []).append(worker)
    yield [(f"{'state':<12} {'workers':>7}  {'util':>16} {'GiB':>7} {'s/img':>7} {'done':>6} {'fail':>5}", "dim")]
    for (_, state), mine in groups.items():
        loads = [w.gpu.utilisation for w in mine if w.gpu and w.gpu.utilisation is not None]
        util = f"{_mean(loads):.0f} % ({min(loads):.0f}-{max(loads):.0f})" if loads else NOTHING
        paces = [w.seconds_per_image for w in mine if w.seconds_per_image is not None]
        memory = [gib for w in mine if (gib := _gib(w)) is not None]
        done, failed = sum(w.done for w in mine), sum(w.failed for w in mine)
        figures = f"{number(_mean(memory), 1):>7} {number(_mean(paces), 2):>7} {done:>6} {failed:>5}"
        yield [(f"{state:<12}", _STATE_STYLES.get(state, "")), (f" {len(mine):>7}  {util:>16} {figures}", "")]


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _failure(picture: RunSnapshot, width: int) -> Iterator[Line]:
    failure = picture.last_failure
    if failure is None:
        return
    where = "" if failure.worker is None else f" on worker {failure.worker}"
    said = f"{one_line(failure.sample)}{where}: {one_line(failure.reason)}: {one_line(failure.message)}"
    yield [("last failure  ", "bold red"), (fit(said, max(width - 14, 1)).rstrip(), "")]
    if failure.log:
        yield [("its log       ", "dim"), (one_line(failure.log), "dim")]


def _size(line: Line) -> int:
    return sum(len(text) for text, _ in line)


def _cut(line: Line, width: int) -> Line:
    from rich.cells import cell_len

    left, result = width, []
    for text, style in line:
        size = cell_len(text)
        if size > left:
            text, size = fit(text, left), left
        if text:
            result.append((text, style))
        left -= size
    while result and not result[-1][0].rstrip():
        result.pop()
    if result:
        result[-1] = (result[-1][0].rstrip(), result[-1][1])
    return result


# -- one line ----------------------------------------------------------------------------------------------------------


def status_line(picture: RunSnapshot) -> str:
    """Everything that moves, in one line."""
    parts = [_stage_text(stage) for stage in picture.stages if stage.state in ("running", "loading")]
    if picture.workers:
        states = Counter(worker.state for worker in picture.workers)
        parts.append("workers: " + ", ".join(f"{count} {state}" for state, count in states.items()))
    parts += _gpu_texts(picture.workers)
    return "Status: " + "; ".join(parts or [picture.state])


def _stage_text(stage: StageView) -> str:
    through = stage.done + stage.failed
    share = f" ({through / stage.total:.0%})" if stage.total else ""
    parts = [f"{stage.kind} {through}/{stage.total}{share}"]
    if stage.state == "loading":
        parts.append("loading models")
    else:
        parts.append(f"{number(stage.images_per_min, 1)} img/min, ETA {clock(stage.eta_s)}")
    if stage.failed:
        parts.append(f"{stage.failed} {'failed' if stage.kind == 'edit' else 'unscored'}")
    if stage.retried:
        parts.append(f"{stage.retried} retried")
    if stage.num_batches:
        parts.append(f"batch {stage.batch}/{stage.num_batches}")
    if score := stage.score:
        is_known = score.low is not None and score.high is not None
        interval = f"95 % {fixed(score.low)} to {fixed(score.high)}" if is_known else "95 % interval unreliable"
        whose = f", scores {one_line(score.score_set)}" if score.score_set else ""
        parts.append(f"{score.metric} {fixed(score.mean)} ({interval}), n {score.num_scored}{whose}, provisional")
    return ", ".join(parts)


def _gpu_texts(workers: tuple[WorkerView, ...]) -> list[str]:
    loads = [w.gpu.utilisation for w in workers if w.gpu and w.gpu.utilisation is not None]
    powers = [w.gpu.power_w for w in workers if w.gpu and w.gpu.power_w is not None]
    if not loads:
        return []
    power = f", {sum(powers):.0f} W" if powers else ""
    return [f"GPUs {sum(loads) / len(loads):.0f} % ({min(loads):.0f}-{max(loads):.0f}){power}"]
