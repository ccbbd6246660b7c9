"""Which samples the report shows, and their small pictures. Bounded, however many samples there are."""

from __future__ import annotations

import base64
import heapq
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from editeval.errors import ImageError
from editeval.images import decode
from editeval.reports.data import Report, SampleRow, scored_value, why_unscored

MAX_CARDS = 48
MAX_UNSCORED = 12
MAX_PER_REASON = 4
MAX_PER_ROLE = 3
THUMBNAIL_PX = 256
ROLES = ("lowest", "median", "highest")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A sample and why it is shown: "edit failed", "not scored" or one of ROLES."""

    row: SampleRow
    role: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a card: a `data:` address, or None with a word that says why not."""

    caption: str
    uri: str | None
    size: str
    missing: str = ""
    link: str | None = None


def choose(report: Report) -> tuple[tuple[Chosen, ...], dict[str, tuple[Chosen, ...]]]:
    """(not scored, category -> lowest, median and highest scores); one pass, at most MAX_CARDS in all."""
    selection = _Selection(report)
    for index, row in enumerate(report.samples()):
        selection.add(index, row)
    return selection.result()


@dataclass(slots=True)
class _Selection:
    """Keeps the best few candidates per category and role while the samples stream by."""

    report: Report
    unscored: list[Chosen] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    heaps: dict[tuple[str, str], list[tuple[float, int, SampleRow]]] = field(default_factory=dict)
    medians: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mine = (s for s in self.report.summaries if s.metric == self.report.headline_metric)
        self.medians = {s.category: s.median for s in mine if s.median is not None}

    def add(self, index: int, row: SampleRow) -> None:
        value = scored_value(row, self.report.headline_metric)
        if value is None:
            self._add_unscored(row)
            return
        median = self.medians.get(row.category, value)
        for role, distance in zip(ROLES, (value, abs(value - median), -value), strict=True):
            heap = self.heaps.setdefault((row.category, role), [])
            heapq.heappush(heap, (-distance, -index, row))
            if len(heap) > len(ROLES) * MAX_PER_ROLE:
                heapq.heappop(heap)

    def _add_unscored(self, row: SampleRow) -> None:
        reason = row.error_reason or why_unscored(row, self.report.headline_metric)
        if row.status == "pending":
            return
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        if self.reasons[reason] <= MAX_PER_REASON and len(self.unscored) < MAX_UNSCORED:
            plain = "not scored" if self.report.headline_metric else "edited"
            self.unscored.append(Chosen(row, "edit failed" if row.status == "failed" else plain))

    def result(self) -> tuple[tuple[Chosen, ...], dict[str, tuple[Chosen, ...]]]:
        categories = list(dict.fromkeys(category for category, _ in self.heaps))
        left = MAX_CARDS - len(self.unscored)
        count = min(MAX_PER_ROLE, max(1, left // (len(ROLES) * max(1, len(categories)))))
        shown: dict[str, tuple[Chosen, ...]] = {}
        for category in categories:
            cards = self._of(category, count)[:left]
            left -= len(cards)
            if cards:
                shown[category] = cards
        return tuple(self.unscored), shown

    def _of(self, category: str, count: int) -> tuple[Chosen, ...]:
        taken: set[int] = set()
        picked: dict[str, list[Chosen]] = {}
        for role in ("lowest", "highest", "median"):
            ranked = sorted(self.heaps[category, role], key=lambda entry: entry[:2], reverse=True)
            free = [entry for entry in ranked if entry[1] not in taken][:count]
            taken.update(entry[1] for entry in free)
            picked[role] = [Chosen(entry[2], role) for entry in free]
        return tuple(chosen for role in ROLES for chosen in picked[role])


def pictures(report: Report, row: SampleRow, directory: Path) -> Iterator[Picture]:
    """Source, edited and, where there is one, target picture of a sample; the edited one links to its file."""
    source, target = report.images(row.id)
    yield _picture("source", source)
    if row.status != "done":
        yield Picture("edited", None, "", "no edit")
    else:
        yield _edited(report, row, directory)
    if target is not None:
        yield _picture("target", target)


def _edited(report: Report, row: SampleRow, directory: Path) -> Picture:
    run_dir = Path(str(report.run.get("dir") or directory))
    inside = PurePosixPath(row.edited_path or "")
    if not row.edited_path or inside.is_absolute() or ".." in inside.parts:
        return Picture("edited", None, "", "no file")
    try:
        data = (run_dir / inside).read_bytes()
    except (OSError, ValueError):
        return Picture("edited", None, "", "file missing")
    link = quote(str(inside)) if run_dir.resolve() == directory.resolve() else None
    return _picture("edited", data, link)


def _picture(caption: str, data: bytes | None, link: str | None = None) -> Picture:
    """The thumbnail, made from pixels only: nothing of the file's metadata goes into the report."""
    if data is None:
        return Picture(caption, None, "", "not available")
    try:
        image = decode(data)
    except ImageError:
        return Picture(caption, None, "", "unreadable")
    size = f"{image.width} \u00d7 {image.height}"
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), reducing_gap=2.0)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85, subsampling=0, optimize=True)
    uri = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
    return Picture(caption, uri, size, link=link)
