"""Edits of colour and sharpness: every function returns new full-size RGB as float32 0-255, to be blended by a mask."""

from __future__ import annotations

import numpy as np

from editeval.editors.rules.planes import Pixels, Plane, Rgb, clipped, from_lab, lab_of, to_lab

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def recoloured(pixels: Pixels, alpha: Plane, colour: Rgb) -> Plane:
    """The masked mean becomes `colour`; shading, highlights and texture keep their distance in lightness from it."""
    lab = to_lab(pixels)
    weight = alpha * (alpha > 0.95) if (alpha > 0.95).any() else alpha
    mean = (lab * weight[..., None]).sum(axis=(0, 1)) / max(float(weight.sum()), 1e-6)
    wanted = lab_of(colour)
    out = np.empty_like(lab)
    spread = lab[..., 0] - mean[0]
    out[..., 0] = wanted[0] + np.where(spread > 0, _squeezed(spread, 100 - wanted[0]), -_squeezed(-spread, wanted[0]))
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    own = max(float(np.hypot(mean[1], mean[2])), 1.0)
    vivid = np.clip(chroma / own, 0, 1.2) if own > 18 else np.ones_like(chroma)
    for axis in (1, 2):
        out[..., axis] = wanted[axis] * vivid
    return from_lab(out)


def _squeezed(spread: Plane, room: float) -> Plane:
    """Lightness differences, bent so that they fit into `room` without clipping."""
    room = max(room, 1.0)
    return np.where(spread <= 0, 0.0, room * np.tanh(spread / room)).astype(np.float32)


def brightened(pixels: Pixels, share: float) -> Plane:
    """Every channel times 1 + share, clipped."""
    return clipped(pixels.astype(np.float32) * (1.0 + share))


def contrasted(pixels: Pixels, share: float) -> Plane:
    """Distance from middle grey times 1 + share, clipped."""
    return clipped(127.5 + (pixels.astype(np.float32) - 127.5) * (1.0 + share))


def grey(pixels: Pixels) -> Plane:
    """Luma of ITU-R BT.601 in all channels."""
    luma = pixels.astype(np.float32) @ LUMA
    return np.repeat(luma[..., None], 3, axis=2)


def saturated(pixels: Pixels, share: float) -> Plane:
    """Distance from the pixel's own luma times 1 + share, clipped."""
    neutral = grey(pixels)
    return clipped(neutral + (pixels.astype(np.float32) - neutral) * (1.0 + share))


def inverted(pixels: Pixels) -> Plane:
    """255 minus every channel."""
    return 255.0 - pixels.astype(np.float32)


def sepia(pixels: Pixels) -> Plane:
    """Luma through a warm ramp from dark brown to cream."""
    ramp_at = np.array([0, 90, 180, 255], dtype=np.float32)
    ramp = np.array([[18, 10, 4], [112, 82, 56], [208, 176, 136], [255, 242, 214]], dtype=np.float32)
    luma = grey(pixels)[..., 0]
    return np.stack([np.interp(luma, ramp_at, ramp[:, c]) for c in range(3)], axis=2).astype(np.float32)


def tempered(pixels: Pixels, warmth: float) -> Plane:
    """Warmer for positive `warmth`, cooler for negative; about 0.15 is a clear change."""
    gain = np.array([1 + warmth, 1 + 0.12 * warmth, 1 - warmth], dtype=np.float32)
    return clipped(pixels.astype(np.float32) * gain)


def tinted(pixels: Pixels, colour: Rgb, share: float) -> Plane:
    """Mixed with `colour`."""
    return pixels.astype(np.float32) * (1 - share) + np.array(colour, dtype=np.float32) * share


def blurred(pixels: Pixels, alpha: Plane | None, strength: float) -> Plane:
    """Gaussian of about 1 % of the longest side, times `strength`; only among the pixels of `alpha`, if given."""
    import cv2

    sigma = max(1.0, 0.009 * max(pixels.shape[:2]) * strength)
    if alpha is None:
        out: Plane = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), sigma)
        return out
    weight = cv2.GaussianBlur(alpha, (0, 0), sigma)[..., None]
    return np.asarray(
        cv2.GaussianBlur(pixels.astype(np.float32) * alpha[..., None], (0, 0), sigma) / np.maximum(weight, 1e-4),
        dtype=np.float32,
    )


def sharpened(pixels: Pixels, strength: float) -> Plane:
    """Unsharp mask."""
    import cv2

    values = pixels.astype(np.float32)
    soft = cv2.GaussianBlur(values, (0, 0), max(1.0, 0.003 * max(pixels.shape[:2])))
    return clipped(values + 0.9 * strength * (values - soft))


def posterized(pixels: Pixels) -> Plane:
    """Four levels per channel."""
    return clipped(np.rint(pixels.astype(np.float32) / 85) * 85)


def exchanged(pixels: Pixels, one: int, other: int) -> Plane:
    """Two colour channels exchanged."""
    order = [0, 1, 2]
    order[one], order[other] = other, one
    return clipped(pixels[..., order])


def pixelated(pixels: Pixels) -> Plane:
    """Blocks of about a fortieth of the longest side."""
    import cv2

    height, width = pixels.shape[:2]
    block = max(2, max(height, width) // 40)
    small = cv2.resize(pixels, (max(1, width // block), max(1, height // block)), interpolation=cv2.INTER_AREA)
    out: Plane = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST).astype(np.float32)
    return out
