"""Results of our own, in exactly the forms in which authors publish theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path


def write(root: Path, files: Mapping[str, object]) -> Path:
    """A folder with these files; a value that is no text becomes JSON."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return root


def ratings(*cells: str, model: str = "MagicBrush") -> str:
    """What one rater gives: a cell per image."""
    return f"uid\t{model}\n" + "".join(f"sample_{i}_1.jpg\t{cell}\n" for i, cell in enumerate(cells))


def answer(*scores: float, reasoning: str = "The dog is red now.") -> dict[str, object]:
    """An answer as VIEScore keeps it."""
    return {"score": list(scores), "reasoning": reasoning, "prompt_input": "words of ours"}


def viescore(root: Path) -> Path:
    """Four images of one editor. The last has no answer about quality; the third one's is a guess."""
    consistency = {"sample_0_1.jpg": answer(10, 8), "sample_1_1.jpg": answer(2, 9), "sample_2_1.jpg": answer(4, 4)}
    quality = {
        "sample_0_1.jpg": answer(5, 6),
        "sample_1_1.jpg": answer(8, 8),
        "sample_2_1.jpg": answer(9, reasoning="guess_if_cannot_parse | Sorry."),
    }
    people, said = (
        "paper_implementation/_human_annotations/ImagenHub_human_eval_results",
        "paper_implementation/_answers",
    )
    task, model = "ImagenHub_Text-Guided_IE", "results_gemini_0shot/ImagenHub_Text-Guided_IE/MagicBrush"
    return write(
        root,
        {
            f"{people}/{task}/Text-Guided_IE_rater1.tsv": ratings("[1, 0.5]", "[0, 1]", "[0.5, 0]", "[0, 0]"),
            f"{people}/{task}/Text-Guided_IE_rater2.tsv": ratings("[1, 0.5]", "[0, 0.5]", "[0, 0]", "[0, 0]"),
            f"{people}/{task}/Text-Guided_IE_rater3.tsv": ratings("[0.5, 0]", "[0, 1]", "[0.5, 0]", "[0, 1]"),
            f"{said}/{model}/SC.json": consistency | {"sample_3_1.jpg": answer(1, 1)},
            f"{said}/{model}/PQ.json": quality,
            f"{said}/results_autometrics/{task}/MagicBrush.json": {
                key: {"LPIPS": str(value)} for key, value in zip(consistency, (0.1, 0.3, 0.2), strict=True)
            },
        },
    )


def imagenhub(root: Path) -> Path:
    """Two images, three raters."""
    cells = {1: ("[1, 1]", "[0.5, 0]"), 2: ("[1, 0.5]", "[0.5, 0]"), 3: ("[0, 1]", "[0, 0]")}
    folder = "eval/human_ratings/Mask-Guided_IE"
    files: dict[str, object] = {
        f"{folder}/Mask-Guided_IE_rater{number}.tsv": ratings(*given, model="Glide") for number, given in cells.items()
    }
    return write(root, files | {"eval/human_ratings/AnalyzeHumanEval.ipynb": "{}"})


def mmrb2(root: Path) -> Path:
    """Two pairs per task: one right both times; one right once, and not read once."""
    pairs = [{"id": "p1", "chosen": "A"}, {"id": "p2", "chosen": "B"}]
    said = {
        "p1": {"forward": [{"judgement": "A"}], "reverse": [{"judgement": "B"}]},
        "p2": {"forward": [{"judgement": None}], "reverse": [{"judgement": "A"}]},
    }
    files: dict[str, object] = {}
    for number, (task, name) in enumerate(zip(("image", "edit", "interleaved", "reasoning"), NAMES, strict=True), 1):
        files[f"benchmark/{name}_response_only.json"] = {"pairs": pairs}
        files[f"evaluate/generate_judgements/outputs/sample_task{number}_{task}.json"] = said
    return write(root, files)


NAMES = ("t2i", "edit", "interleaved", "reasoning")
