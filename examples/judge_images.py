"""Judge edits that are there already: a folder with sources and a folder with edits of the same names."""

from pathlib import Path

from PIL import Image

import editeval

for folder, colour in (("sources", (200, 40, 40)), ("edits", (40, 40, 200))):  # your folders
    Path(folder).mkdir(exist_ok=True)
    for name in ("a", "b"):
        Image.new("RGB", (64, 64), colour).save(Path(folder, f"{name}.png"))

names = sorted(path.name for path in Path("edits").glob("*.png"))
scores = editeval.judge(
    source=[Path("sources", name) for name in names],
    edited=[Path("edits", name) for name in names],
    instruction=["make it blue"] * len(names),
    judge="image_metrics",  # for a model: "openai_chat", "transformers_vlm" or "vllm_vlm"
    metrics=["l1", "psnr"],
    compared_with="source",
    device="cpu",
)
for name, row in zip(names, scores, strict=True):
    print(name, {score.metric: score.value for score in row})
