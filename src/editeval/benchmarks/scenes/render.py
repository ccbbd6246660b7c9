"""From a cell (which scene, which change) to pixels: source, target, mask and the ladder of graded answers."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from editeval.benchmarks.scenes.canvas import Canvas
from editeval.benchmarks.scenes.catalogue import KINDS
from editeval.benchmarks.scenes.palette import VIVID
from editeval.benchmarks.scenes.plan import Dice, Look, Plan, mix
from editeval.categories import CATEGORIES

Pixels = npt.NDArray[np.uint8]
MARGIN_PX = 3  # the mask is this much wider than the change


class Cell(NamedTuple):
    """The address of a sample's pictures: everything they depend on."""

    category: str
    kind: int  # position in the catalogue's list of the category
    variant: int  # decides the plan: objects, texts
    look: int  # decides what no text mentions
    change: int
    size: int


def plan_of(category: str, kind: int, variant: int) -> Plan:
    """The plan of a scene; needs no pixels."""
    return KINDS[category][kind].plan(Dice(mix(variant, kind, CATEGORIES.index(category))))


@lru_cache(maxsize=2)
def source(category: str, kind: int, variant: int, look: int, size: int) -> Pixels:
    """The source picture, read-only (size, size, 3)."""
    return _drawn(Cell(category, kind, variant, look, 0, size), plan_of(category, kind, variant).source)


@lru_cache(maxsize=4)
def target(cell: Cell) -> Pixels:
    """The exact answer."""
    return _drawn(cell, plan_of(*cell[:3]).changes[cell.change].target)


def mask(cell: Cell) -> Pixels:
    """255 on every pixel that differs between source and target and MARGIN_PX around, else 0; (size, size)."""
    before, after = source(*cell[:4], cell.size), target(cell)
    differs = (before != after).any(axis=2)
    return np.where(_grown(differs, MARGIN_PX), 255, 0).astype(np.uint8)


def wrong_object(cell: Cell) -> Pixels:
    """The right operation on another object."""
    return _drawn(cell, plan_of(*cell[:3]).changes[cell.change].wrong)


def partial(cell: Cell) -> Pixels:
    """Target and source divided so that each side carries about half of the change."""
    before, after = source(*cell[:4], cell.size), target(cell)
    weight = np.abs(before.astype(np.int64) - after.astype(np.int64)).sum(axis=(0, 2))
    total = int(weight.sum())
    column = int(np.searchsorted(np.cumsum(weight), (total + 1) // 2))
    result = before.copy()
    result[:, : column + 1] = after[:, : column + 1]
    return result


def over_edit(cell: Cell) -> Pixels:
    """The target, and outside the mask six coloured stickers that nobody asked for."""
    result, free = target(cell).copy(), mask(cell) == 0
    dice, reach = Dice(mix(cell.look, cell.change, 77)), max(4, cell.size // 14)
    rows, columns = np.ogrid[: cell.size, : cell.size]
    for hue in dice.shuffled(VIVID)[:6]:
        cy, cx = _roomiest(free, dice, reach)
        dy, dx = rows - cy, columns - cx
        squared = dy * dy + dx * dx
        sticker = (squared < reach * reach) & free
        result[sticker] = 255
        result[sticker & (squared * 5 < reach * reach * 4)] = [int(level) for level in hue.rgb]
        free = free & ~sticker
    return result


def _roomiest(free: npt.NDArray[np.bool_], dice: Dice, reach: int) -> tuple[int, int]:
    """Of 24 random places, the one with most free pixels around."""
    size = free.shape[0]
    places = [(dice.between(reach, size - reach), dice.between(reach, size - reach)) for _ in range(24)]

    def room(place: tuple[int, int]) -> int:
        y, x = place
        return int(free[y - reach : y + reach, x - reach : x + reach].sum())

    return max(places, key=room)


def _drawn(cell: Cell, state: object) -> Pixels:
    canvas = Canvas(cell.size)
    KINDS[cell.category][cell.kind].draw(canvas, state, Look(cell.look))
    pixels = canvas.rgb()
    pixels.setflags(write=False)
    return pixels


def _grown(area: npt.NDArray[np.bool_], margin: int) -> npt.NDArray[np.bool_]:
    for axis in (0, 1):
        padded = np.pad(area, [(margin, margin) if a == axis else (0, 0) for a in (0, 1)])
        length = area.shape[axis]
        grown = np.zeros_like(area)
        for shift in range(2 * margin + 1):
            grown |= padded[shift : shift + length] if axis == 0 else padded[:, shift : shift + length]
        area = grown
    return area
