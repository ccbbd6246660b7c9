"""What a run of the simulated editor should measure: its chances, and the score of every rung, give the exact mean.

The rungs are scored by the run's own judge, and only by `reference`, whose scores of them are a fact, not an opinion:
the one that was answered is scored already, two are known by definition, the others are made and scored here. That
takes seconds, so it is done once, after the last stage, and kept in the ledger for the reports.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from editeval.editors.simulated import OTHERS, RUNGS, Simulated, answer, chances_of, drawn
from editeval.errors import ConfigError, ImageError
from editeval.images import encode_png
from editeval.run.interrupt import Interrupt
from editeval.run.plan import Plan, ScoreSetPlan, hash_of, seed_of
from editeval.store.ledger_events import Planted
from editeval.store.run_store import RunStore
from editeval.types import JudgeRequest, Sample

log = logging.getLogger("editeval")

JUDGE = "reference"
EXACT = {"target": 10.0, "identity": 0.0}
"""What that judge gives these by definition, to the last bit: nobody need ask."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One sample: the probability that it gets a score, and its mean score if it does."""

    category: str
    chance: float
    mean: float


def check(plan: Plan) -> None:
    """Raises ConfigError for chances of a category that no sample of the benchmark has: they would never be drawn."""
    params = plan.config.diffusion_model.params
    if plan.editor is not Simulated or params == type(params)(latency_s=params.latency_s):
        return
    known = {sample.id.partition("/")[0] for sample in plan.benchmark} | {OTHERS}
    absent = [f"{category}/" for category in params.chances if category not in known]
    if absent:
        raise ConfigError(
            f"{plan.config.path}: diffusion_model.params.chances: no sample's id begins with "
            f"{' or '.join(map(repr, absent))}; use {', '.join(sorted(known))}"
        )


def record(plan: Plan, store: RunStore, interrupt: Interrupt) -> None:
    """The mean that was planted is on record, if this is a run of `simulated` that `reference` has judged."""
    judging = plan.judgings[0] if plan.judgings else None
    if plan.editor is not Simulated or judging is None or judging.stage.type != JUDGE:
        return
    selection = hash_of(sample.id for sample in plan.samples)
    if planted(store, judging.id, selection) is not None:
        return
    log.info("Scoring every rung of %d samples, for the mean that was planted", len(plan.samples))
    found = _expected(plan, judging, store, interrupt)
    if interrupt.signum is None and found:
        parts = {c: _mean([e for e in found if e.category == c]) for c in dict.fromkeys(e.category for e in found)}
        store.record_event(Planted(judging.id, selection, _mean(found), parts))


def planted(store: RunStore, judging_id: str, selection: str) -> Planted | None:
    """What `record` kept for these samples under this judging; None if it did not."""
    events = [recorded.event for recorded in store.events_of(Planted)]
    matching = (e for e in reversed(events) if (e.judging_id, e.selection) == (judging_id, selection))
    return next(matching, None)


def _mean(found: Sequence[Expected]) -> float:
    """Expected sum of the scores by the expected number of samples that have one."""
    return sum(e.chance * e.mean for e in found) / sum(e.chance for e in found)


def _expected(plan: Plan, judging: ScoreSetPlan, store: RunStore, interrupt: Interrupt) -> list[Expected]:
    measured = dict(_measured(plan, judging, store))

    def one(sample: Sample) -> Expected | None:
        known = measured.get(sample.id, EXACT)
        if interrupt.signum is not None or known is None:
            return None
        chances = chances_of(plan.config.diffusion_model.params, sample.id)
        left = [rung for rung in RUNGS if rung in chances and rung not in known]
        scores = {**known, **dict(_scores(sample, left, plan, judging) if left else ())}
        chance = sum(chances.get(rung, 0.0) for rung in scores)
        mean = sum(chances.get(rung, 0.0) * score for rung, score in scores.items()) / chance if chance else 0.0
        return Expected(sample.category, chance, mean) if chance else None

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as threads:
        return [expected for expected in threads.map(one, plan.samples) if expected is not None]


def _measured(plan: Plan, judging: ScoreSetPlan, store: RunStore) -> Iterator[tuple[str, dict[str, float] | None]]:
    """(sample id, scores by rung that need no judge any more; None if it has no score whatever is answered)."""
    model = plan.config.diffusion_model
    for row in store.rows(judging.id):
        score = row.scores.get(judging.metrics[0])
        if row.status == "done" and row.seed is not None and score is not None:
            rung = drawn(model.params, row.id, row.seed)
            yield row.id, None if score.value is None else {**EXACT, rung: score.value}


def _scores(sample: Sample, rungs: Sequence[str], plan: Plan, judging: ScoreSetPlan) -> Iterator[tuple[str, float]]:
    """(rung, headline score) of those that can be made and scored."""
    if sample.reference is None:
        return
    seed = seed_of(plan.config.diffusion_model.seed, sample.id)
    try:
        source, reference = sample.image.read(), sample.reference.read()
        mask = sample.mask.read() if sample.mask else None
        edits = [encode_png(answer(rung, (source, reference), seed)) for rung in rungs]
    except ImageError:
        return
    requests = [JudgeRequest(sample.id, source, edit, sample.instruction, reference, mask) for edit in edits]
    judge = judging.judge(judging.stage.params)
    judge.load(["cpu"])
    for rung, scores in zip(rungs, judge.judge(requests), strict=True):
        if scores[0].value is not None:
            yield rung, scores[0].value
