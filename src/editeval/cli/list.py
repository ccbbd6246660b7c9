"""`editeval list`: editors, judges, benchmarks, protocols and policies; one benchmark or protocol in full."""

from __future__ import annotations

import argparse
import ast
import difflib
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields
from importlib.util import find_spec
from pathlib import Path

from editeval import plugins
from editeval.config.schema import POLICIES
from editeval.errors import ConfigError
from editeval.run import protocol_facts


def list_names(options: argparse.Namespace) -> int:
    """One line per name, the first of its class's or its module's docstring; for an editor, what it covers as well."""
    what = options.what
    own = {"policies": POLICIES, "protocols": protocol_facts.PROTOCOLS}  # all others may be installed as well
    names = list(own[what]) if what in own else plugins.available(what)
    if options.name is not None:
        return _describe(what, options.name, names)
    width = max(map(len, names), default=0)
    for name in names:
        about = POLICIES[name] if what == "policies" else _first_line(what, name)
        sys.stdout.write(f"{name:{width}}  {about}\n")
        for line in plugins.load(what, name).variants if what == "editors" else ():
            sys.stdout.write(f"{'':{width}}    {line}\n")
    for name, points in plugins.installed(what).items() if what not in own else ():
        packages = ", ".join(str(point.dist and point.dist.name) for point in points)
        sys.stdout.write(f"{name:{width}}  installed by {packages}\n")
    return 0


def _describe(what: str, name: str, names: list[str]) -> int:
    if what not in _DESCRIBED:
        raise ConfigError(f"list {what}: takes no name, got {name!r}; {' and '.join(_DESCRIBED)} are told one by one")
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(f"{what}: no built-in type {name!r}; {hint}there are: {', '.join(names)}")
    for label, text in _DESCRIBED[what](name):
        for number, line in enumerate(textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False)):
            sys.stdout.write(f"{'' if number else label:12}  {line}\n")
    return 0


def _benchmark(name: str) -> Iterator[tuple[str, str]]:
    cls = plugins.load("benchmarks", name)
    card = getattr(cls, "card", None)  # of a published benchmark
    rows = {name: _first_line("benchmarks", name).partition(": ")[2]}
    if card is not None:
        rows |= {"title": card.title, "size": card.size}
        rows |= {"groups": ", ".join(f"{group} {number}" for group, number in card.counts.items())}
        rows |= {"homepage": card.homepage, "Hub": card.hub, "licence": card.licence, "citation": card.citation}
        rows |= {"protocol": card.protocol, "imports": "  ".join(card.layouts)}
    rows |= {"parameters": ", ".join(f"{f.name}={f.default!r}" for f in fields(cls.Params) if f.default is not MISSING)}
    yield from rows.items()


_DESCRIBED: Mapping[str, Callable[[str], Iterator[tuple[str, str]]]] = {
    "benchmarks": _benchmark,
    "protocols": protocol_facts.facts_of,
}
"""(label, text) of what there is to say of one."""


def _first_line(kind: str, name: str) -> str:
    if kind == "protocols":
        return protocol_facts.about(name)
    module, cls = plugins.built_in(kind, name)
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None, module
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    is_variant = not module.endswith(f".{name}")  # its line is that of its class: the module is another's
    described = next((n for n in tree.body if is_variant and isinstance(n, ast.ClassDef) and n.name == cls), tree)
    return (ast.get_docstring(described) or "").partition("\n")[0]
