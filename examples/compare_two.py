"""Two editors on the same samples, compared sample by sample; then a run that is opened again, as a table."""

from PIL import Image

import editeval

BENCHMARK = {"type": "procedural", "params": {"num_per_category": 3, "size": 64}}
JUDGE = {"type": "reference", "execution": {"backend": "inprocess"}}


def grey(image: Image.Image, instruction: str) -> Image.Image:
    """It does the same whatever the instruction says."""
    return image.convert("L").convert("RGB")


first = editeval.evaluate(editor={"type": "classical"}, benchmark=BENCHMARK, judge=JUDGE)
second = editeval.evaluate(editor=grey, benchmark=BENCHMARK, judge=JUDGE)
found = first.compare(second)
print(found["sentences"][0])

again = editeval.open_run(first.path)
try:
    import pandas as pd
except ImportError:
    print(again.scores()[0])
else:
    print(pd.DataFrame(again.scores()).groupby("category")["overall"].mean())
