"""`status`, `show` and `export` of real runs: while one goes on, after it ended and after a kill -9."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from command_line import cli
from waiting import wait_for

CONFIG = """\
benchmark:
  type: procedural
  params: {num_per_category: 3, size: 64}
diffusion_model:
  type: fakes.fake_editor
  params: {device_ids: [cpu, cpu], seconds: %(seconds)s, steps: 5, notes: notes, refuse: [causal/0001], %(more)s}
  execution: {backend: %(backend)s}
reward_models:
  exact: {type: reference, params: {device_ids: [cpu], batch_size: 4}, execution: {backend: inprocess}}
  second:
    type: fakes.fake_judge
    params: {device_ids: [cpu], modes: {cultural/0001: raises}}
    execution: {backend: inprocess}
"""
NUM_SAMPLES = 15


def prepared(
    folder: Path, seconds: float = 0.02, more: str = "out_of_memory: {physical/0001: 1}", backend: str = "inprocess"
) -> Path:
    (folder / "notes").mkdir()
    text = CONFIG % {"seconds": seconds, "more": more, "backend": backend}
    (folder / "small.yaml").write_text(text, encoding="utf-8")
    return folder


def status(folder: Path) -> dict[str, Any]:
    return dict(json.loads(cli("status", "--json", cwd=folder).stdout))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = prepared(tmp_path_factory.mktemp("finished"))
    done = cli("run", "small.yaml", "--allow-code", "--display", "json", cwd=folder)
    assert done.returncode == 3, done.stderr
    (folder / "events.jsonl").write_text(done.stdout, encoding="utf-8")
    return folder


def test_events_are_one_json_object_per_line_and_nothing_else_is_on_stdout(finished: Path) -> None:
    events = [json.loads(line) for line in (finished / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert events[0]["event"] == "run_began" and events[-1] == events[-1] | {"event": "run_ended", "exit_code": 3}
    stages = [e["key"] for e in events if e["event"] == "stage_began"]
    assert stages == ["edit", "judge exact", "judge second"]
    settled = [e for e in events if e["event"] == "settled"]
    assert sum(e["num_samples"] for e in settled if e["stage"] == "edit") == NUM_SAMPLES
    assert {f["reason"] for e in settled for f in e["failures"]} == {"refused", "exception"}
    assert sum(e["event"] == "attempt" for e in events) >= 1
    last = next(e for e in reversed(events) if e["event"] == "picture")
    assert [s["state"] for s in last["stages"]] == ["ended"] * 3


def test_status_of_a_finished_run_says_what_failed_and_why(finished: Path) -> None:
    found = status(finished)
    assert (found["outcome"], found["complete"], found["writer"]) == ("incomplete", False, None)
    assert found["reasons"] == {"edit": {"refused": 1}, "judge second": {"exception": 1}}
    edit, exact, second = found["stages"]
    assert (edit["done"], edit["failed"], edit["total"], edit["state"]) == (14, 1, 15, "ended")
    assert (exact["done"], exact["total"]) == (14, 14) and exact["score"]["num_scored"] == 14
    assert (second["done"], second["failed"]) == (13, 1) and second["score"]["metric"] == "second.overall"
    done = cli("status", cwd=finished)
    assert done.returncode == 3
    for words in ("15/15", "1 failed", "1 unscored", "edit: 1 refused", "editeval retry"):
        assert words in done.stdout, words


def test_the_running_mean_of_status_is_that_of_the_report(finished: Path) -> None:
    report = json.loads((finished / "outputs" / "latest" / "report.json").read_bytes())
    for stage in status(finished)["stages"][1:]:
        score = stage["score"]
        (whole,) = (s for s in report["summaries"] if (s["metric"], s["category"]) == (score["metric"], "micro"))
        assert score["mean"] == pytest.approx(whole["mean"], abs=1e-12)
        assert [score["low"], score["high"]] == pytest.approx([whole["ci_low"], whole["ci_high"]], abs=1e-12)


def test_following_a_run_that_has_ended_says_so_at_once(finished: Path) -> None:
    assert "finished, but some samples failed" in cli("status", "--follow", cwd=finished).stdout
    assert len(cli("status", "--follow", "--json", cwd=finished).stdout.splitlines()) == 1


def test_status_while_a_run_goes_on_and_after_kill_9(tmp_path: Path) -> None:
    folder = prepared(tmp_path, seconds=0.6, more="slow: {referential/0002: 60.0}", backend="process")
    command = [sys.executable, "-m", "editeval", "run", "small.yaml", "--allow-code"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        latest = folder / "outputs" / "latest"
        wait_for(lambda: len(list(latest.glob("edits/*.png"))) >= 2)
        found = status(folder)
        assert (found["outcome"], found["writer"]["pid"]) == ("running", process.pid)
        live = wait_for(
            lambda: [w for w in status(folder)["workers"] if w["state"] == "editing" and w["num_steps"] == 5]
        )
        assert live[0]["sample"] and live[0]["step"] >= 1
        os.kill(process.pid, signal.SIGSTOP)  # its live picture grows old: what the ledger knows must do
        time.sleep(0.2)
        (latest / "live.json").unlink()
        found = status(folder)
        edit = found["stages"][0]
        assert edit["state"] == "running" and 2 <= edit["done"] < NUM_SAMPLES
        assert edit["images_per_min"] > 0 and edit["eta_s"] is not None and edit["num_batches"] == 8
        assert {w["state"] for w in found["workers"]} == {"last seen"} and found["workers"][0]["sample"]
        running = cli("status", cwd=folder)
        assert "running: process" in running.stdout and running.returncode == 0, "nothing is wrong with it"
    finally:
        process.kill()
        process.wait()
    found = status(folder)
    assert (found["outcome"], found["writer"]) == ("killed", None)
    assert found["stages"][0]["state"] == "stopped"
    done = cli("status", cwd=folder)
    assert (
        done.returncode == 3
        and "its process was killed; what finished is safe\nTo continue: editeval run small.yaml" in done.stdout
    )


def test_status_after_ctrl_c_says_interrupted(tmp_path: Path) -> None:
    folder = prepared(tmp_path, seconds=0.3, more="", backend="process")
    command = [sys.executable, "-m", "editeval", "run", "small.yaml", "--allow-code", "--display", "none"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: list((folder / "outputs").glob("small-*/edits/*.png")))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130 and "INFO" not in said and "To continue" in said
    assert status(folder)["outcome"] == "interrupted"


def export(folder: Path, to: str, *more: str) -> str:
    done = cli("export", "--to", to, "--output", "-", *more, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_csv_has_a_row_per_sample_with_every_judge(finished: Path) -> None:
    rows = list(csv.DictReader(export(finished, "csv").splitlines()))
    assert len(rows) == NUM_SAMPLES
    by_id = {row["id"]: row for row in rows}
    refused = by_id["causal/0001"]
    assert (refused["status"], refused["error_reason"], refused["overall"]) == ("failed", "refused", "")
    assert by_id["cultural/0001"]["second.overall_reason"] == "exception"
    done = by_id["physical/0001"]
    assert (done["attempt"], done["width"], done["second.overall"]) == ("2", "64", "5.0")
    assert float(done["seconds"]) >= 0.02 and float(done["overall"]) >= 0


def test_the_parquet_says_what_the_csv_says(finished: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    path = finished / "samples.parquet"
    done = cli("export", "--to", "parquet", "--output", str(path), cwd=finished)
    assert done.returncode == 0, done.stderr
    table = parquet.read_table(path)
    rows = list(csv.DictReader(export(finished, "csv").splitlines()))
    assert table.column("id").to_pylist() == [row["id"] for row in rows]
    values = [None if row["overall"] == "" else float(row["overall"]) for row in rows]
    assert table.column("overall").to_pylist() == values
    assert json.loads(table.column("overall_raw").to_pylist()[0])["unit"] == "1/1000 px"
    assert table.schema.metadata[b"editeval.run"].startswith(b"small-")


def test_without_pyarrow_parquet_names_its_package(finished: Path) -> None:
    hide = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from editeval.cli.main import main; main(['export', '--to', 'parquet'])"
    )
    done = subprocess.run([sys.executable, "-c", hide], cwd=finished, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "install 'pyarrow>=19'" in done.stderr and done.stderr.count("\n") == 1
    assert not (finished / "outputs" / "latest" / "samples.parquet").exists()


def test_the_trace_has_every_load_edit_judgement_failure_and_batch(finished: Path) -> None:
    events = json.loads(export(finished, "trace"))["traceEvents"]
    kinds = [event["cat"] for event in events if event["ph"] == "X"]
    assert kinds.count("load") == 4 and kinds.count("edit") == 14 and kinds.count("batch") == 8
    failed = {event["name"]: event["args"]["reason"] for event in events if event.get("cat") == "failed"}
    assert failed == {"causal/0001: refused": "refused", "physical/0001: oom": "oom"}
    judged = [event for event in events if event.get("cat") == "judge"]
    assert max(len(event["args"]["samples"]) for event in judged) == 4
    names = [e["args"]["name"] for e in events if e["name"] == "process_name"]
    assert [name.partition(" (")[0] for name in names] == ["edit", "judge exact", "judge second"]
    assert names[1].startswith("judge exact (reference, ")
    marks = [event["name"] for event in events if event["ph"] == "i"]
    assert marks == [f"all synchronised after batch {n}" for n in range(1, 9)]


def test_gpu_samples_are_counters_of_the_trace(finished: Path) -> None:
    path = finished / "outputs" / "latest" / "gpu.csv"
    path.write_text(
        "unix_s,gpu,utilisation_percent,memory_mib,power_w,temperature_c\n1700000000.000,cuda:0,97,61234.5,640.25,\n",
        encoding="ascii",
    )
    try:
        events = json.loads(export(finished, "trace"))["traceEvents"]
    finally:
        path.unlink()
    assert [(e["name"], *e["args"].values()) for e in events if e["ph"] == "C"] == [
        ("cuda:0 utilisation %", 97.0),
        ("cuda:0 memory MiB", 61234.5),
        ("cuda:0 power W", 640.25),
    ]


def test_the_table_for_papers_takes_several_runs_and_markdown_is_the_report(finished: Path) -> None:
    run = (finished / "outputs" / "latest").resolve().name
    table = export(finished, "tex", run, run)
    assert table.count(r"\midrule") == 2 and r"fake\_editor (small) (small-" in table and "14/15" in table
    assert export(finished, "md", "--allow-code") == (finished / "outputs" / "latest" / "report.md").read_text("utf-8")


def test_an_export_goes_into_the_run_unless_told_otherwise_and_disturbs_nothing(finished: Path) -> None:
    done = cli("export", "--to", "tex", cwd=finished)
    path = (finished / "outputs" / "latest").resolve() / "table.tex"
    assert done.stdout.strip() == str(path) and path.read_text("utf-8") == export(finished, "tex")
    assert cli("verify", cwd=finished).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("export",), "--to"),
        (("export", "latest", "latest", "--to", "csv"), "one run at a time"),
        (("export", "--to", "parquet", "--output", "-"), "--output"),
        (("export", "--to", "md"), "--allow-code"),
        (("export", "--to", "csv", "--output", "absent/folder/x.csv"), "absent/folder"),
        (("show", "cultural/000l"), "did you mean 'cultural/000"),
        (("show", "cult"), "3 samples begin so: 'cultural/0000', 'cultural/0001', 'cultural/0002'"),
        (("show", "qqq"), "has no such sample"),
        (("run", "small.yaml", "--display", "fancy"), "choose from"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_2(finished: Path, arguments: tuple[str, ...], line: str) -> None:
    done = cli(*arguments, cwd=finished)
    assert done.returncode == 2 and line in done.stderr, done.stderr
    assert all(said.startswith("editeval: ") for said in done.stderr.splitlines()), "a line for each mistake"


def test_show_tells_the_texts_the_attempts_and_what_every_judge_said(finished: Path) -> None:
    said = cli("show", "physical/0001", cwd=finished).stdout
    for words in (
        "instruction  ",
        "edit         done, attempt 2, seed ",
        "64 x 64, the file is as recorded",
        "oom: OutOfMemoryError: CUDA out of memory",
        "      Traceback (most recent call last):",
        "scores       exact (reference, ",
        "      unit: 1/1000 px",
        "scores       second (fakes.fake_judge, ",
    ):
        assert words in said, words
    assert "unscored: exception" in cli("show", "cultural/0001", cwd=finished).stdout


def test_show_as_json_decodes_replies_and_a_glob_shows_several(finished: Path) -> None:
    lines = cli("show", "cultural/*", "--json", cwd=finished).stdout.splitlines()
    found = [json.loads(line) for line in lines]
    assert [sample["sample_id"] for sample in found] == ["cultural/0000", "cultural/0001", "cultural/0002"]
    scores = found[0]["judgings"][0]["scores"]
    assert scores[0]["metric"] == "overall" and scores[0]["raw"]["unit"] == "1/1000 px"
    assert found[0]["attempts"][0]["stage"] == "edit" and found[0]["file"] == "as recorded"


def test_show_notices_an_image_that_was_altered(finished: Path) -> None:
    sample = json.loads(cli("show", "physical/0000", "--json", cwd=finished).stdout)
    path = finished / "outputs" / "latest" / sample["edit"]["path"]
    before = path.read_bytes()
    try:
        path.write_bytes(before + b"x")
        assert "not the image that was recorded" in cli("show", "physical/0000", cwd=finished).stdout
    finally:
        path.write_bytes(before)


def test_a_reader_of_events_that_leaves_early_does_not_change_the_exit_code(tmp_path: Path) -> None:
    folder = prepared(tmp_path, more="")
    run = f"{sys.executable} -m editeval run small.yaml --allow-code --display json"
    command = f"{run} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    first, code = done.stdout.splitlines()
    assert json.loads(first)["event"] == "run_began" and code == "3"
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


def test_the_log_file_has_the_contract_lines_whatever_the_display(tmp_path: Path) -> None:
    folder = prepared(tmp_path, more="")
    assert cli("run", "small.yaml", "--allow-code", "--display", "none", cwd=folder).returncode == 3
    (path,) = (folder / "outputs" / "logs").glob("small.log")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert "  🔄 Batch synchronization: ENABLED ✅" in lines and "Batch 8/8 done, GPUs synced ✓" in lines
    retried = cli("retry", "--allow-code", "--display", "none", cwd=folder)
    assert retried.returncode == 3
    first, last = retried.stderr.splitlines()
    assert ": trying again 1 edits" in first and last.startswith("To try again what failed: editeval retry")
