"""`magicbrush`: MagicBrush, sessions of up to three edits, each with the authors' own result and mask.

`path` is the folder of the unpacked dev or test split (edit_sessions.json and images/), or the Parquet files of
osunlp/MagicBrush. The test split is a zip file outside the Hub, which its authors ask not to hand on. `mode: single`
edits the authors' picture at every turn, `mode: multi` what the turn before has made. The authors' result is the
sample's target; the mask is what their picture of it leaves white. Last turns are the named subset `final_turn`.

Licence of the data: CC BY 4.0. Cost: 1.5 GB of download for the dev split.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from editeval.benchmarks._json_stream import JsonRecord
from editeval.benchmarks._official_files import OfficialBenchmark, OfficialParams, RecordsOf
from editeval.benchmarks._published import BenchmarkCard
from editeval.errors import BenchmarkError
from editeval.images import decode, encode_png, file_of
from editeval.types import Benchmark, ImageRef, Sample

SPLITS: Mapping[str, int] = {"dev": 528, "test": 1053}
_SESSIONS = ("edit_sessions.json", "dev/edit_sessions.json", "test/edit_sessions.json")
_FILE_FIELDS = {"image": "input", "reference": "output", "mask": "mask", "instruction": "instruction"}
_COLUMNS = {"image": "source_img", "reference": "target_img", "mask": "mask_img", "instruction": "instruction"}


@dataclass(frozen=True, slots=True)
class MagicBrushParams(OfficialParams):
    """Parameters of `magicbrush`."""

    repo: str = "osunlp/MagicBrush"
    mode: Literal["single", "multi"] = "single"
    """What a later turn edits: the authors' result of the turn before, or ours."""


@dataclass(frozen=True, slots=True)
class WhiteArea:
    """A mask, made of a picture in which the area to edit is white or transparent."""

    picture: ImageRef

    @property
    def path(self) -> Path | None:
        return file_of(self.picture)

    def read(self) -> bytes:
        from PIL import ImageChops

        red, green, blue = decode(self.picture.read()).split()
        darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
        return encode_png(darkest.point(lambda value: 255 if value == 255 else 0))


class MagicBrush(OfficialBenchmark):
    """One split of MagicBrush."""

    Params = MagicBrushParams
    files_wanted = ("data/dev-*.parquet",)
    id_template = "{img_id}/turn{turn_index}"
    card = BenchmarkCard(
        title="MagicBrush",
        size="dev: 528 edits; test: 1,053 edits in 535 sessions",
        homepage="https://github.com/OSU-NLP-Group/MagicBrush",
        hub="osunlp/MagicBrush",
        licence="CC BY 4.0 (data); the authors ask not to hand on the unpacked test split",
        citation="Zhang et al., MagicBrush: A Manually Annotated Dataset for Instruction-Guided Image Editing, "
        "arXiv:2306.10012, 2023",
        protocol="",
        counts=SPLITS,
        layouts=("{img_id}/{img_id}_{edit}.png",),
    )

    def readers(self, root: Path) -> Mapping[str, Benchmark]:
        shard = next(iter(sorted(root.rglob("dev-*.parquet"))), None) if root.is_dir() else None
        if shard is not None:  # the training split may lie beside it
            return {"": self.table(shard.parent / "dev-*.parquet", _COLUMNS)}
        if root.suffix == ".parquet" or (root / "state.json").is_file() or (root / "dataset_dict.json").is_file():
            return {"": self.table(root, _COLUMNS)}
        at = self.annotations(root, _SESSIONS, ("images",))
        folder = at.folder if self.params.images else posixpath.join(posixpath.dirname(at.name), "images")
        at = replace(at, folder=folder, subfolder="img_id")
        return {"": RecordsOf(at, _FILE_FIELDS, self.id_template, _turns)}

    def __iter__(self) -> Iterator[Sample]:
        if not self._samples:
            self._samples = tuple(self._in_sessions(list(super().__iter__())))
        return iter(self._samples)

    def adapted(self, group: str, sample: Sample) -> Sample | None:
        del group
        mask = None if sample.mask is None else WhiteArea(sample.mask)
        return replace(sample, mask=mask, language="en", cluster=str(sample.metadata["img_id"]))

    def differs(self) -> tuple[str, ...]:
        """Whether it is neither of the two splits."""
        num = len(list(self))
        known = " or ".join(f"{count} ({split})" for split, count in SPLITS.items())
        return () if num in SPLITS.values() else (f"{known} samples expected, found {num}",)

    def _in_sessions(self, samples: list[Sample]) -> Iterator[Sample]:
        """With the turn before, where it is edited on, and with the name of the edit that the authors' script wants."""
        known = {sample.id: sample for sample in samples}
        for sample in samples:
            session, number = sample.metadata["img_id"], str(sample.metadata["turn_index"])
            if not number.isdecimal():
                raise BenchmarkError(f"{self._root}: session {session}: turn_index must be 1, 2, ..., got {number!r}")
            turn = int(number)
            is_later, is_multi = turn > 1, self.params.mode == "multi"
            absent = [n for n in range(1, turn) if f"{session}/turn{n}" not in known]
            if absent:
                what = f"expected turn {absent[0]} before turn {turn}, found none"
                raise BenchmarkError(f"{self._root}: session {session}: {what}; fix the data")
            way = "iter" if is_multi else "inde"
            metadata = {**sample.metadata, "edit": f"{way}_{turn}" if is_later else "1"}
            subset = "" if f"{session}/turn{turn + 1}" in known else "final_turn"
            sample = replace(sample, metadata=metadata, subset=subset)
            if is_later and is_multi:
                begin = known[f"{session}/turn1"].images
                sample = replace(sample, images=begin, after=f"{session}/turn{turn - 1}")
            yield sample


def _turns(where: str, record: JsonRecord) -> Iterator[JsonRecord]:
    """A turn of the session that its list is named after."""
    if record.group is None:
        raise BenchmarkError(f"{where}: expected an object of sessions, each a list of turns; fix the data")
    value = {
        **record.value,
        "img_id": record.group,
        "turn_index": record.index + 1,
        "source": record.value.get("input"),
    }
    yield replace(record, group=None, value=value)
