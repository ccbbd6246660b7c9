"""What the rule-based editor does to pixels, on a drawing made here and on photographs bundled with scikit-image."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
import time

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from contracts.editor_contract import check_editor
from editeval.editors.classical import Classical, ClassicalParams
from editeval.editors.rules.grammar import InstructionError
from editeval.errors import ConfigError
from editeval.images import encode_png
from editeval.types import EditRequest

Pixels = NDArray[np.int16]
RED, BLUE, GREEN, YELLOW, PURPLE = (205, 45, 45), (45, 80, 200), (50, 150, 75), (245, 205, 60), (140, 65, 175)
SMALL_RED = (215, 40, 50)
# left, top, right, bottom at 512 px
BALL, SQUARE, TRIANGLE = (60, 290, 160, 390), (220, 290, 310, 380), (370, 280, 470, 385)
SUN, DOT = (400, 40, 460, 100), (230, 60, 270, 100)


def star(x: float, y: float, radius: float) -> list[float]:
    corners = []
    for i in range(10):
        reach = radius if i % 2 == 0 else radius * 0.42
        turn = math.pi * (i / 5 - 0.5)
        corners += [x + reach * math.cos(turn), y + reach * math.sin(turn)]
    return corners


def drawing(size: int = 512) -> Image.Image:
    """Six objects before a sky with a gradient and a green floor; anti-aliased by scaling down."""
    fine = 1024 if size <= 512 else 2 * size
    down = np.linspace(0, 1, fine)[:, None, None]
    canvas = np.broadcast_to(np.array([150, 198, 238]) * (1 - down) + np.array([222, 236, 248]) * down, (fine, fine, 3))
    pixels = canvas.astype(np.uint8).copy()
    pixels[round(fine * 0.68) :] = (128, 178, 100)
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)

    def at(values: tuple[float, ...] | list[float]) -> list[float]:
        return [v * fine / 512 for v in values]

    draw.ellipse(at(BALL), fill=RED)
    draw.rectangle(at(SQUARE), fill=BLUE)
    draw.polygon(at((420, 280, 470, 385, 370, 385)), fill=GREEN)
    draw.ellipse(at(SUN), fill=YELLOW)
    draw.ellipse(at(DOT), fill=SMALL_RED)
    draw.polygon(at(star(140, 170, 42)), fill=PURPLE)
    return image.resize((size, size), Image.Resampling.LANCZOS)


@pytest.fixture(scope="module")
def editor() -> Classical:
    made = Classical(ClassicalParams())
    made.load("cpu")
    return made


def silent(step: int, num_steps: int) -> None:
    return


def request(image: Image.Image, instruction: str, seed: int = 3) -> EditRequest:
    return EditRequest(key="r", images=(encode_png(image),), instruction=instruction, seed=seed)


def edited(editor: Classical, instruction: str, image: Image.Image | None = None) -> Pixels:
    return np.asarray(editor.edit(request(image or SOURCE, instruction), silent), dtype=np.int16)


SOURCE = drawing()
BEFORE = np.asarray(SOURCE, dtype=np.int16)


def near(box: tuple[int, ...], margin: int) -> NDArray[np.bool_]:
    mask = np.zeros((512, 512), dtype=bool)
    mask[max(0, box[1] - margin) : box[3] + margin, max(0, box[0] - margin) : box[2] + margin] = True
    return mask


def changed(after: Pixels) -> NDArray[np.bool_]:
    return np.asarray(np.abs(after - BEFORE).max(axis=2) > 0)


def centre(box: tuple[int, ...]) -> tuple[int, int]:
    return (box[1] + box[3]) // 2, (box[0] + box[2]) // 2


def close(pixel: Pixels, colour: tuple[int, ...], tolerance: int = 12) -> bool:
    return bool(np.abs(pixel - np.array(colour)).max() <= tolerance)


REQUESTS = [
    request(SOURCE, text)
    for text in ("Make the red circle blue", "Remove the star", "Add snow", "Rotate the blue square by 30 degrees")
]


def test_classical_keeps_the_editor_contract() -> None:
    check_editor(Classical, ClassicalParams(), REQUESTS)


def test_recolouring_changes_the_named_circle_and_nothing_else(editor: Classical) -> None:
    after = edited(editor, "Make the large red circle blue")
    assert close(after[centre(BALL)], (45, 95, 215))
    assert not changed(after)[~near(BALL, 4)].any()
    hue_left = (after[..., 0] - after[..., 2])[near(BALL, 4)]
    assert hue_left.max() < 40, "a red fringe stays around the circle"


def test_shading_survives_recolouring(editor: Classical) -> None:
    shaded = BEFORE.copy()
    top, left = BALL[1], BALL[0]
    ramp = np.linspace(25, -25, 100).astype(np.int16)[:, None, None]
    ball = np.abs(BEFORE - np.array(RED)).max(axis=2)[top : top + 100, left : left + 100] < 3
    shaded[top : top + 100, left : left + 100][ball] += np.broadcast_to(ramp, (100, 100, 3))[ball]
    image = Image.fromarray(shaded.clip(0, 255).astype(np.uint8))
    after = edited(editor, "Make the largest red circle green", image)
    upper, lower = after[BALL[1] + 15, 110].sum(), after[BALL[3] - 15, 110].sum()
    assert upper > lower + 40


def test_ranks_and_superlatives_choose_among_equals(editor: Classical) -> None:
    smallest = edited(editor, "Make the smallest red circle green")
    assert close(smallest[centre(DOT)], (45, 160, 75)) and not changed(smallest)[near(BALL, 4)].any()
    second = edited(editor, "Make the second circle from the left purple")
    assert changed(second)[centre(DOT)] and not changed(second)[~near(DOT, 4)].any()


def test_relations_choose_the_neighbour(editor: Classical) -> None:
    after = edited(editor, "Make the object to the right of the blue square pink")
    assert close(after[centre(TRIANGLE)], (240, 135, 180)) and not changed(after)[~near(TRIANGLE, 4)].any()


def test_a_plural_means_all_of_them(editor: Classical) -> None:
    after = edited(editor, "Make all circles orange")
    assert all(close(after[centre(box)], (245, 140, 35)) for box in (BALL, DOT, SUN))
    assert not changed(after)[near(SQUARE, 4)].any()


def test_removal_continues_sky_and_floor(editor: Classical) -> None:
    after = edited(editor, "Remove the blue square")
    clean = BEFORE[:, 190:200].mean(axis=1, keepdims=True)
    error = np.abs(after[280:390, 215:315] - clean[280:390]).mean()
    assert error < 4, f"mean error {error:.1f} against the empty background"
    assert not changed(after)[~near(SQUARE, 45)].any()


def test_moving_keeps_the_object_and_closes_the_hole(editor: Classical) -> None:
    after = edited(editor, "Move the star 100 pixels to the right")
    assert close(after[170, 240], PURPLE) and not close(after[170, 140], PURPLE, 40)
    assert np.abs(after[170, 140] - BEFORE[170, 40]).max() < 8


def test_a_corner_and_a_landmark_are_places(editor: Classical) -> None:
    corner = edited(editor, "Move the yellow circle to the top left corner")
    assert close(corner[87, 77], YELLOW)
    beside = edited(editor, "Move the star to the left of the triangle")
    moved = np.argwhere(np.abs(beside - np.array(PURPLE)).max(axis=2) < 10)
    assert 290 < moved[:, 1].mean() < 370 and moved[:, 0].mean() > 300


def test_resizing_scales_the_area_about_its_middle(editor: Classical) -> None:
    after = edited(editor, "Make the blue square half as large")
    blue = np.argwhere(np.abs(after - np.array(BLUE)).max(axis=2) < 12)
    assert 0.19 < len(blue) / (90 * 90) < 0.30
    assert np.abs(blue.mean(axis=0) - np.array(centre(SQUARE))).max() < 2


def test_dropped_things_land_where_things_stand(editor: Classical) -> None:
    after = edited(editor, "Let the smallest red circle fall to the ground")
    red = np.argwhere(np.abs(after - np.array(SMALL_RED)).max(axis=2) < 6)
    assert 370 < red[:, 0].max() < 395


def test_swapped_objects_take_each_others_place(editor: Classical) -> None:
    after = edited(editor, "Swap the largest red circle and the blue square")
    assert close(after[centre(BALL)], BLUE) and close(after[centre(SQUARE)], RED)


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("Mirror the picture horizontally", BEFORE[:, ::-1]),
        ("Flip the image upside down", BEFORE[::-1]),
        ("Rotate the image by 180 degrees", BEFORE[::-1, ::-1]),
        ("Rotate the picture 90 degrees clockwise", np.rot90(BEFORE, -1)),
        ("Invert the colours", 255 - BEFORE),
    ],
)
def test_geometry_and_inversion_are_exact(editor: Classical, instruction: str, expected: Pixels) -> None:
    assert np.array_equal(edited(editor, instruction), expected)


def test_a_region_edit_stops_at_its_border(editor: Classical) -> None:
    after = edited(editor, "Turn the left half grey")
    assert (np.ptp(after[:, :256], axis=2) <= 1).all()
    assert np.array_equal(after[:, 256:], BEFORE[:, 256:])
    darker = edited(editor, "Darken the top right quarter by 30%")
    assert np.abs(darker[:256, 256:] - BEFORE[:256, 256:] * 0.7).max() <= 1
    assert not changed(darker)[256:].any() and not changed(darker)[:, :256].any()


def test_everything_but_the_named_object_changes(editor: Classical) -> None:
    after = edited(editor, "Make everything except the yellow circle grey")
    assert close(after[centre(SUN)], YELLOW, 2)
    assert np.ptp(after[centre(SQUARE)]) <= 1


def test_night_is_darker_and_snow_depends_only_on_the_seed(editor: Classical) -> None:
    assert edited(editor, "Make it night").mean() < 0.5 * BEFORE.mean()
    first, again = (editor.edit(request(SOURCE, "Add snow", seed=5), silent).tobytes() for _ in range(2))
    assert first == again
    assert first != editor.edit(request(SOURCE, "Add snow", seed=6), silent).tobytes()


def test_several_clauses_are_applied_in_order(editor: Classical) -> None:
    after = edited(editor, "Remove the star, then make the sun red and the triangle white.")
    assert not close(after[170, 140], PURPLE, 40)
    assert close(after[centre(SUN)], (215, 40, 40), 20) and close(after[centre(TRIANGLE)], (248, 248, 248), 20)


def test_an_unknown_noun_still_edits_what_stands_out(editor: Classical) -> None:
    after = edited(editor, "Make the gizmo black")
    assert 300 < changed(after).sum() < 20_000


def test_a_request_that_is_not_understood_or_changes_nothing_fails_if_it_must_not_guess() -> None:
    editor = Classical(ClassicalParams(on_unclear="refuse"))
    editor.load("cpu")
    with pytest.raises(InstructionError, match="no edit verb"):
        edited(editor, "Good morning")
    with pytest.raises(InstructionError, match="found nothing in the picture"):
        edited(editor, "Remove the ball", Image.new("RGB", (64, 64), "white"))
    with pytest.raises(InstructionError, match="changed no pixel"):
        edited(editor, "Turn the picture grey", Image.new("RGB", (64, 64), "white"))
    with pytest.raises(InstructionError, match="cannot draw"):
        edited(editor, "Add a wizard")


def test_a_guess_uses_the_words_that_are_understood(editor: Classical) -> None:
    after = edited(editor, "The star shall henceforth wear white")
    assert 300 < changed(after).sum() < 20_000
    assert changed(edited(editor, "Good morning")).any()
    with pytest.raises(ConfigError, match="on_unclear"):
        ClassicalParams(on_unclear="ask")


def test_parameters_are_checked_and_can_be_overridden(editor: Classical) -> None:
    with pytest.raises(ConfigError, match=r"classical\.feather_px"):
        ClassicalParams(feather_px=-1)
    with pytest.raises(ConfigError, match="unknown parameter 'steps'"):
        editor.edit(dataclasses.replace(request(SOURCE, "Make it night"), overrides={"steps": 4}), silent)
    sharp = dataclasses.replace(request(SOURCE, "Remove the star"), overrides={"inpaint_radius_px": 9})
    assert editor.edit(sharp, silent).size == SOURCE.size


@pytest.mark.parametrize("size", [256, 1024])
def test_other_sizes_find_the_same_object(editor: Classical, size: int) -> None:
    after = edited(editor, "Make the blue square orange", drawing(size))
    y, x = (v * size // 512 for v in centre(SQUARE))
    assert close(after[y, x], (245, 140, 35))


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_photographs_are_edited_too(editor: Classical, name: str) -> None:
    data = pytest.importorskip("skimage.data")
    photo = np.asarray(getattr(data, name)(), dtype=np.int16)
    image = Image.fromarray(photo.astype(np.uint8))
    lower = edited(editor, "Convert the bottom half to black and white", image)
    half = photo.shape[0] // 2
    assert np.array_equal(lower[:half], photo[:half]) and (np.ptp(lower[half:], axis=2) <= 1).all()
    blurred = edited(editor, "Blur the background", image)
    touched = (np.abs(blurred - photo).max(axis=2) > 0).mean()
    assert 0.1 < touched < 0.95


def test_an_edit_of_512_pixels_takes_less_than_half_a_second(editor: Classical) -> None:
    took = []
    for _ in range(3):
        began = time.process_time()
        edited(editor, "Remove the largest red circle")
        took.append(time.process_time() - began)
    assert min(took) < 0.5


def test_importing_the_editor_loads_no_opencv() -> None:
    code = "import sys, editeval.editors.classical; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
