"""The judge stage: every edit that is done gets scores, or reasons why not, in the ledger.

Batches are cut from the list of wanted samples, so that neither timing nor an interruption decides who shares one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from editeval import images
from editeval.display.observer import RequestCompleted, StageFacts
from editeval.errors import BudgetError, ConfigError, ImageError, MachineError, Reason
from editeval.execution.pool import Pool
from editeval.execution.pool_events import PoolEvent, Result
from editeval.execution.progress import ProgressLine
from editeval.plugins import names_code
from editeval.reports.site.thumbnails import Found, ThumbnailWriter
from editeval.run.controls import Controls
from editeval.run.plan import Plan, ScoreSetPlan, calls_of, worker_spec
from editeval.run.stage import CompletedEdits, NotEditedError, RunningStage, say, worker_logs, workers_of
from editeval.stats.summary import Placed
from editeval.store import queries
from editeval.store.fingerprints import json_params, judge_request, shown_inputs, sources_digest
from editeval.store.opponent import NoPairError, Opponent, comes_first, model_named
from editeval.store.run_store import RunStore
from editeval.store.score_sets import details_of
from editeval.text import run_command
from editeval.types import Edit, Failure, JudgeRequest, Outcome, Sample, Score, off_scale

MAX_IN_A_ROW = 5  # samples of one process with an empty or degenerate reply
MAX_RESTARTS = 3  # of one worker in a stage, even if it has scored something in between
NO_LANGUAGE = frozenset({"degenerate", "empty"})


class SourceChangedError(ImageError):
    """The source image is not the one that was edited."""

    reason = Reason.SOURCE_CHANGED


class JudgeStage(RunningStage):
    """Scores the completed edits that have no scores in this score set; one request is one batch of samples."""

    stage = "judge"

    def __init__(
        self,
        plan: Plan,
        judging: ScoreSetPlan,
        store: RunStore,
        completed: CompletedEdits,
        thumbnails: ThumbnailWriter,
    ) -> None:
        stage = judging.stage
        store.add_judging(judging.id, stage.type, details_of(judging.name, stage, judging.known))
        spec = worker_spec(stage, plan.config.allow_code)
        workers = workers_of(spec, judging.devices(), stage, plan.log_path(judging))
        self._batches = _batches(plan, judging, store)
        self._controls = Controls(plan, judging, store)
        turns = list(self._batches), self._controls.begin(is_judging=bool(self._batches))
        super().__init__(store, stage, workers, [*turns[0], *turns[1]])
        self.turns = [turn for turn in turns if turn]
        self.judging_id = judging.id
        self.plugin, self.inputs = judging.judge, judging.known.inputs
        self.name = judge_key(judging)
        self._plan = plan
        self._judging = judging
        self._completed = completed
        against = getattr(stage.params, "against", "")
        self._opponent = Opponent.read(against) if against else None
        if self._opponent is not None and self._opponent.store.dir.resolve() == plan.dir.resolve():
            raise ConfigError(f"{stage.section}.params.against: {against}: is this run itself; name another one")
        self._samples = {s.id: s for s in plan.samples}
        self._unreadable: dict[str, Failure] = {}  # written by the pool's threads, one key each
        self._shown: dict[str, str] = {}  # digest of what the judge was shown, by sample; likewise
        self._thumbnails = thumbnails
        self._guards = DegenerateReplyWatch(judging, _what_is_kept(plan))
        self.progress = ProgressLine("Scoring edits", sum(map(len, self._batches.values())), say)

    def facts(self) -> StageFacts:
        return judge_facts(self._plan, self._judging, self.store)

    def samples_of(self, key: str) -> Sequence[str]:
        if key in self._controls.batches:
            return ()  # they are no samples
        return [edit.sample_id for edit in self._completed.done(self._batches[key], self.judging_id)]

    def began(self) -> None:
        super().began()
        size, num_workers = self._judging.stage.execution.batch_size, len(self.workers.spec.devices)
        what = f"Scoring {self.progress.total} edits on {num_workers} workers, {size} at a time"
        say(f"[{self._judging.judge.__name__}] {what}")

    def build(self, key: str) -> tuple[JudgeRequest, ...]:
        """The requests of one batch, once its edits are complete. An unreadable image leaves its neighbours alone.

        Raises ImageError if none of its images can be read, NotEditedError if there is nothing to judge.
        """
        if key in self._controls.batches:
            return self._controls.build(key)
        requests = []
        for edit in self._completed.wait(self._batches[key], self.judging_id):
            try:
                requests.append(self._request(self._samples[edit.sample_id], edit))
            except (SourceChangedError, NoPairError) as error:
                self._unreadable[edit.sample_id] = Failure(error.reason, str(error))
            except ImageError as error:
                self._unreadable[edit.sample_id] = Failure("bad_image", str(error))
        if not requests:
            raise ImageError(f"{key}: no image of it can be read")
        self._shown |= shown_inputs(requests, self._judging.depends_on_calls)
        return tuple(requests)

    def _request(self, sample: Sample, edit: Edit) -> JudgeRequest:
        prompt = self._plan.config.prompt_of(sample.category)
        sources, edited = [image.read() for image in sample.images], self.store.read_edit(edit)
        if edit.made is not None and sources_digest(list(map(images.sha256, sources))) != edit.made.source_sha256:
            raise SourceChangedError(
                f"{sample.id}: the source image is not the one that was edited; put the old one back, or run the same "
                "command: it edits the new one"
            )
        category = self._plan.config.benchmark.canonical(sample.category)
        request = judge_request(replace(sample, category=category), sources, edited, prompt)
        if self._opponent is not None:
            other = self._opponent.edit_of(
                sample.id, sample.instruction, sources_digest(list(map(images.sha256, sources)))
            )
            made_by = json_params(self._plan.config.diffusion_model.params)
            first = comes_first(model_named(made_by, self._plan.config.name), self._opponent.model)
            request = replace(request, edited_b=other, metadata={**request.metadata, "comes_first": first})
        self._thumbnails.offer(Found(sample.id, sources[0], request.target, edited, edit.sha256))
        return request

    def record(self, outcome: Result) -> None:
        if outcome.key in self._controls.batches:
            if not self._controls.record(outcome):
                self.over_budget()
            return
        wanted = len(self._batches[outcome.key])
        if outcome.error is not None and outcome.error.reason == NotEditedError.reason:
            self.progress.total -= wanted
            self.observer.settled(self.name, completed_scores(outcome, wanted, (), self._samples))
            return
        answers = self._scores(outcome)
        batch = [(scores, found) for scores, found in answers if not _is_unpaid(scores)]
        if len(batch) < len(answers):
            self.over_budget()
        self.progress.total -= wanted - len(batch)
        self.store.record_score_batch(self.judging_id, batch, inputs=self._shown)
        for scores, _ in batch:
            self.progress.add(scores[0].value is None)
        self.observer.settled(self.name, completed_scores(outcome, wanted, batch, self._samples))
        self._guards.check(outcome, self.pool)

    def notice(self, notice: PoolEvent) -> None:
        super().notice(notice)
        self._guards.notice(notice)

    def _scores(self, outcome: Result) -> list[tuple[Sequence[Score], Outcome[str]]]:
        """(scores, what became of them) for every edit of the batch that `outcome` is about."""
        judged = {row[0].sample_id: row for row in outcome.value or ()}
        result: list[tuple[Sequence[Score], Outcome[str]]] = []
        for key in self.samples_of(outcome.key):
            failure = self._unreadable.get(key) or (None if key in judged else outcome.error)
            problem = off_scale(judged.get(key, ()), self._judging.known.scales)
            if problem:  # a worker has looked already; what it sends is looked at all the same
                failure = Failure(Reason.BAD_OUTPUT, problem)
                del judged[key]
            scores = judged.get(key) or self._unscored(key, failure or Failure("no_answer", "the judge left it out"))
            result.append((scores, replace(outcome, key=key, value=None if failure else "scored", error=failure)))
        return result

    def _unscored(self, key: str, failure: Failure) -> list[Score]:
        name = self._judging.stage.label
        return [Score(key, name, metric, None, failure.message, failure.reason) for metric in self._judging.metrics]


def judge_key(judging: ScoreSetPlan) -> str:
    """What the stage of one judge is called."""
    return f"judge {judging.name}"


def judge_facts(plan: Plan, judging: ScoreSetPlan, store: RunStore) -> StageFacts:
    """A judge stage as it is now; edits that are still to be made are expected to succeed."""
    counts = store.counts(judging.id)
    groups = judging.devices()
    return StageFacts(
        key=judge_key(judging),
        kind="judge",
        judging_id=judging.id,
        title=judging.name if judging.prefix else judging.stage.label,
        total=counts.num_wanted - counts.num_failed,
        done=counts.num_scored,
        failed=counts.num_unscored,
        devices=tuple(groups),
        is_synchronised=judging.stage.execution.policy == "batch_sync",
        worker_logs=worker_logs(plan.log_path(judging), len(groups)),
        metric=judging.labels[0],
        scores=tuple(queries.headline_scores(store, judging.id)),
    )


def completed_scores(
    outcome: Result,
    wanted: int,
    batch: Sequence[tuple[Sequence[Score], Outcome[str]]],
    samples: Mapping[str, Sample],
) -> RequestCompleted:
    """`batch`: the scores of every sample that has an edit, the headline first, of the `wanted` ones of the request."""
    heads = [scores[0] for scores, _ in batch]
    return RequestCompleted(
        key=outcome.key,
        worker=outcome.worker,
        seconds=outcome.seconds,
        num_samples=len(heads),
        num_gone=wanted - len(heads),
        failures=tuple((h.sample_id, h.reason, h.raw) for h in heads if h.value is None),
        scores=tuple(_placed(samples[h.sample_id], h.value) for h in heads if h.value is not None),
    )


def _placed(sample: Sample, value: float) -> Placed:
    return sample.cluster or sample.id, sample.repeat_of or sample.id, value


def _what_is_kept(plan: Plan) -> str:
    """The end of the line when a judge with degenerate replies ends the stage."""
    flags = "--only", ",".join(sorted(NO_LANGUAGE))
    again = run_command("retry", plan.dir, *flags, names_code=names_code(plan.config.resolved))
    return f"what was scored is safe, and `{again}` asks again"


def _is_unpaid(scores: Sequence[Score]) -> bool:
    """Whether the sample was not asked about, for want of money: then it stays pending."""
    return any(score.reason == BudgetError.reason for score in scores)


def _batches(plan: Plan, judging: ScoreSetPlan, store: RunStore) -> dict[str, list[str]]:
    """Requests by name: the samples without scores, cut where the list of wanted samples is cut."""
    open_ids = {*store.pending_edits(), *store.pending_scores(judging.id)}
    calls = ([sample.id for sample in call if sample.id in open_ids] for call in calls_of(plan, judging))
    return {f"batch {number}": ids for number, ids in enumerate(calls) if ids}


@dataclass(slots=True)
class DegenerateReplyGuard:
    """Counts the replies of one worker that are empty or no language, as after an error of its device.

    Its process is restarted, because a model in that state stays in it. If the fresh process does the same, or the
    worker comes to that again and again, the judge itself is to blame: going on would only burn hours.
    """

    num_in_a_row: int = 0
    num_restarts: int = 0
    has_answered: bool = False  # the present process has given a reply that is language
    is_restarting: bool = False  # what the old process still answers does not count

    def count(self, is_language: bool) -> str:
        """What to do after one more sample: "restart" the process, "stop" the stage, or nothing ("")."""
        if self.is_restarting:
            return ""
        if is_language:
            self.num_in_a_row, self.has_answered = 0, True
            return ""
        self.num_in_a_row += 1
        if self.num_in_a_row < MAX_IN_A_ROW:
            return ""
        if self.num_restarts == MAX_RESTARTS or (self.num_restarts and not self.has_answered):
            return "stop"
        self.is_restarting = True
        self.num_restarts += 1
        return "restart"

    def restarted(self) -> None:
        """A fresh process is ready."""
        self.num_in_a_row, self.has_answered, self.is_restarting = 0, False, False


class DegenerateReplyWatch:
    """One guard for each worker of a judge. Servers are left alone: they are not our processes."""

    def __init__(self, judging: ScoreSetPlan, what_is_kept: str) -> None:
        """`what_is_kept` ends the line that stops the stage."""
        self._section = judging.stage.section
        self._is_remote = judging.judge.is_remote
        self._what_is_kept = what_is_kept
        self._workers: defaultdict[int, DegenerateReplyGuard] = defaultdict(DegenerateReplyGuard)

    def notice(self, notice: PoolEvent) -> None:
        """Of all events of the pool, fresh processes matter."""
        if notice.kind == "ready":
            self._workers[notice.data["worker"]].restarted()

    def check(self, outcome: Result, pool: Pool | None) -> None:
        """Restarts a process that gives only degenerate replies. Raises MachineError if that did not help."""
        what = f"{MAX_IN_A_ROW} samples in a row without a reply that is language"
        for scores in () if self._is_remote else outcome.value or ():
            action = self._workers[outcome.worker].count(scores[0].reason not in NO_LANGUAGE)
            if action == "stop":
                raise MachineError(
                    f"{self._section}: worker {outcome.worker} on {outcome.device}: {what}, in a fresh process too; "
                    f"see its log, then change the model, its dtype or the device; {self._what_is_kept}"
                )
            if action == "restart" and pool is not None:
                pool.renew(outcome.worker, what)
