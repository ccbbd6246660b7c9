"""`editeval gate`: may an engine take another one's place? Exit code 0 yes, 4 no, 3 not decided."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from editeval.cli.console import REGRESSED, result_console
from editeval.errors import ConfigError
from editeval.reports.gate_outcome import gate_markdown, render_gate
from editeval.reports.tables import to_json

UNDECIDED = 3


def gate(options: argparse.Namespace) -> int:
    """Prints what was decided about run B."""
    from editeval.run import gating
    from editeval.run.index import find_run

    if options.json and options.to:
        raise ConfigError("--json and --to: choose one")
    first, second = (find_run(word, Path(options.output_dir)) for word in (options.first_run, options.second_run))
    found = gating.gate(first, second, options.margin, has_pixels=not options.no_pixels)
    if options.json:
        sys.stdout.write(to_json(found) + "\n")
    elif options.to:
        sys.stdout.write(gate_markdown(found))
    else:
        render_gate(found, result_console())
    return {"passes": 0, "fails": REGRESSED}.get(found["outcome"], UNDECIDED)
