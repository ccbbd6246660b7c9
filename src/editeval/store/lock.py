"""One writer per run directory. The kernel frees the lock when its holder ends, however it ends: no stale locks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editeval.errors import MachineError, RunConflictError

NAME = ".lock"


@dataclass(frozen=True, slots=True)
class Lock:
    """Exclusive right to write to `directory`, held until `release`."""

    directory: Path
    descriptor: int

    @classmethod
    def acquire(cls, directory: Path) -> Lock:
        """Raises RunConflictError naming the holder, MachineError if the directory cannot be written or locked."""
        path = directory / NAME
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise MachineError(f"{path}: {error.strerror}; choose a directory that you can write to") from error
        try:
            _lock(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(_me()).encode(), 0)
        except BlockingIOError as error:
            os.close(descriptor)
            raise RunConflictError(
                f"{directory}: in use by {_describe(_content(path))}; wait for it or stop it, or use --fresh"
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


def holder(directory: Path) -> dict[str, Any] | None:
    """pid, host and start (`since_at`) of the process that writes to `directory` now; None if there is none."""
    path = directory / NAME
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Shared, so that onlookers do not disturb each other; a writer that starts in this instant tries again.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _content(path) or {}
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def _me() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": socket.gethostname(), "since_at": time.time()}


def _content(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):  # the holder has the lock but has not signed it yet
        return {}
    return found if isinstance(found, dict) else {}


def _describe(content: dict[str, Any]) -> str:
    if "pid" not in content:
        return "another process"
    return f"process {content['pid']} on {content.get('host', 'an unknown host')}"


def _advice(error: OSError) -> str:
    if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
        return "this file system has no locks; put output_dir on another one, or mount it with flock"
    return f"{error.strerror}; check the disk"
