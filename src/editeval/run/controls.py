"""Controls: edits whose score says something about the judge, put to it behind a run's own edits, in the same workers.

    identity        the source image as it is         target     the known right edit
    wrong_target    another sample's target           jpeg_95    the source after JPEG 95: nothing to be seen changed

They are put where samples have a target, about a few samples, and are no samples: they are kept beside the scores,
under names of their own, and enter no mean. From them follow the normalised score (`stats.normalised`) and the checks
of `run/control_checks.py`. What is on record is not asked again after a kill.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from editeval.errors import BudgetError, ImageError
from editeval.execution.pool_events import Result
from editeval.images import decode, encode_png
from editeval.run import forecast
from editeval.run.plan import Plan, ScoreSetPlan
from editeval.run.selection import stratified
from editeval.store.fingerprints import judge_request
from editeval.store.records import SampleRow
from editeval.store.run_store import RunStore
from editeval.types import JudgeRequest, Sample, Score, off_scale

IDENTITY, TARGET, WRONG, JPEG = "identity", "target", "wrong_target", "jpeg_95"
ARMS = (IDENTITY, TARGET, WRONG, JPEG)
OF_CERTIFIED = (IDENTITY, TARGET)  # of a judge whose certificate has the other two: they serve the normalised score
MOST, LEAST, PART = 30, 10, 10  # samples of each control: one in PART, if that is LEAST at least
_PLAN, _ANSWER = "controls", "control"


@dataclass(frozen=True, slots=True)
class ControlAnswer:
    """What the judge gave one control of one sample: value by metric, None where it gave none."""

    arm: str
    sample_id: str
    values: Mapping[str, float | None]


def answers(store: RunStore, judging_id: str) -> list[ControlAnswer]:
    """Every control of a score set that is on record, in the order in which they were put."""
    found = []
    for arm, sample_id in _planned(store, judging_id):
        told = store.fact(_name(judging_id, arm, sample_id))
        if told is not None:
            values = {one["metric"]: one["value"] for one in json.loads(told)}
            found.append(ControlAnswer(arm, sample_id, values))
    return found


def control_rows(store: RunStore, judging_id: str) -> Iterator[SampleRow]:
    """Each answered control as a row of its sample, with the scores and replies of the control."""
    wanted = {row.id: row for row in store.rows(None)}
    judge = next((one.judge for one in store.judgings() if one.id == judging_id), "")
    for arm, sample_id in _planned(store, judging_id):
        told = store.fact(_name(judging_id, arm, sample_id))
        if told is not None and sample_id in wanted:
            scores = {
                one["metric"]: Score(sample_id, judge, one["metric"], one["value"], one["raw"], one["reason"])
                for one in json.loads(told)
            }
            yield replace(wanted[sample_id], scores=scores)


def _planned(store: RunStore, judging_id: str) -> list[tuple[str, str]]:
    told = store.fact(f"{_PLAN} {judging_id}")
    return [(arm, sample_id) for arm, sample_id in json.loads(told)] if told else []


def _name(judging_id: str, arm: str, sample_id: str) -> str:
    return f"{_ANSWER} {judging_id} {arm} {sample_id}"


def chosen(plan: Plan, judging: ScoreSetPlan) -> list[tuple[str, str]]:
    """(control, sample id) of what this judge would be asked, drawn evenly over the categories; nothing if none fits.

    Not of judges that compare two edits, nor of samples that follow another one's edit.
    """
    params = judging.stage.params
    setting = plan.config.evaluation.controls
    with_target = [
        sample for sample in plan.samples if sample.target is not None and not (sample.after or sample.repeat_of)
    ]
    if setting == "auto":
        is_free = not judging.judge.is_remote
        num = min(MOST, max(LEAST, len(with_target) // PART)) if is_free and len(with_target) >= LEAST * 6 else 0
    else:
        num = min(int(setting), len(with_target))
    if not num or getattr(params, "is_pairwise", False):
        return []
    places = stratified([(sample.id, sample.category) for sample in with_target], num, 0)
    from editeval.certificates.certificate import certificate_of  # draws: no run needs it before its first edit

    certificate = certificate_of(plan.config.evaluation.output_dir, judging.id)
    arms = ARMS if certificate is None else OF_CERTIFIED
    return [(arm, with_target[place].id) for arm in arms for place in places]


@dataclass
class Controls:
    """What is left to ask one judge, in batches of its size. `build` is called in the pool's threads."""

    plan: Plan
    judging: ScoreSetPlan
    store: RunStore
    batches: Mapping[str, list[tuple[str, str]]] = field(init=False)
    _shown: dict[str, str] = field(default_factory=dict)
    _unreadable: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._samples = {sample.id: sample for sample in self.plan.samples}
        self.batches = {}

    def begin(self, is_judging: bool) -> list[str]:
        """Keys of what is left. With `auto`, an invocation that judges nothing else begins none."""
        setting = self.plan.config.evaluation.controls
        if setting is False:
            return []
        wanted = _planned(self.store, self.judging.id)
        if is_judging or setting != "auto":
            further = [one for one in chosen(self.plan, self.judging) if one not in set(wanted)]
            wanted += further
            if further:
                self.store.set_fact(f"{_PLAN} {self.judging.id}", json.dumps(wanted))
        size, batches = self.judging.stage.execution.batch_size, dict[str, list[tuple[str, str]]]()
        for place, (arm, sample_id) in enumerate(wanted):
            if sample_id in self._samples and self.store.fact(_name(self.judging.id, arm, sample_id)) is None:
                batches.setdefault(f"control {place // size}", []).append((arm, sample_id))
        self.batches = batches
        return list(batches)

    def build(self, key: str) -> tuple[JudgeRequest, ...]:
        """The requests of one batch. Raises ImageError if none of its pictures can be read."""
        found = []
        for arm, sample_id in self.batches[key]:
            try:
                request = self._request(arm, self._samples[sample_id])
            except ImageError as error:
                self._unreadable[f"{arm} {sample_id}"] = str(error)
                continue
            self._shown[request.key] = hashlib.sha256(request.edited).hexdigest()
            found.append(request)
        if not found:
            raise ImageError(f"{key}: no image of it can be read")
        return tuple(found)

    def _request(self, arm: str, sample: Sample) -> JudgeRequest:
        config = self.plan.config
        sources = [image.read() for image in sample.images]
        shown = replace(sample, category=config.benchmark.canonical(sample.category))
        request = judge_request(shown, sources, self._edit(arm, sample, sources[0]), config.prompt_of(sample.category))
        return replace(request, key=f"{arm} {sample.id}")

    def _edit(self, arm: str, sample: Sample, source: bytes) -> bytes:
        if arm == IDENTITY:
            return encode_png(decode(source))
        if arm == JPEG:
            from editeval.certificates.conditions import through_jpeg

            return through_jpeg(source)
        assert sample.target is not None, "chosen for it"
        target = sample.target.read()
        if arm == TARGET:
            return encode_png(decode(target))
        return encode_png(decode(self._other(sample, target)).resize(decode(target).size))

    def _other(self, sample: Sample, target: bytes) -> bytes:
        """The next sample's target that is another picture: of its category and another source image, if there is one.

        Raises ImageError if all targets are the same picture.
        """
        at = next(place for place, one in enumerate(self.plan.samples) if one.id == sample.id)
        others = [*self.plan.samples[at + 1 :], *self.plan.samples[:at]]
        image = sample.cluster or sample.id
        others.sort(key=lambda one: (one.category != sample.category, (one.cluster or one.id) == image))
        for one in others:
            if one.target is not None and (picture := one.target.read()) != target:
                return picture
        raise ImageError(f"{sample.id}: every sample has this target")

    def record(self, outcome: Result) -> bool:
        """What became of a batch is on record. False if the budget did not allow all of it: that is left to ask."""
        judged = {row[0].sample_id: row for row in outcome.value or ()}
        metrics, is_paid = self.judging.metrics, True
        for arm, sample_id in self.batches[outcome.key]:
            key = f"{arm} {sample_id}"
            scores = judged.get(key, ())
            if any(score.reason == BudgetError.reason for score in scores):
                is_paid = False
                continue
            problem = off_scale(scores, self.judging.known.scales)
            message = problem or self._unreadable.get(key) or (outcome.error.message if outcome.error else "no answer")
            rows = [{"metric": s.metric, "value": s.value, "raw": s.raw, "reason": s.reason} for s in scores]
            if problem or not rows:
                rows = [{"metric": name, "value": None, "raw": message, "reason": "error"} for name in metrics]
            shown = {"shown_sha256": self._shown.get(key, "")}
            told = json.dumps([row | shown for row in rows])
            self.store.set_fact(_name(self.judging.id, arm, sample_id), told)
        return is_paid


def cost_lines(plan: Plan, judging: ScoreSetPlan, is_judging: bool) -> list[str]:
    """What the controls of a judge are asked, in words, before anything is sent; empty without any."""
    wanted = chosen(plan, judging) if is_judging else []
    samples = {sample.id: sample for sample in plan.samples}
    if not wanted:
        is_asked_for = is_judging and plan.config.evaluation.controls not in ("auto", False)
        why = "no sample has a target of its own, or the judge compares two edits"
        return [f"evaluation.controls: none can be put: {why}"] if is_asked_for else []

    def unread() -> Iterator[JudgeRequest]:
        for _, sample_id in wanted:
            one = samples[sample_id]
            prompt = plan.config.prompt_of(one.category) if judging.uses_prompts else None
            yield forecast.unread(plan.config.benchmark.canonical(one.category), one, prompt)

    arms: Sequence[str] = list(dict.fromkeys(arm for arm, _ in wanted))
    what = f"{len(wanted)} controls ({', '.join(arms)} of {len(wanted) // len(arms)} samples)"
    return [": ".join([what, *lines]) for lines in [forecast.lines_of(judging, unread)[:1]]]
