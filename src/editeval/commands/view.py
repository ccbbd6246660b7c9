"""`editeval view`: look at runs in a browser."""

from __future__ import annotations

import signal
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from editeval.commands.signals import stoppable
from editeval.errors import UserError
from editeval.reports.html import FIRST_FILE
from editeval.store.run_store import RunStore
from editeval.viewer.server import ShownRun, Viewer


def view(directories: Sequence[Path], port: int, is_opened: bool, intersect: bool) -> int:
    """Serve the reports of these runs until interrupted. The exit code: 0 after Ctrl-C, 128 + signal after others."""
    runs = shown_runs(directories, intersect)
    viewer = Viewer(runs, port, intersect)
    try:
        with stoppable():
            sys.stdout.write(f"{viewer.url}\nRatings are saved in each run; Ctrl-C ends this.\n")
            sys.stdout.flush()
            if is_opened:
                webbrowser.open(viewer.url)
            viewer.serve()
    except KeyboardInterrupt as stop:
        signum = stop.args[0] if stop.args else signal.SIGINT
        return 0 if signum == signal.SIGINT else 128 + int(signum)
    finally:
        viewer.close()
    return 0


def shown_runs(directories: Sequence[Path], intersect: bool) -> list[ShownRun]:
    """The runs, if they can stand side by side.

    Raises UserError for a run without a report, and without `intersect` for runs of different benchmarks.
    """
    runs: list[ShownRun] = []
    benchmarks: dict[str, str] = {}
    for directory in dict.fromkeys(directories):
        if not (directory / FIRST_FILE).is_file():
            raise UserError(f"{directory}: no report to show yet; `editeval report {directory}` writes it")
        with RunStore.read(directory) as store:
            ids = frozenset(row.sample_id for row in store.rows(None))
            runs.append(ShownRun(directory, str(store.manifest["run_id"]), directory.name, ids))
            benchmarks.setdefault(str(store.manifest["identity"]["benchmark"]), directory.name)
    if len(benchmarks) > 1 and not intersect:
        names = " and ".join(benchmarks.values())
        raise UserError(
            f"{names} are runs of different benchmarks; --intersect shows the samples (same id and instruction) that "
            "all have, beside each run's own summary"
        )
    return runs
