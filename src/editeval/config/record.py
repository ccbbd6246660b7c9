"""What is found out while a configuration is resolved."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from editeval.config import legacy
from editeval.config.values import unknown
from editeval.config.yaml_tree import Node, origin
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
        self.resolved: dict[str, Any] = {}
        self.origins: dict[str, str] = {}
        self.meant: set[str] = set()  # keys that a misspelt one stands for: they are not missing besides

    def keep(self, key: str, value: Any, node: Node | None) -> None:
        """Notes the final value of the dotted `key`, in JSON, and who decided it (None: the default)."""
        *path, last = key.split(".")
        place = self.resolved
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
        self.origins[key] = origin(node) if node is not None else "default"

    def attempt(
        self, default: Default, function: Callable[Inputs, Found], *args: Inputs.args, **kwargs: Inputs.kwargs
    ) -> Found | Default:
        """What `function` returns; `default` if it raises a UserError, which is then one of the problems."""
        try:
            return function(*args, **kwargs)
        except UserError as error:
            self.problems.add(error)
            return default

    def close(self, section: str, node: Node, known: Collection[str], also: Collection[str] = ()) -> None:
        """Accounts for every key of a section that is not `known`: warns if it is an old one, else it is a problem.

        `also` are keys that were taken out before, and that a misspelt one may have been meant to be.
        """
        for name, below in node.value.items():
            if name not in known:
                warnings = legacy.fate(f"{section}.{name}" if section else name, below)
                if warnings is None:
                    self.problems.add(unknown(below, [*known, *also]))
                    close = difflib.get_close_matches(name, [*known, *also], n=1)
                    self.meant.update(f"{section}.{word}".lstrip(".") for word in close)
                self.warnings += warnings or []
