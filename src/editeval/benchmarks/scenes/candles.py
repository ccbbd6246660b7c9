"""Causal: candles on a mantelpiece; flames go out, are lit, and eat their wax."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import EVERYWHERE, Canvas, Colour, across, down
from editeval.benchmarks.scenes.palette import CREAM, DARK_WOOD, INK, VIVID, Hue, darker, lighter
from editeval.benchmarks.scenes.room import frame, plant, table, wall
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, changed
from editeval.benchmarks.scenes.shapes import Box, Ellipse, Line, Polygon, Union

_BASE = 412.0
_PLACES = (76.0, 192.0, 308.0, 424.0)
_LIGHT: Colour = (255.0, 208.0, 120.0)


@dataclass(frozen=True, slots=True)
class Candle:
    """A candle `height` units high in its own colour."""

    hue: Hue
    height: float
    is_lit: bool


Candles = tuple[Candle, ...]


def _other(candles: Candles, index: int) -> int:
    return next(i for i in range(len(candles)) if i != index and candles[i].is_lit == candles[index].is_lit)


def _toggle(candles: Candles, index: int, dice: Dice) -> SceneChange:
    candle, other = candles[index], _other(candles, index)
    hue, zh = candle.hue.english, candle.hue.chinese
    if candle.is_lit:
        english = dice.pick(
            (
                f"Blow out the {hue} candle; its flame and its glow are gone.",
                f"A draught has put out the {hue} candle. Show it without flame and light.",
            )
        )
        chinese = f"吹灭{zh}的蜡烛，火焰和光晕消失。"
    else:
        english = dice.pick(
            (
                f"Light the {hue} candle, so that it burns with a flame like the others.",
                f"Somebody has lit the {hue} candle: give it a flame and a warm glow.",
            )
        )
        chinese = f"点燃{zh}的蜡烛，像其他蜡烛一样有火焰和光晕。"
    lit = not candle.is_lit
    return SceneChange(changed(candles, index, is_lit=lit), changed(candles, other, is_lit=lit), english, chinese, 1)


def _burn(candles: Candles, index: int, dice: Dice) -> SceneChange:
    candle, other = candles[index], _other(candles, index)
    hue, zh = candle.hue.english, candle.hue.chinese
    english = dice.pick(
        (
            f"The {hue} candle has burnt down to half its height; it still burns.",
            f"Hours later the {hue} candle is only half as tall, and its flame sits that much lower.",
        )
    )
    chinese = f"{zh}的蜡烛烧掉了一半，只剩一半高，仍在燃烧。"
    return SceneChange(
        changed(candles, index, height=candle.height / 2),
        changed(candles, other, height=candles[other].height / 2),
        english,
        chinese,
        2,
    )


def plan(dice: Dice) -> Scene:
    """Four candles, two lit."""
    hues, heights = dice.shuffled(VIVID), dice.shuffled((96.0, 124.0, 152.0, 180.0))
    lit = dice.shuffled((True, True, False, False))
    candles = tuple(Candle(hues[i], heights[i], lit[i]) for i in range(4))
    burning = dice.shuffled([i for i in range(4) if lit[i]])
    dark = dice.pick([i for i in range(4) if not lit[i]])
    changes = (_burn(candles, burning[0], dice), _toggle(candles, dark, dice), _toggle(candles, burning[1], dice))
    text = ", ".join(f"{c.hue.english} ({'lit' if c.is_lit else 'unlit'})" for c in candles)
    return Scene(candles, f"Four candles on a mantelpiece in the evening, from the left {text}.", changes)


def _candle(canvas: Canvas, c: Candle, x: float) -> None:
    top = _BASE - 12 - c.height
    canvas.shadow(Ellipse(x + 4, _BASE + 1, 46.0, 8.0), 0.4, 10.0)
    canvas.fill(Ellipse(x, _BASE - 4, 42.0, 9.0), across((232.0, 192.0, 112.0), (150.0, 104.0, 60.0), x - 42, x + 42))
    canvas.fill(Ellipse(x, _BASE - 8, 34.0, 6.0), (236.0, 204.0, 136.0))
    rgb = c.hue.rgb
    canvas.fill(Box(x - 19, top, x + 19, _BASE - 8, 5.0), across(lighter(rgb, 0.2), darker(rgb, 0.3), x - 19, x + 19))
    if c.is_lit:
        canvas.fill(Box(x - 19, top, x + 19, top + 46, 5.0), down((255.0, 226.0, 160.0), rgb, top, top + 46), 0.5)
    canvas.fill(Ellipse(x, top + 2, 19.0, 5.0), lighter(rgb, 0.35))
    drip = Union((Line(x - 12, top + 4, x - 12, top + 26, 7.0), Line(x + 8, top + 4, x + 8, top + 16, 6.0)))
    canvas.fill(drip, lighter(rgb, 0.3))
    canvas.fill(Line(x, top + 2, x, top - 9, 2.6), INK)
    if c.is_lit:
        _flame(canvas, x, top - 7)


def _flame(canvas: Canvas, x: float, y: float) -> None:
    canvas.glow((x, y - 12), 84.0, _LIGHT, 0.75)
    for size, rgb in ((1.0, (255.0, 158.0, 60.0)), (0.72, (255.0, 206.0, 92.0)), (0.42, (255.0, 248.0, 220.0))):
        body = Ellipse(x, y - 8 * size, 9.5 * size, 12.0 * size)
        tip = Polygon(((x - 7.6 * size, y - 15 * size), (x + 7.6 * size, y - 15 * size), (x, y - 40 * size)), 1.0)
        canvas.fill(Union((body, tip)), rgb)


def _mirror(canvas: Canvas) -> None:
    canvas.shadow(Ellipse(260.0, 142.0, 128.0, 112.0), 0.3, 20.0)
    canvas.fill(Ellipse(256.0, 132.0, 128.0, 112.0), down((226.0, 184.0, 104.0), (156.0, 110.0, 66.0), 20.0, 244.0))
    canvas.fill(Ellipse(256.0, 132.0, 114.0, 98.0), down((150.0, 158.0, 194.0), (196.0, 190.0, 206.0), 30.0, 230.0))
    for dx in (-30.0, 6.0):
        canvas.fill(Line(226.0 + dx, 180.0, 290.0 + dx, 76.0, 9.0), CREAM, 0.28)


def draw(canvas: Canvas, candles: Candles, look: Look) -> None:
    """A dim room, a mirror, a mantelpiece and the candles."""
    wall(canvas, look)
    frame(canvas, look, "f", 14.0 + look.shift("f", 6), 90.0)
    frame(canvas, look, "g", 404.0 + look.shift("g", 6), 96.0)
    canvas.fill(EVERYWHERE, (48.0, 40.0, 84.0), 0.46)
    _mirror(canvas)
    table(canvas, look, 396.0, 40.0)
    canvas.fill(Box(-8.0, 396.0, 520.0, 520.0), (48.0, 36.0, 70.0), 0.36)
    for i in range(6):
        x = 26.0 + i * 92.0
        canvas.fill(Box(x, 466.0, x + 64, 500.0, 4.0), darker(DARK_WOOD, 0.3), 0.6)
        canvas.fill(Line(x + 2, 466.0, x + 62, 466.0, 2.0), lighter(DARK_WOOD, 0.2), 0.6)
    for candle, x in zip(candles, _PLACES, strict=True):
        _candle(canvas, candle, x)
    if look.below("plant", 2):
        plant(canvas, 488.0, 428.0, 0.5)


CANDLES = Kind("candles", plan, draw)
