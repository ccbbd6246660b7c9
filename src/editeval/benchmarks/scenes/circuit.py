"""Causal: a battery, three switches and two bulbs; current flows only where a loop is closed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from editeval.benchmarks.scenes.canvas import EVERYWHERE, Canvas, Colour, across, down
from editeval.benchmarks.scenes.lettering import write
from editeval.benchmarks.scenes.palette import BLUE, CREAM, GREEN, INK, METAL, RED, darker, lighter
from editeval.benchmarks.scenes.scene import Dice, Kind, Look, Scene, SceneChange
from editeval.benchmarks.scenes.shapes import Box, Circle, Ellipse, Line, Stroke, direction

_LIGHT: Colour = (255.0, 214.0, 92.0)
_NAMES = {"main": ("MAIN", "总开关"), "one": ("S1", "S1"), "two": ("S2", "S2")}
_COLUMNS = {"one": 270.0, "two": 424.0}


@dataclass(frozen=True, slots=True)
class Circuit:
    """Which switches are closed. Bulb 1 is behind MAIN and S1, bulb 2 behind MAIN and S2."""

    main: bool
    one: bool
    two: bool

    def is_lit(self, bulb: str) -> bool:
        """Whether current flows through the bulb called "one" or "two"."""
        return self.main and (self.one if bulb == "one" else self.two)


def _state(circuit: Circuit) -> tuple[str, str]:
    lit = [n for n, bulb in ((1, "one"), (2, "two")) if circuit.is_lit(bulb)]
    if not lit:
        return "both bulbs are dark", "两只灯泡都不亮"
    if len(lit) == 2:
        return "both bulbs shine", "两只灯泡都亮"
    return f"only bulb {lit[0]} shines", f"只有灯泡 {lit[0]} 亮"


def _flip(circuit: Circuit, switch: str, dice: Dice) -> SceneChange:
    closed = getattr(circuit, switch)
    target = replace(circuit, **{switch: not closed})
    name, zh = _NAMES[switch]
    result, result_zh = _state(target)
    told = dice.below(2) == 1
    verb, verb_zh = ("Open", "断开") if closed else ("Close", "合上")
    the = "the MAIN switch" if switch == "main" else f"switch {name}"
    english = f"{verb} {the}" + (f", so that {result}." if told else " and show what the bulbs do then.")
    chinese = f"{verb_zh}{zh if switch == 'main' else '开关 ' + name}" + (
        f"，于是{result_zh}。" if told else "，并画出灯泡随之的变化。"
    )
    free = [s for s in ("one", "two") if s != switch]
    other = next((s for s in free if not getattr(circuit, s)), free[0])  # if possible one with another effect
    wrong = replace(circuit, **{other: not getattr(circuit, other)})
    return SceneChange(target, wrong, english, chinese, 2 if told else 3)


def plan(dice: Dice) -> Scene:
    """A circuit whose every switch matters."""
    circuit = Circuit(dice.below(4) > 0, dice.below(2) == 1, dice.below(2) == 1)
    if not circuit.one and not circuit.two:
        circuit = replace(circuit, one=True)
    text = ", ".join(f"{_NAMES[s][0]} {'closed' if getattr(circuit, s) else 'open'}" for s in _NAMES)
    changes = tuple(_flip(circuit, s, dice) for s in dice.shuffled(tuple(_NAMES)))
    return Scene(
        circuit, f"An experiment board: a battery feeds two bulbs; switches {text}; {_state(circuit)[0]}.", changes
    )


def _wire(canvas: Canvas, rgb: Colour, *points: tuple[float, float]) -> None:
    canvas.shadow(Stroke((tuple((x + 2, y + 5) for x, y in points),), 7.0), 0.25, 6.0)
    canvas.fill(Stroke((points,), 6.5), darker(rgb, 0.18))
    canvas.fill(Stroke((tuple((x - 0.6, y - 1.2) for x, y in points),), 2.2), lighter(rgb, 0.35))


def _bulb(canvas: Canvas, x: float, y: float, number: str, is_lit: bool) -> None:
    canvas.shadow(Circle(x + 5, y + 10, 42.0), 0.25, 18.0)
    if is_lit:
        canvas.glow((x, y - 22), 118.0, _LIGHT, 0.85)
    glass: Colour = (255.0, 236.0, 150.0) if is_lit else (214.0, 224.0, 230.0)
    canvas.fill(Circle(x, y - 22, 36.0), down(lighter(glass, 0.5), glass, y - 58, y + 14), 0.96 if is_lit else 0.75)
    canvas.fill(Box(x - 15, y + 4, x + 15, y + 26, 3.0), glass, 0.9)
    filament = ((x - 8, y + 10), (x - 12, y - 16), (x - 4, y - 26), (x + 4, y - 16), (x + 12, y - 26), (x + 8, y + 10))
    canvas.fill(Stroke((filament,), 2.8), (255.0, 150.0, 40.0) if is_lit else darker(METAL, 0.4))
    canvas.fill(Ellipse(x - 13, y - 38, 9.0, 6.0), (255.0, 255.0, 255.0), 0.8, 5.0)
    canvas.fill(
        Box(x - 17, y + 22, x + 17, y + 44, 4.0), across(lighter(METAL, 0.4), darker(METAL, 0.35), x - 17, x + 17)
    )
    for line in (29.0, 36.0):
        canvas.fill(Line(x - 16, y + line, x + 16, y + line - 3, 2.4), darker(METAL, 0.45))
    canvas.fill(Box(x + 30, y + 26, x + 54, y + 48, 6.0), CREAM)
    write(canvas, number, (x + 42, y + 37), 12.0, INK)


def _switch(canvas: Canvas, x: float, y: float, name: str, is_closed: bool) -> None:
    canvas.shadow(Box(x - 44, y - 12, x + 48, y + 26, 8.0), 0.3, 12.0)
    canvas.fill(
        Box(x - 46, y - 18, x + 46, y + 20, 8.0), down((250.0, 246.0, 238.0), (220.0, 212.0, 202.0), y - 18, y + 20)
    )
    for dx in (-30.0, 30.0):
        canvas.fill(Circle(x + dx, y, 8.0), across(lighter(METAL, 0.5), darker(METAL, 0.3), x + dx - 8, x + dx + 8))
    c, s = direction(0 if is_closed else -5)
    tip = (x - 30 + 64 * c, y + 64 * s)
    canvas.shadow(Line(x - 28, y + 6, tip[0] + 2, tip[1] + 6, 7.0), 0.25, 6.0)
    canvas.fill(Line(x - 30, y, *tip, 7.0), darker(METAL, 0.25))
    canvas.fill(Line(x - 30 + 42 * c, y + 42 * s, *tip, 12.0), RED.rgb)
    canvas.fill(Circle(x - 30, y, 4.0), INK)
    write(canvas, name, (x, y + 35), 13.0, INK)


def _battery(canvas: Canvas, x: float, y: float) -> None:
    canvas.shadow(Box(x - 28, y - 66, x + 40, y + 86, 8.0), 0.3, 14.0)
    canvas.fill(
        Box(x - 10, y - 84, x + 10, y - 66, 3.0), across(lighter(METAL, 0.4), darker(METAL, 0.3), x - 10, x + 10)
    )
    canvas.fill(Box(x - 34, y - 70, x + 34, y + 78, 8.0), across(lighter(INK, 0.2), darker(INK, 0.2), x - 34, x + 34))
    canvas.fill(
        Box(x - 34, y - 70, x + 34, y - 22, 8.0),
        across(lighter((226.0, 150.0, 70.0), 0.3), darker((226.0, 150.0, 70.0), 0.2), x - 34, x + 34),
    )
    write(canvas, "+", (x, y - 44), 22.0, CREAM)
    write(canvas, "-", (x, y + 54), 22.0, CREAM)
    write(canvas, "9 V", (x, y + 8), 16.0, CREAM)


def draw(canvas: Canvas, circuit: Circuit, look: Look) -> None:
    """A wooden board with battery, wires, switches and bulbs."""
    base = look.pick("board", ((236.0, 214.0, 184.0), (222.0, 232.0, 226.0), (228.0, 222.0, 238.0)))
    canvas.fill(EVERYWHERE, down(lighter(base, 0.3), base, 0.0, 512.0))
    for i in range(17):
        for j in range(17):
            canvas.fill(Circle(i * 32.0, j * 32.0, 2.0), darker(base, 0.2), 0.5)
    wire = look.pick("wire", (RED.rgb, GREEN.rgb, BLUE.rgb))
    back = darker(wire, 0.5)
    _wire(canvas, wire, (84.0, 190.0), (84.0, 72.0), (144.0, 72.0))
    _wire(canvas, wire, (204.0, 72.0), (424.0, 72.0), (424.0, 120.0))
    _wire(canvas, back, (84.0, 340.0), (84.0, 460.0), (454.0, 460.0))
    for x in _COLUMNS.values():
        _wire(canvas, wire, (x, 72.0), (x, 130.0))
        _wire(canvas, back, (x, 240.0), (x, 290.0), (x - 30, 290.0), (x - 30, 360.0))
        _wire(canvas, back, (x + 30, 360.0), (x + 30, 460.0))
    _battery(canvas, 84.0, 262.0)
    _switch(canvas, 174.0, 72.0, "MAIN", circuit.main)
    for number, (bulb, x) in enumerate(_COLUMNS.items(), 1):
        _switch(canvas, x, 360.0, _NAMES[bulb][0], getattr(circuit, bulb))
        _bulb(canvas, x, 190.0, str(number), circuit.is_lit(bulb))


CIRCUIT = Kind("circuit", plan, draw)
