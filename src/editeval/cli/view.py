"""`editeval view`: look at runs in a browser."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import tempfile
import webbrowser
from collections.abc import Iterator, Sequence
from pathlib import Path

from editeval.cli.console import run_dirs, stoppable
from editeval.errors import UserError
from editeval.plugins import names_code
from editeval.reports.site.write import FIRST_FILE
from editeval.run.comparison import Comparing
from editeval.run.recorded import change_of_ledger, settings_of
from editeval.store.run_store import RunStore
from editeval.text import run_command
from editeval.viewer.server import ShownRun, Viewer


def view(options: argparse.Namespace) -> int:
    """Serve the reports of these runs until interrupted. The exit code: 0 after Ctrl-C, 128 + signal after others."""
    runs = shown_runs(run_dirs(options), options.intersect)
    for run in runs:
        if run.change is not None:
            sys.stderr.write(f"warning: {run.name}: {run.change}\n")
    comparing = Comparing(tuple(run.dir for run in runs), options.intersect)
    viewer = Viewer(runs, options.port, comparing, options.rater)
    try:
        with stoppable():
            sys.stdout.write(f"{viewer.url}\nRatings are saved in each run; Ctrl-C ends this.\n")
            sys.stdout.flush()
            if options.no_open:
                viewer.serve()
            else:
                with _door(viewer.url) as place:
                    webbrowser.open(place)
                    viewer.serve()
    except KeyboardInterrupt as stop:
        signum = stop.args[0] if stop.args else signal.SIGINT
        return 0 if signum == signal.SIGINT else 128 + int(signum)
    finally:
        viewer.close()
    return 0


@contextlib.contextmanager
def _door(url: str) -> Iterator[str]:
    """The address of a file that leads to `url`: a browser's command line, which all can read, does not hold the token.

    Only this user can read the file.
    """
    with tempfile.TemporaryDirectory(prefix="editeval-view-") as folder:
        path = Path(folder, "open.html")
        path.touch(0o600)
        link = f'<meta charset="utf-8"><meta http-equiv="refresh" content="0; url={url}"><a href="{url}">editeval</a>'
        path.write_text(f"<!DOCTYPE html>{link}\n", encoding="utf-8")
        yield path.as_uri()


def shown_runs(directories: Sequence[Path], intersect: bool) -> list[ShownRun]:
    """The runs, if they can stand side by side.

    Raises UserError for a run without a report, without `intersect` for runs of different benchmarks, and with it for
    runs that share no sample.
    """
    runs: list[ShownRun] = []
    benchmarks: dict[str, str] = {}
    shared: frozenset[tuple[str, str]] | None = None
    for directory in dict.fromkeys(directories):
        with RunStore.read(directory) as store:
            needs_consent = names_code(settings_of(store))
            if not store.folder.is_file(FIRST_FILE):
                again = run_command("report", directory, names_code=needs_consent)
                raise UserError(f"{directory}: no report to show yet; `{again}` writes it")
            samples = frozenset((row.id, row.instruction) for row in store.rows(None))
            ids = frozenset(sample_id for sample_id, _ in samples)
            about = needs_consent, store.is_own, change_of_ledger(store)
            runs.append(ShownRun(directory, store.manifest["run_id"], directory.name, ids, *about))
            shared = samples if shared is None else shared & samples
            benchmarks.setdefault(str(store.manifest["identity"]["benchmark"]), directory.name)
    if len(benchmarks) > 1 and not intersect:
        names = " and ".join(benchmarks.values())
        raise UserError(
            f"{names} are runs of different benchmarks; --intersect shows the samples (same id and instruction) that "
            "all have, beside each run's own summary"
        )
    if intersect and not shared:
        names = " and ".join(run.name for run in runs)
        raise UserError(f"--intersect: {names} have no sample (same id and instruction) in common; view each by itself")
    return runs
