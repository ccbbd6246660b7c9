"""`load_config`: flag over `--set` over environment over file over default, every value checked, every origin kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from editeval.config import layers, legacy, resolve, yaml_tree
from editeval.config.layers import Overrides
from editeval.config.schema import Config
from editeval.config.yaml_tree import FILE, Node, Source, child, merge, placed, problem, without
from editeval.errors import ConfigError, Problems
from editeval.redaction import secret_in

__all__ = ["Overrides", "load_config", "load_for_certificate", "load_judges", "load_mapping", "read_config"]

_NO_OVERRIDES = Overrides()
_JUDGES = ("reward_model", "reward_models")
_OF_CERTIFICATES = ("prompts.", "logging.", "evaluation.output_dir")  # what else a certificate uses
_STAGE_PARAMS = ("seed", "use_batch_inference")  # belong to the stage, not to the plug-in


def load_config(
    path: Path,
    overrides: Overrides = _NO_OVERRIDES,
    environ: Mapping[str, str] | None = None,
    allow_code: bool = False,
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
    environ = os.environ if environ is None else environ
    tree, warnings = _merged(path, overrides, environ, problems)
    allowed = allow_code
    with problems.collect():
        allowed = allow_code or layers.allows_code(environ)
    return resolve.config(Path(path), tree, allowed, warnings, problems)


def _sound(config: Config | None, problems: Problems) -> Config:
    problems.check()
    assert config is not None, "there is none without a problem"
    return config


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
    problems = Problems(path)
    tree, warnings = _merged(path, overrides, os.environ, problems)
    source = Source("certify", "certify", FILE)
    built_in = yaml_tree.read_text("benchmark: {type: procedural}\ndiffusion_model: {type: identity}", source)
    for section in ("benchmark", "diffusion_model"):
        tree = placed(without(tree, section), built_in.value[section], section)
    allowed = allow_code or layers.allows_code(os.environ)
    return _sound(resolve.config(Path(path), tree, allowed, warnings, problems), problems)


def _merged(path: Path, overrides: Overrides, environ: Mapping[str, str], problems: Problems) -> tuple[Node, list[str]]:
    """The file with everything above it, in today's spelling, and warnings."""
    source = Source(str(path), f"file {path}", FILE, numbered=True)
    tree, warnings = _translated(yaml_tree.read_file(Path(path), source, problems), environ, problems)
    above = [*layers.environment(environ, problems), *layers.sets(overrides, problems), *layers.flags(overrides)]
    for layer in above:
        translated, notes = _translated(layer, environ, problems)
        warnings += notes
        tree = _over(tree, translated, warnings)
    return tree, warnings


def load_mapping(
    mapping: Mapping[str, Any], name: str, environ: Mapping[str, str] | None = None, allow_code: bool = False
) -> Config:
    """The configuration that `mapping` is, as if it stood in a file; `name` is how errors call it."""
    environ = os.environ if environ is None else environ
    source = Source(name, f"call {name}", FILE)
    problems = Problems(name)
    tree, warnings = _translated(yaml_tree.from_values(mapping, source), environ, problems)
    allowed = allow_code or layers.allows_code(environ)
    return _sound(resolve.config(Path(name), tree, allowed, warnings, problems), problems)


def load_judges(
    mapping: Mapping[str, Any], name: str, path: Path | None, sets: Sequence[str] = (), allow_code: bool = False
) -> Config:
    """The configuration that `mapping` is, with the judges of the file at `path` in place of its own, and `sets` above.

    Without a path the judges stay. The prompts are the file's, if it has any. Raises ConfigError for a file without a
    judge, and for a `--set` that concerns neither judges nor prompts.
    """
    source = Source(name, f"call {name}", FILE)
    problems = Problems(path or name)
    tree, warnings = _translated(yaml_tree.from_values(mapping, source), os.environ, problems)
    if path is not None:
        file = Source(str(path), f"file {path}", FILE, numbered=True)
        found, notes = _translated(yaml_tree.read_file(path, file, problems), os.environ, problems)
        tree, warnings = _with_judges(tree, found), warnings + notes
        if set(found.value) - {*_JUDGES, "prompts"}:
            warnings.append(f"{path}: only its judges and prompts are used; benchmark and edits are those of the run")
    for layer in layers.sets(Overrides(sets=tuple(sets)), problems):
        translated, notes = _translated(layer, os.environ, problems)
        stranger = next((section for section in translated.value if section not in (*_JUDGES, "prompts")), None)
        if stranger is not None:
            raise ConfigError(f"--set {stranger}: belongs to the run; only {', '.join(_JUDGES)} and prompts can change")
        tree, warnings = _over(tree, translated, warnings), warnings + notes
    allowed = allow_code or layers.allows_code(os.environ)
    return _sound(resolve.config(Path(name), tree, allowed, warnings, problems), problems)


def _translated(layer: Node, environ: Mapping[str, str], problems: Problems) -> tuple[Node, list[str]]:
    """`layer` in today's spelling, and warnings. What has none, and secrets, are added to `problems`."""
    return legacy.translate(_without_secrets(layer, environ, problems), problems)


def _without_secrets(node: Node, environ: Mapping[str, str], problems: Problems) -> Node:
    """`node` with nothing in the place of a secret. The problem shows no value: it would end up in every record."""
    if node.is_map:
        below = {name: _without_secrets(found, environ, problems) for name, found in node.value.items()}
        return replace(node, value=below)
    why = next(filter(None, (secret_in(node.key, text, environ) for text in _texts(node.value))), "")
    if not why:
        return node
    advice = "set an environment variable and give its NAME in api_key_env (the value is not shown here)"
    problems.add(problem(node, f"{why}; {advice}"))
    return replace(node, value=None)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a plain value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for below in value.values():
            yield from _texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _texts(below)


def _with_judges(tree: Node, found: Node) -> Node:
    given = {section: node for section in _JUDGES if (node := child(found, section)) is not None and node.value}
    if not given:
        raise ConfigError(f"{found.where}: reward_model: missing; name the judge that is to score the run")
    for section in _JUDGES:
        tree = without(tree, section)
    prompts = child(found, "prompts")
    for section, node in (given | ({"prompts": prompts} if prompts is not None else {})).items():
        tree = placed(without(tree, section), node, section)
    return tree


def _over(low: Node, high: Node, warnings: list[str]) -> Node:
    """`high` over `low`. Another type comes without the old type's parameters: they were meant for something else."""
    sections: dict[tuple[str, ...], str] = {("benchmark",): "benchmarks", ("diffusion_model",): "editors"}
    sections |= dict.fromkeys(legacy.judge_sections(high), "judges")
    for section, kind in sections.items():
        new, old = child(high, *section), child(low, *section)
        if new is not None and old is not None and _type(kind, new) not in (None, _type(kind, old)):
            low = _retyped(low, section, new, warnings)
    return merge(low, high)


def _type(kind: str, section: Node) -> str | None:
    node = child(section, "type") or child(section, "class_path")
    path = child(section, "params", "path")
    if node is None and kind == "benchmarks" and path is not None and path.key in resolve.OLD_PATHS:
        return resolve.DEFAULT_BENCHMARK
    try:
        return legacy.resolve_type(kind, node).type if node is not None else None
    except ConfigError:  # it is refused later, if nothing replaces it
        return None


def _retyped(low: Node, section: tuple[str, ...], new: Node, warnings: list[str]) -> Node:
    low = without(without(low, *section, "class_path"), *section, "type")
    params = child(low, *section, "params")
    old = params.value if params is not None and params.is_map else {}
    kept = () if section == ("benchmark",) else _STAGE_PARAMS
    dropped = [name for name, node in old.items() if name not in kept and node.rank < new.rank]
    for name in dropped:
        low = without(low, *section, "params", name)
    if dropped:
        said = f"{'.'.join(section)}.type is another one now; dropped its old params: {', '.join(dropped)}"
        warnings.append(f"{new.where}: {said}")
    return low
