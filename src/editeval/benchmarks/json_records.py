"""`json_records`: one JSON file of records with base64 images, as editeval v2 had it; other names by a field map.

The file is a list of records, an object of lists (its keys are the categories), or JSONL. By default the fields are
`subset`, `src_img_b64`, `edit_instruction_en`, `original_description_en`, `original_image_path` (the id) and
`rationale_short_en`, as in RE-Edit; `fields` renames them. What is not mapped becomes metadata.

Licence: that of your data. Cost: images stay in the file until a worker needs them, so 500 MB start in about a second.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from editeval.benchmarks._files import ImageDirectory, fingerprint_images, folder_images
from editeval.benchmarks._json_stream import read_records
from editeval.benchmarks._records import RecordReader, field_names, read_samples
from editeval.config.legacy import category_aliases
from editeval.errors import BenchmarkError
from editeval.types import Benchmark, Sample

FIELDS: Mapping[str, str] = {
    "id": "original_image_path",
    "category": "subset",
    "image": "src_img_b64",
    "image_path": "",
    "instruction": "edit_instruction_en",
    "description": "original_description_en",
    "rationale": "rationale_short_en",
    "reference": "reference_b64",
    "reference_path": "",
    "mask": "mask_b64",
    "mask_path": "",
    "cluster": "cluster",
}
FURTHER: Mapping[str, str] = dict.fromkeys(
    ("references", "references_path", "reference_text", "language", "subset", "previous_turn"), ""
)
"""Roles that no field has unless `fields` names one: records of old files keep what they have as metadata."""
CHINESE: Mapping[str, str] = {
    "instruction": "edit_instruction",
    "description": "original_description",
    "rationale": "rationale_short",
}


@dataclass(frozen=True, slots=True)
class JsonRecordsParams:
    """Parameters of `json_records`."""

    path: str = ""
    """The JSON or JSONL file; required."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Role -> field of a record, over the v2 names; "" switches a role off. Roles: see FIELDS and FURTHER. `image`,
    `reference` (the exact target), `mask` and `references` (what only the judge sees) hold base64, their `_path`
    variants a path relative to the JSON file's folder; `image` and `references` may be lists."""
    language: Literal["en", "zh"] = "en"
    """"zh" takes edit_instruction, original_description and rationale_short."""
    id_template: str = ""
    """How ids are made, such as "{task_type}/{key}": fields of the record, {category} and {index}; empty: by `id`."""


class JsonRecords(Benchmark):
    """The records of a file as samples. Everything but the pixels is checked when it is first iterated over."""

    Params = JsonRecordsParams

    def __init__(self, params: JsonRecordsParams) -> None:
        super().__init__(params)
        self._samples: tuple[Sample, ...] = ()
        self._fingerprint = ""

    def __iter__(self) -> Iterator[Sample]:
        if not self._samples:
            self._samples = _load(self.params)
        return iter(self._samples)

    def fingerprint(self) -> str:
        """Hash of the file, of the parameters that decide how it is read, and of the images it names by path."""
        if not self._fingerprint:
            files = folder_images(self)
            with _path(self.params).open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            names = sorted((r, name) for r, name in _field_names(self.params).items() if name or r not in FURTHER)
            parts = [content, names, self.params.id_template, fingerprint_images(files) if files else ""]
            self._fingerprint = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        return self._fingerprint


def _path(params: JsonRecordsParams) -> Path:
    if not params.path:
        raise BenchmarkError("benchmark.params.path: no file given; set it to the JSON file with the records")
    path = Path(params.path).expanduser()
    if not path.is_file():
        raise BenchmarkError(f"benchmark.params.path: no file {str(path)!r}; check the path")
    return path


def _field_names(params: JsonRecordsParams) -> dict[str, str]:
    if params.language not in ("en", "zh"):
        raise BenchmarkError(f"benchmark.params.language: expected 'en' or 'zh', got {params.language!r}")
    return field_names({**FIELDS, **FURTHER, **(CHINESE if params.language == "zh" else {})}, params.fields)


def _load(params: JsonRecordsParams) -> tuple[Sample, ...]:
    path = _path(params)
    aliases = category_aliases("json_records", params.fields)
    reading = RecordReader(path, _field_names(params), ImageDirectory(path.parent), params.id_template, aliases)
    return read_samples(path, read_records(path), reading)
