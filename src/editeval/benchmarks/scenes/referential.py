"""Referential: objects named by place, order, size and neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import (
    CREAM,
    VIVID,
    WOOD,
    Canvas,
    Colour,
    Hue,
    across,
    darker,
    down,
    lighter,
    mixed,
)
from editeval.benchmarks.scenes.indoors import TOYS, bunting, toy, wall
from editeval.benchmarks.scenes.outdoors import DAWN, DAY, SUNSET, cloud, fir, hills, ridge, sky, sun
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, changed
from editeval.benchmarks.scenes.shapes import Both, Box, Circle, Ellipse, Line, Polygon, Union

# toys: toys on three shelves, named by their place, order, size and neighbours.

_BOARDS = (176.0, 316.0, 456.0)
_ROWS = (("top", "最上层"), ("middle", "中间一层"), ("bottom", "最下层"))
_TOYS_ORDER = (("first", "第一"), ("second", "第二"), ("third", "第三"), ("fourth", "第四"))


@dataclass(frozen=True, slots=True)
class Toy:
    """One toy; `row` 0 is the top shelf, `x` its middle, no hue: it is gone."""

    row: int
    x: float
    kind: str
    size: float
    hue: Hue | None


Toys = tuple[Toy, ...]
Text = tuple[str, str]


def _stock(dice: Dice) -> Toys:
    toys: list[Toy] = []
    for row in range(3):
        count = dice.between(3, 4)
        spread = 400.0 / count
        hues = dice.shuffled(VIVID)
        sizes = dice.shuffled((46.0, 58.0, 70.0, 82.0))
        for i in range(count):
            x = 56.0 + spread * (i + 0.5) + dice.between(-8, 8)
            toys.append(Toy(row, x, dice.pick(tuple(TOYS)), sizes[i], hues[i]))
    return tuple(toys)


def _phrase(toy_: Toy) -> Text:
    assert toy_.hue is not None
    return f"{toy_.hue.english} {toy_.kind}", f"{toy_.hue.chinese}的{TOYS[toy_.kind]}"


def _by_order(toys: Toys, dice: Dice, row: int) -> tuple[int, Text]:
    """A toy of `row` by counting from one end."""
    members = [i for i, t in enumerate(toys) if t.row == row]
    place = dice.below(len(members))
    english, chinese = _ROWS[row]
    word, zh = _TOYS_ORDER[place]
    if dice.below(2):
        return members[place], (f"the {word} toy from the left on the {english} shelf", f"{chinese}从左数{zh}个玩具")
    return members[-1 - place], (f"the {word} toy from the right on the {english} shelf", f"{chinese}从右数{zh}个玩具")


def _by_neighbour(toys: Toys, dice: Dice, row: int) -> tuple[int, Text]:
    """A toy of `row` by the toy beside it, which is unique on its shelf by colour."""
    members = [i for i, t in enumerate(toys) if t.row == row]
    place = dice.below(len(members) - 1)
    english, chinese = _ROWS[row]
    right = dice.below(2) == 1
    anchor, wanted = (members[place], members[place + 1]) if right else (members[place + 1], members[place])
    en, zh = _phrase(toys[anchor])
    side, side_zh = ("right", "右边") if right else ("left", "左边")
    return wanted, (
        f"the toy directly to the {side} of the {en} on the {english} shelf",
        f"{chinese}紧挨着{zh}{side_zh}的那个玩具",
    )


def _by_size(toys: Toys, dice: Dice, row: int) -> tuple[int, Text]:
    """A toy of `row` by its size among its neighbours; sizes on a shelf all differ."""
    members = sorted((i for i, t in enumerate(toys) if t.row == row), key=lambda i: toys[i].size)
    english, chinese = _ROWS[row]
    place, en, zh = dice.pick(((0, "smallest", "最小"), (-1, "tallest", "最高"), (-2, "second tallest", "第二高")))
    return members[place], (f"the {en} toy on the {english} shelf", f"{chinese}{zh}的玩具")


def _by_colour(toys: Toys, dice: Dice, row: int) -> tuple[int, Text]:
    """A toy of `row` by its own colour and kind."""
    index = dice.pick([i for i, t in enumerate(toys) if t.row == row])
    en, zh = _phrase(toys[index])
    return index, (f"the {en} on the {_ROWS[row][0]} shelf", f"{_ROWS[row][1]}{zh}")


_WAYS: tuple[tuple[Callable[[Toys, Dice, int], tuple[int, Text]], int], ...] = (
    (_by_colour, 1),
    (_by_order, 2),
    (_by_neighbour, 3),
    (_by_size, 2),
)


def _change_toys(toys: Toys, dice: Dice, row: int, way: int) -> SceneChange:
    find, difficulty = _WAYS[way]
    index, (en, zh) = find(toys, dice, row)
    other = dice.pick([i for i, t in enumerate(toys) if t.row != row])
    if dice.below(3) == 0:
        english = dice.pick((f"Remove {en}.", f"Take away {en} and leave its place empty."))
        return SceneChange(
            changed(toys, index, hue=None),
            changed(toys, other, hue=None),
            english,
            f"把{zh}拿走，位置空着。",
            difficulty,
        )
    taken = {toys[index].hue, toys[other].hue}
    hue = dice.pick([h for h in VIVID if h not in taken])
    english = dice.pick(
        (f"Make {en} {hue.english}.", f"Change the colour of {en} to {hue.english}.", f"Paint {en} {hue.english}.")
    )
    return SceneChange(
        changed(toys, index, hue=hue), changed(toys, other, hue=hue), english, f"把{zh}变成{hue.chinese}。", difficulty
    )


def _plan_toys(dice: Dice) -> Scene:
    """Toys on shelves and three changes, each on another shelf."""
    toys = _stock(dice)
    ways = dice.shuffled(range(4))
    changes = tuple(_change_toys(toys, dice, row, ways[row]) for row in dice.shuffled(range(3)))
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
        canvas.fill(Box(36.0, y, 476.0, y + 16, 4.0), down(lighter(wood, 0.3), darker(wood, 0.12), y, y + 16))
        canvas.fill(Line(40.0, y + 1.4, 472.0, y + 1.4, 2.0), lighter(wood, 0.6), 0.7)
    for t in toys:
        if t.hue is not None:
            toy(canvas, t.kind, t.x, _BOARDS[t.row] + 3, t.size, t.hue.rgb)


TOY_SHELF = Kind("toy_shelf", _plan_toys, _draw_toys)


# balloons: hot-air balloons over hills, named by height, order, pattern and colour.

_XS = (66.0, 162.0, 256.0, 350.0, 446.0)
_BALLOONS_ORDER = (("first", "一"), ("second", "二"), ("third", "三"), ("fourth", "四"), ("fifth", "五"))


@dataclass(frozen=True, slots=True)
class Balloon:
    """A balloon at (x, y); no hue: it has flown away."""

    x: float
    y: float
    r: float
    pattern: str
    hue: Hue | None


Balloons = tuple[Balloon, ...]
_PATTERNS = {"striped": "条纹", "plain": "纯色", "banded": "带腰带"}


def _find(balloons: Balloons, dice: Dice) -> tuple[int, str, str, int]:
    way = dice.below(4)
    count = len(balloons)
    if way == 0:
        index = dice.below(count)
        hue = balloons[index].hue
        assert hue is not None
        return index, f"the {hue.english} balloon", f"{hue.chinese}的热气球", 1
    if way == 1:
        place = dice.below(count)
        word, zh = _BALLOONS_ORDER[place]
        if dice.below(2):
            return place, f"the {word} balloon from the left", f"左起第{zh}个热气球", 2
        return count - 1 - place, f"the {word} balloon from the right", f"右起第{zh}个热气球", 2
    if way == 2:
        ranked = sorted(range(count), key=lambda i: balloons[i].y)
        place, en, zh = dice.pick(
            ((0, "highest", "飞得最高"), (-1, "lowest", "飞得最低"), (1, "second highest", "飞得第二高"))
        )
        return ranked[place], f"the {en} balloon", f"{zh}的热气球", 2
    place = dice.below(count - 1)
    anchor, index = (place, place + 1) if dice.below(2) else (place + 1, place)
    hue = balloons[anchor].hue
    assert hue is not None
    side, zh = ("right", "右") if index > anchor else ("left", "左")
    return (
        index,
        f"the balloon next to the {hue.english} one on its {side}",
        f"{hue.chinese}热气球{zh}边紧邻的那个热气球",
        3,
    )


def _change_balloons(balloons: Balloons, dice: Dice, taken: set[int]) -> SceneChange:
    index, en, zh, difficulty = _find(balloons, dice)
    while index in taken:
        index, en, zh, difficulty = _find(balloons, dice)
    taken.add(index)
    other = (index + dice.between(1, len(balloons) - 1)) % len(balloons)
    if dice.below(3) == 0:
        english = dice.pick((f"Remove {en} from the sky.", f"Let {en} vanish."))
        chinese = f"把{zh}从天空中去掉。"
        return SceneChange(
            changed(balloons, index, hue=None), changed(balloons, other, hue=None), english, chinese, difficulty
        )
    used = {b.hue for b in balloons}
    hue = dice.pick([h for h in VIVID if h not in used])
    english = dice.pick((f"Make {en} {hue.english}.", f"Change {en} to {hue.english}, with the same pattern."))
    chinese = f"把{zh}变成{hue.chinese}，图案不变。"
    return SceneChange(
        changed(balloons, index, hue=hue), changed(balloons, other, hue=hue), english, chinese, difficulty
    )


def _plan_balloons(dice: Dice) -> Scene:
    """Four or five balloons of different colours and heights."""
    xs = _XS if dice.below(2) else (88.0, 198.0, 314.0, 424.0)
    heights, hues = dice.shuffled((92.0, 128.0, 164.0, 200.0, 240.0)), dice.shuffled(VIVID)
    balloons = tuple(
        Balloon(x + dice.between(-5, 5), heights[i], dice.between(37, 42), dice.pick(tuple(_PATTERNS)), hues[i])
        for i, x in enumerate(xs)
    )
    taken: set[int] = set()
    changes = tuple(_change_balloons(balloons, dice, taken) for _ in range(3))
    names = ", ".join(h.english for h in hues[: len(xs)])
    return Scene(
        balloons, f"{'Five' if len(xs) == 5 else 'Four'} hot-air balloons over hills, from the left {names}.", changes
    )


def _balloon(canvas: Canvas, b: Balloon, rgb: Colour) -> None:
    x, y, r = b.x, b.y, b.r
    skirt = Polygon(
        (
            (x - r * 0.86, y + r * 0.46),
            (x + r * 0.86, y + r * 0.46),
            (x + r * 0.24, y + r * 1.34),
            (x - r * 0.24, y + r * 1.34),
        )
    )
    envelope = Union((Circle(x, y, r), skirt))
    for dx in (-0.2, 0.2):
        canvas.fill(Line(x + dx * r, y + r * 1.3, x + dx * r * 0.8, y + r * 1.74, 1.8), darker(WOOD, 0.5))
    basket = Box(x - r * 0.22, y + r * 1.72, x + r * 0.22, y + r * 2.04, 3.0)
    canvas.fill(basket, across(lighter(WOOD, 0.1), darker(WOOD, 0.35), x - r * 0.22, x + r * 0.22))
    canvas.fill(envelope, across(lighter(rgb, 0.24), darker(rgb, 0.22), x - r, x + r))
    pale = mixed(CREAM, rgb, 0.12)
    if b.pattern == "striped":
        for wide in (0.62, 0.2):
            tone = pale if wide == 0.62 else rgb
            canvas.fill(
                Both(Ellipse(x, y + r * 0.2, r * wide, r * 1.34), envelope),
                across(lighter(tone, 0.15), darker(tone, 0.12), x - r * 0.6, x + r * 0.6),
            )
    elif b.pattern == "banded":
        canvas.fill(
            Both(Box(x - r, y - r * 0.16, x + r, y + r * 0.22), envelope),
            across(pale, darker(pale, 0.16), x - r, x + r),
        )
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
        cloud(
            canvas,
            50.0 + i * 136 + look.shift(f"x{i}", 40),
            40.0 + look.below(f"y{i}", 260),
            0.6 + 0.1 * look.below(f"s{i}", 6),
            0.75,
        )
    ridge(canvas, look, "ridge", 400.0, 110.0, mixed(light[0], (104.0, 116.0, 156.0), 0.55))
    hills(canvas, look, 388.0, (116.0, 172.0, 104.0), (130.0, 178.0, 150.0))
    for i in range(8):
        fir(
            canvas,
            18.0 + i * 66 + look.shift(f"f{i}", 24),
            470.0 + look.shift(f"g{i}", 14),
            44.0 + look.below(f"h{i}", 30),
            (70.0, 128.0, 96.0),
        )
    canvas.fill(Ellipse(256.0, 600.0, 520.0, 130.0), down((150.0, 190.0, 104.0), (104.0, 156.0, 88.0), 470.0, 512.0))
    for b in balloons:
        if b.hue is not None:
            _balloon(canvas, b, b.hue.rgb)


BALLOONS = Kind("balloons", _plan_balloons, _draw_balloons)
