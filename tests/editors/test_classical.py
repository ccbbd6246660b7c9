"""What the classical editor does: exact operations, plain colours, and a refusal for everything else."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from contracts.editor_contract import check_editor
from editeval.editors.classical import Classical, ClassicalParams
from editeval.errors import ConfigError, EditRefusedError
from editeval.images import encode_png
from editeval.types import EditRequest

RED, BLUE, YELLOW, SKY = (205, 45, 45), (45, 80, 200), (245, 205, 60), (205, 222, 236)
BALL, SQUARE, SUN = (20, 60, 60, 100), (80, 60, 110, 90), (140, 10, 160, 30)  # left, top, right, bottom


def drawing() -> Image.Image:
    image = Image.new("RGB", (180, 120), SKY)
    draw = ImageDraw.Draw(image)
    draw.ellipse(BALL, fill=RED)
    draw.rectangle(SQUARE, fill=BLUE)
    draw.ellipse(SUN, fill=YELLOW)
    return image


SOURCE = drawing()
PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (81, 123, 3), dtype=np.uint8))


def request(instruction: str, image: Image.Image = SOURCE, **overrides: Any) -> EditRequest:
    return EditRequest("r", (encode_png(image),), instruction, 3, overrides)


def edited(instruction: str, image: Image.Image = SOURCE) -> Image.Image:
    return Classical(ClassicalParams()).edit(request(instruction, image), lambda step, num_steps: None)


def pixels(image: Image.Image) -> NDArray[np.int64]:
    return np.asarray(image).astype(np.int64)


def centre(box: tuple[int, int, int, int]) -> tuple[int, int]:
    return (box[1] + box[3]) // 2, (box[0] + box[2]) // 2


def changed(after: Image.Image) -> NDArray[np.bool_]:
    return np.asarray(np.abs(pixels(after) - pixels(SOURCE)).max(axis=2) > 0)


def outside(box: tuple[int, int, int, int], margin: int = 5) -> NDArray[np.bool_]:
    mask = np.ones((120, 180), dtype=bool)
    mask[box[1] - margin : box[3] + margin + 1, box[0] - margin : box[2] + margin + 1] = False
    return mask


def make_photos() -> Any:
    """tools/make_photos.py, which computes targets without the editor."""
    path = Path(__file__).parents[2] / "tools" / "make_photos.py"
    spec = importlib.util.spec_from_file_location("make_photos", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_photos"] = module
    spec.loader.exec_module(module)
    return module


def test_it_keeps_the_editor_contract() -> None:
    texts = ("Make the red circle blue", "Remove the yellow sun", "Blur the photo", "Rotate the photo by 180 degrees")
    check_editor(Classical, ClassicalParams(), [request(text) for text in texts])


def test_every_instruction_for_photographs_is_carried_out_to_the_last_bit() -> None:
    cases = list(make_photos().edits(PHOTO))
    assert len(cases) == 16
    for instruction, target, _ in cases:
        assert edited(instruction.text, PHOTO).tobytes() == target.tobytes(), instruction.name


@pytest.mark.parametrize(
    ("instruction", "box", "colour"),
    [
        ("Make the red circle blue.", BALL, BLUE),
        ("Change the colour of the blue square to red", SQUARE, RED),
        ("Replace yellow with green", SUN, (60, 245, 60)),
        ("turn the red ball black", BALL, (44, 44, 44)),
    ],
)
def test_what_has_the_colour_gets_the_other_and_nothing_else_changes(
    instruction: str, box: tuple[int, int, int, int], colour: tuple[int, int, int]
) -> None:
    after = edited(instruction)
    assert np.abs(pixels(after)[centre(box)] - np.array(colour)).max() <= 60, pixels(after)[centre(box)]
    assert not changed(after)[outside(box, 0)].any()


def test_what_is_removed_is_filled_from_around_it() -> None:
    after = edited("Remove the red ball")
    assert np.abs(pixels(after) - np.array(SKY))[~outside(BALL)].max() <= 2
    assert not changed(after)[outside(BALL)].any()


def test_tone_goes_the_way_that_is_asked_and_by_as_much() -> None:
    grey = Image.new("RGB", (8, 8), (100, 120, 200))
    assert edited("Brighten the photo by 10 %", grey).getpixel((0, 0)) == (110, 132, 220)
    assert edited("make it darker by 50 percent", grey).getpixel((0, 0)) == (50, 60, 100)
    assert edited("Increase the contrast by 50%", grey).getpixel((0, 0)) == (86, 116, 236)
    assert edited("Lower the contrast by 50%", grey).getpixel((0, 0)) == (114, 124, 164)
    assert edited("Make the photo black and white", grey).getpixel((0, 0)) == (123, 123, 123)
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    assert pixels(edited("Shift the hue by 120 degrees", red))[0, 0].argmax() == 1
    sharper = pixels(edited("Sharpen the image"))
    assert sharper.std() > pixels(SOURCE).std() > pixels(edited("Blur the image")).std()


def test_geometry_is_exact() -> None:
    assert (
        edited("Rotate the photo by 90 degrees clockwise").tobytes()
        == SOURCE.transpose(Image.Transpose.ROTATE_270).tobytes()
    )
    turned = edited("rotate the picture 90 degrees counterclockwise")
    assert turned.tobytes() == SOURCE.transpose(Image.Transpose.ROTATE_90).tobytes()
    assert edited("Rotate the image by 30 degrees").size == SOURCE.size
    assert edited("Crop the photo to the left half").tobytes() == SOURCE.crop((0, 0, 90, 120)).tobytes()
    assert edited("Crop 10% from each side").size == (144, 96)
    both = edited("Mirror the photo and then flip it upside down")
    assert both.tobytes() == SOURCE.transpose(Image.Transpose.ROTATE_180).tobytes()


def test_a_part_is_edited_and_the_rest_stays() -> None:
    after = pixels(edited("Darken the bottom right quarter by 40 %"))
    assert (after[:60] == pixels(SOURCE)[:60]).all() and (after[:, :90] == pixels(SOURCE)[:, :90]).all()
    assert (after[60:, 90:] < pixels(SOURCE)[60:, 90:]).any()


@pytest.mark.parametrize(
    ("instruction", "why"),
    [
        ("Blur the dog", "knows nothing of dog"),
        ("Rotate the blue square by 30 degrees", "knows nothing of square"),
        ("Let the lake freeze over", "not understood"),
        ("Make the car red", "knows nothing of car"),
        ("Remove the person in the red shirt beside the door", "not understood"),
        ("Remove the star", "plain colour only"),
        ("Remove the pink ball", "there is no pink to be seen"),
        ("Rotate the photo", "by how many"),
        ("Rotate the left half by 90 degrees", "180 degrees only"),
        ("Crop the photo", "crop to a half"),
        ("Do not blur the photo", "not understood"),
        ("Brighten the photo by 0 %", "changes no pixel"),
        ("把照片变成灰度图。", "not understood"),
        ("", "changes no pixel"),
    ],
)
def test_what_it_cannot_do_is_refused_and_never_a_copy(instruction: str, why: str) -> None:
    with pytest.raises(EditRefusedError, match=why):
        edited(instruction)


def test_parameters_are_checked_and_can_be_overridden() -> None:
    for wrong in ({"hue_tolerance": 0}, {"min_saturation": 255}, {"min_share": 0.6}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            ClassicalParams(**wrong)  # type: ignore[arg-type]
    editor = Classical(ClassicalParams())
    with pytest.raises(ConfigError, match="unknown parameter 'steps'"):
        editor.edit(request("Blur the photo", steps=3), lambda step, num_steps: None)
    with pytest.raises(EditRefusedError, match="no red"):
        editor.edit(request("Remove the red ball", min_share=0.4), lambda step, num_steps: None)
