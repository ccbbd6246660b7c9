"""How long a run took, from the events of its ledger: loading, editing, judging, and what lay between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds over all invocations. Stages may overlap, so the parts can be more than the whole."""

    wall_s: float = 0.0  # from the first stage's beginning to the last one's end
    load_s: float = 0.0  # models loading, added up over workers
    edit_s: float = 0.0  # of the edit stage, loading included
    judge_s: float = 0.0  # of every judging, loading included
    swap_s: float = 0.0  # from the end of editing until every judge of that invocation that waited for it was ready


def spent(events: Iterable[Mapping[str, Any]]) -> Spent:
    """What the events of stages say; one that was killed counts up to the last thing that is known of it."""
    tally = _Tally()
    for event in events:
        tally.add(event["kind"], float(event["at"]), event["data"])
    tally.close()
    return Spent(tally.wall_s, tally.load_s, tally.stage_s["edit"], tally.stage_s["judge"], tally.swap_s)


class _Tally:
    def __init__(self) -> None:
        self.wall_s = self.load_s = self.swap_s = 0.0
        self.stage_s = {"edit": 0.0, "judge": 0.0}
        self._open: dict[tuple[str, str], float] = {}
        self._began_at: float | None = None  # of the invocation's first stage
        self._last_at = 0.0
        self._edited_at: float | None = None  # editing ended, and no judge has started since

    def add(self, kind: str, at: float, data: Mapping[str, Any]) -> None:
        if kind == "invocation":
            self.close()
        key = str(data.get("stage", "")), str(data.get("judging_id", ""))
        if kind == "stage_begin":
            self._open[key] = at
            self._began_at = at if self._began_at is None else self._began_at
        elif kind == "stage_start" and key[0] == "judge" and self._edited_at is not None:
            self.swap_s += max(at - self._edited_at, 0.0)
            self._edited_at = None
        elif kind == "stage_end" and key in self._open:
            self._ended(key, at)
        elif kind == "load":
            self.load_s += data["ended_at"] - data["started_at"]
        if "stage" in data or kind == "batch":
            self._last_at = at

    def _ended(self, key: tuple[str, str], at: float) -> None:
        self.stage_s[key[0]] += max(at - self._open.pop(key), 0.0)
        if key[0] == "edit" and not self._open:  # a judge that already runs does not wait for this
            self._edited_at = at

    def close(self) -> None:
        """The invocation is over, whether it said so or not."""
        for key in list(self._open):
            self._ended(key, self._last_at)
        if self._began_at is not None:
            self.wall_s += max(self._last_at - self._began_at, 0.0)
        self._began_at = self._edited_at = None
