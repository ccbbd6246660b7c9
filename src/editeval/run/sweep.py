"""Several checkpoints, one run each, on the same samples with the same seeds, judged by one loaded judge, compared.

A run of a sweep is an ordinary one: it is continued, reused, verified and viewed like any other. All checkpoints are
edited first and then judged, so that the judge loads once. With early stopping this happens in looks at a growing part
of the samples, in an order of source images that the seed alone decides; a checkpoint that is shown to be worse goes
no further. What was decided follows from the ledgers: the same command decides it again, and continues.
"""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace

from editeval.config.schema import Config
from editeval.errors import ConfigError, UserError
from editeval.run import results
from editeval.run.pipeline import planned, work
from editeval.run.plan import Plan
from editeval.run.prepare import recorded_so_far
from editeval.run.scheduler import Interrupt, KeptWorkers, Phase
from editeval.run.selection import num_distinct
from editeval.stats.checkpoints import ALPHA, is_worse
from editeval.stats.compare import Scored
from editeval.store import directories
from editeval.store.run_store import RunStore
from editeval.text import one_line
from editeval.types import Metric, Sample, Subset

log = logging.getLogger("editeval")
LOOKS = (0.125, 0.25, 0.5, 1.0)  # of the samples, with early stopping
MIN_PER_LOOK = 16  # samples of the first look


@dataclass(slots=True)
class Contestant:
    """A checkpoint, or a value of a parameter, and how far its run has come."""

    label: str
    sets: tuple[str, ...]  # what it sets over the configuration
    plan: Plan | None = None  # of all its samples
    num_looks: int = 0  # that are over
    error: str = ""  # why there is no run of it
    worse_than: str = ""  # the label of the one that it was stopped for
    scores: dict[Hashable, Scored] = field(default_factory=dict, repr=False)  # of the looks that are over, by sample
    num_made: int = 0  # edits of its run, done or failed, those of an earlier sweep that went further among them
    exit_code: int = 0

    @property
    def is_open(self) -> bool:
        return not self.error and not self.worse_than

    def is_complete(self, num_looks: int) -> bool:
        """Whether it has gone through all `num_looks` of the sweep."""
        return self.is_open and self.num_looks == num_looks


@dataclass(frozen=True, slots=True)
class Stopping:
    """`margin`: how much worse, in the metric's numbers. `num_rivals` None: more may come."""

    margin: Callable[[Metric], float]
    num_rivals: int | None

    def alpha(self, place: int) -> float:
        """Of one look at the rival at `place` (from 1): all looks at all rivals together have ALPHA."""
        mine = ALPHA / self.num_rivals if self.num_rivals else ALPHA / (place * (place + 1))
        return mine / (len(LOOKS) - 1)


class Sweep:
    """The contestants of a sweep; `advance` does the next look of those that are behind."""

    def __init__(
        self,
        config_of: Callable[[tuple[str, ...]], Config],
        stopping: Stopping | None,
        argv: Sequence[str],
        display: str,
    ) -> None:
        self.contestants: list[Contestant] = []
        self.num_judge_loads = 0
        self.metric: Metric | None = None
        self._config_of = config_of
        self._stopping = stopping
        self._argv = argv
        self._display = display

    def add(self, label: str, sets: tuple[str, ...]) -> None:
        """One more; labels are unique."""
        self.contestants.append(Contestant(label, sets))

    @property
    def is_stopping(self) -> bool:
        """Whether it stops early."""
        return self._stopping is not None

    @property
    def looks(self) -> tuple[float, ...]:
        return LOOKS if self._stopping else (1.0,)

    def advance(self, interrupt: Interrupt) -> bool:
        """The next look is over; False if none is left, or if it was interrupted: then of some contestants alone."""
        waiting = [one for one in self.contestants if one.is_open and one.num_looks < len(self.looks)]
        if not waiting or interrupt.signum is not None:
            return False
        number = min(one.num_looks for one in waiting)
        group = [one for one in waiting if one.num_looks == number]
        share = self.looks[number]
        parts = {one.label: part for one in group if (part := self._planned(one, share)) is not None}
        group = [one for one in group if one.label in parts]
        judged_apart = any(not judging.judge.is_remote for part in parts.values() for judging in part.judgings)
        if judged_apart:
            for one in group:
                self._work(one, share, interrupt, Phase(is_editing_only=True))
        with KeptWorkers() as kept:
            worked = [one for one in group if self._work(one, share, interrupt, Phase(kept=kept))]
            self.num_judge_loads += kept.num_loads
        for one in worked:
            self._read(one)
            one.num_looks += 1
        if interrupt.signum is not None:
            return False
        if share < 1.0:
            self._stop(group)
        return True

    def _planned(self, one: Contestant, share: float) -> Plan | None:
        """What the look is about; None, and the contestant's error, if it cannot work."""
        try:
            config = self._config_of(one.sets)
            plan = planned(replace(config, name=f"{config.name[:30].rstrip('-')}-{one.label[-29:]}"))
        except UserError as error:
            one.error = one_line(error)
            log.warning("%s: %s", one.label, one.error)
            return None
        one.plan = plan
        self._check(plan)
        if share == 1.0:
            return plan
        chosen = self._part(plan, share)
        how = "whole source images in random order, by `editeval sweep --stop-early`"
        return replace(plan, samples=chosen, subset=Subset(num_distinct(chosen), num_distinct(plan.samples), how))

    def _check(self, plan: Plan) -> None:
        """Raises ConfigError where early stopping has nothing to go by."""
        scales = plan.judgings[0].known.scales if plan.judgings else {}
        self.metric = (
            next((scales.get(name) or Metric(name) for name in plan.judgings[0].metrics), None)
            if plan.judgings
            else None
        )
        if self._stopping is None:
            return
        if self.metric is None:
            raise ConfigError(f"{plan.config.path}: --stop-early: the configuration has no judge; add one")
        self._stopping.margin(self.metric)

    def _part(self, plan: Plan, share: float) -> list[Sample]:
        """The samples of the first source images, in the benchmark's order: `share` of all, MIN_PER_LOOK at least."""
        clusters = clusters_of(plan.samples)
        distinct = [sample for sample in plan.samples if not sample.repeat_of]
        seed = plan.config.diffusion_model.seed
        order = sorted(set(clusters.values()), key=lambda name: _noise(seed, name))
        sizes = dict.fromkeys(order, 0)
        for sample in distinct:
            sizes[clusters[sample.id]] += 1
        wanted, chosen, num = max(MIN_PER_LOOK, math.ceil(share * len(distinct))), set[str](), 0
        for name in order:
            if num >= wanted:
                break
            chosen.add(name)
            num += sizes[name]
        return [sample for sample in plan.samples if clusters[sample.id] in chosen]

    def _work(self, one: Contestant, share: float, interrupt: Interrupt, phase: Phase) -> bool:
        """Does `phase` of its look. False if it was interrupted, or there is an error."""
        if not one.is_open or interrupt.signum is not None or one.plan is None:
            return False
        plan = self._planned(one, share)  # anew: the checkpoint may have changed since the look began
        if plan is None:
            return False
        if share < 1.0 and _is_done(plan):
            return True
        plan = _with_those_begun(plan, one.plan)
        log.info("%s: %s of %d", one.label, plan.extent, num_distinct(one.plan.samples))
        try:
            result = work(plan, self._argv, interrupt, self._display, phase)
        except UserError as error:
            one.error = one_line(error)
            log.warning("%s: %s", one.label, one.error)
            return False
        one.exit_code = result.exit_code
        return result.signum is None

    def _read(self, one: Contestant) -> None:
        """Its scores so far; a run that has gone further in an earlier sweep shows those of the looks alone."""
        assert one.plan is not None, "what has worked has a plan"
        clusters = clusters_of(one.plan.samples)
        share = self.looks[one.num_looks]
        wanted = {sample.id for sample in (one.plan.samples if share == 1.0 else self._part(one.plan, share))}
        with RunStore.read(one.plan.dir) as store:
            own = one.plan.judgings[0].id if one.plan.judgings else ""  # reports of the run may show another judge's
            shown = [replace(known, prefix="") for known in results.kept(store) if known.id == own]
            label = next(iter(results.labels(shown)), "")
            one.num_made = sum(1 for _ in store.edits(wanted_only=False))
            rows = [row for row in results.rows(store, shown) if row.id in wanted]
            one.scores = {
                row.id: Scored(clusters.get(row.id, row.cluster), results.value_of(row, label), sample=row.sample)
                for row in rows
            }

    def _stop(self, group: Sequence[Contestant]) -> None:
        """Those of `group` that are worse than another one by more than the margin go no further; the first goes on."""
        assert self._stopping is not None and self.metric is not None, "only looks at a part stop anything"
        margin = self._stopping.margin(self.metric)
        reference = next((one for one in self.contestants if not one.error), None)
        for one in group:
            rivals = [other for other in self.contestants if other is not one and not other.error and other.scores]
            for place, other in enumerate(rivals, 1):
                alpha = self._stopping.alpha(place)
                if (
                    one is not reference
                    and one.is_open
                    and is_worse(one.scores, other.scores, self.metric, margin, alpha)
                ):
                    one.worse_than = other.label
                    log.info("%s: worse than %s by more than %g: stopped", one.label, other.label, margin)


def clusters_of(samples: Sequence[Sample]) -> dict[str, str]:
    """Sample -> source image; all turns of a conversation belong to the first one's."""
    known = {sample.id: sample for sample in samples}
    found: dict[str, str] = {}
    for sample in samples:
        first = sample
        while first.after in known:
            first = known[first.after]
        found[sample.id] = first.cluster or first.id
    return found


def _noise(seed: int, name: str) -> str:
    return hashlib.sha256(f"sweep {seed} {name}".encode("utf-8", "surrogatepass")).hexdigest()


def _with_those_begun(part: Plan, whole: Plan) -> Plan:
    """`part`, and the samples that its run wants already: a run that went further is not cut back by a look."""
    if not directories.is_run(part.dir):
        return part
    with RunStore.read(part.dir) as store:
        wanted = {sample.id for sample in part.samples} | {row.id for row in store.rows(None)}
    chosen = [sample for sample in whole.samples if sample.id in wanted]
    if len(chosen) == len(whole.samples):
        return replace(part, samples=chosen, subset=whole.subset)
    return replace(part, samples=chosen, subset=part.subset and replace(part.subset, num=num_distinct(chosen)))


def _is_done(plan: Plan) -> bool:
    """Whether the run has an edit and scores, or reasons, for all samples of `plan`."""
    if not directories.is_run(plan.dir):
        return False
    pending, states = recorded_so_far(plan)
    marks = [states[f"{judging.id} scored"] + states[f"{judging.id} unscored"] for judging in plan.judgings]
    return not pending and all(num >= states["done"] for num in marks)
