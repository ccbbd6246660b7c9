"""What a ledger says besides samples, edits, scores and attempts: one class per kind of event, and its JSON.

In the ledger an event is its kind and a JSON object with the fields of its class. A field that is None by default is
left out while it is None: older runs did not record it. Fields that a class does not have are ignored, and an event of
a kind that is not known here is an `OtherEvent`: a newer editeval may have written it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from editeval.store.records import EditSettings, Json, ScoreSetEntry, parsed
from editeval.types import Subset

_KINDS: dict[str, type[Event]] = {}
RUN, SCORE = "run", "score"  # what an invocation did


class Event:
    """Base of all kinds."""

    kind: str

    def __init_subclass__(cls) -> None:
        if isinstance(vars(cls).get("kind"), str):
            _KINDS[cls.kind] = cls


E = TypeVar("E", bound=Event, covariant=True)


@dataclass(frozen=True, slots=True)
class Recorded(Generic[E]):
    """An event on record."""

    seq: int  # order of recording
    at: float  # unix seconds
    event: E


@dataclass(frozen=True, slots=True)
class OtherEvent(Event):
    """A kind that this version does not know, or an event that lacks a field."""

    kind: str
    data: Json


@dataclass(frozen=True, slots=True)
class Invocation(Event):
    """A command began to work on the run. Changes: dotted key -> (in the manifest, now)."""

    kind = "invocation"
    argv: tuple[str, ...] = ()
    pid: int = 0
    host: Json = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    config_changes: Mapping[str, tuple[object, object]] = field(default_factory=dict)
    origin_changes: Mapping[str, tuple[object, object]] = field(default_factory=dict)
    command: str = RUN
    warnings: tuple[str, ...] | None = None
    editing: EditSettings | None = None
    seal: str | None = None  # of the run's id and `config_changes`, if there are any


@dataclass(frozen=True, slots=True)
class Stages(Event):
    """The stages that an invocation announces: the fields of `display.observer.StageFacts` each."""

    kind = "stages"
    stages: tuple[Json, ...]


@dataclass(frozen=True, slots=True)
class SubsetChosen(Event):
    """Which part of the benchmark is wanted; all of it if the fields are not there."""

    kind = "subset"
    num: int | None = None
    of: int | None = None
    how: str | None = None

    @classmethod
    def of_run(cls, subset: Subset | None) -> SubsetChosen:
        return cls(subset.num, subset.of, subset.how) if subset else cls()

    @property
    def subset(self) -> Subset | None:
        """None for all of the benchmark."""
        return Subset(self.num, self.of, self.how or "") if self.num is not None and self.of is not None else None


@dataclass(frozen=True, slots=True)
class InterpreterUsed(Event):
    """The Python in which the workers of one section of the configuration run."""

    kind = "interpreter"
    section: str
    python: str | None
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Capped(Event):
    """A stage met a limit on spending."""

    kind = "capped"
    limit: str  # the key of the configuration that sets it


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEvent(Event):
    """Something that happened to a stage."""

    stage: str  # edit | judge
    judging_id: str = ""  # of its score set; older runs do not always say it


@dataclass(frozen=True, slots=True, kw_only=True)
class StageBegin(StageEvent):
    """Its models are about to load."""

    kind = "stage_begin"
    devices: tuple[str, ...] = ()  # one per worker
    num_requests: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStart(StageEvent):
    """All its models are loaded."""

    kind = "stage_start"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEnd(StageEvent):
    """Its workers are gone."""

    kind = "stage_end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load(StageEvent):
    """A worker has loaded its model; `facts` are what the model says of itself."""

    kind = "load"
    worker: int
    device: str = ""
    started_at: float
    ended_at: float
    pid: int | None = None
    facts: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLost(StageEvent):
    """A worker died or was ended; another one takes its place."""

    kind = "worker_lost"
    worker: int
    device: str = ""
    how: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerGivenUp(WorkerLost):
    """A worker is not started any more."""

    kind = "worker_given_up"
    is_lost: bool | None = None  # it died too often


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent(StageEvent):
    """What a stage has asked of a paid server so far, over all invocations."""

    kind = "spent"
    calls: int
    prompt_tokens: int
    reply_tokens: int
    usd: float


@dataclass(frozen=True, slots=True)
class BatchEnd(Event):
    """A batch of batch synchronisation is over. What older runs did not record is None."""

    kind = "batch"
    index: int  # from 1 within the invocation
    started_at: float
    seconds: float
    slowest_worker: int = -1
    total: int | None = None
    ended_at: float | None = None
    steady_s: float | None = None  # the end on a clock that cannot be set
    num_workers: int | None = None  # alive when it began
    num_left: int | None = None  # alive when it was over
    members: tuple[str, ...] | None = None
    deferred: tuple[str, ...] | None = None  # those that left it and are retried after the last batch
    is_one_clock: bool | None = None  # workers and parent are on one machine

    @property
    def over_at(self) -> float:
        """When it ended, unix seconds."""
        return self.started_at + self.seconds if self.ended_at is None else self.ended_at


@dataclass(frozen=True, slots=True)
class PolicyReplay:
    """What a policy would have taken for the edits of an invocation, failures included."""

    policy: str
    makespan_s: float
    idle_fraction: float
    max_drift: float
    failures_s: float | None = None  # of the makespan


@dataclass(frozen=True, slots=True)
class Replay(Event):
    """What the edits of an invocation cost under its policy, and would have under the others."""

    kind = "replay"
    policy: str
    actual_s: float = 0.0
    policies: tuple[PolicyReplay, ...] = ()
    cost: Mapping[str, float] | None = None  # where the seconds went: measured_s, and the four that add up to it
    num_edits: int | None = None


@dataclass(frozen=True, slots=True)
class ScoreSetsChosen(Event):
    """Which score sets the run shows: those that `report --scores` chose, or those of the configuration's judges."""

    kind = "score_sets"
    configured: tuple[ScoreSetEntry, ...]
    chosen: tuple[ScoreSetEntry, ...] | None


@dataclass(frozen=True, slots=True)
class ReportWritten(Event):
    """What shaped the report's files; `headlines`: [mean, low, high] by score set. From `badge` on of the first one."""

    kind = "report"
    shape: str = ""
    attempts: int = -1
    headlines: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    editeval: str = ""
    boot: str | None = None
    badge: str = ""
    note: str = ""  # why its mean has no interval
    num_samples: int = -1
    num_scored: int = -1  # without a judge: edited
    is_official: bool | None = None  # None: the benchmark has no official number


@dataclass(frozen=True, slots=True)
class Planted(Event):
    """The mean score that the editor `simulated` planted in a selection of samples."""

    kind = "planted"
    judging_id: str
    selection: str
    mean: float
    categories: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Reselected(Event):
    """Other samples are wanted, from the place `num_same` on."""

    kind = "reselected"
    num_same: int


@dataclass(frozen=True, slots=True)
class EditsForgotten(Event):
    """These edits are pending again, and their scores with them."""

    kind = "edits_forgotten"
    edits: tuple[Mapping[str, str | None], ...]  # sample_id, status, sha256


@dataclass(frozen=True, slots=True)
class ScoresForgotten(Event):
    """These samples are to be judged again."""

    kind = "scores_forgotten"
    judging_id: str
    sample_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EditsTaken(Event):
    """Edits that are reused from `run` were made like that there."""

    kind = "edits_taken"
    run: str
    editing: EditSettings


@dataclass(frozen=True, slots=True)
class Reused(Event):
    """What the run has from another one, of the samples that are wanted now."""

    kind = "reused"
    run: str
    num_edits: int
    num_scored: int  # samples with scores from there

    def __str__(self) -> str:
        edits = f"{self.num_edits} edit{'' if self.num_edits == 1 else 's'}"
        scores = f" and the scores of {self.num_scored}" if self.num_scored else ""
        return f"{edits}{scores} reused from {self.run}"


@dataclass(frozen=True, slots=True)
class Repaired(Event):
    """Problems that `verify --repair` fixed."""

    kind = "repaired"
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reparsed(Event):
    """Replies of `parent` were read again, as the score set `judging_id`."""

    kind = "reparse"
    argv: tuple[str, ...]
    num_scores: int
    judging_id: str
    parent: str
    changes: tuple[Json, ...]


CHANGES = (EditsForgotten, ScoresForgotten, Reselected)  # after these, results are others than before


def event_of(kind: str, data: Json) -> Event:
    """The event with the fields `data`."""
    known = _KINDS.get(kind)
    try:
        return OtherEvent(kind, data) if known is None else parsed(known, data)
    except TypeError:  # a version that did not record what is needed
        return OtherEvent(kind, data)
