"""`complex_edit`: a row is an image with eight instructions, a sample one of them; in each form the data may have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts.benchmark_contract import check_benchmark
from editeval.benchmarks.complex_edit import ComplexEdit, ComplexEditParams
from editeval.errors import BenchmarkError
from editeval.run.layouts import find_files
from editeval.types import Sample
from published import complex_edit_rows, complex_edit_table, drawn, parquet, saved


def read(path: Path, **how: object) -> list[Sample]:
    return list(ComplexEdit(ComplexEditParams(str(path), **how)))  # type: ignore[arg-type]


def saved_splits(place: Path) -> Path:
    for kind in ("real", "syn"):
        saved(place / f"test_{kind}", complex_edit_table(kind))
    (place / "dataset_dict.json").write_text(json.dumps({"splits": ["test_real", "test_syn"]}))
    return place


def parquet_files(place: Path) -> Path:
    for kind in ("real", "syn"):
        parquet(place / "data" / f"test_{kind}-00000-of-00001.parquet", complex_edit_table(kind))
    return place


def image_folders(place: Path) -> Path:
    for kind in ("real", "syn"):
        folder = place / "test" / kind
        (folder / "images").mkdir(parents=True)
        lines = []
        for number, row in enumerate(complex_edit_rows(kind)):
            (folder / "images" / f"{number:04}.png").write_bytes(drawn(f"{kind} {number}"))
            lines.append(json.dumps({"file_name": f"images/{number:04}.png", "edit": row["edit"]}))
        (folder / "metadata.jsonl").write_text("\n".join(reversed(lines)))
    return place


@pytest.mark.parametrize("form", [saved_splits, parquet_files, image_folders])
def test_each_form_of_the_data_gives_the_same_samples(tmp_path: Path, form: object) -> None:
    path = form(tmp_path / "data of [them]")  # type: ignore[operator]
    check_benchmark(ComplexEdit, ComplexEditParams(str(path), complexity=3))
    real, syn = (sorted(read(path, complexity=3, image_type=kind), key=lambda s: s.id) for kind in ("real", "syn"))
    assert [s.id for s in real] == ["real/C3/0000", "real/C3/0001"]
    assert [s.instruction for s in syn] == ["syn 0: 3 changes.", "syn 1: 3 changes."]
    assert {s.category for s in real} == {"C3"} and {s.language for s in real} == {"en"}
    assert real[1].image.read() == drawn("real 1") and syn[0].image.read() == drawn("syn 0")
    metadata = {"key": "0001", "number": "00001", "image_type": "real", "complexity": 3}
    assert real[1].metadata == metadata


def test_all_complexities_of_both_kinds_are_groups_and_named_subsets_and_an_image_is_one_cluster(
    tmp_path: Path,
) -> None:
    found = read(parquet_files(tmp_path), complexity=0, image_type="both")
    assert len(found) == len({s.id for s in found}) == 32
    assert sorted({s.category for s in found}) == [f"C{n}" for n in range(1, 9)]
    assert {s.subset for s in found} == {"real", "syn"} and len({s.cluster for s in found}) == 4


def test_what_differs_from_the_published_set_is_said(tmp_path: Path) -> None:
    path = str(parquet_files(tmp_path))

    def differs(**how: object) -> tuple[str, ...]:
        return ComplexEdit(ComplexEditParams(path, **how)).differs()  # type: ignore[arg-type]

    assert differs() == ("531 samples expected, found 2", "group C8 has 2 of 531")
    assert "not on record" in differs(image_type="syn")[0]
    assert differs(complexity=0)[-1] == "all complexities together, published one at a time"
    own = {"instruction": "edit.sequence.0.instruction"}
    assert differs(fields=own)[-1].startswith("fields by benchmark.params.fields: ")
    assert read(Path(path), fields=own)[0].instruction == "Step 1."


def test_the_full_set_differs_in_nothing(tmp_path: Path) -> None:
    path = parquet(tmp_path / "test_real-00000-of-00001.parquet", complex_edit_table("real", 531))
    assert ComplexEdit(ComplexEditParams(str(path))).differs() == ()


@pytest.mark.parametrize("name", ["0001", "00001", "complexity_8_real/00001"])
def test_edits_named_by_the_number_of_the_row_are_found(tmp_path: Path, name: str) -> None:
    samples = read(parquet_files(tmp_path / "data"))
    file = tmp_path / "edits" / f"{name}.png"
    file.parent.mkdir(parents=True)
    file.write_bytes(drawn("edit"))
    found = find_files(str(tmp_path / "edits"), "", "model", ComplexEdit.card.layouts, samples)
    assert list(found.files) == ["real/C8/0001"]


def test_other_data_are_one_line_each(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        BenchmarkError, match="expected the split 'test_real', saved or in Parquet files, of Complex-Edit, found an"
    ):
        read(tmp_path / "empty")
    one = saved(tmp_path / "one" / "test_syn", complex_edit_table("syn")).parent
    (one / "dataset_dict.json").write_text(json.dumps({"splits": ["test_syn"]}))
    with pytest.raises(BenchmarkError, match=r"expected the split 'test_real', .* found dataset_dict\.json, test_syn"):
        read(one)
    with pytest.raises(BenchmarkError, match=r"expected the split 'test_real' and not 'test_syn\.parquet' alone"):
        read(parquet(tmp_path / "test_syn.parquet", complex_edit_table("syn")))
    with pytest.raises(BenchmarkError, match="complexity: must be 1 to 8, or 0 for all, got 9"):
        read(one, complexity=9)
    with pytest.raises(BenchmarkError, match=r"record 0: 'edit\.compound\.7\.compound_instruction' .* missing"):
        read(parquet(tmp_path / "short" / "test_real.parquet", complex_edit_table("real", 1, levels=7)))
    table = complex_edit_table("real").rename_columns(["picture", "edit"])
    renamed = parquet(tmp_path / "renamed" / "test_real.parquet", table)
    with pytest.raises(BenchmarkError, match="expected the field 'image' of Complex-Edit, found picture, edit"):
        read(renamed)
    assert len(read(renamed, fields={"image": "picture"})) == 2
