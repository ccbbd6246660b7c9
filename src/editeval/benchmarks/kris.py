"""`kris`: KRIS-Bench, 1,267 edits in 20 groups that ask for knowledge; 149 of them have several source images.

`path` is the folder KRIS_Bench (or the one that holds it), in which every group has a folder with annotation.json and
images, or the flat list final_data.json that BAGEL evaluates with; `images` names KRIS_Bench if it is elsewhere.
The right answer of viewpoint_change and temporal_prediction is the sample's reference, for the judge; `explain_en` is
its reference text. The frame that a sample of temporal_prediction asks for is `missing_frame` in its metadata.

Licence of the code: Apache-2.0. Cost: some 600 MB of download.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from editeval.benchmarks._json_stream import JsonRecord
from editeval.benchmarks._official_files import (
    Annotations,
    Joined,
    OfficialBenchmark,
    OfficialFiles,
    OfficialParams,
    RecordsOf,
    official_files,
    one_of,
)
from editeval.benchmarks._published import BenchmarkCard
from editeval.errors import BenchmarkError
from editeval.types import Benchmark, Sample

_OF_75 = (
    *("anomaly_correction", "humanities", "chemistry", "geography", "physics", "abstract_reasoning"),
    *("rule-based_reasoning", "multi-element_composition", "multi-instruction_execution"),
)
_OF_50 = (
    *("count_change", "color_change", "size_adjustment", "part_completion", "viewpoint_change", "position_movement"),
    *("practical_knowledge", "medicine", "mathematics"),
)
_COUNTS = {**dict.fromkeys(_OF_75, 75), **dict.fromkeys(_OF_50, 50), "temporal_prediction": 74, "biology": 68}
GROUPS: Mapping[str, int] = dict(sorted(_COUNTS.items()))
_FLAT = ("final_data.json", "kris/final_data.json")
_IMAGES = ("KRIS_Bench",)
_FRAME = re.compile(r"\d+-([1-4])\.\w+")
_FRAMES = frozenset((1, 2, 3, 4))


@dataclass(frozen=True, slots=True)
class KrisParams(OfficialParams):
    """Parameters of `kris`."""

    repo: str = "Liang0223/KRIS_Bench"


class Kris(OfficialBenchmark):
    """KRIS-Bench."""

    Params = KrisParams
    fields: ClassVar[Mapping[str, str]] = {
        "image": "ori_img",
        "references": "gt_img",
        "instruction": "ins_en",
        "reference_text": "explain_en",
        "category": "type",
    }
    id_template = "{type}/{id}"  # the id alone is unique within a group only
    known_texts: ClassVar[Mapping[str, str]] = {"": "44a081e50d9b5f49"}
    card = BenchmarkCard(
        title="KRIS-Bench",
        size="1,267 samples, 20 groups; 149 samples have 2 to 5 source images",
        homepage="https://github.com/mercurystraw/Kris_Bench",
        hub="Liang0223/KRIS_Bench",
        licence="Apache-2.0 (code and prompts); the data's page names its own",
        citation="Wu et al., KRIS-Bench: Benchmarking Next-Level Intelligent Image Editing Models, "
        "arXiv:2505.16707, 2025",
        protocol="kris",
        counts=GROUPS,
        layouts=("{id}.png",),
    )

    def readers(self, root: Path) -> Mapping[str, Benchmark]:
        folder = self._folder(root)
        if folder is None:
            names = (*_FLAT, "KRIS_Bench/count_change/annotation.json")
            flat = replace(self.annotations(root, names, _IMAGES), subfolder="type")
            return {"": RecordsOf(flat, self.fields, self.id_template, _of_list)}
        files = official_files(root)
        places = {name: f"{folder}{name}/annotation.json" for name in files.folders(folder.rstrip("/"))}
        there = [name for name, place in places.items() if files.has(place)]
        for name in there:
            one_of(str(root), "folder", name, GROUPS)
        absent = [name for name in GROUPS if name not in there]
        if absent:
            what = f"expected 20 groups with annotation.json, found {len(there)}: no {', '.join(absent)}"
            raise BenchmarkError(f"{files.path / folder}: {what}; download the rest")
        return {"": Joined([self._group(files, places[name], name) for name in GROUPS])}

    def adapted(self, group: str, sample: Sample) -> Sample | None:
        del group
        return replace(sample, language="en")

    def _folder(self, root: Path) -> str | None:
        """Where the groups' folders are, seen from `root`: "" or "KRIS_Bench/"; None: there are none."""
        if root.is_file():
            return None
        files = official_files(root)
        places = ((start, name) for start in ("", "KRIS_Bench/") for name in GROUPS)
        return next((start for start, name in places if files.has(f"{start}{name}/annotation.json")), None)

    def _group(self, files: OfficialFiles, place: str, name: str) -> RecordsOf:
        def rows(where: str, record: JsonRecord) -> Iterator[JsonRecord]:
            value = {**record.value, "type": name, "id": record.value.get("id", record.key)}
            yield _checked(where, replace(record, value=value))

        at = Annotations(files, place, files, place.rpartition(f"{name}/")[0], "type")
        return RecordsOf(at, self.fields, self.id_template, rows)


def _of_list(where: str, record: JsonRecord) -> Iterator[JsonRecord]:
    """A record of the flat list, whose images are in the folder of its group."""
    one_of(where, "type", record.value.get("type"), GROUPS)
    yield _checked(where, record)


def _checked(where: str, record: JsonRecord) -> JsonRecord:
    """With the frame that is asked for, if there is one. Raises BenchmarkError if a frame or a right answer lacks."""
    group, named = record.value["type"], record.value.get("ori_img")
    if group == "viewpoint_change" and not record.value.get("gt_img"):
        raise BenchmarkError(f"{where}: gt_img: expected the right answer of {group}, found none; fix the data")
    if group != "temporal_prediction":
        return record
    names = named if isinstance(named, list) else [named]
    frames = [int(match[1]) for name in names if (match := _FRAME.fullmatch(str(name)))]
    missing = sorted(_FRAMES - set(frames))
    if len(frames) != 3 or len(names) != 3 or len(missing) != 1:
        what = f"expected three of four frames such as 7-2.jpg, found {str(names)[:100]}"
        raise BenchmarkError(f"{where}: ori_img: {what}; fix the data")
    return replace(record, value={**record.value, "frames": frames, "missing_frame": missing[0]})
