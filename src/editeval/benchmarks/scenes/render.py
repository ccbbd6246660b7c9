"""From a cell (which scene, which change) to pixels: source, target, mask and the ladder of graded answers."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from editeval import rungs
from editeval.benchmarks.scenes.canvas import VIVID, Canvas
from editeval.benchmarks.scenes.causal import BALANCE, CANDLES
from editeval.benchmarks.scenes.cultural import CHESS, CLOCKS
from editeval.benchmarks.scenes.environmental import SEASONS, VIEW
from editeval.benchmarks.scenes.physical import FALLING, LAKE
from editeval.benchmarks.scenes.referential import BALLOONS, TOY_SHELF
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, mix
from editeval.prompts import CATEGORIES
from editeval.rungs import Pixels

KINDS: dict[str, tuple[Kind[Any], ...]] = {
    "physical": (FALLING, LAKE),
    "environmental": (VIEW, SEASONS),
    "cultural": (CLOCKS, CHESS),
    "causal": (BALANCE, CANDLES),
    "referential": (TOY_SHELF, BALLOONS),
}
"""Which kinds of scene each category has; their order is part of the benchmark (scenes take turns)."""


class Cell(NamedTuple):
    """The address of a sample's pictures: everything they depend on."""

    category: str
    kind: int  # position in KINDS of the category
    variant: int  # decides the plan: objects, texts
    look: int  # decides what no text mentions
    change: int
    size: int


def plan_of(category: str, kind: int, variant: int) -> Scene[Any]:
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
    """255 on every pixel that differs between source and target, and close to one, else 0; (size, size)."""
    return np.where(rungs.changed(source(*cell[:4], cell.size), target(cell)), 255, 0).astype(np.uint8)


def wrong_object(cell: Cell) -> Pixels:
    """The right operation on another object."""
    return _drawn(cell, plan_of(*cell[:3]).changes[cell.change].wrong)


def partial(cell: Cell) -> Pixels:
    """Target and source divided so that each side carries about half of the change."""
    return rungs.partial(source(*cell[:4], cell.size), target(cell))


def over_edit(cell: Cell) -> Pixels:
    """The target, and outside the mask six coloured stickers that nobody asked for."""
    dice = Dice(mix(cell.look, cell.change, 77))
    colours = [[int(level) for level in hue.rgb] for hue in dice.shuffled(VIVID)[: rungs.NUM_STICKERS]]
    return rungs.with_stickers(target(cell), mask(cell) == 0, dice.between, colours)


def _drawn(cell: Cell, state: object) -> Pixels:
    canvas = Canvas(cell.size)
    KINDS[cell.category][cell.kind].draw(canvas, state, Look(cell.look))
    pixels = canvas.rgb()
    pixels.setflags(write=False)
    return pixels
