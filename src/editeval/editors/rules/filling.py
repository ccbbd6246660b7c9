"""Closing the hole that an object leaves: lines across it where both ends agree, OpenCV's inpainting elsewhere."""

from __future__ import annotations

import numpy as np

from editeval.editors.rules.mattes import Brush, window
from editeval.editors.rules.planes import Mask, Pixels, Plane, grown, local_mean, rounded, to_lab

AGREE = 22.0  # RGB distance of two ends that are taken for the same surface
SMALL = 150  # longest side of a hole that is inpainted at full size


def closed(pixels: Pixels, mask: Mask, brush: Brush) -> Pixels:
    """The picture with `mask` (and the shadow below it) filled from its surroundings; the rest is untouched."""
    import cv2

    hole = grown(mask, 4)
    if hole.all():
        return pixels
    shade = shadow(pixels, mask, brush)
    hole |= grown(shade, 3)
    rows, columns = window(hole, 24)
    part, gap = np.ascontiguousarray(pixels[rows, columns]), hole[rows, columns]
    filling = _filling(part, gap, brush)
    weight = cv2.GaussianBlur(gap.astype(np.float32), (0, 0), 1.2)
    weight[~grown(gap, 2)] = 0
    weight[grown((mask | shade)[rows, columns], 2)] = 1
    out = pixels.copy()
    out[rows, columns] = rounded(part * (1 - weight[..., None]) + filling * weight[..., None])
    return out


def shadow(pixels: Pixels, mask: Mask, brush: Brush) -> Mask:
    """The soft dark patch at the foot of an object: darker than its surroundings would be, but of their hue."""
    import cv2

    none = np.zeros_like(mask)
    rows, columns = window(mask, 0)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if mask.mean() > 0.25:
        return none
    zone = none.copy()
    aside = round(0.35 * width)
    low, high = rows.stop - round(0.3 * height), rows.stop + round(0.35 * height)
    zone[max(0, low) : high, max(0, columns.start - aside) : columns.stop + aside] = True
    hole = zone | grown(mask, 4)
    r, c = window(hole, 24)
    part = np.ascontiguousarray(pixels[r, c])
    plain = to_lab(_filling(part, hole[r, c], brush)) - to_lab(part)
    dark = (plain[..., 0] > 2.5) & (plain[..., 0] < 45) & (np.hypot(plain[..., 1], plain[..., 2]) < 14)
    dark = np.asarray(cv2.medianBlur((dark & (zone & ~grown(mask, 2))[r, c]).astype(np.uint8), 5), dtype=bool)
    number, labels = cv2.connectedComponents(dark.astype(np.uint8))
    near = np.unique(labels[grown(mask[r, c], 5) & dark]) if number > 1 else np.array([], dtype=np.int32)
    out = none.copy()
    out[r, c] = np.isin(labels, near) & dark
    # A patch that fills the zone is the surroundings themselves, not a shadow in them.
    return out if 0.02 * mask.sum() < out.sum() < 0.6 * (zone & ~mask).sum() else none


def _filling(part: Pixels, gap: Mask, brush: Brush) -> Plane:
    """Colours for the gap. Rows and columns across it count by how well their two ends agree."""
    import cv2

    smooth, _ = local_mean(part.astype(np.float32), ~gap, 2)
    rowwise, row_trust = _across(smooth, gap)
    turned, column_trust = _across(np.ascontiguousarray(smooth.transpose(1, 0, 2)), np.ascontiguousarray(gap.T))
    columnwise, column_trust = turned.transpose(1, 0, 2), column_trust.T
    inpainted = _inpainted(part, gap, brush)
    trusts = np.stack([row_trust, column_trust, np.full_like(row_trust, 0.002)])[..., None]
    values = np.stack([rowwise, columnwise, inpainted])
    mixed: Plane = ((values * trusts).sum(axis=0) / trusts.sum(axis=0)).astype(np.float32)
    softened = cv2.GaussianBlur(np.where(gap[..., None], mixed, part.astype(np.float32)), (0, 0), 1.0)
    return np.where(gap[..., None], softened, part.astype(np.float32)).astype(np.float32)


def _across(values: Plane, gap: Mask) -> tuple[Plane, Plane]:
    """(linear interpolation along rows between the ends of each gap, trust): 0 trust where an end is missing."""
    height, width = gap.shape
    columns = np.broadcast_to(np.arange(width), (height, width))
    before = np.maximum.accumulate(np.where(gap, -1, columns), axis=1)
    after = np.minimum.accumulate(np.where(gap, width, columns)[:, ::-1], axis=1)[:, ::-1]
    is_closed = (before >= 0) & (after < width)
    first, last = np.clip(before, 0, width - 1), np.clip(after, 0, width - 1)
    rows = np.arange(height)[:, None]
    start, end = values[rows, first], values[rows, last]
    reach = np.maximum(last - first, 1)
    share = ((columns - first) / reach)[..., None]
    distance = np.sqrt(((start - end) ** 2).sum(axis=2))
    trust = np.exp(-((distance / AGREE) ** 2)) / reach * is_closed
    return (start * (1 - share) + end * share).astype(np.float32), trust.astype(np.float32)


def _inpainted(part: Pixels, gap: Mask, brush: Brush) -> Plane:
    """Telea's method, at a reduced size for large holes, because its cost grows with them."""
    import cv2

    scale = min(1.0, SMALL / max(gap.shape))
    size = (max(4, round(part.shape[1] * scale)), max(4, round(part.shape[0] * scale)))
    known = (~gap).astype(np.float32)
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    # Average over known pixels only, so that no colour of the removed object bleeds into the small copy.
    colour = cv2.resize(part.astype(np.float32) * known[..., None], size, interpolation=cv2.INTER_AREA)
    small = rounded(colour / np.maximum(weight, 1e-3)[..., None])
    filled = cv2.inpaint(small, (weight < 0.5).astype(np.uint8), brush.inpaint_radius_px, cv2.INPAINT_TELEA)
    back: Plane = cv2.resize(filled, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    return back
