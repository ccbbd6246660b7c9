"""No row of the fault table is without a test or a reason, and no test that it names has gone. `-s` prints it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from fault_table import TABLE

TESTS = Path(__file__).parent.parent
SIZES = {"P": 15, "D": 11, "I": 12, "J": 11, "R": 3, "C": 3, "S": 17}


@cache
def defined_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("row", TABLE)
def test_a_row_names_tests_that_exist_or_says_what_is_open(row: str) -> None:
    assert TABLE[row].tests or TABLE[row].open
    for node in TABLE[row].tests:
        path, _, name = node.partition("::")
        assert name in defined_in(TESTS / path), node


def test_no_row_of_the_table_is_missing() -> None:
    assert set(TABLE) == {f"{letter}{n}" for letter, size in SIZES.items() for n in range(1, size + 1)}
    for name, row in TABLE.items():
        rest = f"; open: {row.open}" if row.open else ""
        print(f"{name:4} {row.fault:36} {len(row.tests)} tests{rest}")
