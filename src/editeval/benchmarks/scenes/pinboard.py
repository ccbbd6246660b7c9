"""Referential: paper shapes on a cork board, named by shape, colour, size and what lies beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import EVERYWHERE, Canvas, across, down
from editeval.benchmarks.scenes.palette import CREAM, DARK_WOOD, VIVID, Hue, darker, lighter
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, changed
from editeval.benchmarks.scenes.shapes import Box, Circle, Line, Ring
from editeval.benchmarks.scenes.things import SHAPES, pinned

_COLUMNS = (92.0, 201.0, 310.0, 419.0)
_ROWS = (112.0, 256.0, 400.0)
_RADII = (22.0, 29.0, 36.0, 43.0, 50.0)
_RANKS = (("largest", "最大"), ("second largest", "第二大"), ("smallest", "最小"))


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper shape in cell (column, row) of the board; no hue: it has been taken off."""

    column: int
    row: int
    dx: float
    dy: float
    kind: str
    r: float
    hue: Hue | None


Papers = tuple[Paper, ...]
Text = tuple[str, str]
Found = tuple[int, Text] | None


def _stock(dice: Dice) -> Papers:
    kinds = dice.shuffled(tuple(SHAPES))[:3]
    cells = dice.shuffled(range(12))[: dice.between(9, 11)]
    sizes = {kind: dice.shuffled(_RADII) for kind in kinds}  # no two of a kind are of one size
    papers = []
    for place, cell in enumerate(sorted(cells)):
        kind = kinds[place] if place < 3 else dice.pick([k for k in kinds if sizes[k]])
        offset = dice.between(-7, 7), dice.between(-9, 9)
        papers.append(Paper(cell % 4, cell // 4, *offset, kind, sizes[kind].pop(), dice.pick(VIVID)))
    return tuple(papers)


def _x(paper: Paper) -> float:
    return _COLUMNS[paper.column] + paper.dx


def _unique(papers: Papers) -> list[int]:
    """Papers whose colour and shape together are nobody else's."""
    names = [(p.hue, p.kind) for p in papers]
    return [i for i, name in enumerate(names) if names.count(name) == 1]


def _name(paper: Paper) -> Text:
    assert paper.hue is not None
    return f"{paper.hue.english} {paper.kind}", f"{paper.hue.chinese}{SHAPES[paper.kind]}"


def _direct(papers: Papers, dice: Dice) -> Found:
    index = dice.pick(_unique(papers))
    en, zh = _name(papers[index])
    return index, (f"the {en}", zh)


def _ranked(papers: Papers, dice: Dice) -> Found:
    kind = dice.pick(sorted({p.kind for p in papers}))
    members = sorted((i for i, p in enumerate(papers) if p.kind == kind), key=lambda i: -papers[i].r)
    if len(members) < 3:
        return None
    rank = dice.below(3)
    en, zh = _RANKS[rank]
    return members[(0, 1, -1)[rank]], (f"the {en} {kind}", f"{zh}的{SHAPES[kind]}")


def _beside(papers: Papers, dice: Dice) -> Found:
    """The largest or second largest of a shape on one side of an anchor."""
    anchor = dice.pick(_unique(papers))
    side, zh_side = dice.pick((("left", "左侧"), ("right", "右侧")))
    sign = -1 if side == "left" else 1
    kind = dice.pick(sorted({p.kind for p in papers}))
    column = papers[anchor].column
    members = [i for i, p in enumerate(papers) if p.kind == kind and (p.column - column) * sign > 0]
    unclear = any(p.kind == kind and p.column == column and i != anchor for i, p in enumerate(papers))
    if len(members) < 2 or unclear:
        return None
    members.sort(key=lambda i: -papers[i].r)
    rank = dice.below(2)
    if len(members) == 2 and rank == 1:
        rank = 2
    en, zh = _RANKS[rank]
    anchor_en, anchor_zh = _name(papers[anchor])
    chosen = members[-1] if rank == 2 else members[rank]
    return chosen, (f"the {en} {kind} to the {side} of the {anchor_en}", f"{anchor_zh}{zh_side}{zh}的{SHAPES[kind]}")


def _in_row(papers: Papers, dice: Dice) -> Found:
    """By counting from the left or right in a row of the board."""
    row = dice.below(3)
    members = sorted((i for i, p in enumerate(papers) if p.row == row), key=lambda i: _x(papers[i]))
    if len(members) < 3:
        return None
    place = dice.below(3)
    word, zh = (("first", "一"), ("second", "二"), ("third", "三"))[place]
    name, name_zh = (("top", "最上面一行"), ("middle", "中间一行"), ("bottom", "最下面一行"))[row]
    if dice.below(2):
        return members[place], (f"the {word} shape from the left in the {name} row", f"{name_zh}左起第{zh}个图形")
    return members[-1 - place], (f"the {word} shape from the right in the {name} row", f"{name_zh}右起第{zh}个图形")


_WAYS: tuple[tuple[Callable[[Papers, Dice], Found], int], ...] = ((_ranked, 2), (_beside, 3), (_in_row, 2))


def _find(papers: Papers, dice: Dice, taken: set[int]) -> tuple[int, Text, int]:
    for _ in range(12):
        way, difficulty = dice.pick(_WAYS)
        found = way(papers, dice)
        if found is not None and found[0] not in taken:
            return *found, difficulty
    rest = [i for i in _unique(papers) if i not in taken]
    index = dice.pick(rest)
    en, zh = _name(papers[index])
    return index, (f"the {en}", zh), 1


def _change(papers: Papers, dice: Dice, taken: set[int]) -> SceneChange:
    index, (en, zh), difficulty = _find(papers, dice, taken)
    taken.add(index)
    other = dice.pick([i for i, p in enumerate(papers) if i != index])
    if dice.below(3) == 0:
        english = dice.pick((f"Remove {en} from the board.", f"Take {en} off the board."))
        target, wrong = changed(papers, index, hue=None), changed(papers, other, hue=None)
        return SceneChange(target, wrong, english, f"把{zh}从板上取下。", difficulty)
    used = {papers[index].hue, papers[other].hue}
    hue = dice.pick([h for h in VIVID if h not in used])
    english = dice.pick((f"Make {en} {hue.english}.", f"Colour {en} {hue.english}.", f"Change {en} to {hue.english}."))
    target, wrong = changed(papers, index, hue=hue), changed(papers, other, hue=hue)
    return SceneChange(target, wrong, english, f"把{zh}变成{hue.chinese}。", difficulty)


def _leave(papers: Papers, dice: Dice, taken: set[int]) -> SceneChange:
    """Counting: so many of a shape shall remain, the smallest go first."""
    kinds = [k for k in sorted({p.kind for p in papers}) if sum(p.kind == k for p in papers) >= 3]
    if not kinds:
        return _change(papers, dice, taken)
    kind = dice.pick(kinds)
    members = sorted((i for i, p in enumerate(papers) if p.kind == kind), key=lambda i: papers[i].r)
    stay = dice.between(1, len(members) - 1)
    going = members[: len(members) - stay]
    target = tuple(p if i not in going else changed((p,), 0, hue=None)[0] for i, p in enumerate(papers))
    others = [i for i in range(len(papers)) if i not in members]
    wrong = changed(papers, dice.pick(others), hue=None)
    number, zh = (
        ("one", "一"),
        ("two", "两"),
        ("three", "三"),
        ("four", "四"),
        ("five", "五"),
        ("six", "六"),
        ("seven", "七"),
        ("eight", "八"),
    )[stay - 1]
    rest = f"{number} {kind} remains" if stay == 1 else f"{number} {kind}s remain"
    english = f"Take {kind}s off the board, the smallest first, until exactly {rest}."
    return SceneChange(target, wrong, english, f"从小到大依次取下{SHAPES[kind]}，直到正好剩下{zh}个。", 3)


def plan(dice: Dice) -> Scene:
    """Nine to eleven shapes and three changes, one of them of an object that is simply named."""
    papers = _stock(dice)
    while len(_unique(papers)) < 3:
        papers = _stock(dice)
    taken: set[int] = set()
    second = _leave(papers, dice, taken) if dice.below(3) == 0 else _change(papers, dice, taken)
    return Scene(
        papers,
        f"A cork board with {len(papers)} pinned paper shapes of several colours and sizes.",
        (_change(papers, dice, taken), second, _change(papers, dice, taken)),
    )


def draw(canvas: Canvas, papers: Papers, look: Look) -> None:
    """The board, its frame and the shapes."""
    cork = look.pick(
        "cork", ((222.0, 182.0, 136.0), (206.0, 200.0, 184.0), (150.0, 170.0, 176.0), (232.0, 204.0, 178.0))
    )
    canvas.fill(EVERYWHERE, down(lighter(cork, 0.2), darker(cork, 0.08), 0.0, 512.0))
    for i in range(150):
        x, y = float(look.below(f"x{i}", 512)), float(look.below(f"y{i}", 512))
        tone = darker(cork, 0.2) if i % 2 else lighter(cork, 0.35)
        canvas.fill(Circle(x, y, 1.0 + 0.3 * look.below(f"r{i}", 6)), tone, 0.45)
    canvas.glow((150.0, 90.0), 420.0, (255.0, 248.0, 232.0), 0.28)
    canvas.shadow(Ring(Box(4.0, 8.0, 512.0, 516.0, 8.0), 40.0), 0.3, 18.0)
    canvas.fill(
        Ring(Box(6.0, 6.0, 506.0, 506.0, 10.0), 30.0),
        across(lighter(DARK_WOOD, 0.25), darker(DARK_WOOD, 0.1), 0.0, 512.0),
    )
    canvas.fill(Line(22.0, 21.0, 490.0, 21.0, 1.6), CREAM, 0.35)
    for p in papers:
        if p.hue is not None:
            pinned(canvas, p.kind, (_x(p), _ROWS[p.row] + p.dy), p.r, p.hue.rgb)


PINBOARD = Kind("pinboard", plan, draw)
