"""Cultural: clocks on a wall that name their cities; setting them needs the dial's convention and time zones."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import Canvas, Radial, down
from editeval.benchmarks.scenes.lettering import write
from editeval.benchmarks.scenes.palette import CREAM, DARK_WOOD, INK, RED, VIVID, Hue, darker, lighter
from editeval.benchmarks.scenes.room import books, plant, table, wall
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, changed
from editeval.benchmarks.scenes.shapes import Box, Circle, Line, direction

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
_MINUTES = (("", "整"), (":15", "十五分"), (":30", "三十分"), (":45", "四十五分"))


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


def _set(clocks: Clocks, index: int, dice: Dice) -> SceneChange:
    other = (index + 1) % 3
    quarters = (clocks[index].quarters + dice.between(7, 40)) % 48
    city, city_zh, _ = _CITIES[clocks[index].city]
    en, zh = _time(quarters)
    english = dice.pick(
        (
            f"Set the {city} clock to {en}.",
            f"Make the clock labelled {city} show {en}.",
            f"Turn the hands of the {city} clock to {en}.",
        )
    )
    return SceneChange(
        changed(clocks, index, quarters=quarters),
        changed(clocks, other, quarters=(quarters if quarters != clocks[other].quarters else quarters + 5) % 48),
        english,
        f"把标有 {city}（{city_zh}）的钟拨到{zh}。",
        1,
        _DIAL,
    )


def _zone(clocks: Clocks, index: int, other: int) -> SceneChange:
    """The clock at `index` follows the one at `other`."""
    right, wrong = clocks[other], clocks[index]
    ahead = _CITIES[wrong.city][2] - _CITIES[right.city][2]
    quarters = (right.quarters + 4 * ahead) % 48
    (a, a_zh, _), (b, b_zh, _) = _CITIES[right.city], _CITIES[wrong.city]
    relation = f"{abs(ahead)} hours {'ahead of' if ahead > 0 else 'behind'} {a.title()}"
    relation_zh = f"比{a_zh}{'早' if ahead > 0 else '晚'}{abs(ahead)}小时"
    third = next(i for i in range(3) if i not in (index, other))
    return SceneChange(
        changed(clocks, index, quarters=quarters),
        changed(clocks, third, quarters=(quarters + 3) % 48 if quarters == clocks[third].quarters else quarters),
        f"The {a} clock is right. Set the {b} clock to the time in {b.title()}, which is {relation}.",
        f"{a}（{a_zh}）的钟是准的。{b_zh}{relation_zh}，请把 {b} 的钟拨到当地时间。",
        3,
        f"{_DIAL}; {_ZONES}",
    )


def _rim(clocks: Clocks, index: int, dice: Dice) -> SceneChange:
    other = (index + 1) % 3
    hue = dice.pick([h for h in VIVID if h not in {clocks[index].rim, clocks[other].rim}])
    city, city_zh, _ = _CITIES[clocks[index].city]
    return SceneChange(
        changed(clocks, index, rim=hue),
        changed(clocks, other, rim=hue),
        f"Paint the rim of the {city} clock {hue.english}.",
        f"把 {city}（{city_zh}）那只钟的外圈漆成{hue.chinese}。",
        1,
    )


def plan(dice: Dice) -> Scene:
    """Three clocks; the world clock that is told to follow another one is out of step."""
    cities, rims = dice.shuffled(range(len(_CITIES))), dice.shuffled(VIVID)
    clocks = tuple(ClockFace(cities[i], dice.below(48), rims[i]) for i in range(3))
    a, b, c = dice.shuffled(range(3))
    follow = _zone(clocks, b, a)
    if follow.target == clocks:
        clocks = changed(clocks, b, quarters=(clocks[b].quarters + 17) % 48)
        follow = _zone(clocks, b, a)
    names = ", ".join(f"{_CITIES[k.city][0]} ({_time(k.quarters)[0]})" for k in clocks)
    return Scene(
        clocks, f"Three wall clocks above a table: {names}.", (_set(clocks, c, dice), follow, _set(clocks, a, dice))
    )


def _hand(canvas: Canvas, centre: tuple[float, float], steps: int, length: float, width: float) -> None:
    """A hand pointing `steps` * 7.5 degrees clockwise from twelve."""
    c, s = direction(steps - 12)
    x, y = centre
    canvas.shadow(Line(x + 2, y + 4, x + c * length + 2, y + s * length + 4, width), 0.22, 4.0)
    canvas.fill(Line(x - c * 9, y - s * 9, x + c * length, y + s * length, width), INK)


def _clock(canvas: Canvas, clock: ClockFace, x: float, y: float) -> None:
    rgb = clock.rim.rgb
    canvas.shadow(Circle(x + 6, y + 12, 66.0), 0.3, 22.0)
    canvas.fill(Circle(x, y, 69.0), down(lighter(rgb, 0.3), darker(rgb, 0.25), y - 69, y + 69))
    canvas.fill(Circle(x, y, 58.0), darker(rgb, 0.4))
    canvas.fill(Circle(x, y, 57.0), Radial((255.0, 253.0, 246.0), (240.0, 230.0, 214.0), x - 10, y - 16, 80.0))
    for hour in range(12):
        c, s = direction(hour * 4)
        long = hour % 3 == 0
        canvas.fill(
            Line(
                x + c * (46 if long else 49), y + s * (46 if long else 49), x + c * 52, y + s * 52, 3.4 if long else 2.0
            ),
            INK,
            0.85,
        )
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


def draw(canvas: Canvas, clocks: Clocks, look: Look) -> None:
    """The wall, the clocks and a table with plants."""
    wall(canvas, look)
    table(canvas, look, 416.0, 30.0)
    plant(canvas, 90.0 + look.shift("a", 20), 436.0, 0.8)
    plant(canvas, 410.0 + look.shift("b", 20), 436.0, 1.0)
    books(canvas, look, 220.0 + look.shift("c", 24), 436.0)
    for clock, (x, y) in zip(clocks, _MIDDLES, strict=True):
        _clock(canvas, clock, x, y)


CLOCKS = Kind("clocks", plan, draw)
