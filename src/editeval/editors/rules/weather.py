"""Light and weather over a whole picture. Flakes and drops are drawn from the request's seed."""

from __future__ import annotations

import numpy as np

from editeval.editors.rules import tone
from editeval.editors.rules.planes import Mask, Pixels, Plane, clipped, from_lab, rounded, to_lab


def night(pixels: Pixels) -> Plane:
    """Dark and blue; what was brightest stays a little brighter than the rest."""
    values = tone.saturated(pixels, -0.45) / 255
    dark = np.power(values, 1.45) * np.array([0.30, 0.36, 0.58], dtype=np.float32)
    return clipped(dark * 255)


def day(pixels: Pixels) -> Plane:
    """Lifted shadows and a little warmth."""
    values = np.power(pixels.astype(np.float32) / 255, 0.62)
    return tone.tempered(rounded(values * 255), 0.04)


def sunset(pixels: Pixels) -> Plane:
    """An orange glow that grows towards the top and the horizon of the picture."""
    height = pixels.shape[0]
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    glow = np.array([255, 120, 50], dtype=np.float32) * (1 - down) + np.array([200, 80, 90], dtype=np.float32) * down
    base = tone.tempered(pixels, 0.14) * np.float32(0.86)
    return clipped(base * 0.68 + glow * 0.32 * (0.35 + 0.65 * tone.grey(pixels) / 255))


def autumn(pixels: Pixels) -> Plane:
    """Greens turn to orange and brown; other colours stay."""
    lab = to_lab(pixels)
    a, b = lab[..., 1], lab[..., 2]
    hue = np.degrees(np.arctan2(b, a)) % 360
    chroma = np.hypot(a, b)
    greenness = np.clip(1 - np.abs(hue - 128) / 45, 0, 1) * np.clip((chroma - 6) / 10, 0, 1)
    share = np.clip(greenness * 1.8, 0, 1)
    turn = np.radians(hue * (1 - share) + 63 * share)
    lab[..., 1], lab[..., 2] = np.cos(turn) * chroma * (1 + 0.15 * share), np.sin(turn) * chroma * (1 + 0.15 * share)
    return from_lab(lab)


def fog(pixels: Pixels) -> Plane:
    """A pale veil, thicker towards the top (what is far away in most pictures)."""
    down = np.linspace(0, 1, pixels.shape[0], dtype=np.float32)[:, None, None]
    veil = 0.78 - 0.38 * down
    soft = tone.blurred(pixels, None, 0.25)
    return soft * (1 - veil) + np.array([214, 218, 222], dtype=np.float32) * veil


def snow(pixels: Pixels, ground: Mask, seed: int) -> Plane:
    """Cold light, a white cover on `ground` and on upper edges, and falling flakes."""
    import cv2

    values = tone.saturated(rounded(tone.tempered(pixels, -0.06)), -0.3)
    cover = cv2.GaussianBlur(ground.astype(np.float32), (0, 0), 2.0)[..., None] * 0.8
    shading = tone.grey(pixels)
    level = float(shading[ground].mean()) if ground.any() else 128.0
    white = np.clip(236 + (shading - level) * 0.55, 120, 252) * np.array([0.985, 0.995, 1.0], dtype=np.float32)
    values = values * (1 - cover) + white * cover
    flakes = _flakes(pixels.shape[:2], seed)[..., None]
    return clipped(values * (1 - flakes) + 252 * flakes)


def _flakes(size: tuple[int, int], seed: int) -> Plane:
    import cv2

    rng = np.random.default_rng(seed)
    height, width = size
    unit = max(size) / 512
    layer = np.zeros(size, dtype=np.uint8)
    for _ in range(420):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        radius = max(1, round(float(rng.uniform(0.8, 3.0)) * unit))
        cv2.circle(layer, (x, y), radius, int(rng.integers(170, 256)), cv2.FILLED, cv2.LINE_AA)
    out: Plane = cv2.GaussianBlur(layer, (0, 0), 0.7 * unit).astype(np.float32) / 255
    return out


def rain(pixels: Pixels, seed: int) -> Plane:
    """A dull, dark sky light with slanted streaks."""
    import cv2

    rng = np.random.default_rng(seed)
    height, width = pixels.shape[:2]
    unit = max(height, width) / 512
    layer = np.zeros((height, width), dtype=np.uint8)
    for _ in range(520):
        x, y = int(rng.integers(-20, width)), int(rng.integers(-20, height))
        length = float(rng.uniform(10, 26)) * unit
        end = (round(x + 0.22 * length), round(y + length))
        cv2.line(layer, (x, y), end, int(rng.integers(90, 200)), max(1, round(unit)), cv2.LINE_AA)
    streaks = cv2.GaussianBlur(layer, (0, 0), 0.6 * unit).astype(np.float32)[..., None] / 255 * 0.6
    dull = tone.saturated(rounded(pixels.astype(np.float32) * np.array([0.66, 0.71, 0.77], np.float32)), -0.4)
    return clipped(dull * (1 - streaks) + 225 * streaks)
