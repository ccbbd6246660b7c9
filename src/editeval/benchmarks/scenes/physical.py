"""Physical: what gravity and reflection do."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import (
    CREAM,
    DARK_WOOD,
    VIVID,
    WOOD,
    Canvas,
    Hue,
    Shade,
    across,
    darker,
    down,
    lighter,
    mixed,
)
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, a, one_changed
from editeval.benchmarks.scenes.shapes import Box, Ellipse, Line, Polygon, tapered
from editeval.benchmarks.scenes.surroundings import (
    DAWN,
    DAY,
    SUNSET,
    TOYS,
    cloud,
    fir,
    floor,
    frame,
    plant,
    ridge,
    sky,
    sun,
    toy,
    wall,
)

# falling: things rest on stools; take a stool away and what it carried lies on the floor.

_GROUND = 452.0


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


def _drop(stands: Stands, index: int, dice: Dice) -> SceneChange[Stands]:
    s = stands[index]
    toy_en, toy_zh = f"{s.hue.english} {s.kind}", f"{s.hue.chinese}的{TOYS[s.kind]}"
    stool_en, stool_zh = f"{s.stool.english} stool", f"{s.stool.chinese}凳子"
    english = dice.either(
        f"Take the {stool_en} away; the {toy_en} it carried drops straight down and lies on the floor.",
        f"Remove the {stool_en}. Nothing holds the {toy_en} any more, so show it on the floor right below.",
        f"The {stool_en} is gone: the {toy_en} that was on it now stands on the floor in the same place.",
    )
    chinese = f"拿走{stool_zh}，上面{toy_zh}垂直落到地面上。"
    return SceneChange(*one_changed(stands, index, (index + 1) % 3, has_stool=False), english, chinese, 2)


def _recolour(stands: Stands, index: int, dice: Dice) -> SceneChange[Stands]:
    s, other = stands[index], (index + 1) % 3
    hue = dice.pick([h for h in VIVID if h not in {s.hue, stands[other].hue, s.stool}])
    english = dice.either(
        f"Make the {s.kind} on the {s.stool.english} stool {hue.english}.",
        f"Change the {s.hue.english} {s.kind} to {hue.english}.",
    )
    chinese = f"把{s.stool.chinese}凳子上的{TOYS[s.kind]}变成{hue.chinese}。"
    return SceneChange(*one_changed(stands, index, other, hue=hue), english, chinese, 1)


def _plan_falling(dice: Dice) -> Scene[Stands]:
    """Three stools of different heights, each with a toy."""
    stools, hues = dice.shuffled(VIVID), dice.shuffled(VIVID)
    kinds = dice.shuffled(("ball", "block", "cone", "drum"))
    heights = dice.shuffled((84.0, 124.0, 168.0))
    stands = tuple(
        Stand(x + dice.between(-6, 6), heights[i], stools[i], True, kinds[i], dice.between(58, 74), hues[i])
        for i, x in enumerate((92.0, 222.0, 352.0))
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
    canvas.fill(tapered(s.x, (top + 4, 48.0), (top + 18, 46.0), 2.0), Shade(s.stool.rgb, 0.1, 0.25))
    canvas.fill(Ellipse(s.x, top + 4, 50.0, 10.0), Shade(lighter(s.stool.rgb, 0.1), 0.33, 0.0, True))


def _draw_falling(canvas: Canvas, stands: Stands, look: Look) -> None:
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


FALLING = Kind("falling", _plan_falling, _draw_falling)


# lake: sailing boats on still water; what happens to a boat happens to its reflection.

_SHORE = 300.0
_PLACES = ((112.0, "left", "左边"), (262.0, "middle", "中间"), (408.0, "right", "右边"))


@dataclass(frozen=True, slots=True)
class Boat:
    """A sailing boat; `size` 1 is 120 units high."""

    x: float
    size: float
    sail: Hue
    hull: Hue | None  # no hue: bare wood
    is_there: bool = True


Boats = tuple[Boat, ...]


def _sail(boats: Boats, index: int, dice: Dice) -> SceneChange[Boats]:
    boat, other = boats[index], (index + 1) % 3
    hue = dice.pick([h for h in VIVID if h not in {boat.sail, boats[other].sail}])
    by_place = dice.below(2) == 1
    en = f"the {_PLACES[index][1]} boat" if by_place else f"the boat with the {boat.sail.english} sail"
    zh = f"{_PLACES[index][2]}的船" if by_place else f"挂着{boat.sail.chinese}帆的船"
    is_explicit = dice.below(2) == 1
    english = f"Give {en} {a(hue.english)} sail" + (
        ", in the water's reflection too." if is_explicit else "; the lake is a mirror."
    )
    chinese = f"把{zh}的帆换成{hue.chinese}" + ("，水中的倒影也一样。" if is_explicit else "；湖面如镜。")
    return SceneChange(*one_changed(boats, index, other, sail=hue), english, chinese, 2 if is_explicit else 3)


def _remove(boats: Boats, index: int, dice: Dice) -> SceneChange[Boats]:
    boat, other = boats[index], (index + 1) % 3
    english = dice.either(
        f"Remove the boat with the {boat.sail.english} sail and its reflection.",
        f"The boat with the {boat.sail.english} sail has left the lake; nothing of it is to be seen any more.",
    )
    chinese = f"去掉挂{boat.sail.chinese}帆的船，连同它的倒影。"
    return SceneChange(*one_changed(boats, index, other, is_there=False), english, chinese, 2)


def _hull(boats: Boats, index: int, dice: Dice) -> SceneChange[Boats]:
    boat, other = boats[index], (index + 1) % 3
    hue = dice.pick([h for h in VIVID if h != boat.sail])
    english = f"Paint the wooden hull of the {_PLACES[index][1]} boat {hue.english}, as its reflection will show."
    chinese = f"把{_PLACES[index][2]}那条船的木船身漆成{hue.chinese}，倒影随之改变。"
    return SceneChange(*one_changed(boats, index, other, hull=hue), english, chinese, 2)


def _plan_lake(dice: Dice) -> Scene[Boats]:
    """Three boats and three changes, each of another boat."""
    sails = dice.shuffled(VIVID)
    sizes = dice.shuffled((0.86, 1.04, 1.22))
    boats = tuple(Boat(x + dice.between(-10, 10), sizes[i], sails[i], None) for i, (x, _, _) in enumerate(_PLACES))
    first, second, third = dice.shuffled(range(3))
    changes = (_sail(boats, first, dice), _remove(boats, second, dice), _hull(boats, third, dice))
    names = ", ".join(b.sail.english for b in boats)
    return Scene(
        boats, f"A still mountain lake with three sailing boats; from the left their sails are {names}.", changes
    )


def _boat(canvas: Canvas, boat: Boat) -> None:
    x, s, y = boat.x, boat.size, _SHORE
    canvas.fill(Line(x, y - 16 * s, x, y - 122 * s, 3.4 * s), DARK_WOOD)
    main = ((x + 5 * s, y - 116 * s), (x + 5 * s, y - 30 * s), (x + 52 * s, y - 30 * s))
    front = ((x - 5 * s, y - 104 * s), (x - 5 * s, y - 30 * s), (x - 36 * s, y - 30 * s))
    rgb = boat.sail.rgb
    canvas.fill(Polygon(main, 2.0), Shade(rgb, 0.2, 0.14))
    canvas.fill(Polygon(front, 2.0), across(lighter(rgb, 0.1), lighter(rgb, 0.4), x - 36 * s, x))
    hull = WOOD if boat.hull is None else boat.hull.rgb
    points = ((x - 46 * s, y - 20 * s), (x + 56 * s, y - 20 * s), (x + 40 * s, y + 1), (x - 32 * s, y + 1))
    canvas.fill(Polygon(points, 2.0), Shade(hull, 0.1, 0.3, True))
    canvas.fill(Line(x - 46 * s, y - 20 * s, x + 56 * s, y - 20 * s, 3.4 * s), lighter(hull, 0.5))


def _draw_lake(canvas: Canvas, boats: Boats, look: Look) -> None:
    """Sky, mountains and boats, then everything once more in the water."""
    light = look.pick("light", (DAY, DAWN, SUNSET))
    sky(canvas, light, Box(-8.0, -8.0, 520.0, 310.0))
    warm = (255.0, 236.0, 190.0)
    sun(canvas, 120.0 + look.below("sun", 260), 96.0 + look.shift("suny", 20), 24.0, warm)
    cloud(canvas, 90.0 + look.shift("c1", 50), 60.0, 0.8, 0.7)
    cloud(canvas, 390.0 + look.shift("c2", 60), 90.0 + look.shift("c2y", 20), 1.1, 0.7)
    far = mixed(light[0], (110.0, 104.0, 150.0), 0.55)
    ridge(canvas, look, "far", 300.0, 170.0, mixed(far, light[1], 0.35))
    ridge(canvas, look, "near", 300.0, 96.0, far)
    green = mixed((70.0, 122.0, 104.0), light[0], 0.2)
    for i in range(9):
        fir(canvas, 20.0 + i * 58.0 + look.shift(f"fir{i}", 20), 300.0, 34.0 + look.below(f"high{i}", 30), green)
    canvas.fill(Box(-8.0, 291.0, 520.0, 302.0, 3.0), down(green, darker(green, 0.2), 290.0, 302.0))
    for boat in boats:
        if boat.is_there:
            _boat(canvas, boat)
    water = mixed(light[0], (74.0, 130.0, 170.0), 0.6)
    canvas.fill(Box(-8.0, _SHORE, 520.0, 520.0), Shade(water, 0.2, 0.25, True))
    canvas.mirror_rows(_SHORE, 212.0, water, 0.86)
    for i in range(16):
        y = _SHORE + 8 + i * (6 + i * 0.5)
        x = 256.0 + look.shift(f"wave{i}", 210)
        half = 24.0 + look.below(f"long{i}", 60)
        canvas.fill(Line(x - half, y, x + half, y, 1.5 + i * 0.08), lighter(water, 0.6), 0.45)
    canvas.fill(Line(-8.0, _SHORE, 520.0, _SHORE, 2.0), CREAM, 0.35)


LAKE = Kind("lake", _plan_lake, _draw_lake)
