"""The contract suite must catch editors that misbehave."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from PIL import Image

from contracts.editor_contract import check_editor
from editeval.errors import ImageError
from editeval.images import decode, encode_png
from editeval.types import Editor, EditRequest, Progress


@dataclass(frozen=True, slots=True)
class FakeParams:
    """Parameters of the fakes."""

    shade: int = 7  # added to every channel


class Good(Editor):
    Params = FakeParams

    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        image = decode(request.images[0]).point(lambda v: v + self.params.shade)
        progress(1, 1)
        return image


class ReturnsRgba(Good):
    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        return super().edit(request, progress).convert("RGBA")


class Resizes(Good):
    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        return super().edit(request, progress).resize((8, 8))


class Remembers(Good):
    def __init__(self, params: FakeParams) -> None:
        super().__init__(params)
        self.count = 0

    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        self.count += 1
        return super().edit(request, progress).point(lambda v: v + self.count)


class SwallowsBrokenImages(Good):
    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        try:
            return super().edit(request, progress)
        except ImageError:
            return Image.new("RGB", (16, 16))


class CountsBackwards(Good):
    def edit(self, request: EditRequest, progress: Progress) -> Image.Image:
        progress(2, 3)
        progress(1, 3)
        return super().edit(request, progress)


class UnloadsOnce(Good):
    def __init__(self, params: FakeParams) -> None:
        super().__init__(params)
        self.model: list[int] | None = [1]

    def unload(self) -> None:
        assert self.model is not None, "unloaded twice"
        self.model = None


@dataclass(frozen=True, slots=True)
class BareParams:
    """One field that nobody explains."""

    first: int = 1

    second: int = 2


class Unexplained(Good):
    Params = BareParams


REQUESTS = [
    EditRequest(key=f"r{i}", images=(encode_png(Image.new("RGB", (16, 12), c)),), instruction="shade", seed=i)
    for i, c in enumerate(("navy", "teal"))
]


def test_a_good_editor_passes() -> None:
    check_editor(Good, FakeParams(), REQUESTS)


@pytest.mark.parametrize(
    ("editor_class", "rule"),
    [
        (ReturnsRgba, "mode RGBA"),
        (Resizes, r"returned \(8, 8\)"),
        (Remembers, "another order gives other pixels"),
        (SwallowsBrokenImages, "without an ImageError"),
        (CountsBackwards, "progress does not grow"),
        (UnloadsOnce, "unloaded twice"),
    ],
)
def test_a_misbehaving_editor_is_caught(editor_class: type[Editor], rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_editor(editor_class, FakeParams(), REQUESTS)


def test_parameters_that_nobody_explains_are_caught() -> None:
    with pytest.raises(AssertionError, match="without a comment or docstring"):
        check_editor(Unexplained, BareParams(), REQUESTS)


def test_an_editor_that_resizes_may_say_so() -> None:
    check_editor(Resizes, FakeParams(), REQUESTS, same_size=False)
