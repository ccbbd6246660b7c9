"""From answers to a certificate: a plain mapping of JSON values, which is what is kept, shown and looked up.

schema_version, suite, key, verdict ("certified" | "not certified"), num_samples, categories
judge        type, requested_type, params, metrics, prompts
checks[]     name, metric, status, required, value, low, high, num_compared, num_asked, tied, note
rungs[]      arm, num_asked, metrics: {metric: {mean, num_scored}}
figures      auroc_target_identity, auroc_shuffled, tied, retest_sd, retest_change, coverage
unscored     {reason: number of requests} for the headline
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from editeval.certificates import arms, measures
from editeval.certificates.answers import Answers, metric_for
from editeval.certificates.checks import FAILED, NOT_MEASURED, PASSED, Finding, findings
from editeval.certificates.thresholds import SUITE

SCHEMA_VERSION = 1
CERTIFIED, NOT_CERTIFIED = "certified", "not certified"
_FIRST = "target > identity"
_LADDER = (
    (arms.TARGET, arms.PARTIAL),
    (arms.TARGET, arms.OVER_EDIT),
    (arms.TARGET, arms.WRONG),
    (arms.TARGET, arms.IDENTITY),
    (arms.PARTIAL, arms.WRONG),
    (arms.PARTIAL, arms.IDENTITY),
)


def assemble(key: str, answers: Answers, reads_instruction: bool, about: Mapping[str, Any]) -> dict[str, Any]:
    """The certificate of the judging `key`; `about` is what the caller adds: judge, samples, time, versions."""
    found = findings(answers, reads_instruction)
    return {
        "schema_version": SCHEMA_VERSION,
        "suite": SUITE,
        "key": key,
        "verdict": verdict(found),
        **about,
        "checks": [asdict(finding) for finding in found],
        "rungs": [_rung(answers, arm) for arm in arms.ARMS if arm in answers.arms],
        "figures": _figures(answers),
        "unscored": dict(answers.reasons(answers.metrics[0]).most_common()),
    }


def verdict(found: Sequence[Finding]) -> str:
    """Certified if nothing failed, nothing is left unmeasured, and the judge tells the target from the source."""
    is_spoilt = any(finding.status in (FAILED, NOT_MEASURED) for finding in found)
    tells = any(finding.name == _FIRST and finding.status == PASSED for finding in found)
    return CERTIFIED if tells and not is_spoilt else NOT_CERTIFIED


def _rung(answers: Answers, arm: str) -> dict[str, Any]:
    by_metric = {metric: answers.values(arm, metric) for metric in answers.metrics}
    return {
        "arm": arm,
        "num_asked": answers.num_asked(arm),
        "metrics": {m: {"mean": measures.mean(v), "num_scored": len(v)} for m, v in by_metric.items()},
    }


def _figures(answers: Answers) -> dict[str, float | None]:
    headline = answers.metrics[0]
    following = metric_for("following", answers.metrics) or headline
    again = [a - b for a, b in answers.both(arms.AGAIN, arms.PARTIAL, headline)]
    ladder = [a == b for better, worse in _LADDER for a, b in answers.both(better, worse, headline)]
    total = answers.num_requests()
    return {
        "auroc_target_identity": _auroc(answers, headline, arms.IDENTITY),
        "auroc_shuffled": _auroc(answers, following, arms.SHUFFLED),
        "tied": measures.mean([float(tie) for tie in ladder]),
        "retest_sd": measures.retest_sd(again),
        "retest_change": measures.mean([abs(d) for d in again]),
        "coverage": 1 - answers.reasons(headline).total() / total if total else None,
    }


def _auroc(answers: Answers, metric: str, other: str) -> float | None:
    return measures.auroc(answers.values(arms.TARGET, metric), answers.values(other, metric))
