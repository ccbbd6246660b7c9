"""What the display costs: CPU time of a process that does nothing but show a run, as a share of one core.

A run of N workers is told as the dispatcher tells it (four steps a second and worker, an image per worker every ten
seconds) while the live region is redrawn twice a second and live.json is written once a second; `plain` and `json` the
same. What telling and showing cost is in the figure; the terminal that draws is not. Run: `python bench/display.py`.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from bench_fakes import machine
from editeval.display.observer import Observer, RequestCompleted, RunFacts, StageFacts
from editeval.display.recorder import EventLines, Recorder
from editeval.display.session import LiveDisplay, PlainDisplay
from editeval.display.tracker import Tracker

LIMIT_PERCENT = 1.0  # of a core, whatever the number of workers
STEP_S, IMAGE_S, NUM_STEPS = 0.25, 10.0, 40


def mean(scores: Mapping[str, Sequence[float]]) -> tuple[float, None, None]:
    """No interval: this run is not judged."""
    values = [value for group in scores.values() for value in group]
    return sum(values) / len(values), None, None


def told(observer: Observer, workers: int, seconds: float, directory: str) -> None:
    """Tell a run of `seconds`."""
    facts = StageFacts("edit", "edit", "Bench", 100_000, devices=(("cpu",),) * workers, is_synchronised=True)
    observer.run_began(RunFacts("bench", directory, 100_000, (facts,)))
    observer.stage_began(facts)
    begun = time.monotonic()
    for tick in range(int(seconds / STEP_S)):
        step = tick % NUM_STEPS
        for worker in range(workers):
            data = {"worker": worker, "key": f"category/sample-{tick // NUM_STEPS:05d}-{worker}"}
            if step == 0:
                observer.notice("edit", "started", data)
            observer.notice("edit", "progress", data | {"step": step + 1, "num_steps": NUM_STEPS})
            if step == NUM_STEPS - 1:
                observer.notice("edit", "finished", data)
                observer.settled("edit", RequestCompleted(data["key"], worker, IMAGE_S))
        time.sleep(max(0.0, begun + (tick + 1) * STEP_S - time.monotonic()))


@contextmanager
def watched(display: str, width: int) -> Iterator[Observer]:
    """What the session of a run sets up, with nowhere to show it."""
    tracker = Tracker(mean)
    with ExitStack() as stack:
        null = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        stack.enter_context(Recorder(tracker))
        observer: Observer = tracker
        if display == "live":
            console = Console(file=null, force_terminal=True, width=width, height=50, color_system="truecolor")
            stack.enter_context(LiveDisplay(tracker.picture, console))
        elif display == "plain":
            stack.enter_context(PlainDisplay(tracker.picture, io.StringIO().write))
        else:
            observer = stack.enter_context(EventLines(tracker, null))
        yield observer


def cpu_s() -> float:
    """User and system time of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def share(display: str, workers: int, width: int, seconds: float) -> float:
    """Percent of a core; without what is imported once."""
    with tempfile.TemporaryDirectory() as directory, watched(display, width) as observer:
        told(observer, workers, 3.0, directory)
    with tempfile.TemporaryDirectory() as directory, watched(display, width) as observer:
        begun, before = time.monotonic(), cpu_s()
        told(observer, workers, seconds, directory)
        return 100 * (cpu_s() - before) / (time.monotonic() - begun)


def main() -> None:
    """Print the table; exit 1 above LIMIT_PERCENT of a core."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args().seconds
    print(f"{seconds:g} s each; {machine()}")
    print(f"{'display':<9}{'workers':>8}{'columns':>9}{'of a core':>12}")
    worst = 0.0
    for display, workers, width in [
        *(("live", workers, 118) for workers in (1, 6, 16, 64, 512)),
        *(("live", 6, width) for width in (80, 200)),
        ("plain", 6, 118),
        ("json", 6, 118),
    ]:
        percent = share(display, workers, width, seconds)
        worst = max(worst, percent)
        print(f"{display:<9}{workers:>8}{width:>9}{percent:>10.2f} %", flush=True)
    print(f"worst: {worst:.2f} % (limit {LIMIT_PERCENT:g} %)")
    raise SystemExit(worst > LIMIT_PERCENT)


if __name__ == "__main__":
    main()
