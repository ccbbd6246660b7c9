"""From records to samples, whatever the file they come from: which field plays which role, and what is refused."""

from __future__ import annotations

import contextlib
import difflib
import gc
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from editeval.benchmarks._files import (
    Base64Slice,
    Base64Text,
    ImagePlace,
    optional_text,
    refuse_duplicates,
    required_text,
)
from editeval.benchmarks._json_stream import LONG, JsonRecord, LongString
from editeval.errors import BenchmarkError
from editeval.types import ImageRef, Sample

ROLES = (
    *("id", "category", "image", "instruction", "description", "rationale", "reference", "mask", "cluster"),
    *("references", "reference_text", "language", "subset", "previous_turn"),
)
"""What a field can be for; without a map a field plays the role that it is named after."""
MAX_METADATA = LONG  # characters of one metadata text; base64 of fields that are not mapped is far longer
LEFT_OUT = f"(left out: more than {MAX_METADATA} characters)"
_MAX_ESCAPED = 12  # bytes that one character takes at most
_BASE64 = re.compile(r"(?:data:[^,]*,)?[A-Za-z0-9+/=\s]+\Z")
_EXTENSION = re.compile(r"\.(?:png|jpe?g|webp)\Z", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def field_names(roles: Mapping[str, str], fields: Mapping[str, str]) -> dict[str, str]:
    """`roles`, a role -> its usual field, with what `fields` says instead. Raises BenchmarkError for another role."""
    for role in fields:
        if role not in roles:
            hint = did_you_mean(role, roles)
            raise BenchmarkError(f"benchmark.params.fields: no role {role!r}; {hint}known: {', '.join(roles)}")
    return {**roles, **fields}


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question to put into a message; empty if nothing is near."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}? " if close else ""


def field_value(record: Mapping[str, object], name: str) -> object:
    """The field `name`; where no field is called so, what lies at this path of names and numbers: "edit.steps.0"."""
    if name in record or "." not in name:
        return record.get(name)
    found: object = record
    for step in name.split("."):
        if isinstance(found, list):
            found = found[int(step)] if step.isdecimal() and len(step) < 10 and int(step) < len(found) else None
        else:
            found = found.get(step) if isinstance(found, Mapping) else None
    return found


def read_samples(path: Path, records: Iterable[JsonRecord], reading: RecordReader) -> tuple[Sample, ...]:
    """Every record of `path` as a sample. Raises BenchmarkError for none, and for ids that occur twice."""
    samples, places = [], []
    with _no_cycle_search():
        for record in records:
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


class RecordReader:
    """Turns records of one source into samples, by the names that their fields have."""

    is_category_needed = True  # False: a record without one is of the category "all"

    def __init__(
        self,
        path: Path,
        names: Mapping[str, str],
        place: ImagePlace,
        id_template: str = "",
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        self.path = path
        self.names = names
        self.place = place
        self._id_template = id_template
        self._aliases = aliases or {}
        self._mapped = frozenset(name for name in names.values() if name)

    def sample(self, record: JsonRecord, name: str) -> Sample:
        where = f"{self.path}: {name}"
        category = sys.intern(self._category(where, record))
        images = self.images(where, record, "image")
        if not images:
            roles = [role for role in ("image", "image_path") if role in self.names]
            wanted = " or ".join(repr(self.names[role]) for role in roles if self.names[role]) or "any field"
            named = " or ".join(f"fields.{role}" for role in roles)
            raise BenchmarkError(f"{where}: no image in {wanted}; fill it in, or set {named}")
        cluster = self._text(where, record, "cluster") or getattr(images[0], "name", "")
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
            references=self.images(where, record, "references"),
            reference_text=self._text(where, record, "reference_text"),
            language=self._text(where, record, "language"),
            subset=self._text(where, record, "subset"),
            after=self._text(where, record, "previous_turn"),
        )

    def _category(self, where: str, record: JsonRecord) -> str:
        category = self._text(where, record, "category")
        if record.group is None:
            if not category and self.names["category"] and self.is_category_needed:
                raise BenchmarkError(
                    f"{where}: no category in {self.names['category']!r}; set fields.category ('' for none)"
                )
            return category or "all"
        if category and self._aliases.get(category, category) != self._aliases.get(record.group, record.group):
            raise BenchmarkError(
                f"{where}: stands under {record.group!r}, but its {self.names['category']!r} says {category!r}; "
                "make them agree"
            )
        return category or required_text(where, "category", record.group)

    def _id(self, where: str, record: JsonRecord, category: str) -> str:
        if self._id_template:
            return _PLACEHOLDER.sub(lambda match: self._filled(where, record, category, match[1]), self._id_template)
        raw = self._text(where, record, "id") or record.key
        if "/" in raw:
            return _EXTENSION.sub("", raw.rpartition("/")[2]) or raw
        return raw or f"{category}_{record.index}"

    def _filled(self, where: str, record: JsonRecord, category: str, name: str) -> str:
        if name == "index":
            return str(record.index)
        if name == "category":
            return category
        value = record.key or None if name == "key" and name not in record.value else field_value(record.value, name)
        return required_text(where, f"{name!r} of id_template", self._loaded(where, value))

    def _instruction(self, where: str, record: JsonRecord) -> str:
        name = self.names["instruction"]
        if not name:
            raise BenchmarkError("benchmark.params.fields.instruction: empty; name the field with the instruction")
        return required_text(where, f"{name!r} (instruction)", self._loaded(where, field_value(record.value, name)))

    def _text(self, where: str, record: JsonRecord, role: str) -> str:
        name = self.names[role]
        value = field_value(record.value, name) if name else None
        if value is None:
            return ""
        if isinstance(value, str) and value.isascii():
            return value
        return optional_text(where, f"{name!r} ({role})", self._loaded(where, value))

    def _image(self, where: str, record: JsonRecord, role: str) -> ImageRef | None:
        found = self.images(where, record, role)
        if len(found) > 1:
            raise BenchmarkError(f"{where}: {role} must be one image, got {len(found)}; list several as references")
        return found[0] if found else None

    def images(self, where: str, record: JsonRecord, role: str) -> tuple[ImageRef, ...]:
        """Those of `role`, as base64 or by path; a list holds several, in order."""
        inline = [value for value in self.listed(record, role) if value]
        if inline:
            return tuple(self._inline_image(where, record, role, value) for value in inline)
        label = repr(self.names[f"{role}_path"])
        paths = [optional_text(where, label, self._loaded(where, v)) for v in self.listed(record, f"{role}_path")]
        return tuple(self.place.image(where, label, path) for path in paths if path)

    def listed(self, record: JsonRecord, role: str) -> list[object]:
        name = self.names[role]
        value = field_value(record.value, name) if name else None
        return value if isinstance(value, list) else [] if value is None else [value]

    def _inline_image(self, where: str, record: JsonRecord, role: str, value: object) -> ImageRef:
        if isinstance(value, LongString):
            return Base64Slice(self.path, value)
        if isinstance(value, str) and _BASE64.match(value):
            return Base64Text(self.path, record.name, value)
        raise BenchmarkError(
            f"{where}: {self.names[role]!r} ({role}) is not base64, got {str(value)[:60]!r}; "
            f"if it is a path, map it with fields.{role}_path; images are never fetched"
        )

    def _metadata(self, where: str, record: JsonRecord) -> dict[str, object]:
        metadata = {sys.intern(key): value for key, value in record.value.items() if key not in self._mapped}
        if not record.is_short:
            metadata = {key: self._shortened(where, value) for key, value in metadata.items()}
        rationale = self._text(where, record, "rationale")
        if rationale:
            metadata["rationale" if "rationale" not in metadata else self.names["rationale"]] = rationale
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
            return value.text(self.path)
        except (OSError, ValueError) as error:
            raise BenchmarkError(f"{where}: a text at byte {value.offset} cannot be read: {error}; fix it") from error
