"""Worker faults: samples whose edit kills, hangs, deafens or poisons its worker, and killings out of nowhere.

Every sample is made good in the end, byte for byte, or fails for the one reason that its script gives; every attempt is
on record, with the reason that its fault must leave.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from chaos.family import Family, Figures, Goal, Options, conduct
from chaos.forks import Finding
from chaos.layer import Layer
from chaos.oracle import ALWAYS_FAIL, faults_of
from chaos.tiny_benchmark import ids
from chaos.workload import Workload
from editeval.store.run_store import RunStore

LEAVES = {  # fate -> reason of the failed attempt that it must leave; "" = none
    **dict.fromkeys(("kill", "segv", "abort", "bus", "exit0", "exit1", "exit137"), "worker_died"),
    **dict.fromkeys(("garbage", "garbage-http", "garbage-cut"), "worker_died"),
    **dict.fromkeys(("frame-empty", "frame-stranger", "frame-half", "frame-ready"), "worker_died"),
    **dict.fromkeys(("stop", "hang"), "stalled"),
    **dict.fromkeys(("oom", "memory"), "oom"),
    "device_lost": "device_lost",
    "exception": "exception",
    "slow": "",
    "frame-unknown": "",
}
FINAL = {"nothing": "NoneType", "text": "str", "nan": "ndarray"}
"""Outputs that are no image, and their types: not tried again."""
IN_THREADS = ("oom", "memory", "device_lost", "exception", "slow")
PROCESS_LIMITS = {"stall_s": 3.0, "start_timeout_s": 60.0, "load_concurrency": 3}
NUM_SAMPLES, NUM_WORKERS = 40, 3
OUT_OF_NOWHERE = (signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP, signal.SIGTERM)


@dataclass(frozen=True)
class Storm:
    """One run, and what befalls it."""

    number: int
    backend: str
    policy: str
    fates: Mapping[str, list[str]]
    num_killings: int = 0  # by another process, at any moment

    def __str__(self) -> str:
        return f"storm {self.number} ({self.backend}, {self.policy})"


def plan(num_faults: int, seed: int) -> Iterator[Storm]:
    """Storms that together hold at least `num_faults` faults."""
    chance = random.Random(seed)
    number = planned = 0
    while planned < num_faults:
        number += 1
        policy = chance.choice(("batch_sync", "round_robin", "bounded_drift", "dynamic"))
        if number % 6 == 0:
            slowly = {key: ["slow"] for key in ids(NUM_SAMPLES)[5:]}  # so that the signals meet somebody
            storm = Storm(number, "process", policy, slowly, num_killings=12)
        else:
            storm = _scripted(number, "inprocess" if number % 6 == 3 else "process", policy, chance)
        planned += storm.num_killings or sum(map(len, storm.fates.values()))
        yield storm


def _scripted(number: int, backend: str, policy: str, chance: random.Random) -> Storm:
    keys = [key for key in ids(NUM_SAMPLES) if key not in ("refused", "broken")]
    chance.shuffle(keys)
    kinds = list(IN_THREADS if backend == "inprocess" else LEAVES)
    fates = {key: [chance.choice(kinds)] for key in keys[:24]}
    fatal = [kind for kind in kinds if LEAVES[kind]]
    fates |= {key: [chance.choice(fatal), chance.choice(fatal)] for key in keys[24:27]}
    fates |= {key: [fate] for key, fate in zip(keys[27:30], FINAL, strict=True)}
    if backend == "process":
        fates[keys[30]] = ["segv", "kill", "kill"]
    return Storm(number, backend, policy, fates)


def trial(storm: Storm, folder: Path) -> Finding:
    """Run it through, then look at everything."""
    work = Workload(
        folder, NUM_SAMPLES, NUM_WORKERS, storm.policy, storm.backend, _limits(storm), is_moody=True
    ).prepare(storm.fates)
    killings = Killings(storm.num_killings, storm.number)
    said = work.invoke()
    killings.stop()
    if killings.done and "while loading" in said:  # killed twice before it was there: the run ends; it is not lost
        said = work.invoke()
    failed = {**ALWAYS_FAIL, **dict(_expected_failures(storm))}
    violations = ([f"told {said}"] if said else []) + faults_of(work, failed)
    violations += _history(work, storm)
    kinds = Counter(fate for fates in storm.fates.values() for fate in fates if not storm.num_killings)
    kinds.update({f"{name.name} out of nowhere": count for name, count in killings.done.items()})
    return Finding(str(storm), violations, {"kinds": dict(kinds)})


def _limits(storm: Storm) -> dict[str, float]:
    if storm.num_killings:  # an innocent sample may meet them all
        return {**PROCESS_LIMITS, "max_attempts": storm.num_killings + 3}
    return {**PROCESS_LIMITS, "max_attempts": 3} if storm.backend == "process" else {}


def _expected_failures(storm: Storm) -> Iterator[tuple[str, dict[str, str]]]:
    for key, fates in storm.fates.items():
        if fates[0] in FINAL:
            message = f"the editor returned {FINAL[fates[0]]}, not a PIL image"
            yield key, {"reason": "bad_output", "message": message}
        if len(fates) == 3:
            yield key, {"reason": "worker_died", "message": "its worker died (signal SIGKILL)"}


def _history(work: Workload, storm: Storm) -> Iterator[str]:
    """The reasons on record contain those of the script, in order; nothing was tried that is not on record."""
    told: dict[str, list[str]] = {}
    with RunStore.read(work.run) as store:
        for attempt in store.attempts("edit"):
            told.setdefault(attempt.sample_id, []).append(attempt.error.reason if attempt.error else "")
    tried = Counter(work.executions())
    for key in ids(NUM_SAMPLES):
        reasons = iter(told.get(key, []))
        wanted = [LEAVES[fate] for fate in storm.fates.get(key, []) if LEAVES.get(fate)]
        if not all(reason in reasons for reason in wanted):
            yield f"{key[:20]}: {storm.fates[key]} left {told.get(key)}"
        if tried[key] > len(told.get(key, [])):
            yield f"{key[:20]}: tried {tried[key]} times, on record {told.get(key)}"


class Killings:
    """Signals to workers of this process, at moments that chance decides."""

    def __init__(self, num: int, seed: int) -> None:
        self.done: Counter[signal.Signals] = Counter()
        self._chance = random.Random(seed)
        self._has_ended = threading.Event()
        self._thread = threading.Thread(target=self._kill, args=(num,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._has_ended.set()
        self._thread.join()

    def _kill(self, num: int) -> None:
        while sum(self.done.values()) < num and not self._has_ended.wait(self._chance.uniform(0.1, 0.5)):
            workers = _children()
            if workers:
                name = self._chance.choice(OUT_OF_NOWHERE)
                try:
                    os.kill(self._chance.choice(workers), name)
                except ProcessLookupError:
                    continue
                self.done[name] += 1
                time.sleep(0.05)


def _children() -> list[int]:
    """Process ids of the workers that this process started."""
    found: list[int] = []
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        try:
            found += map(int, (task / "children").read_text().split())
        except OSError:  # the thread has just ended
            continue
    above = [pid for pid in found if b"editeval.execution.supervisor" in _command(pid)]
    return [pid for each in above for pid in _children_of(each)]


def _children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def worker_faults(layer: Layer, options: Options) -> Figures:
    """Workers that die, hang, babble, run out of memory."""
    kinds: Counter[str] = Counter()

    def count(figures: Figures, finding: Finding) -> None:
        kinds.update(finding.facts.get("kinds", {}))
        figures.num = figures.distinct = sum(kinds.values())

    figures = conduct(plan(options.num, options.seed), trial, options, count)
    figures.details = dict(sorted(kinds.items()))
    return figures


FAMILY = Family("worker faults", worker_faults, Goal(530, 500), Goal(5400, 5000), num_to_catch=300)
