"""`complex_edit`: Complex-Edit, pictures that have an instruction of each of eight complexities, C1 to C8.

Reads UCSC-VLAA/Complex-Edit, or downloads it: the saved data set or Parquet files with the splits test_real and
test_syn, or folders of images with metadata.jsonl. A row is an image with all its instructions; a sample is one of
them, its group the complexity. Its key is the number of the row, or of its image. The authors' results are of one kind
of images and one complexity at a time.

Needs pyarrow (the extra `parquet`). Licence: see their page; the repository of the code has none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

from editeval.benchmarks._published import BenchmarkCard, PublishedBenchmark, PublishedParams
from editeval.errors import BenchmarkError
from editeval.types import Benchmark, Sample

_LEVELS = range(1, 9)
_NUM_REAL = 531


@dataclass(frozen=True, slots=True)
class ComplexEditParams(PublishedParams):
    """Parameters of `complex_edit`."""

    repo: str = "UCSC-VLAA/Complex-Edit"
    image_type: Literal["real", "syn", "both"] = "real"
    """Photographs, or pictures that a model made."""
    complexity: int = 8
    """1 to 8: how many simple edits the instruction holds; 0: all of them, each a group."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Role -> field, where the data have other names: `image`, `instruction`. {step} is the complexity less one."""


class ComplexEdit(PublishedBenchmark):
    """Complex-Edit."""

    Params = ComplexEditParams
    fields: ClassVar[Mapping[str, str]] = {
        "image": "image",
        "instruction": "edit.compound.{step}.compound_instruction",
    }
    card = BenchmarkCard(
        title="Complex-Edit",
        size="531 photographs, and pictures that a model made; 8 instructions each",
        homepage="https://ucsc-vlaa.github.io/Complex-Edit/",
        hub="UCSC-VLAA/Complex-Edit",
        licence="the repository of the code has none; data: see their page",
        citation="Yang et al., Complex-Edit: CoT-Like Instruction Generation for Complexity-Controllable Image Editing "
        "Benchmark, arXiv:2504.13143, 2025",
        protocol="complex_edit",
        counts={f"C{level}": _NUM_REAL for level in _LEVELS},
        layouts=("complexity_{complexity}_{image_type}/{number}.png", "{key}.png", "{number}.png"),
    )

    def readers(self, root: Path) -> Mapping[str, Benchmark]:
        if self.params.complexity not in range(9):
            what = f"must be 1 to 8, or 0 for all, got {self.params.complexity}"
            raise BenchmarkError(f"benchmark.params.complexity: {what}")
        kinds = ("real", "syn") if self.params.image_type == "both" else (self.params.image_type,)
        levels = _LEVELS if self.params.complexity == 0 else (self.params.complexity,)
        return {f"{kind}/{level}": self._split(root, kind, level) for kind in kinds for level in levels}

    def _split(self, root: Path, kind: str, level: int) -> Benchmark:
        """What reads the images of `kind`, each with its instruction of the complexity `level`."""
        names = {
            role: name.replace("{step}", str(level - 1)) for role, name in {**self.fields, **self.params.fields}.items()
        }
        for folder in (root, root / "test"):
            if (folder / kind / "metadata.jsonl").is_file():
                image = {"image_path": "file_name"} if "image" not in self.params.fields else {}
                kept = {role: name for role, name in names.items() if role != "image" or not image}
                return self.records(folder / kind / "metadata.jsonl", {"id": "file_name", **kept, **image}, "")
        if root.suffix == ".parquet" or (root / "state.json").is_file():
            other = "test_syn" if kind == "real" else "test_real"
            if other in root.name or self.params.image_type == "both":
                raise self.unlike(root.parent, f"the split 'test_{kind}' and not {root.name!r} alone,")
            return self.table(root, names, "{index}")
        return self.split(root, f"test_{kind}", names, "{index}")

    def adapted(self, group: str, sample: Sample) -> Sample | None:
        kind, _, level = group.partition("/")
        name = Path(sample.id).stem  # the number of its row, which is also what its image is called
        key, number = (f"{int(name):04}", f"{int(name):05}") if name.isdecimal() and len(name) < 10 else (name, name)
        metadata = {"key": key, "number": number, "image_type": kind, "complexity": int(level)}
        return replace(
            sample,
            id=f"{kind}/C{level}/{key}",
            category=f"C{level}",
            cluster=f"{kind}/{key}",  # the complexities of an image
            language="en",
            subset=kind if self.params.image_type == "both" else "",
            metadata=metadata,
        )

    def expected(self) -> Mapping[str, int]:
        if self.params.image_type != "real":
            return {}
        wanted = self.params.complexity
        return {name: num for name, num in self.card.counts.items() if wanted in (0, int(name[1:]))}

    def differs(self) -> tuple[str, ...]:
        """As every benchmark says it; what is published of no such part; and fields that are not the authors'."""
        return (*super().differs(), *self._unusual())

    def _unusual(self) -> Iterator[str]:
        if self.params.complexity == 0:
            yield "all complexities together, published one at a time"
        if self.params.image_type == "both":
            yield "both kinds of images together, published one at a time"
        if self.params.fields:
            yield f"fields by benchmark.params.fields: {json.dumps(self.params.fields, sort_keys=True)}"
