"""Grammar of a label that was written: the digit 0-9 and nothing else, bold and code marks and one full stop ignored.

It reads samples of a judge that gives no probabilities. Digits 0-9 stand for 0-10 in equal steps, as in the expected
value: 9 is 10.
"""

from __future__ import annotations

import re

from editeval.judges.replies.cleaning import Unreadable
from editeval.judges.replies.reading import LABELS

_MARKS = re.compile(r"\*\*|`")
_LABEL = re.compile(r"(?P<label>[0-9])[ \t]*[.。]?")
_NUMBER = re.compile(r"[-+−]?[0-9]+[.。]?")


def read(text: str) -> tuple[float, ...]:
    """The label in `text`, scaled to 0-10. Raises Unreadable."""
    plain = _MARKS.sub("", text).strip()
    match = _LABEL.fullmatch(plain)
    if match is None:
        raise Unreadable("out_of_range" if _NUMBER.fullmatch(plain) else "unparsable")
    return (10.0 * int(match["label"]) / (len(LABELS) - 1),)
