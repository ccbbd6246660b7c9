"""Cultural: flags whose stripes and their order are laid down by law."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import Canvas, Colour, across, down
from editeval.benchmarks.scenes.lettering import write
from editeval.benchmarks.scenes.outdoors import DAWN, DAY, cloud, hills, sky
from editeval.benchmarks.scenes.palette import CREAM, INK, METAL, darker, lighter
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange, changed
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line

_INKS: dict[str, tuple[Colour, str]] = {
    "black": ((36.0, 34.0, 40.0), "黑"),
    "red": ((208.0, 38.0, 46.0), "红"),
    "gold": ((250.0, 204.0, 52.0), "金"),
    "blue": ((38.0, 76.0, 160.0), "蓝"),
    "white": ((250.0, 249.0, 246.0), "白"),
    "green": ((26.0, 138.0, 82.0), "绿"),
    "orange": ((244.0, 134.0, 56.0), "橙"),
}


@dataclass(frozen=True, slots=True)
class Country:
    """A tricolour; stripes from the top, or from the pole if upright."""

    english: str
    chinese: str
    is_upright: bool
    stripes: tuple[str, str, str]
    rule: str


_COUNTRIES = (
    Country(
        "Germany",
        "德国",
        False,
        ("black", "red", "gold"),
        "Basic Law for the Federal Republic of Germany, Article 22(2)",
    ),
    Country("France", "法国", True, ("blue", "white", "red"), "Constitution of France (1958), Article 2"),
    Country("Italy", "意大利", True, ("green", "white", "red"), "Constitution of Italy, Article 12"),
    Country("Ireland", "爱尔兰", True, ("green", "white", "orange"), "Constitution of Ireland, Article 7"),
    Country("Hungary", "匈牙利", False, ("red", "white", "green"), "Fundamental Law of Hungary, Article I(2)"),
    Country("Bulgaria", "保加利亚", False, ("white", "green", "red"), "Constitution of Bulgaria, Article 166"),
    Country(
        "Austria", "奥地利", False, ("red", "white", "red"), "Federal Constitutional Law of Austria, Article 8a(1)"
    ),
)
_PLACES = ((58.0, "left", "左边"), (210.0, "middle", "中间"), (362.0, "right", "右边"))


@dataclass(frozen=True, slots=True)
class Flag:
    """Three stripes on a pole."""

    is_upright: bool
    stripes: tuple[str, str, str]


Flags = tuple[Flag, ...]


def _flag(country: Country) -> Flag:
    return Flag(country.is_upright, country.stripes)


def _spoken(country: Country) -> tuple[str, str]:
    stripes = ", ".join(country.stripes)
    zh = "、".join(_INKS[s][1] for s in country.stripes)
    if country.is_upright:
        return f"three upright stripes, from the pole {stripes}", f"从旗杆一侧起为{zh}三条竖条"
    return f"three level stripes, from the top {stripes}", f"自上而下为{zh}三条横条"


def _exchange(flags: Flags, index: int, country: Country, is_told: bool, dice: Dice) -> SceneChange:
    other = (index + 1) % 3
    _, en, zh = _PLACES[index]
    english = dice.pick(
        (
            f"Replace the flag on the {en} pole by the flag of {country.english}",
            f"The {en} pole shall fly the flag of {country.english}",
            f"Exchange the {en} flag for that of {country.english}",
        )
    )
    chinese = f"把{zh}旗杆上的旗换成{country.chinese}国旗"
    if is_told:
        english += f": {_spoken(country)[0]}"
        chinese += f"（{_spoken(country)[1]}）"
    flag = _flag(country)
    return SceneChange(
        changed(flags, index, is_upright=flag.is_upright, stripes=flag.stripes),
        changed(flags, other, is_upright=flag.is_upright, stripes=flag.stripes),
        english + ".",
        chinese + "。",
        2 if is_told else 3,
        country.rule,
    )


def _mend(flags: Flags, index: int, country: Country, dice: Dice) -> SceneChange:
    other = (index + 1) % 3
    _, en, zh = _PLACES[index]
    english = dice.pick(
        (
            f"The {en} flag is meant to be {country.english}'s, but the stripes are in the wrong order; mend it.",
            f"Correct the order of the stripes on the {en} pole so that the flag is that of {country.english}.",
        )
    )
    chinese = f"{zh}的旗本应是{country.chinese}国旗，但条纹顺序错了，请改正。"
    first, second, third = flags[other].stripes
    wrong = changed(flags, other, stripes=(second, third, first))
    return SceneChange(changed(flags, index, stripes=country.stripes), wrong, english, chinese, 3, country.rule)


def plan(dice: Dice) -> Scene:
    """Three flags, one of them with its stripes in the wrong order."""
    countries = dice.shuffled(_COUNTRIES)
    broken = next(i for i in range(3) if len(set(countries[i].stripes)) == 3)
    flags = tuple(_flag(c) for c in countries[:3])
    x, y, z = countries[broken].stripes
    legal = {c.stripes for c in _COUNTRIES}
    orders = [o for o in ((z, y, x), (y, x, z), (y, z, x), (x, z, y)) if o not in legal]
    flags = changed(flags, broken, stripes=dice.pick(orders))
    first, second = dice.shuffled([i for i in range(3) if i != broken])
    changes = (
        _mend(flags, broken, countries[broken], dice),
        _exchange(flags, first, countries[3], True, dice),
        _exchange(flags, second, countries[4], False, dice),
    )
    parts = ", ".join(f"{'upright' if f.is_upright else 'level'} {'-'.join(f.stripes)}" for f in flags)
    return Scene(flags, f"Three flags on poles in front of a white hall, stripes from the left pole: {parts}.", changes)


def _draw_flag(canvas: Canvas, flag: Flag, x: float) -> None:
    top, wide, high = 92.0, 122.0, 84.0
    canvas.fill(Line(x, 70.0, x, 432.0, 6.0), across(lighter(METAL, 0.5), darker(METAL, 0.4), x - 3, x + 3))
    canvas.fill(Circle(x, 66.0, 7.0), (226.0, 182.0, 84.0))
    cloth = Box(x + 4, top, x + 4 + wide, top + high, 2.0)
    canvas.shadow(Box(x + 12, top + 10, x + 12 + wide, top + 12 + high, 4.0), 0.25, 12.0)
    for i, name in enumerate(flag.stripes):
        if flag.is_upright:
            part = Box(x + 4 + wide * i / 3, top, x + 4 + wide * (i + 1) / 3, top + high)
        else:
            part = Box(x + 4, top + high * i / 3, x + 4 + wide, top + high * (i + 1) / 3)
        canvas.fill(part, _INKS[name][0])
    for i, dark in ((0, True), (1, False), (2, True), (3, False)):
        fold = Box(x + 14 + i * 29, top, x + 32 + i * 29, top + high)
        canvas.fill(fold, (30.0, 24.0, 50.0) if dark else (255.0, 255.0, 255.0), 0.11, 14.0, cloth)


def _hall(canvas: Canvas, look: Look) -> None:
    canvas.fill(Box(70.0, 272.0, 442.0, 408.0), down((252.0, 248.0, 238.0), (226.0, 216.0, 202.0), 272.0, 408.0))
    canvas.fill(Box(56.0, 258.0, 456.0, 276.0, 3.0), down((255.0, 252.0, 244.0), (214.0, 204.0, 190.0), 258.0, 276.0))
    canvas.fill(Box(150.0, 226.0, 362.0, 260.0, 4.0), down((250.0, 244.0, 234.0), (220.0, 210.0, 196.0), 226.0, 260.0))
    write(canvas, look.pick("hall", ("MUSEUM", "LIBRARY", "THEATRE")), (286.0, 244.0), 14.0, INK)
    for i in range(9):
        x = 88.0 + i * 42.0
        if i == 4:
            canvas.fill(
                Box(x - 17, 324.0, x + 17, 408.0, 14.0), down((122.0, 84.0, 66.0), (92.0, 60.0, 52.0), 324.0, 408.0)
            )
        else:
            canvas.fill(
                Box(x - 11, 300.0, x + 11, 366.0, 10.0),
                down((120.0, 152.0, 182.0), (176.0, 204.0, 220.0), 300.0, 366.0),
            )
        if i < 8:
            canvas.fill(
                Box(x + 16, 278.0, x + 26, 408.0), across((255.0, 252.0, 246.0), (206.0, 196.0, 184.0), x + 16, x + 26)
            )


def draw(canvas: Canvas, flags: Flags, look: Look) -> None:
    """A square with a hall and three flagpoles."""
    sky(canvas, look.pick("sky", (DAY, DAWN)), Box(-8.0, -8.0, 520.0, 420.0))
    for i in range(3):
        cloud(
            canvas,
            70.0 + i * 180 + look.shift(f"c{i}", 60),
            40.0 + look.below(f"y{i}", 190),
            0.7 + 0.1 * look.below(f"s{i}", 5),
        )
    hills(canvas, look, 340.0, (142.0, 180.0, 120.0), (140.0, 182.0, 166.0))
    _hall(canvas, look)
    canvas.fill(Box(-8.0, 406.0, 520.0, 520.0), down((222.0, 206.0, 184.0), (196.0, 176.0, 152.0), 406.0, 512.0))
    for i in range(1, 4):
        canvas.fill(Line(-8.0, 406 + i * i * 11.0, 520.0, 406 + i * i * 11.0, 1.6), (160.0, 140.0, 120.0), 0.5)
    for x in (18.0, 150.0, 302.0, 494.0):
        canvas.fill(Ellipse(x, 412.0, 24.0, 16.0), down((112.0, 164.0, 104.0), (72.0, 124.0, 82.0), 396.0, 428.0))
    for flag, (x, _, _) in zip(flags, _PLACES, strict=True):
        canvas.shadow(Ellipse(x + 4, 436.0, 20.0, 5.0), 0.35, 8.0)
        canvas.fill(Box(x - 14, 426.0, x + 14, 438.0, 3.0), down(CREAM, (196.0, 184.0, 170.0), 426.0, 438.0))
        _draw_flag(canvas, flag, x)


FLAGS = Kind("flags", plan, draw)
