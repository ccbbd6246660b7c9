"""Referential: hot-air balloons over hills, named by height, order, pattern and colour."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import Canvas, Colour, across, down
from editeval.benchmarks.scenes.outdoors import DAWN, DAY, SUNSET, cloud, fir, hills, ridge, sky, sun
from editeval.benchmarks.scenes.palette import CREAM, VIVID, WOOD, Hue, darker, lighter, mixed
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, changed
from editeval.benchmarks.scenes.shapes import Both, Box, Circle, Ellipse, Line, Polygon, Union

_XS = (66.0, 162.0, 256.0, 350.0, 446.0)
_ORDER = (("first", "一"), ("second", "二"), ("third", "三"), ("fourth", "四"), ("fifth", "五"))


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
        word, zh = _ORDER[place]
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


def _change(balloons: Balloons, dice: Dice, taken: set[int]) -> SceneChange:
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


def plan(dice: Dice) -> Scene:
    """Four or five balloons of different colours and heights."""
    xs = _XS if dice.below(2) else (88.0, 198.0, 314.0, 424.0)
    heights, hues = dice.shuffled((92.0, 128.0, 164.0, 200.0, 240.0)), dice.shuffled(VIVID)
    balloons = tuple(
        Balloon(x + dice.between(-5, 5), heights[i], dice.between(37, 42), dice.pick(tuple(_PATTERNS)), hues[i])
        for i, x in enumerate(xs)
    )
    taken: set[int] = set()
    changes = tuple(_change(balloons, dice, taken) for _ in range(3))
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


def draw(canvas: Canvas, balloons: Balloons, look: Look) -> None:
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


BALLOONS = Kind("balloons", plan, draw)
