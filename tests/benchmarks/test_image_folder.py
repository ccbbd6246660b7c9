"""`image_folder`: what it reads, what it refuses and how it says so."""

from __future__ import annotations

import csv
import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from contracts.benchmark_contract import check_benchmark
from editeval.benchmarks._files import FolderImage, ImageDirectory, fingerprint_images
from editeval.benchmarks.image_folder import ImageFolder, ImageFolderParams
from editeval.errors import BenchmarkError, ImageError
from editeval.images import encode_png
from editeval.plugins import load
from editeval.types import Sample

CAT = {"image": "cat.png", "instruction": "Make it grey."}


def write_image(path: Path, color: str = "red", mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(Image.new(mode, (6, 4), color)))


def write_jsonl(folder: Path, *rows: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "manifest.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return folder


def benchmark(folder: Path, manifest: str = "") -> ImageFolder:
    return ImageFolder(ImageFolderParams(str(folder), manifest))


def samples(folder: Path, manifest: str = "") -> list[Sample]:
    return list(benchmark(folder, manifest))


def refusal(folder: Path, manifest: str = "") -> str:
    with pytest.raises(BenchmarkError) as caught:
        samples(folder, manifest)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_image(tmp_path / "data" / "cat.png")
    write_image(tmp_path / "data" / "target.png", "blue")
    write_image(tmp_path / "data" / "mask.png", "white", "L")
    return tmp_path / "data"


def test_the_contract_holds(folder: Path) -> None:
    full = {**CAT, "id": "grey", "reference": "target.png", "mask": "mask.png", "tags": ["a"], "level": {"n": 1}}
    write_jsonl(folder, full, {**CAT, "category": "物理"})
    check_benchmark(ImageFolder, ImageFolderParams(str(folder)))


def test_its_type_is_its_module_name() -> None:
    assert load("benchmarks", "image_folder") is ImageFolder


def test_every_column_lands_in_its_field(folder: Path) -> None:
    row = {
        **CAT,
        "id": 7,
        "category": "c",
        "description": "d",
        "cluster": "k",
        "mask": "mask.png",
        "difficulty": "easy",
    }
    write_jsonl(folder, row)
    (sample,) = samples(folder)
    assert (sample.id, sample.category, sample.description, sample.cluster) == ("7", "c", "d", "k")
    assert (sample.metadata, sample.target) == ({"difficulty": "easy"}, None)
    assert sample.mask is not None and sample.mask.read() == (folder / "mask.png").read_bytes()


def test_several_source_images_are_a_list_and_change_the_fingerprint(folder: Path) -> None:
    row = {"images": ["cat.png", "target.png"], "instruction": "put them together"}
    write_jsonl(folder, row)
    (sample,) = samples(folder)
    assert [image.path.name for image in sample.images] == ["cat.png", "target.png"]
    assert (sample.id, sample.cluster, sample.metadata) == ("cat.png", "cat.png", {})
    before = ImageFolder(ImageFolderParams(str(folder))).fingerprint()
    write_image(folder / "target.png", "green")
    assert ImageFolder(ImageFolderParams(str(folder))).fingerprint() != before
    write_jsonl(folder, {"image": row["images"], "instruction": row["instruction"]})
    assert [s.images for s in samples(folder)] == [sample.images]


def test_defaults_are_one_category_and_the_image_as_cluster_and_id(folder: Path) -> None:
    write_jsonl(folder, CAT, {**CAT, "image": "./cat.png", "id": None}, {**CAT, "image": "target.png", "id": ""})
    found = samples(folder)
    assert [s.id for s in found] == ["cat.png", "cat.png#2", "target.png"]
    assert [s.cluster for s in found] == ["cat.png", "cat.png", "target.png"]
    assert {s.category for s in found} == {"all"}


def test_csv_and_jsonl_give_the_same_samples_and_fingerprint(folder: Path) -> None:
    rows = [{**CAT, "id": f"s{i}", "description": 'a, "quoted"\nline', "extra": "x"} for i in range(3)]
    write_jsonl(folder, *rows)
    with (folder / "other.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert samples(folder, "other.csv") == samples(folder)
    assert benchmark(folder, "other.csv").fingerprint() == benchmark(folder).fingerprint()


def test_jsonl_is_preferred_and_csv_found(folder: Path) -> None:
    (folder / "manifest.csv").write_text("image,instruction\r\ncat.png,From CSV\r\n")
    assert samples(folder)[0].instruction == "From CSV"
    write_jsonl(folder, CAT)
    assert samples(folder)[0].instruction == CAT["instruction"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"instruction": "x"}, ["manifest.jsonl:1", "'image'", "'instruction'"]),
        ({"image": "cat.png"}, ["manifest.jsonl:1", "'instruction'"]),
        ({**CAT, "instruction": " \t"}, ["instruction is empty"]),
        ({**CAT, "image": ""}, ["image is empty"]),
        ({**CAT, "image": []}, ["no 'image'"]),
        ({**CAT, "image": [["cat.png"]]}, ["image must be a text", "list"]),
        ({**CAT, "id": 1.5}, ["id must be a text", "float"]),
        ({**CAT, "id": True}, ["id must be a text", "bool"]),
        ({**CAT, "id": "\ud800"}, ["surrogate"]),
        ([1], ["expected an object", "list"]),
    ],
)
def test_a_wrong_row_is_named_with_its_line(folder: Path, row: Any, words: list[str]) -> None:
    message = refusal(write_jsonl(folder, row))
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    "text", ['{"image": "cat.png", ', "nonsense", '{"image": "cat.png", "instruction": "x", "n": NaN}', "[" * 100_000]
)
def test_a_malformed_line_is_named(folder: Path, text: str) -> None:
    (folder / "manifest.jsonl").write_text(json.dumps(CAT) + "\n\n" + text)
    assert "manifest.jsonl:3: not JSON" in refusal(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image;instruction\ncat.png;x\n", ["manifest.csv:1", "no column image and instruction"]),
        ("image,instruction,id,id\n", ["manifest.csv:1", "['id']"]),
        ("image,instruction\ncat.png,a, b\n", ["manifest.csv:2", "expected 2 cells, got 3"]),
        ('image,instruction\ncat.png,"a" b\n', ["manifest.csv:2", "not CSV"]),
        ("image,instruction\ncat.png,\n", ["manifest.csv:2", "instruction is empty"]),
        ("", ["manifest.csv:1", "no column"]),
        ("image,instruction\n", ["no rows"]),
    ],
)
def test_a_wrong_csv_is_named_with_its_line(folder: Path, text: str, words: list[str]) -> None:
    (folder / "manifest.csv").write_text(text)
    message = refusal(folder)
    assert all(word in message for word in words), message


def test_a_manifest_that_is_missing_or_of_another_kind_is_named(folder: Path) -> None:
    assert "manifest.jsonl or manifest.csv" in refusal(folder)
    assert "no rows.txt" in refusal(folder, "rows.txt")
    (folder / "rows.txt").write_text("")
    assert "got '.txt'" in refusal(folder, "rows.txt")
    assert "benchmark.params.path" in refusal(folder / "nowhere")
    with pytest.raises(BenchmarkError, match="no folder given"):
        list(ImageFolder(ImageFolderParams()))
    (folder / "manifest.jsonl").write_bytes(b'{"image": "\xff"}')
    assert "not UTF-8" in refusal(folder)
    (folder / "manifest.jsonl").write_text("\n \n")
    assert "no rows" in refusal(folder)


def test_all_duplicate_ids_are_listed(folder: Path) -> None:
    ids = [
        1,
        "1",
        "free",
        "Cat",
        "cAT",
        unicodedata.normalize("NFC", "é"),
        unicodedata.normalize("NFD", "é"),
        "ß",
        "SS",
    ]
    message = refusal(write_jsonl(folder, *({**CAT, "id": i} for i in ids)))
    for part in ("'1' (line 1, line 2)", "'Cat' / 'cAT' (line 4, line 5)", "(line 6, line 7)", "(line 8, line 9)"):
        assert part in message
    assert "free" not in message


def test_a_given_id_may_not_collide_with_a_derived_one(folder: Path) -> None:
    assert "cat.png" in refusal(write_jsonl(folder, CAT, {**CAT, "image": "target.png", "id": "cat.png"}))


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("../secret.png", '".."'),
        ("a/../../secret.png", '".."'),
        ("/etc/passwd", "absolute"),
        ("C:/secret.png", "absolute"),
        ("..\\secret.png", "backslashes"),
        ("https://example.org/cat.png", "never fetched"),
        ("file:///etc/passwd", "never fetched"),
        ("data:image/png;base64,AAAA", "never fetched"),
        ("cat.png\0.txt", "control"),
        ("images/", "names a folder"),
    ],
)
@pytest.mark.parametrize("column", ["image", "reference", "mask"])
def test_a_path_that_leaves_the_folder_is_refused_at_load(folder: Path, column: str, name: str, word: str) -> None:
    message = refusal(write_jsonl(folder, {**CAT, column: name}))
    assert "manifest.jsonl:1" in message and column in message and word in message


def test_a_link_that_leads_out_is_refused_and_one_that_stays_is_not(folder: Path) -> None:
    write_image(folder.parent / "secret.png")
    (folder / "inner.png").symlink_to("cat.png")
    assert samples(write_jsonl(folder, {**CAT, "image": "inner.png"}))[0].image.read()
    (folder / "outer.png").symlink_to(folder.parent / "secret.png")
    assert "leads out" in refusal(write_jsonl(folder, {**CAT, "image": "outer.png"}))
    (folder / "up").symlink_to(folder.parent)
    assert "leads out" in refusal(write_jsonl(folder, {**CAT, "image": "up/secret.png"}))


def test_a_link_made_after_the_start_is_refused_when_read(folder: Path) -> None:
    write_image(folder.parent / "secret.png")
    (sample,) = samples(write_jsonl(folder, {**CAT, "image": "late.png"}))
    (folder / "late.png").symlink_to(folder.parent / "secret.png")
    with pytest.raises(ImageError, match="leads out"):
        sample.image.read()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["..", ".", "a", "", "/", "\\", "~", "C:", "\0", "é", "x.png"]), max_size=6))
def test_no_name_ever_resolves_outside(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    root = tmp_path_factory.getbasetemp()
    try:
        image = ImageDirectory(root).image("here", "image", "/".join(parts))
    except BenchmarkError:
        return
    real = os.path.realpath(root / image.name)
    assert real == str(root.resolve()) or real.startswith(f"{root.resolve()}/")


def test_a_missing_image_fails_only_when_read(folder: Path) -> None:
    write_jsonl(folder, CAT, {**CAT, "image": "gone/gone.png"}, {**CAT, "image": "."})
    _, gone, directory = samples(folder)
    with pytest.raises(ImageError, match=r"gone\.png"):
        gone.image.read()
    with pytest.raises(ImageError):
        directory.image.read()


def test_a_pipe_is_refused_instead_of_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    (sample,) = samples(write_jsonl(folder, {**CAT, "image": "pipe.png"}))
    with pytest.raises(ImageError, match="not a regular file"):
        sample.image.read()


def test_fingerprint_follows_content_and_not_layout(folder: Path) -> None:
    row = {**CAT, "id": "a", "extra": 1}
    first = benchmark(write_jsonl(folder, row)).fingerprint()
    (folder / "manifest.jsonl").write_text("  " + json.dumps(dict(reversed(row.items()))) + "\r\n\r\n")
    assert benchmark(folder).fingerprint() == first
    changed = {
        benchmark(write_jsonl(folder, {**row, key: "new"})).fingerprint() for key in ("id", "instruction", "extra")
    }
    write_jsonl(folder, row)
    write_image(folder / "cat.png", "green")
    changed.add(benchmark(folder).fingerprint())
    (folder / "cat.png").unlink()
    changed.add(benchmark(folder).fingerprint())
    assert len(changed | {first}) == 6


def test_fingerprint_of_a_large_set_sees_size_and_both_ends(tmp_path: Path) -> None:
    path = tmp_path / "large.png"

    def fingerprint(content: bytes) -> str:
        path.write_bytes(content)
        return fingerprint_images([FolderImage(str(tmp_path), path.name)], max_hashed_bytes=10_000)

    middle = b"m" * 20_000
    prints = [fingerprint(c) for c in (b"a" + middle + b"z", b"b" + middle + b"z", b"a" + middle + b"y", middle)]
    assert len(set(prints)) == 4
    assert fingerprint(b"a" + middle + b"z") == prints[0]


def test_samples_keep_no_pixels_and_names_may_be_chinese(folder: Path) -> None:
    write_image(folder / "图" / "猫.png")
    (sample,) = samples(write_jsonl(folder, {"image": "图/猫.png", "instruction": "把猫变成灰色", "id": "猫" * 3000}))
    assert isinstance(sample.image, FolderImage) and sample.image.read()
    assert sample.id == "猫" * 3000
