"""Causal: three glasses with a scale; what is poured out of one is in another afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import Canvas, across, down
from editeval.benchmarks.scenes.lettering import write
from editeval.benchmarks.scenes.palette import (
    CREAM,
    DARK_WOOD,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    RED,
    YELLOW,
    Hue,
    darker,
    lighter,
)
from editeval.benchmarks.scenes.room import bunting, frame, table, wall
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, changed
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line, Polygon, Ring
from editeval.benchmarks.scenes.things import contact_shadow

_JUICES = (
    (ORANGE, "orange", "橙"),
    (RED, "cherry", "樱桃"),
    (PURPLE, "grape", "葡萄"),
    (GREEN, "apple", "苹果"),
    (YELLOW, "lemon", "柠檬"),
)
_NAMES = ("A", "B", "C")
_MIDDLES = (100.0, 256.0, 412.0)
_BASE, _MARK, _FULL = 428.0, 22.0, 9


@dataclass(frozen=True, slots=True)
class Glass:
    """A glass filled up to mark `level`, 0 (empty) to 9."""

    level: int
    juice: int


Glasses = tuple[Glass, ...]


def _poured(glasses: Glasses, giver: int, taker: int, amount: int) -> Glasses:
    given = changed(glasses, giver, level=glasses[giver].level - amount)
    return changed(given, taker, level=glasses[taker].level + amount)


def _pour(glasses: Glasses, giver: int, taker: int, dice: Dice) -> SceneChange:
    level = glasses[giver].level
    a, b = _NAMES[giver], _NAMES[taker]
    everything = dice.below(2) == 1
    amount = level if everything else level - dice.between(1, level - 2)
    if everything:
        english = dice.pick(
            (f"Pour everything from glass {a} into glass {b}.", f"Empty glass {a} into glass {b}; nothing is spilt.")
        )
        chinese = f"把杯子 {a} 里的果汁全部倒进杯子 {b}，一滴不洒。"
    else:
        rest = f"until glass {a} is down to mark {level - amount}; glass {b} rises by as much"
        english = f"Pour juice from glass {a} into glass {b} {rest}."
        chinese = f"从杯子 {a} 往杯子 {b} 倒果汁，直到 {a} 降到刻度 {level - amount}，{b} 相应升高。"
    third = 3 - giver - taker
    wrong = changed(glasses, third, level=0 if glasses[third].level >= 2 else 6)
    return SceneChange(_poured(glasses, giver, taker, amount), wrong, english, chinese, 2 if everything else 3)


def _drink(glasses: Glasses, index: int, dice: Dice) -> SceneChange:
    other = (index + 1) % 3
    english = dice.pick(
        (f"Somebody has drunk glass {_NAMES[index]} to the last drop.", f"Show glass {_NAMES[index]} empty.")
    )
    chinese = f"杯子 {_NAMES[index]} 里的果汁被喝光了。"
    return SceneChange(
        changed(glasses, index, level=0),
        changed(glasses, other, level=0 if glasses[other].level else 5),
        english,
        chinese,
        1,
    )


def plan(dice: Dice) -> Scene:
    """Three glasses of the same juice that never overflow."""
    levels = dice.shuffled((3, 4, 5))
    juice = dice.below(len(_JUICES))
    glasses = tuple(Glass(level, juice) for level in levels)
    x, y, z = dice.shuffled(range(3))
    changes = (_pour(glasses, x, y, dice), _pour(glasses, y, z, dice), _drink(glasses, z, dice))
    text = ", ".join(f"glass {n} up to mark {g.level}" for g, n in zip(glasses, _NAMES, strict=True))
    return Scene(glasses, f"Three glasses with scales hold {_JUICES[juice][1]} juice: {text}.", changes)


def _glass(canvas: Canvas, glass: Glass, x: float, name: str) -> None:
    top, half = _BASE - _FULL * _MARK - 30, 52.0
    rgb = _JUICES[glass.juice][0].rgb
    contact_shadow(canvas, x, _BASE, half)
    body = Box(x - half, top, x + half, _BASE, 12.0)
    canvas.fill(body, (240.0, 248.0, 252.0), 0.5)
    if glass.level:
        surface = _BASE - 10 - glass.level * _MARK
        canvas.fill(
            Box(x - half + 5, surface, x + half - 5, _BASE - 7, 8.0),
            across(lighter(rgb, 0.2), darker(rgb, 0.14), x - half, x + half),
            0.92,
        )
        canvas.fill(Ellipse(x, surface, half - 5, 6.0), lighter(rgb, 0.45))
        for dx, dy, r in () if glass.level < 2 else ((-18, 14, 3.0), (10, 30, 4.0), (22, 10, 2.4)):
            canvas.fill(Circle(x + dx, surface + dy, r), lighter(rgb, 0.6), 0.7)
    for mark in range(1, _FULL + 1):
        y = _BASE - 10 - mark * _MARK
        canvas.fill(Line(x - half + 6, y, x - half + 18, y, 2.0), INK, 0.8)
        write(canvas, str(mark), (x - half + 27, y), 9.0, INK)
    canvas.fill(Ring(body, 4.0), across((226.0, 240.0, 246.0), (170.0, 196.0, 210.0), x - half, x + half), 0.9)
    canvas.fill(Line(x + half - 14, top + 18, x + half - 14, top + 120, 5.0), (255.0, 255.0, 255.0), 0.55)
    tag = Box(x - 20, _BASE + 14, x + 20, _BASE + 44, 6.0)
    canvas.fill(tag, down(lighter(DARK_WOOD, 0.1), DARK_WOOD, _BASE + 14, _BASE + 44))
    write(canvas, name, (x, _BASE + 29), 17.0, CREAM)


def _fruit(canvas: Canvas, x: float, base: float, hue: Hue) -> None:
    """Three pieces of fruit in a bowl."""
    for dx, dy in ((-17.0, 30.0), (17.0, 30.0), (0.0, 44.0)):
        canvas.fill(
            Circle(x + dx, base - dy, 17.0),
            across(lighter(hue.rgb, 0.3), darker(hue.rgb, 0.2), x + dx - 17, x + dx + 17),
        )
        canvas.fill(Line(x + dx, base - dy - 14, x + dx + 4, base - dy - 21, 2.6), DARK_WOOD)
    bowl = ((x - 44, base - 26), (x + 44, base - 26), (x + 22, base - 1), (x - 22, base - 1))
    canvas.fill(Polygon(bowl, 4.0), across(CREAM, darker(CREAM, 0.25), x - 44, x + 44))


def draw(canvas: Canvas, glasses: Glasses, look: Look) -> None:
    """A kitchen table with three glasses and a bowl of the fruit that was pressed."""
    wall(canvas, look)
    bunting(canvas, look, 14.0)
    frame(canvas, look, "f", 30.0 + look.shift("f", 10), 76.0)
    frame(canvas, look, "g", 392.0 + look.shift("g", 10), 84.0)
    canvas.shadow(Box(150.0, 134.0, 366.0, 150.0, 4.0), 0.25, 14.0)
    canvas.fill(Box(146.0, 124.0, 362.0, 136.0, 4.0), down(lighter(DARK_WOOD, 0.3), DARK_WOOD, 124.0, 136.0))
    _fruit(canvas, 200.0 + look.shift("bowl", 8), 124.0, _JUICES[glasses[0].juice][0])
    _fruit(canvas, 308.0 + look.shift("bowl2", 8), 124.0, _JUICES[glasses[0].juice][0])
    table(canvas, look, 396.0, 82.0)
    for glass, x, name in zip(glasses, _MIDDLES, _NAMES, strict=True):
        _glass(canvas, glass, x, name)


GLASSES = Kind("glasses", plan, draw)
