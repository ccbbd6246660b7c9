"""`imgedit`: the authors' files as they are, and every hazard of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from contracts.benchmark_contract import check_benchmark
from editeval.benchmarks.imgedit import TYPES, ImgEdit, ImgEditParams
from editeval.errors import BenchmarkError
from editeval.run.selection import missing_images
from editeval.types import Sample
from published_folders import IMGEDIT_TYPES, imgedit, imgedit_rows, packed, written


def samples(path: Path, **params: object) -> list[Sample]:
    return list(ImgEdit(ImgEditParams(str(path), **params)))  # type: ignore[arg-type]


def refusal(path: Path, **params: object) -> str:
    with pytest.raises(BenchmarkError) as caught:
        samples(path, **params)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suite", ["basic", "uge", "multiturn"])
def test_it_keeps_the_contract(tmp_path: Path, suite: str) -> None:
    check_benchmark(ImgEdit, ImgEditParams(str(imgedit(tmp_path)), suite=suite))  # type: ignore[arg-type]


def test_the_counts_of_the_known_version_are_the_published_ones() -> None:
    assert sum(TYPES.values()) == 737 and set(TYPES) == set(IMGEDIT_TYPES)


def test_basic_has_the_type_as_category_the_key_as_id_and_the_source_as_cluster(tmp_path: Path) -> None:
    found = samples(imgedit(tmp_path))
    assert [(s.id, s.category) for s in found[:2]] == [("1000", "extract"), ("1001", "style")]
    assert found[0].cluster == found[1].cluster != found[2].cluster
    assert found[0].metadata["key"] == "1000" and found[0].metadata["id"] == "daily object/7.jpg"
    assert {s.language for s in found} == {"en"} and not missing_images(found)


def test_the_folder_above_the_tar_file_and_the_file_of_the_repository_give_the_same_samples(tmp_path: Path) -> None:
    folder = imgedit(tmp_path)
    in_repository = written(tmp_path / "clone" / "basic_edit.json", imgedit_rows())
    archive = packed(tmp_path, tmp_path / "Benchmark.tar")
    wanted = [(s.id, s.category, s.instruction, s.image.read()) for s in samples(folder)]
    alone = tmp_path / "downloaded"
    alone.mkdir()
    shutil.copy(archive, alone / "Benchmark.tar")
    for found in (
        samples(tmp_path),
        samples(folder / "singleturn" / "singleturn.json"),
        samples(archive),
        samples(alone),
        samples(in_repository, images=str(folder / "singleturn")),
    ):
        assert [(s.id, s.category, s.instruction, s.image.read()) for s in found] == wanted


def test_hard_edits_are_listed_in_the_repository_and_their_images_are_in_the_tar_file(tmp_path: Path) -> None:
    folder = imgedit(tmp_path)
    listed = tmp_path / "UGE_edit.json"
    shutil.move(folder / "hard" / "UGE_edit.json", listed)
    archive = packed(tmp_path, tmp_path / "Benchmark.tar")
    for images in (archive, folder, folder / "hard"):
        found = samples(listed, suite="uge", images=str(images))
        assert [(s.id, s.category) for s in found] == [("1", "uge"), ("2", "uge")]
        assert all(s.image.read() for s in found)
    assert "expected UGE_edit.json" in refusal(folder, suite="uge")


def test_a_chain_has_a_sample_for_every_turn_that_follows_the_turn_before(tmp_path: Path) -> None:
    found = samples(imgedit(tmp_path), suite="multiturn")
    assert [(s.id, s.after) for s in found[:5]] == [
        ("content_memory/1/turn1", ""),
        ("content_memory/1/turn2", "content_memory/1/turn1"),
        ("content_memory/1/turn3", "content_memory/1/turn2"),
        ("content_memory/2/turn1", ""),
        ("content_memory/2/turn2", "content_memory/2/turn1"),
    ]
    assert [s.instruction for s in found[:3]] == ["Add a ball.", "Make it red.", "Undo that."]
    assert len({s.cluster for s in found}) == 6, "one cluster a chain, though file names repeat over groups"
    assert {s.category for s in found} == {"content_memory", "content_understand", "version_backtrace"}


def test_a_chain_with_a_turn_left_out_and_a_group_that_is_not_there_are_refused(tmp_path: Path) -> None:
    folder = imgedit(tmp_path)
    listed = folder / "multiturn" / "content_memory" / "annotation.json"
    written(listed, {"1": {"id": "1.jpg", "turn1": "a", "turn3": "b"}})
    assert "record '1': expected turn1, turn2, found turn1, turn3" in refusal(folder, suite="multiturn")
    shutil.rmtree(folder / "multiturn" / "version_backtrace")
    written(listed, {"1": {"id": "1.jpg", "turn1": "a"}})
    assert "expected multiturn/version_backtrace/annotation.json" in refusal(folder, suite="multiturn")
    assert "expected the folder with content_memory" in refusal(listed, suite="multiturn")


def test_another_count_and_another_text_are_named_and_the_first_version_by_its_name(tmp_path: Path) -> None:
    few = ImgEdit(ImgEditParams(str(imgedit(tmp_path / "few"))))
    assert few.differs()[0] == "737 samples expected, found 9"
    assert "group extract has 1 of 117" in few.differs()
    old = ImgEdit(ImgEditParams(str(imgedit(tmp_path / "old", imgedit_rows(("alter", "add"))))))
    assert [s.category for s in old] == ["alter", "add"]
    assert old.differs() == ("the first version of the data, with the type 'alter' for 'adjust'",)


def test_the_right_counts_with_a_changed_text_are_another_version(tmp_path: Path) -> None:
    types = [kind for kind, num in TYPES.items() for _ in range(num)]
    rows = imgedit_rows(types)
    listed = written(tmp_path / "basic_edit.json", rows)
    assert ImgEdit(ImgEditParams(str(listed))).differs() == ("texts are not those of the known version",)


def test_an_unknown_type_a_wrong_folder_and_no_path_are_one_line_each(tmp_path: Path) -> None:
    assert "edit_type: expected one of action, add, adjust" in refusal(imgedit(tmp_path, imgedit_rows(("ad",))))
    (tmp_path / "empty").mkdir()
    assert "found an empty folder" in refusal(tmp_path / "empty")
    assert "nothing at" in refusal(tmp_path / "nowhere")


def test_three_missing_images_are_one_message_and_a_link_out_is_refused(tmp_path: Path) -> None:
    folder = imgedit(tmp_path) / "singleturn"
    for name in ("daily object/7.jpg", "compose/human/6.jpg", "animal/2.jpg"):
        (folder / name).unlink()
    assert missing_images(samples(folder)).startswith("benchmark: 3 images are missing, which 4 of the samples need: ")
    (folder / "animal" / "2.jpg").symlink_to("/etc/hostname")
    assert "is a link that leads out" in refusal(folder)


def test_half_a_tar_file_is_refused(tmp_path: Path) -> None:
    imgedit(tmp_path / "data")
    archive = packed(tmp_path / "data", tmp_path / "Benchmark.tar")
    archive.write_bytes(archive.read_bytes()[:20_000])
    assert "half a download?" in refusal(archive)


def test_multi_turn_has_no_protocol_of_the_authors(tmp_path: Path) -> None:
    found = ImgEdit(ImgEditParams(str(imgedit(tmp_path)), suite="multiturn"))
    assert found.differs() == ("a suite that the authors judge by eye",)


def test_a_key_that_is_in_the_file_twice_is_refused(tmp_path: Path) -> None:
    listed = imgedit(tmp_path) / "singleturn" / "singleturn.json"
    listed.write_text(listed.read_text(encoding="utf-8").replace('"1001"', '"1000"'), encoding="utf-8")
    assert "ids must be unique, got duplicates: '1000'" in refusal(listed)
