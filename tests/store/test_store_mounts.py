"""The write-ahead log is used on local disks and nowhere else."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import store_fakes as fakes

from editeval.machine import host
from editeval.store import connection
from editeval.store.run_store import RunStore

MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:30 / /home rw,nosuid shared:2 master:7 - nfs4 server:/home rw,vers=4.2
31 30 0:31 / /home/scratch rw - xfs /dev/sdb1 rw
32 22 0:32 / /mnt/lab\\040data rw - cifs //server/lab rw
33 22 0:33 / /mnt/object rw - fuse.s3fs s3fs rw
34 22 0:34 / /mnt/twice rw - ext4 /dev/sdc1 rw
35 34 0:35 / /mnt/twice rw - lustre mgs@tcp:/fs rw
36 22 0:36 / /mnt/usb rw - fuseblk /dev/sdd1 rw
broken line
"""


@pytest.fixture
def mountinfo(tmp_path: Path) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS)
    return path


@pytest.mark.parametrize(
    ("path", "kind", "mode"),
    [
        ("/srv/outputs", "ext4", "WAL"),
        ("/home/anna/outputs", "nfs4", "DELETE"),
        ("/homework/outputs", "ext4", "WAL"),
        ("/home/scratch/outputs", "xfs", "WAL"),
        ("/mnt/lab data/outputs", "cifs", "DELETE"),
        ("/mnt/object/outputs", "fuse.s3fs", "DELETE"),
        ("/mnt/twice/outputs", "lustre", "DELETE"),
        ("/mnt/usb/outputs", "fuseblk", "WAL"),
    ],
)
def test_the_deepest_mount_decides_the_journal(mountinfo: Path, path: str, kind: str, mode: str) -> None:
    assert host.file_system(Path(path), mountinfo) == kind
    assert host.journal_mode(Path(path), mountinfo) == mode


def test_without_a_mount_table_the_disk_counts_as_local(tmp_path: Path) -> None:
    assert host.file_system(Path("/srv"), tmp_path / "absent") == ""
    assert host.journal_mode(Path("/srv"), tmp_path / "absent") == "WAL"


def test_the_kernels_own_table_is_understood() -> None:
    assert host.file_system(Path("/proc/self")) == "proc"


def test_a_ledger_on_a_network_disk_has_no_log_and_keeps_its_rows(tmp_path: Path) -> None:
    fakes.work(tmp_path / "run", fakes.samples(3))
    path, network = tmp_path / "run" / "ledger.sqlite", tmp_path / "mountinfo"
    network.write_text("22 1 0:5 / / rw - nfs4 server:/ rw\n")
    with contextlib.closing(connection.open_writer(path, network)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert db.execute("PRAGMA synchronous").fetchone() == (3,)
        db.execute("INSERT INTO facts VALUES ('from', 'afar')")
        assert db.execute("SELECT COUNT(*) FROM edits").fetchone() == (3,)
        assert not list(path.parent.glob("*-wal")) and not list(path.parent.glob("*-shm"))
        with RunStore.read(path.parent) as reader:
            assert reader.fact("from") == "afar"


def test_a_ledger_on_a_local_disk_is_durable_at_every_commit(tmp_path: Path) -> None:
    fakes.work(tmp_path / "run", fakes.samples(1))
    local = tmp_path / "mountinfo"
    local.write_text("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    with contextlib.closing(connection.open_writer(tmp_path / "run" / "ledger.sqlite", local)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute("PRAGMA synchronous").fetchone() == (2,)
