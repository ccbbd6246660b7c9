"""Actions that move, turn, resize, remove, copy and draw."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from editeval.editors.rules import drawing, layout, phrases
from editeval.editors.rules.canvas import Canvas, mean_colour, two
from editeval.editors.rules.filling import closed
from editeval.editors.rules.grammar import Command, InstructionError
from editeval.editors.rules.mattes import box
from editeval.editors.rules.nouns import HINTS, Hint
from editeval.editors.rules.phrases import Place
from editeval.editors.rules.planes import Pixels
from editeval.editors.rules.reference import Reference
from editeval.editors.rules.selection import Selected, resolve


def swap(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    one, other = two(command, selected)
    return layout.swapped(canvas.pixels, one, other, canvas.brush)


def remove(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    mask = np.logical_or.reduce([s.mask for s in selected])
    if mask.mean() > 0.9:
        raise InstructionError(f"classical: nothing would be left of the picture after {command.text!r}")
    return layout.removed(canvas.pixels, Selected(mask, True), canvas.brush)


def _each(canvas: Canvas, selected: list[Selected], change: Callable[[Pixels, Selected], Pixels]) -> Pixels:
    pixels = canvas.pixels
    for part in selected:
        pixels = change(pixels, part)
    return pixels


def resize(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    text = command.text
    grows = (
        re.search(
            r"small|shrink|tini|tiny|reduc|decreas|down|compress|deflat|halve|minimi|short|narrow|thin|flat|squash|half",
            text,
        )
        is None
    )
    factor = phrases.factor(text, grows=grows)
    across = re.search(r"\b(?:wider|narrower|thinner|fatter|wide|width|horizontally)\b", text) is not None
    down = re.search(r"\b(?:taller|shorter|tall|height|longer|flatter|vertically|squash|stretch)\b", text) is not None
    factors = (factor if across or not down else 1.0, factor if down or not across else 1.0)

    def change(pixels: Pixels, part: Selected) -> Pixels:
        if not part.is_object:
            return layout.zoomed(pixels, part, factor)
        return layout.resized(pixels, part, factors, 1.0 if down and not across else 0.5, canvas.brush)

    return _each(canvas, selected, change)


def melt(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    return _each(canvas, selected, lambda p, s: layout.resized(p, s, (1.35, 0.4), 1.0, canvas.brush))


def zoom(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    return layout.zoomed(canvas.pixels, selected[0], max(1.1, phrases.factor(command.text, grows=True)))


def mirror(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    vertical = re.search(r"upside|vertical|top to bottom|over$|horizontal axis|up and down", command.text) is not None
    return _each(canvas, selected, lambda p, s: layout.mirrored(p, s, vertically=vertical, brush=canvas.brush))


def rotate(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    degrees = phrases.angle(command.text)
    return _each(canvas, selected, lambda p, s: layout.rotated(p, s, degrees, canvas.brush))


def border(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    rgb = command.colour.rgb if command.colour is not None else (25, 25, 25)
    return _each(canvas, selected, lambda p, s: drawing.outlined(p, s.mask, rgb))


def move(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    place = command.place or Place(direction=(0, 1), distance=0.15)

    def change(pixels: Pixels, part: Selected) -> Pixels:
        if part.mask.all():
            return layout.shifted(pixels, _shift(canvas, part, place))
        return layout.moved(pixels, part, _shift(canvas, part, place), canvas.brush)

    return _each(canvas, selected, change)


def _shift(canvas: Canvas, part: Selected, place: Place) -> tuple[float, float]:
    """How far the part has to go, in pixels."""
    width, height = canvas.scene.size
    left, top, right, bottom = box(part.mask)
    x, y = (left + right) / 2, (top + bottom) / 2
    if place.direction is not None:
        distance = place.distance or 0.2
        reach = (distance, distance) if distance >= 2 else (distance * width, distance * height)
        return place.direction[0] * reach[0], place.direction[1] * reach[1]
    if place.spot is not None:
        return (
            0.0 if place.keeps == "x" else place.spot[0] * width - x,
            0.0 if place.keeps == "y" else place.spot[1] * height - y,
        )
    if place.relation is None:
        return 0.2 * width, 0.0
    name, landmark = place.relation
    goal = _beside((right - left, bottom - top), box(resolve(landmark, canvas.scene)[0].mask), name, landmark)
    return goal[0] - x, goal[1] - y


def _beside(
    size: tuple[float, float], mark: tuple[float, float, float, float], name: str, landmark: Reference
) -> tuple[float, float]:
    """The centre of something of `size` placed in the relation `name` to the box `mark`."""
    left, top, right, bottom = mark
    x, y = (left + right) / 2, (top + bottom) / 2
    gap = 0.15 * min(size)
    if name == "on" and HINTS.get(landmark.noun, Hint()).is_stuff:
        return x, top + 0.35 * (bottom - top) - size[1] / 2
    goals = {
        "left": (left - size[0] / 2 - gap, bottom - size[1] / 2),
        "right": (right + size[0] / 2 + gap, bottom - size[1] / 2),
        "above": (x, top - size[1] / 2 - gap),
        "on": (x, top - size[1] / 2),
        "below": (x, bottom + size[1] / 2 + gap),
    }
    return goals.get(name, (x, y))


def gravity(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    def change(pixels: Pixels, part: Selected) -> Pixels:
        return layout.moved(pixels, part, (0.0, _floor(canvas, part) - box(part.mask)[3]), canvas.brush)

    return _each(canvas, selected, change)


def _floor(canvas: Canvas, part: Selected) -> float:
    """Where things stand: the feet of other objects below, else a little into the ground, else the lower edge."""
    height = canvas.scene.size[1]
    scale = height / int(canvas.scene.small.shape[0])
    foot = box(part.mask)[3]
    things = [s for s in canvas.scene.segments if s.area > 0.002 * s.mask.size]
    feet = [(s.box[1] + s.box[3]) * scale for s in things if not (s.is_background or s.is_composite)]
    below = sorted(f for f in feet if foot + 0.02 * height < f < 0.985 * height)
    if below:
        return below[len(below) // 2]
    grounds = [s for s in things if s.is_background and s.box[1] + s.box[3] >= s.mask.shape[0] - 2 and s.box[1] > 0]
    if grounds:
        top = max(s.box[1] for s in grounds) * scale
        return max(foot, top + 0.4 * (height - top))
    return 0.97 * height


def rise(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    height = canvas.scene.size[1]
    distance = phrases.distance(command.text)

    def change(pixels: Pixels, part: Selected) -> Pixels:
        reach = box(part.mask)[1] - 0.05 * height if distance is None else distance * (height if distance < 2 else 1)
        return layout.moved(pixels, part, (0.0, -reach), canvas.brush)

    return _each(canvas, selected, change)


def duplicate(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    def change(pixels: Pixels, part: Selected) -> Pixels:
        left, _, right, _ = box(part.mask)
        room = canvas.scene.size[0] - right
        aside = (right - left) * 1.15 * (1 if room > left else -1)
        shift = _shift(canvas, part, command.place) if command.place is not None else (aside, 0.0)
        return layout.copied(pixels, part, shift, canvas.brush)

    return _each(canvas, selected, change)


def replace(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    shape = drawing.drawable(command.word)

    def change(pixels: Pixels, part: Selected) -> Pixels:
        colour = drawing.colour_of(command.word, mean_colour(pixels, part))
        return drawing.with_shape(closed(pixels, part.mask, canvas.brush), shape, box(part.mask), colour)

    return _each(canvas, selected, change)


def add(canvas: Canvas, command: Command, selected: list[Selected]) -> Pixels:
    shape = drawing.drawable(command.word)
    width, height = canvas.scene.size
    side = min(width, height) * (
        0.12
        if re.search(r"small|tiny|little", command.word)
        else 0.3
        if re.search(r"big|large|huge", command.word)
        else 0.2
    )
    size = (
        side * (1.6 if shape in ("cloud", "rectangle", "ellipse") else 1.0),
        side * (1.4 if shape == "tree" else 1.0),
    )
    colour = drawing.colour_of(command.word, (215, 40, 40))
    x, y = _goal(canvas, command, size)
    x = min(max(x, size[0] / 2), width - size[0] / 2)
    y = min(max(y, size[1] / 2), height - size[1] / 2)
    where = (x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2)
    return drawing.with_shape(canvas.pixels, shape, where, colour)


def _goal(canvas: Canvas, command: Command, size: tuple[float, float]) -> tuple[float, float]:
    width, height = canvas.scene.size
    place = command.place
    if place is not None and place.spot is not None:
        return place.spot[0] * width, place.spot[1] * height
    if place is not None and place.relation is not None:
        name, landmark = place.relation
        return _beside(size, box(resolve(landmark, canvas.scene)[0].mask), name, landmark)
    if place is not None and place.direction is not None:
        return (0.5 + 0.33 * place.direction[0]) * width, (0.5 + 0.33 * place.direction[1]) * height
    is_high = re.search(r"sun|moon|cloud|star", command.word) is not None
    return 0.78 * width, (0.17 if is_high else 0.5) * height
