"""Graded answers to a sample, made of nothing but the pixels of its source and its target, best first.

They are what a judge is tested with, and what the simulated editor answers. Pixels are (height, width, 3), 0-255.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Area = npt.NDArray[np.bool_]
Rung = Callable[[Pixels, Pixels, int], Pixels]
"""rung(source, target, seed): the same for the same arguments, on every machine with the same Pillow."""

MARGIN_PX = 3  # the mask of a change is this much wider than the change
NUM_STICKERS = 6
_COLOURS = ((220, 30, 40), (30, 90, 220), (250, 200, 20), (20, 150, 70), (150, 50, 170), (240, 120, 20))


def through_jpeg(pixels: Pixels, quality: int = 95) -> Pixels:
    """What is left after a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def partial(source: Pixels, target: Pixels) -> Pixels:
    """Target and source, divided by a vertical line so that each side carries about half of the change."""
    weight = np.abs(source.astype(np.int64) - target.astype(np.int64)).sum(axis=(0, 2))
    total = int(weight.sum())
    column = int(np.searchsorted(np.cumsum(weight), (total + 1) // 2))
    result = source.copy()
    result[:, : column + 1] = target[:, : column + 1]
    return result


def changed(source: Pixels, target: Pixels, margin_px: int = MARGIN_PX) -> Area:
    """True on every pixel that differs, and on those up to `margin_px` away; (height, width)."""
    area: Area = (source != target).any(axis=2)
    for axis in (0, 1):
        padded = np.pad(area, [(margin_px, margin_px) if a == axis else (0, 0) for a in (0, 1)])
        length = area.shape[axis]
        grown = np.zeros_like(area)
        for shift in range(2 * margin_px + 1):
            grown |= padded[shift : shift + length] if axis == 0 else padded[:, shift : shift + length]
        area = grown
    return area


def with_stickers(
    pixels: Pixels, free: Area, between: Callable[[int, int], int], colours: Sequence[Sequence[int]]
) -> Pixels:
    """`pixels` with a round sticker of each colour where `free` leaves most room; `between` draws the places."""
    result, height, width = pixels.copy(), pixels.shape[0], pixels.shape[1]
    reach = max(4, min(height, width) // 14)
    rows, columns = np.ogrid[:height, :width]
    for colour in colours:
        cy, cx = _roomiest(free, between, reach)
        dy, dx = rows - cy, columns - cx
        squared = dy * dy + dx * dx
        sticker = (squared < reach * reach) & free
        result[sticker] = 255
        result[sticker & (squared * 5 < reach * reach * 4)] = list(colour)
        free = free & ~sticker
    return result


def _roomiest(free: Area, between: Callable[[int, int], int], reach: int) -> tuple[int, int]:
    """Of 24 random places, the one with most free pixels around."""
    height, width = free.shape
    places = [(between(reach, height - reach), between(reach, width - reach)) for _ in range(24)]

    def room(place: tuple[int, int]) -> int:
        y, x = place
        return int(free[y - reach : y + reach, x - reach : x + reach].sum())

    return max(places, key=room)


def over_edit(source: Pixels, target: Pixels, seed: int) -> Pixels:
    """The target, and outside of the change six stickers that nobody asked for."""
    dice = random.Random(seed)
    colours = dice.sample(_COLOURS, NUM_STICKERS)
    return with_stickers(target, ~changed(source, target), dice.randint, colours)


def misplaced(source: Pixels, target: Pixels) -> Pixels:
    """The change half a picture away: done, but to the wrong part of the picture."""
    by = source.shape[0] // 2, source.shape[1] // 2
    moved, area = np.roll(target, by, (0, 1)), np.roll((source != target).any(axis=2), by, (0, 1))
    result = source.copy()
    result[area] = moved[area]
    return result


RUNGS: dict[str, Rung] = {
    "target": lambda source, target, seed: target,
    "target_reencoded": lambda source, target, seed: through_jpeg(target),
    "partial": lambda source, target, seed: partial(source, target),
    "over_edit": over_edit,
    "wrong_object": lambda source, target, seed: misplaced(source, target),
    "identity": lambda source, target, seed: source,
}
"""By name, as the built-in benchmark calls its own; there `wrong_object` is drawn and hits an object."""
