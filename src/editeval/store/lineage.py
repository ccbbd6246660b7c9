"""Which run directory a command continues; and of a new one, from which earlier run it differs, and in what."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from editeval import images
from editeval.errors import ImageError, RunConflictError, UserError
from editeval.files import from_json
from editeval.store import directories, fingerprints, manifest
from editeval.store.fingerprints import Inputs, sources_digest
from editeval.store.records import Json
from editeval.store.run_store import RunStore
from editeval.text import stem_of
from editeval.types import ImageRef, Sample

CHECKED_AT = "sources checked at"
FILES = "edits made elsewhere"
"""Fact: {folder, how, num_surplus, files: sample -> [name, sha256]}; a sample without a file has two empty texts."""
EDITS_OF_OTHERS = "edits of others"  # how many the user who continued the run found in it
"""Fact: until then (unix seconds) the sources of this run's edits were found to be what was edited."""
_ID = re.compile(r"-[0-9a-f]{8}(-[1-9][0-9]*)?")


@dataclass(frozen=True, slots=True)
class WantedRun:
    """What a command asks for."""

    name: str  # of the configuration
    identity: Json
    params: Json  # of the editor, those included that a digest stands for in the identity
    inputs: Inputs
    samples: Sequence[Sample] = field(repr=False)
    files: Mapping[str, str] = field(default_factory=dict, repr=False)  # sample -> digest of an edit made elsewhere

    @property
    def ids(self) -> list[str]:
        """Run ids under which it may be found: that of the identity, and the one before weights and code were in it."""
        told = {name: value for name, value in self.identity.items() if name not in ("weights", "source")}
        return list(dict.fromkeys([manifest.run_id(self.identity), manifest.run_id(told | {"params": self.params})]))


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a run is, and what has to be said about that."""

    dir: Path
    identity: Json  # of the directory, which may be an older form of what is asked for
    previous: Path | None = None  # of a new run: the latest one of the same name
    reasons: tuple[str, ...] = ()  # of a new run: in what it differs from the previous one
    unrecorded: tuple[str, ...] = ()  # parts that a continued run has no record of
    checked_at: float = 0.0  # when its sources were looked at; 0: they were not


def choose(output_dir: Path, wanted: WantedRun, fresh: bool) -> Lineage:
    """The newest run of exactly what is wanted, or where its first will be; with `fresh`, the next one. Writes nothing.

    A run whose weights, code or source images have changed since is another one, also if its id is the same.
    """
    first = directories.find_run(output_dir, wanted.name, wanted.ids[0])
    refused: Lineage | None = None
    for run_id in () if fresh else wanted.ids:
        for directory in directories.numbered(output_dir, wanted.name, run_id):
            found = examine(directory, wanted)
            if not found.reasons:
                return found
            refused = refused or found
    if fresh:
        return Lineage(directories.find_run(output_dir, wanted.name, wanted.ids[0], fresh=True), wanted.identity)
    is_taken = refused is not None and first.exists()
    place = directories.find_run(output_dir, wanted.name, wanted.ids[0], fresh=is_taken)
    if refused is not None:
        return Lineage(place, wanted.identity, refused.dir, refused.reasons)
    previous = next(same_name(output_dir, wanted.name), None)
    return Lineage(place, wanted.identity, previous, tuple(_differences(previous, wanted)) if previous else ())


def examine(directory: Path, wanted: WantedRun, is_editing: bool = True) -> Lineage:
    """The run in `directory` as one to continue; `reasons` say why it cannot be, if it is to go on editing."""
    if not directories.is_run(directory):
        return Lineage(directory, wanted.identity)  # its beginning was cut short
    try:
        store = RunStore.read(directory)
    except UserError:
        return Lineage(directory, wanted.identity)  # whoever opens it to write says what is wrong
    with store:
        told = store.manifest["identity"]
        if not fingerprints.is_same_but_inputs(told, wanted.identity, wanted.params):
            return Lineage(directory, wanted.identity)  # another run with the same first digits, or a conflict
        if not is_editing:
            return Lineage(directory, told)
        known, now = fingerprints.recorded(store), wanted.inputs.parts
        old = store.manifest.get("inputs", {})
        reasons = [
            fingerprints.in_words(part, old, wanted.inputs.listed()) for part in fingerprints.changed(known, now)
        ]
        checked_at = time.time()
        moved = changed_samples(store, wanted.samples) if not reasons else []
        if moved:
            reasons = [_counted(len(moved), len(wanted.samples))]
        others = changed_files(store, wanted.files)
        reasons += [f"edits made elsewhere: {len(others)} of {len(wanted.files)} files"] if others else []
        return Lineage(
            dir=directory,
            identity=told,
            reasons=tuple(reasons),
            unrecorded=tuple(part for part in fingerprints.unrecorded(known, now) if part != fingerprints.COMMIT),
            checked_at=0.0 if reasons else checked_at,
        )


def given(directory: Path, wanted: WantedRun, is_editing: bool) -> Lineage:
    """The run in `directory`, named by the user. Raises RunConflictError if its edits were made with something else."""
    found = examine(directory, wanted, is_editing)
    if found.reasons and is_editing:
        what = "; ".join(found.reasons)
        raise RunConflictError(f"{directory}: changed since its edits: {what}; undo the change, or begin a new run")
    return found


def check_benchmark(directory: Path, wanted: Json, samples: Sequence[Sample]) -> None:
    """Raises RunConflictError if the run in `directory` differs from the identity `wanted` in its benchmark alone."""
    if not directories.is_run(directory):
        return
    told = manifest.read(directory / manifest.NAME)["identity"]
    if manifest.differences(told, wanted).keys() != {"benchmark"}:
        return
    with RunStore.read(directory) as store:
        what, moved = _benchmark(store, samples), changed_samples(store, samples)
    what += f", of {moved[0]!r}{' and others' if moved[1:] else ''} at least" if moved else ""
    advice = "undo the change, or `editeval run` again: it edits and judges again what changed"
    raise RunConflictError(f"{directory}: changed since its edits: {what}; {advice}")


def same_name(output_dir: Path, name: str) -> Iterator[Path]:
    """Runs of the configuration `name`, the latest first."""
    stem = stem_of(name)
    mine = [path for path in directories.all_runs(output_dir) if _ID.fullmatch(path.name.removeprefix(stem))]
    begun = [(_created_at(path), path) for path in mine if path.name.startswith(stem)]
    yield from (path for _, path in sorted(begun, reverse=True))


def _created_at(directory: Path) -> float:
    try:
        return float(manifest.read(directory / manifest.NAME)["created_at"])
    except (UserError, KeyError, TypeError, ValueError):
        return 0.0


def changed_samples(store: RunStore, samples: Sequence[Sample]) -> list[str]:
    """Ids of edited samples that are not what was edited: another instruction, another source image.

    A source that lies in a file is read again only if the file was touched since it was last known to be right.
    """
    checked_at = float(store.fact(CHECKED_AT) or 0.0)
    edited = {
        sample_id: (instruction, source, max(started_at, checked_at))
        for sample_id, instruction, source, started_at in store.query(
            "SELECT s.id, s.instruction, e.source_sha256, e.started_at FROM edits e "
            "JOIN samples s ON s.id = e.sample_id WHERE e.status = 'done'"
        )
    }
    return [s.id for s in samples if s.id in edited and _has_changed(s, *edited[s.id])]


def about_files(store: RunStore) -> dict[str, Any]:
    """What FILES says, where the run's edits were made elsewhere; else empty. A stranger's may be anything."""
    said = from_json(store.fact(FILES) or "{}")
    return said if isinstance(said, dict) and isinstance(said.get("files"), dict) else {}


def files_of_edits(store: RunStore) -> dict[str, tuple[str, str]]:
    """Sample -> (name, sha256) of the file that was found for its edit, made elsewhere; two empty texts: none was."""
    files = about_files(store).get("files", {})
    return {key: (str(pair[0]), str(pair[1])) for key, pair in files.items() if len(pair) == 2}


def changed_files(store: RunStore, now: Mapping[str, str]) -> list[str]:
    """Samples whose edit is on record, and whose file is another one now, or gone."""
    known = files_of_edits(store) if now else {}
    done = {edit.sample_id for edit in store.edits(wanted_only=False) if edit.path is not None} if now else set()
    return [key for key, digest in now.items() if key in done and known.get(key, ("", ""))[1] != digest]


def _has_changed(sample: Sample, instruction: str, source_sha256: str | None, known_at: float) -> bool:
    if sample.instruction != instruction and as_recorded(sample.instruction) != instruction:
        return True
    if sample.after or source_sha256 is None:  # a later turn follows from the one before: run/chains.py
        return False
    if not any(_may_have_changed(image, known_at) for image in sample.images):
        return False
    now = source_digest(sample)
    return now is not None and now != source_sha256


def as_recorded(text: str) -> str:
    """`text` as a ledger keeps it."""
    return text.encode("utf-8", "backslashreplace").decode()


def _may_have_changed(image: ImageRef, known_at: float) -> bool:
    """Whether a look at the content is needed. Drawings are decided by the benchmark's fingerprint."""
    if isinstance(image, images.BytesImage):
        return True
    path = images.file_of(image)
    try:
        return path is not None and path.stat().st_ctime > known_at - CLOCKS_S
    except OSError:
        return False


CLOCKS_S = 600.0
"""By how much clocks may differ, and how long before its edit a source may have been read."""


def is_stored(image: ImageRef) -> bool:
    """Whether `image` lies in a file or in memory; others are drawn, as the benchmark's fingerprint says."""
    return isinstance(image, images.BytesImage) or images.file_of(image) is not None


def source_digest(sample: Sample) -> str | None:
    """Digest of all source images of a sample; None if one cannot be read."""
    known = [digest for image in sample.images if (digest := image_digest(image)) is not None]
    return sources_digest(known) if len(known) == len(sample.images) else None


def image_digest(image: ImageRef) -> str | None:
    """SHA-256 of an encoded image; None if it cannot be read."""
    try:
        return images.sha256(image.read())
    except ImageError:
        return None


def _differences(previous: Path, wanted: WantedRun) -> Iterator[str]:
    """In what a new run differs from an earlier one of its name, part by part."""
    try:
        store = RunStore.read(previous)
    except UserError:
        return
    with store:
        told, new = store.manifest["identity"], wanted.identity
        if told.get("benchmark") != new["benchmark"]:
            yield _benchmark(store, wanted.samples)
        for name in ("editor", "seed", "version", "images"):
            if told.get(name) != new.get(name):
                yield f"{name} {told.get(name)!r}, now {new.get(name)!r}"
        params = told.get("params")
        if told.get("editor") == new["editor"] and isinstance(params, Mapping):
            listed = manifest.differences(params, fingerprints.without(wanted.params, fingerprints.weights_of(told)))
            yield from (f"{name} {a!r}, now {b!r}" for name, (a, b) in listed.items())
            known, files = fingerprints.recorded(store), store.manifest.get("inputs", {})
            for part in fingerprints.changed(known, wanted.inputs.parts):
                yield fingerprints.in_words(part, files, wanted.inputs.listed())


def _benchmark(store: RunStore, samples: Sequence[Sample]) -> str:
    """How many samples have other texts; if none has, it is their images."""
    texts = {row[0]: row[1:] for row in store.query("SELECT id, category, instruction, description FROM samples")}
    differing = sum(
        texts.get(s.id) != tuple(map(as_recorded, (s.category, s.instruction, s.description))) for s in samples
    )
    return _counted(differing, len(samples)) if differing else "benchmark: images, masks, metadata or samples"


def _counted(differing: int, total: int) -> str:
    return f"benchmark: {differing} sample{'' if differing == 1 else 's'} of {total}"
