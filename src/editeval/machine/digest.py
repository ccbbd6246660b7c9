"""What decides a result beside its parameters: the weights of a model, and the code of a plug-in from outside.

Weights: the content of a model folder or weights file as one digest, without reading all of it. What counts: every
file's name inside the folder, its size and a digest of its content. Files up to WHOLE_BYTES (configs, tokenizers, small
adapters) are read whole. Of a larger .safetensors file the header and a block of each tensor are read (of at most
MAX_BLOCKS tensors in the whole folder, evenly spread), of any other large file evenly spread blocks with the first and
the last one. A change of a few bytes between the sampled blocks of a large file is not seen; training changes every
tensor that it touches. Where the folder is does not count; links are followed.

Code: the plug-in's own module; and, from there on, every module that it imports (anywhere in its text, also inside
functions) whose source lies in a folder of the Python path that is neither the standard library nor site-packages. A
plug-in that is installed in site-packages consists of the modules of its own top-level package that it imports. Modules
of editeval are left out. What is imported by a computed name, compiled extensions and data files that the code reads
are not covered: a file that decides results belongs in a parameter, whose content counts.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import stat
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from editeval.errors import MachineError

WHOLE_BYTES = 16 << 20
BLOCK = 4096
MAX_BLOCKS = 6000
MIN_BLOCKS = 16  # of each large file, however many there are
MAX_HEADER = 100_000_000  # bytes; the limit of the safetensors library itself
MAX_FILES = 20_000
NUM_THREADS = 8  # small reads wait for the disk, not for the processor
_SKIPPED = ("__pycache__",)
_SKIPPED_SUFFIXES = (".md",)
_MODEL_FILES = frozenset({"config.json", "model_index.json", "adapter_config.json"})
_MODEL_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".onnx", ".npz", ".msgpack")


@dataclass(frozen=True, slots=True)
class ContentDigest:
    """`text` is equal for equal content; `files` says which file differs if it is not."""

    text: str
    files: Mapping[str, str]  # name inside the folder -> size and digest
    num_bytes_read: int


def digest_of(path: Path) -> ContentDigest:
    """The digest of the folder or file at `path`. Raises MachineError if some of it cannot be read."""
    is_folder = path.is_dir()  # asked once: a training may delete it meanwhile
    paths = dict(_files(path)) if is_folder else {path.name: path}
    large = sum(_size(found) > WHOLE_BYTES for found in paths.values())
    budget = max(MIN_BLOCKS, MAX_BLOCKS // max(large, 1))
    with ThreadPoolExecutor(NUM_THREADS, "digest") as executor:
        read = list(executor.map(lambda found: _file(found, budget), paths.values()))
    files = {name: entry for name, (entry, _) in zip(paths, read, strict=True)}
    counted = files if is_folder else {"": files[path.name]}  # a weights file may be called anything
    text = hashlib.sha256(json.dumps(sorted(counted.items())).encode("utf-8", "surrogatepass")).hexdigest()
    return ContentDigest(text, files, sum(count for _, count in read))


def looks_like_a_model(folder: Path) -> bool:
    """Whether weights or a model's configuration are in `folder` or directly below it."""
    for level in (folder, *_folders(folder)):
        try:
            names = [entry.name for entry in os.scandir(level)]
        except OSError:
            continue
        if any(name in _MODEL_FILES or name.lower().endswith(_MODEL_SUFFIXES) for name in names):
            return True
    return False


def _folders(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir() and not _is_skipped(entry.name)]
    except OSError:
        return []


def _is_skipped(name: str) -> bool:
    """Caches, version control, a model card: nothing that a model computes with."""
    return name.startswith(".") or name in _SKIPPED or name.lower().endswith(_SKIPPED_SUFFIXES)


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """(name inside `root`, path) of every file that counts, by name. A folder that holds itself is entered once."""
    seen: set[str] = set()
    count = 0
    for folder, names, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        names[:] = [] if real in seen else sorted(name for name in names if not _is_skipped(name))
        seen.add(real)
        for name in sorted(name for name in files if not _is_skipped(name)):
            path = Path(folder, name)
            count += 1
            if count > MAX_FILES:
                raise MachineError(
                    f"{root}: more than {MAX_FILES} files, too many for a model; name the folder of one model, or give "
                    'the parameter the metadata {"identity": False} if its content decides nothing'
                )
            yield path.relative_to(root).as_posix(), path


def _size(path: Path) -> int:
    """0 for what is no regular file."""
    try:
        found = path.stat()
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def _file(path: Path, budget: int) -> tuple[str, int]:
    """(size and digest, bytes read); a link that leads nowhere and a device are named by their kind."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            return "no file", 0
        with path.open("rb", buffering=0) as file:
            reader = _Reader(file)
            if found.st_size <= WHOLE_BYTES:
                reader.add(0, found.st_size)
            else:
                reader.sample(path.suffix, found.st_size, budget)
    except FileNotFoundError:
        return "missing", 0
    except OSError as error:
        raise MachineError(f"{path}: cannot be read: {error.strerror or error}; check its permissions") from error
    return f"{found.st_size} {reader.digest.hexdigest()}", reader.num_read


class _Reader:
    """Hashes parts of one file and counts them."""

    def __init__(self, file: BinaryIO) -> None:
        self._descriptor = file.fileno()
        self.digest = hashlib.sha256()
        self.num_read = 0

    def add(self, offset: int, length: int) -> bytes:
        """The bytes at `offset`, which now count; fewer at the end of the file."""
        parts = []
        while length > 0:
            part = os.pread(self._descriptor, length, offset)
            if not part:
                break
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        data = b"".join(parts)
        self.digest.update(f"{len(data)}:".encode() + data)
        self.num_read += len(data)
        return data

    def sample(self, suffix: str, size: int, budget: int) -> None:
        """The parts of a large file that stand for it."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_RANDOM)  # else each block reads 128 KiB ahead
        spans = self._tensors(size) if suffix == ".safetensors" else []
        if not spans:
            step = max(1, (size - BLOCK) // max(budget - 1, 1))
            spans = [(offset, BLOCK) for offset in range(0, size - BLOCK, step)]
        stride = -(-len(spans) // budget)
        for start, length in spans[::stride]:
            self.add(start + max(0, length - BLOCK) // 2, min(length, BLOCK))
        self.add(size - BLOCK, BLOCK)

    def _tensors(self, size: int) -> list[tuple[int, int]]:
        """(offset, length) of every tensor, in order; none if the header cannot be read: then the file is any file."""
        length = int.from_bytes(self.add(0, 8), "little")
        if not 0 < length <= min(MAX_HEADER, size - 8):
            return []
        try:
            header = json.loads(self.add(8, length))
            spans = [entry["data_offsets"] for name, entry in header.items() if name != "__metadata__"]
            return sorted((8 + length + int(start), int(end) - int(start)) for start, end in spans)
        except (ValueError, TypeError, KeyError, AttributeError):
            return []


# -- code --------------------------------------------------------------------------------------------------------------

_INSTALLED = ("site-packages", "dist-packages")
_STANDARD = {Path(sysconfig.get_path(key)).resolve() for key in ("stdlib", "platstdlib")}


def sources_of(module: ModuleType) -> dict[str, str]:
    """Module -> SHA-256 of its source, for all that the plug-in in `module` consists of; its own file by its name."""
    if module.__file__ is None:
        return {}
    own = Path(module.__file__)
    is_by_path = module.__name__.partition(".")[0] not in own.parts  # loaded from a file: its package is made up
    own_name = own.stem if is_by_path else module.__name__
    roots = _Roots(own_name, own)
    found: dict[str, str] = {}
    waiting = [(own_name, own)]
    while waiting:
        name, path = waiting.pop()
        if name in found:
            continue
        source = path.read_bytes() if path.suffix == ".py" else b""
        found[name] = hashlib.sha256(source).hexdigest()
        for imported in _imports(source, name, path.name == "__init__.py"):
            waiting += [(part, place) for part, place in roots.places(imported) if part not in found]
    found[own.name] = found.pop(own_name)
    return dict(sorted(found.items()))


def digest_of_sources(sources: Mapping[str, str]) -> str:
    """One digest of what `sources_of` found; empty for nothing."""
    return hashlib.sha256(json.dumps(sorted(sources.items())).encode()).hexdigest() if sources else ""


class _Roots:
    """Where the plug-in's own modules may lie."""

    def __init__(self, name: str, path: Path) -> None:
        self._only = name.partition(".")[0] if _is_installed(path) else ""
        home = path.absolute().parents[name.count(".") + (path.name == "__init__.py")]
        listed = [Path(entry or ".").absolute() for entry in sys.path]
        own = [root for root in dict.fromkeys([home, *listed]) if root.is_dir() and not _is_library(root)]
        self._roots = [os.fspath(root) for root in ([home] if self._only else own)]

    def places(self, name: str) -> Iterator[tuple[str, Path]]:
        """(module, source file) of the packages on the way to `name` and of `name`, if they are the plug-in's own.

        As Python looks for them: a module in a later folder goes before a folder without `__init__.py` in an earlier.
        """
        top = name.partition(".")[0]
        if top == "editeval" or (self._only and top != self._only):
            return
        parts, folders = name.split("."), self._roots
        for number, part in enumerate(parts, 1):
            stems = [f"{folder}/{part}" for folder in folders]
            real = next(((stem, place) for stem in stems if (place := _source_file(stem)) is not None), None)
            if real is not None:
                yield ".".join(parts[:number]), real[1]
            folders = [real[0]] if real is not None else [stem for stem in stems if Path(stem).is_dir()]  # a namespace


def _source_file(stem: str) -> Path | None:
    places = (f"{stem}/__init__.py", f"{stem}.py")
    return next((Path(place) for place in places if os.path.isfile(place)), None)  # noqa: PTH113  Path: 5 x slower


@lru_cache(maxsize=256)
def _imports(source: bytes, name: str, is_package: bool) -> tuple[str, ...]:
    """Names that may be modules: `from a import b` may mean a.b as well as a."""
    try:
        return tuple(_imported(_parsed(source), name, is_package))
    except (SyntaxError, ValueError):
        return ()  # importing it raises the error


def _imported(tree: ast.Module, name: str, is_package: bool) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, name, is_package)
            if base:
                yield base
            if base is not None:
                yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names if alias.name != "*")


def _parsed(source: bytes) -> ast.Module:
    """CPython 3.11 counts the depth of all threads in one place: another one, printing a traceback, is in the way."""
    for _ in range(5):
        try:
            return ast.parse(source)
        except SystemError as error:
            if "recursion depth mismatch" not in str(error):
                raise
    return ast.parse(source)


def _base(node: ast.ImportFrom, name: str, is_package: bool) -> str | None:
    """The absolute name of what a `from` imports from, empty for a folder of files; None if it leads out of it."""
    if not node.level:
        return node.module or ""
    parts = name.split(".")
    up = node.level - is_package
    if up > len(parts):
        return None
    return ".".join([*(parts[:-up] if up else parts), *([node.module] if node.module else [])])


def _is_installed(path: Path) -> bool:
    return any(part in _INSTALLED for part in path.parts)


def _is_library(root: Path) -> bool:
    return _is_installed(root) or any(root.is_relative_to(place) for place in _STANDARD)
