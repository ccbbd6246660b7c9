"""`load_config`: flag over `--set` over environment over file over default, every value checked, every origin kept.

Whatever gives values - a file, a call from Python, the environment, one `--set`, the flags - becomes a tree. Each is
put into today's spelling by itself, and laid over the one below it.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import chain
from pathlib import Path

from editeval.config import legacy, resolve, stages
from editeval.config.consent import consent, effects_of, settings_of
from editeval.config.schema import SECTIONS, Config
from editeval.config.yaml_tree import (
    ENVIRONMENT,
    FILE,
    FLAG,
    SET,
    Node,
    Plain,
    Source,
    child,
    make,
    merge,
    placed,
    plain,
    problem,
    quoted,
    read_file,
    read_text,
    without,
)
from editeval.errors import ConfigError, Problems
from editeval.redaction import secret_in
from editeval.text import key_parts

PREFIX = "EDITEVAL_"
CONSENT = f"{PREFIX}ALLOW_CODE"
_JUDGES = ("reward_model", "reward_models")
_OF_CERTIFICATES = ("prompts.", "logging.", "evaluation.output_dir")  # what else a certificate uses
_STAGE_PARAMS = ("seed", "use_batch_inference")  # belong to the stage, not to the plug-in
_STAGES = ("diffusion_model", "reward_model")
_FLAGS: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = {  # field of Overrides -> (flag, where its value goes)
    "benchmark": ("--benchmark", (("benchmark", "type"),)),
    "data": ("--data", (("benchmark", "params", "path"),)),
    "categories": ("--categories", (("benchmark", "categories"),)),
    "limit": ("--limit", (("evaluation", "limit"),)),
    "first": ("--first", (("evaluation", "first"),)),
    "samples": ("--sample", (("evaluation", "samples"),)),
    "output_dir": ("--output-dir", (("evaluation", "output_dir"),)),
    "device_ids": ("--device-ids", tuple((stage, "execution", "device_ids") for stage in _STAGES)),
    "seed": ("--seed", tuple((stage, "params", "seed") for stage in _STAGES)),
}
_SHORT = {"output_dir": True, "device_ids": True, "seed": False, "limit": False, "first": False}
"""The variables without a section. True: taken as text, since a folder called 2025 is text."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says; None = not said. `sets` are "a.b=c" with c in YAML; `values` the same from Python."""

    sets: tuple[str, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)
    benchmark: str | None = None
    data: str | None = None
    categories: tuple[str, ...] | None = None
    limit: int | None = None
    first: int | None = None
    samples: tuple[str, ...] | None = None
    output_dir: Path | str | None = None
    device_ids: tuple[str, ...] | None = None
    seed: int | None = None


_NO_OVERRIDES = Overrides()


def load_config(
    path: Path, overrides: Overrides = _NO_OVERRIDES, environ: Mapping[str, str] | None = None, allow_code: bool = False
) -> Config:
    """The configuration in `path` with everything above it applied. `environ` defaults to the process's own.

    Raises ConfigError, one line with file:line for each thing that is wrong, in the order of the lines. Opens no data
    and imports no model library; relative paths in the result are relative to the current directory.
    """
    problems = Problems(path)
    return _sound(read_config(path, problems, overrides, environ, allow_code), problems)


def read_config(
    path: Path,
    problems: Problems,
    overrides: Overrides = _NO_OVERRIDES,
    environ: Mapping[str, str] | None = None,
    allow_code: bool = False,
) -> Config | None:
    """As `load_config`, but what is wrong is added to `problems`.

    If there are any, the result only serves to look for more: what is not sound in it has its default, and an editor
    that is not named soundly a stand-in. None if there is no sound benchmark.
    """
    layers = _Layers(os.environ if environ is None else environ, problems)
    layers.add_all(path, overrides)
    return layers.config(path, allow_code, Path(path).parent)


def load_for_certificate(path: Path, overrides: Overrides = _NO_OVERRIDES, allow_code: bool = False) -> Config:
    """The configuration in `path` with the built-in benchmark and no editor to speak of: its judges are what counts.

    Raises ConfigError as `load_config` does, and for a `--set` that concerns no judge.
    """
    for text in overrides.sets:
        key = text.partition("=")[0].strip()
        if not key.startswith((*(f"{section}." for section in _JUDGES), *_OF_CERTIFICATES)) and key not in _JUDGES:
            raise ConfigError(
                f"--set {key}: a certificate uses neither benchmark nor editor of the configuration; "
                f"only {', '.join(_JUDGES)}, prompts, logging and evaluation.output_dir can change"
            )
    layers = _Layers(os.environ, Problems(path))
    layers.add_all(path, overrides)
    for section, name in (("benchmark", "procedural"), ("diffusion_model", "identity")):
        built_in = make({"type": name}, section, Source("certify", "certify", FILE))
        layers.tree = placed(without(layers.tree, section), built_in, section)
    return _sound(layers.config(path, allow_code, path.parent), layers.problems)


def load_mapping(
    mapping: Mapping[str, object],
    name: str,
    environ: Mapping[str, str] | None = None,
    allow_code: bool = False,
    found_in: Path | None = None,
) -> Config:
    """The configuration that `mapping` is, as if it were in a file; `name` is how errors call it.

    `found_in` is a folder, the run's, if the mapping may be a stranger's: what it executes needs consent then. None:
    it is the caller's own word, and only code that it names needs consent.
    """
    layers = _Layers(os.environ if environ is None else environ, Problems(name))
    layers.add(make(mapping, "", Source(name, f"call {name}", FILE)))
    return _sound(layers.config(Path(name), allow_code, found_in), layers.problems)


def load_judges(
    mapping: Mapping[str, object],
    name: str,
    path: Path | None,
    sets: Sequence[str] = (),
    allow_code: bool = False,
    found_in: Path | None = None,
) -> Config:
    """The configuration that `mapping` is, with the judges of the file at `path` in place of its own, and `sets` above.

    Without a path the judges stay. The prompts are the file's, if it has any. Raises ConfigError for a file without a
    judge, and for a `--set` that concerns neither judges nor prompts. `found_in` as for `load_mapping`.
    """
    layers = _Layers(os.environ, Problems(path or name))
    layers.add(make(mapping, "", Source(name, f"call {name}", FILE)))
    if path is not None:
        found = layers.translated(_file(path, layers.problems))
        given = {name: node for name, node in found.children.items() if name in _JUDGES and node.value}
        if not given:
            raise ConfigError(f"{found.where}: reward_model: missing; name the judge that is to score the run")
        given |= {"prompts": found.children["prompts"]} if "prompts" in found.children else {}
        if found.children.keys() - {*_JUDGES, "prompts"}:
            what = "only its judges and prompts are used; benchmark and edits are those of the run"
            layers.warnings.append(f"{path}: {what}")
        rest = {name: below for name, below in layers.tree.children.items() if name not in _JUDGES}
        layers.tree = replace(layers.tree, value=rest | given)
    for layer in _sets(sets, layers.problems):
        translated = layers.translated(layer)
        stranger = next((section for section in translated.children if section not in (*_JUDGES, "prompts")), None)
        if stranger is not None:
            raise ConfigError(f"--set {stranger}: belongs to the run; only {', '.join(_JUDGES)} and prompts can change")
        layers.put_over(translated)
    return _sound(layers.config(Path(name), allow_code, found_in, path), layers.problems)


def _sound(config: Config | None, problems: Problems) -> Config:
    problems.check()
    assert config is not None, "there is none without a problem"
    return config


# ------------------------------------------------------------------------------------------------ the layers


def _file(path: Path, problems: Problems) -> Node:
    return read_file(Path(path), Source(str(path), f"file {path}", FILE, numbered=True), problems)


def _flags(overrides: Overrides) -> Iterator[Node]:
    """A tree for each flag that was given. Another benchmark does not drop what `--set` says of its parameters."""
    for name, (flag, paths) in _FLAGS.items():
        if (value := getattr(overrides, name)) is not None:
            node = make(value, "", Source(flag, f"flag {flag}", SET if name == "benchmark" else FLAG))
            yield from (_single(node, path) for path in paths)


def _sets(given: Iterable[str | tuple[str, object]], problems: Problems) -> Iterator[Node]:
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
        elif path[0] in SECTIONS and all(path):
            yield _single(read_text(text, source, ".".join(path)), path)
        else:
            known = [PREFIX + word.upper() for word in (*_SHORT, "allow_code")]
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            listed = f"{', '.join(known)} and {PREFIX}<SECTION>__<KEY>"
            raise ConfigError(f"{name}: unknown variable; {hint}known: {listed}")


def _single(node: Node, path: Sequence[str]) -> Node:
    return placed(replace(node, value={}, key=""), node, *path)


class _Layers:
    """The tree of everything that was added so far, in today's spelling, and the warnings about it."""

    def __init__(self, environ: Mapping[str, str], problems: Problems) -> None:
        self.environ = environ
        self.problems = problems
        self.tree = make({}, "", Source("", "", FILE))
        self.warnings: list[str] = []

    def add_all(self, path: Path, overrides: Overrides) -> None:
        """The file, and above it the environment, every `--set` and the flags."""
        self.add(_file(path, self.problems))
        sets = _sets([*overrides.sets, *overrides.values.items()], self.problems)
        for tree in chain(_environment(self.environ, self.problems), sets, _flags(overrides)):
            self.add(tree)

    def add(self, layer: Node) -> None:
        """Puts `layer` over what is there."""
        self.put_over(self.translated(layer))

    def translated(self, layer: Node) -> Node:
        """`layer` in today's spelling. What has none, and secrets, are problems."""
        tree, warnings = legacy.translate(_without_secrets(layer, self.environ, self.problems), self.problems)
        self.warnings += warnings
        return tree

    def put_over(self, high: Node) -> None:
        """Another type comes without the old type's parameters: they were meant for something else."""
        sections: dict[tuple[str, ...], str] = {("benchmark",): "benchmarks", ("diffusion_model",): "editors"}
        sections |= dict.fromkeys(legacy.judge_sections(high), "judges")
        for section, kind in sections.items():
            new, old = child(high, *section), child(self.tree, *section)
            if new is not None and old is not None and _type(kind, new) not in (None, _type(kind, old)):
                self._retype(section, new)
        self.tree = merge(self.tree, high) if self.tree.children else high

    def _retype(self, section: tuple[str, ...], new: Node) -> None:
        low = without(without(self.tree, *section, "class_path"), *section, "type")
        params = child(low, *section, "params")
        kept = () if section == ("benchmark",) else _STAGE_PARAMS
        old = params.children if params is not None else {}
        dropped = [name for name, node in old.items() if name not in kept and node.rank < new.rank]
        for name in dropped:
            low = without(low, *section, "params", name)
        chosen = child(low, *section, "categories")
        if new.where == "--benchmark" and chosen is not None and chosen.rank < new.rank:
            low, dropped = without(low, *section, "categories"), [*dropped, "categories"]
        if dropped:
            said = f"{'.'.join(section)}.type is another one now; dropped its old params: {', '.join(dropped)}"
            self.warnings.append(f"{new.where}: {said}")
        self.tree = low

    def config(self, path: Path, allow_code: bool, found_in: Path | None, judges: Path | None = None) -> Config | None:
        """What all of it comes to, with consent to what it executes; what is wrong is added to the problems."""
        allowed = allow_code
        with self.problems.collect():
            node = read_text(self.environ.get(CONSENT, ""), Source(CONSENT, f"env {CONSENT}", ENVIRONMENT))
            if node.value not in (None, True, False, 0, 1):
                raise problem(node, f"must be 1 or 0, got {quoted(plain(node))}")
            allowed = allow_code or bool(node.value)
        folder = found_in or (judges or path).parent
        settings = settings_of(self.tree, path, folder, found_in)
        effects = effects_of(settings)
        with self.problems.collect():
            allowed = consent(effects, folder, allowed)
        found = resolve.config(path, self.tree, allowed, self.warnings, self.problems)
        more = effects_of(replace(settings, values=found.resolved)) if found else ()  # what follows from defaults
        return found and replace(found, effects=(*effects, *more))


def _type(kind: str, section: Node) -> str | None:
    node = child(section, "type") or child(section, "class_path")
    path = child(section, "params", "path")
    if node is None and kind == "benchmarks" and path is not None and path.key in stages.OLD_PATHS:
        return stages.DEFAULT_BENCHMARK
    try:
        return legacy.resolve_type(kind, node).type if node is not None else None
    except ConfigError:  # it is refused later, if nothing replaces it
        return None


def _without_secrets(node: Node, environ: Mapping[str, str], problems: Problems) -> Node:
    """`node` with nothing in the place of a secret. The problem shows no value: it would end up in every record."""
    if node.is_map:
        below = {name: _without_secrets(found, environ, problems) for name, found in node.children.items()}
        return replace(node, value=below)
    why = next(filter(None, (secret_in(node.key, text, environ) for text in _texts(plain(node)))), "")
    if not why:
        return node
    advice = "set an environment variable and give its NAME in api_key_env (the value is not shown here)"
    problems.add(problem(node, f"{why}; {advice}"))
    return replace(node, value=None)


def _texts(value: Plain) -> Iterator[str]:
    """Every text in a plain value."""
    if isinstance(value, str):
        yield value
    for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(below)
