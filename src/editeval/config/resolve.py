"""From the merged tree to a Config: sections checked, defaults filled in, origins recorded."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from editeval import plugins, prompts
from editeval.categories import canonical
from editeval.config import legacy
from editeval.config.execution import check_one_cluster, resolve_execution, without_batches
from editeval.config.layers import SECTIONS
from editeval.config.node import Node, Source, child, make, merge, origin, placed, problem, quoted, shown, without
from editeval.config.record import Record
from editeval.config.schema import STATISTICS, BenchmarkConfig, Config, Evaluation, Logging, Stage
from editeval.config.values import (
    COUNT,
    METRICS,
    SEED,
    build,
    parse,
    parse_names,
    parse_path,
    suggestion,
    to_json,
    unknown,
)
from editeval.errors import ConfigError

DEFAULT_BENCHMARK = "json_records"  # what one of OLD_PATHS without a type means
OLD_PATHS = ("benchmark.data_path", "data.path")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def config(path: Path, tree: Node, allow_code: bool, warnings: list[str]) -> Config:
    """The configuration that the merged tree is. Raises ConfigError."""
    record = Record(path, allow_code, warnings)
    runtime = child(tree, "runtime")
    if runtime is not None:
        record.close("runtime", _mapping(runtime), ())
    record.close("", without(tree, "runtime"), SECTIONS)
    for section in ("benchmark", "diffusion_model"):
        if child(tree, section) is None:
            raise ConfigError(f"{path}: {section}: missing; give it at least a type")
    benchmark = _benchmark(tree.value["benchmark"], record)
    editor = _stage("editors", "diffusion_model", tree.value["diffusion_model"], record)
    judges = _judges(tree, record)
    check_one_cluster(path, (editor, *judges.values()))
    judging_prompts = _prompts(child(tree, "prompts"), record)
    chosen, evaluation = _evaluation(_section(tree, "evaluation"), record)
    logging = _logging(_section(tree, "logging"), evaluation.output_dir, record)
    return Config(
        name=path.stem,
        path=path,
        benchmark=benchmark,
        diffusion_model=editor,
        judges=judges,
        prompts=judging_prompts,
        evaluation=evaluation,
        logging=logging,
        limit=chosen.limit,
        first=chosen.first,
        samples=chosen.samples,
        allow_code=allow_code,
        origins=record.origins,
        warnings=tuple(dict.fromkeys(record.warnings)),
        resolved=record.resolved,
    )


def _mapping(node: Node) -> Node:
    """The node as a mapping; nothing is an empty one."""
    if node.value is None:
        return dataclasses.replace(node, value={})
    if not node.is_map:
        raise problem(node, f"must be a mapping, got {quoted(node.value)}")
    return node


def _section(tree: Node, name: str) -> Node:
    node = child(tree, name)
    return _mapping(node) if node is not None else dataclasses.replace(tree, value={}, key=name)


def _params(cls: type[Any], section: str, node: Node, given: Node, record: Record) -> Any:
    """The plug-in's Params; keys it does not have must be old ones without effect."""
    known = [f.name for f in dataclasses.fields(cls) if f.init]
    also = () if section == "benchmark" else legacy.STAGE_KEYS[legacy.role(section)]
    record.close(f"{section}.params", given, known, also)
    ours = {name: below for name, below in given.value.items() if name in known}
    params, used = build(cls, dataclasses.replace(given, value=ours), f"{section}.params", node)
    for name, value in to_json(params).items():
        record.keep(f"{section}.params.{name}", value, used.get(name))
    return params


def _load(kind: str, name: str, section: str, node: Node, record: Record) -> type[Any]:
    try:
        return plugins.load(kind, name, record.allow_code)
    except ConfigError as error:
        raise ConfigError(f"{node.where}: {section}.type: {str(error).removeprefix(f'{kind}: ')}") from error


def _benchmark(written: Node, record: Record) -> BenchmarkConfig:
    node = _mapping(written)
    given = _section(node, "params")
    record.close("benchmark", node, ("type", "params", "categories"))
    path = given.value.get("path")
    by_path = child(node, "type") is None and path is not None and path.key in OLD_PATHS
    if by_path and path is not None:
        node = placed(node, dataclasses.replace(path, value=DEFAULT_BENCHMARK), "type")
    named, said = legacy.resolve("benchmarks", node, "benchmark")
    record.keep("benchmark.type", named.type, said)
    plugin = _load("benchmarks", named.type, "benchmark", said, record)
    params = _params(plugin.Params, "benchmark", node, given, record)
    listed = child(node, "categories")
    categories = parse_names(listed) if listed is not None else ()
    english = [canonical(name) for name in categories]
    for i, name in enumerate(english):
        if listed is not None and name in english[:i]:
            raise problem(listed, f"{categories[i]} and {categories[english.index(name)]} are the same category", (i,))
    record.keep("benchmark.categories", list(categories), listed)
    return BenchmarkConfig(named.type, params, categories)


def _judges(tree: Node, record: Record) -> dict[str, Stage]:
    """The judges by name; flags that concern every stage do not make one, but hold for each."""
    one, several = child(tree, "reward_model"), child(tree, "reward_models")
    flags = one is not None and one.value is not None and _only_flags(one)
    if several is None:
        if one is None or one.value is None or flags:
            record.keep("reward_model", None, one if one is not None and one.value is None else None)
            return {}
        stage = _stage("judges", "reward_model", one, record)
        return {stage.requested_type.rpartition(".")[2]: stage}
    if one is not None and one.value is not None and not flags:
        raise problem(one, "reward_models is given as well; keep the judges in one of them")
    judges = {}
    for name, node in _mapping(several).value.items():
        if not _NAME.fullmatch(name):
            raise problem(node, "must be a name of at most 40 ASCII letters, digits, - and _")
        written = merge(_mapping(node), one) if one is not None and flags else node
        judges[name] = _stage("judges", f"reward_models.{name}", written, record)
    if not judges:
        raise problem(several, "is empty; name a judge, or leave it out to edit without judging")
    return judges


def _only_flags(node: Node) -> bool:
    return not node.key and (not node.is_map or all(_only_flags(below) for below in node.value.values()))


def _stage(kind: str, section: str, written: Node, record: Record) -> Stage:
    node = _mapping(written)
    record.close(section, node, ("type", "class_path", "params", "execution"))
    named, said = legacy.resolve(kind, node, section)
    record.keep(f"{section}.type", said.value, said)
    plugin = _load(kind, named.type, section, said, record)
    given = _section(node, "params")
    fields = {f.name for f in dataclasses.fields(plugin.Params)}
    seed, batched = child(given, "seed"), child(given, "use_batch_inference")
    at_zero = make(0, "", Source("", "default", 0)) if seed is None else seed
    own = placed(given, at_zero, "seed") if "seed" in fields else without(given, "seed")
    for param, value in named.defaults:
        own = own if child(own, param) is not None else placed(own, make(value, "", Source("", "default", 0)), param)
    one_by_one = kind == "judges" and batched is not None and not parse(bool, batched)
    if one_by_one and "use_batch_inference" not in fields:
        own = without(own, "use_batch_inference")
    base_seed = parse(SEED, at_zero)
    params = _params(plugin.Params, section, node, own, record)
    record.keep(f"{section}.params.seed", base_seed, seed)
    execution = _section(node, "execution")
    if one_by_one and batched is not None:
        execution = without_batches(execution, batched, record)
    return Stage(
        section,
        named.type,
        said.value,
        named.log_name,
        params,
        base_seed,
        resolve_execution(section, execution, record),
    )


def _prompts(node: Node | None, record: Record) -> dict[str, prompts.Prompt]:
    known = ("system_prompt", "user_prompt_template")
    found: dict[str, prompts.Prompt] = {}
    record.resolved["prompts"] = {}
    for category, below in (_mapping(node).value if node is not None else {}).items():
        texts = _mapping(below).value
        for name, text in texts.items():
            if name not in known:
                raise unknown(text, known)
        missing = [name for name in known if name not in texts]
        if missing:
            raise ConfigError(f"{below.where}: {below.key}.{missing[0]}: missing")
        prompt = prompts.Prompt(*(parse(str, texts[name]) for name in known))
        prompts.check(f"{texts[known[1]].where}: {below.key}", prompt)
        found[category] = prompt
        record.resolved["prompts"][category] = dataclasses.asdict(prompt)
        for name in known:
            record.origins[f"prompts.{category}.{name}"] = origin(texts[name])
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class _Chosen:
    """Which samples of those that the benchmark has."""

    limit: int | None
    first: int | None
    samples: tuple[str, ...]


def _evaluation(node: Node, record: Record) -> tuple[_Chosen, Evaluation]:
    given = node.value
    place = given.get("output_dir") or given.get("results_dir")
    known = ["output_dir", "metrics", "limit", "first", "samples"] + ["results_dir"] * ("output_dir" not in given)
    record.close("evaluation", node, known)
    output_dir = parse_path(place) if place is not None else Path("outputs")
    listed = given.get("metrics")
    metrics = parse_names(listed, METRICS) if listed is not None else STATISTICS
    record.keep("evaluation.output_dir", str(output_dir), place)
    record.keep("evaluation.metrics", list(metrics), listed)
    return _chosen(given, record), Evaluation(output_dir, metrics)


def _chosen(given: dict[str, Node], record: Record) -> _Chosen:
    limited, counted, globs = given.get("limit"), given.get("first"), given.get("samples")
    limit, first = (parse(COUNT | None, n) if n is not None else None for n in (limited, counted))
    if limit is not None and first is not None and limited is not None and counted is not None:
        where = f"{limited.key}: {limit} ({limited.where})"
        raise problem(counted, f"got {first}, and {where}; keep one: the first samples, or as many of every category")
    samples = parse_names(globs) if globs is not None else ()
    record.keep("evaluation.limit", limit, limited)
    record.keep("evaluation.first", first, counted)
    record.keep("evaluation.samples", list(samples), globs)
    return _Chosen(limit, first, samples)


def _logging(node: Node, output_dir: Path, record: Record) -> Logging:
    given = node.value
    level, console, to_file = (given.get(name) for name in ("level", "console_output", "file_output"))
    place, folder = given.get("log_file"), given.get("log_dir")
    place = place if place is not None and place.value is not None else None
    known = ["level", "console_output", "file_output", "log_file"] + ["log_dir"] * (place is None)
    record.close("logging", node, known)
    file = f"{record.path.stem}.log"
    default = parse_path(folder) / file if folder is not None and place is None else output_dir / "logs" / file
    logging = Logging(
        level=_level(level) if level is not None else "INFO",
        console_output=parse(bool, console) if console is not None else True,
        file_output=parse(bool, to_file) if to_file is not None else True,
        log_file=parse_path(place) if place is not None else default,
    )
    if to_file is not None and not logging.file_output:
        why = f"the log is always written, to {logging.log_file}"
        record.warnings.append(f"{to_file.where}: {to_file.key}: has no effect: {why}")
    record.keep("logging.level", logging.level, level)
    record.keep("logging.console_output", logging.console_output, console)
    record.keep("logging.file_output", logging.file_output, to_file)
    record.keep("logging.log_file", str(logging.log_file), place or folder)
    return logging


def _level(node: Node) -> str:
    text = str(parse(str, node)).upper()
    if text not in LEVELS:
        raise problem(node, f"must be one of {', '.join(LEVELS)}, got {shown(node.value)}{suggestion(text, LEVELS)}")
    return text
