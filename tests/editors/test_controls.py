"""The two controls: what a judge must give its lowest and its highest marks."""

from __future__ import annotations

import dataclasses

import pytest
from PIL import Image, ImageChops

from contracts.editor_contract import check_editor
from editeval.editors.identity import Identity, IdentityParams
from editeval.editors.target import Target, TargetParams
from editeval.errors import BenchmarkError, ConfigError
from editeval.images import encode_png
from editeval.plugins import available, load
from editeval.types import EditRequest


def flat(colour: str, size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.new("RGB", size, colour)


SOURCE, REFERENCE = flat("navy"), flat("gold")
REQUESTS = [
    EditRequest(
        key=f"r{i}", images=(encode_png(flat(c)),), instruction="Make it gold", seed=i, target=encode_png(REFERENCE)
    )
    for i, c in enumerate(("navy", "red", "green"))
]


def silent(step: int, num_steps: int) -> None:
    return


def test_identity_keeps_the_editor_contract() -> None:
    check_editor(Identity, IdentityParams(), REQUESTS)


def test_target_keeps_the_editor_contract() -> None:
    check_editor(Target, TargetParams(), REQUESTS)


def test_identity_returns_the_pixels_of_the_source() -> None:
    edited = Identity(IdentityParams()).edit(REQUESTS[0], silent)
    assert ImageChops.difference(edited, SOURCE).getbbox() is None


def test_target_returns_the_pixels_of_the_reference() -> None:
    edited = Target(TargetParams()).edit(REQUESTS[0], silent)
    assert ImageChops.difference(edited, REFERENCE).getbbox() is None


def test_target_without_a_reference_says_which_sample_lacks_it() -> None:
    alone = dataclasses.replace(REQUESTS[0], target=None)
    with pytest.raises(BenchmarkError, match=r"request r0: has no target"):
        Target(TargetParams()).edit(alone, silent)


def test_only_the_target_control_and_the_stand_in_ask_for_the_reference() -> None:
    wanting = {name for name in available("editors") if load("editors", name).sees_target}
    assert wanting == {"target", "simulated"}


@pytest.mark.parametrize("editor", [Identity(IdentityParams()), Target(TargetParams())])
def test_overrides_that_a_control_cannot_use_are_refused(editor: Identity | Target) -> None:
    with pytest.raises(ConfigError, match="got num_inference_steps"):
        editor.edit(dataclasses.replace(REQUESTS[0], overrides={"num_inference_steps": 3}), silent)
