"""Pixel arrays: colour spaces, blending, local means.

Pixels are uint8 RGB HxWx3, planes float32 HxW (or HxWx3 where a name says so), masks bool HxW.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float32]  # also HxWx3 float where the name says so
Mask = NDArray[np.bool_]
Rgb = tuple[int, int, int]


def clipped(values: Any) -> Plane:
    """`values` as float32 within 0-255."""
    return np.asarray(np.clip(values, 0, 255), dtype=np.float32)


def to_lab(pixels: Pixels | Plane) -> Plane:
    """CIE Lab (L 0-100, a and b about -128..127) of RGB 0-255."""
    import cv2

    scaled = clipped(pixels) / np.float32(255)
    lab: Plane = cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB)
    return lab


def from_lab(lab: Plane) -> Plane:
    """RGB 0-255 as float32, clipped to the gamut of sRGB."""
    import cv2

    rgb: Plane = cv2.cvtColor(np.asarray(lab, dtype=np.float32), cv2.COLOR_LAB2RGB)
    return clipped(rgb * np.float32(255))


def lab_of(colour: Rgb) -> Plane:
    """Lab of one colour, shape (3,)."""
    lab: Plane = to_lab(np.array([[colour]], dtype=np.uint8))[0, 0]
    return lab


def rounded(pixels: Any) -> Pixels:
    """Float RGB as uint8, rounded and clipped."""
    return np.asarray(np.clip(np.rint(pixels), 0, 255), dtype=np.uint8)


def blend(below: Pixels, above: Pixels | Plane, alpha: Plane) -> Pixels:
    """`above` over `below`; where alpha is 0 the bytes of `below` are untouched."""
    weight = alpha[..., None]
    mixed = rounded(below * (1 - weight) + above * weight)
    return np.where(weight > 0, mixed, below)


def local_mean(values: Plane, mask: Mask, radius: int) -> tuple[Plane, Plane]:
    """(mean of `values` over the masked pixels within `radius`, weight 0-1); the mean is 0 where the weight is."""
    import cv2

    size = (2 * radius + 1, 2 * radius + 1)
    held = mask.astype(np.float32)
    weight: Plane = cv2.blur(held, size, borderType=cv2.BORDER_REPLICATE)
    total: Plane = cv2.blur(values * held[..., None], size, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(total / np.maximum(weight, 1e-6)[..., None], dtype=np.float32), weight


def grown(mask: Mask, radius: int) -> Mask:
    """`mask` widened by `radius` pixels (narrowed where it is negative)."""
    import cv2

    if radius == 0:
        return mask
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(radius) + 1, 2 * abs(radius) + 1))
    change = cv2.dilate if radius > 0 else cv2.erode
    return np.asarray(change(mask.astype(np.uint8), kernel), dtype=bool)


def scaled_mask(mask: Mask, width: int, height: int) -> Mask:
    """`mask` at another size, with smooth outlines."""
    import cv2

    if mask.shape == (height, width):
        return mask
    soft = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(soft > 0.5, dtype=bool)
