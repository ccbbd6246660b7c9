"""`editeval list`: editors, judges, benchmarks, protocols and policies; one of them in full, with its parameters."""

from __future__ import annotations

import argparse
import ast
import difflib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from editeval import plugins
from editeval.config import short_names
from editeval.config.ready import yaml_sections
from editeval.config.schema import POLICIES
from editeval.errors import ConfigError
from editeval.run import protocol_facts
from editeval.text import shortened


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
    for name, path in (short_names.known(what) if what in short_names.FLAGS else {}).items():
        title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ").partition(" on GEdit-Bench")[0]
        sys.stdout.write(f"{short_names.FLAGS[what]} {name}: {title.rstrip('.')}\n")
    return 0


def _describe(what: str, name: str, names: list[str]) -> int:
    short = short_names.known(what) if what in short_names.FLAGS else {}
    if name not in names and name.replace("_", "-").replace(".", "-") in short:
        return _describe_file(what, short[name.replace("_", "-").replace(".", "-")])
    if name not in names:
        close = difflib.get_close_matches(name, [*names, *short], n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(f"{what}: no built-in type {name!r}; {hint}there are: {', '.join([*names, *short])}")
    for label, text in _DESCRIBED[what](name):
        for number, line in enumerate(textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False)):
            sys.stdout.write(f"{'' if number else label:12}  {line}\n")
    if what in plugins.KINDS:
        _write_parameters(plugins.load(what, name).Params)
    return 0


def _describe_file(what: str, path: Path) -> int:
    """A short name: what its ready file says of it, and how to run it."""
    text = path.read_text(encoding="utf-8")
    said = "\n".join(line[2:] for line in text.splitlines() if line.startswith("#"))
    section, *_ = short_names.SECTIONS[what]
    lines = "".join(yaml_sections(text)[section])
    sys.stdout.write(f"{said}\n\n{lines}\n{short_names.FLAGS[what]} {path.stem.replace('_', '-')}   names it\n")
    return 0


def _write_parameters(params: type) -> None:
    """Name, type, default and meaning of every parameter that a YAML can set."""
    meanings = _meanings(params)
    for field in fields(params) if is_dataclass(params) else ():
        kind, meaning = meanings[field.name]
        if "not to set" in meaning:
            continue
        value = field.default_factory() if field.default_factory is not MISSING else field.default
        default = "required" if value is MISSING else f"default {shortened(repr(value), 60)}"
        sys.stdout.write(f"  {field.name}: {kind}, {default}\n")
        for line in textwrap.wrap(meaning, 96, break_long_words=False, break_on_hyphens=False):
            sys.stdout.write(f"      {line}\n")


def _meanings(params: type) -> dict[str, tuple[str, str]]:
    """Type of every field as it is written, and what is written behind it or below it."""
    found: dict[str, tuple[str, str]] = {}
    for owner in reversed([cls for cls in params.__mro__ if is_dataclass(cls)]):
        lines = textwrap.dedent(inspect.getsource(owner)).splitlines()
        (definition,) = ast.parse("\n".join(lines)).body
        assert isinstance(definition, ast.ClassDef), owner
        for node, below in zip(definition.body, [*definition.body[1:], None], strict=True):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.end_lineno:
                behind = lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode()
                text = below.value if isinstance(below, ast.Expr) else None
                is_text = isinstance(text, ast.Constant) and isinstance(text.value, str)
                said = str(text.value) if is_text and isinstance(text, ast.Constant) else behind.lstrip(" #")
                found[node.target.id] = ast.unparse(node.annotation), " ".join(said.split())
    return found


def _benchmark(name: str) -> Iterator[tuple[str, str]]:
    cls = plugins.load("benchmarks", name)
    card = getattr(cls, "card", None)  # of a published benchmark
    rows = {name: _first_line("benchmarks", name).partition(": ")[2]}
    if card is not None:
        rows |= {"title": card.title, "size": card.size}
        rows |= {"groups": ", ".join(f"{group} {number}" for group, number in card.counts.items())}
        rows |= {"homepage": card.homepage, "Hub": card.hub, "licence": card.licence, "citation": card.citation}
        rows |= {"protocol": card.protocol, "imports": "  ".join(card.layouts)}
    yield from rows.items()


def _plugin(kind: str, name: str) -> Iterator[tuple[str, str]]:
    """What the module of an editor or a judge says of itself; what it says nothing of is not known."""
    module, _ = plugins.built_in(kind, name)
    text = inspect.getdoc(import_module(module)) or ""
    for number, paragraph in enumerate(text.split("\n\n")):
        yield "" if number else name, " ".join(paragraph.split())
    if plugins.load(kind, name).packages:
        for label, words in (("licence", ("licen", "Apache", "MIT")), ("memory", ("GiB", "GB", "Memory"))):
            if not any(word in text for word in words):
                yield label, "not known"


def _policy(name: str) -> Iterator[tuple[str, str]]:
    yield name, POLICIES[name]
    yield "set by", f"diffusion_model.execution.policy: {name}"
    yield "cost", "`editeval simulate` says what a run takes under every policy"


_DESCRIBED: Mapping[str, Callable[[str], Iterator[tuple[str, str]]]] = {
    "benchmarks": _benchmark,
    "editors": partial(_plugin, "editors"),
    "judges": partial(_plugin, "judges"),
    "policies": _policy,
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
