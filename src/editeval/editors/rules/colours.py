"""Colour words: what they look like, how they are read, and which family a pixel belongs to."""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from editeval.editors.rules.planes import Plane, Rgb, lab_of

FAMILIES = ("black", "white", "grey", "red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "brown")

NAMES: dict[str, Rgb] = {
    "black": (25, 25, 25),
    "white": (248, 248, 248),
    "grey": (128, 128, 128),
    "silver": (190, 194, 200),
    "charcoal": (55, 60, 66),
    "red": (215, 40, 40),
    "crimson": (190, 20, 55),
    "scarlet": (235, 40, 25),
    "maroon": (120, 20, 30),
    "burgundy": (115, 15, 45),
    "orange": (245, 140, 35),
    "amber": (250, 185, 20),
    "coral": (250, 125, 85),
    "salmon": (245, 135, 120),
    "peach": (250, 205, 165),
    "apricot": (250, 190, 130),
    "yellow": (245, 210, 50),
    "gold": (225, 175, 45),
    "golden": (225, 175, 45),
    "lemon": (250, 240, 80),
    "mustard": (205, 165, 45),
    "cream": (252, 244, 210),
    "beige": (228, 215, 185),
    "ivory": (250, 248, 235),
    "green": (45, 160, 75),
    "lime": (150, 215, 45),
    "olive": (120, 125, 40),
    "emerald": (30, 165, 105),
    "mint": (155, 230, 190),
    "forest green": (30, 95, 45),
    "teal": (15, 130, 130),
    "turquoise": (50, 205, 195),
    "cyan": (40, 200, 220),
    "aqua": (40, 210, 220),
    "blue": (45, 95, 215),
    "navy": (22, 36, 92),
    "sky blue": (120, 195, 240),
    "royal blue": (55, 90, 220),
    "azure": (40, 130, 235),
    "indigo": (70, 40, 145),
    "purple": (140, 65, 180),
    "violet": (140, 85, 215),
    "lavender": (195, 175, 235),
    "lilac": (200, 160, 215),
    "plum": (140, 60, 125),
    "magenta": (220, 45, 170),
    "pink": (240, 135, 180),
    "hot pink": (245, 70, 155),
    "rose": (235, 90, 130),
    "brown": (130, 82, 48),
    "tan": (205, 170, 125),
    "chocolate": (100, 58, 32),
    "bronze": (165, 115, 55),
    "copper": (190, 110, 65),
    "rust": (165, 75, 35),
    "khaki": (190, 178, 120),
}
# What people agree a colour stands for, so that "the colour for stop" can be read.
MEANINGS: dict[str, str] = {
    "stop": "red",
    "danger": "red",
    "luck": "red",
    "good luck": "red",
    "love": "red",
    "hot": "red",
    "go": "green",
    "safe": "green",
    "safety": "green",
    "walk": "green",
    "nature": "green",
    "caution": "amber",
    "wait": "amber",
    "warning": "yellow",
    "cold": "blue",
    "water": "blue",
    "mourning": "black",
    "peace": "white",
    "surrender": "white",
    "royalty": "purple",
}
SIGNIFIES = (
    r"(?:(?:the )?colour (?:for|of|that means|meaning|that stands for|which means)|"
    r"(?:signal(?:s|ling)?|indicat(?:e|es|ing)|mean(?:s|ing)?|say(?:s|ing)?)(?: for)?)"
)
MODIFIERS: dict[str, tuple[float, float]] = {  # factor on saturation, shift of lightness in HLS (0-1)
    "light": (0.9, 0.2),
    "lighter": (0.9, 0.2),
    "darker": (1.0, -0.2),
    "pale": (0.7, 0.25),
    "pastel": (0.7, 0.22),
    "soft": (0.75, 0.1),
    "dark": (1.0, -0.2),
    "deep": (1.1, -0.15),
    "bright": (1.2, 0.04),
    "vivid": (1.3, 0.0),
    "neon": (1.5, 0.05),
}


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour that an instruction names. `plain`: a bare family word ("blue"), which stands for all its shades."""

    rgb: Rgb
    family: str
    plain: bool = False


@cache
def pattern() -> str:
    """Regular expression (no groups) of everything that `read` understands."""
    names = "|".join(sorted(NAMES, key=len, reverse=True))
    modifiers = "|".join(MODIFIERS)
    meanings = "|".join(sorted(MEANINGS, key=len, reverse=True))
    meaning = rf"{SIGNIFIES} [\"']?(?:{meanings})\b[\"']?"
    return rf"(?:#[0-9a-f]{{6}}\b|{meaning}|\b(?:(?:{modifiers}) )*(?:{names})\b)"


def read(text: str) -> Colour | None:
    """The first colour named in `text` (lower case), or None."""
    found = re.search(pattern(), text)
    if found is None:
        return None
    words = found[0]
    if words.startswith("#"):
        return _coloured((int(words[1:3], 16), int(words[3:5], 16), int(words[5:7], 16)))
    for meaning in sorted(MEANINGS, key=len, reverse=True):
        if re.match(SIGNIFIES, words) and re.search(rf"\b{meaning}\b", words):
            return read(MEANINGS[meaning])
    name = next(n for n in sorted(NAMES, key=len, reverse=True) if words.endswith(n))
    modifiers = words[: -len(name)].split()
    rgb = NAMES[name]
    for modifier in modifiers:
        rgb = _modified(rgb, *MODIFIERS[modifier])
    if not modifiers and name in FAMILIES:
        return Colour(rgb, name, plain=True)
    return _coloured(rgb)


def _coloured(rgb: Rgb) -> Colour:
    return Colour(rgb, family(lab_of(rgb)))


def _modified(rgb: Rgb, saturation: float, lightness: float) -> Rgb:
    h, light, s = colorsys.rgb_to_hls(*(c / 255 for c in rgb))
    red, green, blue = colorsys.hls_to_rgb(h, min(0.95, max(0.06, light + lightness)), min(1.0, s * saturation))
    return round(red * 255), round(green * 255), round(blue * 255)


def family(lab: Plane) -> str:
    """The family of one Lab colour."""
    return FAMILIES[int(family_map(lab.reshape(1, 1, 3))[0, 0])]


def family_map(lab: Plane) -> NDArray[np.uint8]:
    """Index into FAMILIES per pixel of a Lab image, by lightness, chroma and hue angle (degrees in the a-b plane)."""
    import cv2

    light = lab[..., 0]
    chroma, hue = cv2.cartToPolar(
        np.ascontiguousarray(lab[..., 1]), np.ascontiguousarray(lab[..., 2]), angleInDegrees=True
    )
    bounds = (15.0, 47.5, 78.0, 112.0, 175.0, 220.0, 309.0, 336.0, 361.0)
    names = ("pink", "red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
    by_sector = np.array([FAMILIES.index(n) for n in names], dtype=np.uint8)
    out: NDArray[np.uint8] = by_sector[np.searchsorted(np.array(bounds, np.float32), hue.ravel()).reshape(hue.shape)]
    is_red, is_pink = out == FAMILIES.index("red"), out == FAMILIES.index("pink")
    out[is_red & (light > 68) & (chroma < 60)] = FAMILIES.index("pink")
    out[is_pink & (hue < 30) & (chroma > 45) & (light < 55)] = FAMILIES.index("red")
    warm = (hue > 43) & (hue < 112)
    out[warm & (light < 56) & (chroma < 58) & ((hue < 95) | (light < 40))] = FAMILIES.index("brown")
    weak = (chroma < 9) | ((chroma < 14) & ((light < 22) | (light > 88)))
    out[weak] = FAMILIES.index("grey")
    out[weak & (light > 84)] = FAMILIES.index("white")
    out[(weak & (light < 27)) | ((light < 12) & (chroma < 25))] = FAMILIES.index("black")
    return out


def likeness(lab: Plane, colour: Colour) -> float:
    """0-1: how well a region of mean `lab` answers to the word. A plain word accepts every shade of its family."""
    wanted = lab_of(colour.rgb)
    difference = lab - wanted
    distance = float(np.sqrt(0.35 * difference[0] ** 2 + difference[1] ** 2 + difference[2] ** 2))
    by_distance = float(np.exp(-((distance / 45.0) ** 2)))
    is_family = family(lab) == colour.family
    if not colour.plain:
        return 0.3 + 0.7 * by_distance if is_family else 0.7 * by_distance
    chroma, own = float(np.hypot(wanted[1], wanted[2])), float(np.hypot(lab[1], lab[2]))
    if is_family:
        return (0.8 if chroma < 20 else 0.35 + 0.45 * min(1.0, own / 40)) + 0.2 * by_distance
    if min(chroma, own) < 20:
        return 0.7 * by_distance
    turn = abs(float(np.arctan2(lab[2], lab[1]) - np.arctan2(wanted[2], wanted[1])))
    turn = np.degrees(min(turn, 2 * np.pi - turn))
    return max(0.7 * by_distance, 0.6 * float(np.exp(-((turn / 24.0) ** 2))))
