"""`editeval score`: judge a run that exists with another judge, without editing again."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from editeval.commands.run import report_result
from editeval.commands.signals import interruptible
from editeval.config.load import load_judges
from editeval.errors import one_line
from editeval.pipeline import score as judge_again
from editeval.run import results
from editeval.run.recorded import settings_of
from editeval.store.run_store import RunStore


def score(directory: Path, options: argparse.Namespace) -> int:
    """Everything that is edited has scores of the judges asked for, in score sets of their own. The run's exit code.

    The table is of these scores; the files of the run go on showing what they showed.
    """
    with RunStore.read(directory) as store:
        settings, name = settings_of(store), str(store.manifest["name"])
    path = Path(options.config) if options.config else None
    config = load_judges(settings, name, path, options.set, options.allow_code)
    with interruptible() as interrupt:
        result = judge_again(config, directory, options.argv, interrupt, options.display)
    code = report_result(result, options.argv, options.display)
    if result.report is not None:
        added = [judging.id for judging in result.plan.judgings]
        with RunStore.read(directory) as store:
            told_apart(store, added)
    return code


def told_apart(store: RunStore, added: Sequence[str]) -> None:
    """Say which score sets are new, which ones the reports show, and how to show others."""
    shown = results.shown(store)
    hidden = [one for one in results.kept(store) if one.id in added and one.id not in {s.id for s in shown}]
    if not hidden:
        return
    where = shlex.quote(str(store.dir))
    flags = " ".join(f"--scores {shlex.quote(one.name)}" for one in hidden)
    sys.stderr.write(
        f"Kept: {'; '.join(one_line(one.title) for one in hidden)}. "
        f"The reports still show {'; '.join(one_line(one.title) for one in shown)}. "
        f"To show what is new: editeval report {where} {flags}\n"
    )
