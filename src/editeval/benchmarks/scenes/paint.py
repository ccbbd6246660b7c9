"""The named colours, in both languages, how to shade them, and gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from editeval.benchmarks.scenes.shapes import Bounds, Grid

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Fade:
    """A gradient from `first` at `start` to `last` at `end`, downwards or to the right."""

    first: Colour
    last: Colour
    is_down: bool
    start: float
    end: float

    def share(self, x: Grid, y: Grid) -> Grid:
        """How far each row or each column is from `first` to `last`, 0-1."""
        t = ((y if self.is_down else x) - self.start) / (self.end - self.start)
        return np.minimum(np.maximum(t, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Radial:
    """A gradient from `first` at the centre to `last` at distance `r`."""

    first: Colour
    last: Colour
    cx: float
    cy: float
    r: float

    def share(self, x: Grid, y: Grid) -> Grid:
        """How far each grid point is from `first` to `last`, 0-1."""
        dx, dy = x - self.cx, y - self.cy
        return np.minimum(np.sqrt(dx * dx + dy * dy) / self.r, 1.0)


@dataclass(frozen=True, slots=True)
class Shade:
    """A gradient over the whole shape: `rgb` lighter by `light` at the left (or above), darker by `dark` beyond."""

    rgb: Colour
    light: float
    dark: float
    is_down: bool = False

    def over(self, box: Bounds) -> Fade:
        """The gradient for a shape with this box."""
        start, end = box[1::2] if self.is_down else box[::2]
        return Fade(lighter(self.rgb, self.light), darker(self.rgb, self.dark), self.is_down, start, end)


Paint = Colour | Fade | Radial | Shade


def down(first: Colour, last: Colour, y0: float, y1: float) -> Fade:
    """A vertical gradient."""
    return Fade(first, last, True, y0, y1)


def across(first: Colour, last: Colour, x0: float, x1: float) -> Fade:
    """A horizontal gradient."""
    return Fade(first, last, False, x0, x1)


@dataclass(frozen=True, slots=True)
class Hue:
    """A colour that an instruction can name."""

    english: str
    chinese: str
    rgb: Colour


RED = Hue("red", "红色", (222.0, 70.0, 62.0))
ORANGE = Hue("orange", "橙色", (240.0, 138.0, 44.0))
YELLOW = Hue("yellow", "黄色", (247.0, 205.0, 70.0))
GREEN = Hue("green", "绿色", (84.0, 166.0, 98.0))
BLUE = Hue("blue", "蓝色", (58.0, 118.0, 206.0))
PURPLE = Hue("purple", "紫色", (136.0, 90.0, 188.0))
PINK = Hue("pink", "粉色", (241.0, 142.0, 172.0))

VIVID = (RED, ORANGE, YELLOW, GREEN, BLUE, PURPLE, PINK)

INK: Colour = (62.0, 52.0, 66.0)
CREAM: Colour = (253.0, 246.0, 232.0)
WOOD: Colour = (196.0, 142.0, 92.0)
DARK_WOOD: Colour = (140.0, 94.0, 62.0)
WHITE_LIGHT: Colour = (255.0, 255.0, 255.0)


def lighter(colour: Colour, share: float) -> Colour:
    """`colour` moved towards white."""
    r, g, b = colour
    return r + (255.0 - r) * share, g + (255.0 - g) * share, b + (255.0 - b) * share


def darker(colour: Colour, share: float) -> Colour:
    """`colour` moved towards a deep violet, which keeps shadows warm."""
    r, g, b = colour
    return r + (40.0 - r) * share, g + (26.0 - g) * share, b + (62.0 - b) * share


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the way from `first` to `second`."""
    (a, b, c), (d, e, f) = first, second
    return a + (d - a) * share, b + (e - b) * share, c + (f - c) * share
