"""Landscapes: skies, hills and trees that scenes outside share."""

from __future__ import annotations

from editeval.benchmarks.scenes.canvas import Canvas
from editeval.benchmarks.scenes.paint import DARK_WOOD, Colour, Shade, darker, down, lighter
from editeval.benchmarks.scenes.scene import Look
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line, Polygon, Shape, Union

DAY: tuple[Colour, Colour] = ((126.0, 190.0, 232.0), (222.0, 240.0, 244.0))
SUNSET: tuple[Colour, Colour] = ((232.0, 120.0, 92.0), (254.0, 214.0, 150.0))
NIGHT: tuple[Colour, Colour] = ((24.0, 30.0, 74.0), (66.0, 72.0, 128.0))
GREY_SKY: tuple[Colour, Colour] = ((172.0, 180.0, 192.0), (222.0, 226.0, 230.0))
DAWN: tuple[Colour, Colour] = ((166.0, 190.0, 226.0), (252.0, 222.0, 202.0))


def sky(canvas: Canvas, colours: tuple[Colour, Colour], area: Box, within: Shape | None = None) -> None:
    """A sky that fills `area` from top to bottom."""
    canvas.fill(area, down(*colours, area.y0, area.y1), within=within)


def cloud(canvas: Canvas, x: float, y: float, size: float, alpha: float = 0.85, within: Shape | None = None) -> None:
    """A rounded cloud, about 90 * size wide."""
    s = size
    parts = (
        Box(x - 44 * s, y - 4 * s, x + 44 * s, y + 16 * s, 10 * s),
        Circle(x - 16 * s, y - 4 * s, 17 * s),
        Circle(x + 12 * s, y - 9 * s, 22 * s),
    )
    canvas.fill(
        Union(parts), down((255.0, 255.0, 255.0), (238.0, 240.0, 246.0), y - 30 * s, y + 16 * s), alpha, within=within
    )


def sun(canvas: Canvas, x: float, y: float, r: float, rgb: Colour, within: Shape | None = None) -> None:
    """A disc with a halo."""
    canvas.glow((x, y), r * 3.4, lighter(rgb, 0.4), 0.6, within)
    canvas.fill(Circle(x, y, r), rgb, within=within)


def ridge(
    canvas: Canvas, look: Look, name: str, y: float, height: float, rgb: Colour, within: Shape | None = None
) -> None:
    """A jagged mountain range whose foot is at `y`."""
    points: list[tuple[float, float]] = [(-20.0, y + 4)]
    for i in range(9):
        peak = height * (0.45 + 0.055 * look.below(f"{name}{i}", 11)) if i % 2 else height * 0.25
        points.append((-20.0 + i * 69.0 + look.shift(f"{name}x{i}", 14), y - peak))
    points.append((540.0, y + 4))
    canvas.fill(Polygon(tuple(points), 4.0), down(lighter(rgb, 0.16), rgb, y - height, y), within=within)


def hills(canvas: Canvas, look: Look, y: float, near: Colour, far: Colour, within: Shape | None = None) -> None:
    """Two rows of round hills whose feet are at `y` and beyond."""
    shift = float(look.shift("hills", 40))
    canvas.fill(
        Ellipse(130.0 + shift, y + 56, 250.0, 96.0), down(lighter(far, 0.14), far, y - 40, y + 40), within=within
    )
    canvas.fill(
        Ellipse(420.0 + shift, y + 66, 240.0, 120.0), down(lighter(far, 0.2), far, y - 50, y + 40), within=within
    )
    canvas.fill(
        Ellipse(256.0 - shift, y + 130, 420.0, 130.0),
        down(lighter(near, 0.12), darker(near, 0.1), y, y + 120),
        within=within,
    )


def fir(canvas: Canvas, x: float, base: float, size: float, rgb: Colour, within: Shape | None = None) -> None:
    """A fir tree `size` units high."""
    canvas.fill(Line(x, base, x, base - size * 0.2, size * 0.09), darker(DARK_WOOD, 0.2), within=within)
    for level in range(3):
        wide = size * (0.3 - 0.07 * level)
        foot = base - size * (0.14 + 0.25 * level)
        points = ((x - wide, foot), (x + wide, foot), (x, foot - size * 0.38))
        canvas.fill(Polygon(points, 2.0), Shade(rgb, 0.14, 0.2), within=within)
