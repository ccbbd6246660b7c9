"""Objects that scenes share: toys that stand on a surface and paper shapes that are pinned to a board."""

from __future__ import annotations

from editeval.benchmarks.scenes.canvas import Canvas, Colour, Radial, across, down
from editeval.benchmarks.scenes.palette import WHITE_LIGHT, darker, lighter
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line, Polygon, Shape, regular, star

SHAPES = {"circle": "圆形", "square": "正方形", "triangle": "三角形", "star": "五角星", "hexagon": "六边形"}
TOYS = {"ball": "球", "block": "方块", "cone": "圆锥", "star": "星星", "drum": "鼓"}


def contact_shadow(canvas: Canvas, cx: float, base: float, half: float) -> None:
    """The shadow where something `half` units wide to each side touches the ground at `base`."""
    canvas.shadow(Ellipse(cx + half * 0.12, base, half * 1.12, half * 0.2), 0.34, half * 0.3)
    canvas.shadow(Ellipse(cx, base - 1, half * 0.72, half * 0.09), 0.4, half * 0.16)


def ball(canvas: Canvas, cx: float, cy: float, r: float, rgb: Colour) -> None:
    """A shaded ball with a highlight."""
    shade = Radial(lighter(rgb, 0.3), darker(rgb, 0.26), cx - r * 0.35, cy - r * 0.4, r * 1.7)
    canvas.fill(Circle(cx, cy, r), shade)
    canvas.fill(Ellipse(cx - r * 0.36, cy - r * 0.46, r * 0.26, r * 0.17), WHITE_LIGHT, 0.55, r * 0.16)
    canvas.fill(Ellipse(cx + r * 0.1, cy + r * 0.84, r * 0.5, r * 0.1), lighter(rgb, 0.5), 0.25, r * 0.2)


def block(canvas: Canvas, x0: float, y0: float, x1: float, y1: float, rgb: Colour) -> None:
    """A rounded wooden block seen from the front, with a lit top edge."""
    r = min(x1 - x0, y1 - y0) * 0.12
    canvas.fill(Box(x0, y0, x1, y1, r), down(lighter(rgb, 0.12), darker(rgb, 0.2), y0, y1))
    inset = (x1 - x0) * 0.1
    canvas.fill(Box(x0 + inset, y0 + inset, x1 - inset, y1 - inset, r * 0.7), lighter(rgb, 0.14), 0.45)
    canvas.fill(Line(x0 + r, y0 + 2.4, x1 - r, y0 + 2.4, 2.4), lighter(rgb, 0.55), 0.7)


def cone(canvas: Canvas, cx: float, base: float, size: float, rgb: Colour) -> None:
    """A cone `size` wide and high that stands on `base`."""
    h = size / 2
    body = Polygon(((cx, base - size + 4), (cx + h - 4, base - 6), (cx, base - 3), (cx - h + 4, base - 6)), 4.0)
    canvas.fill(body, across(lighter(rgb, 0.26), darker(rgb, 0.3), cx - h * 0.7, cx + h))
    canvas.fill(Line(cx - 2, base - size * 0.8, cx - h * 0.45, base - size * 0.22, size * 0.05), lighter(rgb, 0.6), 0.5)


def drum(canvas: Canvas, cx: float, base: float, size: float, rgb: Colour) -> None:
    """A cylinder lying open to the viewer from slightly above."""
    h, top, lip = size * 0.46, base - size * 0.74, size * 0.14
    canvas.fill(Ellipse(cx, base - lip, h, lip), across(lighter(rgb, 0.14), darker(rgb, 0.3), cx - h, cx + h))
    canvas.fill(Box(cx - h, top, cx + h, base - lip), across(lighter(rgb, 0.14), darker(rgb, 0.3), cx - h, cx + h))
    canvas.fill(Ellipse(cx, top, h, lip), lighter(rgb, 0.36))
    canvas.fill(Ellipse(cx, top, h * 0.84, lip * 0.76), lighter(rgb, 0.6))


def toy(canvas: Canvas, kind: str, cx: float, base: float, size: float, rgb: Colour) -> None:
    """A toy of TOYS, `size` units high, standing on `base`, with its contact shadow."""
    contact_shadow(canvas, cx, base, size * 0.48)
    half = size / 2
    if kind == "ball":
        ball(canvas, cx, base - half, half, rgb)
    elif kind == "block":
        block(canvas, cx - half * 0.92, base - size * 0.92, cx + half * 0.92, base, rgb)
    elif kind == "cone":
        cone(canvas, cx, base, size, rgb)
    elif kind == "drum":
        drum(canvas, cx, base, size, rgb)
    else:
        points = star(cx, base - size * 0.46, size * 0.53)
        canvas.fill(Polygon(points, size * 0.05), down(lighter(rgb, 0.22), darker(rgb, 0.16), base - size, base))
        canvas.fill(Polygon(star(cx, base - size * 0.46, size * 0.3), size * 0.03), lighter(rgb, 0.3), 0.5)


def paper(kind: str, cx: float, cy: float, r: float) -> Shape:
    """The outline of a flat shape of SHAPES that fits a circle of radius `r`."""
    if kind == "circle":
        return Circle(cx, cy, r * 0.94)
    if kind == "square":
        return Box(cx - r * 0.84, cy - r * 0.84, cx + r * 0.84, cy + r * 0.84, r * 0.08)
    if kind == "triangle":
        return Polygon(regular(cx, cy + r * 0.2, r * 1.08, 3, -12), r * 0.06)
    if kind == "hexagon":
        return Polygon(regular(cx, cy, r * 0.96, 6, 0), r * 0.05)
    return Polygon(star(cx, cy + r * 0.06, r * 1.08), r * 0.06)


def pinned(canvas: Canvas, kind: str, centre: tuple[float, float], r: float, rgb: Colour) -> None:
    """A paper shape with a soft shadow and a pin."""
    cx, cy = centre
    canvas.shadow(paper(kind, cx + 3, cy + 6, r), 0.32, 10.0)
    canvas.fill(paper(kind, cx, cy, r), down(lighter(rgb, 0.12), darker(rgb, 0.06), cy - r, cy + r))
    canvas.fill(Circle(cx, cy - r * 0.42, 3.4), (250.0, 250.0, 250.0))
    canvas.shadow(Circle(cx + 1.5, cy - r * 0.42 + 3.0, 2.6), 0.35, 3.0)
    canvas.fill(Circle(cx - 0.6, cy - r * 0.42 - 0.6, 2.6), (238.0, 238.0, 244.0))
