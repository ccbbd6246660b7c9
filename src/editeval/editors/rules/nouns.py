"""What object words suggest about pixels: shape, colour, place and size. General knowledge, not a data set's list."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hint:
    """What to expect of an object. Empty means no expectation."""

    shapes: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    place: str = ""  # top | bottom
    size: str = ""  # large | small
    is_stuff: bool = False  # sky, grass: the whole extent, not one countable thing


ROUND = ("circle", "ellipse", "polygon")
HINTS: dict[str, Hint] = {
    "circle": Hint(("circle",)),
    "disc": Hint(("circle",)),
    "disk": Hint(("circle",)),
    "dot": Hint(("circle",), size="small"),
    "ring": Hint(("circle",)),
    "ellipse": Hint(("ellipse", "circle")),
    "oval": Hint(("ellipse", "circle")),
    "square": Hint(("square",)),
    "rectangle": Hint(("rectangle", "square")),
    "triangle": Hint(("triangle",)),
    "diamond": Hint(("diamond",)),
    "rhombus": Hint(("diamond",)),
    "pentagon": Hint(("pentagon", "polygon")),
    "hexagon": Hint(("hexagon", "polygon")),
    "polygon": Hint(("polygon", "pentagon", "hexagon")),
    "star": Hint(("star",)),
    "heart": Hint(("heart",)),
    "cross": Hint(("cross",)),
    "bar": Hint(("rectangle",)),
    "stripe": Hint(("rectangle",)),
    "line": Hint(("rectangle",)),
    "ball": Hint(ROUND),
    "sphere": Hint(ROUND),
    "marble": Hint(ROUND, size="small"),
    "balloon": Hint(ROUND),
    "bubble": Hint(ROUND),
    "coin": Hint(ROUND, ("yellow", "brown", "grey")),
    "wheel": Hint(("circle",), ("black", "grey")),
    "plate": Hint(ROUND, ("white",)),
    "button": Hint(ROUND, size="small"),
    "sun": Hint(ROUND, ("yellow", "orange", "white"), "top"),
    "moon": Hint(ROUND, ("white", "grey", "yellow"), "top"),
    "cloud": Hint((), ("white", "grey"), "top"),
    "sky": Hint((), ("blue", "cyan", "white", "grey"), "top", "large", True),
    "grass": Hint((), ("green",), "bottom", "large", True),
    "lawn": Hint((), ("green",), "bottom", "large", True),
    "ground": Hint((), (), "bottom", "large", True),
    "floor": Hint((), (), "bottom", "large", True),
    "road": Hint((), ("grey", "black"), "bottom", "large", True),
    "table": Hint((), ("brown", "orange"), "bottom", "large", True),
    "sea": Hint((), ("blue", "cyan"), "bottom", "large", True),
    "ocean": Hint((), ("blue", "cyan"), "bottom", "large", True),
    "lake": Hint((), ("blue", "cyan"), "bottom", "large", True),
    "water": Hint((), ("blue", "cyan"), "bottom", "", True),
    "sand": Hint((), ("yellow", "orange", "brown"), "bottom", "large", True),
    "snow": Hint((), ("white",), "bottom", "large", True),
    "wall": Hint((), (), "", "large", True),
    "hill": Hint((), ("green", "brown"), "", "large"),
    "mountain": Hint(("triangle",), ("grey", "brown", "white"), "", "large"),
    "tree": Hint((), ("green",)),
    "bush": Hint((), ("green",), "bottom"),
    "leaf": Hint((), ("green",)),
    "leaves": Hint((), ("green",)),
    "plant": Hint((), ("green",)),
    "flower": Hint((), ("red", "pink", "yellow", "purple")),
    "rose": Hint((), ("red", "pink")),
    "apple": Hint(ROUND, ("red", "green")),
    "orange": Hint(ROUND, ("orange",)),
    "lemon": Hint(ROUND, ("yellow",)),
    "banana": Hint((), ("yellow",)),
    "tomato": Hint(ROUND, ("red",)),
    "cherry": Hint(ROUND, ("red",), "", "small"),
    "strawberry": Hint((), ("red",)),
    "box": Hint(("square", "rectangle")),
    "cube": Hint(("square", "rectangle", "hexagon")),
    "crate": Hint(("square", "rectangle"), ("brown", "orange")),
    "block": Hint(("square", "rectangle")),
    "book": Hint(("rectangle", "square")),
    "door": Hint(("rectangle",), ("brown",)),
    "window": Hint(("rectangle", "square")),
    "screen": Hint(("rectangle",)),
    "sign": Hint(("rectangle", "square", "polygon", "circle")),
    "flag": Hint(("rectangle",)),
    "banner": Hint(("rectangle",)),
    "envelope": Hint(("rectangle",)),
    "card": Hint(("rectangle",)),
    "roof": Hint(("triangle", "rectangle"), ("red", "brown")),
    "tent": Hint(("triangle",)),
    "cone": Hint(("triangle",), ("orange",)),
    "house": Hint(("rectangle", "square", "polygon")),
    "lamp": Hint((), ("yellow", "white", "orange")),
    "light": Hint((), ("yellow", "white", "red", "green")),
    "signal": Hint(ROUND, ("red", "yellow", "orange", "green")),
    "bulb": Hint(ROUND, ("yellow", "white")),
    "lantern": Hint((), ("red", "yellow", "orange")),
    "candle": Hint(("rectangle",), ("white", "yellow", "red")),
    "flame": Hint((), ("orange", "yellow", "red"), "", "small"),
    "fire": Hint((), ("orange", "yellow", "red")),
    "ice": Hint((), ("cyan", "white", "blue")),
    "snowman": Hint((), ("white",)),
    "coffee": Hint(ROUND, ("brown", "black")),
    "cup": Hint((), ("white", "red", "blue")),
    "mug": Hint(),
    "glass": Hint(),
    "bottle": Hint(("rectangle", "ellipse")),
    "spoon": Hint((), ("grey",)),
    "pot": Hint((), ("orange", "brown", "red")),
    "car": Hint(),
    "bus": Hint(("rectangle",)),
    "boat": Hint(),
    "rocket": Hint((), ("white", "grey")),
    "suit": Hint((), ("orange", "black", "blue")),
    "hair": Hint((), ("brown", "black", "yellow")),
    "eye": Hint(ROUND, ("green", "blue", "brown"), "", "small"),
    "skin": Hint((), ("orange", "pink", "brown")),
    "face": Hint((), ("orange", "pink", "brown")),
    "shadow": Hint((), ("black", "grey", "brown")),
}
WHOLE = (
    "picture",
    "image",
    "photo",
    "photograph",
    "scene",
    "everything",
    "frame",
    "canvas",
    "drawing",
    "colour",
    "it all",
)
BACKGROUND = ("background", "backdrop", "surroundings")
ANY = ("one", "ones", "object", "thing", "shape", "figure", "element", "it", "them", "item")
IRREGULAR = {"leaves": "leaf", "cherries": "cherry", "strawberries": "strawberry", "boxes": "box", "buses": "bus"}


def singular(word: str) -> str:
    """The dictionary form: "circles" gives "circle"."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word in HINTS or not word.endswith("s") or word.endswith("ss"):
        return word
    for stem in (word[:-1], word[:-2]):
        if stem in HINTS or stem in ANY:
            return stem
    return word[:-1]


def compound(words: list[str]) -> str:
    """The head noun of a phrase: its last known object word, else its last word, else ""."""
    known = [w for w in words if singular(w) in HINTS or singular(w) in ANY]
    plain = [w for w in words if re.fullmatch(r"[a-z]+", w)]
    head = known[-1:] or plain[-1:]
    return singular(head[0]) if head else ""
