"""Measures and places in an instruction: how much, which way, where to."""

from __future__ import annotations

import re
from dataclasses import dataclass

from editeval.editors.rules import reference
from editeval.editors.rules.reference import Reference

NUMBERS = {
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
    "twenty": "20",
    "thirty": "30",
    "forty": "40",
    "fifty": "50",
    "sixty": "60",
    "seventy": "70",
    "eighty": "80",
    "ninety": "90",
    "hundred": "100",
}
FRACTIONS = {"half": 0.5, "third": 1 / 3, "quarter": 0.25, "fifth": 0.2, "tenth": 0.1}
DEGREES = {"slightly": 0.5, "a bit": 0.5, "a little": 0.5, "somewhat": 0.7, "much": 1.6, "a lot": 1.6, "far": 1.6}
DEGREES |= {"very": 1.5, "strongly": 1.5, "significantly": 1.5, "considerably": 1.5, "way": 1.6, "dramatically": 1.8}
DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "upward": (0, -1), "upwards": (0, -1)}
DIRECTIONS |= {"down": (0, 1), "downward": (0, 1), "downwards": (0, 1), "higher": (0, -1), "lower": (0, 1)}
DIRECTIONS |= {"leftwards": (-1, 0), "rightwards": (1, 0), "leftward": (-1, 0), "rightward": (1, 0)}


@dataclass(frozen=True, slots=True)
class Place:
    """Where something goes: a direction (with a distance), a spot in the picture, or a relation to an object."""

    direction: tuple[int, int] | None = None
    distance: float | None = None  # pixels, or a share of the picture where below 2
    spot: tuple[float, float] | None = None  # share of width and height; None: keep that coordinate
    keeps: str = ""  # "x" or "y": the coordinate that stays as it is
    relation: tuple[str, Reference] | None = None


def normalised(instruction: str) -> str:
    """Lower case, one spelling, numerals for number words, no politeness."""
    text = instruction.strip().lower().replace("’", "'").replace("“", '"').replace("”", '"')
    for pattern, word in (
        (r"color", "colour"),
        (r"\bgray", "grey"),
        (r"\btraffic lights?\b", "signal"),  # "light" would be read as a shade of the colour that follows
        (r"\bcenter", "centre"),
        (r"\bgreyscaled?\b|\bgrey scale\b|\bblack[ -]and[ -]white\b|\bb ?& ?w\b|\bmonochromatic\b", "monochrome"),
        (r"(\d) ?%", r"\1 percent"),
        (r"(\d) ?°", r"\1 degrees"),
        (r"(\d) ?px\b", r"\1 pixels"),
        (r"(?<=[a-z0-9])-(?=[a-z])", " "),
        (r"\b(?:please|kindly|just|simply|now)\b,? ?", ""),
        (r"(?:^|(?<=[.!?] ))(?:(?:could|can|would|will) you|i (?:want|would like|need) you to|let'?s|you should) ", ""),
    ):
        text = re.sub(pattern, word, text)
    text = re.sub(rf"\b({'|'.join(NUMBERS)})\b", lambda m: NUMBERS[m[1]], text)
    return re.sub(r"\s+", " ", text).strip()


def share(text: str) -> float | None:
    """The fraction that `text` names ("20 percent", "by half", "a quarter"), or None."""
    found = re.search(r"(\d+(?:\.\d+)?) ?percent", text)
    if found is not None:
        return float(found[1]) / 100
    found = re.search(rf"\b(?:by|to|about) (?:an? |its )?(?:1 )?({'|'.join(FRACTIONS)})\b", text)
    return FRACTIONS[found[1]] if found is not None else None


def strength(text: str) -> float:
    """Factor that an adverb asks for: 1 where there is none."""
    for words, factor in DEGREES.items():
        if re.search(rf"\b{words}\b", text):
            return factor
    return 1.0


def factor(text: str, *, grows: bool) -> float:
    """Scale factor of a resize: "to half its size", "twice as large", "by 20 percent"; 1.5 or 0.6 without a measure."""
    found = re.search(
        r"\b(?:(\d+(?:\.\d+)?) times|twice|double|doubling|triple|thrice)\b|\bfactor of (\d+(?:\.\d+)?)", text
    )
    if found is not None:
        words = {"tw": 2.0, "do": 2.0, "tr": 3.0, "th": 3.0}
        number = found[1] or found[2]
        value = float(number) if number else words[found[0][:2]]
        is_inverse = not grows and value > 1 and re.search(r"\b(?:smaller|shrink|reduce|shorter|narrower)\b", text)
        return 1 / value if is_inverse else value
    if re.search(r"\b(?:half|halve)\b", text) and not re.search(r"\bby (?:a )?half\b", text):
        return 0.5
    if re.search(r"\ba (?:third|quarter) (?:as|of|the)\b", text):
        return 0.25 if "quarter" in text else 1 / 3
    part = share(text)
    if part is None:
        bend = strength(text)
        return 1 + 0.5 * bend if grows else max(0.25, 1 - 0.4 * bend)
    if re.search(
        r"\bto (?:about )?(?:\d|a |1 |half)|percent (?:of )?(?:its|their|the) (?:original |current )?size|percent as",
        text,
    ):
        return part
    return 1 + part if grows else max(0.05, 1 - part)


def angle(text: str) -> float:
    """Degrees clockwise."""
    found = re.search(r"(\d+(?:\.\d+)?) ?(?:degrees|deg)", text)
    if found is not None:
        size = float(found[1])
    elif re.search(r"upside down|half turn|half a turn|half way|around", text):
        size = 180.0
    elif re.search(r"\btilt|\blean|\bslant", text):
        size = 20.0
    else:
        size = 90.0
    backwards = re.search(r"counter ?clockwise|anti ?clockwise|\bto the left|\bleftwards?\b|\bleft\b", text)
    return -size if backwards else size


def distance(text: str) -> float | None:
    """Pixels, or a share of the picture below 2."""
    found = re.search(r"(\d+(?:\.\d+)?) ?pixels?", text)
    return max(2.0, float(found[1])) if found is not None else share(text)


def place(text: str, clause: str = "") -> Place | None:
    """The place that `text` names, or None: "to the left", "the top left corner", "above the blue square".

    A distance may stand anywhere in `clause`: "move it 40 pixels to the left".
    """
    words = re.sub(r"^(?:to|into|towards?|in|at|over to) (?=the |a )", "", text.strip(" ,"))
    words = re.sub(r"^onto ", "on ", words)
    spot = _spot(words)
    if spot is not None:
        return spot
    related = _related(words)
    if related is not None:
        return related
    way = re.search(rf"\b({'|'.join(DIRECTIONS)})\b", words)
    if way is not None:
        reach = distance(f"{clause} {text}")
        return Place(direction=DIRECTIONS[way[1]], distance=reach if reach is not None else 0.2 * strength(clause))
    if re.match(r"(?:the|a|an) \w", words):
        target = reference.read(words)
        return None if target.is_whole else Place(relation=("at", target))
    return None


def _related(words: str) -> Place | None:
    found = re.search(
        r"\b(left(?: side)? of|right(?: side)? of|above|below|under|underneath|beneath|over|beside|by|next to|near|"
        r"close to|closer to|on top of|inside|between|in front of|on|at) (?:where )?(the|a|an|its|that) (.+)$",
        words,
    )
    if found is None or _is_side(found[3]):
        return None
    target = reference.read(f"{found[2]} {found[3]}")
    if target.is_whole or target.is_background:
        return None
    return Place(relation=(_relation_name(found[1].replace(" side", "")), target))


def _is_side(text: str) -> bool:
    return re.match(rf"(?:{'|'.join(DIRECTIONS)}|top|bottom)\b(?! of the)", text) is not None


def _relation_name(words: str) -> str:
    names = {"left of": "left", "right of": "right", "above": "above", "over": "above", "below": "below", "on": "on"}
    names |= {"under": "below", "underneath": "below", "beneath": "below", "on top of": "on", "onto": "on"}
    names |= {
        "beside": "right",
        "next to": "right",
        "by": "right",
        "near": "right",
        "closer to": "right",
        "close to": "right",
    }
    return names.get(words, "at")


def _spot(text: str) -> Place | None:
    """A spot of the picture itself: corners, the centre, its edges and halves."""
    if re.search(
        r"\b(?:left|right|top|bottom|centre|middle|side|corner)(?: hand)?(?: side| corner| edge)? of (?:the|a) "
        r"(?!(?:picture|image|photo|scene|frame|canvas)\b)\w+",
        text,
    ):
        return None
    sides = set(re.findall(r"\b(left|right|top|bottom|upper|lower|centre|middle|ground|floor|sky)\b", text))
    across = 0.15 if "left" in sides else 0.85 if "right" in sides else None
    down = 0.17 if sides & {"top", "upper", "sky"} else 0.83 if sides & {"bottom", "lower", "ground", "floor"} else None
    if across is not None and down is not None:
        return Place(spot=(across, down))
    if sides & {"centre", "middle"}:
        return Place(spot=(0.5 if across is None else across, 0.5 if down is None else down))
    if down is not None:
        return Place(spot=(0.5, down), keeps="x")
    is_edge = re.search(r"\b(?:side|edge|half|third|part|of the (?:picture|image|photo|scene)|far)\b", text)
    if across is not None and is_edge and distance(text) is None:
        return Place(spot=(across, 0.5), keeps="y")
    return None
