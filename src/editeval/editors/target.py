"""Control that returns the known target: what a run scores when every edit is perfect.

Model: none. Licence: that of editeval. Cost: one decode. Needs samples with a target; controls are the only
editors that see one.
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
    """The target, decoded and nothing else."""

    Params = TargetParams
    default_device = "cpu"
    max_images: ClassVar[int | None] = None
    is_control = True
    sees_target: ClassVar[bool] = True

    def edit(self, request: EditRequest, progress: Progress) -> Image:
        """The pixels of the target. Raises BenchmarkError if the request carries none, ImageError if it is broken."""
        if request.overrides:
            got = ", ".join(sorted(request.overrides))
            raise ConfigError(f"target: request {request.key}: has no parameters to override, got {got}; leave it out")
        if request.target is None:
            raise BenchmarkError(
                f"target: request {request.key}: has no target; use this control only on samples that have one"
            )
        image = decode(request.target)
        progress(1, 1)
        return image
