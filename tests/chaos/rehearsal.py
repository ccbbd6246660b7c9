"""The run without faults that every other one is compared with."""

from __future__ import annotations

import os
from pathlib import Path

from chaos.layer import Layer
from chaos.oracle import Result, faults_of
from chaos.workload import Workload, acknowledging


def rehearse(layer: Layer, work: Workload, trace: Path) -> Result:
    """What all other runs must come to; what was written is recorded at `trace`. Raises if it is wrong by itself."""
    acknowledging(layer.mark)
    descriptor = os.open(trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    work.prepare()
    layer.watch(work.out, trace=descriptor)
    said = work.invoke()
    layer.stop()
    os.close(descriptor)
    wrong = ([said] if said else []) + faults_of(work)
    if wrong:
        raise AssertionError(f"a run without faults is wrong: {wrong[:3]}")
    return Result.of(work)
