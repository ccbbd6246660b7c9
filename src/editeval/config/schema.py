"""What a configuration is once it has been read: frozen, complete, every value checked.

The types of `Execution` are those of the YAML keys: a key is added here, and read by what it means to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt

from editeval.config.consent import Effect
from editeval.prompts import Prompt
from editeval.types import PluginParams

POLICIES = {
    "batch_sync": "all workers finish a batch before the next one starts (v2.1; enable_batch_sync: true)",
    "round_robin": "request i belongs to worker i mod n; nobody waits (v2.0; enable_batch_sync: false)",
    "bounded_drift": "round robin, but no worker runs more than max_drift requests ahead",
    "dynamic": "an idle worker takes the next request: the shortest run",
}
"""YAML name -> what it does; `execution/policies.py` has the classes."""
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SECTIONS = (
    *("benchmark", "diffusion_model", "reward_model", "reward_models"),
    *("prompts", "evaluation", "logging", "tracking"),
)
Count = Annotated[int, Ge(1)]
Seed = Annotated[int, Ge(0), Lt(2**31)]
NumSeeds = Annotated[int, Ge(1), Le(1000)]
Seconds = Annotated[float, Gt(0)]
Images = Literal["all", "first"]
Controls = Literal["auto", False] | Count


@dataclass(frozen=True, slots=True)
class Execution:
    """How the requests of one stage meet its devices. Changes no result, only when and where it is made."""

    device_ids: tuple[str, ...] | None = None  # "cpu" or "cuda:N"; None = all visible GPUs
    policy: str = "batch_sync"  # one of POLICIES
    max_drift: Annotated[int, Ge(0)] | None = None  # only with bounded_drift
    retry: Literal["in_batch", "at_end"] = "in_batch"  # at_end, only with batch_sync: behind the last batch
    backend: Literal["process", "inprocess", "ray"] = "process"
    ray_address: str | None = None  # of backend ray: host:port of the head; None = the cluster of this machine
    load_concurrency: Count = 1  # models that may load at the same time
    timeout_s: Seconds = 3600.0  # one request
    stall_s: Seconds = 1800.0  # no progress for that long
    start_timeout_s: Seconds = 1800.0  # one worker, until its model is ready
    max_attempts: Count = 3
    batch_size: Count = 1  # requests per call
    devices_per_worker: Count = 1
    python: str | None = None  # interpreter of the workers; None = the one that runs editeval
    requirements: tuple[str, ...] = ()  # packages of an environment made for the workers; not with `python`
    overlap: bool | None = None  # judging while editing goes on; None = where the stages share no device


@dataclass(frozen=True, slots=True)
class Stage:
    """An editor or a judge, and how it runs."""

    section: str  # of the configuration: diffusion_model, reward_model or reward_models.<name>
    type: str  # name of the module that is loaded
    requested_type: str  # what the user wrote: a v2 name, a v2 class path, or `type` itself
    log_name: str  # name in the log lines; empty = the class name
    params: PluginParams
    seed: int
    execution: Execution
    images: Images = "all"  # of a sample's source images, those that the editor gets
    num_seeds: int = 1  # edits of each sample, each with a seed of its own

    @property
    def label(self) -> str:
        """The plug-in's name for people: of a file, without its folder."""
        return self.type.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class BenchmarkConfig:
    """Which samples."""

    type: str
    params: PluginParams
    categories: tuple[str, ...]  # in processing order; empty = all
    aliases: Mapping[str, str] = field(default_factory=dict)  # words that mean another category: v2's data have two

    @property
    def label(self) -> str:
        """The plug-in's name for people: of a file, without its folder."""
        return self.type.rpartition("/")[2]

    def canonical(self, category: str) -> str:
        """The one word for `category`; itself unless the data are v2's."""
        return self.aliases.get(category, category)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Where results go and which statistics the reports show."""

    output_dir: Path
    metrics: tuple[str, ...]
    name: str | None = None  # what the run is called in tables; decides nothing else
    controls: Controls = "auto"  # samples of each control; auto: where they cost no money


@dataclass(frozen=True, slots=True)
class Logging:
    """How much is said, and where. The file is always written."""

    level: str
    console_output: bool
    file_output: bool
    log_file: Path


@dataclass(frozen=True, slots=True)
class Tracking:
    """A service that keeps the run as one of its experiments."""

    type: Literal["trackio", "wandb", "mlflow", "swanlab"]
    project: str = "editeval"
    host: str = ""  # of a server of one's own; empty: where the service's library sends to
    offline: bool = False  # kept on this machine only


@dataclass(frozen=True, slots=True)
class Config:
    """One configuration, resolved. `origins` has one entry per leaf of `resolved`, under its dotted key."""

    name: str  # stem of the file
    path: Path
    benchmark: BenchmarkConfig
    diffusion_model: Stage
    judges: Mapping[str, Stage]  # by name, in the order in which they are reported; empty: edits are not judged
    prompts: Mapping[str, Prompt]
    evaluation: Evaluation
    logging: Logging
    limit: int | None = None  # so many samples, drawn evenly over the categories; not with `first`
    first: int | None = None
    samples: tuple[str, ...] = ()  # globs of sample ids; empty = all
    trackers: tuple[Tracking, ...] = ()
    allow_code: bool = False  # the user consents to what it executes
    effects: tuple[Effect, ...] = field(default=(), compare=False)  # what it executes, writes and contacts
    origins: Mapping[str, str] = field(default_factory=dict)  # "file config.yaml:12" | "flag --seed" | "default" | ...
    warnings: tuple[str, ...] = ()  # one line each
    resolved: Mapping[str, Any] = field(default_factory=dict)  # JSON; as a file it gives this configuration again

    def prompt_of(self, category: str) -> Prompt | None:
        """The judging prompt for samples of `category`; None if there is none."""
        wanted = self.benchmark.canonical(category)
        return next((p for name, p in self.prompts.items() if self.benchmark.canonical(name) == wanted), None)

    @property
    def reward_model(self) -> Stage | None:
        """The first judge, whose first metric is the headline; None without one."""
        return next(iter(self.judges.values()), None)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The editor, then every judge."""
        return (self.diffusion_model, *self.judges.values())
