"""The page docs/reproduced.md: what comes of every format whose results are public, a row per published table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

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

Columns: *same* - the printed digits are ours, or as near as the rounding of published groups allows. *with a bug* -
ours are others, and a published bug, named below, gives the printed ones. *differ* - neither; *gap* - what is left
then. *read* - the most scores or replies behind a number."""
_OWN_FOLDERS = """\
No results of single samples are public for these. With a folder of your own you get its numbers; name published ones
with `--published '[TABLE: ]ROW COLUMN=VALUE'`."""
_HEADS = (
    *("published table", "source", "numbers", "same", "with a bug", "differ", "not recomputed", "largest gap", "read"),
)
_KINDS = ("same", "same with", "differs", "not recomputed")


def page(sections: Sections, is_chinese: bool = False) -> str:
    """All of it, as Markdown."""
    return "\n\n".join("\n".join(part) for part in _Page(_chinese() if is_chinese else {}).parts(sections)) + "\n"


def _chinese() -> dict[str, str]:
    """English -> Chinese, of everything on the page but names and numbers."""
    found: dict[str, str] = json.loads((files("editeval.reproduce") / "chinese.json").read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True, slots=True)
class _Page:
    words: Mapping[str, str] = field(default_factory=dict)

    def say(self, text: str) -> str:
        """`text` in the page's language; what has no translation stays."""
        return self.words.get(text, text)

    def head(self, *cells: str, numbers_from: int = 0) -> Iterator[str]:
        yield "| " + " | ".join(map(self.say, cells)) + " |"
        yield "|" + "|".join("---:" if numbers_from and i >= numbers_from else "---" for i in range(len(cells))) + "|"

    def parts(self, sections: Sections) -> Iterator[Iterator[str]]:
        yield iter([self.say(_INTRO)])
        for name, rows in sections.items():
            yield self.section(FORMATS[name], rows)
        yield self.own_folders()
        yield self.not_public()

    def section(self, results: ResultFormat, rows: Sequence[Compared]) -> Iterator[str]:
        yield f"## {self.say(results.title)} (`{results.name}`)\n"
        where = f"{results.repository} @{results.commit}, `{results.layout}`"
        stop = self.say(". ")
        words = f"{self.say('Words: ')}{self.say(results.words)}"
        yield f"{where}{stop}{words}{stop}{self.say('Rule: ')}{self.say(results.rule)}{stop}".rstrip() + "\n"
        yield from self.head(*_HEADS, numbers_from=2)
        found = dict(tables_of(rows))
        for title, table in results.tables().items():
            yield self.table_row(title, table.source, found[title])
        used = sorted({row.ours.switch for row in rows if row.verdict.startswith("same with") and row.ours})
        if used:
            yield f"\n{self.say('Published bugs:')}\n"
            yield from (f"- `{name}`: {self.say(results.switches[name])}" for name in used)
        differing = [row for row in rows if row.verdict in _KINDS[2:]]
        if differing:
            yield f"\n{self.say('Numbers that differ:')}\n"
            yield from self.head(
                "table", "number", "published", "ours", "with the bugs", "gap", "remark", numbers_from=2
            )
            remarks = {title: table.remarks for title, table in results.tables().items()}
            for row in sorted(differing, key=_gap, reverse=True):
                yield self.differing(row, remarks[row.table].get(f"{row.row} {row.column}", ""))
        if own := [row for row in rows if row.ours and row.ours.num_own is not None]:
            yield (
                "\n"
                + self.say("The same replies as editeval's own grammar reads them; a random integer is no reply:")
                + "\n"
            )
            yield from self.head("number", "published", "ours", "read", "by our grammar", "read", numbers_from=1)
            yield from map(_own, own)

    def table_row(self, title: str, source: str, rows: Sequence[Compared]) -> str:
        counts = counted(rows)
        cells = [counts[kind] for kind in _KINDS]
        largest = max((row for row in rows if row.verdict == "differs"), key=_gap, default=None)
        ours = [row.ours for row in rows if row.ours]
        read = max((one.num_read for one in ours), default=0)
        dropped = max((one.num_unreadable for one in ours), default=0)
        coverage = f"{read:,}" + (self.say(", up to {0} missing").replace("{0}", f"{dropped:,}") if dropped else "")
        numbers = " | ".join(map(str, [sum(cells), *cells]))
        return f"| {self.say(title)} | {source} | {numbers} | {_signed(largest) if largest else '-'} | {coverage} |"

    def differing(self, row: Compared, remark: str) -> str:
        ours = row.ours
        numbers = (row.published, ours.value if ours else None, ours.matched if ours else None)
        cells = " | ".join(row.printed(number) for number in numbers)
        return f"| {self.say(row.table)} | {row.row} {row.column} | {cells} | {_signed(row)} | {self.say(remark)} |"

    def own_folders(self) -> Iterator[str]:
        yield f"## {self.say('Folders of your own')}\n"
        yield self.say(_OWN_FOLDERS) + "\n"
        yield from self.head("name", "FOLDER", "rule")
        for results in FORMATS.values():
            if not results.repository:
                yield f"| `{results.name}` | {results.layout} | {self.say(results.rule)} |"

    def not_public(self) -> Iterator[str]:
        yield f"## {self.say('Tables that cannot be recomputed')}\n"
        yield from self.head("table", "where", "why not")
        yield from (f"| {table.table} | {table.where} | {self.say(table.reason)} |" for table in NOT_PUBLIC)


def _gap(row: Compared) -> float:
    return abs(row.gap or 0.0)


def _signed(row: Compared) -> str:
    return "-" if row.gap is None else f"{row.gap:+.{row.digits}f}"


def _own(row: Compared) -> str:
    ours = row.ours
    assert ours is not None
    values = f"{row.printed(row.published)} | {row.printed(ours.value)} | {ours.num_read}"
    return f"| {row.row} {row.column} | {values} | {row.printed(ours.own)} | {ours.num_own} |"
