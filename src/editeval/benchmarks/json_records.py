"""`json_records`: one JSON file of records with base64 images, as editeval v2 had it; other names by a field map.

The file is a list of records, an object of lists (its keys are the categories), or JSONL. By default the fields are
`subset`, `src_img_b64`, `edit_instruction_en`, `original_description_en`, `original_image_path` (the id) and
`rationale_short_en`, as in RE-Edit; `fields` renames them. What is not mapped becomes metadata.

Licence: that of your data. Cost: images stay in the file until a worker needs them, so 500 MB start in about a second.
"""

from __future__ import annotations

import contextlib
import difflib
import gc
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from editeval.benchmarks._files import (
    Base64Slice,
    Base64Text,
    FolderImage,
    ImageDirectory,
    fingerprint_images,
    folder_images,
    optional_text,
    refuse_duplicates,
    required_text,
)
from editeval.benchmarks._json_stream import LONG, JsonRecord, LongString, read_records
from editeval.config.legacy import category_aliases
from editeval.errors import BenchmarkError
from editeval.types import Benchmark, ImageRef, Sample

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
    ("references", "references_path", "reference_text", "language", "subset"), ""
)
"""Roles that no field has unless `fields` names one: records of old files keep what they have as metadata."""
CHINESE: Mapping[str, str] = {
    "instruction": "edit_instruction",
    "description": "original_description",
    "rationale": "rationale_short",
}
MAX_METADATA = LONG  # characters of one metadata text; base64 of fields that are not mapped is far longer
LEFT_OUT = f"(left out: more than {MAX_METADATA} characters)"
_MAX_ESCAPED = 12  # bytes that one character takes at most
_BASE64 = re.compile(r"(?:data:[^,]*,)?[A-Za-z0-9+/=\s]+\Z")
_EXTENSION = re.compile(r"\.(?:png|jpe?g|webp)\Z", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


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
    for role in params.fields:
        if role not in FIELDS and role not in FURTHER:
            close = difflib.get_close_matches(role, [*FIELDS, *FURTHER], n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            known = ", ".join([*FIELDS, *FURTHER])
            raise BenchmarkError(f"benchmark.params.fields: no role {role!r}; {hint}known: {known}")
    if params.language not in ("en", "zh"):
        raise BenchmarkError(f"benchmark.params.language: expected 'en' or 'zh', got {params.language!r}")
    return {**FIELDS, **FURTHER, **(CHINESE if params.language == "zh" else {}), **params.fields}


def _load(params: JsonRecordsParams) -> tuple[Sample, ...]:
    path = _path(params)
    aliases = category_aliases("json_records", params.fields)
    reading = _Reading(path, _field_names(params), params.id_template, aliases)
    samples, places = [], []
    with _no_cycle_search():
        for record in read_records(path):
            places.append(record.name)
            samples.append(reading.sample(record, places[-1]))
    if not samples:
        raise BenchmarkError(f"{path}: no records; a benchmark needs at least one")
    remedy = "set fields.id to a field that is unique, or id_template (such as '{category}/{index}')"
    refuse_duplicates(str(path), [sample.id for sample in samples], places, f"{remedy} under benchmark.params")
    return tuple(samples)


@contextlib.contextmanager
def _no_cycle_search() -> Iterator[None]:
    """Loading makes objects by the 100,000 and no cycles: searching for them would take a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Reading:
    """Turns records of one file into samples, by the names that their fields have."""

    def __init__(self, path: Path, names: Mapping[str, str], id_template: str, aliases: Mapping[str, str]) -> None:
        self._path = path
        self._file = str(path)
        self._names = names
        self._id_template = id_template
        self._aliases = aliases
        self._mapped = frozenset(name for name in names.values() if name)
        self._directory = ImageDirectory(path.parent)

    def sample(self, record: JsonRecord, name: str) -> Sample:
        where = f"{self._file}: {name}"
        category = sys.intern(self._category(where, record))
        images = self._images(where, record, "image")
        if not images:
            wanted = " or ".join(repr(self._names[role]) for role in ("image", "image_path") if self._names[role])
            raise BenchmarkError(f"{where}: no image in {wanted}; fill it in, or set fields.image or fields.image_path")
        cluster = self._text(where, record, "cluster") or (images[0].name if isinstance(images[0], FolderImage) else "")
        return Sample(
            id=self._id(where, record, category),
            category=category,
            images=images,
            instruction=self._instruction(where, record),
            description=self._text(where, record, "description"),
            target=self._image(where, record, "reference"),
            mask=self._image(where, record, "mask"),
            cluster=cluster,
            metadata=self._metadata(where, record),
            references=self._images(where, record, "references"),
            reference_text=self._text(where, record, "reference_text"),
            language=self._text(where, record, "language"),
            subset=self._text(where, record, "subset"),
        )

    def _category(self, where: str, record: JsonRecord) -> str:
        category = self._text(where, record, "category")
        if record.group is None:
            if not category and self._names["category"]:
                raise BenchmarkError(
                    f"{where}: no category in {self._names['category']!r}; set fields.category ('' for none)"
                )
            return category or "all"
        if category and self._aliases.get(category, category) != self._aliases.get(record.group, record.group):
            raise BenchmarkError(
                f"{where}: stands under {record.group!r}, but its {self._names['category']!r} says {category!r}; "
                "make them agree"
            )
        return category or required_text(where, "category", record.group)

    def _id(self, where: str, record: JsonRecord, category: str) -> str:
        if self._id_template:
            return _PLACEHOLDER.sub(lambda match: self._filled(where, record, category, match[1]), self._id_template)
        raw = self._text(where, record, "id")
        if "/" in raw:
            return _EXTENSION.sub("", raw.rpartition("/")[2]) or raw
        return raw or f"{category}_{record.index}"

    def _filled(self, where: str, record: JsonRecord, category: str, name: str) -> str:
        if name == "index":
            return str(record.index)
        if name == "category":
            return category
        return required_text(where, f"{name!r} of id_template", self._loaded(where, record.value.get(name)))

    def _instruction(self, where: str, record: JsonRecord) -> str:
        name = self._names["instruction"]
        if not name:
            raise BenchmarkError("benchmark.params.fields.instruction: empty; name the field with the instruction")
        return required_text(where, f"{name!r} (instruction)", self._loaded(where, record.value.get(name)))

    def _text(self, where: str, record: JsonRecord, role: str) -> str:
        name = self._names[role]
        value = record.value.get(name) if name else None
        if value is None:
            return ""
        if isinstance(value, str) and value.isascii():
            return value
        return optional_text(where, f"{name!r} ({role})", self._loaded(where, value))

    def _image(self, where: str, record: JsonRecord, role: str) -> ImageRef | None:
        found = self._images(where, record, role)
        if len(found) > 1:
            raise BenchmarkError(f"{where}: {role} must be one image, got {len(found)}; list several as references")
        return found[0] if found else None

    def _images(self, where: str, record: JsonRecord, role: str) -> tuple[ImageRef, ...]:
        """Those of `role`, as base64 or by path; a list holds several, in order."""
        inline = [value for value in self._listed(record, role) if value]
        if inline:
            return tuple(self._inline_image(where, record, role, value) for value in inline)
        label = repr(self._names[f"{role}_path"])
        paths = [optional_text(where, label, self._loaded(where, v)) for v in self._listed(record, f"{role}_path")]
        return tuple(self._directory.image(where, label, path) for path in paths if path)

    def _listed(self, record: JsonRecord, role: str) -> list[object]:
        name = self._names[role]
        value = record.value.get(name) if name else None
        return value if isinstance(value, list) else [] if value is None else [value]

    def _inline_image(self, where: str, record: JsonRecord, role: str, value: object) -> ImageRef:
        if isinstance(value, LongString):
            return Base64Slice(self._path, value)
        if isinstance(value, str) and _BASE64.match(value):
            return Base64Text(self._path, record.name, value)
        raise BenchmarkError(
            f"{where}: {self._names[role]!r} ({role}) is not base64, got {str(value)[:60]!r}; "
            f"if it is a path, map it with fields.{role}_path; images are never fetched"
        )

    def _metadata(self, where: str, record: JsonRecord) -> dict[str, object]:
        metadata = {sys.intern(key): value for key, value in record.value.items() if key not in self._mapped}
        if not record.is_short:
            metadata = {key: self._shortened(where, value) for key, value in metadata.items()}
        rationale = self._text(where, record, "rationale")
        if rationale:
            metadata["rationale" if "rationale" not in metadata else self._names["rationale"]] = rationale
        return metadata

    def _shortened(self, where: str, value: object) -> object:
        """`value` with every text of more than MAX_METADATA characters replaced by a note that says so."""
        if isinstance(value, LongString):
            value = LEFT_OUT if value.length > _MAX_ESCAPED * MAX_METADATA else self._loaded(where, value)
        if isinstance(value, str):
            return value if len(value) <= MAX_METADATA else LEFT_OUT
        if isinstance(value, list):
            return [self._shortened(where, v) for v in value]
        if isinstance(value, dict):
            return {k: self._shortened(where, v) for k, v in value.items()}
        return value

    def _loaded(self, where: str, value: object) -> object:
        if not isinstance(value, LongString):
            return value
        try:
            return value.text(self._path)
        except (OSError, ValueError) as error:
            raise BenchmarkError(f"{where}: a text at byte {value.offset} cannot be read: {error}; fix it") from error
