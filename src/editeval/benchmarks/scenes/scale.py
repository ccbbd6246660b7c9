"""Physical: fruit of known weight and a kitchen scale that shows the sum of what lies on it."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import Canvas, Colour, Radial, across, down
from editeval.benchmarks.scenes.lettering import write
from editeval.benchmarks.scenes.palette import DARK_WOOD, INK, METAL, darker, lighter
from editeval.benchmarks.scenes.room import bunting, frame, plant, table, wall
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, a, changed
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line, Polygon, Union
from editeval.benchmarks.scenes.things import contact_shadow

_FRUIT: dict[str, tuple[str, Colour]] = {
    "apple": ("苹果", (214.0, 62.0, 58.0)),
    "pear": ("梨", (166.0, 190.0, 74.0)),
    "orange": ("橙子", (242.0, 146.0, 46.0)),
    "lemon": ("柠檬", (248.0, 214.0, 78.0)),
    "plum": ("李子", (122.0, 74.0, 142.0)),
}
_TABLE = (62.0, 158.0, 354.0, 450.0)
_PLATE = (212.0, 300.0)
_MIDDLE, _TOP = 256.0, 258.0


@dataclass(frozen=True, slots=True)
class Fruit:
    """A fruit of `grams`; `spot` is its place on the table (0-3), `plate` its place on the scale or -1."""

    kind: str
    grams: int
    spot: int
    plate: int = -1


Fruits = tuple[Fruit, ...]


def _sum(fruits: Fruits) -> int:
    return sum(f.grams for f in fruits if f.plate >= 0)


def _add(fruits: Fruits, index: int, other: int, dice: Dice) -> SceneChange:
    fruit, target = fruits[index], changed(fruits, index, plate=1)
    zh = _FRUIT[fruit.kind][0]
    told = dice.below(2) == 1
    english = f"Put the {fruit.kind} ({fruit.grams} g) on the free side of the scale"
    chinese = f"把{zh}（{fruit.grams} 克）放到秤上空着的一边"
    if told:
        english, chinese = f"{english}; the display then shows {_sum(target)}.", f"{chinese}，显示 {_sum(target)}。"
    else:
        english, chinese = f"{english} and let the display show the new sum.", f"{chinese}，显示屏显示新的总重量。"
    return SceneChange(target, changed(fruits, other, plate=1), english, chinese, 2 if told else 3)


def _take(fruits: Fruits, index: int, other: int, dice: Dice) -> SceneChange:
    fruit = fruits[index]
    zh = _FRUIT[fruit.kind][0]
    english = dice.pick(
        (
            f"Take the {fruit.kind} off the scale and lay it behind its card on the table; the scale goes back to 0.",
            f"The {fruit.kind} comes off the scale and lies behind its card again. What does the display show then?",
        )
    )
    chinese = f"把{zh}从秤上拿下来放回桌上自己的卡片后面，显示屏归零。"
    return SceneChange(changed(fruits, index, plate=-1), changed(fruits, other, plate=1), english, chinese, 2)


def plan(dice: Dice) -> Scene:
    """Four kinds of fruit, one of them on the scale."""
    kinds = dice.shuffled(tuple(_FRUIT))
    grams = dice.shuffled((90, 120, 135, 150, 165, 180, 210))
    on = dice.below(4)
    fruits = tuple(Fruit(kinds[i], grams[i], i, 0 if i == on else -1) for i in range(4))
    first, second, third = dice.shuffled([i for i in range(4) if i != on])
    changes = (_add(fruits, first, second, dice), _take(fruits, on, third, dice), _add(fruits, second, third, dice))
    names = ", ".join(f"{a(f.kind)} of {f.grams} g" for f in fruits)
    return Scene(
        fruits, f"A kitchen scale with {a(fruits[on].kind)} on it, showing {_sum(fruits)} g; in all {names}.", changes
    )


def _fruit(canvas: Canvas, kind: str, x: float, base: float) -> None:
    rgb = _FRUIT[kind][1]
    contact_shadow(canvas, x, base, 26.0)
    skin = Radial(lighter(rgb, 0.34), darker(rgb, 0.2), x - 9, base - 38, 50.0)
    if kind == "pear":
        canvas.fill(Union((Circle(x, base - 24, 25.0), Ellipse(x, base - 48, 15.0, 20.0))), skin)
    elif kind == "lemon":
        tips = (
            Ellipse(x, base - 23, 31.0, 22.0),
            Ellipse(x + 30, base - 23, 6.0, 5.0),
            Ellipse(x - 30, base - 23, 6.0, 5.0),
        )
        canvas.fill(Union(tips), skin)
    elif kind == "apple":
        canvas.fill(Union((Ellipse(x - 9, base - 27, 20.0, 27.0), Ellipse(x + 9, base - 27, 20.0, 27.0))), skin)
    else:
        canvas.fill(Ellipse(x, base - 26, 27.0, 26.0), skin)
    top = {"pear": 66.0, "lemon": 44.0, "apple": 50.0}.get(kind, 51.0)
    canvas.fill(Line(x, base - top, x + 3, base - top - 11, 3.0), DARK_WOOD)
    leaf = Ellipse(x + 11, base - top - 8, 9.0, 4.4)
    canvas.fill(leaf, (98.0, 156.0, 92.0))
    canvas.fill(Ellipse(x - 10, base - top * 0.68, 6.0, 4.4), (255.0, 255.0, 255.0), 0.5, 4.0)


def _card(canvas: Canvas, fruit: Fruit, x: float) -> None:
    """A folded card with the name's weight in front of the fruit's place."""
    canvas.shadow(Box(x - 27, 462.0, x + 31, 488.0, 3.0), 0.3, 8.0)
    canvas.fill(
        Polygon(((x - 26, 458.0), (x + 26, 458.0), (x + 30, 484.0), (x - 30, 484.0)), 1.5),
        down((255.0, 253.0, 247.0), (232.0, 224.0, 212.0), 458.0, 484.0),
    )
    canvas.fill(Box(x - 26, 458.0, x + 26, 462.0, 1.0), _FRUIT[fruit.kind][1])
    write(canvas, str(fruit.grams), (x, 473.0), 12.0, INK, 0.19)


def _machine(canvas: Canvas, total: int, body: Colour) -> None:
    x = _MIDDLE
    canvas.shadow(Box(x - 98, 400.0, x + 112, 424.0, 12.0), 0.4, 20.0)
    canvas.fill(
        Polygon(((x - 76, 292.0), (x + 76, 292.0), (x + 96, 408.0), (x - 96, 408.0)), 8.0),
        across(lighter(body, 0.25), darker(body, 0.2), x - 100, x + 100),
    )
    canvas.fill(Box(x - 58, 320.0, x + 58, 376.0, 8.0), darker(body, 0.55))
    canvas.fill(
        Box(x - 52, 326.0, x + 52, 370.0, 5.0), down((206.0, 228.0, 204.0), (182.0, 208.0, 184.0), 326.0, 370.0)
    )
    write(canvas, str(total), (x - 8, 348.0), 27.0, INK, 0.16)
    write(canvas, "G", (x + 40, 356.0), 11.0, INK)
    for dx in (-34.0, 0.0, 34.0):
        canvas.fill(Circle(x + dx, 392.0, 6.0), lighter(body, 0.55))
    canvas.fill(Box(x - 22, 268.0, x + 22, 294.0), across(lighter(METAL, 0.2), darker(METAL, 0.4), x - 22, x + 22))
    canvas.fill(
        Polygon(((x - 112, 258.0), (x + 112, 258.0), (x + 92, 270.0), (x - 92, 270.0)), 3.0),
        across(lighter(METAL, 0.5), darker(METAL, 0.3), x - 112, x + 112),
    )
    canvas.fill(Ellipse(x, _TOP, 114.0, 9.0), lighter(METAL, 0.6))


def draw(canvas: Canvas, fruits: Fruits, look: Look) -> None:
    """A kitchen, the scale, its load, and the fruit on the table behind their cards."""
    wall(canvas, look)
    bunting(canvas, look, 14.0)
    frame(canvas, look, "f", 40.0 + look.shift("f", 16), 74.0)
    frame(canvas, look, "g", 376.0 + look.shift("g", 16), 80.0)
    table(canvas, look, 384.0, 112.0)
    plant(canvas, 452.0 + look.shift("p", 10), 394.0, 0.8)
    plant(canvas, 50.0 + look.shift("q", 10), 394.0, 0.7)
    _machine(
        canvas,
        _sum(fruits),
        look.pick("body", ((224.0, 122.0, 104.0), (112.0, 158.0, 170.0), (238.0, 226.0, 206.0), (150.0, 168.0, 128.0))),
    )
    for fruit in fruits:
        if fruit.plate >= 0:
            _fruit(canvas, fruit.kind, _PLATE[fruit.plate], _TOP + 2)
        else:
            _fruit(canvas, fruit.kind, _TABLE[fruit.spot], 456.0)
        _card(canvas, fruit, _TABLE[fruit.spot])


SCALE = Kind("scale", plan, draw)
