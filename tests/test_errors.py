"""The reasons of failures: one list, with families, that everything else follows."""

from __future__ import annotations

import ast
import json
import re
import sqlite3
from pathlib import Path

import pytest

from editeval.errors import FAMILIES, Reason
from editeval.execution.policy import RETRIED

ROOT = Path(__file__).parent.parent
INTERNAL = {"guessed", "not_edited"}
"""Never on record: no judgement was asked for, because there is no edit; a random number that authors took."""


def literal_reasons(path: Path) -> set[str]:
    """Words that a file gives as the reason of a failure, a reply or a score."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        values: list[ast.expr] = []
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reason":
            values = [node.value]
        elif isinstance(node, ast.Call):
            is_failure = ast.unparse(node.func) in ("Failure", "UnparsableReply", "_Unscored")
            values = [word.value for word in node.keywords if word.arg in ("reason", "problem")] + node.args[
                :is_failure
            ]
        found |= {v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str) and v.value}
    return found


def test_every_reason_in_the_code_is_one_of_the_list() -> None:
    found = {word for path in (ROOT / "src/editeval").rglob("*.py") for word in literal_reasons(path)}
    assert {"timeout", "low_mass", "no_reference", "worker_died"} & found, "the search finds something"
    assert found - INTERNAL <= set(Reason)


def test_retry_and_the_workers_follow_the_list() -> None:
    assert FAMILIES["timeout"] == {"timeout", "stalled"} and FAMILIES["unseen"] == {"not_seen", "cannot_judge"}
    assert {word for words in FAMILIES.values() for word in words} == set(Reason)
    assert {"exception", "oom", "timeout", "stalled", "transport", "device_lost", "worker_died"} == RETRIED


def test_a_reason_is_stored_and_written_as_its_word() -> None:
    assert json.dumps(Reason.NOT_SEEN) == '"not_seen"' and f"{Reason.OOM}" == "oom"
    assert sqlite3.connect(":memory:").execute("select ?", (Reason.OOM,)).fetchone() == ("oom",)


@pytest.mark.parametrize("page", ["report.md", "report.zh-CN.md"])
def test_every_reason_and_family_is_documented(page: str) -> None:
    written = set(re.findall(r"`([a-z_]+)`", (ROOT / "docs" / page).read_text(encoding="utf-8")))
    assert {*Reason, *FAMILIES} <= written
