"""What an error in a plug-in of the user's own is told as: its file and line, its frames, and none of ours."""

from __future__ import annotations

import operator
import os
import sysconfig
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from editeval.errors import ConfigError, ImageError, UserError
from editeval.types import ImageRef, Sample

Made = TypeVar("Made")
AnyImage = TypeVar("AnyImage", ImageRef, "ImageRef | None")
INSTALLED = ("site-packages", "dist-packages")
_OURS = Path(__file__).resolve().parent
_STANDARD = sysconfig.get_path("stdlib")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a plug-in of somebody else's comes from: what its imports are relative to, and which files are its own."""

    file: Path
    root: Path
    home: Path  # a folder, or the file

    def owns(self, path: Path) -> bool:
        """Whether a source file is the plug-in's own: not a library's, and not ours."""
        if not path.is_relative_to(self.home) or path.is_relative_to(_OURS):
            return False
        return not set(INSTALLED) & set(path.relative_to(self.home).parts)

    @classmethod
    def of_module(cls, file: Path, name: str) -> Origin:
        """Of the module called `name` in `file`. What lies beside an installed package belongs to others."""
        root = file.parents[len(name.split(".")) - (0 if file.name == "__init__.py" else 1)]
        top = root / name.split(".", maxsplit=1)[0]
        if root.name in INSTALLED or root.is_relative_to(_STANDARD):
            return cls(file, root, top if top.is_dir() else file)
        return cls(file, root, root)


origins: dict[type, Origin] = {}
"""Of every class of somebody else's that this process has loaded."""


def said(error: BaseException) -> str:
    """Its message; empty for an error whose own `__str__` fails."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001
        return ""


def guarded(kind: str, run: Callable[[], Made], origin: Origin | None) -> Made:
    """What `run` returns. Raises ConfigError, one line with the user's file and line, for whatever it raises."""
    try:
        return run()
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        where = _place(error, [origin] if origin else [])
        raise ConfigError(f"{kind}: {where or 'it cannot be imported'}: {_said(error)}") from error


@dataclass(frozen=True, slots=True)
class _ForeignImage:
    """An image of somebody else's class. Whatever its `read` raises fails its own sample, and says where."""

    role: str  # in its sample
    image: ImageRef

    @property
    def path(self) -> object:
        return getattr(self.image, "path", None)

    def read(self) -> bytes:
        try:
            data = self.image.read()
        except ImageError:
            raise
        except Exception as error:
            raise ImageError(f"{self.role}: {blamed(error) or _said(error)}") from error
        if not isinstance(data, bytes | bytearray | memoryview):
            raise ImageError(f"{self.role}: read() must return bytes, got {type(data).__name__}")
        return bytes(data)


def with_safe_images(sample: Sample) -> Sample:
    """`sample`, whose pictures raise nothing but ImageError when they are read."""
    images = tuple(_safe("image", image) for image in sample.images)
    target, mask = _safe("target", sample.target), _safe("mask", sample.mask)
    references = tuple(_safe("reference", image) for image in sample.references)
    safe = (*images, target, mask, *references)
    if all(map(operator.is_, safe, (*sample.images, sample.target, sample.mask, *sample.references))):
        return sample
    return replace(sample, images=images, target=target, mask=mask, references=references)


def _safe(role: str, image: AnyImage) -> AnyImage:
    if image is None or type(image).__module__.startswith("editeval."):
        return image
    return _ForeignImage(role, image)


def place_of(error: BaseException) -> str:
    """`file:line` in the code of a plug-in of somebody else's that `error` came through last; empty if in none."""
    return _place(error, origins.values())


def blamed(error: BaseException) -> str:
    """One line for an error that came through a plug-in of somebody else's; empty for any other."""
    place = place_of(error)
    return f"{place}: {_said(error)}" if place else ""


def own_traceback(error: BaseException) -> str:
    """The traceback of `error` with the frames of plug-ins of somebody else's, and of nobody else."""
    told = traceback.TracebackException.from_exception(error)
    _strip(told)
    return "".join(told.format())


def _strip(told: traceback.TracebackException) -> None:
    told.stack = traceback.StackSummary.from_list([f for f in told.stack if _owned(f.filename, origins.values())])
    for below in (told.__cause__, told.__context__, *(told.exceptions or ())):
        if below is not None:
            _strip(below)


def _place(error: BaseException, among: Iterable[Origin]) -> str:
    if isinstance(error, SyntaxError) and error.filename and _owned(error.filename, among):
        return f"{from_here(Path(error.filename))}:{error.lineno}"
    own = [f for f in traceback.extract_tb(error.__traceback__) if _owned(f.filename, among)]
    return f"{from_here(Path(own[-1].filename))}:{own[-1].lineno}" if own else ""


def _owned(filename: str, among: Iterable[Origin]) -> bool:
    if not os.path.isabs(filename):  # noqa: PTH117  "<string>", "<frozen importlib._bootstrap>"
        return False
    path = Path(filename).resolve()
    return any(origin.owns(path) for origin in among)


def _said(error: BaseException) -> str:
    """Kind and message of an error, on one line."""
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return " ".join(f"{type(error).__name__}: {message}".split()).rstrip(": ")


def from_here(path: Path) -> Path:
    """`path` as one would type it in the current folder."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
