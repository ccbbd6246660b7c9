"""What is laid over a configuration file, a tree each: variables, every `--set`, values from Python, the flags."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import chain
from pathlib import Path

from editeval.config.legacy import SPELLINGS
from editeval.config.schema import SECTIONS
from editeval.config.yaml_tree import (
    ENVIRONMENT,
    FLAG,
    SET,
    Node,
    Source,
    make,
    merge,
    placed,
    quoted,
    read_text,
)
from editeval.errors import ConfigError, Problems
from editeval.text import key_parts

PREFIX = "EDITEVAL_"
CONSENT = f"{PREFIX}ALLOW_CODE"
_STAGES = ("diffusion_model", "reward_model")
_FLAGS: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = {  # field of Overrides -> (flag, where its value goes)
    "benchmark": ("--benchmark", (("benchmark", "type"),)),
    "data": ("--data", (("benchmark", "params", "path"),)),
    "categories": ("--categories", (("benchmark", "categories"),)),
    "limit": ("--limit", (("evaluation", "limit"),)),
    "first": ("--first", (("evaluation", "first"),)),
    "samples": ("--sample", (("evaluation", "samples"),)),
    "name": ("--name", (("evaluation", "name"),)),
    "output_dir": ("--output-dir", (("evaluation", "output_dir"),)),
    "device_ids": ("--gpus", tuple((stage, "execution", "device_ids") for stage in _STAGES)),
    "seed": ("--seed", tuple((stage, "params", "seed") for stage in _STAGES)),
    "num_seeds": ("--num-seeds", (("diffusion_model", "params", "num_seeds"),)),
}
_SHORT = {"output_dir": True, "device_ids": True} | dict.fromkeys(("seed", "num_seeds", "limit", "first"), False)
"""The variables without a section. True: taken as text, since a folder called 2025 is text."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says; None = not said. `sets` are "a.b=c" with c in YAML; `values` the same from Python."""

    sets: tuple[str, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)
    model: str | None = None  # for config/short_names.py, as `judge` is
    judge: str | None = None
    benchmark: str | None = None
    data: str | None = None
    categories: tuple[str, ...] | None = None
    limit: int | None = None
    first: int | None = None
    samples: tuple[str, ...] | None = None
    name: str | None = None
    output_dir: Path | str | None = None
    device_ids: tuple[str, ...] | None = None
    seed: int | None = None
    num_seeds: int | None = None


def above_the_file(overrides: Overrides, environ: Mapping[str, str], problems: Problems) -> Iterator[Node]:
    """The environment, every `--set` and the flags, in this order: of two that say the same thing the later wins."""
    given = sets_of([*overrides.sets, *overrides.values.items()], problems)
    return chain(_environment(environ, problems), given, _flags(overrides))


def _flags(overrides: Overrides) -> Iterator[Node]:
    """A tree for each flag that was given. Another benchmark does not drop what `--set` says of its parameters."""
    for name, (flag, paths) in _FLAGS.items():
        if (value := getattr(overrides, name)) is not None:
            node = make(value, "", Source(flag, f"flag {flag}", SET if name == "benchmark" else FLAG))
            yield from (_single(node, path) for path in paths)


def sets_of(given: Iterable[str | tuple[str, object]], problems: Problems) -> Iterator[Node]:
    """One tree per `--set`, and per key and value from Python, in order: of two that say the same the later wins."""
    source = Source("--set", "--set", SET)
    for one in given:
        with problems.collect():
            key, equals, value = one.partition("=") if isinstance(one, str) else (one[0].strip(), "=", one[1])
            path = key_parts(key.strip())
            if not equals or not all(path):
                raise ConfigError(
                    f"--set: must be section.key=value, got {quoted(one if isinstance(one, str) else key)}"
                )
            is_text = isinstance(one, str)
            yield _single(read_text(str(value), source, ".".join(path)) if is_text else make(value, key, source), path)


def _environment(environ: Mapping[str, str], problems: Problems) -> Iterator[Node]:
    """The short variables as one tree, the `SECTION__KEY` ones as another above it. Unknown ones are problems."""
    names = sorted(name for name in environ if name.startswith(PREFIX) and name != CONSENT)
    for is_long in (False, True):
        own = [name for name in names if ("__" in name) == is_long]
        trees = [tree for name in own for tree in _variable(name, environ[name], problems)]
        yield from [reduce(merge, trees)] if trees else []


def _variable(name: str, text: str, problems: Problems) -> Iterator[Node]:
    source = Source(name, f"env {name}", ENVIRONMENT)
    path = name.removeprefix(PREFIX).lower().split("__")
    with problems.collect():
        if path[0] in _SHORT and len(path) == 1:
            node = make(text, "", source) if _SHORT[path[0]] else read_text(text, source)
            yield from (_single(node, place) for place in _FLAGS[path[0]][1])
        elif path[0] in (*SECTIONS, *SPELLINGS) and all(path):
            yield _single(read_text(text, source, ".".join(path)), path)
        else:
            known = [PREFIX + word.upper() for word in (*_SHORT, "allow_code")]
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            listed = f"{', '.join(known)} and {PREFIX}<SECTION>__<KEY>"
            raise ConfigError(f"{name}: unknown variable; {hint}known: {listed}")


def _single(node: Node, path: Sequence[str]) -> Node:
    return placed(replace(node, value={}, key=""), node, *path)
