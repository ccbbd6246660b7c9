"""Sentences of a small closed vocabulary: that no picture was seen, that no judgement is possible, or a form's filling.

A word outside of the vocabulary (an object, a change, how well) means that the sentence is about the edit, and nothing
is found. Of every sentence only its kinds of words are looked at, as a row of codes (see `vocabulary`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from editeval.errors import Reason
from editeval.judges.parsing import vocabulary

_MAX_WORDS, _MAX_CHARACTERS = 24, 200
_CLAUSE_END = re.compile(
    r"[.!?;()\[\]\n。！？；؟،（）]|:(?![ ]?\\?[\"'“«「])|[,，、][ ]?(?=(?:so|hence|thus|therefore|because|since|but|I|"
    r"we|daher|donc|así|поэтому)\b|所以|因此|无法)|"
    r"\b(?:it|there) (?:seems?|appears?|looks like)(?: that| to be)?\b",
    re.IGNORECASE,
)
_OF = re.compile(r"\b(none|neither|either|both|any|one) of\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]{1,40}(?:'[^\W_]{1,20})?")
_GAP = f".{{0,{_MAX_WORDS}}}"
_THING = "[DX]{0,4}[AF]{0,3}[NKYF][NFE]{0,3}"
_ABSENT = re.compile(rf"(?:{_THING}|PD{{0,3}}A{{0,2}}C|D{{0,3}}C[LZ]{{0,3}}I|[GHIJLMOPQSWXZ]){{1,{_MAX_WORDS}}}")
_LACK = re.compile(rf"X[DAF]{{0,4}}[NF]|NX$|M|K|[XZW]{_GAP}[GHI]|[GHI]{_GAP}[XZW]|F{_GAP}S")
_TWO_PICTURES = re.compile(rf"N[^NO]{{1,{_MAX_WORDS}}}N")
_UNDECIDED = re.compile(rf"(?:A{{1,2}}(?=[NTJ])|[CDHJLNOPQTWXZ]){{1,{_MAX_WORDS}}}")
_IMPOSSIBLE = re.compile(rf"W|X[DA]{{0,3}}J|[XZ]{_GAP}Q|Q{_GAP}Z")


def _index(table: Mapping[str, str]) -> dict[str, str]:
    """The code of each word of `table`; of a word that stands twice, the first."""
    found: dict[str, str] = {}
    for code, words in table.items():
        for word in words.split():
            found.setdefault(word, code)
    return found


_SPACED = tuple(_index(table) for table in vocabulary.SPACED)
_UNSPACED = tuple(
    (codes, re.compile("|".join(map(re.escape, sorted(codes, key=len, reverse=True))) + r"|[^\s\"'“”「」]"))
    for codes in (_index(table) for table in vocabulary.UNSPACED)
)
_PLACEHOLDER = frozenset(vocabulary.PLACEHOLDER.split())
_BESIDE = _PLACEHOLDER.union(vocabulary.PLACEHOLDER_BESIDE.split())


def found_in(text: str) -> Reason | None:
    """Why `text` is no judgement, if one of its sentences says that and nothing else."""
    found = {_meaning(clause) for clause in _CLAUSE_END.split(_OF.sub(r"\1", text.replace("’", "'").lower()))}
    return next((r for r in (Reason.NOT_SEEN, Reason.CANNOT_JUDGE, Reason.AMBIGUOUS) if r in found), None)


def _meaning(clause: str) -> Reason | None:
    """What a clause in small letters says."""
    if not 2 <= len(clause) <= _MAX_CHARACTERS:
        return None
    words = _WORD.findall(clause)
    if _PLACEHOLDER.intersection(words) and _BESIDE.issuperset(words):
        return Reason.AMBIGUOUS
    rows = {_row(words, codes) for codes in _SPACED} | {_row(p.findall(clause), codes) for codes, p in _UNSPACED}
    if any(_is_absent(row) for row in rows):
        return Reason.NOT_SEEN
    is_undecided = any("J" in row and _UNDECIDED.fullmatch(row) and _IMPOSSIBLE.search(row) for row in rows)
    return Reason.CANNOT_JUDGE if is_undecided else None


def _row(words: Sequence[str], codes: Mapping[str, str]) -> str:
    """The codes of `words`; `?` for one that is in no class, and nothing at all for too many words."""
    return "".join(_code(word, codes) for word in words) if len(words) <= _MAX_WORDS else ""


def _code(word: str, codes: Mapping[str, str]) -> str:
    head, apostrophe, tail = word.partition("'")
    return codes.get(word) or (codes.get(head + apostrophe, "?") + codes.get(tail, "?") if apostrophe else "?")


def _is_absent(row: str) -> bool:
    kinds = set(row)
    is_about_pictures = "H" in kinds if kinds & {"K", "Y"} else "N" in kinds or kinds >= {"F", "H"}
    return bool(is_about_pictures and _ABSENT.fullmatch(row) and _LACK.search(row) and not _TWO_PICTURES.search(row))
