"""Causal: rows of dominoes; a push topples everything up to the first gap."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import Canvas, across, down
from editeval.benchmarks.scenes.palette import CREAM, VIVID, WOOD, Hue, darker, lighter
from editeval.benchmarks.scenes.room import bunting, frame, wall
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, changed
from editeval.benchmarks.scenes.shapes import Box, Circle, Line, Polygon, direction, turned

_BOARDS = (("top", "上层", 206.0), ("bottom", "下层", 424.0))
_PITCH, _WIDE, _HIGH, _FIRST = 33.0, 14.0, 80.0, 54.0
_PLACES = 11


@dataclass(frozen=True, slots=True)
class DominoRow:
    """Dominoes at places 0-10 except `gaps`; those at `fallen` have been toppled to the right."""

    hue: Hue
    gaps: tuple[int, ...]
    fallen: tuple[int, ...] = ()


Rows = tuple[DominoRow, ...]


def _standing(row: DominoRow) -> list[int]:
    return [i for i in range(_PLACES) if i not in row.gaps]


def _run(row: DominoRow, start: int) -> tuple[int, ...]:
    """What falls if the domino at `start` is pushed to the right."""
    end = next((g for g in row.gaps if g > start), _PLACES)
    return tuple(range(start, end))


def _push(rows: Rows, index: int, dice: Dice) -> SceneChange:
    row, other = rows[index], 1 - index
    name, zh, _ = _BOARDS[index]
    first = dice.below(2) == 1
    start = 0 if first else row.gaps[-1] + 1
    pushed, pushed_zh = (
        ("the first domino on the left", "最左边的第一块骨牌")
        if first
        else ("the first domino after the gap", "空位右边的第一块骨牌")
    )
    tail = dice.pick(
        (
            "Each topples the next one it can reach.",
            "Show the row after everything has fallen that must fall.",
            "Dominoes beyond a gap stay standing.",
        )
    )
    english = f"On the {name} shelf, push {pushed} over to the right. {tail}"
    chinese = f"在{zh}架子上，把{pushed_zh}向右推倒，画出连锁倒下后的样子；空位之后的骨牌不受影响。"
    wrong_start = 0 if first else rows[other].gaps[-1] + 1
    return SceneChange(
        changed(rows, index, fallen=_run(row, start)),
        changed(rows, other, fallen=_run(rows[other], wrong_start)),
        english,
        chinese,
        3,
    )


def _recolour(rows: Rows, index: int, dice: Dice) -> SceneChange:
    hue = dice.pick([h for h in VIVID if h not in {r.hue for r in rows}])
    english = f"Paint all {rows[index].hue.english} dominoes {hue.english}."
    chinese = f"把所有{rows[index].hue.chinese}的骨牌漆成{hue.chinese}。"
    return SceneChange(changed(rows, index, hue=hue), changed(rows, 1 - index, hue=hue), english, chinese, 1)


def plan(dice: Dice) -> Scene:
    """Two rows, each with one gap that is wide enough to stop the fall."""
    hues = dice.shuffled(VIVID)
    rows = []
    for i in range(2):
        gap = dice.between(4, 6)
        rows.append(DominoRow(hues[i], (gap, gap + 1)))
    both = tuple(rows)
    changes = (_push(both, 0, dice), _push(both, 1, dice), _recolour(both, dice.below(2), dice))
    text = " and ".join(
        f"{len(_standing(r))} {r.hue.english} dominoes on the {n} shelf"
        for r, (n, _, _) in zip(both, _BOARDS, strict=True)
    )
    return Scene(both, f"Rows of standing dominoes, {text}, each row with a gap.", changes)


def _domino(canvas: Canvas, row: DominoRow, place: int, base: float) -> None:
    x = _FIRST + place * _PITCH
    corners = ((x, base - _HIGH), (x + _WIDE, base - _HIGH), (x + _WIDE, base), (x, base))
    steps = 0
    if place in row.fallen:
        steps = 12 if place == row.fallen[-1] else 8
    c, s = direction(steps)
    body = turned(corners, (x + _WIDE, base), c, s)
    canvas.shadow(Polygon(tuple((px + 5, min(py + 4, base + 3)) for px, py in body)), 0.2, 8.0)
    rgb = row.hue.rgb
    canvas.fill(
        Polygon(body, 2.0), across(lighter(rgb, 0.2), darker(rgb, 0.22), x - 4, x + _WIDE + (70.0 if steps else 4.0))
    )
    middle = ((x + 3, base - _HIGH / 2), (x + _WIDE - 3, base - _HIGH / 2))
    (ax, ay), (bx, by) = turned(middle, (x + _WIDE, base), c, s)
    canvas.fill(Line(ax, ay, bx, by, 2.4), CREAM, 0.9)
    dots = tuple((x + _WIDE / 2, base - _HIGH * share) for share in (0.22, 0.66, 0.84))
    for dot in turned(dots, (x + _WIDE, base), c, s):
        canvas.fill(Circle(*dot, 3.0), CREAM)


def draw(canvas: Canvas, rows: Rows, look: Look) -> None:
    """Two shelves with dominoes."""
    wall(canvas, look)
    bunting(canvas, look, 16.0)
    frame(canvas, look, "a", 72.0 + look.shift("a", 30), 256.0)
    frame(canvas, look, "b", 212.0 + look.shift("b", 20), 262.0)
    frame(canvas, look, "c", 340.0 + look.shift("c", 30), 254.0)
    wood = look.pick("wood", (WOOD, (222.0, 184.0, 140.0), (176.0, 122.0, 86.0)))
    for _, _, y in _BOARDS:
        canvas.shadow(Box(30.0, y + 12, 494.0, y + 44, 6.0), 0.22, 22.0)
        for x in (86.0, 426.0):
            canvas.fill(Line(x, y + 14, x, y + 38, 8.0), darker(wood, 0.4))
        canvas.fill(Box(20.0, y - 2, 492.0, y + 18, 4.0), down(lighter(wood, 0.3), darker(wood, 0.12), y, y + 18))
        canvas.fill(Line(24.0, y, 488.0, y, 2.0), lighter(wood, 0.6), 0.7)
    for row, (_, _, y) in zip(rows, _BOARDS, strict=True):
        for place in reversed(_standing(row)):
            _domino(canvas, row, place, y - 2)


DOMINOES = Kind("dominoes", plan, draw)
