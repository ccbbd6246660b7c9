"""Small sets of people's judgements in exactly the layout of published ones, with pictures and words of our own."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from published import IMAGE, parquet, saved


@dataclass(frozen=True)
class Told:
    """A pair: how red each edit is, which is what the judge `redness_judge` says, and what people say."""

    source: int
    a: int
    b: int
    winner: str = "a"
    task: str = "add"
    dimension: str = "overall"


def dot(red: int, green: int = 0, blue: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (red, green, blue)).save(file, "PNG")
    return file.getvalue()


def source(number: int) -> bytes:
    return dot(0, number % 256, 200)


def cell(data: bytes) -> dict[str, Any]:
    return {"bytes": data, "path": None}


def table(rows: Sequence[Mapping[str, Any]], **kinds: pa.DataType) -> pa.Table:
    return pa.table({name: pa.array([row[name] for row in rows], kinds.get(name)) for name in rows[0]})


def edited(one: Told, side: str) -> bytes:
    """The red of the edit; its source's number is in it, so that no two sources share an edit."""
    return dot(getattr(one, side), one.source % 200)


def editreward_bench(folder: Path, pairs: Sequence[Told]) -> Path:
    """As EditScore publishes it: an Arrow folder, the better edit first."""
    rows = []
    for number, one in enumerate(pairs):
        sides = [edited(one, "a"), edited(one, "b")]
        shown = sides if one.winner == "a" else sides[::-1]
        rows.append(
            {
                "key": [f"{number}_x", f"{number}_y"],
                "task_type": one.task,
                "dimension": one.dimension,
                "instruction": f"Paint it, number {one.source}.",
                "input_image": cell(source(one.source)),
                "output_images": list(map(cell, shown)),
            }
        )
    return saved(folder / "bench", table(rows, input_image=IMAGE, output_images=pa.list_(IMAGE)))


def vcreward(folder: Path, pairs: Sequence[Told]) -> Path:
    rows = [
        {
            "key": f"{number}_pair_m_vs_n",
            "instruction": f"Paint it, number {one.source}.",
            "source_image": cell(source(one.source)),
            "edited_images": [cell(edited(one, "a")), cell(edited(one, "b"))],
            "winner": {"a": "Image A", "b": "Image B", "tie": "Tie"}[one.winner],
            "task": one.task,
        }
        for number, one in enumerate(pairs)
    ]
    parquet(folder / "data" / "a.parquet", table(rows, source_image=IMAGE, edited_images=pa.list_(IMAGE)))
    return folder


def mmrb2_table(folder: Path, pairs: Sequence[Told]) -> Path:
    rows = [
        {
            "pair_id": f"bench__{number}/x",
            "prompt_text": f"<image_1> Paint it, number {one.source}.",
            "prompt_images": [cell(source(one.source))],
            "prompt_source": one.task,
            "response_a_images": [cell(edited(one, "a"))],
            "response_b_images": [cell(edited(one, "b"))],
            "chosen": one.winner.upper(),
        }
        for number, one in enumerate(pairs)
    ]
    kinds = dict.fromkeys(("prompt_images", "response_a_images", "response_b_images"), pa.list_(IMAGE))
    return parquet(folder / "edit" / "test-0.parquet", table(rows, **kinds))


def mmrb2_json(folder: Path, pairs: Sequence[Told]) -> Path:
    """As the authors' scripts build it."""
    listed = []
    for number, one in enumerate(pairs):
        names = {"p": source(one.source), "a": edited(one, "a"), "b": edited(one, "b")}
        for name, data in names.items():
            place = folder / ("input_images" if name == "p" else "images") / f"{number}_{name}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        sides = {
            f"response_{side}": {
                "model_name": f"m{side}",
                "response_content": [["image", f"images/{number}_{side}.png"]],
            }
            for side in "ab"
        }
        words = [["text", f"Paint it, number {one.source}."], ["image", f"input_images/{number}_p.png"]]
        listed.append(
            {
                "id": f"{number}",
                "prompt_content": words,
                "prompt_source": one.task,
                "chosen": one.winner.upper(),
                **sides,
            }
        )
    (folder / "edit.json").write_text(json.dumps({"pairs": listed}))
    return folder


def tiger(folder: Path, pairs: Sequence[Told]) -> Path:
    """Rankings of two; of three where three pairs share a source and their task is "3pair"."""
    rows = []
    for number, one in enumerate(pairs):
        letters = {"2pair": "AB", "3pair": ("AB", "AC", "BC")[number % 3]}[one.task]
        better = {"a": ">", "b": "<", "tie": "="}[one.winner]
        said = f"{letters[0]}{better}{letters[1]}" if better != "<" else f"{letters[1]}>{letters[0]}"
        rows.append(
            {
                "id": f"s{one.source}_{'vs'.join(letters)}",
                "dataset": one.task,
                "instruction": f"Paint it, number {one.source}.",
                "source_image": cell(source(one.source)),
                "candidate_1": cell(edited(one, "a")),
                "candidate_2": cell(edited(one, "b")),
                "ranking": said,
                "comparison_type": "vs".join(letters),
            }
        )
    parquet(
        folder / "2pair" / "train-00000-of-00001.parquet",
        table(rows, source_image=IMAGE, candidate_1=IMAGE, candidate_2=IMAGE),
    )
    return folder


def compass(folder: Path, pairs: Sequence[Told]) -> Path:
    """A JSON file of paths; the winner is named as such, and a tie has one too."""
    rows = []
    folder.mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(pairs):
        sides = ("b", "a") if one.winner == "b" else ("a", "b")
        better, worse = (edited(one, side) for side in sides)
        names = {"source_image": source(one.source), "winner": better, "loser": worse}
        for name, data in names.items():
            (folder / f"{number}_{name}.png").write_bytes(data)
        shown = {name: f"{number}_{name}.png" for name in names}
        label = "tie" if one.winner == "tie" else "preference"
        rows.append({"prompt": f"Paint it, number {one.source}.", "dimension": one.dimension, "label": label, **shown})
    (folder / "compass.json").write_text(json.dumps(rows))
    return folder


def own(folder: Path, pairs: Sequence[Told]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, one in enumerate(pairs):
        for name, data in (("s", source(one.source)), ("a", edited(one, "a")), ("b", edited(one, "b"))):
            (folder / f"{number}{name}.png").write_bytes(data)
        row = {"source": f"{number}s.png", "a": f"{number}a.png", "b": f"{number}b.png", "winner": one.winner}
        lines.append(json.dumps({**row, "instruction": f"Paint it, number {one.source}.", "task": one.task}))
    file = folder / "pairs.jsonl"
    file.write_text("\n".join(lines))
    return file


def imagenhub(
    folder: Path, ratings: Mapping[str, Sequence[tuple[float, float]]], reds: Mapping[str, Sequence[int]]
) -> Path:
    """Three raters who agree; `ratings` by model, one (SC, PQ) per sample, and how red each edit is."""
    num = len(next(iter(ratings.values())))
    uids = [f"sample_{number}_1.jpg" for number in range(num)]
    people = folder / "eval" / "human_ratings" / "Text-Guided_IE"
    people.mkdir(parents=True)
    head = "\t".join(["uid", *ratings])
    rows = ["\t".join([uid, *(str(list(ratings[m][i])) for m in ratings)]) for i, uid in enumerate(uids)]
    for rater in (1, 2, 3):
        (people / f"Text-Guided_IE_rater{rater}.tsv").write_text("\n".join([head, *rows]) + "\n")
    place = folder / "results" / "ImagenHub_Text-Guided_IE"
    for name in ("input", *ratings):
        (place / name).mkdir(parents=True)
        for i, uid in enumerate(uids):
            (place / name / uid).write_bytes(source(i) if name == "input" else dot(reds[name][i], i))
    told = {uid: {"instruction": f"Paint it, number {i}."} for i, uid in enumerate(uids)}
    (place / "dataset_lookup.json").write_text(json.dumps(told))
    return folder
