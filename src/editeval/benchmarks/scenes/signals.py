"""Cultural: a crossing with signals for cars and for people on foot, whose lights have a codified meaning."""

from __future__ import annotations

from dataclasses import dataclass, replace

from editeval.benchmarks.scenes.canvas import Canvas, Colour, across, down
from editeval.benchmarks.scenes.lettering import write
from editeval.benchmarks.scenes.outdoors import DAWN, DAY, GREY_SKY, cloud, sky
from editeval.benchmarks.scenes.palette import CREAM, INK, METAL, darker, lighter
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line, Polygon, Stroke

_CARS = (
    "Vienna Convention on Road Signs and Signals (1968), Article 23: "
    "red, at the top, means stop; green, at the bottom, means proceed"
)
_WALK = (
    "Vienna Convention on Road Signs and Signals (1968), Article 24: "
    "a red standing figure means do not cross, a green walking one means cross"
)
_LIGHTS: dict[str, Colour] = {"red": (244.0, 58.0, 48.0), "amber": (255.0, 186.0, 40.0), "green": (60.0, 214.0, 110.0)}
_ORDERS = {
    "red": (
        ("Make the traffic light for cars ({}) show stop.", "Cars must wait: set the car signal on the {} to stop."),
        "让{}的机动车信号灯显示停车。",
    ),
    "green": (
        ("Make the traffic light for cars ({}) show go.", "Cars may drive on: set the car signal on the {} to go."),
        "让{}的机动车信号灯显示通行。",
    ),
}
_ZH = {"left": "左边", "right": "右边"}


@dataclass(frozen=True, slots=True)
class Crossing:
    """The lit lamp of the left and right car signals, and of the signal for people on foot ("red" or "green")."""

    left: str
    right: str
    walk: str


def _cars(crossing: Crossing, side: str, dice: Dice) -> SceneChange:
    now = crossing.left if side == "left" else crossing.right
    wanted = dice.pick([c for c in ("red", "green") if c != now])
    other = "right" if side == "left" else "left"
    there = crossing.right if side == "left" else crossing.left
    wrong = wanted if there != wanted else ("green" if wanted == "red" else "red")
    english, chinese = _ORDERS[wanted]
    return SceneChange(
        replace(crossing, **{side: wanted}),
        replace(crossing, **{other: wrong}),
        dice.pick(english).format(side),
        chinese.format(_ZH[side]),
        2,
        _CARS,
    )


def _walk(crossing: Crossing, dice: Dice) -> SceneChange:
    if crossing.walk == "red":
        english = dice.pick(
            (
                "People on foot may cross now: change the pedestrian signal accordingly.",
                "Set the pedestrian signal to walk.",
            )
        )
        chinese = "行人可以通过了：请相应改变人行信号灯。"
    else:
        english = dice.pick(
            (
                "People on foot must wait now: change the pedestrian signal accordingly.",
                "Set the pedestrian signal to don't walk.",
            )
        )
        chinese = "行人必须等待：请相应改变人行信号灯。"
    walk = "green" if crossing.walk == "red" else "red"
    wrong = replace(crossing, left="green" if crossing.left != "green" else "red")
    return SceneChange(replace(crossing, walk=walk), wrong, english, chinese, 2, _WALK)


def plan(dice: Dice) -> Scene:
    """A crossing with three signals; each change is about another one."""
    crossing = Crossing(dice.pick(tuple(_LIGHTS)), dice.pick(tuple(_LIGHTS)), dice.pick(("red", "green")))
    makers = dice.shuffled(range(3))
    all_changes = (_cars(crossing, "left", dice), _cars(crossing, "right", dice), _walk(crossing, dice))
    text = (
        f"A street crossing; the left car signal is {crossing.left}, the right one {crossing.right}, "
        f"the pedestrian signal {crossing.walk}."
    )
    return Scene(crossing, text, tuple(all_changes[i] for i in makers))


def _lamp(canvas: Canvas, x: float, y: float, r: float, rgb: Colour, is_lit: bool) -> None:
    canvas.fill(Circle(x, y, r + 3), darker(INK, 0.4))
    if is_lit:
        canvas.fill(Circle(x, y, r), across(lighter(rgb, 0.35), rgb, x - r, x + r))
        canvas.glow((x, y), r * 2.1, lighter(rgb, 0.2), 0.5)
        canvas.fill(Ellipse(x - r * 0.3, y - r * 0.4, r * 0.3, r * 0.2), (255.0, 255.0, 255.0), 0.8, 4.0)
    else:
        canvas.fill(Circle(x, y, r), darker(rgb, 0.72))


def _car_signal(canvas: Canvas, x: float, lit: str) -> None:
    canvas.fill(Line(x, 150.0, x, 424.0, 11.0), across(lighter(METAL, 0.2), darker(METAL, 0.5), x - 6, x + 6))
    canvas.shadow(Box(x - 35, 64.0, x + 49, 268.0, 18.0), 0.3, 16.0)
    canvas.fill(Box(x - 42, 56.0, x + 42, 256.0, 18.0), across(lighter(INK, 0.14), darker(INK, 0.3), x - 42, x + 42))
    for name, y in (("red", 92.0), ("amber", 156.0), ("green", 220.0)):
        _lamp(canvas, x, y, 24.0, _LIGHTS[name], lit == name)
        canvas.fill(
            Stroke((((x - 27, y - 8), (x - 19, y - 23), (x, y - 30), (x + 19, y - 23), (x + 27, y - 8)),), 5.0),
            darker(INK, 0.5),
        )


def _figure(canvas: Canvas, x: float, y: float, is_walking: bool, rgb: Colour) -> None:
    canvas.fill(Circle(x, y - 17, 5.4), rgb)
    legs = (
        (((x, y + 2), (x - 9, y + 20)), ((x, y + 2), (x + 9, y + 20)))
        if is_walking
        else (((x - 3, y), (x - 3, y + 20)), ((x + 3, y), (x + 3, y + 20)))
    )
    arms = (
        (((x, y - 8), (x - 10, y + 3)), ((x, y - 8), (x + 10, y + 1)))
        if is_walking
        else (((x - 8, y - 7), (x - 8, y + 6)), ((x + 8, y - 7), (x + 8, y + 6)))
    )
    canvas.fill(Stroke((*legs, *arms), 4.4), rgb)
    canvas.fill(Box(x - 6, y - 11, x + 6, y + 5, 4.0), rgb)


def _walk_signal(canvas: Canvas, x: float, lit: str) -> None:
    canvas.fill(Line(x, 240.0, x, 430.0, 9.0), across(lighter(METAL, 0.2), darker(METAL, 0.5), x - 5, x + 5))
    canvas.shadow(Box(x - 26, 156.0, x + 38, 288.0, 10.0), 0.3, 14.0)
    canvas.fill(Box(x - 33, 150.0, x + 33, 280.0, 10.0), across(lighter(INK, 0.14), darker(INK, 0.3), x - 33, x + 33))
    for name, y in (("red", 183.0), ("green", 247.0)):
        is_lit = lit == name
        canvas.fill(Box(x - 26, y - 29, x + 26, y + 29, 7.0), darker(INK, 0.55))
        if is_lit:
            canvas.glow((x, y), 44.0, _LIGHTS[name], 0.3)
        _figure(canvas, x, y, name == "green", _LIGHTS[name] if is_lit else darker(_LIGHTS[name], 0.76))


def _skyline(canvas: Canvas, look: Look) -> None:
    tones: tuple[Colour, ...] = (
        (214.0, 168.0, 140.0),
        (160.0, 176.0, 196.0),
        (196.0, 190.0, 176.0),
        (180.0, 150.0, 160.0),
    )
    x = -10.0
    for i in range(8):
        wide, high = 58.0 + look.below(f"bw{i}", 30), 110.0 + look.below(f"bh{i}", 130)
        rgb = tones[(i + look.below("tone", 4)) % 4]
        canvas.fill(Box(x, 390.0 - high, x + wide, 390.0, 3.0), across(lighter(rgb, 0.25), rgb, x, x + wide))
        for row in range(int(high // 34)):
            for column in range(int(wide // 24)):
                wx, wy = x + 9 + column * 23, 402.0 - high + row * 32
                canvas.fill(
                    Box(wx, wy, wx + 12, wy + 17, 2.0),
                    lighter(rgb, 0.55) if (row + column + i) % 3 else darker(rgb, 0.35),
                    0.8,
                )
        x += wide + 2


def draw(canvas: Canvas, crossing: Crossing, look: Look) -> None:
    """A city street with a zebra crossing and three signals."""
    light = look.pick("light", (DAY, DAWN, GREY_SKY))
    sky(canvas, light, Box(-8.0, -8.0, 520.0, 400.0))
    cloud(canvas, 150.0 + look.shift("c", 80), 60.0, 0.9)
    cloud(canvas, 400.0 + look.shift("d", 60), 46.0, 0.7)
    _skyline(canvas, look)
    canvas.fill(Box(-8.0, 388.0, 520.0, 434.0), down((206.0, 198.0, 190.0), (186.0, 178.0, 172.0), 388.0, 434.0))
    canvas.fill(Box(-8.0, 432.0, 520.0, 520.0), down((92.0, 94.0, 108.0), (72.0, 74.0, 88.0), 432.0, 512.0))
    canvas.fill(Line(-8.0, 433.0, 520.0, 433.0, 4.0), lighter(METAL, 0.4))
    for i in range(5):
        x = 150.0 + i * 48.0
        stripe = ((x, 446.0), (x + 26, 446.0), (x + 26 + (x - 240) * 0.16, 512.0), (x - 4 + (x - 240) * 0.16, 512.0))
        canvas.fill(Polygon(stripe), CREAM, 0.92)
    for x in (98.0, 256.0, 420.0):
        canvas.shadow(Ellipse(x + 4, 427.0, 22.0, 5.0), 0.35, 8.0)
    _car_signal(canvas, 98.0, crossing.left)
    _car_signal(canvas, 420.0, crossing.right)
    _walk_signal(canvas, 256.0, crossing.walk)
    canvas.fill(Box(206.0, 108.0, 306.0, 138.0, 4.0), down((60.0, 112.0, 190.0), (46.0, 90.0, 164.0), 108.0, 138.0))
    write(canvas, look.pick("name", ("PARK ST", "LAKE ST", "HIGH ST", "ELM ST")), (256.0, 123.0), 12.0, CREAM)
    canvas.fill(Line(256.0, 138.0, 256.0, 152.0, 5.0), METAL)


SIGNALS = Kind("signals", plan, draw)
