"""`export --to archive`: a run in one file, also while it goes on."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
import store_fakes as fakes

from editeval.errors import UserError
from editeval.store.archive import write_archive
from editeval.store.run_store import RunStore
from editeval.store.verify import verify


def unpacked(data: io.BytesIO, folder: Path) -> Path:
    data.seek(0)
    with tarfile.open(fileobj=data) as tar:
        assert all(member.isfile() and not member.uname for member in tar)
        tar.extractall(folder, filter="data")
    return folder / "run"


def test_the_archive_of_a_run_that_goes_on_is_a_run_with_all_that_is_on_record(tmp_path: Path) -> None:
    with RunStore.open(tmp_path / "run", fakes.manifest()) as writer:
        writer.select(fakes.samples(3))
        writer.record_edit(fakes.done("s000"), seed=7)
        writer.record_edit(fakes.failed("s001"), seed=7)
        (tmp_path / "run" / "report.json").write_text("of before")
        with RunStore.read(tmp_path / "run") as store:
            data = io.BytesIO()
            write_archive(store, data)
        writer.record_edit(fakes.done("s002"), seed=7)
    there = unpacked(data, tmp_path / "there")
    assert not (there / "report.json").exists()
    with RunStore.read(there) as store:
        assert [edit.sample_id for edit in store.edits()] == ["s000", "s001"] and store.is_own
        assert verify(store) == []
    with RunStore.reopen(there) as store:
        store.record_edit(fakes.done("s002"), seed=7)


def test_reports_and_ratings_of_a_run_at_rest_are_in_it_and_temporary_files_are_not(tmp_path: Path) -> None:
    with RunStore.open(tmp_path / "run", fakes.manifest()):
        pass
    for name in ("report.json", "ratings.json", "report/data/run.js", "report/thumbs/.a.1.tmp"):
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).write_text(name)
    data = io.BytesIO()
    with RunStore.read(tmp_path / "run") as store:
        write_archive(store, data)
    there = unpacked(data, tmp_path / "there")
    assert (there / "report/data/run.js").read_text() == "report/data/run.js"
    assert (there / "ratings.json").exists() and not (there / "report/thumbs").exists()


@pytest.mark.parametrize("content", [b"other", None])
def test_an_edit_that_is_not_the_one_on_record_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    with RunStore.open(tmp_path / "run", fakes.manifest()) as store:
        store.select(fakes.samples(1))
        store.record_edit(fakes.done("s000"), seed=7)
        path = store.edit_path("s000")
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UserError, match="editeval verify"):
            write_archive(store, io.BytesIO())


def test_an_edit_that_a_retry_replaces_meanwhile_is_read_again(tmp_path: Path) -> None:
    """While the archive is written, the first edit becomes another one, file first: its ledger is copied again."""
    with RunStore.open(tmp_path / "run", fakes.manifest()) as writer:
        writer.select(fakes.samples(1))
        writer.record_edit(fakes.done("s000"), seed=7)

        class Retried(io.BytesIO):
            num = 0

            def truncate(self, size: int | None = None) -> int:
                self.num += 1
                return super().truncate(size)

            def write(self, data: object, /) -> int:
                if self.num == 1 and writer.edit_of("s000") and not self.getvalue():
                    writer.forget_edits(["s000"])
                    writer.record_edit(fakes.done("s000", fakes.png("again")), seed=7)
                return super().write(data)  # type: ignore[arg-type]

        out = Retried()
        with RunStore.read(tmp_path / "run") as store:
            write_archive(store, out)
    assert out.num == 2
    with RunStore.read(unpacked(io.BytesIO(out.getvalue()), tmp_path / "there")) as store:
        assert verify(store) == [] and [store.read_edit(edit) for edit in store.edits()] == [fakes.png("again")]
