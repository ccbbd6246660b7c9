"""What every grammar sees of a reply: the answer without the thinking in front of it, decimal digits as 0-9.

Not NFKC: that would make 82 of 8² and 1 of ①. Only decimal digits of other scripts and a few full-width signs become
ASCII. Raises UnparsableReply for replies in which no grammar may look: empty, degenerate, cut off, only thinking.
"""

from __future__ import annotations

import re
import unicodedata

from editeval.errors import Reason
from editeval.judges.parsing.reply import Reply, UnparsableReply

MAX_CHARACTERS = 50_000
EDGES = " \t\r\n\u200b\u2060\ufeff"
_MAX_UNIT, _MIN_REPEATED = 16, 32
"""A reply of at least so many characters that repeats up to so many of them is degenerate."""
_TAG = re.compile(r"[<\[◁](/?)(think|thinking|thought|reasoning|reflection|analysis|scratchpad)[>\]▷]", re.IGNORECASE)
_FULL_WIDTH = str.maketrans("：／（）％＝", ":/()%=")
_FULL_WIDTH_POINT = re.compile(r"(?<=[0-9])．(?=[0-9])")


def normalised(reply: Reply) -> str:
    """The text that grammars read, never empty."""
    text = plain_digits(reply.text).replace("\r\n", "\n").strip(EDGES)
    _refuse_degenerate(text)
    if not reply.is_finished:
        raise UnparsableReply(Reason.TRUNCATED)
    if len(text) > MAX_CHARACTERS:
        raise UnparsableReply(Reason.UNPARSABLE)
    text = without_thinking(text).strip(EDGES)
    _refuse_degenerate(text)
    return text


def plain_digits(text: str) -> str:
    """`text` with every decimal digit as 0-9 and full-width signs as ASCII; superscripts and such stay."""
    if text.isascii():
        return text
    mapped = "".join(str(unicodedata.decimal(c)) if unicodedata.category(c) == "Nd" else c for c in text)
    return _FULL_WIDTH_POINT.sub(".", mapped.translate(_FULL_WIDTH))


def without_thinking(text: str) -> str:
    """What follows the thinking blocks that `text` begins with. A block or a tag elsewhere makes it unparsable."""
    rest, name = 0, ""
    for tag in _TAG.finditer(text):
        is_closing, word = bool(tag[1]), tag[2].lower()
        if name:
            if is_closing and word == name:
                rest, name = tag.end(), ""
        elif is_closing or text[rest : tag.start()].strip(EDGES):
            raise UnparsableReply(Reason.UNPARSABLE)
        else:
            name = word
    if name:  # never closed: all of the rest is thinking
        raise UnparsableReply(Reason.UNPARSABLE)
    return text[rest:]


def _refuse_degenerate(text: str) -> None:
    if not text:
        raise UnparsableReply(Reason.EMPTY)
    units = (text[:length] for length in range(1, _MAX_UNIT + 1) if len(text) >= max(_MIN_REPEATED, 16 * length))
    if any(text == (unit * (len(text) // len(unit) + 1))[: len(text)] for unit in units):
        raise UnparsableReply(Reason.DEGENERATE)
