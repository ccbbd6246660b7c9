"""Sizes of diffusers edits, without any model: what each rule gives, and that nothing is stretched beyond rounding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editeval.editors.diffusion import families
from editeval.editors.diffusion.families import FAMILIES, KONTEXT_SIZES
from editeval.errors import ConfigError

SIDES = st.integers(64, 4096)
MAX_ASPECT = 4.0


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("qwen_image_edit", (1024, 1024), (1024, 1024)),
        ("qwen_image_edit", (1000, 750), (1184, 896)),
        ("qwen_image_edit_plus", (1248, 832), (1248, 832)),
        ("flux_kontext", (640, 480), (1184, 880)),
        ("flux_kontext", (512, 512), (1024, 1024)),
        ("flux_kontext", (4000, 1000), (2048, 512)),  # beyond its table: its own aspect
        ("flux2", (640, 480), (640, 480)),
        ("flux2", (30, 60), (64, 128)),
        ("instruct_pix2pix", (1024, 512), (512, 256)),
        ("longcat_image_edit", (96, 64), (1264, 848)),
    ],
)
def test_the_size_a_family_works_at(name: str, source: families.Size, expected: families.Size) -> None:
    assert FAMILIES[name].model_size(source) == expected


@given(st.sampled_from(sorted(FAMILIES)), SIDES, SIDES)
def test_no_family_changes_an_aspect_by_more_than_its_grid(name: str, width: int, height: int) -> None:
    if max(width / height, height / width) > MAX_ASPECT:
        return
    got = FAMILIES[name].model_size((width, height))
    change = got[0] * height / (got[1] * width)
    # one cell of the grid on either side; Kontext's table is coarse: a step of it is 17 %, so half of that
    allowed = 0.11 if name == "flux_kontext" else 34 / min(got)
    assert abs(change - 1) <= allowed


@given(SIDES, SIDES)
def test_flux2_never_exceeds_a_megapixel_beyond_which_its_pipeline_would_crop(width: int, height: int) -> None:
    if max(width / height, height / width) > MAX_ASPECT:
        return
    got = FAMILIES["flux2"].model_size((width, height))
    assert got[0] * got[1] <= 1024 * 1024
    assert not got[0] % 16 and not got[1] % 16
    assert min(got) >= 64


def test_kontext_sizes_are_seventeen_about_a_megapixel() -> None:
    assert len(set(KONTEXT_SIZES)) == 17
    assert all(0.95 < w * h / 1024**2 < 1.05 and not w % 16 and not h % 16 for w, h in KONTEXT_SIZES)


@pytest.mark.parametrize("text", ["", "big", "1024", "0x10", "1024X768", "-5x5", "1024x768x3", "123456x10"])
def test_a_size_that_is_none_says_what_it_could_be(text: str) -> None:
    with pytest.raises(ValueError, match='size: must be "model", "source" or WIDTHxHEIGHT'):
        families.parse_size(text)


def test_model_and_source_have_no_canvas_and_a_canvas_has_its_sides() -> None:
    assert families.parse_size("model") is None
    assert families.parse_size("source") is None
    assert families.parse_size("1024x768") == (1024, 768)


def test_a_canvas_off_the_grid_is_refused_with_the_next_one() -> None:
    families.check_canvas((1024, 768), 16, "size")
    families.check_canvas(None, 16, "size")
    with pytest.raises(ConfigError, match="size: both sides must be multiples of 16, got 1000x768; try 992x768"):
        families.check_canvas((1000, 768), 16, "size")


def test_rounding_is_no_stretch_and_another_aspect_is() -> None:
    assert not families.is_stretch((1000, 750), (1184, 896))
    assert families.is_stretch((1000, 750), (1024, 1024))
