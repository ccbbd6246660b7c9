"""Versions: what is installed, read from metadata without importing anything, and conditions on them."""

from __future__ import annotations

import operator
import platform
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

Release = tuple[int, ...]

LIBRARIES = (
    *("accelerate", "bitsandbytes", "cache-dit", "diffusers", "flash-attn", "huggingface-hub", "kernels", "numpy"),
    *("pillow", "pydantic", "ray", "rich", "safetensors", "scipy", "sglang", "tokenizers"),
    *("torch", "torchmetrics", "torchvision", "transformers", "triton", "vllm", "vllm-omni"),
)
"""What decides whether a machine is fit, and what an edit looks like."""
_RECORDED = (*LIBRARIES, "pooch", "pyyaml", "scikit-image")
_CONDITION = re.compile(r"([a-z0-9-]+)(==|!=|<=|>=|<|>)([0-9][0-9.]*)")
_COMPARE: Mapping[str, Callable[[Release, Release], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def installed(libraries: Iterable[str] = LIBRARIES) -> dict[str, str]:
    """editeval, python, sqlite and the installed ones of `libraries`, by name."""
    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    known = ((name, _version_of(name)) for name in ("editeval", *libraries))
    return found | {name: version for name, version in known if version}


@cache
def _version_of(name: str) -> str:
    """Empty if it is not installed. Kept: to read one takes a millisecond, and a run asks for each five times."""
    try:
        return metadata.version(name) or "unknown"  # a half-removed package has metadata without one
    except metadata.PackageNotFoundError:
        return ""


def build_of(torch: str) -> dict[str, str]:
    """What torch's version says about its build: 2.13.0+cu130 is {"torch-cuda": "13.0"}; {} if it says nothing."""
    _, _, local = torch.partition("+")
    if local == "cpu":
        return {"torch-cpu-build": "1"}
    match = re.fullmatch(r"cu([0-9]+)([0-9])", local)
    return {"torch-cuda": f"{match[1]}.{match[2]}"} if match else {}


def release(version: str) -> Release:
    """The numbers that a version begins with: 2.14.0+cu130, 2.14.0rc1 and 2.14.0.dev3 are all (2, 14, 0)."""
    match = re.match(r"[0-9]+(\.[0-9]+)*", version)
    return tuple(int(part) for part in match.group().split(".")) if match else ()


def matches(condition: str, versions: Mapping[str, str]) -> tuple[str, ...]:
    """Names that `condition` is about if it holds, else (). A package that is not there makes it false.

    A condition is "name<=1.2.3", several of them separated by commas. `==1.2` means 1.2 and every 1.2.x, and `!=`
    the opposite of that. Raises ValueError for anything else.
    """
    names = []
    for part in condition.split(","):
        match = _CONDITION.fullmatch(part)
        if match is None:
            raise ValueError(f"not a condition on versions: {part!r}")
        name, sign, wanted = match.groups()
        have = release(versions.get(name, ""))
        if not have or not _holds(have, sign, release(wanted)):
            return ()
        names.append(name)
    return tuple(dict.fromkeys(names))


def _holds(have: Release, sign: str, wanted: Release) -> bool:
    if sign in ("==", "!="):
        return (_filled(have, len(wanted))[: len(wanted)] == wanted) is (sign == "==")
    width = max(len(have), len(wanted))
    return _COMPARE[sign](_filled(have, width), _filled(wanted, width))


def _filled(numbers: Release, width: int) -> Release:
    return numbers + (0,) * (width - len(numbers))


def recorded() -> dict[str, str]:
    """What a run keeps: `installed`, and the git commit of editeval where it runs from a checkout."""
    commit = _git_commit(Path(__file__).resolve().parents[3])
    return installed(_RECORDED) | ({"git_commit": commit} if commit else {})


@cache
def _git_commit(root: Path) -> str:
    """Commit of the checkout at `root` when it was first asked for, which is nearest to the code that was imported;
    "-dirty" if files differ; "" if `root` is not one or git is absent."""
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def to_install(extra: str) -> str:
    """The command that installs what the extra `extra` of editeval consists of, into the Python that runs.

    It names the packages themselves, so it works however editeval was installed.
    """
    if not any(metadata.distributions(name="pip")):  # to look for a module runs hooks of setuptools, which warn
        return shlex.join(["uv", "pip", "install", "--python", sys.executable, *_of_extra(extra)])
    beside = shutil.which("pip")
    is_own = beside is not None and Path(beside).parent == Path(sys.executable).parent
    return shlex.join([*(["pip"] if is_own else [sys.executable, "-m", "pip"]), "install", *_of_extra(extra)])


def _of_extra(extra: str) -> list[str]:
    """The requirements of an extra: of a checkout as its file has them, whatever was installed from it, and when."""
    checkout = Path(__file__).resolve().parents[3] / "pyproject.toml"
    if checkout.is_file():
        extras: Mapping[str, list[str]] = tomllib.loads(checkout.read_text("utf-8"))["project"]["optional-dependencies"]
        return extras[extra]
    parts = [text.partition(";") for text in metadata.requires("editeval") or ()]
    return [name.strip() for name, _, when in parts if re.search(rf"extra == ['\"]{extra}['\"]", when)]
