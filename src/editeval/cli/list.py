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
from editeval.judges.protocols import protocol as protocols
from editeval.types import Metric


def list_names(options: argparse.Namespace) -> int:
    """One line per name, the first of its class's or its module's docstring; for an editor, what it covers as well."""
    what = options.what
    own = {"policies": POLICIES, "protocols": protocols.PROTOCOLS}  # all others may be installed as well
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


def _protocol(name: str) -> Iterator[tuple[str, str]]:
    protocol = theirs = protocols.load(name)
    source, settings = protocol.prompt_source, protocol.settings
    if source is not None:  # it may ask more in the authors' words
        theirs = protocols.load(name, words=dict.fromkeys(source.hashes, ""))
    yield name, _first_line("protocols", name).partition(": ")[2]
    if protocol.benchmark:
        yield "benchmark", protocol.benchmark
    scales = {metric: theirs.scales.get(metric, Metric(metric)).range for metric in theirs.metrics}
    more = [metric for metric in theirs.metrics if metric not in protocol.metrics]
    yield "metrics", "; ".join(f"{metric} {scales[metric]}" for metric in protocol.metrics)
    if more:
        yield "", f"with the authors' words also: {'; '.join(f'{metric} {scales[metric]}' for metric in more)}"
    shown: dict[str, dict[str, None]] = {}  # roles by question, in order
    for question in (one for request in theirs.examples() for one in theirs.questions(request)):
        shown.setdefault(question.name, {}).update(dict.fromkeys(image.role for image in question.shown))
    yield "questions", "; ".join(f"{question} ({', '.join(roles)})" for question, roles in shown.items())
    if source is not None:
        files = dict.fromkeys((*source.files, *(file for _, file, _ in source.elsewhere)))
        yield "their words", f"{source.repository}: {', '.join(files)} (prompts_from: a clone of it)"
    if settings is not None:
        yield "their judges", ", ".join(settings.judges)
        yield "settings", _settings(settings)
    if protocol.departs:
        yield "by default", f"differs in: {'; '.join(protocol.departs)}"
    for switch, meaning in protocol.switches.items():
        yield "switch", f"{switch}: {meaning}"
    for mean in theirs.official:
        yield "their number", f"{mean.name}: {mean.rule}"


def _settings(settings: protocols.OfficialSettings) -> str:
    said = {name: getattr(settings, name) for name in ("temperature", "max_new_tokens", "num_samples", "top_p")}
    told = [f"{name} {'not sent' if value is None else format(value, 'g')}" for name, value in said.items()]
    return ", ".join([*told, "the form of replies is forced" if settings.is_form_forced else "replies in plain text"])


_DESCRIBED: Mapping[str, Callable[[str], Iterator[tuple[str, str]]]] = {
    "benchmarks": _benchmark,
    "protocols": _protocol,
}
"""(label, text) of what there is to say of one."""


def _first_line(kind: str, name: str) -> str:
    is_protocol = kind == "protocols"
    module, cls = (f"{protocols.__package__}.{name}", "") if is_protocol else plugins.built_in(kind, name)
    spec = find_spec(module)
    assert spec is not None and spec.origin is not None, module
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    is_variant = not module.endswith(f".{name}")  # its line is that of its class: the module is another's
    described = next((n for n in tree.body if is_variant and isinstance(n, ast.ClassDef) and n.name == cls), tree)
    return (ast.get_docstring(described) or "").partition("\n")[0]
