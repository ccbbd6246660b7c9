"""`gedit`: the authors' files as they are, and every hazard of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from contracts.benchmark_contract import check_benchmark
from editeval.benchmarks.gedit import GEdit, GEditParams
from editeval.errors import BenchmarkError
from editeval.images import decode
from published import GEDIT_GROUPS, gedit, gedit_rows, gedit_table, parquet, saved


def refusal(path: Path | str, **params: object) -> str:
    with pytest.raises(BenchmarkError) as caught:
        list(GEdit(GEditParams(str(path), **params)))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    check_benchmark(GEdit, GEditParams(str(gedit(tmp_path))))


def test_english_is_read_by_default_and_ids_are_unique_though_keys_are_not(tmp_path: Path) -> None:
    found = list(GEdit(GEditParams(str(gedit(tmp_path, per_group=2)))))
    assert len(found) == 22
    assert found[0].id == "en/background_change/00000000"
    assert [s.category for s in found[::2]] == list(GEDIT_GROUPS)
    assert {s.language for s in found} == {"en"}
    assert found[0].metadata == {
        "task_type": "background_change",
        "key": "00000000",
        "instruction_language": "en",
        "Intersection_exist": True,
    }


def test_both_languages_of_a_source_share_a_cluster(tmp_path: Path) -> None:
    found = list(GEdit(GEditParams(str(gedit(tmp_path)), language="both")))
    by_id = {sample.id: sample.cluster for sample in found}
    assert len(found) == 22 and len(set(by_id.values())) == 11
    assert by_id["en/ps_human/00000000"] == by_id["cn/ps_human/00000000"] != by_id["en/text_change/00000000"]


def test_the_raw_source_is_another_picture_and_another_fingerprint(tmp_path: Path) -> None:
    path = str(gedit(tmp_path))
    usual, raw = GEdit(GEditParams(path)), GEdit(GEditParams(path, source="input_image_raw"))
    assert decode(next(iter(usual)).image.read()).size == (48, 32)
    assert decode(next(iter(raw)).image.read()).size == (96, 64)
    assert len({usual.fingerprint(), raw.fingerprint(), GEdit(GEditParams(path, language="cn")).fingerprint()}) == 3


def test_the_intersection_is_a_subset_of_its_own(tmp_path: Path) -> None:
    path = str(gedit(tmp_path, per_group=3))
    everything = list(GEdit(GEditParams(path)))
    assert [s.subset for s in everything[:3]] == ["intersection", "", "intersection"]
    assert len(list(GEdit(GEditParams(path, intersection_only=True)))) == 22


@pytest.mark.parametrize("kind", ["saved", "shards", "parquet", "folder"])
def test_every_shape_of_download_gives_the_same_samples(tmp_path: Path, kind: str) -> None:
    table = gedit_table(gedit_rows(("ps_human", "text_change")))
    place = {
        "saved": lambda: saved(tmp_path / "data", table),
        "shards": lambda: saved(tmp_path / "data", table, 2),
        "parquet": lambda: parquet(tmp_path / "gedit.parquet", table),
        "folder": lambda: parquet(tmp_path / "data" / "train-00000-of-00001.parquet", table).parent,
    }[kind]()
    found = list(GEdit(GEditParams(str(place))))
    assert [s.id for s in found] == ["en/ps_human/00000000", "en/text_change/00000000"]
    assert [s.instruction for s in found] == ["en: draw ps_human 0", "en: draw text_change 0"]


def test_half_a_download_a_renamed_field_and_a_wrong_folder_are_one_line_each(tmp_path: Path) -> None:
    table = gedit_table(gedit_rows())
    half = saved(tmp_path / "half", table, 3)
    (half / "data-00001-of-00003.arrow").unlink()
    assert "data-00001-of-00003.arrow" in refusal(half)
    shards = [parquet(tmp_path / "shards" / f"train-0000{k}-of-00003.parquet", table) for k in (0, 2)]
    assert "has 3 files, got 2: no 00001" in refusal(shards[0].parent)
    renamed = parquet(tmp_path / "renamed.parquet", table.rename_columns(["task", *table.column_names[1:]]))
    assert "expected the field 'task_type' of GEdit-Bench, found task, key" in refusal(renamed)
    names = [name if name != "key" else "kye" for name in table.column_names]
    keyless = parquet(tmp_path / "keyless.parquet", table.rename_columns(names))
    assert "expected the field 'key' of GEdit-Bench, found task_type, kye" in refusal(keyless)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("x")
    expected = "expected Parquet or Arrow files of GEdit-Bench, found notes.txt; docs/benchmarks.md"
    assert expected in refusal(tmp_path / "other")
    shutil.rmtree(tmp_path / "other")
    assert "nothing at" in refusal(tmp_path / "other")


def test_data_without_the_language_say_what_they_have(tmp_path: Path) -> None:
    path = gedit(tmp_path, languages=("cn",))
    assert "no sample with language 'en'" in refusal(path) and "the data have 11 in 'cn'" in refusal(path)


def test_another_version_is_named_and_read(tmp_path: Path) -> None:
    known = dict(GEdit.card.counts)
    rows = [row for row in gedit_rows(per_group=99) if int(row["key"], 16) < known[f"en/{row['task_type']}"]]
    path = saved(tmp_path / "whole", gedit_table(rows))
    assert GEdit(GEditParams(str(path))).differs() == ()
    assert GEdit(GEditParams(str(path), language="both")).differs() == ()
    short = [row for row in rows if row["task_type"] != "text_change" or int(row["key"], 16) < 93]
    path = saved(tmp_path / "short", gedit_table(short))
    expected = ("606 samples expected, found 600", "group en/text_change has 93 of 99")
    assert GEdit(GEditParams(str(path))).differs() == expected
    assert GEdit(GEditParams(str(path), intersection_only=True)).differs() == expected
