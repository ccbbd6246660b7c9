"""Control that returns the source as it is: what a run scores when nothing is edited.

Model: none. Licence: that of editeval. Cost: one decode. A sane judge gives it the worst score for following the
instruction and the best for preservation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from editeval.errors import ConfigError
from editeval.images import decode
from editeval.types import Editor, EditRequest, Progress

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class IdentityParams:
    """No parameters."""


class Identity(Editor):
    """The source, decoded and nothing else."""

    Params = IdentityParams
    default_device = "cpu"
    max_images: ClassVar[int | None] = None
    is_control = True

    def edit(self, request: EditRequest, progress: Progress) -> Image:
        """The pixels of the first image. Raises ImageError if they cannot be read, ConfigError for overrides."""
        if request.overrides:
            got = ", ".join(sorted(request.overrides))
            raise ConfigError(
                f"identity: request {request.key}: has no parameters to override, got {got}; leave it out"
            )
        image = decode(request.images[0])
        progress(1, 1)
        return image
