"""What a configuration asks for on this machine, before anything starts: samples, identity, devices, prompts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from editeval import plugins
from editeval.config.schema import Config, Stage
from editeval.errors import ConfigError, Problems
from editeval.execution.worker_messages import WorkerSpec
from editeval.run.chains import linked
from editeval.run.imports import FoundEdits, found_edits
from editeval.run.selection import (
    by_seed,
    category_notes,
    check_number_of_images,
    check_opponents,
    check_prompts,
    loaded,
    num_distinct,
    select,
    setting_at,
    subset_of,
)
from editeval.run.stage_devices import kind_of, stage_devices
from editeval.store import lineage
from editeval.store.fingerprints import Inputs, editor_id, identity_params, inputs_of, json_params, of_run
from editeval.store.lineage import Lineage, WantedRun
from editeval.store.score_sets import ScoreSetId, depends_on_calls, notes_of, score_set_id, settle
from editeval.text import extent
from editeval.types import Benchmark, Editor, Judge, Sample, Subset

if TYPE_CHECKING:
    from PIL.Image import Image


class KnownAnswers(Protocol):
    """The answers of an editor that is no model, and how probable they are: from these follows what a run measures."""

    def problem(self, sample_ids: Sequence[str]) -> str: ...  # "<parameter>: what does not fit these samples", or ""
    def chances(self, sample_id: str) -> Mapping[str, float]: ...  # of every image that it may answer, by name
    def drawn(self, sample_id: str, seed: int) -> str: ...  # the name of its answer
    def image(self, name: str, images: tuple[bytes, ...], seed: int) -> Image: ...  # images: source, reference


@dataclass(frozen=True, slots=True)
class ScoreSetPlan:
    """One way of scoring the edits: a judge of the configuration, and the id under which its scores are kept."""

    name: str  # of the judge in the configuration
    id: str
    stage: Stage
    judge: type[Judge]
    prefix: str = ""  # of its metrics' labels in reports; empty for the first judge
    known: ScoreSetId = field(default_factory=ScoreSetId, repr=False)  # what `id` was made of

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that the judge gives; the first is its headline."""
        return self.judge.metrics_of(self.stage.params)

    @property
    def labels(self) -> tuple[str, ...]:
        """The metrics as reports call them: those of a second judge carry its name."""
        return tuple(self.prefix + metric for metric in self.metrics)

    @property
    def uses_prompts(self) -> bool:
        """Whether the judge asks the prompts of the configuration."""
        return self.judge.uses_prompts_of(self.stage.params)

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
    identity: dict[str, object]
    dir: Path
    is_editing: bool = True  # False: what is edited is judged, and no editor is loaded
    inputs: Inputs = field(default_factory=Inputs)  # weights and code of the editor
    lineage: Lineage | None = None  # why it is in `dir`
    can_reuse: bool = True  # False: nothing is taken over from another run
    notes: tuple[str, ...] = ()  # one line each: what was left out of the benchmark, or is called otherwise
    subset: Subset | None = None  # None: all samples of the benchmark are wanted
    files: FoundEdits | None = None  # of edits made elsewhere, if anything is edited; None: an editor makes them

    @property
    def log_name(self) -> str:
        """The editor's name in the log lines."""
        return self.config.diffusion_model.log_name or self.editor.__name__

    @property
    def num_seeds(self) -> int:
        """Edits of each sample."""
        return self.config.diffusion_model.num_seeds

    @property
    def extent(self) -> str:
        """How much is wanted: "40 samples", "40 samples x 4 seeds"."""
        return extent(len(self.samples), self.num_seeds)

    @property
    def judging_id(self) -> str:
        """Id of the first score set; empty without one."""
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

    def log_path(self, judging: ScoreSetPlan | None) -> Path:
        """Where the workers of a stage (None: the editor) write their logs, without `-worker<k>.log` at the end."""
        named = "-edit" if judging is None else f"-judge-{judging.name}" if judging.prefix else "-judge"
        return self.config.evaluation.output_dir / "logs" / f"{self.dir.name}{named}"


def make_plan(config: Config, fresh: bool = False, directory: Path | None = None, is_editing: bool = True) -> Plan:
    """The plan for `config`, in the run that it continues or begins, or in that of `directory`.

    Reads the benchmark's index; raises UserError for anything that cannot work.
    """
    problems = Problems(config.path)
    content = look_at(config, problems)
    problems.check()
    assert content is not None, "without a problem there is content"
    model = config.diffusion_model
    inputs = inputs_of(model, content.editor)
    identity = of_run(content.benchmark.fingerprint(), model, content.editor, inputs)
    files = found_edits(content.editor, model.params, content.benchmark, content.samples) if is_editing else None
    digests = files.digests if files else {}
    wanted = WantedRun(config.name, identity, identity_params(model.params), inputs, content.samples, digests)
    if directory is None:
        found = lineage.choose(config.evaluation.output_dir, wanted, fresh)
    else:
        found = lineage.given(directory, wanted, is_editing)
    known = settle({judging.name: judging.known for judging in content.judgings}, found.dir)
    return Plan(
        config=config,
        benchmark=content.benchmark,
        samples=linked(content.samples, found.dir),
        editor=content.editor,
        judgings=tuple(replace(j, id=known[j.name].id, known=known[j.name]) for j in content.judgings),
        identity=dict(found.identity),
        dir=found.dir,
        is_editing=is_editing,
        inputs=inputs,
        lineage=found,
        can_reuse=not fresh and directory is None,
        notes=(
            *content.benchmark.notes(),
            *category_notes(content.everything, config),
            *(files.notes() if files else ()),
            *(note for judging in content.judgings for note in notes_of(judging.judge, judging.stage)),
        ),
        files=files,
        subset=subset_of(config, content.everything, num_distinct(content.samples)),
    )


class PlanContent(NamedTuple):
    """What a configuration is about."""

    benchmark: Benchmark
    everything: list[Sample]  # of the benchmark
    samples: list[Sample]  # those wanted
    editor: type[Editor]
    judgings: tuple[ScoreSetPlan, ...]


def look_at(config: Config, problems: Problems) -> PlanContent | None:
    """The benchmark, its wanted samples, the editor and the judges; None, and why in `problems`, if they do not fit."""
    everything: list[Sample] = []
    samples: list[Sample] = []
    judgings: tuple[ScoreSetPlan, ...] = ()
    editor: type[Editor] | None = None
    with problems.collect():
        load, params = plugins.load("benchmarks", config.benchmark.type, config.allow_code), config.benchmark.params
        benchmark: Benchmark = params if isinstance(params, Benchmark) else load(params)  # a run without its data set
        given = loaded(benchmark, config)
        everything = [one for one in given if not one.repeat_of]
        samples = select(given, config)
    with problems.collect():
        judgings = judging_plans(config)
        check_opponents(config)
    with problems.collect():
        editor = editor_of(config)
    if not samples:
        return None
    with problems.collect():
        if any(judging.uses_prompts for judging in judgings):
            check_prompts(config, samples)
    with problems.collect():
        if editor is not None:
            _check_editor(editor, config, everything, samples)
    return PlanContent(benchmark, everything, samples, editor, judgings) if editor is not None else None


def _check_editor(editor: type[Editor], config: Config, everything: Sequence[Sample], wanted: Sequence[Sample]) -> None:
    if editor.sees_target and not any(s.target for s in wanted):
        raise ConfigError(
            f"{config.path}: diffusion_model.type: {config.diffusion_model.type!r} returns the exact target, "
            f"and the benchmark {config.benchmark.type!r} has none; use a benchmark with targets, such as procedural"
        )
    check_number_of_images(editor, config, wanted)
    if editor.is_import and config.diffusion_model.num_seeds > 1:
        where = setting_at(config, "diffusion_model.params.num_seeds")
        what = f"a folder of edits has one edit of each sample, got {config.diffusion_model.num_seeds}; leave it out"
        raise ConfigError(f"{where}: {what}")
    known = known_answers_of(editor, config)
    problem = known.problem([sample.id for sample in everything]) if known is not None else ""
    if problem:
        raise ConfigError(f"{config.path}: diffusion_model.params.{problem}")


def known_answers_of(editor: type[Editor], config: Config) -> KnownAnswers | None:
    """What its class method `known_answers` says; None for a model, which has none, and for unsound parameters."""
    known: Callable[[object], KnownAnswers] | None = getattr(editor, "known_answers", None)
    params = config.diffusion_model.params
    return None if known is None or params is None else known(params)


def judging_plans(config: Config) -> tuple[ScoreSetPlan, ...]:
    """One per judge of the configuration, in its order. Raises ConfigError for two that judge alike."""
    plans: list[ScoreSetPlan] = []
    for name, stage in config.judges.items():
        judge: type[Judge] = plugins.load("judges", stage.type, config.allow_code)
        known = score_set_id(stage, judge, config.prompts)
        plan = ScoreSetPlan(name, known.id, stage, judge, f"{name}." if plans else "", known)
        twin = next((other.name for other in plans if other.id == plan.id), None)
        where = setting_at(config, stage.section, f"{stage.section}.type")
        if twin is not None:
            raise ConfigError(f"{where}: judges exactly as {twin!r} does; change a parameter or the seed, or remove it")
        for label in plan.labels:
            owner = next((other.name for other in plans if label in other.labels), None)
            if owner is not None or plan.labels.count(label) > 1:
                raise ConfigError(f"{where}: a metric called {label!r} is one of {owner or name!r} too; rename a judge")
        plans.append(plan)
    return tuple(plans)


def editor_of(config: Config) -> type[Editor]:
    """The editor's class."""
    editor: type[Editor] = plugins.load("editors", config.diffusion_model.type, config.allow_code)
    return editor


def calls_of(plan: Plan, judging: ScoreSetPlan) -> Iterator[Sequence[Sample]]:
    """The wanted samples in the calls in which the judge is asked about them.

    No call holds two seeds of a sample, so that further seeds do not change who shares a call with the first ones.
    """
    size = judging.stage.execution.batch_size
    for samples in by_seed(plan.samples):
        yield from (samples[start : start + size] for start in range(0, len(samples), size))


def worker_spec(stage: Stage, allow_code: bool) -> WorkerSpec:
    """What a worker of this stage loads."""
    return WorkerSpec(kind_of(stage), stage.type, json_params(stage.params), allow_code)


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
