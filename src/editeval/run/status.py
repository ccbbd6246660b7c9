"""Where a run stands, from its ledger: the picture that its own display shows, as far as the ledger knows it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from editeval.display import snapshot as views
from editeval.display.observer import EDIT, StageFacts
from editeval.display.recorder import read_picture
from editeval.display.snapshot import FailureView, RunSnapshot, ScoreSoFar, StageView, Throughput, WorkerView
from editeval.plugins import names_code
from editeval.run import results
from editeval.run.index import label_of
from editeval.run.recorded import headline_of, headline_so_far, settings_of
from editeval.store import directories, queries
from editeval.store.ledger_events import (
    BatchEnd,
    Capped,
    Invocation,
    Recorded,
    Reused,
    StageBegin,
    StageEnd,
    StageEvent,
    Stages,
    StageStart,
)
from editeval.store.records import Counts, parsed
from editeval.store.reused import reused
from editeval.store.run_store import RunStore
from editeval.store.score_sets import scales_in
from editeval.text import run_command
from editeval.types import Metric, Subset

NUM_ENDS = 500  # of the last samples, for the pace
E = TypeVar("E", bound=StageEvent)
FRESH_S = 5.0  # a live picture older than this is history


@dataclass(frozen=True, slots=True)
class KeptView:
    """A score set that the run keeps."""

    name: str
    id: str
    judge: str
    num_scored: int
    num_unscored: int
    is_shown: bool  # in reports, exports and the browser
    parent: str  # id of the score set whose replies it reads again; empty: it asked a judge
    protocol: str  # empty: the judge follows none


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A score set that the latest invocation asked for, that is not shown, and that some edits lack."""

    name: str
    id: str
    num_left: int


@dataclass(frozen=True, slots=True)
class RunStatus:
    """`outcome`: running | complete | incomplete | capped | interrupted | killed. `writer`: who holds the lock."""

    picture: RunSnapshot
    outcome: str
    writer: dict[str, object] | None
    counts: Counts  # of several judgings, those of the one that scored least
    reasons: dict[str, dict[str, int]]  # stage -> why samples have no value -> how many
    judgings: tuple[KeptView, ...] = ()  # every one that the run keeps, those that are not shown included
    unfinished: tuple[Unfinished, ...] = ()
    argv: tuple[str, ...] = ()  # of the command that continues it; empty if unknown
    retry: str = ""  # the command that tries again what failed
    cap: str = ""  # the key of the limit on spending that it met last
    reused: tuple[Reused, ...] = ()  # what was taken over from other runs
    subset: Subset | None = None
    covered: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # wanted samples by language and subset
    model: str = ""  # what tables call the run

    @property
    def is_complete(self) -> bool:
        return self.outcome == "complete" or (self.outcome == "running" and self._is_all_there())

    def _is_all_there(self) -> bool:
        return all(stage.done == self.counts.num_wanted for stage in self.picture.stages)


def status_of(directory: Path) -> RunStatus:
    """Reads the ledger; from a run that is going on also its live picture, which knows the steps and the GPUs."""
    writer = directories.writer_of(directory)  # asked first: what ends while we read has written everything before
    with RunStore.read(directory) as store:
        found = _Ledger(store, writer is not None)
        picture = found.picture()
        outcome = found.outcome(picture)
        told = [*found.stages, *found.others]
        reasons = {facts.key: queries.reasons(store, facts.judging_id) for facts in told}
        counts = found.least
        taken = reused(store)
        judgings = tuple(_kept(store, {facts.judging_id: found.counts[facts.key] for facts in told}))
        unfinished = tuple(found.unfinished())
        subset, covered = queries.subset(store), queries.covered(store)
        retry = run_command("retry", directory, names_code=names_code(settings_of(store)))
        model = label_of(store)
    live = read_picture(directory) if writer is not None else None
    if live is not None and picture.at - live.at <= FRESH_S:
        picture = replace(live, is_continued=picture.is_continued)
    known = {stage: why for stage, why in reasons.items() if why}
    end = found.argv, retry, found.cap, taken, subset, covered, model
    return RunStatus(picture, outcome, writer, counts, known, judgings, unfinished, *end)


def _kept(store: RunStore, counted: Mapping[str, Counts]) -> Iterator[KeptView]:
    shown = {score_set.id for score_set in results.shown(store)}
    for one in results.kept(store):
        counts = counted.get(one.id) or store.counts(one.id)
        numbers = counts.num_scored, counts.num_unscored
        yield KeptView(one.name, one.id, one.judge, *numbers, one.id in shown, one.parent, one.protocol)


class _Ledger:
    """What the ledger says about the run: while it is going on of what it works on, later of the scores it shows."""

    def __init__(self, store: RunStore, is_running: bool) -> None:
        self.store = store
        self.is_running = is_running
        self.now = time.time()
        events = store.events()
        self.began_at = max((one.at for one in events if isinstance(one.event, Invocation)), default=self.now)
        self.is_continued = any(one.at < self.began_at for one in events if isinstance(one.event, StageBegin))
        self.events = [one for one in events if one.at >= self.began_at]
        self.cap = next((one.event.limit for one in reversed(self.events) if isinstance(one.event, Capped)), "")
        self.argv = queries.last_command(store, but_not="retry" if self.cap else "")
        self.announced = _stages(store)
        self.stages, self.others = (self.announced, []) if is_running else _shown_first(store, self.announced)
        told = [*self.stages, *self.others]
        self.counts = {facts.key: store.counts(facts.judging_id or None) for facts in told}
        judged = [self.counts[facts.key] for facts in self.stages if facts.judging_id]
        self.least = min(judged, key=lambda c: c.num_scored) if judged else self.counts.get(EDIT) or store.counts(None)

    def unfinished(self) -> Iterator[Unfinished]:
        for facts in self.others:
            left = self.counts[facts.key].num_pending_scores
            if left:
                yield Unfinished(facts.score_set, facts.judging_id, left)

    def outcome(self, picture: RunSnapshot) -> str:
        if self.is_running:
            return "running"
        num_wanted = self.least.num_wanted
        if num_wanted and all(stage.done == num_wanted for stage in picture.stages):
            return "complete"
        if num_wanted and not any(stage.num_left for stage in picture.stages):
            return "incomplete"
        kinds = Counter(one.event.kind for one in self.events)
        if kinds[StageBegin.kind] > kinds[StageEnd.kind]:
            return "killed"
        return "capped" if self.cap else "interrupted"

    def picture(self) -> RunSnapshot:
        workers = queries.workers(self.store, self.began_at) if self.is_running or self._has_more() else []
        return RunSnapshot(
            name=self.store.dir.name,
            directory=str(self.store.dir),
            num_samples=self.least.num_wanted,
            num_seeds=queries.num_seeds(self.store),
            at=self.now if self.is_running else self._last_at(workers),
            began_at=self.began_at,
            state="running" if self.is_running else "not running",
            stages=tuple(self._stage(facts) for facts in self.stages),
            workers=tuple(self._workers(workers)) if self._has_more() else (),
            last_failure=self._failure(),
            is_continued=self.is_continued,
        )

    def _has_more(self) -> bool:
        return any(self._stage_counts(facts)[0] > sum(self._stage_counts(facts)[1:]) for facts in self.stages)

    def _last_at(self, workers: Sequence[queries.WorkerActivity]) -> float:
        """The last sign of life."""
        return max([self.began_at, *(one.at for one in self.events), *(w.last_ended_at for w in workers)])

    def _stage(self, facts: StageFacts) -> StageView:
        total, done, failed = self._stage_counts(facts)
        state = self._state(facts, total - done - failed)
        is_running = state == "running"
        pace = self._pace(facts) if is_running else Throughput(self.began_at)
        batches = [one.event for one in self.events if isinstance(one.event, BatchEnd)] if facts.key == EDIT else []
        return StageView(
            key=facts.key,
            kind=facts.kind,
            title=facts.title,
            state=state,
            total=total,
            done=done,
            failed=failed,
            retried=queries.num_retries(self.store, facts.kind, facts.judging_id, self.began_at),
            already=min(facts.done + facts.failed, done + failed),
            images_per_min=pace.per_minute(self.now) if is_running else None,
            eta_s=pace.eta_s(total - done - failed, self.now) if is_running else None,
            batch=batches[-1].index if batches else 0,
            num_batches=batches[-1].total or self._num_batches(facts) if batches else 0,
            score=self._score(facts),
        )

    def _stage_counts(self, facts: StageFacts) -> tuple[int, int, int]:
        """(total, done, failed)."""
        counts = self.counts[facts.key]
        if facts.key == EDIT:
            return counts.num_wanted, counts.num_edited, counts.num_failed
        return counts.num_wanted - counts.num_failed, counts.num_scored, counts.num_unscored

    def _of(self, facts: StageFacts, kind: type[E]) -> Recorded[E] | None:
        """The last event of this kind that is about the stage."""
        for one in reversed(self.events):
            is_mine = isinstance(one.event, StageEvent) and one.event.stage == facts.kind
            if is_mine and isinstance(one.event, kind) and one.event.judging_id == facts.judging_id:
                return Recorded(one.seq, one.at, one.event)
        return None

    def _state(self, facts: StageFacts, num_left: int) -> str:
        if not self._of(facts, StageBegin):
            return "waiting" if num_left else "ended"
        if self._of(facts, StageEnd):
            return "stopped" if num_left else "ended"
        if not self.is_running:
            return "stopped"
        return "running" if self._of(facts, StageStart) else "loading"

    def _num_batches(self, facts: StageFacts) -> int:
        """Of a run whose batches do not say it."""
        begin = self._of(facts, StageBegin)
        if begin is None or not begin.event.devices or not facts.is_synchronised:
            return 0
        return -(-begin.event.num_requests // len(begin.event.devices))

    def _pace(self, facts: StageFacts) -> Throughput:
        started = self._of(facts, StageStart)
        pace = Throughput(started.at if started else self.began_at)
        for at, seconds in queries.ends(self.store, facts.kind, facts.judging_id, self.began_at, NUM_ENDS):
            pace.add(at, 1, seconds)
        return pace

    def _scale(self, facts: StageFacts) -> Metric:
        told = {one.id: scales_in(one.details) for one in self.store.judgings()}.get(facts.judging_id, {})
        return told.get(facts.metric.rpartition(".")[2]) or Metric(facts.metric)

    def _score(self, facts: StageFacts) -> ScoreSoFar | None:
        said, num_scored = headline_of(self.store, facts.judging_id), self.counts[facts.key].num_scored
        if said is not None:
            return ScoreSoFar(facts.metric, *said, num_scored, facts.score_set)
        is_equated = facts.metric.startswith("equated-")
        found = headline_so_far(self.store, facts.judging_id, self._scale(facts), is_equated)
        return ScoreSoFar(facts.metric, *found, num_scored, facts.score_set) if found else None

    def _workers(self, workers: Sequence[queries.WorkerActivity]) -> list[WorkerView]:
        keys = {(facts.kind, facts.judging_id): facts.key for facts in self.stages}
        return [
            WorkerView(
                stage=keys.get((w.stage, w.judging_id), w.stage),
                worker=w.worker,
                device=w.device,
                state=views.LAST_SEEN,
                state_s=max(self.now - w.last_ended_at, 0.0),
                sample=w.last_sample,
                seconds_per_image=w.seconds_per_sample,
                done=w.num_done,
                failed=w.num_failed,
            )
            for w in workers
        ]

    def _failure(self) -> FailureView | None:
        last = queries.last_failure(self.store, self.began_at)
        if last is None:
            return None
        logs = next((facts.worker_logs for facts in self.announced if facts.kind == last.stage), ())
        log = logs[last.worker] if last.worker < len(logs) else ""
        return FailureView(last.stage, last.sample_id, last.error.reason, last.error.message, last.worker, log)


def _stages(store: RunStore) -> list[StageFacts]:
    """As the latest invocation announced them; of a run that never did, its edits and every judging."""
    announced = store.latest(Stages)
    if announced:
        return [parsed(StageFacts, stage) for stage in announced.event.stages]
    judgings = [StageFacts(f"judge {j.judge}", "judge", j.judge, 0, judging_id=j.id) for j in store.judgings()]
    return [StageFacts(EDIT, "edit", "", 0), *judgings]


def _shown_first(store: RunStore, announced: Sequence[StageFacts]) -> tuple[list[StageFacts], list[StageFacts]]:
    """The edits and the score sets that outputs show; and the other ones that the latest invocation announced."""
    shown, names = results.shown(store), {one.id: one.name for one in results.kept(store)}
    if not shown:
        return list(announced), []
    known = {facts.judging_id: facts for facts in announced}
    stages = [known.get("", StageFacts(EDIT, "edit", "", 0))]
    for one in shown:
        counts = store.counts(one.id)
        told = known.get(one.id) or StageFacts(
            "", "judge", one.name, 0, one.id, done=counts.num_scored, failed=counts.num_unscored
        )
        stages.append(replace(told, key=f"judge {one.name}", metric=one.labels[0]))
    others = [facts for facts in announced if facts.judging_id not in {"", *(one.id for one in shown)}]
    return stages, [replace(f, key=f"judge {names.get(f.judging_id, f.score_set)}") for f in others]
