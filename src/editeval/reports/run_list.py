"""Runs as rows in the terminal: as many columns as there is room for, the important ones always."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from editeval.reports.data import INVALID_JUDGE, OF_SUBSET, WARNED, JsonObject
from editeval.reports.format import format_interval
from editeval.reports.i18n import english
from editeval.text import NOTHING, fixed, moment, printable, shortened

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

MIN_TEXT = 12  # characters of a name that stay, however narrow the terminal is
_SHORT = {WARNED: "warnings"}


@dataclass(frozen=True, slots=True)
class RowColumn:
    """`cell` gives the text of a row. What is not `needed` is left out first, from the right.

    What is `common`, and the same in several rows, is said once, below the table.
    """

    title: str
    cell: Callable[[JsonObject], str]
    is_needed: bool = False
    is_text: bool = False  # stands left, and is shortened where there is no room
    is_common: bool = False


def render_runs(runs: Sequence[JsonObject], console: Console) -> None:
    """Prints one line per run, and one for each that cannot be read."""
    from rich.text import Text

    sound = [run for run in runs if not run["problem"]]
    shared = common(RUN_COLUMNS, sound)
    if sound:
        console.print(fitted([one for one in RUN_COLUMNS if one.title not in shared], sound, console))
    for line in (*_listed(shared), *notes(runs)):
        console.print(Text(line), highlight=False)


def common(columns: Sequence[RowColumn], rows: Sequence[JsonObject]) -> dict[str, str]:
    """Title -> cell of the columns that say the same in every row, if there are several."""
    found = {one.title: {one.cell(row) for row in rows} for one in columns if one.is_common and len(rows) > 1}
    return {title: next(iter(cells)) for title, cells in found.items() if len(cells) == 1}


def _listed(shared: Mapping[str, str]) -> list[str]:
    """A line; none if the runs have nothing in common but what they lack."""
    found = [f"{title} {cell}" for title, cell in shared.items() if cell != NOTHING]
    return ["all: " + ", ".join(found)] if found else []


def notes(runs: Sequence[JsonObject]) -> Iterator[str]:
    """What the table has no room for."""
    for note in dict.fromkeys(run["note"] for run in runs if run["note"]):
        yield english(f"why_{note}")
    for run in runs:
        if run["problem"]:
            yield printable(f"{run['run']}: not readable: {run['problem']}")
    if any(not run["problem"] and not run["badge"] and run["mean"] is not None for run in runs):
        yield "~ so far: no report holds; the same command, or `editeval report RUN`, writes one"


def fitted(columns: Sequence[RowColumn], rows: Sequence[JsonObject], console: Console) -> Text | Table:
    """A table that fits, if it can: fewer columns, then shorter names."""
    shown = [(one, cells) for one in columns if _is_told(one, cells := [one.cell(row) for row in rows])]
    table = _Cells.of(shown, 60)
    while table.width > console.width and not all(one.is_needed for one, _ in shown):
        shown.remove(next(pair for pair in reversed(shown) if not pair[0].is_needed))
        table = _Cells.of(shown, 60)
    for limit in range(40, MIN_TEXT - 1, -2):
        if table.width <= console.width:
            break
        table = _Cells.of(shown, limit)
    return table.lines() if table.width <= console.width else table.shrinking()


def _is_told(column: RowColumn, cells: Sequence[str]) -> bool:
    return column.is_needed or any(cell != NOTHING for cell in cells)


@dataclass(frozen=True, slots=True)
class _Cells:
    """The texts of a table by column, the title first, and what each column needs."""

    columns: Sequence[RowColumn]
    texts: Sequence[Sequence[str]]
    widths: Sequence[int]

    @classmethod
    def of(cls, shown: Sequence[tuple[RowColumn, Sequence[str]]], limit: int) -> _Cells:
        """Texts of at most `limit` characters."""
        from rich.cells import cell_len

        texts = [
            [column.title, *(shortened(cell, limit) if column.is_text else cell for cell in cells)]
            for column, cells in shown
        ]
        return cls([column for column, _ in shown], texts, [max(map(cell_len, set(column))) for column in texts])

    @property
    def width(self) -> int:
        """In characters of a terminal: two spaces stand between columns."""
        return sum(self.widths) + 2 * (len(self.widths) - 1)

    def lines(self) -> Text:
        """The table as it is, a line each: hundreds of rows take no time."""
        from rich.cells import cell_len
        from rich.text import Text

        padded = []
        for column, texts, width in zip(self.columns, self.texts, self.widths, strict=True):
            spaces = [" " * (width - cell_len(text)) for text in texts]
            pairs = zip(texts, spaces, strict=True) if column.is_text else zip(spaces, texts, strict=True)
            padded.append(list(map("".join, pairs)))
        title, *rows = ("  ".join(row) for row in zip(*padded, strict=True))
        rule = f"\n{'─' * self.width}\n"
        return Text.assemble((title, "table.header"), rule, "\n".join(rows), no_wrap=True, overflow="ignore")

    def shrinking(self) -> Table:
        """The table with as much of each column as there is room for."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
        for column in self.columns:
            table.add_column(Text(column.title), justify="left" if column.is_text else "right", no_wrap=True)
        for row in list(zip(*self.texts, strict=True))[1:]:
            table.add_row(*map(Text, row))
        return table


def status_of(run: JsonObject) -> str:
    """What its badge says; of a run that no report speaks of, how far it is, or that its judge fails a certificate."""
    if not run["badge"] or run["state"] == "running":
        is_trusted = run["is_judge_trusted"] or run["state"] == "running"
        return str(run["state"]) if is_trusted else INVALID_JUDGE
    badge = str(run["badge"]).removesuffix(OF_SUBSET)
    return _SHORT.get(badge, badge)


def mean_cell(run: JsonObject) -> str:
    return NOTHING if run["mean"] is None else f"{'' if run['badge'] else '~'}{fixed(run['mean'])}"


def interval_cell(run: JsonObject) -> str:
    """The interval, or a word for why there is none."""
    return format_interval(run["low"], run["high"]) or ("unreliable" if run["note"] else NOTHING)


def scored_cell(run: JsonObject) -> str:
    """`19/20`; `19/20 of 60` if only a part of the benchmark was wanted; `57/60 of 180, 3 seeds`: of edits."""
    subset, num_seeds = run["subset"], run.get("num_seeds", 1)
    of = f" of {subset['of'] * num_seeds}" if subset else ""
    return f"{run['num_scored']}/{run['num_samples']}{of}" + (f", {num_seeds} seeds" if num_seeds > 1 else "")


def official_cell(run: JsonObject) -> str:
    return NOTHING if run["is_official"] is None else "yes" if run["is_official"] else "no"


def _text(name: str) -> Callable[[JsonObject], str]:
    return lambda run: printable(run[name]) or NOTHING


RUN_COLUMNS: Sequence[RowColumn] = (
    RowColumn("run", _text("run"), is_needed=True, is_text=True),
    RowColumn("model", _text("model"), is_needed=True, is_text=True),
    RowColumn("benchmark", _text("benchmark"), is_needed=True, is_text=True, is_common=True),
    RowColumn("mean", mean_cell, is_needed=True),
    RowColumn("95 % interval", interval_cell, is_needed=True),
    RowColumn("scored", scored_cell, is_needed=True),
    RowColumn("status", status_of, is_needed=True, is_text=True),
    RowColumn("judge", _text("judge"), is_text=True, is_common=True),
    RowColumn("date", lambda run: moment(run["created_at"]), is_text=True),
    RowColumn("metric", _text("metric"), is_text=True, is_common=True),
    RowColumn("official", official_cell, is_common=True),
    RowColumn("protocol", _text("protocol"), is_text=True, is_common=True),
)
