"""How well an outline fits a shape word."""

from __future__ import annotations

from typing import Any

import numpy as np

from editeval.editors.rules.planes import Mask

# What a word still accepts when nothing better is there, 0-1.
KIN: dict[tuple[str, str], float] = {
    ("circle", "ellipse"): 0.5,
    ("circle", "polygon"): 0.6,
    ("circle", "hexagon"): 0.3,
    ("ellipse", "circle"): 0.5,
    ("ellipse", "polygon"): 0.4,
    ("square", "rectangle"): 0.55,
    ("square", "diamond"): 0.5,
    ("rectangle", "square"): 0.6,
    ("diamond", "square"): 0.4,
    ("hexagon", "polygon"): 0.6,
    ("pentagon", "polygon"): 0.5,
    ("polygon", "circle"): 0.3,
    ("star", "cross"): 0.3,
    ("cross", "star"): 0.3,
    ("heart", "triangle"): 0.2,
}


def shape_of(mask: Mask) -> str:
    """circle, ellipse, triangle, square, rectangle, diamond, pentagon, hexagon, polygon, star, heart, cross or ""."""
    import cv2

    contours, _ = cv2.findContours(
        np.pad(mask.astype(np.uint8), 1), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(-1, -1)
    )
    if not contours:
        return ""
    contour = max(contours, key=cv2.contourArea)
    area = float(cv2.contourArea(contour))
    hull = cv2.convexHull(contour)
    hull_area = float(cv2.contourArea(hull))
    if area < 30 or hull_area <= 0:
        return ""
    if area / hull_area < 0.88:
        return _concave(contour, area, hull_area)
    return _convex(hull, hull_area)


def _convex(hull: Any, area: float) -> str:
    import cv2

    (_, _), (width, height), _ = cv2.minAreaRect(hull)
    long, short = max(width, height), max(1.0, min(width, height))
    perimeter = float(cv2.arcLength(hull, True))
    extent = area / (long * short)
    corners = cv2.approxPolyDP(hull, 0.035 * perimeter, True)
    if len(corners) == 3 or (extent < 0.62 and len(corners) <= 4):
        return "triangle"
    if extent > 0.88 and len(corners) <= 6:
        return _four_sided(corners, long / short, hull)
    if 4.0 * np.pi * area / perimeter**2 > 0.86 and long / short < 1.15 and len(corners) > 5:
        return "hexagon" if _is_hexagon(hull, perimeter, area) else "circle"
    if 0.74 < extent < 0.84 and len(corners) > 5:
        return "ellipse"
    return {4: "rectangle", 5: "pentagon", 6: "hexagon"}.get(len(corners), "polygon")


def _four_sided(corners: Any, aspect: float, hull: Any) -> str:
    import cv2

    if aspect > 1.18:
        return "rectangle"
    _, _, width, height = cv2.boundingRect(hull)
    box_extent = float(cv2.contourArea(hull)) / (width * height)
    return "diamond" if box_extent < 0.62 and len(corners) == 4 else "square"


def _is_hexagon(hull: Any, perimeter: float, area: float) -> bool:
    """A circle keeps more than six corners under a finer approximation, a hexagon does not."""
    import cv2

    return len(cv2.approxPolyDP(hull, 0.018 * perimeter, True)) == 6 and area / (perimeter**2) < 0.0755


def _concave(contour: Any, area: float, hull_area: float) -> str:
    import cv2

    depth = 0.06 * np.sqrt(hull_area)
    try:
        defects = cv2.convexityDefects(contour, cv2.convexHull(contour, returnPoints=False))
    except cv2.error:  # outlines that touch themselves
        return ""
    notches = 0 if defects is None else int((np.reshape(defects, (-1, 4))[:, 3] / 256.0 > depth).sum())
    if notches >= 5 or (notches == 4 and area / hull_area < 0.5):
        return "star"
    if notches == 4:
        return "cross"
    return "heart" if notches == 1 and area / hull_area > 0.72 else ""


def fit(wanted: str, found: str) -> float:
    """1 for the same shape, less for kin, 0.1 for anything else."""
    return 1.0 if wanted == found else KIN.get((wanted, found), 0.1)
