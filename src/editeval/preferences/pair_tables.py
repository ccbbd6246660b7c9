"""Preference sets that are tables: which column plays which role, and how a row says who won."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from editeval.benchmarks.arrow_folder import ArrowFolder, ArrowFolderParams
from editeval.benchmarks.json_records import FIELDS, JsonRecords, JsonRecordsParams
from editeval.benchmarks.parquet import Parquet, ParquetParams
from editeval.errors import BenchmarkError
from editeval.preferences.human_data import OVERALL, HumanPair, ShownEdit, winner_of
from editeval.stats.agreement import TIE
from editeval.types import Benchmark, ImageRef, Sample

_PLACE = re.compile(r"<image_\d+>")
_RANKED = re.compile(r"\s*([A-Z])\s*([<>=])\s*([A-Z])\b")
_COMPARED = re.compile(r"([A-Z])vs([A-Z])")
_GROUP = 10  # characters of an id without "_" that name its group, as the authors cut it


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a row says besides its pictures."""

    winner: float
    dimension: str = OVERALL
    task: str = ""
    group: str = ""
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class TableLayout:
    """How the rows of a preference set are read."""

    columns: Mapping[str, str]  # role of benchmarks/_records.py -> column; both edits, in order, are its references
    verdict: Callable[[str, Sample], Verdict]
    json_columns: Mapping[str, str] = field(default_factory=dict)  # the same where the rows are JSON with paths
    id_template: str = "row {index}"

    def pairs(self, place: Path) -> list[HumanPair]:
        """Every row of the files in `place`. Raises BenchmarkError for what is no such row."""
        found = []
        for sample in self._rows(place):
            where = f"{place}: {sample.id}"
            edits = tuple(image for image in (sample.target, *sample.references) if image is not None)
            if len(edits) != 2:
                raise BenchmarkError(f"{where}: must have two edits, got {len(edits)}; see docs/certificate.md")
            told = self.verdict(where, sample)
            a, b = (self._edit(sample, edit) for edit in edits)
            found.append(HumanPair(sample.id, a, b, told.winner, told.dimension, told.task, told.group, told.cluster))
        return found

    def _edit(self, sample: Sample, edited: ImageRef) -> ShownEdit:
        return ShownEdit(sample.images, _without_places(sample), edited, language=sample.language)

    def _rows(self, place: Path) -> Benchmark:
        if place.is_file() and place.suffix in (".json", ".jsonl"):
            return self._records(place)
        folder = place if place.is_dir() else place.parent
        if place.is_file() or _has(folder, "*.parquet"):
            return Parquet(ParquetParams(str(place), self.columns, self.id_template))
        arrow = sorted({file.parent for file in folder.rglob("*.arrow")})
        if len(arrow) == 1:
            return ArrowFolder(ArrowFolderParams(str(arrow[0]), "", self.columns, self.id_template))
        listed = sorted(file for file in (*folder.glob("*.json"), *folder.glob("*.jsonl"))) if self.json_columns else []
        if len(listed) != 1:
            kinds = "a Parquet file, an Arrow folder" + (" or one JSON file" if self.json_columns else "")
            got = f"{len(arrow)} Arrow folders" if arrow else f"{len(listed)} JSON files" if listed else "none of it"
            raise BenchmarkError(f"--path {place}: must hold {kinds}, got {got}; name the file or the folder")
        return self._records(listed[0])

    def _records(self, file: Path) -> Benchmark:
        if not self.json_columns:
            raise BenchmarkError(f"--path {file}: this data set has no JSON form; name its Parquet or Arrow files")
        names = {**dict.fromkeys(FIELDS, ""), **self.json_columns}
        return JsonRecords(JsonRecordsParams(str(file), names, id_template=self.id_template))


def _has(folder: Path, pattern: str) -> bool:
    return any(True for _ in folder.rglob(pattern))


def _without_places(sample: Sample) -> str:
    """The instruction, in which a picture's place in the text is called by its number, or by nothing if it is alone."""
    if len(sample.images) == 1:
        return _PLACE.sub("", sample.instruction).strip()
    numbers = iter(range(1, len(sample.images) + 1))
    return _PLACE.sub(lambda _: f"[image {next(numbers, len(sample.images))}]", sample.instruction).strip()


def _text(sample: Sample, name: str) -> str:
    value = sample.metadata.get(name)
    return str(value) if isinstance(value, str | int) else ""


def _editscore(where: str, sample: Sample) -> Verdict:
    """The first edit of a row is the better one, by the authors' word."""
    del where
    return Verdict(1.0, _text(sample, "dimension") or OVERALL, sample.category)


def _tiger(where: str, sample: Sample) -> Verdict:
    """`ranking` names edits by letters; the row's own two are those of `comparison_type`, or A and B."""
    said, compared = _RANKED.match(_text(sample, "ranking")), _COMPARED.fullmatch(_text(sample, "comparison_type"))
    letters = set(compared.groups()) if compared else {"A", "B"}
    first = compared[1] if compared else "A"
    if said is None or {said[1], said[3]} != letters:
        raise BenchmarkError(f"{where}: ranking must be as 'A>B', got {sample.metadata.get('ranking')!r}; correct it")
    better = said[1] if said[2] == ">" else said[3]
    number = _text(sample, "dataset") or sample.category
    named = _text(sample, "id")
    name = named.split("_")[0] if "_" in named else named[:_GROUP]
    return Verdict(TIE if said[2] == "=" else float(better == first), OVERALL, number, f"{number} {name}")


def _mmrb2(where: str, sample: Sample) -> Verdict:
    return Verdict(winner_of(where, _text(sample, "chosen"), "A", "B"), OVERALL, _text(sample, "prompt_source"))


def _compass(where: str, sample: Sample) -> Verdict:
    label = _text(sample, "label")
    if label not in ("preference", "tie"):
        raise BenchmarkError(f"{where}: label must be 'preference' or 'tie', got {label!r}; correct it")
    return Verdict(1.0 if label == "preference" else TIE, _text(sample, "dimension") or OVERALL)


def _vcreward(where: str, sample: Sample) -> Verdict:
    won = winner_of(where, _text(sample, "winner"), ("Image A",), ("Image B",))
    return Verdict(won, "consistency", sample.category)


def _own(where: str, sample: Sample) -> Verdict:
    told = {name: _text(sample, name) for name in ("task", "dimension", "group", "cluster")}
    won = winner_of(where, sample.metadata.get("winner"), "a", "b")
    return Verdict(won, told["dimension"] or OVERALL, told["task"], told["group"], told["cluster"])


LAYOUTS: Mapping[str, TableLayout] = {
    "editreward_bench": TableLayout(
        {
            "image": "input_image",
            "references": "output_images",
            "instruction": "instruction",
            "category": "task_type",
        },
        _editscore,
    ),
    "tiger_editreward_bench": TableLayout(
        {
            "id": "",  # says which group a row is of
            "image": "source_image",
            "reference": "candidate_1",
            "references": "candidate_2",
            "instruction": "instruction",
        },
        _tiger,
    ),
    "mmrb2": TableLayout(
        {
            "image": "prompt_images",
            "reference": "response_a_images",
            "references": "response_b_images",
            "instruction": "prompt_text",
        },
        _mmrb2,
        id_template="{pair_id}",
    ),
    "editreward_compass": TableLayout(
        {"image": "source_image", "reference": "winner", "references": "loser", "instruction": "prompt"},
        _compass,
        {
            "image_path": "source_image",
            "reference_path": "winner",
            "references_path": "loser",
            "instruction": "prompt",
        },
    ),
    "vcreward": TableLayout(
        {
            "image": "source_image",
            "references": "edited_images",
            "instruction": "instruction",
            "category": "task",
        },
        _vcreward,
        id_template="{key}",
    ),
    "own": TableLayout(
        {},
        _own,
        {
            "image_path": "source",
            "reference_path": "a",
            "references_path": "b",
            "instruction": "instruction",
            "language": "language",
        },
    ),
}
