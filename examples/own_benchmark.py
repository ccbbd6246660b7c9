"""A benchmark of your own from a CSV file: image, category, instruction."""

import csv
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

import editeval

for name, colour in (("sea", (20, 60, 140)), ("wood", (40, 110, 50))):  # your pictures
    Image.new("RGB", (96, 64), colour).save(f"{name}.png")
Path("edits.csv").write_text("image,category,instruction\nsea.png,light,brighten it\nwood.png,light,darken it\n")


def samples(table: str = "edits.csv") -> Iterator[dict[str, str]]:
    """A dict for each row; a path of an image is relative to the file, here to the current folder."""
    with Path(table).open(newline="") as file:
        yield from csv.DictReader(file)


run = editeval.evaluate(
    editor=lambda image, instruction: image.point(lambda value: min(255, value * 2)),
    benchmark=samples,
    judge=lambda source, edited, instruction: 10.0 if "brighten" in instruction else 0.0,
)
for one in run.scores():
    print(one["id"], one["category"], one["score"])
