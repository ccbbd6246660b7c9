"""The work of reading a reply grows with its length and not faster: no pattern is unbounded, no loop is nested."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from editeval.judges import parsing
from editeval.judges.parsing import answers, prose
from editeval.judges.parsing.reply import MAX_CHARACTERS, Reply

MODULES = [importlib.import_module(f"{parsing.__name__}.{m.name}") for m in pkgutil.iter_modules(parsing.__path__)]
PATTERNS = {f"{m.__name__}.{n}": p for m in MODULES for n, p in vars(m).items() if isinstance(p, re.Pattern)}
PATTERNS |= {f"unspaced {number}": pattern for number, (_, pattern) in enumerate(prose._UNSPACED)}
UNITS = (
    *("Score: ", "score", "Score: 8 ", "rate 8 of 9 ", "1 2 ", "8", "8.", "**", "`", "```\n", "{", '{"a":', "[", "("),
    *(" ", "\n", "\t", "<think>", "</think>", "<think>a</think>", "[think]", "I cannot ", "no image ", "the the "),
    *(
        "images are not ",
        "no images. ",
        "no image, so ",
        "没有",
        "图片",
        "не ",
        "kann a ",
        "e.g. ",
        "if ",
        "a. ",
        "。",
        "７",
        "．",
        "- ",
        "#",
        "Reason: ",
    ),
    *("one two ", "out of ", '"', "“", "'"),
)


def max_width(pattern: re.Pattern[str]) -> int:
    """The most characters that one match can hold, and look at; enormous for an unbounded repeat."""
    parser: Any = importlib.import_module("re._parser")
    tree = parser.parse(pattern.pattern, pattern.flags)
    return max(int(part.getwidth()[1]) for part in [tree, *_parts(tree)])


def _parts(tree: Any) -> Iterator[Any]:
    """All parts of a parsed pattern; `getwidth` of the whole leaves out what is in a look-ahead."""
    for child in tree if isinstance(tree, tuple | list) else getattr(tree, "data", []):
        if hasattr(child, "getwidth"):
            yield child
        if isinstance(child, tuple | list) or hasattr(child, "getwidth"):
            yield from _parts(child)


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_no_pattern_is_unbounded(name: str) -> None:
    """A search for a match of bounded width costs at most a constant at each place: linear, whatever the reply."""
    assert max_width(PATTERNS[name]) < 1000


def test_the_check_knows_an_unbounded_pattern() -> None:
    assert len(PATTERNS) >= 15
    for pattern in (r"score[^\n]*[0-9]", r"score(?=[^\n]*[0-9])", r"(?:8|(?!(?:a|b+)c)9)"):
        assert max_width(re.compile(pattern)) > 1_000_000


def num_steps(answer: str, text: str) -> int:
    """Calls made, of Python's functions and of built-in ones, while `text` is read."""
    steps = 0

    def count(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        answers.read(answer, Reply(text), 0.9)
    finally:
        sys.setprofile(before)
    return steps


@pytest.mark.slow
@pytest.mark.parametrize("tail", ["", "\nScore: 8", '\n{"score": 8}'])
def test_a_reply_of_twice_the_length_takes_at_most_twice_the_steps(tail: str) -> None:
    size = MAX_CHARACTERS // 8  # no shorter way is taken above it: what grows faster shows here
    for unit in UNITS:
        once, twice = (f"So.\n{unit * (length // len(unit))}{tail}" for length in (size, 2 * size))
        for answer in ("number", "pair"):
            assert num_steps(answer, twice) <= 2.1 * num_steps(answer, once) + 200, (unit, answer)
