"""The sections that name a plug-in: benchmark, editor and judges, and `execution`: how requests meet devices."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from editeval import plugins
from editeval.config import legacy
from editeval.config.resolution import Resolution
from editeval.config.schema import BenchmarkConfig, Execution, Images, NumSeeds, Seed, Stage
from editeval.config.values import (
    EXECUTION,
    build,
    field_names,
    is_address,
    parse,
    parse_devices,
    parse_names,
    to_json,
)
from editeval.config.yaml_tree import (
    Node,
    Source,
    child,
    make,
    merge,
    placed,
    plain,
    problem,
    quoted,
    without,
)
from editeval.errors import ConfigError, Problems
from editeval.redaction import watch
from editeval.types import PluginParams

DEFAULT_BENCHMARK = "json_records"  # what one of OLD_PATHS without a type means
OLD_PATHS = ("benchmark.data_path", "data.path")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_DEFAULT = Source("", "default", 0)
_OF_EDITORS = {"images": Images, "num_seeds": NumSeeds}  # keys of the stage, unless the editor has such ones itself
_ONLY_WITH = (  # a key, the setting that gives it a meaning, and why there is none otherwise
    ("max_drift", "policy", "bounded_drift", "has one"),
    ("retry", "policy", "batch_sync", "has batches to put retries behind"),
    ("ray_address", "backend", "ray", "has one"),
)


# ------------------------------------------------------------------------------------------------ plug-ins


def benchmark(written: Node, record: Resolution) -> BenchmarkConfig | None:
    """The benchmark; None if it is not named or its parameters are not sound."""
    node = record.mapping(written)
    given = record.section(node, "params")
    record.close("benchmark", node, ("type", "params", "categories"))
    listed = child(node, "categories")
    categories: tuple[str, ...] = record.read("benchmark.categories", listed, parse_names, ())
    path = child(given, "path")
    if child(node, "type") is None and path is not None and path.key in OLD_PATHS:
        node = placed(node, replace(path, value=DEFAULT_BENCHMARK), "type")
    if _is_hopeless(written, node, "benchmark", record):
        return None
    named, said = legacy.resolve("benchmarks", node, "benchmark")
    loaded = plugins.absolute(named.type, record.path.parent)
    record.keep("benchmark.type", loaded, said)
    plugin = _load("benchmarks", loaded, "benchmark", node, said, record)
    record.protocol = make(getattr(getattr(plugin, "card", None), "protocol", ""), "", Source("", "benchmark", 0))
    params = _params(plugin.Params, "benchmark", given, record)
    if params is None:
        return None
    aliases = legacy.category_aliases(named.type, getattr(params, "fields", {}))
    known = [aliases.get(name, name) for name in categories]
    for i, name in enumerate(known if listed is not None else ()):
        if listed is not None and name in known[:i]:
            twin = categories[known.index(name)]
            record.problems.add(problem(listed, f"{categories[i]} and {twin} are one category here", (i,)))
    return BenchmarkConfig(loaded, params, categories, aliases)


def judges(tree: Node, record: Resolution) -> dict[str, Stage]:
    """The judges by name; flags that concern every stage do not make one, but hold for each."""
    one, several = child(tree, "reward_model"), child(tree, "reward_models")
    is_given = one is not None and one.value is not None
    flags = one is not None and is_given and _only_flags(one)
    if several is None:
        if one is None or not is_given or flags:
            record.keep("reward_model", None, one if not is_given else None)
            return {}
        single = stage("judges", "reward_model", one, record)
        return {plugins.short_name(single.requested_type): single} if single is not None else {}
    if one is not None and is_given and not flags:
        record.problems.add(problem(one, "reward_models is given as well; keep the judges in one of them"))
    found: dict[str, Stage] = {}
    for name, node in record.mapping(several).children.items():
        if not _NAME.fullmatch(name):
            record.problems.add(problem(node, "must be a name of at most 40 ASCII letters, digits, - and _"))
        written = merge(record.mapping(node), one) if one is not None and flags else node
        judge = record.attempt(None, stage, "judges", f"reward_models.{name}", written, record)
        found |= {name: judge} if judge is not None else {}
    if several.value is None or (several.is_map and not several.children):
        raise problem(several, "is empty; name a judge, or leave it out to edit without judging")
    return found


def _only_flags(node: Node) -> bool:
    return not node.key and all(_only_flags(below) for below in node.children.values())


def stage(kind: str, section: str, written: Node, record: Resolution) -> Stage | None:
    """The stage; its `params` are None if they are not sound. None, or a ConfigError, if it names no plug-in."""
    node = record.mapping(written)
    record.close(section, node, ("type", "class_path", "params", "execution"))
    given = record.section(node, "params")
    execution = record.section(node, "execution")
    batched = child(given, "use_batch_inference")
    one_by_one = kind == "judges" and batched is not None and not record.attempt(True, parse, bool, batched)
    if one_by_one and batched is not None:
        execution = _without_batches(execution, batched, record)
    runs = _execution(section, execution, record)
    seed = child(given, "seed")
    at_zero = make(0, "", _DEFAULT) if seed is None else seed
    base_seed = record.attempt(0, parse, Seed, at_zero)
    if _is_hopeless(written, node, section, record):
        return None
    named, said = legacy.resolve(kind, node, section)
    record.warnings += legacy.type_notes(kind, node, named)
    loaded = plugins.absolute(named.type, record.path.parent)
    requested = str(said.value)
    record.keep(f"{section}.type", loaded if plugins.is_file(loaded) else requested, said)
    plugin = _load(kind, loaded, section, node, said, record)
    fields = field_names(plugin.Params)
    own = placed(given, at_zero, "seed") if "seed" in fields else without(given, "seed")
    asked: dict[str, Any] = {"images": "all", "num_seeds": 1}
    for name, kinds in _OF_EDITORS.items():
        chosen = child(given, name) if kind == "editors" and name not in fields else None
        if chosen is not None:
            own, asked[name] = without(own, name), record.attempt(asked[name], parse, kinds, chosen)
            record.keep(f"{section}.params.{name}", asked[name], chosen)
    for param, value in named.defaults:
        own = own if child(own, param) is not None else placed(own, make(value, "", _DEFAULT), param)
    can_ask = getattr(plugin, "can_ask", None) if child(own, "protocol") is None else None
    if can_ask is not None and can_ask(record.protocol.value):
        own = placed(own, record.protocol, "protocol")
    place, words = child(own, "prompts_from"), child(own, "words")
    if place is not None and words is not None and place.rank > words.rank:
        own = without(own, "words")  # of a run: another place is named now
    if one_by_one and "use_batch_inference" not in fields:
        own = without(own, "use_batch_inference")
    params = _params(plugin.Params, section, own, record)
    record.keep(f"{section}.params.seed", base_seed, seed)
    label = Path(loaded).name if plugins.is_file(loaded) else requested
    return Stage(section, loaded, label, named.log_name, params, base_seed, runs, **asked)


def _is_hopeless(written: Node, node: Node, section: str, record: Resolution) -> bool:
    """Whether it has been said already why the section names no type: it is no mapping, or the key is misspelt."""
    if record.problems.concern(f"{written.where}: {written.key}"):
        return True
    is_said = f"{section}.type" in record.meant and child(node, "type") is None and child(node, "class_path") is None
    return is_said or not (written.value is None or written.is_map)


def _load(kind: str, name: str, section: str, node: Node, said: Node, record: Resolution) -> plugins.PluginClass:
    """The plug-in. Else ConfigError; if the name is one misspelt, `params` are checked as those of the closest type."""
    try:
        return plugins.load(kind, name, record.allow_code)
    except ConfigError as error:
        what = str(error).removeprefix(f"{kind}: ")
        names = [] if plugins.is_foreign(name) else [*plugins.available(kind), *plugins.installed(kind)]
        close = difflib.get_close_matches(name, names, n=1)
        if names and not close and (close := difflib.get_close_matches(name, legacy.TYPES[kind], n=1)):
            what = what.replace("; available:", f"; did you mean {close[0]!r}? available:")
        if not close and child(node, "params") is not None:
            what += "; its params are not checked until it loads"
        told = ConfigError(f"{said.where}: {section}.type: {what}")
        record.problems.add(told)
        if close:
            _look_on(kind, section, placed(node, replace(said, value=close[0]), "type"), record)
        raise told from error


def _look_on(kind: str, section: str, node: Node, record: Resolution) -> None:
    """Adds the mistakes that the section has if its type is the guess that `node` names."""
    problems = Problems(record.path)
    scratch = Resolution(record.path, record.allow_code, [], problems)
    scratch.protocol, scratch.meant = record.protocol, record.meant
    with problems.collect():
        if kind == "benchmarks":
            benchmark(node, scratch)
        else:
            stage(kind, section, node, scratch)
    told = set(map(str, record.problems.found))
    for found in problems.found:
        if str(found) not in told:
            record.problems.add(ConfigError(f"{found} (if its type is {plain(node.children['type'])})"))


def _params(cls: type, section: str, given: Node, record: Resolution) -> PluginParams:
    """The plug-in's Params; keys it does not have must be old ones without effect. None if they are not sound."""
    known = field_names(cls)
    also = () if section == "benchmark" else legacy.STAGE_KEYS[legacy.canonical_section(section)]
    record.close(f"{section}.params", given, known, also)
    ours = {name: below for name, below in given.children.items() if name in known}
    params = build(cls, replace(given, value=ours), f"{section}.params", record.problems, record.meant)
    watch(str(getattr(params, "api_key_env", "")))
    for name, value in to_json(params).items() if params is not None else ():
        record.keep(f"{section}.params.{name}", value, ours.get(name))
    return params


# ------------------------------------------------------------------------------------------------ execution


def _execution(section: str, node: Node, record: Resolution) -> Execution:
    """What the section says of how its requests meet their devices; what is wrong becomes a problem of the record."""
    is_judge = legacy.canonical_section(section) == "reward_model"
    defaults = Execution(policy="dynamic", batch_size=4) if is_judge else Execution()
    known = [name for name in EXECUTION if is_judge or name != "overlap"]
    record.close(f"{section}.execution", node, known)
    given: dict[str, Node] = {}
    values: dict[str, Any] = {}
    for name, below in node.children.items():
        if name in known:
            with record.problems.collect():
                values[name] = parse_devices(below) if name == "device_ids" else parse(EXECUTION[name], below)
                given[name] = below
    execution = replace(defaults, **values)
    with record.problems.collect():
        _check_address(execution, given)
    for key, setting, wanted, why in _ONLY_WITH:
        own, by, now = given.get(key), given.get(setting), getattr(execution, setting)
        default = getattr(defaults, key)
        if own is None or now == wanted or getattr(execution, key) == default:
            continue
        if by is None or own.rank >= by.rank:
            what = f"only {section}.execution.{setting} {wanted} {why}, got {setting} {now}"
            record.problems.add(problem(own, what))
        else:
            record.warnings.append(f"{own.where}: {own.key}: has no effect: {by.where} sets {setting} {now}")
            execution = replace(execution, **{key: default})
    if execution.policy == "bounded_drift" and execution.max_drift is None:
        execution = replace(execution, max_drift=1)
    with record.problems.collect():
        _check_interpreter(execution, given)
    if not is_judge and execution.batch_size != 1:
        what = f"an editor takes one request at a time, got {execution.batch_size}"
        record.problems.add(problem(given["batch_size"], what))
    groups, num_devices = execution.devices_per_worker, len(execution.device_ids or ())
    if num_devices % groups:
        what = f"{num_devices} devices cannot be shared out in groups of {groups}"
        record.problems.add(problem(given["devices_per_worker"], what))
    for name, value in to_json(execution).items():
        if name in known:
            record.keep(f"{section}.execution.{name}", value, child(node, name))
    return execution


def _check_address(execution: Execution, given: Mapping[str, Node]) -> None:
    address = execution.ray_address
    if address is not None and not is_address(address):
        what = f"must be host:port of the head of a Ray cluster, got {quoted(address)}"
        raise problem(given["ray_address"], what)


def _check_interpreter(execution: Execution, given: Mapping[str, Node]) -> None:
    """Raises ConfigError if the interpreter is named in two ways, or could not be used."""
    if execution.python is not None and not execution.python.strip():
        raise problem(given["python"], "must be the path of a Python interpreter, got nothing")
    own = given.get("python" if execution.python is not None else "requirements")
    if own is not None and plain(own) and execution.backend == "inprocess":
        raise problem(own, "backend inprocess has no worker processes to run in another interpreter; remove one")
    if not execution.requirements:
        return
    if execution.backend == "ray":
        what = "backend ray runs workers on nodes that have their own environments; name their interpreter in python"
        raise problem(given["requirements"], what)
    if execution.python is not None:
        raise problem(given["requirements"], f"{given['python'].key} names an interpreter as well; keep one")
    for i, requirement in enumerate(execution.requirements):
        if not requirement.strip() or requirement.startswith("-") or "\n" in requirement:
            raise problem(given["requirements"], f"must be a package, got {quoted(requirement)}", (i,))


def _without_batches(execution: Node, batched: Node, record: Resolution) -> Node:
    """Batching is off: one request per call, whatever batch_size says, as in v2."""
    size = child(execution, "batch_size")
    if size is not None and size.value != 1:
        record.warnings.append(f"{size.where}: {size.key or 'batch_size'}: has no effect: {batched.key} is false")
    return placed(execution, replace(batched, value=1), "batch_size")
