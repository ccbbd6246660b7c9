"""From the merged tree to a Config: sections checked, defaults filled in, origins recorded."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from editeval import plugins, prompts
from editeval.config import legacy
from editeval.config.execution import check_one_cluster, resolve_execution, without_batches
from editeval.config.layers import SECTIONS
from editeval.config.record import Resolution
from editeval.config.schema import STATISTICS, BenchmarkConfig, Config, Evaluation, Execution, Logging, Stage
from editeval.config.values import (
    COUNT,
    METRICS,
    SEED,
    build,
    field_names,
    parse,
    parse_names,
    parse_path,
    suggestion,
    to_json,
)
from editeval.config.yaml_tree import Node, Source, child, make, merge, origin, placed, problem, quoted, shown, without
from editeval.errors import ConfigError, Problems
from editeval.types import NoParams

DEFAULT_BENCHMARK = "json_records"  # what one of OLD_PATHS without a type means
OLD_PATHS = ("benchmark.data_path", "data.path")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_PROMPT_KEYS = ("system_prompt", "user_prompt_template")
_STAND_IN = Stage("diffusion_model", "identity", "identity", "", NoParams(), 0, Execution(device_ids=("cpu",)))
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def config(path: Path, tree: Node, allow_code: bool, warnings: list[str], problems: Problems) -> Config | None:
    """The configuration that the merged tree is.

    What is wrong with it is added to `problems`: then the result only serves to look for more, with a stand-in for an
    editor that is not named soundly; None if not even a benchmark is.
    """
    record = Resolution(path, allow_code, warnings, problems)
    runtime = child(tree, "runtime")
    if runtime is not None:
        record.close("runtime", _mapping(runtime, record), ())
    record.close("", without(tree, "runtime"), SECTIONS)
    for section in ("benchmark", "diffusion_model"):
        if child(tree, section) is None and section not in record.meant:
            problems.add(ConfigError(f"{path}: {section}: missing; give it at least a type"))
    benchmark_at, editor_at = child(tree, "benchmark"), child(tree, "diffusion_model")
    benchmark = record.attempt(None, _benchmark, benchmark_at, record) if benchmark_at is not None else None
    editor = (
        record.attempt(None, _stage, "editors", "diffusion_model", editor_at, record) if editor_at is not None else None
    )
    judges = record.attempt(dict[str, Stage](), _judges, tree, record)
    with problems.collect():
        check_one_cluster(path, [stage for stage in (editor, *judges.values()) if stage is not None])
    judging_prompts = _prompts(child(tree, "prompts"), benchmark, record)
    chosen, evaluation = _evaluation(_section(tree, "evaluation", record), record)
    logging = _logging(_section(tree, "logging", record), evaluation.output_dir, record)
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
        limit=chosen.limit,
        first=chosen.first,
        samples=chosen.samples,
        allow_code=allow_code,
        origins=record.origins,
        warnings=tuple(dict.fromkeys(record.warnings)),
        resolved=record.resolved,
    )


def _mapping(node: Node, record: Resolution) -> Node:
    """The node as a mapping; nothing is an empty one, and so is, for what follows, what is none."""
    if node.value is not None and not node.is_map:
        record.problems.add(problem(node, f"must be a mapping, got {quoted(node.value)}"))
    return node if node.is_map else dataclasses.replace(node, value={})


def _section(tree: Node, name: str, record: Resolution) -> Node:
    node = child(tree, name)
    return _mapping(node, record) if node is not None else dataclasses.replace(tree, value={}, key=name)


def _params(cls: type[Any], section: str, given: Node, record: Resolution) -> Any:
    """The plug-in's Params; keys it does not have must be old ones without effect. None if they are not sound."""
    known = field_names(cls)
    also = () if section == "benchmark" else legacy.STAGE_KEYS[legacy.role(section)]
    record.close(f"{section}.params", given, known, also)
    ours = {name: below for name, below in given.value.items() if name in known}
    params = build(cls, dataclasses.replace(given, value=ours), f"{section}.params", record.problems, record.meant)
    for name, value in to_json(params).items() if params is not None else ():
        record.keep(f"{section}.params.{name}", value, ours.get(name))
    return params


def _load(kind: str, name: str, section: str, node: Node, record: Resolution) -> type[Any]:
    try:
        return plugins.load(kind, name, record.allow_code)
    except ConfigError as error:
        what = str(error).removeprefix(f"{kind}: ")
        close = [] if "did you mean" in what else difflib.get_close_matches(name, legacy.TYPES[kind], n=1)
        what = what.replace("; available:", f"; did you mean {close[0]!r}? available:") if close else what
        raise ConfigError(f"{node.where}: {section}.type: {what}") from error


def _benchmark(written: Node, record: Resolution) -> BenchmarkConfig | None:
    node = _mapping(written, record)
    given = _section(node, "params", record)
    record.close("benchmark", node, ("type", "params", "categories"))
    listed = child(node, "categories")
    categories = record.attempt((), parse_names, listed) if listed is not None else ()
    record.keep("benchmark.categories", list(categories), listed)
    path = given.value.get("path")
    by_path = child(node, "type") is None and path is not None and path.key in OLD_PATHS
    if by_path and path is not None:
        node = placed(node, dataclasses.replace(path, value=DEFAULT_BENCHMARK), "type")
    if _is_hopeless(written, node, "benchmark", record):
        return None
    named, said = legacy.resolve("benchmarks", node, "benchmark")
    loaded = plugins.absolute(named.type, record.path.parent)
    record.keep("benchmark.type", loaded, said)
    plugin = _load("benchmarks", loaded, "benchmark", said, record)
    params = _params(plugin.Params, "benchmark", given, record)
    if params is None:
        return None
    aliases = legacy.category_aliases(named.type, getattr(params, "fields", {}))
    if listed is not None:
        _refuse_twins(listed, categories, aliases, record)
    return BenchmarkConfig(loaded, params, categories, aliases)


def _is_hopeless(written: Node, node: Node, section: str, record: Resolution) -> bool:
    """Whether it has been said already why the section names no type: it is no mapping, or the key is misspelt."""
    if record.problems.concern(f"{written.where}: {written.key}"):
        return True
    is_said = f"{section}.type" in record.meant and child(node, "type") is None and child(node, "class_path") is None
    return is_said or not (written.value is None or written.is_map)


def _refuse_twins(listed: Node, categories: Sequence[str], aliases: Mapping[str, str], record: Resolution) -> None:
    """Two words for one category are a mistake."""
    known = [aliases.get(name, name) for name in categories]
    for i, name in enumerate(known):
        if name in known[:i]:
            twin = categories[known.index(name)]
            record.problems.add(problem(listed, f"{categories[i]} and {twin} are one category here", (i,)))


def _judges(tree: Node, record: Resolution) -> dict[str, Stage]:
    """The judges by name; flags that concern every stage do not make one, but hold for each."""
    one, several = child(tree, "reward_model"), child(tree, "reward_models")
    flags = one is not None and one.value is not None and _only_flags(one)
    if several is None:
        if one is None or one.value is None or flags:
            record.keep("reward_model", None, one if one is not None and one.value is None else None)
            return {}
        single = _stage("judges", "reward_model", one, record)
        return {plugins.short_name(single.requested_type): single} if single is not None else {}
    if one is not None and one.value is not None and not flags:
        record.problems.add(problem(one, "reward_models is given as well; keep the judges in one of them"))
    judges: dict[str, Stage] = {}
    for name, node in _mapping(several, record).value.items():
        if not _NAME.fullmatch(name):
            record.problems.add(problem(node, "must be a name of at most 40 ASCII letters, digits, - and _"))
        written = merge(_mapping(node, record), one) if one is not None and flags else node
        stage = record.attempt(None, _stage, "judges", f"reward_models.{name}", written, record)
        if stage is not None:
            judges[name] = stage
    if several.value == {} or several.value is None:
        raise problem(several, "is empty; name a judge, or leave it out to edit without judging")
    return judges


def _only_flags(node: Node) -> bool:
    return not node.key and (not node.is_map or all(_only_flags(below) for below in node.value.values()))


def _stage(kind: str, section: str, written: Node, record: Resolution) -> Stage | None:
    """The stage; its `params` are None if they are not sound. None, or a ConfigError, if it names no plug-in."""
    node = _mapping(written, record)
    record.close(section, node, ("type", "class_path", "params", "execution"))
    given = _section(node, "params", record)
    execution = _section(node, "execution", record)
    batched = child(given, "use_batch_inference")
    one_by_one = kind == "judges" and batched is not None and not record.attempt(True, parse, bool, batched)
    if one_by_one and batched is not None:
        execution = without_batches(execution, batched, record)
    runs = resolve_execution(section, execution, record)
    seed = child(given, "seed")
    at_zero = make(0, "", Source("", "default", 0)) if seed is None else seed
    base_seed = record.attempt(0, parse, SEED, at_zero)
    if _is_hopeless(written, node, section, record):
        return None
    named, said = legacy.resolve(kind, node, section)
    record.warnings += legacy.type_notes(kind, node, named)
    loaded = plugins.absolute(named.type, record.path.parent)
    is_file = plugins.is_file(loaded)
    record.keep(f"{section}.type", loaded if is_file else said.value, said)
    plugin = _load(kind, loaded, section, said, record)
    fields = field_names(plugin.Params)
    own = placed(given, at_zero, "seed") if "seed" in fields else without(given, "seed")
    for param, value in named.defaults:
        own = own if child(own, param) is not None else placed(own, make(value, "", Source("", "default", 0)), param)
    if one_by_one and "use_batch_inference" not in fields:
        own = without(own, "use_batch_inference")
    params = _params(plugin.Params, section, own, record)
    record.keep(f"{section}.params.seed", base_seed, seed)
    requested = Path(loaded).name if is_file else said.value
    return Stage(section, loaded, requested, named.log_name, params, base_seed, runs)


def _prompts(node: Node | None, benchmark: BenchmarkConfig | None, record: Resolution) -> dict[str, prompts.Prompt]:
    found: dict[str, prompts.Prompt] = {}
    record.resolved["prompts"] = {}
    canonical = benchmark.canonical if benchmark is not None else str
    for category, below in (_mapping(node, record).value if node is not None else {}).items():
        twin = next((name for name in found if canonical(name) == canonical(category)), None)
        if twin is not None:
            record.problems.add(problem(below, f"{category} and {twin} are one category here; keep one"))
        prompt = _prompt(below, record)
        if prompt is not None:
            found[category] = prompt
            record.resolved["prompts"][category] = dataclasses.asdict(prompt)
            for name in _PROMPT_KEYS:
                record.origins[f"prompts.{category}.{name}"] = origin(below.value[name])
    return found


def _prompt(below: Node, record: Resolution) -> prompts.Prompt | None:
    node = _mapping(below, record)
    if not (below.is_map or below.value is None):
        return None
    texts = node.value
    record.close(below.key, node, _PROMPT_KEYS)
    for name in _PROMPT_KEYS:
        if name not in texts and f"{below.key}.{name}" not in record.meant:
            record.problems.add(ConfigError(f"{below.where}: {below.key}.{name}: missing"))
    system, user = (record.attempt(None, parse, str, texts[name]) if name in texts else None for name in _PROMPT_KEYS)
    if user is not None:
        with record.problems.collect():
            prompts.check(f"{texts[_PROMPT_KEYS[1]].where}: {below.key}", prompts.Prompt("", user))
    return prompts.Prompt(system, user) if system is not None and user is not None else None


@dataclasses.dataclass(frozen=True, slots=True)
class _Chosen:
    """Which samples of those that the benchmark has."""

    limit: int | None
    first: int | None
    samples: tuple[str, ...]


def _evaluation(node: Node, record: Resolution) -> tuple[_Chosen, Evaluation]:
    given = node.value
    place = given.get("output_dir") or given.get("results_dir")
    known = ["output_dir", "metrics", "limit", "first", "samples"] + ["results_dir"] * ("output_dir" not in given)
    record.close("evaluation", node, known)
    output_dir = record.attempt(Path("outputs"), parse_path, place) if place is not None else Path("outputs")
    listed = given.get("metrics")
    metrics = record.attempt(STATISTICS, parse_names, listed, METRICS) if listed is not None else STATISTICS
    record.keep("evaluation.output_dir", str(output_dir), place)
    record.keep("evaluation.metrics", list(metrics), listed)
    return _chosen(given, record), Evaluation(output_dir, metrics)


def _chosen(given: dict[str, Node], record: Resolution) -> _Chosen:
    limited, counted, globs = given.get("limit"), given.get("first"), given.get("samples")
    limit, first = (record.attempt(None, parse, COUNT | None, n) if n is not None else None for n in (limited, counted))
    if limit is not None and first is not None and limited is not None and counted is not None:
        where = f"{limited.key}: {limit} ({limited.where})" if limited.key else f"{limited.where}: {limit}"
        what = f"got {first}, and {where}; keep one: the first samples, or as many of every category"
        record.problems.add(problem(counted, what))
    samples = record.attempt((), parse_names, globs) if globs is not None else ()
    record.keep("evaluation.limit", limit, limited)
    record.keep("evaluation.first", first, counted)
    record.keep("evaluation.samples", list(samples), globs)
    return _Chosen(limit, first, samples)


def _logging(node: Node, output_dir: Path, record: Resolution) -> Logging:
    given = node.value
    level, console, to_file = (given.get(name) for name in ("level", "console_output", "file_output"))
    place, folder = given.get("log_file"), given.get("log_dir")
    place = place if place is not None and place.value is not None else None
    known = ["level", "console_output", "file_output", "log_file"] + ["log_dir"] * (place is None)
    record.close("logging", node, known)
    default = output_dir / "logs"
    if folder is not None and place is None:
        default = record.attempt(default, parse_path, folder)
    default /= f"{record.path.stem}.log"
    logging = Logging(
        level=record.attempt("INFO", _level, level) if level is not None else "INFO",
        console_output=record.attempt(True, parse, bool, console) if console is not None else True,
        file_output=record.attempt(True, parse, bool, to_file) if to_file is not None else True,
        log_file=record.attempt(default, parse_path, place) if place is not None else default,
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
