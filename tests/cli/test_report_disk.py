"""A report that does not fit on the disk: one line, exit 2, and what was there before is still whole."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import cli

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model: {type: identity, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
"""


class Disk:
    """What happens when a file whose name has `name` in it is opened to be written; nothing while that is ""."""

    name = ""
    is_cut_short = False

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.name or event != "open" or not isinstance(path := arguments[0], str):
            return
        is_made = arguments[1] is None and int(str(arguments[2])) & os.O_CREAT  # by os.open, which has no mode
        if (is_made or "w" in str(arguments[1] or "")) and self.name in path:
            if not self.is_cut_short:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))


DISK = Disk()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sys.addaudithook(DISK.hook)  # for good
    folder = tmp_path_factory.mktemp("full")
    (folder / "small.yaml").write_text(CONFIG, encoding="utf-8")
    assert cli("run", "small.yaml", cwd=folder).returncode == 0
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Everything in the report's folder that is shown, by its name, and the names of all other files."""
    run = (folder / "outputs" / "latest").resolve()
    found = {str(path.relative_to(run)): path for path in run.rglob("*") if path.is_file()}
    return {name: path.read_bytes() if "data/" in name else b"" for name, path in found.items() if "ledger" not in name}


@contextlib.contextmanager
def full(name: str, is_cut_short: bool = False) -> Iterator[None]:
    """Inside, no file of such a name has room, or 1,000 bytes of it."""
    DISK.name, DISK.is_cut_short = name, is_cut_short
    try:
        yield
    finally:
        DISK.name = ""
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def report(folder: Path, name: str, is_cut_short: bool = False) -> subprocess.CompletedProcess[str]:
    with full(name, is_cut_short):
        return cli("report", cwd=folder)


@pytest.mark.parametrize(
    "name", ["report.json", "samples.jsonl", "report.md", "rows-0.js", "run.js", "base.css", "report.html"]
)
def test_a_disk_that_is_full_at_any_file_is_one_line_and_exit_2(folder: Path, name: str) -> None:
    before = contents(folder)
    done = report(folder, name)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1 and name in done.stderr and "free some space" in done.stderr
    after = contents(folder)
    assert after.keys() == before.keys()
    if name != "report.html":  # it comes last: by then the new data are whole
        assert after == before


def test_a_thumbnail_that_does_not_fit_is_one_line_and_the_next_report_makes_it(folder: Path) -> None:
    thumbs = (folder / "outputs" / "latest").resolve() / "report" / "thumbs"
    made = {path.name: path.read_bytes() for path in thumbs.iterdir()}
    for path in thumbs.iterdir():
        path.unlink()
    done = report(folder, ".webp")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "free some space" in done.stderr
    assert list(thumbs.iterdir()) == []
    thumbs.rmdir()
    assert report(folder, "").returncode == 0
    assert {path.name: path.read_bytes() for path in thumbs.iterdir()} == made


@pytest.mark.parametrize("name", ["report.json", "rows-0.js", "report.html"])
def test_a_file_that_is_cut_short_leaves_the_former_one(folder: Path, name: str) -> None:
    run = (folder / "outputs" / "latest").resolve()
    before = contents(folder)
    done = report(folder, name, is_cut_short=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "free some space" in done.stderr, done.stderr
    assert contents(folder).keys() == before.keys()
    assert (run / "report.html").read_bytes().endswith(b"</html>\n")
    assert json.loads((run / "report.json").read_bytes())["badge"]
