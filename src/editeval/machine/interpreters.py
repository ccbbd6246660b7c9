"""The Python interpreter that a stage's workers run in, looked at from outside before a worker depends on it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from editeval.errors import MachineError

PROBE_TIMEOUT_S = 60.0
NEEDED = ("numpy", "pillow")  # by the worker itself; what its plug-in needs is the plug-in's business
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")
_PROBE = """
import sys
sys.path = [place for place in sys.path if place]  # as -P has it, which Python 3.10 does not know
import json, platform, sqlite3
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


def is_installed(python: str, strange: Sequence[Path], may_be_absent: bool = True) -> bool:
    """Whether `python` may run because this machine has it, and nobody needs to be asked.

    It is the interpreter that runs editeval; or it is called like a Python, is an absolute path or a name on PATH, and
    neither it nor a link on its way is beneath one of the `strange` folders, or in /proc or /dev/fd, whose links
    (/proc/self/cwd) lead to wherever we happen to be. Nothing is there: nothing can run.
    """
    path = Path(resolved(python))
    if is_own(python) or (may_be_absent and not os.path.lexists(path)):
        return True
    is_named = Path(python).expanduser().is_absolute() or (path.name == python and not Path(python).exists())
    folders = [*(os.path.realpath(folder) for folder in strange), "/proc", "/dev/fd"]
    way = [Path("/" + os.path.normpath(path).lstrip("/")), path, *_way(path)]
    is_beneath = any(step.is_relative_to(folder) for step in way for folder in folders)
    return is_named and path.is_absolute() and not is_beneath and _PYTHON.fullmatch(path.name) is not None


def _way(path: Path) -> Iterator[Path]:
    """Where the links of `path` lead, one after the other, each in its real folder."""
    for _ in range(40):  # more is a circle
        path = Path(os.path.realpath(path.parent), path.name)
        yield path
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()


MARK = "editeval.json"  # stands in a finished environment: its requirements, and when it was built
BUILD_TIMEOUT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment in the cache. `is_complete` is False for one whose building was cut short."""

    path: Path
    requirements: tuple[str, ...]
    built_at: float  # unix seconds
    is_complete: bool

    @property
    def python(self) -> str:
        return str(self.path / "bin" / "python")


def folder(environ: Mapping[str, str] | None = None) -> Path:
    """Where environments are kept: editeval/environments in XDG_CACHE_HOME or ~/.cache."""
    environ = os.environ if environ is None else environ
    cache = environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "editeval" / "environments"


def path_of(requirements: Sequence[str], cache: Path | None = None) -> Path:
    """The folder of the environment with these packages; order and spaces make no difference."""
    wanted = [*_normal(requirements), platform.python_implementation(), platform.python_version(), platform.machine()]
    return (cache or folder()) / hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:16]


def python_of(requirements: Sequence[str], cache: Path | None = None) -> str:
    """The interpreter of that environment, built or not."""
    return str(path_of(requirements, cache) / "bin" / "python")


def is_built(requirements: Sequence[str], cache: Path | None = None) -> bool:
    """Whether that environment is there, complete."""
    return _read(path_of(requirements, cache)).is_complete


def known(cache: Path | None = None) -> list[Environment]:
    """Every environment in the cache, by name."""
    place = cache or folder()
    return [_read(path) for path in sorted(place.iterdir()) if path.is_dir()] if place.is_dir() else []


def build(where: str, requirements: Sequence[str], cache: Path | None = None) -> Environment:
    """The environment with these packages, and numpy and Pillow, which workers need; built now if it is not there.

    Raises MachineError, beginning with `where`, if uv is missing or cannot install them. A second process waits.
    """
    path = path_of(requirements, cache)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = _read(path)
            if not found.is_complete:
                _make(where, path, requirements)
            return _read(path)
    except OSError as error:
        raise MachineError(
            f"{where}: {error.filename or path}: {error.strerror or error}; set XDG_CACHE_HOME"
        ) from error


def _make(where: str, path: Path, requirements: Sequence[str]) -> None:
    uv = _uv(where)
    shutil.rmtree(path, ignore_errors=True)
    _run(where, [*uv, "venv", "--quiet", "--python", sys.executable, str(path)])
    install = [*uv, "pip", "install", "--quiet", "--python", str(path / "bin" / "python")]
    _run(where, [*install, *_normal(requirements), *NEEDED])
    mark = {"requirements": _normal(requirements), "built_at": time.time(), "python": platform.python_version()}
    (path / MARK).write_text(json.dumps(mark, indent=2) + "\n", encoding="utf-8")


def _uv(where: str) -> list[str]:
    for found in (shutil.which("uv"), str(Path(sys.executable).with_name("uv"))):
        if found is not None and Path(found).is_file():
            return [found]
    raise MachineError(f"{where}: building an environment needs uv; pip install uv")


def _run(where: str, command: Sequence[str]) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=True)
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split()) or f"exit code {error.returncode}"
        raise MachineError(
            f"{where}: the environment cannot be built: {said[:600]}; change the requirements"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise MachineError(f"{where}: the environment was not built within {BUILD_TIMEOUT_S:.0f} s") from error


def _read(path: Path) -> Environment:
    try:
        mark = json.loads((path / MARK).read_text(encoding="utf-8"))
        return Environment(path, tuple(mark["requirements"]), float(mark["built_at"]), True)
    except (OSError, ValueError, KeyError, TypeError):  # no mark, or half of one
        return Environment(path, (), 0.0, False)


def _normal(requirements: Sequence[str]) -> list[str]:
    return sorted({" ".join(requirement.split()) for requirement in requirements})


def of_conda(name: str, environ: Mapping[str, str] = os.environ, home: Path | None = None) -> Path | None:
    """The Python of the conda environment called `name` (or at that path); None if this machine has none.

    Looks at files, runs nothing.
    """
    folders = [Path(name)] if os.sep in name else _conda_folders(name, environ, home or Path.home())
    return next((folder / "bin/python" for folder in folders if (folder / "bin/python").is_file()), None)


def _conda_folders(name: str, environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """In the installations that the shell knows, then in the usual places, then wherever conda made one."""
    roots = [Path(environ["CONDA_EXE"]).parent.parent] if environ.get("CONDA_EXE") else []
    roots += [Path(environ["MAMBA_ROOT_PREFIX"])] if environ.get("MAMBA_ROOT_PREFIX") else []
    roots += [home / folder for folder in ("miniconda3", "anaconda3", "miniforge3", "mambaforge")]
    for root in (*roots, Path("/opt/conda")):
        yield root / "envs" / name
        if name == "base":
            yield root
    listed = home / ".conda" / "environments.txt"
    if listed.is_file():
        lines = listed.read_text(encoding="utf-8", errors="replace").splitlines()
        yield from (Path(line.strip()) for line in lines if Path(line.strip()).name == name)
