"""Images per minute over the last while, exact for images that end together, as under batch synchronisation."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

WINDOW_S = 120.0
MIN_ROUNDS = 5  # the window holds at least so many of the longest image


@dataclass(slots=True)
class Throughput:
    """Counts images from `began_at` on (seconds of any clock)."""

    began_at: float
    _ends: deque[tuple[float, int]] = field(default_factory=deque)
    _anchor: float = 0.0  # end of the last image before the window
    _count: int = 0
    _longest_s: float = 0.0

    def __post_init__(self) -> None:
        self._anchor = self.began_at

    def add(self, at: float, count: int, seconds: float) -> None:
        """`count` images ended at `at`; they took `seconds`."""
        self._ends.append((at, count))
        self._count += count
        self._longest_s = max(seconds, 0.9 * self._longest_s)
        oldest = at - max(WINDOW_S, MIN_ROUNDS * self._longest_s)
        while len(self._ends) > 1 and self._ends[0][0] < oldest:
            self._anchor, gone = self._ends.popleft()
            self._count -= gone

    def per_minute(self, now: float) -> float | None:
        """None before the first image. Falls when nothing arrives for longer than the longest image took."""
        if not self._ends:
            return None
        end = self._ends[-1][0]
        if now - end > 1.5 * self._longest_s:
            end = now
        span = end - self._anchor
        return 60.0 * self._count / span if span > 0 else None

    def eta_s(self, num_left: int, now: float) -> float | None:
        """Seconds until `num_left` more have ended, at this pace."""
        rate = self.per_minute(now)
        if num_left == 0:
            return 0.0
        if not rate:
            return None
        waited = min(now - self._ends[-1][0], 1.5 * self._longest_s)
        return max(60.0 * num_left / rate - waited, 0.0)


FULL_PACE = 200  # workers; what a look costs grows with them, so with more of them it is taken less often
MAX_REST_S = 3.0  # a picture older than `status` takes for live would be none


def refresh_interval_s(at_full_pace_s: float, num_workers: int) -> float:
    """Seconds until the next look at `num_workers` workers.

    By their number, not by what the last look happened to cost: on a slow machine, or while log lines are printed, it
    must be seen just as soon that Ctrl-C was heard.
    """
    return max(at_full_pace_s, min(at_full_pace_s * num_workers / FULL_PACE, MAX_REST_S))
