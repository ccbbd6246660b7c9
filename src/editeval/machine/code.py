"""Which source files a plug-in from outside consists of, and what they hold.

Its own module; and, from there on, every module that it imports (anywhere in its text, also inside functions) whose
source lies in a folder of the Python path that is neither the standard library nor site-packages. A plug-in that is
installed in site-packages consists of the modules of its own top-level package that it imports. Modules of editeval are
left out. What is imported by a computed name, compiled extensions and data files that the code reads are not covered:
a file that decides results belongs in a parameter, whose content counts.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

_INSTALLED = ("site-packages", "dist-packages")


def sources_of(module: ModuleType) -> dict[str, str]:
    """Module -> SHA-256 of its source, for all that the plug-in in `module` consists of; its own file by its name."""
    if module.__file__ is None:
        return {}
    own = Path(module.__file__)
    is_by_path = module.__name__.partition(".")[0] not in own.parts  # loaded from a file: its package is made up
    own_name = own.stem if is_by_path else module.__name__
    roots = _Roots(own_name, own)
    found: dict[str, str] = {}
    waiting = [(own_name, own)]
    while waiting:
        name, path = waiting.pop()
        if name in found:
            continue
        source = path.read_bytes() if path.suffix == ".py" else b""
        found[name] = hashlib.sha256(source).hexdigest()
        for imported in _imports(source, name, path.name == "__init__.py"):
            waiting += [(part, place) for part, place in roots.places(imported) if part not in found]
    found[own.name] = found.pop(own_name)
    return dict(sorted(found.items()))


def digest_of_sources(sources: Mapping[str, str]) -> str:
    """One digest of what `sources_of` found; empty for nothing."""
    return hashlib.sha256(json.dumps(sorted(sources.items())).encode()).hexdigest() if sources else ""


class _Roots:
    """Where the plug-in's own modules may lie."""

    def __init__(self, name: str, path: Path) -> None:
        self._only = name.partition(".")[0] if _is_installed(path) else ""
        home = path.absolute().parents[name.count(".") + (path.name == "__init__.py")]
        listed = [Path(entry or ".").absolute() for entry in sys.path]
        own = [root for root in dict.fromkeys([home, *listed]) if root.is_dir() and not _is_library(root)]
        self._roots = [home] if self._only else own

    def places(self, name: str) -> Iterator[tuple[str, Path]]:
        """(module, source file) of the packages on the way to `name` and of `name`, if they are the plug-in's own.

        As Python looks for them: a module in a later folder goes before a folder without `__init__.py` in an earlier.
        """
        top = name.partition(".")[0]
        if top == "editeval" or (self._only and top != self._only):
            return
        parts, folders = name.split("."), self._roots
        for number, part in enumerate(parts, 1):
            stems = [folder / part for folder in folders]
            real = next(((stem, place) for stem in stems if (place := _file(stem)) is not None), None)
            if real is not None:
                yield ".".join(parts[:number]), real[1]
            folders = [real[0]] if real is not None else [stem for stem in stems if stem.is_dir()]  # a namespace


def _file(stem: Path) -> Path | None:
    for path in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
        if path.is_file():
            return path
    return None


def _imports(source: bytes, name: str, is_package: bool) -> Iterator[str]:
    """Names that may be modules: `from a import b` may mean a.b as well as a."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return  # whoever imports it says so
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, name, is_package)
            if base:
                yield base
            if base is not None:
                yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names if alias.name != "*")


def _base(node: ast.ImportFrom, name: str, is_package: bool) -> str | None:
    """The absolute name of what a `from` imports from, empty for a folder of files; None if it leads out of it."""
    if not node.level:
        return node.module or ""
    parts = name.split(".")
    up = node.level - is_package
    if up > len(parts):
        return None
    return ".".join([*(parts[:-up] if up else parts), *([node.module] if node.module else [])])


def _is_installed(path: Path) -> bool:
    return any(part in _INSTALLED for part in path.parts)


def _is_library(root: Path) -> bool:
    standard = {Path(sysconfig.get_paths()[key]).resolve() for key in ("stdlib", "platstdlib")}
    return _is_installed(root) or root in standard or any(root.is_relative_to(place) for place in standard)
