"""A run to hand in: one file from which anybody reads the same numbers again, offline, and sees what was changed.

It holds samples, hashes of edits (or the edits), prompts, raw replies, scores and the report. What it cannot show is
that the replies are those of the judge: who asks it again knows.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

from editeval.errors import ConfigError, UserError
from editeval.files import Folder, from_json
from editeval.redaction import redacted
from editeval.run import official, results
from editeval.run.controls import control_rows
from editeval.run.counted import headline
from editeval.run.index import label_of
from editeval.run.recorded import change_of_ledger, report_that_holds
from editeval.run.reparse import changes, reparse_of
from editeval.run.results import ShownScoreSet
from editeval.run.worth import as_written, stale_figures
from editeval.store import connection, manifest, packing
from editeval.store import ledger as ledgers
from editeval.store import seal as seals
from editeval.store import verify as checks
from editeval.store.packing import ABOUT, held, opened
from editeval.store.records import SampleRow
from editeval.store.run_store import EDITS, RunStore
from editeval.store.verify import Problem
from editeval.types import Summary

SCHEMA_VERSION = 1
_FILES = (manifest.NAME, ledgers.NAME, "report.json", "samples.jsonl")
_PLACE = re.compile(r"(?<![\w:/<.])(?:~|/[\w.@+-]+)(?:/[\w.@+ -]+)*/(?=[\w.@+-])|\b[a-z][a-z0-9+]*://[^\s\"']+")
_OF_REPORT = (
    *("schema_version", "badge", "subset", "warnings", "headline_metric", "coverage", "summaries", "statistics"),
    *("groups", "scales", "authors_names"),
)
_OF_RUN = (
    *("id", "name", "model", "created_at", "editor", "judge", "judging_id", "judgings", "benchmark", "num_samples"),
    *("num_seeds", "num_distinct", "subset", "languages", "subsets", "num_in_run"),
    *("official", "official_claim", "equated", "planted", "controls"),
)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a submission is found to be: sound if there is no problem."""

    model: str
    digest: str  # of all that it holds
    headline: str
    lines: Sequence[str]  # about official numbers
    num_samples: int
    num_read: int  # scores that follow from replies which were read again
    problems: Sequence[Problem]
    unknown: Sequence[str]  # what cannot be computed again, and why


# -- made ----------------------------------------------------------------------------------------------------------


def submit(store: RunStore, out: BinaryIO, with_images: bool) -> tuple[str, list[str]]:
    """(digest, remarks) of the submission of a run, which is in `out` now. UserError for a run that cannot be one."""
    _check(store)
    shown = results.shown(store)
    ids = list(dict.fromkeys(i for one in shown for i in (one.id, one.parent) if i))
    with tempfile.TemporaryDirectory(prefix="editeval-") as place, contextlib.ExitStack() as files:
        copy = Path(place, ledgers.NAME)
        with connection.translated(store.path):
            _copy(store, copy)
            packing.reduce(copy, ids, _clean, _details(store, ids))
        content = _manifest(store)
        Path(place, manifest.NAME).write_bytes(manifest.to_json(content))
        Path(place, "report.json").write_bytes(_json(_report(store)))
        with Path(place, "samples.jsonl").open("wb") as lines:
            lines.writelines(_lines(store))
        (Path(place) / EDITS).mkdir()
        with RunStore.read(Path(place)) as reduced:
            about = _about(reduced, label_of(store), with_images, Path(place))
        members = [(ABOUT, *held(_json(about)))]
        for name in _FILES:
            file, size = opened(Path(place, name))
            members.append((name, files.enter_context(file), size))
        packing.pack([*members, *_images(store)] if with_images else members, out)
    named = [text for text in _texts(store.manifest["identity"]) if _is_place(text)]
    remarks = [f"the run's identity names {text!r}, which stays in the submission" for text in named]
    return str(about["digest"]), remarks


def _check(store: RunStore) -> None:
    if not results.shown(store):
        raise UserError(f"{store.dir}: has no scores to submit; `editeval score RUN CONFIG` judges it")
    if report_that_holds(store) is None or not (store.dir / "report.json").is_file():
        raise UserError(f"{store.dir}: its report is not of what it holds now; `editeval report {store.dir}`")
    if change := change_of_ledger(store):
        raise UserError(f"{store.dir}: {change}")


def _copy(store: RunStore, path: Path) -> None:
    import sqlite3

    with contextlib.closing(sqlite3.connect(path)) as db:
        store.back_up(db)


def _manifest(store: RunStore) -> manifest.Content:
    """Identity and settings, without command lines, hosts, places and seals."""
    kept = store.manifest
    told = {name: below for name, below in kept["config"].items() if name not in ("logging", "evaluation")}
    settings: Any = _placeless(told) | {"evaluation": {"name": label_of(store)}}
    return {
        "schema_version": kept["schema_version"],
        "run_id": kept["run_id"],
        "name": kept["name"],
        "created_at": kept["created_at"],
        "identity": kept["identity"],
        "config": settings,
        "origins": {},
        "argv": [],
        "versions": kept["versions"],
        "host": {},
        "devices": [],
    }


def _report(store: RunStore) -> dict[str, object]:
    told = json.loads(store.folder.read("report.json"))
    run = {name: told["run"][name] for name in _OF_RUN if name in told["run"]}
    return {**{name: told[name] for name in _OF_REPORT if name in told}, "run": _placeless(run)}


def _lines(store: RunStore) -> Iterator[bytes]:
    for line in store.folder.read("samples.jsonl").splitlines(keepends=True):
        sample = json.loads(line)
        if error := sample["edit"].get("error"):
            error["message"] = _clean(error["message"] or "")
        yield _json(sample, indent=None)


def _details(store: RunStore, ids: Sequence[str]) -> dict[str, str]:
    """Of each score set: parameters without places; what its id follows from stays as it is."""
    kept = {one.id: dict(one.details) for one in store.judgings()}
    found = {i: {**kept[i], "params": _placeless(kept[i].get("params", {})), "inputs": {}} for i in ids}
    return {i: json.dumps(one, allow_nan=False) for i, one in found.items()}


def _images(store: RunStore) -> Iterator[tuple[str, BinaryIO, int]]:
    for edit in store.edits():
        if edit.path is not None:
            yield (edit.path, *held(store.read_edit(edit)))


def _about(store: RunStore, model: str, with_images: bool, place: Path) -> dict[str, Any]:
    """submission.json: a digest of every file, and of every sample's texts, edit and scores."""
    told = {
        "schema_version": SCHEMA_VERSION,
        "editeval": metadata.version("editeval"),
        "run_id": store.manifest["run_id"],
        "model": model,
        "with_images": with_images,
        "files": {name: _file_digest(place, name) for name in _FILES},
        "samples": {key: list(digests) for key, digests in _digests(store)},
    }
    return {**told, "digest": hashlib.sha256(seals.canonical(told)).hexdigest()}


def _file_digest(folder: Path, name: str) -> str:
    with os.fdopen(Folder(folder).open(name), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_PARTS = ("texts", "edit", "scores")


def _digests(store: RunStore) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(sample, digests of _PARTS) of every wanted sample."""
    streams = [store.rows(one.id) for one in store.judgings()] or [store.rows(None)]
    for rows in zip(*streams, strict=True):
        row: SampleRow = rows[0]
        edit = [row.status, row.sha256, row.seed, list(row.flags), row.error_reason]
        texts: list[object] = [row.category, row.cluster, row.instruction, row.description, row.language, row.subset]
        texts += [row.repeat_of, row.seed_index] if row.repeat_of else []
        scores = [[[s.metric, s.value, s.raw, s.reason] for s in one.scores.values()] for one in rows]
        yield row.id, tuple(hashlib.sha256(seals.canonical(part)).hexdigest()[:32] for part in (texts, edit, scores))


# -- verified ------------------------------------------------------------------------------------------------------


def verify(path: Path) -> Verified:
    """Every number of the submission, computed again from what it holds. Raises UserError for what is none."""
    with tempfile.TemporaryDirectory(prefix="editeval-") as place:
        folder = Path(place)
        with connection.translated(path):
            packing.unpack(path, folder)
        about = _read_about(path, folder)
        try:
            with RunStore.read(folder) as store:
                return _verified(store, about, folder)
        except UserError as error:
            raise UserError(str(error).replace(str(folder), str(path))) from error


def _read_about(path: Path, folder: Path) -> Mapping[str, Any]:
    try:
        about: Mapping[str, Any] = from_json(Folder(folder).read(ABOUT))
        version, digest = about["schema_version"], about["digest"]
        known = {name: about[name] for name in about if name != "digest"}
        files, samples, images = about["files"], about["samples"], about["with_images"]
        is_sound = isinstance(samples, dict) and isinstance(images, bool) and isinstance(files, dict)
        if not is_sound or set(files) != set(_FILES):
            raise ValueError("files, samples or with_images")
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: {ABOUT}: not what `editeval submit` writes: {error!r}") from error
    if version != SCHEMA_VERSION:
        raise UserError(f"{path}: {ABOUT}: version {version!r}, this editeval knows {SCHEMA_VERSION}; upgrade editeval")
    if digest != hashlib.sha256(seals.canonical(known)).hexdigest():
        raise UserError(f"{path}: {ABOUT}: changed since it was submitted: its digest is not that of its content")
    return about


def _verified(store: RunStore, about: Mapping[str, Any], folder: Path) -> Verified:
    shown = results.shown(store)
    problems = list(_changed(store, about, folder))
    found = checks.verify(store, results.prefixes(shown))
    has_images = about["with_images"]
    problems += [one for one in found if has_images or one.kind != "missing"]
    problems += [*stale_figures(store), *_other_ids(store)]
    unknown = as_written(store)
    unknown += [] if has_images else ["edits: only their hashes are in it (`editeval submit --with-images` adds them)"]
    num_read = 0
    for one in shown:
        number, wrong, why = _read_again(store, one)
        num_read, problems = num_read + number, problems + wrong
        unknown += [why] if why else []
    claim = official.claim_of(store, shown)
    return Verified(
        model=label_of(store),
        digest=str(about["digest"]),
        headline=_headline(headline(store, shown)) if shown else "nothing is scored",
        lines=[str(line) for line in claim["lines"]] if claim else [],
        num_samples=store.counts(None).num_wanted,
        num_read=num_read,
        problems=list(dict.fromkeys(problems)),
        unknown=unknown,
    )


def _changed(store: RunStore, about: Mapping[str, Any], folder: Path) -> Iterator[Problem]:
    """Samples and files that are not what was submitted."""
    told, found = dict(about["samples"]), dict(_digests(store))
    for key in [key for key in told if key not in found]:
        yield Problem("ledger", ledgers.NAME, f"sample {key!r} is missing", key)
    for key, digests in found.items():
        if key not in told:
            yield Problem("ledger", ledgers.NAME, f"sample {key!r} was added", key)
        elif list(digests) != told[key]:
            parts = [name for name, a, b in zip(_PARTS, digests, told[key], strict=False) if a != b]
            yield Problem("ledger", ledgers.NAME, f"{' and '.join(parts)} of {key!r} are not what was submitted", key)
    for name, digest in about["files"].items():
        if _file_digest(folder, str(name)) != digest:
            yield Problem("altered", str(name), "not the file that was submitted")
    if (store.manifest["run_id"], label_of(store)) != (about["run_id"], about["model"]):
        yield Problem("manifest", manifest.NAME, "another run's")


def _other_ids(store: RunStore) -> Iterator[Problem]:
    """Score sets whose judge, prompts or parameters are not those that their id names."""
    for one in store.judgings():
        identity = one.details.get("identity")
        if not identity or one.details.get("parent") or one.details.get("bridge"):
            continue
        if not manifest.run_id(identity).startswith(one.id[:16]):
            what = f"score set {one.id}: judge, prompts or parameters are not those that its id is made of"
            yield Problem("ledger", ledgers.NAME, what)


def _read_again(store: RunStore, one: ShownScoreSet) -> tuple[int, list[Problem], str]:
    """(scores that were read again, those that differ, why they cannot be)."""
    if one.is_equated:
        return 0, [], ""
    kept = {judging.id: judging for judging in store.judgings()}[one.id]
    try:
        reading = reparse_of(kept, None, None)
    except ConfigError:
        return 0, [], f"{one.title}: keeps no replies, its values are taken as they are"
    if reading.loaded.default_settings is not None:
        return 0, [], f"{one.title}: which questions apply is decided by the benchmark's data, which are not in it"
    try:
        found, num = changes(store, reading, control_rows(store, one.id))
    except ConfigError as error:  # the replies are not those to the protocol's questions
        return 0, [Problem("ledger", ledgers.NAME, f"{one.title}: {error}")], ""
    said = (f"{c.count} of {c.metric}: {c.what}, {c.example_id!r}: {c.before}, read again {c.after}" for c in found)
    return num, [Problem("ledger", ledgers.NAME, f"{one.title}: {text}") for text in said], ""


def _headline(whole: Summary) -> str:
    if whole.mean is None:
        return f"{whole.metric}: nothing is scored"
    low, high = whole.ci_low, whole.ci_high
    interval = "none" if low is None or high is None else f"{low:.6g} to {high:.6g}"
    return f"{whole.metric} {whole.mean:.6g}, 95 % interval {interval}, {whole.num_scored}/{whole.num_samples} scored"


# -- texts ---------------------------------------------------------------------------------------------------------


def _clean(text: str) -> str:
    """`text` without secrets, addresses, and the folders of places."""
    return redacted(_PLACE.sub("", text))


def _is_place(text: str) -> bool:
    return text.startswith(("/", "~/", "./", "../")) or "://" in text


def _placeless(value: Any) -> Any:
    """JSON values in which a place is its last word alone, an address nothing; prompts stay, `execution` goes."""
    if isinstance(value, Mapping):
        kept = {name: below for name, below in value.items() if name != "execution"}
        return {name: below if name == "words" else _placeless(below) for name, below in kept.items()}
    if isinstance(value, list | tuple):
        return [_placeless(below) for below in value]
    if isinstance(value, str) and _is_place(value):
        return "" if "://" in value else value.rstrip("/").rpartition("/")[2]
    return value


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for below in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from _texts(below)


def _json(value: object, indent: int | None = 1) -> bytes:
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    return f"{text}\n".encode("utf-8", "backslashreplace")
