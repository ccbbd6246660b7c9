"""A judge asked outside a run: any requests, put to its workers in batches, with answers that outlive a kill."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from editeval.config.schema import Config
from editeval.errors import FAMILIES, ImageError, MachineError, Reason, RunConflictError
from editeval.execution.pool import BudgetLedger, Pool, Usage
from editeval.execution.pool_events import PROGRESS_EVENTS, PoolEvent, Result
from editeval.execution.progress import ProgressLine
from editeval.files import Folder, from_json
from editeval.run import forecast
from editeval.run.judge_stage import DegenerateReplyWatch
from editeval.run.plan import ScoreSetPlan, worker_spec
from editeval.run.prepare import check_machine, check_stages
from editeval.run.scheduler import Interrupt
from editeval.run.stage import say, workers_of
from editeval.store.fingerprints import shown_inputs
from editeval.types import Failure, JudgeRequest, Score, off_scale

log = logging.getLogger("editeval")

_OUTSIDE_FAMILIES = ("network", "spending", "machine", "memory", "timeout", "crash")
OUTSIDE = frozenset(reason for family in _OUTSIDE_FAMILIES for reason in FAMILIES[family])
"""Reasons that say nothing of the judge: what was around it failed."""
ASKED_AGAIN = OUTSIDE | FAMILIES["error"] | FAMILIES["output"]
"""Reasons that say nothing about the edit: with one of these the judge has not answered."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What `ask` says on its way, and who may stop it."""

    title: str = "Asking"  # of the progress line, in front of the judge's name
    logs: str = "questions"  # the workers' logs are logs/<this>-<score set id>-worker<k>.log
    interrupt: Interrupt = field(default_factory=Interrupt)
    unread: Callable[[str], JudgeRequest] | None = None
    """The request without its pictures, for the forecast; None: every request is built for it."""
    lost: str = "nothing is kept"  # ends the line that gives a judge up, where no file keeps the answers


def ask(
    config: Config,
    judging: ScoreSetPlan,
    requests: Mapping[str, Callable[[], JudgeRequest]],
    kept: Path | None,
    how: Asking | None = None,
) -> Iterator[tuple[str, list[Score]]]:
    """(key, scores) of every request, as they come; fewer after an interrupt. Of what fails the scores have no value.

    requests  key -> builds its request, whose key is the same; called in other threads, when a worker wants it
    kept      a file of answers, one JSON line each. What is in it comes first and is not asked again; what is answered
              is added at once. An answer counts for the same score set and the very same request only, and if its
              values are on the scales of the judge.

    Raises UserError before any worker starts if it cannot work.
    """
    how = how or Asking()
    with ExitStack() as stack:
        file = stack.enter_context(_KeptAnswers(kept, judging)) if kept is not None else None
        known = file.known if file is not None else {}
        left = []
        for key, build in requests.items():
            scores = _still_good(known.get(key), build)
            if scores is None:
                left.append(key)
            else:
                yield key, scores
        if not left:
            return
        check_machine(config, [judging.stage])
        check_stages(config, [judging.stage])
        for line in _forecast(judging, requests, left, how):
            log.info("Judge %s: %s", judging.name, line)
        yield from _Questions(config, judging, requests, how).asked(left, file)


def _forecast(
    judging: ScoreSetPlan, requests: Mapping[str, Callable[[], JudgeRequest]], left: Sequence[str], how: Asking
) -> list[str]:
    unread = how.unread
    return forecast.lines_of(judging, lambda: (unread(key) if unread else requests[key]() for key in left))


def _still_good(answer: _Answer | None, build: Callable[[], JudgeRequest]) -> list[Score] | None:
    """The scores of a kept answer if its request is what it was; None without one."""
    if answer is None:
        return None
    try:
        return answer.scores if _digest(build()) == answer.request else None
    except ImageError:  # the picture is gone: the request is put again, and says so
        return None


def _digest(request: JudgeRequest) -> str:
    return shown_inputs([request], depends_on_calls=False)[request.key]


class _Questions:
    """What is left to ask, in the batches of the judge, through its workers."""

    def __init__(
        self, config: Config, judging: ScoreSetPlan, requests: Mapping[str, Callable[[], JudgeRequest]], how: Asking
    ) -> None:
        self._config = config
        self._judging = judging
        self._requests = requests
        self._how = how
        self._shown: dict[str, str] = {}  # by key; written by the pool's threads, as is the next
        self._unreadable: dict[str, Failure] = {}
        self._batches: dict[str, list[str]] = {}

    def asked(self, left: Sequence[str], file: _KeptAnswers | None) -> Iterator[tuple[str, list[Score]]]:
        """(key, scores) of those of `left`, as they are answered. Batches are cut where those of all requests are."""
        places = {key: place for place, key in enumerate(self._requests)}
        size = self._judging.stage.execution.batch_size
        for key in left:
            self._batches.setdefault(f"batch {places[key] // size}", []).append(key)
        judging, config = self._judging, self._config
        logs = config.evaluation.output_dir / "logs" / f"{self._how.logs}-{judging.id}"
        workers = workers_of(worker_spec(judging.stage, config.allow_code), judging.devices(), judging.stage, logs)
        progress = ProgressLine(f"{self._how.title} {judging.name}", len(left), say)
        budget = file.budget if file is not None else BudgetLedger()
        safe = f"what was answered is in {file.path}, and the same command goes on" if file is not None else None
        guards = DegenerateReplyWatch(judging, safe or self._how.lost)

        def on_notice(notice: PoolEvent) -> None:
            guards.notice(notice)
            if notice.kind == "pay":
                pool.answer(notice, budget.settle(notice.data["bill"]))
            else:
                _on_notice(notice, progress)

        pool = Pool(workers.spec, workers.launch, on_notice)
        with self._how.interrupt.watches(pool), pool:
            if self._how.interrupt.signum is not None:
                return
            progress.begin()
            for outcome in pool.run(list(self._batches), self._build):
                for key, scores in self._answered(outcome):
                    if file is not None and _is_answer(scores):
                        file.add(key, self._shown[key], scores)
                    progress.add(scores[0].value is None)
                    yield key, scores
                guards.check(outcome, pool)

    def _build(self, batch: str) -> tuple[JudgeRequest, ...]:
        """The requests of one batch; one whose picture cannot be read leaves its neighbours alone."""
        built = []
        for key in self._batches[batch]:
            try:
                request = self._requests[key]()
            except ImageError as error:
                self._unreadable[key] = Failure(Reason.BAD_IMAGE, str(error))
                continue
            self._shown[key] = _digest(request)
            built.append(request)
        if not built:
            raise ImageError(f"{batch}: no image of it can be read")
        return tuple(built)

    def _answered(self, outcome: Result) -> Iterator[tuple[str, list[Score]]]:
        """(key, scores) of every request in the batch; those of a failed batch are unscored."""
        judged = {row[0].sample_id: row for row in outcome.value or ()}
        failure = outcome.error or Failure(Reason.NO_ANSWER, "the judge left it out")
        if outcome.error is not None:
            log.warning("%s: not judged (%s): %s", outcome.key, failure.reason, failure.message)
        for key in self._batches[outcome.key]:
            problem = off_scale(judged.get(key, ()), self._judging.known.scales)
            if problem:  # a worker has looked already; what it sends is looked at all the same
                yield key, self._unscored(key, Failure(Reason.BAD_OUTPUT, problem))
            else:
                yield key, judged.get(key) or self._unscored(key, self._unreadable.get(key, failure))

    def _unscored(self, key: str, failure: Failure) -> list[Score]:
        name, raw = self._judging.stage.label, json.dumps({"message": failure.message}, ensure_ascii=False)
        return [Score(key, name, metric, None, raw, failure.reason) for metric in self._judging.metrics]


def _is_answer(scores: Sequence[Score]) -> bool:
    """Whether the judge has answered, be it that its answer cannot be read."""
    not_the_judges = {*ASKED_AGAIN, Reason.BAD_IMAGE, Reason.NO_ANSWER}
    return not any(score.reason in not_the_judges for score in scores)


@dataclass(frozen=True, slots=True)
class _Answer:
    request: str  # digest of what the judge was shown
    scores: list[Score]


class _KeptAnswers:
    """The file of answers, open for this process alone. A line that a kill has cut short at its end is dropped."""

    def __init__(self, path: Path, judging: ScoreSetPlan) -> None:
        self.path = path
        self._judging = judging
        self.known: dict[str, _Answer] = {}
        self.budget = BudgetLedger()

    def __enter__(self) -> _KeptAnswers:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = Folder(self.path.parent).open(self.path.name, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        except OSError as error:
            raise MachineError(f"{self.path}: cannot be written: {error.strerror or error}") from error
        self._file = os.fdopen(descriptor, "r+b")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._read()
        except BlockingIOError as error:
            self._file.close()
            raise RunConflictError(f"{self.path}: another process is asking; wait for it or stop it") from error
        except OSError as error:
            self._file.close()
            raise MachineError(f"{self.path}: cannot be read or locked: {error.strerror or error}") from error
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, key: str, request: str, scores: Sequence[Score]) -> None:
        """`key` is answered, and stays so whatever kills this process."""
        rows = [{name: getattr(score, name) for name in _KEPT_FIELDS} for score in scores]
        self._append({"key": key, "request": request, "scores": rows})

    def _append(self, content: Mapping[str, object]) -> None:
        line = json.dumps({"score_set": self._judging.id, **content}, ensure_ascii=False, allow_nan=False)
        try:
            self._file.write(line.encode("utf-8", "backslashreplace") + b"\n")
            self._file.flush()
        except OSError as error:
            raise MachineError(f"{self.path}: cannot be written: {error.strerror or error}") from error

    def _read(self) -> None:
        data = self._file.read()
        whole = data.rfind(b"\n") + 1
        self._file.truncate(whole)
        spent = Usage()
        for number, line in enumerate(data[:whole].splitlines(), 1):
            try:
                told = from_json(line)
                if told["score_set"] != self._judging.id:
                    continue
                if "spent" in told:
                    spent = Usage(**told["spent"])
                else:
                    answer = _Answer(told["request"], self._scores(told["key"], told["scores"]))
                    if problem := self._wrong_with(answer.scores):
                        log.warning("%s:%d: not used, and asked again: %s", self.path, number, problem)
                    else:
                        self.known[told["key"]] = answer
            except (ValueError, KeyError, TypeError) as error:
                what = f"{self.path}:{number}: no answer of a judge: {error!r}; remove the line, or the file"
                raise MachineError(what) from error
        self.budget = BudgetLedger(spent, lambda usage: self._append({"spent": asdict(usage)}))

    def _scores(self, key: str, rows: Sequence[Mapping[str, object]]) -> list[Score]:
        return [Score(sample_id=key, judge=self._judging.stage.label, **row) for row in rows]  # type: ignore[arg-type]

    def _wrong_with(self, scores: Sequence[Score]) -> str:
        """What keeps them from being an answer of this judge, in words; empty if nothing does."""
        metrics, wanted = sorted(score.metric for score in scores), sorted(self._judging.metrics)
        if metrics != wanted:
            return f"it scores {', '.join(metrics) or 'nothing'}, and the judge {', '.join(wanted)}"
        return off_scale(scores, self._judging.known.scales)


_KEPT_FIELDS = ("metric", "value", "raw", "reason", "seconds")


def _on_notice(notice: PoolEvent, progress: ProgressLine) -> None:
    data = notice.data
    if notice.kind == "tick":
        progress.tick()
    elif notice.kind == "loading":
        log.info("Loading judge %d on %s", data["worker"], data["device"])
    elif notice.kind == "attempt":
        outcome = data["outcome"]
        log.warning(
            "%s: attempt %d failed: %s; trying again",
            outcome.key,
            outcome.attempt,
            outcome.error and outcome.error.message,
        )
    elif notice.kind not in ("ready", *PROGRESS_EVENTS):
        log.warning("Judge %d on %s: %s", data["worker"], data["device"], data.get("how", notice.kind))
