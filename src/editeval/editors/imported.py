"""Edits made elsewhere: every sample's edit is a file that is there already, and no model is loaded.

Model: none here, whatever made the files. Licence: that of the files. CPU only. `folder` is a folder in one of the
official layouts of the benchmark, or with files named by sample id; a .jsonl of {id, image}; or a gallery of the Hub.
PNG, JPEG and WebP; turned as their EXIF says, transparency over white, and kept as PNG. A sample without a file is a
failed edit (`missing`). What is in the files decides which run this is: another picture is another run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from editeval.errors import BadOutputError, BenchmarkError, ConfigError, ImageError
from editeval.images import decode
from editeval.types import Editor, EditRequest, Facts, Progress

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class ImportedParams:
    """Which files."""

    folder: str = field(default="", metadata={"identity": False})
    """The folder, or the .jsonl that names the files; required."""
    layout: str = field(default="", metadata={"identity": False})
    """How the files are named, such as "{category}/{id}.png"; empty: found out."""
    name: str = ""
    """What made the edits: the model's name in reports, and in a gallery of several models the one that is meant."""
    num_workers: int = field(default=2, metadata={"identity": False})
    """Processes that decode."""

    def __post_init__(self) -> None:
        if not 1 <= self.num_workers <= 64:
            raise ConfigError(f"num_workers: must be 1-64, got {self.num_workers!r}")


class Imported(Editor):
    """The pixels of the file that the request holds."""

    Params = ImportedParams
    default_device = "cpu"
    max_images: ClassVar[int | None] = None
    is_import: ClassVar[bool] = True

    def facts(self) -> Facts:
        """That the edits were made elsewhere."""
        return {"model": f"imported: edits made elsewhere by {self.params.name or 'an unnamed model'}"}

    def edit(self, request: EditRequest, progress: Progress) -> Image:
        """The picture, decoded. Raises BadOutputError for a file that is none, BenchmarkError without a file."""
        if request.overrides:
            got = ", ".join(sorted(request.overrides))
            raise ConfigError(f"imported: request {request.key}: nothing can be overridden, got {got}; leave it out")
        if request.found is None:
            raise BenchmarkError(f"imported: request {request.key}: has no file; this editor only serves runs")
        try:
            image = decode(request.found)
        except ImageError as error:
            raise BadOutputError(f"the file is no edit: {error}") from error
        progress(1, 1)
        return image
