"""The Python interpreter that a stage's workers run in, looked at from outside before a worker depends on it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from editeval.errors import MachineError

PROBE_TIMEOUT_S = 60.0
NEEDED = ("numpy", "pillow")  # by the worker itself; what its plug-in needs is the plug-in's business
_PROBE = """
import json, platform, sqlite3, sys
from importlib import metadata
found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
for name in json.loads(sys.argv[1]):
    try:
        found[name] = metadata.version(name) or "unknown"
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An interpreter and the versions of what is installed in it."""

    path: str
    versions: dict[str, str]


def resolved(python: str) -> str:
    """The interpreter that `python` (a path, or a name on PATH) means, as an absolute path; its links are not followed:
    that is how a virtual environment knows itself."""
    path = Path(python).expanduser()
    if len(path.parts) == 1 and not path.exists():
        return shutil.which(python) or python
    return str(path.absolute())


def inspect(where: str, python: str, libraries: Iterable[str] = ()) -> Interpreter:
    """What `python` is, and which `libraries` it has. Raises MachineError, beginning with `where`, if it is unfit."""
    path = resolved(python)
    command = [path, "-c", _PROBE, json.dumps(sorted({*libraries, *NEEDED}))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_TIMEOUT_S, check=True)
        versions: dict[str, str] = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise MachineError(
            f"{where}: {python!r} is no working Python: {_why(error)}; name another interpreter"
        ) from error
    _check(where, path, versions)
    return Interpreter(path, versions)


def _check(where: str, path: str, versions: dict[str, str]) -> None:
    numbers = tuple(int(part) for part in versions["python"].split(".")[:2])
    if numbers < (3, 11):
        raise MachineError(
            f"{where}: {path} is Python {versions['python']}, and workers need 3.11 or newer; name another interpreter"
        )
    missing = [name for name in NEEDED if name not in versions]
    if missing:
        names = " and ".join(missing)
        raise MachineError(
            f"{where}: {path} lacks {names}, which workers need; {path} -m pip install {' '.join(missing)}"
        )


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no answer within {PROBE_TIMEOUT_S:.0f} s"
    if isinstance(error, subprocess.CalledProcessError):
        lines = error.stderr.strip().splitlines()
        return lines[-1] if lines else f"exit code {error.returncode}"
    return "it does not say its version"


def is_own(python: str) -> bool:
    """True if `python` is the interpreter that runs editeval."""
    return resolved(python) == sys.executable
