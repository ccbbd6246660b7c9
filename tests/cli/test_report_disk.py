"""A report that does not fit on the disk: one line, exit 2, and what was there before is still whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model: {type: identity, params: {device_ids: [cpu]}}
reward_model: {type: reference, params: {device_ids: [cpu]}}
"""
FULL = """
import errno, os, sys
def no_space(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and "w" in (arguments[1] or "") and {name!r} in arguments[0]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), arguments[0])
sys.addaudithook(no_space)
"""
LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def no_more(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and "w" in (arguments[1] or "") and {name!r} in arguments[0]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
sys.addaudithook(no_more)
"""
REPORT = "from editeval.cli.main import main; main(['report'])"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("full")
    (folder / "small.yaml").write_text(CONFIG, encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "editeval", "run", "small.yaml"], cwd=folder, capture_output=True)
    assert done.returncode == 0, done.stderr
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Everything in the report's folder that is shown, by its name, and the names of all other files."""
    run = (folder / "outputs" / "latest").resolve()
    found = {str(path.relative_to(run)): path for path in run.rglob("*") if path.is_file()}
    return {name: path.read_bytes() if "data/" in name else b"" for name, path in found.items() if "ledger" not in name}


def report(folder: Path, obstacle: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", obstacle + REPORT]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "name", ["report.json", "samples.jsonl", "report.md", "rows-0.js", "run.js", "base.css", "report.html"]
)
def test_a_disk_that_is_full_at_any_file_is_one_line_and_exit_2(folder: Path, name: str) -> None:
    before = contents(folder)
    done = report(folder, FULL.format(name=name))
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
    done = report(folder, FULL.format(name=".webp"))
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "free some space" in done.stderr
    assert list(thumbs.iterdir()) == []
    thumbs.rmdir()
    assert report(folder, "").returncode == 0
    assert {path.name: path.read_bytes() for path in thumbs.iterdir()} == made


@pytest.mark.parametrize("name", ["report.json", "rows-0.js", "report.html"])
def test_a_file_that_is_cut_short_leaves_the_former_one(folder: Path, name: str) -> None:
    run = (folder / "outputs" / "latest").resolve()
    before = contents(folder)
    done = report(folder, LIMITED.format(name=name))
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "free some space" in done.stderr, done.stderr
    assert contents(folder).keys() == before.keys()
    assert (run / "report.html").read_bytes().endswith(b"</html>\n")
    assert json.loads((run / "report.json").read_bytes())["badge"]
