"""The arithmetic of pictures for the judge `reference`: laying an edit over its source, and how far it went.

Registration undoes a small shift, a small zoom and a small change of brightness: people do not see these, and pixel
differences are full of them. All are estimated from what the edit shows of source or target, never from what it
changed: each pixel is compared with the nearer of the two, and what fits neither does not count. Shift and zoom:
Gauss-Newton from coarse to fine on grey pictures (Lucas and Kanade, 1981), with brightness and contrast as further
unknowns. What is larger than the bounds is not undone at all, what is brighter only up to them.

Then, from source to target:
colour     distance to the target per pixel, summed over a slightly blurred picture: the share of the way that was gone.
           What is like neither source nor target is counted beside it.
edges      the same share for the slopes of a finer picture; strong edges count alike, so that places decide.
agreement  the contrast and structure term of SSIM (Wang et al., 2004), pooled: do light and dark vary together?

All sums are of whole numbers below 2 ** 53, and results are rounded: every machine finds the same. `ssim`, of the judge
`image_metrics`, is plain floating point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

Grey = npt.NDArray[np.float64]
Levels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int32]
Greys = tuple[Image.Image, Image.Image, Image.Image]
"""Source, reference, edit."""

MARGIN = 2
"""Pixels at the border of a moved picture that are not looked at: resampling mixes them with what is not there."""
_LEAST_SIDE = 32  # smaller pictures are taken as they lie


class _Stage(NamedTuple):
    side: int  # longest side of the grey pictures
    num_steps: int
    outlier: int  # grey levels from which a pixel fits neither source nor target
    is_free: bool  # whether width and height are zoomed apart


_STAGES = (_Stage(64, 4, 96, False), _Stage(128, 2, 64, False), _Stage(256, 4, 40, True))
_SHIFT_UNIT, _ZOOM_UNIT = 16, 4096
_WORTH_MOVING = 0.25  # pixels; displacements below it cost next to nothing
_LEAST_GAIN = 0.8  # moving must bring the difference down to this share
_EDGE, _IN_PLACE, _SHARE_IN_PLACE = 40, 6, 0.95
"""An edge has this slope; where so many edges are within so many levels, nothing is out of place."""


class Placement(NamedTuple):
    """Point p of the source, from the middle, is point (zoom_x * p.x + x, zoom_y * p.y + y) of the edit, in pixels."""

    x: float = 0.0
    y: float = 0.0
    zoom_x: float = 1.0
    zoom_y: float = 1.0

    def moved(self, image: Image.Image, scale: float = 1.0) -> Image.Image:
        """The edit, `scale` times its full size, as it lies on the source."""
        width, height = image.size
        left = width / 2 + self.x * scale - self.zoom_x * width / 2
        upper = height / 2 + self.y * scale - self.zoom_y * height / 2
        matrix = (self.zoom_x, 0.0, left, 0.0, self.zoom_y, upper)
        return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)

    def shared(self, width: int, height: int, scale: float = 1.0) -> tuple[slice, slice]:
        """(rows, columns) of a source of this size that the edit shows as well, MARGIN pixels inside; else all."""
        if self == Placement():
            return slice(0, height), slice(0, width)
        found = []
        for size, shift, zoom in ((height, self.y, self.zoom_y), (width, self.x, self.zoom_x)):
            first, last = ((end - size / 2 - shift * scale) / zoom + size / 2 for end in (MARGIN, size - MARGIN))
            found.append(slice(max(0, int(np.ceil(first))), min(size, int(np.floor(last)))))
        return found[0], found[1]

    def rounded(self) -> Placement:
        """To sixteenths of a pixel."""
        x, y = (round(shift * _SHIFT_UNIT) / _SHIFT_UNIT for shift in self[:2])
        zoom_x, zoom_y = (round(zoom * _ZOOM_UNIT) / _ZOOM_UNIT for zoom in self[2:])
        return Placement(x, y, zoom_x, zoom_y)

    def farthest(self, width: int, height: int) -> float:
        """Pixels by which the corner is displaced that is displaced most, across or down."""
        across = abs(self.x) + abs(self.zoom_x - 1) * width / 2
        return max(across, abs(self.y) + abs(self.zoom_y - 1) * height / 2)

    def is_within(self, shift_x: float, shift_y: float, zoom: float) -> bool:
        """Whether it is no larger than these: pixels, pixels, share."""
        return (
            abs(self.x) <= shift_x
            and abs(self.y) <= shift_y
            and abs(self.zoom_x - 1) <= zoom
            and abs(self.zoom_y - 1) <= zoom
        )


def placement(pictures: Sequence[Image.Image], max_shift: float, max_zoom: float) -> Placement:
    """How the edit lies on the source; `pictures`: source, reference and edit of one size. Bounds: shares of a side.

    Placement() if it lies as it should, if it is displaced by more than the bounds, or if moving makes nothing better.
    """
    full = _greys(pictures, 1)
    width, height = full[0].size
    if min(width, height) < _LEAST_SIDE or _is_in_place(_reduced(full, _STAGES[-1].side)):
        return Placement()
    found, tone = Placement(), (1.0, 0.0)
    for stage in _STAGES:
        small = _reduced(full, stage.side)
        for _ in range(stage.num_steps):
            found, tone = _step(small, found, small[0].width / width, stage)
            if not found.is_within(2 * max_shift * width, 2 * max_shift * height, 2 * max_zoom):
                return Placement()
    found = found.rounded()
    is_small = found.is_within(max_shift * width, max_shift * height, max_zoom)
    if not is_small or found.farthest(width, height) < _WORTH_MOVING:
        return Placement()
    inner, outlier = found.shared(width, height), _STAGES[-1].outlier
    before = _difference(full, Placement(), inner, tone, outlier)
    return found if _difference(full, found, inner, tone, outlier) <= _LEAST_GAIN * before else Placement()


def _greys(pictures: Sequence[Image.Image], factor: int) -> Greys:
    source, reference, edited = (picture.convert("L").reduce(factor) for picture in pictures)
    return source, reference, edited


def _reduced(full: Greys, side: int) -> Greys:
    return _greys(full, max(1, round(max(full[0].size) / side)))


def _numbers(greys: Greys, at: Placement = Placement(), scale: float = 1.0) -> tuple[Grey, Grey, Grey]:  # noqa: B008
    """Source, reference and the edit in its place."""
    moved = greys[2] if at == Placement() else at.moved(greys[2], scale)
    source, reference, edited = (np.asarray(image, dtype=np.float64) for image in (*greys[:2], moved))
    return source, reference, edited


def _nearer(source: Grey, reference: Grey, edited: Grey) -> Grey:
    """Per pixel that of source and reference which is nearer to the edit."""
    return np.where(np.abs(source - edited) <= np.abs(reference - edited), source, reference)


def _gradients(picture: Grey) -> tuple[Grey, Grey]:
    """Twice the slope in x and in y; 0 at the border."""
    in_x, in_y = np.zeros_like(picture), np.zeros_like(picture)
    in_x[:, 1:-1] = picture[:, 2:] - picture[:, :-2]
    in_y[1:-1] = picture[2:] - picture[:-2]
    return in_x, in_y


def _is_in_place(small: Greys) -> bool:
    """Whether nearly all edges of the edit are where source or reference have them, and as bright."""
    source, reference, edited = _numbers(small)
    is_edge = np.maximum(*(np.abs(slope) for slope in _gradients(source))) >= _EDGE
    left = np.abs(_nearer(source, reference, edited) - edited)[is_edge]
    return not left.size or float((left <= _IN_PLACE).mean()) >= _SHARE_IN_PLACE


def _step(small: Greys, at: Placement, scale: float, stage: _Stage) -> tuple[Placement, tuple[float, float]]:
    """One step of Gauss-Newton: a better placement, and (gain, offset) from the source's brightness to the edit's."""
    source, reference, edited = _numbers(small, at, scale)
    goal = _nearer(source, reference, edited)
    height, width = edited.shape
    in_x, in_y = _gradients(edited)
    columns, rows = np.arange(width) - width // 2, (np.arange(height) - height // 2)[:, None]
    unknowns = (in_x, in_y, in_x * columns, in_y * rows, goal, np.ones_like(edited))
    inner = at.shared(width, height, scale)
    left = (goal - edited)[inner]
    fits = np.abs(left) <= stage.outlier
    matrix = np.stack([unknown[inner][fits] for unknown in unknowns], axis=1)
    tied = np.eye(6) if stage.is_free else np.eye(6)[[0, 1, 2, 2, 3, 4], :5]  # one zoom both ways
    matrix = matrix @ tied
    square = matrix.T @ matrix
    square[np.diag_indices(len(square))] += square.diagonal() / 1024 + 1.0
    answer = tied @ np.linalg.solve(square, matrix.T @ left[fits])
    x, y, zoom_x, zoom_y, gain, offset = (float(value) for value in answer)
    better = Placement(at.x + 2 * x / scale, at.y + 2 * y / scale, at.zoom_x + 2 * zoom_x, at.zoom_y + 2 * zoom_y)
    return better, (1.0 - gain, -offset)


def _difference(
    full: Greys, at: Placement, inner: tuple[slice, slice], tone: tuple[float, float], outlier: int
) -> float:
    """Sum of the differences once brightness is accounted for; no pixel counts for more than an outlier."""
    gain, offset = (round(1024 * value) for value in tone)
    source, reference, edited = (picture[inner] for picture in _numbers(full, at))
    source, reference, edited = gain * source + offset, gain * reference + offset, 1024 * edited
    return float(np.minimum(np.abs(_nearer(source, reference, edited) - edited), 1024 * outlier).sum())


_BINS = 16
_AS_BRIGHT = 2  # levels
_LEAST_OUTSIDE = 0.1
"""With this share of the picture outside the mask, brightness is compared there alone."""


def tone_curve(source: Levels, reference: Levels, edited: Levels, mask: Mask, most: int) -> Whole | None:
    """What to read each of the edit's 256 levels as, at most `most` levels away; None: as it is.

    A parabola through the median differences of the pixels' mean at 16 levels: gain, contrast or gamma, but no cast.
    """
    source, reference, edited, mask = source[::2, ::2], reference[::2, ::2], edited[::2, ::2], mask[::2, ::2]
    now, left = _tone_differences(source, reference, edited, mask)
    reach = 2 * most
    fits = np.abs(left) <= reach
    width = 2 * reach + 1
    places = now[fits] * _BINS // 256 * width + left[fits] + reach
    table = np.bincount(places, minlength=_BINS * width).reshape(_BINS, width)
    counts = table.sum(axis=1)
    total = int(counts.sum())
    used = np.flatnonzero(counts >= max(16, total // 500))
    medians = ((table.cumsum(axis=1) * 2 >= counts[:, None]).argmax(axis=1) - reach)[used]
    if not medians.any():
        return None
    powers = np.stack([used**power for power in range(3)], axis=1).astype(np.float64)
    weighted = powers * np.minimum(counts[used], total // 8)[:, None]
    square = weighted.T @ powers
    square[np.diag_indices(3)] += (1.0, total / 64, total / 2)  # few levels decide on little more than a gain
    constant, linear, bent = (float(v) for v in np.linalg.solve(square, weighted.T @ medians.astype(np.float64)))
    levels = np.arange(256, dtype=np.int32)
    at = np.clip((levels - 7.5) * _BINS / 256, used[0], used[-1])
    change = np.clip(np.rint(constant + linear * at + bent * at * at), -most, most).astype(np.int32)
    num_equal, num_made_equal = (int((np.abs(d) <= _AS_BRIGHT).sum()) for d in (left, left - change[now]))
    return levels + change if num_made_equal > num_equal else None  # else something bright came in, no brightness


def _tone_differences(source: Levels, reference: Levels, edited: Levels, mask: Mask) -> tuple[Whole, Whole]:
    """(mean level of the edit, difference to the nearer of source and reference) of every pixel that is compared."""
    used = ~mask if (~mask).mean() >= _LEAST_OUTSIDE else np.ones_like(mask)
    now, one, two = (picture[used].sum(axis=1, dtype=np.int32) // 3 for picture in (edited, source, reference))
    return now, np.where(np.abs(one - now) <= np.abs(two - now), one - now, two - now)


COARSE, FINE = 2, 1
"""Pixels to each side that one pass of averaging takes in; two passes are close to a Gaussian of sigma 2 and 1.2."""
REACH = 2 * COARSE
"""Pixels to each side that the coarse average takes in."""
COARSE_FACTOR, FINE_FACTOR = (2 * COARSE + 1) ** 4, (2 * FINE + 1) ** 4
"""Sum of the weights: by this factor averaged values are larger than levels."""

_FAINT_EDGE, _STRONG_EDGE = 24, 80
"""Sums of the slopes in x and y over R, G, B: below the first it is not seen, from the second on it counts in full."""
_WINDOW = 3  # pixels to each side within which variances are taken
_FLAT = 150  # variance, summed over R, G, B, that cannot be seen: about 7 levels in each


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


def ssim(one: Grey, other: Grey) -> Grey:
    """At each pixel and colour of values 0-1; the borders are mirrored, as torchmetrics has it."""
    from scipy.ndimage import gaussian_filter

    def mean(values: Grey) -> Grey:
        return np.asarray(gaussian_filter(values, (1.5, 1.5, 0), mode="mirror", truncate=3.5))

    mean_one, mean_other = mean(one), mean(other)
    spread = np.maximum(0.0, mean(one * one) - mean_one**2) + np.maximum(0.0, mean(other * other) - mean_other**2)
    shared = mean(one * other) - mean_one * mean_other
    level = (2 * mean_one * mean_other + 1e-4) / (mean_one**2 + mean_other**2 + 1e-4)
    return np.asarray(level * (2 * shared + 9e-4) / (spread + 9e-4))
