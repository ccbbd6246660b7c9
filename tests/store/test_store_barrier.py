"""`verify` finds every way in which a barrier was not one, by the times in the ledger; and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import store_fakes as fakes

from editeval.store.barrier import crossed
from editeval.store.ledger_events import Invocation, event_of
from editeval.store.run_store import RunStore
from editeval.store.verify import verify

NUM = 6  # samples s000 to s005, three batches of two


class Run:
    """A run under batch synchronisation: `attempts` are (sample, start, end), `batches` (start, end, members, left)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.at = 0.0

    def record(self, attempts: list[tuple[str, float, float]], batches: list[tuple[Any, ...]], **more: Any) -> None:
        """In one invocation that began before all of it."""
        with RunStore.open(self.directory, fakes.manifest()) as store:
            store.select(fakes.samples(NUM))
            self.at = store.latest(Invocation).at
            seen: dict[str, int] = {}
            for key, start, end in attempts:
                seen[key] = seen.get(key, 0) + 1
                is_last = sum(k == key for k, *_ in attempts) == seen[key]
                made = fakes.done(key, attempt=seen[key]) if is_last else fakes.failed(key, attempt=seen[key])
                made = replace(made, started_at=self.at + start, seconds=end - start)
                store.record_edit(made, seed=1) if is_last else store.record_attempt("edit", made)
            for index, (start, end, members, *left) in enumerate(batches, start=1):
                data = {"index": index, "started_at": self.at + start, "seconds": end - start, "slowest_worker": 0}
                new = {"ended_at": self.at + end, "steady_s": end, "members": members, "deferred": left}
                known = data | (new if members is not None else {}) | more
                store.record_event(event_of("batch", known))

    def crossed(self) -> list[str]:
        with RunStore.read(self.directory) as store:
            problems = [p.detail for p in verify(store) if p.kind == "barrier"]
            assert problems == list(crossed(store).values())
        return problems


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run")


SOUND = [("s000", 1, 2), ("s001", 1, 3), ("s002", 3.1, 4), ("s003", 3.1, 4), ("s004", 4.1, 5), ("s005", 4.1, 5)]
BATCHES = [(1, 3.05, ["s000", "s001"]), (3.1, 4.05, ["s002", "s003"]), (4.1, 5.05, ["s004", "s005"])]


def test_batches_that_follow_one_another_are_no_problem(run: Run) -> None:
    run.record(SOUND, BATCHES)
    assert run.crossed() == []


def test_an_attempt_that_began_before_the_batch_before_was_over_is_one(run: Run) -> None:
    attempts = [*SOUND[:3], ("s003", 2.9, 4), *SOUND[4:]]
    run.record(attempts, BATCHES)
    assert run.crossed() == ["attempt 1 at 's003' began 0.150 s before batch 1 was over"]


def test_a_failed_attempt_counts_as_much_as_the_last_one(run: Run) -> None:
    run.record([*SOUND[:4], ("s004", 4.0, 4.2), *SOUND[5:], ("s004", 4.3, 5)], BATCHES)
    assert run.crossed() == ["attempt 1 at 's004' began 0.050 s before batch 2 was over"]


def test_a_retry_that_ended_after_its_batch_was_said_to_be_over_is_one(run: Run) -> None:
    """What the first house did: batch 2 is said to be over while its retry runs among batch 3."""
    run.record([*SOUND[:3], ("s003", 3.1, 3.5), *SOUND[4:], ("s003", 4.2, 4.9)], BATCHES)
    assert run.crossed() == ["attempt 2 at 's003' ended 0.850 s after batch 2 was over"]


def test_a_retry_inside_its_batch_is_none(run: Run) -> None:
    run.record([*SOUND[:3], ("s003", 3.1, 3.5), ("s003", 3.6, 4.0), *SOUND[4:]], BATCHES)
    assert run.crossed() == []


def test_a_request_that_left_its_batch_may_run_again_in_the_last_one(run: Run) -> None:
    left = [(1, 2.0, ["s000"], "s001"), (3.1, 4.05, ["s002", "s003"]), (4.1, 5.05, ["s004", "s005"])]
    attempts = [("s001", 1, 1.5), *(a for a in SOUND if a[0] != "s001"), ("s001", 5.1, 6)]
    run.record(attempts, [*left, (5.1, 6.05, ["s001"])])
    assert run.crossed() == []
    early = [*attempts[:-1], ("s001", 4.9, 6)]
    other = Run(run.directory.with_name("other"))
    other.record(early, [*left, (5.1, 6.05, ["s001"])])
    assert other.crossed() == ["attempt 2 at 's001' began 0.150 s before batch 3 was over"]


def test_a_retry_in_a_batch_that_the_run_did_not_live_to_end_belongs_to_that_one(run: Run) -> None:
    """Killed while what had left its batch was tried again: of that batch there is no event."""
    left = [(1, 2.0, ["s000"], "s001"), *BATCHES[1:]]
    attempts = [("s001", 1, 1.5), *(a for a in SOUND if a[0] != "s001"), ("s001", 5.1, 6)]
    run.record(attempts, left)
    assert run.crossed() == []
    other = Run(run.directory.with_name("other"))
    other.record([*attempts[:-1], ("s001", 4.9, 6)], left)
    assert other.crossed() == ["attempt 2 at 's001' began 0.150 s before batch 3 was over"]


def test_a_sample_in_two_batches_and_batches_that_overlap_are_problems(run: Run) -> None:
    twice = [BATCHES[0], (3.0, 4.05, ["s002", "s003"]), (4.1, 5.05, ["s004", "s005", "s002"])]
    run.record(SOUND, twice)
    assert run.crossed() == ["batch 2 began 0.050 s before batch 1 was over", "'s002' is in batch 2 and in another one"]


def test_what_was_interrupted_had_to_wait_for_the_last_batch_as_well(run: Run) -> None:
    run.record([*SOUND[:4], ("s004", 3.9, 5)], BATCHES[:2])
    assert run.crossed() == ["attempt 1 at 's004' began 0.150 s before batch 2 was over"]


def test_each_invocation_has_batches_of_its_own(run: Run) -> None:
    run.record([], [])
    run.record([(key, start - 10, end - 10) for key, start, end in SOUND[:2]], [])  # of the invocation before
    run.record(SOUND[2:], [(3.1, 4.05, ["s002", "s003"]), (4.1, 5.05, ["s004", "s005"])])
    assert run.crossed() == []


def test_a_clock_that_was_set_back_is_no_proof(run: Run) -> None:
    """An hour back while batch 2 ran: its times are before those of batch 1, a steady clock says what happened."""
    attempts = [*SOUND[:2], ("s002", -3596.9, -3596), ("s003", -3596.9, -3596), ("s004", -3595.9, -3595)]
    run.record(attempts, [])
    with RunStore.reopen(run.directory) as store:
        for index, (start, end, steady, members) in enumerate(
            [(1, 3.05, 3.05, ["s000", "s001"]), (3.1, -3595.95, 4.05, ["s002", "s003"])], start=1
        ):
            data = {"index": index, "started_at": run.at + start, "ended_at": run.at + end, "seconds": end - start}
            known = data | {"steady_s": steady, "members": members, "deferred": []}
            store.record_event(event_of("batch", known))
    assert run.crossed() == []


def test_clocks_of_a_cluster_are_not_compared_with_ours(run: Run) -> None:
    shifted = [(key, start - 0.5 * (number % 2), end) for number, (key, start, end) in enumerate(SOUND)]
    run.record(shifted, BATCHES, is_one_clock=False)
    assert run.crossed() == []
    other = Run(run.directory.with_name("other"))
    other.record(SOUND, [BATCHES[0], (3.0, 4.05, ["s002", "s003"])], is_one_clock=False)
    assert other.crossed() == ["batch 2 began 0.050 s before batch 1 was over"], "both times are ours"


def test_batches_of_older_runs_are_judged_by_their_own_spans(run: Run) -> None:
    run.record(SOUND, [(1, 3.0, None), (3.1, 4.0, None), (4.1, 5.0, None)])
    assert run.crossed() == []
    other = Run(run.directory.with_name("other"))
    other.record(SOUND, [(1, 3.0, None), (3.1, 4.9, None), (4.1, 5.0, None)])
    assert other.crossed() == ["batch 3 began 0.800 s before batch 2 was over"]
