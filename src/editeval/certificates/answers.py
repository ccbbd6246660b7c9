"""What a judge answered, by arm, sample and metric."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from editeval.types import Score

_ROLES: Mapping[str, tuple[str, ...]] = {
    "following": ("following", "completeness", "instruction_following", "semantic_consistency"),
    "preservation": ("preservation", "semantic_consistency"),
    "preservation alone": ("preservation",),
    "quality alone": ("quality", "perceptual_quality"),
    "headline": (),
}
"""Which metrics measure what, best first. semantic_consistency is the smaller of success and restraint: it must fall
when too much was changed, but does not rise when nothing was."""


def metric_for(role: str, metrics: Sequence[str]) -> str | None:
    """The first of `metrics` that plays `role`; else the headline; None if only a metric of its own would do."""
    for name in _ROLES[role]:
        if name in metrics:
            return name
    return None if role.endswith(" alone") else metrics[0]


class Answers:
    """Scores of every request that was put. A request without scores was put as well, and is unscored."""

    def __init__(self, metrics: Sequence[str]) -> None:
        self.metrics = tuple(metrics)
        self._rows: dict[str, dict[str, Mapping[str, Score]]] = {}

    def add(self, arm: str, sample_id: str, scores: Sequence[Score]) -> None:
        self._rows.setdefault(arm, {})[sample_id] = {score.metric: score for score in scores}

    @property
    def arms(self) -> tuple[str, ...]:
        """Those that were asked, in order."""
        return tuple(self._rows)

    def num_asked(self, *arms: str) -> int:
        """Samples that were asked under all of `arms`."""
        return len(set.intersection(*(set(self._rows.get(arm, ())) for arm in arms)))

    def values(self, arm: str, metric: str) -> list[float]:
        """Of the scored samples."""
        return list(self._scored(arm, metric).values())

    def both(self, first: str, second: str, metric: str) -> list[tuple[float, float]]:
        """(under `first`, under `second`) of every sample that is scored under both."""
        one, two = self._scored(first, metric), self._scored(second, metric)
        return [(value, two[sample_id]) for sample_id, value in one.items() if sample_id in two]

    def reasons(self, metric: str) -> Counter[str]:
        """Why requests have no score."""
        rows = [row for arm in self._rows.values() for row in arm.values()]
        return Counter(row[metric].reason for row in rows if row[metric].value is None)

    def num_requests(self) -> int:
        return sum(len(rows) for rows in self._rows.values())

    def _scored(self, arm: str, metric: str) -> dict[str, float]:
        scores = {sample_id: row[metric].value for sample_id, row in self._rows.get(arm, {}).items()}
        return {sample_id: value for sample_id, value in scores.items() if value is not None}
