"""`editeval retry`: try again what failed, and only that."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from editeval.cli.console import interruptible, run_dirs, words
from editeval.cli.run import report_result
from editeval.errors import FAMILIES, ConfigError, Reason
from editeval.run.pipeline import evaluate, score
from editeval.run.plan import make_plan
from editeval.run.prepare import check_machine, check_stages
from editeval.run.recorded import config_of, scoring_of
from editeval.store import lineage, queries
from editeval.store.run_store import RunStore, check_identity


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


def retry(options: argparse.Namespace) -> int:
    """Failed edits and missing scores whose reason is in --only (empty: any) are pending again; then the run goes on.

    Where no failure is left and the run is unfinished, it just goes on: so the same command continues an interrupted
    retry. Earlier attempts stay on record; nothing is touched unless the run can go on. Returns its exit code.
    """
    directory, only = run_dirs(options)[0], words([options.only])
    with RunStore.reopen(directory) as store:
        config, scoring = config_of(store, options.allow_code), scoring_of(store, options.allow_code)
        stages = [*config.stages, *(scoring.judges.values() if scoring else ())]
        check_machine(config, stages)
        check_stages(config, stages)
        plans = [make_plan(config, directory=directory)]
        if scoring:
            plans.append(make_plan(scoring, directory=directory, is_editing=False))
        for plan in plans:
            lineage.check_benchmark(directory, plan.identity, plan.samples)
            check_identity(directory, store.manifest, plan.identity)
        ids = [judging.id for judging in plans[0].judgings]
        scored_later = [judging.id for plan in plans[1:] for judging in plan.judgings]
        num_pending = _num_pending(store, ids)
        failures = failures_of(store, list(dict.fromkeys([*ids, *scored_later])))
        if only:
            failures = failures.only(reasons_of(only, failures.counts(), is_finished=not num_pending))
        if not failures.edits and not failures.scores and not num_pending:
            sys.stdout.write(f"{directory}: nothing to try again\n")
            return 0
        _forget(store, failures)
        begun = queries.last_command(store, but_not="retry")
        num_scored = len({sample for _, sample in failures.scores})
        what = f"{len(failures.edits)} edits and the scores of {num_scored} samples"
        sys.stderr.write(f"{directory}: trying again {what}; {num_pending} samples were unfinished\n")
    with interruptible() as interrupt:
        result = evaluate(config, options.argv, interrupt, directory=directory, display=options.display)
        # a limit is raised where the configuration is written
        code = report_result(result, begun if result.stopped and begun else options.argv, options.display)
        touched = failures.edits or any(judging_id in scored_later for judging_id, _ in failures.scores)
        if scoring is None or not touched or result.signum is not None:
            return code
        scored = score(scoring, directory, options.argv, interrupt, options.display)
    return report_result(scored, options.argv, options.display) or code


def _num_pending(store: RunStore, judging_ids: Collection[str]) -> int:
    """Wanted samples that have no edit yet, or that some judge has not seen yet."""
    counts = [store.counts(judging_id) for judging_id in judging_ids or (None,)]
    judged = [c.num_pending_scores for c in counts] if judging_ids else [0]
    return counts[0].num_pending_edits + max(judged)


def _forget(store: RunStore, failures: Failures) -> None:
    store.forget_edits(list(failures.edits))
    for judging_id in {judging_id for judging_id, _ in failures.scores}:
        store.forget_scores(judging_id, [sample for of, sample in failures.scores if of == judging_id])


def failures_of(store: RunStore, judging_ids: Collection[str]) -> Failures:
    """Every failed edit among the wanted samples, and every score that one of these judgings could not give."""
    found = Failures()
    for judging_id in judging_ids or (None,):
        for row in store.rows(judging_id):
            if row.error_reason is not None:
                found.edits[row.id] = row.error_reason
            reasons = {score.reason for score in row.scores.values() if score.reason}
            if judging_id is not None and reasons:
                found.scores[judging_id, row.id] = reasons
    return found


def reasons_of(words: Collection[str], present: Counter[str], is_finished: bool = True) -> set[str]:
    """The reasons that `words` mean.

    Raises ConfigError for a word that means nothing, and for a finished run if none of them is there.
    """
    known = sorted({*FAMILIES, *(r.value for r in Reason), *present})
    for word in words:
        if word not in known:
            close = difflib.get_close_matches(word, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
            raise ConfigError(f"--only {word}: no such reason; {hint}")
    reasons = {reason for word in words for reason in FAMILIES.get(word, (word,))}
    if is_finished and not reasons & set(present):
        has = ", ".join(f"{reason} ({count})" for reason, count in present.most_common()) or "no failures"
        raise ConfigError(f"--only {','.join(words)}: no sample failed for that reason; this run has {has}")
    return reasons
