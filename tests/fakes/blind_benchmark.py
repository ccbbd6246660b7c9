"""A folder whose fingerprint says nothing of its images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from editeval.images import FileImage
from editeval.types import Benchmark, Sample


@dataclass(frozen=True)
class BlindParams:
    path: str = ""


class BlindBenchmark(Benchmark):
    Params = BlindParams
    params: BlindParams

    def __iter__(self) -> Iterator[Sample]:
        folder = Path(self.params.path)
        for line in (folder / "manifest.jsonl").read_text().splitlines():
            row = json.loads(line)
            yield Sample(row["id"], "all", (FileImage(folder / row["image"]),), row["instruction"])

    def fingerprint(self) -> str:
        return "blind"
