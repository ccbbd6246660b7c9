"""Physical: two glass tanks with a scale; what floats goes up and down with the water."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import Canvas, Colour, across, down
from editeval.benchmarks.scenes.lettering import write
from editeval.benchmarks.scenes.palette import CREAM, DARK_WOOD, INK, ORANGE, VIVID, Hue, darker, lighter
from editeval.benchmarks.scenes.room import frame, plant, table, wall
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, a, changed
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line, Polygon, Ring

_BOTTOM = 402.0
_MARK = 27.0  # between two marks of the scale
_SIDES = (136.0, 376.0)
_NAMES = ("A", "B")
_FLOATS = {"duck": "小鸭", "boat": "小船", "ball": "球"}
_WATER: Colour = (96.0, 178.0, 218.0)


@dataclass(frozen=True, slots=True)
class Tank:
    """A tank filled up to mark `level` (0-9) with something floating on it."""

    level: int
    kind: str
    hue: Hue


Tanks = tuple[Tank, ...]


def _fill(tanks: Tanks, index: int, dice: Dice) -> SceneChange:
    tank, other = tanks[index], 1 - index
    level = dice.pick([m for m in range(2, 10) if abs(m - tank.level) >= 2 and m != tanks[other].level])
    up = level > tank.level
    verb, zh = ("Fill", "加水到") if up else ("Drain", "放水到")
    name, floats = _NAMES[index], tank.kind
    told = dice.below(2) == 1
    if told:
        english = (
            f"{verb} tank {name} {'up' if up else 'down'} to mark {level}; the {floats} goes on floating on the water."
        )
    else:
        verb = "rise" if up else "sink"
        english = f"Let the water in tank {name} {verb} to mark {level}, and let the {floats} do what it must."
    chinese = f"给水箱 {name} {zh}刻度 {level}，{_FLOATS[floats]}" + ("仍浮在水面上。" if told else "随之而动。")
    return SceneChange(
        changed(tanks, index, level=level), changed(tanks, other, level=level), english, chinese, 2 if told else 3
    )


def _recolour(tanks: Tanks, index: int, dice: Dice) -> SceneChange:
    other = 1 - index
    hue = dice.pick([h for h in VIVID if h not in {tanks[index].hue, tanks[other].hue}])
    kind = tanks[index].kind
    english = dice.pick(
        (
            f"Make the {kind} {hue.english}.",
            f"Change the colour of the {kind} in tank {_NAMES[index]} to {hue.english}.",
        )
    )
    chinese = f"把{_FLOATS[kind]}变成{hue.chinese}。"
    return SceneChange(changed(tanks, index, hue=hue), changed(tanks, other, hue=hue), english, chinese, 1)


def plan(dice: Dice) -> Scene:
    """Two tanks at different levels."""
    kinds, hues = dice.shuffled(tuple(_FLOATS)), dice.shuffled(VIVID)
    levels = dice.shuffled((2, 3, 4, 5, 6, 7))
    tanks = tuple(Tank(levels[i], kinds[i], hues[i]) for i in range(2))
    changes = (_fill(tanks, 0, dice), _fill(tanks, 1, dice), _recolour(tanks, dice.below(2), dice))
    parts = " and ".join(
        f"{a(t.hue.english)} {t.kind} floating in tank {n} at mark {t.level}"
        for t, n in zip(tanks, _NAMES, strict=True)
    )
    return Scene(tanks, f"Two glass tanks of water with scales from 1 to 9: {parts}.", changes)


def _duck(canvas: Canvas, x: float, y: float, rgb: Colour) -> None:
    canvas.fill(Polygon(((x - 40, y - 24), (x - 14, y - 14), (x - 22, y + 4)), 4.0), darker(rgb, 0.1))
    canvas.fill(Ellipse(x - 2, y - 4, 34.0, 19.0), down(lighter(rgb, 0.2), darker(rgb, 0.15), y - 22, y + 14))
    canvas.fill(Circle(x + 20, y - 28, 16.0), down(lighter(rgb, 0.3), rgb, y - 44, y - 12))
    canvas.fill(Polygon(((x + 33, y - 30), (x + 46, y - 25), (x + 33, y - 21)), 2.0), ORANGE.rgb)
    canvas.fill(Circle(x + 25, y - 32, 2.8), INK)
    canvas.fill(Ellipse(x - 6, y - 6, 16.0, 9.0), lighter(rgb, 0.4), 0.7)


def _boat(canvas: Canvas, x: float, y: float, rgb: Colour) -> None:
    canvas.fill(Line(x, y - 8, x, y - 62, 3.0), DARK_WOOD)
    canvas.fill(Polygon(((x + 4, y - 60), (x + 4, y - 18), (x + 30, y - 18)), 2.0), CREAM)
    hull = ((x - 40, y - 12), (x + 40, y - 12), (x + 26, y + 12), (x - 26, y + 12))
    canvas.fill(Polygon(hull, 3.0), down(lighter(rgb, 0.15), darker(rgb, 0.2), y - 12, y + 12))
    canvas.fill(Line(x - 40, y - 12, x + 40, y - 12, 4.0), lighter(rgb, 0.5))


def _ball(canvas: Canvas, x: float, y: float, rgb: Colour) -> None:
    canvas.fill(Circle(x, y - 10, 26.0), down(lighter(rgb, 0.3), darker(rgb, 0.2), y - 36, y + 16))
    canvas.fill(Ellipse(x, y - 10, 9.0, 26.0), CREAM, 0.75)
    canvas.fill(Ellipse(x - 9, y - 22, 6.0, 4.0), (255.0, 255.0, 255.0), 0.7, 4.0)


def _tank(canvas: Canvas, tank: Tank, x: float, name: str) -> None:
    left, right, top = x - 92, x + 92, 132.0
    glass = Box(left, top, right, _BOTTOM, 12.0)
    canvas.shadow(Box(left - 4, _BOTTOM - 6, right + 14, _BOTTOM + 12, 8.0), 0.35, 16.0)
    canvas.fill(glass, (236.0, 248.0, 252.0), 0.45)
    surface = _BOTTOM - 8 - tank.level * _MARK
    {"duck": _duck, "boat": _boat, "ball": _ball}[tank.kind](canvas, x + 18, surface, tank.hue.rgb)
    water = Box(left + 5, surface, right - 5, _BOTTOM - 5, 8.0)
    canvas.fill(water, down(_WATER, darker(_WATER, 0.3), 150.0, _BOTTOM), 0.72)
    canvas.fill(Ellipse(x, surface, 87.0, 5.0), lighter(_WATER, 0.55), 0.85)
    for mark in range(1, 10):
        y = _BOTTOM - 8 - mark * _MARK
        canvas.fill(Line(left + 6, y, left + 22, y, 2.4), INK, 0.8)
        write(canvas, str(mark), (left + 33, y), 11.0, INK)
    canvas.fill(Ring(glass, 5.0), across((222.0, 238.0, 244.0), (160.0, 190.0, 204.0), left, right), 0.9)
    canvas.fill(Line(right - 20, top + 22, right - 20, top + 120, 6.0), (255.0, 255.0, 255.0), 0.5)
    canvas.fill(
        Box(x - 22, _BOTTOM + 12, x + 22, _BOTTOM + 46, 6.0),
        down(lighter(DARK_WOOD, 0.1), DARK_WOOD, _BOTTOM + 12, _BOTTOM + 46),
    )
    write(canvas, name, (x, _BOTTOM + 29), 18.0, CREAM)


def draw(canvas: Canvas, tanks: Tanks, look: Look) -> None:
    """A wall, a table and the two tanks."""
    wall(canvas, look)
    frame(canvas, look, "f", 66.0 + look.shift("f", 30), 26.0)
    frame(canvas, look, "g", 330.0 + look.shift("g", 40), 30.0)
    table(canvas, look, 384.0, 76.0)
    plant(canvas, 256.0, 408.0, 0.5)
    for tank, x, name in zip(tanks, _SIDES, _NAMES, strict=True):
        _tank(canvas, tank, x, name)


TANKS = Kind("tanks", plan, draw)
