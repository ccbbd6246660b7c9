"""Cultural: what conventions decide; dials, time zones and the laws of chess."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import (
    CREAM,
    DARK_WOOD,
    EVERYWHERE,
    INK,
    RED,
    VIVID,
    Canvas,
    Colour,
    Hue,
    Radial,
    Shade,
    darker,
    down,
    lighter,
)
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, changed
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line, Polygon, Shape, Union, direction, tapered
from editeval.benchmarks.scenes.surroundings import books, plant, table, wall, write

# clocks: clocks on a wall that name their cities; setting them needs the dial's convention and time zones.

# (English, Chinese, hours ahead of UTC all the year round)
_CITIES = (
    ("TOKYO", "东京", 9),
    ("BEIJING", "北京", 8),
    ("DUBAI", "迪拜", 4),
    ("BANGKOK", "曼谷", 7),
    ("ACCRA", "阿克拉", 0),
)
_DIAL = "12-hour analogue dial: hands turn clockwise, the short hand shows the hour, the long hand the minute"
_ZONES = "IANA time zone database 2024a: standard offsets from UTC, no daylight saving time in these cities"
_MIDDLES = ((96.0, 168.0), (256.0, 150.0), (416.0, 168.0))


@dataclass(frozen=True, slots=True)
class ClockFace:
    """A clock that shows `quarters` quarters of an hour after twelve."""

    city: int
    quarters: int
    rim: Hue


Clocks = tuple[ClockFace, ...]


def _time(quarters: int) -> tuple[str, str]:
    hour = quarters // 4 % 12 or 12
    minute = quarters % 4 * 15
    return f"{hour}:{minute:02d}", f"{hour}点{minute}分" if minute else f"{hour}点整"


def _turned(clocks: Clocks, index: int, other: int, quarters: int) -> tuple[Clocks, Clocks]:
    """Target and wrong answer: the clock at `index`, or the one at `other`, shows `quarters`."""
    wrong = (quarters + 5) % 48 if quarters == clocks[other].quarters else quarters
    return changed(clocks, index, quarters=quarters), changed(clocks, other, quarters=wrong)


def _set(clocks: Clocks, index: int, dice: Dice) -> SceneChange[Clocks]:
    quarters = (clocks[index].quarters + dice.between(7, 40)) % 48
    city, city_zh, _ = _CITIES[clocks[index].city]
    en, zh = _time(quarters)
    english = dice.either(
        f"Set the {city} clock to {en}.",
        f"Make the clock labelled {city} show {en}.",
        f"Turn the hands of the {city} clock to {en}.",
    )
    chinese = f"把标有 {city}（{city_zh}）的钟拨到{zh}。"
    return SceneChange(*_turned(clocks, index, (index + 1) % 3, quarters), english, chinese, 1, _DIAL)


def _zone(clocks: Clocks, index: int, other: int) -> SceneChange[Clocks]:
    """The clock at `index` follows the one at `other`."""
    right, wrong = clocks[other], clocks[index]
    ahead = _CITIES[wrong.city][2] - _CITIES[right.city][2]
    (a, a_zh, _), (b, b_zh, _) = _CITIES[right.city], _CITIES[wrong.city]
    hours = f"{abs(ahead)} hour{'s' if abs(ahead) > 1 else ''} {'ahead of' if ahead > 0 else 'behind'} {a.title()}"
    hours_zh = f"比{a_zh}{'早' if ahead > 0 else '晚'}{abs(ahead)}小时"
    third = next(i for i in range(3) if i not in (index, other))
    english = f"The {a} clock is right. Set the {b} clock to the time in {b.title()}, which is {hours}."
    chinese = f"{a}（{a_zh}）的钟是准的。{b_zh}{hours_zh}，请把 {b} 的钟拨到当地时间。"
    states = _turned(clocks, index, third, (right.quarters + 4 * ahead) % 48)
    return SceneChange(*states, english, chinese, 3, f"{_DIAL}; {_ZONES}")


def _plan_clocks(dice: Dice) -> Scene[Clocks]:
    """Three clocks; the one that must follow another is out of step."""
    cities, rims = dice.shuffled(range(len(_CITIES))), dice.shuffled(VIVID)
    clocks = tuple(ClockFace(cities[i], dice.below(48), rims[i]) for i in range(3))
    a, b, c = dice.shuffled(range(3))
    follow = _zone(clocks, b, a)
    if follow.target == clocks:
        clocks = changed(clocks, b, quarters=(clocks[b].quarters + 17) % 48)
        follow = _zone(clocks, b, a)
    names = ", ".join(f"{_CITIES[k.city][0]} ({_time(k.quarters)[0]})" for k in clocks)
    changes = (_set(clocks, c, dice), follow, _set(clocks, a, dice))
    return Scene(clocks, f"Three wall clocks above a table: {names}.", changes)


def _hand(canvas: Canvas, centre: tuple[float, float], steps: int, length: float, width: float) -> None:
    """A hand pointing `steps` * 7.5 degrees clockwise from twelve."""
    c, s = direction(steps - 12)
    x, y = centre
    canvas.shadow(Line(x + 2, y + 4, x + c * length + 2, y + s * length + 4, width), 0.22, 4.0)
    canvas.fill(Line(x - c * 9, y - s * 9, x + c * length, y + s * length, width), INK)


def _clock(canvas: Canvas, clock: ClockFace, x: float, y: float) -> None:
    rgb = clock.rim.rgb
    canvas.shadow(Circle(x + 6, y + 12, 66.0), 0.3, 22.0)
    canvas.fill(Circle(x, y, 69.0), Shade(rgb, 0.3, 0.25, True))
    canvas.fill(Circle(x, y, 58.0), darker(rgb, 0.4))
    canvas.fill(Circle(x, y, 57.0), Radial((255.0, 253.0, 246.0), (240.0, 230.0, 214.0), x - 10, y - 16, 80.0))
    for hour in range(12):
        c, s = direction(hour * 4)
        start, wide = (46, 3.4) if hour % 3 == 0 else (49, 2.0)
        canvas.fill(Line(x + c * start, y + s * start, x + c * 52, y + s * 52, wide), INK, 0.85)
    for text, dx, dy in (("12", 0.0, -35.0), ("3", 36.0, 0.0), ("6", 0.0, 36.0), ("9", -36.0, 0.0)):
        write(canvas, text, (x + dx, y + dy), 11.0, INK)
    _hand(canvas, (x, y), clock.quarters, 25.0, 6.4)
    _hand(canvas, (x, y), clock.quarters % 4 * 12, 42.0, 4.0)
    canvas.fill(Circle(x, y, 5.2), RED.rgb)
    canvas.fill(Circle(x, y, 1.8), CREAM)
    name = _CITIES[clock.city][0]
    canvas.shadow(Box(x - 54, y + 92, x + 58, y + 122, 5.0), 0.25, 8.0)
    canvas.fill(Box(x - 56, y + 88, x + 56, y + 118, 5.0), down(lighter(DARK_WOOD, 0.12), DARK_WOOD, y + 88, y + 118))
    write(canvas, name, (x, y + 103), 13.0, CREAM)


def _draw_clocks(canvas: Canvas, clocks: Clocks, look: Look) -> None:
    """The wall, the clocks and a table with plants."""
    wall(canvas, look)
    table(canvas, look, 416.0, 30.0)
    plant(canvas, 90.0 + look.shift("a", 20), 436.0, 0.8)
    plant(canvas, 410.0 + look.shift("b", 20), 436.0, 1.0)
    books(canvas, look, 220.0 + look.shift("c", 24), 436.0)
    for clock, (x, y) in zip(clocks, _MIDDLES, strict=True):
        _clock(canvas, clock, x, y)


CLOCKS = Kind("clocks", _plan_clocks, _draw_clocks)


# chess: a chess position; moves are written in algebraic notation or by their name.

_NOTATION = "FIDE Laws of Chess, Appendix C: algebraic notation, pawn moves give the square of arrival only"
_CASTLING = (
    "FIDE Laws of Chess, Article 3.8: the king moves two squares towards the rook, which goes to the square beyond"
)
_LEFT, _TOP, _SQUARE = 66.0, 58.0, 48.0
_FILES = "abcdefgh"
_BOARDS: tuple[tuple[Colour, Colour], ...] = (
    ((240.0, 220.0, 186.0), (184.0, 132.0, 92.0)),
    ((238.0, 236.0, 218.0), (122.0, 154.0, 110.0)),
    ((232.0, 236.0, 242.0), (112.0, 138.0, 172.0)),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece on a square such as "e4"."""

    kind: str  # king, queen, rook, bishop, pawn
    is_white: bool
    square: str


Pieces = tuple[Piece, ...]


def _at(pieces: Pieces, square: str) -> int:
    return next(i for i, p in enumerate(pieces) if p.square == square)


def _moved(pieces: Pieces, *moves: tuple[str, str]) -> Pieces:
    for start, end in moves:
        pieces = changed(pieces, _at(pieces, start), square=end)
    return pieces


def _castle(pieces: Pieces, dice: Dice) -> SceneChange[Pieces]:
    taken = {p.square for p in pieces}
    free = {(rank, "king") for rank in "18" if f"f{rank}" not in taken}
    free |= {(rank, "queen") for rank in "18" if not taken & {f"c{rank}", f"d{rank}"}}
    rank, side = dice.pick(sorted(free))
    (player, zh), pawns = (("White", "白方"), "24") if rank == "1" else (("Black", "黑方"), "75")
    king, rook, sign, side_zh = ("g", "hf", "O-O", "短") if side == "king" else ("c", "ad", "O-O-O", "长")
    english = dice.either(
        f"{player} castles on the {side}'s side ({sign}).",
        f"Show the board after {player} has castled {side}side.",
        f"{player}'s next move is {sign}; show the position after it.",
        f"Castle {side}side with the {player.lower()} king.",
    )
    file = dice.pick("abgh")  # pawns of these files stand on their first square
    target = _moved(pieces, (f"e{rank}", king + rank), (rook[0] + rank, rook[1] + rank))
    wrong = _moved(pieces, (file + pawns[0], file + pawns[1]))
    return SceneChange(target, wrong, english, f"{zh}{side_zh}易位（{sign}）。", 3, _CASTLING)


def _advance(pieces: Pieces, is_white: bool, dice: Dice) -> SceneChange[Pieces]:
    rank, far, near = ("2", "4", "3") if is_white else ("7", "5", "6")
    files = [p.square[0] for p in pieces if p.kind == "pawn" and p.is_white == is_white and p.square[1] == rank]
    file, other = dice.shuffled(files)[:2]
    end = dice.pick((far, far, near))
    player, zh = ("White", "白方") if is_white else ("Black", "黑方")
    notation = dice.below(2) == 1
    english = (
        f"{player} plays {file}{end}; show the position after this move."
        if notation
        else f"Move the {player.lower()} pawn from {file}{rank} to {file}{end}."
    )
    chinese = (
        f"{zh}走 {file}{end}，画出走完后的局面。" if notation else f"把{zh[0]}兵从 {file}{rank} 走到 {file}{end}。"
    )
    target, wrong = (_moved(pieces, (f + rank, f + end)) for f in (file, other))
    return SceneChange(target, wrong, english, chinese, 3 if notation else 2, _NOTATION)


def _plan_chess(dice: Dice) -> Scene[Pieces]:
    """A position in which White may castle on both sides, and Black where nothing is between; every move is legal."""
    pieces = [Piece("king", True, "e1"), Piece("rook", True, "a1"), Piece("rook", True, "h1")]
    pieces += [Piece("king", False, "e8"), Piece("rook", False, "a8"), Piece("rook", False, "h8")]
    pieces += [Piece("bishop", False, s) for s in ("c8", "f8") if dice.below(3)]
    if dice.below(3):
        pieces.append(Piece("queen", False, "d8"))
    for is_white, start, next_rank in ((True, "2", "3"), (False, "7", "6")):
        stepped = dice.shuffled(_FILES)[: dice.between(0, 2)]
        pieces += [
            Piece("pawn", is_white, f + (next_rank if f in stepped and f not in "abgh" else start)) for f in _FILES
        ]
    both = tuple(pieces)
    changes = (_castle(both, dice), _advance(both, True, dice), _advance(both, False, dice))
    return Scene(both, f"A chessboard seen from White's side with {len(both)} pieces.", changes)


def _outline(kind: str, x: float, y: float) -> Shape:
    """The silhouette of a piece whose square has its middle at (x, y)."""
    foot: tuple[Shape, ...] = (
        Box(x - 14, y + 12, x + 14, y + 18, 3.0),
        tapered(x, (y - 2, 5.0), (y + 13, 10.0), 1.0),
    )
    if kind == "pawn":
        return Union((*foot, Circle(x, y - 6, 7.5)))
    if kind == "rook":
        teeth = tuple(Box(x + dx - 3, y - 17, x + dx + 3, y - 8, 1.0) for dx in (-8.5, 0.0, 8.5))
        return Union(
            (*foot, Box(x - 8, y - 8, x + 8, y + 12, 1.0), Box(x - 11.5, y - 11, x + 11.5, y - 5, 1.0), *teeth)
        )
    if kind == "bishop":
        return Union((*foot, Ellipse(x, y - 6, 8.0, 11.0), Circle(x, y - 19, 3.0)))
    if kind == "queen":
        left = ((x - 6, y - 7), (x - 14, y - 15), (x - 9, y + 1))
        right = ((x + 9, y + 1), (x + 14, y - 15), (x + 6, y - 7))
        crown = (*right, (x, y - 18), *left)
        return Union((*foot, Polygon(crown, 1.5), Circle(x, y - 19, 2.6)))
    cross = (Line(x, y - 21, x, y - 8, 4.0), Line(x - 5, y - 17, x + 5, y - 17, 4.0))
    return Union((*foot, *cross, Ellipse(x, y - 4, 11.5, 8.0)))


def _piece(canvas: Canvas, piece: Piece) -> None:
    x = _LEFT + (_FILES.index(piece.square[0]) + 0.5) * _SQUARE
    y = _TOP + (8 - int(piece.square[1]) + 0.5) * _SQUARE + 1
    canvas.shadow(Ellipse(x + 4, y + 16, 17.0, 6.0), 0.4, 7.0)
    body: Colour = (252.0, 248.0, 238.0) if piece.is_white else (58.0, 52.0, 66.0)
    edge: Colour = (96.0, 80.0, 84.0) if piece.is_white else (24.0, 20.0, 30.0)
    outline = _outline(piece.kind, x, y)
    canvas.fill(outline, edge, 1.0, 5.0)
    canvas.fill(outline, Shade(body, 0.2, 0.12))


def _draw_chess(canvas: Canvas, pieces: Pieces, look: Look) -> None:
    """A table top, the board with its labels and the pieces."""
    light, dark = look.pick("board", _BOARDS)
    cloth = look.pick(
        "cloth", ((176.0, 96.0, 86.0), (92.0, 128.0, 132.0), (150.0, 122.0, 160.0), (214.0, 174.0, 126.0))
    )
    canvas.fill(EVERYWHERE, down(lighter(cloth, 0.3), cloth, 0.0, 512.0))
    for i in range(11):
        canvas.fill(Box(i * 52.0 - 8, -8.0, i * 52.0 + 14, 520.0), lighter(cloth, 0.4), 0.18)
        canvas.fill(Box(-8.0, i * 52.0 - 8, 520.0, i * 52.0 + 14), lighter(cloth, 0.4), 0.18)
    right, bottom = _LEFT + 8 * _SQUARE, _TOP + 8 * _SQUARE
    rim = Box(_LEFT - 28, _TOP - 22, right + 22, bottom + 30, 8.0)
    canvas.shadow(Box(_LEFT - 20, _TOP - 8, right + 32, bottom + 44, 10.0), 0.4, 22.0)
    canvas.fill(rim, Shade(DARK_WOOD, 0.2, 0.2))
    canvas.fill(Box(_LEFT, _TOP, right, bottom), light)
    for row in range(8):
        for column in range(8):
            x, y = _LEFT + column * _SQUARE, _TOP + row * _SQUARE
            if (row + column) % 2:  # a8 is light, so that each player has a light square at the right
                canvas.fill(Box(x, y, x + _SQUARE, y + _SQUARE), Shade(dark, 0.06, 0.06))
    for i in range(8):
        write(canvas, _FILES[i].upper(), (_LEFT + (i + 0.5) * _SQUARE, bottom + 15), 11.0, CREAM)
        write(canvas, str(8 - i), (_LEFT - 14, _TOP + (i + 0.5) * _SQUARE), 11.0, CREAM)
    for piece in sorted(pieces, key=lambda p: -int(p.square[1])):
        _piece(canvas, piece)


CHESS = Kind("chess", _plan_chess, _draw_chess)
