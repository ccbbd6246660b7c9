"""`editeval list`: editors, judges, benchmarks and policies, one line each."""

from __future__ import annotations

import argparse
import ast
import sys
from importlib.util import find_spec
from pathlib import Path

from editeval import plugins
from editeval.config.schema import POLICIES


def list_names(options: argparse.Namespace) -> int:
    """One line per name, the first of its class's or its module's docstring; for an editor, what it covers as well."""
    what = options.what
    names = list(POLICIES) if what == "policies" else plugins.available(what)
    width = max(map(len, names), default=0)
    for name in names:
        about = POLICIES[name] if what == "policies" else _first_line(what, name)
        sys.stdout.write(f"{name:{width}}  {about}\n")
        for line in plugins.load(what, name).variants if what == "editors" else ():
            sys.stdout.write(f"{'':{width}}    {line}\n")
    for name, points in plugins.installed(what).items() if what != "policies" else ():
        packages = ", ".join(str(point.dist and point.dist.name) for point in points)
        sys.stdout.write(f"{name:{width}}  installed by {packages}\n")
    return 0


def _first_line(kind: str, name: str) -> str:
    module, cls = plugins.built_in(kind, name)
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None, module
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    is_variant = not module.endswith(f".{name}")  # its line is that of its class: the module is another's
    described = next((n for n in tree.body if is_variant and isinstance(n, ast.ClassDef) and n.name == cls), tree)
    return (ast.get_docstring(described) or "").partition("\n")[0]
