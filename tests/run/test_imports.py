"""Edits made elsewhere, through the whole pipeline: identity, missing and changed files, flags, retry, subsets."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from editeval.cli.show import show
from editeval.config.load import load_mapping
from editeval.errors import ConfigError, RunConflictError, UserError
from editeval.run.pipeline import RunResult, evaluate
from editeval.run.same_inputs import check_inputs
from editeval.run.status import status_of
from editeval.store.run_store import RunStore
from run.pipeline_fakes import THREADS, log_of, report_of, samples_of

NUM = 4


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A benchmark of four samples with targets, and all targets as edits in `edits/<category>/<key>.png`."""
    folder = tmp_path / "data"
    (folder / "src").mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    for n in range(NUM):
        names = {role: f"src/{n}{role}.png" for role in ("image", "reference", "mask")}
        Image.new("RGB", (40, 32), (n * 40, 90, 160)).save(folder / names["image"])
        target = Image.new("RGB", (40, 32), (n * 40, 200, 60))
        target.putpixel((3, 3), (0, 0, 0))
        target.save(folder / names["reference"])
        Image.new("L", (40, 32), 255).save(folder / names["mask"])
        row = {"id": f"{'add' if n % 2 else 'style change'}/é{n}", "instruction": f"change {n}", "key": f"k {n}"}
        rows.append(row | {"category": "add" if n % 2 else "style change"} | names)
        place = tmp_path / "edits" / str(rows[-1]["category"]) / f"k {n}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / names["reference"], place)
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


LAYOUT = "{category}/{key}.png"


def config(data: Path, folder: Path | None = None, **changes: Any) -> Any:
    params = {"folder": str(folder or data.parent / "edits"), "layout": LAYOUT, "name": "my-model"}
    params |= changes.pop("params", {})
    tree: dict[str, Any] = {
        "benchmark": {"type": "image_folder", "params": {"path": str(data)}},
        "diffusion_model": {"type": "imported", "params": params, "execution": THREADS},
        "reward_model": {"type": "reference", "params": {"device_ids": ["cpu"]}, "execution": THREADS},
        "evaluation": {"output_dir": str(data.parent / "out"), **changes.pop("evaluation", {})},
        "logging": {"console_output": False},
    }
    return load_mapping(tree | changes, "my-model", environ={})


def imported(data: Path, folder: Path | None = None, **changes: Any) -> RunResult:
    return evaluate(config(data, folder, **changes), ["editeval", "import"])


def test_a_complete_import_is_judged_and_says_where_its_edits_come_from(data: Path) -> None:
    result = imported(data)
    assert result.exit_code == 0
    rows, report = samples_of(result), report_of(result)
    assert [row["edit"]["origin"] for row in rows] == ["imported"] * NUM
    original = data.parent / "edits" / "style change" / "k 0.png"
    assert rows[0]["edit"]["file"] == "style change/k 0.png"
    assert rows[0]["edit"]["file_sha256"] == hashlib.sha256(original.read_bytes()).hexdigest()
    assert report["run"]["editor"] == "my-model"
    assert report["run"]["imported"]["num_missing"] == 0
    assert "edit_s" not in report["timing"] and not report["policies"]
    assert all(row["scores"]["preservation"]["value"] is not None for row in rows)
    log = log_of(result)
    assert f"Reading {NUM} edits made elsewhere" in log and "GPUs" not in log and "Editing images" not in log
    assert "made elsewhere: " in (result.plan.dir / "report.md").read_text(encoding="utf-8")
    status = status_of(result.plan.dir)
    assert status.picture.stages[0].title == f"edits made elsewhere: {data.parent / 'edits'}"


def test_the_same_import_again_makes_nothing_and_a_moved_folder_is_the_same(data: Path) -> None:
    first = imported(data)
    shutil.move(data.parent / "edits", data.parent / "moved")
    again = imported(data, data.parent / "moved")
    assert again.plan.dir == first.plan.dir
    with RunStore.read(first.plan.dir) as store:
        assert len(list(store.attempts())) == 2 * NUM  # one per edit, one per score: none was made again


def test_three_deleted_files_are_three_missing_in_another_run(data: Path) -> None:
    first = imported(data)
    before = (first.plan.dir / "samples.jsonl").read_bytes()
    gone = [data.parent / "edits" / "add" / "k 1.png", data.parent / "edits" / "add" / "k 3.png"]
    gone.append(data.parent / "edits" / "style change" / "k 2.png")
    for path in gone:
        path.unlink()
    result = imported(data)
    assert result.plan.dir != first.plan.dir and result.exit_code == 3
    assert (first.plan.dir / "samples.jsonl").read_bytes() == before
    report = report_of(result)
    assert (report["coverage"]["num_failed"], report["coverage"]["num_edited"]) == (3, 1)
    assert [cause["reason"] for cause in report["causes"]] == ["missing"]
    assert report["run"]["imported"]["num_missing"] == 3
    errors = [row["edit"]["error"] for row in samples_of(result)]
    assert [error and error["reason"] for error in errors] == [None, "missing", "missing", "missing"]
    assert "looked for add/k 1.png" in errors[1]["message"]
    assert "missing: 3 of 4 samples have no edit" in log_of(result)
    assert report["run"]["reused"][0]["num_edits"] == 1  # what is the same is taken over


def test_a_file_that_has_come_is_edited_when_the_import_is_repeated(data: Path) -> None:
    file = data.parent / "edits" / "add" / "k 1.png"
    kept = file.read_bytes()
    file.unlink()
    first = imported(data)
    assert first.exit_code == 3
    file.write_bytes(kept)
    again = imported(data)
    assert (again.plan.dir, again.exit_code) == (first.plan.dir, 0)
    assert report_of(again)["run"]["imported"]["num_missing"] == 0


def test_another_picture_under_the_same_name_is_another_run_and_the_old_one_keeps_its_numbers(data: Path) -> None:
    first = imported(data)
    before = (first.plan.dir / "samples.jsonl").read_bytes()
    file = data.parent / "edits" / "add" / "k 1.png"
    old = file.stat()
    Image.new("RGB", (40, 32), (1, 2, 3)).save(file)
    os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns))  # whatever its date says
    second = imported(data)
    assert second.plan.dir != first.plan.dir
    assert (first.plan.dir / "samples.jsonl").read_bytes() == before
    assert "edits made elsewhere: 1 of 4 files" in log_of(second)
    one, other = samples_of(first)[1], samples_of(second)[1]
    assert one["edit"]["sha256"] != other["edit"]["sha256"]
    assert one["scores"]["overall"]["value"] != other["scores"]["overall"]["value"]
    with pytest.raises(RunConflictError, match="edits made elsewhere: 1 of 4 files"):
        evaluate(config(data), directory=first.plan.dir)
    found = check_inputs(second.plan, RunStore.read(second.plan.dir))
    assert not found.problems


def test_verify_names_the_files_that_are_others_by_now(data: Path) -> None:
    result = imported(data)
    Image.new("RGB", (40, 32)).save(data.parent / "edits" / "add" / "k 1.png")
    (data.parent / "edits" / "add" / "k 3.png").unlink()
    with RunStore.read(result.plan.dir) as store:
        found = check_inputs(result.plan, store)
        assert ["'add/é1', 'add/é3'" in str(problem.detail) for problem in found.problems] == [True]
        shutil.rmtree(data.parent / "edits")
        found = check_inputs(result.plan, store)
    assert not found.problems and any("edits made elsewhere" in line for line in found.unknown)


def test_a_file_changed_while_the_run_works_fails_its_edit(data: Path) -> None:
    from editeval.run.imports import ChangedEditError
    from editeval.run.plan import make_plan

    plan = make_plan(config(data))
    assert plan.files is not None
    Image.new("RGB", (40, 32)).save(data.parent / "edits" / "add" / "k 1.png")
    with pytest.raises(ChangedEditError, match="changed while this run works"):
        plan.files.read("add/é1")


def test_what_is_no_picture_half_a_picture_or_too_large_fails_alone(data: Path) -> None:
    edits = data.parent / "edits"
    (edits / "add" / "k 1.png").write_bytes(b"no picture")
    whole = (edits / "add" / "k 3.png").read_bytes()
    (edits / "add" / "k 3.png").write_bytes(whole[: len(whole) - 30])
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\x01\x86\xa0\0\x01\x86\xa0\x08\x02\0\0\0"
    (edits / "style change" / "k 0.png").write_bytes(header + whole[29:])
    result = imported(data)
    errors = [row["edit"]["error"] for row in samples_of(result)]
    assert [error and error["reason"] for error in errors] == ["bad_output", "bad_output", None, "bad_output"]
    assert all("\n" not in error["message"] and "no edit" in error["message"] for error in errors if error)


def test_exif_alpha_and_size_are_flags_and_pixels_are_put_right(data: Path) -> None:
    edits = data.parent / "edits"
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.new("RGB", (32, 40), (9, 9, 9))
    (edits / "add" / "k 1.png").unlink()
    turned.save(edits / "add" / "k 1.JPG", "JPEG", exif=exif)
    Image.new("RGBA", (40, 32), (0, 0, 0, 0)).save(edits / "add" / "k 3.png")
    Image.new("RGB", (64, 64), (0, 90, 0)).save(edits / "style change" / "k 2.png")
    result = imported(data)
    flags = [set(row["edit"]["flags"]) - {"constant", "black", "unchanged"} for row in samples_of(result)]
    assert flags == [set(), {"exif_rotated"}, {"other_size"}, {"transparent"}]
    report = report_of(result)
    counts = {name: report["coverage"][name] for name in ("num_exif_rotated", "num_transparent", "num_other_size")}
    assert counts == {"num_exif_rotated": 1, "num_transparent": 1, "num_other_size": 1}
    assert any("turned as its EXIF says" in warning for warning in report["warnings"])
    with RunStore.read(result.plan.dir) as store:
        sizes = {edit.sample_id: (edit.width, edit.height) for edit in store.edits()}
    assert sizes["add/é1"] == (40, 32) and sizes["style change/é2"] == (64, 64)


def test_a_subset_is_imported_and_the_rest_later_into_the_same_run(data: Path) -> None:
    first = imported(data, evaluation={"limit": 2})
    assert report_of(first)["coverage"]["num_samples"] == 2
    again = imported(data)
    assert again.plan.dir == first.plan.dir
    assert report_of(again)["coverage"]["num_scored"] == NUM
    Image.new("RGB", (40, 32)).save(data.parent / "edits" / "add" / "k 1.png")
    Image.new("RGB", (40, 32)).save(data.parent / "edits" / "add" / "k 3.png")
    third = imported(data, evaluation={"samples": ["style*"]})
    assert third.plan.dir == first.plan.dir  # no wanted file has changed


def test_a_folder_of_another_benchmark_begins_no_run(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (8, 8)).save(other / "x.png")
    with pytest.raises(UserError) as caught:
        imported(data, other)
    assert str(caught.value) == (
        f"{other}: no edit of the 4 samples: looked for 'style change/k 0.png' (layout {LAYOUT}); "
        "1 images there: 'x.png'; say how they are named: --layout PATTERN (params.layout)"
    )
    assert not list((tmp_path / "out").glob("my-model-*"))


def test_show_names_the_original(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import argparse

    result = imported(data)
    options = argparse.Namespace(
        run=str(result.plan.dir), sample="add/é1", json=False, output_dir=str(data.parent / "out")
    )
    show(options)
    assert "original     add/k 1.png, sha256 " in capsys.readouterr().out


def test_an_import_without_a_folder_is_one_line(data: Path) -> None:
    with pytest.raises(ConfigError, match=r"diffusion_model\.params\.folder: missing; name the folder with the edits"):
        evaluate(config(data, params={"folder": ""}), ["editeval", "test"])
