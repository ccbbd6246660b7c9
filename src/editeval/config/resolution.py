"""What is found out while a configuration is resolved: values, where each came from, warnings, mistakes."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from editeval.config import legacy
from editeval.config.values import unknown
from editeval.config.yaml_tree import Node, Source, child, deciding, make, plain, problem, quoted
from editeval.errors import Problems, UserError

Inputs = ParamSpec("Inputs")
Found = TypeVar("Found")
Default = TypeVar("Default")


class Resolution:
    """What is found out on the way: the resolved form, where each value came from, warnings, mistakes."""

    def __init__(self, path: Path, allow_code: bool, warnings: list[str], problems: Problems) -> None:
        self.path = path
        self.allow_code = allow_code
        self.warnings = warnings
        self.problems = problems
        self.resolved: dict[str, object] = {}
        self.origins: dict[str, str] = {}
        self.protocol = make("", "", Source("", "default", 0))  # that the benchmark's authors judge by
        self.meant: set[str] = set()  # keys that a misspelt one stands for: they are not missing besides

    def keep(self, key: str, value: object, node: Node | None) -> None:
        """Notes the final value of the dotted `key`, in JSON, and who decided it (None: the default)."""
        *path, last = key.split(".")
        place = self.resolved
        for part in path:
            below = place.setdefault(part, {})
            assert isinstance(below, dict), key
            place = below
        place[last] = value
        self.origins[key] = deciding(node).origin if node is not None else "default"

    def attempt(
        self, default: Default, function: Callable[Inputs, Found], *args: Inputs.args, **kwargs: Inputs.kwargs
    ) -> Found | Default:
        """What `function` returns; `default` if it raises a UserError, which is then one of the problems."""
        try:
            return function(*args, **kwargs)
        except UserError as error:
            self.problems.add(error)
            return default

    def read(self, key: str, node: Node | None, parser: Callable[[Node], Found], default: Found) -> Found:
        """The value at `node`, which is that of the dotted `key`, on record; `default` if there is none."""
        found = self.attempt(default, parser, node) if node is not None else default
        is_plain = found is None or isinstance(found, bool | int | float | str)
        self.keep(key, list(found) if isinstance(found, tuple) else found if is_plain else str(found), node)
        return found

    def mapping(self, node: Node) -> Node:
        """The node as a mapping; nothing is an empty one, and so is, for what follows, what is none."""
        if node.value is not None and not node.is_map:
            self.problems.add(problem(node, f"must be a mapping, got {quoted(plain(node))}"))
        return node if node.is_map else replace(node, value={})

    def section(self, tree: Node, name: str) -> Node:
        """The mapping called `name` in `tree`; an empty one if there is none."""
        node = child(tree, name)
        return self.mapping(node) if node is not None else replace(tree, value={}, key=name)

    def close(self, section: str, node: Node, known: Collection[str], also: Collection[str] = ()) -> None:
        """Accounts for every key of a section that is not `known`: warns if it is an old one, else it is a problem.

        `also` are keys that were taken out before, and that a misspelt one may have been meant to be.
        """
        for name, below in node.children.items():
            if name not in known:
                warnings = legacy.obsolete_key_warning(f"{section}.{name}" if section else name, below)
                if warnings is None:
                    self.problems.add(unknown(name, below, [*known, *also]))
                    close = difflib.get_close_matches(name, [*known, *also], n=1)
                    self.meant.update(f"{section}.{word}".lstrip(".") for word in close)
                self.warnings += warnings or []
