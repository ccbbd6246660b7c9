"""Which file is whose edit: layouts with and without upper folders, lists, galleries, and what is refused."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from editeval.errors import UserError
from editeval.images import BytesImage
from editeval.run.layouts import FoundFiles, Listing, find_files, named
from editeval.store.run_store import relative_path
from editeval.types import Sample

OFFICIAL = ("{task_type}/{language}/{key}.png",)
IMAGE = BytesImage(b"")


def sample(task: str, key: str, language: str = "cn", **metadata: object) -> Sample:
    fields = {"task_type": task, "key": key, **metadata}
    return Sample(f"{language}/{task}/{key}", task, (IMAGE,), "do it", metadata=fields, language=language)


SAMPLES = [sample("daily object", "a"), sample("add", "a"), sample("add", "b")]


def folder_of(place: Path, *names: str) -> Path:
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"any")
    return place


def find(folder: Path, layout: str = "", name: str = "", samples: list[Sample] | None = None) -> FoundFiles:
    return find_files(str(folder), layout, name, OFFICIAL, SAMPLES if samples is None else samples)


def names(found: FoundFiles) -> dict[str, str]:
    return {sample_id: file.name for sample_id, file in found.files.items()}


def refused(folder: Path, layout: str = "", name: str = "", samples: list[Sample] | None = None) -> str:
    with pytest.raises(UserError) as caught:
        find(folder, layout, name, samples)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("above", ["", "fullset/", "results/my-model/fullset/"])
def test_the_official_layout_is_found_with_and_without_upper_folders_in_any_format(tmp_path: Path, above: str) -> None:
    ours = ("daily object/cn/a.png", "add/cn/a.JPG", "add/cn/b.webp", "add/cn/c.jpeg")
    copies = ("add/cn/a_SRCIMG.png", "add/en/a.png")
    folder = folder_of(tmp_path, *(above + name for name in (*ours, *copies)))
    found = find(folder, samples=[*SAMPLES, sample("add", "c")])
    assert list(names(found).values()) == [above + name for name in ours]
    assert found.surplus == [f"{above}add/en/a.png"]  # a copy of the source is no edit, and nothing to mention
    assert found.how == f"layout {OFFICIAL[0]}" + (f" in {above}" if above else "")


def test_a_plain_folder_by_id_and_the_names_of_a_run(tmp_path: Path) -> None:
    assert find(folder_of(tmp_path / "plain", "cn/add/a.png")).how == "layout {id}"
    ours = folder_of(tmp_path / "run", *(relative_path(one.id) for one in SAMPLES))
    assert len(find(ours).files) == 3
    assert find(ours / "edits").how == "named as in `edits/` of a run"


@pytest.mark.parametrize("layout", ["", "{id}", "{id}.png"])
def test_an_id_that_is_a_file_name_is_found_with_its_ending_once_or_twice(tmp_path: Path, layout: str) -> None:
    two = [Sample(f"{n}.png", "all", (IMAGE,), "do it") for n in range(2)]
    once, twice = (
        folder_of(tmp_path / "once", "0.png", "1.jpg"),
        folder_of(tmp_path / "twice", "0.png.png", "1.png.jpg"),
    )
    assert names(find(once, layout, samples=two)) == {"0.png": "0.png", "1.png": "1.jpg"}
    assert names(find(twice, layout, samples=two)) == {"0.png": "0.png.png", "1.png": "1.png.jpg"}
    said = refused(folder_of(tmp_path / "neither", "a.png"), layout, samples=two)
    assert "'0.png'" in said and "1 images there: 'a.png'" in said


def test_names_in_another_unicode_form_are_the_same_name(tmp_path: Path) -> None:
    samples = [sample("add", unicodedata.normalize("NFC", "é 图")), sample("add", "z")]
    found = find(folder_of(tmp_path, f"add/cn/{unicodedata.normalize('NFD', 'é 图')}.png"), samples=samples)
    assert list(found.files) == [samples[0].id]


def test_case_decides_and_the_other_one_is_surplus(tmp_path: Path) -> None:
    found = find(folder_of(tmp_path, "add/cn/a.png", "add/cn/A.png"))
    assert names(found) == {"cn/add/a": "add/cn/a.png"}
    assert found.surplus == ["add/cn/A.png"]


def test_two_files_for_one_sample_are_refused(tmp_path: Path) -> None:
    said = refused(folder_of(tmp_path, "add/cn/a.png", "add/cn/a.jpg", "add/cn/b.png"))
    assert said.endswith("two files for one sample: 'add/cn/a.jpg and add/cn/a.png'; remove the wrong ones")


def test_several_models_in_one_folder_are_refused_by_name(tmp_path: Path) -> None:
    said = refused(folder_of(tmp_path, "m1/add/cn/a.png", "m1/add/cn/b.png", "m2/add/cn/a.png"))
    assert "edits in 2 folders" in said and "m1/ (2), m2/ (1); name one of them" in said


def test_a_pattern_of_the_user_begins_at_the_folder(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "x/add-a.png", "add-a.jpg")
    assert names(find(folder, "{task_type}-{key}.png")) == {"cn/add/a": "add-a.jpg"}
    assert "gives 'cn/daily object/a' and 'cn/add/a' one file, 'a'" in refused(folder, "{key}.png")
    assert "no sample has all of these fields; there are category, id, key, language" in refused(folder, "{nothing}")
    assert 'leaves the folder with ".."' in refused(folder, "../{key}.png")
    assert "is an absolute path" in refused(folder, "/{key}.png")
    assert "has no field" in refused(folder, "a.png")


def test_an_id_with_dots_reaches_no_file_outside(tmp_path: Path) -> None:
    folder_of(tmp_path, "secret.png", "edits/ok.png")
    samples = [sample("add", "../../secret"), Sample("ok", "", (IMAGE,), "do it")]
    assert names(find(tmp_path / "edits", samples=samples)) == {"ok": "ok.png"}


def test_links_out_of_the_folder_are_refused_and_pipes_are_not_waited_for(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "edits", "add/cn/a.png")
    os.mkfifo(folder / "add/cn/b.png")
    assert list(find(folder).files) == ["cn/add/a"]
    (folder / "add/cn/c.png").symlink_to("a.png")
    assert find(folder).surplus == ["add/cn/c.png"]
    (folder / "add/cn/round.png").symlink_to("round.png")
    (folder / "round").symlink_to("round")
    assert find(folder).surplus == ["add/cn/c.png"], "a link to itself is no file"
    (tmp_path / "outside.png").write_bytes(b"any")
    (folder / "add/cn/d.png").symlink_to(tmp_path / "outside.png")
    (folder / "more").symlink_to(tmp_path)
    assert "links lead out of it: 'add/cn/d.png', 'more'" in refused(folder)


def test_nothing_found_says_what_was_looked_for_and_what_is_there(tmp_path: Path) -> None:
    assert "there is no such folder" in refused(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    said = refused(tmp_path / "empty")
    assert "looked for 'daily object/cn/a.png' (layout {task_type}/{language}/{key}.png) and by 1 more layout" in said
    assert "no image there" in said
    said = refused(folder_of(tmp_path / "many", *(f"{n:02}.png" for n in range(9))))
    assert "9 images there: '00.png', '01.png', '02.png', '03.png', '04.png', and 4 more" in said
    archive = folder_of(tmp_path, "edits.tar") / "edits.tar"
    assert "must be a folder or a .jsonl file; unpack an archive first" in refused(archive)


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "\n", encoding="utf-8")
    return path


def test_a_list_of_files_by_id_or_by_a_key_that_is_unique(tmp_path: Path) -> None:
    folder_of(tmp_path, "x/1.png", "2.jpg")
    table = lines(
        tmp_path / "mine.jsonl",
        {"id": "cn/add/a", "image": "x/1.png"},
        {"id": "b", "image": "2.jpg"},
        {"id": "a", "image": "2.jpg"},  # a key of two samples
        {"id": "cn/daily object/a", "image": "gone.png"},
    )
    found = find(table)
    assert names(found) == {"cn/add/a": "x/1.png", "cn/add/b": "2.jpg"}
    assert (found.how, found.surplus) == ("list of files mine.jsonl", ["a"])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "cn/add/a", "image": "../x.png"}, 'leaves the folder with ".."'),
        ({"id": "cn/add/a", "image": "https://example.org/x.png"}, "is a URL"),
        ({"id": "cn/add/a", "image": "/x.png"}, "is an absolute path"),
        ({"id": "cn/add/a", "image": 7}, "image must be a file name, got '7'"),
        ({"name": "a"}, "must be {id, image} or {key, candidates}, got 'name'"),
        ([1], "must be an object, got '[1]'"),
        ({"id": "nobody", "image": "x.png"}, "no row is of the 3 samples: looked for 'cn/daily object/a'"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_by_its_line(tmp_path: Path, row: object, said: str) -> None:
    assert said in refused(lines(tmp_path / "mine.jsonl", row))


def test_a_list_that_is_cut_off_or_names_a_sample_twice_is_refused(tmp_path: Path) -> None:
    table = lines(tmp_path / "mine.jsonl", *[{"id": "cn/add/a", "image": "x.png"}] * 2)
    assert "mine.jsonl:2: 'cn/add/a' is in line 1 already" in refused(table)
    table.write_text('{"id": "cn/add/a", "ima', encoding="utf-8")
    assert "not JSON lines of UTF-8" in refused(table)


def test_a_gallery_of_the_hub_gives_the_model_that_is_named(tmp_path: Path) -> None:
    folder_of(tmp_path, "m1/b.png", "m2/b.png")
    row = {"key": "b", "candidates": [{"model": "m1", "image": "m1/b.png"}, {"model": "m2", "image": "m2/b.png"}]}
    lines(tmp_path / "metadata.jsonl", row)
    assert names(find(tmp_path, name="m2")) == {"cn/add/b": "m2/b.png"}
    assert "no model 'other' in this gallery; --name one of 'm1', 'm2'" in refused(tmp_path, name="other")


def test_a_gallery_with_other_instructions_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, "m1/b.png")
    row = {"key": "b", "candidates": [{"model": "m1", "image": "m1/b.png"}]}
    lines(tmp_path / "metadata.jsonl", {**row, "prompt": "paint it all black"})
    assert "'b' was edited by another instruction: 'paint it all black' there" in refused(tmp_path, name="m1")
    same = next(sample for sample in SAMPLES if sample.id == "cn/add/b").instruction
    lines(tmp_path / "metadata.jsonl", {**row, "instruction": f" {same}\n"})
    assert names(find(tmp_path, name="m1")) == {"cn/add/b": "m1/b.png"}


def test_a_gallery_of_one_model_needs_no_name(tmp_path: Path) -> None:
    folder_of(tmp_path, "m1/b.png")
    lines(tmp_path / "metadata.jsonl", {"key": "b", "candidates": [{"model": "m1", "image": {"path": "m1/b.png"}}]})
    found = find(tmp_path, name="anything")
    assert (names(found), found.how) == ({"cn/add/b": "m1/b.png"}, "gallery metadata.jsonl, model m1")


def test_a_metadata_file_of_another_kind_is_no_gallery(tmp_path: Path) -> None:
    folder_of(tmp_path, "add/cn/a.png")
    lines(tmp_path / "metadata.jsonl", {"file_name": "add/cn/a.png"})
    assert find(tmp_path).how == f"layout {OFFICIAL[0]}"


def test_a_folder_of_real_pictures_is_listed_without_being_opened(tmp_path: Path) -> None:
    folder_of(tmp_path, "add/cn/a.png", ".hidden/x.png", "add/cn/._a.png", "add/cn/notes.txt")
    Image.new("RGB", (2, 2)).save(tmp_path / "add/cn/b.png")
    found = find(tmp_path)
    assert (len(found.files), found.surplus) == (2, [])
    assert named(["a"] * 7) == "'a', 'a', 'a', 'a', 'a', and 2 more"


def test_a_link_to_where_this_user_may_not_look_leads_out(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("/proc/1/cwd/a.png")  # of the first process: often not even to be resolved
    with pytest.raises(UserError, match=r"links lead out of it: 'a\.png'"):
        Listing.of(tmp_path)
