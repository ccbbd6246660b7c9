"""YAML text to nodes with line numbers: the safe subset, strictly.

Plain scalars follow YAML 1.1 as v2 did (yes/no/on/off are booleans), but what people misread is refused:
octal 010, sexagesimal 12:30, infinities, duplicate keys, tags, more than MAX_NODES nodes after aliases.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from editeval.errors import ConfigError, Problems

MAX_BYTES = 10_000_000
MAX_NODES = 100_000
MAX_DEPTH = 64
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml: ten times faster, same grammar
_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = ("str", "timestamp", "value", "merge")
_TAGS: dict[type[yaml.Node], tuple[str, ...]] = {
    yaml.MappingNode: ("map",),
    yaml.SequenceNode: ("seq",),
    yaml.ScalarNode: (*_TEXT_TAGS, "int", "float", "bool", "null"),
}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F_]+|0b[01_]+)")


def read_file(path: Path, source: Source, problems: Problems | None = None) -> Node:
    """The mapping in the file. Raises ConfigError with file:line for anything that is not one clean YAML mapping.

    With `problems`, a mistake that leaves the rest readable is kept there instead.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        is_elsewhere = isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError)
        hint = "; give the path of a YAML file" if is_elsewhere else ""
        raise ConfigError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}{hint}") from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES // 1_000_000} MB; is it a configuration?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 text; save the file as UTF-8") from error
    node = read_text(text, source, "", problems)
    if not node.is_map:
        if problems is not None:
            problems.check()
        got = "an empty file" if node.value is None else quoted(node.value)
        raise ConfigError(f"{path}:1: must be a mapping of sections (benchmark, diffusion_model, ...), got {got}")
    return node


def read_text(text: str, source: Source, key: str = "", problems: Problems | None = None) -> Node:
    """The value that `text` is, as a node called `key`. Raises ConfigError; with `problems` as `read_file`."""
    control = _CONTROL.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        raise _refusal(source, key, line, f"control character {control[0]!r}; remove it")
    try:
        _measure(text, source, key)
        root = _LOADER(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        hint = "; indent with spaces, not tabs" if "\t" in text else ""
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise _refusal(source, key, mark.line + 1 if mark else 1, f"not YAML: {said}{hint}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: an escape beyond Unicode
        raise _refusal(source, key, 1, f"not YAML: {shown(str(error))}") from error
    if root is None:
        return make(None, key, source, 1)
    kept = Problems(source.name) if problems is None else problems
    node = _Reader(source, kept).node(root, key, 0)
    if problems is None:
        kept.check()
    return node


def _refusal(source: Source, key: str, line: int, message: str) -> ConfigError:
    where = f"{source.name}:{line}" if source.numbered else source.name
    return ConfigError(f"{where}: {key}: {message}" if key else f"{where}: {message}")


def _measure(text: str, source: Source, key: str) -> None:
    """Raises ConfigError before anything recursive sees a document that is too deep or too large."""
    depth = count = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        count += isinstance(event, yaml.NodeEvent)
        if depth > MAX_DEPTH or count > MAX_NODES:
            what = f"nested deeper than {MAX_DEPTH}" if depth > MAX_DEPTH else f"more than {MAX_NODES} values"
            raise _refusal(source, key, event.start_mark.line + 1 if event.start_mark else 1, what)


class _Reader:
    """Turns composed YAML nodes into ours, counting them, so that aliases cannot multiply without end.

    What is wrong with one value is kept in `problems`, and the value is None.
    """

    def __init__(self, source: Source, problems: Problems) -> None:
        self.source = source
        self.problems = problems
        self.count = 0

    def node(self, composed: yaml.Node, key: str, depth: int, line: int | None = None) -> Node:
        line = composed.start_mark.line + 1 if line is None else line
        if not self._admits(composed, key, depth, line):
            return make(None, key, self.source, line)
        if isinstance(composed, yaml.MappingNode):
            return make(self._mapping(composed, key, depth), key, self.source, line)
        lines: dict[tuple[int | str, ...], str] = {}
        value = self._plain(composed, key, depth, (), lines)
        return replace(make(value, key, self.source, line), lines=lines)

    def _admits(self, composed: yaml.Node, key: str, depth: int, line: int) -> bool:
        """False for a tag that is refused. Raises ConfigError for a document that is too large or too deep."""
        self.count += 1
        if self.count > MAX_NODES:
            raise _refusal(self.source, key, line, f"more than {MAX_NODES} values once aliases are followed")
        if depth > MAX_DEPTH:
            raise _refusal(self.source, key, line, f"nested deeper than {MAX_DEPTH}")
        known = _TAGS[type(composed)]
        if composed.tag.removeprefix(_TAG) not in known or not composed.tag.startswith(_TAG):
            tag = composed.tag.replace(_TAG, "!!")
            self._refuse(key, line, f"the tag {shown(tag)} is not accepted; write plain values")
            return False
        return True

    def _refuse(self, key: str, line: int, message: str) -> None:
        self.problems.add(_refusal(self.source, key, line, message))

    def _mapping(self, composed: yaml.MappingNode, key: str, depth: int) -> dict[str, Node]:
        children: dict[str, Node] = {}
        inherited: dict[str, Node] = {}
        for name_node, value_node in composed.value:
            line = name_node.start_mark.line + 1
            if name_node.tag == f"{_TAG}merge":
                for part in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                    inherited = {**self._inherited(part, key, depth, line), **inherited}
                continue
            if not isinstance(name_node, yaml.ScalarNode) or not name_node.value:
                self._refuse(key, line, "a key must be a word")
                continue
            name = str(name_node.value)
            path = f"{key}.{shown(name)}" if key else shown(name)
            if name in children:
                first = children[name].where.rpartition(":")[2]
                self._refuse(path, line, f"given twice, first in line {first}; keep one")
                continue
            children[name] = self.node(value_node, path, depth + 1, line)
        return {**inherited, **children}

    def _inherited(self, composed: yaml.Node, key: str, depth: int, line: int) -> dict[str, Node]:
        if not isinstance(composed, yaml.MappingNode):
            self._refuse(key, line, "<< must name a mapping")
            return {}
        value: dict[str, Node] = self.node(composed, key, depth + 1).value
        return value

    def _plain(
        self,
        composed: yaml.Node,
        key: str,
        depth: int,
        location: tuple[int | str, ...],
        lines: dict[tuple[int | str, ...], str],
    ) -> Any:
        if location:
            if not self._admits(composed, key, depth, composed.start_mark.line + 1):
                return None
            lines[location] = make(None, key, self.source, composed.start_mark.line + 1).where
        if isinstance(composed, yaml.ScalarNode):
            return self._scalar(composed, key)
        if isinstance(composed, yaml.MappingNode):
            below = self._mapping(composed, key, depth)
            return {name: _flat(node) for name, node in below.items()}
        parts = enumerate(composed.value)
        return [self._plain(part, f"{key}[{i}]", depth + 1, (*location, i), lines) for i, part in parts]

    def _scalar(self, composed: yaml.ScalarNode, key: str) -> Any:
        line = composed.start_mark.line + 1
        tag, text = composed.tag.removeprefix(_TAG), str(composed.value)
        if tag in _TEXT_TAGS:
            if _CONTROL.search(text):  # written as an escape
                self._refuse(key, line, f"control character in {quoted(text)}; remove it")
                return None
            return text
        if tag == "null":
            return None
        value = {"bool": _bool, "int": _int, "float": _float}[tag](text)
        if value is None:
            advice = "write it in quotes if it is text, else as a plain decimal number"
            self._refuse(key, line, f"{quoted(text)} is ambiguous or out of range; {advice}")
        return value


def _flat(node: Node) -> Any:
    return {name: _flat(below) for name, below in node.value.items()} if node.is_map else node.value


def _bool(text: str) -> bool | None:
    return {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}.get(text.lower())


def _int(text: str) -> int | None:
    if not _NUMBER.fullmatch(text) or len(text) > 24:
        return None
    try:
        value = int(text.replace("_", ""), 0)
    except ValueError:
        return None
    return value if abs(value) < 2**63 else None


def _float(text: str) -> float | None:
    try:
        value = float(text.replace("_", ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


FILE, ENVIRONMENT, SET, FLAG = 1, 2, 3, 4  # ranks: the higher one wins


@dataclass(frozen=True, slots=True)
class Source:
    """Where text came from. With `numbered`, nodes carry the line."""

    name: str  # as errors show it: "config.yaml", "--set", "EDITEVAL_SEED"
    origin: str  # as the record shows it: "file config.yaml", "--set", "env EDITEVAL_SEED", "flag --seed"
    rank: int
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A value: a scalar, a list of plain values, or a dict of nodes."""

    value: Any
    key: str  # dotted, as the user wrote it; empty for flags
    where: str
    origin: str
    rank: int
    lines: Mapping[tuple[int | str, ...], str] = field(default_factory=dict)  # where the elements of a list are

    @property
    def is_map(self) -> bool:
        """True if it has children (or could have)."""
        return isinstance(self.value, dict)


def make(value: Any, key: str, source: Source, line: int = 0) -> Node:
    """A node from `source`."""
    suffix = f":{line}" if source.numbered else ""
    return Node(value, key, source.name + suffix, source.origin + suffix, source.rank)


def from_values(value: object, source: Source, key: str = "") -> Node:
    """The tree that plain Python values are, without lines. Raises ConfigError for what no file could hold."""
    if not isinstance(value, Mapping):
        return make(_from_value(value, source, key), key, source)
    parts = {str(name): f"{key}.{shown(str(name))}" if key else shown(str(name)) for name in value}
    return make({str(name): from_values(part, source, parts[str(name)]) for name, part in value.items()}, key, source)


def _from_value(value: object, source: Source, key: str) -> object:
    if isinstance(value, Mapping):
        return {str(name): _from_value(part, source, f"{key}.{name}") for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_from_value(part, source, f"{key}[{i}]") for i, part in enumerate(value)]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, str) and _CONTROL.search(value):
        raise _refusal(source, key, 0, f"control character in {quoted(value)}; remove it")
    if isinstance(value, float) and not math.isfinite(value):
        raise _refusal(source, key, 0, f"must be a number, got {value}")
    if value is not None and not isinstance(value, str | int | float):
        raise _refusal(source, key, 0, f"must be a plain value or a list or mapping of them, got {shown(value)}")
    return value


def problem(node: Node, message: str, location: Sequence[int | str] = ()) -> ConfigError:
    """The error `where: key: message`, at the element of a list where `location` leads."""
    where = node.lines.get(tuple(location), node.where)
    element = "".join(f"[{p}]" if isinstance(p, int) else f".{shown(p)}" for p in location)
    return ConfigError(f"{where}: {node.key}{element}: {message}" if node.key else f"{where}{element}: {message}")


def shown(value: Any, limit: int = 60) -> str:
    """`value` on one line, shortened; text that is a plain word comes without quotes only if it is a key."""
    if isinstance(value, str) and value and value.isprintable() and len(value) <= limit:
        return value
    return quoted(value, limit)


def quoted(value: Any, limit: int = 60) -> str:
    """`value` as Python writes it, shortened; null, true and false as YAML readers call them."""
    text = "nothing" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def child(node: Node | None, *path: str) -> Node | None:
    """The node below, or None if there is none."""
    for part in path:
        if node is None or not node.is_map:
            return None
        node = node.value.get(part)
    return node


def without(node: Node, *path: str) -> Node:
    """`node` with the child at `path` removed."""
    if not node.is_map or path[0] not in node.value:
        return node
    rest = {k: v for k, v in node.value.items() if k != path[0]}
    if len(path) == 1:
        return replace(node, value=rest)
    return replace(node, value={**node.value, path[0]: without(node.value[path[0]], *path[1:])})


def placed(node: Node, new: Node, *path: str) -> Node:
    """`node` with `new` at `path`; mappings on the way are made, a null is one. Other values stay as they are."""
    if not path:
        return new
    if node.value is not None and not node.is_map:
        return node
    children = dict(node.value or {})
    key = f"{node.key}.{path[0]}".lstrip(".") if new.key else ""
    below = children.get(path[0], replace(new, value={}, key=key, lines={}))
    children[path[0]] = placed(below, new, *path[1:])
    return replace(node, value=children)


def merge(low: Node, high: Node) -> Node:
    """Both, mapping by mapping; where they differ, `high`. Lists are replaced, not joined."""
    if not (low.is_map and high.is_map):
        return high
    children = dict(low.value)
    for key, value in high.value.items():
        children[key] = merge(children[key], value) if key in children else value
    return replace(low, value=children)


def plain(node: Node) -> Any:
    """The value without its history."""
    return {key: plain(below) for key, below in node.value.items()} if node.is_map else node.value


def origin(node: Node) -> str:
    """Where the value was decided; for a mapping, where its highest-ranking part was."""
    return _highest(node).origin


def _highest(node: Node) -> Node:
    if not node.is_map or not node.value:
        return node
    return max((_highest(below) for below in node.value.values()), key=lambda n: n.rank)
