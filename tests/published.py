"""Small data sets in exactly the schema of published benchmarks, with pictures drawn here; no text is the authors'.

Each builder writes one below `place` and returns what a user gives as `path`.
"""

from __future__ import annotations

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
