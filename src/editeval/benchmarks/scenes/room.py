"""Interiors: walls, floors, tables and the things on the wall that no instruction mentions."""

from __future__ import annotations

from editeval.benchmarks.scenes.canvas import EVERYWHERE, Canvas, Colour, across, down
from editeval.benchmarks.scenes.palette import CREAM, DARK_WOOD, INK, WOOD, darker, lighter, mixed
from editeval.benchmarks.scenes.scene import Look
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line, Polygon

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
    pot = (
        (x - 22 * s, base - 36 * s),
        (x + 22 * s, base - 36 * s),
        (x + 16 * s, base - 2 * s),
        (x - 16 * s, base - 2 * s),
    )
    canvas.fill(Polygon(pot, 2.0 * s), across(lighter(clay, 0.15), darker(clay, 0.2), x - 20 * s, x + 22 * s))
    canvas.fill(
        Box(x - 26 * s, base - 42 * s, x + 26 * s, base - 31 * s, 3.0),
        across(lighter(clay, 0.25), darker(clay, 0.1), x - 26 * s, x + 26 * s),
    )


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
    """Five upright books from `x` to the right, standing on `base`."""
    canvas.shadow(Box(x - 4, base - 6, x + 88, base + 3, 3.0), 0.3, 8.0)
    for i in range(5):
        rgb = look.pick(f"book{i}", DECOR)
        wide, high = 13.0 + look.below(f"wide{i}", 6), 58.0 + look.below(f"high{i}", 24)
        canvas.fill(Box(x, base - high, x + wide, base, 2.0), across(lighter(rgb, 0.2), darker(rgb, 0.22), x, x + wide))
        canvas.fill(Box(x, base - high + 10, x + wide, base - high + 14), CREAM, 0.7)
        canvas.fill(Box(x, base - 16, x + wide, base - 13), CREAM, 0.5)
        x += wide + 1
