"""A run directory may be a stranger's: what it may not do, and how it is told from one's own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import store_fakes as fakes

from editeval import files
from editeval.errors import MachineError, RunConflictError, UserError
from editeval.files import Folder, StrangeFileError
from editeval.store import connection, manifest, seal
from editeval.store.directories import LOCK, writer_of
from editeval.store.ledger_events import Invocation
from editeval.store.run_store import RunStore, relative_path
from editeval.store.verify import verify


@pytest.fixture(autouse=True)
def a_user_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with RunStore.open(tmp_path / "run", fakes.manifest()) as store:
        store.select(fakes.samples(2))
        store.record_edit(fakes.done("s000"), seed=7)
    return tmp_path / "run"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A folder elsewhere with a file in it, which is as it was when the test is over."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "private.png").write_bytes(b"private")
    yield folder
    assert [path.name for path in folder.iterdir()] == ["private.png"]
    assert (folder / "private.png").read_bytes() == b"private"


def a_link(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "private.png")


def a_dangling_link(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "new")


def a_pipe(path: Path, outside: Path) -> None:
    os.mkfifo(path)


def a_socket(path: Path, outside: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(path.parent):  # names of sockets are short
        made.bind(path.name)


KINDS = (a_link, a_dangling_link, a_pipe, a_socket)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["manifest.json", "ledger.sqlite", "ledger.sqlite-wal", LOCK, "gpu.csv", "report.json"]
)
def test_what_is_no_file_is_one_line_and_is_neither_followed_nor_waited_for(
    run: Path, outside: Path, kind: Callable[[Path, Path], None], name: str
) -> None:
    (run / name).unlink(missing_ok=True)
    kind(run / name, outside)
    for act in (RunStore.read, RunStore.reopen, lambda run: RunStore.open(run, fakes.manifest())):
        with pytest.raises(UserError) as told:
            act(run)
        assert "\n" not in str(told.value) and (name in str(told.value) or "not a run" in str(told.value))


@pytest.mark.parametrize("name", ["edits", "report", "report/thumbs"])
def test_a_folder_that_is_a_link_is_refused_before_anything_is_written(run: Path, outside: Path, name: str) -> None:
    (run / "report").mkdir()
    shutil.rmtree(run / name, ignore_errors=True)
    (run / name).symlink_to(outside)
    with pytest.raises(StrangeFileError, match=f"run/{name}: a link"):
        RunStore.open(run, fakes.manifest())


def test_the_run_directory_itself_may_be_a_link_that_the_user_names(run: Path, tmp_path: Path) -> None:
    (tmp_path / "named").symlink_to(run)
    with RunStore.reopen(tmp_path / "named") as store:
        store.record_edit(fakes.done("s001"), seed=7)
        assert [store.read_edit(edit) for edit in store.edits()] == [fakes.png("s000"), fakes.png("s001")]


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_that_is_no_file_gives_nothing_away_and_is_replaced_not_followed(
    run: Path, outside: Path, kind: Callable[[Path, Path], None]
) -> None:
    with RunStore.reopen(run) as store:
        path = store.edit_path("s000")
        path.unlink()
        kind(path, outside)
        (edit,) = store.edits()
        with pytest.raises(StrangeFileError, match="remove it"):
            store.read_edit(edit)
        store.forget_edits(["s000"])
        store.record_edit(fakes.done("s000"), seed=7)
        assert path.read_bytes() == fakes.png("s000") and not path.is_symlink()


def test_a_link_in_the_place_of_a_temporary_file_is_not_written_through(run: Path, outside: Path) -> None:
    name = relative_path("s001").removeprefix("edits/")
    (run / "edits" / f".{name}.{os.getpid()}.tmp").symlink_to(outside / "private.png")
    with RunStore.reopen(run) as store:
        store.record_edit(fakes.done("s001"), seed=7)
        assert store.edit_path("s001").read_bytes() == fakes.png("s001")


def test_a_folder_removes_a_tree_and_of_a_link_only_the_link(tmp_path: Path, outside: Path) -> None:
    folder = Folder(tmp_path / "root")
    (tmp_path / "root").mkdir()
    folder.make("a/b")
    folder.write("a/b/file", b"1")
    (tmp_path / "root/a/link").symlink_to(outside)
    folder.remove("a")
    assert folder.names() == []
    (tmp_path / "root/link").symlink_to(outside)
    folder.remove("link")
    (tmp_path / "root/link").symlink_to(outside)
    for act in (folder.names, folder.make, lambda name: folder.write(f"{name}/new", b""), folder.is_file):
        with pytest.raises(StrangeFileError, match="link"):
            act("link")
    for name in ("../outside/private.png", "/etc/passwd", "", "."):
        with pytest.raises(ValueError, match="names nothing"):
            folder.read(name)


def test_a_pipe_in_place_of_the_lock_does_not_hold_up_who_only_looks(run: Path) -> None:
    (run / LOCK).unlink()
    os.mkfifo(run / LOCK)
    with pytest.raises(StrangeFileError):
        writer_of(run)


def test_a_run_is_ones_own_until_it_is_changed_or_on_another_machine(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunStore.read(run) as store:
        assert store.is_own and not manifest.is_changed(store.manifest)
    assert seal.key_file().stat().st_mode & 0o777 == 0o600
    content = json.loads((run / "manifest.json").read_bytes())
    for key in content:
        if key not in ("seal", "run_id", "identity", "schema_version"):
            changed = {**content, key: [content[key]]}
            assert not manifest.is_own(changed) and manifest.is_changed(changed), key
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another"))
    with RunStore.read(run) as store:
        assert not store.is_own, "nobody has a key here"
    assert seal.seal_of("anything")
    with RunStore.read(run) as store:
        assert not store.is_own, "and with another key the seal is another one"


def test_settings_that_a_later_command_changed_are_sealed_too(run: Path) -> None:
    with RunStore.open(run, replace(fakes.manifest(), config={"execution": {"python": "/usr/bin/python3"}})) as store:
        assert store.is_own
        assert [one.event.seal is not None for one in store.events_of(Invocation)] == [False, True]
    with sqlite3.connect(run / "ledger.sqlite") as db:
        db.execute("UPDATE events SET data = replace(data, 'python3', 'evil') WHERE kind = 'invocation'")
    with RunStore.read(run) as store:
        assert not store.is_own


def test_verify_says_that_a_manifest_was_changed(run: Path) -> None:
    with RunStore.read(run) as store:
        assert not verify(store)
    content = json.loads((run / "manifest.json").read_bytes())
    (run / "manifest.json").write_text(json.dumps({**content, "argv": ["editeval", "run", "another.yaml"]}))
    with RunStore.read(run) as store:
        assert [str(problem) for problem in verify(store)] == ["manifest.json: manifest: is not as editeval wrote it"]


@pytest.mark.parametrize("seal", ["x", None, [], 5, {"hmac": 5}])
def test_a_seal_may_be_anything(run: Path, seal: object) -> None:
    content = json.loads((run / "manifest.json").read_bytes())
    (run / "manifest.json").write_text(json.dumps({**content, "seal": seal}))
    with RunStore.read(run) as store:
        assert not store.is_own and manifest.is_changed(store.manifest)


def test_a_manifest_without_a_seal_is_a_strangers(run: Path) -> None:
    content = json.loads((run / "manifest.json").read_bytes())
    del content["seal"]
    (run / "manifest.json").write_text(json.dumps(content))
    with RunStore.read(run) as store:
        assert not store.is_own and not manifest.is_changed(store.manifest)


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize("deep", [DEEP, '{"a":' * 70 + "1" + "}" * 70])
def test_deep_json_is_one_line(run: Path, deep: str) -> None:
    content = (run / "manifest.json").read_text()
    (run / "manifest.json").write_text(content.replace('"config": {}', f'"config": {{"a": {deep}}}'))
    with pytest.raises(RunConflictError, match="nested deeper than 64 levels"):
        RunStore.read(run)
    (run / "manifest.json").write_text(content)
    with sqlite3.connect(run / "ledger.sqlite") as db:
        db.execute("UPDATE events SET data = ?", (f'{{"argv": {deep}}}',))
    with RunStore.read(run) as store, pytest.raises(MachineError, match="nested deeper than 64 levels"):
        store.events()


def test_json_as_deep_as_allowed_is_read() -> None:
    assert files.from_json('{"a":' * 64 + "1" + "}" * 64)
    assert files.from_json(b"[]") == []


def test_a_manifest_that_is_too_large_is_refused_with_the_limit(run: Path) -> None:
    os.truncate(run / "manifest.json", manifest.MAX_BYTES + 1)
    with pytest.raises(UserError, match="larger than 64,000,000 bytes"):
        RunStore.read(run)


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TRIGGER t AFTER INSERT ON samples BEGIN DELETE FROM edits; END",
        "CREATE VIEW v AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT x FROM c",
        "CREATE TABLE g (a, b GENERATED ALWAYS AS (hex(zeroblob(a))))",
    ],
)
def test_a_ledger_with_code_of_its_own_is_refused(run: Path, sql: str) -> None:
    with sqlite3.connect(run / "ledger.sqlite") as db:
        db.execute(sql)
    for act in (RunStore.read, RunStore.reopen):
        with pytest.raises(MachineError, match="none of which is ours"):
            act(run)


def test_what_no_program_of_ours_wrote_is_one_line_for_a_strangers_run_and_a_bug_for_ones_own(run: Path) -> None:
    with pytest.raises(TypeError), RunStore.read(run):
        raise TypeError("a bug")
    os.truncate(seal.key_file(), 0)
    with pytest.raises(UserError, match="what editeval does not write"), RunStore.read(run):
        raise TypeError("of the stranger's")


READ = """
import sys
from pathlib import Path
from editeval.store.run_store import RunStore
with RunStore.read(Path(sys.argv[1])) as store:
    print(len(list(store.edits())))
"""
CAN_UNSHARE = not subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode


@pytest.mark.skipif(not CAN_UNSHARE, reason="no user namespaces here")
def test_a_killed_run_on_a_read_only_disk_is_read_with_what_its_log_holds(run: Path) -> None:
    with RunStore.reopen(run) as store:
        store.record_edit(fakes.done("s001"), seed=7)
        for suffix in ("", "-wal"):  # as a kill leaves them
            shutil.copyfile(run / f"ledger.sqlite{suffix}", run / f"kept{suffix}")
    for suffix in ("", "-wal"):
        (run / f"kept{suffix}").rename(run / f"ledger.sqlite{suffix}")
    assert (run / "ledger.sqlite-wal").stat().st_size and not (run / "ledger.sqlite-shm").exists()
    read_only = f"mount --bind {run} {run} && mount -o remount,bind,ro {run}"
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{read_only} && exec {sys.executable} -c '{READ}' {run}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "2\n", done.stderr
    assert before == {path: path.read_bytes() for path in run.iterdir() if path.is_file()}


def test_a_ledger_and_its_log_are_put_together_in_a_copy(run: Path) -> None:
    with RunStore.reopen(run) as store:
        store.record_edit(fakes.done("s001"), seed=7)
        db = connection._merged_copy(run / "ledger.sqlite")
        assert db.execute("SELECT COUNT(*) FROM edits").fetchone() == (2,)
        db.close()
