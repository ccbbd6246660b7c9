"""Judge `image_metrics` without its networks: pixels, regions, sizes, what is missing, parameters."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from editeval.errors import ConfigError
from editeval.images import encode_png
from editeval.judges.image_metrics import SCALES, ImageMetricsJudge, ImageMetricsParams
from editeval.judges.local import encoders
from editeval.types import JudgeRequest

PIXELS = ("l1", "l2", "psnr")


def grey(level: int, size: tuple[int, int] = (8, 6)) -> bytes:
    return encode_png(Image.new("RGB", size, (level,) * 3))


def scores(request: JudgeRequest, **params: Any) -> dict[str, float | str | None]:
    """By metric, the value, or the reason for none."""
    judge = ImageMetricsJudge(ImageMetricsParams(**{"metrics": PIXELS, **params}))
    (row,) = judge.judge([request])
    return {score.metric: score.reason or score.value for score in row}


def test_pixel_metrics_are_those_of_their_definitions_on_0_1() -> None:
    request = JudgeRequest("a", (grey(0),), grey(102), "brighter", target=grey(51))
    assert scores(request) == pytest.approx({"l1": 0.2, "l2": 0.04, "psnr": -10 * math.log10(0.04)})
    assert scores(request, compared_with="source") == pytest.approx({"l1": 0.4, "l2": 0.16, "psnr": 7.9588001734})


def test_an_edit_that_is_the_target_has_distance_0_and_100_db() -> None:
    request = JudgeRequest("a", (grey(0),), grey(51), "brighter", target=grey(51))
    assert scores(request) == {"l1": 0.0, "l2": 0.0, "psnr": 100.0}


def test_a_region_counts_its_pixels_alone() -> None:
    edited = np.zeros((6, 8, 3), np.uint8)
    edited[:, :2] = 255  # the left quarter, which is the mask
    edited[:, 2:] = 51
    mask = np.zeros((6, 8), np.uint8)
    mask[:, :2] = 255
    request = JudgeRequest(
        "a", (grey(0),), encode_png(Image.fromarray(edited)), "", mask=encode_png(Image.fromarray(mask))
    )
    outside = scores(request, compared_with="source", region="outside_mask")
    assert (outside["l1"], outside["l2"]) == pytest.approx((0.2, 0.04))
    assert scores(request, compared_with="source", region="inside_mask")["l1"] == 1.0


def test_another_size_of_the_same_aspect_is_resized_and_another_aspect_is_unscored() -> None:
    target = grey(51, (40, 30))
    assert scores(JudgeRequest("a", (grey(0),), grey(51, (80, 60)), "", target=target))["l1"] == 0.0
    assert set(scores(JudgeRequest("a", (grey(0),), grey(51, (60, 60)), "", target=target)).values()) == {
        "size_mismatch"
    }


def test_what_a_sample_does_not_have_is_unscored_and_no_zero() -> None:
    bare = JudgeRequest("a", (grey(0),), grey(51), "")
    assert set(scores(bare).values()) == {"no_reference"}
    assert set(scores(bare, compared_with="source", region="outside_mask").values()) == {"no_reference"}
    full = JudgeRequest("a", (grey(0),), grey(51), "", mask=encode_png(Image.new("L", (8, 6), 255)))
    assert set(scores(full, compared_with="source", region="outside_mask").values()) == {"no_reference"}
    assert set(scores(JudgeRequest("a", (grey(0),), b"no picture", "", target=grey(1))).values()) == {"bad_image"}


class Network:
    """An encoder that counts its calls; `vector` is what it makes of everything."""

    def __init__(self, vector: list[float] | None = None) -> None:
        self.asked: list[object] = []
        self._vector = vector

    def of(self, given: Any) -> encoders.Vector:
        self.asked.append(given if isinstance(given, str) else given.getpixel((0, 0))[0])
        return np.array(self._vector or [1.0, float(len(self.asked))])


def networked(request: JudgeRequest, clip: Network, dino: Network) -> dict[str, float | str | None]:
    commits = {"clip_revision": "a" * 40, "dino_revision": "b" * 40}
    judge = ImageMetricsJudge(ImageMetricsParams(metrics=("l1", "clip_i", "dino", "clip_t", "clip_dir"), **commits))
    judge._clip = encoders.TextEncoder(clip.of, "clip", clip.of)
    judge._dino = encoders.Encoder(dino.of, "dino")
    (row,) = judge.judge([request])
    return {score.metric: score.reason or score.value for score in row}


CAPTIONED = JudgeRequest(
    "a",
    (grey(0),),
    grey(102),
    "brighter",
    target=grey(51),
    reference_text="bright",
    metadata={"input_caption": "dark"},
)


def test_each_picture_and_caption_goes_through_a_network_once() -> None:
    clip, dino = Network(), Network()
    found = networked(CAPTIONED, clip, dino)
    assert sorted(map(str, clip.asked)) == ["0", "102", "51", "bright", "dark"] and dino.asked == [102, 51]
    assert all(isinstance(value, float) for value in found.values())


@pytest.mark.parametrize("vector", [[math.nan, 1.0], [math.inf, 1.0]])
def test_a_network_that_gives_no_number_leaves_its_metrics_unscored_and_the_others_alone(vector: list[float]) -> None:
    found = networked(CAPTIONED, Network(vector), Network())
    assert found.pop("l1") == pytest.approx(0.2) and isinstance(found.pop("dino"), float)
    assert set(found.values()) == {"degenerate"}


def test_less_is_better_where_a_distance_is_measured() -> None:
    less = {name for name, scale in SCALES.items() if not scale.is_higher_better}
    assert less == {"l1", "l2", "lpips", "dists"}
    assert ImageMetricsJudge.scales_of(ImageMetricsParams(metrics=("lpips",))) == {"lpips": SCALES["lpips"]}


def test_each_network_of_the_hub_is_looked_up_under_its_own_parameter(tmp_path: Path) -> None:
    revisions = {"clip_revision": "a" * 40, "dino_revision": "b" * 40}
    params = ImageMetricsParams(metrics=("clip_i", "dino"), **revisions)
    found = [ImageMetricsJudge.hub_model(params), *ImageMetricsJudge.hub_others(params)]
    assert [(one.parameter, one.revision) for one in found if one] == [
        ("clip_model", "a" * 40),
        ("dino_model", "b" * 40),
    ]
    local = ImageMetricsParams(metrics=("l1", "dino"), dino_model=str(tmp_path))
    assert (ImageMetricsJudge.hub_model(local), ImageMetricsJudge.hub_others(local)) == (None, ())


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"metrics": ("l1", "fid")}, "metrics"),
        ({"metrics": ()}, "metrics"),
        ({"metrics": ("l1", "l1")}, "metrics"),
        ({"compared_with": "original"}, "compared_with"),
        ({"region": "mask"}, "region"),
        ({"metrics": ("clip_t",), "region": "inside_mask", "clip_model": "./clip"}, "whole edit"),
        ({"metrics": ("clip_i",)}, "clip_revision.*commit of 40 hex digits"),
        ({"metrics": ("dino",), "dino_revision": "main"}, "dino_revision.*commit of 40 hex digits"),
    ],
)
def test_parameters_that_make_no_sense_are_one_line(params: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ImageMetricsParams(**params)
