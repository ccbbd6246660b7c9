"""What the controls of a run say: where its model stands between doing nothing and the target, and about the judge."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from editeval.reports.data import MICRO
from editeval.reports.i18n import Message
from editeval.run.controls import ARMS, IDENTITY, JPEG, TARGET, WRONG, ControlAnswer, answers
from editeval.run.counted import Counted
from editeval.run.results import ShownScoreSet
from editeval.stats import intervals
from editeval.stats.normalised import normalised
from editeval.stats.summary import Entry, sample_means, summarise
from editeval.store.run_store import RunStore
from editeval.text import fixed, printable
from editeval.types import Metric, Summary

PASSED, WARNED, FAILED = "passed", "warned", "failed"
MARGIN = 0.05  # of the scale, or without two ends of what lies between identity and target: 0.5 of 10
MIN_PAIRS = 5  # samples that a check takes

_SAID = {
    ("target_above_identity", FAILED): "target_above_identity_failed",
    ("target_above_identity", WARNED): "target_above_identity_warned",
    ("target_above_wrong_target", FAILED): "target_above_wrong_target_failed",
    ("target_above_wrong_target", WARNED): "target_above_wrong_target_warned",
    ("jpeg_95_like_identity", WARNED): "jpeg_95_like_identity_warned",
}
Clusters = Mapping[str, Sequence[float]]


class ControlScores:
    """The controls of one metric, by sample and by source image."""

    def __init__(self, found: Sequence[ControlAnswer], clusters: Mapping[str, str], scale: Metric) -> None:
        self._scale = scale
        self._cluster = clusters  # source image of each sample
        self.asked = {one.arm for one in found}
        self.values: dict[str, dict[str, float]] = {}
        for one in found:
            value = one.values.get(scale.name)
            if value is not None and one.sample_id in self._cluster:
                self.values.setdefault(one.arm, {})[one.sample_id] = value

    def clusters(self, arm: str) -> dict[str, list[float]]:
        return self.grouped(self.values.get(arm, {}))

    def grouped(self, values: Mapping[str, float]) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for sample_id, value in values.items():
            found.setdefault(self._cluster[sample_id], []).append(value)
        return found

    def mean(self, arm: str) -> Summary:
        entries: list[Entry] = [
            ("", name, "scored", value) for name, values in self.clusters(arm).items() for value in values
        ]
        return summarise(entries, self._scale.name, self._scale)[-1]

    def check(self, name: str, better: str, worse: str, margin: float | None = None) -> dict[str, object] | None:
        """Whether `better` is above `worse`; with `margin` whether they are as far apart at most.

        None if one of the two was not put to the judge. Of too few answers only their number is known.
        """
        if not {better, worse} <= self.asked:
            return None
        sign = 1 if self._scale.is_higher_better else -1
        one, other = self.values.get(better, {}), self.values.get(worse, {})
        pairs = {key: sign * (one[key] - other[key]) for key in one if key in other}
        clusters = self.grouped(pairs)
        if len(pairs) < MIN_PAIRS or len(clusters) < 2:
            return {"name": name, "num_pairs": len(pairs)}
        mean = math.fsum(pairs.values()) / len(pairs)
        error = intervals.of_mean(clusters, mean)
        assert error is not None, "two source images or more"
        low, high = (mean, mean) if error.value < 1e-12 else error.interval(mean)
        if margin is not None:
            status = PASSED if abs(mean) <= margin else WARNED
        else:
            status = FAILED if mean <= 0 else WARNED if low <= 0 else PASSED
        return {"name": name, "status": status, "difference": mean, "low": low, "high": high, "num_pairs": len(pairs)}


def block(
    found: Sequence[ControlAnswer],
    sources: Mapping[str, str],
    scale: Metric,
    model: Mapping[str, float],
    whole: Summary,
) -> dict[str, object] | None:
    """What report.json says of the controls of the headline metric, which is called `scale.name`; None without any.

    `sources`: source image of each sample, `model`: the scores of the run's own edits by sample, `whole` their summary.
    """
    scores = ControlScores(found, sources, scale)
    if not scores.asked:
        return None
    identity, target = scores.clusters(IDENTITY), scores.clusters(TARGET)
    ratio = None
    if identity and target and model:
        ratio = normalised(scores.grouped(model), identity, target, scale.is_higher_better, whole.interval_note)
    means = {arm: _figures(scores.mean(arm)) for arm in ARMS if arm in scores.values}
    contrast = abs(_mean(target) - _mean(identity)) if identity and target else 0.0
    margin = MARGIN * (scale.high - scale.low if scale.low is not None and scale.high is not None else contrast)
    checks = (
        scores.check("target_above_identity", TARGET, IDENTITY),
        scores.check("target_above_wrong_target", TARGET, WRONG),
        scores.check("jpeg_95_like_identity", JPEG, IDENTITY, margin),
    )
    return {
        "metric": scale.name,
        "num_asked": len(found),
        "means": means,
        "normalised": asdict(ratio) if ratio else None,
        "checks": [check for check in checks if check and "status" in check],
        "not_measured": [check for check in checks if check and "status" not in check],
    }


def told(store: RunStore, shown: ShownScoreSet, counted: Counted) -> dict[str, object] | None:
    """`block` of the headline of a score set; None without controls, and of scores that went through a bridge."""
    found = [] if shown.is_equated else answers(store, shown.id)
    if not found:
        return None
    label = shown.labels[0]
    scale = replace(counted.scale(label), name=shown.metrics[0])
    whole = next(s for s in counted.summaries() if (s.metric, s.category) == (label, MICRO))
    entries = counted.entries[label]
    sources = {sample: entry[1] for sample, entry in zip(counted.samples, entries, strict=True)}
    samples = zip(counted.samples, entries, strict=True)
    model = sample_means((sample, entry[3]) for sample, entry in samples if entry[3] is not None)
    return block(found, sources, scale, model, whole)


def _figures(row: Summary) -> dict[str, object]:
    names = ("mean", "ci_low", "ci_high", "interval_note", "num_scored")
    return {name: getattr(row, name) for name in names}


def _mean(clusters: Clusters) -> float:
    return math.fsum(x for values in clusters.values() for x in values) / sum(map(len, clusters.values()))


def warnings(judge: str, told: Mapping[str, object] | None) -> list[Message]:
    """One for each check of the controls that did not pass, or had too few answers."""
    found = []
    checks: Sequence[Mapping[str, object]] = told["checks"] if told else ()  # type: ignore[assignment]
    for check in checks:
        if check["status"] != PASSED:
            figures = [fixed(float(str(check[name]))) for name in ("difference", "low", "high")]
            said = Message(_SAID[str(check["name"]), str(check["status"])], (*figures, int(str(check["num_pairs"]))))
            found.append(Message("judge_warning", (printable(judge), said)))
    missing: Sequence[Mapping[str, object]] = told["not_measured"] if told else ()  # type: ignore[assignment]
    for check in missing:
        said = Message("controls_not_measured", (str(check["name"]), int(str(check["num_pairs"])), MIN_PAIRS))
        found.append(Message("judge_warning", (printable(judge), said)))
    return found


def is_sound(told: Mapping[str, object] | None, reads_instruction: bool) -> bool:
    """Whether no control shows that the judge's scores mean nothing.

    A judge that never reads the instruction measures a distance: what its controls show is a warning, no fault of it.
    """
    checks: Sequence[Mapping[str, object]] = told["checks"] if told else ()  # type: ignore[assignment]
    return not reads_instruction or all(check["status"] != FAILED for check in checks)
