"""`load_config`: flag over `--set` over environment over file over default, every value checked, every origin kept.

Whatever gives values - a file, a call from Python, the environment, one `--set`, the flags - becomes a tree. Each is
put into today's spelling by itself, and laid over the one below it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from editeval.config import legacy, resolve, short_names, stages
from editeval.config.consent import consent, effects_of, settings_of
from editeval.config.overrides import CONSENT, above_the_file, sets_of
from editeval.config.overrides import Overrides as Overrides
from editeval.config.ready import is_default
from editeval.config.schema import Config
from editeval.config.yaml_tree import (
    ENVIRONMENT,
    FILE,
    FLAG,
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

_JUDGES = ("reward_model", "reward_models")
_OF_CERTIFICATES = ("prompts.", "logging.", "evaluation.output_dir")  # what else a certificate uses
_STAGE_PARAMS = ("seed", "num_seeds", "use_batch_inference")  # belong to the stage, not to the plug-in
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
        judges = (*_JUDGES, *legacy.SPELLINGS)
        is_editors = legacy.SPELLINGS.get(key.partition(".")[0]) == "diffusion_model"
        of_judges = key in judges or key.startswith((*(f"{section}." for section in judges), *_OF_CERTIFICATES))
        if is_editors or not of_judges:
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


def load_with(
    sections: Mapping[str, object],
    name: str,
    path: Path | None,
    overrides: Overrides,
    allow_code: bool = False,
    origin: str = "flag import",
) -> Config:
    """The configuration in `path` (None: an empty one) with `sections` in place of its own, and `overrides` above.

    The sections are the user's own word, as flags are; `name` is that of the configuration, `origin` says
    where they are from.
    """
    layers = _Layers(os.environ, Problems(path or name))
    if path is not None:
        layers.add_file(path)
    for section in sections:
        layers.tree = without(layers.tree, section)
        if section == "reward_model":
            layers.tree = without(layers.tree, "reward_models")
    place = "command line" if origin.startswith("flag") else origin
    layers.put_over(layers.translated(make(sections, "", Source(place, origin, FLAG))))
    layers.put_named(overrides)
    layers.add_above(overrides)
    found = layers.config(path or Path(name), allow_code, path.parent if path is not None else None)
    return replace(_sound(found, layers.problems), name=name)


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
    for layer in sets_of(sets, layers.problems):
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


class _Layers:
    """The tree of everything that was added so far, in today's spelling, and the warnings about it."""

    def __init__(self, environ: Mapping[str, str], problems: Problems) -> None:
        self.environ = environ
        self.problems = problems
        self.tree = make({}, "", Source("", "", FILE))
        self.warnings: list[str] = []
        self.is_ours = False  # the file: the user wrote nothing of what another type leaves behind

    def add_all(self, path: Path, overrides: Overrides) -> None:
        """The file, and above it the environment, every `--set` and the flags."""
        self.add_file(path)
        self.put_named(overrides)
        self.add_above(overrides)

    def add_file(self, path: Path) -> None:
        self.is_ours = is_default(Path(path))
        self.add(_file(path, self.problems))

    def put_named(self, overrides: Overrides) -> None:
        """What `--model` and `--judge` stand for, in place of the sections of the file."""
        for kind, word in (("editors", overrides.model), ("judges", overrides.judge)):
            if word is not None:
                with self.problems.collect():
                    named = short_names.sections(kind, word)
                    for section in short_names.SECTIONS[kind]:
                        self.tree = without(self.tree, section)
                    flag = short_names.FLAGS[kind]
                    self.put_over(self.translated(make(named, "", Source(flag, f"flag {flag}", FILE))))

    def add_above(self, overrides: Overrides) -> None:
        """The environment, every `--set` and the flags."""
        for tree in above_the_file(overrides, self.environ, self.problems):
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
        if dropped and not self.is_ours:
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
