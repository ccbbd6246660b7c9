"""The words and numbers of the page: two languages, none missing, and nothing rounded to what it is not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pytest

from editeval.certificates.checks import FAILED, NOT_MEASURED, PASSED, WARNED
from editeval.editors import simulated
from editeval.images import FLAGS, FLAGS_OF_FILES
from editeval.reports import i18n
from editeval.reports.data import CHANGED
from editeval.reports.i18n import Message, is_word, vocabulary
from editeval.reports.site import page
from editeval.stats.intervals import NOTES
from editeval.text import duration, moment, share, span
from editeval.types import STATISTICS


@pytest.mark.parametrize("kind", ["words", "messages"])
def test_everything_has_two_languages_and_the_same_gaps_in_both(kind: Literal["words", "messages"]) -> None:
    for key, pair in vocabulary()[kind].items():
        gaps = [set(re.findall(r"\{(\d)[}|]", text)) for text in pair]
        assert len(pair) == 2 and all(pair) and gaps[0] == gaps[1], key


def test_no_message_is_missing_and_none_is_there_for_nothing() -> None:
    reports = Path(i18n.__file__).parent
    files = (*reports.rglob("*.py"), *reports.with_name("run").glob("*.py"))
    code = "".join(path.read_text(encoding="utf-8") for path in files)
    asked = set(re.findall(r'"(\w+)"', code)) | {f"edits_{flag}" for flag in (*FLAGS, *FLAGS_OF_FILES)}
    asked |= {f"status_{name.replace(' ', '_')}" for name in (PASSED, WARNED, FAILED, NOT_MEASURED)}
    assert set(vocabulary()["messages"]) <= asked
    assert set(re.findall(r'Message\("(\w+)"', code)) <= set(vocabulary()["messages"])


def test_a_message_is_english_as_text_and_counts_of_one_are_singular() -> None:
    assert str(Message("edits_failed", (1, 1))) == "1 of 1 edit failed."
    assert str(Message("edits_failed", (1, 2))) == "1 of 2 edits failed."
    assert Message("edits_failed", (1, 2)).chinese == "2 次编辑中 1 次失败。"
    inner = Message("check_unmeasured", ("order", "sc")), Message("more_checks", (2,))
    assert str(Message("certified", (1, 2, 3, inner))).endswith("; order (sc) not measured; and 2 more")
    assert str(Message("judge_warning", ("{0}", "{1|a|b}"))) == "Judge {0}: {1|a|b}.", "a value is no pattern"


def test_the_words_of_the_simulated_editor_are_those_of_the_message() -> None:
    source = Path(simulated.__file__).read_text(encoding="utf-8")
    assert f'"{Message("simulated_model")}"' in source


def test_no_word_is_missing_and_none_is_there_for_nothing() -> None:
    source = Path(page.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in source.glob("*/*.html"))
    asked = re.findall(r'\b(?:t|section)\("[\w.-]+", "(\w+)"[,)]', code) + re.findall(r'\bfact\("(\w+)"', code)
    asked += re.findall(r'\bdata-(?:t|label)="(\w+)"', code)
    assert len(asked) > 100 and not [word for word in asked if word != "theme" and not is_word(word)]
    scripts = (
        *source.glob("*.py"),
        *source.glob("static/*.*s"),
        source.with_name("format.py"),
        source.with_name("badge.py"),
        source.with_name("columns.py"),
    )
    code += "".join(path.read_text(encoding="utf-8") for path in scripts)
    named = {
        *re.findall(r"\w+", code),
        *STATISTICS,
        CHANGED,
        "valid with warnings",
        "not certified",
        "certified",
        "invalid judge",
    }
    built = ("about_", "why_")  # names that are put together in the code
    words = [word.removesuffix(" (subset)") for word in vocabulary()["words"] if not word.startswith(built)]
    assert [word for word in words if word not in named] == []


def test_every_reason_for_having_no_interval_has_its_words() -> None:
    told = {word.removeprefix("why_") for word in vocabulary()["words"] if word.startswith("why_")}
    assert told - {"title", "lead", "lead_edits"} == set(NOTES)


@pytest.mark.parametrize(
    ("value", "told"), [(None, "-"), (0, "0 %"), (1, "100 %"), (0.99999, "99.9 %"), (1e-6, "0.1 %"), (0.125, "12.5 %")]
)
def test_a_share_is_never_rounded_to_all_or_nothing(value: float | None, told: str) -> None:
    assert share(value) == told


def test_numbers_read_as_a_person_says_them() -> None:
    assert [duration(s) for s in (None, 1.234, 94.46, 725.4, 11220)] == [
        "-",
        "1.23 s",
        "94.5 s",
        "12 min 05 s",
        "3 h 07 min",
    ]
    assert (span(None, 1.0), span(1.0, 2.5)) == ("-", "1.00 \u2013 2.50")
    assert (moment(None), moment(0.5 + 86400)) == ("-", "1970-01-02 00:00 UTC")
