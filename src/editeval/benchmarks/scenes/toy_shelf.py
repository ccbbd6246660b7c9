"""Referential: toys on three shelves, named by their place, order, size and neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import Canvas, down
from editeval.benchmarks.scenes.palette import VIVID, WOOD, Hue, darker, lighter
from editeval.benchmarks.scenes.room import bunting, wall
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, changed
from editeval.benchmarks.scenes.shapes import Box, Line
from editeval.benchmarks.scenes.things import TOYS, toy

_BOARDS = (176.0, 316.0, 456.0)
_ROWS = (("top", "最上层"), ("middle", "中间一层"), ("bottom", "最下层"))
_ORDER = (("first", "第一"), ("second", "第二"), ("third", "第三"), ("fourth", "第四"))


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
    word, zh = _ORDER[place]
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


def _change(toys: Toys, dice: Dice, row: int, way: int) -> SceneChange:
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


def plan(dice: Dice) -> Scene:
    """Toys on shelves and three changes, each on another shelf."""
    toys = _stock(dice)
    ways = dice.shuffled(range(4))
    changes = tuple(_change(toys, dice, row, ways[row]) for row in dice.shuffled(range(3)))
    return Scene(toys, f"A wall with three wooden shelves on which {len(toys)} colourful toys stand.", changes)


def draw(canvas: Canvas, toys: Toys, look: Look) -> None:
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


TOY_SHELF = Kind("toy_shelf", plan, draw)
