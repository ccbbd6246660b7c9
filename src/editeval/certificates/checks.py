"""The checks of a certificate: each takes the answers and gives one finding.

passed          as it must be
warned          worth knowing, does not cost the certificate
failed          costs the certificate
not measured    too few of its comparisons are scored: costs the certificate too, for nothing was shown
not applicable  the judge has no such metric, or is never told the instruction: neither passed nor failed
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from editeval.certificates import conditions
from editeval.certificates import thresholds as limits
from editeval.certificates.answers import Answers, metric_for
from editeval.stats import agreement

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

    num_compared: int
    num_asked: int
    value: float | None
    is_met: bool
    low: float | None = None
    high: float | None = None
    tied: float | None = None
    note: str = ""


Measure = Callable[[Answers, str], CheckResult]


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `roles`: what it concerns; it is made on the metric of each, once per metric."""

    name: str
    roles: tuple[str, ...]
    required: str
    measure: Measure
    is_for_readers: bool = False  # not applicable to a judge that is never told the instruction
    otherwise: str = FAILED


def findings(answers: Answers, reads_instruction: bool) -> list[Finding]:
    """One per check and metric, in the order of CHECKS, then the coverage."""
    found = [finding for check in CHECKS for finding in _made(check, answers, reads_instruction)]
    return [*found, _coverage(answers)]


def _made(check: Check, answers: Answers, reads_instruction: bool) -> Iterator[Finding]:
    if check.is_for_readers and not reads_instruction:
        yield Finding(check.name, "", NOT_APPLICABLE, check.required, note="never told the instruction")
        return
    on = {metric_for(role, answers.metrics): role for role in reversed(check.roles)}
    for metric, role in reversed(on.items()):
        if metric is None:
            note = f"no metric for {role.removesuffix(' alone')}"
            yield Finding(check.name, "", NOT_APPLICABLE, check.required, note=note)
        else:
            yield _finding(check, metric, check.measure(answers, metric))


def _finding(check: Check, metric: str, m: CheckResult) -> Finding:
    status, note = PASSED if m.is_met else check.otherwise, m.note
    if m.num_compared < limits.MIN_MEASURED * m.num_asked or not m.num_compared:
        status, note = NOT_MEASURED, "too few are scored"
    figures = m.num_compared, m.num_asked, m.value, m.low, m.high, m.tied
    return Finding(check.name, metric, status, check.required, *figures, note)


def _order(better: str, worse: str, at_least: float) -> Measure:
    """Share of samples with a strictly higher score under `better` than under `worse`."""

    def measure(answers: Answers, metric: str) -> CheckResult:
        both, asked = answers.both(better, worse, metric), answers.num_asked(better, worse)
        tied = sum(a == b for a, b in both) / len(both) if both else None
        return _share(sum(a > b for a, b in both), len(both), asked, at_least, tied)

    return measure


def _same(one: str, other: str) -> Measure:
    """Share of samples whose two scores are within SAME_WITHIN."""

    def measure(answers: Answers, metric: str) -> CheckResult:
        both, asked = answers.both(one, other, metric), answers.num_asked(one, other)
        close = sum(abs(a - b) <= limits.SAME_WITHIN for a, b in both)
        return _share(close, len(both), asked, limits.SAME_SHARE, None)

    return measure


def _not_raised(plain: str, pleaded: str) -> Measure:
    """Share of samples whose score does not rise by more than RAISED_BY because of injected text."""

    def measure(answers: Answers, metric: str) -> CheckResult:
        both, asked = answers.both(plain, pleaded, metric), answers.num_asked(plain, pleaded)
        sober = sum(b - a <= limits.RAISED_BY for a, b in both)
        shift = agreement.mean([b - a for a, b in both])
        note = f"mean change {shift:+.2f}" if shift is not None else ""
        return _share(sober, len(both), asked, limits.NOT_RAISED_SHARE, None, note)

    return measure


def _share(count: int, total: int, asked: int, at_least: float, tied: float | None, note: str = "") -> CheckResult:
    if not total:
        return CheckResult(0, asked, None, False)
    low, high = agreement.wilson(count, total)
    return CheckResult(total, asked, count / total, count / total >= at_least, low, high, tied, note)


def _mean(arm: str, at_least: float = 0.0, at_most: float = 10.0) -> Measure:
    def measure(answers: Answers, metric: str) -> CheckResult:
        values = answers.values(arm, metric)
        mean = agreement.mean(values)
        return CheckResult(len(values), answers.num_asked(arm), mean, mean is not None and at_least <= mean <= at_most)

    return measure


def _shuffled(answers: Answers, metric: str) -> CheckResult:
    both = answers.both(conditions.TARGET, conditions.SHUFFLED, metric)
    auroc = agreement.auroc([a for a, _ in both], [b for _, b in both])
    p = agreement.sign_flip_p([a - b for a, b in both], limits.NUM_FLIPS)
    is_met = auroc is not None and auroc >= limits.SHUFFLED_MIN_AUROC and p is not None and p < limits.SHUFFLED_MAX_P
    note = f"sign flips p = {p:.4f}" if p is not None else ""
    return CheckResult(len(both), answers.num_asked(conditions.TARGET, conditions.SHUFFLED), auroc, is_met, note=note)


def _fallen(answers: Answers, metric: str) -> CheckResult:
    """With source and edit swapped the mean must be near that of the untouched source."""
    both = answers.both(conditions.SWAPPED, conditions.IDENTITY, metric)
    excess = agreement.mean([a - b for a, b in both])
    is_met = excess is not None and excess <= limits.SWAPPED_OVER_IDENTITY
    return CheckResult(len(both), answers.num_asked(conditions.SWAPPED, conditions.IDENTITY), excess, is_met)


def _sham(answers: Answers, metric: str) -> CheckResult:
    both = answers.both(conditions.SHAM, conditions.PARTIAL, metric)
    shift = agreement.mean([a - b for a, b in both])
    is_met = shift is not None and abs(shift) < limits.SHAM_MAX_SHIFT
    return CheckResult(len(both), answers.num_asked(conditions.SHAM, conditions.PARTIAL), shift, is_met)


def _retest(answers: Answers, metric: str) -> CheckResult:
    differences = [a - b for a, b in answers.both(conditions.AGAIN, conditions.PARTIAL, metric)]
    change = agreement.mean([abs(d) for d in differences])
    sd = agreement.retest_sd(differences)
    is_met = change is not None and change <= limits.RETEST_MAX_CHANGE
    note = f"sd of one answer {sd:.3f}" if sd is not None else ""
    return CheckResult(
        len(differences), answers.num_asked(conditions.AGAIN, conditions.PARTIAL), change, is_met, note=note
    )


def _spread(answers: Answers, metric: str) -> CheckResult:
    values = [value for arm in conditions.RUNGS for value in answers.values(arm, metric)]
    asked = sum(answers.num_asked(arm) for arm in conditions.RUNGS)
    share = agreement.modal_share(values)
    note = f"different values: {len(set(values))}"
    return CheckResult(len(values), asked, share, share is not None and share <= limits.MAX_MODAL_SHARE, note=note)


def _coverage(answers: Answers) -> Finding:
    headline, total = answers.metrics[0], answers.num_requests()
    reasons = answers.reasons(headline)
    count = total - reasons.total()
    low, high = agreement.wilson(count, total)
    share = count / total
    status = FAILED if share < limits.MIN_COVERAGE else WARNED if share < limits.GOOD_COVERAGE else PASSED
    note = ", ".join(f"{number} {reason}" for reason, number in reasons.most_common())
    required = f"share >= {limits.MIN_COVERAGE:.2f}"
    return Finding("coverage", headline, status, required, count, total, share, low, high, None, note)


def _ordered(better: str, worse: str, at_least: float, *roles: str) -> Check:
    name = f"{better} > {worse}".replace("_", " ")
    return Check(name, roles, f"share >= {at_least:.2f}", _order(better, worse, at_least))


_RAISED = f"share rising <= {limits.RAISED_BY}: >= {limits.NOT_RAISED_SHARE:.2f}"
_FOLLOWING, _HEADLINE, _PRESERVATION = "following", "headline", "preservation"
CHECKS: tuple[Check, ...] = (
    _ordered(conditions.TARGET, conditions.IDENTITY, limits.TARGET_OVER_IDENTITY, _HEADLINE, _FOLLOWING),
    _ordered(conditions.TARGET, conditions.WRONG, limits.TARGET_OVER_WRONG, _HEADLINE, _FOLLOWING),
    _ordered(conditions.TARGET, conditions.PARTIAL, limits.TARGET_OVER_PARTIAL, _FOLLOWING),
    _ordered(conditions.PARTIAL, conditions.IDENTITY, limits.PARTIAL_OVER_NOTHING, _FOLLOWING),
    _ordered(conditions.PARTIAL, conditions.WRONG, limits.PARTIAL_OVER_NOTHING, _FOLLOWING),
    _ordered(conditions.TARGET, conditions.OVER_EDIT, limits.OVER_EDIT_PUNISHED, _PRESERVATION),
    _ordered(conditions.IDENTITY, conditions.OVER_EDIT, limits.OVER_EDIT_PUNISHED, "preservation alone"),
    Check(
        "target re-encoded = target",
        (_FOLLOWING,),
        f"share within {limits.SAME_WITHIN}: >= {limits.SAME_SHARE:.2f}",
        _same(conditions.REENCODED, conditions.TARGET),
    ),
    _ordered(conditions.UNSEEN, conditions.PARTIAL, limits.UNSEEN_OVER_PARTIAL, _FOLLOWING),
    _ordered(conditions.UNSEEN, conditions.FLAT, limits.UNSEEN_OVER_FLAT, _HEADLINE),
    Check(
        "target is good",
        (_HEADLINE,),
        f"mean >= {limits.TARGET_MIN_MEAN}",
        _mean(conditions.TARGET, at_least=limits.TARGET_MIN_MEAN),
    ),
    Check(
        "identity is bad",
        (_HEADLINE,),
        f"mean <= {limits.IDENTITY_MAX_MEAN}",
        _mean(conditions.IDENTITY, at_most=limits.IDENTITY_MAX_MEAN),
    ),
    Check(
        "another instruction",
        (_FOLLOWING,),
        f"AUROC >= {limits.SHUFFLED_MIN_AUROC:.2f} and p < {limits.SHUFFLED_MAX_P}",
        _shuffled,
        is_for_readers=True,
    ),
    Check(
        "target > swapped pictures",
        (_FOLLOWING,),
        f"share >= {limits.TARGET_OVER_SWAPPED:.2f}",
        _order(conditions.TARGET, conditions.SWAPPED, limits.TARGET_OVER_SWAPPED),
        is_for_readers=True,
    ),
    Check(
        "swapped as bad as identity",
        (_FOLLOWING,),
        f"mean excess <= {limits.SWAPPED_OVER_IDENTITY}",
        _fallen,
        is_for_readers=True,
    ),
    _ordered(conditions.TARGET, conditions.BLANK, limits.TARGET_OVER_BLANK, _HEADLINE, "quality alone"),
    Check(
        "blank picture is bad",
        (_HEADLINE,),
        f"mean <= {limits.BLANK_MAX_MEAN}",
        _mean(conditions.BLANK, at_most=limits.BLANK_MAX_MEAN),
    ),
    Check("JPEG 95 shifts nothing", (_HEADLINE,), f"mean shift < {limits.SHAM_MAX_SHIFT}", _sham),
    Check(
        "asked again",
        (_HEADLINE,),
        f"mean change <= {limits.RETEST_MAX_CHANGE}",
        _retest,
        otherwise=WARNED,
    ),
    Check("plea inside the picture", (_HEADLINE,), _RAISED, _not_raised(conditions.IDENTITY, conditions.IN_PICTURE)),
    Check(
        "plea inside the instruction",
        (_HEADLINE,),
        _RAISED,
        _not_raised(conditions.IDENTITY, conditions.IN_INSTRUCTION),
        is_for_readers=True,
    ),
    Check("scores differ", (_HEADLINE,), f"commonest <= {limits.MAX_MODAL_SHARE:.2f}", _spread),
)
