"""`load_config`: flag over `--set` over environment over file over default, every value checked, every origin kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from editeval.config import document, layers, legacy, resolve
from editeval.config.layers import Overrides
from editeval.config.node import FILE, Node, Source, child, merge, without
from editeval.config.schema import Config
from editeval.errors import ConfigError

__all__ = ["Overrides", "load_config", "load_mapping"]

_NO_OVERRIDES = Overrides()
_STAGE_PARAMS = ("seed", "use_batch_inference")  # belong to the stage, not to the plug-in


def load_config(
    path: Path,
    overrides: Overrides = _NO_OVERRIDES,
    environ: Mapping[str, str] | None = None,
    allow_code: bool = False,
) -> Config:
    """The configuration in `path` with everything above it applied. `environ` defaults to the process's own.

    Raises ConfigError, one line with file:line, for anything wrong. Opens no data and imports no model library;
    relative paths in the result are relative to the current directory.
    """
    environ = os.environ if environ is None else environ
    source = Source(str(path), f"file {path}", FILE, numbered=True)
    tree, warnings = legacy.translate(document.read_file(Path(path), source))
    for layer in layers.environment(environ) + layers.sets(overrides) + layers.flags(overrides):
        translated, notes = legacy.translate(layer)
        warnings += notes
        tree = _over(tree, translated, warnings)
    allowed = allow_code or layers.allows_code(environ)
    return resolve.config(Path(path), tree, allowed, warnings)


def load_mapping(
    mapping: Mapping[str, Any], name: str, environ: Mapping[str, str] | None = None, allow_code: bool = False
) -> Config:
    """The configuration that `mapping` is, as if it stood in a file; `name` is how errors call it."""
    environ = os.environ if environ is None else environ
    source = Source(name, f"call {name}", FILE)
    tree, warnings = legacy.translate(
        document.read_text(yaml.safe_dump(dict(mapping), allow_unicode=True, sort_keys=False), source)
    )
    return resolve.config(Path(name), tree, allow_code or layers.allows_code(environ), warnings)


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
    if node is None and kind == "benchmarks" and child(section, "params", "path") is not None:
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
