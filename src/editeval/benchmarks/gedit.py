"""`gedit`: GEdit-Bench (v1), 606 edits in English and 606 in Chinese, in 11 groups.

Reads the folder of `save_to_disk`, Parquet or Arrow files of stepfun-ai/GEdit-Bench, or downloads them. Samples whose
source images are equal, byte for byte, share a cluster: so do an English and a Chinese instruction for one image.

Needs pyarrow (the extra `parquet`). Licence of the data: MIT. Cost: the images are read once to find
equal ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from editeval.benchmarks._published import BenchmarkCard, PublishedBenchmark, PublishedParams
from editeval.errors import ImageError
from editeval.types import Benchmark, Sample

_COUNTS = (40, 40, 40, 40, 70, 60, 60, 57, 60, 99, 40)
_GROUPS = (
    *("background_change", "color_alter", "material_alter", "motion_change", "ps_human", "style_change"),
    *("subject-add", "subject-remove", "subject-replace", "text_change", "tone_transfer"),
)


@dataclass(frozen=True, slots=True)
class GEditParams(PublishedParams):
    """Parameters of `gedit`."""

    repo: str = "stepfun-ai/GEdit-Bench"
    language: Literal["en", "cn", "both"] = "en"
    """Of the instructions. Results are published for one language at a time."""
    source: Literal["input_image", "input_image_raw"] = "input_image"
    """Which image is edited and judged: the resized one, as the authors advise, or the one before resizing."""
    intersection_only: bool = False
    """Only the samples that all of the authors' models have answered."""


class GEdit(PublishedBenchmark):
    """GEdit-Bench, version 1."""

    Params = GEditParams
    fields: ClassVar[Mapping[str, str]] = {
        "category": "task_type",
        "language": "instruction_language",
        "instruction": "instruction",
    }
    id_template = "{instruction_language}/{task_type}/{key}"  # the key alone is not unique
    card = BenchmarkCard(
        title="GEdit-Bench",
        size="606 samples in English and 606 in Chinese, 11 groups",
        homepage="https://github.com/stepfun-ai/Step1X-Edit",
        hub="stepfun-ai/GEdit-Bench",
        licence="MIT (data), Apache-2.0 (code and prompts)",
        citation="Liu et al., Step1X-Edit: A Practical Framework for General Image Editing, arXiv:2504.17761, 2025",
        protocol="gedit",
        counts={**{f"en/{name}": n for name, n in zip(_GROUPS, _COUNTS, strict=True)}, "cn": 606},
        layouts=("fullset/{task_type}/{language}/{key}.png", "{task_type}/{language}/{key}.png"),
    )

    def readers(self, root: Path) -> Mapping[str, Benchmark]:
        return {"": self.table(root, {**self.fields, "image": self.params.source})}

    def adapted(self, group: str, sample: Sample) -> Sample | None:
        is_shared = bool(sample.metadata.get("Intersection_exist"))
        if self.params.language not in ("both", sample.language) or (self.params.intersection_only and not is_shared):
            return None
        subset = "intersection" if is_shared else ""
        return replace(sample, cluster=_digest(sample), subset=subset)

    def differs(self) -> tuple[str, ...]:
        if self.params.intersection_only:  # of which no counts are published: the whole is looked at
            return GEdit(replace(self.params, intersection_only=False)).differs()
        usual = GEditParams().source
        other = () if self.params.source == usual else (f"source is {self.params.source}",)
        return (*super().differs(), *other)

    def expected(self) -> Mapping[str, int]:
        wanted = self.params.language
        return {name: n for name, n in self.card.counts.items() if wanted in ("both", name.partition("/")[0])}


def _digest(sample: Sample) -> str:
    """Of the source image as it is encoded; empty if it cannot be read, which its sample will say."""
    try:
        return hashlib.sha256(sample.image.read()).hexdigest()[:16]
    except ImageError:
        return ""
