"""A configuration as a tree whose every node remembers where it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from editeval.errors import ConfigError

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
