"""A function of your own as the judge: two metrics, each on the scale that it declares."""

from typing import Any

from PIL import Image, ImageChops, ImageStat

import editeval


def judge(source: Image.Image, edited: Image.Image, instruction: str) -> dict[str, Any]:
    """Put your model here. `reply` is kept with the scores, and shown in the report."""
    difference = ImageStat.Stat(ImageChops.difference(source, edited.resize(source.size))).mean
    changed = sum(difference) / len(difference)
    return {"changed": changed, "same_size": float(source.size == edited.size), "reply": f"asked: {instruction}"}


judge.metrics = {"changed": (0, 255, "lower"), "same_size": (0, 1)}  # type: ignore[attr-defined]

run = editeval.evaluate(
    editor={"type": "identity", "execution": {"backend": "inprocess"}},
    benchmark={"type": "procedural", "params": {"num_per_category": 1, "size": 64}},
    judge=judge,
)
for row in run.summary():
    if row["category"] == "macro":
        print(f"{row['metric']}: {row['mean']:.2f}, {row['coverage']:.0%} scored")
