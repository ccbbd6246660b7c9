"""What a run should measure whose editor draws its answers by known chances: chances x scores give the exact mean.

The answers are scored by the run's own judge, and only by `reference`, whose scores of them are a fact, not an opinion:
the one that was answered is scored already, two are known by definition, the others are made and scored here. It takes
seconds, so it is done once, after the last stage, and kept in the ledger for the reports.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from statistics import fmean

from editeval.errors import ImageError
from editeval.images import encode_png
from editeval.run.plan import KnownAnswers, Plan, ScoreSetPlan, hash_of, known_answers_of, seed_of
from editeval.run.scheduler import Interrupt
from editeval.store.ledger_events import Planted
from editeval.store.run_store import RunStore
from editeval.types import JudgeRequest, Sample

log = logging.getLogger("editeval")

JUDGE = "reference"
EXACT = {"target": 10.0, "identity": 0.0}  # what that judge gives these by definition, to the last bit


@dataclass(frozen=True, slots=True)
class Expected:
    """One sample: the probability that it gets a score, and its mean score if it does."""

    category: str
    chance: float
    mean: float
    sample: str


def record(plan: Plan, store: RunStore, interrupt: Interrupt) -> None:
    """The planted mean is on record, if the answers of the editor are known and `reference` has judged them."""
    answers = known_answers_of(plan.editor, plan.config)
    judging = plan.judgings[0] if plan.judgings else None
    if answers is None or judging is None or judging.stage.type != JUDGE:
        return
    selection = hash_of(sample.id for sample in plan.samples)
    if planted(store, judging.id, selection) is not None:
        return
    log.info("Scoring every rung of %s, for the mean that was planted", plan.extent)
    found = _Planted(plan, judging, answers, dict(_measured(plan, judging, answers, store))).expected(interrupt)
    if interrupt.signum is None and found:
        found = _over_seeds(found)
        parts = {c: _mean([e for e in found if e.category == c]) for c in dict.fromkeys(e.category for e in found)}
        store.record_event(Planted(judging.id, selection, _mean(found), parts))


def planted(store: RunStore, judging_id: str, selection: str) -> Planted | None:
    """What `record` kept for these samples and this score set; None if it did not."""
    events = [recorded.event for recorded in store.events_of(Planted)]
    matching = (e for e in reversed(events) if (e.judging_id, e.selection) == (judging_id, selection))
    return next(matching, None)


def _over_seeds(found: Sequence[Expected]) -> list[Expected]:
    """One for each sample: it has a score if one of its seeds has, and its score is the mean of theirs."""
    samples: dict[str, list[Expected]] = {}
    for one in found:
        samples.setdefault(one.sample, []).append(one)
    return [
        replace(seeds[0], chance=1 - math.prod(1 - one.chance for one in seeds), mean=fmean(e.mean for e in seeds))
        if len(seeds) > 1
        else seeds[0]
        for seeds in samples.values()
    ]


def _mean(found: Sequence[Expected]) -> float:
    """Expected sum of the scores by the expected number of samples that have one."""
    return sum(e.chance * e.mean for e in found) / sum(e.chance for e in found)


def _measured(
    plan: Plan, judging: ScoreSetPlan, answers: KnownAnswers, store: RunStore
) -> Iterator[tuple[str, dict[str, float] | None]]:
    """(sample id, scores by answer that are known already; None if it has no score whatever is answered)."""
    for row in store.rows(judging.id):
        score = row.scores.get(judging.metrics[0])
        if row.status == "done" and row.seed is not None and score is not None:
            name = answers.drawn(row.id, row.seed)
            yield row.id, None if score.value is None else {**EXACT, name: score.value}


@dataclass(frozen=True, slots=True)
class _Planted:
    plan: Plan
    judging: ScoreSetPlan
    answers: KnownAnswers
    measured: Mapping[str, dict[str, float] | None]

    def expected(self, interrupt: Interrupt) -> list[Expected]:
        """Of every sample that may get a score; not all of them after an interrupt."""
        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as threads:
            found = threads.map(lambda sample: None if interrupt.signum else self._one(sample), self.plan.samples)
            return [expected for expected in found if expected is not None]

    def _one(self, sample: Sample) -> Expected | None:
        known = self.measured.get(sample.id, EXACT)
        if known is None:
            return None
        chances = self.answers.chances(sample.id)
        scores = {**known, **dict(self._scores(sample, [name for name in chances if name not in known]))}
        chance = sum(chances.get(name, 0.0) for name in scores)
        mean = sum(chances.get(name, 0.0) * score for name, score in scores.items()) / chance if chance else 0.0
        return Expected(sample.category, chance, mean, sample.repeat_of or sample.id) if chance else None

    def _scores(self, sample: Sample, names: Sequence[str]) -> Iterator[tuple[str, float]]:
        """(answer, headline score) of those of `names` that can be made and scored."""
        if sample.target is None or not names:
            return
        seed = seed_of(self.plan.config.diffusion_model.seed, sample.id)
        try:
            source, target = sample.image.read(), sample.target.read()
            mask = sample.mask.read() if sample.mask else None
            edits = [encode_png(self.answers.image(name, (source, target), seed)) for name in names]
        except ImageError:
            return
        requests = [JudgeRequest(sample.id, (source,), edit, sample.instruction, target, mask) for edit in edits]
        judge = self.judging.judge(self.judging.stage.params)
        judge.load(["cpu"])
        for name, scores in zip(names, judge.judge(requests), strict=True):
            if scores[0].value is not None:
                yield name, scores[0].value
