"""What the rule-based editor reads out of English sentences."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editeval.editors.rules import colours
from editeval.editors.rules.grammar import Command, InstructionError, parse
from editeval.editors.rules.reference import Region


def only(instruction: str) -> Command:
    (command,) = parse(instruction)
    return command


@pytest.mark.parametrize(
    ("instruction", "action"),
    [
        ("Make the red circle blue", "recolour"),
        ("Please could you turn the large triangle into a purple one?", "recolour"),
        ("Change the color of the car from red to teal.", "recolour"),
        ("The apple should be green", "recolour"),
        ("Make the traffic light show the colour for stop", "recolour"),
        ("Convert the image to black and white.", "grey"),
        ("Get rid of the star", "remove"),
        ("Make the balloon disappear", "remove"),
        ("Put the star on the table", "move"),
        ("Center the triangle", "move"),
        ("Drop the ball onto the floor", "gravity"),
        ("The box falls to the ground", "gravity"),
        ("Let the balloon float up", "rise"),
        ("Shrink the house to half its size", "resize"),
        ("Make the circle twice as big", "resize"),
        ("Flip the image upside down", "mirror"),
        ("Turn the square upside down", "rotate"),
        ("Reduce the brightness of the left third by 40%", "darken"),
        ("Increase the contrast", "contrast"),
        ("Blur the background", "blur"),
        ("Invert the colours of the bottom half", "invert"),
        ("Give the photo a sepia tone", "sepia"),
        ("Make it look like winter", "snow"),
        ("Turn it into a snowy day", "snow"),
        ("Turn the day into night", "night"),
        ("What would it look like if the sun had set?", "night"),
        ("Turn off the lamp", "lights_off"),
        ("Show what the scene looks like after the lamp is switched off", "lights_off"),
        ("Swap the red circle and the blue square", "swap"),
        ("Swap the colours of the star and the heart", "swap_colours"),
        ("Replace the red circle with a green star", "replace"),
        ("Add a red circle in the top left corner", "add"),
        ("Duplicate the tree to the right", "duplicate"),
    ],
)
def test_the_verb_decides_the_action(instruction: str, action: str) -> None:
    assert only(instruction).action == action


def test_a_superlative_and_a_rank_are_read() -> None:
    (target,) = only("Delete the second red circle from the left.").targets
    assert (target.noun, target.order) == ("circle", ("left", 2))
    assert target.colour is not None and target.colour.family == "red"
    (largest,) = only("Make the third largest shape black").targets
    assert largest.order == ("large", 3)


def test_a_relation_names_its_landmark() -> None:
    (target,) = only("Make the object to the right of the blue square yellow").targets
    assert target.relation is not None
    assert (target.relation[0], target.relation[1].noun) == ("right", "square")


def test_region_words_become_rectangles() -> None:
    assert only("Turn the left half grey").targets[0].region == Region(0, 0, 0.5, 1)
    assert only("Brighten the top right quarter by 30%").targets[0].region == Region(0.5, 0, 1, 0.5)


def test_a_list_has_one_reference_per_member() -> None:
    assert [t.noun for t in only("Make the circle and the square blue").targets] == ["circle", "square"]


def test_two_objects_may_get_two_colours() -> None:
    commands = parse("Make the circle red, the square green and the star blue")
    found = [(c.targets[0].noun, c.colour.family if c.colour else "") for c in commands]
    assert found == [("circle", "red"), ("square", "green"), ("star", "blue")]


def test_a_pronoun_stands_for_the_target_before() -> None:
    bigger, moved = parse("Make the circle bigger and move it to the right.")
    assert (bigger.action, moved.action) == ("resize", "move")
    assert moved.targets == bigger.targets


def test_what_must_stay_is_not_edited() -> None:
    assert [c.action for c in parse("Remove the moon. Keep everything else unchanged.")] == ["remove"]


@pytest.mark.parametrize(
    "instruction",
    [
        "Paint the large red circle blue",
        "Change the colour of the large red circle to blue",
        "Change the large red circle from red to blue",
        "Make the large red circle look blue",
        "Turn the large red circle into a blue one",
    ],
)
def test_the_last_colour_is_the_new_one(instruction: str) -> None:
    command = only(instruction)
    assert command.colour is not None and command.colour.family == "blue"
    (target,) = command.targets
    assert target.colour is not None and (target.colour.family, target.noun) == ("red", "circle")


def test_hex_codes_and_shades_are_colours() -> None:
    assert only("Recolor the balloon to #ff8800").colour == colours.read("#ff8800")
    dark, plain = colours.read("dark blue"), colours.read("blue")
    assert dark is not None and plain is not None
    assert sum(dark.rgb) < sum(plain.rgb)


def test_every_colour_name_is_read_as_itself() -> None:
    for name, rgb in colours.NAMES.items():
        found = colours.read(f"the {name} box")
        assert found is not None and found.rgb == rgb, name


@pytest.mark.parametrize("instruction", ["Hello there", "", "把红色的圆变成蓝色", "Explain quantum mechanics", "!!!"])
def test_an_instruction_without_an_edit_verb_is_refused_and_quoted(instruction: str) -> None:
    with pytest.raises(InstructionError, match="no edit verb recognised in") as caught:
        parse(instruction)
    assert repr(instruction) in str(caught.value)


VOCABULARY = (
    "make turn the a red blue circle square left right half of to and by 20 percent move remove it bigger night , . all"
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(VOCABULARY.split()), max_size=25).map(" ".join))
def test_any_word_salad_is_parsed_or_refused_quickly(instruction: str) -> None:
    began = time.process_time()
    with contextlib.suppress(InstructionError):
        assert parse(instruction)
    assert time.process_time() - began < 5.0
