"""`editeval list`: editors, judges, benchmarks and policies, one line each."""

from __future__ import annotations

import ast
import sys
from importlib.util import find_spec
from pathlib import Path

from editeval import plugins
from editeval.config.schema import POLICIES
from editeval.editors._images_api import DIALECTS
from editeval.editors.diffusion.families import FAMILIES


def show(what: str) -> int:
    """One line per name. Imports no plug-in: the line is the first of its module's docstring."""
    names = list(POLICIES) if what == "policies" else plugins.available(what)
    width = max(map(len, names), default=0)
    for name in names:
        about = POLICIES[name] if what == "policies" else _first_line(f"editeval.{what}.{name}")
        sys.stdout.write(f"{name:{width}}  {about}\n")
        for line in _variants(name) if what == "editors" else ():
            sys.stdout.write(f"{'':{width}}    {line}\n")
    for name, points in plugins.installed(what).items() if what != "policies" else ():
        packages = ", ".join(str(point.dist and point.dist.name) for point in points)
        sys.stdout.write(f"{name:{width}}  installed by {packages}\n")
    return 0


def _variants(name: str) -> list[str]:
    """What one editor covers, and how far each was tested: pipelines of diffusers, servers of the images API."""
    if name == "diffusers_pipeline":
        rows = FAMILIES.values()
        proven = {True: "tested on tiny models of that class, not with real weights", False: "untested"}
        return [f"family {row.name} ({', '.join(row.pipelines)}): {proven[row.proven]}" for row in rows]
    if name == "openai_images":
        return [f"dialect {dialect}: tested with a scripted server, untested with a real one" for dialect in DIALECTS]
    return []


def _first_line(module: str) -> str:
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None, module
    docstring = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return docstring.partition("\n")[0]
