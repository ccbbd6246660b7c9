"""`editeval report`: write the reports of a run that exists again."""

from __future__ import annotations

import argparse
from pathlib import Path

from editeval.cli.console import result_console, run_dirs
from editeval.errors import ConfigError
from editeval.run import results
from editeval.run.bridge import read as read_bridge
from editeval.run.equated import equate
from editeval.run.plan import Plan
from editeval.run.recorded import plan_of
from editeval.store import queries
from editeval.store.ledger_events import SubsetChosen
from editeval.store.run_store import RunStore


def report(options: argparse.Namespace) -> int:
    """Write every report of the run again and print its table.

    The score sets that --scores means are what the run shows from now on, here and in every other output; with
    --scale-of and --bridge it is a judge's scores on the scale of another one.
    """
    if bool(options.scale_of) != bool(options.bridge):
        raise ConfigError("--scale-of JUDGE and --bridge FILE: go together; `editeval bridge` makes the file")
    embed = options.embed
    if embed is not None and not Path(embed).absolute().parent.is_dir():
        raise ConfigError(f"--embed {embed}: no folder {Path(embed).parent}; make it, or name another file")
    with RunStore.reopen(run_dirs(options)[0]) as store:
        plan = plan_of(
            store, options.allow_code, is_looking=True
        )  # what it refuses is refused before anything is chosen
        if options.bridge:
            bridge = read_bridge(Path(options.bridge))
            results.choose(store, [equate(store, bridge, options.scale_of, options.scores)])
        elif options.scores:
            results.choose(store, options.scores)
        return _show_reports(plan, store, embed)


def _show_reports(plan: Plan, store: RunStore, embed: str | None) -> int:
    """Write every report of the run again, into the file `embed` too, and print its table.

    0 if all that it shows is scored, else 3.
    """
    from editeval.reports.terminal import render_terminal
    from editeval.run.report import build_report, republish, write_embedded

    if queries.subset(store) != plan.subset:  # a run of before did not say
        store.record_event(SubsetChosen.of_run(plan.subset))
    built = build_report(plan, store)
    republish(built, plan, store)
    if embed is not None:
        write_embedded(built, store.dir, Path(embed))
    render_terminal(built, result_console())
    counts = [store.counts(score_set.id) for score_set in results.shown(store)]
    if not counts:
        return 0 if store.counts(None).num_edited == store.counts(None).num_wanted else 3
    return 0 if all(c.num_scored == c.num_wanted for c in counts) else 3
