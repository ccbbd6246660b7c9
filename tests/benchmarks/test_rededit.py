"""`rededit`: the authors' files as they are, and every hazard of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from contracts.benchmark_contract import check_benchmark
from editeval.benchmarks.rededit import TASKS, RedEdit, RedEditParams
from editeval.errors import BenchmarkError
from editeval.run.selection import missing_images
from editeval.types import Sample
from published_folders import REDEDIT_TASKS, packed, rededit, rededit_rows


def samples(path: Path, **params: str) -> list[Sample]:
    return list(RedEdit(RedEditParams(str(path), **params)))  # type: ignore[arg-type]


def refusal(path: Path, **params: str) -> str:
    with pytest.raises(BenchmarkError) as caught:
        samples(path, **params)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    check_benchmark(RedEdit, RedEditParams(str(rededit(tmp_path))))


def test_the_counts_of_the_known_version_are_those_of_the_public_set_and_the_card_says_so() -> None:
    assert sum(TASKS.values()) == 1542 and set(TASKS) == set(REDEDIT_TASKS)
    assert "CC BY-NC-ND 4.0" in RedEdit.card.licence and "1,673" in RedEdit.card.licence


def test_portraits_lie_in_the_folder_id(tmp_path: Path) -> None:
    found = samples(rededit(tmp_path))
    assert [s.category for s in found] == list(REDEDIT_TASKS)
    portrait = next(s for s in found if s.category == "portrait")
    assert (portrait.id, getattr(portrait.image, "name", "")) == ("portrait-8", "redbench/id/portrait-8.png")
    assert portrait.metadata["id"] == "8" and not missing_images(found)


def test_chinese_is_the_default_as_with_the_authors_and_is_called_cn(tmp_path: Path) -> None:
    folder = rededit(tmp_path)
    usual, english = samples(folder), samples(folder, language="en")
    assert (usual[0].instruction, usual[0].language) == ("改变1", "cn")
    assert (english[0].instruction, english[0].language) == ("Change 1.", "en")
    assert [s.id for s in usual] == [s.id for s in english]
    assert (
        RedEdit(RedEditParams(str(folder))).fingerprint()
        != RedEdit(RedEditParams(str(folder), language="en")).fingerprint()
    )


@pytest.mark.parametrize("start", ["", "REDEdit_Bench"])
def test_folder_tar_file_and_images_elsewhere_give_the_same_samples(tmp_path: Path, start: str) -> None:
    folder = rededit(tmp_path / "data")
    wanted = [(s.id, s.image.read()) for s in samples(folder)]
    top = tmp_path / "top" / start
    shutil.copytree(folder, top, dirs_exist_ok=True)
    archive = packed(tmp_path / "top", tmp_path / "REDEdit_Bench.tar")
    assert [(s.id, s.image.read()) for s in samples(archive)] == wanted
    listed = shutil.copy(folder / "redbench.jsonl", tmp_path / "redbench.jsonl")
    for images in (archive, tmp_path / "top", folder):
        assert [(s.id, s.image.read()) for s in samples(Path(listed), images=str(images))] == wanted


def test_another_count_an_unknown_task_and_a_wrong_folder_are_one_line_each(tmp_path: Path) -> None:
    assert RedEdit(RedEditParams(str(rededit(tmp_path / "few")))).differs()[0] == "1542 samples expected, found 15"
    rows = rededit_rows()
    rows[7]["task"] = "id"
    assert "record 7: task: expected one of add, adjust" in refusal(rededit(tmp_path / "strange", rows))
    rows = rededit_rows()
    del rows[0]["a_to_b_instructions"]
    assert "'a_to_b_instructions' (instruction) is missing" in refusal(rededit(tmp_path / "field", rows))
    (tmp_path / "empty").mkdir()
    assert "expected redbench.jsonl or " in refusal(tmp_path / "empty")


def test_missing_images_are_one_message_and_half_a_list_is_refused(tmp_path: Path) -> None:
    folder = rededit(tmp_path)
    shutil.rmtree(folder / "redbench" / "id")
    assert missing_images(samples(folder)).startswith("benchmark: 1 image is missing, which 1 of the samples need: ")
    listed = folder / "redbench.jsonl"
    listed.write_bytes(listed.read_bytes()[:-40])
    assert "malformed JSON" in refusal(folder)
