"""The picture while it is edited, and what every action needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from editeval.editors.rules.grammar import Command, InstructionError
from editeval.editors.rules.mattes import Brush, coverage, cutout
from editeval.editors.rules.planes import Pixels, Plane, Rgb, rounded
from editeval.editors.rules.segments import Scene
from editeval.editors.rules.selection import Selected


@dataclass(frozen=True, slots=True)
class Canvas:
    """The picture as the commands so far have left it, and what an action needs besides."""

    scene: Scene
    brush: Brush
    seed: int

    @property
    def pixels(self) -> Pixels:
        """Full-size RGB."""
        return self.scene.pixels

    def showing(self, pixels: Pixels) -> Canvas:
        """The same canvas with other pixels."""
        return replace(self, scene=Scene(pixels, self.scene.work_px))


Action = Callable[[Canvas, Command, list[Selected]], Pixels]


def toned(canvas: Canvas, selected: list[Selected], change: Callable[[Pixels, Plane], Plane]) -> Pixels:
    """`change` inside every selected part. Edge pixels change by as much as the object covers of them."""
    pixels = canvas.pixels
    for part in selected:
        layer = cutout(pixels, part, canvas.brush.feather_px)
        pure = rounded(layer.colours)
        delta = (change(pure, layer.alpha) - pure) * layer.alpha[..., None]
        pixels = np.where(layer.alpha[..., None] > 0, rounded(pixels + delta), pixels)
    return pixels


def mean_colour(pixels: Pixels, part: Selected) -> Rgb:
    """The median colour of the part, without its edge."""
    alpha = coverage(pixels, part, 0.0) > 0.95
    inside = pixels[alpha] if alpha.any() else pixels[part.mask]
    red, green, blue = (int(v) for v in np.median(inside, axis=0))
    return red, green, blue


def two(command: Command, selected: list[Selected]) -> tuple[Selected, Selected]:
    """Two parts that do not overlap. Raises InstructionError if there are none."""
    if len(selected) < 2 or (selected[0].mask & selected[1].mask).any():
        raise InstructionError(f"classical: found fewer than two separate objects for {command.text!r}")
    return selected[0], selected[1]
