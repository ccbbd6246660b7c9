"""Referential: objects named by colour, order, size and neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from editeval.benchmarks.scenes.canvas import CREAM, VIVID, WOOD, Canvas, Hue, Shade, darker, down, lighter, mixed
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, one_changed
from editeval.benchmarks.scenes.shapes import Both, Box, Circle, Ellipse, Line, Union, tapered
from editeval.benchmarks.scenes.surroundings import (
    DAWN,
    DAY,
    SUNSET,
    TOYS,
    bunting,
    cloud,
    fir,
    hills,
    ridge,
    sky,
    sun,
    toy,
    wall,
)

_ORDER = (("first", "一"), ("second", "二"), ("third", "三"), ("fourth", "四"), ("fifth", "五"))
_SIDES = (("left", "左"), ("right", "右"))
_DIFFICULTY = {"colour": 1, "order": 2, "size": 2, "neighbour": 3}


class Lineup(NamedTuple):
    """Things from left to right and the words that name one of them, each in English and Chinese."""

    noun: tuple[str, str]
    names: list[tuple[str, str]]  # of each thing, by its colour; all differ
    sizes: list[float]  # all differ
    ranks: tuple[tuple[int, str, str], ...]  # position in the order of `sizes`, words
    where: tuple[str, str] = ("", "")

    def refer(self, way: str, dice: Dice) -> tuple[int, str, str]:
        """One of the things, and the words that mean it and no other; `way` is one of _DIFFICULTY."""
        (noun, noun_zh), (where, where_zh), count = self.noun, self.where, len(self.names)
        index = dice.below(count)
        if way == "colour":
            name, name_zh = self.names[index]
            return index, f"the {name}{where}", f"{where_zh}{name_zh}"
        if way == "size":
            rank, word, zh = dice.pick(self.ranks)
            index = sorted(range(count), key=lambda i: self.sizes[i])[rank]
            return index, f"the {word} {noun}{where}", f"{where_zh}{zh}的{noun_zh}"
        is_right = dice.below(2)
        side, side_zh = _SIDES[is_right]
        if way == "order":
            word, zh = _ORDER[count - 1 - index if is_right else index]
            return index, f"the {word} {noun} from the {side}{where}", f"{where_zh}从{side_zh}数第{zh}个{noun_zh}"
        index = 1 + dice.below(count - 1) if is_right else dice.below(count - 1)
        name, name_zh = self.names[index - 1 if is_right else index + 1]
        english = f"the {noun} directly to the {side} of the {name}{where}"
        return index, english, f"{where_zh}紧挨着{name_zh}{side_zh}边的那个{noun_zh}"


def _texts(dice: Dice, en: str, zh: str, hue: Hue | None) -> tuple[str, str]:
    """Instructions that ask for another colour, or, without a hue, to remove the thing."""
    if hue is None:
        english = dice.either(f"Remove {en}.", f"Take away {en} and leave its place empty.", f"Let {en} vanish.")
        return english, f"把{zh}去掉，位置空着。"
    english = dice.either(
        f"Make {en} {hue.english}.", f"Change the colour of {en} to {hue.english}.", f"Paint {en} {hue.english}."
    )
    return english, f"把{zh}变成{hue.chinese}。"


# toy_shelf: toys on three shelves.

_BOARDS = (176.0, 316.0, 456.0)
_SHELVES = ((" on the top shelf", "最上层"), (" on the middle shelf", "中间一层"), (" on the bottom shelf", "最下层"))
_TOY_RANKS = ((0, "smallest", "最小"), (-1, "tallest", "最高"), (-2, "second tallest", "第二高"))


@dataclass(frozen=True, slots=True)
class Toy:
    """One toy; `row` 0 is the top shelf, `x` its middle."""

    row: int
    x: float
    kind: str
    size: float
    hue: Hue
    is_there: bool = True


Toys = tuple[Toy, ...]


def _shelf(row: int, dice: Dice) -> list[Toy]:
    count = dice.between(3, 4)
    spread = 400.0 / count
    hues, sizes = dice.shuffled(VIVID), dice.shuffled((46.0, 58.0, 70.0, 82.0))
    return [
        Toy(row, 56.0 + spread * (i + 0.5) + dice.between(-8, 8), dice.pick(tuple(TOYS)), sizes[i], hues[i])
        for i in range(count)
    ]


def _change_toy(toys: Toys, dice: Dice, row: int, way: str) -> SceneChange[Toys]:
    members = [i for i, t in enumerate(toys) if t.row == row]
    mine = [toys[i] for i in members]
    names = [(f"{t.hue.english} {t.kind}", f"{t.hue.chinese}的{TOYS[t.kind]}") for t in mine]
    place, en, zh = Lineup(("toy", "玩具"), names, [t.size for t in mine], _TOY_RANKS, _SHELVES[row]).refer(way, dice)
    index, other = members[place], dice.pick([i for i in range(len(toys)) if i not in members])
    hue = dice.pick([h for h in VIVID if h not in (toys[index].hue, toys[other].hue)]) if dice.below(3) else None
    fields = {"hue": hue} if hue else {"is_there": False}
    return SceneChange(*one_changed(toys, index, other, **fields), *_texts(dice, en, zh, hue), _DIFFICULTY[way])


def _plan_toys(dice: Dice) -> Scene[Toys]:
    """Toys on shelves and three changes, each on another shelf."""
    toys = tuple(toy for row in range(3) for toy in _shelf(row, dice))
    ways = dice.shuffled(tuple(_DIFFICULTY))
    changes = tuple(_change_toy(toys, dice, row, ways[row]) for row in dice.shuffled(range(3)))
    return Scene(toys, f"A wall with three wooden shelves on which {len(toys)} colourful toys stand.", changes)


def _draw_toys(canvas: Canvas, toys: Toys, look: Look) -> None:
    """The wall, the shelves and what stands on them."""
    wall(canvas, look)
    bunting(canvas, look, 18.0 + look.shift("flags", 4))
    wood = look.pick("wood", (WOOD, (222.0, 184.0, 140.0), (176.0, 122.0, 86.0)))
    for y in _BOARDS:
        canvas.shadow(Box(44.0, y + 10, 480.0, y + 40, 6.0), 0.22, 22.0)
        for x in (92.0, 420.0):
            canvas.fill(Line(x, y + 14, x, y + 34, 7.0), darker(wood, 0.4))
        canvas.fill(Box(36.0, y, 476.0, y + 16, 4.0), Shade(wood, 0.3, 0.12, True))
        canvas.fill(Line(40.0, y + 1.4, 472.0, y + 1.4, 2.0), lighter(wood, 0.6), 0.7)
    for t in toys:
        if t.is_there:
            toy(canvas, t.kind, t.x, _BOARDS[t.row] + 3, t.size, t.hue.rgb)


TOY_SHELF = Kind("toy_shelf", _plan_toys, _draw_toys)


# balloons: hot-air balloons over hills.

_PATTERNS = ("striped", "plain", "banded")
_BALLOON_RANKS = ((0, "highest", "飞得最高"), (-1, "lowest", "飞得最低"), (1, "second highest", "飞得第二高"))


@dataclass(frozen=True, slots=True)
class Balloon:
    """A balloon of radius `r` at (x, y)."""

    x: float
    y: float
    r: float
    pattern: str
    hue: Hue
    is_there: bool = True


Balloons = tuple[Balloon, ...]


def _change_balloon(balloons: Balloons, dice: Dice, taken: set[int]) -> SceneChange[Balloons]:
    names = [(f"{b.hue.english} balloon", f"{b.hue.chinese}的热气球") for b in balloons]
    row = Lineup(("balloon", "热气球"), names, [b.y for b in balloons], _BALLOON_RANKS)
    while True:
        way = dice.pick(tuple(_DIFFICULTY))
        index, en, zh = row.refer(way, dice)
        if index not in taken:
            break
    taken.add(index)
    other = (index + dice.between(1, len(balloons) - 1)) % len(balloons)
    hue = dice.pick([h for h in VIVID if h not in {b.hue for b in balloons}]) if dice.below(3) else None
    fields = {"hue": hue} if hue else {"is_there": False}
    return SceneChange(*one_changed(balloons, index, other, **fields), *_texts(dice, en, zh, hue), _DIFFICULTY[way])


def _plan_balloons(dice: Dice) -> Scene[Balloons]:
    """Four or five balloons of different colours and heights."""
    xs = dice.pick(((66.0, 162.0, 256.0, 350.0, 446.0), (88.0, 198.0, 314.0, 424.0)))
    heights, hues = dice.shuffled((92.0, 128.0, 164.0, 200.0, 240.0)), dice.shuffled(VIVID)
    balloons = tuple(
        Balloon(x + dice.between(-5, 5), heights[i], dice.between(37, 42), dice.pick(_PATTERNS), hues[i])
        for i, x in enumerate(xs)
    )
    taken: set[int] = set()
    changes = tuple(_change_balloon(balloons, dice, taken) for _ in range(3))
    count, names = "Five" if len(xs) == 5 else "Four", ", ".join(b.hue.english for b in balloons)
    return Scene(balloons, f"{count} hot-air balloons over hills, from the left {names}.", changes)


def _balloon(canvas: Canvas, b: Balloon) -> None:
    x, y, r, rgb = b.x, b.y, b.r, b.hue.rgb
    top, foot = y + r * 0.46, y + r * 1.34
    envelope = Union((Circle(x, y, r), tapered(x, (top, r * 0.86), (foot, r * 0.24))))
    for dx in (-0.2, 0.2):
        canvas.fill(Line(x + dx * r, y + r * 1.3, x + dx * r * 0.8, y + r * 1.74, 1.8), darker(WOOD, 0.5))
    canvas.fill(Box(x - r * 0.22, y + r * 1.72, x + r * 0.22, y + r * 2.04, 3.0), Shade(WOOD, 0.1, 0.35))
    canvas.fill(envelope, Shade(rgb, 0.24, 0.22))
    pale = mixed(CREAM, rgb, 0.12)
    if b.pattern == "striped":
        for wide, tone in ((0.62, pale), (0.2, rgb)):
            canvas.fill(Both(Ellipse(x, y + r * 0.2, r * wide, r * 1.34), envelope), Shade(tone, 0.15, 0.12))
    elif b.pattern == "banded":
        canvas.fill(Both(Box(x - r, y - r * 0.16, x + r, y + r * 0.22), envelope), Shade(pale, 0.0, 0.16))
        for i in (-1, 0, 1):
            canvas.fill(Circle(x + i * r * 0.5, y + r * 0.03, r * 0.1), rgb)
    canvas.fill(Ellipse(x - r * 0.4, y - r * 0.46, r * 0.2, r * 0.28), (255.0, 255.0, 255.0), 0.4, r * 0.2)
    canvas.fill(Box(x - r * 0.26, y + r * 1.26, x + r * 0.26, y + r * 1.4, 2.0), darker(rgb, 0.4))


def _draw_balloons(canvas: Canvas, balloons: Balloons, look: Look) -> None:
    """A wide landscape under the balloons."""
    light = look.pick("light", (DAY, DAWN, SUNSET))
    sky(canvas, light, Box(-8.0, -8.0, 520.0, 430.0))
    sun(canvas, 60.0 + look.below("sun", 390), 60.0, 20.0, (255.0, 238.0, 190.0))
    for i in range(4):
        x, y = 50.0 + i * 136 + look.shift(f"x{i}", 40), 40.0 + look.below(f"y{i}", 260)
        cloud(canvas, x, y, 0.6 + 0.1 * look.below(f"s{i}", 6), 0.75)
    ridge(canvas, look, "ridge", 400.0, 110.0, mixed(light[0], (104.0, 116.0, 156.0), 0.55))
    hills(canvas, look, 388.0, (116.0, 172.0, 104.0), (130.0, 178.0, 150.0))
    for i in range(8):
        x, foot = 18.0 + i * 66 + look.shift(f"f{i}", 24), 470.0 + look.shift(f"g{i}", 14)
        fir(canvas, x, foot, 44.0 + look.below(f"h{i}", 30), (70.0, 128.0, 96.0))
    canvas.fill(Ellipse(256.0, 600.0, 520.0, 130.0), down((150.0, 190.0, 104.0), (104.0, 156.0, 88.0), 470.0, 512.0))
    for b in balloons:
        if b.is_there:
            _balloon(canvas, b)


BALLOONS = Kind("balloons", _plan_balloons, _draw_balloons)
