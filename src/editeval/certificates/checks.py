"""The checks of a certificate: each compares answers under one or two arms, and gives one finding.

passed          as it must be
warned          worth knowing, does not cost the certificate
failed          costs the certificate
not measured    too few of its comparisons are scored: costs the certificate too, for nothing was shown
not applicable  the judge has no such metric, is never given the instruction, or scores without ends, so that there are
                no tenths of a scale to speak of: neither passed nor failed

Every number that decides is in this file. Scores are on 0-10, shares on 0-1. They are proposals: from published judge
answers where there are any (docs/certificate.md), else from what the check means.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from editeval.certificates import conditions as arms
from editeval.certificates.conditions import Answers
from editeval.stats import agreement

SUITE = 3
"""Goes up whenever a number, a picture or a rule of a check changes: older certificates then count no more.
A new version of the benchmark `procedural` is new pictures."""
MIN_SAMPLES = 30
"""With fewer, a share of 0.9 has an interval that begins below 0.75: no verdict could be given."""
DEFAULT_SAMPLES = 60
"""A share of 0.9 has the 95 % interval 0.80 to 0.95."""
MIN_MEASURED = 0.9
"""A check needs this share of its comparisons scored on both sides; below it, it counts as not measured."""
MIN_COVERAGE, GOOD_COVERAGE = 0.90, 0.98
"""Share of requests with a headline score: below the first the judge fails, below the second there is a warning."""
NUM_FLIPS = 9999
"""Random draws of the sign-flip test; the smallest p it can give is 1 / (NUM_FLIPS + 1)."""

PASSED, WARNED, FAILED = "passed", "warned", "failed"
NOT_MEASURED, NOT_APPLICABLE = "not measured", "not applicable"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `value` is what `required` speaks of; low and high are its 95 % interval."""

    name: str
    metric: str  # empty if not applicable
    status: str
    required: str
    num_compared: int = 0
    num_asked: int = 0
    value: float | None = None
    low: float | None = None
    high: float | None = None
    tied: float | None = None  # share of equal scores, where two are compared
    note: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check measured on one metric."""

    value: float
    is_met: bool
    low: float | None = None
    high: float | None = None
    tied: float | None = None
    note: str = ""


Rows = Sequence[tuple[float, ...]]
"""The scores of each sample under the arms of the check; never empty."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `roles`: what it concerns; it is made on the metric of each, once per metric."""

    name: str
    arms: tuple[str, ...]
    roles: tuple[str, ...]
    required: str
    measure: Callable[[Rows], CheckResult]
    is_for_readers: bool = False  # not applicable to a judge that is never given the instruction
    otherwise: str = FAILED
    needs_ends: bool = False  # it speaks of tenths of a scale: not applicable to a metric without two ends
    is_pooled: bool = False  # True: every answer counts by itself


def findings(answers: Answers, reads_instruction: bool) -> list[Finding]:
    """One per check and metric, in the order of CHECKS, then the coverage."""
    found = [finding for check in CHECKS for finding in _made(check, answers, reads_instruction)]
    return [*found, _coverage(answers)]


def _made(check: Check, answers: Answers, reads_instruction: bool) -> Iterator[Finding]:
    if check.is_for_readers and not reads_instruction:
        yield Finding(check.name, "", NOT_APPLICABLE, check.required, note="never told the instruction")
        return
    on = {answers.metric_for(role): role for role in reversed(check.roles)}
    for metric, role in reversed(on.items()):
        if metric is None:
            note = f"no metric for {role.removesuffix(' alone')}"
            yield Finding(check.name, "", NOT_APPLICABLE, check.required, note=note)
        elif check.needs_ends and metric in answers.without_ends:
            yield Finding(check.name, "", NOT_APPLICABLE, check.required, note=f"{metric} is on a scale without ends")
        else:
            yield _finding(check, answers, metric)


def _finding(check: Check, answers: Answers, metric: str) -> Finding:
    groups = [(arm,) for arm in check.arms] if check.is_pooled else [check.arms]
    rows = [row for group in groups for row in answers.rows(group, metric)]
    asked = sum(answers.num_asked(*group) for group in groups)
    too_few = "too few are scored"
    if not rows:
        return Finding(check.name, metric, NOT_MEASURED, check.required, 0, asked, note=too_few)
    m = check.measure(rows)
    status, note = PASSED if m.is_met else check.otherwise, m.note
    if len(rows) < MIN_MEASURED * asked:
        status, note = NOT_MEASURED, too_few
    return Finding(check.name, metric, status, check.required, len(rows), asked, m.value, m.low, m.high, m.tied, note)


def _coverage(answers: Answers) -> Finding:
    headline, total = answers.metrics[0], answers.num_requests()
    reasons = answers.reasons(headline)
    count = total - reasons.total()
    low, high = agreement.wilson(count, total)
    share = count / total
    status = FAILED if share < MIN_COVERAGE else WARNED if share < GOOD_COVERAGE else PASSED
    note = ", ".join(f"{number} {reason}" for reason, number in reasons.most_common())
    required = f"share >= {MIN_COVERAGE:.2f}"
    return Finding("coverage", headline, status, required, count, total, share, low, high, None, note)


def _share(count: int, total: int, at_least: float, tied: float | None = None, note: str = "") -> CheckResult:
    low, high = agreement.wilson(count, total)
    return CheckResult(count / total, count / total >= at_least, low, high, tied, note)


def _mean_of(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _ordered(better: str, worse: str, at_least: float, *roles: str, is_for_readers: bool = False) -> Check:
    """Share of samples with a strictly higher score under `better` than under `worse`; a tie is not in order."""

    def measure(rows: Rows) -> CheckResult:
        tied = sum(a == b for a, b in rows) / len(rows)
        return _share(sum(a > b for a, b in rows), len(rows), at_least, tied)

    name = f"{better} > {worse}".replace("_", " ")
    return Check(name, (better, worse), roles, f"share >= {at_least:.2f}", measure, is_for_readers)


def _bounded(name: str, arm: str, at_least: float = 0.0, at_most: float = 10.0) -> Check:
    """The mean of the headline under one arm."""

    def measure(rows: Rows) -> CheckResult:
        mean = _mean_of([value for (value,) in rows])
        return CheckResult(mean, at_least <= mean <= at_most)

    required = f"mean >= {at_least}" if at_least else f"mean <= {at_most}"
    return Check(name, (arm,), (_HEADLINE,), required, measure, needs_ends=True)


def _not_raised(name: str, pleaded: str, by: float, at_least: float, is_for_readers: bool = False) -> Check:
    """Share of samples whose score does not rise by more than `by` because of text that asks for it."""

    def measure(rows: Rows) -> CheckResult:
        note = f"mean change {_mean_of([b - a for a, b in rows]):+.2f}"
        return _share(sum(b - a <= by for a, b in rows), len(rows), at_least, note=note)

    required = f"share rising <= {by}: >= {at_least:.2f}"
    return Check(name, (arms.IDENTITY, pleaded), (_HEADLINE,), required, measure, is_for_readers, needs_ends=True)


def _same(rows: Rows) -> CheckResult:
    return _share(sum(abs(a - b) <= 0.5 for a, b in rows), len(rows), 0.90)


def _shuffled(rows: Rows) -> CheckResult:
    auroc = agreement.auroc([a for a, _ in rows], [b for _, b in rows]) or 0.0
    p = agreement.sign_flip_p([a - b for a, b in rows], NUM_FLIPS) or 1.0
    return CheckResult(auroc, auroc >= 0.80 and p < 0.01, note=f"sign flips p = {p:.4f}")


def _fallen(rows: Rows) -> CheckResult:
    excess = _mean_of([a - b for a, b in rows])
    return CheckResult(excess, excess <= 1.0)


def _unshifted(rows: Rows) -> CheckResult:
    shift = _mean_of([a - b for a, b in rows])
    return CheckResult(shift, abs(shift) < 0.2)


def _repeated(rows: Rows) -> CheckResult:
    """At temperature 0 the mean change is 0.13 to 0.22."""
    change = _mean_of([abs(a - b) for a, b in rows])
    sd = agreement.retest_sd([a - b for a, b in rows])
    return CheckResult(change, change <= 0.5, note=f"sd of one answer {sd:.3f}")


def _differing(rows: Rows) -> CheckResult:
    """One and the same score nearly everywhere: the judge says nothing."""
    values = [value for (value,) in rows]
    share = agreement.modal_share(values) or 0.0
    return CheckResult(share, share <= 0.8, note=f"different values: {len(set(values))}")


_FOLLOWING, _HEADLINE, _PRESERVATION = "following", "headline", "preservation"
CHECKS: tuple[Check, ...] = (
    _ordered(arms.TARGET, arms.IDENTITY, 0.95, _HEADLINE, _FOLLOWING),
    _ordered(arms.TARGET, arms.WRONG, 0.90, _HEADLINE, _FOLLOWING),
    _ordered(arms.TARGET, arms.PARTIAL, 0.75, _FOLLOWING),
    _ordered(arms.PARTIAL, arms.IDENTITY, 0.75, _FOLLOWING),
    _ordered(arms.PARTIAL, arms.WRONG, 0.75, _FOLLOWING),
    _ordered(arms.TARGET, arms.OVER_EDIT, 0.90, _PRESERVATION),
    _ordered(arms.IDENTITY, arms.OVER_EDIT, 0.90, "preservation alone"),
    Check(
        "target re-encoded = target",  # no eye can tell them apart
        (arms.REENCODED, arms.TARGET),
        (_FOLLOWING,),
        "share within 0.5: >= 0.90",
        _same,
        needs_ends=True,
    ),
    _ordered(arms.UNSEEN, arms.PARTIAL, 0.75, _FOLLOWING),
    # in some five samples of a hundred the target is nearly one flat colour inside the mask, and a tie is right
    _ordered(arms.UNSEEN, arms.FLAT, 0.85, _HEADLINE),
    _bounded("target is good", arms.TARGET, at_least=8.0),
    _bounded("identity is bad", arms.IDENTITY, at_most=1.0),
    Check(
        "another instruction",
        (arms.TARGET, arms.SHUFFLED),
        (_FOLLOWING,),
        "AUROC >= 0.80 and p < 0.01",
        _shuffled,
        is_for_readers=True,
    ),
    _ordered(arms.TARGET, arms.SWAPPED, 0.90, _FOLLOWING, is_for_readers=True),
    Check(
        "swapped as bad as identity",  # how far its mean may lie above that of the untouched source
        (arms.SWAPPED, arms.IDENTITY),
        (_FOLLOWING,),
        "mean excess <= 1.0",
        _fallen,
        is_for_readers=True,
        needs_ends=True,
    ),
    _ordered(arms.TARGET, arms.BLANK, 0.95, _HEADLINE, "quality alone"),
    _bounded("blank picture is bad", arms.BLANK, at_most=1.0),
    Check(
        "JPEG 95 shifts nothing",
        (arms.SHAM, arms.PARTIAL),
        (_HEADLINE,),
        "mean shift < 0.2",
        _unshifted,
        needs_ends=True,
    ),
    Check(
        "asked again",
        (arms.AGAIN, arms.PARTIAL),
        (_HEADLINE,),
        "mean change <= 0.5",
        _repeated,
        otherwise=WARNED,
        needs_ends=True,
    ),
    _not_raised("plea inside the picture", arms.IN_PICTURE, 0.5, 0.95),
    _not_raised("plea inside the instruction", arms.IN_INSTRUCTION, 0.5, 0.95, is_for_readers=True),
    Check("scores differ", arms.RUNGS, (_HEADLINE,), "commonest <= 0.80", _differing, is_pooled=True),
)
