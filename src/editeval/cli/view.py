"""`editeval view`: look at runs in a browser."""

from __future__ import annotations

import argparse
import signal
import sys
import webbrowser
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from editeval.cli.console import run_dirs, stoppable
from editeval.errors import UserError
from editeval.plugins import names_code
from editeval.reports.site.write import FIRST_FILE
from editeval.run import results
from editeval.run.recorded import settings_of
from editeval.stats.compare import Scored, compare
from editeval.store.run_store import RunStore
from editeval.text import run_command
from editeval.viewer.server import ShownRun, Viewer


def view(options: argparse.Namespace) -> int:
    """Serve the reports of these runs until interrupted. The exit code: 0 after Ctrl-C, 128 + signal after others."""
    runs = shown_runs(run_dirs(options), options.intersect)
    viewer = Viewer(runs, options.port, Comparing(runs, options.intersect))
    try:
        with stoppable():
            sys.stdout.write(f"{viewer.url}\nRatings are saved in each run; Ctrl-C ends this.\n")
            sys.stdout.flush()
            if not options.no_open:
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

    Raises UserError for a run without a report, without `intersect` for runs of different benchmarks, and with it for
    runs that share no sample.
    """
    runs: list[ShownRun] = []
    benchmarks: dict[str, str] = {}
    shared: frozenset[tuple[str, str]] | None = None
    for directory in dict.fromkeys(directories):
        with RunStore.read(directory) as store:
            needs_consent = names_code(settings_of(store))
            if not (directory / FIRST_FILE).is_file():
                again = run_command("report", directory, names_code=needs_consent)
                raise UserError(f"{directory}: no report to show yet; `{again}` writes it")
            samples = frozenset((row.id, row.instruction) for row in store.rows(None))
            ids = frozenset(sample_id for sample_id, _ in samples)
            runs.append(ShownRun(directory, str(store.manifest["run_id"]), directory.name, ids, needs_consent))
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


class Comparing:
    """How the first run stands to each other one; counted again only when a report has been written since."""

    def __init__(self, runs: Sequence[ShownRun], intersect: bool) -> None:
        self._directories = [run.dir for run in runs]
        self._intersect = intersect
        self._known: tuple[tuple[int, ...], tuple[list[dict[str, Any]], int | None]] | None = None

    def __call__(self, blocks: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], int | None]:
        """(a comparison for every run but the first, the number of samples that all have or None)."""
        if len(blocks) < 2:
            return [], None
        written = tuple(map(_written_at, self._directories))
        known = self._known
        if known is None or known[0] != written:
            known = self._known = written, self._counted(blocks)
        return known[1]

    def _counted(self, blocks: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], int | None]:
        first, *others = (scored(*one) for one in zip(self._directories, blocks, strict=True))
        comparisons = [
            asdict(compare(first, other)) | {"is_same_judge": _judged_by(blocks[0]) == _judged_by(block)}
            for other, block in zip(others, blocks[1:], strict=True)
        ]
        return comparisons, len(set(first).intersection(*others)) if self._intersect else None


def scored(directory: Path, block: Mapping[str, Any]) -> dict[Hashable, Scored]:
    """The headline scores of a run's wanted samples, by id and instruction, from its ledger: exact, with clusters.

    Raises UserError if the report on the disk shows other scores than the run.
    """
    with RunStore.read(directory) as store:
        shown = results.shown(store)[:1]
        told, ids = block["run"].get("judging_id"), [score_set.id for score_set in shown]
        if [told] * (told is not None) != ids:
            raise UserError(f"{directory}: its report shows other scores than the run; `editeval report {directory}`")
        label = next(iter(results.labels(shown)), "")
        rows = results.rows(store, shown)
        return {(row.id, row.instruction): Scored(row.cluster, results.value_of(row, label)) for row in rows}


def _written_at(directory: Path) -> int:
    """When a report was written, in nanoseconds; 0 while another one takes its place, so that the next look counts."""
    try:
        return (directory / FIRST_FILE).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _judged_by(block: Mapping[str, Any]) -> tuple[object, object]:
    return block["headline"], block["run"].get("judging_id")
