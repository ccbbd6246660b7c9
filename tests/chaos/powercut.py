"""Power cuts: what was written is recorded once, then the disk is rebuilt as each cut could have left it.

A strict reading of POSIX: what a file was given after its last fsync may be lost, kept, torn or kept out of order;
names made, moved or removed in a directory after its last fsync are lost from some point on. On each such disk the
same command must continue, without loss of anything that was acknowledged, to the same result.

Each disk is tried at a path of its own, which reports tell: those of a finished run are always written again here.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from chaos.family import Family, Figures, Goal, Options, Stage, conduct
from chaos.forks import Finding
from chaos.kills import recorded_of
from chaos.layer import Call, Layer, recorded
from chaos.oracle import Result, faults_of, redone
from chaos.workload import Workload

SECTOR = 512
NAMES = ("create", "rename", "unlink", "mkdir", "symlink")
CONTENT = ("data", "resize", "empty")
VARIANTS = ("lost", "kept", "names-kept", "names-lost", "torn", "reordered")


@dataclass(frozen=True, slots=True)
class Cut:
    """The power fails right after call number `at`; `variant` says what becomes of what was not on the disk yet."""

    at: int
    variant: str
    seed: int

    def __str__(self) -> str:
        return f"cut {self.at}.{self.variant}.{self.seed}"


@dataclass(slots=True)
class Disk:
    """Files by path below the watched directory, and what the program had been promised when the power failed."""

    files: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    directories: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)

    def digest(self) -> bytes:
        """Equal disks after equal promises are one experiment."""
        parts = [repr(sorted(self.directories)), repr(sorted(self.links.items())), str(len(self.acknowledged))]
        result = hashlib.blake2b("".join(parts).encode(), digest_size=16)
        for path, content in sorted(self.files.items()):
            result.update(f"{path} {len(content)} ".encode() + content)
        return result.digest()

    def write(self, root: Path) -> None:
        """It exists below `root`."""
        root.mkdir(parents=True)
        for path in sorted(self.directories):
            (root / path).mkdir(exist_ok=True)
        for path, content in self.files.items():
            (root / path).write_bytes(content)
        for path, target in self.links.items():
            (root / path).symlink_to(target)


class Recording:
    """The calls of one run, as operations on inodes and directories."""

    def __init__(self, calls: Sequence[Call], root: Path) -> None:
        self._prefix = f"{root}/"
        self._root = str(root)
        self.operations: list[tuple[str, str, int, int, bytes, str]] = []  # kind, path, inode, offset, data, new name
        self.marks: list[tuple[int, str]] = []  # (operations before it, text)
        self._inodes: dict[str, int] = {}
        self._open: dict[int, tuple[str, int]] = {}
        for call in calls:
            self._add(call)

    def _add(self, call: Call) -> None:
        if call.kind == "mark":
            self.marks.append((len(self.operations), call.path))
            return
        path = self._below(call.path)
        if path.startswith("logs"):
            return
        if call.kind in ("create", "empty", "open"):
            if call.kind == "create":
                self._inodes[path] = len(self.operations)
            self._open[call.fd] = (path, self._inodes.get(path, -1))  # -1: a directory
            if call.kind != "open":
                self._put(call.kind, path, self._inodes[path])
        elif call.kind in ("data", "resize", "fsync"):
            name, inode = self._open[call.fd]
            self._put(call.kind, name, inode, call.offset, call.data)
        elif call.kind == "close":
            self._open.pop(call.fd, None)
        elif call.kind == "rename":
            new = self._below(call.other)
            self._inodes = {_moved(name, path, new): inode for name, inode in self._inodes.items()}
            self._put("rename", path, self._inodes.get(new, -1), other=new)
        elif call.kind in ("unlink", "mkdir", "symlink"):
            self._put(call.kind, path, self._inodes.pop(path, -1), other=call.other)

    def _put(self, kind: str, path: str, inode: int, offset: int = 0, data: bytes = b"", other: str = "") -> None:
        self.operations.append((kind, path, inode, offset, data, other))

    def _below(self, path: str) -> str:
        return "" if path == self._root else path.removeprefix(self._prefix)

    def disk(self, cut: Cut) -> Disk:
        """The disk after `cut`."""
        chance = random.Random(f"{cut.at} {cut.variant} {cut.seed}")
        done = self.operations[: cut.at + 1]
        synced_files: dict[int, int] = {}
        synced_names: dict[str, int] = {}
        for number, (kind, path, inode, *_) in enumerate(done):
            if kind == "fsync" and inode >= 0:
                synced_files[inode] = number
            elif kind == "fsync":
                synced_names[path] = number
        content = self._content(done, synced_files, cut.variant, chance)
        disk = self._named(done, synced_names, content, cut.variant, chance)
        disk.acknowledged = {text for before, text in self.marks if before <= cut.at + 1}
        return disk

    @staticmethod
    def _content(done: Sequence[tuple], synced: dict[int, int], variant: str, chance: random.Random) -> dict:  # type: ignore[type-arg]
        files: dict[int, bytearray] = {}
        stopped: set[int] = set()
        for number, (kind, _, inode, offset, data, _) in enumerate(done):
            if kind == "create":
                files.setdefault(inode, bytearray())
            if kind not in CONTENT:
                continue
            if number > synced.get(inode, -1):
                if variant in ("lost", "names-kept") or inode in stopped:
                    continue
                if variant == "torn" and chance.random() < 0.4:
                    stopped.add(inode)
                    data = data[: chance.randrange(len(data) + 1) // SECTOR * SECTOR]
                if variant == "reordered" and chance.random() < 0.5:
                    continue
            _apply(files.setdefault(inode, bytearray()), kind, offset, data)
        return files

    @staticmethod
    def _named(done: Sequence[tuple], synced: dict, content: dict, variant: str, chance: random.Random) -> Disk:  # type: ignore[type-arg]
        disk = Disk()
        names: dict[str, int] = {}
        stopped: set[str] = set()
        for number, (kind, path, inode, _, _, other) in enumerate(done):
            if kind not in NAMES:
                continue
            parent = path.rpartition("/")[0]
            if number > synced.get(parent, -1):
                is_random = variant in ("torn", "reordered") and chance.random() < 0.3
                if variant in ("lost", "names-lost") or is_random:
                    stopped.add(parent)
                if parent in stopped:
                    continue
            if kind == "create":
                names[path] = inode
            elif kind == "mkdir":
                disk.directories.add(path)
            elif kind == "symlink":
                disk.links[path] = other
            elif kind == "unlink":
                names.pop(path, None)
                disk.links.pop(path, None)
            elif path in disk.links:
                disk.links[other] = disk.links.pop(path)
            elif path in names:
                names[other] = names.pop(path)
            elif path in disk.directories:
                names = {_moved(name, path, other): inode for name, inode in names.items()}
                disk.directories = {_moved(name, path, other) for name in disk.directories}
        reachable = {"", *disk.directories}
        disk.directories = {d for d in disk.directories if d.rpartition("/")[0] in reachable}
        disk.files = {
            path: bytes(content.get(inode, b""))
            for path, inode in names.items()
            if path.rpartition("/")[0] in {"", *disk.directories}
        }
        return disk


def _moved(name: str, old: str, new: str) -> str:
    """What is called `name` once the directory `old` is called `new`."""
    return new + name.removeprefix(old) if f"{name}/".startswith(f"{old}/") else name


def _apply(file: bytearray, kind: str, offset: int, data: bytes) -> None:
    if kind == "empty":
        file.clear()
    elif kind == "resize":
        del file[offset:]
        file.extend(bytes(offset - len(file)))
    elif data:
        file.extend(bytes(max(0, offset - len(file))))
        file[offset : offset + len(data)] = data


def cuts(recording: Recording, seed: int, num_random: int) -> Iterator[Cut]:
    """Every cut whose disk no other cut gives, in an order that `seed` decides."""
    every = [
        Cut(at, variant, number)
        for at in range(len(recording.operations))
        for variant in VARIANTS
        for number in range(num_random if variant in ("torn", "reordered") else 1)
    ]
    random.Random(seed).shuffle(every)
    seen = set()
    for cut in every:
        digest = recording.disk(cut).digest()
        if digest not in seen:
            seen.add(digest)
            yield cut


def trial(recording: Recording, size: Workload, want: Result, cut: Cut, folder: Path) -> Finding:
    """Continue on that disk; compare."""
    work = replace(size, folder=folder).prepare()
    disk = recording.disk(cut)
    disk.write(work.out)
    had = recorded_of(work)
    violations = [f"{text[:30]}: acknowledged and lost" for text in sorted(disk.acknowledged - had)]
    said = work.invoke()
    violations += [f"the resumption told {said}"] if said else []
    violations += [*redone(work, 0, had), *faults_of(work), *Result.of(work).differences(want)]
    return Finding(str(cut), violations, {"variant": cut.variant})


def power_cuts(layer: Layer, options: Options) -> Figures:
    """Disks as a power cut leaves them."""
    variants: Counter[str] = Counter()

    def count(figures: Figures, finding: Finding) -> None:
        figures.num += 1
        figures.distinct += 1  # equal disks are left out before
        variants[finding.facts.get("variant", "?")] += 1

    with Stage(layer, num_samples=8) as stage:
        recording = Recording(list(recorded(stage.trace)), stage.work.out)
        every = cuts(recording, options.seed, num_random=2 + options.num // 1000)
        figures = conduct(
            itertools.islice(every, None if options.replay else options.num),
            lambda c, d: trial(recording, stage.work, stage.want, c, d),
            options,
            count,
        )
    figures.details = {"disk operations": len(recording.operations), **dict(variants)}
    return figures


FAMILY = Family("disks after a power cut", power_cuts, Goal(2000, 2000), Goal(20_000, 10_000), num_to_catch=900)
