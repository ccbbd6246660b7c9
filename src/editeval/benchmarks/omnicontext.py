"""`omnicontext`: OmniContext, pictures made of one or several given ones, 50 in each of 8 groups.

Reads Parquet or Arrow files of OmniGen2/OmniContext, or downloads them. A sample has one source image or several, in
the authors' order; their models make pictures of 1024 x 1024.

Needs pyarrow (the extra `parquet`). Licence of code and prompts: Apache-2.0; of the data: see their page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from editeval.benchmarks._published import BenchmarkCard, PublishedBenchmark, PublishedParams
from editeval.types import Sample

GROUPS = (
    *("single_character", "single_object", "multi_character", "multi_object", "multi_character_object"),
    *("scene_character", "scene_object", "scene_character_object"),
)


@dataclass(frozen=True, slots=True)
class OmniContextParams(PublishedParams):
    """Parameters of `omnicontext`."""

    repo: str = "OmniGen2/OmniContext"
    language: str = "en"
    """Of the instructions, as `instruction_language` has it: the authors' tables are of "en". Empty: all."""


class OmniContext(PublishedBenchmark):
    """OmniContext."""

    Params = OmniContextParams
    fields: ClassVar[Mapping[str, str]] = {
        "image": "input_images",
        "instruction": "instruction",
        "category": "task_type",
        "language": "instruction_language",
    }
    id_template = "{task_type}/{key}"
    card = BenchmarkCard(
        title="OmniContext",
        size="400 samples, 8 groups of 50; a sample has one source image or several",
        homepage="https://github.com/VectorSpaceLab/OmniGen2/tree/main/omnicontext",
        hub="OmniGen2/OmniContext",
        licence="Apache-2.0 (code and prompts); data: see their page",
        citation="Wu et al., OmniGen2: Exploration to Advanced Multimodal Generation, arXiv:2506.18871, 2025",
        protocol="omnicontext",
        counts={f"en/{group}": 50 for group in GROUPS},
        layouts=("fullset/{task_type}/{key}.png", "{task_type}/{key}.png"),
    )

    def adapted(self, group: str, sample: Sample) -> Sample | None:
        del group
        return sample if self.params.language in ("", sample.language) else None
