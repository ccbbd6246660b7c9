"""How reports show the numbers that a benchmark's authors would print, and whether they may be called official."""

from __future__ import annotations

from collections.abc import Sequence

from editeval.reports.data import JsonObject, Report
from editeval.text import printable

MAX_OFFICIAL = 3  # different numbers that are all shown


def claim_lines(report: Report) -> list[str]:
    """Whether the official number is official, or what differs: one line for each language; what comes first."""
    return [printable(line) for line in (report.run.get("official_claim") or {}).get("lines") or ()]


def official_lines(report: Report) -> list[tuple[str, str]]:
    """(name, value and rule) of the main number made as the benchmark's authors make it, and of each group's.

    Of a run in several languages there is one for each of them. A few further numbers are shown, many only counted.
    """
    numbers = list(report.run.get("official") or ())
    shown = numbers if len({one["name"] for one in numbers}) <= MAX_OFFICIAL else _main(numbers)
    told = [("", f" ({one['rule']})", one) for one in shown]
    for group in report.groups:
        if group.by != "language":  # each has its number above
            told += [(f" ({printable(group.name)})", "", one) for one in _main(group.official)]
    lines = [(f"{one['name']}{of}{_language(one)}, authors' rule", _value(one, rule)) for of, rule, one in told]
    num = len(numbers) - len(shown)
    return lines + ([("further numbers, authors' rule", f"{num}, in report.json: run.official")] if num else [])


def _main(numbers: Sequence[JsonObject]) -> list[JsonObject]:
    """Those called as the first one: the authors' main number, of each language."""
    return [one for one in numbers if one["name"] == numbers[0]["name"]]


def _language(number: JsonObject) -> str:
    return f" ({number['language']})" if number.get("language") else ""


def _value(number: JsonObject, rule: str) -> str:
    value = "none" if number["value"] is None else f"{number['value']:.6g}"
    return f"{value}{rule}; {number['num_scored']} of {number['num_scores']} scores"
