"""The page docs/reproduced.md: what comes of every format whose results are public, a row per published table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from editeval.reproduce.catalog import FORMATS, NOT_PUBLIC
from editeval.reproduce.printed import Sections, counted, tables_of
from editeval.reproduce.published import Compared, ResultFormat

_INTRO = """\
# Published numbers, recomputed

This page is printed by a command and is not edited by hand:

    editeval reproduce all --from CLONES --markdown

`CLONES` is a folder of yours with a clone of each repository below under the repository's own name. editeval reads the
results that the authors publish there, runs them through its own protocol and its own means, and puts its numbers
beside the printed ones. Nothing of the clones is run, and nothing of them is part of editeval; the printed numbers are.

Columns: *same* - the printed digits are ours. *with a bug* - ours are others, and a published bug, named below, gives
the printed ones. *differ* - neither; *gap* - what is left then. *read* - the most scores or replies behind a number."""


def page(sections: Sections) -> str:
    """All of it, as Markdown."""
    parts = [_INTRO]
    for name, rows in sections.items():
        parts.append("\n".join(_section(FORMATS[name], rows)))
    parts.append("\n".join(_own_folders()))
    parts.append("\n".join(_not_public()))
    return "\n\n".join(parts) + "\n"


def _section(results: ResultFormat, rows: Sequence[Compared]) -> Iterator[str]:
    yield f"## {results.title} (`{results.name}`)\n"
    yield f"{results.repository} @{results.commit}, `{results.layout}`. Words: {results.words}. Rule: {results.rule}.\n"
    heads = "published table | source | numbers | same | with a bug | differ | not recomputed | largest gap | read"
    yield f"| {heads} |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|---:|"
    found = dict(tables_of(rows))
    for title, table in results.tables().items():
        yield _table_row(title, table.source, found[title])
    used = sorted({row.ours.switch for row in rows if row.verdict.startswith("same with") and row.ours})
    if used:
        yield "\nPublished bugs:\n"
        yield from (f"- `{name}`: {results.switches[name]}." for name in used)
    differing = sorted((row for row in rows if row.verdict in ("differs", "not recomputed")), key=_gap, reverse=True)
    if differing:
        yield "\nNumbers that differ:\n"
        yield "| table | number | published | ours | with the bugs | gap |"
        yield "|---|---|---:|---:|---:|---:|"
        yield from map(_differing, differing)
    if own := [row for row in rows if row.ours and row.ours.num_own is not None]:
        yield "\nThe same replies as editeval's own grammar reads them; a random integer is no reply:\n"
        yield "| number | published | ours | read | by editeval's grammar | read |"
        yield "|---|---:|---:|---:|---:|---:|"
        yield from map(_own, own)


def _table_row(title: str, source: str, rows: Sequence[Compared]) -> str:
    counts = counted(rows)
    largest = max((row for row in rows if row.verdict == "differs"), key=_gap, default=None)
    cells = [counts[kind] for kind in ("same", "same with", "differs", "not recomputed")]
    gap = f"{largest.gap:+.{largest.digits}f}" if largest else "-"
    most = max((row.ours for row in rows if row.ours), key=lambda ours: ours.num_read, default=None)
    read = f"{most.num_read:,}" if most and most.num_read else "-"
    dropped = max((row.ours.num_unreadable for row in rows if row.ours), default=0)
    read += f", up to {dropped:,} missing" if dropped else ""
    return f"| {title} | {source} | {sum(cells)} | " + " | ".join(map(str, cells)) + f" | {gap} | {read} |"


def _gap(row: Compared) -> float:
    return abs(row.gap or 0.0)


def _differing(row: Compared) -> str:
    ours = row.ours
    gap = "-" if row.gap is None else f"{row.gap:+.{row.digits}f}"
    numbers = (row.published, ours.value if ours else None, ours.matched if ours else None)
    cells = " | ".join(row.printed(number) for number in numbers)
    return f"| {row.table} | {row.row} {row.column} | {cells} | {gap} |"


def _own(row: Compared) -> str:
    ours = row.ours
    assert ours is not None
    values = f"{row.printed(row.published)} | {row.printed(ours.value)} | {ours.num_read}"
    return f"| {row.row} {row.column} | {values} | {row.printed(ours.own)} | {ours.num_own} |"


def _own_folders() -> Iterator[str]:
    yield "## Folders of your own\n"
    yield "No results of single samples are public for these; whoever has such a folder gets its numbers, and names"
    yield "published ones with `--published 'ROW COLUMN=VALUE'`.\n"
    yield "| name | FOLDER | rule |"
    yield "|---|---|---|"
    for results in FORMATS.values():
        if not results.repository:
            yield f"| `{results.name}` | {results.layout} | {results.rule} |"


def _not_public() -> Iterator[str]:
    yield "## Tables that cannot be recomputed\n"
    yield "| table | where | why not |"
    yield "|---|---|---|"
    yield from (f"| {table.table} | {table.where} | {table.reason} |" for table in NOT_PUBLIC)
