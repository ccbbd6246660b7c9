"""Policy, pool and ledger together, through any history of a run: nothing lost, nothing twice, everything on record."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from scripted_workers import DIES, FAILS, Script

from editeval.execution.policies import POLICIES
from editeval.execution.pool import Pool, PoolSpec
from editeval.execution.pool_events import PoolEvent
from editeval.execution.worker_messages import EncodedEdit, WorkerSpec
from editeval.execution.worker_state import Limits
from editeval.store.manifest import Manifest, identity
from editeval.store.run_store import RunStore
from editeval.store.verify import repair, verify
from editeval.types import EditRequest, Failure, Outcome, Sample, Score

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\3\0\0\0\2"
PNG_END = b"IEND\xaeB`\x82"
IDS = tuple(f"s{number}" for number in range(7))
MAX_ATTEMPTS = 3
JUDGING = "judging"
FATES = st.lists(st.sampled_from(["ok", "late", *FAILS, *DIES]), max_size=MAX_ATTEMPTS)


class NoImage:
    def read(self) -> bytes:
        raise AssertionError("nobody reads it")


def png(key: str) -> bytes:
    return PNG + key.encode() + PNG_END


def ends(fates: Sequence[str], max_attempts: int = MAX_ATTEMPTS) -> str:
    """What becomes of a sample with these fates: "done", or the reason of its failure."""
    for number, fate in enumerate(fates, start=1):
        if fate in ("ok", "late"):
            return "done"
        if fate == "refused" or number == max_attempts:
            return "worker_died" if fate in DIES else fate
    return "done" if len(fates) < max_attempts else "worker_died"


def may_end(key: str, fates: Mapping[str, Sequence[str]]) -> set[str]:
    """A death with one request on the device and another in the encoder is charged to the former, which is wrong if the
    encoder was to blame: then one may have an attempt less and the other one more."""
    is_unclear = any("die_encoding" in own for own in fates.values())
    return {ends(fates.get(key, ()), MAX_ATTEMPTS + change) for change in ((-1, 0, 1) if is_unclear else (0,))}


class RunMachine(RuleBasedStateMachine):
    """A run directory over many invocations, and beside it what it must hold.

    No rule has a precondition: which samples an interrupted invocation has done, the threads decide.
    """

    @initialize()
    def begin(self) -> None:
        memory = Path("/dev/shm")
        self.root = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
        self.wanted: list[str] = list(IDS)
        self.states: dict[str, str] = {}  # id -> "done", or the reason of its failure
        self.scored: set[str] = set()
        self.attempts: Counter[tuple[str, int, str]] = Counter()  # (id, attempt, reason)
        self.store = self._open()
        self._select()

    def _open(self) -> RunStore:
        parts = identity("benchmark", "editor", {}, 0)
        return RunStore.open(self.root / "run", Manifest("states", parts, argv=[], versions={}, host={}))

    def _select(self) -> None:
        self.store.select(Sample(key, "physical", (NoImage(),), "change it") for key in self.wanted)

    @rule(keys=st.permutations(IDS), num=st.integers(1, len(IDS)))
    def want_others(self, keys: list[str], num: int) -> None:
        self.wanted = keys[:num]
        self._select()

    @rule(
        policy=st.sampled_from(POLICIES),
        num_workers=st.integers(1, 3),
        fates=st.dictionaries(st.sampled_from(IDS), FATES, max_size=5),
        stop=st.sampled_from(["", "", "drain", "abandon"]),
        after=st.integers(0, 4),
    )
    def invoke(self, policy: str, num_workers: int, fates: dict[str, list[str]], stop: str, after: int) -> None:
        """One invocation, to its end or until somebody has had enough."""
        fates = dict(list(fates.items())[: 3 * num_workers])  # ten deaths in a row would end a worker
        pending = self.store.pending_edits()
        worker = WorkerSpec("editors", "scripted")
        spec = PoolSpec(worker, [("cpu",)] * num_workers, policy, None, Limits(max_attempts=MAX_ATTEMPTS))
        seen: list[str] = []
        with Pool(spec, Script(fates, png).launch, self._note) as pool:
            for outcome in pool.run(pending, lambda key: EditRequest(key, (b"",), "change it", 0)):
                self._record(outcome)
                seen.append(outcome.key)
                if stop and len(seen) > after:
                    if stop == "abandon":
                        break
                    pool.drain()
        self._check(fates, pending, seen, is_whole=not stop or len(seen) <= after)

    def _note(self, notice: PoolEvent) -> None:
        if notice.kind == "attempt":
            outcome = notice.data["outcome"]
            self.store.record_attempt("edit", outcome)
            self.attempts[outcome.key, outcome.attempt, outcome.error.reason] += 1

    def _record(self, outcome: Outcome[Any]) -> None:
        value = outcome.value.png if isinstance(outcome.value, EncodedEdit) else None
        assert outcome.key not in self.states, "a second outcome"
        self.store.record_edit(replace(outcome, value=value), seed=0)
        reason = outcome.error.reason if outcome.error else ""
        self.attempts[outcome.key, outcome.attempt, reason] += 1
        self.states[outcome.key] = reason or "done"

    def _check(self, fates: Mapping[str, list[str]], pending: list[str], seen: list[str], is_whole: bool) -> None:
        if is_whole:
            assert sorted(seen) == sorted(pending)
        for key in seen:
            assert self.states[key] in may_end(key, fates), (key, fates)

    @rule()
    def retry(self) -> None:
        failed = [key for key, state in self.states.items() if state != "done"]
        assert self.store.forget_edits(failed) == len(failed)
        for key in failed:
            del self.states[key]

    @rule(num=st.integers(1, 4), is_failed=st.booleans())
    def judge(self, num: int, is_failed: bool) -> None:
        self.store.add_judging(JUDGING, "scripted", {})
        keys = self.store.pending_scores(JUDGING)[:num]
        error = Failure("unparsable", "what?") if is_failed else None
        batch = []
        for key in keys:
            score = Score(key, "scripted", "overall", None if is_failed else 5.0, reason="unparsable" * is_failed)
            batch.append(([score], Outcome(key, None if is_failed else "scored", error, 0, "cpu", 1, 0.0, 0.1)))
        self.store.record_score_batch(JUDGING, batch)
        self.scored.update(keys)

    @rule(key=st.sampled_from(IDS), how=st.sampled_from(["lost", "torn", "altered"]))
    def harm(self, key: str, how: str) -> None:
        """An image goes bad; verify sees it, repair makes its sample pending."""
        if self.states.get(key) != "done":
            return
        path = self.store.edit_path(key)
        if how == "lost":
            path.unlink()
        else:
            path.write_bytes(png(key)[:-5] if how == "torn" else png("other"))
        problems = verify(self.store)
        assert [problem.sample_id for problem in problems] == [key]
        assert repair(self.store, problems) == problems
        del self.states[key]  # its scores come back with the same bytes

    @rule()
    def leave_and_come_back(self) -> None:
        self.store.close()
        self.store = self._open()

    @invariant()
    def the_ledger_holds_what_happened(self) -> None:
        if not hasattr(self, "store"):
            return
        assert self.store.pending_edits() == [key for key in self.wanted if key not in self.states]
        edits = {edit.sample_id: edit for edit in self.store.edits(wanted_only=False)}
        assert {key: e.error.reason if e.error else "done" for key, e in edits.items()} == self.states
        assert all(self.store.read_edit(e) == png(key) for key, e in edits.items() if e.status == "done")
        done = [key for key in self.wanted if self.states.get(key) == "done"]
        assert self.store.pending_scores(JUDGING) == [key for key in done if key not in self.scored]
        on_record = Counter(
            (a.sample_id, a.attempt, a.error.reason if a.error else "") for a in self.store.attempts("edit")
        )
        assert on_record == self.attempts
        counts = self.store.counts(JUDGING)
        assert (counts.num_wanted, counts.num_edited) == (len(self.wanted), len(done))

    def teardown(self) -> None:
        if hasattr(self, "store"):
            assert verify(self.store) == []
            self.store.close()
            shutil.rmtree(self.root)


RunMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
TestRuns = RunMachine.TestCase
