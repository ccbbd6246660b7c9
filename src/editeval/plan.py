"""What a configuration asks for on this machine, before anything starts: samples, identity, devices, prompts."""

from __future__ import annotations

import fnmatch
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from editeval import plugins
from editeval.categories import canonical
from editeval.config.schema import Config, Stage
from editeval.errors import BenchmarkError, ConfigError, MachineError
from editeval.execution import cluster, devices
from editeval.execution.messages import WorkerSpec
from editeval.reports.data import MACRO, MICRO
from editeval.selection import part_of, subset_of
from editeval.store import directories, manifest
from editeval.types import Benchmark, Editor, Judge, Sample, Subset


@dataclass(frozen=True, slots=True)
class ShownJudging:
    """A judging as reports show it: one of the configuration, or any other that the run keeps."""

    name: str
    id: str
    judge: str
    metrics: tuple[str, ...]
    prefix: str = ""  # of its metrics' labels; empty for the first one

    @property
    def labels(self) -> tuple[str, ...]:
        """The metrics as reports call them."""
        return tuple(self.prefix + metric for metric in self.metrics)


@dataclass(frozen=True, slots=True)
class JudgingPlan:
    """One way of scoring the edits: a judge of the configuration, and the id under which its scores are kept."""

    name: str  # of the judge in the configuration
    id: str
    stage: Stage
    judge: type[Judge]
    prefix: str = ""  # of its metrics' labels in reports; empty for the first judging

    @property
    def metrics(self) -> tuple[str, ...]:
        """Every metric that the judge gives; the first is its headline."""
        return self.judge.metrics_of(self.stage.params)

    @property
    def labels(self) -> tuple[str, ...]:
        """The metrics as reports call them: those of a second judge carry its name."""
        return tuple(self.prefix + metric for metric in self.metrics)

    @property
    def shown(self) -> ShownJudging:
        """As reports show it."""
        return ShownJudging(self.name, self.id, self.stage.requested_type, self.metrics, self.prefix)

    def devices(self) -> list[tuple[str, ...]]:
        """One group per worker. Raises MachineError if this machine lacks one."""
        return stage_devices(self.stage, self.judge)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before the first worker starts."""

    config: Config
    benchmark: Benchmark
    samples: Sequence[Sample]  # those wanted, in benchmark order
    editor: type[Editor]
    judgings: tuple[JudgingPlan, ...]  # the first one's headline is the run's
    identity: dict[str, Any]
    dir: Path
    is_editing: bool = True  # False: what is edited is judged, and no editor is loaded
    chosen: tuple[ShownJudging, ...] | None = None  # what reports show in place of `judgings`
    subset: Subset | None = None  # None: all samples of the benchmark are wanted

    @property
    def log_name(self) -> str:
        """The editor's name in the log lines."""
        return self.config.diffusion_model.log_name or self.editor.__name__

    @property
    def metrics(self) -> tuple[str, ...]:
        """The label of every metric; the first is the headline. Empty without a judge."""
        return tuple(label for judging in self.shown for label in judging.labels)

    @property
    def shown(self) -> tuple[ShownJudging, ...]:
        """The judgings that reports show; the first one's headline is theirs."""
        return self.chosen if self.chosen is not None else tuple(judging.shown for judging in self.judgings)

    @property
    def judging_id(self) -> str:
        """Id of the first judging; empty without one."""
        return self.judgings[0].id if self.judgings else ""

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


def make_plan(config: Config, fresh: bool = False) -> Plan:
    """The plan for `config`. Reads the benchmark's index; raises UserError for anything that cannot work."""
    benchmark = plugins.load("benchmarks", config.benchmark.type, config.allow_code)(config.benchmark.params)
    everything = list(benchmark)
    samples = select(everything, config)
    editor = plugins.load("editors", config.diffusion_model.type, config.allow_code)
    judgings = judging_plans(config)
    if any(judging.judge.uses_prompts_of(judging.stage.params) for judging in judgings):
        _check_prompts(config, samples)
    _check_references(editor, config, samples)
    model = config.diffusion_model
    identity = manifest.identity(benchmark.fingerprint(), model.type, identity_params(model.params), model.seed)
    run_dir = directories.find_run(config.evaluation.output_dir, config.name, manifest.run_id(identity), fresh)
    subset = subset_of(config, everything, len(samples))
    return Plan(config, benchmark, samples, editor, judgings, identity, run_dir, subset=subset)


def judging_plans(config: Config) -> tuple[JudgingPlan, ...]:
    """One per judge of the configuration, in its order. Raises ConfigError for two that judge alike."""
    plans: list[JudgingPlan] = []
    for name, stage in config.judges.items():
        judge = plugins.load("judges", stage.type, config.allow_code)
        plan = JudgingPlan(name, judging_id(config, stage, judge), stage, judge, f"{name}." if plans else "")
        twin = next((other.name for other in plans if other.id == plan.id), None)
        if twin is not None:
            raise ConfigError(
                f"{config.path}: {stage.section}: judges exactly as {twin!r} does; change a parameter or the seed, "
                "or remove it"
            )
        plans.append(plan)
    return tuple(plans)


def select(benchmark: Iterable[Sample], config: Config) -> list[Sample]:
    """The samples that categories, --sample, --limit and --first leave, in benchmark order.

    Raises BenchmarkError for none, and for a category that could not be told from a row over all of them.
    """
    samples = list(benchmark)
    if config.benchmark.categories:
        present = dict.fromkeys(canonical(s.category) for s in samples)
        wanted = {canonical(c) for c in config.benchmark.categories}
        absent = [c for c in config.benchmark.categories if canonical(c) not in present]
        if absent:
            has = ", ".join(dict.fromkeys(s.category for s in samples))
            raise BenchmarkError(f"benchmark.categories: no sample of {', '.join(map(repr, absent))}; it has: {has}")
        samples = [s for s in samples if canonical(s.category) in wanted]
    if config.samples:
        for pattern in config.samples:
            if not any(fnmatch.fnmatchcase(s.id, pattern) for s in samples):
                raise BenchmarkError(
                    f"--sample {pattern}: matches none of {len(samples)} ids, such as {samples[0].id!r}"
                )
        samples = [s for s in samples if any(fnmatch.fnmatchcase(s.id, p) for p in config.samples)]
    if not samples:
        raise BenchmarkError("benchmark: no sample matches; relax --sample or categories")
    samples = part_of(samples, config)
    named_as_total = next((s for s in samples if s.category in (MACRO, MICRO)), None)
    if named_as_total is not None:
        raise BenchmarkError(
            f"benchmark: sample {named_as_total.id!r}: {named_as_total.category!r} is not to be had as a category: the "
            "report calls a row over all categories so; name it otherwise"
        )
    return samples


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


def json_params(params: Any) -> dict[str, Any]:
    """A plug-in's parameters as JSON values."""
    result: dict[str, Any] = json.loads(json.dumps(asdict(params), default=str))
    return result


def identity_params(params: Any) -> dict[str, Any]:
    """The parameters that decide what an image looks like: all but fields with the metadata {"identity": False}."""
    hidden = {f.name for f in fields(params) if f.metadata.get("identity") is False}
    return {name: value for name, value in json_params(params).items() if name not in hidden}


def worker_spec(kind: str, stage: Stage, allow_code: bool) -> WorkerSpec:
    """What a worker of this stage is told to load."""
    return WorkerSpec(kind, stage.type, json_params(stage.params), allow_code)


def judging_id(config: Config, stage: Stage, judge: type[Judge]) -> str:
    """Fingerprint of everything that decides a score: judge, parameters but for where it is asked, prompts, batch."""
    parts = {
        "judge": stage.type,
        "params": identity_params(stage.params),
        "code": judge.fingerprint_of(stage.params),
        "seed": stage.seed,
        "batch_size": stage.execution.batch_size,
    }
    if judge.uses_prompts_of(stage.params):
        parts["prompts"] = {canonical(name): asdict(prompt) for name, prompt in config.prompts.items()}
    return manifest.run_id(parts)[:16]


def stage_devices(stage: Stage, plugin: type[Editor] | type[Judge]) -> list[tuple[str, ...]]:
    """One group of devices per worker of `stage`; on a cluster that has shrunk since it was asked, fewer."""
    names, execution = _device_names(stage, plugin), stage.execution
    if stage.execution.device_ids is None and names == ("cpu",):
        names *= getattr(stage.params, "num_workers", 1)  # servers are devices: one worker each
    where = f"{stage.section}.params.device_ids"
    if execution.backend != "ray":
        return devices.groups(where, names, execution.devices_per_worker)
    groups = devices.dealt(where, names, execution.devices_per_worker)
    if all(name == "cpu" for name in names):
        return groups
    size = execution.devices_per_worker
    return groups[: max(1, cluster.connect(execution.ray_address).num_gpus(size) // size)]


def _device_names(stage: Stage, plugin: type[Editor] | type[Judge]) -> tuple[str, ...]:
    execution, default = stage.execution, plugin.default_device
    if execution.backend == "ray":
        return cluster.slots(execution.device_ids, default, execution.devices_per_worker, execution.ray_address)
    return devices.resolve(execution.device_ids, default)


def is_on_gpus(stage: Stage) -> bool:
    """Whether its workers want GPUs."""
    if stage.execution.device_ids is not None:
        return any(device != "cpu" for device in stage.execution.device_ids)
    kind = "editors" if stage.section == "diffusion_model" else "judges"
    default = plugins.load(kind, stage.type, allow_code=True).default_device  # a dotted type was imported by consent
    return bool(default != "cpu")


def claims(stage: Stage, plugin: type[Editor] | type[Judge]) -> frozenset[str]:
    """The devices that are taken while `stage` lasts; none if it asks a server."""
    if plugin.is_remote:
        return frozenset()
    return frozenset(_device_names(stage, plugin))


def unused_prompts(config: Config) -> list[str]:
    """One warning if prompts are given that nobody asks."""
    if not config.prompts or not config.judges:
        return []
    plans = judging_plans(config)
    if any(plan.judge.uses_prompts_of(plan.stage.params) for plan in plans):
        return []
    asked = ", ".join(repr(plan.stage.requested_type) for plan in plans)
    return [f"{config.path}: prompts: has no effect: {asked} asks in its own words"]


def plugin_of(config: Config, stage: Stage) -> type[Editor] | type[Judge]:
    """The class that `stage` of `config` names."""
    kind = "editors" if stage is config.diffusion_model else "judges"
    plugin: type[Editor] | type[Judge] = plugins.load(kind, stage.type, config.allow_code)
    return plugin


def device_warnings(config: Config, stages: Sequence[Stage] | None = None) -> list[str]:
    """What `check` says about devices that this machine lacks; `run` refuses to start without those of its `stages`."""
    warnings = []
    for stage in config.stages if stages is None else stages:
        plugin = plugin_of(config, stage)
        lacking = _lacking(stage, plugin)
        if lacking:
            warnings.append(lacking)
    return warnings


def _lacking(stage: Stage, plugin: type[Editor] | type[Judge]) -> str | None:
    where, execution = f"{stage.section}.params.device_ids", stage.execution
    if execution.backend == "ray":
        try:
            cluster.connect(execution.ray_address)
        except MachineError as error:
            return f"{stage.section}.execution.backend: {error}"
        try:
            names = _device_names(stage, plugin)
        except MachineError as error:
            return f"{where}: {error}"
        return cluster.lacking(where, names, execution.devices_per_worker, execution.ray_address)
    return devices.problem(where, _device_names(stage, plugin))


def _check_prompts(config: Config, samples: Sequence[Sample]) -> None:
    have = {canonical(name) for name in config.prompts}
    lacking = [c for c in dict.fromkeys(s.category for s in samples) if canonical(c) not in have]
    if lacking:
        has = ", ".join(config.prompts) or "none"
        raise ConfigError(f"{config.path}: prompts: no prompt for {', '.join(map(repr, lacking))}; it has: {has}")


def _check_references(editor: type[Editor], config: Config, samples: Sequence[Sample]) -> None:
    if editor.sees_reference and not any(s.reference for s in samples):
        raise ConfigError(
            f"{config.path}: diffusion_model.type: {config.diffusion_model.type!r} returns the exact target, "
            f"and the benchmark {config.benchmark.type!r} has none; use a benchmark with targets, such as procedural"
        )
