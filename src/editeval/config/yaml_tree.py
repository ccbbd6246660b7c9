"""YAML text to nodes that know their line: the safe subset, strictly.

Plain scalars follow YAML 1.1 as v2 did (yes/no/on/off are booleans), but what people misread is refused:
octal 010, sexagesimal 12:30, infinities, duplicate keys, tags, more than MAX_NODES nodes after aliases.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from editeval.errors import ConfigError, Problems

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
"""What JSON can hold."""
MAX_BYTES = 10_000_000
MAX_NODES = 100_000
MAX_DEPTH = 64
FILE, ENVIRONMENT, SET, FLAG = 1, 2, 3, 4  # ranks: the higher one wins
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml: ten times faster
_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = ("str", "timestamp", "value", "merge")
_TAGS = {
    yaml.MappingNode: (f"{_TAG}map",),
    yaml.SequenceNode: (f"{_TAG}seq",),
    yaml.ScalarNode: tuple(_TAG + name for name in (*_TEXT_TAGS, "int", "float", "bool", "null")),
}
_BOOLEANS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_INTEGER = re.compile(r"(?=.{1,24}$)[-+]?(0|[1-9][0-9_]*|0x_*[0-9a-fA-F][0-9a-fA-F_]*|0b_*[01][01_]*)")


@dataclass(frozen=True, slots=True)
class Source:
    """Where text came from. With `numbered`, nodes carry the line."""

    name: str  # as errors show it: "config.yaml", "--set", "EDITEVAL_SEED"
    origin: str  # as the record shows it: "file config.yaml", "--set", "env EDITEVAL_SEED", "flag --seed"
    rank: int
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """A value: a scalar, a list of nodes or a dict of nodes."""

    value: bool | int | float | str | list[Node] | dict[str, Node] | None
    key: str  # dotted, as the user wrote it; empty for flags
    where: str
    origin: str
    rank: int

    @property
    def is_map(self) -> bool:
        """True if it has children (or could have)."""
        return isinstance(self.value, dict)

    @property
    def children(self) -> dict[str, Node]:
        """What is in it by name; nothing if it is no mapping."""
        return self.value if isinstance(self.value, dict) else {}


def make(value: object, key: str, source: Source, line: int = 0) -> Node:
    """A node from `source`, nodes in it as they are. What JSON cannot hold becomes text."""
    suffix = f":{line}" if source.numbered else ""
    inside: bool | int | float | str | list[Node] | dict[str, Node] | None
    if isinstance(value, Mapping):
        inside = {str(name): _made(below, f"{key}.{name}".lstrip("."), source, line) for name, below in value.items()}
    elif isinstance(value, list | tuple):
        inside = [_made(below, f"{key}[{i}]", source, line) for i, below in enumerate(value)]
    else:
        inside = value if value is None or isinstance(value, bool | int | float | str) else str(value)
    return Node(inside, key, source.name + suffix, source.origin + suffix, source.rank)


def _made(value: object, key: str, source: Source, line: int) -> Node:
    return value if isinstance(value, Node) else make(value, key, source, line)


def read_file(path: Path, source: Source, problems: Problems | None = None) -> Node:
    """The mapping in the file. Raises ConfigError with file:line for anything that is not one clean YAML mapping.

    With `problems`, a mistake that leaves the rest readable is kept there instead.
    """
    try:
        if path.is_fifo() and not str(path).startswith(("/dev/fd/", "/proc/")):  # those of a shell's <(...)
            raise ConfigError(f"{path}: is a pipe that nobody may write to; give the path of a YAML file")
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
        got = "an empty file" if node.value is None else quoted(plain(node))
        raise ConfigError(f"{path}:1: must be a mapping of sections (benchmark, diffusion_model, ...), got {got}")
    return node


def read_text(text: str, source: Source, key: str = "", problems: Problems | None = None) -> Node:
    """The value that `text` is, as a node called `key`. Raises ConfigError; with `problems` as `read_file`."""
    kept = Problems(source.name) if problems is None else problems
    reader = _Reader(source, kept)
    control = _CONTROL.search(text)
    if control:
        line = text.count("\n", 0, control.start()) + 1
        raise reader.refusal(key, line, f"control character {control[0]!r}; remove it")
    try:
        reader.measure(text, key)
        root = _LOADER(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        hint = "; indent with spaces, not tabs" if "\t" in text else ""
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise reader.refusal(key, mark.line + 1 if mark else 1, f"not YAML: {said}{hint}") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: an escape beyond Unicode
        raise reader.refusal(key, 1, f"not YAML: {shown(str(error))}") from error
    node = reader.node(root, key, 0) if root is not None else make(None, key, source, 1)
    if problems is None:
        kept.check()
    return node


class _Reader:
    """Turns composed YAML nodes into ours, counting them, so that aliases cannot multiply without end.

    What is wrong with one value is kept in `problems`, and the value is None.
    """

    def __init__(self, source: Source, problems: Problems) -> None:
        self.source = source
        self.problems = problems
        self.count = 0

    def refusal(self, key: str, line: int, message: str) -> ConfigError:
        return problem(make(None, key, self.source, line), message)

    def _refuse(self, key: str, line: int, message: str) -> None:
        self.problems.add(self.refusal(key, line, message))

    def measure(self, text: str, key: str) -> None:
        """Raises ConfigError before anything recursive sees a document that is too deep or too large."""
        depth = count = 0
        for event in yaml.parse(text, Loader=_LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            count += isinstance(event, yaml.NodeEvent)
            if depth > MAX_DEPTH or count > MAX_NODES:
                what = f"nested deeper than {MAX_DEPTH}" if depth > MAX_DEPTH else f"more than {MAX_NODES} values"
                raise self.refusal(key, event.start_mark.line + 1 if event.start_mark else 1, what)

    def node(self, composed: yaml.Node, key: str, depth: int, line: int = 0) -> Node:
        """`composed` as a node. `line`: of its key; 0 = its own. Raises ConfigError where aliases make it too large."""
        line = line or composed.start_mark.line + 1
        self.count += 1
        if self.count > MAX_NODES:
            raise self.refusal(key, line, f"more than {MAX_NODES} values once aliases are followed")
        if depth > MAX_DEPTH:
            raise self.refusal(key, line, f"nested deeper than {MAX_DEPTH}")
        value: object = None
        if composed.tag not in _TAGS[type(composed)]:
            tag = composed.tag.replace(_TAG, "!!")
            self._refuse(key, line, f"the tag {shown(tag)} is not accepted; write plain values")
        elif isinstance(composed, yaml.MappingNode):
            value = self._mapping(composed, key, depth)
        elif isinstance(composed, yaml.SequenceNode):
            value = [self.node(part, f"{key}[{i}]", depth + 1) for i, part in enumerate(composed.value)]
        else:
            value = self._scalar(composed, key)
        return make(value, key, self.source, line)

    def _mapping(self, composed: yaml.MappingNode, key: str, depth: int) -> dict[str, Node]:
        children: dict[str, Node] = {}
        inherited: dict[str, Node] = {}
        for name_node, value_node in composed.value:
            line = name_node.start_mark.line + 1
            if name_node.tag == f"{_TAG}merge":
                for part in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                    if isinstance(part, yaml.MappingNode):
                        inherited = {**self.node(part, key, depth + 1).children, **inherited}
                    else:
                        self._refuse(key, line, "<< must name a mapping")
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

    def _scalar(self, composed: yaml.Node, key: str) -> bool | int | float | str | None:
        line = composed.start_mark.line + 1
        tag, text = composed.tag.removeprefix(_TAG), str(composed.value)
        if tag == "null":
            return None
        if tag in _TEXT_TAGS:
            if not _CONTROL.search(text):
                return text
            self._refuse(key, line, f"control character in {quoted(text)}; remove it")  # written as an escape
            return None
        value = _BOOLEANS.get(text.lower()) if tag == "bool" else _number(tag, text)
        if value is None:
            advice = "write it in quotes if it is text, else as a plain decimal number"
            self._refuse(key, line, f"{quoted(text)} is ambiguous or out of range; {advice}")
        return value


def _number(tag: str, text: str) -> int | float | None:
    digits = text.replace("_", "")
    if tag == "int":
        whole = int(digits, 0) if _INTEGER.fullmatch(text) else 2**63
        return whole if abs(whole) < 2**63 else None
    try:
        value = float(digits)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def problem(node: Node, message: str, location: Sequence[int | str] = ()) -> ConfigError:
    """The error `where: key: message`, at the part of the value where `location` leads."""
    key = node.key
    for part in location:
        key += f"[{part}]" if isinstance(part, int) else f".{shown(part)}"
        if isinstance(node.value, list) and isinstance(part, int):
            node = node.value[part]
        elif isinstance(part, str):
            node = node.children.get(part, node)
    if key.startswith(("[", ".")):  # of a flag, which is its own name
        return ConfigError(f"{node.where}{key}: {message}")
    return ConfigError(f"{node.where}: {key}: {message}" if key else f"{node.where}: {message}")


def shown(value: object, limit: int = 60) -> str:
    """`value` on one line, shortened; text that is a plain word comes without quotes only if it is a key."""
    if isinstance(value, str) and value and value.isprintable() and len(value) <= limit:
        return value
    return quoted(value, limit)


def quoted(value: object, limit: int = 60) -> str:
    """`value` as Python writes it, shortened; null, true and false as YAML readers call them."""
    text = "nothing" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def child(node: Node | None, *path: str) -> Node | None:
    """The node below, or None if there is none."""
    for part in path:
        node = node.children.get(part) if node is not None else None
    return node


def without(node: Node, *path: str) -> Node:
    """`node` with the child at `path` removed."""
    if path[0] not in node.children:
        return node
    rest = {k: v for k, v in node.children.items() if k != path[0]}
    if len(path) == 1:
        return replace(node, value=rest)
    return replace(node, value={**node.children, path[0]: without(node.children[path[0]], *path[1:])})


def placed(node: Node, new: Node, *path: str) -> Node:
    """`node` with `new` at `path`; mappings on the way are made, a null is one. Other values stay as they are."""
    if not path:
        return new
    if node.value is not None and not node.is_map:
        return node
    key = f"{node.key}.{path[0]}".lstrip(".") if new.key else ""
    below = node.children.get(path[0], replace(new, value={}, key=key))
    return replace(node, value={**node.children, path[0]: placed(below, new, *path[1:])})


def moved(node: Node, old: Sequence[str], new: Sequence[str]) -> Node:
    """`node` with what was at `old`, if there is anything, at `new`."""
    found = child(node, *old)
    return placed(without(node, *old), found, *new) if found is not None else node


def merge(low: Node, high: Node) -> Node:
    """Both, mapping by mapping; where they differ, `high`. Lists are replaced, not joined."""
    if not (low.is_map and high.is_map):
        return high
    both = dict(low.children)
    for key, value in high.children.items():
        both[key] = merge(both[key], value) if key in both else value
    return replace(low, value=both)


def plain(node: Node) -> Plain:
    """The value without its history."""
    if isinstance(node.value, dict):
        return {key: plain(below) for key, below in node.value.items()}
    return [plain(below) for below in node.value] if isinstance(node.value, list) else node.value


def deciding(node: Node) -> Node:
    """What decided the value: for a mapping, its highest-ranking part."""
    return max(map(deciding, node.children.values()), key=lambda part: part.rank, default=node)
