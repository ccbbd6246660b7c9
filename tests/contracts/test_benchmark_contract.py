"""The contract lets a good benchmark pass and names the rule that a bad one breaks."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from PIL import Image

from contracts.benchmark_contract import check_benchmark
from editeval.images import BytesImage, encode_png
from editeval.types import Benchmark, Sample


def png(width: int = 8, height: int = 8, mode: str = "RGB", color: object = "white") -> BytesImage:
    return BytesImage(encode_png(Image.new(mode, (width, height), color)))


GOOD = [
    Sample("a", "x", (png(),), "Do it.", target=png(), mask=png(mode="L", color=255)),
    Sample("b", "y", (png(),), "Do that.", metadata={"tags": ["t"]}),
]


@dataclass(frozen=True)
class FakeParams:
    change: Callable[[list[Sample]], list[Sample]] = list


class FakeBenchmark(Benchmark):
    Params = FakeParams

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.params.change(GOOD))

    def fingerprint(self) -> str:
        return "constant"


class ForgetfulBenchmark(FakeBenchmark):
    def __init__(self, params: FakeParams) -> None:
        super().__init__(params)
        self._left = iter(GOOD)

    def __iter__(self) -> Iterator[Sample]:
        return self._left


class MoodyBenchmark(FakeBenchmark):
    moods = itertools.count()

    def fingerprint(self) -> str:
        return str(next(self.moods))


def replaced(**changes: object) -> FakeParams:
    return FakeParams(lambda samples: [dataclasses.replace(samples[0], **changes), *samples[1:]])


class CountingImage:
    """Gives other bytes every time, as an unseeded drawing would."""

    def __init__(self) -> None:
        self.num_reads = 0

    def read(self) -> bytes:
        self.num_reads += 1
        return png(self.num_reads).read()


def test_a_good_benchmark_passes() -> None:
    check_benchmark(FakeBenchmark, FakeParams())


@pytest.mark.parametrize(
    ("params", "rule"),
    [
        (FakeParams(lambda samples: []), "empty"),
        (FakeParams(lambda samples: [samples[0], samples[0]]), "not unique"),
        (replaced(id="B"), "not unique"),
        (replaced(id=""), "id is"),
        (replaced(category=" "), "category is"),
        (replaced(instruction=""), "instruction is"),
        (replaced(metadata={"a": {1}}), "not JSON"),
        (replaced(metadata={"a": float("nan")}), "not JSON"),
        (replaced(metadata={"a": (1,)}), "does not survive"),
        (replaced(images=(BytesImage(b"x" * 100_000),)), "hold pixels"),
        (replaced(images=(BytesImage(b"no image"),)), "does not decode"),
        (replaced(target=png(9)), "reference is"),
        (replaced(mask=png(9, mode="L", color=255)), "mask is"),
        (replaced(mask=png(mode="L", color=0)), "allows no change"),
        (replaced(images=(CountingImage(),)), "other bytes"),
    ],
)
def test_a_misbehaving_benchmark_is_caught(params: FakeParams, rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_benchmark(FakeBenchmark, params)


@pytest.mark.parametrize(
    ("kind", "rule"), [(ForgetfulBenchmark, "second iteration"), (MoodyBenchmark, "fingerprint is not stable")]
)
def test_a_benchmark_that_does_not_repeat_itself_is_caught(kind: type[Benchmark], rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_benchmark(kind, FakeParams())
