"""What README and docs promise is held by tests: docs/promises.md names one for each, and no strong sentence is left out."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", *(f"docs/{name}.md" for name in "configuration editing watching report certificate security".split()))
STRONG = re.compile(r"\b(never|always|nothing|nobody|whatever|every|at most|exactly|at once)\b", re.IGNORECASE)
ROW = re.compile(r'- "(?P<quote>.+?)" - (?P<tests>.+)')


def sentences(page: str) -> list[str]:
    """Every sentence outside of code blocks, each on one line."""
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    blocks = re.split(r"\n\s*\n|\n(?=(?:[-*#|]|\d+\.)\s?)", text)
    return [s for block in blocks for s in re.split(r"(?<=[.;:!?])\s+", " ".join(block.split())) if s]


@cache
def promises() -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """By page: what is quoted from it, and the tests that hold it."""
    found: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    page = ""
    for line in (ROOT / "docs" / "promises.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            page = line.removeprefix("## ").strip()
            found[page] = []
        elif line.startswith("- "):
            row = ROW.fullmatch(line)
            assert row and page, f"not a promise: {line}"
            found[page].append((row["quote"], tuple(re.findall(r"`([^`]+)`", row["tests"]))))
    return found


@cache
def defined_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_page_has_its_promises() -> None:
    assert set(promises()) == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_a_promise_is_in_its_page_and_held_by_tests_that_exist(page: str) -> None:
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    for quote, tests in promises()[page]:
        assert quote in text, f"{page} does not say: {quote}"
        assert tests, f"no test holds: {quote}"
        for node in tests:
            path, _, name = node.partition("::")
            assert name.startswith("test_") or path.startswith("chaos/"), node
            assert name in defined_in(path), f"{node} is gone; it held: {quote}"


@pytest.mark.parametrize("page", PAGES)
def test_no_strong_sentence_is_without_a_test(page: str) -> None:
    quotes = [quote for quote, _ in promises()[page]]
    left = [s for s in sentences(page) if STRONG.search(s) and not any(q in s or s in q for q in quotes)]
    assert not left, f"{page} promises without a row in docs/promises.md:\n" + "\n".join(left)
