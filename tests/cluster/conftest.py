"""One cluster for most tests, and the result that every run must have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_runs import Machines, bytes_of, finished, machines, write_config


@pytest.fixture(scope="session")
def cluster() -> Iterator[Machines]:
    with machines() as found:
        yield found


@pytest.fixture
def healthy(cluster: Machines) -> Machines:
    """The cluster with two nodes of two GPUs, whatever the test before has killed."""
    while len(cluster.nodes) < 2:
        cluster.add()
    return cluster


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What two worker processes without Ray make of it."""
    folder = tmp_path_factory.mktemp("alone")
    done = finished("run", str(write_config(folder, None)), PYTHONPATH=str(Path(__file__).parent.parent))
    assert done.returncode == 0, done.stderr
    return bytes_of(folder)
