"""Does an engine give edits that are not worse? Two runs of one model, decided by their scores, explained by pixels."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from editeval.errors import ConfigError, ImageError, UserError
from editeval.reports.data import JsonObject
from editeval.run.compared_runs import RunScores, comparable, differences, read_scores
from editeval.stats import noninferiority
from editeval.stats.noninferiority import GatePair, GateVerdict
from editeval.store.records import SampleRow
from editeval.store.run_store import RunStore
from editeval.types import Metric

NUM_SHOWN = 5  # samples that differ most
INVALID = "invalid_judge"  # why nothing is decided, besides the words of `noninferiority`
MEASURES = ("l1", "psnr", "ssim")
_MARGIN = re.compile(r"\s*([0-9.eE+-]+)\s*(%?)\s*")


def gate(first: Path, second: Path, margin: str, has_pixels: bool = True) -> JsonObject:
    """What was decided about the run in `second` against the one in `first`, and how their edits differ.

    Nothing is decided by a judge that failed a certificate or the controls of a run. Raises UserError, one line, for
    runs that cannot be compared sample by sample: another benchmark, other samples, seeds or judge; for changed scores;
    and for a margin that is none.
    """
    if first.resolve() == second.resolve():
        raise ConfigError(f"gate: {first} twice; name two runs")
    runs = comparable([read_scores(directory) for directory in (first, second)])
    with RunStore.read(first) as a, RunStore.read(second) as b:
        _check_same(runs[0], runs[1], [store.manifest["identity"].get("seed") for store in (a, b)])
        metric = runs[0].metric
        allowed = margin_of(margin, metric)
        rows, others = _rows(a), _rows(b)
        pairs = [
            GatePair(one.cluster, one.value, runs[1].scored[key].value, others[key].status == "failed", one.sample)
            for key, one in runs[0].scored.items()
        ]
        verdict = noninferiority.judge(pairs, metric, allowed)
        if not all(run.is_judge_trusted for run in runs):
            verdict = replace(verdict, outcome="undecided", note=INVALID)
        both = [
            _Sides(one, others[key], runs[0].scored[key].value, runs[1].scored[key].value)
            for key, one in rows.items()
            if key in runs[0].scored and one.status == others[key].status == "done"
        ]
        return {
            "outcome": verdict.outcome,
            "runs": {name: _about(store, run) for name, store, run in zip("ab", (a, b), runs, strict=True)},
            "metric": asdict(metric),
            "scores": asdict(verdict),
            "edits": _edits(a, b, both) if has_pixels else None,
            "sentence": _sentence(runs[0].name, runs[1].name, metric, verdict),
        }


def margin_of(text: str, metric: Metric) -> float:
    """`0.1` in the metric's numbers, `1%` of its scale. Raises ConfigError for anything that is no margin."""
    found = _MARGIN.fullmatch(text)
    try:
        value = float(found[1]) if found else math.nan
    except ValueError:
        value = math.nan
    if found and found[2]:
        if metric.low is None or metric.high is None:
            raise ConfigError(f"--margin {text}: {metric.name} has {metric.range}; give the margin in its own numbers")
        value *= (metric.high - metric.low) / 100
    if not math.isfinite(value) or value <= 0:
        raise ConfigError(
            f"--margin: must be a number above 0 in the metric's numbers, or a percentage of its scale such as 1%, "
            f"got {text!r}"
        )
    if metric.low is not None and metric.high is not None and value >= metric.high - metric.low:
        raise ConfigError(f"--margin {text}: {metric.name} is {metric.range}: any run would pass; give a smaller one")
    return value


def _check_same(mine: RunScores, other: RunScores, seeds: Sequence[object]) -> None:
    """Raises UserError for another benchmark, other samples, source images, judge or base seeds; for bridged scores."""
    for run in (mine, other):
        if run.is_equated:
            raise UserError(
                f"{run.directory}: shows scores carried over by a bridge, whose error no pair of samples shows; "
                f"`editeval report {run.directory} --scores NAME` shows others"
            )
    names = f"gate: {mine.name} and {other.name}"
    for what in differences(mine, other):
        raise UserError(
            f"{names} {what}; run both on the same samples, with one judge (`editeval score` judges a run again, "
            "`editeval report RUN --scores NAME` shows other scores)"
        )
    if seeds[0] != seeds[1]:
        raise UserError(f"{names} have other base seeds, {seeds[0]} and {seeds[1]}; run both with the same --seed")


def _rows(store: RunStore) -> dict[Hashable, SampleRow]:
    return {(row.id, row.instruction): row for row in store.rows(None)}


def _about(store: RunStore, run: RunScores) -> JsonObject:
    return {
        "name": run.name,
        "run": store.dir.name,
        "directory": str(store.dir),
        "run_id": store.manifest["run_id"],
        "editor": store.manifest["identity"].get("editor"),
    }


# -- how the edits differ --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sides:
    """A sample that both runs edited, and its two scores."""

    row: SampleRow
    other: SampleRow
    score: float | None
    other_score: float | None


def _edits(a: RunStore, b: RunStore, both: Sequence[_Sides]) -> JsonObject:
    """Differences of the pixels of both edits, where both are done: for looking, they decide nothing."""
    sides = {one.row.id: one for one in both}
    differing = [key for key, one in sides.items() if one.row.sha256 != one.other.sha256]
    images_a, images_b = ({edit.sample_id: edit for edit in store.edits()} for store in (a, b))

    def measured(key: str) -> dict[str, float] | str:
        try:
            return _measures(a.read_edit(images_a[key]), b.read_edit(images_b[key]))
        except ImageError:
            return "unreadable"

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), "gate") as executor:
        found = dict(zip(differing, executor.map(measured, differing), strict=True))
    numbers = {key: one for key, one in found.items() if isinstance(one, dict)}
    most = sorted(numbers, key=lambda key: (-numbers[key]["l1"], key))[:NUM_SHOWN]
    same = {"l1": 0.0, "psnr": 100.0, "ssim": 1.0}
    everything = [*numbers.values(), *(same for _ in range(len(both) - len(differing)))]
    return {
        "num": len(both),
        "num_same_bytes": len(both) - len(differing),
        "num_other_size": sum(one == "other size" for one in found.values()),
        "num_unreadable": sum(one == "unreadable" for one in found.values()),
        "median": {name: _median([one[name] for one in everything]) for name in MEASURES},
        "most_different": [
            numbers[key]
            | {"sample": key, "score_a": sides[key].score, "score_b": sides[key].other_score}
            | {"edit_a": str(a.dir / str(sides[key].row.edited_path))}
            | {"edit_b": str(b.dir / str(sides[key].other.edited_path))}
            for key in most
        ],
    }


def _measures(first: bytes, second: bytes) -> dict[str, float] | str:
    """Mean absolute difference (0-1), PSNR (dB) and SSIM of two encoded images, or why there is none."""
    import numpy as np

    from editeval.images import decode
    from editeval.judges.image_metrics import of_pixels

    one, other = (np.asarray(decode(image), dtype=np.float64) / 255.0 for image in (first, second))
    if one.shape != other.shape:
        return "other size"
    return {name: of_pixels(name, other, one, None) for name in MEASURES}


def _median(values: Sequence[float]) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _sentence(a: str, b: str, metric: Metric, told: GateVerdict) -> str:
    """What was decided, and what would decide."""
    margin = f"{told.margin:g}"
    if told.outcome == "passes":
        return f"passes: {b} is not worse than {a} by {margin} or more on {metric.name}."
    if told.outcome == "fails":
        return f"fails: {b} is worse than {a} by more than {margin} on {metric.name}."
    head = f"cannot be decided with {told.num_pairs} samples whether {b} is worse than {a} by {margin} or more on "
    return f"{head}{metric.name}{_why_undecided(told)}"


def _why_undecided(told: GateVerdict) -> str:
    if told.note == INVALID:
        return ": the judge failed a certificate, or the controls of a run."
    if told.note == "no_scale":
        return ": the metric has no worst value that could stand in for what is missing or seldom."
    if told.note:
        return f": {noninferiority.WORDS[told.note]}."
    if told.num_unscored:
        return f": {told.num_unscored} scores are missing in the second run; `editeval retry` asks again."
    if told.needed is not None:
        return f"; about {told.needed} would decide, if the difference stays what it is."
    if told.method == noninferiority.EXACT:
        return ": nearly all differ by the same, and what is seldom could still matter."
    return ": the difference is the margin itself, as far as these samples tell."
