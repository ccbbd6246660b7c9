"""`rise`: the authors' files as they are, and every hazard of them."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from contracts.benchmark_contract import check_benchmark
from editeval.benchmarks._zip_files import ZipImage
from editeval.benchmarks.rise import GROUPS, Rise, RiseParams
from editeval.errors import BenchmarkError, ImageError
from editeval.run.selection import missing_images
from editeval.types import Sample
from published_folders import rise, rise_first_release, rise_rows, written


def samples(path: Path, **params: str) -> list[Sample]:
    return list(Rise(RiseParams(str(path), **params)))


def refusal(path: Path, **params: str) -> str:
    with pytest.raises(BenchmarkError) as caught:
        samples(path, **params)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_keeps_the_contract(tmp_path: Path) -> None:
    check_benchmark(Rise, RiseParams(str(rise(tmp_path))))


def test_the_counts_of_the_known_version_are_the_published_ones() -> None:
    assert sum(GROUPS.values()) == 360


def test_the_index_is_the_id_and_the_right_answer_is_a_text_or_a_picture(tmp_path: Path) -> None:
    found = {s.id: s for s in samples(rise(tmp_path))}
    assert list(found)[:2] == ["temporal_reasoning_1", "temporal_reasoning_2"]
    assert found["temporal_reasoning_1"].reference_text == "It has grown."
    assert found["logical_reasoning_6"].reference_text == "From 1 to 4."
    shown = {name: getattr(s.references[0], "name", "") for name, s in found.items() if s.references}
    assert shown == {
        "spatial_reasoning_5": "spatial_reasoning_images/5_ref.png",
        "logical_reasoning_7": "logical_reasoning_images/7_ref.png",
    }
    assert found["spatial_reasoning_5"].reference_text == "" and not missing_images(found.values())


def test_a_flag_that_is_absent_null_or_nan_is_false(tmp_path: Path) -> None:
    rows = rise_rows()
    rows[0]["consistency_free"] = None
    found = samples(rise(tmp_path, rows))
    assert [s.metadata["consistency_free"] for s in found] == [False, True, False, False, False, False, False]
    assert [s.metadata["reasoning_img"] for s in found] == [False, False, True, False, False, False, False]
    assert [s.metadata["reasoning_wo_ins"] for s in found][-1] is True
    assert "reference_img" not in found[3].metadata, "NaN is nothing, not a picture"


def test_file_folder_and_images_elsewhere_give_the_same_samples(tmp_path: Path) -> None:
    folder = rise(tmp_path)
    listed = folder / "datav2_total_w_subtask.json"
    wanted = [(s.id, s.image.read()) for s in samples(folder)]
    assert [(s.id, s.image.read()) for s in samples(listed)] == wanted
    shutil.move(listed, tmp_path / listed.name)
    for images in (folder, folder / "data"):
        found = samples(tmp_path / listed.name, images=str(images))
        assert [(s.id, s.image.read()) for s in found] == wanted
    shutil.move(tmp_path / listed.name, folder / "data" / listed.name)
    assert [(s.id, s.image.read()) for s in samples(folder)] == wanted, "as in the authors' own command"


def test_the_first_release_is_read_and_named(tmp_path: Path) -> None:
    benchmark = Rise(RiseParams(str(rise(tmp_path, rise_first_release(), "data_total.json"))))
    assert len(list(benchmark)) == 64
    assert benchmark.differs() == ("RISEBench-64, the first release, with 64 of 360 samples",)


def test_another_count_is_named(tmp_path: Path) -> None:
    differs = Rise(RiseParams(str(rise(tmp_path)))).differs()
    assert differs[0] == "360 samples expected, found 7" and "group causal_reasoning has 1 of 90" in differs


def zipped(folder: Path, archive: Path, **more: str) -> Path:
    """The files below `folder` in a zip file, under the names that they have seen from there."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            file.write(path, str(path.relative_to(folder)))
        for name, text in more.items():
            file.writestr(name, text)
    return archive


def test_the_zip_file_of_the_hub_is_read_in_place(tmp_path: Path) -> None:
    folder = rise(tmp_path)
    wanted = [(s.id, s.image.read(), [r.read() for r in s.references]) for s in samples(folder)]
    before = Rise(RiseParams(str(folder))).fingerprint()
    (tmp_path / "top").mkdir()
    shutil.move(folder / "data", tmp_path / "top" / "data")
    zipped(tmp_path / "top", folder / "data.zip")
    found = samples(folder)
    assert [(s.id, s.image.read(), [r.read() for r in s.references]) for s in found] == wanted
    assert sorted(p.name for p in folder.iterdir()) == ["data.zip", "datav2_total_w_subtask.json"], (
        "nothing is unpacked"
    )
    assert not missing_images(found) and Rise(RiseParams(str(folder))).fingerprint() != before
    (tmp_path / "top" / "data" / "logical_reasoning_images" / "7_ref.png").unlink()
    zipped(tmp_path / "top", folder / "data.zip")
    assert missing_images(samples(folder)).startswith("benchmark: 1 image is missing, which 1 of the samples need: ")


def test_a_zip_file_that_is_half_there_or_leads_out_or_needs_a_password_is_refused(tmp_path: Path) -> None:
    folder = rise(tmp_path)
    archive = zipped(folder / "data", tmp_path / "a.zip", **{"../../evil.png": "x"})
    assert 'leaves the folder with ".."' in refusal(folder, images=str(archive))
    archive = zipped(folder / "data", tmp_path / "b.zip")
    archive.write_bytes(archive.read_bytes()[:400])
    assert "not a whole zip file" in refusal(folder, images=str(archive))
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as file:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/hostname")
    assert "a member is a link, got 'link.png'" in refusal(folder, images=str(tmp_path / "c.zip"))
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as file:
        file.writestr("one.png", "x")
    data = bytearray((tmp_path / "d.zip").read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "d.zip").write_bytes(data)
    assert "a member needs a password" in refusal(folder, images=str(tmp_path / "d.zip"))


def test_a_zip_file_with_a_name_or_a_stream_that_cannot_be_decoded_is_one_line(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "name.zip", "w") as file:
        file.writestr("\u00e9.png", "x")
    data = (tmp_path / "name.zip").read_bytes()
    (tmp_path / "name.zip").write_bytes(data.replace("\u00e9".encode(), b"\xff\xfe"))
    assert "not a whole zip file" in refusal(rise(tmp_path), images=str(tmp_path / "name.zip"))
    with zipfile.ZipFile(tmp_path / "lzma.zip", "w", zipfile.ZIP_LZMA) as file:
        file.writestr("one.png", b"abc" * 1000)
    data = (tmp_path / "lzma.zip").read_bytes()
    (tmp_path / "lzma.zip").write_bytes(data[:49] + b"\xff" * 18 + data[67:])
    with pytest.raises(ImageError, match=r"'one\.png' cannot be read"):
        ZipImage(tmp_path / "lzma.zip", "one.png").read()


def test_an_unknown_group_no_right_answer_and_no_index_are_one_line_each(tmp_path: Path) -> None:
    rows = rise_rows()
    rows[0]["category"] = "temporal"
    assert "category: expected one of temporal_reasoning, " in refusal(rise(tmp_path / "a", rows))
    rows = rise_rows()
    del rows[5]["reference_txt"]
    assert "expected reference_txt or reference_img of logical_reasoning" in refusal(rise(tmp_path / "b", rows))
    rows = rise_rows()
    rows[1]["index"] = rows[0]["index"]
    assert "ids must be unique" in refusal(rise(tmp_path / "c", rows))
    written(tmp_path / "d" / "datav2_total_w_subtask.json", [])
    assert "no records" in refusal(tmp_path / "d")


def test_missing_images_are_one_message(tmp_path: Path) -> None:
    folder = rise(tmp_path)
    (folder / "data" / "logical_reasoning_images" / "7_ref.png").unlink()
    (folder / "data" / "causal_reasoning_images" / "3.png").unlink()
    assert missing_images(samples(folder)).startswith("benchmark: 2 images are missing, which 2 of the samples need: ")
