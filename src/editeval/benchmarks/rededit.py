"""`rededit`: REDEdit-Bench (RedBench), 1,542 edits in 15 groups, with instructions in Chinese and in English.

`path` is the folder with redbench.jsonl and redbench/, REDEdit_Bench.tar, or redbench.jsonl itself, with `images` where
the folder or the tar file is elsewhere. Of what the Hub has, the tar file is read, and the Parquet files are not.

Licence of the data: CC BY-NC-ND 4.0: no commercial use, no changed copies. The published tables are of 1,673 edits,
of which 131 could not be published: no table can be compared with exactly. Cost: 5.6 GB of download.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from editeval.benchmarks._json_stream import JsonRecord
from editeval.benchmarks._official_files import OfficialBenchmark, OfficialParams, RecordsOf, one_of
from editeval.benchmarks._published import BenchmarkCard
from editeval.types import Benchmark, Sample

TASKS: Mapping[str, int] = {
    "add": 143,
    "adjust": 156,
    "background": 91,
    "beauty": 79,
    "color": 99,
    "compose": 100,
    "extract": 95,
    "lowlevel": 47,
    "motion": 78,
    "portrait": 102,
    "remove": 147,
    "replace": 140,
    "stylize": 92,
    "text": 123,
    "viewpoint": 50,
}
_NAMES = ("redbench.jsonl", "REDEdit_Bench/redbench.jsonl", "rededit_bench/redbench.jsonl")
_INSTRUCTION = {"cn": "a_to_b_instructions", "en": "a_to_b_instructions_eng"}


@dataclass(frozen=True, slots=True)
class RedEditParams(OfficialParams):
    """Parameters of `rededit`."""

    repo: str = "FireRedTeam/REDEdit-Bench"
    language: Literal["cn", "en"] = "cn"
    """Of the instructions; the authors' own default is Chinese."""


class RedEdit(OfficialBenchmark):
    """REDEdit-Bench in one language."""

    Params = RedEditParams
    archives = ("REDEdit_Bench.tar",)
    files_wanted = ("REDEdit_Bench.tar", "*.jsonl")
    fields: ClassVar[Mapping[str, str]] = {"image": "source", "category": "task"}
    id_template = "{task}-{id}"
    known_texts: ClassVar[Mapping[str, str]] = {"cn": "002fe78e2593c859", "en": "f4b4ff22b235fcd2"}
    card = BenchmarkCard(
        title="REDEdit-Bench",
        size="1,542 samples in Chinese and in English, 15 groups",
        homepage="https://github.com/FireRedTeam/FireRed-Image-Edit",
        hub="FireRedTeam/REDEdit-Bench",
        licence="CC BY-NC-ND 4.0 (data); the published tables are of 1,673 samples, of which 131 are not public",
        citation="Super Intelligence Team, FireRed-Image-Edit-1.0 Technical Report, arXiv:2602.13344, 2026",
        protocol="rededit",
        counts=TASKS,
        layouts=("{task}/{id}.png", "{id}.png"),
    )

    def readers(self, root: Path) -> Mapping[str, Benchmark]:
        at = self.annotations(root, _NAMES)
        inside = (name for name in ("", *at.images.folders("")) if "redbench" in at.images.folders(name))
        at = replace(at, folder=next(inside, at.folder))
        roles = {**self.fields, "instruction": _INSTRUCTION[self.params.language]}
        return {"": RecordsOf(at, roles, self.id_template, _rows)}

    def adapted(self, group: str, sample: Sample) -> Sample | None:
        del group
        return replace(sample, language=self.params.language)

    def part(self) -> str:
        return str(self.params.language)


def _rows(where: str, record: JsonRecord) -> Iterator[JsonRecord]:
    one_of(where, "task", record.value.get("task"), TASKS)
    yield record
