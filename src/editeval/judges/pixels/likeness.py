"""How far an edit went from source to target, in colour and in structure. Whole numbers only, in levels times a factor.

colour     distance to the target per pixel, summed over a slightly blurred picture: the share of the way that was gone.
           What is like neither source nor target is counted beside it.
edges      the same share for the slopes of a finer picture; strong edges count alike, so that places decide.
agreement  the contrast and structure term of SSIM (Wang et al., 2004), pooled: do light and dark vary together?
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Whole = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

COARSE, FINE = 2, 1
"""Pixels to each side that one pass of averaging takes in; two passes are close to a Gaussian of sigma 2 and 1.2."""
REACH = 2 * COARSE
"""Pixels to each side that the coarse average takes in."""
COARSE_FACTOR, FINE_FACTOR = (2 * COARSE + 1) ** 4, (2 * FINE + 1) ** 4
"""Sum of the weights: by this factor averaged values are larger than levels."""

_FAINT_EDGE, _STRONG_EDGE = 24, 80
"""Sums of the slopes in x and y over R, G, B: below the first nobody sees it, from the second on an edge is an edge."""
_WINDOW = 3  # pixels to each side within which variances are taken
_FLAT = 150  # variance, summed over R, G, B, that nobody sees: about 7 levels in each


def averaged(pixels: Whole, step: int) -> Whole:
    """(2 * step + 1) ** 4 times the smoothed picture: two box passes each way; the border is repeated."""
    reach = 2 * step
    padded = np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    return _box_sums(_box_sums(padded, step), step)


def _box_sums(pixels: Whole, step: int) -> Whole:
    """Sums over (2 * step + 1) x (2 * step + 1) pixels, where they lie inside."""
    height, width = pixels.shape[0] - 2 * step, pixels.shape[1] - 2 * step
    rows = pixels[:height].copy()
    for i in range(1, 2 * step + 1):
        rows += pixels[i : i + height]
    total = rows[:, :width].copy()
    for i in range(1, 2 * step + 1):
        total += rows[:, i : i + width]
    return total


def colour_way(source: Whole, target: Whole, edited: Whole, forgiven: int) -> tuple[int, int, int]:
    """(gone, astray, whole): the way from source to target in coarse averages of pixels x 3, of all pixels.

    `gone` is below 0 for damage; `astray` is the distance to the nearer of source and target.
    """
    whole, left, other = (_beyond(a, b, forgiven) for a, b in ((target, source), (target, edited), (source, edited)))
    gone, astray = whole - left, np.minimum(left, other)
    return int(gone.sum(dtype=np.int64)), int(astray.sum(dtype=np.int64)), int(whole.sum(dtype=np.int64))


def edge_way(source: Whole, target: Whole, edited: Whole) -> tuple[int, int]:
    """(gone, whole) for slopes of fine averages; where the edit is farther from the target than the source, by half.

    A twentieth of the target's own edges is given on top: where few of many change, a lossy file spoils as much.
    """
    faint, strong = _FAINT_EDGE * FINE_FACTOR, _STRONG_EDGE * FINE_FACTOR
    whole, left = (_beyond(target, other, faint, strong) for other in (source, edited))
    gone = whole - left
    gone = np.where(gone < 0, gone, 2 * gone)
    given = int(np.minimum(np.abs(target).sum(axis=1, dtype=np.int32), strong).sum(dtype=np.int64)) // 10
    return int(gone.sum(dtype=np.int64)) + given, 2 * int(whole.sum(dtype=np.int64)) + given


def _beyond(one: Whole, other: Whole, forgiven: int, most: int | None = None) -> Whole:
    """Distance summed over channels, less what is forgiven."""
    distance = np.abs(one - other).sum(axis=1, dtype=np.int32)
    excess: Whole = np.maximum((distance if most is None else np.minimum(distance, most)) - forgiven, 0)
    return excess


def slopes(pixels: Whole) -> Whole:
    """Differences of neighbours in x and in y, as six channels; 0 at the border."""
    found = np.zeros((*pixels.shape[:2], 6), np.int32)
    found[:, 1:-1, :3] = pixels[:, 2:] - pixels[:, :-2]
    found[1:-1, :, 3:] = pixels[2:] - pixels[:-2]
    return found


def agreement(target: Whole, edited: Whole, mask: Mask) -> tuple[int, int]:
    """(twice the covariance, sum of the variances) over the windows around the mask's pixels, nine times enlarged."""
    margin = _WINDOW + 1
    pads = ((margin, margin), (margin, margin), (0, 0))
    one, two = (_box_sums(np.pad(picture, pads, mode="edge"), 1) for picture in (target, edited))
    size = (2 * _WINDOW + 1) ** 2

    def spread(a: Whole, b: Whole) -> int:
        products, sum_a, sum_b = (_box_sums(x, _WINDOW)[mask].astype(np.int64) for x in (a * b, a, b))
        return int((size * products - sum_a * sum_b).sum())

    flat = _FLAT * 81 * size * size * int(mask.sum())
    return 2 * spread(one, two) + flat, spread(one, one) + spread(two, two) + flat
