"""A function of your own as the editor, on the built-in benchmark with its exact judge. Runs on a CPU in seconds."""

from PIL import Image

import editeval


def edit(image: Image.Image, instruction: str, *, seed: int, turn: int = 90) -> Image.Image:
    """Put your model here: the source image and the instruction come in, the edited image goes out."""
    return image.rotate(turn) if "rotate" in instruction.lower() else image.convert("L").convert("RGB")


run = editeval.evaluate(
    editor=edit,
    benchmark={"type": "procedural", "params": {"num_per_category": 2, "size": 64}},
    judge={"type": "reference", "execution": {"backend": "inprocess"}},
)
print(run)
print(f"report: {run.report()}")
