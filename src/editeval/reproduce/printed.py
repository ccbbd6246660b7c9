"""Published numbers beside ours, as lines for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from editeval.reproduce.catalog import FORMATS, NOT_PUBLIC
from editeval.reproduce.published import Compared, ResultFormat

_SAME = ("same", "same with")
Sections = Mapping[str, Sequence[Compared]]
"""What was compared, by the name of the format."""


def known() -> Iterator[str]:
    """Every format, then what cannot be recomputed, a line each."""
    width = max(map(len, FORMATS))
    for name, results in FORMATS.items():
        count = sum(len(table.numbers) for table in results.tables().values())
        what = f"{count} published numbers, {results.repository} @{results.commit}" if count else "of your own folder"
        yield f"{name:{width}}  {results.title}; {what}"
        yield f"{'':{width}}  FOLDER: {results.layout}"
    yield "not recomputable:"
    for table in NOT_PUBLIC:
        yield f"  {table.table} ({table.where}): {table.reason}"


def lines(results: ResultFormat, rows: Sequence[Compared]) -> Iterator[str]:
    """A line per number, then what they come to."""
    tables = results.tables()
    yield f"{results.title}" + (f" ({results.repository} @{results.commit})" if results.repository else "")
    yield f"words: {results.words}"
    yield f"rule: {results.rule}"
    for title, found in tables_of(rows):
        width = max(len(f"{row.row} {row.column}") for row in found)
        source = f" ({tables[title].source})" if title in tables else ""
        yield f"\n{title}{source}"
        yield f"{'':{width}} {'published':>10} {'ours':>10} {'difference':>10} {'read':>12}"
        remarks = tables[title].remarks if title in tables else {}
        yield from (_line(row, width, remarks.get(f"{row.row} {row.column}", "")) for row in found)
    yield ""
    for name in sorted({row.ours.switch for row in rows if row.verdict.startswith("same with") and row.ours}):
        yield f"{name}: {results.switches.get(name, '')}"
    yield summary(rows)


def _line(row: Compared, width: int, remark: str) -> str:
    ours = row.ours
    difference = "-" if row.difference is None else f"{row.difference:+.{row.digits}f}"
    verdict = "" if row.verdict == "same" else row.verdict
    if row.verdict.startswith("same with") and ours:
        verdict += f" ({row.printed(ours.matched)})"
    own = f"as editeval reads them {row.printed(ours.own)} of {ours.num_own}" if ours and ours.num_own else ""
    remark = remark if row.verdict == "differs" else ""
    further = "; ".join(part for part in (verdict, remark, own, *(ours.notes if ours else ())) if part)
    numbers = f"{row.printed(row.published):>10} {row.printed(ours.value if ours else None):>10} {difference:>10}"
    return f"{row.row + ' ' + row.column:{width}} {numbers} {_coverage(row):>12}  {further}".rstrip()


def _coverage(row: Compared) -> str:
    """How many scores or replies went in, of how many; nothing for what is made of other numbers."""
    ours = row.ours
    if ours is None or not ours.num_read + ours.num_unreadable:
        return ""
    total = ours.num_read + ours.num_unreadable
    return f"{ours.num_read:,} of {total:,}" if ours.num_unreadable else f"{total:,}"


def summary(rows: Iterable[Compared]) -> str:
    """How many published numbers agree, in one line."""
    counts = counted(rows)
    published = sum(counts.values())
    if not published:
        return "nothing is published to compare with; name it with --published '[TABLE: ]ROW COLUMN=VALUE'"
    kinds = [f"{counts[kind]} {kind}" for kind in (*_SAME, "differs", "not recomputed") if counts[kind]]
    return f"{published} published numbers: " + ", ".join(kinds).replace("same with", "same with a published bug")


def counted(rows: Iterable[Compared]) -> Counter[str]:
    """Published numbers by verdict; `same with` whatever the bug, `same` also up to rounding."""
    short = {"same up to": "same", "same with": "same with"}
    verdicts = (next((short[start] for start in short if row.verdict.startswith(start)), row.verdict) for row in rows)
    return Counter(verdict for verdict in verdicts if verdict != "not published")


def agrees(rows: Sequence[Compared]) -> bool:
    """Whether every published number is reached, by the right rule or with a bug that is named."""
    counts = counted(rows)
    return not counts["differs"] and not counts["not recomputed"]


def tables_of(rows: Sequence[Compared]) -> Iterator[tuple[str, list[Compared]]]:
    """The numbers of each table, by its title."""
    for title in dict.fromkeys(row.table for row in rows):
        yield title, [row for row in rows if row.table == title]
