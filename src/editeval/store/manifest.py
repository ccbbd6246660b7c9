"""manifest.json: what a run is (its identity, which gives its id) and what it was made with."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NotRequired, TypedDict

from editeval.errors import RunConflictError
from editeval.files import Folder, from_json
from editeval.machine import versions
from editeval.machine.host import host
from editeval.store import seal as seals
from editeval.store.ledger_events import RUN
from editeval.store.records import EditSettings, Json, Listed
from editeval.text import key_part

NAME = "manifest.json"
SCHEMA_VERSION = 1
MAX_BYTES = 64_000_000
LATEST_S = 1e11  # no unix time of ours is later
_TYPES = {"name": str, "identity": dict, "config": dict, "origins": dict, "versions": dict, "host": dict}
_TYPES |= {"argv": list, "devices": list}
ABSENT = "(absent)"  # stands in a difference for what one side lacks


class Content(TypedDict):
    """What manifest.json holds."""

    schema_version: int
    run_id: str
    name: str
    created_at: float
    identity: Json
    config: Json
    origins: Mapping[str, str]
    inputs: NotRequired[Listed]  # older versions did not record it
    fresh: NotRequired[bool]
    argv: Sequence[str]
    versions: Mapping[str, str]
    host: Json
    devices: Sequence[str]
    ledger: NotRequired[str]  # "sealed": rows that its seal does not cover were written by another program
    seal: NotRequired[Mapping[str, str]]  # older versions did not make one


def identity(benchmark: str, editor: str, params: Json, seed: int) -> dict[str, object]:
    """The part of a manifest that decides whether two invocations belong to one run. JSON values only.

    `benchmark` is its fingerprint, `editor` its type. Devices, policy, limits, categories and the judge stay out.
    """
    return {"benchmark": benchmark, "editor": editor, "params": dict(params), "seed": seed}


def run_id(identity: Json) -> str:
    """SHA-256 of the canonical JSON of `identity`: keys sorted, no spaces, no NaN."""
    return hashlib.sha256(seals.canonical(identity)).hexdigest()


def sealed(content: Content) -> Content:
    """`content` with a digest of all of it, and the seal of this user on this machine."""
    content = {**content, "ledger": "sealed"} if seals.key(is_made=True) else content
    rest = _unsealed(content)
    return {
        **content,
        "seal": {"sha256": hashlib.sha256(seals.canonical(rest)).hexdigest(), "hmac": seals.seal_of(rest)},
    }


def is_own(content: Content) -> bool:
    """Whether this user wrote all of it, on this machine."""
    return seals.is_sealed(_unsealed(content), _in_seal(content, "hmac"))


def is_changed(content: Content) -> bool:
    """Whether it says itself that it was changed after it was written."""
    digest = hashlib.sha256(seals.canonical(_unsealed(content))).hexdigest()
    return "seal" in content and _in_seal(content, "sha256") != digest


def _in_seal(content: Content, name: str) -> object:
    """A part of its seal; None if there is none. A stranger's may be anything."""
    seal: object = content.get("seal")
    return seal.get(name) if isinstance(seal, Mapping) else None


def _unsealed(content: Content) -> dict[str, object]:
    return {name: value for name, value in content.items() if name != "seal"}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one invocation wants to do. A run keeps the manifest of its first; later ones become events."""

    name: str  # of the configuration; begins the directory's name
    identity: Json
    config: Json = field(default_factory=dict)  # resolved
    origins: Mapping[str, str] = field(default_factory=dict)  # key -> where its value came from
    inputs: Listed = field(default_factory=Listed)  # weights and code, file by file
    is_fresh: bool = False  # begun with --fresh: nothing is taken over from another run
    devices: Sequence[str] = ()
    argv: Sequence[str] = field(default_factory=lambda: list(sys.argv))
    versions: Mapping[str, str] = field(default_factory=versions.recorded)
    host: Json = field(default_factory=host)
    created_at: float = field(default_factory=time.time)
    command: str = RUN  # what this invocation does
    warnings: tuple[str, ...] | None = None
    editing: EditSettings | None = None  # how it edits, if it does

    @property
    def run_id(self) -> str:
        return run_id(self.identity)

    def as_dict(self) -> Content:
        """The content of manifest.json."""
        return {
            "schema_version": SCHEMA_VERSION,
            "run_id": self.run_id,
            "name": self.name,
            "created_at": self.created_at,
            "identity": dict(self.identity),
            "config": dict(self.config),
            "origins": dict(self.origins),
            "inputs": self.inputs,
            "fresh": self.is_fresh,
            "argv": list(self.argv),
            "versions": dict(self.versions),
            "host": dict(self.host),
            "devices": list(self.devices),
        }


def to_json(content: Content) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode(
        "utf-8", "backslashreplace"
    )


def read(path: Path) -> Content:
    """Content of a manifest. Raises RunConflictError if it is broken, or from a newer editeval."""
    advice = "restore it from a backup, or start over with --fresh (it deletes nothing)"
    try:
        content: Content = from_json(Folder(path.parent).read(path.name, MAX_BYTES))
        schema_version, stored_id, parts = content["schema_version"], content["run_id"], content["identity"]
        is_sound = isinstance(schema_version, int) and stored_id == run_id(parts)
        _check_types(content)
    except OSError as error:
        raise RunConflictError(f"{path}: cannot be read: {error.strerror}; {advice}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise RunConflictError(f"{path}: not a manifest: {error}; {advice}") from error
    if schema_version > SCHEMA_VERSION:
        raise RunConflictError(
            f"{path}: version {schema_version}, this editeval knows {SCHEMA_VERSION}; upgrade editeval"
        )
    if not is_sound:
        raise RunConflictError(f"{path}: altered: its identity does not give its run id; {advice}")
    return content


def _check_types(content: Content) -> None:
    """Raises TypeError or KeyError for what no editeval writes: the manifest may be a stranger's."""
    for name, kind in _TYPES.items():
        if not isinstance(content[name], kind):  # type: ignore[literal-required]
            raise TypeError(f"{name} must be {kind.__name__}")
    if not all(isinstance(content["identity"].get(name), str) for name in ("benchmark", "editor")):
        raise TypeError("identity must name a benchmark and an editor")
    if not isinstance(content["created_at"], int | float) or not 0 <= content["created_at"] < LATEST_S:
        raise TypeError("created_at must be a time")


def differences(old: Json, new: Json) -> dict[str, tuple[object, object]]:
    """{dotted key: (old, new)} of every leaf that differs; what one side lacks is shown as "(absent)"."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    keys = [*before, *(key for key in after if key not in before)]
    pairs = {key: (before.get(key, ABSENT), after.get(key, ABSENT)) for key in keys}
    # JSON texts are compared, so that a tuple is a list, as it will be when it is read back, and 1 is not true
    return {key: (a, b) for key, (a, b) in pairs.items() if json.dumps(a) != json.dumps(b)}


def _leaves(tree: Json, prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in tree.items():
        key = key_part(name) if prefix else name  # at the top are sections, or keys that are dotted already
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
