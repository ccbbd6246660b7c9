"""A handful of tiny samples whose ids are as bad as ids get."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from editeval.images import BytesImage, encode_png
from editeval.types import Benchmark, Sample

NASTY = ("../evil", "猫 🐈", "x" * 300, "refused", "broken")
"""The editor refuses "refused" and fails on "broken", whenever asked."""


@dataclass(frozen=True)
class TinyParams:
    num_samples: int = 8
    changed: int = -1  # number of the sample with another instruction than at first


class TinyBenchmark(Benchmark):
    Params = TinyParams
    params: TinyParams

    def __iter__(self) -> Iterator[Sample]:
        for number, sample_id in enumerate(ids(self.params.num_samples)):
            source = BytesImage(encode_png(Image.new("RGB", (8, 6), (number * 37 % 256, 90, 200))))
            instruction = f"change {number}" + (", but otherwise" if number == self.params.changed else "")
            yield Sample(sample_id, ("physical", "cultural")[number % 2], (source,), instruction, "a scene")

    def fingerprint(self) -> str:
        return f"tiny-{self.params.num_samples}-{self.params.changed}"


def ids(num_samples: int) -> list[str]:
    """The ids of a benchmark of that size."""
    return [*NASTY, *(f"s{number:03}" for number in range(num_samples))][:num_samples]
