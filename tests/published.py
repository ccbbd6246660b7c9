"""Small data sets in exactly the schema of published benchmarks, with pictures drawn here; no text is the authors'.

Each builder writes one below `place` and returns what a user gives as `path`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def drawn(text: str, size: tuple[int, int] = (48, 32), kind: str = "PNG") -> bytes:
    """A picture of its own for every text."""
    seed = hashlib.sha256(text.encode()).digest()
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    image.paste(tuple(seed[:3]), (seed[3] % (size[0] // 2), seed[4] % (size[1] // 2), size[0] // 2, size[1] // 2))
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def picture(text: str, size: tuple[int, int] = (48, 32)) -> dict[str, Any]:
    """A cell as the `datasets` library has it."""
    return {"bytes": drawn(text, size), "path": None}


def saved(folder: Path, content: pa.Table, num_files: int = 1) -> Path:
    """`content` as `datasets.save_to_disk` writes it."""
    folder.mkdir(parents=True)
    names = [f"data-{k:05d}-of-{num_files:05d}.arrow" for k in range(num_files)]
    step = -(-content.num_rows // num_files)
    for k, name in enumerate(names):
        part = content.slice(k * step, step)
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, part.schema) as writer:
            writer.write_table(part)
    state = {"_data_files": [{"filename": name} for name in names], "_split": "train"}
    (folder / "state.json").write_text(json.dumps(state))
    return folder


def saved_dict(folder: Path, content: pa.Table, num_files: int = 1) -> Path:
    """As a `DatasetDict` with the split "train" is saved."""
    saved(folder / "train", content, num_files)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": ["train"]}))
    return folder


def parquet(file: Path, content: pa.Table) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(content, file)
    return file


# ------------------------------------------------------------------------------------------------ GEdit-Bench

GEDIT_GROUPS = (
    *("background_change", "color_alter", "material_alter", "motion_change", "ps_human", "style_change"),
    *("subject-add", "subject-remove", "subject-replace", "text_change", "tone_transfer"),
)


def gedit_rows(
    groups: Sequence[str] = GEDIT_GROUPS, per_group: int = 1, languages: Sequence[str] = ("en", "cn")
) -> list[dict[str, Any]]:
    """Keys repeat over groups; the languages of an edit share their source; every second one is in the intersection."""
    rows = []
    for group in groups:
        for number in range(per_group):
            for language in languages:
                name = f"{group} {number}"
                row = {"task_type": group, "key": f"{number:08x}", "instruction": f"{language}: draw {name}"}
                row |= {"instruction_language": language, "input_image": picture(name)}
                row |= {"input_image_raw": picture(name, (96, 64)), "Intersection_exist": number % 2 == 0}
                rows.append(row)
    return rows


def gedit_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    kinds = {"input_image": IMAGE, "input_image_raw": IMAGE}
    return pa.table({name: pa.array([row[name] for row in rows], kinds.get(name)) for name in rows[0]})


def gedit(place: Path, **how: Any) -> Path:
    """A saved data set of GEdit-Bench; `how` as for `gedit_rows`."""
    return saved_dict(place / "GEdit-Bench", gedit_table(gedit_rows(**how)))


# ------------------------------------------------------------------------------------------------ OmniContext

OMNICONTEXT_GROUPS = ("single_object", "multi_character", "scene_object")  # three of the eight


def omnicontext_table(per_group: int = 1, language: str = "en", groups: Sequence[str] = OMNICONTEXT_GROUPS) -> pa.Table:
    """The n-th group has n source images; keys repeat over groups."""
    rows = [(group, n + 1, number) for n, group in enumerate(groups) for number in range(per_group)]
    images = [[picture(f"{group} {number} {k}") for k in range(num)] for group, num, number in rows]
    return pa.table(
        {
            "key": [f"{number:04d}" for _, _, number in rows],
            "task_type": [group for group, _, _ in rows],
            "instruction": [f"Put all of {group} {number} on a table." for group, _, number in rows],
            "instruction_language": [language] * len(rows),
            "input_images": pa.array(images, pa.list_(IMAGE)),
        }
    )


# ------------------------------------------------------------------------------------------------ Complex-Edit


def complex_edit_rows(kind: str, num: int = 2, levels: int = 8) -> list[dict[str, Any]]:
    """Rows as `load_dataset` gives them: an image, and in `edit` the simple steps and an instruction per complexity."""
    steps = [{"name": "Add Text", "instruction": f"Step {n}."} for n in range(1, levels + 1)]

    def compound(number: int) -> list[dict[str, str]]:
        texts = [f"{kind} {number}: {n} changes." for n in range(1, levels + 1)]
        return [{"reasoning": "none", "compound_instruction": text} for text in texts]

    return [
        {"image": picture(f"{kind} {n}"), "edit": {"reasoning": "So.", "sequence": steps, "compound": compound(n)}}
        for n in range(num)
    ]


def complex_edit_table(kind: str, num: int = 2, levels: int = 8) -> pa.Table:
    rows = complex_edit_rows(kind, num, levels)
    edits = pa.array([row["edit"] for row in rows])
    return pa.table({"image": pa.array([row["image"] for row in rows], IMAGE), "edit": edits})


# ------------------------------------------------------------------------------------------------ GEditBench v2


def gedit_v2(place: Path, keys: Sequence[str] = ("background_change_000000", "line2image_000001")) -> Path:
    content = {"key": list(keys), "instruction": [f"Wish {key}." for key in keys]}
    content["source_image"] = pa.array([picture(key) for key in keys], IMAGE)
    parquet(place / "GEditBench-v2" / "data" / "train-00000-of-00001.parquet", pa.table(content))
    return place / "GEditBench-v2"


# ------------------------------------------------------------------------------------------------ RE-Edit


def re_edit_rows(per_group: int = 1) -> list[dict[str, Any]]:
    groups = ("physical", "environmental", "cultural", "causal", "referential")
    rows = [(group, number) for group in groups for number in range(per_group)]
    return [
        {
            "subset": group,
            "original_image_path": f"images/{group}/{number:05d}_{group}_medium.png",
            "src_img_b64": base64.b64encode(drawn(f"{group} {number}")).decode(),
            "edit_instruction_en": f"Edit {group} {number}.",
            "original_description_en": f"A square for {group}.",
            "rationale_short_en": f"Hard, since it is {group}.",
        }
        for group, number in rows
    ]


def re_edit(place: Path, per_group: int = 1) -> Path:
    (place / "RE-Edit.json").write_text(json.dumps(re_edit_rows(per_group)), encoding="utf-8")
    return place / "RE-Edit.json"


# ------------------------------------------------------------------------------------------------ UnicBench


def unicbench_rows() -> list[dict[str, Any]]:
    """Two subtasks, one with a blank in its name; a row of the second has reasoning points."""
    rows: list[dict[str, Any]] = [
        {"key": "a1", "task": "Scene Editing", "subtask": "Background Change", "image_path": "images/a1.png"},
        {"key": "b2", "task": "Reasoning Editing", "subtask": "Relation Change", "image_path": "images/b2.png"},
    ]
    rows[1]["reasoning_points"] = ["the left one moves"]
    said = {"resolution": [48, 32]}
    return [{**row, **said, "en": f"Change {row['key']}.", "cn": f"改变 {row['key']}。"} for row in rows]


def unicbench(place: Path) -> Path:
    """A clone's JSONL, with the images beside it."""
    folder = place / "UnicBench"
    (folder / "images").mkdir(parents=True)
    for row in unicbench_rows():
        (folder / row["image_path"]).write_bytes(drawn(row["key"]))
    lines = (json.dumps(row, ensure_ascii=False) for row in unicbench_rows())
    (folder / "test_data.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder
