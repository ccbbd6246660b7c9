"""Signed distances of plane shapes in design units (the picture is 512 x 512 of them); negative inside.

Only + - * / sqrt, minima, maxima and comparisons are used: IEEE 754 rounds those the same way everywhere,
which is what makes the pixel hashes equal on every machine. No sine, power, dot product or float summation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Grid = npt.NDArray[np.float64]
Point = tuple[float, float]
Bounds = tuple[float, float, float, float]


class Shape(Protocol):
    """Something with an inside."""

    @property
    def box(self) -> Bounds:
        """x0, y0, x1, y1 around the shape."""
        ...

    def distance(self, x: Grid, y: Grid) -> Grid:
        """Signed distance (near the edge) of every grid point, negative inside."""
        ...


@dataclass(frozen=True, slots=True)
class Circle:
    """A disc."""

    cx: float
    cy: float
    r: float

    @property
    def box(self) -> Bounds:
        return self.cx - self.r, self.cy - self.r, self.cx + self.r, self.cy + self.r

    def distance(self, x: Grid, y: Grid) -> Grid:
        dx, dy = x - self.cx, y - self.cy
        return np.sqrt(dx * dx + dy * dy) - self.r


@dataclass(frozen=True, slots=True)
class Ellipse:
    """An ellipse; the distance is first order, exact on the edge."""

    cx: float
    cy: float
    rx: float
    ry: float

    @property
    def box(self) -> Bounds:
        return self.cx - self.rx, self.cy - self.ry, self.cx + self.rx, self.cy + self.ry

    def distance(self, x: Grid, y: Grid) -> Grid:
        u, v = (x - self.cx) / self.rx, (y - self.cy) / self.ry
        k0 = np.sqrt(u * u + v * v)
        p, q = u / self.rx, v / self.ry
        k1 = np.maximum(np.sqrt(p * p + q * q), 1e-6)
        return k0 * (k0 - 1.0) / k1


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with corners of radius `r`."""

    x0: float
    y0: float
    x1: float
    y1: float
    r: float = 0.0

    @property
    def box(self) -> Bounds:
        return self.x0, self.y0, self.x1, self.y1

    def distance(self, x: Grid, y: Grid) -> Grid:
        r = min(self.r, (self.x1 - self.x0) / 2, (self.y1 - self.y0) / 2)
        qx = np.abs(x - (self.x0 + self.x1) / 2) - ((self.x1 - self.x0) / 2 - r)
        qy = np.abs(y - (self.y0 + self.y1) / 2) - ((self.y1 - self.y0) / 2 - r)
        ox, oy = np.maximum(qx, 0.0), np.maximum(qy, 0.0)
        d: Grid = np.sqrt(ox * ox + oy * oy) + np.minimum(np.maximum(qx, qy), 0.0) - r
        return d


@dataclass(frozen=True, slots=True)
class Line:
    """A stroke of width `w` with round ends."""

    x0: float
    y0: float
    x1: float
    y1: float
    w: float

    @property
    def box(self) -> Bounds:
        return _around(((self.x0, self.y0), (self.x1, self.y1)), self.w / 2)

    def distance(self, x: Grid, y: Grid) -> Grid:
        return np.sqrt(_squared_to_segment(x, y, (self.x0, self.y0), (self.x1, self.y1))) - self.w / 2


@dataclass(frozen=True, slots=True)
class Polygon:
    """A polygon, grown by `r` with round corners."""

    points: tuple[Point, ...]
    r: float = 0.0

    @property
    def box(self) -> Bounds:
        return _around(self.points, self.r)

    def distance(self, x: Grid, y: Grid) -> Grid:
        x, y = np.broadcast_arrays(x, y)
        best = np.full(x.shape, 1e12)
        inside = np.zeros(x.shape, dtype=bool)
        for a, b in zip(self.points, self.points[1:] + self.points[:1], strict=True):
            best = np.minimum(best, _squared_to_segment(x, y, a, b))
            if a[1] != b[1]:
                crossing = (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) + a[0]
                inside ^= ((a[1] > y) != (b[1] > y)) & (x < crossing)
        d = np.sqrt(best)
        signed: Grid = np.where(inside, -d, d) - self.r
        return signed


@dataclass(frozen=True, slots=True)
class Union:
    """All points of any of `parts`."""

    parts: tuple[Shape, ...]

    @property
    def box(self) -> Bounds:
        return _around([corner for part in self.parts for corner in (part.box[:2], part.box[2:])], 0.0)

    def distance(self, x: Grid, y: Grid) -> Grid:
        best = self.parts[0].distance(x, y)
        for part in self.parts[1:]:
            best = np.minimum(best, part.distance(x, y))
        return best


@dataclass(frozen=True, slots=True)
class Both:
    """The points of `first` that are in `second` too."""

    first: Shape
    second: Shape

    @property
    def box(self) -> Bounds:
        return self.first.box

    def distance(self, x: Grid, y: Grid) -> Grid:
        return np.maximum(self.first.distance(x, y), self.second.distance(x, y))


def _around(points: list[Point] | tuple[Point, ...], margin: float) -> Bounds:
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return min(xs) - margin, min(ys) - margin, max(xs) + margin, max(ys) + margin


def _squared_to_segment(x: Grid, y: Grid, a: Point, b: Point) -> Grid:
    px, py = x - a[0], y - a[1]
    bx, by = b[0] - a[0], b[1] - a[1]
    length = bx * bx + by * by
    if length == 0.0:
        return px * px + py * py
    t = np.minimum(np.maximum((px * bx + py * by) / length, 0.0), 1.0)
    dx, dy = px - t * bx, py - t * by
    return dx * dx + dy * dy


def _quarter_table() -> tuple[Point, ...]:
    """(cos, sin) of 0, 7.5, ... 90 degrees from square roots alone."""
    cos30, cos45 = math.sqrt(3.0) / 2.0, math.sqrt(2.0) / 2.0
    known = {0: (1.0, 0.0), 4: (cos30, 0.5), 6: (cos45, cos45), 8: (0.5, cos30), 12: (0.0, 1.0)}
    known[2] = (math.sqrt((1.0 + cos30) / 2.0), math.sqrt((1.0 - cos30) / 2.0))
    known[10] = (known[2][1], known[2][0])
    for odd, double in ((1, 2), (3, 6), (5, 10)):
        c = known[double][0]
        known[odd] = (math.sqrt((1.0 + c) / 2.0), math.sqrt((1.0 - c) / 2.0))
        known[12 - odd] = (known[odd][1], known[odd][0])
    return tuple(known[i] for i in range(13))


_QUARTER = _quarter_table()


def direction(steps: int) -> Point:
    """(cos, sin) of steps * 7.5 degrees, exact to the last bit on every machine."""
    quadrant, rest = divmod(steps % 48, 12)
    c, s = _QUARTER[rest]
    return ((c, s), (-s, c), (-c, -s), (s, -c))[quadrant]


def tapered(cx: float, top: tuple[float, float], base: tuple[float, float], r: float = 0.0) -> Polygon:
    """A symmetrical body about `cx`; `top` and `base` are (y, half of the width there)."""
    (y0, upper), (y1, lower) = top, base
    return Polygon(((cx - upper, y0), (cx + upper, y0), (cx + lower, y1), (cx - lower, y1)), r)


def star(cx: float, cy: float, r: float) -> tuple[Point, ...]:
    """The ten corners of an upright five-pointed star."""
    root = math.sqrt(5.0)
    c72, c36 = (root - 1.0) / 4.0, (root + 1.0) / 4.0
    s72, s36 = math.sqrt(1.0 - c72 * c72), math.sqrt(1.0 - c36 * c36)
    outer = ((0.0, -1.0), (s72, -c72), (s36, c36), (-s36, c36), (-s72, -c72))
    inner = ((s36, -c36), (s72, c72), (0.0, 1.0), (-s72, c72), (-s36, -c36))
    points: list[Point] = []
    for (ox, oy), (ix, iy) in zip(outer, inner, strict=True):
        points += [(cx + r * ox, cy + r * oy), (cx + r * 0.5 * ix, cy + r * 0.5 * iy)]
    return tuple(points)
