"""A benchmark that only has parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from editeval.types import Benchmark, Sample


@dataclass(frozen=True, slots=True)
class BenchParams:
    path: str
    fields: Mapping[str, str] = field(default_factory=dict)
    language: Literal["en", "zh"] = "en"
    sizes: tuple[int, ...] = (64,)


class FakeBench(Benchmark):
    Params = BenchParams

    def __iter__(self) -> Iterator[Sample]:
        return iter(())

    def fingerprint(self) -> str:
        return ""
