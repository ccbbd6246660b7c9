"""Ids and texts of file-based benchmarks: what is accepted, and when two ids are the same."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from editeval.errors import BenchmarkError

_MAX_LISTED = 100


def refuse_duplicates(where: str, ids: Sequence[str], places: Sequence[str], remedy: str) -> None:
    """Raises BenchmarkError naming every id that occurs twice, with its places.

    Ids that differ only in case or in Unicode normalisation count as the same: files and people confuse them.
    """
    if len({_folded(i) for i in ids}) == len(ids):
        return
    groups: dict[str, list[int]] = defaultdict(list)
    for position, sample_id in enumerate(ids):
        groups[_folded(sample_id)].append(position)
    repeated = [positions for positions in groups.values() if len(positions) > 1]
    listed = "; ".join(
        f"{' / '.join(dict.fromkeys(repr(ids[p]) for p in positions))} ({', '.join(places[p] for p in positions)})"
        for positions in repeated[:_MAX_LISTED]
    )
    more = f"; and {len(repeated) - _MAX_LISTED} more" if len(repeated) > _MAX_LISTED else ""
    raise BenchmarkError(f"{where}: ids must be unique, got duplicates: {listed}{more}; {remedy}")


def required_text(where: str, field: str, value: Any) -> str:
    """`value` as a text that is not blank. Raises BenchmarkError."""
    text = optional_text(where, field, value)
    if not text or text.isspace():
        raise BenchmarkError(f"{where}: {field} is {'missing' if value is None else 'empty'}; fill it in")
    return text


def optional_text(where: str, field: str, value: Any) -> str:
    """`value` as a text, empty if it is absent. Whole numbers are taken as written. Raises BenchmarkError."""
    if value is None:
        return ""
    if isinstance(value, str) and value.isascii():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise BenchmarkError(f"{where}: {field} must be a text, got {type(value).__name__}; put it in quotes")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        half = ascii(value[error.start])
        raise BenchmarkError(f"{where}: {field} has half of a surrogate pair, got {half}; fix the text") from error
    return value


def _folded(sample_id: str) -> str:
    if sample_id.isascii():
        return sample_id.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", sample_id).casefold())
