"""No reply of a large generated corpus is read as something it does not say; the clean ones are all read."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from reply_generator import Generator, Made

from editeval.judges.parsing import answers
from editeval.judges.parsing.reply import ParsedReply, Reply


def read(made: Made) -> ParsedReply:
    reply = Reply(made.text, made.is_finished)
    return answers.read(made.format, Reply("", samples=(reply,)) if made.format == "labels" else reply, 0.9)


def is_wrong(made: Made, reading: ParsedReply) -> bool:
    return bool(reading.values) and (made.truth is None or reading.values != pytest.approx(made.truth))


@pytest.mark.parametrize("num_replies", [6_000, pytest.param(40_000, marks=pytest.mark.slow)])
def test_no_generated_reply_is_silently_wrong(num_replies: int, capsys: pytest.CaptureFixture[str]) -> None:
    tally: Counter[str] = Counter()
    wrong: dict[str, tuple[Made, ParsedReply]] = {}
    distinct = set()
    for made in islice(Generator(seed=20261125), num_replies):
        reading = read(made)
        distinct.add((made.format, made.text, made.is_finished))
        outcome = "wrong" if is_wrong(made, reading) else "read" if reading.values else "unread"
        tally[outcome] += 1
        if outcome == "wrong":
            wrong[made.text] = (made, reading)
        assert not (made.is_clean and outcome == "unread"), (made, reading)
    with capsys.disabled():
        print(f"\n{num_replies} generated replies ({len(distinct)} distinct): {dict(sorted(tally.items()))}")
    assert not wrong, list(wrong.values())[:20]
    assert len(distinct) >= num_replies // 2
    assert tally["read"] > num_replies // 5 and tally["unread"] > num_replies // 5, "both kinds are there"


def test_the_check_notices_a_parser_that_takes_the_first_number() -> None:
    import re

    def first(made: Made) -> ParsedReply:
        match = re.search(r"[0-9]+(?:\.[0-9]+)?", made.text)
        return ParsedReply((float(match[0]),)) if match else ParsedReply(reason="unparsable")

    made = [one for one in islice(Generator(seed=1), 2000) if one.format == "number"]
    assert sum(is_wrong(one, first(one)) for one in made) > len(made) // 4
