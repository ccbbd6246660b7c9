"""How often to look: seldom enough that looking costs next to nothing, however many workers there are to show."""

from __future__ import annotations

FULL_PACE = 200  # workers; what a look costs grows with them, so with more of them it is taken less often
MAX_REST_S = 3.0  # a picture older than `status` takes for live would be none


def rest_s(at_full_pace_s: float, num_workers: int) -> float:
    """Seconds until the next look at `num_workers` workers.

    By their number, not by what the last look happened to cost: on a slow machine, or while log lines are printed, it
    must be seen just as soon that Ctrl-C was heard.
    """
    return max(at_full_pace_s, min(at_full_pace_s * num_workers / FULL_PACE, MAX_REST_S))
