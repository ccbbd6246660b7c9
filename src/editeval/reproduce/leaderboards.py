"""Tables in READMEs that print the means of groups beside the overall number: the one from the other.

No scores of single samples are needed: this shows which mean a table's overall number is. The groups are printed
rounded, so the overall number is known up to what that rounding leaves open.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from editeval.judges.protocols import protocol
from editeval.metrics import OfficialMean
from editeval.reproduce.clone import Clone, PublishedDataError
from editeval.reproduce.official_means import number_of
from editeval.reproduce.published import Recomputed, ResultFormat

_README = "README.md"
_MAX_CHARACTERS = 2_000_000
_HEADS = ("Model", "Method", "Models")
_TAG, _MARK = re.compile(r"<[^<>]*>"), re.compile(r"[*_`\\]")
_ROW = re.compile(  # each <tr> is looked at up to the next one, and no further
    r"^[ \t]*\|([^\n]*)\|[ \t]*$|<tr>((?:(?!</?tr>).)*)</tr>", re.MULTILINE | re.DOTALL
)
_CELL = re.compile(r"<t[dh][^<>]*>((?:(?!</?t[dh]).)*)</t[dh]>", re.DOTALL)
_NUM_RISE = {"Temporal": 85, "Causal": 90, "Spatial": 100, "Logical": 85}  # samples of each category


@dataclass(frozen=True, slots=True)
class _Board:
    """A table: where its overall number stands among the cells of a row, and what it is made of."""

    title: str
    head: tuple[str, ...]  # the row in front of its rows begins with these cells
    num_cells: int
    overall: int
    groups: slice
    mean: Callable[[Sequence[float]], float | None]  # of the groups
    slack: float  # what the rounding of the groups leaves open


def _recompute(boards: Sequence[_Board], clone: Clone) -> Iterator[Recomputed]:
    text = clone.text(_README)
    if len(text) > _MAX_CHARACTERS:
        raise PublishedDataError(f"{clone.root / _README}: at most {_MAX_CHARACTERS:,} characters, got {len(text):,}")
    rows = list(_rows(text))
    for board in boards:
        start = next((i for i, row in enumerate(rows) if tuple(row[: len(board.head)]) == board.head), None)
        if start is None:
            head = " | ".join(board.head)
            raise PublishedDataError(f"{clone.root / _README}: must hold the table {board.title} ({head}), it does not")
        for row in rows[start + 1 :]:
            if row[0] in _HEADS:
                break
            yield from _of_row(board, row)


def _of_row(board: _Board, row: Sequence[str]) -> Iterator[Recomputed]:
    groups = [number_of(cell) for cell in row[board.groups]]
    known = [number for number in groups if number is not None]
    if len(row) != board.num_cells or number_of(row[board.overall]) is None or len(known) < len(groups):
        return
    value = board.mean(known)
    yield Recomputed(board.title, row[0], "overall", value, len(known), slack=board.slack)


def _rows(text: str) -> Iterator[list[str]]:
    """The rows of all Markdown and HTML tables, each cell without marks."""
    for match in _ROW.finditer(text):
        cells = match[1].split("|") if match[1] is not None else _CELL.findall(match[2])
        row = [
            " ".join(re.sub(r"[^\x20-\x7e]", "", _MARK.sub("", html.unescape(_TAG.sub(" ", cell)))).split())
            for cell in cells
        ]
        if row and not all(set(cell) <= set("-: ") for cell in row):
            yield row


def _official(name: str, groups: Sequence[float]) -> float | None:
    """The first official mean of a protocol, of means of groups."""
    return protocol.load(name).official[0].of({str(number): [mean] for number, mean in enumerate(groups)})


def _complex_edit(groups: Sequence[float]) -> float | None:
    return OfficialMean("overall", ("IF", "IP", "PQ"), "samples").of({"": groups})


def _rise(groups: Sequence[float]) -> float | None:
    """Accuracy over samples: how many of a category are right follows from its size."""
    right = {name: round(share * size / 100) for (name, size), share in zip(_NUM_RISE.items(), groups, strict=True)}
    samples = {name: [1.0] * right[name] + [0.0] * (size - right[name]) for name, size in _NUM_RISE.items()}
    return protocol.load("rise").official[0].of(samples)


_GEDIT, _IMGEDIT = partial(_official, "gedit"), partial(_official, "imgedit")
_RULES: Mapping[str, str] = {
    "macro": "overall is the mean of the groups, as the benchmark's official mean has it, up to the groups' rounding",
    "rise": "overall accuracy is that over samples (85, 90, 100 and 85), not over categories",
}


def _results(name: str, title: str, repository: str, commit: str, rule: str, *boards: _Board) -> ResultFormat:
    recompute = partial(_recompute, boards)
    words = "those of the table's authors"
    return ResultFormat(name, title, repository, commit, _README, words, _RULES[rule], recompute)


RESULTS = (
    _results(
        *("gpt_image_edit", "GPT-Image-Edit: overall numbers of three tables"),
        *("github.com/wyhlovecpp/GPT-Image-Edit", "60eb6c8", "macro"),
        _Board("GEdit-Bench-EN, full set", ("Model", "BG Change"), 13, 12, slice(1, 12), _GEDIT, 0.005),
        _Board("Complex-Edit", ("Method", "IF", "IP", "PQ", "Overall"), 5, 4, slice(1, 4), _complex_edit, 0.005),
        _Board("ImgEdit", ("Model", "Add", "Adjust"), 11, 10, slice(1, 10), _IMGEDIT, 0.005),
    ),
    _results(
        *("ovis_u1", "Ovis-U1: overall numbers of two tables"),
        *("github.com/AIDC-AI/Ovis-U1", "dccf5eb", "macro"),
        _Board("ImgEdit", ("Model", "Overall", "Add"), 11, 1, slice(2, 11), _IMGEDIT, 0.005),
        _Board("GEdit-Bench-EN", ("Model", "Avg", "Background Change"), 13, 1, slice(2, 13), _GEDIT, 0.0005),
    ),
    _results(
        *("risebench", "RISEBench: overall accuracy of the leaderboard"),
        *("github.com/PhoenixZ810/RISEBench", "5f22651", "rise"),
        _Board("leaderboard", ("Model", "Temporal (%)"), 6, 5, slice(1, 5), _rise, 0.0),
    ),
)
