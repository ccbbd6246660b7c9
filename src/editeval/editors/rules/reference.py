"""From a noun phrase to what it refers to: "the second red circle from the left", "the top right quarter"."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from editeval.editors.rules import colours, nouns
from editeval.editors.rules.colours import Colour

ORDINALS = {
    "first": 1,
    "second": 2,
    "third": 3,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "1st": 1,
    "2nd": 2,
    "3rd": 3,
    "4th": 4,
    "5th": 5,
}
SIDES = {"left": "left", "right": "right", "top": "top", "bottom": "bottom", "upper": "top", "lower": "bottom"}
EXTREMES: dict[str, str] = {
    **dict.fromkeys(("leftmost", "far left", "furthest left"), "left"),
    **dict.fromkeys(("rightmost", "far right", "furthest right"), "right"),
    **dict.fromkeys(("topmost", "uppermost", "highest"), "top"),
    **dict.fromkeys(("bottommost", "lowermost", "lowest"), "bottom"),
    **dict.fromkeys(("largest", "biggest", "bigger", "larger", "big", "large", "huge", "main"), "large"),
    **dict.fromkeys(("smallest", "tiniest", "smaller", "small", "tiny", "little"), "small"),
    **dict.fromkeys(("tallest", "taller", "tall"), "tall"),
    **dict.fromkeys(("shortest", "shorter", "short"), "short"),
    **dict.fromkeys(("widest", "wider", "wide"), "wide"),
    **dict.fromkeys(("narrowest", "narrower", "narrow", "thin", "thinnest"), "narrow"),
    **dict.fromkeys(("brightest", "brighter", "lightest", "lighter"), "bright"),
    **dict.fromkeys(("darkest", "darker"), "dark"),
    **dict.fromkeys(("middle", "central", "centre", "middlemost"), "middle"),
}
RELATIONS: tuple[tuple[str, str], ...] = (
    (r"(?:to the |on the )?left(?: side)? of", "left"),
    (r"(?:to the |on the )?right(?: side)? of", "right"),
    (r"directly above|right above|above|over", "above"),
    (r"directly below|right below|below|under|underneath|beneath", "below"),
    (r"next to|beside|closest to|nearest to|nearest|close to|near|by|touching|adjacent to", "near"),
    (r"farthest from|furthest from|far from", "far"),
    (r"on top of|standing on|resting on|sitting on|lying on|on", "on"),
    (r"inside of|inside|within|in", "inside"),
    (r"between", "near"),
)
DETERMINER = r"(?:the|a|an|that|this|its|my|your|his|her|their|all|both|every|each)"
PARTS = {"half": 2, "third": 3, "quarter": 2, "part": 2, "side": 2, "corner": 3, "edge": 6, "area": 2, "strip": 6}
_SIDE = r"(?:top|bottom|upper|lower|left|right|middle|central|centre)(?:most)?(?: hand)?"
REGION = rf"\b({_SIDE})(?: (?:and )?({_SIDE}))?(?: (one ))? ?({'|'.join(PARTS)})s?\b"


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle in fractions of the picture: left, top, right, bottom."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Reference:
    """What a phrase refers to. `order` is a key and a rank from 1: ("left", 2) is the second from the left."""

    phrase: str
    noun: str = ""  # "" and the words of nouns.ANY: any object
    colour: Colour | None = None
    region: Region | None = None  # the part meant, or, with a noun, where the object is
    is_whole: bool = False
    is_background: bool = False
    is_plural: bool = False
    is_pronoun: bool = False
    is_inverse: bool = False  # everything but this
    order: tuple[str, int] | None = None
    relation: tuple[str, Reference] | None = None


def read_all(phrase: str) -> tuple[Reference, ...]:
    """One reference per member of a list: "the circle, the star and the moon" gives three."""
    if re.search(r"\bbetween\b", phrase):
        return (read(phrase),)
    members = re.split(rf"(?:,| and|, and) (?={DETERMINER} )", phrase.strip())
    return tuple(read(m) for m in members if m.strip())


def read(phrase: str) -> Reference:
    """The reference of one phrase; an unknown noun is kept, so that any object may be tried for it."""
    text = re.sub(r"\s+", " ", phrase.strip(" ,'\""))
    text = re.sub(
        r" ?(?:in|of|from|on|within) (?:the |this )?(?:whole |entire )?(?:picture|image|photo|scene)$", "", text
    )
    if re.fullmatch(r"(?:it|them|they|its|that|this|this one|that one)", text):
        return Reference(text, is_pronoun=True, is_plural=text in ("them", "they"))
    spared = re.search(r"\b(?:except(?: for)?|but|other than|apart from|besides|outside(?: of)?|around) (.+)$", text)
    if spared is not None:
        return replace(read(spared[1]), is_inverse=True)
    region, rest = read_region(text)
    head, relation = _split_relation(rest)
    order, head = _read_order(head)
    colour = colours.read(head)
    bare = re.sub(colours.pattern(), " ", head)
    words = [
        w for w in bare.split() if not re.fullmatch(rf"{DETERMINER}|of|in|on|at|whole|entire|with|\d+|coloured", w)
    ]
    noun = nouns.compound(words)
    if not noun and colour is not None:
        noun = _noun_that_is_a_colour(head, colour)
        colour = None if noun else colour
    named = {nouns.singular(w) for w in words}
    is_whole = bool(named & set(nouns.WHOLE)) and relation is None
    nameless = not noun and colour is None and order is None
    plural = re.search(r"\b(?:all|every|each|both)\b|\b\d+\b", head) is not None or _is_plural_noun(words, noun)
    return Reference(
        text,
        noun=noun,
        colour=colour,
        region=region,
        is_whole=(is_whole and region is None) or (nameless and region is None and relation is None),
        is_background=bool(named & set(nouns.BACKGROUND)),
        is_plural=plural,
        order=order,
        relation=relation,
    )


def is_region_only(reference: Reference) -> bool:
    """Whether a part of the picture itself is meant, not an object in it."""
    nothing = reference.noun in ("", *nouns.WHOLE)
    return reference.region is not None and nothing and reference.colour is None and reference.order is None


def _is_plural_noun(words: list[str], noun: str) -> bool:
    return any(nouns.singular(w) == noun and w != noun for w in words)


def _noun_that_is_a_colour(head: str, colour: Colour) -> str:
    """ "the orange" is a fruit, "the red" is a colour."""
    last = head.split()[-1] if head.split() else ""
    return last if last in nouns.HINTS and re.search(rf"\b{DETERMINER} {last}$", head) else ""


def read_region(text: str) -> tuple[Region | None, str]:
    """The part of the picture that `text` names, and the text without it."""
    found = re.search(REGION, text)
    if found is not None:
        region = _region([found[1], found[2] or ""], found[4])
        before, after = text[: found.start()], text[found.end() :]
    else:
        found = re.search(
            r"\b(?:in|at|on|near) the (?:very )?(top|bottom|left|right|centre|middle)(?! of the \w+ \w)$", text
        )
        if found is None:
            return None, text
        region = _region([found[1]], "part")
        before, after = text[: found.start()], text[found.end() :]
    before = re.sub(
        r"(?:\b(?:located |which is |that is )?(?:in|on|at|of|from|the|a|whole|entire) ?)+$", "", before
    ).strip()
    after = re.sub(r"^ ?of (?:the |this )?(?:picture|image|photo|scene|frame|canvas)\b", "", after).strip()
    after = re.sub(r"^of\b", "", after).strip()
    return region, f"{before} {after}".strip()


def _region(sides: list[str], part: str) -> Region:
    share = 1 / PARTS[part]
    left, top, right, bottom = 0.0, 0.0, 1.0, 1.0
    for side in (re.sub(r"most| hand", "", s) for s in sides if s):
        if side == "left":
            right = share
        elif side == "right":
            left = 1 - share
        elif side in ("top", "upper"):
            bottom = share
        elif side in ("bottom", "lower"):
            top = 1 - share
        else:
            return _centred(part)
    return Region(left, top, right, bottom)


def _centred(part: str) -> Region:
    """The middle third, or the middle half for other words."""
    margin = 1 / 3 if part == "third" else 0.25
    return Region(margin, margin, 1 - margin, 1 - margin)


def _split_relation(text: str) -> tuple[str, tuple[str, Reference] | None]:
    """The phrase before a relation, and the relation with its landmark: "x left of the y"."""
    best: tuple[int, str, str, str] | None = None
    for words, name in RELATIONS:
        found = re.search(
            rf"^(.+?) (?:that is |which is |that are |standing |lying )?(?:{words}) ({DETERMINER} .+)$", text
        )
        if found is not None and (best is None or len(found[1]) < best[0]):
            best = (len(found[1]), found[1], name, found[2])
    if best is None:
        return text, None
    landmark = read(best[3])
    if landmark.is_whole or landmark.is_background:
        return best[1], None
    return best[1], (best[2], landmark)


def _read_order(text: str) -> tuple[tuple[str, int] | None, str]:
    """The rank a phrase asks for, and the phrase without it."""
    rank = 1
    ordinal = re.search(rf"\b({'|'.join(ORDINALS)})\b", text)
    if ordinal is not None:
        rank = ORDINALS[ordinal[1]]
        text = text.replace(ordinal[0], " ", 1)
    counted = re.search(r"\b(?:from|counting from|starting from|on|at) (?:the )?(left|right|top|bottom)\b", text)
    if counted is not None and ordinal is not None:
        return (counted[1], rank), text.replace(counted[0], " ", 1)
    words = "|".join(sorted(EXTREMES, key=len, reverse=True))
    extreme = re.search(rf"\b(?:the )?(?:very )?({words})\b", text)
    if extreme is not None:
        return (EXTREMES[extreme[1]], rank), text.replace(extreme[1], " ", 1)
    if ordinal is not None:
        return ("left", rank), text
    side = re.search(rf"\b({'|'.join(SIDES)})\b(?: hand)?|\bon (?:the )?(left|right|top|bottom)\b", text)
    if side is not None:
        return (SIDES[side[1] or side[2]], 1), text.replace(side[0], " ", 1)
    return (("right", 1) if re.search(r"\blast\b", text) else None), text
