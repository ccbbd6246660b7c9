"""A histogram that grows by one score at a time, over a scale with ends or over as far as the scores reach."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from editeval.types import Metric

NUM_BINS = 50
"""Over a whole scale: 0.2 each on 0-10."""


@dataclass(slots=True)
class Histogram:
    """Scores by category. On a scale without two ends each is kept: the last one may show how far bins reach."""

    scale: Metric
    lowest: float | None = None
    highest: float | None = None
    _counts: dict[str, list[int]] = field(default_factory=dict)
    _kept: dict[str, array[float]] = field(default_factory=dict)

    def begin(self, category: str) -> None:
        """The category is there from now on, with or without scores."""
        self._counts.setdefault(category, [0] * NUM_BINS)

    def add(self, category: str, value: float) -> None:
        self.begin(category)
        self.lowest = value if self.lowest is None else min(self.lowest, value)
        self.highest = value if self.highest is None else max(self.highest, value)
        place = self.scale.place(value)
        if place is not None:
            self._counts[category][min(int(place * NUM_BINS / 10), NUM_BINS - 1)] += 1
        else:
            self._kept.setdefault(category, array("d")).append(value)

    def bins(self) -> dict[str, tuple[int, ...]]:
        """Category -> NUM_BINS counts, over `scale.axis(lowest, highest)`."""
        return {category: self._binned(category) for category in self._counts}

    def _binned(self, category: str) -> tuple[int, ...]:
        if category not in self._kept:
            return tuple(self._counts[category])
        import numpy as np

        ends = self.scale.axis(self.lowest, self.highest)
        return tuple(np.histogram(self._kept[category], NUM_BINS, ends)[0].tolist())
