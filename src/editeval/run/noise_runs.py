"""How much of a run's scores is noise: a drawn part of it edited with more seeds, and judged several times over.

They are a run of their own with several seeds for each sample, in `noise/<run>/` beside the run, with one score set for
each repeat of the judge, which differ by the judge's seed. So whatever holds of runs holds here: killed, it goes on;
nothing is paid twice. The edits of seeds that the run has are taken over. No score is: its own answers are no repeat.
"""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from editeval.config.load import load_mapping
from editeval.config.schema import Config
from editeval.errors import ConfigError, UserError
from editeval.run import results
from editeval.run.pipeline import RunResult, evaluate, open_store
from editeval.run.plan import make_plan
from editeval.run.recorded import plan_of, settings_here, stranger_of
from editeval.run.same_inputs import reuse
from editeval.run.scheduler import Interrupt
from editeval.stats import noise
from editeval.stats.noise import Component, Costs, MeanError
from editeval.store import queries
from editeval.store.run_store import RunStore
from editeval.types import Metric

FOLDER = "noise"
MIN_NUM = 10


@dataclass(frozen=True, slots=True)
class Repeats:
    """What is asked: samples, seeds of the editor for each (None: as many as the run has, or 2), judgements of each."""

    num: int = 50
    seeds: int | None = None
    draws: int = 2

    def __post_init__(self) -> None:
        for flag, value, least in (("samples", self.num, MIN_NUM), ("seeds", self.seeds, 1), ("draws", self.draws, 1)):
            if value is not None and value < least:
                raise UserError(f"--{flag}: must be at least {least}, got {value}")
        if self.seeds == 1 and self.draws == 1:
            raise UserError("--seeds 1 --draws 1: nothing is repeated; ask for two seeds or two draws")


@dataclass(frozen=True, slots=True)
class NoisePlan:
    """What will be made, by a configuration with `settings`."""

    run: str
    metric: str
    scale: Metric
    place: Path
    settings: dict[str, Any]
    drawn: tuple[str, ...]  # sample ids
    num_scored: int  # samples of the run
    num_seeds: int  # that the run has for each
    num_more: int  # samples of the benchmark that the run does not want
    edit_s: float  # of one device, for one edit of the run
    seeds: int  # wanted for each sample
    draws: int


@dataclass(frozen=True, slots=True)
class NoiseFound:
    """What came of it. `scores`: of every sample that has all of them, a row for each seed, a number for each draw."""

    run: str
    metric: str
    scale: Metric
    num_more: int  # samples of the benchmark that the run does not want
    num_drawn: int
    num_complete: int
    num_clusters: int
    seeds: int
    draws: int
    is_same_edits: bool  # every seed gave the same pictures
    is_same_scores: bool  # the judge gave every edit the same score each time
    components: tuple[Component, ...]
    mean: MeanError
    costs: Costs
    directories: tuple[str, ...]
    scores: dict[str, list[list[float]]]


def noise_plan(directory: Path, repeats: Repeats, allow_code: bool) -> NoisePlan:
    """What `repeats` of the run takes. Raises UserError for a run that cannot be repeated."""
    with RunStore.read(directory) as store:
        shown = results.shown(store)[:1]
        names = [name for name, known in results.configured_ids(store).items() if shown and known == shown[0].id]
        if not names:
            raise ConfigError(f"{directory}: shows no scores of a judge of its configuration, so none can be repeated")
        plan = plan_of(store, allow_code)
        num_seeds = queries.num_seeds(store)
        seeds = repeats.seeds or max(2, num_seeds)
        if seeds > 1 and plan.editor.is_import:
            raise ConfigError(f"{directory}: its edits were made elsewhere, with one seed; add --seeds 1")
        label = results.labels(shown)[0]
        later = {sample.repeat_of or sample.id for sample in plan.samples if sample.after}
        rows = [row for row in results.rows(store, shown) if results.value_of(row, label) is not None]
        scored = {row.sample for row in rows}
        first = sorted(scored - later)
        if len(first) < MIN_NUM:
            raise UserError(f"{directory}: has {len(first)} scored samples to draw from; at least {MIN_NUM} are needed")
        drawn = sorted(first, key=_draw_order)[: repeats.num]
        seconds = [row.seconds for row in rows if row.seconds is not None]
        subset = queries.subset(store)
        place = directory.absolute().parent / FOLDER / directory.name
        settings = settings_here(store)
        return NoisePlan(
            run=directory.name,
            metric=shown[0].metrics[0],
            scale=results.scales(store, shown).get(label, Metric(label)),
            place=place,
            settings=_settings(settings, names[0], place, drawn, (seeds, repeats.draws)),
            drawn=tuple(drawn),
            num_scored=len(scored),
            num_seeds=num_seeds,
            num_more=subset.of - subset.num if subset else 0,
            edit_s=sum(seconds) / max(1, len(seconds)),
            seeds=seeds,
            draws=repeats.draws,
        )


def _settings(
    settings: dict[str, Any], judge: str, place: Path, drawn: Sequence[str], sizes: tuple[int, int]
) -> dict[str, Any]:
    """Those of the run, for the drawn samples and `sizes`: seeds for each, and repeats of one judge."""
    model = settings["diffusion_model"]
    sections = settings.get("reward_models") or {judge: settings.get("reward_model")}
    kept = {name: value for name, value in settings.items() if name not in ("reward_model", "reward_models")}
    log = {name: value for name, value in settings.get("logging", {}).items() if name not in ("log_file", "log_dir")}
    wanted = {"limit": None, "first": None, "samples": sorted(map(glob.escape, drawn)), "output_dir": str(place)}
    seeds, draws = sizes
    return {
        **kept,
        "diffusion_model": {**model, "params": {**model["params"], "num_seeds": seeds}},
        "reward_models": {
            f"draw{n}": _with_seed(sections[judge], _derived(sections[judge]["params"].get("seed", 0), n))
            for n in range(1, draws + 1)
        },
        "evaluation": {**settings.get("evaluation", {}), **wanted},
        "logging": log,
    }


def _draw_order(sample_id: str) -> bytes:
    """Random, and each sample's own: one that is scored later, or a larger number, leaves those before it drawn."""
    return hashlib.sha256(f"noise {sample_id}".encode("utf-8", "surrogatepass")).digest()


def _with_seed(section: dict[str, Any], seed: int) -> dict[str, Any]:
    return {**section, "params": {**section["params"], "seed": seed}}


def _derived(seed: int, number: int) -> int:
    """The judge's seed of this repeat, 0 <= seed < 2**31."""
    digest = hashlib.sha256(f"{seed}:draw:{number}".encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF


def made(
    directory: Path, plan: NoisePlan, allow_code: bool, argv: Sequence[str], interrupt: Interrupt, display: str
) -> RunResult:
    """The run of the repeats."""
    with RunStore.read(directory) as store:
        found_in, name = stranger_of(store), str(store.manifest["name"])
    config = load_mapping(plan.settings, name, allow_code=allow_code, found_in=found_in)
    _take_edits(config, directory, argv)
    return evaluate(config, argv, interrupt, display=display)


def _take_edits(config: Config, directory: Path, argv: Sequence[str]) -> None:
    """The run's own edits are taken over."""
    plan = make_plan(config)
    with open_store(plan, argv) as store:
        store.select(plan.samples)
        reuse(plan, store, donors=[directory])


def found(plan: NoisePlan, run: RunResult) -> NoiseFound:
    """What the run of the repeats says. Raises UserError if fewer than MIN_NUM samples have all their scores."""
    table, clusters, pictures = _table(plan, run)
    kept = [sample_id for sample_id, scores in table.items() if not np.isnan(scores).any()]
    if len(kept) < MIN_NUM:
        raise UserError(
            f"{plan.place}: {len(kept)} of {len(plan.drawn)} samples have all their scores, fewer than {MIN_NUM}; "
            "`editeval retry` on the run in it, and the same command again"
        )
    scores = np.stack([table[sample_id] for sample_id in kept])
    names = [clusters[sample_id] for sample_id in kept]
    costs = Costs(plan.edit_s, _judgement_s(run.plan.dir))
    told = noise.components(scores, names)
    return NoiseFound(
        *(plan.run, plan.metric, plan.scale, plan.num_more, len(plan.drawn), len(kept), len(set(names))),
        *(plan.seeds, plan.draws),
        is_same_edits=all(len(pictures[sample_id]) == 1 for sample_id in kept),
        is_same_scores=bool((np.ptp(scores, axis=2) == 0).all()),
        components=told,
        mean=noise.mean_error(told, scores, names, (plan.num_scored, plan.num_more), costs, plan.num_seeds),
        costs=costs,
        directories=(str(run.plan.dir),),
        scores={sample_id: table[sample_id].tolist() for sample_id in kept},
    )


def _table(plan: NoisePlan, run: RunResult) -> tuple[dict[str, noise.Floats], dict[str, str], dict[str, set[str]]]:
    """By sample: scores (seeds x draws, NaN where there is none), its source image, and its pictures' digests."""
    shape = plan.seeds, plan.draws
    table = {sample_id: np.full(shape, np.nan) for sample_id in plan.drawn}
    clusters: dict[str, str] = {}
    pictures: dict[str, set[str]] = {sample_id: set() for sample_id in plan.drawn}
    with RunStore.read(run.plan.dir) as store:
        for row in store.labelled_rows({judging.id: f"{n}." for n, judging in enumerate(run.plan.judgings)}):
            clusters[row.sample] = row.cluster
            pictures[row.sample].add(row.sha256 or "")
            for draw in range(plan.draws):
                value = results.value_of(row, f"{draw}.{plan.metric}")
                table[row.sample][row.seed_index - 1, draw] = np.nan if value is None else value
    return table, clusters, pictures


def _judgement_s(directory: Path) -> float:
    """Mean seconds of one device for one judgement; the samples of a call share it."""
    calls: set[tuple[str, int, float, float]] = set()
    num = 0
    with RunStore.read(directory) as store:
        for one in store.attempts("judge"):
            calls.add((one.judging_id, one.worker, one.started_at, one.seconds))
            num += one.error is None
    return sum(call[-1] for call in calls) / max(1, num)
