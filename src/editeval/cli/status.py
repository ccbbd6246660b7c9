"""`editeval status`: where a run stands, from any other shell, while it is going on, after it ended or was killed."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from editeval.cli.console import continuing, result_console, run_dirs
from editeval.display.screen import status_line
from editeval.display.session import Rhythm
from editeval.reports.format import subset_line
from editeval.run.status import KeptView, RunStatus, status_of
from editeval.text import one_line, plain

if TYPE_CHECKING:
    from rich.console import RenderableType

FOLLOW_S = 1.0
_MEANINGS = {
    "complete": "complete: every wanted sample is scored",
    "incomplete": "finished, but some samples failed or could not be scored",
    "capped": "not running: a limit on spending is reached; what finished is safe",
    "interrupted": "not running: it was interrupted, or it stopped with an error; what finished is safe",
    "killed": "not running: its process was killed; what finished is safe",
}


def status(options: argparse.Namespace) -> int:
    """0 if everything wanted is scored, and for a run that is going on; 3 for one that ended with anything missing."""
    directory = run_dirs(options)[0]
    if not options.follow:
        found = status_of(directory)
        if options.json:
            sys.stdout.write(_json(found))
        else:
            _print(found)
    elif options.json:
        for found in _followed(directory):
            sys.stdout.write(_json(found))
            sys.stdout.flush()
    elif sys.stdout.isatty():
        found = _follow_live(directory)
    else:
        found = _follow_plain(directory)
    return 0 if found.is_complete or found.writer is not None else 3


def _followed(directory: Path) -> Iterator[RunStatus]:
    """One status a second, until nobody writes to the run any more; the last one is how it ended."""
    while True:
        found = status_of(directory)
        yield found
        if found.writer is None:
            return
        time.sleep(FOLLOW_S)


def _follow_live(directory: Path) -> RunStatus:
    from rich.live import Live

    found = status_of(directory)
    with Live(_rendered(found), console=result_console(), auto_refresh=False, vertical_overflow="crop") as live:
        for found in _followed(directory):
            live.update(_rendered(found), refresh=True)
    return found


def _follow_plain(directory: Path) -> RunStatus:
    rhythm = Rhythm()
    for number, found in enumerate(_followed(directory)):
        if rhythm.is_due(found.picture) or (number == 0 and found.writer is not None):
            sys.stdout.write(status_line(found.picture) + "\n")
            sys.stdout.flush()
    _print(found)
    return found


def _print(found: RunStatus) -> None:
    from rich.text import Text

    console = result_console()
    console.print(_head(found))
    for line in _next(found):
        console.print(line, soft_wrap=True, markup=False, highlight=False)  # to be copied: in one piece
    for line in _details(found):
        console.print(Text(line))


def _next(found: RunStatus) -> Iterator[str]:
    """What to type next."""
    raised = f", raise {one_line(found.cap)}" if found.cap else ""
    if found.outcome in ("capped", "interrupted", "killed") and found.argv:
        how = raised if found.outcome == "capped" else ""
        yield f"To continue{how}: {one_line(continuing(found.argv))}"
    if found.outcome == "incomplete":
        yield f"To try them again: {one_line(found.retry)}"
    for other in found.unfinished:
        what = f"scores {one_line(other.name)} ({other.id}), not shown: {other.num_left} edits are not judged yet"
        again = f"; to continue{raised}: {one_line(continuing(found.argv))}" if found.argv else ""
        yield f"{what}{again}"


def _rendered(found: RunStatus) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    return Group(_head(found), *map(Text, (*_next(found), *_details(found))))


def _head(found: RunStatus) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    from editeval.display.session import Region

    subset = [Text(subset_line(found.subset))] if found.subset is not None else []
    return Group(Region(lambda: found.picture), *subset, Text(_meaning(found), style="bold"))


def _details(found: RunStatus) -> Iterator[str]:
    yield f"model: {found.model}"
    for stage, reasons in found.reasons.items():
        yield f"{stage}: " + ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    yield from (one_line(str(one)) for one in found.reused)
    yield from map(_score_set_line, found.judgings)


def _score_set_line(one: KeptView) -> str:
    what = one.judge + (f", protocol {one.protocol}" if one.protocol else "")
    what += f", reads {one.parent} again" if one.parent else ""
    counts = f"{one.num_scored} scored, {one.num_unscored} unscored"
    return f"scores {one_line(one.name)} ({one.id}): {one_line(what)}: {counts}{', shown' if one.is_shown else ''}"


def _meaning(found: RunStatus) -> str:
    if found.writer is None:
        return _MEANINGS[found.outcome]
    who = found.writer
    return f"running: process {who.get('pid', '?')} on {who.get('host', 'an unknown host')}"


def _json(found: RunStatus) -> str:
    block = {
        "run": found.picture.directory,
        "model": found.model,
        "complete": found.is_complete,
        "outcome": found.outcome,
    }
    block |= {"subset": asdict(found.subset) if found.subset else None}
    block |= {f"{by}s": counts for by, counts in found.covered.items() if counts}
    block |= {"judgings": [asdict(judging) for judging in found.judgings]}
    block |= {"unfinished": [asdict(one) for one in found.unfinished]}
    block |= {"reused": [asdict(one) for one in found.reused]}
    block |= {"writer": found.writer, "reasons": found.reasons} | asdict(found.counts) | asdict(found.picture)
    return json.dumps(plain(block), allow_nan=False) + "\n"
