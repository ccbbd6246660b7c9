"""Soft outlines: how much of an edge pixel is object, cutting objects out, pasting them elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from editeval.editors.rules.planes import Mask, Pixels, Plane, grown, local_mean, rounded
from editeval.editors.rules.selection import Selected


@dataclass(frozen=True, slots=True)
class Brush:
    """How edges and holes are treated."""

    feather_px: float
    inpaint_radius_px: int


@dataclass(frozen=True, slots=True)
class Cutout:
    """An object lifted off its background: full-size colours and coverage 0-1."""

    colours: Plane
    alpha: Plane


def coverage(pixels: Pixels, selected: Selected, feather_px: float) -> Plane:
    """0-1 per pixel: exactly the mask for regions; for objects the share of each edge pixel that is object.

    An edge pixel is taken as a mixture of the colours just inside and just outside (closed form, per pixel); where
    those two hardly differ, the outline is softened by `feather_px` instead.
    """
    if not selected.is_object or selected.mask.all():
        return selected.mask.astype(np.float32)
    alpha: Plane = np.zeros(selected.mask.shape, dtype=np.float32)
    cut = window(selected.mask, 8)
    alpha[cut] = _edge_coverage(pixels[cut].astype(np.float32), selected.mask[cut], feather_px)
    return alpha


def _edge_coverage(pixels: Plane, mask: Mask, feather_px: float) -> Plane:
    import cv2

    inner, outer = grown(mask, -2), ~grown(mask, 2)
    inside, has_inside = local_mean(pixels, inner, 4)
    outside, has_outside = local_mean(pixels, outer, 4)
    span = inside - outside
    length = (span**2).sum(axis=2)
    mixed = np.clip(((pixels - outside) * span).sum(axis=2) / np.maximum(length, 1.0), 0, 1)
    soft = mask.astype(np.float32)
    if feather_px > 0:
        soft = cv2.GaussianBlur(soft, (0, 0), feather_px)
    is_known = (has_inside > 0) & (has_outside > 0) & (length > 900.0)
    alpha = np.where(is_known, mixed, soft)
    alpha[inner], alpha[outer] = 1.0, 0.0
    return alpha.astype(np.float32)


def window(mask: Mask, margin: int) -> tuple[slice, slice]:
    """The box of a mask with a margin; the whole picture for an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return np.s_[0 : mask.shape[0]], np.s_[0 : mask.shape[1]]
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + 1 + margin),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + 1 + margin),
    )


def box(mask: Mask) -> tuple[float, float, float, float]:
    """left, top, right, bottom in pixels, exclusive at the far side."""
    rows, columns = window(mask, 0)
    return float(columns.start), float(rows.start), float(columns.stop), float(rows.stop)


def cutout(pixels: Pixels, selected: Selected, feather_px: float) -> Cutout:
    """The object with pure edge colours: the background that shines through its outline is taken out."""
    alpha = coverage(pixels, selected, feather_px)
    values = pixels.astype(np.float32)
    cut = window(selected.mask, 8)
    inner = grown(selected.mask[cut], -2)
    if selected.is_object and inner.any():
        pure, weight = local_mean(values[cut], inner, 5)
        is_edge = (weight > 0) & ~inner
        values[cut] = np.where(is_edge[..., None], pure, values[cut])
    return Cutout(values, alpha)


def warped(layer: Cutout, matrix: list[list[float]]) -> Cutout:
    """The cut-out under an affine map of the plane (2x3, source to destination), colour premultiplied by coverage."""
    import cv2

    height, width = layer.alpha.shape
    affine = np.array(matrix, dtype=np.float64)
    flags = cv2.INTER_LINEAR
    if abs(np.linalg.det(affine[:, :2])) < 0.6:
        flags = cv2.INTER_AREA
    alpha = cv2.warpAffine(layer.alpha, affine, (width, height), flags=flags)
    premultiplied = cv2.warpAffine(layer.colours * layer.alpha[..., None], affine, (width, height), flags=flags)
    return Cutout(premultiplied / np.maximum(alpha, 1e-3)[..., None], alpha)


def pasted(below: Pixels, layer: Cutout) -> Pixels:
    """The cut-out over the picture; where it has no coverage the bytes are untouched."""
    weight = layer.alpha[..., None]
    mixed = rounded(below * (1 - weight) + layer.colours * weight)
    return np.where(weight > 0.004, mixed, below)
