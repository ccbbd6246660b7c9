"""The reference judge on the built-in benchmark: what nobody sees ranks above half an edit, destruction below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from editeval.benchmarks.procedural import ProceduralBenchmark, ProceduralParams, ladder
from editeval.certificates.conditions import flat_paint, through_jpeg, unseen_change
from editeval.images import decode, encode_png
from editeval.judges.reference import ReferenceJudge, ReferenceParams
from editeval.prompts import CATEGORIES
from editeval.types import JudgeRequest, Sample

Pixels = npt.NDArray[np.uint8]


def png(pixels: npt.NDArray[np.generic]) -> bytes:
    return encode_png(Image.fromarray(np.clip(np.rint(pixels.astype(float)), 0, 255).astype(np.uint8)))


def shifted(image: Pixels, down: int, right: int) -> bytes:
    """The border is repeated."""
    padded = np.pad(image, ((8, 8), (8, 8), (0, 0)), mode="edge")
    height, width = image.shape[:2]
    return png(padded[8 - down : 8 - down + height, 8 - right : 8 - right + width])


def zoomed(image: Pixels, zoom: float) -> bytes:
    """About the middle; what is missing repeats the border."""
    height, width = image.shape[:2]
    padded = Image.fromarray(np.pad(image, ((16, 16), (16, 16), (0, 0)), mode="edge"))
    cut_x, cut_y = 16 + width * (1 - 1 / zoom) / 2, 16 + height * (1 - 1 / zoom) / 2
    box = (cut_x, cut_y, width + 32 - cut_x, height + 32 - cut_y)
    return encode_png(padded.resize((width, height), Image.Resampling.BICUBIC, box))


def resampled(image: Pixels, scale: float) -> bytes:
    whole = Image.fromarray(image)
    small = whole.resize((round(whole.width * scale), round(whole.height * scale)), Image.Resampling.BICUBIC)
    return encode_png(small.resize(whole.size, Image.Resampling.BICUBIC))


def noisy(image: Pixels) -> bytes:
    return png(image + np.random.default_rng(7).integers(-1, 2, image.shape))


UNSEEN: Mapping[str, Callable[[Pixels], bytes]] = {
    "shifted by 1": lambda t: shifted(t, 0, 1),
    "shifted by 2": lambda t: shifted(t, 2, 0),
    "shifted by 3": lambda t: shifted(t, -3, 2),
    "zoomed to 98 %": lambda t: zoomed(t, 0.98),
    "zoomed to 99 %": lambda t: zoomed(t, 0.99),
    "zoomed to 101 %": lambda t: zoomed(t, 1.01),
    "zoomed to 102 %": lambda t: zoomed(t, 1.02),
    "5 % brighter": lambda t: png(1.05 * t.astype(float)),
    "5 % darker": lambda t: png(0.95 * t.astype(float)),
    "13 levels brighter": lambda t: png(t.astype(float) + 13),
    "gamma 0.95": lambda t: png(255 * (t / 255) ** 0.95),
    "gamma 1.05": lambda t: png(255 * (t / 255) ** 1.05),
    "JPEG 95": lambda t: through_jpeg(png(t)),
    "resampled by 0.9": lambda t: resampled(t, 0.9),
    "resampled by 1.1": lambda t: resampled(t, 1.1),
    "noise of one level": noisy,
    "shift, zoom and brightness": lambda t: unseen_change(png(t)),
}
QUICK = ("shifted by 2", "zoomed to 98 %", "5 % brighter", "JPEG 95", "shift, zoom and brightness")


def painted(target: Pixels, mask: Pixels, colour: npt.NDArray[np.float64]) -> bytes:
    result = target.copy()
    result[mask >= 128] = np.rint(colour)
    return png(result)


def painted_over(source: Pixels, target: Pixels, mask: Pixels) -> Iterator[tuple[str, bytes]]:
    """Flat paint over the exact mask, in every colour that comes to mind."""
    inside = mask >= 128
    yield "paint in the target's mean colour", flat_paint(png(target), png(mask))
    yield "paint in the target's median colour", painted(target, mask, np.median(target[inside], axis=0))
    yield "paint in the source's mean colour", painted(target, mask, source[inside].mean(axis=0))
    yield "grey paint", painted(target, mask, np.full(3, 128.0))
    yield "magenta paint", painted(target, mask, np.array([255.0, 0.0, 255.0]))


def is_nearly_flat(source: Pixels, target: Pixels, mask: Pixels) -> bool:
    """Whether the target is one colour, but for 40 % of the way that was asked for: paint is another shade."""
    inside = mask >= 128
    mean = target[inside].mean(axis=0)
    left, way = (np.abs(one[inside] - target[inside].astype(float)).sum() for one in (mean + 0.0 * target, source))
    return bool(left <= 0.4 * way)


def disorder(samples: list[Sample], unseen: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """(what is out of order, samples whose flat paint is nearly the target)."""
    judge = ReferenceJudge(ReferenceParams())
    found, excused = [], []
    for sample in samples:
        assert sample.target is not None and sample.mask is not None
        files = sample.image.read(), sample.target.read(), sample.mask.read()
        source, target = (np.asarray(decode(data)) for data in files[:2])
        mask = np.asarray(decode(files[2], "L"))

        def score(edited: bytes, files: tuple[bytes, bytes, bytes] = files) -> float:
            value = judge.judge([JudgeRequest("s", (files[0],), edited, "", files[1], files[2])])[0][0].value
            assert value is not None
            return value

        assert score(files[0]) == 0.0 and score(files[1]) == 10.0
        rungs = ladder(sample)
        partial = score(rungs["partial"])
        for name in unseen:
            if (value := score(UNSEEN[name](target))) <= partial:
                found.append(f"{sample.id}, {name}: {value:.2f}, partial {partial:.2f}")
        for name, edited in (("wrong object", rungs["wrong_object"]), *painted_over(source, target, mask)):
            if (value := score(edited)) >= partial:
                if "paint" in name and is_nearly_flat(source, target, mask):
                    excused.append(sample.id)
                else:
                    found.append(f"{sample.id}, {name}: {value:.2f}, partial {partial:.2f}")
    return found, excused


def test_on_5_samples_unseen_changes_rank_above_half_an_edit_and_destruction_below() -> None:
    samples = list(ProceduralBenchmark(ProceduralParams(num_per_category=1, size=192)))
    assert len(samples) == 5
    found, excused = disorder(samples, QUICK)
    assert not found and len(set(excused)) <= 2


@pytest.mark.slow
@pytest.mark.parametrize("category", CATEGORIES)
def test_on_50_samples_unseen_changes_rank_above_half_an_edit_and_destruction_below(category: str) -> None:
    samples = [
        s for s in ProceduralBenchmark(ProceduralParams(num_per_category=10, size=160)) if s.category == category
    ]
    assert len(samples) == 10
    found, excused = disorder(samples, tuple(UNSEEN))
    assert not found
    assert len(set(excused)) <= (2 if category == "referential" else 0), "paint is the answer where a flat wall remains"
