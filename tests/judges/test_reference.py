"""The reference judge: exact at both ends, fair in between, and silent where it cannot know."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from editeval.config.load import load_mapping
from editeval.errors import ConfigError
from editeval.images import encode_png
from editeval.judges.reference import ReferenceJudge, ReferenceParams
from editeval.store.score_sets import score_set_id
from editeval.types import JudgeRequest, Score

SIZE = 128


def picture() -> np.ndarray:
    """A textured picture with a red square in it."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    grey = 120 + (rows * 3 + columns * 5) % 40
    image = np.stack([grey, grey - 10, grey - 20], axis=2).astype(np.uint8)
    image[40:80, 40:80] = (200, 40, 40)
    return image


def goal() -> np.ndarray:
    image = picture()
    image[40:80, 40:80] = (40, 60, 200)
    return image


def region() -> np.ndarray:
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[38:82, 38:82] = 255
    return mask


def png(array: np.ndarray) -> bytes:
    return encode_png(Image.fromarray(array))


def jpeg(array: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def request(edited: bytes, **changes: object) -> JudgeRequest:
    fields: dict[str, object] = {"target": png(goal()), "mask": png(region())} | changes
    source = fields.pop("source", png(picture()))
    return JudgeRequest("s", (source,), edited, "Make the red square blue.", **fields)  # type: ignore[arg-type]


def judged(edited: bytes, **changes: object) -> list[Score]:
    return ReferenceJudge(ReferenceParams()).judge([request(edited, **changes)])[0]


def values(edited: np.ndarray | bytes, **changes: object) -> dict[str, float]:
    scores = judged(edited if isinstance(edited, bytes) else png(edited), **changes)
    assert [s.metric for s in scores] == list(ReferenceJudge.metrics)
    return {s.metric: s.value for s in scores if s.value is not None}


def reason(edited: bytes, **changes: object) -> str:
    scores = judged(edited, **changes)
    assert len(scores) == 3 and all(s.value is None for s in scores)
    assert "message" in json.loads(scores[0].raw)
    return scores[0].reason


def test_the_source_scores_exactly_nothing_and_the_target_exactly_everything() -> None:
    assert values(picture()) == {"overall": 0.0, "completeness": 0.0, "preservation": 10.0}
    assert values(goal()) == {"overall": 10.0, "completeness": 10.0, "preservation": 10.0}


def test_half_of_the_way_is_about_half_complete_and_a_ghost_is_less() -> None:
    half = goal()
    half[:, 60:] = picture()[:, 60:]
    assert 3.5 < values(half)["completeness"] < 5.3, "the cut is an edge that nobody asked for"
    blend = ((picture().astype(int) + goal().astype(int)) // 2).astype(np.uint8)
    assert 0.0 < values(blend)["completeness"] < values(half)["completeness"], "neither source nor target"


def test_another_colour_than_the_one_asked_for_earns_little() -> None:
    green = picture()
    green[40:80, 40:80] = (60, 200, 60)
    assert values(green)["completeness"] < 2.0


def test_overshooting_the_target_is_no_better_than_hitting_it() -> None:
    beyond = goal()
    beyond[40:80, 40:80] = (0, 80, 255)
    assert values(beyond)["completeness"] < 10.0


@pytest.mark.parametrize("quality", [95, 90])
def test_reencoding_the_target_costs_next_to_nothing(quality: int) -> None:
    score = values(jpeg(goal(), quality))
    assert score["completeness"] > 9.8 and score["preservation"] > 9.8


def moved(array: np.ndarray, zoom: float = 1.0, x: float = 0.0, y: float = 0.0) -> np.ndarray:
    """Enlarged about the middle, then moved by x and y pixels; what is missing is black."""
    matrix = (1 / zoom, 0, SIZE / 2 - (SIZE / 2 + x) / zoom, 0, 1 / zoom, SIZE / 2 - (SIZE / 2 + y) / zoom)
    image = Image.fromarray(array)
    return np.asarray(image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC))


@pytest.mark.parametrize(("zoom", "x", "y"), [(1.0, 2.0, 0.0), (1.0, -1.5, 0.75), (0.98, 0.0, 0.0), (1.02, 1.0, -1.0)])
def test_a_small_shift_and_zoom_is_found_undone_and_told(zoom: float, x: float, y: float) -> None:
    scores = judged(png(moved(goal(), zoom, x, y)))
    assert scores[0].value is not None and scores[0].value > 9.0
    back = json.loads(scores[0].raw)["moved_back"]
    assert back["x"] == pytest.approx(x, abs=0.3) and back["y"] == pytest.approx(y, abs=0.3)
    assert back["zoom_x"] == pytest.approx(zoom, abs=0.005) and back["zoom_y"] == pytest.approx(zoom, abs=0.005)


@pytest.mark.parametrize(("zoom", "x"), [(1.0, 6.0), (0.9, 0.0), (1.1, 0.0)])
def test_what_anybody_sees_is_not_undone(zoom: float, x: float) -> None:
    scores = judged(png(moved(goal(), zoom, x)))
    assert "moved_back" not in json.loads(scores[0].raw)
    assert scores[0].value is not None and scores[0].value < 6.0


@pytest.mark.parametrize("change", [lambda v: 1.05 * v, lambda v: 0.95 * v, lambda v: v + 12, lambda v: v - 12])
def test_a_little_brightness_is_undone_and_told(change: Callable[[np.ndarray], np.ndarray]) -> None:
    scores = judged(png(np.clip(change(goal().astype(float)), 0, 255).astype(np.uint8)))
    assert scores[0].value is not None and scores[0].value > 9.5
    assert 3 <= json.loads(scores[0].raw)["tone_undone"] <= 15


def test_something_bright_in_a_corner_does_not_pass_for_brightness() -> None:
    spoilt = goal()
    spoilt[:12] = np.minimum(255, spoilt[:12].astype(int) + 20)
    assert "tone_undone" not in json.loads(judged(png(spoilt))[0].raw)


def test_a_tint_and_much_brightness_are_seen() -> None:
    tinted = (0.8 * goal() + 0.2 * np.array([255, 120, 0])).astype(np.uint8)
    assert values(tinted)["overall"] < 2.0
    assert values(np.clip(1.3 * goal(), 0, 255).astype(np.uint8))["overall"] < 2.0


def test_with_nothing_forgiven_a_shift_costs_most_of_the_score() -> None:
    judge = ReferenceJudge(ReferenceParams(forgiven_shift=0.0, forgiven_zoom=0.0, forgiven_tone=0))
    ((score, *_),) = judge.judge([request(png(moved(goal(), x=2.0)))])
    assert score.value is not None and score.value < 5.0 and "moved_back" not in json.loads(score.raw)


def test_right_colours_without_structure_are_worth_less_than_half_of_the_score() -> None:
    flat = goal()
    flat[region() >= 128] = goal()[region() >= 128].mean(axis=0)
    blurred = goal()
    soft = Image.fromarray(goal()).filter(ImageFilter.GaussianBlur(8))
    blurred[region() >= 128] = np.asarray(soft)[region() >= 128]
    for spoilt in (flat, blurred):
        assert values(spoilt)["completeness"] < 4.5


def test_another_shade_of_the_right_colour_is_better_than_half_of_the_change() -> None:
    half, shade = goal(), goal()
    half[:, 60:] = picture()[:, 60:]
    shade[40:80, 40:80] = (60, 90, 225)
    assert values(half)["overall"] < values(shade)["overall"] < 10.0


def test_scores_of_another_version_are_another_judging(tmp_path: Path) -> None:
    class Older(ReferenceJudge):
        @classmethod
        def fingerprint_of(cls, params: object) -> str:
            return ""

    tree = {
        "benchmark": {"type": "procedural"},
        "diffusion_model": {"type": "identity"},
        "reward_model": {"type": "reference"},
        "evaluation": {"output_dir": str(tmp_path)},
    }
    config = load_mapping(tree, "small", environ={})
    (stage,) = config.judges.values()
    ids = {score_set_id(stage, judge, config.prompts).id for judge in (ReferenceJudge, Older)}
    assert len(ids) == 2


def test_a_small_unasked_change_costs_much_however_small_its_share_of_the_picture() -> None:
    spoilt = goal()
    spoilt[4:17, 4:17] = (250, 250, 60)  # 1 % of the picture
    assert 3.0 < values(spoilt)["preservation"] < 6.0
    assert values(spoilt)["completeness"] == 10.0


def test_more_damage_outside_the_mask_never_scores_higher() -> None:
    found = []
    for side in (0, 6, 12, 24, 36):
        spoilt = goal()
        spoilt[:side, :] = 0
        found.append(values(spoilt)["preservation"])
    assert found == sorted(found, reverse=True) and len(set(found)) == len(found)


def test_overall_is_the_geometric_mean() -> None:
    spoilt = goal()
    spoilt[4:20, 4:20] = 0
    score = values(spoilt)
    assert score["overall"] == math.sqrt(score["completeness"] * score["preservation"])


def test_a_black_picture_is_worth_next_to_nothing() -> None:
    assert values(np.zeros((SIZE, SIZE, 3), np.uint8))["overall"] < 1.0


def test_an_edit_of_twice_the_size_is_compared_after_resizing_and_says_so() -> None:
    large = png(np.asarray(Image.fromarray(goal()).resize((2 * SIZE, 2 * SIZE), Image.Resampling.BICUBIC)))
    scores = judged(large)
    assert scores[0].value is not None and scores[0].value > 9.0
    assert json.loads(scores[0].raw)["resized_from"] == [2 * SIZE, 2 * SIZE]


def test_an_edit_of_another_shape_is_unscored() -> None:
    assert reason(png(goal()[:, :100])) == "size_mismatch"
    assert not judged(png(goal()[:, : SIZE - 2]))[0].reason  # within 2 %


def test_without_reference_or_mask_there_is_no_score() -> None:
    assert reason(png(goal()), target=None) == "no_reference"
    assert reason(png(goal()), mask=None) == "no_reference"


def test_bytes_that_do_not_decode_are_unscored() -> None:
    assert reason(b"not a picture") == "bad_image"
    assert reason(png(goal()), source=b"not a picture") == "bad_image"
    assert reason(png(goal()), mask=b"not a picture") == "bad_image"


def test_a_reference_of_another_size_is_unscored() -> None:
    assert reason(png(goal()), target=png(goal()[:64])) == "size_mismatch"
    assert reason(png(goal()), mask=png(region()[:64])) == "size_mismatch"


def test_a_reference_that_changes_nothing_is_unscored() -> None:
    assert reason(png(goal()), target=png(picture())) == "no_change"
    assert reason(png(goal()), mask=png(np.zeros((SIZE, SIZE), np.uint8))) == "no_change"


def test_every_request_is_answered_in_order() -> None:
    judge = ReferenceJudge(ReferenceParams())
    answers = judge.judge([request(png(picture())), request(b""), request(png(goal()))])
    assert [a[0].value for a in answers] == [0.0, None, 10.0]
    assert judge.judge([]) == []


def test_the_same_edit_gets_the_same_bits() -> None:
    edited = jpeg(goal(), 60)
    first, second = judged(edited), judged(edited)
    assert [(s.value, s.raw) for s in first] == [(s.value, s.raw) for s in second]


def test_the_numbers_behind_a_score_are_in_raw() -> None:
    raw = json.loads(judged(png(goal()))[0].raw)
    assert raw["gained"] == raw["whole"] > 0 and raw["spoilt"] == 0 and raw["room"] > 0


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"unseen_difference": 30}, "full_difference"),
        ({"unseen_difference": -1}, "unseen_difference"),
        ({"object_share": 0.0}, "object_share"),
        ({"object_share": math.nan}, "object_share"),
        ({"forgiven_distance": -1}, "forgiven_distance"),
        ({"max_aspect_error": -0.1}, "max_aspect_error"),
        ({"forgiven_shift": -0.1}, "forgiven_shift"),
        ({"forgiven_zoom": -0.1}, "forgiven_zoom"),
        ({"forgiven_tone": -1}, "forgiven_tone"),
    ],
)
def test_impossible_tolerances_are_refused_by_name_before_anything_is_loaded(
    params: dict[str, Any], field: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{field}: must be "):
        ReferenceParams(**params)
