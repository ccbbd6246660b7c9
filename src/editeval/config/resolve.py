"""From the merged tree to a Config: sections checked, defaults filled in, origins recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from editeval import prompts
from editeval.config import stages
from editeval.config.resolution import Resolution
from editeval.config.schema import (
    LEVELS,
    SECTIONS,
    BenchmarkConfig,
    Config,
    Controls,
    Count,
    Evaluation,
    Execution,
    Logging,
    Stage,
)
from editeval.config.trackers import tracking
from editeval.config.values import STATISTIC, parse, parse_name, parse_names, parse_path, suggestion
from editeval.config.yaml_tree import Node, child, deciding, plain, problem, shown, without
from editeval.errors import ConfigError, Problems
from editeval.types import STATISTICS, NoParams

_PROMPT_KEYS = ("system_prompt", "user_prompt_template")
_STAND_IN = Stage("diffusion_model", "identity", "identity", "", NoParams(), 0, Execution(device_ids=("cpu",)))


def config(path: Path, tree: Node, allow_code: bool, warnings: list[str], problems: Problems) -> Config | None:
    """The configuration that the merged tree is.

    What is wrong with it is added to `problems`: then the result only serves to look for more, with a stand-in for an
    editor that is not named soundly; None if not even a benchmark is.
    """
    record = Resolution(path, allow_code, warnings, problems)
    runtime = child(tree, "runtime")
    if runtime is not None:
        record.close("runtime", record.mapping(runtime), ())
    asked = child(tree, "allow_code")
    if asked is not None:
        what = "a configuration cannot consent to its own code; run `editeval check` once at a terminal and answer y,"
        problems.add(problem(asked, f"{what} or add --allow-code"))
    record.close("", without(without(tree, "runtime"), "allow_code"), SECTIONS)
    for section in ("benchmark", "diffusion_model"):
        if child(tree, section) is None and section not in record.meant:
            problems.add(ConfigError(f"{path}: {section}: missing; give it at least a type"))
    given, model = child(tree, "benchmark"), child(tree, "diffusion_model")
    benchmark = record.attempt(None, stages.benchmark, given, record) if given is not None else None
    editor = None
    if model is not None:
        editor = record.attempt(None, stages.stage, "editors", "diffusion_model", model, record)
    judges = record.attempt(dict[str, Stage](), stages.judges, tree, record)
    with problems.collect():
        _check_one_cluster(path, [stage for stage in (editor, *judges.values()) if stage is not None])
    judging_prompts = _prompts(child(tree, "prompts"), benchmark, record)
    limit, first, samples = _chosen(record.section(tree, "evaluation"), record)
    evaluation = _evaluation(record.section(tree, "evaluation"), record)
    logging = _logging(record.section(tree, "logging"), evaluation.output_dir, record)
    services = tracking(child(tree, "tracking"), record)
    if benchmark is None:
        return None
    return Config(
        name=path.stem,
        path=path,
        benchmark=benchmark,
        diffusion_model=editor or _STAND_IN,
        judges=judges,
        prompts=judging_prompts,
        evaluation=evaluation,
        logging=logging,
        limit=limit,
        first=first,
        samples=samples,
        trackers=services,
        allow_code=allow_code,
        origins=record.origins,
        warnings=tuple(dict.fromkeys(record.warnings)),
        resolved=record.resolved,
    )


def _check_one_cluster(path: Path, stages: Sequence[Stage]) -> None:
    """Raises ConfigError if the stages are on two clusters: a process is part of one."""
    remote = [stage for stage in stages if stage.execution.backend == "ray"]
    for stage in remote:
        if stage.execution.ray_address != remote[0].execution.ray_address:
            raise ConfigError(
                f"{path}: {stage.section}.execution.ray_address: one run uses one Ray cluster, and "
                f"{remote[0].section} names another; say the same in both"
            )


def _prompts(node: Node | None, benchmark: BenchmarkConfig | None, record: Resolution) -> dict[str, prompts.Prompt]:
    found: dict[str, prompts.Prompt] = {}
    kept: dict[str, object] = {}
    canonical = benchmark.canonical if benchmark is not None else str
    for category, below in (record.mapping(node).children if node is not None else {}).items():
        twin = next((name for name in found if canonical(name) == canonical(category)), None)
        if twin is not None:
            record.problems.add(problem(below, f"{category} and {twin} are one category here; keep one"))
        prompt = _prompt(below, record)
        if prompt is not None:
            found[category] = prompt
            kept[category] = asdict(prompt)
            for name in _PROMPT_KEYS:
                record.origins[f"prompts.{category}.{name}"] = deciding(below.children[name]).origin
    record.resolved["prompts"] = kept
    return found


def _prompt(below: Node, record: Resolution) -> prompts.Prompt | None:
    texts = record.mapping(below).children
    if not (below.is_map or below.value is None):
        return None
    record.close(below.key, below, _PROMPT_KEYS)
    for name in _PROMPT_KEYS:
        if name not in texts and f"{below.key}.{name}" not in record.meant:
            record.problems.add(ConfigError(f"{below.where}: {below.key}.{name}: missing"))
    system, user = (record.attempt(None, parse, str, texts[name]) if name in texts else None for name in _PROMPT_KEYS)
    if user is not None:
        with record.problems.collect():
            prompts.check(f"{texts[_PROMPT_KEYS[1]].where}: {below.key}", prompts.Prompt("", user))
    return prompts.Prompt(system, user) if system is not None and user is not None else None


def _chosen(node: Node, record: Resolution) -> tuple[int | None, int | None, tuple[str, ...]]:
    """Which samples of those that the benchmark has: limit, first and the globs of ids."""
    limited, counted = child(node, "limit"), child(node, "first")
    limit: int | None = record.read("evaluation.limit", limited, partial(parse, Count | None), None)
    first: int | None = record.read("evaluation.first", counted, partial(parse, Count | None), None)
    if limited is not None and counted is not None and limit is not None and first is not None:
        where = f"{limited.key}: {limit} ({limited.where})" if limited.key else f"{limited.where}: {limit}"
        what = f"got {first}, and {where}; keep one: the first samples, or as many of every category"
        record.problems.add(problem(counted, what))
    return limit, first, record.read("evaluation.samples", child(node, "samples"), parse_names, ())


def _evaluation(node: Node, record: Resolution) -> Evaluation:
    place = child(node, "output_dir")
    known = ["output_dir", "metrics", "name", "controls", "limit", "first", "samples"]
    if place is None:
        place = child(node, "results_dir")
        known.append("results_dir")
    record.close("evaluation", node, known)
    output_dir = record.read("evaluation.output_dir", place, parse_path, Path("outputs"))
    listed = child(node, "metrics")
    names = record.read("evaluation.metrics", listed, partial(parse_names, one=STATISTIC), STATISTICS)
    name = record.read("evaluation.name", child(node, "name"), parse_name, None)
    controls: Controls = record.read("evaluation.controls", child(node, "controls"), partial(parse, Controls), "auto")
    return Evaluation(output_dir, names, name, controls)


def _logging(node: Node, output_dir: Path, record: Resolution) -> Logging:
    place, folder, to_file = child(node, "log_file"), child(node, "log_dir"), child(node, "file_output")
    place = place if place is not None and place.value is not None else None
    record.close(
        "logging", node, ["level", "console_output", "file_output", "log_file"] + ["log_dir"] * (place is None)
    )
    default = output_dir / "logs"
    if folder is not None and place is None:
        default = record.attempt(default, parse_path, folder)
    switch = partial(parse, bool)
    logging = Logging(
        level=record.read("logging.level", child(node, "level"), _level, "INFO"),
        console_output=record.read("logging.console_output", child(node, "console_output"), switch, True),
        file_output=record.read("logging.file_output", to_file, switch, True),
        log_file=record.read("logging.log_file", place, parse_path, default / f"{record.path.stem}.log"),
    )
    if folder is not None and place is None:
        record.keep("logging.log_file", str(logging.log_file), folder)
    if to_file is not None and not logging.file_output:
        why = f"the log is always written, to {logging.log_file}"
        record.warnings.append(f"{to_file.where}: {to_file.key}: has no effect: {why}")
    return logging


def _level(node: Node) -> str:
    text = str(parse(str, node)).upper()
    if text not in LEVELS:
        raise problem(node, f"must be one of {', '.join(LEVELS)}, got {shown(plain(node))}{suggestion(text, LEVELS)}")
    return text
