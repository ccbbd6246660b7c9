"""100,000 samples: what `--dry-run`, the scan before a resumed run, the report and `status` cost: time and peak memory.

Every measurement is a fresh process. Run: `make bench`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_fakes import machine, photo_like

LIMIT_S, LIMIT_MB = 5.0, 300.0
REPORT_S, STATUS_S = 8.0, 0.2  # of CPU

SCAN = """
import sys
from pathlib import Path
from editeval.config.load import load_config
from editeval.run.pipeline import open_store
from editeval.run.plan import make_plan
plan = make_plan(load_config(Path(sys.argv[1])))
with open_store(plan, ["bench"]) as store:
    store.select(plan.samples)
    print(len(store.pending_edits()), "to edit")
"""


FILL = """
import hashlib, sqlite3, sys, time
from pathlib import Path
from editeval.config.load import load_config
from editeval.run.pipeline import open_store
from editeval.run.plan import make_plan
from editeval.store.ledger_events import Load, StageBegin, StageEnd, Stages
plan = make_plan(load_config(Path(sys.argv[1])))
with open_store(plan, ["bench"]) as store:
    store.select(plan.samples)
    store.add_judging("j" * 16, "reference", {"name": "reference"})
    for stage, judging in (("edit", ""), ("judge", "j" * 16)):
        for worker in range(6):
            store.record_event(Load(stage=stage, judging_id=judging, worker=worker, started_at=1e9, ended_at=1e9))
        store.record_event(StageBegin(stage=stage, judging_id=judging, num_requests=1))
        store.record_event(StageEnd(stage=stage, judging_id=judging))
    told = {"key": "judge reference", "kind": "judge", "title": "reference", "total": len(plan.samples)}
    store.record_event(Stages(({**told, "judging_id": "j" * 16},)))
db = sqlite3.connect(plan.dir / "ledger.sqlite")
db.execute("UPDATE events SET at = 1e9 WHERE kind IN ('invocation', 'stage_begin')")
db.execute("UPDATE events SET at = 1e9 + 17000 WHERE kind = 'stage_end'")
ids = [sample.id for sample in plan.samples]
with db:
    db.executemany(
        "INSERT INTO edits (sample_id, status, path, sha256, width, height, seed, worker, device, started_at, seconds, "
        "attempt, flags) VALUES (?, 'done', ?, ?, 64, 64, 1, ?, 'cpu', ?, 1.0, 1, '')",
        ((i, f"edits/{n}.png", hashlib.sha256(i.encode()).hexdigest(), n % 6, 1e9 + n // 6) for n, i in enumerate(ids)),
    )
    for stage, judging in (("edit", ""), ("judge", "j" * 16)):
        db.executemany(
            "INSERT INTO attempts (stage, judging_id, sample_id, attempt, worker, device, started_at, seconds) "
            "VALUES (?, ?, ?, 1, ?, 'cpu', ?, 1.0)",
            ((stage, judging, i, n % 6, 1e9 + n // 6 + 17000 * bool(judging)) for n, i in enumerate(ids)),
        )
    for place, metric in enumerate(("overall", "completeness", "preservation")):
        db.executemany(
            "INSERT INTO scores (judging_id, sample_id, place, judge, metric, value, raw, reason, seconds) "
            "VALUES (?, ?, ?, 'reference', ?, ?, 'said', '', 0.1)",
            (("j" * 16, i, place, metric, n % 101 / 10) for n, i in enumerate(ids)),
        )
db.close()
"""

REPORT = """
import sys, time
from pathlib import Path
from editeval.config.load import load_config
from editeval.run.plan import make_plan
from editeval.run.report import build_report, state_of
from editeval.store.run_store import RunStore
plan = make_plan(load_config(Path(sys.argv[1])))
with RunStore.reopen(plan.dir) as store:
    began = time.process_time()
    report = build_report(plan, store)
    spent = time.process_time() - began
    store.record_event(state_of(report, plan, store))
    assert len(report.summaries) == 3 * 7 and report.coverage["num_scored"] == len(plan.samples)
    print(spent)
"""

STATUS = """
import sys, time
from pathlib import Path
from editeval.run.status import status_of
from editeval.config.load import load_config
from editeval.run.plan import make_plan
directory = make_plan(load_config(Path(sys.argv[1]))).dir
began = time.process_time()
assert status_of(directory).counts.num_scored
print(time.process_time() - began)
"""


def measured(command: list[str], folder: Path, accepted: tuple[int, ...] = (0,)) -> tuple[float, float, str]:
    """(seconds, peak MB, stdout) of a process of its own."""
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    stdout, stderr = process.communicate()
    seconds = time.monotonic() - start
    if process.returncode not in accepted:
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}\n{stderr}")
    peak = [line for line in stderr.splitlines() if line.startswith("PEAK_KB ")]
    return seconds, int(peak[-1].split()[1]) / 1024, stdout


def with_peak(arguments: list[str]) -> list[str]:
    """The command that runs Python with `arguments` and reports its own peak memory at the end."""
    report = "import resource,sys;sys.stderr.write(f'PEAK_KB {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\\n')"
    start = f"import atexit;atexit.register(lambda: exec({report!r}))"
    if arguments[0] == "-c":
        return [sys.executable, "-c", start + "\n" + arguments[1], *arguments[2:]]
    code = f"{start}\nimport sys;sys.argv=['editeval',*sys.argv[1:]]\nfrom editeval.cli.main import main\nmain()"
    return [sys.executable, "-c", code, *arguments]


def write_configs(folder: Path, count: int) -> dict[str, str]:
    """Benchmark name -> configuration file, with `count` samples each."""
    (folder / "images").mkdir()
    (folder / "images" / "a.png").write_bytes(photo_like(64, seed=1))
    rows = [
        {"id": f"s{i}", "image": "a.png", "instruction": f"Make object {i} red.", "category": f"c{i % 5}"}
        for i in range(count)
    ]
    (folder / "images" / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    benchmarks = {
        "procedural": {"type": "procedural", "params": {"num_per_category": count // 5}},
        "image_folder": {"type": "image_folder", "params": {"path": "images"}},
    }
    files = {}
    for name, benchmark in benchmarks.items():
        model = {"type": "identity", "params": {"device_ids": ["cpu"] * 6}}
        files[name] = f"{name}.yaml"
        (folder / files[name]).write_text(json.dumps({"benchmark": benchmark, "diffusion_model": model}))
    return files


def _judged(folder: Path, file: str) -> bool:
    """Whether a finished run of `file` with three metrics is reported and looked at in time. Prints CPU seconds."""
    measured(with_peak(["-c", FILL, file]), folder)
    is_fine = True
    for what, code, limit_s in (("build_report, 3 metrics", REPORT, REPORT_S), ("status", STATUS, STATUS_S)):
        _, peak, told = measured(with_peak(["-c", code, file]), folder)
        is_fine = is_fine and float(told) < limit_s
        print(f"{'judged':15}{what:28}{float(told):>7.2f} s of CPU, limit {limit_s} s{peak:>9.0f} MB", flush=True)
    return is_fine


def main() -> None:
    """Print the table; exit 1 if a limit is broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=100_000)
    count = parser.parse_args().samples
    os.environ.pop("PYTHONDEVMODE", None)
    print(f"{count} samples; limits {LIMIT_S} s and {LIMIT_MB:.0f} MB; {machine()}")
    print(f"{'benchmark':15}{'what':28}{'time':>9}{'peak':>12}")
    is_fine = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for benchmark, file in write_configs(folder, count).items():
            steps = {
                "--dry-run of a new run": ["run", file, "--dry-run"],
                "first scan (fills ledger)": ["-c", SCAN, file],
                "resume scan": ["-c", SCAN, file],
                "--dry-run of that run": ["run", file, "--dry-run"],
            }
            for what, arguments in steps.items():
                seconds, peak, _ = measured(with_peak(arguments), folder)
                is_fine = is_fine and seconds < LIMIT_S and peak < LIMIT_MB
                print(f"{benchmark:15}{what:28}{seconds:>7.2f} s{peak:>9.0f} MB", flush=True)
        is_fine = _judged(folder, file) and is_fine
    raise SystemExit(not is_fine)


if __name__ == "__main__":
    main()
