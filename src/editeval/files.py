"""Files that are complete or absent, whatever kills the process, and folders that somebody else may have filled."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from editeval.errors import UserError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_ITSELF = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
MAX_DEPTH = 64  # of JSON that was read from a file


class StrangeFileError(UserError):
    """In a run directory, or a folder like it, stands what editeval does not put there: a link, a pipe, a device."""


def user_folder() -> Path:
    """editeval/ in XDG_CONFIG_HOME or ~/.config, for keys and trust. Raises RuntimeError for a user without a home."""
    place = os.environ.get("XDG_CONFIG_HOME")
    return (Path(place) if place else Path.home() / ".config") / "editeval"


def write_atomic(path: Path, data: bytes) -> None:
    """`path` holds exactly `data`, on disk, or is untouched. Raises StrangeFileError for a device or a pipe."""
    with replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that becomes `path`, durably, when the block ends well, and leaves no trace otherwise.

    Raises StrangeFileError for a device or a pipe, and for /dev/stdout: the file would take its place.
    """
    is_special = path.parent.resolve() == Path("/dev")
    with contextlib.suppress(FileNotFoundError):
        mode = path.stat().st_mode
        is_special = is_special or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
    if is_special:
        raise StrangeFileError(f"{path}: a device or a pipe, whose place a file would take; name a file")
    with Folder(path.parent).replacing(path.name) as file:
        yield file


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory and all that is in it, which may be a stranger's: nothing is reached through a link.

    Only regular files are opened, and nothing is waited for. `root` is what the user named, by way of links or not.
    Names are relative to it, with "/". Every step is taken from the directory before it (openat), so a directory that
    is replaced by a link meanwhile leads nowhere. Raises StrangeFileError for links and what is no file, OSError as
    the system does.
    """

    root: Path

    def open(self, name: str, flags: int = os.O_RDONLY) -> int:
        """Descriptor of a regular file."""
        with self._above(name) as (above, last):
            try:
                descriptor = os.open(last, flags | _ITSELF, 0o666, dir_fd=above)
            except OSError as error:
                raise self._refused(name, error) from error
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise self._strange(name)
            return descriptor

    def read(self, name: str, limit: int | None = None) -> bytes:
        """Its content; StrangeFileError for more than `limit` bytes."""
        with os.fdopen(self.open(name), "rb") as file:
            data = file.read(-1 if limit is None else limit + 1)
        if limit is not None and len(data) > limit:
            raise StrangeFileError(f"{self.root / name}: larger than {limit:,} bytes, which no such file is; remove it")
        return data

    def write(self, name: str, data: bytes) -> None:
        """`name` holds exactly `data`, on disk, or is untouched."""
        with self.replacing(name) as file:
            file.write(data)

    @contextlib.contextmanager
    def replacing(self, name: str, is_durable: bool = True) -> Iterator[BinaryIO]:
        """A file that becomes `name` when the block ends well, and leaves no trace otherwise.

        Temporary file, fsync, rename, fsync of the directory; without `is_durable` no fsync.
        """
        with self._above(name) as (above, last):
            temporary = f".{last}.{os.getpid()}.tmp"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=above)  # of a killed process with this number, or a link
            try:
                descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | _ITSELF, 0o666, dir_fd=above)
                with os.fdopen(descriptor, "wb") as file:
                    yield file
                    file.flush()
                    if is_durable:
                        os.fsync(descriptor)
                os.replace(temporary, last, src_dir_fd=above, dst_dir_fd=above)
            except BaseException as error:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=above)
                if isinstance(error, OSError) and error.filename in (temporary, last):
                    error.filename = str(self.root / name)
                raise
            if is_durable:
                os.fsync(above)

    def stat(self, name: str) -> os.stat_result | None:
        """Of what stands there, a link itself included; None if nothing does."""
        try:
            if "/" not in name:
                return os.lstat(f"{self.root}/{_of_folder(name, self.root)}")  # as below, without a descriptor
            with self._above(name) as (above, last):
                return os.stat(last, dir_fd=above, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def is_file(self, name: str) -> bool:
        """Whether a regular file stands there; False if nothing does."""
        found = self.stat(name)
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise self._strange(name)
        return found is not None

    def is_folder(self, name: str) -> bool:
        """Whether a directory stands there, and no link to one."""
        found = self.stat(name)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def names(self, name: str = "") -> list[str]:
        """What is in the folder `name`, sorted; nothing if there is none."""
        try:
            with self._inside(name) as descriptor:
                return sorted(os.listdir(descriptor))  # noqa: PTH208 - pathlib takes no descriptor
        except FileNotFoundError:
            return []

    def make(self, name: str) -> None:
        """The folder `name` is there, with those above it."""
        parts = name.split("/")
        for count in range(1, len(parts) + 1):
            with self._above("/".join(parts[:count])) as (above, last), contextlib.suppress(FileExistsError):
                os.mkdir(last, dir_fd=above)
        with self._inside(name):
            return  # it is a folder

    def rename(self, old: str, new: str) -> None:
        """`old` is called `new`; both are in the same folder."""
        with self._above(old) as (above, last):
            os.replace(last, new.rpartition("/")[2], src_dir_fd=above, dst_dir_fd=above)

    def remove(self, name: str) -> None:
        """Nothing stands there any more; of a link only the link is gone, of a folder all that is in it."""
        found = self.stat(name)
        with self._above(name) as (above, last), contextlib.suppress(FileNotFoundError):
            if found is not None and stat.S_ISDIR(found.st_mode):
                shutil.rmtree(last, dir_fd=above)
            else:
                os.unlink(last, dir_fd=above)

    def check(self, *folders: str) -> None:
        """Nothing in the root, and in these folders of it, is anything but a file or a folder.

        For what is opened by its path all the same, as libraries do. Raises StrangeFileError.
        """
        for name in ("", *folders):
            if name and self.stat(name) is None:
                continue
            with self._inside(name) as descriptor, os.scandir(descriptor) as entries:
                for entry in entries:
                    if not entry.is_file(follow_symlinks=False) and not entry.is_dir(follow_symlinks=False):
                        raise self._strange(f"{name}/{entry.name}".lstrip("/"))

    @contextlib.contextmanager
    def _above(self, name: str) -> Iterator[tuple[int, str]]:
        """Descriptor of the directory that holds `name`, and the last part of the name."""
        above, _, last = name.rpartition("/")
        with self._inside(above) as descriptor:
            yield descriptor, _of_folder(last, self.root)

    @contextlib.contextmanager
    def _inside(self, name: str) -> Iterator[int]:
        """Descriptor of the directory `name`; of the root if it is empty."""
        descriptor = os.open(self.root, _FOLDER)
        try:
            for part in name.split("/") if name else ():
                if part in ("", ".", ".."):
                    raise ValueError(f"{name!r} names nothing in {self.root}")
                try:
                    below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                except OSError as error:
                    raise self._refused(name, error) from error
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)

    def _refused(self, name: str, error: OSError) -> Exception:
        """What is raised in place of `error`: links, sockets and pipes without a reader make these."""
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR):
            return self._strange(name)
        error.filename = str(self.root / name)
        return error

    def _strange(self, name: str) -> StrangeFileError:
        what = "a link, a device or the like; editeval follows and opens no such thing here"
        return StrangeFileError(f"{self.root / name}: {what}: remove it, or put the file itself there")


def from_json(text: str | bytes) -> Any:
    """The value of JSON that may be a stranger's. Raises ValueError, also for what is nested deeper than MAX_DEPTH."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from error
    brackets = (b"[", b"{") if isinstance(text, bytes) else ("[", "{")
    if sum(map(text.count, brackets)) > MAX_DEPTH:  # type: ignore[arg-type]
        _check_depth(value)
    return value


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [below for one in level for below in _below(one)]
    if level:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _below(value: object) -> Iterable[object]:
    """The values in a JSON value."""
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _of_folder(last: str, root: Path) -> str:
    """`last`, if it can be the name of something in a folder."""
    if last in ("", ".", "..") or "\0" in last:
        raise ValueError(f"{last!r} names nothing in {root}")
    return last
