"""What killed writers leave in the folder of a report goes with the next one; what others write stays."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from report_fakes import row_of

from editeval.reports.data import Report
from editeval.reports.site.write import write_report_html

Make = Callable[..., Report]


def test_what_killed_processes_left_is_swept_and_what_the_living_write_is_not(
    make_report: Make, tmp_path: Path
) -> None:
    """Of each kind one of a process that has ended, one of a process that lives, and one that is no leftover."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder = tmp_path / "report"
    shapes = (".data.{}.new/rows-0.js", ".data.{}.old/rows-0.js", "thumbs/.a.webp.{}.7.tmp")
    shapes += ("pictures/.b.png.{}.140000000000000.tmp", "app/.main.js.{}.7.tmp")
    names = {pid: [shape.format(pid) for shape in shapes] for pid in (ended.pid, os.getppid())}
    others = ["notes.tmp", f".data.{ended.pid}.txt", "thumbs/mine.webp"]
    for name in [*names[ended.pid], *names[os.getppid()], *others]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("left")
    write_report_html(make_report([row_of(0)]), tmp_path)
    assert not [name for name in names[ended.pid] if (folder / name).exists()]
    assert not list(folder.glob(f".data.{ended.pid}.new")) and not list(folder.glob(f".data.{ended.pid}.old"))
    assert all((folder / name).is_file() for name in [*names[os.getppid()], *others])


def test_a_leftover_that_is_a_link_is_removed_and_not_followed(make_report: Make, tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    (tmp_path / "report").mkdir()
    link = tmp_path / "report" / f".data.{ended.pid}.new"
    link.symlink_to(outside)
    write_report_html(make_report([row_of(0)]), tmp_path)
    assert not link.is_symlink() and (outside / "precious").read_text() == "kept"
