"""What a run's numbers are worth, in one word, and the warnings that stand beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from editeval.reports.data import INVALID, INVALID_JUDGE, NOT_JUDGED, VALID, WARNED, Survey
from editeval.reports.i18n import Message
from editeval.text import fixed

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
