"""What speaks besides the file: flags, `--set`, the environment. Each becomes a tree like the file's."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from editeval.config.yaml_tree import (
    ENVIRONMENT,
    FLAG,
    SET,
    Node,
    Source,
    from_values,
    make,
    merge,
    placed,
    problem,
    quoted,
    read_text,
)
from editeval.errors import ConfigError, Problems

PREFIX = "EDITEVAL_"
STAGES = ("diffusion_model", "reward_model")
SECTIONS = ("benchmark", *STAGES, "reward_models", "prompts", "evaluation", "logging")
_EVERY_STAGE = {
    "device_ids": tuple((stage, "execution", "device_ids") for stage in STAGES),
    "seed": tuple((stage, "params", "seed") for stage in STAGES),
}
TARGETS: dict[str, tuple[tuple[str, ...], ...]] = {
    "categories": (("benchmark", "categories"),),
    "limit": (("evaluation", "limit"),),
    "first": (("evaluation", "first"),),
    "samples": (("evaluation", "samples"),),
    "output_dir": (("evaluation", "output_dir"),),
    **_EVERY_STAGE,
}
_FLAG_NAMES = {"samples": "--sample"}
_SHORT = ("output_dir", "device_ids", "seed", "limit", "first")
_TEXT = ("output_dir", "device_ids")  # taken as they are: a folder called 2025 is text


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says; None = not said. `sets` are "a.b=c" with c in YAML; `values` the same from Python."""

    sets: tuple[str, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)
    categories: tuple[str, ...] | None = None
    limit: int | None = None
    first: int | None = None
    samples: tuple[str, ...] | None = None
    output_dir: Path | str | None = None
    device_ids: tuple[str, ...] | None = None
    seed: int | None = None


def flags(overrides: Overrides) -> list[Node]:
    """One tree of the flags that were given, or none."""
    values: dict[str, Any] = {name: getattr(overrides, name) for name in TARGETS}
    tree = None
    for name, value in values.items():
        if value is not None:
            flag = _FLAG_NAMES.get(name, "--" + name.replace("_", "-"))
            given = list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
            tree = _put(tree, make(given, "", Source(flag, f"flag {flag}", FLAG)), TARGETS[name])
    return [tree] if tree is not None else []


def sets(overrides: Overrides, problems: Problems) -> list[Node]:
    """One tree per `--set`, in order: of two that say the same thing the later wins."""
    found = []
    for text in overrides.sets:
        with problems.collect():
            found.append(_set(text))
    for key, value in overrides.values.items():
        with problems.collect():
            found.append(_over_nothing(from_values(value, Source("--set", "--set", SET), key), key.split(".")))
    return found


def _set(text: str) -> Node:
    key, equals, value = text.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise ConfigError(f"--set: must be section.key=value, got {quoted(text)}")
    return _over_nothing(read_text(value, Source("--set", "--set", SET), ".".join(path)), path)


def _over_nothing(node: Node, path: list[str]) -> Node:
    """The tree that holds nothing but `node`, at `path`."""
    if not all(path):
        raise ConfigError(f"--set: must be section.key=value, got {quoted('.'.join(path))}")
    return placed(replace(node, value={}, key=""), node, *path)


def environment(environ: Mapping[str, str], problems: Problems) -> list[Node]:
    """The short variables as one tree, the `SECTION__KEY` ones as another above it. Unknown ones are problems."""
    short: Node | None = None
    long: Node | None = None
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name == f"{PREFIX}ALLOW_CODE":
            continue
        source = Source(name, f"env {name}", ENVIRONMENT)
        path = name.removeprefix(PREFIX).lower().split("__")
        with problems.collect():
            if len(path) == 1 and path[0] in _SHORT:
                text = environ[name]
                node = make(text, "", source) if path[0] in _TEXT else read_text(text, source)
                short = _put(short, node, TARGETS[path[0]])
            elif path[0] in SECTIONS and all(path):
                node = read_text(environ[name], source, ".".join(path))
                single = _over_nothing(node, path)
                long = single if long is None else merge(long, single)
            else:
                raise _unknown_variable(name)
    return [tree for tree in (short, long) if tree is not None]


def _unknown_variable(name: str) -> ConfigError:
    known = [PREFIX + word.upper() for word in (*_SHORT, "allow_code")]
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return ConfigError(f"{name}: unknown variable; {hint}known: {', '.join(known)} and {PREFIX}<SECTION>__<KEY>")


def allows_code(environ: Mapping[str, str]) -> bool:
    """True if EDITEVAL_ALLOW_CODE says so."""
    name = f"{PREFIX}ALLOW_CODE"
    node = read_text(environ.get(name, ""), Source(name, f"env {name}", ENVIRONMENT))
    if node.value in (None, True, False, 0, 1):
        return bool(node.value)
    raise problem(node, f"must be 1 or 0, got {quoted(node.value)}")


def _put(tree: Node | None, node: Node, paths: tuple[tuple[str, ...], ...]) -> Node:
    tree = replace(node, value={}, lines={}) if tree is None else tree
    for path in paths:
        tree = placed(tree, node, *path)
    return tree
