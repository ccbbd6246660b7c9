"""Does an engine give edits that are not worse? Two runs of one model, decided by their scores, explained by pixels."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from editeval.errors import ConfigError, ImageError, UserError
from editeval.reports.data import JsonObject
from editeval.run import results
from editeval.stats import noninferiority
from editeval.stats.noninferiority import GatePair, GateVerdict
from editeval.store.records import SampleRow
from editeval.store.run_store import RunStore
from editeval.text import one_line
from editeval.types import Metric

NUM_SHOWN = 5  # samples that differ most
MEASURES = ("l1", "psnr", "ssim")
_MARGIN = re.compile(r"\s*([0-9.eE+-]+)\s*(%?)\s*")


def gate(first: Path, second: Path, margin: str, has_pixels: bool = True) -> JsonObject:
    """What was decided about the run in `second` against the one in `first`, and how their edits differ.

    Raises UserError, one line, for runs that cannot be compared sample by sample: another benchmark, other samples,
    seeds or judge; and for a margin that is none.
    """
    if first.resolve() == second.resolve():
        raise ConfigError(f"gate: {first} twice; name two runs")
    with RunStore.read(first) as a, RunStore.read(second) as b:
        metric = _metric(a, b)
        rows = {row.id: row for row in results.rows(a, results.shown(a)[:1])}
        others = {row.id: row for row in results.rows(b, results.shown(b)[:1])}
        _check_same(a, b, rows, others)
        allowed = margin_of(margin, metric)
        label = results.labels(results.shown(a)[:1])[0], results.labels(results.shown(b)[:1])[0]
        pairs = [_pair(row, others[key], label) for key, row in rows.items()]
        verdict = noninferiority.judge(pairs, metric, allowed)
        return {
            "outcome": verdict.outcome,
            "runs": {name: _about(store) for name, store in (("a", a), ("b", b))},
            "metric": asdict(metric),
            "scores": asdict(verdict),
            "edits": _edits(a, b, rows, others, label) if has_pixels else None,
            "sentence": _sentence(a.dir.name, b.dir.name, metric, verdict),
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


def _metric(a: RunStore, b: RunStore) -> Metric:
    """Of the headline. Raises UserError if the runs do not show the same scores."""
    shown = [results.shown(store)[:1] for store in (a, b)]
    for store, found in zip((a, b), shown, strict=True):
        if not found:
            raise UserError(f"{store.dir}: has no scores; `editeval score {store.dir} CONFIG` judges it")
        if found[0].is_equated:
            raise UserError(
                f"{store.dir}: shows scores carried over by a bridge, whose error no pair of samples shows; "
                f"`editeval report {store.dir} --scores NAME` shows others"
            )
    mine, other = shown[0][0], shown[1][0]
    if mine.id != other.id:
        raise UserError(
            f"gate: the judges differ: {a.dir.name} shows {mine.title}, {b.dir.name} {other.title}; "
            "`editeval score` judges a run again, `editeval report RUN --scores NAME` shows other scores"
        )
    label = results.labels(shown[0])[0]
    return results.scales(a, shown[0]).get(label) or Metric(label)


def _check_same(a: RunStore, b: RunStore, rows: Mapping[str, SampleRow], others: Mapping[str, SampleRow]) -> None:
    """Raises UserError for another benchmark, other samples, other base seeds."""
    names = f"{a.dir.name} and {b.dir.name}"
    told = [store.manifest["identity"] for store in (a, b)]
    if told[0].get("benchmark") != told[1].get("benchmark"):
        raise UserError(f"gate: {names} are of different benchmarks, or of one that changed; run both on the same")
    odd = rows.keys() ^ others.keys()
    if odd:
        one = one_line(min(odd))
        raise UserError(
            f"gate: {names} have other samples: {len(rows)} and {len(others)}, {one!r} is only in one of them; "
            "run both with the same --limit, --categories and --sample"
        )
    changed = next((key for key, row in rows.items() if row.instruction != others[key].instruction), None)
    if changed is not None:
        raise UserError(f"gate: {names} have other instructions, of {one_line(changed)!r} at least; run both again")
    if told[0].get("seed") != told[1].get("seed"):
        seeds = " and ".join(str(one.get("seed")) for one in told)
        raise UserError(f"gate: {names} have other base seeds, {seeds}; run both with the same --seed")


def _pair(row: SampleRow, other: SampleRow, labels: tuple[str, str]) -> GatePair:
    values = results.value_of(row, labels[0]), results.value_of(other, labels[1])
    return GatePair(row.cluster, *values, has_failed=other.status == "failed")


def _about(store: RunStore) -> JsonObject:
    identity = store.manifest["identity"]
    return {
        "run": store.dir.name,
        "directory": str(store.dir),
        "run_id": store.manifest["run_id"],
        "editor": identity.get("editor"),
    }


# -- how the edits differ --------------------------------------------------------------------------------------------


def _edits(
    a: RunStore, b: RunStore, rows: Mapping[str, SampleRow], others: Mapping[str, SampleRow], labels: tuple[str, str]
) -> JsonObject:
    """Differences of the pixels of both edits, where both are done: for looking, they decide nothing."""
    both = [key for key, row in rows.items() if row.status == others[key].status == "done"]
    differing = [key for key in both if rows[key].sha256 != others[key].sha256]
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
            | {"sample": key, "score_a": results.value_of(rows[key], labels[0])}
            | {"score_b": results.value_of(others[key], labels[1])}
            | {"edit_a": str(a.dir / str(rows[key].edited_path)), "edit_b": str(b.dir / str(others[key].edited_path))}
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
