"""`gedit_v2`: GEditBench v2, 1,200 users' wishes in 23 tasks, one of them open.

Reads the Parquet files of GEditBench-v2/GEditBench-v2, or downloads them. The group is the column `task`, or what
stands before the number in `key` where there is no such column. Tasks that refer to a picture give it as the source.

Needs pyarrow (the extra `parquet`). Licence: the repository has none; see the data's page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from editeval.benchmarks._published import BenchmarkCard, PublishedBenchmark, PublishedParams
from editeval.types import Sample

_NUMBER = re.compile(r"_\d+\Z")


@dataclass(frozen=True, slots=True)
class GEditV2Params(PublishedParams):
    """Parameters of `gedit_v2`."""

    repo: str = "GEditBench-v2/GEditBench-v2"


class GEditV2(PublishedBenchmark):
    """GEditBench v2."""

    Params = GEditV2Params
    fields: ClassVar[Mapping[str, str]] = {"image": "source_image", "instruction": "instruction"}
    id_template = "{key}"
    files_wanted = ("data/*.parquet",)
    card = BenchmarkCard(
        title="GEditBench v2",
        size="1,200 samples, 23 tasks",
        homepage="https://github.com/ZhangqiJiang07/GEditBench_v2",
        hub="GEditBench-v2/GEditBench-v2",
        licence="the repository has none; see the data's page",
        citation="Jiang et al., GEditBench v2: A Human-Aligned Benchmark for General Image Editing, arXiv:2603.28547",
        protocol="gedit_v2",
        counts={"all": 1200},
        layouts=("{key}.png",),
    )

    def adapted(self, group: str, sample: Sample) -> Sample | None:
        del group
        task = sample.metadata.get("task") or _NUMBER.sub("", str(sample.metadata["key"]))
        return replace(sample, category=str(task))
