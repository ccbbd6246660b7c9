"""Cultural: traffic signs on a country road, whose shapes and colours are laid down by treaty."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import Canvas, Colour, across, down
from editeval.benchmarks.scenes.lettering import write
from editeval.benchmarks.scenes.outdoors import DAWN, DAY, SUNSET, cloud, fir, hills, ridge, sky
from editeval.benchmarks.scenes.palette import METAL, darker, lighter, mixed
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line, Polygon, regular

_TREATY = "Vienna Convention on Road Signs and Signals (1968), Annex 1, sign "
_PLACES = ((96.0, "left", "左边"), (256.0, "middle", "中间"), (416.0, "right", "右边"))
_RED: Colour = (208.0, 36.0, 44.0)
_WHITE: Colour = (252.0, 251.0, 248.0)
_BLUE: Colour = (30.0, 92.0, 178.0)
_BLACK: Colour = (34.0, 32.0, 38.0)


@dataclass(frozen=True, slots=True)
class Sign:
    """What a sign is called, what it looks like in words, what it demands, and its number in the treaty."""

    name: str
    chinese: str
    looks: str
    looks_zh: str
    demand: str
    demand_zh: str
    number: str


_SIGNS = {
    "stop": Sign(
        "stop sign",
        "停车让行标志",
        "a red octagon with a white border and STOP in white capitals",
        "红色八边形、白边、白色大写 STOP",
        "stop before they go on",
        "停车后再走",
        "B,2a",
    ),
    "yield": Sign(
        "give-way sign",
        "减速让行标志",
        "a white triangle that points down, with a broad red border",
        "尖角朝下的白色三角形、红色宽边",
        "give way",
        "让行",
        "B,1",
    ),
    "no_entry": Sign(
        "no-entry sign",
        "禁止驶入标志",
        "a red disc with a white horizontal bar",
        "红色圆形、白色横杠",
        "not enter this way",
        "不得驶入",
        "C,1a",
    ),
    "limit": Sign(
        "speed limit of 30",
        "限速 30 标志",
        "a white disc with a red rim and a black 30",
        "白底红圈、黑色数字 30",
        "go no faster than 30",
        "车速不超过 30",
        "C,14",
    ),
    "priority": Sign(
        "priority-road sign", "优先道路标志", "a yellow diamond with a white border", "白边的黄色菱形", "", "", "B,3"
    ),
    "parking": Sign(
        "parking sign", "停车场标志", "a blue square with a white P", "蓝色正方形、白色字母 P", "", "", "E,14a"
    ),
}


Signs = tuple[str, ...]


def _put(signs: Signs, index: int, name: str) -> Signs:
    return tuple(name if i == index else s for i, s in enumerate(signs))


def _exchange(signs: Signs, index: int, name: str, dice: Dice) -> SceneChange:
    sign, (_, en, zh) = _SIGNS[name], _PLACES[index]
    way = dice.below(3 if sign.demand else 2)
    if way == 0:
        english = f"Replace the {en} sign by a {sign.name}: {sign.looks}."
        chinese = f"把{zh}的标志换成{sign.chinese}：{sign.looks_zh}。"
    elif way == 1:
        english = dice.pick((f"Turn the {en} sign into a {sign.name}.", f"A {sign.name} shall stand on the {en} post."))
        chinese = f"把{zh}的标志换成{sign.chinese}。"
    else:
        english = f"Drivers shall {sign.demand} at the {en} post: put up the sign that says so."
        chinese = f"要求司机在{zh}的立柱处{sign.demand_zh}，请换上相应的标志。"
    return SceneChange(
        _put(signs, index, name),
        _put(signs, (index + 1) % 3, name),
        english,
        chinese,
        way + 1,
        f"{_TREATY}{sign.number}",
    )


def plan(dice: Dice) -> Scene:
    """Three signs of a road; each change puts up one that is not there yet."""
    names = dice.shuffled(tuple(_SIGNS))
    signs = tuple(names[:3])
    changes = tuple(_exchange(signs, i, names[3 + k], dice) for k, i in enumerate(dice.shuffled(range(3))))
    text = ", ".join(_SIGNS[n].name for n in signs)
    return Scene(signs, f"A country road with three traffic signs, from the left: {text}.", changes)


def _sign(canvas: Canvas, name: str, x: float) -> None:
    y = 176.0
    if name == "stop":
        canvas.fill(Polygon(regular(x, y, 62.0, 8, 3), 3.0), _WHITE)
        canvas.fill(
            Polygon(regular(x, y, 56.0, 8, 3), 2.0), down(lighter(_RED, 0.1), darker(_RED, 0.1), y - 56, y + 56)
        )
        write(canvas, "STOP", (x, y), 26.0, _WHITE, 0.2)
    elif name == "yield":
        canvas.fill(Polygon(regular(x, y - 10, 70.0, 3, 12), 6.0), _RED)
        canvas.fill(Polygon(regular(x, y - 10, 40.0, 3, 12), 3.0), _WHITE)
    elif name == "no_entry":
        canvas.fill(Circle(x, y, 62.0), _WHITE)
        canvas.fill(Circle(x, y, 58.0), down(lighter(_RED, 0.1), darker(_RED, 0.1), y - 56, y + 56))
        canvas.fill(Box(x - 42, y - 11, x + 42, y + 11, 2.0), _WHITE)
    elif name == "limit":
        canvas.fill(Circle(x, y, 62.0), _RED)
        canvas.fill(Circle(x, y, 47.0), _WHITE)
        write(canvas, "30", (x, y), 42.0, _BLACK, 0.2)
    elif name == "priority":
        canvas.fill(Polygon(regular(x, y, 66.0, 4, 0), 4.0), _WHITE)
        canvas.fill(Polygon(regular(x, y, 46.0, 4, 0), 2.0), (248.0, 190.0, 40.0))
    else:
        canvas.fill(Box(x - 54, y - 54, x + 54, y + 54, 8.0), _WHITE)
        canvas.fill(Box(x - 49, y - 49, x + 49, y + 49, 5.0), down(lighter(_BLUE, 0.12), _BLUE, y - 49, y + 49))
        write(canvas, "P", (x, y), 62.0, _WHITE, 0.2)


def _post(canvas: Canvas, x: float) -> None:
    canvas.shadow(Ellipse(x + 8, 438.0, 26.0, 5.0), 0.4, 8.0)
    canvas.fill(Line(x, 120.0, x, 436.0, 9.0), across(lighter(METAL, 0.4), darker(METAL, 0.4), x - 5, x + 5))
    canvas.fill(Ellipse(x, 437.0, 15.0, 5.0), darker(METAL, 0.4))


def draw(canvas: Canvas, signs: Signs, look: Look) -> None:
    """Hills, a road that runs to the horizon, and three posts."""
    light = look.pick("light", (DAY, DAWN, SUNSET))
    sky(canvas, light, Box(-8.0, -8.0, 520.0, 400.0))
    for i in range(3):
        cloud(
            canvas,
            70.0 + i * 180 + look.shift(f"c{i}", 60),
            36.0 + look.below(f"y{i}", 50),
            0.7 + 0.1 * look.below(f"s{i}", 5),
            0.8,
        )
    ridge(canvas, look, "r", 350.0, 130.0, mixed(light[0], (110.0, 120.0, 160.0), 0.5))
    hills(canvas, look, 330.0, (126.0, 178.0, 104.0), (134.0, 180.0, 146.0))
    for i in range(8):
        fir(
            canvas,
            12.0 + i * 68 + look.shift(f"f{i}", 22),
            372.0 + look.shift(f"b{i}", 8),
            40.0 + look.below(f"h{i}", 40),
            (70.0, 128.0, 98.0),
        )
    canvas.fill(Box(-8.0, 366.0, 520.0, 520.0), down((140.0, 188.0, 104.0), (104.0, 156.0, 84.0), 366.0, 512.0))
    canvas.fill(Box(-8.0, 446.0, 520.0, 506.0), down((104.0, 106.0, 120.0), (82.0, 84.0, 98.0), 446.0, 506.0))
    for edge in (449.0, 502.0):
        canvas.fill(Line(-8.0, edge, 520.0, edge, 2.6), _WHITE, 0.9)
    for i in range(6):
        canvas.fill(Box(6.0 + i * 92, 473.0, 58.0 + i * 92, 478.0, 2.0), _WHITE, 0.9)
    for i in range(26):
        fx, fy = float(look.below(f"fx{i}", 512)), 384.0 + look.below(f"fy{i}", 56)
        canvas.fill(Circle(fx, fy, 2.4), (_WHITE, (250.0, 212.0, 92.0), (232.0, 110.0, 110.0))[i % 3])
    for (x, _, _), name in zip(_PLACES, signs, strict=True):
        _post(canvas, x)
        _sign(canvas, name, x)


SIGNS = Kind("signs", plan, draw)
