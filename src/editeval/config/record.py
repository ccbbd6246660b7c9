"""What is found out while a configuration is resolved."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from editeval.config import legacy
from editeval.config.node import Node, origin
from editeval.config.values import unknown


class Record:
    """What is found out on the way: the resolved form, where each value came from, warnings."""

    def __init__(self, path: Path, allow_code: bool, warnings: list[str]) -> None:
        self.path = path
        self.allow_code = allow_code
        self.warnings = warnings
        self.resolved: dict[str, Any] = {}
        self.origins: dict[str, str] = {}

    def keep(self, key: str, value: Any, node: Node | None) -> None:
        """Notes the final value of the dotted `key`, in JSON, and who decided it (None: the default)."""
        *path, last = key.split(".")
        place = self.resolved
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
        self.origins[key] = origin(node) if node is not None else "default"

    def close(self, section: str, node: Node, known: Collection[str], also: Collection[str] = ()) -> None:
        """Accounts for every key of a section that is not `known`: warns if it is an old one, else raises.

        `also` are keys that were taken out before, and that a misspelt one may have been meant to be.
        """
        for name, below in node.value.items():
            if name not in known:
                warnings = legacy.fate(f"{section}.{name}" if section else name, below)
                if warnings is None:
                    raise unknown(below, [*known, *also])
                self.warnings += warnings
