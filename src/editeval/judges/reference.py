"""Judge `reference`: pixel scores for samples whose exact target and change mask are known; no model, no device.

First the edit is laid over the source: a shift, a zoom and a change of brightness that cannot be seen are undone.
completeness  inside the mask: the lower of colour (which share of the way from source to target was gone) and structure
              (are edges and shading those of the target?). The source gives 0, the target 10, half of the change about
              5; flat paint and wrong objects mostly nothing, what is blurred in between.
preservation  outside the mask: 10 * room / (room + spoilt), where `spoilt` is the area in pixels that visibly differs
              from the source, and `room` the size of a small object: an unasked change of that size costs half.
overall       sqrt(completeness * preservation), the headline.

Licence: that of editeval. Cost: 512 x 512 pixels take about 0.1 s on one core, 0.2 s if the edit is displaced.
Small differences are forgiven, so that re-encoding and resampling cost next to nothing. All sums are sums of integers.
Not covered: whether an edit that differs from the target would satisfy the instruction as well; and where the target
is one flat colour inside the mask, painting just that is the target, and is scored so.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from editeval.errors import ConfigError, ImageError
from editeval.images import decode
from editeval.judges import _pixels
from editeval.judges._pixels import COARSE, COARSE_FACTOR, FINE, REACH, Mask, Placement, Whole, placement, tone_curve
from editeval.types import Judge, JudgeRequest, Score

VERSION = 2
"""Raise it whenever a score changes for the same pictures and parameters."""

METRICS = ("overall", "completeness", "preservation")
ENOUGH_STRUCTURE = 0.8
"""Structure counts as all there from here on: resampling and lossy files cost edges the rest."""
LITTLE_STRUCTURE = 0.4
"""With this share of structure missing, colours of neither source nor target cost their full distance."""


@dataclass(frozen=True)
class ReferenceParams:
    """Tolerances, in levels of 0-255 unless said otherwise. The defaults forgive JPEG 95."""

    forgiven_distance: int = 9
    """Distance to the target (sum over R, G, B) that still counts as there; at most half of the way is forgiven."""

    unseen_difference: int = 10
    """Outside the mask, a difference up to this in the worst channel costs nothing."""

    full_difference: int = 24
    """Outside the mask, from this difference on a pixel counts as spoilt in full; between the two in proportion."""

    object_share: float = 0.01
    """Size of a small object as a share of the picture; `room` is this or the mask's area, whichever is smaller."""

    max_aspect_error: float = 0.02
    """An edit of another size is resized to the source's if the aspect ratios differ by no more than this share."""

    forgiven_shift: float = 0.02
    """A displaced edit is moved back by up to this share of a side; 0: never."""

    forgiven_zoom: float = 0.03
    """An enlarged or shrunk edit is zoomed back by up to this share; 0: never."""

    forgiven_tone: int = 15
    """A change of brightness, contrast or gamma of the whole picture is undone up to this; 0: never."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) >= 0:
                raise ConfigError(f"{field.name}: must be at least 0, got {getattr(self, field.name)}")
        if not 0.0 < self.object_share <= 1.0:
            raise ConfigError(f"object_share: must be greater than 0 and at most 1, got {self.object_share}")
        if not self.unseen_difference < self.full_difference:
            given = f"{self.full_difference} and {self.unseen_difference}"
            raise ConfigError(f"full_difference: must be greater than unseen_difference, got {given}")


class _Unscored(Exception):  # noqa: N818 - not an error: it is the result
    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ReferenceJudge(Judge):
    """Scores by the known target; samples without target and mask are unscored with the reason no_reference."""

    Params = ReferenceParams
    metrics = METRICS
    reads_instruction = False
    default_device = "cpu"
    is_batch_invariant = True
    params: ReferenceParams

    @classmethod
    def fingerprint_of(cls, params: ReferenceParams) -> str:
        """Scores of another version of this file are never mixed with these."""
        return f"reference {VERSION}"

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        return [self._scores(request) for request in requests]

    def _scores(self, request: JudgeRequest) -> list[Score]:
        started = time.perf_counter()
        try:
            values, raw = self._measure(request)
            reason = ""
        except _Unscored as unscored:
            values, raw, reason = dict.fromkeys(METRICS), {"message": str(unscored)}, unscored.reason
        seconds = time.perf_counter() - started
        text = json.dumps(raw, sort_keys=True)
        return [Score(request.key, "reference", m, values[m], text, reason, seconds) for m in METRICS]

    def _measure(self, request: JudgeRequest) -> tuple[dict[str, float | None], dict[str, object]]:
        if request.target is None or request.mask is None:
            raise _Unscored("no_reference", "the sample has no reference image or no mask")
        source, reference = _image(request.source, "source"), _image(request.target, "target")
        mask = _image(request.mask, "mask", "L")
        if not source.size == reference.size == mask.size:
            sizes = f"source {source.size}, reference {reference.size}, mask {mask.size}"
            raise _Unscored("size_mismatch", f"source, reference and mask must have one size, got {sizes}")
        edited, resized = self._fitted(request.edited, *source.size)
        pictures, raw = self._registered(source, reference, edited, np.asarray(mask) >= 128)
        completeness, shares = self._completeness(pictures)
        spoilt, room = self._spoilt(pictures)
        preservation = 10.0 * (room / (room + spoilt))
        overall = math.sqrt(completeness * preservation)
        raw |= shares | {"spoilt": spoilt, "room": room, "unit": "1/1000 px"}
        if resized:
            raw["resized_from"] = resized
        return {"overall": overall, "completeness": completeness, "preservation": preservation}, raw

    def _fitted(self, data: bytes, width: int, height: int) -> tuple[Image.Image, list[int]]:
        """The edited image at the source's size, and the size it had if that was another one."""
        try:
            image = decode(data)
        except ImageError as error:
            raise _Unscored("bad_image", f"edited: {error}") from error
        if image.size == (width, height):
            return image, []
        error_share = abs(image.width * height - image.height * width) / (image.height * width)
        if error_share > self.params.max_aspect_error:
            raise _Unscored("size_mismatch", f"edited is {image.width}x{image.height}, source is {width}x{height}")
        return image.resize((width, height), Image.Resampling.BICUBIC), [image.width, image.height]

    def _registered(
        self, source: Image.Image, reference: Image.Image, edited: Image.Image, mask: Mask
    ) -> tuple[_Pictures, dict[str, object]]:
        """The pictures as far as all of them show, the edit in its place and as bright as the source."""
        params = self.params
        raw: dict[str, object] = {}
        place = placement((source, reference, edited), params.forgiven_shift, params.forgiven_zoom)
        inner = place.shared(*source.size)
        if 2 * int(mask[inner].sum()) < int(mask.sum()):  # most of what was asked for would go unseen
            place, inner = Placement(), Placement().shared(*source.size)
        if place != Placement():
            edited = place.moved(edited)
            raw["moved_back"] = dict(zip(place._fields, place, strict=True))
        levels = [np.asarray(image)[inner] for image in (source, reference, edited)]
        curve = tone_curve(levels[0], levels[1], levels[2], mask[inner], params.forgiven_tone)
        if curve is not None:
            raw["tone_undone"] = int(np.abs(curve - np.arange(256)).max())
        one, two, three = (picture.astype(np.int32) for picture in levels)
        return _Pictures(one, two, three if curve is None else curve[levels[2]], mask[inner]), raw

    def _completeness(self, pictures: _Pictures) -> tuple[float, dict[str, object]]:
        """0 to 10, and what it is made of."""
        near = pictures.around_mask()
        parts = near.source, near.reference, near.edited
        one, two, three = (_pixels.averaged(picture, COARSE)[near.mask] for picture in parts)
        gained, astray, whole = _pixels.colour_way(one, two, three, self.params.forgiven_distance * COARSE_FACTOR)
        if whole == 0:
            raise _Unscored("no_change", "nobody sees a difference of source and reference inside the mask")
        one, two, three = (_pixels.slopes(_pixels.averaged(picture, FINE))[near.mask] for picture in parts)
        edges = _pixels.edge_way(one, two, three)
        agreement = _pixels.agreement(near.reference, near.edited, near.mask)
        structure = min(part / all_of_it if all_of_it else 1.0 for part, all_of_it in (edges, agreement))
        structure = min(1.0, max(0.0, structure) / ENOUGH_STRUCTURE)
        damaged = min(1.0, (1.0 - structure) / LITTLE_STRUCTURE)  # another shade is no damage, paint is
        colour = max(0.0, (gained - astray * damaged) / whole)
        found: dict[str, object] = {"gained": gained, "astray": astray, "whole": whole}
        return 10.0 * min(colour, structure), found | {"colour": round(colour, 4), "structure": round(structure, 4)}

    def _spoilt(self, pictures: _Pictures) -> tuple[int, int]:
        """(visibly changed area outside the mask, size of a small object), both in thousandths of a pixel."""
        source, edited = (_pixels.averaged(picture, COARSE) for picture in (pictures.source, pictures.edited))
        worst = np.abs(edited - source).max(axis=2)[~_grown(pictures.mask)]
        low, high = self.params.unseen_difference * COARSE_FACTOR, self.params.full_difference * COARSE_FACTOR
        severity = np.minimum(np.maximum(worst - low, 0), high - low)
        spoilt = int(severity.sum(dtype=np.int64)) * 1000 // (high - low)
        small = max(1, int(pictures.mask.size * self.params.object_share))
        return spoilt, 1000 * min(small, max(1, int(pictures.mask.sum())))


class _Pictures(NamedTuple):
    """Of one size; `edited` is in its place."""

    source: Whole
    reference: Whole
    edited: Whole
    mask: Mask

    def around_mask(self) -> _Pictures:
        """The mask's box and as much around it as averages take in."""
        if not self.mask.any():
            return self
        box = []
        for axis in (1, 0):
            ends = np.flatnonzero(self.mask.any(axis=axis))
            box.append(slice(max(0, int(ends[0]) - REACH - 1), int(ends[-1]) + REACH + 2))
        inner = box[0], box[1]
        return _Pictures(self.source[inner], self.reference[inner], self.edited[inner], self.mask[inner])


def _image(data: bytes, name: str, mode: str = "RGB") -> Image.Image:
    try:
        return decode(data, mode)
    except ImageError as error:
        raise _Unscored("bad_image", f"{name}: {error}") from error


def _grown(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """`mask` and REACH pixels around it."""
    padded = np.pad(mask, REACH)
    height, width = mask.shape
    rows = np.zeros((height, width + 2 * REACH), dtype=bool)
    for i in range(2 * REACH + 1):
        rows |= padded[i : i + height]
    grown = np.zeros_like(mask)
    for i in range(2 * REACH + 1):
        grown |= rows[:, i : i + width]
    return grown
