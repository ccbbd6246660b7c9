"""`re_edit`: RE-Edit, 1,000 edits that need reasoning, in five groups.

`path` is RE-Edit.json or its folder; without it the file is downloaded. Samples, ids included, are those that
`json_records` gives for the same file. What is difficult about an edit (`rationale_short_en`) is in the metadata, as
`rationale`, and what its source shows, for the judge's questions in the authors' words, as `description`.

Licence of the code: MIT by its README; of the data: see their page. Cost: images stay in the file until wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from editeval.benchmarks._published import BenchmarkCard, PublishedBenchmark, PublishedParams
from editeval.benchmarks._records import did_you_mean
from editeval.errors import BenchmarkError
from editeval.types import Benchmark, Sample

_FILE = "RE-Edit.json"
_GROUPS = ("physical", "environmental", "cultural", "causal", "referential")


@dataclass(frozen=True, slots=True)
class ReEditParams(PublishedParams):
    """Parameters of `re_edit`."""

    repo: str = "Yixuan-Ding-ZJU/RE-Edit"


class ReEditBenchmark(PublishedBenchmark):
    """RE-Edit."""

    Params = ReEditParams
    fields: ClassVar[Mapping[str, str]] = {
        "id": "original_image_path",
        "category": "subset",
        "image": "src_img_b64",
        "instruction": "edit_instruction_en",
        "description": "original_description_en",
        "rationale": "rationale_short_en",
    }
    files_wanted = (_FILE,)
    card = BenchmarkCard(
        title="RE-Edit",
        size="1,000 samples, 5 groups",
        homepage="https://github.com/Yixuan-Ding-ZJU/RE-Edit",
        hub="Yixuan-Ding-ZJU/RE-Edit",
        licence="MIT by the README of the code; data: see their page",
        citation="Ding et al., RE-Edit, arXiv:2606.05172, 2026",
        protocol="re_edit",
        counts={"all": 1000},
        layouts=("{category}/{id}.png", "{id}.png"),
    )

    def readers(self, root: Path) -> Mapping[str, Benchmark]:
        return {"": self.records(root if root.is_file() else root / _FILE, self.fields)}

    def adapted(self, group: str, sample: Sample) -> Sample | None:
        if sample.category not in _GROUPS:
            known, hint = ", ".join(_GROUPS), did_you_mean(sample.category, _GROUPS)
            what = f"subset: expected one of {known}, got {sample.category!r}"
            raise BenchmarkError(f"{self.card.title}: sample {sample.id}: {what}; {hint}correct the data")
        return replace(sample, language="en", metadata={**sample.metadata, "description": sample.description})
