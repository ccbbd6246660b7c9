"""Where conda keeps the environment that v2's `conda_env` names; looks at files, runs nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from editeval.config.values import parse
from editeval.config.yaml_tree import Node, child, placed, quoted, without

_HOMES = ("miniconda3", "anaconda3", "miniforge3", "mambaforge")


def translate(layer: Node, stage: tuple[str, ...], warnings: list[str]) -> Node:
    """`conda_env` becomes the interpreter of that environment, if this machine has it and no other one is named."""
    path = (*stage, "params", "conda_env")
    node = child(layer, *path)
    if node is None:
        return layer
    layer = without(layer, *path)
    name = parse(str | None, node)
    if not name:
        return layer
    python = interpreter(name)
    if child(layer, *stage, "execution", "python") is not None:
        warnings.append(f"{node.where}: {node.key}: has no effect: an interpreter is named as well")
    elif python is None:
        why = "no conda environment of this name is on this machine; the judge runs in the environment of editeval"
        warnings.append(f"{node.where}: {node.key}: {quoted(name)} has no effect: {why}")
    else:
        layer = placed(layer, replace(node, value=str(python)), *stage, "execution", "python")
    return layer


def interpreter(name: str, environ: Mapping[str, str] | None = None, home: Path | None = None) -> Path | None:
    """The Python of the conda environment called `name` (or at that path); None if this machine has none."""
    environ = os.environ if environ is None else environ
    for folder in _candidates(name, environ, Path.home() if home is None else home):
        python = folder / "bin" / "python"
        if python.is_file():
            return python
    return None


def _candidates(name: str, environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    if os.sep in name:
        yield Path(name)
        return
    for root in _roots(environ, home):
        yield root / "envs" / name
        if name == "base":
            yield root
    listed = home / ".conda" / "environments.txt"  # every environment conda ever made, wherever it was put
    if listed.is_file():
        lines = listed.read_text(encoding="utf-8", errors="replace").splitlines()
        yield from (Path(line.strip()) for line in lines if Path(line.strip()).name == name)


def _roots(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Installations of conda: those the shell knows, then the usual places."""
    if environ.get("CONDA_EXE"):
        yield Path(environ["CONDA_EXE"]).parent.parent
    if environ.get("MAMBA_ROOT_PREFIX"):
        yield Path(environ["MAMBA_ROOT_PREFIX"])
    yield from (home / folder for folder in _HOMES)
    yield Path("/opt/conda")
