"""`editeval retry`: try again what failed, and only that."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection
from pathlib import Path

from editeval.commands.inspect import config_of
from editeval.commands.run import interruptible, report_result
from editeval.errors import ConfigError
from editeval.pipeline import evaluate
from editeval.plan import JudgingPlan, judging_plans
from editeval.store.run_store import RunStore


def retry(directory: Path, only: Collection[str], options: argparse.Namespace) -> int:
    """Failed edits and missing scores whose reason is in `only` (empty: any) are pending again; then the run goes on.

    Of the judgings only those of the run's latest configuration; earlier attempts stay on record. The run's exit code.
    """
    with RunStore.reopen(directory) as store:
        config = config_of(store, options.allow_code)
        failed, unscored = _candidates(store, judging_plans(config), only)
        if not failed and not unscored:
            sys.stdout.write(f"{directory}: nothing to try again\n")
            return 0 if not only else _none_of(only)
        store.forget_edits(failed)
        for judging_id, ids in unscored.items():
            store.forget_scores(judging_id, ids)
        num_scores = sum(map(len, unscored.values()))
        sys.stderr.write(f"{directory}: trying again {len(failed)} edits and the scores of {num_scores} samples\n")
    with interruptible() as interrupt:
        result = evaluate(config, options.argv, interrupt, directory=directory, display=options.display)
    return report_result(result, options.argv, options.display)


def _candidates(
    store: RunStore, judgings: Collection[JudgingPlan], only: Collection[str]
) -> tuple[list[str], dict[str, list[str]]]:
    """Ids of failed edits, and per judging the ids of edits it could not score."""
    failed: list[str] = []
    unscored: dict[str, list[str]] = {}
    for row in store.rows(None):
        if row.edit is not None and row.edit.error is not None and (not only or row.edit.error.reason in only):
            failed.append(row.sample_id)
    for judging in judgings:
        for row in store.rows(judging.id):
            reasons = {score.reason for score in row.scores.values() if score.reason}
            if reasons and (not only or reasons & set(only)):
                unscored.setdefault(judging.id, []).append(row.sample_id)
    return failed, unscored


def _none_of(only: Collection[str]) -> int:
    raise ConfigError(f"--only {','.join(only)}: no sample failed for that reason; `editeval status` shows the counts")
