"""From answers to a certificate: a plain mapping of JSON values, which is what is kept, shown and looked up.

schema_version, suite, key, verdict ("certified" | "not certified"), num_samples, categories
judge        type, requested_type, params, metrics, prompts
checks[]     name, metric, status, required, value, low, high, num_compared, num_asked, tied, note
rungs[]      arm, num_asked, metrics: {metric: {mean, num_scored}}
figures      auroc_target_identity, auroc_shuffled, tied, retest_sd, retest_change, coverage
unscored     {reason: number of requests} for the headline
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from editeval.certificates import conditions
from editeval.certificates.checks import FAILED, NOT_MEASURED, PASSED, SUITE, Finding, findings
from editeval.certificates.conditions import Answers
from editeval.errors import MachineError
from editeval.files import Folder, from_json, write_atomic
from editeval.stats import agreement
from editeval.store.seal import is_sealed, seal_of

SCHEMA_VERSION = 1
CERTIFIED, NOT_CERTIFIED = "certified", "not certified"
_FIRST = "target > identity"
_LADDER = (
    (conditions.TARGET, conditions.PARTIAL),
    (conditions.TARGET, conditions.OVER_EDIT),
    (conditions.TARGET, conditions.WRONG),
    (conditions.TARGET, conditions.IDENTITY),
    (conditions.PARTIAL, conditions.WRONG),
    (conditions.PARTIAL, conditions.IDENTITY),
)


def assemble(key: str, answers: Answers, reads_instruction: bool, about: Mapping[str, object]) -> dict[str, object]:
    """The certificate of the score set `key`; `about` is what the caller adds: judge, samples, time, versions."""
    found = findings(answers, reads_instruction)
    return {
        "schema_version": SCHEMA_VERSION,
        "suite": SUITE,
        "key": key,
        "verdict": verdict(found),
        **about,
        "checks": [asdict(finding) for finding in found],
        "rungs": [_rung(answers, arm) for arm in conditions.ARMS if arm in answers.arms],
        "figures": _figures(answers),
        "unscored": dict(answers.reasons(answers.metrics[0]).most_common()),
    }


def verdict(found: Sequence[Finding]) -> str:
    """Certified if nothing failed, nothing is left unmeasured, and the judge separates the target from the source."""
    is_spoilt = any(finding.status in (FAILED, NOT_MEASURED) for finding in found)
    separates = any(finding.name == _FIRST and finding.status == PASSED for finding in found)
    return CERTIFIED if separates and not is_spoilt else NOT_CERTIFIED


def _rung(answers: Answers, arm: str) -> dict[str, object]:
    by_metric = {metric: answers.values(arm, metric) for metric in answers.metrics}
    return {
        "arm": arm,
        "num_asked": answers.num_asked(arm),
        "metrics": {m: {"mean": agreement.mean(v), "num_scored": len(v)} for m, v in by_metric.items()},
    }


def _figures(answers: Answers) -> dict[str, float | None]:
    headline = answers.metrics[0]
    following = answers.metric_for("following") or headline
    again = [a - b for a, b in answers.rows((conditions.AGAIN, conditions.PARTIAL), headline)]
    ladder = [a == b for arms in _LADDER for a, b in answers.rows(arms, headline)]
    total = answers.num_requests()
    return {
        "auroc_target_identity": _auroc(answers, headline, conditions.IDENTITY),
        "auroc_shuffled": _auroc(answers, following, conditions.SHUFFLED),
        "tied": agreement.mean([float(tie) for tie in ladder]),
        "retest_sd": agreement.retest_sd(again),
        "retest_change": agreement.mean([abs(d) for d in again]),
        "coverage": 1 - answers.reasons(headline).total() / total if total else None,
    }


def _auroc(answers: Answers, metric: str, other: str) -> float | None:
    return agreement.auroc(answers.values(conditions.TARGET, metric), answers.values(other, metric))


FOLDER = "certificates"
MAX_BYTES = 16 << 20
FIGURES = ("auroc_target_identity", "auroc_shuffled", "tied", "retest_sd", "coverage")
"""Of `figures`, those that a line about a certificate names."""


def path_of(output_dir: Path, score_set_id: str) -> Path:
    """Where the certificate of this score set is, or would be."""
    return output_dir / FOLDER / f"{score_set_id}.json"


def certificate_of(output_dir: Path, score_set_id: str) -> dict[str, Any] | None:
    """The certificate of a score set; None if there is none, or only one of another suite, which counts no more.

    Raises UserError for a file that is no certificate.
    """
    name = path_of(output_dir, score_set_id).name
    try:
        content = read(Folder(output_dir / FOLDER), name, _check)
    except FileNotFoundError:
        return None
    current = (SCHEMA_VERSION, SUITE, score_set_id)
    return content if (content["schema_version"], content["suite"], content["key"]) == current else None


def read(folder: Folder, name: str, check: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
    """A certificate as it was kept, and `is_own`: whether this user made it here (its seal fits).

    folder  may be a stranger's; nothing in it is waited for, or followed elsewhere
    check   raises ValueError, KeyError, TypeError or IndexError for what reports could not show

    Raises FileNotFoundError, and UserError for what is no certificate.
    """
    path = folder.root / name
    try:
        content = dict(from_json(folder.read(name, MAX_BYTES)))
        seal = content.pop("seal", "")
        check(content)
        return content | {"is_own": is_sealed(content, seal)}
    except FileNotFoundError:
        raise
    except OSError as error:
        raise MachineError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise MachineError(f"{path}: not a certificate: {error}; delete it, or make it again") from error


def _check(content: Mapping[str, Any]) -> None:
    """Raises for what reports could not show."""
    schema_version, suite, key = content["schema_version"], content["suite"], content["key"]
    if (schema_version, suite) != (SCHEMA_VERSION, SUITE) or not isinstance(key, str):
        return  # it counts no more
    figures = [check["value"] for check in content["checks"]]
    figures += [content["figures"][name] for name in FIGURES] if content["verdict"] == CERTIFIED else []
    if not all(figure is None or isinstance(figure, int | float) for figure in figures):
        raise ValueError("its figures are no numbers")
    texts = [check[name] for check in content["checks"] for name in ("name", "status", "metric", "required")]
    if not all(isinstance(text, str) for text in [content["verdict"], *texts]):
        raise ValueError("its verdict and its checks are no texts")
    if not all(isinstance(content[name], int | float) for name in ("num_samples", "created_at")):
        raise ValueError("it does not say of how many samples and of when it is")


def kept(content: Mapping[str, object]) -> bytes:
    """What is written of a certificate: JSON, with the seal of who made it."""
    plain = json.loads(json.dumps(content, allow_nan=False))
    text = json.dumps({**plain, "seal": seal_of(plain)}, indent=2, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace")


def write(output_dir: Path, certificate: Mapping[str, object], answers: Iterable[Mapping[str, object]]) -> Path:
    """The path of the certificate, which is now on disk; the answers, one line each, are in the .jsonl beside it."""
    path = path_of(output_dir, str(certificate["key"]))
    lines = "".join(json.dumps(answer, ensure_ascii=False, allow_nan=False) + "\n" for answer in answers)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path.with_suffix(".jsonl"), lines.encode("utf-8", "backslashreplace"))
        write_atomic(path, kept(certificate))
    except OSError as error:
        raise MachineError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path
