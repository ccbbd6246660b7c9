"""Actions that change colour, light, sharpness and weather in place."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from editeval.editors.rules import phrases, tone, weather
from editeval.editors.rules.canvas import Action, Canvas, mean_colour, toned, two
from editeval.editors.rules.grammar import Command, InstructionError
from editeval.editors.rules.mattes import box
from editeval.editors.rules.planes import Pixels, Plane, Rgb, rounded, scaled_mask
from editeval.editors.rules.selection import Selected


def plain(change: Callable[[Pixels], Plane]) -> Action:
    return lambda canvas, command, selected: toned(canvas, selected, lambda pixels, alpha: change(pixels))


def measured(change: Callable[[Pixels, float], Plane], usual: float) -> Action:
    """An action whose amount is a share in the text ("by 20 percent"), `usual` times an adverb where there is none."""

    def act(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
        named = phrases.share(command.text)
        size = named if named is not None else abs(usual) * phrases.strength(command.text)
        return toned(canvas, selected, lambda pixels, alpha: change(pixels, size if usual > 0 else -min(size, 1.0)))

    return act


def strong(change: Callable[[Pixels, float], Plane]) -> Action:
    return lambda canvas, command, selected: toned(
        canvas, selected, lambda pixels, alpha: change(pixels, phrases.strength(command.text))
    )


def blur(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    size = phrases.strength(command.text)
    is_object = any(s.is_object for s in selected)
    return toned(canvas, selected, lambda pixels, alpha: tone.blurred(pixels, alpha if is_object else None, size))


def contrast(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    less = re.match(r"reduce|decrease|lower", command.text) is not None
    return measured(tone.contrasted, -0.35 if less else 0.4)(canvas, command, selected)


def recolour(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    if command.colour is None:
        raise InstructionError(f"classical: no colour recognised in {command.text!r}")
    if (
        command.colour.family == "grey"
        and command.colour.plain
        and any(s.mask.mean() > 0.4 or not s.is_object for s in selected)
    ):
        return plain(tone.grey)(canvas, command, selected)
    rgb = command.colour.rgb
    if any(s.mask.all() for s in selected):
        return toned(canvas, selected, lambda pixels, alpha: tone.tinted(pixels, rgb, 0.5))
    return toned(canvas, selected, lambda pixels, alpha: tone.recoloured(pixels, alpha, rgb))


def channels(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    """Two colour channels exchanged, everywhere."""
    names = ("red", "green", "blue")
    one, other = (names.index(n) for n in re.findall(r"red|green|blue", command.word)[:2])
    return toned(canvas, selected, lambda pixels, alpha: tone.exchanged(pixels, one, other))


MATURE: dict[str, Rgb] = {
    "ripe": (205, 40, 38),
    "rust": (150, 76, 42),
    "wilt": (132, 104, 62),
    "with": (132, 104, 62),
    "unri": (120, 170, 62),
    "drie": (176, 142, 90),
    "dry": (176, 142, 90),
    "gold": (225, 175, 45),
}


def mature(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    rgb = MATURE[command.word[:4]]
    return toned(canvas, selected, lambda pixels, alpha: tone.recoloured(pixels, alpha, rgb))


def swap_colours(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    one, other = two(command, selected)
    first, second = mean_colour(canvas.pixels, one), mean_colour(canvas.pixels, other)
    out = toned(canvas, [one], lambda pixels, alpha: tone.recoloured(pixels, alpha, second))
    return toned(canvas.showing(out), [other], lambda pixels, alpha: tone.recoloured(pixels, alpha, first))


def lights(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    """The lamp itself, and its light around it: off darkens the room, on gives a glow that fades with distance."""
    import cv2

    is_off = command.action == "lights_off"
    part = selected[0]
    height, width = part.mask.shape
    left, top, right, bottom = box(part.mask)
    if is_off:
        lamp = toned(canvas, [part], lambda p, a: tone.saturated(rounded(p * np.float32(0.4)), -0.6))
        if part.mask.all():
            return rounded(weather.night(canvas.pixels))
        return rounded(lamp.astype(np.float32) * np.array([0.52, 0.54, 0.62], dtype=np.float32))
    spread = max(right - left, bottom - top) * 0.9
    glow = cv2.GaussianBlur(
        cv2.resize(part.mask.astype(np.float32), (max(1, width // 4), max(1, height // 4))), (0, 0), spread / 4
    )
    glow = cv2.resize(glow, (width, height))
    glow = glow / max(float(glow.max()), 1e-6)
    lit = toned(canvas, [part], lambda p, a: tone.tinted(p, (255, 238, 160), 0.7)).astype(np.float32)
    return rounded(lit + glow[..., None] * np.array([70, 58, 22], dtype=np.float32))


def whole(change: Callable[[Canvas], Plane]) -> Action:
    """Weather covers the whole picture, whatever the sentence called it, unless it names a region."""

    def act(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
        regions = [s for s in selected if not s.is_object] or [Selected(np.ones_like(selected[0].mask), False)]
        return toned(canvas, regions, lambda pixels, alpha: change(canvas))

    return act


def snow(canvas: Canvas) -> Plane:
    height = canvas.scene.small.shape[0]
    ground = np.zeros(canvas.scene.small.shape[:2], dtype=np.uint8)
    for segment in canvas.scene.segments:
        _, y, _, h = segment.box
        if segment.is_background and y + h >= height - 2 and y > 0.25 * height:
            ground |= segment.mask
    full = scaled_mask(ground.astype(bool), *canvas.scene.size)
    return weather.snow(canvas.pixels, full, canvas.seed)
