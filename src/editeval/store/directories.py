"""Where runs live: `<output_dir>/<config name>-<first 8 of the run id>`, `-2`, `-3` for --fresh, and `latest`."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
from pathlib import Path

from editeval.errors import UserError
from editeval.store import manifest

LATEST = "latest"
_ID_LENGTH = 8


def find_run(output_dir: Path, name: str, run_id: str, fresh: bool = False) -> Path:
    """The newest directory of this run, or where its first will be; with `fresh`, the next one. Creates nothing."""
    stem = f"{stem_of(name)}-{run_id[:_ID_LENGTH]}"
    numbers = [_number(path.name, stem) for path in _children(output_dir)]
    last = max(numbers, default=0) + (1 if fresh else 0)
    return output_dir / (stem if last <= 1 else f"{stem}-{last}")


def numbered(output_dir: Path, name: str, run_id: str) -> list[Path]:
    """Every directory of this run, the newest first."""
    stem = f"{stem_of(name)}-{run_id[:_ID_LENGTH]}"
    found = [(_number(path.name, stem), path) for path in _children(output_dir)]
    return [path for number, path in sorted(found, reverse=True) if number]


def resolve_run(text: str, output_dir: Path) -> Path:
    """The run that `text` means: a path, a directory name, the start of one or of a run id, or "latest".

    Raises UserError if there is none, or more than one.
    """
    for path in (Path(text), output_dir / text):
        if is_run(path):
            return path.resolve()
    runs = all_runs(output_dir)
    found = [path for path in runs if text and _starts(path, text)]
    if len(found) == 1:
        return found[0].resolve()
    if found:
        raise UserError(f"run {text!r}: means {', '.join(path.name for path in found)}; write more of the name")
    names = [path.name for path in runs]
    close = difflib.get_close_matches(text, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "") if names else "none"
    raise UserError(f"run {text!r}: no run directory of this name; {hint}runs in {output_dir}: {listed}")


def all_runs(output_dir: Path) -> list[Path]:
    """Every run directory in `output_dir`, by name."""
    return sorted(path for path in _children(output_dir) if is_run(path) and not path.is_symlink())


def point_latest(directory: Path) -> bool:
    """`latest` beside `directory` points to it, replaced in one step. False if the file system has no links."""
    link = directory.parent / LATEST
    temporary = directory.parent / f".{LATEST}.{os.getpid()}.tmp"
    try:
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(directory.name, target_is_directory=True)
        temporary.replace(link)
    except OSError:  # no links here, or somebody keeps a real directory of that name: a convenience, not a result
        with contextlib.suppress(OSError):
            temporary.unlink()
        return False
    return True


def is_run(directory: Path) -> bool:
    return (directory / manifest.NAME).is_file()


def make_durable(directory: Path) -> None:
    """`directory` exists, and a power cut does not take it back: the directory above each new one is synced."""
    if directory.is_dir():
        return
    make_durable(directory.parent)
    directory.mkdir(exist_ok=True)
    sync(directory.parent)


def sync(directory: Path) -> None:
    """What was renamed in `directory` stays so after a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _children(output_dir: Path) -> list[Path]:
    return list(output_dir.iterdir()) if output_dir.is_dir() else []


def stem_of(name: str) -> str:
    """How the directories of a configuration begin: letters and digits of any script, dots, dashes; at most 60."""
    return re.sub(r"[^\w.-]+", "-", name).strip(".-")[:60].rstrip(".-") or "run"


def _number(name: str, stem: str) -> int:
    if name == stem:
        return 1
    match = re.fullmatch(re.escape(stem) + r"-([1-9][0-9]*)", name)
    return int(match[1]) if match else 0


def _starts(path: Path, text: str) -> bool:
    if path.name.startswith(text):
        return True
    match = re.search(r"-([0-9a-f]{8}(?:-[0-9]+)?)$", path.name)
    return match is not None and match[1].startswith(text)
