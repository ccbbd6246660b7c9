"""Shared by all tests. What keeps them cheap is here; new tests use it:

- `command_line.cli(*arguments, cwd=folder)` is `editeval ARGUMENTS` in this process: 20 ms, not half a second. Start
  an interpreter only where it is the claim: signals, a stdout that closes, what is imported, the entry point;
- configurations say `execution: {backend: inprocess}` unless worker processes are the claim (0.3 s for each);
- scenes of up to 128 px are drawn once in a process (`drawn_once` below, by itself): take `size: 64`;
- one pool, run or server answers many questions: a finished run is a fixture of the module, `shutil.copytree`d
  where a test changes it.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("hypothesis"):  # not in the environment of the cluster's tests
    from hypothesis import HealthCheck, settings

    settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any machine")  # its own limits are on wall time

collect_ignore = [] if importlib.util.find_spec("playwright") else ["browser"]  # `make test-browser` installs it


@pytest.fixture(scope="session", autouse=True)
def nobody_has_trusted_anything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the user of this machine trusts decides no test, and no test is remembered."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config-home")))
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Of `--numprocesses auto`: one more than there are cores for the quick tests, many of which wait."""
    return (os.cpu_count() or 1) + ("not slow" in config.option.markexpr)


@pytest.fixture(scope="session", autouse=True)
def workers_find_the_fakes() -> Iterator[None]:
    """A worker process is another interpreter: it finds `fakes.*` through PYTHONPATH."""
    here = str(Path(__file__).parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(p for p in (here, os.environ.get("PYTHONPATH")) if p))
        for name in [name for name in os.environ if name.startswith("EDITEVAL_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def drawn_once() -> Iterator[None]:
    """Small pictures of the built-in benchmark stay in memory: most runs of the tests edit the same ten scenes.

    So do the versions of installed packages.
    """
    from editeval.benchmarks.scenes import render

    def once(draw: Any, size_of: Callable[..., int]) -> Callable[..., Any]:
        kept = lru_cache(maxsize=512)(draw.__wrapped__)
        return lambda *cell: (kept if size_of(*cell) <= 128 else draw)(*cell)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "version", lru_cache(metadata.version))
        patch.setattr(render, "source", once(render.source, lambda *cell: cell[-1]))
        patch.setattr(render, "target", once(render.target, lambda cell: cell.size))
        yield
