"""Named colours, gradients, and an RGB canvas for shapes: anti-aliased edges, soft shadows and glows.

Works in design units (512 a side) at any size in pixels, on the bounding box of each shape only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from editeval.benchmarks.scenes.shapes import Bounds, Box, Circle, Grid, Shape

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


UNITS = 512
EVERYWHERE = Box(-8.0, -8.0, 520.0, 520.0)


def _coverage(distance: Grid, soft: float) -> Grid:
    """Share of each pixel that is inside; `soft` pixels of transition instead of one, for shadows."""
    if soft <= 1.0:
        return np.minimum(np.maximum(0.5 - distance, 0.0), 1.0)
    t = np.minimum(np.maximum(0.5 - distance / soft, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@dataclass(slots=True)
class Canvas:
    """A picture in the making: three planes (red, green, blue) of `size` x `size` float64 in 0-255."""

    size: int
    planes: Grid = field(init=False)

    def __post_init__(self) -> None:
        self.planes = np.zeros((3, self.size, self.size))

    @property
    def scale(self) -> float:
        """Pixels per design unit."""
        return self.size / UNITS

    def fill(
        self, shape: Shape, paint: Paint, alpha: float = 1.0, soft: float = 0.0, within: Shape | None = None
    ) -> None:
        """Blend `paint` over the pixels of `shape` (edge `soft` units wide), only inside `within` if given."""
        x0, y0, x1, y1 = shape.box
        area = self._window((x0 - soft, y0 - soft, x1 + soft, y1 + soft), within)
        if area is None:
            return
        part, x, y = area
        paint = paint.over(shape.box) if isinstance(paint, Shade) else paint
        cover = _coverage(shape.distance(x, y) * self.scale, soft * self.scale) * alpha
        if within is not None:
            cover = cover * _coverage(within.distance(x, y) * self.scale, 0.0)
        self._blend(part, paint, x, y, cover)

    def shadow(self, shape: Shape, alpha: float = 0.22, soft: float = 14.0, within: Shape | None = None) -> None:
        """A soft dark shadow in the form of `shape`."""
        self.fill(shape, (46.0, 34.0, 52.0), alpha, soft, within)

    def glow(
        self, centre: tuple[float, float], r: float, colour: Colour, strength: float, within: Shape | None = None
    ) -> None:
        """Light that fades smoothly from `strength` at `centre` to nothing at distance `r`."""
        cx, cy = centre
        area = self._window(Circle(cx, cy, r).box, within)
        if area is None:
            return
        part, x, y = area
        dx, dy = x - cx, y - cy
        t = np.maximum(1.0 - (dx * dx + dy * dy) / (r * r), 0.0)
        cover = t * t * strength
        if within is not None:
            cover = cover * _coverage(within.distance(x, y) * self.scale, 0.0)
        self._blend(part, colour, x, y, cover)

    def mirror_rows(self, line: float, depth: float, tint: Colour, strength: float) -> None:
        """Below `line` the picture above it appears upside down, `depth` units deep, tinted and fading in depth."""
        row, count = round(line * self.scale), round(depth * self.scale)
        count = min(count, row, self.size - row)
        fading = (strength * (1.0 - 0.55 * (np.arange(count) / count)))[:, None]
        for plane, level in zip(self.planes, tint, strict=True):
            above, below = plane[row - count : row][::-1], plane[row : row + count]
            below += (above + (level - above) * 0.30 - below) * fading

    def rgb(self) -> npt.NDArray[np.uint8]:
        """The picture, (size, size, 3), rounded half up."""
        rounded = np.minimum(np.maximum(self.planes + 0.5, 0.0), 255.0).astype(np.uint8)
        return np.ascontiguousarray(rounded.transpose(1, 2, 0))

    def _window(self, box: Bounds, within: Shape | None) -> tuple[tuple[slice, slice], Grid, Grid] | None:
        x0, y0, x1, y1 = box
        if within is not None:
            wx0, wy0, wx1, wy1 = within.box
            x0, y0, x1, y1 = max(x0, wx0), max(y0, wy0), min(x1, wx1), min(y1, wy1)
        s = self.scale
        left, top = max(0, int(x0 * s) - 2), max(0, int(y0 * s) - 2)
        right, bottom = min(self.size, int(x1 * s) + 3), min(self.size, int(y1 * s) + 3)
        if left >= right or top >= bottom:
            return None
        x: Grid = (np.arange(left, right, dtype=np.float64) + 0.5)[None, :] / s
        y: Grid = (np.arange(top, bottom, dtype=np.float64) + 0.5)[:, None] / s
        return (slice(top, bottom), slice(left, right)), x, y

    def _blend(self, part: tuple[slice, slice], paint: Colour | Fade | Radial, x: Grid, y: Grid, cover: Grid) -> None:
        if isinstance(paint, tuple):
            for plane, level in zip(self.planes, paint, strict=True):
                plane[part] += (level - plane[part]) * cover
            return
        share = paint.share(x, y)
        for plane, first, last in zip(self.planes, paint.first, paint.last, strict=True):
            plane[part] += (first + (last - first) * share - plane[part]) * cover
