"""The limits of the report, measured: size of the front end, seconds and memory of the writer, the browser's times.

Run: `python bench/report.py` (the browser's part needs playwright and Chromium: `make test-browser` installs both).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_fakes import machine
from editeval.reports.site import page
from editeval.store.ledger_events import StageEnd
from editeval.store.run_store import RunStore

ROOT = Path(__file__).parent.parent
MAX_FRONT_END, MAX_WRITE_S, MAX_OPEN_MS, MAX_GROWTH_MB = 60_000, 5.0, 1000.0, 100.0
NUM_FULL = 270

WRITE = """
import json, resource, sys, time
from dataclasses import replace
from pathlib import Path
sys.path[:0] = [{tests!r}]
from report_fakes import report_of, row_of, value_of
from editeval.reports.site.write import write_report_html
from editeval.reports.site.thumbnails import FOLDER, INDEX
folder, count = Path(sys.argv[1]), int(sys.argv[2])
(folder / FOLDER).mkdir(parents=True)
with (folder / FOLDER / INDEX).open("w") as index:
    for i in range(count):
        index.write(json.dumps([row_of(i).id, row_of(i).sha256, None, None, None]) + chr(10))
report = report_of([row_of(i) for i in range(100)], folder)
report = replace(report, samples=lambda: (row_of(i, "done", value_of(i)) for i in range(count)))
start = time.perf_counter()
write_report_html(report, folder)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({{"seconds": time.perf_counter() - start, "peak_mb": peak}}))
"""


class Table:
    """Lines of what was measured; knows whether a limit was broken."""

    def __init__(self) -> None:
        self.is_sound = True

    def add(self, what: str, value: float, unit: str, limit: float | None = None) -> None:
        is_kept = limit is None or value <= limit
        self.is_sound &= is_kept
        told = "" if limit is None else f"limit {limit:g} {unit}  {'ok' if is_kept else 'BROKEN'}"
        print(f"{what:<62}{value:>10.1f} {unit:<4}{told}", flush=True)


def front_end(table: Table) -> None:
    """Bytes that a browser is given; the words of the interface are data, and told apart."""
    scripts = {name: page.asset(name).decode() for name in page.SCRIPTS}
    styles = {name: page.asset(name).decode() for name in page.STYLES}
    code = sum(len(text.encode()) for text in scripts.values())
    style = sum(len(text.encode()) for text in styles.values())
    bare = sum(len(_bare(text).encode()) for text in [*scripts.values(), *styles.values()])
    table.add(f"JavaScript, {len(scripts)} files", code / 1000, "kB")
    table.add(f"style sheets, {len(styles)} files", style / 1000, "kB")
    table.add("JavaScript and style sheets as they are", (code + style) / 1000, "kB", MAX_FRONT_END / 1000)
    table.add("  the same without comments and indentation", bare / 1000, "kB")
    static = Path(page.__file__).parent / "static"
    table.add("words in two languages (data)", (static / "words.json").stat().st_size / 1000, "kB")


def _bare(text: str) -> str:
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    lines = (re.sub(r"\s+// .*$|^// .*$", "", line).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def real_run(table: Table, folder: Path) -> None:
    """The report of a full run of the built-in benchmark, with the pictures that the run has made."""
    config = folder / "full.yaml"
    model = {"type": "identity", "params": {"device_ids": ["cpu", "cpu"]}}
    judge = {"type": "reference", "params": {"device_ids": ["cpu", "cpu"]}}
    benchmark = {"type": "procedural", "params": {"num_per_category": NUM_FULL // 5}}
    config.write_text(json.dumps({"benchmark": benchmark, "diffusion_model": model, "reward_model": judge}))
    command = [sys.executable, "-m", "editeval", "run", str(config), "--output-dir", str(folder / "outputs")]
    subprocess.run(command, check=True, capture_output=True)
    (run,) = (folder / "outputs").glob("full-*")
    made = sum(1 for _ in (run / "report" / "pictures.jsonl").open())
    with RunStore.read(run) as store:
        ended_at = max(one.at for one in store.events_of(StageEnd))
    first = (run / "report.html").stat().st_mtime - ended_at
    after = _timed(["report", str(run)])
    shutil.rmtree(run / "report")
    again = _timed(["report", str(run)])
    table.add(f"report of {made} samples: from the last score to report.html", first, "s", MAX_WRITE_S)
    table.add("  `editeval report` of it, all files, start included", after, "s", MAX_WRITE_S)
    table.add("  the same with every picture again", again, "s")
    size = sum(path.stat().st_size for path in (run / "report").rglob("*") if path.is_file())
    table.add("  its folder", size / 2**20, "MiB")


def _timed(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "editeval", *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def memory(table: Table, folder: Path) -> None:
    """Peak memory of a process that writes a report, for more and more samples."""
    source = WRITE.format(tests=str(ROOT / "tests" / "reports"))
    peaks = {}
    for count in (1_000, 100_000):
        command = [sys.executable, "-c", source, str(folder / f"large{count}"), str(count)]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        peaks[count] = told["peak_mb"]
        table.add(f"writing {count:,} samples, their pictures known", told["seconds"], "s")
    table.add("  more memory for 100,000 than for 1,000", peaks[100_000] - peaks[1_000], "MB", MAX_GROWTH_MB)


def browser(table: Table, folder: Path) -> None:
    """From the disk: until every row is there, and frames while scrolling."""
    sys.path[:0] = [str(ROOT / "tests" / "reports"), str(ROOT / "tests" / "browser")]
    from browser_runs import SCROLL, large_report, opening_ms
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        print(f"Chromium {chromium.version}")
        for count in (5_000, 25_000):
            report = large_report(folder / f"shown{count}", count)
            tab = chromium.new_page(viewport={"width": 1280, "height": 860})
            times = []
            for _ in range(3):
                tab.goto(f"file://{report}#page=grid")
                tab.reload()
                tab.wait_for_selector(".app[data-ready=true]")
                times.append(opening_ms(tab))
            told = tab.evaluate(SCROLL)
            limit = MAX_OPEN_MS if count == 5_000 else None
            table.add(f"{count:,} samples: until every row is there (median of 3)", sorted(times)[1], "ms", limit)
            table.add("  frame while scrolling, 95 of 100 within", told["p95"], "ms", 50.0)
            tab.close()
        chromium.close()


def main() -> None:
    """Print the table; exit 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="only the size of the front end and the real run")
    options = parser.parse_args()
    print(machine())
    table = Table()
    front_end(table)
    with tempfile.TemporaryDirectory() as folder:
        real_run(table, Path(folder))
        if not options.quick:
            memory(table, Path(folder))
            if importlib.util.find_spec("playwright") and shutil.which("chromium"):
                browser(table, Path(folder))
            else:
                print("no playwright or no chromium: the browser's part is left out")
    sys.exit(0 if table.is_sound else 1)


if __name__ == "__main__":
    main()
