"""Damaged ledgers, full disks, directories without rights, two writers, other runs: one clear line, nothing harmed."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import store_fakes as fakes

from editeval.errors import MachineError, RunConflictError, UserError
from editeval.files import StrangeFileError
from editeval.store import connection, directories
from editeval.store.ledger_events import Invocation
from editeval.store.run_store import RunStore

CHILD = [sys.executable, str(Path(__file__).with_name("store_child.py"))]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    fakes.work(tmp_path / "run", fakes.samples(40))
    return tmp_path / "run"


def _overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def _other_database(path: Path) -> None:
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE holiday_photos (name)")


def _newer(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")


DAMAGES: list[tuple[str, Callable[[Path], object], str]] = [
    ("empty", lambda path: path.write_bytes(b""), "empty (0 bytes)"),
    ("text", lambda path: path.write_text("not a database, but long enough for one\n" * 200), "corrupt"),
    ("half", lambda path: os.truncate(path, path.stat().st_size // 2), "corrupt"),
    ("page", lambda path: _overwrite(path, 4096, b"\xff" * 20_000), "corrupt"),
    ("last page", lambda path: _overwrite(path, path.stat().st_size - 4096, b"\xff" * 4096), "corrupt"),
    ("header", lambda path: _overwrite(path, 0, b"\0" * 16), "corrupt"),
    ("other", _other_database, "not a ledger of editeval"),
    ("newer", _newer, "version 99, this editeval knows up to"),
]


@pytest.mark.parametrize(("damage", "message"), [row[1:] for row in DAMAGES], ids=[row[0] for row in DAMAGES])
def test_a_damaged_ledger_is_refused_with_advice_and_left_as_it_is(
    run: Path, damage: Callable[[Path], object], message: str
) -> None:
    path = run / "ledger.sqlite"
    damage(path)
    before = path.read_bytes()
    with pytest.raises(MachineError) as caught:
        RunStore.open(run, fakes.manifest())
    assert message in str(caught.value)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert path.read_bytes() == before


def test_a_missing_ledger_is_never_made_anew_in_place(run: Path) -> None:
    (run / "ledger.sqlite").unlink()
    for attempt in (lambda: RunStore.open(run, fakes.manifest()), lambda: RunStore.read(run)):
        with pytest.raises(UserError, match="missing"):
            attempt()
    assert not (run / "ledger.sqlite").exists()


def test_the_ledger_of_another_run_is_refused(run: Path, tmp_path: Path) -> None:
    with RunStore.open(tmp_path / "other", fakes.manifest(seed=1)):
        pass
    shutil.copy(tmp_path / "other" / "ledger.sqlite", run / "ledger.sqlite")
    for attempt in (lambda: RunStore.open(run, fakes.manifest()), lambda: RunStore.read(run)):
        with pytest.raises(RunConflictError, match="the ledger of run"):
            attempt()


def test_a_lost_manifest_is_written_again_for_the_same_run_only(run: Path) -> None:
    (run / "manifest.json").unlink()
    with pytest.raises(RunConflictError, match="the ledger of run"):
        RunStore.open(run, fakes.manifest(seed=1))
    assert not (run / "manifest.json").exists()
    with RunStore.open(run, fakes.manifest()) as store:
        assert store.counts(fakes.JUDGING).num_scored == 40


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"schema_version": 1}', b"\xff\xfe"])
def test_a_broken_manifest_is_refused(run: Path, content: bytes) -> None:
    (run / "manifest.json").write_bytes(content)
    with pytest.raises(RunConflictError, match="not a manifest"):
        RunStore.open(run, fakes.manifest())
    assert (run / "manifest.json").read_bytes() == content


def test_an_edited_manifest_and_a_newer_one_are_refused(run: Path) -> None:
    path = run / "manifest.json"
    text = path.read_text()
    path.write_text(text.replace('"seed": 42', '"seed": 43'))
    with pytest.raises(RunConflictError, match="altered"):
        RunStore.read(run)
    path.write_text(text.replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(RunConflictError, match="upgrade editeval"):
        RunStore.read(run)


def test_another_run_is_refused_with_every_difference_and_nothing_else(run: Path) -> None:
    before = (run / "manifest.json").read_bytes()
    with pytest.raises(RunConflictError) as caught:
        RunStore.open(run, fakes.manifest(params={"steps": 28, "deep": {"b": 1}}, editor="classical"))
    message = str(caught.value)
    assert "editor: 'identity' there, 'classical' now" in message
    assert "params.steps: 50 there, 28 now" in message
    assert "params.deep.a: 1 there, '(absent)' now" in message
    assert "params.deep.b: '(absent)' there, 1 now" in message
    assert "seed" not in message and "benchmark" not in message and "--fresh" in message
    assert (run / "manifest.json").read_bytes() == before
    with RunStore.open(run, fakes.manifest(params={"deep": {"a": 1}, "steps": 50})):  # order of keys is no difference
        pass


def test_settings_outside_the_identity_may_change_and_the_change_is_on_record(tmp_path: Path) -> None:
    parts = fakes.manifest()
    first, second = (
        type(parts)("demo", parts.identity, {"device_ids": ids, "same": 1}, versions={}, host={})
        for ids in ([0], [0, 1])
    )
    for wanted in (first, second):
        with RunStore.open(tmp_path / "run", wanted) as store:
            assert store.manifest["config"]["device_ids"] == [0]
    with RunStore.read(tmp_path / "run") as store:
        changes = [one.event.config_changes for one in store.events_of(Invocation)]
    assert changes == [{}, {"device_ids": ([0], [0, 1])}]


def test_a_second_writer_is_told_who_the_first_is(run: Path) -> None:
    with RunStore.open(run, fakes.manifest()):
        found = directories.writer_of(run)
        assert found is not None and found["pid"] == os.getpid()
        for attempt in (lambda: RunStore.open(run, fakes.manifest()), lambda: RunStore.reopen(run)):
            with pytest.raises(RunConflictError, match=rf"in use by process {os.getpid()} on {found['host']}"):
                attempt()
        with RunStore.read(run) as reader:
            assert reader.counts(None).num_edited == 40
    assert directories.writer_of(run) is None


def test_of_two_processes_one_writes_and_a_kill_frees_the_run(tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [*CHILD, "hold", str(run)]
    for _ in range(2):
        both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        told = [child.stdout.readline() for child in both if child.stdout is not None]
        assert sorted(line.split(":")[0].strip() for line in told) == ["RunConflictError", "held"]
        winner = both[[line.strip() for line in told].index("held")]
        assert f"process {winner.pid} on " in "".join(told)
        for child in both:
            child.kill()
            child.communicate()
    RunStore.open(run, fakes.manifest()).close()


@contextlib.contextmanager
def _largest_file(num_bytes: int) -> Iterator[None]:
    """Writes beyond `num_bytes` fail, as they do on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_stops_with_one_line_and_loses_nothing(tmp_path: Path) -> None:
    run, acknowledged = tmp_path / "run", []
    with RunStore.open(run, fakes.manifest()) as store:
        store.select(fakes.samples(60))
        with _largest_file(150_000), pytest.raises(MachineError) as caught:
            for key in store.pending_edits():
                store.record_edit(fakes.failed(key, message="long " * 2000), seed=1)
                acknowledged.append(key)
        assert str(run / "ledger.sqlite") in str(caught.value) and "\n" not in str(caught.value)
        assert 0 < len(acknowledged) < 60
        assert [edit.sample_id for edit in store.edits()] == acknowledged
    with RunStore.open(run, fakes.manifest()) as store:
        assert [edit.sample_id for edit in store.edits()] == acknowledged
        store.record_edit(fakes.done(store.pending_edits()[0]), seed=1)


def test_an_image_that_does_not_fit_leaves_neither_file_nor_row(tmp_path: Path) -> None:
    with RunStore.open(tmp_path / "run", fakes.manifest()) as store:
        store.select(fakes.samples(1))
        large = fakes.done("s000", fakes.png("s000", num_bytes=300_000))
        with _largest_file(200_000), pytest.raises(MachineError, match="free some space") as caught:
            store.record_edit(large, seed=1)
        assert "edits" in str(caught.value)
        assert not list((store.dir / "edits").iterdir())
        assert store.pending_edits() == ["s000"]
        store.record_edit(large, seed=1)


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(MachineError, match="file") as caught:
        RunStore.open(tmp_path / "file" / "run", fakes.manifest())
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_without_the_right_to_write_a_run_can_be_read_but_not_continued(run: Path) -> None:
    temporary = Path(tempfile.gettempdir())
    for directory in (run, *run.parents):
        if temporary in directory.parents:
            directory.chmod(0o755)
    told = [
        subprocess.run([*CHILD, command, str(run), "65534"], input="", text=True, capture_output=True).stdout
        for command in ("hold", "look")
    ]
    assert told[0].startswith(f"MachineError: {run / '.lock'}: ") and "that you can write to" in told[0]
    assert told[1] == "40\n"
    assert sorted(path.name for path in run.iterdir()) == [".lock", "edits", "ledger.sqlite", "manifest.json"]


def test_bugs_are_not_disguised_as_broken_disks(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError), connection.translated(tmp_path):
        sqlite3.connect(":memory:").execute("SELEC")


def test_a_disk_that_fails_while_pages_are_checked_is_not_a_corrupt_ledger(tmp_path: Path) -> None:
    class Disk:
        """A connection whose disk cannot read page 12 (SQLITE_IOERR_DATA)."""

        def execute(self, _: str) -> list[tuple[str]]:
            return [("*** in database main ***\nPage 12: unable to get the page. error code=8202",)]

    with pytest.raises(MachineError, match="disk reported an error") as caught, connection.translated(tmp_path):
        connection.check_pages(Disk())  # type: ignore[arg-type]
    assert "backup" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_lock_whose_file_cannot_be_closed_is_released_all_the_same(tmp_path: Path) -> None:
    held = directories.Lock.acquire(tmp_path)
    os.close(held.descriptor)
    held.release()
    assert directories.writer_of(tmp_path) is None


def test_an_image_that_is_no_file_or_is_not_there_stops_the_run(
    run: Path,
) -> None:
    with RunStore.read(run) as store:
        first, second = list(store.edits())[:2]
        store.edit_path(first.sample_id).unlink()
        store.edit_path(first.sample_id).mkdir()
        store.edit_path(second.sample_id).unlink()
        with pytest.raises(StrangeFileError, match="put the file itself there"):
            store.read_edit(first)
        with pytest.raises(MachineError, match="on record, but not there"):
            store.read_edit(second)


def test_a_file_system_that_gives_no_lock_is_told_as_that(tmp_path: Path) -> None:
    error = sqlite3.OperationalError("locking protocol")
    error.sqlite_errorcode = sqlite3.SQLITE_PROTOCOL
    with pytest.raises(MachineError, match="gives no lock; check the mount"), connection.translated(tmp_path):
        raise error


def test_a_text_that_the_ledger_cannot_hold_is_no_damage(tmp_path: Path) -> None:
    with RunStore.open(tmp_path / "run", fakes.manifest()) as store:
        store._db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000)
        with pytest.raises(MachineError, match="a text of more than 244 MiB, from a sample or a reply") as caught:
            store.set_fact("long", "x" * 20_000)
    assert "\n" not in str(caught.value)
