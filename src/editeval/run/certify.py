"""From a configuration's judge to its certificate: the ladder of the built-in benchmark, judged by its workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

from editeval.benchmarks.procedural import ProceduralBenchmark, ProceduralParams, ladder
from editeval.certificates import certificate, conditions
from editeval.certificates.certificate import assemble
from editeval.certificates.checks import DEFAULT_SAMPLES, MIN_SAMPLES
from editeval.certificates.conditions import Answers, TestCase
from editeval.config.schema import Config, Stage
from editeval.errors import ConfigError
from editeval.machine import host, versions
from editeval.prompts import CATEGORIES
from editeval.run import forecast
from editeval.run.plan import ScoreSetPlan
from editeval.run.prepare import check_machine, check_stages, interpreter_of
from editeval.run.questions import Asking, ask
from editeval.run.scheduler import Interrupt
from editeval.store.fingerprints import json_params
from editeval.types import JudgeRequest, Metric, Sample, Score


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
    answers, records = _answers(config, work, interrupt)
    if interrupt.signum is not None:
        return Certified(None, path, interrupt.signum)
    about = {"seconds": time.time() - began, "versions": installed} | _about(config, judging, samples)
    content = assemble(judging.id, answers, judging.judge.reads_instruction, about)
    records.sort(key=lambda record: work.order[str(record["arm"]), str(record["sample"])])
    return Certified(content, certificate.write(config.evaluation.output_dir, content, records), None)


def cost(config: Config, judging: ScoreSetPlan, suite: Suite) -> list[str]:
    """What a certificate would cost, in words. Raises UserError for what cannot be certified."""
    _check_number(suite)
    samples = _samples(suite, _categories(config, judging))
    _refuse_unfit(config, judging)
    work = _Work(config, judging, samples)
    return [f"{len(work.requests):,} edits", *forecast.lines_of(judging, lambda: map(work.unread, work.requests))]


def _check_number(suite: Suite) -> None:
    if suite.num_samples < MIN_SAMPLES:
        raise ConfigError(f"--num-items: a verdict takes at least {MIN_SAMPLES}, got {suite.num_samples}")


def _checked(config: Config, stage: Stage, suite: Suite) -> dict[str, str]:
    """The versions that the judge runs with. Raises UserError for too few samples, and for what this machine lacks."""
    _check_number(suite)
    check_machine(config, [stage])
    check_stages(config, [stage])
    return versions.recorded() | interpreter_of(config, stage).versions


def _answers(config: Config, work: _Work, interrupt: Interrupt) -> tuple[Answers, list[dict[str, object]]]:
    """What the judge answered, and the same as lines of evidence; not all of it after an interrupt."""
    judging = work.judging
    without_ends = [name for name, scale in judging.known.scales.items() if not scale.has_ends]
    answers = Answers(judging.metrics, judging.judge.roles_of(judging.stage.params), without_ends)
    records: list[dict[str, object]] = []
    how = Asking("Certifying", "certify", interrupt, work.unread, "no certificate is kept")
    for key, scores in ask(config, judging, work.builders(), None, how):
        arm, sample_id = work.requests[key]
        answers.add(arm, sample_id, [_on_ten(score, judging.known.scales) for score in scores])
        records.append(_record(arm, sample_id, scores))
    return answers, records


def _on_ten(score: Score, scales: Mapping[str, Metric]) -> Score:
    """`score` as the checks have it: more is better, and 0-10 if its scale has two ends."""
    scale = scales.get(score.metric)
    if scale is None or score.value is None:
        return score
    signed = score.value if scale.is_higher_better else -score.value
    return replace(score, value=scale.goodness(score.value) if scale.has_ends else signed)


def _refuse_unfit(config: Config, judging: ScoreSetPlan) -> None:
    if getattr(judging.stage.params, "is_pairwise", False):
        raise ConfigError(
            f"{config.path}: the judge {judging.name!r} compares two edits, and a certificate is about single ones"
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
    """The requests by key, in order. Pictures are drawn when they are needed, by the pool's threads."""

    def __init__(self, config: Config, judging: ScoreSetPlan, samples: Sequence[Sample]) -> None:
        self.judging = judging
        self._samples = {sample.id: sample for sample in samples}
        self._others = conditions.others(samples)
        self._config = config
        self._drawn = lru_cache(maxsize=16)(self._draw)  # the conditions of a sample follow each other
        planned = conditions.plan(samples, self._others, judging.judge.reads_instruction)
        self.requests = {conditions.key_of(*place): place for place in planned}
        self.order = {place: number for number, place in enumerate(planned)}

    def builders(self) -> dict[str, Callable[[], JudgeRequest]]:
        """What builds the request of each key."""
        return {key: partial(self._request, *place) for key, place in self.requests.items()}

    def unread(self, key: str) -> JudgeRequest:
        """The request without its pictures, about the sample's own instruction."""
        sample = self._samples[self.requests[key][1]]
        return forecast.unread(sample.category, sample, self._config.prompt_of(sample.category))

    def _request(self, arm: str, sample_id: str) -> JudgeRequest:
        specimen = self._drawn(sample_id)
        return conditions.request(arm, specimen, self._config.prompt_of(specimen.sample.category))

    def _draw(self, sample_id: str) -> TestCase:
        sample = self._samples[sample_id]
        assert sample.target is not None and sample.mask is not None, "the built-in benchmark has both"
        pictures = sample.image.read(), sample.target.read(), sample.mask.read()
        return TestCase(sample, *pictures, ladder(sample), self._others.get(sample_id, ""))


def _record(arm: str, sample_id: str, scores: Sequence[Score]) -> dict[str, object]:
    """One line of the evidence."""
    by_metric = {s.metric: {"value": s.value, "reason": s.reason, "raw": s.raw} for s in scores}
    return {"arm": arm, "sample": sample_id, "scores": by_metric}


def _about(config: Config, judging: ScoreSetPlan, samples: Sequence[Sample]) -> dict[str, object]:
    """What a certificate says besides its checks."""
    categories = list(dict.fromkeys(sample.category for sample in samples))
    return {"num_samples": len(samples), "categories": categories} | about_judge(config, judging)


def about_judge(config: Config, judging: ScoreSetPlan) -> dict[str, object]:
    """What a certificate says of the judge, and of where and when it was asked."""
    stage = judging.stage
    prompts = {config.benchmark.canonical(name): asdict(prompt) for name, prompt in config.prompts.items()}
    return {
        "created_at": time.time(),
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
