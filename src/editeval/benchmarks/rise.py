"""`rise`: RISEBench, 360 edits that ask for temporal, causal, spatial or logical reasoning.

`path` is the folder with datav2_total_w_subtask.json and data.zip (or `data`, extracted from it), as the Hub has it;
or that file, with `images` where they are elsewhere. The first release, data_total.json with 64 edits, is read as well.
The right answer is the sample's reference text (`reference`, or `reference_txt` of logical edits) or its reference
(`reference_img`), for the judge. The flags consistency_free, reasoning_img and reasoning_wo_ins are in the metadata of
every sample: false where the data leave them out, or hold null or NaN.

The repository has no licence. Cost: 294 MB of download.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from editeval.benchmarks._json_stream import JsonRecord
from editeval.benchmarks._official_files import OfficialBenchmark, OfficialParams, RecordsOf, one_of
from editeval.benchmarks._published import BenchmarkCard
from editeval.errors import BenchmarkError
from editeval.types import Benchmark, Sample

GROUPS: Mapping[str, int] = {
    "temporal_reasoning": 85,
    "causal_reasoning": 90,
    "spatial_reasoning": 100,
    "logical_reasoning": 85,
}
FLAGS = ("consistency_free", "reasoning_img", "reasoning_wo_ins")
_FULL = ("datav2_total_w_subtask.json", "data/datav2_total_w_subtask.json")
_FIRST = ("data_total.json", "data/data_total.json")
_NUM_FIRST = 64


@dataclass(frozen=True, slots=True)
class RiseParams(OfficialParams):
    """Parameters of `rise`."""

    repo: str = "PhoenixZ/RISEBench"


class Rise(OfficialBenchmark):
    """RISEBench."""

    Params = RiseParams
    image_archives = ("data.zip",)
    files_wanted = ("datav2_total_w_subtask.json", "data.zip")
    fields: ClassVar[Mapping[str, str]] = {
        "id": "index",
        "image": "image",
        "references": "reference_img",
        "instruction": "instruction",
        "category": "category",
        "reference_text": "answer",
    }
    card = BenchmarkCard(
        title="RISEBench",
        size="360 samples, 4 groups, 16 subtasks",
        homepage="https://github.com/PhoenixZ810/RISEBench",
        hub="PhoenixZ/RISEBench",
        licence="the repository has none; see the data's page",
        citation="Zhao et al., Envisioning Beyond the Pixels: Benchmarking Reasoning-Informed Visual Editing, "
        "arXiv:2504.02826, 2025",
        protocol="rise",
        counts=GROUPS,
        layouts=("images/{category}/{index}.png", "{category}/{index}.png"),
    )

    def readers(self, root: Path) -> Mapping[str, Benchmark]:
        at = self.annotations(root, (*_FULL, *_FIRST), ("data",))
        return {"": RecordsOf(at, self.fields, "", _rows)}

    def adapted(self, group: str, sample: Sample) -> Sample | None:
        del group
        flags = {flag: bool(sample.metadata.get(flag, False)) for flag in FLAGS}
        metadata = {name: value for name, value in sample.metadata.items() if name != "answer"}
        return replace(sample, language="en", metadata={**metadata, **flags})

    def differs(self) -> tuple[str, ...]:
        """As every benchmark says it; the first release by its name."""
        if len(list(self)) == _NUM_FIRST and not any("subtask" in sample.metadata for sample in self):
            return ("RISEBench-64, the first release, with 64 of 360 samples",)
        return super().differs()


def _rows(where: str, record: JsonRecord) -> Iterator[JsonRecord]:
    """The record with its right answer in one place. Raises BenchmarkError for one that has none."""
    value = record.value
    group = one_of(where, "category", value.get("category"), GROUPS)
    wanted = ("reference_txt", "reference_img") if group == "logical_reasoning" else ("reference", "reference_img")
    if not any(value.get(name) for name in wanted):
        raise BenchmarkError(f"{where}: expected {' or '.join(wanted)} of {group}, found neither; fix the data")
    yield replace(record, value={**value, "answer": value.get(wanted[0])})
