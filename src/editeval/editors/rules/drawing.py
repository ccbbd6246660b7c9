"""Simple things drawn into a picture: shapes, a cloud, a tree, outlines and frames; anti-aliased."""

from __future__ import annotations

import math

import numpy as np

from editeval.editors.rules import colours, nouns
from editeval.editors.rules.grammar import InstructionError
from editeval.editors.rules.mattes import box
from editeval.editors.rules.nouns import HINTS, Hint
from editeval.editors.rules.planes import Mask, Pixels, Plane, Rgb, blend, grown

Box = tuple[float, float, float, float]
FINE = 4  # supersampling of drawn outlines
OWN_COLOURS: dict[str, Rgb] = {
    "sun": (252, 212, 64),
    "moon": (238, 236, 214),
    "cloud": (248, 250, 252),
    "tree": (58, 134, 66),
    "bush": (70, 145, 72),
    "apple": (206, 46, 44),
    "orange": (244, 140, 38),
    "lemon": (248, 224, 74),
    "heart": (222, 44, 72),
    "star": (250, 208, 62),
}


def drawable(words: str) -> str:
    """The shape word that `words` ("green star") can be drawn as. Raises InstructionError if there is none."""
    noun = nouns.compound(words.split())
    if noun in ("cloud", "tree", "bush", "moon"):
        return noun
    hint = HINTS.get(noun, Hint())
    if not hint.shapes:
        raise InstructionError(
            f"classical: cannot draw {words!r}; it can add circles, squares, triangles, stars, hearts, diamonds, "
            "crosses, a sun, a moon, clouds, trees and balls"
        )
    return hint.shapes[0]


def colour_of(words: str, fallback: Rgb) -> Rgb:
    """The colour that `words` names, else the thing's own, else `fallback`."""
    named = colours.read(words)
    noun = nouns.compound(words.split())
    if named is not None and not (noun in OWN_COLOURS and words.split()[-1] == noun and named.family == noun):
        return named.rgb
    return OWN_COLOURS.get(noun, fallback)


def with_shape(pixels: Pixels, shape: str, where: Box, colour: Rgb) -> Pixels:
    """The picture with the shape filling the box `where` (left, top, right, bottom)."""
    out = pixels
    if shape == "tree":
        left, top, right, bottom = where
        middle, girth = (left + right) / 2, (right - left) * 0.09
        trunk = (middle - girth, top + (bottom - top) * 0.55, middle + girth, bottom)
        out = with_shape(out, "rectangle", trunk, (112, 76, 48))
    alpha = _alpha(pixels.shape[:2], shape, where)
    return blend(out, np.broadcast_to(np.array(colour, dtype=np.float32), pixels.shape), alpha)


def _alpha(size: tuple[int, int], shape: str, where: Box) -> Plane:
    """Coverage of the shape, drawn large inside its own box and scaled down."""
    import cv2

    left, top = math.floor(where[0]), math.floor(where[1])
    width, height = math.ceil(where[2]) - left, math.ceil(where[3]) - top
    big = np.zeros((max(1, height) * FINE, max(1, width) * FINE), dtype=np.uint8)
    for polygon in _outlines(shape):
        points = polygon * np.array([where[2] - where[0], where[3] - where[1]]) + np.array(
            [where[0] - left, where[1] - top]
        )
        cv2.fillPoly(big, [np.rint(points * FINE).astype(np.int32)], 255)
    if shape == "moon":
        bite = _round(0.66, 0.42, 0.46) * np.array([where[2] - where[0], where[3] - where[1]])
        cv2.fillPoly(big, [np.rint(bite * FINE).astype(np.int32)], 0)
    small = cv2.resize(big, (max(1, width), max(1, height)), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    alpha: Plane = np.zeros(size, dtype=np.float32)
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(size[0], top + height), min(size[1], left + width)
    if y1 > y0 and x1 > x0:
        alpha[y0:y1, x0:x1] = small[y0 - top : y1 - top, x0 - left : x1 - left]
    return alpha


def _round(x: float, y: float, radius: float, flat: float = 1.0) -> Plane:
    turn = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    out: Plane = np.stack([x + radius * np.cos(turn), y + radius * flat * np.sin(turn)], axis=1).astype(np.float32)
    return out


def _regular(corners: int, start: float = -0.5) -> Plane:
    turn = np.pi * (start + 2 * np.arange(corners) / corners)
    return np.stack([0.5 + 0.5 * np.cos(turn), 0.5 + 0.5 * np.sin(turn)], axis=1).astype(np.float32)


def _outlines(shape: str) -> list[Plane]:
    """Polygons in the unit square."""
    if shape in ("square", "rectangle"):
        return [np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32)]
    if shape == "triangle":
        return [np.array([[0.5, 0], [1, 1], [0, 1]], dtype=np.float32)]
    if shape == "diamond":
        return [np.array([[0.5, 0], [1, 0.5], [0.5, 1], [0, 0.5]], dtype=np.float32)]
    if shape in ("pentagon", "hexagon", "polygon"):
        return [_regular(5 if shape == "pentagon" else 6)]
    if shape == "star":
        points = _regular(10)
        points[1::2] = 0.5 + (points[1::2] - 0.5) * 0.42
        return [points]
    if shape == "cross":
        return [
            np.array([[0.34, 0], [0.66, 0], [0.66, 1], [0.34, 1]], np.float32),
            np.array([[0, 0.34], [1, 0.34], [1, 0.66], [0, 0.66]], np.float32),
        ]
    if shape == "heart":
        turn = np.linspace(0, 2 * np.pi, 96, endpoint=False)
        y = 13 * np.cos(turn) - 5 * np.cos(2 * turn) - 2 * np.cos(3 * turn) - np.cos(4 * turn)
        return [np.stack([0.5 + np.sin(turn) ** 3 / 2, (12 - y) / 29], axis=1).astype(np.float32)]
    if shape in ("cloud", "bush"):
        return [
            _round(0.25, 0.62, 0.25),
            _round(0.5, 0.45, 0.3, 1.2),
            _round(0.75, 0.6, 0.25),
            _round(0.5, 0.72, 0.42, 0.6),
        ]
    if shape == "tree":
        return [_round(0.5, 0.34, 0.34), _round(0.3, 0.44, 0.24), _round(0.7, 0.44, 0.24)]
    return [_round(0.5, 0.5, 0.5)]


def outlined(pixels: Pixels, mask: Mask, colour: Rgb) -> Pixels:
    """A line of about 1 % of the picture around the mask; inside the frame if the mask is a region or everything."""
    import cv2

    width = max(2, round(0.01 * max(mask.shape)))
    if mask.all():
        width *= 2
    left, top, right, bottom = box(mask)
    fills_box = mask.sum() > 0.985 * (right - left) * (bottom - top)
    if fills_box and (left == 0 or top == 0):
        inner = np.zeros_like(mask)
        inner[int(top) + width : int(bottom) - width, int(left) + width : int(right) - width] = True
        line = (mask & ~inner).astype(np.float32)
    else:
        line = cv2.GaussianBlur((grown(mask, width) & ~mask).astype(np.float32), (0, 0), 0.6)
    return blend(pixels, np.broadcast_to(np.array(colour, dtype=np.float32), pixels.shape), line)
