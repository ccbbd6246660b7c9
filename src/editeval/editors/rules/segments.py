"""A picture as segments: regions of one colour family between edges, and the composites they form before a background.

Everything is computed at a working size and only masks are scaled back, so the cost does not grow with the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from editeval.editors.rules.planes import Mask, Pixels, Plane, grown, to_lab
from editeval.editors.rules.regions import MIN_SHARE, label
from editeval.editors.rules.shapes import shape_of

MAX_SEGMENTS = 160


@dataclass(frozen=True)
class Segment:
    """A candidate object at working size. `lab` is its mean colour; `contrast` its distance from what surrounds it."""

    mask: Mask
    lab: Plane
    area: int
    box: tuple[int, int, int, int]  # x, y, width, height
    border: float  # share of the picture's frame that it touches
    contrast: float
    is_background: bool
    is_composite: bool = False

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the box, in working pixels."""
        x, y, width, height = self.box
        return x + width / 2, y + height / 2

    @cached_property
    def shape(self) -> str:
        """Shape word, or "" where none fits."""
        x, y, width, height = self.box
        return shape_of(self.mask[y : y + height, x : x + width])


@dataclass(frozen=True)
class Scene:
    """The picture at full size and its segments at working size."""

    pixels: Pixels
    work_px: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        return self.pixels.shape[1], self.pixels.shape[0]

    @cached_property
    def small(self) -> Pixels:
        """The picture at working size."""
        import cv2

        width, height = self.size
        scale = self.work_px / max(width, height)
        if scale >= 1:
            return self.pixels
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        out: Pixels = cv2.resize(self.pixels, size, interpolation=cv2.INTER_AREA)
        return out

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Regions, then composites, largest first among each."""
        return _segments(self.small, self.is_photo)

    @cached_property
    def is_photo(self) -> bool:
        """Whether most of the picture has grain or texture; drawings are flat or smooth."""
        import cv2

        luma = cv2.cvtColor(self.small, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return float(np.median(np.abs(luma - cv2.GaussianBlur(luma, (0, 0), 1.5)))) > 0.9


def _segments(pixels: Pixels, is_photo: bool) -> tuple[Segment, ...]:
    import cv2

    smooth = cv2.bilateralFilter(pixels, 5, 30, 3)
    lab = to_lab(smooth)
    labels, count = label(smooth, lab)
    if count == 0:
        return ()
    areas = np.bincount(labels.ravel(), minlength=count + 1)
    means = (
        np.stack(
            [np.bincount(labels.ravel(), weights=lab[..., c].ravel(), minlength=count + 1) for c in range(3)], axis=1
        )
        / np.maximum(areas, 1)[:, None]
    )
    order = [int(i) for i in np.argsort(-areas[1:], kind="stable")[:MAX_SEGMENTS] + 1 if areas[i] > 0]
    boxes = _boxes(labels, count)
    regions = [_segment(labels == i, lab, means[i].astype(np.float32), boxes[i]) for i in order]
    return (*regions, *_composites(regions, lab), *(_main_subject(pixels, lab) if is_photo else ()))


def _boxes(labels: NDArray[np.int32], count: int) -> list[tuple[int, int, int, int]]:
    height, width = labels.shape
    ys, xs = np.divmod(np.arange(labels.size), width)
    flat = labels.ravel()
    low_x, low_y = np.full(count + 1, width), np.full(count + 1, height)
    high_x, high_y = np.zeros(count + 1, int), np.zeros(count + 1, int)
    np.minimum.at(low_x, flat, xs)
    np.minimum.at(low_y, flat, ys)
    np.maximum.at(high_x, flat, xs)
    np.maximum.at(high_y, flat, ys)
    return [
        (int(a), int(b), int(c - a + 1), int(d - b + 1))
        for a, b, c, d in zip(low_x, low_y, high_x, high_y, strict=True)
    ]


def _segment(
    mask: Mask, lab: Plane, mean: Plane, box: tuple[int, int, int, int], *, composite: bool = False
) -> Segment:
    height, width = mask.shape
    x, y, w, h = box
    touching = int(mask[0].sum() + mask[-1].sum() + mask[:, 0].sum() + mask[:, -1].sum())
    border = touching / (2.0 * (width + height))
    pad = 5
    cut = np.s_[max(0, y - pad) : y + h + pad, max(0, x - pad) : x + w + pad]
    around = grown(mask[cut], 4) & ~grown(mask[cut], 1)
    outside = lab[cut][around].mean(axis=0) if around.any() else mean
    area = int(mask.sum())
    share = area / mask.size
    return Segment(
        mask=mask,
        lab=mean,
        area=area,
        box=box,
        border=border,
        contrast=float(np.linalg.norm(outside - mean)),
        is_background=not composite and ((share > 0.10 and border > 0.12) or border > 0.25 or share > 0.45),
        is_composite=composite,
    )


def _composites(regions: list[Segment], lab: Plane) -> list[Segment]:
    """Connected groups of two or more regions that stand before the background."""
    import cv2

    if not regions:
        return []
    front = np.zeros(regions[0].mask.shape, dtype=np.uint8)
    for region in regions:
        if not region.is_background:
            front |= region.mask
    number, labels, stats, _ = cv2.connectedComponentsWithStats(front, connectivity=4)
    out = []
    for i in range(1, number):
        x, y, w, h, area = (int(v) for v in stats[i])
        if not 4 * MIN_SHARE < area / front.size < 0.6:
            continue
        mask = _filled(np.asarray(labels == i))
        members = [r for r in regions if not r.is_background and mask[r.mask].any()]
        main = max(members, key=lambda r: r.area)
        if len(members) > 1 and main.area < 0.97 * area:
            out.append(_segment(mask, lab, main.lab, (x, y, w, h), composite=True))
    return sorted(out, key=lambda s: -s.area)


def _main_subject(pixels: Pixels, lab: Plane) -> list[Segment]:
    """The largest piece of what a photograph seems to be about."""
    import cv2

    number, labels, stats, _ = cv2.connectedComponentsWithStats(
        _subject_of_photo(pixels).astype(np.uint8), connectivity=4
    )
    if number < 2:
        return []
    main = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    mask = np.asarray(labels == main)
    x, y, w, h, _ = (int(v) for v in stats[main])
    return [_segment(mask, lab, lab[mask].mean(axis=0), (x, y, w, h), composite=True)]


def _filled(mask: Mask) -> Mask:
    """`mask` without holes."""
    import cv2

    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    out = np.zeros(mask.shape, dtype=np.uint8)
    cv2.drawContours(out, contours, -1, 1, cv2.FILLED)
    return out.astype(bool)


def filled(segment: Segment) -> Mask:
    """The segment with its holes (highlights, windows), unless it is a frame or a background around other things."""
    if segment.is_background:
        return segment.mask
    solid = _filled(segment.mask)
    return solid if solid.sum() < 1.6 * segment.area else segment.mask


def subject(scene: Scene) -> Mask:
    """What stands before the background, at working size."""
    behind = np.zeros(scene.small.shape[:2], dtype=bool)
    for segment in scene.segments:
        if segment.is_background:
            behind |= segment.mask
    if not scene.is_photo and behind.mean() >= 0.35:
        return ~behind
    return _subject_of_photo(scene.small)


def _subject_of_photo(pixels: Pixels) -> Mask:
    """GrabCut on a small copy, started from a central ellipse; the random start of its clusters is fixed."""
    import cv2

    height, width = pixels.shape[:2]
    scale = 144 / max(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.GaussianBlur(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), (0, 0), 0.8)
    h, w = small.shape[:2]
    across, down = np.meshgrid((np.arange(w) + 0.5) / w - 0.5, (np.arange(h) + 0.5) / h - 0.58)
    ellipse = np.hypot(across / 0.34, down / 0.44)
    labels = np.where(ellipse < 1, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[ellipse < 0.45] = cv2.GC_FGD
    labels[:3], labels[:, :3], labels[:, -3:] = cv2.GC_BGD, cv2.GC_BGD, cv2.GC_BGD
    cv2.setRNGSeed(0)
    cv2.grabCut(small, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    front = (labels & 1).astype(np.float32)
    return np.asarray(cv2.resize(cv2.GaussianBlur(front, (0, 0), 1.0), (width, height)) > 0.5, dtype=bool)
