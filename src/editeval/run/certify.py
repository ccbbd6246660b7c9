"""From a configuration's judge to its certificate: the ladder of the built-in benchmark, judged by its workers."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

from editeval.benchmarks.procedural import ProceduralBenchmark, ProceduralParams, ladder
from editeval.certificates import certificate, conditions
from editeval.certificates.certificate import assemble
from editeval.certificates.checks import DEFAULT_SAMPLES, MIN_SAMPLES
from editeval.certificates.conditions import Answers, TestCase
from editeval.config.schema import Config, Stage
from editeval.errors import ConfigError
from editeval.execution.pool import BudgetLedger, Pool
from editeval.execution.pool_events import PROGRESS_EVENTS, PoolEvent, Result
from editeval.execution.progress import ProgressLine
from editeval.machine import host, versions
from editeval.prompts import CATEGORIES
from editeval.run.judge_stage import DegenerateReplyWatch
from editeval.run.plan import ScoreSetPlan, worker_spec
from editeval.run.prepare import check_machine, check_stages, interpreter_of
from editeval.run.scheduler import Interrupt
from editeval.run.stage import Workers, say, workers_of
from editeval.store.fingerprints import json_params
from editeval.types import Failure, JudgeRequest, Metric, Sample, Score

log = logging.getLogger("editeval")


@dataclass(frozen=True, slots=True)
class Suite:
    """How many samples of the built-in benchmark, and how large."""

    num_samples: int = DEFAULT_SAMPLES
    size: int = 512  # pixels


@dataclass(frozen=True, slots=True)
class Certified:
    """The outcome. `content` is None if it was interrupted: then nothing is kept."""

    content: dict[str, object] | None
    path: Path
    signum: int | None


def certify(config: Config, judging: ScoreSetPlan, interrupt: Interrupt, suite: Suite | None = None) -> Certified:
    """Send every request of the suite to one judge of `config`, and keep the certificate.

    Raises UserError before any worker starts if it cannot work.
    """
    suite = suite or Suite()
    installed = _checked(config, judging.stage, suite)
    samples = _samples(suite, _categories(config, judging))
    _refuse_unfit(config, judging)
    work = _Work(config, judging, samples)
    path = certificate.path_of(config.evaluation.output_dir, judging.id)
    began = time.time()
    answers, records = _answers(_workers(config, judging), work, interrupt)
    if interrupt.signum is not None:
        return Certified(None, path, interrupt.signum)
    about = {"seconds": time.time() - began, "versions": installed} | _about(config, judging, samples)
    content = assemble(judging.id, answers, judging.judge.reads_instruction, about)
    records.sort(key=lambda record: work.order[str(record["arm"]), str(record["sample"])])
    return Certified(content, certificate.write(config.evaluation.output_dir, content, records), None)


def _checked(config: Config, stage: Stage, suite: Suite) -> dict[str, str]:
    """The versions that the judge runs with. Raises UserError for too few samples, and for what this machine lacks."""
    if suite.num_samples < MIN_SAMPLES:
        raise ConfigError(f"--num-items: a verdict takes at least {MIN_SAMPLES}, got {suite.num_samples}")
    check_machine(config, [stage])
    check_stages(config, [stage])
    return versions.recorded() | interpreter_of(config, stage).versions


def _workers(config: Config, judging: ScoreSetPlan) -> Workers:
    logs = config.evaluation.output_dir / "logs" / f"certify-{judging.id}"
    spec = worker_spec(judging.stage, config.allow_code)
    return workers_of(spec, judging.devices(), judging.stage, logs)


def _answers(workers: Workers, work: _Work, interrupt: Interrupt) -> tuple[Answers, list[dict[str, object]]]:
    """What the judge answered, and the same as lines of evidence; not all of it after an interrupt."""
    answers = Answers(work.judging.metrics, work.judging.judge.roles_of(work.judging.stage.params))
    records: list[dict[str, object]] = []
    scales = work.judging.known.scales
    progress = ProgressLine(f"Certifying {work.judging.name}", len(work.requests), say)
    budget = BudgetLedger()
    guards = DegenerateReplyWatch(work.judging, "no certificate is kept")

    def on_notice(notice: PoolEvent) -> None:
        guards.notice(notice)
        if notice.kind == "pay":
            pool.answer(notice, budget.settle(notice.data["bill"]))
        else:
            _on_notice(notice, progress)

    pool = Pool(workers.spec, workers.launch, on_notice)
    with interrupt.watches(pool), pool:
        if interrupt.signum is not None:
            return answers, records
        progress.begin()
        for outcome in pool.run(list(work.batches), work.build):
            for (arm, sample_id), scores in work.answered(outcome):
                answers.add(arm, sample_id, [_on_ten(score, scales) for score in scores])
                records.append(_record(arm, sample_id, scores))
                progress.add(scores[0].value is None)
            guards.check(outcome, pool)
    return answers, records


def _on_ten(score: Score, scales: Mapping[str, Metric]) -> Score:
    """`score` as the checks have it: 0-10, more is better."""
    scale = scales.get(score.metric)
    return score if scale is None or score.value is None else replace(score, value=scale.goodness(score.value))


def _refuse_unfit(config: Config, judging: ScoreSetPlan) -> None:
    if getattr(judging.stage.params, "is_pairwise", False):
        raise ConfigError(
            f"{config.path}: the judge {judging.name!r} compares two edits, and a certificate is about single ones"
        )
    open_ends = [name for name, scale in judging.known.scales.items() if scale.place(0.0) is None]
    if open_ends:
        raise ConfigError(
            f"{config.path}: the judge {judging.name!r} scores {', '.join(open_ends)} on a scale without ends; "
            "the checks of a certificate need one with two ends"
        )


def _categories(config: Config, judging: ScoreSetPlan) -> list[str]:
    """Those of the built-in benchmark that the judge can be asked about."""
    if not judging.uses_prompts:
        return list(CATEGORIES)
    found = [category for category in CATEGORIES if config.prompt_of(category) is not None]
    if not found:
        has = ", ".join(config.prompts) or "none"
        raise ConfigError(
            f"{config.path}: prompts: the judge {judging.name!r} asks in the words of its category, and the built-in "
            f"benchmark has {', '.join(CATEGORIES)}; there is a prompt for: {has}"
        )
    return found


def _samples(suite: Suite, categories: Sequence[str]) -> list[Sample]:
    """`suite.num_samples` samples, as evenly from `categories` as can be, each from a scene of its own."""
    share, rest = divmod(suite.num_samples, len(categories))
    most = share + (1 if rest else 0)
    drawn: dict[str, list[Sample]] = {category: [] for category in categories}
    for sample in ProceduralBenchmark(ProceduralParams(num_per_category=3 * most, size=suite.size)):
        if sample.category in drawn:
            drawn[sample.category].append(sample)
    chosen = {category: [found[3 * i + i % 3] for i in range(most)] for category, found in drawn.items()}
    return [s for n, category in enumerate(categories) for s in chosen[category][: share + (1 if n < rest else 0)]]


class _Work:
    """The requests in batches. Pictures are drawn when they are needed, by the pool's threads."""

    def __init__(self, config: Config, judging: ScoreSetPlan, samples: Sequence[Sample]) -> None:
        self.judging = judging
        self._samples = {sample.id: sample for sample in samples}
        self._others = conditions.others(samples)
        self._config = config
        self._drawn = lru_cache(maxsize=16)(self._draw)  # the conditions of a sample follow each other
        self.requests = conditions.plan(samples, self._others, judging.judge.reads_instruction)
        self.order = {request: place for place, request in enumerate(self.requests)}
        size = judging.stage.execution.batch_size
        starts = range(0, len(self.requests), size)
        self.batches = {f"batch {i // size}": self.requests[i : i + size] for i in starts}

    def build(self, batch: str) -> tuple[JudgeRequest, ...]:
        return tuple(self._request(arm, sample_id) for arm, sample_id in self.batches[batch])

    def _request(self, arm: str, sample_id: str) -> JudgeRequest:
        specimen = self._drawn(sample_id)
        return conditions.request(arm, specimen, self._config.prompt_of(specimen.sample.category))

    def _draw(self, sample_id: str) -> TestCase:
        sample = self._samples[sample_id]
        assert sample.target is not None and sample.mask is not None, "the built-in benchmark has both"
        pictures = sample.image.read(), sample.target.read(), sample.mask.read()
        return TestCase(sample, *pictures, ladder(sample), self._others.get(sample_id, ""))

    def answered(self, outcome: Result) -> Iterator[tuple[tuple[str, str], list[Score]]]:
        """((arm, sample id), scores) of every request in the batch; those of a failed batch are unscored."""
        judged = {row[0].sample_id: row for row in outcome.value or ()}
        failure = outcome.error or Failure("no_answer", "the judge left it out")
        name = self.judging.stage.label
        if outcome.error is not None:
            log.warning("%s: not judged (%s): %s", outcome.key, failure.reason, failure.message)
        for arm, sample_id in self.batches[outcome.key]:
            key = conditions.key_of(arm, sample_id)
            missing = [Score(key, name, m, None, failure.message, failure.reason) for m in self.judging.metrics]
            yield (arm, sample_id), judged.get(key, missing)


def _record(arm: str, sample_id: str, scores: Sequence[Score]) -> dict[str, object]:
    """One line of the evidence."""
    by_metric = {s.metric: {"value": s.value, "reason": s.reason, "raw": s.raw} for s in scores}
    return {"arm": arm, "sample": sample_id, "scores": by_metric}


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


def _about(config: Config, judging: ScoreSetPlan, samples: Sequence[Sample]) -> dict[str, object]:
    """What a certificate says besides its checks."""
    stage = judging.stage
    prompts = {config.benchmark.canonical(name): asdict(prompt) for name, prompt in config.prompts.items()}
    return {
        "created_at": time.time(),
        "num_samples": len(samples),
        "categories": list(dict.fromkeys(sample.category for sample in samples)),
        "judge": {
            "type": stage.type,
            "requested_type": stage.requested_type,
            "params": json_params(stage.params),
            "metrics": list(judging.metrics),
            "prompts": prompts if judging.uses_prompts else None,
        },
        "devices": ["+".join(group) for group in judging.devices()],
        "host": host.host(),
    }
