"""`editeval plan`: how many samples a wanted difference takes, and what difference a number of samples shows."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from editeval.cli.console import result_console
from editeval.reports.noise_text import plan_lines
from editeval.reports.tables import to_json
from editeval.run.index import find_run
from editeval.run.pilot import Wanted, planned


def plan(options: argparse.Namespace) -> int:
    """Print what a further run can show."""
    wanted = Wanted(options.difference, options.num_samples, options.power, options.comparisons, options.correlation)
    found = asdict(planned([find_run(word, Path(options.output_dir)) for word in options.pilot], wanted))
    if options.json:
        sys.stdout.write(to_json(found) + "\n")
        return 0
    console = result_console()
    for line in plan_lines(found):
        console.print(line, markup=False, highlight=False)
    return 0
