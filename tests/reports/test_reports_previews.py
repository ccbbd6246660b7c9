"""Pictures made while the run goes: bounded, and no failure of theirs stops anything or is taken for a picture."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from report_fakes import drawing

from editeval.reports.site.thumbnails import FOLDER, INDEX, MAX_BYTES, Found, Previews, ThumbnailStore


def found(number: int, source: bytes | None = None) -> Found:
    edited = drawing(number, 0.5)
    return Found(f"s{number}", source or drawing(number), None, edited, hashlib.sha256(edited).hexdigest())


def test_what_was_offered_is_on_the_shelf_when_it_has_finished(tmp_path: Path) -> None:
    previews = Previews(tmp_path)
    previews.start()
    offered = [found(number) for number in range(3)]
    for one in offered:
        previews.offer(one)
    previews.finish()
    assert all(ThumbnailStore(tmp_path).find(one.sample_id, one.edited_sha256) for one in offered)


def test_a_place_that_cannot_be_written_to_stops_neither_the_run_nor_the_end(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    previews = Previews(tmp_path)
    previews.start()
    for number in range(5):
        previews.offer(found(number))
    previews.finish()
    with pytest.raises(OSError):
        ThumbnailStore(tmp_path).add(found(0))


def test_a_picture_that_cannot_be_read_is_none_and_its_neighbours_are_made(tmp_path: Path) -> None:
    previews = Previews(tmp_path)
    previews.start()
    broken, sound = found(0, b"no picture"), found(1)
    previews.offer(broken)
    previews.offer(sound)
    previews.finish()
    shelf = ThumbnailStore(tmp_path)
    pictures = shelf.find(broken.sample_id, broken.edited_sha256)
    assert pictures is not None and pictures.source is None and pictures.edited is not None
    assert shelf.find(sound.sample_id, sound.edited_sha256) is not None


def test_what_there_is_no_room_for_is_left_to_the_report(tmp_path: Path) -> None:
    previews = Previews(tmp_path)
    previews.offer(found(0, bytes(MAX_BYTES)))
    for number in range(1, 60):
        previews.offer(found(number))
    previews.start()  # only now is anything taken: an offer that waits would not get here
    previews.finish()
    assert len((tmp_path / FOLDER / INDEX).read_text().splitlines()) == 32


def test_finish_without_start_returns(tmp_path: Path) -> None:
    Previews(tmp_path).finish()
    assert not list(tmp_path.iterdir()), "and leaves nothing"
