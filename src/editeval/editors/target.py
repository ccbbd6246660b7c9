"""Control that returns the known target: what a run scores when every edit is perfect.

Model: none. Licence: that of editeval. Cost: one decode. Needs samples with a reference image; it is the only kind of
editor that sees one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from editeval.errors import BenchmarkError, ConfigError
from editeval.images import decode
from editeval.types import Editor, EditRequest, Progress

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class TargetParams:
    """No parameters."""


class Target(Editor):
    """The reference, decoded and nothing else."""

    Params = TargetParams
    default_device = "cpu"
    is_control = True
    sees_reference: ClassVar[bool] = True

    def edit(self, request: EditRequest, progress: Progress) -> Image:
        """The pixels of the second image. Raises BenchmarkError if the request carries none, ImageError if broken."""
        if request.overrides:
            got = ", ".join(sorted(request.overrides))
            raise ConfigError(f"target: request {request.key}: has no parameters to override, got {got}; leave it out")
        if len(request.images) != 2:
            raise BenchmarkError(
                f"target: request {request.key}: needs source and reference image, got {len(request.images)} image(s); "
                "use this control only on samples that have a reference"
            )
        image = decode(request.images[1])
        progress(1, 1)
        return image
