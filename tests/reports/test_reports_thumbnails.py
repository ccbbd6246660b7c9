"""Thumbnails made while the run works: bounded, and no failure of theirs stops anything or is taken for an image."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path

import pytest
from report_fakes import drawing

from editeval.images import FileImage
from editeval.reports.site import thumbnails
from editeval.reports.site.thumbnails import (
    BEGIN_NUM,
    FOLDER,
    INDEX,
    MAX_BYTES,
    MAX_WAITING,
    Found,
    ThumbnailStore,
    ThumbnailWriter,
)


def found(number: int, source: bytes | None = None) -> Found:
    edited = drawing(number, 0.5)
    return Found(f"s{number}", source or drawing(number), None, edited, hashlib.sha256(edited).hexdigest())


def made(folder: Path, count: int) -> list[str]:
    """The index, once it has `count` lines."""
    index = folder / FOLDER / INDEX
    for _ in range(1200):
        lines = index.read_text().splitlines() if index.is_file() else []
        if len(lines) >= count:
            return lines
        time.sleep(0.05)
    raise AssertionError(f"{len(lines)} of {count} lines")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / FOLDER).mkdir()
    return tmp_path


def test_what_was_offered_is_made_while_the_run_goes_on(folder: Path) -> None:
    writer = ThumbnailWriter(folder, begin_num=1)
    offered = [found(number) for number in range(3)]
    for one in offered:
        writer.offer(one)
    made(folder, 3)
    writer.finish()
    assert all(ThumbnailStore(folder).find(one.sample_id, one.edited_sha256) for one in offered)


def test_they_are_made_by_the_editeval_that_runs_installed_or_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "editeval.py").write_text("raise SystemExit")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    writer = ThumbnailWriter(folder, begin_num=1)
    one = found(1)
    writer.offer(one)
    made(folder, 1)
    writer.finish()
    assert ThumbnailStore(folder).find(one.sample_id, one.edited_sha256) is not None


def test_images_in_files_are_read_when_their_turn_comes(folder: Path) -> None:
    one = found(1)
    (folder / "edit.png").write_bytes(one.edited)  # type: ignore[arg-type]
    writer = ThumbnailWriter(folder, begin_num=1)
    writer.offer(Found("s1", FileImage(folder / "lost.png"), None, FileImage(folder / "edit.png"), one.edited_sha256))
    made(folder, 1)
    writer.finish()
    pictures = ThumbnailStore(folder).find("s1", one.edited_sha256)
    assert pictures is not None and pictures.source is None and pictures.edited is not None


def test_a_place_that_cannot_be_written_to_stops_neither_the_run_nor_the_end(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    writer = ThumbnailWriter(tmp_path, begin_num=1)
    for number in range(5):
        writer.offer(found(number))
    writer.finish()
    with pytest.raises(OSError):
        ThumbnailStore(tmp_path).add(found(0))


def test_an_image_that_cannot_be_read_is_none_and_its_neighbours_are_made(folder: Path) -> None:
    writer = ThumbnailWriter(folder, begin_num=1)
    broken, sound = found(0, b"no picture"), found(1)
    writer.offer(broken)
    writer.offer(sound)
    made(folder, 2)
    writer.finish()
    store = ThumbnailStore(folder)
    pictures = store.find(broken.sample_id, broken.edited_sha256)
    assert pictures is not None and pictures.source is None and pictures.edited is not None
    assert store.find(sound.sample_id, sound.edited_sha256) is not None


def test_an_offer_never_waits_and_what_there_is_no_room_for_is_left_to_the_report(folder: Path) -> None:
    writer = ThumbnailWriter(folder, begin_num=1)
    writer.offer(found(0, bytes(MAX_BYTES)))
    one = found(1)
    for number in range(1, 3 * MAX_WAITING):
        writer.offer(Found(f"s{number}", None, None, FileImage(folder / "lost.png"), one.edited_sha256))
    writer.finish()
    index = folder / FOLDER / INDEX
    assert '"s0"' not in (index.read_text() if index.is_file() else "")


def test_an_edit_that_is_not_the_recorded_one_is_not_shown(folder: Path) -> None:
    one = found(1)
    pictures = ThumbnailStore(folder).add(Found("s1", one.source, None, drawing(2), one.edited_sha256))
    assert pictures.edited is None and pictures.source is not None


def test_the_thumbnail_of_a_sample_that_is_edited_again_is_that_of_the_new_edit(folder: Path) -> None:
    store = ThumbnailStore(folder)
    old = store.add(found(1))
    new = found(2)
    assert store.find("s1", new.edited_sha256) is None
    writer = ThumbnailWriter(folder, begin_num=1)
    writer.offer(Found("s1", new.source, None, new.edited, new.edited_sha256))
    made(folder, 2)
    writer.finish()
    pictures = ThumbnailStore(folder).find("s1", new.edited_sha256)
    assert pictures is not None and pictures.edited is not None and pictures.edited != old.edited


def test_the_end_of_a_run_does_not_wait_for_a_process_that_is_stopped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnails, "FINISH_S", 0.5)
    writer = ThumbnailWriter(folder, begin_num=1)
    writer.offer(found(0))
    made(folder, 1)
    (child,) = (int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split())
    os.kill(child, signal.SIGSTOP)
    for number in range(1, 200):
        writer.offer(found(number))
    writer.finish()
    assert not Path(f"/proc/{child}").exists()


def test_a_few_offers_are_left_to_the_report_without_a_process(tmp_path: Path) -> None:
    writer = ThumbnailWriter(tmp_path)
    for number in range(BEGIN_NUM - 1):
        writer.offer(found(number))
    writer.finish()
    assert not list(tmp_path.iterdir())
