"""The built-in benchmark: cheap to list, exact in its pixels, and graded answers in their order."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import numpy as np
import pytest

from contracts.benchmark_contract import check_benchmark
from editeval.benchmarks.procedural import NUM_VARIANTS, ProceduralBenchmark, ProceduralParams, ladder
from editeval.benchmarks.scenes import render
from editeval.benchmarks.scenes.render import KINDS
from editeval.errors import BenchmarkError
from editeval.images import BytesImage, decode
from editeval.judges.reference import ReferenceJudge, ReferenceParams
from editeval.prompts import CATEGORIES
from editeval.types import ImageRef, JudgeRequest, Sample

SCENES = Path(render.__file__).parent
RUNGS = ("target", "target_reencoded", "partial", "over_edit", "wrong_object", "identity")
KINDS_OF_ALL = [(category, i) for category in CATEGORIES for i in range(len(KINDS[category]))]
EXACT = {"sqrt", "abs", "minimum", "maximum", "where"}  # IEEE 754 rounds these alike on every machine
NO_ARITHMETIC = {
    "zeros", "zeros_like", "full", "arange", "ogrid", "pad", "broadcast_arrays", "ascontiguousarray",
    "float64", "uint8", "int64", "bool_",
}  # fmt: skip
INTEGERS_ONLY = {"cumsum", "searchsorted"}  # render.py, on differences of bytes


def samples(**params: object) -> list[Sample]:
    return list(ProceduralBenchmark(ProceduralParams(**params)))  # type: ignore[arg-type]


def pixels(image: ImageRef | None, mode: str = "RGB") -> np.ndarray:
    assert image is not None
    return np.asarray(decode(image.read(), mode)).astype(np.int64)


def scores(sample: Sample, edited: bytes) -> dict[str, float]:
    assert sample.target is not None and sample.mask is not None
    request = JudgeRequest(
        sample.id, (sample.image.read(),), edited, sample.instruction, sample.target.read(), sample.mask.read()
    )
    given = ReferenceJudge(ReferenceParams()).judge([request])[0]
    return {s.metric: s.value for s in given if s.value is not None}


def check_ladder(sample: Sample) -> None:
    rungs = {name: scores(sample, data) for name, data in ladder(sample).items()}
    overall = {name: values["overall"] for name, values in rungs.items()}
    assert overall["target"] == 10.0 and overall["identity"] == 0.0 and rungs["identity"]["preservation"] == 10.0
    assert overall["target"] >= overall["target_reencoded"] > 9.0, (sample.id, overall)
    assert overall["target_reencoded"] > overall["partial"], (sample.id, overall)
    assert overall["partial"] > max(overall["wrong_object"], overall["identity"]), (sample.id, overall)
    assert overall["over_edit"] < overall["target_reencoded"], (sample.id, overall)
    assert rungs["over_edit"]["preservation"] < rungs["target_reencoded"]["preservation"], (sample.id, rungs)


def test_the_default_is_270_samples_54_of_each_category_in_scenes_of_three() -> None:
    found = samples()
    assert [s.category for s in found] == [c for c in CATEGORIES for _ in range(54)]
    assert len({s.id for s in found}) == 270
    sizes = {cluster: sum(s.cluster == cluster for s in found) for cluster in {s.cluster for s in found}}
    assert len(sizes) == 90 and set(sizes.values()) == {3}


def test_it_keeps_the_benchmark_contract() -> None:
    check_benchmark(ProceduralBenchmark, ProceduralParams(num_per_category=7, size=128), num_decoded=7)


def test_every_category_has_two_kinds_of_scenes_and_the_default_shows_them_all() -> None:
    shown = {(s.category, s.metadata["scene"]) for s in samples()}
    assert shown == {(category, kind.name) for category, kinds in KINDS.items() for kind in kinds}
    assert all(len(kinds) == 2 for kinds in KINDS.values())


def test_a_sample_does_not_depend_on_how_many_there_are() -> None:
    few, many = samples(num_per_category=4), {s.id: s for s in samples(num_per_category=30)}
    assert all(many[s.id] == s for s in few)


def test_the_60_samples_of_the_demo_all_ask_for_something_else() -> None:
    found = samples(num_per_category=12)
    assert len({s.instruction for s in found}) == len({s.metadata["instruction_zh"] for s in found}) == len(found) == 60


def test_language_changes_the_instruction_and_nothing_else() -> None:
    for english, chinese in zip(samples(num_per_category=9), samples(num_per_category=9, language="zh"), strict=True):
        assert english.instruction == english.metadata["instruction_en"] == chinese.metadata["instruction_en"]
        assert chinese.instruction == chinese.metadata["instruction_zh"]
        assert any("\u4e00" <= c <= "\u9fff" for c in chinese.instruction)
        assert (english.id, english.image, english.description) == (chinese.id, chinese.image, chinese.description)


def test_another_seed_gives_other_scenes_and_another_fingerprint() -> None:
    one, two = ProceduralBenchmark(ProceduralParams()), ProceduralBenchmark(ProceduralParams(seed=1))
    assert one.fingerprint() != two.fingerprint()
    assert [s.instruction for s in one] != [s.instruction for s in two]


def test_every_parameter_is_part_of_the_fingerprint() -> None:
    changed = [{"num_per_category": 3}, {"seed": 3}, {"size": 256}, {"language": "zh"}, {}]
    assert len({ProceduralBenchmark(ProceduralParams(**c)).fingerprint() for c in changed}) == 5  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"language": "de"}, "procedural.language: must be one of en, zh, got 'de'"),
        ({"size": 8}, "procedural.size: must be 64 to 2048"),
        ({"num_per_category": 0}, "procedural.num_per_category: must be 1 to 200000, got 0"),
        ({"num_per_category": 99_999_999_999}, "must be 1 to 200000, got 99999999999"),
    ],
)
def test_a_wrong_parameter_is_one_clear_line(params: dict[str, object], message: str) -> None:
    with pytest.raises(BenchmarkError, match=message):
        ProceduralBenchmark(ProceduralParams(**params))  # type: ignore[arg-type]


def test_a_hundred_thousand_samples_list_in_seconds() -> None:
    started = time.process_time()
    count = sum(1 for _ in ProceduralBenchmark(ProceduralParams(num_per_category=20_000)))
    assert count == 100_000
    assert time.process_time() - started < 5.0  # 1 s on an idle core


@pytest.mark.parametrize(("category", "kind"), KINDS_OF_ALL)
def test_every_plan_asks_for_three_real_changes_in_whole_sentences(category: str, kind: int) -> None:
    for variant in range(NUM_VARIANTS):
        plan = render.plan_of(category, kind, variant)
        assert len(plan.changes) == 3 and plan.description.endswith(".")
        for change in plan.changes:
            assert change.target != plan.source and change.wrong not in (plan.source, change.target), change
            assert change.english[0].isupper() and change.english[-1] in ".?" and "  " not in change.english
            assert change.chinese[-1] in "。？" and change.difficulty in (1, 2, 3)


def test_every_convention_names_its_rule() -> None:
    cited = [s for s in samples(num_per_category=60) if s.category == "cultural" and s.metadata["difficulty"] == 3]
    assert cited and all(s.metadata["rule"] for s in cited)


@pytest.mark.parametrize(("category", "kind"), KINDS_OF_ALL)
def test_nothing_changes_outside_the_mask_and_something_plain_to_see_does_inside(category: str, kind: int) -> None:
    name = KINDS[category][kind].name
    scene = [s for s in samples(num_per_category=18, size=192) if s.metadata["scene"] == name][:3]
    for sample in scene:
        source, target = pixels(sample.image), pixels(sample.target)
        mask = pixels(sample.mask, "L")
        assert set(np.unique(mask)) <= {0, 255}
        assert (source[mask == 0] == target[mask == 0]).all()
        visible = np.abs(source - target).max(axis=2) > 24
        assert visible.sum() >= 40, f"{sample.instruction!r} changes {visible.sum()} pixels of 192 x 192"
        assert (mask == 0).mean() > 0.25, f"{sample.instruction!r} leaves nothing to preserve"


def test_pictures_of_one_scene_share_their_source() -> None:
    first, second, third, other = samples(num_per_category=4, size=96)[:4]
    assert first.image.read() == second.image.read() == third.image.read() != other.image.read()
    assert len({s.target.read() for s in (first, second, third) if s.target}) == 3


def test_drawing_uses_only_operations_that_every_machine_rounds_alike() -> None:
    for path in SCENES.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                allowed = EXACT | NO_ARITHMETIC | (INTEGERS_ONLY if path.name == "render.py" else set())
                assert node.value.id != "np" or node.attr in allowed, f"{path.name}:{node.lineno}: np.{node.attr}"
                assert node.value.id != "math" or node.attr == "sqrt", f"{path.name}:{node.lineno}: math.{node.attr}"
            assert not isinstance(node, ast.Pow | ast.MatMult), f"{path.name}: powers and products of matrices differ"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names] + [getattr(node, "module", None) or ""]
                assert not any(n.split(".")[0] in ("random", "PIL", "cmath") for n in names), f"{path.name}: {names}"


def test_a_sample_of_another_benchmark_has_no_ladder() -> None:
    with pytest.raises(BenchmarkError, match="has no ladder"):
        ladder(Sample("x", "physical", (BytesImage(b""),), "Do it."))


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_ladder_is_in_order_on_two_samples_of_each_category(category: str) -> None:
    chosen = [s for s in samples(num_per_category=6, size=192) if s.category == category][::4]
    assert len(chosen) == 2
    for sample in chosen:
        assert tuple(ladder(sample)) == RUNGS
        check_ladder(sample)


@pytest.mark.slow
@pytest.mark.parametrize("category", CATEGORIES)
def test_the_ladder_is_in_order_on_every_sample_and_at_the_default_size_on_every_ninth(category: str) -> None:
    size = 256 if category == "cultural" else 128  # below, the hands of a clock are too thin for half of a change
    for sample in (*samples(size=size), *samples()[::9]):
        if sample.category == category:
            check_ladder(sample)
