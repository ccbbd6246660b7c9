"""The named colours, in both languages, and how to shade them."""

from __future__ import annotations

from dataclasses import dataclass

from editeval.benchmarks.scenes.canvas import Colour


@dataclass(frozen=True, slots=True)
class Hue:
    """A colour that an instruction can name."""

    english: str
    chinese: str
    rgb: Colour


RED = Hue("red", "红色", (222.0, 70.0, 62.0))
ORANGE = Hue("orange", "橙色", (240.0, 138.0, 44.0))
YELLOW = Hue("yellow", "黄色", (247.0, 205.0, 70.0))
GREEN = Hue("green", "绿色", (84.0, 166.0, 98.0))
BLUE = Hue("blue", "蓝色", (58.0, 118.0, 206.0))
PURPLE = Hue("purple", "紫色", (136.0, 90.0, 188.0))
PINK = Hue("pink", "粉色", (241.0, 142.0, 172.0))
WHITE = Hue("white", "白色", (250.0, 247.0, 240.0))
GREY = Hue("grey", "灰色", (142.0, 146.0, 156.0))
BLACK = Hue("black", "黑色", (44.0, 42.0, 52.0))

VIVID = (RED, ORANGE, YELLOW, GREEN, BLUE, PURPLE, PINK)

INK: Colour = (62.0, 52.0, 66.0)
CREAM: Colour = (253.0, 246.0, 232.0)
WOOD: Colour = (196.0, 142.0, 92.0)
DARK_WOOD: Colour = (140.0, 94.0, 62.0)
METAL: Colour = (172.0, 178.0, 190.0)
WHITE_LIGHT: Colour = (255.0, 255.0, 255.0)


def lighter(colour: Colour, share: float) -> Colour:
    """`colour` moved towards white."""
    r, g, b = colour
    return r + (255.0 - r) * share, g + (255.0 - g) * share, b + (255.0 - b) * share


def darker(colour: Colour, share: float) -> Colour:
    """`colour` moved towards a deep violet, which keeps shadows warm."""
    r, g, b = colour
    return r + (40.0 - r) * share, g + (26.0 - g) * share, b + (62.0 - b) * share


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """`share` of the way from `first` to `second`."""
    (a, b, c), (d, e, f) = first, second
    return a + (d - a) * share, b + (e - b) * share, c + (f - c) * share
