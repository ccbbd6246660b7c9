"""Row J9 of the fault table: a judge's worker is killed, crashes, stops, hangs or leaves, at a request we choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fault_runs import IDS, SOURCE, cli, samples_in

from editeval.execution.backends import process_launcher
from editeval.execution.pool import Pool, PoolSpec
from editeval.execution.pool_events import PoolEvent, Result
from editeval.execution.worker_messages import WorkerSpec
from editeval.execution.worker_state import Limits
from editeval.types import JudgeRequest, Score
from fakes.faulty_judge import FaultyJudge, FaultyJudgeParams

pytestmark = pytest.mark.slow

NUM_BATCHES = 6
STALL_S = 5.0
FAULTS = ("SIGKILL", "SIGSEGV", "SIGSTOP", "exit 0", "sleep", "interpreter held")
HANGS = ("SIGSTOP", "sleep", "interpreter held")
CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model: {type: identity, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
reward_model:
  type: fakes.faulty_judge
  params: {device_ids: [cpu, cpu], notes: NOTES, once: ONCE}
  execution: {batch_size: 2, stall_s: 3}
"""


def build(key: str) -> tuple[JudgeRequest, ...]:
    """A batch of two."""
    return tuple(JudgeRequest(f"{key}{part}", (SOURCE,), SOURCE + part.encode(), "look") for part in "ab")


class JudgeRun:
    """One pool of faulty judges: what it says, and the outcome of every batch."""

    def __init__(self, folder: Path, **params: Any) -> None:
        self.notices: list[PoolEvent] = []
        (folder / "notes").mkdir(parents=True)
        worker = WorkerSpec("judges", "fakes.faulty_judge", {"notes": str(folder / "notes")} | params, allow_code=True)
        self._spec = PoolSpec(worker, [("cpu",)] * 2, "dynamic", limits=Limits(stall_s=STALL_S))
        self._launch = process_launcher(lambda index: folder / f"worker{index}.log")

    def __call__(self) -> dict[str, Result]:
        keys = [str(i) for i in range(NUM_BATCHES)]
        with Pool(self._spec, self._launch, self.notices.append) as pool:
            found = {outcome.key: outcome for outcome in pool.run(keys, build)}
        assert sorted(found) == keys
        return found

    def ends(self) -> list[str]:
        return [notice.data["how"] for notice in self.notices if notice.kind == "worker_lost"]

    def num_started(self) -> int:
        return sum(notice.kind == "ready" for notice in self.notices)


def scores(outcomes: dict[str, Result]) -> dict[str, list[list[Score]] | None]:
    return {key: outcome.value for key, outcome in outcomes.items()}


@pytest.fixture(scope="module")
def calm() -> dict[str, list[list[Score]] | None]:
    """What the judge says where nothing befalls it."""
    judge = FaultyJudge(FaultyJudgeParams())
    return {key: judge.judge(build(key)) for key in map(str, range(NUM_BATCHES))}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_judge_that_dies_or_hangs_costs_one_process_and_changes_no_score(
    tmp_path: Path, fault: str, calm: dict[str, list[list[Score]] | None]
) -> None:
    run = JudgeRun(tmp_path / "run", once={"2b": fault})
    outcomes = run()
    assert scores(outcomes) == calm and None not in calm.values()
    assert {key: o.attempt for key, o in outcomes.items()} == {"2": 2} | dict.fromkeys("01345", 1)
    (how,) = run.ends()
    assert (f"no progress for {STALL_S:g} s" if fault in HANGS else "its worker died") in how
    assert run.num_started() <= 3, "two workers, and one fresh process at most"


def test_a_batch_that_kills_every_judge_fails_alone_after_three_deaths(
    tmp_path: Path, calm: dict[str, list[list[Score]] | None]
) -> None:
    run = JudgeRun(tmp_path / "run", faults={"1a": "SIGSEGV", "4b": "exit 0"})
    outcomes = run()
    failed = {key: (o.error.reason, o.attempt) for key, o in outcomes.items() if o.error}
    assert failed == {"1": ("worker_died", 3), "4": ("worker_died", 3)}
    assert {key: value for key, value in scores(outcomes).items() if key not in failed} == {k: calm[k] for k in "0235"}
    assert len(run.ends()) == 6 and run.num_started() <= 2 + 6


def test_a_whole_run_has_the_same_bytes_with_and_without_deaths_of_its_judges(tmp_path: Path) -> None:
    written = []
    for name, once in (("calm", {}), ("storm", {IDS[0]: "SIGKILL", IDS[2]: "SIGSTOP", IDS[4]: "exit 0"})):
        folder = tmp_path / name
        (folder / "notes").mkdir(parents=True)
        faults = ", ".join(f"{key}: {fault}" for key, fault in once.items())
        text = CONFIG.replace("NOTES", str(tmp_path / name / "notes")).replace("ONCE", f"{{{faults}}}")
        (folder / "small.yaml").write_text(text, encoding="utf-8")
        done = cli("run", "small.yaml", "--allow-code", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert all(row["scores"]["overall"]["value"] is not None for row in samples_in(folder).values())
        written.append((folder / "outputs" / "latest" / "samples.jsonl").read_bytes())
        assert done.stderr.count("its worker") == len(once) * 2 or not once, done.stderr
    assert written[0] == written[1]
