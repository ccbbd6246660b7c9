"""Programs for the tests to run and kill: `python store_child.py COMMAND DIRECTORY [NUMBER]`."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import store_fakes as fakes

from editeval.errors import UserError
from editeval.store.run_store import RunStore
from editeval.store.verify import verify
from editeval.types import Sample

TOUCHES_DISK = {"open", "close", "write", "flush", "fsync", "replace", "mkdir", "flock", "ftruncate", "pwrite"} | {
    *("connect", "execute", "executemany", "serialize"),
}


def record(directory: Path, count: int) -> None:
    """Works through `count` samples, one line on stdout per acknowledged record."""
    fakes.work(directory, fakes.samples(count), lambda text: print(text, flush=True))


def hold(directory: Path, user: int) -> None:
    """Opens the run, as `user` if not 0, and holds it until stdin ends; says whether that worked."""
    _become(user)
    try:
        with RunStore.open(directory, fakes.manifest()):
            print("held", flush=True)
            sys.stdin.read()
    except UserError as error:
        print(f"{type(error).__name__}: {error}", flush=True)


def look(directory: Path, user: int) -> None:
    """Reads a run as `user`."""
    _become(user)
    with RunStore.read(directory) as store:
        print(len(list(store.rows(None))), flush=True)


def _become(user: int) -> None:
    if user:
        os.setgroups([])
        os.setegid(user)
        os.seteuid(user)


def scale(directory: Path, count: int) -> None:
    """CPU seconds and extra memory of a first selection and of a resumption with `count` samples."""

    def many() -> Iterator[Sample]:
        for number in range(count):
            yield Sample(
                f"sample-{number:07}", "physical", (fakes.NoImage(),), f"instruction {number} " * 8, "text " * 10
            )

    figures: dict[str, Any] = {}
    for phase in ("first", "again"):
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        with RunStore.open(directory, fakes.manifest()) as store:
            store.select(many())
            num_pending = len(store.pending_edits())
        extra = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        figures[phase] = {"pending": num_pending, "cpu_s": time.process_time() - began, "extra_mib": extra}
    print(json.dumps(figures))


def sweep(directory: Path, stride: int) -> None:
    """Kills a run before and after every `stride`-th call that touches the disk, resumes it, compares the results."""
    wanted = fakes.samples(2)
    fakes.work(directory / "whole", wanted)
    expected = fakes.result(directory / "whole")
    num_points, faults = 0, []
    for point in range(1, 10_000, stride):
        run = directory / f"run-{point}"
        acknowledged, was_killed = _killed_work(run, wanted, point)
        fakes.work(run, wanted)
        if fakes.result(run) != expected:
            faults.append(f"point {point}: resumed run differs")
        with RunStore.read(run) as store:
            faults += [f"point {point}: {p}" for p in verify(store) if p.kind != "temporary"]
        num_points += 1
        shutil.rmtree(run)
        if not was_killed:
            break
        if len(acknowledged) != len(set(acknowledged)):
            faults.append(f"point {point}: acknowledged twice")
    print(json.dumps({"points": num_points, "faults": faults}))


def _killed_work(run: Path, wanted: list[Sample], point: int) -> tuple[list[str], bool]:
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        seen = 0

        def count(_frame: Any, event: str, call: Any) -> None:
            nonlocal seen
            if event in ("c_call", "c_return") and call.__name__ in TOUCHES_DISK:
                seen += 1
                if seen == point:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(count)
        fakes.work(run, wanted, lambda text: os.write(write_end, f"{text}\n".encode()))
        sys.setprofile(None)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        acknowledged = pipe.read().splitlines()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        _check_acknowledged(run, acknowledged)
        return acknowledged, True
    if status != 0:
        raise AssertionError(f"point {point}: ended with {status}")
    return acknowledged, False


def _check_acknowledged(run: Path, acknowledged: list[str]) -> None:
    if not acknowledged:
        return
    with RunStore.read(run) as store:
        kept = {f"{attempt.stage} {attempt.sample_id}" for attempt in store.attempts() if attempt.error is None}
    lost = set(acknowledged) - kept
    if lost:
        raise AssertionError(f"acknowledged and lost: {lost}")


if __name__ == "__main__":
    commands = {"record": record, "hold": hold, "look": look, "scale": scale, "sweep": sweep}
    commands[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0)
