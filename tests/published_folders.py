"""Small data sets in exactly the layout of benchmarks that are published as folders; all texts and pictures are ours.

Each builder writes one below `place` and returns what a user gives as `path`.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from published import IMAGE, drawn, parquet, picture

Row = dict[str, Any]


def written(file: Path, content: object) -> Path:
    """`content` as JSON, or as lines of it where the name says so."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".jsonl" and isinstance(content, list):
        file.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in content), encoding="utf-8")
    else:
        file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return file


def pictures(folder: Path, names: Sequence[str]) -> None:
    """A picture of its own for every name."""
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(drawn(name, kind="PNG" if name.lower().endswith("png") else "JPEG"))


def packed(folder: Path, archive: Path) -> Path:
    """The content of `folder` as a tar file, under the names that it has seen from there."""
    with tarfile.open(archive, "w") as file:
        for path in sorted(folder.rglob("*")):
            file.add(path, str(path.relative_to(folder)), recursive=False)
    return archive


# ------------------------------------------------------------------------------------------------ ImgEdit-Bench

IMGEDIT_TYPES = ("extract", "style", "add", "adjust", "background", "replace", "remove", "action", "compose")


def imgedit_rows(types: Sequence[str] = IMGEDIT_TYPES) -> dict[str, Row]:
    """Two edits share a source; one folder has a blank in its name, one is nested."""
    folders = {"extract": "daily object/7.jpg", "style": "daily object/7.jpg", "compose": "compose/human/6.jpg"}
    return {
        str(1000 + n): {"id": folders.get(kind, f"animal/{n}.jpg"), "prompt": f"Change {n}: {kind}.", "edit_type": kind}
        for n, kind in enumerate(types)
    }


def imgedit(place: Path, rows: Mapping[str, Row] | None = None) -> Path:
    """The folder `Benchmark` as Benchmark.tar has it, with all three suites; UGE_edit.json beside its images."""
    folder, rows = place / "Benchmark", rows if rows is not None else imgedit_rows()
    written(folder / "singleturn" / "singleturn.json", rows)
    pictures(folder / "singleturn", [row["id"] for row in rows.values()])
    hard = {str(n): {"id": f"00{n}.jpg", "prompt": f"Change the left one of {n}."} for n in (1, 2)}
    written(folder / "hard" / "UGE_edit.json", hard)
    pictures(folder / "hard", [row["id"] for row in hard.values()])
    for kind in ("content_memory", "content_understand", "version_backtrace"):
        chains = {
            "1": {"id": "1.jpg", "turn1": "Add a ball.", "turn2": "Make it red.", "turn3": "Undo that."},
            "2": {"id": "2.jpg", "turn1": "Add a box.", "turn2": "Make it blue."},
        }
        written(folder / "multiturn" / kind / "annotation.json", chains)
        pictures(folder / "multiturn" / kind, ["1.jpg", "2.jpg"])
    return folder


# ------------------------------------------------------------------------------------------------ KRIS-Bench

KRIS_GROUPS = (
    *("abstract_reasoning", "anomaly_correction", "biology", "chemistry", "color_change", "count_change", "geography"),
    *("humanities", "mathematics", "medicine", "multi-element_composition", "multi-instruction_execution"),
    *("part_completion", "physics", "position_movement", "practical_knowledge", "rule-based_reasoning"),
    *("size_adjustment", "temporal_prediction", "viewpoint_change"),
)


def kris_rows() -> dict[str, dict[str, Row]]:
    """One edit a group, all of them called "1"; several sources, empty and absent right answers as in the data."""
    rows: dict[str, dict[str, Row]] = {}
    for group in KRIS_GROUPS:
        row: Row = {"ori_img": "1.jpg", "gt_img": "", "ins_en": f"Do what {group} asks.", "explain_en": ""}
        if group == "temporal_prediction":
            row |= {"ori_img": ["1-1.jpg", "1-2.jpg", "1-4.jpg"], "gt_img": "1-3.jpg"}
        if group == "multi-element_composition":
            row |= {"ori_img": ["1-1.jpg", "1-2.png"]}
        if group == "viewpoint_change":
            row |= {"gt_img": "1_gt.jpeg"}
        if group == "physics":
            row |= {"explain_en": "It falls."}
        if group == "abstract_reasoning":
            del row["gt_img"]
        rows[group] = {"1": row}
    return rows


def kris(place: Path, rows: Mapping[str, Mapping[str, Row]] | None = None) -> Path:
    """The folder KRIS_Bench: a folder a group."""
    folder = place / "KRIS_Bench"
    for group, found in (kris_rows() if rows is None else rows).items():
        written(folder / group / "annotation.json", found)
        for row in found.values():
            named = row["ori_img"] if isinstance(row["ori_img"], list) else [row["ori_img"]]
            pictures(folder / group, [*named, *([row["gt_img"]] if row.get("gt_img") else [])])
    return folder


def kris_flat(place: Path) -> Path:
    """The list that BAGEL evaluates with, beside KRIS_Bench."""
    kris(place)
    rows = [{"id": key, "type": group, **row} for group, found in kris_rows().items() for key, row in found.items()]
    return written(place / "final_data.json", rows)


# ------------------------------------------------------------------------------------------------ RISEBench


def rise_rows() -> list[Row]:
    """One edit a kind of question: with text, with picture, with flags and with what pandas writes for nothing."""
    nothing = float("nan")
    rows: list[Row] = []
    for number, (kind, more) in enumerate(
        (
            ("temporal", {"reference": "It has grown.", "subtask": "Life Progression"}),
            ("temporal", {"reference": "Rust.", "consistency_free": True, "subtask": "Material Progression"}),
            ("causal", {"reference": "It breaks.", "consistency_free": nothing, "reasoning_img": True}),
            ("spatial", {"reference": "Upside down.", "reference_img": nothing}),
            ("spatial", {"reference_img": "spatial_reasoning_images/5_ref.png", "reference": None}),
            ("logical", {"reference_txt": "From 1 to 4.", "subtask": "Puzzle Solving"}),
            ("logical", {"reference_img": "logical_reasoning_images/7_ref.png", "reasoning_wo_ins": True}),
        ),
        1,
    ):
        group = f"{kind}_reasoning"
        row = {"index": f"{group}_{number}", "category": group, "instruction": f"Draw what {number} becomes."}
        rows.append({**row, "image": f"{group}_images/{number}.png", **more})
    return rows


def rise(place: Path, rows: Sequence[Row] | None = None, name: str = "datav2_total_w_subtask.json") -> Path:
    """The JSON file and the folder `data` that data.zip holds."""
    found = rise_rows() if rows is None else rows
    written(place / "RISEBench" / name, list(found))
    named = [row[field] for row in found for field in ("image", "reference_img") if isinstance(row.get(field), str)]
    pictures(place / "RISEBench" / "data", named)
    return place / "RISEBench"


def rise_first_release(num: int = 64) -> list[Row]:
    """Rows as in data_total.json: no subtask, no flags."""
    groups = ("temporal", "causal", "spatial", "logical")
    rows = []
    for number in range(num):
        group = f"{groups[number % 4]}_reasoning"
        row = {"index": f"{group}_{number}", "category": group, "instruction": f"Draw {number}.", "image": "one.png"}
        rows.append({**row, ("reference_txt" if "logical" in group else "reference"): "Done."})
    return rows


# ------------------------------------------------------------------------------------------------ REDEdit-Bench

REDEDIT_TASKS = (
    *("add", "adjust", "background", "beauty", "color", "compose", "extract", "portrait", "lowlevel", "motion"),
    *("remove", "replace", "stylize", "text", "viewpoint"),
)


def rededit_rows() -> list[Row]:
    """One edit a task; those of `portrait` lie in the folder `id`."""
    rows = []
    for number, task in enumerate(REDEDIT_TASKS, 1):
        folder = "id" if task == "portrait" else task
        row = {"id": str(number), "source": f"redbench/{folder}/{task}-{number}.png", "task": task}
        rows.append({**row, "a_to_b_instructions": f"改变{number}", "a_to_b_instructions_eng": f"Change {number}."})
    return rows


def rededit(place: Path, rows: Sequence[Row] | None = None) -> Path:
    """The folder with redbench.jsonl and redbench/."""
    found = rededit_rows() if rows is None else rows
    written(place / "rededit" / "redbench.jsonl", list(found))
    pictures(place / "rededit", [row["source"] for row in found])
    return place / "rededit"


# ------------------------------------------------------------------------------------------------ MagicBrush


def white_area(size: tuple[int, int] = (48, 32)) -> bytes:
    """A picture whose left half is transparent: the area to edit."""
    image = Image.new("RGBA", size, (10, 20, 30, 255))
    image.paste((0, 0, 0, 0), (0, 0, size[0] // 2, size[1]))
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


MAGICBRUSH_TURNS = {"139": 3, "30": 1}  # session -> turns


def magicbrush(place: Path) -> Path:
    """The unpacked folder of a split."""
    sessions: dict[str, list[Row]] = {}
    for session, num in MAGICBRUSH_TURNS.items():
        before = f"{session}-input.png"
        pictures(place / "dev" / "images" / session, [before])
        for turn in range(1, num + 1):
            row = {"input": before, "mask": f"{session}-mask{turn}.png", "output": f"{session}-output{turn}.png"}
            sessions.setdefault(session, []).append({**row, "instruction": f"Do step {turn}."})
            pictures(place / "dev" / "images" / session, [row["output"]])
            (place / "dev" / "images" / session / row["mask"]).write_bytes(white_area())
            before = row["output"]
    written(place / "dev" / "edit_sessions.json", sessions)
    written(place / "dev" / "edit_turns.json", [row for rows in sessions.values() for row in rows])
    return place / "dev"


def magicbrush_table() -> pa.Table:
    """The rows of the Hub."""
    rows = []
    for session, num in MAGICBRUSH_TURNS.items():
        for turn in range(1, num + 1):
            before = f"{session}-output{turn - 1}.png" if turn > 1 else f"{session}-input.png"
            row = {"img_id": session, "turn_index": turn, "source_img": picture(before)}
            row |= {"mask_img": {"bytes": white_area(), "path": None}, "instruction": f"Do step {turn}."}
            rows.append({**row, "target_img": picture(f"{session}-output{turn}.png")})
    kinds = {"source_img": IMAGE, "mask_img": IMAGE, "target_img": IMAGE, "turn_index": pa.int32()}
    return pa.table({name: pa.array([row[name] for row in rows], kinds.get(name)) for name in rows[0]})


# ------------------------------------------------------------------------------------------------ Emu Edit


def emu_edit(place: Path) -> Path:
    """A Parquet file a split; numbers repeat over tasks and splits."""
    for split in ("test", "validation"):
        rows = []
        for task in ("add", "background"):
            for number in (0, 1):
                row = {"instruction": f"Do {task} {number}.", "image": picture(f"{split} {number}"), "task": task}
                row |= {"split": split, "idx": number, "hash": f"{task}{number}", "input_caption": "A room."}
                rows.append({**row, "output_caption": f"A room, after {task}."})
        kinds = {"image": IMAGE, "idx": pa.int64()}
        table = pa.table({name: pa.array([row[name] for row in rows], kinds.get(name)) for name in rows[0]})
        parquet(place / "emu" / "data" / f"{split}-00000-of-00001.parquet", table)
    return place / "emu"
