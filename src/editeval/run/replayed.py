"""What is on record of the policies of a run: what they cost, and what the others would have taken.

Only an invocation that ended in order has left that, and each worked under one policy. So nothing here is a number
alone: it says of which policy it is, and how many of the edits that the run made it covers.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from editeval.store import queries
from editeval.store.ledger_events import BatchEnd, Invocation, Recorded, Replay
from editeval.store.run_store import RunStore


class EditsCovered(TypedDict):
    """Of how many of the edits that the run made something is said."""

    num_edits: int
    of_edits: int


class PolicyCost(EditsCovered):
    """Where the seconds of editing went: measured_s = ideal_s + policy_s + failures_s + rest_s."""

    policy: str
    measured_s: float
    ideal_s: float
    policy_s: float
    failures_s: float
    rest_s: float


class PolicyRow(EditsCovered):
    """What a policy would have taken."""

    policy: str
    makespan_s: float
    failures_s: float
    idle_fraction: float
    max_drift: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """`policy`: that of the last invocation that made edits."""

    policy: str
    costs: tuple[PolicyCost, ...]  # of each policy that edited, `policy` first
    policies: tuple[PolicyRow, ...]  # what each would have taken for the edits that were made under `policy`

    @property
    def cost(self) -> PolicyCost | None:
        """That of `policy`; None if it was not recorded."""
        return next((cost for cost in self.costs if cost["policy"] == self.policy), None)


def replayed(store: RunStore, configured: str) -> Replayed:
    """`configured` is the policy of a run that has recorded none yet."""
    replays = store.events_of(Replay)
    policy = replays[-1].event.policy if replays else configured
    with_cost = [one for one in replays if one.event.cost is not None]
    names = dict.fromkeys([policy, *(one.event.policy for one in with_cost)])
    costs = [_cost(store, name, parts) for name in names if (parts := _of(name, with_cost))]
    mine = _of(policy, replays)
    return Replayed(policy, tuple(costs), tuple(_policies(mine, _covered(store, mine))))


def _of(policy: str, replays: Sequence[Recorded[Replay]]) -> list[Recorded[Replay]]:
    return [one for one in replays if one.event.policy == policy]


def _cost(store: RunStore, policy: str, parts: Sequence[Recorded[Replay]]) -> PolicyCost:
    costs = [one.event.cost for one in parts if one.event.cost is not None]
    return {
        "policy": policy,
        **_covered(store, parts),
        "measured_s": sum(cost["measured_s"] for cost in costs),
        "ideal_s": sum(cost["ideal_s"] for cost in costs),
        "policy_s": sum(cost["policy_s"] for cost in costs),
        "failures_s": sum(cost["failures_s"] for cost in costs),
        "rest_s": sum(cost["rest_s"] for cost in costs),
    }


def _covered(store: RunStore, parts: Sequence[Recorded[Replay]]) -> EditsCovered:
    """How many of the edits that the run made are of the invocations that recorded `parts`.

    Those of an older version, which noted no invocation, are.
    """
    invocations = [one.seq for one in store.events_of(Invocation)]
    ended = {invocations[place - 1] for one in parts if (place := bisect.bisect(invocations, one.seq))}
    made: Counter[bool] = Counter()
    for seq, num in queries.num_made(store).items():
        made[seq is None or seq in ended] += num
    return {"num_edits": made[True], "of_edits": made.total()}


def _policies(parts: Sequence[Recorded[Replay]], covered: EditsCovered) -> list[PolicyRow]:
    """What each policy would have taken, the parts added up."""
    rows: dict[str, PolicyRow] = {}
    for timeline in (timeline for one in parts for timeline in one.event.policies):
        before = rows.get(timeline.policy)
        makespan_s, idle_s = timeline.makespan_s, timeline.idle_fraction * timeline.makespan_s
        failures_s, max_drift = timeline.failures_s or 0.0, timeline.max_drift
        if before is not None:
            idle_s += before["idle_fraction"] * before["makespan_s"]
            makespan_s += before["makespan_s"]
            failures_s += before["failures_s"]
            max_drift = max(max_drift, before["max_drift"])
        rows[timeline.policy] = {
            "policy": timeline.policy,
            "makespan_s": makespan_s,
            "failures_s": failures_s,
            "idle_fraction": idle_s / makespan_s if makespan_s else 0.0,
            "max_drift": max_drift,
            **covered,
        }
    return list(rows.values())


def batches(store: RunStore) -> tuple[dict[str, object], ...]:
    """Every batch of every invocation, numbered on; which requests were in it, the ledger knows."""
    return tuple(_batch(number, recorded.event) for number, recorded in enumerate(store.events_of(BatchEnd), start=1))


def _batch(number: int, batch: BatchEnd) -> dict[str, object]:
    row = {
        "index": number,
        "num_requests": None if batch.members is None else len(batch.members),
        "started_at": batch.started_at,
        "seconds": batch.seconds,
        "slowest_worker": batch.slowest_worker,
        "num_workers": batch.num_workers,
        "deferred": batch.deferred,
    }
    return {name: value for name, value in row.items() if value is not None}
