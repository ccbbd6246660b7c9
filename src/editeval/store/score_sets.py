"""Under which id the scores of a judge are kept in a run: that of its identity, or an older form of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from editeval.config.legacy import canonical
from editeval.config.schema import Stage
from editeval.errors import UserError
from editeval.metrics import OfficialUse
from editeval.prompts import Prompt
from editeval.store import directories, fingerprints, manifest
from editeval.store.fingerprints import COMMIT, Inputs
from editeval.store.opponent import Opponent
from editeval.store.records import Details, Json, ScoreSet
from editeval.store.run_store import RunStore
from editeval.types import Judge, Metric, OfficialMean


@dataclass(frozen=True, slots=True)
class ScoreSetId:
    """What decides the scores of a judge, and what the run that it is asked in has of it."""

    identity: Json = field(default_factory=dict)
    former: Json = field(default_factory=dict)  # the same settings as editeval identified them before
    inputs: Inputs = field(default_factory=Inputs)
    settled: str = ""  # the id that a run has for it
    unrecorded: tuple[str, ...] = ()  # parts that the run has no record of
    official: tuple[OfficialMean, ...] = ()
    official_use: OfficialUse | None = None
    scales: Mapping[str, Metric] = field(default_factory=dict)  # of the metrics that are not 0-10
    replaces: tuple[str, ...] = ()  # why the run's scores of the judge of this name are not its
    earlier: frozenset[str] = frozenset()  # the judge's fingerprints while it asked the same and read otherwise
    parent: str = ""  # scores that the run has of such a version: their kept replies can be read again

    @property
    def id(self) -> str:
        return self.settled or self.own_id

    @property
    def own_id(self) -> str:
        """Of the identity alone."""
        return manifest.run_id(self.identity)[:16]

    def equal_ids(self) -> list[str]:
        """Those under which a certificate is one of this very judge."""
        return [self.id] if self.inputs.parts else list(dict.fromkeys([self.id, *self.ids()]))

    def ids(self) -> list[str]:
        """Those it may have in a run, the likeliest first."""
        commit = self.inputs.commit
        with_commit = [manifest.run_id({**self.identity, COMMIT: commit})[:16]] if commit else []
        return [self.own_id, *with_commit, manifest.run_id(self.former)[:16]]


def score_set_id(stage: Stage, judge: type[Judge], prompts: Mapping[str, Prompt]) -> ScoreSetId:
    """Everything that decides a score: judge, weights, code, parameters but for where it is asked, prompts.

    How many requests share a call counts only where it can change a score: local models pad a batch to its longest
    prompt, and sums in bfloat16 depend on the shape. A server is asked one request at a time.
    """
    inputs = fingerprints.inputs_of(stage, judge)
    parts: dict[str, object] = {"judge": stage.type, "code": judge.fingerprint_of(stage.params), "seed": stage.seed}
    if judge.uses_prompts_of(stage.params):
        words = {name: canonical(name) for name in prompts}  # ids are older than categories of one's own
        is_plain = len(set(words.values())) == len(words)
        parts["prompts"] = {words[name] if is_plain else name: asdict(prompt) for name, prompt in prompts.items()}
    if against := getattr(stage.params, "against", ""):
        opponent = Opponent.read(against)
        parts["against"] = opponent.digest
        if "single_order" in getattr(stage.params, "match_published", ()):
            parts["against_model"] = opponent.model  # its name decides which image is shown first
    size = {"batch_size": stage.execution.batch_size}
    own = parts | {"params": fingerprints.deciding_params(stage.params, inputs)} | fingerprints.extras(judge, inputs)
    return ScoreSetId(
        identity=own | size if depends_on_calls(judge) else own,
        former=parts | {"params": fingerprints.identity_params(stage.params)} | size,
        inputs=inputs,
        official=judge.official_of(stage.params),
        official_use=_official_use(judge, stage),
        scales=judge.scales_of(stage.params),
        earlier=_earlier(judge, stage),
    )


def _official_use(judge: type[Judge], stage: Stage) -> OfficialUse | None:
    """What the judge's class method `official_use_of` says; None for a judge without one."""
    told: Callable[[object], OfficialUse | None] | None = getattr(judge, "official_use_of", None)
    return told(stage.params) if told is not None else None


def _earlier(judge: type[Judge], stage: Stage) -> frozenset[str]:
    """What the judge's class method `earlier_fingerprints_of` says; none for a judge without one."""
    told: Callable[[object], frozenset[str]] | None = getattr(judge, "earlier_fingerprints_of", None)
    return told(stage.params) if told is not None else frozenset()


def notes_of(judge: type[Judge], stage: Stage) -> tuple[str, ...]:
    """What a user is told of the judge before a run, one line each: what its class method `notes_of` says."""
    told: Callable[[object], tuple[str, ...]] | None = getattr(judge, "notes_of", None)
    return told(stage.params) if told is not None else ()


def depends_on_calls(judge: type[Judge]) -> bool:
    """Whether requests that share a call may change each other's scores."""
    return not (judge.is_remote or judge.is_batch_invariant)


def details_of(name: str, stage: Stage, known: ScoreSetId) -> Details:
    """What a run keeps of a judge beside its scores."""
    details: Details = {
        "name": name,
        "params": fingerprints.json_params(stage.params),
        "seed": stage.seed,
        "batch_size": stage.execution.batch_size,
        "requested_type": stage.requested_type,
        "identity": dict(known.identity),
        "inputs": known.inputs.listed(),
    }
    if known.scales:
        details["scales"] = recorded_scales(known.scales)
    if known.official:
        details["official"] = [asdict(one) for one in known.official]
    if known.official_use:
        details["official_use"] = asdict(known.official_use)
    return details


def official_use_in(details: Details) -> OfficialUse | None:
    """Whose questions they were, and what differed from how the authors ask; None in older runs."""
    told = details.get("official_use")
    return OfficialUse(**{**told, "differs": tuple(told["differs"])}) if told else None


def recorded_scales(scales: Mapping[str, Metric]) -> dict[str, dict[str, object]]:
    """What a score set's details say of `scales`."""
    return {name: asdict(scale) for name, scale in scales.items()}


def scales_in(details: Details) -> dict[str, Metric]:
    """What `recorded_scales` said; nothing where every metric is 0-10, and in older runs."""
    return {name: Metric(**told) for name, told in details.get("scales", {}).items()}


def official_in(details: Details) -> list[OfficialMean]:
    """How the authors of the score set's questions make one number of its scores."""
    lists = ("metrics", "categories")
    told = details.get("official", ())
    return [OfficialMean(**{**one, **{name: tuple(one.get(name, ())) for name in lists}}) for one in told]


def settle(wanted: Mapping[str, ScoreSetId], directory: Path) -> dict[str, ScoreSetId]:
    """Each as the run in `directory` has it, or will have it. Writes nothing."""
    if not wanted or not directories.is_run(directory):
        return dict(wanted)
    try:
        store = RunStore.read(directory)
    except UserError:
        return dict(wanted)  # whoever opens it to write says what is wrong
    with store:
        there = {judging.id: judging for judging in store.judgings()}
        return {name: _settled(name, one, store, there) for name, one in wanted.items()}


def _settled(name: str, wanted: ScoreSetId, store: RunStore, there: Mapping[str, ScoreSet]) -> ScoreSetId:
    now = wanted.inputs.parts
    reasons: list[str] = []
    for candidate in wanted.ids():
        if candidate not in there:
            continue
        known = fingerprints.recorded(store, "judge", candidate)
        changed = fingerprints.changed(known, now)
        if not changed:
            unrecorded = tuple(fingerprints.unrecorded(known, now))
            parent = _read_otherwise(wanted, store, there)
            return replace(wanted, settled=candidate, unrecorded=unrecorded, parent=parent)
        reasons += _in_words(changed, there[candidate], wanted)
    free = next((candidate for candidate in wanted.ids() if candidate not in there), wanted.own_id)
    if not reasons and (parent := _read_otherwise(wanted, store, there)):
        return replace(wanted, settled=free, parent=parent)
    return replace(wanted, settled=free, replaces=tuple(reasons or _differences(name, wanted, store, there)))


def _read_otherwise(wanted: ScoreSetId, store: RunStore, there: Mapping[str, ScoreSet]) -> str:
    """The newest score set of the same judge, asked the same, whose replies were read in an earlier way; or ""."""
    for judging in reversed(list(there.values())):
        told = judging.details.get("identity", {})
        if told.get("code") in wanted.earlier and {**told, "code": ""} == {**wanted.identity, "code": ""}:
            known = fingerprints.recorded(store, "judge", judging.id)
            now = wanted.inputs.parts
            if "parent" not in judging.details and not fingerprints.changed(known, now):
                return judging.id
    return ""


def _differences(name: str, wanted: ScoreSetId, store: RunStore, there: Mapping[str, ScoreSet]) -> list[str]:
    """What changed about the weights or the code of the judge that was called `name`, if nothing else did."""
    for judging in reversed(list(there.values())):
        told = judging.details.get("identity", {})
        if judging.details.get("name") == name and _bare(told) == _bare(wanted.identity):
            changed = fingerprints.changed(fingerprints.recorded(store, "judge", judging.id), wanted.inputs.parts)
            return _in_words(changed, judging, wanted)
    for judging in reversed(list(there.values())):
        told = judging.details.get("identity", {})
        if judging.details.get("name") == name and _bare(told) | {"code": ""} == _bare(wanted.identity) | {"code": ""}:
            return [_OTHER_VERSION]
    return []


_OTHER_VERSION = "what it asks or how it counts: the scores there are of another version of editeval"


def _in_words(changed: list[str], old: ScoreSet, wanted: ScoreSetId) -> list[str]:
    return [fingerprints.in_words(part, old.details.get("inputs", {}), wanted.inputs.listed()) for part in changed]


def _bare(told: Json) -> dict[str, object]:
    return {name: value for name, value in told.items() if name not in ("weights", "source")}
