"""What is on record of the policies of a run: what they cost, and what the others would have taken.

Only an invocation that ended in order has left that, and each was worked under one policy. So nothing here is a number
alone: it says of which policy it is, and how many of the edits that the run made it covers.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from editeval.store import queries
from editeval.store.run_store import RunStore

_Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Replayed:
    """JSON values; `num_edits` of `of_edits` are covered by a row. `policy`: that of the last one that made edits."""

    policy: str
    costs: tuple[dict[str, Any], ...]  # where the seconds of editing went, of each policy that edited, `policy` first
    policies: tuple[dict[str, Any], ...]  # what each would have taken for the edits that were made under `policy`

    @property
    def cost(self) -> dict[str, Any] | None:
        """That of `policy`; None if it was not recorded."""
        return next((cost for cost in self.costs if cost["policy"] == self.policy), None)


def replayed(store: RunStore, configured: str) -> Replayed:
    """`configured` is the policy of a run that has recorded none yet."""
    replays = store.events("replay")
    policy = str(replays[-1]["data"]["policy"]) if replays else configured
    told = [event for event in replays if "cost" in event["data"]]
    names = dict.fromkeys([policy, *(event["data"]["policy"] for event in told)])
    costs = [_cost(store, name, parts) for name in names if (parts := _of(name, told))]
    mine = _of(policy, replays)
    covered = _covered(store, mine)
    return Replayed(policy, tuple(costs), tuple(row | covered for row in _policies(mine)))


def _of(policy: str, replays: Sequence[_Event]) -> list[_Event]:
    return [event for event in replays if event["data"]["policy"] == policy]


def _cost(store: RunStore, policy: str, parts: Sequence[_Event]) -> dict[str, Any]:
    costs = [event["data"]["cost"] for event in parts]
    sums = {name: sum(cost[name] for cost in costs) for name in costs[0]}
    return {"policy": policy, **_covered(store, parts), **sums}


def _covered(store: RunStore, parts: Sequence[_Event]) -> dict[str, int]:
    """How many of the edits that the run made are of the invocations that recorded `parts`.

    Those of an older version, which noted no invocation, are.
    """
    invocations = [event["seq"] for event in store.events("invocation")]
    ended = {invocations[place - 1] for event in parts if (place := bisect.bisect(invocations, event["seq"]))}
    made: Counter[bool] = Counter()
    for seq, num in queries.num_made(store).items():
        made[seq is None or seq in ended] += num
    return {"num_edits": made[True], "of_edits": made.total()}


def _policies(parts: Sequence[_Event]) -> list[dict[str, Any]]:
    """What each policy would have taken, the parts added up."""
    total: dict[str, dict[str, Any]] = {}
    for event in parts:
        for timeline in event["data"]["policies"]:
            nothing = {"makespan_s": 0.0, "failures_s": 0.0, "idle_s": 0.0, "max_drift": 0}
            row = total.setdefault(timeline["policy"], nothing)
            row["makespan_s"] += timeline["makespan_s"]
            row["failures_s"] += timeline.get("failures_s", 0.0)
            row["idle_s"] += timeline["idle_fraction"] * timeline["makespan_s"]
            row["max_drift"] = max(row["max_drift"], timeline["max_drift"])
    return [
        {
            "policy": name,
            "makespan_s": row["makespan_s"],
            "failures_s": row["failures_s"],
            "idle_fraction": row["idle_s"] / row["makespan_s"] if row["makespan_s"] else 0.0,
            "max_drift": row["max_drift"],
        }
        for name, row in total.items()
    ]
