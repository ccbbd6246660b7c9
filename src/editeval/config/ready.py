"""The ready configurations that come with editeval: config.yaml, config_multi_gpu.yaml and those in configs/."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def folder() -> Path:
    """Where the ready files are: in the package; where editeval runs from a checkout, at its root."""
    inside = _PACKAGE / "ready"
    return inside if inside.is_dir() else _PACKAGE.parent.parent


def located(path: str) -> Path:
    """`path`, if there is such a file; else the ready file of that name, if there is one; else `path` again.

    So `editeval run` and `editeval run configs/benchmarks/gedit.yaml` work in an empty folder.
    """
    own = Path(path)
    if own.is_absolute() or ".." in own.parts or own.suffix != ".yaml" or own.exists():
        return own
    ready = folder() / own
    is_ready = len(own.parts) == 1 or own.parts[0] == "configs"
    return ready if is_ready and ready.is_file() else own


def is_default(path: Path) -> bool:
    """Whether `path` is the config.yaml that comes with editeval."""
    return path.resolve() == (folder() / "config.yaml").resolve()


def yaml_sections(text: str) -> dict[str, list[str]]:
    """The lines of every section of a ready file, comments included; what stands before the first is not in it."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        name = line.partition(":")[0]
        if name.isidentifier():
            lines = found.setdefault(name, [])
        lines.append(line)
    return found
