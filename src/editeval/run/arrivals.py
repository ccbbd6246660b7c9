"""Checkpoints that a training writes into a folder: which are there, and which of them are complete."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from editeval.errors import MachineError

MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors library itself
MAX_FILES = 20_000  # of a checkpoint; a link to the root of a disk has more
UNFINISHED = (".tmp", ".part", ".partial", ".incomplete", ".lock")  # how files end that are still being written
_WEIGHTS = ".safetensors"
_Signature = tuple[tuple[str, int, int], ...]


def natural(text: str) -> list[tuple[int, int | str]]:
    """A sort key: `step-900` before `step-1000`."""
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in re.split(r"(\d+)", text) if part]


class Arrivals:
    """What appears in `folder`: subfolders with weights, and weights files. One is taken once, when it is complete.

    Complete: between two looks no file of it was added, removed, resized or written; every weights file has the length
    that its header says; every shard that an index lists is there; no file is called as unfinished ones are.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise MachineError(f"--watch {folder}: there is no such folder; make it, or check the path")
        self._folder = folder
        self._before: dict[Path, _Signature] = {}
        self._taken: dict[Path, _Signature] = {}  # as it was then
        self.waiting: dict[Path, str] = {}  # not taken yet, or not as it is now -> why

    def look(self, taken: Sequence[Path]) -> list[Path]:
        """Those besides `taken` that are complete now and have not changed since the last look, in natural order."""
        now: dict[Path, _Signature] = {}
        found, self.waiting = [], {}
        known = set(map(os.path.realpath, taken))
        try:
            candidates = sorted(self._candidates(), key=lambda one: natural(one.name))
        except OSError as error:  # it may come back
            candidates = []
            self.waiting[self._folder] = f"the folder cannot be read: {error.strerror}"
        for path in candidates:
            try:
                now[path] = tuple((str(file), *_written(file)) for file in _files(path))
                if os.path.realpath(path) in known:
                    if self._taken.get(path, now[path]) != now[path]:
                        self.waiting[path] = "it has changed since it was taken; the same command takes it as it is now"
                    continue
                why = "it is still being written" if now[path] != self._before.get(path) else incomplete(path)
            except OSError:
                if os.path.realpath(path) in known:
                    continue
                why = "it is still being written"  # a file has gone meanwhile
            if why:
                self.waiting[path] = why
            else:
                found.append(path)
                self._taken[path] = now[path]
        self._before = now
        return found

    def _candidates(self) -> Iterator[Path]:
        for path in self._folder.iterdir():
            if path.is_dir() and not path.name.startswith("."):
                with suppress(OSError):  # one that cannot be read, or from which a file has gone meanwhile
                    if any(file.suffix == _WEIGHTS for file in _files(path)):
                        yield path
            elif path.suffix == _WEIGHTS and path.is_file():  # no pipe: opening one waits for its writer
                yield path


def incomplete(path: Path) -> str:
    """What is missing of the checkpoint (a folder, or one weights file); empty if nothing is."""
    files = _files(path)
    if len(files) > MAX_FILES:
        return f"has more than {MAX_FILES} files, too many for a model"
    for file in files:
        if file.suffix in UNFINISHED:
            return f"{file.name} is not finished"
        if file.suffix == _WEIGHTS and (why := _cut(file)):
            return f"{file.name} {why}"
        if file.name.endswith(".index.json") and (why := _absent(file)):
            return f"{file.name} {why}"
    return ""


def _files(path: Path) -> list[Path]:
    found = (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else iter((path,))
    return sorted(islice(found, MAX_FILES + 1))


def _written(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns


def _cut(file: Path) -> str:
    """Why a .safetensors is not whole: its header tells where its last tensor ends."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if not 0 < length <= MAX_HEADER:
            return "has no header"
        try:
            header = json.loads(opened.read(length))
            ends = (one["data_offsets"][1] for name, one in header.items() if name != "__metadata__")
            whole = 8 + length + max(ends, default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
            return "has a header that cannot be read"
    size = file.stat().st_size
    return "" if size == whole else f"has {size} bytes of {whole}"


def _absent(file: Path) -> str:
    """Why an index is not whole: it names a shard that is not there."""
    try:
        if file.stat().st_size > MAX_HEADER:
            return "is too large to be a list of shards"
        shards = set(map(str, json.loads(file.read_bytes())["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "cannot be read"
    missing = sorted(name for name in shards if not (file.parent / name).is_file())
    return f"lists {missing[0]}, which is not there" if missing else ""
