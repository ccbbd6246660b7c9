"""Published numbers, and ours beside them: what a format recomputes, and what comes of the comparison."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from editeval.reproduce.clone import Clone


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """Numbers that authors print. They are facts and stand in `numbers/*.json`; nothing else of theirs does."""

    title: str
    source: str  # file and commit
    digits: int  # after the point
    numbers: Mapping[tuple[str, str], float]  # by row and column
    remarks: Mapping[str, str]  # why one differs, where that is known, by "ROW COLUMN"


@dataclass(frozen=True, slots=True)
class Recomputed:
    """One number of ours, from files that authors publish."""

    table: str
    row: str
    column: str
    value: float | None  # by the rule that is right; None: of nothing
    num_read: int  # scores or replies that went into it ...
    num_unreadable: int = 0  # ... and those that cannot be read, or are missing
    matched: float | None = None  # by the rule with the published bugs in it, where it is another one
    switch: str = ""  # which of the format's `switches` those are
    own: float | None = None  # of the replies as editeval's own grammar reads them, where there are replies ...
    num_own: int | None = None  # ... and how many those are
    notes: tuple[str, ...] = ()  # what else has to be known
    slack: float = 0.0  # how far off `value` may be, because what it is made of was printed rounded


@dataclass(frozen=True, slots=True)
class Compared:
    """A published number, or None, beside ours, or None."""

    table: str
    row: str
    column: str
    digits: int
    published: float | None
    ours: Recomputed | None

    @property
    def verdict(self) -> str:
        """`same`, `same up to rounding`, `same with SWITCH`, `differs`, `not recomputed`, or `not published`."""
        if self.published is None:
            return "not published"
        if self.ours is None or self.ours.value is None:
            return "not recomputed"
        if self.printed(self.ours.value) == self.printed(self.published):
            return "same"
        if self.ours.slack and abs(self.ours.value - self.published) <= self.ours.slack + 0.5 * 10.0**-self.digits:
            return "same up to rounding"
        if self.ours.matched is not None and self.printed(self.ours.matched) == self.printed(self.published):
            return f"same with {self.ours.switch}"
        return "differs"

    @property
    def difference(self) -> float | None:
        """Ours minus the published one, of the printed digits."""
        if self.published is None or self.ours is None or self.ours.value is None:
            return None
        return float(self.printed(self.ours.value)) - float(self.printed(self.published))

    @property
    def gap(self) -> float | None:
        """What is left of the difference, with the published bugs repeated if that is less."""
        if self.published is None or self.difference is None or self.ours is None or self.ours.matched is None:
            return self.difference
        return min(self.difference, float(self.printed(self.ours.matched)) - self.published, key=abs)

    def printed(self, value: float | None) -> str:
        """With as many digits as the authors print."""
        text = "-" if value is None else f"{value:.{self.digits}f}"
        return text.removeprefix("-") if value is not None and float(text) == 0 else text


@dataclass(frozen=True, slots=True)
class ResultFormat:
    """Results that somebody publishes, and how they become numbers."""

    name: str  # as `reproduce` takes it
    title: str
    repository: str  # where they are; empty: a user has such a folder of a run
    commit: str
    layout: str  # what FOLDER has to hold
    words: str  # with which words the judge was asked
    rule: str  # how replies become scores, and scores numbers
    recompute: Callable[[Clone], Iterable[Recomputed]]
    switches: Mapping[str, str] = field(default_factory=dict)  # published bugs by name: what they do
    digits: int = 3  # of numbers that are not published

    def tables(self) -> dict[str, PublishedTable]:
        """What is published, by title."""
        file = files("editeval.reproduce") / "numbers" / f"{self.name}.json"
        if not file.is_file():
            return {}
        found = {}
        for table in json.loads(file.read_text(encoding="utf-8"))["tables"]:
            numbers = {
                (row, column): float(value)
                for row, values in table["rows"].items()
                for column, value in zip(table["columns"], values, strict=True)
                if value is not None
            }
            found[table["title"]] = PublishedTable(
                table["title"], table["source"], table["digits"], numbers, table.get("remarks", {})
            )
        return found


def compare(results: ResultFormat, clone: Clone, given: Mapping[str, str]) -> list[Compared]:
    """Every published number beside ours, in our order, then those that could not be recomputed.

    `given`: published numbers that the user names, as "TABLE: ROW COLUMN" or "ROW COLUMN" -> as printed.
    """
    tables = results.tables()
    left = {title: dict(table.numbers) for title, table in tables.items()}
    rows = []
    for ours in results.recompute(clone):
        key = (ours.row, ours.column)
        digits = tables[ours.table].digits if ours.table in tables else results.digits
        published = left.get(ours.table, {}).pop(key, None)
        if text := given.get(" ".join(key)) or given.get(f"{ours.table}: {' '.join(key)}"):
            published, digits = float(text), len(text.partition(".")[2])
        rows.append(Compared(ours.table, *key, digits, published, ours))
    return [*rows, *_missing(tables, left)]


def _missing(
    tables: Mapping[str, PublishedTable], left: Mapping[str, Mapping[tuple[str, str], float]]
) -> Iterator[Compared]:
    for title, numbers in left.items():
        for (row, column), value in numbers.items():
            yield Compared(title, row, column, tables[title].digits, value, None)
