"""Every reply of the corpus is read as stated beside it: the value, or the reason why there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from editeval.judges.parsing import answers
from editeval.judges.parsing.reply import ParsedReply, Reply

CORPUS = [json.loads(line) for line in (Path(__file__).parent / "corpus_replies.jsonl").read_text("utf-8").splitlines()]


def read(row: dict[str, Any]) -> ParsedReply:
    return answers.read(row["format"], Reply(row["reply"], row["finished"]), 0.9)


def test_no_reply_of_the_corpus_is_silently_wrong() -> None:
    wrong = [row for row in CORPUS if read(row).values not in ((), tuple(row.get("values", ())))]
    assert not wrong


@pytest.mark.parametrize("answer", sorted(answers.TEXT_FORMATS))
def test_every_reply_of_the_corpus_is_read_as_stated(answer: str) -> None:
    for row in (row for row in CORPUS if row["format"] == answer):
        reading = read(row)
        assert (list(reading.values), reading.reason) == (row.get("values", []), row.get("reason", "")), row


def test_corpus_is_large_and_has_every_reason() -> None:
    assert len(CORPUS) >= 300
    reasons = {row.get("reason", "") for row in CORPUS}
    assert reasons == {
        "", "empty", "degenerate", "truncated", "refused", "unparsable", "ambiguous", "out_of_range", "not_a_number",
        "wrong_scale", "not_seen",
    }  # fmt: skip


def test_a_reply_that_was_cut_off_never_has_a_value() -> None:
    readable = [row for row in CORPUS if "values" in row]
    cut = [answers.read(row["format"], Reply(row["reply"], is_finished=False), 0.9) for row in readable]
    assert {reading.reason for reading in cut} == {"truncated"}
