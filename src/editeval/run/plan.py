"""What a configuration asks for on this machine, before anything starts: samples, identity, devices, prompts."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from editeval import plugins
from editeval.config.schema import Config, Stage
from editeval.errors import BenchmarkError, ConfigError, Problems
from editeval.execution.worker_messages import WorkerSpec
from editeval.plugin_errors import with_safe_images
from editeval.reports.data import MACRO, MICRO
from editeval.run.placement import stage_devices
from editeval.run.selection import at, category_notes, in_one_word, meant, of_categories, part_of, subset_of
from editeval.store import lineage
from editeval.store.fingerprints import Inputs, editor_id, identity_params, inputs_of, json_params, of_run
from editeval.store.lineage import Lineage, WantedRun
from editeval.store.score_sets import ScoreSetId, depends_on_calls, score_set_id, settle
from editeval.types import Benchmark, Editor, Judge, Sample, Subset


@dataclass(frozen=True, slots=True)
class ScoreSetPlan:
    """One way of scoring the edits: a judge of the configuration, and the id under which its scores are kept."""

    name: str  # of the judge in the configuration
    id: str
    stage: Stage
    judge: type[Judge]
    prefix: str = ""  # of its metrics' labels in reports; empty for the first judging
    known: ScoreSetId = field(default_factory=ScoreSetId, repr=False)  # what `id` was made of

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that the judge gives; the first is its headline."""
        return self.judge.metrics_of(self.stage.params)

    @property
    def labels(self) -> tuple[str, ...]:
        """The metrics as reports call them: those of a second judge carry its name."""
        return tuple(self.prefix + metric for metric in self.metrics)

    def devices(self) -> list[tuple[str, ...]]:
        """One group per worker. Raises MachineError if this machine lacks one."""
        return stage_devices(self.stage, self.judge)

    @property
    def depends_on_calls(self) -> bool:
        """Whether requests that share a call may change each other's scores."""
        return depends_on_calls(self.judge)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before the first worker starts."""

    config: Config
    benchmark: Benchmark
    samples: Sequence[Sample]  # those wanted, in the order of the configuration's categories, then the benchmark's
    editor: type[Editor]
    judgings: tuple[ScoreSetPlan, ...]  # the first one's headline is the run's
    identity: dict[str, Any]
    dir: Path
    is_editing: bool = True  # False: what is edited is judged, and no editor is loaded
    inputs: Inputs = field(default_factory=Inputs)  # weights and code of the editor
    lineage: Lineage | None = None  # why it is in `dir`
    can_reuse: bool = True  # False: nothing is taken over from another run
    notes: tuple[str, ...] = ()  # one line each: what was left out of the benchmark, or is called otherwise
    subset: Subset | None = None  # None: all samples of the benchmark are wanted

    @property
    def log_name(self) -> str:
        """The editor's name in the log lines."""
        return self.config.diffusion_model.log_name or self.editor.__name__

    @property
    def judging_id(self) -> str:
        """Id of the first judging; empty without one."""
        return self.judgings[0].id if self.judgings else ""

    def editor_id(self, commit: str | None) -> str:
        """Id of the editor whatever the benchmark; empty if its weights are not known."""
        return editor_id(of_run("", self.config.diffusion_model, self.editor, self.inputs), self.inputs, commit)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Those that work: the editor, if anything is to be edited, and every judge."""
        return self.config.stages if self.is_editing else tuple(self.config.judges.values())

    def editor_devices(self) -> list[tuple[str, ...]]:
        """One group per editor worker. Raises MachineError if this machine lacks one."""
        return stage_devices(self.config.diffusion_model, self.editor)

    def device_groups(self) -> list[tuple[str, ...]]:
        """Every worker's devices, of all stages."""
        editors = self.editor_devices() if self.is_editing else []
        return [*editors, *(group for judging in self.judgings for group in judging.devices())]


def make_plan(config: Config, fresh: bool = False, directory: Path | None = None, is_editing: bool = True) -> Plan:
    """The plan for `config`, in the run that it continues or begins, or in that of `directory`.

    Reads the benchmark's index; raises UserError for anything that cannot work.
    """
    problems = Problems(config.path)
    content = look_at(config, problems)
    problems.check()
    assert content is not None, "there is none without a problem"
    benchmark, samples, judgings = content
    editor = plugins.load("editors", config.diffusion_model.type, config.allow_code)
    model = config.diffusion_model
    inputs = inputs_of(model, editor)
    identity = of_run(benchmark.fingerprint(), model, editor, inputs)
    wanted = WantedRun(config.name, identity, identity_params(model.params), inputs, samples)
    if directory is None:
        found = lineage.choose(config.evaluation.output_dir, wanted, fresh)
    else:
        found = lineage.given(directory, wanted, is_editing)
    known = settle({judging.name: judging.known for judging in judgings}, found.dir)
    return Plan(
        config=config,
        benchmark=benchmark,
        samples=samples,
        editor=editor,
        judgings=tuple(replace(judging, id=known[judging.name].id, known=known[judging.name]) for judging in judgings),
        identity=dict(found.identity),
        dir=found.dir,
        is_editing=is_editing,
        inputs=inputs,
        lineage=found,
        can_reuse=not fresh and directory is None,
        notes=tuple(category_notes(benchmark, config)),
        subset=subset_of(config, list(benchmark), len(samples)),
    )


Content = tuple[Benchmark, list[Sample], tuple[ScoreSetPlan, ...]]


def look_at(config: Config, problems: Problems) -> Content | None:
    """The benchmark, its wanted samples and the judgings; None, and why in `problems`, if they do not go together."""
    found: tuple[Benchmark, list[Sample]] | None = None
    judgings: tuple[ScoreSetPlan, ...] = ()
    with problems.collect():
        benchmark = plugins.load("benchmarks", config.benchmark.type, config.allow_code)(config.benchmark.params)
        found = benchmark, select(benchmark, config)
    with problems.collect():
        judgings = judging_plans(config)
    if found is None:
        return None
    benchmark, samples = found
    with problems.collect():
        if any(judging.judge.uses_prompts_of(judging.stage.params) for judging in judgings):
            _check_prompts(config, samples)
    with problems.collect():
        editor = plugins.load("editors", config.diffusion_model.type, config.allow_code)
        _check_references(editor, config, samples)
    return benchmark, samples, judgings


def judging_plans(config: Config) -> tuple[ScoreSetPlan, ...]:
    """One per judge of the configuration, in its order. Raises ConfigError for two that judge alike."""
    plans: list[ScoreSetPlan] = []
    for name, stage in config.judges.items():
        judge = plugins.load("judges", stage.type, config.allow_code)
        known = score_set_id(stage, judge, config.prompts)
        plan = ScoreSetPlan(name, known.id, stage, judge, f"{name}." if plans else "", known)
        twin = next((other.name for other in plans if other.id == plan.id), None)
        where = at(config, stage.section, f"{stage.section}.type")
        if twin is not None:
            raise ConfigError(f"{where}: judges exactly as {twin!r} does; change a parameter or the seed, or remove it")
        for label in plan.labels:
            owner = next((other.name for other in plans if label in other.labels), None)
            if owner is not None or plan.labels.count(label) > 1:
                raise ConfigError(f"{where}: a metric called {label!r} is one of {owner or name!r} too; rename a judge")
        plans.append(plan)
    return tuple(plans)


def select(benchmark: Benchmark, config: Config) -> list[Sample]:
    """The samples that categories, --sample, --limit and --first leave, in the order of the categories that are named.

    Within a category, and without any, they are in benchmark order. Raises BenchmarkError for none, and for a category
    that could not be told from a row over all of them.
    """
    samples, problems = in_one_word(list(benchmark), config.benchmark), Problems(config.path)
    with problems.collect():
        samples = of_categories(samples, config)
    if config.samples:
        for pattern in config.samples if samples else ():
            if not any(fnmatch.fnmatchcase(s.id, pattern) for s in samples):
                said = f"--sample {pattern}: matches none of {len(samples)} ids, such as {samples[0].id!r}"
                problems.add(BenchmarkError(said))
        samples = [s for s in samples if any(fnmatch.fnmatchcase(s.id, p) for p in config.samples)]
    problems.check()
    if not samples:
        raise BenchmarkError("benchmark: no sample matches; relax --sample or categories")
    samples = part_of(samples, config)
    named_as_total = next((s for s in samples if s.category in (MACRO, MICRO)), None)
    if named_as_total is not None:
        raise BenchmarkError(
            f"benchmark: sample {named_as_total.id!r}: {named_as_total.category!r} is a reserved category name: the "
            "report uses it for the row over all categories; rename it"
        )
    return [with_safe_images(sample) for sample in samples]


def seed_of(base_seed: int, sample_id: str) -> int:
    """The seed of a sample, 0 <= seed < 2**31: from the base seed and its id, and from nothing else."""
    digest = hashlib.sha256(f"{base_seed}:{sample_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") & 0x7FFFFFFF


def hash_of(texts: Iterable[str]) -> str:
    """Hex digest of a sequence of texts; where one ends and the next begins matters."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(f"{len(text)}:{text}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def worker_spec(kind: str, stage: Stage, allow_code: bool) -> WorkerSpec:
    """What a worker of this stage is told to load."""
    return WorkerSpec(kind, stage.type, json_params(stage.params), allow_code)


def unused_prompts(config: Config) -> list[str]:
    """One warning if prompts are given that no judge asks."""
    if not config.prompts or not config.judges:
        return []
    plans = judging_plans(config)
    if any(plan.judge.uses_prompts_of(plan.stage.params) for plan in plans):
        return []
    asked = ", ".join(repr(plan.stage.requested_type) for plan in plans)
    return [f"{config.path}: prompts: has no effect: {asked} asks in its own words"]


def _check_prompts(config: Config, samples: Sequence[Sample]) -> None:
    lacking = [c for c in dict.fromkeys(s.category for s in samples) if config.prompt_of(c) is None]
    if lacking:
        has = ", ".join(config.prompts) or "none"
        told = ", ".join(repr(name) + meant(name, list(config.prompts)) for name in lacking)
        raise ConfigError(f"{config.path}: prompts: no prompt for {told}; it has: {has}")


def _check_references(editor: type[Editor], config: Config, samples: Sequence[Sample]) -> None:
    if editor.sees_reference and not any(s.reference for s in samples):
        raise ConfigError(
            f"{config.path}: diffusion_model.type: {config.diffusion_model.type!r} returns the exact target, "
            f"and the benchmark {config.benchmark.type!r} has none; use a benchmark with targets, such as procedural"
        )
