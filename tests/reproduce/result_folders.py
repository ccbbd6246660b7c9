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


def gedit(root: Path) -> Path:
    """Eleven groups; of two of them a sample is outside the intersection, or in Chinese."""
    head = "source_image,edited_image,instruction,sementics_score,quality_score,intersection_exist,instruction_language"
    plain = ("color_alter", "material_alter", "motion_change", "ps_human", "style_change")
    further = ("subject-remove", "subject-replace", "text_change", "tone_transfer")
    rows = {
        "background_change": ("4,9,True,en", "1,4,True,en"),
        "subject-add": ("9,4,False,en", "10,10,True,cn"),
        **dict.fromkeys((*plain, *further), ("5,5,True,en",)),
    }
    return write(
        root,
        {
            f"my_model_{group}_gpt_score.csv": "\n".join([head, *(f"s.png,e.png,Do it,{row}" for row in given)]) + "\n"
            for group, given in rows.items()
        },
    )


def imgedit(root: Path) -> Path:
    """Two kinds: three grades; three grades and a line too many; no grade; a failed call; no reply."""
    labels = ("Prompt Compliance", "Visual Naturalness", "Physical & Detail Integrity")
    kinds = {"1": "add", "2": "remove", "3": "add", "4": "remove", "5": "remove"}
    replies: dict[str, object] = {
        "1": "Brief reasoning: fine.\n"
        + "\n".join(f"{label}: {n}" for label, n in zip(labels, (5, 4, 4), strict=True)),
        "2": "\n".join(f"{label}: {n}" for label, n in zip((*labels, "Bonus"), (2, 2, 2, 6), strict=True)),
        "3": "I cannot say.",
        "4": {"error": "a failed call"},
    }
    known = {key: {"id": "a/b.jpg", "prompt": "Do it.", "edit_type": kind} for key, kind in kinds.items()}
    return write(root, {"basic_edit.json": known, "result.json": replies})


def kris(root: Path) -> Path:
    """A category with knowledge, whose second sample lacks a score, and one without."""
    full = {"consistency_score": 5, "instruction_score": 3, "quality_score": 4, "knowledge_score": 1}
    return write(
        root,
        {
            "biology/metrics.json": {"1": full, "2": full | {"knowledge_score": None, "quality_score": 2}},
            "count_change/metrics.json": {"1": {"consistency_score": 5, "instruction_score": 5, "quality_score": 5}},
        },
    )


def rise(root: Path) -> Path:
    """Temporal: all three; consistency-free; one unreadable. Logical: right or wrong, 0 and 1."""
    head = "index,category,consistency_free,judge_cons,judge_reas,judge_qua"
    rows = (
        "a,temporal_reasoning,,**Final Score:** **1**,**Final Score:** **5**,**Final Score:** **5**",
        "b,temporal_reasoning,1.0,,Final Score: 5,Final Score: 5",
        "c,temporal_reasoning,,Final Score: 5,I cannot say,Final Score: 5",
        "d,logical_reasoning,,Final Score: 1,Final Score: 1,",
    )
    return write(root, {"my_model_judge.csv": "\n".join([head, *rows]) + "\n"})


def omnicontext(root: Path) -> Path:
    """Two kinds of tasks, one sample each, in English."""
    files: dict[str, object] = {}
    for task, following, consistency in (("single_character", 4, 9), ("scene_object", 10, 10)):
        line = {"key": "k", "task_type": task, "instruction_language": "en", "output_image_path": "o.png"}
        files[f"{task}/score.jsonl"] = json.dumps(line | {"PF_score": following, "SC_score": consistency}) + "\n"
    return write(root, files)


def gedit_v2(root: Path) -> Path:
    """Verdicts on three models in two dimensions; one line has none."""
    winners = {"a_vs_z": ["Image A"] * 6 + ["Tie"], "a_vs_m": ["Image B", "Image A", "Tie"], "m_vs_z": ["Image A"] * 4}
    lines = [
        json.dumps({"key": f"query_{i}_pair_{pair}", "results": {"winner": winner}})
        for pair, said in winners.items()
        for i, winner in enumerate([*said, "Failed"] if pair == "m_vs_z" else said)
    ]
    files = [f"{folder}/1.jsonl" for folder in ("eval_if_metadata", "eval_vq_metadata")]
    return write(root, dict.fromkeys(files, "\n".join(lines) + "\n"))


GEDIT_HEAD = "BG<br>Change | Color<br>Alt. | Mat. | Motion | Portrait | Style | Add | Remove | Replace | Text | Tone"
IMGEDIT_HEAD = "Add | Adjust | Extract | Replace | Remove | Background | Style | Hybrid | Action"


def gpt_image_edit(root: Path) -> Path:
    """Three tables; one row's overall number is another mean, one row has no groups."""
    readme = f"""# A model
| Model | {GEDIT_HEAD} | Avg |
|---|{"---|" * 12}
| **Ours** | **7.00** | {"6.00 | " * 10} 6.09 |
| No groups | {"- | " * 11} 5.00 |

| Method | IF | IP | PQ | Overall |
| :--- | :---: | :---: | :---: | :---: |
| Ours | 9.00 | 8.00 | 7.00 | 8.00 |

| Model | {IMGEDIT_HEAD} | Overall |
|---|{"---|" * 10}
| Ours | 3.10 | {"4.00 | " * 8} 3.90 |
| Other | 3.10 | {"4.00 | " * 8} 4.10 |
"""
    return write(root, {"README.md": readme})


def ovis_u1(root: Path) -> Path:
    readme = f"""
| Model | Overall | {IMGEDIT_HEAD} |
|---|{"---|" * 10}
| Ovis-U1 | <ins>4.00</ins> | {"4.00 | " * 9}

| Model | Avg | Background Change | {" | ".join("abcdefghij")} |
|---|{"---|" * 12}
| Ovis-U1 | 6.420 | {"6.420 | " * 11}
"""
    return write(root, {"README.md": readme})


def risebench(root: Path) -> Path:
    head = "".join(f"<th>{name} (%)</th>" for name in ("Temporal", "Causal", "Spatial", "Logical", "Overall"))
    row = "".join(f"<td>{cell}</td>" for cell in ("<b>20.0</b>", "10.0", "50.0", "0.0", "21.1"))
    return write(root, {"README.md": f"<table><tr><th>Model</th>{head}</tr>\n<tr><td>Mine</td>{row}</tr></table>"})
