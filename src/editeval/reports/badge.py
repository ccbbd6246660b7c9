"""What a run's numbers are worth: the badge, its warnings, and the numbers as the benchmark's authors print them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from editeval.reports.data import INVALID, INVALID_JUDGE, NOT_JUDGED, VALID, WARNED, JsonObject, Report, Survey
from editeval.reports.i18n import Message
from editeval.text import fixed, printable

MIN_COVERAGE = 0.9  # below this share of scored samples a run says more about its failures than about the editor
MIN_HEADLINE = 0.98  # below this one the mean could be moved by what has no score: no number to quote


def is_headline(num_scored: int, num_samples: int) -> bool:
    """Whether a mean of so many scores is a number to quote."""
    return num_scored > 0 and num_scored >= MIN_HEADLINE * num_samples


def decide_badge(
    seen: Survey,
    is_judged: bool = True,
    is_control: bool = False,
    about_judges: Sequence[Message] = (),
    is_judge_trusted: bool = True,
) -> tuple[str, tuple[Message, ...]]:
    """(badge, warnings): invalid below MIN_COVERAGE or with nothing scored, else with warnings if there are any.

    `about_judges` are further warnings, such as a certificate that a judge failed. Where the headline's judge failed
    one, `is_judge_trusted` is False and the badge is INVALID_JUDGE at best.

    Without a judge the edits are what counts: their share takes the place of the coverage. A control (`identity`,
    `target`) is meant to give equal scores and unchanged pictures: that is no warning.
    """
    warnings = (*_warnings(seen, is_judged, is_control), *about_judges)
    if is_judged:
        is_enough = seen.num_scored > 0 and seen.coverage >= MIN_COVERAGE
    else:
        is_enough = seen.num_done > 0 and seen.num_done >= MIN_COVERAGE * seen.num_samples
    if not is_enough:
        return INVALID, warnings
    if not is_judge_trusted:
        return INVALID_JUDGE, warnings
    return (WARNED if warnings else VALID), warnings


def _warnings(seen: Survey, is_judged: bool, is_control: bool) -> Iterator[Message]:
    total, done = seen.num_samples, seen.num_done
    if is_judged and seen.num_scored == 0:
        yield Message("nothing_scored", (total,))
    elif is_judged and seen.coverage < MIN_COVERAGE:
        yield Message("too_few_scored", (seen.num_scored, total, f"{MIN_COVERAGE * 100:.0f}"))
    if seen.num_failed:
        yield Message("edits_failed", (seen.num_failed, total))
    if seen.num_pending:
        yield Message("not_edited", (seen.num_pending, total))
    if is_judged:
        yield from _unscored(seen)
    if seen.num_unparsed and seen.parse_rate is not None:
        yield Message("answers_unparsed", (seen.num_unparsed, seen.num_answers, f"{seen.parse_rate * 100:.1f}"))
    if is_control:
        return
    num_alike, num_several = seen.num_alike
    if num_several and num_alike == num_several:
        yield Message("seeds_alike", (num_several,))
    if seen.num_duplicates:
        yield Message("edits_identical", (seen.num_duplicates, done))
    for flag, count in seen.num_flagged.items():
        if flag == "other_size":  # many models answer in a size of their own: counted, and no reason to doubt
            continue
        yield Message(f"edits_{flag}", (count, done))
    if seen.num_scored > 1 and seen.lowest == seen.highest:
        yield Message("all_scores_equal", (fixed(seen.lowest),))


def _unscored(seen: Survey) -> Iterator[Message]:
    """What is still to be judged is not called a failure of the judge."""
    num_unjudged = sum(cause.count for cause in seen.causes if (cause.stage, cause.reason) == ("judge", NOT_JUDGED))
    if seen.num_unscored > num_unjudged:
        yield Message("not_scored", (seen.num_unscored - num_unjudged, seen.num_done))
    if num_unjudged:
        yield Message("not_judged", (num_unjudged, seen.num_done))


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
