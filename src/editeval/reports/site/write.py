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
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from editeval.files import Folder
from editeval.images import sha256
from editeval.reports.data import CHANGED, Report, surveyed
from editeval.reports.format import run_title
from editeval.reports.site import page, payload
from editeval.reports.site.first_page import RunView, first_page
from editeval.reports.site.thumbnails import (
    FOLDER,
    Found,
    Pictures,
    ThumbnailStore,
)
from editeval.reports.tables import replacing, to_json
from editeval.store.records import SampleRow

FIRST_FILE = payload.PLACE  # written last: a run that has it has a whole site
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def write_report_html(report: Report, directory: Path) -> Path:
    """The site; pictures that the run has not made yet are made now, on every core."""
    directory.mkdir(parents=True, exist_ok=True)
    folder = Folder(directory)
    for name in _FOLDERS:
        folder.make(name)
    _remove_leftovers(folder)
    folder.check(*_FOLDERS)
    with _renewed(folder) as data:
        tally = payload.IssueCounts(report.scale(report.headline_metric).is_higher_better)
        for kind, number, text in _chunks(report, directory, tally):
            _put(folder, f"{data}/{kind}-{number}.js", payload.script(kind, number, text))
        block = payload.run_block(report, surveyed(report), tally, time.time())
        _put(folder, f"{data}/run.js", payload.script("run", 0, safe_json(block)))
        for name in page.STYLES + page.SCRIPTS:
            _put(folder, f"{FOLDER}/app/{name}", page.asset(name))
    runs = safe_json({"runs": [{"root": ""}]})
    summary = first_page([RunView(block, thumb=lambda stem: f"{FOLDER}/thumbs/{stem}.webp")])
    folder.write("report.html", page.linked(_title(report), runs, summary, f"{FOLDER}/app").encode())
    return directory / "report.html"


def _put(folder: Folder, name: str, data: bytes) -> None:
    """Replaced in one step, not synced: it can be made again."""
    with folder.replacing(name, is_durable=False) as file:
        file.write(data)


def write_embedded_html(report: Report, directory: Path, path: Path) -> Path:
    """One file with everything but full-size pictures: the thumbnails stand in for them."""
    head, tail = page.embedded(_title(report), safe_json({"runs": [{"root": ""}], "embedded": True}))
    tally = payload.IssueCounts(report.scale(report.headline_metric).is_higher_better)
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
    data = Folder(directory).read(f"{FOLDER}/thumbs/{stem}.webp")
    return f"data:image/webp;base64,{base64.b64encode(data).decode('ascii')}"


def safe_json(value: object) -> str:
    """JSON that is a JavaScript literal too, and in which no browser finds a tag, a comment or an entity."""
    return to_json(value).translate(_ESCAPES)


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
    known, further = shelf.find(row.id, row.sha256), report.further(row.id)
    if known is not None and (not further or [role for role, _ in further] == [role for role, _ in known.further]):
        place = Path(str(report.run.get("dir") or directory)) / (row.edited_path or "")
        if known.edited is None or not shelf.is_touched(place, known.edited.stem):
            return known
        now = _edited(report, directory, row)
        is_changed = now is not None and sha256(now) != row.sha256
        return replace(known, edited=None, notes={"edited": CHANGED}) if is_changed else known
    source, target = report.images(row.id)
    notes = {"source": source} if isinstance(source, str) else {}
    found = None if isinstance(source, str) else source
    edited, shown = _edited(report, directory, row), () if source is None or isinstance(source, str) else further
    return shelf.add(Found(row.id, found, target, edited, row.sha256, notes=notes, further=shown))


def _edited(report: Report, directory: Path, row: SampleRow) -> bytes | None:
    """The edit's file; None if it is not there, or the path leads out of the run."""
    if row.status != "done" or not row.edited_path:
        return None
    try:
        return Folder(Path(str(report.run.get("dir") or directory))).read(row.edited_path)
    except (OSError, ValueError):
        return None


def _stems(report: Report, directory: Path) -> Iterator[str]:
    for _, pictures in _illustrated(report, directory):
        yield from (image.stem for mine in pictures for image in mine.all())


@contextlib.contextmanager
def _renewed(folder: Folder) -> Iterator[str]:
    """A new place for the data, which takes that of the old if the block ends well: a reader never meets a mixture."""
    fresh, old = (f"{FOLDER}/.data.{os.getpid()}.{which}" for which in ("new", "old"))
    for left in (fresh, old):  # by a process of the same number that was killed: in a container it often is the same
        folder.remove(left)
    folder.make(fresh)
    try:
        yield fresh
        if folder.stat(f"{FOLDER}/data") is not None:
            folder.rename(f"{FOLDER}/data", old)
        folder.rename(fresh, f"{FOLDER}/data")
    finally:
        for left in (fresh, old):
            with contextlib.suppress(OSError):  # what stays is tried again by the next report
                folder.remove(left)


_FOLDERS = (f"{FOLDER}/app", f"{FOLDER}/thumbs", f"{FOLDER}/pictures")
_LEFT = re.compile(r"\.data\.(?P<pid>[0-9]{1,7})\.(new|old)|\..+?\.(?P<owner>[0-9]{1,7})(\.[0-9]+)?\.tmp")


def _remove_leftovers(folder: Folder) -> None:
    """What belongs to this process, or to one that still lives, stays."""
    for place in (FOLDER, *_FOLDERS):
        for name in folder.names(place):
            left = _LEFT.fullmatch(name)
            if left is not None and not _is_alive(int(left["pid"] or left["owner"])):
                with contextlib.suppress(OSError):
                    folder.remove(f"{place}/{name}")


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
    return f"{run_title(report).encode('utf-8', 'replace').decode()} - editeval"
