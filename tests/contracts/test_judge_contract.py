"""The reference judge keeps the contract, and the contract notices a judge that does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest

from contracts.judge_contract import check_judge
from editeval.benchmarks.procedural import ProceduralBenchmark, ProceduralParams, ladder
from editeval.judges.reference import ReferenceJudge
from editeval.types import Judge, JudgeRequest, Score


@pytest.fixture(scope="module")
def requests() -> list[JudgeRequest]:
    found = []
    for sample in list(ProceduralBenchmark(ProceduralParams(num_per_category=1, size=96)))[:3]:
        assert sample.target is not None and sample.mask is not None
        found.append(
            JudgeRequest(
                key=sample.id,
                sources=(sample.image.read(),),
                edited=ladder(sample)["partial"],
                instruction=sample.instruction,
                target=sample.target.read(),
                mask=sample.mask.read(),
            )
        )
    return found


def test_the_reference_judge_keeps_the_contract(requests: list[JudgeRequest]) -> None:
    rows = check_judge(ReferenceJudge, ReferenceJudge.Params(), requests)
    assert all(s.value is not None for row in rows for s in row)


@dataclass(frozen=True)
class FaultyParams:
    fault: str = ""  # which promise to break


class FaultyJudge(Judge):
    Params = FaultyParams
    metrics = ("overall",)
    params: FaultyParams
    num_calls = 0

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        self.num_calls += 1
        rows = [[self._score(i, r)] for i, r in enumerate(requests)]
        return FAULTS[self.params.fault](self, rows)

    def _score(self, i: int, request: JudgeRequest) -> Score:
        if request.edited == b"not an image" and self.params.fault != "scores what it cannot read":
            return Score(request.key, "faulty", "overall", None, reason="bad_image")
        return Score(request.key, "faulty", "overall", float(len(request.edited) % 10))


Rows = list[list[Score]]
FAULTS: dict[str, Callable[[FaultyJudge, Rows], Rows]] = {
    "": lambda judge, rows: rows,
    "drops one": lambda judge, rows: rows[:-1],
    "names another sample": lambda judge, rows: [[replace(s, sample_id="x") for s in row] for row in rows],
    "another metric": lambda judge, rows: [[replace(s, metric="charm") for s in row] for row in rows],
    "random": lambda judge, rows: [[replace(s, value=judge.num_calls % 10) for s in row] for row in rows],
    "depends on its place": lambda judge, rows: [[replace(s, value=float(i))] for i, [s] in enumerate(rows)],
    "scores what it cannot read": lambda judge, rows: rows,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_broken_promise_is_noticed(requests: list[JudgeRequest], fault: str) -> None:
    if not fault:
        check_judge(FaultyJudge, FaultyParams(), requests)
        return
    with pytest.raises(AssertionError):
        check_judge(FaultyJudge, FaultyParams(fault), requests)
