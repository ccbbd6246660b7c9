"""Environmental: a street at dusk with three houses and a street lamp; lights go on and off."""

from __future__ import annotations

from dataclasses import dataclass, replace

from editeval.benchmarks.scenes.canvas import Canvas, Colour, across, down
from editeval.benchmarks.scenes.outdoors import fir, hills, house, sky
from editeval.benchmarks.scenes.palette import BLUE, CREAM, GREEN, INK, PINK, PURPLE, RED, YELLOW, Hue, lighter, mixed
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, changed
from editeval.benchmarks.scenes.shapes import Both, Box, Circle, Ellipse, Line, Polygon

_BASE = 404.0
_HUES = (RED, BLUE, GREEN, YELLOW, PINK, PURPLE)
_LIGHT: Colour = (255.0, 222.0, 128.0)
_DUSK: Colour = (54.0, 52.0, 104.0)
_LEFTS = (22.0, 168.0, 322.0)
_FLOORS = (("ground-floor", "底层"), ("upper", "楼上"))


@dataclass(frozen=True, slots=True)
class House:
    """A house; `lit` says for the ground floor and the upper floor whether light is on."""

    hue: Hue
    lit: tuple[bool, bool]
    wide: float
    high: float


@dataclass(frozen=True, slots=True)
class Street:
    """Three houses and a lamp between the second and the third."""

    houses: tuple[House, ...]
    is_lamp_on: bool


def _all(street: Street, index: int, dice: Dice) -> SceneChange:
    other = (index + 1) % 3
    on = street.houses[index].lit != (True, True)
    hue = street.houses[index].hue
    if on:
        english = dice.pick(
            (
                f"Light all windows of the {hue.english} house in warm yellow.",
                f"Someone comes home: all four windows of the {hue.english} house shine yellow.",
            )
        )
        chinese = f"让{hue.chinese}房子的所有窗户亮起暖黄色的灯。"
    else:
        english = dice.pick(
            (
                f"Switch off the lights in the {hue.english} house; all its windows are dark.",
                f"Everyone in the {hue.english} house goes to bed: all its windows go dark.",
            )
        )
        chinese = f"{hue.chinese}房子关灯，所有窗户变暗。"
    return SceneChange(
        _lit(street, index, (on, on)), _lit(street, other, (not street.houses[other].lit[0],) * 2), english, chinese, 1
    )


def _floor(street: Street, index: int, dice: Dice) -> SceneChange:
    other, level = (index + 1) % 3, dice.below(2)
    en, zh = _FLOORS[level]
    lit = street.houses[index].lit
    on = not lit[level]
    hue = street.houses[index].hue
    verb, verb_zh = ("Switch on the light behind", "打开") if on else ("Switch off the light behind", "关掉")
    english = f"{verb} the two {en} windows of the {hue.english} house."
    chinese = f"{verb_zh}{hue.chinese}房子{zh}两扇窗的灯。"
    switched = (not lit[0], lit[1]) if level == 0 else (lit[0], not lit[1])
    there = street.houses[other].lit
    wrong = (not there[0], there[1]) if level == 0 else (there[0], not there[1])
    return SceneChange(_lit(street, index, switched), _lit(street, other, wrong), english, chinese, 2)


def _lamp(street: Street, index: int, dice: Dice) -> SceneChange:
    on = not street.is_lamp_on
    english = dice.pick(
        (
            f"Turn the street lamp {'on' if on else 'off'}.",
            f"The street lamp goes {'on and casts warm light around it' if on else 'out, and so does its glow'}.",
        )
    )
    chinese = "打开路灯，发出暖光。" if on else "关掉路灯，光晕消失。"
    wrong = _lit(street, index, (not street.houses[index].lit[0],) * 2)
    return SceneChange(replace(street, is_lamp_on=on), wrong, english, chinese, 1)


def _lit(street: Street, index: int, lit: tuple[bool, bool]) -> Street:
    return replace(street, houses=changed(street.houses, index, lit=lit))


def plan(dice: Dice) -> Scene:
    """Three houses in different colours, some windows lit."""
    hues = dice.shuffled(_HUES)
    patterns = dice.shuffled(((False, False), (True, True), (True, False), (False, True)))
    houses = tuple(House(hues[i], patterns[i], dice.between(118, 134), dice.between(150, 206)) for i in range(3))
    street = Street(houses, dice.below(2) == 1)
    first, second, third = dice.shuffled(range(3))
    changes = (_all(street, first, dice), _floor(street, second, dice), _lamp(street, third, dice))
    names = ", ".join(h.hue.english for h in houses)
    lamp = "on" if street.is_lamp_on else "off"
    return Scene(
        street, f"A street at dusk with three houses, from the left {names}; the street lamp is {lamp}.", changes
    )


def _window(canvas: Canvas, x: float, y: float, is_lit: bool) -> None:
    pane = Box(x - 17, y - 20, x + 17, y + 20, 3.0)
    canvas.fill(Box(x - 21, y - 24, x + 21, y + 24, 4.0), mixed(CREAM, _DUSK, 0.3))
    dark: Colour = (46.0, 50.0, 92.0)
    canvas.fill(
        pane,
        down((255.0, 240.0, 184.0), _LIGHT, y - 20, y + 20)
        if is_lit
        else down(dark, lighter(dark, 0.16), y - 20, y + 20),
    )
    canvas.fill(Line(x, y - 20, x, y + 20, 3.0), mixed(CREAM, _DUSK, 0.3))
    canvas.fill(Line(x - 17, y, x + 17, y, 3.0), mixed(CREAM, _DUSK, 0.3))
    canvas.fill(Box(x - 24, y + 22, x + 24, y + 28, 2.0), mixed(CREAM, _DUSK, 0.2))


def _house(canvas: Canvas, h: House, left: float) -> None:
    wall = mixed(h.hue.rgb, _DUSK, 0.22)
    house(canvas, left, _BASE, h.wide, h.high, wall, mixed((150.0, 84.0, 78.0), _DUSK, 0.45))
    middle = left + h.wide / 2
    for level, y in ((0, _BASE - 52.0), (1, _BASE - h.high + 44.0)):
        for side in (-1.0, 1.0):
            x = middle + side * h.wide * 0.32
            if h.lit[level]:
                canvas.glow((x, y), 54.0, _LIGHT, 0.55)
            _window(canvas, x, y, h.lit[level])


def _street_lamp(canvas: Canvas, x: float, is_on: bool) -> None:
    if is_on:
        canvas.glow((x, 262.0), 96.0, _LIGHT, 0.7)
        canvas.fill(Ellipse(x, 446.0, 66.0, 12.0), _LIGHT, 0.4, 16.0)
    canvas.fill(Line(x, 278.0, x, 440.0, 6.0), across(lighter(INK, 0.25), INK, x - 3, x + 3))
    canvas.fill(Polygon(((x - 13, 440.0), (x + 13, 440.0), (x + 6, 424.0), (x - 6, 424.0)), 2.0), INK)
    bulb = (255.0, 246.0, 206.0) if is_on else (124.0, 126.0, 158.0)
    canvas.fill(Polygon(((x - 16, 246.0), (x + 16, 246.0), (x + 10, 278.0), (x - 10, 278.0)), 2.0), bulb)
    canvas.fill(Polygon(((x - 20, 246.0), (x + 20, 246.0), (x, 232.0)), 3.0), INK)
    canvas.fill(Line(x, 246.0, x, 278.0, 2.0), INK)


def draw(canvas: Canvas, street: Street, look: Look) -> None:
    """Evening sky, hills, houses, pavement and road."""
    evening = look.pick(
        "evening",
        (
            ((40.0, 42.0, 98.0), (222.0, 142.0, 138.0)),
            ((30.0, 40.0, 92.0), (120.0, 118.0, 176.0)),
            ((58.0, 44.0, 104.0), (246.0, 170.0, 130.0)),
        ),
    )
    sky(canvas, evening, Box(-8.0, -8.0, 520.0, 420.0))
    for i in range(26):
        canvas.fill(
            Circle(
                float(look.below(f"sx{i}", 512)), float(look.below(f"sy{i}", 170)), 0.9 + 0.3 * look.below(f"sr{i}", 4)
            ),
            CREAM,
            0.7,
        )
    mx = 70.0 + look.below("moon", 360)
    canvas.glow((mx, 64.0), 70.0, (255.0, 244.0, 214.0), 0.35)
    canvas.fill(Both(Circle(mx, 64.0, 20.0), Circle(mx + 10, 58.0, 18.0), outside=True), (252.0, 242.0, 214.0))
    hills(canvas, look, 330.0, (70.0, 84.0, 110.0), (84.0, 84.0, 128.0))
    for i, x in enumerate((8.0, 156.0, 310.0, 480.0, 504.0)):
        fir(canvas, x, _BASE, 100.0 + look.below(f"fir{i}", 50), (54.0, 84.0, 96.0))
    for h, left in zip(street.houses, _LEFTS, strict=True):
        _house(canvas, h, left)
    canvas.fill(Box(-8.0, _BASE, 520.0, 448.0), down((122.0, 112.0, 138.0), (150.0, 138.0, 156.0), _BASE, 448.0))
    canvas.fill(Box(-8.0, 446.0, 520.0, 520.0), down((66.0, 64.0, 94.0), (52.0, 50.0, 80.0), 446.0, 512.0))
    canvas.fill(Line(-8.0, 447.0, 520.0, 447.0, 3.0), (176.0, 164.0, 176.0))
    for i in range(5):
        canvas.fill(Box(14.0 + i * 106, 480.0, 70.0 + i * 106, 486.0, 2.0), (226.0, 214.0, 196.0), 0.8)
    _street_lamp(canvas, 464.0 + look.shift("lamp", 6), street.is_lamp_on)


STREET = Kind("street", plan, draw)
