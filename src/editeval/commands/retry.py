"""`editeval retry`: try again what failed, and only that."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from editeval.commands.run import report_result
from editeval.commands.signals import interruptible
from editeval.errors import ConfigError
from editeval.pipeline import check_machine, evaluate, score
from editeval.plan import judging_plans, make_plan
from editeval.preparation import check_stages
from editeval.run.recorded import config_of, scoring_of
from editeval.store.run_store import RunStore

FAMILIES = {
    "parse": (
        *("unparsable", "ambiguous", "not_a_number", "out_of_range", "empty", "degenerate", "truncated", "low_mass"),
        "no_answer",
    ),
    "timeout": ("timeout", "stalled"),
    "crash": ("worker_died", "device_lost"),
    "network": ("transport",),
    "image": ("bad_source", "bad_image"),
    "output": ("bad_output",),
    "refusal": ("refused", "content_filter"),
}
"""What users call groups of reasons; any reason that stands in the ledger can be named as well."""
REASONS = ("exception", "oom", "bad_request", "too_long", "no_prompt", *(r for rs in FAMILIES.values() for r in rs))


@dataclass(slots=True)
class Failures:
    """What did not work in a run, by sample, with its reasons."""

    edits: dict[str, str] = field(default_factory=dict)  # sample -> reason
    scores: dict[tuple[str, str], set[str]] = field(default_factory=dict)  # (judging, sample) -> reasons

    def counts(self) -> Counter[str]:
        """Samples by reason."""
        return Counter(self.edits.values()) + Counter(r for reasons in self.scores.values() for r in reasons)

    def only(self, reasons: Collection[str]) -> Failures:
        """Those with one of `reasons`."""
        edits = {sample: reason for sample, reason in self.edits.items() if reason in reasons}
        return Failures(edits, {place: found for place, found in self.scores.items() if found & set(reasons)})


def retry(directory: Path, only: Collection[str], options: argparse.Namespace) -> int:
    """Failed edits and missing scores whose reason is in `only` (empty: any) are pending again; then the run goes on.

    Their earlier attempts stay on record; nothing is touched unless the run can go on. Returns its exit code.
    """
    with RunStore.reopen(directory) as store:
        config, scoring = config_of(store, options.allow_code), scoring_of(store, options.allow_code)
        stages = [*config.stages, *(scoring.judges.values() if scoring else ())]
        check_machine(config, stages)
        check_stages(config, stages)
        scored_later = [judging.id for judging in judging_plans(scoring)] if scoring else []
        ids = [judging.id for judging in make_plan(config).judgings]
        failures = failures_of(store, list(dict.fromkeys([*ids, *scored_later])))
        if only:
            failures = failures.only(reasons_of(only, failures.counts()))
        if not failures.edits and not failures.scores:
            sys.stdout.write(f"{directory}: nothing to try again\n")
            return 0
        store.forget_edits(list(failures.edits))
        for judging_id in {judging_id for judging_id, _ in failures.scores}:
            store.forget_scores(judging_id, [sample for of, sample in failures.scores if of == judging_id])
        num_scored = len({sample for _, sample in failures.scores})
        what = f"{len(failures.edits)} edits and the scores of {num_scored} samples"
        sys.stderr.write(f"{directory}: trying again {what}\n")
    with interruptible() as interrupt:
        result = evaluate(config, options.argv, interrupt, directory=directory, display=options.display)
        code = report_result(result, options.argv, options.display)
        touched = failures.edits or any(judging_id in scored_later for judging_id, _ in failures.scores)
        if scoring is None or not touched or result.signum is not None:
            return code
        scored = score(scoring, directory, options.argv, interrupt, options.display)
    return report_result(scored, options.argv, options.display) or code


def failures_of(store: RunStore, judging_ids: Collection[str]) -> Failures:
    """Every failed edit among the wanted samples, and every score that one of these judgings could not give."""
    found = Failures()
    for judging_id in judging_ids or (None,):
        for row in store.rows(judging_id):
            if row.edit is not None and row.edit.error is not None:
                found.edits[row.sample_id] = row.edit.error.reason
            reasons = {score.reason for score in row.scores.values() if score.reason}
            if judging_id is not None and reasons:
                found.scores[judging_id, row.sample_id] = reasons
    return found


def reasons_of(words: Collection[str], present: Counter[str]) -> set[str]:
    """The reasons that `words` mean. Raises ConfigError for a word that means nothing, or if none of them is there."""
    known = sorted({*FAMILIES, *REASONS, *present})
    for word in words:
        if word not in known:
            close = difflib.get_close_matches(word, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
            raise ConfigError(f"--only {word}: no such reason; {hint}")
    reasons = {reason for word in words for reason in FAMILIES.get(word, (word,))}
    if not reasons & set(present):
        has = ", ".join(f"{reason} ({count})" for reason, count in present.most_common()) or "no failures"
        raise ConfigError(f"--only {','.join(words)}: no sample failed for that reason; this run has {has}")
    return reasons
