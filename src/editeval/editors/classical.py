"""A rule-based editor on OpenCV: reads simple English, finds the object by colour, shape and place, edits its pixels.

Model: none; written for editeval, under its licence. Needs `pip install editeval[classical]` (OpenCV). CPU only, one
thread, 0.1 to 0.4 s for 512x512. It is the honest baseline: it knows nothing of any benchmark, understands recolouring,
removing, moving, resizing, turning, tone, light and weather of objects, regions or the whole picture. Where an
instruction has no verb that it knows, or nothing would change, it guesses from the words that it does know, as a model
would; with `on_unclear: refuse` it fails with a message instead. Same request, same bytes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from editeval.errors import ConfigError, MachineError
from editeval.images import decode
from editeval.types import Editor, EditRequest, Progress

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class ClassicalParams:
    """How objects are found and their outlines treated."""

    feather_px: float = 1.0  # softness of an outline where colours do not tell object from background; 0 is hard
    inpaint_radius_px: int = 4  # how far around each missing pixel the filling looks
    work_px: int = 512  # longest side at which objects are searched; edits are always made at full size
    on_unclear: str = "guess"  # what to do with an instruction that is not understood: guess | refuse

    def __post_init__(self) -> None:
        if not 0 <= self.feather_px <= 20:
            raise ConfigError(f"classical.feather_px: must be 0-20, got {self.feather_px!r}")
        if not 1 <= self.inpaint_radius_px <= 50:
            raise ConfigError(f"classical.inpaint_radius_px: must be 1-50, got {self.inpaint_radius_px!r}")
        if not 128 <= self.work_px <= 2048:
            raise ConfigError(f"classical.work_px: must be 128-2048, got {self.work_px!r}")
        if self.on_unclear not in ("guess", "refuse"):
            raise ConfigError(f"classical.on_unclear: must be guess or refuse, got {self.on_unclear!r}")


class Classical(Editor):
    """Instruction -> commands -> segments -> pixels."""

    Params = ClassicalParams
    default_device = "cpu"

    def load(self, device: str) -> None:
        """Import OpenCV and pin it to one thread. Raises MachineError if it is not installed."""
        try:
            import cv2
        except ImportError as error:
            raise MachineError(
                f"editor classical: OpenCV cannot be imported ({error}); install it: `pip install editeval[classical]`"
            ) from error
        cv2.setNumThreads(1)

    def edit(self, request: EditRequest, progress: Progress) -> Image:
        """The edited picture at the source's size.

        Raises InstructionError if the instruction means nothing in the picture or changes nothing, and, with
        `on_unclear: refuse`, if it is not understood.
        """
        from PIL import Image

        from editeval.editors.rules.grammar import InstructionError
        from editeval.editors.rules.guess import guesses

        params = self._with(request.overrides)
        pixels = np.array(decode(request.images[0]))
        tries = [request.instruction, *(guesses(request.instruction) if params.on_unclear == "guess" else ())]
        for attempt, instruction in enumerate(tries, 1):
            try:
                edited = self._carried_out(pixels, instruction, params, request.seed, progress)
            except InstructionError:
                if attempt == len(tries):
                    raise
            else:
                return Image.fromarray(edited)
        raise AssertionError("the last try returns or raises")

    def _carried_out(
        self, pixels: Any, instruction: str, params: ClassicalParams, seed: int, progress: Progress
    ) -> Any:
        """The pixels after all commands of `instruction`. Raises InstructionError, also if none of them changed."""
        from editeval.editors.rules.actions import apply
        from editeval.editors.rules.canvas import Canvas
        from editeval.editors.rules.grammar import InstructionError, parse
        from editeval.editors.rules.mattes import Brush
        from editeval.editors.rules.segments import Scene

        commands = parse(instruction)
        brush = Brush(params.feather_px, params.inpaint_radius_px)
        canvas = Canvas(Scene(pixels, params.work_px), brush, seed)
        for step, command in enumerate(commands, 1):
            canvas = apply(canvas, command)
            progress(step, len(commands))
        if np.array_equal(canvas.pixels, pixels):
            raise InstructionError(f"classical: {instruction!r} changed no pixel of the picture")
        return np.ascontiguousarray(canvas.pixels)

    def _with(self, overrides: Any) -> ClassicalParams:
        names = {f.name for f in dataclasses.fields(ClassicalParams)}
        unknown = sorted(set(overrides) - names)
        if unknown:
            known = ", ".join(sorted(names))
            raise ConfigError(f"classical: unknown parameter {unknown[0]!r}; use one of {known}")
        params: ClassicalParams = dataclasses.replace(self.params, **overrides)
        return params
