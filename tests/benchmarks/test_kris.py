"""`kris`: the authors' files as they are, and every hazard of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from contracts.benchmark_contract import check_benchmark
from editeval.benchmarks.kris import GROUPS, Kris, KrisParams
from editeval.errors import BenchmarkError
from editeval.run.selection import missing_images
from editeval.types import Sample
from published_folders import KRIS_GROUPS, kris, kris_flat, kris_rows, packed, written


def samples(path: Path, **params: str) -> list[Sample]:
    return list(Kris(KrisParams(str(path), **params)))


def refusal(path: Path, **params: str) -> str:
    with pytest.raises(BenchmarkError) as caught:
        samples(path, **params)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_keeps_the_contract_in_both_layouts(tmp_path: Path) -> None:
    check_benchmark(Kris, KrisParams(str(kris(tmp_path))))
    check_benchmark(Kris, KrisParams(str(kris_flat(tmp_path))))


def test_the_counts_of_the_known_version_are_the_published_ones() -> None:
    assert (sum(GROUPS.values()), sorted(GROUPS)) == (1267, sorted(KRIS_GROUPS))


def test_ids_are_unique_though_every_group_counts_from_one(tmp_path: Path) -> None:
    found = samples(kris(tmp_path))
    assert [s.id for s in found] == [f"{group}/1" for group in sorted(KRIS_GROUPS)]
    assert [s.category for s in found] == sorted(KRIS_GROUPS)
    assert len({s.cluster for s in found}) == 20, "1.jpg of two groups are two images"
    assert not missing_images(found)


def test_folder_flat_list_and_tar_file_give_the_same_samples(tmp_path: Path) -> None:
    flat = kris_flat(tmp_path)

    def told(path: Path, **params: str) -> list[object]:
        found = sorted(samples(path, **params), key=lambda s: s.id)
        return [(s.id, s.instruction, s.reference_text, [i.read() for i in (*s.images, *s.references)]) for s in found]

    wanted = told(flat)
    assert told(tmp_path) == told(tmp_path / "KRIS_Bench") == wanted
    assert told(packed(tmp_path, tmp_path.parent / "kris.tar"), images=str(tmp_path / "KRIS_Bench")) == wanted
    clone = tmp_path / "clone"
    clone.mkdir()
    shutil.copy(flat, clone)
    assert told(clone, images=str(tmp_path / "KRIS_Bench")) == wanted


def test_several_sources_come_in_order_and_the_missing_frame_is_said(tmp_path: Path) -> None:
    found = {s.category: s for s in samples(kris(tmp_path))}
    several = found["multi-element_composition"]
    assert [getattr(i, "name", "") for i in several.images] == [f"{several.category}/1-{n}" for n in ("1.jpg", "2.png")]
    frames = found["temporal_prediction"]
    assert (len(frames.images), frames.metadata["frames"], frames.metadata["missing_frame"]) == (3, [1, 2, 4], 3)
    assert [len(s.images) for s in found.values()].count(1) == 18


def test_a_right_answer_that_is_empty_or_absent_is_none(tmp_path: Path) -> None:
    found = {s.category: s for s in samples(kris(tmp_path))}
    assert {group for group, s in found.items() if s.references} == {"temporal_prediction", "viewpoint_change"}
    assert getattr(found["viewpoint_change"].references[0], "name", "") == "viewpoint_change/1_gt.jpeg"
    assert {group: s.reference_text for group, s in found.items() if s.reference_text} == {"physics": "It falls."}
    assert all(s.target is None for s in found.values())


def test_the_fields_that_the_authors_script_asks_for_and_the_data_lack_are_named(tmp_path: Path) -> None:
    rows = kris_rows()
    rows["physics"]["1"]["instruction"] = rows["physics"]["1"].pop("ins_en")
    assert "physics/annotation.json: record '1': 'ins_en' (instruction) is missing" in refusal(kris(tmp_path, rows))


def test_half_a_download_and_an_unknown_group_are_one_line_each(tmp_path: Path) -> None:
    folder = kris(tmp_path / "half")
    (folder / "physics" / "annotation.json").unlink()
    shutil.rmtree(folder / "biology")
    said = refusal(folder)
    assert "expected 20 groups with annotation.json, found 18: no biology, physics; download the rest" in said
    rows = kris_rows()
    rows["object_count"] = rows.pop("count_change")
    assert "folder: expected one of " in refusal(kris(tmp_path / "strange", rows))
    flat = kris_flat(tmp_path / "flat")
    listed = json.loads(flat.read_text(encoding="utf-8"))
    listed[0]["type"] = "daily_life"
    assert "type: expected one of " in refusal(written(flat, listed))
    assert "got 'daily_life'" in refusal(flat)
    (tmp_path / "empty").mkdir()
    assert "expected final_data.json or " in refusal(tmp_path / "empty")


@pytest.mark.parametrize(
    "names", [["1-1.jpg", "1-2.jpg"], ["1-1.jpg", "1-1.jpg", "1-2.jpg"], ["1.jpg", "2.jpg", "3.jpg"], "1.jpg"]
)
def test_frames_that_do_not_say_which_one_is_missing_are_refused(tmp_path: Path, names: object) -> None:
    rows = kris_rows()
    rows["temporal_prediction"]["1"]["ori_img"] = names
    assert "ori_img: expected three of four frames such as 7-2.jpg, found " in refusal(kris(tmp_path, rows))


def test_a_viewpoint_without_its_right_answer_is_refused(tmp_path: Path) -> None:
    rows = kris_rows()
    rows["viewpoint_change"]["1"]["gt_img"] = ""
    assert "gt_img: expected the right answer of viewpoint_change, found none" in refusal(kris(tmp_path, rows))


def test_another_count_is_named_and_missing_images_are_one_message(tmp_path: Path) -> None:
    folder = kris(tmp_path)
    differs = Kris(KrisParams(str(folder))).differs()
    assert differs[0] == "1267 samples expected, found 20" and "group physics has 1 of 75" in differs
    (folder / "viewpoint_change" / "1_gt.jpeg").unlink()
    (folder / "temporal_prediction" / "1-2.jpg").unlink()
    said = missing_images(samples(folder))
    assert said.startswith("benchmark: 2 images are missing, which 2 of the samples need: ")
    assert "1_gt.jpeg (of viewpoint_change/1)" in said


def test_an_image_name_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    rows = kris_rows()
    rows["physics"]["1"]["ori_img"] = "../../../secret.png"
    (folder := tmp_path / "KRIS_Bench").mkdir()
    for group, found in rows.items():
        written(folder / group / "annotation.json", found)
    assert 'leaves the folder with ".."' in refusal(folder)
