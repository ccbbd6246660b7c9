"""`editeval score`: judge a run that exists with another judge, without editing again."""

from __future__ import annotations

import argparse
from pathlib import Path

from editeval.commands.inspect import settings_of
from editeval.commands.run import report_result
from editeval.commands.signals import interruptible
from editeval.config.load import load_judges
from editeval.pipeline import score as judge_again
from editeval.store.run_store import RunStore


def score(directory: Path, options: argparse.Namespace) -> int:
    """Everything that is edited has scores of the judges asked for, under judgings of their own. The run's exit code.

    From now on the run's configuration has these judges: its reports show them, and `retry` tries them again.
    """
    with RunStore.read(directory) as store:
        settings, name = settings_of(store), str(store.manifest["name"])
    path = Path(options.config) if options.config else None
    config = load_judges(settings, name, path, options.set, options.allow_code)
    with interruptible() as interrupt:
        result = judge_again(config, directory, options.argv, interrupt, options.display)
    return report_result(result, options.argv, options.display)
