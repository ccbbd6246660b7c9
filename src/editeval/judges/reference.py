"""Judge `reference`: pixel scores for samples whose exact target and change mask are known; no model, no device.

completeness  inside the mask: which share of the way from source to target the edit went (L1 distance per pixel,
              summed). The source gives 0, the target 10; wrong colours, places and leftovers earn nothing.
preservation  outside the mask: 10 * room / (room + spoilt), where `spoilt` is the area in pixels that visibly differs
              from the source, and `room` the size of a small object: an unasked change of that size costs half.
overall       sqrt(completeness * preservation), the headline.

Licence: that of editeval. Cost: about 50 ms for 512 x 512 pixels on one core.
All images are smoothed first (about a Gaussian of sigma 2) and small differences are forgiven, so that re-encoding
costs next to nothing. All sums are sums of integers: scores are equal to the last bit on every machine.
Not covered: whether an edit that differs from the target would satisfy the instruction as well.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from editeval.errors import ConfigError, ImageError
from editeval.images import decode
from editeval.types import Judge, JudgeRequest, Score

METRICS = ("overall", "completeness", "preservation")
STEP = 2
"""Pixels to each side that one pass of averaging takes in; two passes are close to a Gaussian of sigma 2."""
REACH = 2 * STEP
"""Pixels to each side that both passes take in; what is outside starts this far beyond the mask."""
WINDOW = (2 * STEP + 1) ** 4
"""Sum of the weights of both passes: the factor by which averaged values are larger than levels."""

Sums = npt.NDArray[np.int32]


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

    def __init__(self, params: ReferenceParams) -> None:
        super().__init__(params)
        if not 0 <= params.unseen_difference < params.full_difference:
            raise ConfigError(
                "reference.full_difference: must be greater than unseen_difference (and that at least 0), "
                f"got {params.full_difference} and {params.unseen_difference}"
            )
        if params.forgiven_distance < 0 or not 0.0 < params.object_share <= 1.0 or params.max_aspect_error < 0:
            raise ConfigError(f"reference: distances and shares must be positive, got {params}")

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
        if request.reference is None or request.mask is None:
            raise _Unscored("no_reference", "the sample has no reference image or no mask")
        source = _pixels(request.source, "source")
        reference = _pixels(request.reference, "reference")
        mask = _pixels(request.mask, "mask", "L") >= 128
        if reference.shape != source.shape or mask.shape != source.shape[:2]:
            sizes = f"source {source.shape}, reference {reference.shape}, mask {mask.shape}"
            raise _Unscored("size_mismatch", f"source, reference and mask must have one size, got {sizes}")
        edited, resized = self._fitted(request.edited, source.shape[1], source.shape[0])
        source, reference, edited = _averaged(source), _averaged(reference), _averaged(edited)
        gained, whole = self._way(source, reference, edited, mask)
        if whole == 0:
            raise _Unscored("no_change", "source and reference are equal inside the mask: nothing can be measured")
        spoilt, room = self._spoilt(source, edited, mask)
        completeness, preservation = 10.0 * (gained / whole), 10.0 * (room / (room + spoilt))
        overall = math.sqrt(completeness * preservation)
        raw: dict[str, object] = {"gained": gained, "whole": whole, "spoilt": spoilt, "room": room, "unit": "1/1000 px"}
        if resized:
            raw["resized_from"] = resized
        return {"overall": overall, "completeness": completeness, "preservation": preservation}, raw

    def _fitted(self, data: bytes, width: int, height: int) -> tuple[Sums, list[int]]:
        """The edited image at the source's size, and the size it had if that was another one."""
        try:
            image = decode(data)
        except ImageError as error:
            raise _Unscored("bad_image", f"edited: {error}") from error
        if image.size == (width, height):
            return np.asarray(image, dtype=np.int32), []
        error_share = abs(image.width * height - image.height * width) / (image.height * width)
        if error_share > self.params.max_aspect_error:
            raise _Unscored("size_mismatch", f"edited is {image.width}x{image.height}, source is {width}x{height}")
        resized = image.resize((width, height), Image.Resampling.BICUBIC)
        return np.asarray(resized, dtype=np.int32), [image.width, image.height]

    def _way(self, source: Sums, reference: Sums, edited: Sums, mask: npt.NDArray[np.bool_]) -> tuple[int, int]:
        """(way gone, whole way) from source to reference, summed over the mask."""
        whole = np.abs(reference[mask] - source[mask]).sum(axis=1)
        left = np.abs(reference[mask] - edited[mask]).sum(axis=1)
        goal = whole - np.minimum(self.params.forgiven_distance * WINDOW, whole // 2)
        gained = np.minimum(np.maximum(whole - left, 0), goal)
        return int(gained.sum(dtype=np.int64)), int(goal.sum(dtype=np.int64))

    def _spoilt(self, source: Sums, edited: Sums, mask: npt.NDArray[np.bool_]) -> tuple[int, int]:
        """(visibly changed area outside the mask, size of a small object), both in thousandths of a pixel."""
        outside = ~_grown(mask)
        worst = np.abs(edited - source).max(axis=2)[outside]
        low, high = self.params.unseen_difference * WINDOW, self.params.full_difference * WINDOW
        severity = np.minimum(np.maximum(worst - low, 0), high - low)
        spoilt = int(severity.sum(dtype=np.int64)) * 1000 // (high - low)
        small = max(1, int(mask.size * self.params.object_share))
        return spoilt, 1000 * min(small, max(1, int(mask.sum())))


def _pixels(data: bytes, name: str, mode: str = "RGB") -> Sums:
    try:
        return np.asarray(decode(data, mode), dtype=np.int32)
    except ImageError as error:
        raise _Unscored("bad_image", f"{name}: {error}") from error


def _averaged(pixels: Sums) -> Sums:
    """WINDOW times the smoothed picture: two box passes of 2 * STEP + 1 pixels each way; the border is repeated."""
    total = np.pad(pixels, ((REACH, REACH), (REACH, REACH), (0, 0)), mode="edge")
    for _ in range(2):
        height, width = total.shape[0] - 2 * STEP, total.shape[1] - 2 * STEP
        rows = total[:height].copy()
        for i in range(1, 2 * STEP + 1):
            rows += total[i : i + height]
        total = rows[:, :width].copy()
        for i in range(1, 2 * STEP + 1):
            total += rows[:, i : i + width]
    return total


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
