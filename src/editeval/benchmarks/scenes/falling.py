"""Physical: things rest on stools; take a stool away and what it carried lies on the floor."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import Canvas, across, down
from editeval.benchmarks.scenes.palette import VIVID, Hue, darker, lighter
from editeval.benchmarks.scenes.room import floor, frame, plant, wall
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, a, changed
from editeval.benchmarks.scenes.shapes import Ellipse, Line, Polygon
from editeval.benchmarks.scenes.things import TOYS, toy

_GROUND = 452.0
_PLACES = (92.0, 222.0, 352.0)


@dataclass(frozen=True, slots=True)
class Stand:
    """A stool `height` units high with a toy on it. Without the stool the toy is on the floor."""

    x: float
    height: float
    stool: Hue
    has_stool: bool
    kind: str
    size: float
    hue: Hue


Stands = tuple[Stand, ...]


def _drop(stands: Stands, index: int, dice: Dice) -> SceneChange:
    s = stands[index]
    toy_en, toy_zh = f"{s.hue.english} {s.kind}", f"{s.hue.chinese}的{TOYS[s.kind]}"
    stool_en, stool_zh = f"{s.stool.english} stool", f"{s.stool.chinese}凳子"
    english = dice.pick(
        (
            f"Take the {stool_en} away; the {toy_en} it carried drops straight down and lies on the floor.",
            f"Remove the {stool_en}. Nothing holds the {toy_en} any more, so show it on the floor right below.",
            f"The {stool_en} is gone: the {toy_en} that was on it now stands on the floor in the same place.",
        )
    )
    chinese = f"拿走{stool_zh}，上面{toy_zh}垂直落到地面上。"
    return SceneChange(
        changed(stands, index, has_stool=False), changed(stands, (index + 1) % 3, has_stool=False), english, chinese, 2
    )


def _recolour(stands: Stands, index: int, dice: Dice) -> SceneChange:
    s, other = stands[index], (index + 1) % 3
    hue = dice.pick([h for h in VIVID if h not in {s.hue, stands[other].hue, s.stool}])
    english = dice.pick(
        (
            f"Make the {s.kind} on the {s.stool.english} stool {hue.english}.",
            f"Change the {s.hue.english} {s.kind} to {hue.english}.",
        )
    )
    chinese = f"把{s.stool.chinese}凳子上的{TOYS[s.kind]}变成{hue.chinese}。"
    return SceneChange(changed(stands, index, hue=hue), changed(stands, other, hue=hue), english, chinese, 1)


def plan(dice: Dice) -> Scene:
    """Three stools of different heights, each with a toy."""
    stools = dice.shuffled(VIVID)
    hues = dice.shuffled(VIVID)
    kinds = dice.shuffled(("ball", "block", "cone", "drum"))
    heights = dice.shuffled((84.0, 124.0, 168.0))
    stands = tuple(
        Stand(_PLACES[i] + dice.between(-6, 6), heights[i], stools[i], True, kinds[i], dice.between(58, 74), hues[i])
        for i in range(3)
    )
    first, second, third = dice.shuffled(range(3))
    changes = (_drop(stands, first, dice), _drop(stands, second, dice), _recolour(stands, third, dice))
    names = ", ".join(f"{a(s.hue.english)} {s.kind} on {a(s.stool.english)} stool" for s in stands)
    return Scene(stands, f"A room with {names}.", changes)


def _stool(canvas: Canvas, s: Stand) -> None:
    top = _GROUND - s.height
    canvas.shadow(Ellipse(s.x + 8, _GROUND + 2, 56.0, 11.0), 0.3, 14.0)
    for foot, head in ((-40.0, -26.0), (40.0, 26.0), (-13.0, -10.0), (13.0, 10.0)):
        deep = 0.42 if abs(foot) < 20 else 0.16
        base = _GROUND + (2.0 if abs(foot) > 20 else -10.0)
        canvas.fill(Line(s.x + head, top + 14, s.x + foot, base, 8.0), darker(s.stool.rgb, deep))
    rung = _GROUND - s.height * 0.36
    canvas.fill(Line(s.x - 34, rung, s.x + 34, rung, 6.0), darker(s.stool.rgb, 0.26))
    sides = ((s.x - 48, top + 4), (s.x + 48, top + 4), (s.x + 46, top + 18), (s.x - 46, top + 18))
    canvas.fill(Polygon(sides, 2.0), across(lighter(s.stool.rgb, 0.1), darker(s.stool.rgb, 0.25), s.x - 48, s.x + 48))
    canvas.fill(
        Ellipse(s.x, top + 4, 50.0, 10.0), down(lighter(s.stool.rgb, 0.4), lighter(s.stool.rgb, 0.1), top - 6, top + 14)
    )


def draw(canvas: Canvas, stands: Stands, look: Look) -> None:
    """The room, the stools and their toys."""
    wall(canvas, look)
    floor(canvas, look, 396.0)
    frame(canvas, look, "left", 60.0 + look.shift("fx", 14), 56.0 + look.shift("fy", 10))
    frame(canvas, look, "right", 216.0 + look.shift("gx", 14), 72.0 + look.shift("gy", 14))
    plant(canvas, 466.0, 440.0 + look.shift("plant", 8), 1.35)
    for s in stands:
        if s.has_stool:
            _stool(canvas, s)
        toy(canvas, s.kind, s.x, _GROUND - (s.height - 6 if s.has_stool else 0.0), s.size, s.hue.rgb)


FALLING = Kind("falling", plan, draw)
