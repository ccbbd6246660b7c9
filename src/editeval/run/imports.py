"""Edits made elsewhere: the file of every sample, its digest, and what is missing, surplus or another file by now.

A run belongs to the very files that it was made of. An edit on record whose file is another one, or gone, makes it
another run (which takes over everything that is the same); a file that has come since is edited when the run goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from editeval import images
from editeval.benchmarks._files import FolderImage
from editeval.errors import ConfigError, EditevalError, ImageError, Reason
from editeval.run.layouts import filled, find_files, named
from editeval.store import lineage
from editeval.store.run_store import RunStore
from editeval.text import one_line
from editeval.types import Benchmark, Editor, PluginParams, Sample

NUM_THREADS = 8
FOLDER = "diffusion_model.params.folder"
_UNREADABLE = "unreadable"  # stands for the digest of a file that cannot be read


class MissingEditError(EditevalError):
    """There is no file for this sample."""

    reason = Reason.MISSING


class ChangedEditError(EditevalError):
    """The file is not the one that was found when the run began."""

    reason = Reason.SOURCE_CHANGED


@dataclass(frozen=True, slots=True)
class FoundEdits:
    """The files that were found for the wanted samples. `digests` has all of these; "" stands for no file."""

    folder: str
    how: str  # they are named
    files: Mapping[str, FolderImage]
    digests: Mapping[str, str]
    looked_for: Mapping[str, str]  # names of files that are not there, without ending, where a pattern gives them
    surplus: Sequence[str]  # files of no sample of the benchmark

    @property
    def missing(self) -> list[str]:
        """Wanted samples without a file."""
        return [sample_id for sample_id, digest in self.digests.items() if not digest]

    def read(self, sample_id: str) -> bytes:
        """The encoded edit. Raises MissingEditError, ChangedEditError or ImageError."""
        file = self.files.get(sample_id)
        if file is None:
            name = self.looked_for.get(sample_id)
            raise MissingEditError(f"no file for it in {self.folder}{f': looked for {name}.png' if name else ''}")
        data = file.read()
        if images.sha256(data) != self.digests[sample_id]:
            raise ChangedEditError(f"{file.path}: changed while this run works; the same command begins again with it")
        return data

    def notes(self) -> list[str]:
        """What was recognised, missing and surplus, a line each."""
        total, missing = len(self.digests), self.missing
        found = [f"edits made elsewhere, {self.folder}: {self.how}; {total - len(missing)} of {total} samples have one"]
        if missing:
            found.append(f"missing: {len(missing)} of {total} samples have no edit: {named(missing)}")
        if self.surplus:
            are = "is" if len(self.surplus) == 1 else "are"
            found.append(f"surplus: {len(self.surplus)} {are} of no sample: {named(self.surplus)}")
        return [one_line(note) for note in found]


def found_edits(
    editor: type[Editor], params: PluginParams, benchmark: Benchmark, wanted: Sequence[Sample]
) -> FoundEdits | None:
    """The files of the `wanted` samples, all of them hashed; None for an editor that makes its edits itself.

    Raises ConfigError or BenchmarkError, in one line, for a folder that has no edits of this benchmark.
    """
    if not editor.is_import:
        return None
    everything = list(benchmark)
    layouts: Sequence[str] = getattr(getattr(benchmark, "card", None), "layouts", ())
    if not params.folder:
        raise ConfigError(f"{FOLDER}: missing; name the folder with the edits")
    found = find_files(params.folder, params.layout, params.name, layouts, everything)
    ids = [sample.id for sample in wanted]
    with ThreadPoolExecutor(NUM_THREADS, "import") as executor:
        digests = dict(zip(ids, executor.map(lambda key: _digest(found.files.get(key)), ids), strict=True))
    named_by = {s.id: filled(found.pattern, s) for s in wanted if found.pattern and not digests[s.id]}
    looked_for = {key: found.prefix + name for key, name in named_by.items() if name is not None}
    return FoundEdits(params.folder, found.how, found.files, digests, looked_for, found.surplus)


def _digest(file: FolderImage | None) -> str:
    if file is None:
        return ""
    try:
        return images.sha256(file.read())
    except ImageError:
        return _UNREADABLE


def record(found: FoundEdits | None, store: RunStore) -> None:
    """The run knows these files from now on. Failed edits whose file has come, or is another one, are pending again."""
    if found is None:
        return
    known = lineage.files_of_edits(store)
    failed = {edit.sample_id: edit for edit in store.edits(wanted_only=False) if edit.path is None}
    moved = [key for key in failed if key in found.digests and known.get(key, ("", ""))[1] != found.digests[key]]
    later = [key for key, edit in failed.items() if edit.error and edit.error.reason == Reason.PREVIOUS_TURN]
    store.forget_edits(list(dict.fromkeys([*moved, *later])) if moved else [])
    now = {key: (found.files[key].name if digest else "", digest) for key, digest in found.digests.items()}
    said = {"folder": found.folder, "how": found.how, "num_surplus": len(found.surplus), "files": {**known, **now}}
    store.set_fact(lineage.FILES, json.dumps(said, sort_keys=True))


def run_block(store: RunStore) -> dict[str, object]:
    """What report.json says of a run whose edits were made elsewhere, in place of editor, devices and policy."""
    said = lineage.about_files(store)
    if not said:
        return {}
    params = store.manifest["identity"].get("params")
    name = params.get("name") if isinstance(params, Mapping) else ""
    missing = sum(not digest for _, digest in lineage.files_of_edits(store).values())
    counts = {"num_missing": missing, "num_surplus": said.get("num_surplus", 0)}
    block = {"folder": str(said.get("folder", "")), "how": str(said.get("how", "")), **counts}
    return {"imported": block, "editor": str(name or "imported"), "policy": None, "devices": [], "edits_by_policy": []}


def timing(seconds: Mapping[str, float], store: RunStore) -> dict[str, float]:
    """The times of a run; without those of editing where that was reading files, which says nothing about a model."""
    is_import = bool(lineage.about_files(store))
    return {name: value for name, value in seconds.items() if not (is_import and name in ("edit_s", "both_s"))}


def title(files: FoundEdits | None, name: str) -> str:
    """What the edit stage is called while it works and in `status`."""
    return name if files is None else f"edits made elsewhere: {files.folder}"
