"""What README and docs promise is held by tests: docs/promises.md names them, and no strong sentence is left out."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
NAMES = (
    "configuration",
    "editing",
    "watching",
    "report",
    "bridge",
    "certificate",
    "security",
    "benchmarks",
    "import",
    "reproduced",
    "judges",
    "comparing",
    "noise",
    "sweep",
    "runs",
    "how_it_works",
    "statistics",
    "operating",
    "clusters",
)
PAGES = ("README.md", "configs/README.md", *(f"docs/{name}.md" for name in NAMES))
STRONG = re.compile(r"\b(never|always|nothing|nobody|whatever|every|at most|exactly|at once)\b", re.IGNORECASE)
ROW = re.compile(r'- "(?P<quote>.+?)" - (?P<tests>`[^`]+`(?:, `[^`]+`)*)')
CODE = re.compile(r"```[\s\S]*?```|^    .*$", re.MULTILINE)
BLOCK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*#|]|\d+\.)\s?)")  # paragraphs, list items, rows of tables


class Row(NamedTuple):
    quote: str
    tests: tuple[str, ...]


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).is_file() else ""


def unheld(text: str, quotes: list[str]) -> list[str]:
    """Sentences and cells of tables, outside of code, that are strong beyond what is quoted of them."""
    found = []
    for block in BLOCK.split(CODE.sub("", text)):
        rest = " ".join(block.split())
        for quote in quotes:
            rest = rest.replace(quote, "...")
        found += [s for s in re.split(r"(?<=[.;:!?])\s+|\s\|\s", rest) if STRONG.search(s)]
    return found


@cache
def promises() -> dict[str, list[Row]]:
    """By page: what is quoted from it, and the tests that hold it."""
    found: dict[str, list[Row]] = {}
    page = ""
    for line in text_of("docs/promises.md").splitlines():
        if line.startswith("## "):
            page = line.removeprefix("## ").strip()
            found[page] = []
        elif line.startswith("- "):
            row = ROW.fullmatch(line)
            assert row and page, f"not a promise: {line}"
            found[page].append(Row(row["quote"], tuple(re.findall(r"`([^`]+)`", row["tests"]))))
    return found


def exists(named: str) -> bool:
    """A test (`run/test_plan.py::test_x`), a family of faults (`chaos/kills.py`), a measurement (`bench/start.py`)."""
    path, _, test = named.partition("::")
    path, start = {
        "bench/": (path, r"def main\("),
        "chaos/": (f"tests/{path}", "FAMILY = "),
    }.get("" if test else path[:6], (f"tests/{path}", rf"def {test}\("))
    return (test.startswith("test_") or not test) and re.search(f"^{start}", text_of(path), re.MULTILINE) is not None


def test_every_page_has_its_promises() -> None:
    assert set(promises()) == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_a_promise_is_in_its_page_and_held_by_tests_that_exist(page: str) -> None:
    text = " ".join(text_of(page).split())
    for quote, tests in promises()[page]:
        assert quote in text, f"{page} does not say: {quote}"
        assert len(quote.split()) > 2, f"too short to be a promise: {quote}"
        assert [named for named in tests if not exists(named)] == [], f"is gone; it held: {quote}"


@pytest.mark.parametrize("page", PAGES)
def test_no_strong_sentence_is_without_a_test(page: str) -> None:
    left = unheld(text_of(page), [row.quote for row in promises()[page]])
    assert not left, f"{page} promises without a row in docs/promises.md:\n" + "\n".join(left)


def test_a_strong_sentence_without_a_row_is_found() -> None:
    text = "It\nnever waits. It reads every\nfile.\n\n| a | always b | c |\n\n    nothing: code\n"
    assert unheld(text, ["It reads every file."]) == ["It never waits.", "always b"]
