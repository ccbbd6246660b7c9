"""`editeval noise`: how much of a run's scores comes from samples, from seeds and from repeats of the judge."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from editeval.cli.console import continuing, interruptible, result_console, run_dirs
from editeval.reports.noise_text import noise_cost_lines, render_noise
from editeval.reports.tables import to_json

DISPLAY = {False: "plain", True: "none"}


def noise(options: argparse.Namespace) -> int:
    """Make and judge the repeats, and print what they say. 3 if some drawn samples lack a score."""
    from editeval.run.noise_runs import Repeats, found, made, noise_plan

    directory = run_dirs(options)[0]
    repeats = Repeats(options.num_samples, options.seeds, options.draws)
    plan = noise_plan(directory, repeats, options.allow_code)
    edits = max(0, plan.seeds - plan.num_seeds) * len(plan.drawn)
    sizes = {"num": len(plan.drawn), "seeds": plan.seeds, "draws": plan.draws, "edits": edits}
    counts = {**sizes, "edit_s": plan.edit_s, "place": str(plan.place)}
    for line in noise_cost_lines(counts):
        sys.stderr.write(f"{line}\n")
    if options.dry_run:
        return 0
    with interruptible() as interrupt:
        run = made(directory, plan, options.allow_code, options.argv, interrupt, DISPLAY[options.json])
        if interrupt.signum is not None:
            sys.stderr.write(
                f"Interrupted; what was made is in {plan.place}. To continue: {continuing(options.argv)}\n"
            )
            return 128 + interrupt.signum
    result = found(plan, run)
    if options.json:
        sys.stdout.write(to_json(asdict(result)) + "\n")
    else:
        render_noise(asdict(result), result_console())
    return 0 if result.num_complete == result.num_drawn else 3
