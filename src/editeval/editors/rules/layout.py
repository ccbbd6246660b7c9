"""Edits that move pixels: objects are cut out, the hole is closed, and the object is pasted elsewhere or otherwise."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from editeval.editors.rules.filling import closed
from editeval.editors.rules.mattes import Brush, box, cutout, pasted, warped
from editeval.editors.rules.planes import Mask, Pixels
from editeval.editors.rules.selection import Selected

Matrix = list[list[float]]


def removed(pixels: Pixels, selected: Selected, brush: Brush) -> Pixels:
    """The picture without the object."""
    return closed(pixels, selected.mask, brush)


def moved(pixels: Pixels, selected: Selected, shift: tuple[float, float], brush: Brush) -> Pixels:
    """The object shifted by whole pixels, as far as it stays inside the picture."""
    height, width = selected.mask.shape
    left, top, right, bottom = box(selected.mask)
    dx = min(max(shift[0], -left), width - right)
    dy = min(max(shift[1], -top), height - bottom)
    return transformed(pixels, selected, [[1.0, 0.0, float(round(dx))], [0.0, 1.0, float(round(dy))]], brush)


def shifted(pixels: Pixels, shift: tuple[float, float]) -> Pixels:
    """The whole picture shifted; what comes in repeats the edge."""
    import cv2

    height, width = pixels.shape[:2]
    matrix = np.array([[1, 0, round(shift[0])], [0, 1, round(shift[1])]], dtype=np.float64)
    out: Pixels = cv2.warpAffine(pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return out


def transformed(pixels: Pixels, selected: Selected, matrix: Matrix, brush: Brush) -> Pixels:
    """The object under an affine map (source to destination), its old place closed."""
    layer = warped(cutout(pixels, selected, brush.feather_px), matrix)
    return pasted(closed(pixels, selected.mask, brush), layer)


def about(centre: tuple[float, float], linear: tuple[tuple[float, float], tuple[float, float]]) -> Matrix:
    """The affine map with this linear part that keeps `centre` (in pixel edges, so 0.5 is the first pixel's middle)."""
    x, y = centre[0] - 0.5, centre[1] - 0.5
    (a, b), (c, d) = linear
    return [[a, b, x - a * x - b * y], [c, d, y - c * x - d * y]]


def resized(pixels: Pixels, selected: Selected, factors: tuple[float, float], anchor: float, brush: Brush) -> Pixels:
    """The object scaled across and down; `anchor` 0.5 keeps its middle, 1 its foot."""
    left, top, right, bottom = box(selected.mask)
    centre = ((left + right) / 2, top + (bottom - top) * anchor)
    return transformed(pixels, selected, about(centre, ((factors[0], 0.0), (0.0, factors[1]))), brush)


def mirrored(pixels: Pixels, selected: Selected, *, vertically: bool, brush: Brush) -> Pixels:
    """Left and right (or top and bottom) exchanged, exactly for regions and the whole picture."""
    if not selected.is_object:
        return _within(pixels, selected.mask, np.flipud if vertically else np.fliplr)
    left, top, right, bottom = box(selected.mask)
    linear = ((1.0, 0.0), (0.0, -1.0)) if vertically else ((-1.0, 0.0), (0.0, 1.0))
    return transformed(pixels, selected, about(((left + right) / 2, (top + bottom) / 2), linear), brush)


def rotated(pixels: Pixels, selected: Selected, degrees: float, brush: Brush) -> Pixels:
    """Turned clockwise; a region is turned inside its rectangle, exactly where quarter turns allow it."""
    if not selected.is_object:
        return _within(pixels, selected.mask, lambda part: _turned(part, degrees))
    left, top, right, bottom = box(selected.mask)
    turn = math.radians(degrees)
    linear = ((math.cos(turn), -math.sin(turn)), (math.sin(turn), math.cos(turn)))
    return transformed(pixels, selected, about(((left + right) / 2, (top + bottom) / 2), linear), brush)


def _within(pixels: Pixels, mask: Mask, change: Callable[[Pixels], Pixels]) -> Pixels:
    left, top, right, bottom = (int(v) for v in box(mask))
    out = pixels.copy()
    out[top:bottom, left:right] = change(pixels[top:bottom, left:right])
    return out


def _turned(part: Pixels, degrees: float) -> Pixels:
    import cv2

    height, width = part.shape[:2]
    quarters = round(degrees / 90) % 4
    if abs(degrees - 90 * round(degrees / 90)) < 1e-6 and (height == width or quarters % 2 == 0):
        return np.ascontiguousarray(np.rot90(part, -quarters))
    turn = math.radians(degrees)
    cos, sin = abs(math.cos(turn)), abs(math.sin(turn))
    # Quarter turns of oblong pictures must show everything; slight tilts keep their scale, as a person would do it.
    fit = min(width / (width * cos + height * sin), height / (width * sin + height * cos)) if sin > 0.6 else 1.0
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -degrees, fit)
    out: Pixels = cv2.warpAffine(
        part, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return out


def swapped(pixels: Pixels, one: Selected, other: Selected, brush: Brush) -> Pixels:
    """Both objects at each other's centre."""
    layers = [cutout(pixels, s, brush.feather_px) for s in (one, other)]
    middles = [_middle(s.mask) for s in (one, other)]
    out = closed(closed(pixels, one.mask, brush), other.mask, brush)
    for layer, start, end in zip(layers, middles, reversed(middles), strict=True):
        shift = [[1.0, 0.0, float(round(end[0] - start[0]))], [0.0, 1.0, float(round(end[1] - start[1]))]]
        out = pasted(out, warped(layer, shift))
    return out


def _middle(mask: Mask) -> tuple[float, float]:
    left, top, right, bottom = box(mask)
    return (left + right) / 2, (top + bottom) / 2


def copied(pixels: Pixels, selected: Selected, shift: tuple[float, float], brush: Brush) -> Pixels:
    """A second copy of the object, shifted."""
    layer = cutout(pixels, selected, brush.feather_px)
    return pasted(pixels, warped(layer, [[1.0, 0.0, float(round(shift[0]))], [0.0, 1.0, float(round(shift[1]))]]))


def zoomed(pixels: Pixels, selected: Selected, factor: float) -> Pixels:
    """The picture enlarged around the selected part, at the same size; below 1 it shrinks into its mirrored self."""
    import cv2

    height, width = pixels.shape[:2]
    x, y = _middle(selected.mask)
    if factor > 1:
        x = min(max(x, width / 2 / factor), width - width / 2 / factor)
        y = min(max(y, height / 2 / factor), height - height / 2 / factor)
    matrix = np.array([[factor, 0, width / 2 - factor * x], [0, factor, height / 2 - factor * y]], dtype=np.float64)
    flags = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    out: Pixels = cv2.warpAffine(pixels, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return out
