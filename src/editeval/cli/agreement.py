"""`editeval agreement`: judges against people, judges against each other, people against each other."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from editeval.cli.console import result_console, run_dirs
from editeval.reports.agreement_tables import render_agreement
from editeval.reports.tables import to_json
from editeval.run.judge_agreement import agreement_found
from editeval.run.rating_files import of_viewer, read_ratings
from editeval.viewer import ratings


def agreement(options: argparse.Namespace) -> int:
    """Print how far they agree, and the prediction-powered mean of each model that people have rated."""
    directories = list(dict.fromkeys(run_dirs(options)))
    given = [one for path in options.ratings for one in read_ratings(Path(path))]
    for directory in directories if not given else ():
        for rater, found in ratings.of_all(directory).items():
            given += of_viewer(directory.name, rater, found)
    found = asdict(agreement_found(directories, given, options.judges, options.metric))
    if options.json:
        sys.stdout.write(to_json(found) + "\n")
    else:
        render_agreement(found, result_console())
    return 0
