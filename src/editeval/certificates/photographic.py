"""The photographic certificate: how far a judge agrees with people about real edits, beside the drawn certificate.

schema_version, kind ("photographic"), key, verdict ("certified" | "not certified")
data         name, digest, num_pairs, num_used, num_missing, missing[]; counted: as the authors do; rule: that in words
judge        as in a drawn certificate
checks[]     as in a drawn certificate; the main dimension comes first, the coverage last
groups[]     dimension, task, metric, num_pairs, num_scored, num_clusters, ties, and of each way of counting ties
             ("ties wrong", "ties half", "ties calibrated", and the authors' own): value, low, high
controls     chance; always the first edit, in one order and in both
position     of a pairwise judge: first, low, high, num_verdicts, contradictions, num_pairs
whole_groups of rankings of several edits: those in which every pair is right
rankings     of ratings: dimension, metric, within (Fisher's mean), low, high, as_printed, pooled, editors
unscored     {reason: number of pairs}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from editeval.certificates.certificate import CERTIFIED, FOLDER, NOT_CERTIFIED, certificate_of, kept, read
from editeval.certificates.checks import FAILED, MIN_COVERAGE, NOT_MEASURED, PASSED, Finding
from editeval.certificates.human_agreement import (
    ALL,
    CHANCE,
    HALF,
    Counting,
    PairAnswer,
    RatedAnswer,
    controls_of,
    groups_of,
    position_of,
    rankings_of,
    whole_groups_of,
)
from editeval.errors import MachineError
from editeval.files import Folder, write_atomic
from editeval.stats import agreement

SCHEMA_VERSION = 1
KIND = "photographic"
MIN_PAIRS = 30
"""With fewer pairs a judge is not certified, whatever it says of them."""


def assemble(
    key: str,
    pairs: Sequence[PairAnswer],
    rated: Sequence[RatedAnswer],
    counting: Counting,
    about: Mapping[str, object],
) -> dict[str, object]:
    """The certificate of the score set `key`; `about` is what the caller adds: data, judge, time."""
    groups = list(groups_of(pairs, counting))
    found = findings(pairs, groups, counting)
    is_good = all(finding.status == PASSED for finding in found)
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "key": key,
        "verdict": CERTIFIED if is_good else NOT_CERTIFIED,
        **about,
        "checks": [asdict(finding) for finding in found],
        "groups": groups,
        "controls": controls_of(pairs),
        "position": position_of(pairs),
        "rankings": list(rankings_of(rated)),
        "whole_groups": whole_groups_of(pairs),
        "unscored": dict(Counter(pair.reason for pair in pairs if pair.margin is None).most_common()),
    }


def findings(pairs: Sequence[PairAnswer], groups: Sequence[Mapping[str, Any]], counting: Counting) -> list[Finding]:
    """What decides: agreement above chance in the main dimension and for every metric of its own, and the coverage.

    Where there is neither such a dimension nor such a metric, all dimensions decide.
    """
    found, dimensions = [], {pair.dimension for pair in pairs}
    own = {pair.dimension for pair in pairs if pair.is_own_metric}
    deciding = (own | {counting.main}) & dimensions or dimensions
    for group in sorted(groups, key=lambda group: group["dimension"] != counting.main):
        if group["task"] != ALL or group["dimension"] not in deciding:
            continue
        half, num = group[HALF], group["num_scored"]
        is_met = half["low"] is not None and half["low"] > CHANCE
        named = f"agrees with people: {group['dimension']}"
        found.append(
            Finding(
                named,
                group["metric"],
                PASSED if is_met else FAILED,
                f"interval above {CHANCE:.2f}",
                num,
                group["num_pairs"],
                half["value"],
                half["low"],
                half["high"],
                group["ties"],
                f"{HALF}; {group['num_clusters']} clusters",
            )
        )
    scored = sum(pair.margin is not None for pair in pairs)
    share = scored / len(pairs)
    status, note = (PASSED if share >= MIN_COVERAGE else FAILED), ""
    if len(pairs) < MIN_PAIRS:
        status, note = NOT_MEASURED, f"a verdict takes at least {MIN_PAIRS} pairs, got {len(pairs)}"
    low, high = agreement.wilson(scored, len(pairs))
    needed = f">= {MIN_COVERAGE:.2f}"
    return [*found, Finding("coverage", "", status, needed, scored, len(pairs), share, low, high, note=note)]


# ------------------------------------------------------------------------------------------------ the files


def photographic_path(output_dir: Path, score_set_id: str, data: str, digest: str) -> Path:
    """Where the certificate of a score set on this content of the data set `data` is, or would be.

    Other content under the same name has a certificate of its own, so that it cannot replace one that failed.
    """
    return output_dir / FOLDER / f"{score_set_id}.{data}-{digest[:8]}.json"


def answers_path(output_dir: Path, score_set_id: str, data: str) -> Path:
    """Where the answers about data sets of this name are kept, whatever their content."""
    return output_dir / FOLDER / f"{score_set_id}.{data}.jsonl"


def photographic_of(output_dir: Path, score_set_id: str) -> list[dict[str, Any]]:
    """The photographic certificates of a score set, one for each content of a data set.

    Raises UserError for a file that is none.
    """
    folder, found = Folder(output_dir / FOLDER), []
    try:
        names = folder.names()
    except OSError as error:
        raise MachineError(f"{output_dir / FOLDER}: cannot be read: {error.strerror or error}") from error
    for name in names:
        if not (name.startswith(f"{score_set_id}.") and name.endswith(".json") and name.count(".") > 1):
            continue
        content = read(folder, name, _check)
        if (content["schema_version"], content["kind"], content["key"]) == (SCHEMA_VERSION, KIND, score_set_id):
            found.append(content)
    return found


def certificates_in(output_dir: Path, ids: Sequence[str]) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """Those of the first of `ids` that has any: the drawn one, and the photographic ones."""
    drawn = next((known for key in ids if (known := certificate_of(output_dir, key))), None)
    return drawn, next((kept for key in ids if (kept := photographic_of(output_dir, key))), [])


def _check(content: Mapping[str, Any]) -> None:
    """Raises for what reports could not show."""
    if (content["schema_version"], content["kind"], bool(content["key"])) != (SCHEMA_VERSION, KIND, True):
        return  # it counts no more
    main, coverage = content["checks"][0], content["checks"][-1]
    counts = coverage["num_compared"], coverage["num_asked"], content["data"]["num_used"]
    figures = [main[name] for name in ("value", "low", "high")]
    if not all(isinstance(count, int) for count in counts):
        raise ValueError("its counts are no whole numbers")
    if not all(figure is None or isinstance(figure, int | float) for figure in figures):
        raise ValueError("its figures are no numbers")
    if not all(isinstance(content["data"][name], str) for name in ("name", "digest")):
        raise ValueError("its data set has no name")


def write_photographic(output_dir: Path, certificate: Mapping[str, Any]) -> Path:
    """The path of the certificate, which is now on disk."""
    data = certificate["data"]
    path = photographic_path(output_dir, certificate["key"], data["name"], data["digest"])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, kept(certificate))
    except OSError as error:
        raise MachineError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path
