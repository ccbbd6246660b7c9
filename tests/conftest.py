"""Shared by all tests: workers that the tests start can import the fakes."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

if importlib.util.find_spec("hypothesis"):  # not in the environment of the cluster's tests
    from hypothesis import HealthCheck, settings

    settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("any machine")  # its own limits are on wall time

collect_ignore = [] if importlib.util.find_spec("playwright") else ["browser"]  # `make test-browser` installs it


@pytest.fixture(autouse=True)
def nobody_has_trusted_anything(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the user of this machine trusts decides no test, and no test is remembered."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config-home"))


@pytest.fixture(autouse=True)
def workers_find_the_fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker process is another interpreter: it finds `fakes.*` through PYTHONPATH."""
    here = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in (here, os.environ.get("PYTHONPATH")) if p))
    for name in [name for name in os.environ if name.startswith("EDITEVAL_")]:
        monkeypatch.delenv(name)
