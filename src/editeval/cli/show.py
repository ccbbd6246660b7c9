"""`editeval show RUN SAMPLE`: everything known about one sample."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from itertools import groupby
from typing import Any

from editeval import images
from editeval.cli.console import run_dirs
from editeval.errors import ConfigError
from editeval.files import StrangeFileError, from_json
from editeval.run import results
from editeval.run.results import ShownScoreSet
from editeval.store.lineage import files_of_edits
from editeval.store.queries import SampleDetail, matching, sample_detail
from editeval.store.records import Attempt
from editeval.store.run_store import RunStore, relative_path
from editeval.text import duration, fixed, plain, printable
from editeval.types import Score

MAX_LISTED = 10
Known = Mapping[str, tuple[ShownScoreSet, bool]]
"""By id: a score set, and whether the run shows it."""


def show(options: argparse.Namespace) -> int:
    """Print the sample that SAMPLE means, or those that it matches as a glob."""
    with RunStore.read(run_dirs(options)[0]) as store:
        ids = _meant(store, options.sample)
        shown = {one.id for one in results.shown(store)}
        known = {one.id: (one, one.id in shown) for one in results.kept(store)}
        for position, sample_id in enumerate(ids):
            found = sample_detail(store, sample_id)
            file = _file(store, found)
            original = files_of_edits(store).get(sample_id)
            if options.json:
                block = _block(found, file, known) | _original(original)
                sys.stdout.write(json.dumps(block, ensure_ascii=False, allow_nan=False) + "\n")
                continue
            sys.stdout.write("\n" if position else "")
            sys.stdout.writelines(f"{line}\n" for line in _lines(found, file, known))
            if original is not None:
                where = printable(original[0]) or "no file"
                sys.stdout.write(f"original     {where}, sha256 {original[1] or 'none'}\n")
    return 0


def _meant(store: RunStore, text: str) -> list[str]:
    """Raises ConfigError if `text` means no sample, or several without saying so."""
    found = matching(store, text)
    if len(found) == 1 or (found and any(char in text for char in "*?[")):
        return found
    if found:
        listed = ", ".join(map(repr, found[:MAX_LISTED])) + (", ..." if len(found) > MAX_LISTED else "")
        raise ConfigError(f"sample {text!r}: {len(found)} samples begin so: {listed}; write more, or add * for all")
    close = difflib.get_close_matches(text, list(store.sample_ids()), n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else "`editeval export RUN --to csv` lists all"
    raise ConfigError(f"sample {text!r}: {store.dir.name} has no such sample; {hint}")


def _file(store: RunStore, found: SampleDetail) -> str:
    """What has become of the image file."""
    if found.edit is None or found.edit.path is None:
        return "none"
    try:
        data = store.folder.read(relative_path(found.sample_id))
    except (OSError, StrangeFileError) as error:
        return f"cannot be read: {error}"
    return "as recorded" if images.sha256(data) == found.edit.sha256 else "not the image that was recorded"


def _block(found: SampleDetail, file: str, known: Known) -> dict[str, Any]:
    judgings = [
        {
            "id": judging.id,
            "judge": judging.judge,
            "details": judging.details,
            "scores": [_score(s, _name_of(known[judging.id][0], s, found)) for s in scores],
        }
        | {"name": known[judging.id][0].name, "is_shown": known[judging.id][1]}
        for judging, scores in found.judgings
    ]
    values = asdict(found) | {"file": file, "judgings": judgings}
    return {name: plain(value) for name, value in values.items()}


def _original(original: tuple[str, str] | None) -> dict[str, object]:
    """What is known of the file of an edit that was made elsewhere."""
    return {} if original is None else {"origin": "imported", "original": {"file": original[0], "sha256": original[1]}}


def _score(score: Score, authors_name: str) -> dict[str, Any]:
    named = {"authors_name": authors_name} if authors_name else {}
    return asdict(score) | {"raw": decoded(score.raw)} | named


def _name_of(score_set: ShownScoreSet, score: Score, found: SampleDetail) -> str:
    """What the authors of the questions call the metric for such a sample; empty: as we do."""
    names = results.authors_names([replace(score_set, prefix="")])
    return names.get(score.metric, {}).get(found.category, "")


def decoded(raw: str) -> Any:
    """What a judge said: the value of its JSON, or the text as it is."""
    try:
        return from_json(raw)
    except ValueError:
        return raw


def _lines(found: SampleDetail, file: str, known: Known) -> Iterator[str]:
    yield f"sample       {printable(found.sample_id)}" + ("" if found.position is not None else "  (not wanted now)")
    yield f"category     {printable(found.category)}"
    if found.cluster != found.sample_id:
        yield f"cluster      {printable(found.cluster)}"
    if found.language:
        yield f"language     {printable(found.language)}"
    if found.subset:
        yield f"subset       {printable(found.subset)}"
    yield f"instruction  {printable(found.instruction)}"
    if found.description:
        yield f"description  {printable(found.description)}"
    yield from _edit_lines(found, file)
    for attempt in found.attempts:
        judge = known.get(attempt.judging_id)
        yield from _attempt_lines(attempt, judge[0].name if judge else "")
    for judging, scores in found.judgings:
        score_set, is_shown = known[judging.id]
        yield f"scores       {printable(score_set.title)}{', shown' if is_shown else ''}"
        for raw, group in groupby(scores, key=lambda score: score.raw):  # metrics of one reply share it
            for score in group:
                yield _score_line(score, _name_of(score_set, score, found))
            yield from _value_lines(decoded(raw), 6) if raw else ()


def _edit_lines(found: SampleDetail, file: str) -> Iterator[str]:
    edit = found.edit
    if edit is None:
        yield "edit         pending"
        return
    yield f"edit         {edit.status}, attempt {edit.attempt}, seed {edit.seed}"
    if edit.path is not None:
        yield f"image        {printable(edit.path)}, {edit.width} x {edit.height}, the file is {file}"
        yield f"sha256       {edit.sha256}"
    memory = f", {edit.peak_memory_gib:.2f} GiB" if edit.peak_memory_gib is not None else ""
    yield f"made         by worker {edit.worker} on {printable(edit.device)} in {duration(edit.seconds)}{memory}"
    if edit.origin:
        yield f"reused       from {printable(edit.origin)}: nothing that decides it has changed"


def _attempt_lines(attempt: Attempt, judge: str) -> Iterator[str]:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(attempt.started_at))
    where = f"worker {attempt.worker} on {printable(attempt.device)}"
    what = " ".join(word for word in (attempt.stage, printable(judge), str(attempt.attempt)) if word)
    yield f"attempt      {what}: {when}, {where}, {duration(attempt.seconds)}: " + (
        "done" if attempt.error is None else f"{printable(attempt.error.reason)}: {printable(attempt.error.message)}"
    )
    if attempt.error is not None and attempt.error.traceback:
        yield from _block_lines(attempt.error.traceback)


def _score_line(score: Score, authors_name: str) -> str:
    value = fixed(score.value) if score.value is not None else f"unscored: {printable(score.reason)}"
    return f"  {printable(score.metric):<18} {value}{f'  {authors_name}' if authors_name else ''}"


def _value_lines(value: Any, indent: int, name: str = "") -> Iterator[str]:
    """A JSON value as a person reads it: one line per entry, texts with their own line breaks."""
    head = f"{' ' * indent}{name + ': ' if name else ''}"
    if isinstance(value, Mapping):
        if name:
            yield f"{' ' * indent}{name}"
        for key, entry in value.items():
            yield from _value_lines(entry, indent + (2 if name else 0), printable(key))
    elif isinstance(value, str) and "\n" in value:
        yield head.rstrip()
        yield from _block_lines(value, indent + 2)
    elif isinstance(value, list):
        yield head + ", ".join(printable(f"{v:.4g}" if isinstance(v, float) else v) for v in value)
    else:
        yield head + printable(f"{value:.6g}" if isinstance(value, float) else value)


def _block_lines(text: str, indent: int = 6) -> Iterator[str]:
    for line in printable(text.rstrip(), keep_lines=True).split("\n"):
        yield f"{' ' * indent}{line}"
