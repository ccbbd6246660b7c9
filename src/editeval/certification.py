"""From a configuration's judge to its certificate: the built-in benchmark's ladder through the judge's own workers."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from editeval import plugins
from editeval.benchmarks.procedural import ProceduralBenchmark, ProceduralParams, ladder
from editeval.categories import CATEGORIES, canonical
from editeval.certificates import arms, files
from editeval.certificates.answers import Answers
from editeval.certificates.arms import Specimen
from editeval.certificates.certificate import certificate
from editeval.certificates.thresholds import DEFAULT_SAMPLES, MIN_SAMPLES
from editeval.config.schema import Config, Stage
from editeval.doctor import rules, versions
from editeval.errors import ConfigError, MachineError
from editeval.execution.lanes import Notice, Result
from editeval.execution.pool import Pool
from editeval.execution.progress import ProgressLine
from editeval.plan import json_params, judging_id, stage_devices, worker_spec
from editeval.stages import Interrupt, launcher, pool_spec, say
from editeval.store import manifest
from editeval.types import Failure, Judge, JudgeRequest, Sample, Score

log = logging.getLogger("editeval")


@dataclass(frozen=True, slots=True)
class Suite:
    """How many samples of the built-in benchmark, and how large."""

    num_samples: int = DEFAULT_SAMPLES
    size: int = 512  # pixels


@dataclass(frozen=True, slots=True)
class Certified:
    """What became of it. `content` is None if it was interrupted: then nothing is kept."""

    content: dict[str, Any] | None
    path: Path
    signum: int | None


def certify(config: Config, interrupt: Interrupt, suite: Suite | None = None) -> Certified:
    """Put every request of the suite to the judge of `config`, and keep the certificate.

    Raises UserError before any worker starts if it cannot work.
    """
    suite = suite or Suite()
    stage, judge = _judge(config)
    _check(stage, suite)
    samples = _samples(suite, _categories(config, judge, stage))
    groups = stage_devices("reward_model", stage, judge)
    work = _Work(config, samples, judge.reads_instruction, stage.execution.batch_size)
    answers = Answers(judge.metrics_of(stage.params))
    key, output_dir = judging_id(config), config.evaluation.output_dir
    began, records = time.time(), []
    progress = ProgressLine(f"Certifying {stage.requested_type}", len(work.requests), say)
    pool = Pool(
        pool_spec(worker_spec("judges", stage, config.allow_code), groups, stage.execution),
        launcher(output_dir / "logs", f"certify-{key}", stage.execution),
        lambda notice: _on_notice(notice, progress),
    )
    with interrupt.watches(pool), pool:
        if interrupt.signum is None:
            progress.begin()
            for outcome in pool.run(list(work.batches), work.build):
                for (arm, sample_id), scores in work.answered(outcome, stage.type, answers.metrics):
                    answers.add(arm, sample_id, scores)
                    records.append(_record(arm, sample_id, scores))
                    progress.add(scores[0].value is None)
    if interrupt.signum is not None:
        return Certified(None, files.path_of(output_dir, key), interrupt.signum)
    content = certificate(key, answers, judge.reads_instruction, _about(config, samples, groups, began))
    records.sort(key=lambda record: work.order[record["arm"], record["sample"]])
    return Certified(content, files.write(output_dir, content, records), None)


def _judge(config: Config) -> tuple[Stage, type[Judge]]:
    stage = config.reward_model
    if stage is None:
        raise ConfigError(f"{config.path}: reward_model: missing; there is no judge to certify")
    judge: type[Judge] = plugins.load("judges", stage.type, config.allow_code)
    return stage, judge


def _check(stage: Stage, suite: Suite) -> None:
    """Raises UserError for too few samples, and for libraries known to give wrong results together."""
    if suite.num_samples < MIN_SAMPLES:
        raise ConfigError(f"--num-items: a verdict takes at least {MIN_SAMPLES}, got {suite.num_samples}")
    for broken in rules.problems_for([stage.type], versions.installed()):
        if broken.severity == "broken":
            raise MachineError(f"{broken.line()}; `editeval doctor` tells more")


def _categories(config: Config, judge: type[Judge], stage: Stage) -> list[str]:
    """Those of the built-in benchmark that the judge can be asked about."""
    if not judge.uses_prompts_of(stage.params):
        return list(CATEGORIES)
    have = {canonical(name) for name in config.prompts}
    found = [category for category in CATEGORIES if category in have]
    if not found:
        has = ", ".join(config.prompts) or "none"
        raise ConfigError(
            f"{config.path}: prompts: the judge {stage.requested_type!r} asks in the words of its category, and the "
            f"built-in benchmark has {', '.join(CATEGORIES)}; there is a prompt for: {has}"
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

    def __init__(self, config: Config, samples: Sequence[Sample], reads_instruction: bool, size: int) -> None:
        self._samples = {sample.id: sample for sample in samples}
        self._others = arms.others(samples)
        self._prompts = {canonical(name): prompt for name, prompt in config.prompts.items()}
        self._drawn = lru_cache(maxsize=16)(self._draw)  # the arms of a sample stand together
        self.requests = arms.plan(samples, self._others, reads_instruction)
        self.order = {request: place for place, request in enumerate(self.requests)}
        starts = range(0, len(self.requests), size)
        self.batches = {f"batch {i // size}": self.requests[i : i + size] for i in starts}

    def build(self, batch: str) -> tuple[JudgeRequest, ...]:
        return tuple(self._request(arm, sample_id) for arm, sample_id in self.batches[batch])

    def _request(self, arm: str, sample_id: str) -> JudgeRequest:
        specimen = self._drawn(sample_id)
        return arms.request(arm, specimen, self._prompts.get(canonical(specimen.sample.category)))

    def _draw(self, sample_id: str) -> Specimen:
        sample = self._samples[sample_id]
        assert sample.reference is not None and sample.mask is not None, "the built-in benchmark has both"
        pictures = sample.image.read(), sample.reference.read(), sample.mask.read()
        return Specimen(sample, *pictures, ladder(sample), self._others.get(sample_id, ""))

    def answered(
        self, outcome: Result, judge: str, metrics: Sequence[str]
    ) -> Iterator[tuple[tuple[str, str], list[Score]]]:
        """((arm, sample id), scores) of every request in the batch; those of a failed batch are unscored."""
        judged = {row[0].sample_id: row for row in outcome.value or ()}
        failure = outcome.error or Failure("no_answer", "the judge left it out")
        for arm, sample_id in self.batches[outcome.key]:
            key = arms.key_of(arm, sample_id)
            missing = [Score(key, judge, metric, None, failure.message, failure.reason) for metric in metrics]
            yield (arm, sample_id), judged.get(key, missing)


def _record(arm: str, sample_id: str, scores: Sequence[Score]) -> dict[str, Any]:
    """One line of the evidence."""
    by_metric = {s.metric: {"value": s.value, "reason": s.reason, "raw": s.raw} for s in scores}
    return {"arm": arm, "sample": sample_id, "scores": by_metric}


def _on_notice(notice: Notice, progress: ProgressLine) -> None:
    data = notice.data
    if notice.kind == "tick":
        progress.tick()
    elif notice.kind == "loading":
        log.info("Loading judge %d on %s", data["worker"], data["device"])
    elif notice.kind == "attempt":
        outcome = data["outcome"]
        log.warning("%s: attempt %d failed: %s; trying again", outcome.key, outcome.attempt, outcome.error.message)
    elif notice.kind != "ready":
        log.warning("Judge %d on %s: %s", data["worker"], data["device"], data.get("how", notice.kind))


def _about(
    config: Config, samples: Sequence[Sample], groups: Sequence[tuple[str, ...]], began: float
) -> dict[str, Any]:
    """What a certificate says besides its checks."""
    stage, judge = _judge(config)
    return {
        "created_at": time.time(),
        "seconds": time.time() - began,
        "num_samples": len(samples),
        "categories": list(dict.fromkeys(sample.category for sample in samples)),
        "judge": {
            "type": stage.type,
            "requested_type": stage.requested_type,
            "params": json_params(stage.params),
            "metrics": list(judge.metrics_of(stage.params)),
            "prompts": _prompts(config, judge, stage),
        },
        "devices": ["+".join(group) for group in groups],
        "versions": manifest.versions(),
        "host": manifest.host(),
    }


def _prompts(config: Config, judge: type[Judge], stage: Stage) -> Mapping[str, Mapping[str, str]] | None:
    """The YAML's prompts, if the judge asks them."""
    if not judge.uses_prompts_of(stage.params):
        return None
    return {canonical(name): asdict(prompt) for name, prompt in config.prompts.items()}
