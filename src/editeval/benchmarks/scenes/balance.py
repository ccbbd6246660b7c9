"""Causal: a balance tilts to the heavier pan."""

from __future__ import annotations

from dataclasses import dataclass, replace

from editeval.benchmarks.scenes.canvas import Canvas, across, down
from editeval.benchmarks.scenes.lettering import write
from editeval.benchmarks.scenes.palette import CREAM, INK, VIVID, Hue, darker, lighter
from editeval.benchmarks.scenes.room import frame, table, wall
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, a
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line, Polygon, direction
from editeval.benchmarks.scenes.things import contact_shadow

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


def _put(weights: Weights, index: int, place: str) -> Weights:
    return tuple(replace(w, place=place) if i == index else w for i, w in enumerate(weights))


def _load(weights: Weights, side: str) -> int:
    return sum(w.kg for w in weights if w.place == side)


def _lean(weights: Weights) -> int:
    """+1: the right pan is lower, -1: the left one, 0: level."""
    difference = _load(weights, "right") - _load(weights, "left")
    return (difference > 0) - (difference < 0)


def _outcome(weights: Weights) -> tuple[str, str]:
    texts = {
        0: ("the beam hangs level", "横梁保持水平"),
        1: ("the right pan sinks and the left pan rises", "右盘下沉，左盘升起"),
        -1: ("the left pan sinks and the right pan rises", "左盘下沉，右盘升起"),
    }
    return texts[_lean(weights)]


def _move(weights: Weights, index: int, place: str, dice: Dice) -> SceneChange:
    w = weights[index]
    target = _put(weights, index, place)
    name, name_zh = f"{w.hue.english} {w.kg} kg weight", f"{w.hue.chinese}的 {w.kg} 千克砝码"
    result, result_zh = _outcome(target)
    told = dice.below(2) == 1
    if place == "table":
        english = f"Take the {name} off the balance, put it at the left end of the table"
        chinese = f"把{name_zh}从天平上取下放到桌面左端"
    else:
        english = f"Put the {name} from the table on the {place} pan"
        chinese = f"把桌上{name_zh}放到{'左' if place == 'left' else '右'}盘"
    english += f"; {result}." if told else f"{',' if place == 'table' else ''} and let the balance tilt as it must."
    chinese += f"，{result_zh}。" if told else "，让天平相应地倾斜。"
    other = next(i for i, x in enumerate(weights) if i != index and (x.place == "table") == (w.place == "table"))
    heavy_side = "right" if _lean(weights) > 0 else "left"
    wrong = _put(weights, other, "table" if place == "table" else heavy_side)
    return SceneChange(target, wrong, english, chinese, 2 if told else 3)


def plan(dice: Dice) -> Scene:
    """One weight on each pan, two on the table; every change alters the tilt."""
    hues = dice.shuffled(VIVID)
    light, heavy = dice.between(2, 3), dice.between(4, 5)
    extra, small = heavy - light + dice.between(1, 2), heavy - light
    heavy_side = dice.pick(("left", "right"))
    light_side = "right" if heavy_side == "left" else "left"
    weights = (
        Weight(heavy, hues[0], heavy_side, 0),
        Weight(light, hues[1], light_side, 1),
        Weight(extra, hues[2], "table", 2),
        Weight(small, hues[3], "table", 3),
    )
    changes = (
        _move(weights, 2, light_side, dice),
        _move(weights, 3, light_side, dice),
        _move(weights, 0, "table", dice),
    )
    parts = ", ".join(
        f"{a(w.hue.english)} {w.kg} kg weight on the {w.place}{'' if w.place == 'table' else ' pan'}" for w in weights
    )
    return Scene(weights, f"A brass balance on a table: {parts}.", changes)


def _weight(canvas: Canvas, w: Weight, x: float, base: float) -> None:
    half, high = 18.0 + w.kg * 1.6, 34.0 + w.kg * 4.0
    contact_shadow(canvas, x, base, half)
    canvas.fill(Circle(x, base - high - 5, 8.0), darker(w.hue.rgb, 0.4))
    canvas.fill(Circle(x, base - high - 5, 3.6), lighter(w.hue.rgb, 0.5))
    body = (
        (x - half + 5, base - high + 4),
        (x + half - 5, base - high + 4),
        (x + half - 3, base - 3),
        (x - half + 3, base - 3),
    )
    canvas.fill(Polygon(body, 3.0), across(lighter(w.hue.rgb, 0.2), darker(w.hue.rgb, 0.28), x - half, x + half))
    canvas.fill(Box(x - half + 6, base - 12, x + half - 6, base - 8, 2.0), lighter(w.hue.rgb, 0.4), 0.4)
    write(canvas, str(w.kg), (x, base - high * 0.55), 17.0, CREAM, 0.2)


def _pan(canvas: Canvas, hook: tuple[float, float], weights: list[Weight]) -> None:
    x, y = hook
    base = y + 140
    for dx in (-52.0, 52.0):
        canvas.fill(Line(x, y + 4, x + dx, base, 2.2), darker(_BRASS, 0.45))
    for i, w in enumerate(weights):
        _weight(canvas, w, x + (i - (len(weights) - 1) / 2) * 48.0, base + 2)
    dish = ((x - 60, base + 2), (x + 60, base + 2), (x + 38, base + 16), (x - 38, base + 16))
    canvas.fill(Polygon(dish, 3.0), across(lighter(_BRASS, 0.35), darker(_BRASS, 0.3), x - 60, x + 60))
    canvas.fill(Line(x - 60, base + 1, x + 60, base + 1, 4.0), lighter(_BRASS, 0.5))
    canvas.fill(Circle(x, y + 3, 6.0), darker(_BRASS, 0.2))


def draw(canvas: Canvas, weights: Weights, look: Look) -> None:
    """The table, the stand, the beam at its angle, the pans and the weights."""
    wall(canvas, look)
    frame(canvas, look, "a", 18.0 + look.shift("ax", 8), 22.0)
    frame(canvas, look, "b", 402.0 + look.shift("bx", 8), 26.0)
    table(canvas, look, 408.0, 66.0)
    px, py = _PIVOT
    canvas.shadow(Ellipse(px + 10, 432.0, 84.0, 12.0), 0.35, 14.0)
    canvas.fill(Box(px - 7, py, px + 7, 424.0, 3.0), across(lighter(_BRASS, 0.4), darker(_BRASS, 0.3), px - 7, px + 7))
    canvas.fill(
        Polygon(((px - 60, 426.0), (px + 60, 426.0), (px + 34, 410.0), (px - 34, 410.0)), 4.0),
        down(lighter(_BRASS, 0.2), darker(_BRASS, 0.3), 406.0, 430.0),
    )
    c, s = direction(_lean(weights))
    for side, sign in (("left", -1.0), ("right", 1.0)):
        hook = (px + sign * _ARM * c, py + sign * _ARM * s)
        _pan(canvas, hook, [w for w in weights if w.place == side])
    canvas.fill(
        Line(px - _ARM * c, py - _ARM * s, px + _ARM * c, py + _ARM * s, 11.0),
        down(lighter(_BRASS, 0.35), darker(_BRASS, 0.15), py - 24, py + 24),
    )
    canvas.fill(Circle(px, py, 13.0), darker(_BRASS, 0.2))
    canvas.fill(Circle(px, py, 7.0), lighter(_BRASS, 0.5))
    canvas.fill(Line(px, py, px - s * 44, py + c * 44, 3.4), INK)
    for w in weights:
        if w.place == "table":
            _weight(canvas, w, (60.0, 176.0, 340.0, 448.0)[w.slot], 458.0)


BALANCE = Kind("balance", plan, draw)
