"""`unicbench`: UnicBench, 1,100 edits in 22 groups, with instructions in English and in Chinese.

Reads Parquet or Arrow files of xiaotanhua/UnicBench, or downloads them; or `test_data.jsonl` of the authors'
repository, with `images` where the folder `images` lies. A group is a subtask with `_` for blanks, as in the names of
their folders.

Needs pyarrow but for the JSONL (the extra `parquet`). Licence of the repository: Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from editeval.benchmarks._official_files import OfficialBenchmark, OfficialParams, RecordsOf
from editeval.benchmarks._published import BenchmarkCard
from editeval.types import Benchmark, Sample

_GROUPS = (
    *("Background_Change", "Lens_Zooming", "Style_Transfer", "Tone_Transformation", "Viewpoint_Transformation"),
    *("Color_Alteration", "Material_Modification", "Motion_Change", "Shape-Size_Alteration", "Texture_Editing"),
    *("Compound_Operation_Edits", "Implicit_Change_Edits", "Multi-object_Coordination", "Relation_Change"),
    *("Spatial_Reasoning_Edits", "Counting_Change", "Object_Extraction", "Portrait_Editing", "Subject_Addition"),
    *("Subject_Removal", "Subject_Replacement", "Text_Modification"),
)
_FILES = ("test_data.jsonl", "data/test_data.jsonl")


@dataclass(frozen=True, slots=True)
class UnicBenchParams(OfficialParams):
    """Parameters of `unicbench`."""

    repo: str = "xiaotanhua/UnicBench"
    language: Literal["en", "cn", "both"] = "en"
    """Of the instructions."""


class UnicBench(OfficialBenchmark):
    """UnicBench."""

    Params = UnicBenchParams
    fields: ClassVar[Mapping[str, str]] = {"category": "subtask"}
    card = BenchmarkCard(
        title="UnicBench",
        size="1,100 samples in English and in Chinese, 22 groups of 50 in 4 tasks",
        homepage="https://github.com/WeChatCV/UnicBench",
        hub="xiaotanhua/UnicBench",
        licence="Apache-2.0 (code and prompts); data: see their page",
        citation="UnicEdit-10M and UnicBench, arXiv:2512.02790, 2025",
        protocol="unicbench",
        counts={f"{language}/{name}": 50 for language in ("en", "cn") for name in _GROUPS},
        layouts=("{category}/{language}/{key}.png",),
    )

    def readers(self, root: Path) -> Mapping[str, Benchmark]:
        languages = ("en", "cn") if self.params.language == "both" else (self.params.language,)
        if root.suffix == ".jsonl" or any((root / name).is_file() for name in _FILES):
            at = self.annotations(root, _FILES)
            roles = {"category": "subtask", "image": "image_path"}
            return {name: RecordsOf(at, {**roles, "instruction": name}, "{subtask}/{key}") for name in languages}
        roles = {"category": "subtask", "image": "image"}
        return {name: self.table(root, {**roles, "instruction": name}, "{subtask}/{key}") for name in languages}

    def adapted(self, group: str, sample: Sample) -> Sample | None:
        name = sample.id.replace(" ", "_")
        category, cluster = sample.category.replace(" ", "_"), str(sample.metadata["key"])  # each image has one key
        return replace(sample, id=f"{group}/{name}", category=category, cluster=cluster, language=group)

    def expected(self) -> Mapping[str, int]:
        wanted = self.params.language
        return {name: n for name, n in self.card.counts.items() if wanted in ("both", name.partition("/")[0])}
