"""The judge stage: every edit that is done gets scores, or reasons why not, in the ledger.

Batches are cut from the list of wanted samples, so that neither timing nor an interruption decides who shares one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from editeval import images
from editeval.display.observer import StageFacts
from editeval.errors import BudgetError, ImageError, Reason
from editeval.execution.pool_events import PoolEvent, Result
from editeval.execution.progress import ProgressLine
from editeval.plugins import names_code
from editeval.reports.site.thumbnails import Found, Previews
from editeval.run.plan import Plan, ScoreSetPlan, worker_spec
from editeval.run.progress_events import judge_facts, judge_key, settled_scores, worker_log_name
from editeval.run.reply_guard import NO_LANGUAGE, DegenerateReplyWatch
from editeval.run.stage import CompletedEdits, NotEditedError, RunningStage, say, workers_of
from editeval.store.run_store import RunStore
from editeval.store.samples import judge_request, shown_inputs
from editeval.store.score_sets import details_of
from editeval.text import run_command
from editeval.types import Edit, Failure, JudgeRequest, Outcome, Sample, Score


class SourceChangedError(ImageError):
    """The source image is not the one that was edited."""

    reason = Reason.SOURCE_CHANGED


class JudgeStage(RunningStage):
    """Scores what has landed and has no scores under this judging; one request is one batch of samples."""

    stage = "judge"

    def __init__(self, plan: Plan, judging: ScoreSetPlan, store: RunStore, completed: CompletedEdits) -> None:
        stage = judging.stage
        store.add_judging(judging.id, stage.type, details_of(judging.name, stage, judging.known))
        groups = judging.devices()
        logs = plan.config.evaluation.output_dir / "logs" / f"{plan.dir.name}{worker_log_name(judging)}"
        spec = worker_spec("judges", stage, plan.config.allow_code)
        self._batches = _batches(plan, judging, store)
        super().__init__(store, stage, workers_of(spec, groups, stage, logs), list(self._batches))
        self.judging_id = judging.id
        self.plugin, self.inputs = judging.judge, judging.known.inputs
        self.name = judge_key(judging)
        self._plan = plan
        self._judging = judging
        self._landings = completed
        self._samples = {s.id: s for s in plan.samples}
        self._unreadable: dict[str, Failure] = {}  # written by the pool's threads, one key each
        self._shown: dict[str, str] = {}  # digest of what the judge was shown, by sample; likewise
        self._previews = Previews(store.dir)
        self._guards = DegenerateReplyWatch(judging, _what_is_kept(plan))
        self.progress = ProgressLine("Scoring edits", sum(map(len, self._batches.values())), say)

    def facts(self) -> StageFacts:
        return judge_facts(self._plan, self._judging, self.store)

    def samples_of(self, key: str) -> Sequence[str]:
        return [edit.sample_id for edit in self._landings.done(self._batches[key])]

    def opened(self) -> None:
        super().opened()
        self._previews.start()

    def closed(self) -> None:
        self._previews.finish()
        super().closed()

    def began(self) -> None:
        super().began()
        size, num_workers = self._judging.stage.execution.batch_size, len(self.workers.spec.devices)
        what = f"Scoring {self.progress.total} edits on {num_workers} workers, {size} at a time"
        say(f"[{self._judging.judge.__name__}] {what}")

    def build(self, key: str) -> tuple[JudgeRequest, ...]:
        """The requests of one batch, as soon as its edits have landed. An unreadable image leaves its neighbours alone.

        Raises ImageError if none of its images can be read, NotEditedError if there is nothing to judge.
        """
        requests = []
        for edit in self._landings.wait(self._batches[key]):
            try:
                requests.append(self._request(self._samples[edit.sample_id], edit))
            except SourceChangedError as error:
                self._unreadable[edit.sample_id] = Failure(error.reason, str(error))
            except ImageError as error:
                self._unreadable[edit.sample_id] = Failure("bad_image", str(error))
        if not requests:
            raise ImageError(f"{key}: no image of it can be read")
        self._shown |= shown_inputs(requests, self._judging.depends_on_calls)
        return tuple(requests)

    def _request(self, sample: Sample, edit: Edit) -> JudgeRequest:
        prompt = self._plan.config.prompt_of(sample.category)
        source, edited = sample.image.read(), self.store.read_edit(edit)
        if edit.made is not None and images.sha256(source) != edit.made.source_sha256:
            raise SourceChangedError(
                f"{sample.id}: the source image is not the one that was edited; put the old one back, or run the same "
                "command: it edits the new one"
            )
        category = self._plan.config.benchmark.canonical(sample.category)
        request = judge_request(replace(sample, category=category), source, edited, prompt)
        self._previews.offer(Found(sample.id, source, request.reference, edited, edit.sha256))
        return request

    def record(self, outcome: Result) -> None:
        wanted = len(self._batches[outcome.key])
        if outcome.error is not None and outcome.error.reason == NotEditedError.reason:
            self.progress.total -= wanted
            self.observer.settled(self.name, settled_scores(outcome, wanted, (), self._samples))
            return
        answers = self._scores(outcome)
        batch = [(scores, found) for scores, found in answers if not _is_unpaid(scores)]
        if len(batch) < len(answers):
            self.over_budget()
        self.progress.total -= wanted - len(batch)
        self.store.record_score_batch(self.judging_id, batch, inputs=self._shown)
        for scores, _ in batch:
            self.progress.add(scores[0].value is None)
        self.observer.settled(self.name, settled_scores(outcome, wanted, batch, self._samples))
        self._guards.hear(outcome, self.pool)

    def notice(self, notice: PoolEvent) -> None:
        super().notice(notice)
        self._guards.notice(notice)

    def _scores(self, outcome: Result) -> list[tuple[Sequence[Score], Outcome[str]]]:
        """(scores, what became of them) for every edit of the batch that `outcome` is about."""
        judged = {row[0].sample_id: row for row in outcome.value or ()}
        result: list[tuple[Sequence[Score], Outcome[str]]] = []
        for key in self.samples_of(outcome.key):
            failure = self._unreadable.get(key) or (None if key in judged else outcome.error)
            scores = judged.get(key) or self._unscored(key, failure or Failure("no_answer", "the judge left it out"))
            result.append((scores, replace(outcome, key=key, value=None if failure else "scored", error=failure)))
        return result

    def _unscored(self, key: str, failure: Failure) -> list[Score]:
        name = self._judging.stage.label
        return [Score(key, name, metric, None, failure.message, failure.reason) for metric in self._judging.metrics]


def _what_is_kept(plan: Plan) -> str:
    """Said when a judge that has gone mad ends the stage."""
    flags = "--only", ",".join(sorted(NO_LANGUAGE))
    again = run_command("retry", plan.dir, *flags, names_code=names_code(plan.config.resolved))
    return f"what was scored is safe, and `{again}` asks again"


def _is_unpaid(scores: Sequence[Score]) -> bool:
    """Whether the sample was not asked about, for want of money: then it stays pending."""
    return any(score.reason == BudgetError.reason for score in scores)


def _batches(plan: Plan, judging: ScoreSetPlan, store: RunStore) -> dict[str, list[str]]:
    """Requests by name: the samples without scores, cut where the list of wanted samples is cut."""
    open_ids = {*store.pending_edits(), *store.pending_scores(judging.id)}
    size = judging.stage.execution.batch_size
    batches: dict[str, list[str]] = {}
    for position, sample in enumerate(plan.samples):
        if sample.id in open_ids:
            batches.setdefault(f"batch {position // size}", []).append(sample.id)
    return batches
