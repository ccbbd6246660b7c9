"""report.html and the folder `report` beside it: a site that opens from the disk, without a server or the network.

report.html            the page, with the first one as markup that needs no script
report/app             the front end
report/data            run.js, and rows-N.js and details-N.js for every CHUNK samples: classic scripts holding JSON
report/thumbs, report/pictures   small and full-size pictures, named by their content

Everything is written in passes over the samples, CHUNK at a time: memory does not grow with their number.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath

from editeval.files import write_atomic
from editeval.images import sha256
from editeval.reports.data import CHANGED, Report, surveyed
from editeval.reports.site import page, payload
from editeval.reports.site.first_page import RunView, first_page
from editeval.reports.site.thumbnails import (
    FOLDER,
    Found,
    Pictures,
    SampleImages,
    ThumbnailStore,
    put,
)
from editeval.reports.tables import replacing, to_json
from editeval.store.records import SampleRow

FIRST_FILE = payload.PLACE  # written last: a run that has it has a whole site
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def write_report_html(report: Report, directory: Path) -> Path:
    """The site; pictures that the run has not made yet are made now, on every core."""
    for folder in ("app", "thumbs", "pictures"):
        (directory / FOLDER / folder).mkdir(parents=True, exist_ok=True)
    _remove_leftovers(directory / FOLDER)
    with _renewed(directory / FOLDER / "data") as data:
        tally = payload.IssueCounts()
        for kind, number, text in _chunks(report, directory, tally):
            put(data / f"{kind}-{number}.js", _script(kind, number, text))
        block = payload.run_block(report, surveyed(report), tally, time.time())
        put(data / "run.js", _script("run", 0, safe_json(block)))
        for name in page.STYLES + page.SCRIPTS:
            put(directory / FOLDER / "app" / name, page.asset(name))
    path = directory / "report.html"
    runs = safe_json({"runs": [{"root": ""}]})
    summary = first_page([RunView(block, thumb=lambda stem: f"{FOLDER}/thumbs/{stem}.webp")])
    write_atomic(path, page.linked(_title(report), runs, summary, f"{FOLDER}/app", is_served=False).encode())
    return path


def write_embedded_html(report: Report, directory: Path, path: Path) -> Path:
    """One file with everything but full-size pictures: the thumbnails stand in for them."""
    head, tail = page.embedded(_title(report), safe_json({"runs": [{"root": ""}], "embedded": True}))
    tally = payload.IssueCounts()
    with replacing(path) as file:
        file.write(head)
        written: set[str] = set()
        for kind, number, text in _chunks(report, directory, tally):
            file.write(page.block(f"{kind}-{number}", text))
        for stem in _stems(report, directory):
            if stem not in written:
                written.add(stem)
                file.write(page.block("thumb", safe_json([stem, _inline(directory, stem)])))
        block = payload.run_block(report, surveyed(report), tally, time.time())
        file.write(page.block("run-0", safe_json(block)))
        file.write(first_page([RunView(block, thumb=partial(_inline, directory))]))
        file.write(tail)
    return path


def _inline(directory: Path, stem: str) -> str:
    """The address of a thumbnail that holds the thumbnail."""
    data = (directory / FOLDER / "thumbs" / f"{stem}.webp").read_bytes()
    return f"data:image/webp;base64,{base64.b64encode(data).decode('ascii')}"


def safe_json(value: object) -> str:
    """JSON that is a JavaScript literal too, and in which no browser finds a tag, a comment or an entity."""
    return to_json(value).translate(_ESCAPES)


def _script(kind: str, number: int, text: str) -> bytes:
    return f'ui.receive("{kind}", {number}, {text});\n'.encode()


def _chunks(report: Report, directory: Path, tally: payload.IssueCounts) -> Iterator[tuple[str, int, str]]:
    """(kind, number, script-safe JSON) of every file of rows and details, in order; every row is in the tally."""
    metrics = payload.shown_metrics(report, surveyed(report))
    for number, (rows, pictures) in enumerate(_illustrated(report, directory)):
        shown = [payload.row_of(row, mine, metrics, report.scales) for row, mine in zip(rows, pictures, strict=True)]
        for place, row in enumerate(shown, start=number * payload.CHUNK):
            tally.add(row, place)
        yield "rows", number, safe_json([row.cells() for row in shown])
        yield "details", number, safe_json([payload.detail_of(row, report) for row in rows])


def _illustrated(report: Report, directory: Path) -> Iterator[tuple[tuple[SampleRow, ...], list[Pictures]]]:
    """CHUNK samples at a time with their pictures, in benchmark order."""
    shelf = ThumbnailStore(directory)
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for rows in _batched(report.samples()):
            yield rows, list(pool.map(partial(_pictures, report, directory, shelf), rows))


def _batched(rows: Iterable[SampleRow]) -> Iterator[tuple[SampleRow, ...]]:
    iterator = iter(rows)
    while batch := tuple(itertools.islice(iterator, payload.CHUNK)):
        yield batch


def _pictures(report: Report, directory: Path, shelf: ThumbnailStore, row: SampleRow) -> Pictures:
    known = shelf.find(row.id, row.sha256)
    if known is not None:
        place = Path(str(report.run.get("dir") or directory)) / (row.edited_path or "")
        if known.edited is None or not shelf.is_touched(place, known.edited.stem):
            return known
        now = _edited(report, directory, row)
        is_changed = now is not None and sha256(now) != row.sha256
        return replace(known, edited=None, notes={"edited": CHANGED}) if is_changed else known
    source, target = report.images(row.id)
    notes = {"source": source} if isinstance(source, str) else {}
    found = None if isinstance(source, str) else source
    return shelf.add(Found(row.id, found, target, _edited(report, directory, row), row.sha256, notes=notes))


def _edited(report: Report, directory: Path, row: SampleRow) -> bytes | None:
    """The edit's file; None if it is not there, or the path leads out of the run."""
    inside = PurePosixPath(row.edited_path or "")
    if row.status != "done" or not row.edited_path or inside.is_absolute() or ".." in inside.parts:
        return None
    try:
        return (Path(str(report.run.get("dir") or directory)) / inside).read_bytes()
    except (OSError, ValueError):
        return None


def _stems(report: Report, directory: Path) -> Iterator[str]:
    for _, pictures in _illustrated(report, directory):
        for three in pictures:
            yield from (p.stem for p in (three.source, three.target, three.edited) if isinstance(p, SampleImages))


@contextlib.contextmanager
def _renewed(folder: Path) -> Iterator[Path]:
    """An empty folder that takes the place of `folder` if the block ends well: a reader never meets a mixture."""
    fresh, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{which}") for which in ("new", "old"))
    for left in (fresh, old):  # by a process of the same number that was killed: in a container it often is the same
        shutil.rmtree(left, ignore_errors=True)
    fresh.mkdir()
    try:
        yield fresh
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


_FOLDERS = ("app", "thumbs", "pictures")
_LEFT = re.compile(r"\.data\.(?P<pid>[0-9]{1,7})\.(new|old)|\..+?\.(?P<owner>[0-9]{1,7})(\.[0-9]+)?\.tmp")


def _remove_leftovers(folder: Path) -> None:
    """`folder` is the report's own. What belongs to this process, or to one that still lives, stays."""
    for place in (folder, *(folder / name for name in _FOLDERS)):
        for entry in os.scandir(place):
            left = _LEFT.fullmatch(entry.name)
            if left is None or _is_alive(int(left["pid"] or left["owner"])):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)  # what stays is tried again by the next report
            else:
                Path(entry.path).unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    """Also true of this process and of one of another user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _title(report: Report) -> str:
    name = str(report.run.get("name") or report.run.get("id") or "run")
    return f"{name.encode('utf-8', 'replace').decode()} - editeval"
