"""A run whose edits a judge compares with others: read there, checked against its ledger, and never written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from editeval.errors import ConfigError, ImageError, Reason, UserError
from editeval.store import manifest
from editeval.store.run_store import RunStore
from editeval.types import Edit

_WORD = re.compile(r"[0-9]+|[a-z]+")


class NoPairError(ImageError):
    """The other run has no edit to compare this one with."""

    reason = Reason.NO_PAIR


@dataclass(frozen=True, slots=True)
class Opponent:
    """The done edits of a run, as they are on record there."""

    store: RunStore  # closed: its pictures are read, and its ledger is not
    model: str  # the name of what made the edits
    edits: Mapping[str, tuple[str, Edit]]  # by sample: the instruction, the edit

    @classmethod
    def of(cls, directory: Path) -> Opponent:
        """Of the run in `directory`, which another process may be writing to. Raises UserError if it is none."""
        with RunStore.read(directory) as store:
            instructions = dict(store.query("SELECT id, instruction FROM samples"))
            edits = {e.sample_id: (instructions[e.sample_id], e) for e in store.edits() if e.path is not None}
            editor = store.manifest["config"].get("diffusion_model")
            params = editor.get("params") if isinstance(editor, Mapping) else None
            return cls(store, model_named(params, str(store.manifest["name"])), edits)

    @classmethod
    def read(cls, against: str) -> Opponent:
        """Of the run directory `against` of a configuration. Raises ConfigError if it is none."""
        try:
            return cls.of(Path(against).expanduser())
        except UserError as error:
            raise ConfigError(f"against: {error}; name the directory of a run of the same benchmark") from None

    @property
    def directory_name(self) -> str:
        return self.store.dir.name

    @property
    def benchmark(self) -> str:
        """Fingerprint of the benchmark that was edited."""
        return str(self.store.manifest["identity"]["benchmark"])

    @property
    def digest(self) -> str:
        """Hash of its edits: part of the identity of the scores."""
        return manifest.run_id({sample_id: edit.sha256 for sample_id, (_, edit) in sorted(self.edits.items())})[:16]

    def edit_of(self, sample_id: str, instruction: str, sources: str) -> bytes:
        """Its edit of the same sample. Raises NoPairError if there is none, ImageError if its file was altered.

        sources   digest of the source images, as `fingerprints.sources_digest` has it
        """
        theirs, edit = self.edits.get(sample_id, ("", None))
        where = f"{sample_id}: the run {self.store.dir.name}"
        if edit is None:
            raise NoPairError(f"{where} has no edit of it")
        if theirs != instruction or (edit.made is not None and edit.made.source_sha256 != sources):
            raise NoPairError(f"{where} edited another {'image' if theirs == instruction else 'instruction'}")
        return self.store.read_edit(edit)


def model_named(params: object, run: str) -> str:
    """What made the edits of a run, by its editor's parameters: the name given to an import, or the checkpoint's.

    An editor that names no model is called as its `run` is.
    """
    told = params if isinstance(params, Mapping) else {}
    names = [str(told.get(key) or "").rstrip("/") for key in ("name", "model_name", "model")]
    return next((name.rpartition("/")[2] for name in names if name), run)


def comes_first(mine: str, theirs: str) -> str:
    """Whose edit is image A where the names of the models decide: "edited" or "edited_b"."""
    return "edited" if _order(mine) <= _order(theirs) else "edited_b"


def _order(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """As GEditBench v2 sorts names: words and numbers in them one by one, numbers first."""
    words = _WORD.findall(name.lower())
    return [(not word.isdigit(), int(word) if word.isdigit() else 0, word) for word in words], name
