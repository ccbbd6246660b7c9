"""What the report must hold: its size, how fast it is written, opened and scrolled, and what memory the writer takes.

The pages are measured in a headless Chromium, from the disk. Run: `make bench`, or
`PYTHONPATH=tests/browser:tests/reports python bench/report.py`.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench_fakes import machine
from browser_runs import large_report
from report_fakes import believable_rows, draw_edits, report_of, row_of, value_of

from editeval.reporting import write_reports
from editeval.reports.data import SampleRow, survey
from editeval.reports.html import write_report_html
from editeval.viewer import page

LIMIT_KB, LIMIT_OPEN_MS, LIMIT_FRAME_MS, LIMIT_WRITE_S, LIMIT_RATIO = 60.0, 1000.0, 50.0, 5.0, 1.5
MANY, FEW = 100_000, 10_000
SCROLL = """async () => {
  const list = document.querySelector('.rows'), frames = [], tasks = [0];
  new PerformanceObserver(seen => tasks.push(...seen.getEntries().map(e => e.duration))).observe({type: 'longtask'});
  let last = performance.now();
  for (let i = 0; i < 300; i++) {
    list.scrollTop += i < 200 ? 120 : 40000;
    await new Promise(done => requestAnimationFrame(done));
    frames.push(performance.now() - last);
    last = performance.now();
  }
  frames.sort((a, b) => a - b);
  return {median: frames[150], p95: frames[285], longest: Math.max(...tasks)};
}"""


def written_s() -> float:
    """Every file of a run of 270 samples, with all thumbnails still to be made."""
    with tempfile.TemporaryDirectory() as name:
        directory, rows = Path(name), believable_rows(270)
        draw_edits(rows, directory)
        begun = time.monotonic()
        write_reports(report_of(rows, directory), directory)
        return time.monotonic() - begun


def write_many(count: int) -> None:
    """report.html of `count` samples that exist one at a time; prints this process's peak in MB."""

    def samples() -> Iterator[SampleRow]:
        return (row_of(index, "done", value_of(index)) for index in range(count))

    with tempfile.TemporaryDirectory() as name:
        report = report_of(believable_rows(10), Path(name))
        found = survey(samples(), "overall")
        write_report_html(replace(report, samples=samples, survey=found, images=lambda _: (None, None)), Path(name))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def peak_mb(count: int) -> float:
    """Of a process of its own."""
    command = [sys.executable, __file__, str(count)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def looked_at(count: int) -> tuple[float, dict[str, Any]]:
    """(milliseconds until all of `count` samples are there, what scrolling through them gave)."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise SystemExit("no chromium on this machine; `make test-browser` installs Debian's")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        report = large_report(Path(name) / "run", count)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page()
        tab.goto(f"file://{report}#page=grid")
        tab.wait_for_selector(".app[data-ready=true] .row")
        opened = float(tab.evaluate("performance.getEntriesByName('complete')[0].startTime"))
        told: dict[str, Any] = tab.evaluate(SCROLL)
        browser.close()
        return opened, told


def main() -> None:
    """Print every limit and what was measured; exit 1 if one does not hold."""
    if len(sys.argv) > 1:
        write_many(int(sys.argv[1]))
        return
    print(f"report and viewer; {machine()}", flush=True)
    size = sum(len(page.asset(name)) for name in page.STYLES + page.SCRIPTS) / 1000
    opened, _ = looked_at(5_000)
    later, scrolled = looked_at(25_000)
    few, many = peak_mb(FEW), peak_mb(MANY)
    scroll = f"{scrolled['median']:.0f} ms, 95 % {scrolled['p95']:.0f} ms, longest task {scrolled['longest']:.0f} ms"
    seconds = written_s()
    rows = (
        ("JavaScript and CSS", f"{size:.1f} kB", f"{LIMIT_KB:g} kB", size < LIMIT_KB),
        ("5,000 samples open", f"{opened:.0f} ms", f"{LIMIT_OPEN_MS:g} ms", opened < LIMIT_OPEN_MS),
        ("25,000 samples open", f"{later:.0f} ms", "none", True),
        ("25,000 samples scroll, a frame", scroll, f"95 % {LIMIT_FRAME_MS:g} ms", scrolled["p95"] < LIMIT_FRAME_MS),
        ("270 samples written, no thumbnails yet", f"{seconds:.2f} s", f"{LIMIT_WRITE_S:g} s", seconds < LIMIT_WRITE_S),
        (f"peak of the writer, {FEW:,} samples", f"{few:.0f} MB", "none", True),
        (f"peak of the writer, {MANY:,} samples", f"{many:.0f} MB", f"{LIMIT_RATIO:g} x", many < LIMIT_RATIO * few),
    )
    for what, value, limit, holds in rows:
        print(f"{what:<40} {value:<52} limit {limit:<12} {'holds' if holds else 'EXCEEDED'}")
    raise SystemExit(not all(holds for *_, holds in rows))


if __name__ == "__main__":
    main()
