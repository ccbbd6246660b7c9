"""From a reference to pixels: which part of the picture a phrase means."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from editeval.editors.rules import colours, shapes
from editeval.editors.rules.grammar import InstructionError
from editeval.editors.rules.nouns import HINTS, Hint
from editeval.editors.rules.planes import Mask, scaled_mask
from editeval.editors.rules.reference import Reference, Region, is_region_only
from editeval.editors.rules.segments import Scene, Segment, filled, subject

SIMILAR = 0.55  # candidates this close to the best match answer to the same phrase
SIMILAR_IN_PHOTO = 0.75  # where texture gives many candidates
SHAPE_WORDS = frozenset(w for w, h in HINTS.items() if h.shapes[:1] == (w,)) | {"oval", "disc", "disk", "rhombus"}


@dataclass(frozen=True, slots=True)
class Selected:
    """A part of the picture at full size. `is_object`: it has an outline to soften; otherwise its edge is exact."""

    mask: Mask
    is_object: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A segment, its mask without holes, and how well it answers to a reference."""

    segment: Segment
    solid: Mask
    score: float


def resolve(reference: Reference, scene: Scene) -> list[Selected]:
    """One or more parts; more only for plurals. Raises InstructionError if nothing in the picture can be meant."""
    width, height = scene.size
    if reference.is_inverse:
        inner = resolve(replace(reference, is_inverse=False), scene)
        mask = ~np.logical_or.reduce([s.mask for s in inner])
        return [Selected(mask, any(s.is_object for s in inner))]
    if reference.is_background:
        return [Selected(scaled_mask(~subject(scene), width, height), True)]
    if is_region_only(reference) and reference.region is not None:
        return [Selected(region_mask(reference.region, width, height), False)]
    if reference.is_whole:
        return [Selected(np.ones((height, width), dtype=bool), False)]
    found = candidates(reference, scene)
    if not found:
        raise InstructionError(f"classical: found nothing in the picture that {reference.phrase!r} could mean")
    return [Selected(scaled_mask(c.solid, width, height), True) for c in found]


def region_mask(region: Region, width: int, height: int) -> Mask:
    """The rectangle with its bounds rounded to whole pixels, so that two halves never overlap."""
    out = np.zeros((height, width), dtype=bool)
    left, right = (math.floor(v * width + 1e-6) for v in (region.left, region.right))
    top, bottom = (math.floor(v * height + 1e-6) for v in (region.top, region.bottom))
    out[top:bottom, left:right] = True
    return out


def candidates(reference: Reference, scene: Scene) -> list[Candidate]:
    """The segments meant: one, or all that fit if the phrase is plural."""
    scored = [Candidate(s, filled(s), _match(s, reference, scene)) for s in scene.segments]
    scored = _distinct(sorted(scored, key=lambda c: -c.score))
    if not scored:
        return []
    if reference.relation is not None:
        scored = _related(scored, reference, scene)
    fitting = [c for c in scored if c.score >= (SIMILAR_IN_PHOTO if scene.is_photo else SIMILAR) * scored[0].score]
    if reference.order is not None:
        key, rank = reference.order
        fitting = _ranked([c for c in fitting if not c.segment.is_background] or fitting, key)
        return [fitting[min(rank, len(fitting)) - 1]]
    hint = HINTS.get(reference.noun, Hint())
    return fitting if reference.is_plural and not hint.is_stuff else fitting[:1]


def _distinct(scored: list[Candidate]) -> list[Candidate]:
    """Without candidates that are mostly inside a better one (a highlight in a ball, a ball in a group)."""
    kept: list[Candidate] = []
    for candidate in scored:
        if candidate.score < 0.004:
            break
        if len(kept) >= 24:
            break
        if all(_overlap(candidate, other) < 0.6 for other in kept):
            kept.append(candidate)
    return kept


def _overlap(one: Candidate, other: Candidate) -> float:
    (ax, ay, aw, ah), (bx, by, bw, bh) = one.segment.box, other.segment.box
    if ax >= bx + bw or bx >= ax + aw or ay >= by + bh or by >= ay + ah:
        return 0.0
    cut = np.s_[max(ay, by) : min(ay + ah, by + bh), max(ax, bx) : min(ax + aw, bx + bw)]
    common = int((one.solid[cut] & other.solid[cut]).sum())
    return common / max(1, min(one.segment.area, other.segment.area))


def _match(segment: Segment, reference: Reference, scene: Scene) -> float:
    """0-1: colour, shape, place and size expectations times how much the segment stands out."""
    hint = HINTS.get(reference.noun, Hint())
    height, width = segment.mask.shape
    share = segment.area / segment.mask.size
    score = _prominence(segment, hint, share, is_named=reference.colour is not None)
    if reference.colour is not None:
        score *= max(0.02, colours.likeness(segment.lab, reference.colour)) ** 1.5
    elif hint.colours:
        score *= 1.0 if colours.family(segment.lab) in hint.colours else 0.3
    if hint.shapes:
        fit = max(shapes.fit(s, segment.shape) * 0.92**i for i, s in enumerate(hint.shapes))
        score *= fit if reference.noun in SHAPE_WORDS else 0.3 + 0.7 * fit
    x, y = segment.centre
    if hint.place:
        depth = y / height if hint.place == "bottom" else 1 - y / height
        score *= 0.35 + 0.65 * depth
    if reference.region is not None:
        score *= 1.0 if _is_within(x / width, y / height, reference.region) else 0.05
    return score


def _prominence(segment: Segment, hint: Hint, share: float, *, is_named: bool) -> float:
    if hint.is_stuff or hint.size == "large":
        return min(1.0, 0.1 + math.sqrt(share)) * (0.4 if segment.is_composite else 1.0)
    score = segment.contrast / (segment.contrast + 15.0)
    score *= min(1.0, 0.25 + 0.75 * math.sqrt(share / 0.03)) if hint.size != "small" else 1.0
    if segment.is_background:
        score *= 0.6 if is_named else 0.08
    elif segment.border > 0.01 and not segment.is_composite:
        score *= 0.6
    if segment.is_composite:
        score *= 0.35 if hint.shapes else 1.6 if share < 0.4 else 0.8
    return score


def _is_within(x: float, y: float, region: Region) -> bool:
    return region.left <= x <= region.right and region.top <= y <= region.bottom


def _ranked(found: list[Candidate], key: str) -> list[Candidate]:
    keys: dict[str, Callable[[Segment], float]] = {
        "left": lambda s: s.centre[0],
        "right": lambda s: -s.centre[0],
        "top": lambda s: s.centre[1],
        "bottom": lambda s: -s.centre[1],
        "large": lambda s: -s.area,
        "small": lambda s: s.area,
        "tall": lambda s: -s.box[3],
        "short": lambda s: s.box[3],
        "wide": lambda s: -s.box[2],
        "narrow": lambda s: s.box[2],
        "bright": lambda s: -float(s.lab[0]),
        "dark": lambda s: float(s.lab[0]),
    }
    if key == "middle":
        ordered = sorted(found, key=lambda c: c.segment.centre[0])
        return [ordered[len(ordered) // 2]]
    return sorted(found, key=lambda c: keys[key](c.segment))


def _related(scored: list[Candidate], reference: Reference, scene: Scene) -> list[Candidate]:
    """Best first, by match and by how well each stands in the relation to the landmark."""
    if reference.relation is None:
        return scored
    name, landmark = reference.relation
    others = candidates(replace(landmark, is_plural=False), scene)
    if not others:
        return scored
    mark = others[0]
    placed = [
        replace(c, score=c.score * _placement(c.segment, mark.segment, name))
        for c in scored
        if _overlap(c, mark) < 0.6 or name == "inside"
    ]
    placed = [c for c in placed if c.score > 0]
    return sorted(placed, key=lambda c: -c.score) or scored


def _placement(segment: Segment, mark: Segment, name: str) -> float:
    """0-1; 0 on the wrong side of the landmark."""
    height, width = segment.mask.shape
    (x, y), (mx, my) = segment.centre, mark.centre
    across, down = (x - mx) / width, (y - my) / height
    gap = math.hypot(across, down)
    if name == "near":
        return math.exp(-gap * 6)
    if name == "far":
        return min(1.0, gap)
    if name == "inside":
        left, top, w, h = mark.box
        return 1.0 if left <= x <= left + w and top <= y <= top + h and segment.area < mark.area else 0.0
    along = {"left": -across, "right": across, "above": -down, "on": -down, "below": down}[name]
    aside = abs(down) if name in ("left", "right") else abs(across)
    if along <= 0.01:
        return 0.0
    return math.exp(-aside * 4 - along * 1.5)
