"""The stand-in model: its answers are drawn as told, the same everywhere, and its failures have their reasons."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest

from contracts.editor_contract import check_editor
from editeval.benchmarks.procedural import ProceduralBenchmark, ProceduralParams
from editeval.editors.simulated import (
    FAILURES,
    RUNGS,
    Simulated,
    SimulatedError,
    SimulatedParams,
    answer,
    chances_of,
    drawn,
)
from editeval.errors import BenchmarkError, ConfigError, EditRefusedError, ImageError
from editeval.images import decode, encode_png
from editeval.judges.reference import ReferenceJudge, ReferenceParams
from editeval.types import EditRequest, JudgeRequest

SAMPLES = [s for s in ProceduralBenchmark(ProceduralParams(num_per_category=2, size=128)) if s.target and s.mask]
ALWAYS = {name: SimulatedParams({"default": {name: 1.0}}, latency_s=0.0) for name in (*RUNGS, *FAILURES)}


def request(position: int = 0, seed: int = 5) -> EditRequest:
    sample = SAMPLES[position]
    assert sample.target is not None
    return EditRequest(sample.id, (sample.image.read(),), sample.instruction, seed, target=sample.target.read())


def silent(step: int, num_steps: int) -> None:
    return


def test_it_keeps_the_editor_contract() -> None:
    params = SimulatedParams({"default": {"partial": 0.4, "over_edit": 0.3, "wrong_object": 0.2}}, latency_s=0.0)
    check_editor(Simulated, params, [request(i) for i in range(4)])


def test_skill_turns_wrong_edits_right_and_leaves_failures_as_they_are() -> None:
    given = {"a": {"partial": 0.2, "identity": 0.2, "failed": 0.2, "target": 0.4}}
    before, half, all_right = (chances_of(SimulatedParams(given, skill=s), "a/1") for s in (0.0, 0.5, 1.0))
    assert before == pytest.approx({"target": 0.4, "partial": 0.2, "identity": 0.2, "failed": 0.2})
    assert half == pytest.approx({"target": 0.6, "partial": 0.1, "identity": 0.1, "failed": 0.2})
    assert all_right == pytest.approx({"target": 0.8, "failed": 0.2})
    with pytest.raises(ConfigError, match=r"skill: must be from 0 to 1, got 1\.5"):
        SimulatedParams(skill=1.5)


@pytest.mark.parametrize("name", [name for name in RUNGS if name != "identity"])
def test_rungs_are_scored_in_their_order_by_the_known_target(name: str) -> None:
    judge, below = ReferenceJudge(ReferenceParams()), RUNGS[RUNGS.index(name) + 1]
    for sample in SAMPLES:
        assert sample.target is not None and sample.mask is not None
        source, target = sample.image.read(), sample.target.read()
        values = []
        for rung in (name, below):
            edited = encode_png(answer(rung, (source, target), seed=5))
            asked = JudgeRequest(sample.id, (source,), edited, "", target, sample.mask.read())
            (score, *_) = judge.judge([asked])[0]
            assert score.value is not None
            values.append(score.value)
        assert values[0] >= values[1], (sample.id, name, below, values)


def test_an_editor_that_always_answers_so_gives_that_rung_and_fails_with_the_reasons_told() -> None:
    source, target = (np.asarray(decode(data or b"")) for data in (request().images[0], request().target))
    for name, expected in (("identity", source), ("target", target)):
        assert (np.asarray(Simulated(ALWAYS[name]).edit(request(), silent)) == expected).all()
    for name, error in (("refused", EditRefusedError), ("unreadable", ImageError), ("failed", SimulatedError)):
        with pytest.raises(error):
            Simulated(ALWAYS[name]).edit(request(), silent)


def test_an_answer_depends_on_the_samples_id_and_seed_alone_and_is_drawn_as_often_as_told() -> None:
    params = SimulatedParams({"a": {"partial": 0.25, "failed": 0.1}, "default": {}}, latency_s=0.0)
    names = [drawn(params, f"a/{i:05d}", seed=7) for i in range(4000)]
    assert names == [drawn(params, f"a/{i:05d}", seed=7) for i in range(4000)]
    assert names != [drawn(params, f"a/{i:05d}", seed=8) for i in range(4000)]
    counts = Counter(names)
    for name, chance in (("partial", 0.25), ("failed", 0.1), ("target", 0.65)):
        assert abs(counts[name] / 4000 - chance) < 4 * (chance * (1 - chance) / 4000) ** 0.5
    assert drawn(params, "b/0", seed=1) == drawn(params, "no-category", seed=1) == "target"


def test_chances_add_up_and_the_rest_is_the_target() -> None:
    params = SimulatedParams()
    for category in (*params.chances, "other"):
        assert sum(chances_of(params, f"{category}/1").values()) == pytest.approx(1.0)
    assert chances_of(SimulatedParams({}), "physical/1") == {"target": 1.0}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"physical": {"partly": 0.1}}, "no rung 'partly'"),
        ({"physical": {"partial": 1.2}}, "from 0 to 1"),
        ({"physical": {"partial": -0.1}}, "from 0 to 1"),
        ({"physical": {"partial": 0.6, "identity": 0.5}}, "add up to 1.1"),
        ({"physical": {"target": 0.5, "identity": 0.2}}, "leave target out"),
        ({"physical": {"partial": float("nan")}}, "from 0 to 1"),
    ],
)
def test_chances_that_are_none_are_refused(given: dict[str, dict[str, float]], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        SimulatedParams(given)
    with pytest.raises(ConfigError, match="latency_s"):
        SimulatedParams(latency_s=-1.0)


def test_everything_that_is_wrong_with_chances_is_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"^chances: a: no rung 'partly'.*; b: a probability is from 0 to 1"):
        SimulatedParams({"a": {"partly": 0.1}, "b": {"partial": 1.2}, "c": {"partial": 0.2}})


def test_what_it_cannot_work_with_is_named() -> None:
    with pytest.raises(BenchmarkError, match="has no target"):
        Simulated(ALWAYS["target"]).edit(dataclasses.replace(request(), target=None), silent)
    with pytest.raises(ConfigError, match="got steps"):
        Simulated(ALWAYS["target"]).edit(dataclasses.replace(request(), overrides={"steps": 1}), silent)
