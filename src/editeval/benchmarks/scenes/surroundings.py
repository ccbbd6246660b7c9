"""What scenes share: rooms, plants and pictures on the wall, toys, letters on signs; skies, hills and trees."""

from __future__ import annotations

from itertools import pairwise

from editeval.benchmarks.scenes.canvas import (
    CREAM,
    DARK_WOOD,
    EVERYWHERE,
    INK,
    WHITE_LIGHT,
    WOOD,
    Canvas,
    Colour,
    Paint,
    Radial,
    Shade,
    across,
    darker,
    down,
    lighter,
    mixed,
)
from editeval.benchmarks.scenes.scene import Look
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line, Point, Polygon, Shape, Union, star, tapered

WALLS: tuple[tuple[Colour, Colour], ...] = (
    ((250.0, 232.0, 205.0), (240.0, 205.0, 170.0)),  # sand
    ((246.0, 220.0, 212.0), (232.0, 190.0, 182.0)),  # blush
    ((222.0, 232.0, 214.0), (190.0, 210.0, 184.0)),  # sage
    ((214.0, 230.0, 238.0), (176.0, 204.0, 222.0)),  # sky
    ((230.0, 222.0, 240.0), (204.0, 192.0, 224.0)),  # lavender
    ((250.0, 240.0, 220.0), (226.0, 212.0, 190.0)),  # linen
)
FLOORS: tuple[Colour, ...] = ((186.0, 132.0, 90.0), (164.0, 116.0, 84.0), (206.0, 162.0, 116.0), (150.0, 122.0, 112.0))
DECOR: tuple[Colour, ...] = ((214.0, 128.0, 96.0), (120.0, 150.0, 132.0), (98.0, 120.0, 160.0), (216.0, 176.0, 104.0))


def wall(canvas: Canvas, look: Look) -> None:
    """A papered wall over the whole picture."""
    top, bottom = look.pick("wall", WALLS)
    canvas.fill(EVERYWHERE, down(top, bottom, 0.0, 420.0))
    paper = look.below("paper", 3)
    tone = lighter(top, 0.45)
    if paper == 1:
        for i in range(-1, 17):
            canvas.fill(Box(i * 32.0 + 6, -4.0, i * 32.0 + 20, 516.0), tone, 0.22)
    elif paper == 2:
        for row in range(13):
            for column in range(12):
                canvas.fill(Circle(column * 48.0 + (row % 2) * 24.0, row * 40.0 + 14.0, 4.0), tone, 0.5)
    canvas.glow((130.0, 60.0), 380.0, (255.0, 250.0, 236.0), 0.35)


def floor(canvas: Canvas, look: Look, y: float) -> None:
    """Floor boards from `y` to the bottom, with a skirting board above."""
    wood = look.pick("floor", FLOORS)
    canvas.fill(Box(-8.0, y - 20, 520.0, y), down(lighter(CREAM, 0.3), darker(CREAM, 0.14), y - 20, y))
    canvas.fill(Box(-8.0, y - 22, 520.0, y - 19), darker(CREAM, 0.2), 0.5)
    canvas.fill(Box(-8.0, y, 520.0, 520.0), down(darker(wood, 0.16), lighter(wood, 0.12), y, 512.0))
    canvas.shadow(Box(-8.0, y - 4, 520.0, y + 8), 0.18, 16.0, within=Box(-8.0, y, 520.0, 520.0))
    for i, gap in enumerate((18.0, 44.0, 80.0, 128.0)):
        if y + gap < 512:
            canvas.fill(Line(-8.0, y + gap, 520.0, y + gap, 1.6), darker(wood, 0.35), 0.45)
            for k in range(4):
                x = 60.0 + k * 140.0 + (i % 2) * 70.0 + look.shift(f"board{i}", 18)
                following = (18.0, 44.0, 80.0, 128.0, 190.0)[i + 1]
                canvas.fill(Line(x, y + gap, x + (x - 256) * 0.08, y + following, 1.4), darker(wood, 0.35), 0.35)


def table(canvas: Canvas, look: Look, y: float, depth: float = 34.0) -> None:
    """A table across the picture: its top from `y` down `depth` units, then the front to the bottom."""
    wood = look.pick("table", (WOOD, (214.0, 168.0, 122.0), (176.0, 120.0, 84.0), (224.0, 190.0, 150.0)))
    canvas.shadow(Box(-8.0, y - 10, 520.0, y + 20), 0.16, 30.0)
    canvas.fill(Box(-8.0, y, 520.0, 520.0), down(lighter(wood, 0.28), lighter(wood, 0.05), y, y + depth))
    edge = y + depth
    canvas.fill(Box(-8.0, edge, 520.0, edge + 12), down(darker(wood, 0.1), darker(wood, 0.2), edge, edge + 12))
    canvas.fill(Box(-8.0, edge + 12, 520.0, 520.0), down(darker(wood, 0.42), darker(wood, 0.24), edge + 12, 512.0))
    canvas.fill(Line(-8.0, edge, 520.0, edge, 1.6), lighter(wood, 0.5), 0.7)
    for i in range(4):
        gx = 40.0 + i * 130.0 + look.shift(f"grain{i}", 30)
        canvas.fill(Line(gx, y + 8 + i * 5 % 20, gx + 70, y + 8 + i * 5 % 20, 1.4), darker(wood, 0.2), 0.35)


def frame(canvas: Canvas, look: Look, name: str, x: float, y: float) -> None:
    """A small framed landscape, 92 x 74, its top left corner at (x, y)."""
    outer = Box(x, y, x + 92, y + 74, 4.0)
    canvas.shadow(Box(x + 5, y + 8, x + 97, y + 82, 6.0), 0.2, 12.0)
    canvas.fill(outer, across(lighter(DARK_WOOD, 0.2), DARK_WOOD, x, x + 92))
    canvas.fill(Box(x + 7, y + 7, x + 85, y + 67), CREAM)
    view = Box(x + 15, y + 15, x + 77, y + 59)
    sky = look.pick(name, ((252.0, 220.0, 180.0), (196.0, 222.0, 236.0), (244.0, 204.0, 200.0)))
    canvas.fill(view, down(sky, lighter(sky, 0.4), y + 15, y + 55))
    canvas.fill(Circle(x + 58 + look.shift(name + "sun", 8), y + 28, 6.0), (250.0, 240.0, 214.0), within=view)
    hill = look.pick(name + "hill", DECOR)
    canvas.fill(Ellipse(x + 26, y + 64, 34.0, 24.0), lighter(hill, 0.2), within=view)
    canvas.fill(Ellipse(x + 64, y + 68, 36.0, 20.0), hill, within=view)


def plant(canvas: Canvas, x: float, base: float, size: float = 1.0) -> None:
    """A leafy plant in a clay pot that stands on `base`."""
    s = size
    canvas.shadow(Ellipse(x + 4, base - 1, 30 * s, 6 * s), 0.3, 10.0)
    leaf, dark = (92.0, 148.0, 104.0), (62.0, 116.0, 88.0)
    for dx, height, lean in ((-26, 62, -18), (24, 66, 18), (-14, 84, -8), (14, 88, 8), (0, 98, 0)):
        tip = (x + (dx + lean * 0.6) * s, base - 36 * s - height * s)
        root = (x + dx * 0.2 * s, base - 34 * s)
        canvas.fill(Line(*root, *tip, 3.0 * s), dark)
        middle = ((tip[0] * 2 + root[0]) / 3, (tip[1] * 2 + root[1]) / 3)
        wide = 13.0 * s
        side = (tip[0] - root[0]) * 0.25
        points = (
            tip,
            (middle[0] + wide, middle[1] + 8 * s - side),
            (root[0], root[1] - 18 * s),
            (middle[0] - wide, middle[1] + 8 * s + side),
        )
        canvas.fill(Polygon(points, 3.0 * s), across(dark, leaf, middle[0] - wide, middle[0] + wide))
        canvas.fill(Line(*tip, root[0], root[1] - 10 * s, 1.4 * s), lighter(leaf, 0.25), 0.6)
    clay = (202.0, 116.0, 84.0)
    canvas.fill(tapered(x, (base - 36 * s, 22 * s), (base - 2 * s, 16 * s), 2.0 * s), Shade(clay, 0.15, 0.2))
    canvas.fill(Box(x - 26 * s, base - 42 * s, x + 26 * s, base - 31 * s, 3.0), Shade(clay, 0.25, 0.1))


def bunting(canvas: Canvas, look: Look, y: float) -> None:
    """A string of paper flags along the top of the picture."""
    tones = look.pick("bunting", (DECOR, tuple(reversed(DECOR))))
    canvas.fill(Line(-4.0, y, 516.0, y + 6, 1.8), mixed(INK, CREAM, 0.4))
    for i in range(12):
        x = 8.0 + i * 44.0
        line = y + (x / 512.0) * 6
        flag = ((x, line), (x + 32, line + 1), (x + 16, line + 30))
        canvas.shadow(Polygon(tuple((px + 3, py + 5) for px, py in flag)), 0.12, 6.0)
        canvas.fill(Polygon(flag), mixed(tones[i % len(tones)], CREAM, 0.35))


def books(canvas: Canvas, look: Look, x: float, base: float) -> None:
    """Five upright books from `x` to the right, with their feet on `base`."""
    canvas.shadow(Box(x - 4, base - 6, x + 88, base + 3, 3.0), 0.3, 8.0)
    for i in range(5):
        rgb = look.pick(f"book{i}", DECOR)
        wide, high = 13.0 + look.below(f"wide{i}", 6), 58.0 + look.below(f"high{i}", 24)
        canvas.fill(Box(x, base - high, x + wide, base, 2.0), Shade(rgb, 0.2, 0.22))
        canvas.fill(Box(x, base - high + 10, x + wide, base - high + 14), CREAM, 0.7)
        canvas.fill(Box(x, base - 16, x + wide, base - 13), CREAM, 0.5)
        x += wide + 1


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
    canvas.fill(Box(x0, y0, x1, y1, r), Shade(rgb, 0.12, 0.2, True))
    inset = (x1 - x0) * 0.1
    canvas.fill(Box(x0 + inset, y0 + inset, x1 - inset, y1 - inset, r * 0.7), lighter(rgb, 0.14), 0.45)
    canvas.fill(Line(x0 + r, y0 + 2.4, x1 - r, y0 + 2.4, 2.4), lighter(rgb, 0.55), 0.7)


def cone(canvas: Canvas, cx: float, base: float, size: float, rgb: Colour) -> None:
    """A cone `size` wide and high that stands on `base`."""
    h = size / 2
    body = Polygon(((cx, base - size + 4), (cx + h - 4, base - 6), (cx, base - 3), (cx - h + 4, base - 6)), 4.0)
    canvas.fill(body, Shade(rgb, 0.26, 0.3))
    canvas.fill(Line(cx - 2, base - size * 0.8, cx - h * 0.45, base - size * 0.22, size * 0.05), lighter(rgb, 0.6), 0.5)


def drum(canvas: Canvas, cx: float, base: float, size: float, rgb: Colour) -> None:
    """A cylinder lying open to the viewer from slightly above."""
    h, top, lip = size * 0.46, base - size * 0.74, size * 0.14
    canvas.fill(Ellipse(cx, base - lip, h, lip), Shade(rgb, 0.14, 0.3))
    canvas.fill(Box(cx - h, top, cx + h, base - lip), Shade(rgb, 0.14, 0.3))
    canvas.fill(Ellipse(cx, top, h, lip), lighter(rgb, 0.36))
    canvas.fill(Ellipse(cx, top, h * 0.84, lip * 0.76), lighter(rgb, 0.6))


def toy(canvas: Canvas, kind: str, cx: float, base: float, size: float, rgb: Colour) -> None:
    """A toy of TOYS, `size` units high, on `base`, with its contact shadow."""
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
        canvas.fill(Polygon(points, size * 0.05), Shade(rgb, 0.22, 0.16, True))
        canvas.fill(Polygon(star(cx, base - size * 0.46, size * 0.3), size * 0.03), lighter(rgb, 0.3), 0.5)


# A stroke font: capitals and digits as round pen lines on a grid 4 wide and 6 high; only the letters in use.

_ROUND = "0,1.4 0.4,0.5 1.2,0 2.8,0 3.6,0.5 4,1.4 4,4.6 3.6,5.5 2.8,6 1.2,6 0.4,5.5 0,4.6"
_GLYPHS = {
    "A": "0,6 2,0 4,6;0.8,4 3.2,4",
    "B": "0,3 2.6,3 3.5,2.4 3.5,0.6 2.6,0 0,0 0,6 2.8,6 3.9,5.3 3.9,3.7 2.8,3",
    "C": "4,1.3 3.4,0.4 2.6,0 1.4,0 0.5,0.5 0,1.4 0,4.6 0.5,5.5 1.4,6 2.6,6 3.4,5.6 4,4.7",
    "D": "0,0 2.2,0 3.4,0.6 4,1.8 4,4.2 3.4,5.4 2.2,6 0,6 0,0",
    "E": "3.7,0 0,0 0,6 3.7,6;0,3 3,3",
    "F": "3.7,0 0,0 0,6;0,3 3,3",
    "G": "4,1.3 3.4,0.4 2.6,0 1.4,0 0.5,0.5 0,1.4 0,4.6 0.5,5.5 1.4,6 2.6,6 3.5,5.5 4,4.6 4,3.2 2.4,3.2",
    "H": "0,0 0,6;4,0 4,6;0,3 4,3",
    "I": "2,0 2,6",
    "J": "3.4,0 3.4,4.6 2.9,5.6 2,6 1.1,5.6 0.6,4.6",
    "K": "0,0 0,6;4,0 0,3.4;1.3,2.4 4,6",
    "N": "0,6 0,0 4,6 4,0",
    "O": _ROUND + " 0,1.4",
    "R": "0,6 0,0 2.8,0 3.7,0.6 4,1.6 3.7,2.6 2.8,3.2 0,3.2;2,3.2 4,6",
    "T": "0,0 4,0;2,0 2,6",
    "U": "0,0 0,4.4 0.5,5.5 1.5,6 2.5,6 3.5,5.5 4,4.4 4,0",
    "Y": "0,0 2,3 4,0;2,3 2,6",
    "0": _ROUND + " 0,1.4",
    "1": "0.8,1.3 2.2,0 2.2,6",
    "2": "0.1,1.5 0.5,0.5 1.4,0 2.6,0 3.5,0.5 3.8,1.5 3.5,2.5 0,6 4,6",
    "3": "0.2,1 1.2,0.1 2.6,0 3.6,0.7 3.6,2.2 2.7,2.9 1.6,2.9;2.7,2.9 3.8,3.6 3.9,4.8 3.1,5.8 1.6,6 0.1,5.1",
    "4": "3,6 3,0 0,4.2 4,4.2",
    "5": "3.6,0 0.6,0 0.3,2.8 1.4,2.3 2.7,2.3 3.7,3 4,4.2 3.5,5.4 2.5,6 1.2,6 0.1,5.3",
    "6": "3.5,0.5 2.5,0 1.5,0 0.5,0.6 0,2 0,4.4 0.6,5.6 1.6,6 2.6,6 3.6,5.4 4,4.3 3.6,3.1 2.6,2.6 1.4,2.6 0.4,3.2 0,4",
    "7": "0,0 4,0 1.5,6",
    "8": "2,2.8 0.8,2.4 0.3,1.4 0.8,0.4 2,0 3.2,0.4 3.7,1.4 3.2,2.4 2,2.8 "
    "0.6,3.3 0,4.5 0.6,5.6 2,6 3.4,5.6 4,4.5 3.4,3.3 2,2.8",
    "9": "0.5,5.5 1.5,6 2.5,6 3.5,5.4 4,4 4,1.6 3.4,0.4 2.4,0 1.4,0 0.4,0.6 0,1.7 0.4,2.9 1.4,3.4 2.6,3.4 3.6,2.8 4,2",
}
_NARROW = {"I": 1.4, "1": 3.0}


def write(canvas: Canvas, text: str, centre: Point, height: float, paint: Paint, weight: float = 0.17) -> None:
    """`text` centred on `centre`, capitals `height` units high, pen `weight` * height wide."""
    unit = height / 6.0
    widths = [_NARROW.get(char, 4.0) for char in text]
    left = centre[0] - (sum(widths) + 1.6 * (len(text) - 1)) * unit / 2
    y = centre[1] - height / 2
    for char, wide in zip(text, widths, strict=True):
        x = left - (4.0 - wide) / 2 * unit
        lines: list[Line] = []
        for stroke in _GLYPHS[char].split(";"):
            points = [(x + float(u) * unit, y + float(v) * unit) for u, v in (p.split(",") for p in stroke.split())]
            lines += [Line(*start, *end, height * weight) for start, end in pairwise(points)]
        canvas.fill(Union(tuple(lines)), paint)
        left += (wide + 1.6) * unit


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
