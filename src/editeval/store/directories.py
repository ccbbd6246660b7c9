"""Where runs live: `<output_dir>/<config name>-<first 8 of the run id>`, `-2`, `-3` for --fresh, and `latest`.

One process writes to a run directory. The kernel frees its lock when it ends, however it ends: no stale locks.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import fcntl
import json
import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from editeval.errors import MachineError, RunConflictError, UserError
from editeval.files import Folder, from_json
from editeval.store import manifest
from editeval.text import stem_of

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


def resolve_run(text: str, output_dir: Path, name_of: Callable[[Path], str] = lambda path: "") -> Path:
    """The run that `text` means: a path, a directory name, "latest", a name that it was given (`name_of`), the start
    of a directory name or of a run id.

    Raises UserError if there is none, or more than one.
    """
    for path in (Path(text), output_dir / text):
        if is_run(path):
            return path.resolve()
    runs = all_runs(output_dir)
    given = {path: name_of(path) if path.name != LATEST else "" for path in runs}
    called = [path for path in runs if text and given[path] == text]  # or a copy of it
    found = called or [path for path in runs if text and _starts(path, text)]
    if len(found) == 1:
        return found[0].resolve()
    if found:
        advice = "name the directory" if called else "write more of the name"
        raise UserError(f"run {text!r}: means {', '.join(path.name for path in found)}; {advice}")
    close = difflib.get_close_matches(text, [*filter(None, given.values()), *(path.name for path in runs)], n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    names = [f"{path.name} ({name})" if name else path.name for path, name in given.items()]
    if not names:
        advice = "`editeval run` makes one, --output-dir names another folder"
        raise UserError(f"run {text!r}: no run directory of this name; {output_dir} has none: {advice}")
    listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    raise UserError(f"run {text!r}: no run directory of this name; {hint}runs in {output_dir}: {listed}")


def all_runs(output_dir: Path) -> list[Path]:
    """Every run directory in `output_dir`, by name."""
    return sorted(path for path in _children(output_dir) if is_run(path) and not path.is_symlink())


def point_latest(directory: Path) -> bool:
    """`latest` beside `directory` points to it, replaced in one step; what is there and no link stays: then False."""
    link = directory.parent / LATEST
    temporary = directory.parent / f".{LATEST}.{os.getpid()}.tmp"
    try:
        if link.exists() and not link.is_symlink():
            return False
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(directory.name, target_is_directory=True)
        temporary.replace(link)
    except OSError:  # no links here: a convenience, not a result
        with contextlib.suppress(OSError):
            temporary.unlink()
        return False
    return True


def is_run(directory: Path) -> bool:
    with contextlib.suppress(PermissionError):
        return (directory / manifest.NAME).is_file()
    return False


def check(directory: Path) -> None:
    """Raises StrangeFileError for a run directory in which a link, a pipe or a device stands where we look by path."""
    Folder(directory).check("report", "logs")


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


LOCK = ".lock"
MAX_LOCK = 10_000  # bytes


@dataclass(frozen=True, slots=True)
class Lock:
    """Exclusive right to write to `directory`, held until `release`."""

    directory: Path
    descriptor: int

    @classmethod
    def acquire(cls, directory: Path) -> Lock:
        """Raises RunConflictError naming the holder, MachineError if the directory cannot be written or locked."""
        path = directory / LOCK
        try:
            descriptor = Folder(directory).open(LOCK, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise MachineError(f"{path}: {error.strerror}; choose a directory that you can write to") from error
        try:
            _lock(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(_me()).encode(), 0)
        except BlockingIOError as error:
            os.close(descriptor)
            raise RunConflictError(
                f"{directory}: in use by {_describe(_content(directory))}; wait for it or stop it, or use --fresh"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise MachineError(f"{path}: cannot be locked: {_advice(error)}") from error
        return cls(directory, descriptor)

    def release(self) -> None:
        with contextlib.suppress(OSError):  # whatever a close says: the descriptor is gone, and the lock with it
            os.close(self.descriptor)


def _lock(descriptor: int, tries: int = 5) -> None:
    for left in reversed(range(tries)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not left:
                raise
            time.sleep(0.02)


def writer_of(directory: Path) -> dict[str, object] | None:
    """pid, host and start (`since_at`) of the process that writes to `directory` now; None if there is none."""
    try:
        descriptor = Folder(directory).open(LOCK)
    except OSError:
        return None
    try:
        # Shared, so that onlookers do not disturb each other; a writer that starts in this instant tries again.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _content(directory) or {}
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def _me() -> dict[str, object]:
    return {"pid": os.getpid(), "host": socket.gethostname(), "since_at": time.time()}


def _content(directory: Path) -> dict[str, object]:
    try:
        found = from_json(Folder(directory).read(LOCK, MAX_LOCK))
    except (OSError, ValueError):  # the holder has the lock but has not signed it yet
        return {}
    return found if isinstance(found, dict) else {}


def _describe(content: dict[str, object]) -> str:
    if "pid" not in content:
        return "another process"
    return f"process {content['pid']} on {content.get('host', 'an unknown host')}"


def _advice(error: OSError) -> str:
    if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
        return "this file system has no locks; put output_dir on another one, or mount it with flock"
    return f"{error.strerror}; check the disk"
