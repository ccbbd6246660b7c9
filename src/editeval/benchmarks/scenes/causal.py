"""Causal: what follows from an event; a balance tilts, candles burn down."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import (
    CREAM,
    DARK_WOOD,
    EVERYWHERE,
    INK,
    VIVID,
    Canvas,
    Colour,
    Hue,
    Shade,
    darker,
    down,
    lighter,
)
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, a, changed
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line, Polygon, Union, direction, tapered
from editeval.benchmarks.scenes.surroundings import contact_shadow, frame, plant, table, wall, write

# balance: a balance tilts to the heavier pan.

_PIVOT = (256.0, 150.0)
_ARM = 138.0
_BRASS = (214.0, 170.0, 84.0)


@dataclass(frozen=True, slots=True)
class Weight:
    """A weight of `kg` that is on the "left" pan, the "right" pan or the "table"."""

    kg: int
    hue: Hue
    place: str
    slot: int  # its own place on the table


Weights = tuple[Weight, ...]


def _lean(weights: Weights) -> int:
    """+1: the right pan is lower, -1: the left one, 0: level."""
    left, right = (sum(w.kg for w in weights if w.place == side) for side in ("left", "right"))
    return (right > left) - (right < left)


_OUTCOMES = {
    0: ("the beam hangs level", "横梁保持水平"),
    1: ("the right pan sinks and the left pan rises", "右盘下沉，左盘升起"),
    -1: ("the left pan sinks and the right pan rises", "左盘下沉，右盘升起"),
}


def _move(weights: Weights, index: int, place: str, dice: Dice) -> SceneChange[Weights]:
    w = weights[index]
    target = changed(weights, index, place=place)
    name, name_zh = f"{w.hue.english} {w.kg} kg weight", f"{w.hue.chinese}的 {w.kg} 千克砝码"
    result, result_zh = _OUTCOMES[_lean(target)]
    is_explicit = dice.below(2) == 1
    if place == "table":
        english = f"Take the {name} off the balance, put it at the left end of the table"
        chinese = f"把{name_zh}从天平上取下放到桌面左端"
    else:
        english = f"Put the {name} from the table on the {place} pan"
        chinese = f"把桌上{name_zh}放到{'左' if place == 'left' else '右'}盘"
    english += f"; {result}." if is_explicit else ", and let the balance tilt as it must."
    chinese += f"，{result_zh}。" if is_explicit else "，让天平相应地倾斜。"
    other = next(i for i, x in enumerate(weights) if i != index and (x.place == "table") == (w.place == "table"))
    heavy_side = "right" if _lean(weights) > 0 else "left"
    wrong = changed(weights, other, place="table" if place == "table" else heavy_side)
    return SceneChange(target, wrong, english, chinese, 2 if is_explicit else 3)


def _plan_balance(dice: Dice) -> Scene[Weights]:
    """One weight on each pan, two on the table; every change alters the tilt."""
    hues = dice.shuffled(VIVID)
    light, heavy = dice.between(2, 3), dice.between(4, 5)
    extra, small = heavy - light + dice.between(1, 2), heavy - light
    heavy_side = dice.either("left", "right")
    light_side = "right" if heavy_side == "left" else "left"
    weights = (
        Weight(heavy, hues[0], heavy_side, 0),
        Weight(light, hues[1], light_side, 1),
        Weight(extra, hues[2], "table", 2),
        Weight(small, hues[3], "table", 3),
    )
    moves = ((2, light_side), (3, light_side), (0, "table"))
    changes = tuple(_move(weights, index, place, dice) for index, place in moves)
    places = {"left": "left pan", "right": "right pan", "table": "table"}
    parts = ", ".join(f"{a(w.hue.english)} {w.kg} kg weight on the {places[w.place]}" for w in weights)
    return Scene(weights, f"A brass balance on a table: {parts}.", changes)


def _weight(canvas: Canvas, w: Weight, x: float, base: float) -> None:
    half, high = 18.0 + w.kg * 1.6, 34.0 + w.kg * 4.0
    contact_shadow(canvas, x, base, half)
    canvas.fill(Circle(x, base - high - 5, 8.0), darker(w.hue.rgb, 0.4))
    canvas.fill(Circle(x, base - high - 5, 3.6), lighter(w.hue.rgb, 0.5))
    body = tapered(x, (base - high + 4, half - 5), (base - 3, half - 3), 3.0)
    canvas.fill(body, Shade(w.hue.rgb, 0.2, 0.28))
    canvas.fill(Box(x - half + 6, base - 12, x + half - 6, base - 8, 2.0), lighter(w.hue.rgb, 0.4), 0.4)
    write(canvas, str(w.kg), (x, base - high * 0.55), 17.0, CREAM, 0.2)


def _pan(canvas: Canvas, hook: tuple[float, float], weights: list[Weight]) -> None:
    x, y = hook
    base = y + 140
    for dx in (-52.0, 52.0):
        canvas.fill(Line(x, y + 4, x + dx, base, 2.2), darker(_BRASS, 0.45))
    for i, w in enumerate(weights):
        _weight(canvas, w, x + (i - (len(weights) - 1) / 2) * 48.0, base + 2)
    canvas.fill(tapered(x, (base + 2, 60.0), (base + 16, 38.0), 3.0), Shade(_BRASS, 0.35, 0.3))
    canvas.fill(Line(x - 60, base + 1, x + 60, base + 1, 4.0), lighter(_BRASS, 0.5))
    canvas.fill(Circle(x, y + 3, 6.0), darker(_BRASS, 0.2))


def _draw_balance(canvas: Canvas, weights: Weights, look: Look) -> None:
    """The table, the stand, the beam at its angle, the pans and the weights."""
    wall(canvas, look)
    frame(canvas, look, "a", 18.0 + look.shift("ax", 8), 22.0)
    frame(canvas, look, "b", 402.0 + look.shift("bx", 8), 26.0)
    table(canvas, look, 408.0, 66.0)
    px, py = _PIVOT
    canvas.shadow(Ellipse(px + 10, 432.0, 84.0, 12.0), 0.35, 14.0)
    canvas.fill(Box(px - 7, py, px + 7, 424.0, 3.0), Shade(_BRASS, 0.4, 0.3))
    canvas.fill(tapered(px, (410.0, 34.0), (426.0, 60.0), 4.0), Shade(_BRASS, 0.2, 0.3, True))
    c, s = direction(_lean(weights))
    for side, sign in (("left", -1.0), ("right", 1.0)):
        hook = (px + sign * _ARM * c, py + sign * _ARM * s)
        _pan(canvas, hook, [w for w in weights if w.place == side])
    canvas.fill(Line(px - _ARM * c, py - _ARM * s, px + _ARM * c, py + _ARM * s, 11.0), Shade(_BRASS, 0.35, 0.15, True))
    canvas.fill(Circle(px, py, 13.0), darker(_BRASS, 0.2))
    canvas.fill(Circle(px, py, 7.0), lighter(_BRASS, 0.5))
    canvas.fill(Line(px, py, px - s * 44, py + c * 44, 3.4), INK)
    for w in weights:
        if w.place == "table":
            _weight(canvas, w, (60.0, 176.0, 340.0, 448.0)[w.slot], 458.0)


BALANCE = Kind("balance", _plan_balance, _draw_balance)


# candles: candles on a mantelpiece; flames go out, are lit, and eat their wax.

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


_TEXTS = {
    "out": (
        "Blow out the {} candle; its flame and its glow are gone.",
        "A draught has put out the {} candle. Show it without flame and light.",
        "吹灭{}的蜡烛，火焰和光晕消失。",
    ),
    "lit": (
        "Light the {} candle, so that it burns with a flame like the others.",
        "Somebody has lit the {} candle: give it a flame and a warm glow.",
        "点燃{}的蜡烛，像其他蜡烛一样有火焰和光晕。",
    ),
    "burnt": (
        "The {} candle has burnt down to half its height; it still burns.",
        "Hours later the {} candle is only half as tall, and its flame sits that much lower.",
        "{}的蜡烛烧掉了一半，只剩一半高，仍在燃烧。",
    ),
}


def _change_candle(candles: Candles, index: int, event: str, dice: Dice) -> SceneChange[Candles]:
    candle = candles[index]
    other = next(i for i, c in enumerate(candles) if i != index and c.is_lit == candle.is_lit)

    def after(i: int) -> Candles:
        if event == "burnt":
            return changed(candles, i, height=candles[i].height / 2)
        return changed(candles, i, is_lit=event == "lit")

    *english, chinese = _TEXTS[event]
    text, difficulty = dice.pick(english).format(candle.hue.english), 2 if event == "burnt" else 1
    return SceneChange(after(index), after(other), text, chinese.format(candle.hue.chinese), difficulty)


def _plan_candles(dice: Dice) -> Scene[Candles]:
    """Four candles, two lit."""
    hues, heights = dice.shuffled(VIVID), dice.shuffled((96.0, 124.0, 152.0, 180.0))
    lit = dice.shuffled((True, True, False, False))
    candles = tuple(Candle(hues[i], heights[i], lit[i]) for i in range(4))
    burning = dice.shuffled([i for i in range(4) if lit[i]])
    dark = dice.pick([i for i in range(4) if not lit[i]])
    events = ((burning[0], "burnt"), (dark, "lit"), (burning[1], "out"))
    changes = tuple(_change_candle(candles, index, event, dice) for index, event in events)
    text = ", ".join(f"{c.hue.english} ({'lit' if c.is_lit else 'unlit'})" for c in candles)
    return Scene(candles, f"Four candles on a mantelpiece in the evening, from the left {text}.", changes)


def _candle(canvas: Canvas, c: Candle, x: float) -> None:
    top = _BASE - 12 - c.height
    canvas.shadow(Ellipse(x + 4, _BASE + 1, 46.0, 8.0), 0.4, 10.0)
    canvas.fill(Ellipse(x, _BASE - 4, 42.0, 9.0), Shade((232.0, 192.0, 112.0), 0.0, 0.4))
    canvas.fill(Ellipse(x, _BASE - 8, 34.0, 6.0), (236.0, 204.0, 136.0))
    rgb = c.hue.rgb
    canvas.fill(Box(x - 19, top, x + 19, _BASE - 8, 5.0), Shade(rgb, 0.2, 0.3))
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
    canvas.fill(Ellipse(256.0, 132.0, 128.0, 112.0), Shade((226.0, 184.0, 104.0), 0.0, 0.36, True))
    canvas.fill(Ellipse(256.0, 132.0, 114.0, 98.0), down((150.0, 158.0, 194.0), (196.0, 190.0, 206.0), 30.0, 230.0))
    for dx in (-30.0, 6.0):
        canvas.fill(Line(226.0 + dx, 180.0, 290.0 + dx, 76.0, 9.0), CREAM, 0.28)


def _draw_candles(canvas: Canvas, candles: Candles, look: Look) -> None:
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


CANDLES = Kind("candles", _plan_candles, _draw_candles)
