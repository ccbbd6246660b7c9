"""Which file of a folder is the edit of which sample: layouts of file names, lists of files, galleries of the Hub.

A layout is a pattern of relative names: "{task_type}/{language}/{key}.png". Its fields are id, category, language,
subset and the sample's metadata; the ending stands for any of SUFFIXES. An id that is a file name, "0.png", is looked
for as it is ("0.png.png") and then as {stem} ("0.png"). Only what the folder itself lists is ever opened: a field that
holds "../" matches nothing.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from editeval.benchmarks._files import FolderImage, ImageDirectory, is_inside, lines, name_problem
from editeval.errors import BenchmarkError, ConfigError
from editeval.store.run_store import relative_path
from editeval.types import Sample

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
GALLERY = "metadata.jsonl"
PLAIN, STEM, OURS = "{id}", "{stem}", "{name in edits/ of a run}"
NAMED = 5  # files and ids in a message
MAX_ENTRIES = 1_000_000
MAX_DEPTH = 24
_FIELD = re.compile(r"\{([^{}]*)\}")
_SOURCE_COPY = "_SRCIMG"  # how the authors of GEdit call the copy of the source that lies beside an edit


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """The files of samples, by id; how they are named, in words; and the names of those that belong to none."""

    how: str
    files: Mapping[str, FolderImage]
    surplus: Sequence[str] = ()
    pattern: str = ""  # empty for a list of files
    prefix: str = ""  # the folder inside the folder where the pattern begins


def find_files(folder: str, layout: str, name: str, layouts: Sequence[str], samples: Sequence[Sample]) -> FoundFiles:
    """The files in `folder` (or in the list of files that it is) of `samples`, by the first way that finds most.

    layout   the pattern that the user names; empty: `layouts` of the benchmark, then plain names
    name     of the model, where a gallery has several

    Raises ConfigError or BenchmarkError, in one line, for what cannot be read as edits of these samples.
    """
    path = Path(folder).expanduser()
    table = path / GALLERY if path.is_dir() else path
    if not path.exists():
        raise ConfigError(f"{folder}: there is no such folder; name the folder, or the .jsonl, with the edits")
    if table.suffix == ".jsonl" and table.is_file() and not layout:
        rows = _Rows.read(table, name)
        if rows.is_meant or not path.is_dir():
            return rows.matched(samples)
    if not path.is_dir():
        raise ConfigError(f"{folder}: must be a folder or a .jsonl file; unpack an archive first")
    listing = Listing.of(path)
    return _by_layout(listing, layout, samples) if layout else _recognised(listing, layouts, samples)


def named(names: Sequence[str]) -> str:
    """A few of `names`, and how many more there are."""
    more = f", and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(repr, names[:NAMED])) + more


# ------------------------------------------------------------------------------------------------ names in a folder


@dataclass(frozen=True, slots=True)
class Listing:
    """The image files in a folder and below: by name without ending, and by the last part of that."""

    root: str
    by_stem: Mapping[str, list[str]]
    by_last: Mapping[str, list[str]]

    @classmethod
    def of(cls, folder: Path) -> Listing:
        """Raises ConfigError for links that lead out, and for a folder that is too large to be one of edits."""
        root = os.path.realpath(folder)
        by_stem: dict[str, list[str]] = defaultdict(list)
        by_last: dict[str, list[str]] = defaultdict(list)
        outside: list[str] = []
        for file in _walk(root, "", outside, MAX_DEPTH):
            stem = unicodedata.normalize("NFC", file.rpartition(".")[0])
            if stem not in by_stem:
                by_last[stem.rpartition("/")[2]].append(stem)
            by_stem[stem].append(file)
            if len(by_stem) > MAX_ENTRIES:
                raise ConfigError(f"{folder}: more than {MAX_ENTRIES} images; name the folder of one model's edits")
        if outside:
            raise ConfigError(f"{folder}: links lead out of it: {named(sorted(outside))}; put the files there")
        return cls(root, by_stem, by_last)

    @property
    def names(self) -> list[str]:
        return sorted(file for files in self.by_stem.values() for file in files)


def _walk(root: str, folder: str, outside: list[str], depth: int) -> Iterator[str]:
    """Names of the images in `folder` of `root` and below; what is a link out of `root` is added to `outside`."""
    try:
        entries = sorted(os.scandir(os.path.join(root, folder)), key=lambda entry: entry.name)  # noqa: PTH118
    except OSError as error:
        raise ConfigError(f"{root}/{folder}: cannot be read: {error.strerror}; check its permissions") from error
    for entry in entries:
        name = f"{folder}/{entry.name}".lstrip("/")
        is_image = entry.name.lower().endswith(SUFFIXES)
        if entry.name.startswith(".") or not name.isprintable():
            continue
        is_outside = entry.is_symlink() and _leads_out(entry.path, root)
        if is_outside and (is_image or os.path.isdir(entry.path)):  # noqa: PTH112 - False for a link that leads nowhere
            outside.append(name)
        elif entry.is_dir(follow_symlinks=False) and depth:
            yield from _walk(root, name, outside, depth - 1)
        elif is_image and os.path.isfile(entry.path):  # noqa: PTH113 - likewise
            yield name


def _leads_out(link: str, root: str) -> bool:
    """Whether a link leads out of `root`, or to where this user may not look."""
    try:
        return not is_inside(os.path.realpath(link), root)
    except OSError:
        return True


def filled(pattern: str, sample: Sample) -> str | None:
    """The name without ending that `pattern` gives for `sample`; None if the sample lacks one of its fields."""
    if pattern == OURS:
        return relative_path(sample.id).rpartition("/")[2].removesuffix(".png")
    own = {"id": sample.id, "category": sample.category, "language": sample.language, "subset": sample.subset}
    stem = {"stem": _without_ending(sample.id)}
    values = {**stem, **sample.metadata, **{name: value for name, value in own.items() if value}}
    texts = {name: values.get(name) for name in _FIELD.findall(pattern)}
    if not all(isinstance(text, str | int) and not isinstance(text, bool) for text in texts.values()):
        return None
    return unicodedata.normalize("NFC", _FIELD.sub(lambda match: str(texts[match[1]]), _without_ending(pattern)))


def _without_ending(pattern: str) -> str:
    ending = next((suffix for suffix in SUFFIXES if pattern.lower().endswith(suffix)), "")
    return pattern[: len(pattern) - len(ending)]


def _stems(pattern: str, samples: Sequence[Sample]) -> dict[str, str]:
    """Sample -> the name that `pattern` gives. Raises ConfigError if two samples would have one file."""
    found = {sample.id: stem for sample in samples if (stem := filled(pattern, sample)) is not None}
    first: dict[str, str] = {}
    for sample_id, stem in found.items():
        if first.setdefault(stem, sample_id) != sample_id:
            both = f"{first[stem]!r} and {sample_id!r}"
            raise ConfigError(f"layout {pattern!r}: gives {both} one file, {stem!r}; use fields that tell them apart")
    return found


def _by_layout(listing: Listing, pattern: str, samples: Sequence[Sample]) -> FoundFiles:
    """By the user's pattern, from the folder itself on."""
    problem = name_problem(pattern) or ("" if _FIELD.search(pattern) else "has no field, such as {id}")
    if problem:
        raise ConfigError(f"layout: {problem}, got {pattern!r}; give relative names with fields: '{{category}}/{{id}}'")
    stems = _stems(pattern, samples)
    if not stems:
        own = {"id", "category", *(name for name in ("language", "subset") if getattr(samples[0], name))}
        known = sorted(own | {k for k, v in samples[0].metadata.items() if isinstance(v, str | int)})
        raise ConfigError(f"layout {pattern!r}: no sample has all of these fields; there are {', '.join(known)}")
    found = {sample_id: stem for sample_id, stem in stems.items() if stem in listing.by_stem}
    if found:
        return _files(listing, pattern, "", found)
    if PLAIN in pattern and any(_without_ending(sample.id) != sample.id for sample in samples):
        return _by_layout(listing, pattern.replace(PLAIN, STEM), samples)
    raise _nothing(listing, [pattern], samples)


def _recognised(listing: Listing, layouts: Sequence[str], samples: Sequence[Sample]) -> FoundFiles:
    """By the pattern that finds most, the benchmark's own before plain names; in the folder itself or one below."""
    best: tuple[int, str, dict[str, dict[str, str]]] = 0, "", {}
    for pattern in (*layouts, PLAIN, STEM, OURS):
        try:
            stems = _stems(pattern, samples)
        except ConfigError:  # a pattern that does not tell these samples apart says nothing
            continue
        places = _places(listing, stems)
        most = max(map(len, places.values()), default=0)
        best = max(best, (most, pattern, places), key=lambda one: one[0])  # of equal ones the first
    _, pattern, places = best
    if not places:
        raise _nothing(listing, [*layouts, PLAIN], samples)
    prefix = max(places, key=lambda place: (len(places[place]), place == ""))
    others = [place for place in places if place != prefix]
    if others and prefix:
        counts = ", ".join(f"{place or './'} ({len(places[place])})" for place in [prefix, *others][:NAMED])
        raise ConfigError(
            f"{listing.root}: edits in {len(places)} folders named by {pattern!r}: {counts}; name one of them"
        )
    return _files(listing, pattern, prefix, places[prefix])


def _places(listing: Listing, stems: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Folder above -> sample -> name in the listing that ends with the sample's."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for sample_id, stem in stems.items():
        for name in listing.by_last.get(stem.rpartition("/")[2], ()):
            if name == stem or name.endswith(f"/{stem}"):
                found[name[: len(name) - len(stem)]][sample_id] = name
    return found


def _files(listing: Listing, pattern: str, prefix: str, found: Mapping[str, str]) -> FoundFiles:
    files: dict[str, FolderImage] = {}
    twice: list[str] = []
    for sample_id, stem in found.items():
        names = listing.by_stem[stem]
        twice += [" and ".join(names)] if len(names) > 1 else []
        files[sample_id] = FolderImage(listing.root, names[0])
    if twice:
        raise ConfigError(f"{listing.root}: two files for one sample: {named(twice)}; remove the wrong ones")
    used = dict.fromkeys(found.values()) | {f"{stem}{_SOURCE_COPY}": None for stem in found.values()}
    surplus = sorted(file for stem, names in listing.by_stem.items() if stem not in used for file in names)
    how = "named as in `edits/` of a run" if pattern == OURS else f"layout {pattern}"
    return FoundFiles(f"{how}{f' in {prefix}' if prefix else ''}", files, surplus, pattern, prefix)


def _nothing(listing: Listing, patterns: Sequence[str], samples: Sequence[Sample]) -> BenchmarkError:
    looked = next(((p, name) for p in patterns for s in samples[:1] if (name := filled(p, s)) is not None), None)
    first = f"looked for {looked[1] + '.png'!r} (layout {looked[0]})" if looked else f"layout {patterns[0]}"
    if looked and looked[0] == PLAIN and (stem := filled(STEM, samples[0])) != looked[1]:
        first = f"looked for {looked[1] + '.png'!r} and {f'{stem}.png'!r} (layouts {PLAIN} and {STEM})"
    more = f" and by {len(patterns) - 1} more layout{'s' if len(patterns) > 2 else ''}" if len(patterns) > 1 else ""
    names = listing.names
    has = f"{len(names)} images there: {named(names)}" if names else "no image there"
    return BenchmarkError(
        f"{listing.root}: no edit of the {len(samples)} samples: {first}{more}; {has}; say how they are named: "
        "--layout PATTERN (params.layout)"
    )


# ------------------------------------------------------------------------------------------------ lists of files


@dataclass(slots=True)
class _Rows:
    """A .jsonl that says which file belongs to which sample: {id, image}, or {key, candidates: [{model, image}]}."""

    path: Path
    kind: str = ""
    images: dict[str, FolderImage] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)  # key -> line
    instructions: dict[str, str] = field(default_factory=dict)  # by which they were edited, where the rows say so
    is_meant: bool = False  # at least one row is of one of the two kinds

    @classmethod
    def read(cls, path: Path, model: str) -> _Rows:
        found, directory, models = cls(path), ImageDirectory(path.parent), Counter[str]()
        chosen: list[tuple[int, str, object]] = []
        for number, row in _json_rows(path):
            where = f"{path}:{number}"
            candidates = row.get("candidates")
            said = row.get("instruction", row.get("prompt"))
            if isinstance(said, str):
                found.instructions[str(row.get("id", row.get("key")))] = said.strip()
            if isinstance(candidates, list):
                found.kind = f"gallery {path.name}, model {model}"
                of_model = {str(c.get("model")): c.get("image") for c in candidates if isinstance(c, Mapping)}
                models.update(of_model)
                chosen += [(number, str(row.get("key")), of_model)]
            elif "image" in row and ("id" in row or "key" in row):
                found.kind = f"list of files {path.name}"
                chosen += [(number, str(row["id"] if "id" in row else row["key"]), row["image"])]
            elif path.name != GALLERY or chosen:
                raise BenchmarkError(f"{where}: must be {{id, image}} or {{key, candidates}}, got {named(sorted(row))}")
        if len(models) == 1 and model not in models:
            model = next(iter(models))
            found.kind = f"gallery {path.name}, model {model}"
        if models and model not in models:
            raise ConfigError(f"{path}: no model {model!r} in this gallery; --name one of {named(sorted(models))}")
        for number, key, image in chosen:
            found._add(directory, number, key, image.get(model) if isinstance(image, Mapping) and models else image)
        found.is_meant = bool(chosen)
        return found

    def _add(self, directory: ImageDirectory, number: int, key: str, image: object) -> None:
        where = f"{self.path}:{number}"
        name = image.get("path") if isinstance(image, Mapping) else image
        if key in self.places:
            raise BenchmarkError(f"{where}: {key!r} is in line {self.places[key]} already; keep one of them")
        self.places[key] = number
        if name is None:
            return
        if not isinstance(name, str) or not name:
            raise BenchmarkError(f"{where}: image must be a file name, got {str(name)[:80]!r}")
        found = directory.image(where, "image", name)
        if found.path.exists():
            self.images[key] = found

    def matched(self, samples: Sequence[Sample]) -> FoundFiles:
        """By the sample's id; else by its `key`, where that is no other sample's."""
        keys = Counter(str(s.metadata["key"]) for s in samples if "key" in s.metadata)
        files: dict[str, FolderImage] = {}
        used: set[str] = set()
        for sample in samples:
            key = str(sample.metadata.get("key", ""))
            name = sample.id if sample.id in self.places else key if keys[key] == 1 else sample.id
            if name in self.places:
                used.add(name)
                self._check_instruction(name, sample)
                files |= {sample.id: self.images[name]} if name in self.images else {}
        if not used:
            has = f"{len(self.places)} rows: {named(list(self.places))}" if self.places else "no row"
            raise BenchmarkError(
                f"{self.path}: no row is of the {len(samples)} samples: looked for {samples[0].id!r}; it has {has}"
            )
        return FoundFiles(self.kind, files, [key for key in self.places if key not in used])

    def _check_instruction(self, name: str, sample: Sample) -> None:
        said = self.instructions.get(name, sample.instruction.strip())
        if said != sample.instruction.strip():
            where = f"{self.path}:{self.places[name]}: {name!r} was edited by another instruction"
            raise BenchmarkError(f"{where}: {said[:80]!r} there, {sample.instruction[:80]!r} in the benchmark")


def _json_rows(path: Path) -> Iterator[tuple[int, Mapping[str, object]]]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(lines(file, path), start=1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise BenchmarkError(f"{path}:{number}: must be an object, got {line.strip()[:40]!r}")
                yield number, row
    except OSError as error:
        raise BenchmarkError(f"{path}: cannot be read: {error.strerror}; check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise BenchmarkError(f"{path}: not JSON lines of UTF-8: {error}; half a download?") from error
