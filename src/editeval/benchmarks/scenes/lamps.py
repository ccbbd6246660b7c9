"""Environmental: a living room with lamps that light or leave dark what is under them."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import Canvas, Colour, across, down
from editeval.benchmarks.scenes.palette import (
    BLUE,
    CREAM,
    DARK_WOOD,
    GREEN,
    INK,
    METAL,
    ORANGE,
    PINK,
    PURPLE,
    RED,
    Hue,
    darker,
    lighter,
    mixed,
)
from editeval.benchmarks.scenes.room import floor, frame, plant, wall
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, a, changed
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line, Polygon, Ring

_DUSK: Colour = (52.0, 50.0, 96.0)
_LIGHT: Colour = (255.0, 226.0, 150.0)
_SHADES = (RED, BLUE, GREEN, ORANGE, PURPLE, PINK)
_PLACES = (("left", "左边", 96.0), ("middle", "中间", 256.0), ("right", "右边", 416.0))


@dataclass(frozen=True, slots=True)
class Lamp:
    """One lamp: "floor", "pendant" or "table"."""

    x: float
    style: str
    shade: Hue
    is_on: bool


Lamps = tuple[Lamp, ...]


def _switch(lamps: Lamps, index: int, dice: Dice) -> SceneChange:
    lamp, other = lamps[index], (index + 1) % 3
    en, zh, _ = _PLACES[index]
    by_colour = dice.below(2) == 1
    name = (
        f"the {lamp.style} lamp with the {lamp.shade.english} shade" if by_colour else f"the {lamp.style} lamp ({en})"
    )
    name_zh = f"{lamp.shade.chinese}灯罩的灯" if by_colour else f"{zh}的灯"
    if lamp.is_on:
        english = dice.pick(
            (f"Switch {name} off, so that its light disappears.", f"Turn off {name}; the spot it lit falls dark.")
        )
        chinese = f"关掉{name_zh}，它照亮的地方变暗。"
    else:
        english = dice.pick(
            (
                f"Switch {name} on; it sheds warm yellow light around it.",
                f"Turn on {name} so that it glows warm yellow.",
            )
        )
        chinese = f"打开{name_zh}，发出暖黄色的光。"
    return SceneChange(
        changed(lamps, index, is_on=not lamp.is_on),
        changed(lamps, other, is_on=not lamps[other].is_on),
        english,
        chinese,
        1 if by_colour else 2,
    )


def plan(dice: Dice) -> Scene:
    """Three lamps, some on."""
    styles = dice.shuffled(("floor", "pendant", "table"))
    shades = dice.shuffled(_SHADES)
    first = dice.below(2) == 1
    lamps = tuple(
        Lamp(_PLACES[i][2] + dice.between(-8, 8), styles[i], shades[i], (i % 2 == 0) == first) for i in range(3)
    )
    changes = tuple(_switch(lamps, i, dice) for i in dice.shuffled(range(3)))
    names = ", ".join(f"a {s.style} lamp with {a(s.shade.english)} shade ({'on' if s.is_on else 'off'})" for s in lamps)
    return Scene(lamps, f"A living room in the evening with {names}.", changes)


def _shade(canvas: Canvas, lamp: Lamp, x: float, y: float, size: float) -> None:
    """A lampshade with its lower edge at `y`."""
    rgb = mixed(lamp.shade.rgb, _LIGHT, 0.35) if lamp.is_on else darker(lamp.shade.rgb, 0.25)
    points = ((x - size * 0.52, y - size * 0.9), (x + size * 0.52, y - size * 0.9), (x + size, y), (x - size, y))
    if lamp.is_on:
        canvas.fill(Circle(x, y + 2, size * 0.34), (255.0, 248.0, 222.0))
    canvas.fill(Polygon(points, 3.0), across(lighter(rgb, 0.12), darker(rgb, 0.2), x - size, x + size))
    if lamp.is_on:
        canvas.fill(Polygon(points, 3.0), down(rgb, (255.0, 236.0, 180.0), y - size, y), 0.7)
    canvas.fill(Line(x - size, y + 1, x + size, y + 1, 3.4), lighter(rgb, 0.45), 0.8)


def _light(canvas: Canvas, x: float, y: float) -> None:
    canvas.glow((x, y), 108.0, _LIGHT, 0.62)
    canvas.glow((x, y + 12), 60.0, (255.0, 240.0, 200.0), 0.4)


def _lamp(canvas: Canvas, lamp: Lamp) -> None:
    x = lamp.x
    head = {"floor": 232.0, "pendant": 150.0, "table": 300.0}[lamp.style]
    if lamp.is_on:
        _light(canvas, x, head + 8)
    if lamp.style == "pendant":
        canvas.fill(Line(x, -6.0, x, head - 36, 3.0), INK)
    elif lamp.style == "floor":
        canvas.shadow(Ellipse(x + 5, 452.0, 38.0, 8.0), 0.35, 10.0)
        canvas.fill(Ellipse(x, 448.0, 32.0, 7.0), darker(METAL, 0.5))
        canvas.fill(Line(x, head, x, 446.0, 5.0), across(METAL, darker(METAL, 0.5), x - 3, x + 3))
    else:
        _side_table(canvas, x)
        canvas.fill(Ellipse(x, 364.0, 17.0, 5.0), darker(METAL, 0.5))
        canvas.fill(Ellipse(x, 340.0, 11.0, 24.0), across(lighter(METAL, 0.4), darker(METAL, 0.3), x - 11, x + 11))
        canvas.fill(Line(x, head, x, 320.0, 4.0), METAL)
    _shade(canvas, lamp, x, head, 40.0)


def _side_table(canvas: Canvas, x: float) -> None:
    canvas.shadow(Ellipse(x + 4, 446.0, 50.0, 9.0), 0.3, 12.0)
    for dx in (-34.0, 34.0):
        canvas.fill(Line(x + dx * 0.8, 372.0, x + dx, 444.0, 6.0), darker(DARK_WOOD, 0.3))
    canvas.fill(
        Box(x - 46, 364.0, x + 46, 376.0, 5.0), down(lighter(DARK_WOOD, 0.2), darker(DARK_WOOD, 0.1), 364.0, 376.0)
    )


def _sofa(canvas: Canvas, rgb: Colour) -> None:
    """A sofa for two against the wall."""
    canvas.shadow(Ellipse(256.0, 432.0, 176.0, 14.0), 0.35, 14.0)
    for x in (122.0, 390.0):
        canvas.fill(Line(x, 412.0, x, 430.0, 9.0), darker(DARK_WOOD, 0.3))
    canvas.fill(Box(112.0, 268.0, 400.0, 410.0, 26.0), down(lighter(rgb, 0.12), darker(rgb, 0.18), 268.0, 410.0))
    for left in (124.0, 258.0):
        canvas.fill(Box(left, 280.0, left + 130, 366.0, 18.0), down(lighter(rgb, 0.24), rgb, 280.0, 366.0))
        canvas.fill(
            Box(left, 352.0, left + 130, 394.0, 14.0), down(lighter(rgb, 0.34), darker(rgb, 0.08), 352.0, 394.0)
        )
    for left in (92.0, 380.0):
        canvas.fill(Box(left, 322.0, left + 40, 416.0, 18.0), down(lighter(rgb, 0.22), darker(rgb, 0.2), 322.0, 416.0))
    canvas.fill(Box(146.0, 314.0, 198.0, 358.0, 12.0), down(CREAM, darker(CREAM, 0.16), 314.0, 358.0))


def draw(canvas: Canvas, lamps: Lamps, look: Look) -> None:
    """The room at dusk, then light by light."""
    wall(canvas, look)
    floor(canvas, look, 400.0)
    frame(canvas, look, "one", 124.0 + look.shift("one", 10), 60.0)
    frame(canvas, look, "two", 300.0 + look.shift("two", 10), 68.0)
    canvas.fill(
        Ellipse(256.0, 452.0, 250.0, 40.0),
        look.pick("rug", ((196.0, 120.0, 110.0), (118.0, 146.0, 160.0), (200.0, 170.0, 120.0))),
    )
    canvas.fill(Ring(Ellipse(256.0, 452.0, 226.0, 33.0), 4.0), CREAM, 0.5)
    _sofa(
        canvas,
        look.pick("sofa", ((86.0, 134.0, 140.0), (206.0, 134.0, 104.0), (120.0, 122.0, 168.0), (216.0, 182.0, 120.0))),
    )
    plant(canvas, 488.0, 424.0, 1.1)
    canvas.fill(Box(-8.0, -8.0, 520.0, 520.0), _DUSK, 0.46)
    for lamp in lamps:
        _lamp(canvas, lamp)


LAMPS = Kind("lamps", plan, draw)
