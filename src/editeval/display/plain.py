"""For logs and pipes: a line every half minute and at every tenth of a stage, beside the lines of the log contract."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from editeval.display.snapshot import RunSnapshot, StageView, WorkerView
from editeval.text import clean, clock, number

INTERVAL_S = 30.0
MIN_GAP_S = 5.0  # tenths that follow one another faster share a line
LOOK_S = 1.0


class PlainDisplay:
    """A context manager: says `Status: ...` from a thread of its own."""

    def __init__(self, look: Callable[[], RunSnapshot], say: Callable[[str], None]) -> None:
        self._look = look
        self._say = say
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="display", daemon=True)
        self._rhythm = Rhythm()

    def __enter__(self) -> PlainDisplay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(LOOK_S)

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_S):
            self.look()

    def look(self) -> None:
        """Say where we are, if it is time to."""
        picture = self._look()
        if self._rhythm.is_due(picture) and picture.workers:
            self._say(status_line(picture))


class Rhythm:
    """Every INTERVAL_S, and at every tenth of a stage, but at most one in MIN_GAP_S."""

    def __init__(self) -> None:
        self._said_at: float | None = None
        self._tenths: dict[str, int] = {}

    def is_due(self, picture: RunSnapshot) -> bool:
        tenths = {s.key: 10 * (s.done + s.failed) // s.total if s.total else 10 for s in picture.stages}
        if self._said_at is None:
            self._said_at, self._tenths = picture.at, tenths
            return False
        waited = picture.at - self._said_at
        is_due = waited >= INTERVAL_S or (waited >= MIN_GAP_S and tenths != self._tenths)
        if is_due:
            self._said_at, self._tenths = picture.at, tenths
        return is_due


def status_line(picture: RunSnapshot) -> str:
    """Everything that moves, in one line."""
    parts = [_stage(stage) for stage in picture.stages if stage.state in ("running", "loading")]
    if picture.workers:
        states = Counter(worker.state for worker in picture.workers)
        parts.append("workers: " + ", ".join(f"{count} {state}" for state, count in states.items()))
    parts += _gpus(picture.workers)
    return "Status: " + "; ".join(parts or [picture.state])


def _stage(stage: StageView) -> str:
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
        interval = f"95 % {score.low:.2f} to {score.high:.2f}" if is_known else "95 % interval unreliable"
        whose = f", scores {clean(score.score_set)}" if score.score_set else ""
        parts.append(f"{score.metric} {score.mean:.2f} ({interval}), n {score.num_scored}{whose}, provisional")
    return ", ".join(parts)


def _gpus(workers: tuple[WorkerView, ...]) -> list[str]:
    loads = [w.gpu.utilisation for w in workers if w.gpu and w.gpu.utilisation is not None]
    powers = [w.gpu.power_w for w in workers if w.gpu and w.gpu.power_w is not None]
    if not loads:
        return []
    power = f", {sum(powers):.0f} W" if powers else ""
    return [f"GPUs {sum(loads) / len(loads):.0f} % ({min(loads):.0f}-{max(loads):.0f}){power}"]
