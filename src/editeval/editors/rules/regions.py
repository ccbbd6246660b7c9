"""The picture as a map of labels: colour families split at edges, grown back to the edges, soft borders merged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from editeval.editors.rules import colours
from editeval.editors.rules.planes import Pixels, Plane

Labels = NDArray[np.int32]
MIN_SHARE = 0.0005  # of the picture: anything smaller is texture
EDGE = 26.0  # Sobel magnitude in Lab (about 6 units per pixel) that separates regions
SOFT_STEP = 2.5  # mean Lab distance across a border that is a gradient, not an edge
SOFT_DISTANCE = 30.0  # regions farther apart than this stay apart however soft their border


def label(pixels: Pixels, lab: Plane) -> tuple[Labels, int]:
    """Label per pixel (from 1; 0 only if there is no region at all) and the highest label."""
    import cv2

    markers, count = _markers(lab)
    if count == 0:
        return markers, 0
    flooded = cv2.watershed(np.ascontiguousarray(pixels), markers.copy())
    return _merged(_without_ridges(flooded, pixels), lab, count), count


def _markers(lab: Plane) -> tuple[Labels, int]:
    import cv2

    family = colours.family_map(lab)
    across, down = cv2.Sobel(lab, cv2.CV_32F, 1, 0), cv2.Sobel(lab, cv2.CV_32F, 0, 1)
    flat = (across**2 + down**2).sum(axis=2) <= EDGE**2
    markers = np.zeros(family.shape, dtype=np.int32)
    least = max(12, int(MIN_SHARE * family.size * 0.6))
    count = 0
    for index in np.unique(family):
        inside = ((family == index) & flat).astype(np.uint8)
        number, part, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
        keep = np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= least) + 1
        renumber = np.zeros(number, dtype=np.int32)
        renumber[keep] = np.arange(count + 1, count + 1 + len(keep))
        markers += renumber[part]
        count += len(keep)
    return markers, count


def _without_ridges(labels: Labels, pixels: Pixels) -> Labels:
    """Watershed leaves lines of -1 (and a frame): give each such pixel the neighbour whose colour is nearest."""
    labels[0], labels[-1] = labels[1], labels[-2]
    labels[:, 0], labels[:, -1] = labels[:, 1], labels[:, -2]
    for _ in range(2):
        ridge = np.argwhere(labels <= 0)
        if len(ridge) == 0:
            break
        y, x = ridge[:, 0], ridge[:, 1]
        best = np.full(len(ridge), np.inf)
        chosen = np.zeros(len(ridge), dtype=np.int32)
        here = pixels[y, x].astype(np.int32)
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)):
            ny = np.clip(y + dy, 0, labels.shape[0] - 1)
            nx = np.clip(x + dx, 0, labels.shape[1] - 1)
            far = np.abs(pixels[ny, nx].astype(np.int32) - here).sum(axis=1).astype(float)
            far[labels[ny, nx] <= 0] = np.inf
            closer = far < best
            best[closer], chosen[closer] = far[closer], labels[ny, nx][closer]
        labels[y, x] = chosen
    return np.maximum(labels, 0)


def _merged(labels: Labels, lab: Plane, count: int) -> Labels:
    """One label for regions that a gradient joins: a sky is one region though it runs from blue to white."""
    lows, highs, steps = [], [], []
    for here, there in ((np.s_[:, :-3], np.s_[:, 3:]), (np.s_[:-3], np.s_[3:])):
        differ = labels[here] != labels[there]
        one, other = labels[here][differ], labels[there][differ]
        lows.append(np.minimum(one, other))
        highs.append(np.maximum(one, other))
        steps.append(np.sqrt(((lab[here][differ] - lab[there][differ]) ** 2).sum(axis=1)))
    keys = np.concatenate(lows).astype(np.int64) * (count + 1) + np.concatenate(highs)
    borders, inverse = np.unique(keys, return_inverse=True)
    step = np.bincount(inverse, weights=np.concatenate(steps)) / np.maximum(np.bincount(inverse), 1)
    area = np.maximum(np.bincount(labels.ravel(), minlength=count + 1), 1)
    mean = np.stack([np.bincount(labels.ravel(), weights=lab[..., c].ravel(), minlength=count + 1) for c in range(3)])
    centre = (mean / area).T
    parent = np.arange(count + 1, dtype=np.int32)
    for border in borders[step < SOFT_STEP * 1.5]:
        one, other = divmod(int(border), count + 1)
        if one and float(np.linalg.norm(centre[one] - centre[other])) < SOFT_DISTANCE:
            parent[_root(parent, other)] = _root(parent, one)
    roots = np.array([_root(parent, i) for i in range(count + 1)], dtype=np.int32)
    return roots[labels]


def _root(parent: Labels, index: int) -> int:
    while parent[index] != index:
        index = int(parent[index])
    return index
