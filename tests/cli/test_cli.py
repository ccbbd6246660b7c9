"""The command line as a user types it: exit codes, one-line errors; signals, deaths and streams as real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from command_line import cli
from editeval import plugins
from editeval.editors._images_api import DIALECTS
from editeval.editors.diffusion.families import FAMILIES
from editeval.images import encode_png

ROOT = Path(__file__).parent.parent.parent
CONFIG = """\
benchmark:
  type: procedural
  params: {num_per_category: 2, size: 64}
diffusion_model:
  type: fakes.fake_editor
  params:
    device_ids: [cpu, cpu]
    seconds: 0.05
  execution: {backend: inprocess}
reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
"""
WORKERS = CONFIG.replace("backend: inprocess", "backend: process")


def process(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`python COMMAND`, another process."""
    return subprocess.run([sys.executable, *command], cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


Called = Callable[..., tuple[int, str, str]]


@pytest.fixture
def called(folder: Path) -> Called:
    """(exit code, stdout, stderr) of a command line in `folder`."""

    def call(*arguments: str) -> tuple[int, str, str]:
        done = cli(*arguments, cwd=folder)
        return done.returncode, done.stdout, done.stderr

    return call


def only_run(folder: Path) -> Path:
    return (folder / "outputs" / "latest").resolve()


def test_help_names_every_command_and_exit_code(tmp_path: Path) -> None:
    done = process("-m", "editeval", "--help", cwd=tmp_path)
    assert done.returncode == 0
    for word in ("run", "check", "status", "report", "verify", "list", "simulate", "130"):
        assert word in done.stdout


def test_run_prints_a_table_and_the_path_of_the_report_and_main_py_continues_it(folder: Path) -> None:
    (folder / "small.yaml").write_text(WORKERS, encoding="utf-8")
    done = process("-m", "editeval", "run", "small.yaml", "--allow-code", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "micro" in done.stdout and "report.html" in done.stdout
    again = process(str(ROOT / "main.py"), "--config", "small.yaml", "--allow-code", "--resume", cwd=folder)
    assert again.returncode == 0 and "10 edited already, 0 to edit" in again.stderr
    names = ["report.json", "samples.jsonl", "scores.csv", "report.md", "report.html", "manifest.json"]
    assert all((only_run(folder) / name).stat().st_size for name in names)
    logs = list((folder / "outputs" / "logs").glob("*.log"))
    assert any("Batch synchronization: ENABLED ✅" in log.read_text(encoding="utf-8") for log in logs)
    assert cli("report", cwd=folder).returncode == 2, "code that a run names is imported only with --allow-code"
    for command in (["status"], ["verify"], ["report", "--allow-code"]):
        looked = cli(*command, cwd=folder)
        assert looked.returncode == 0, looked.stderr
    assert json.loads(cli("status", "--json", cwd=folder).stdout)["num_scored"] == 10


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("run", "small.yaml", "--allow-code", "--set", "diffusion_model.params.sede=1"), "did you mean 'seed'?"),
        (("run", "absent.yaml"), "absent.yaml: "),
        (("run", "small.yaml", "--limt", "3"), "did you mean --limit?"),
        (("run", "small.yaml"), "is code from outside editeval"),
        (("run", "small.yaml", "--allow-code", "--limit", "0"), "limit"),
        (("run", "small.yaml", "--allow-code", "--device-ids", "0"), "no cuda:0 on this machine"),
        (("run", "small.yaml", "--allow-code", "--categories", "weather"), "no sample of 'weather'"),
        (("status", "nothing"), "no run directory of this name"),
        (("simulate", "--durations", "2,x"), "--durations: "),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_2(
    folder: Path, called: Called, arguments: tuple[str, ...], line: str
) -> None:
    code, _, said = called(*arguments)
    assert code == 2
    assert line in said and len(said.strip().splitlines()) == 1, said
    assert not (folder / "outputs").exists()


def test_a_misspelt_key_in_the_file_is_named_with_its_line_by_a_real_process(folder: Path) -> None:
    (folder / "small.yaml").write_text(CONFIG.replace("seconds", "secunds"), encoding="utf-8")
    done = process("-m", "editeval", "check", "small.yaml", "--allow-code", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("editeval: small.yaml:8: diffusion_model.params.secunds: unknown key; did you mean")


def test_dry_run_shows_the_plan_and_writes_nothing(folder: Path, called: Called) -> None:
    code, out, _ = called("run", "small.yaml", "--allow-code", "--dry-run")
    assert code == 0
    assert "10 to make" in out and "5 batches of 2" in out and "worker 1 on cpu: 5 edits" in out
    bound = (
        "at most 3 attempts (max_attempts) x 7200 s (timeout_s; stall_s to be sent, stall_s to be encoded) = 6:00:00"
    )
    assert f"one request can hold its batch for {bound}, and start_timeout_s 1800 s for each time" in out
    assert not (folder / "outputs").exists()


def test_dry_run_bounds_what_one_request_may_hold_up_when_retries_wait(called: Called) -> None:
    where = "diffusion_model.execution"
    sets = ("--set", f"{where}.retry=at_end", "--set", f"{where}.timeout_s=60", "--set", f"{where}.stall_s=30")
    _, out, _ = called("run", "small.yaml", "--allow-code", "--dry-run", *sets)
    assert "hold its batch for one attempt (retry: at_end) x 120 s (" in out and "= 02:00; reading" in out
    assert "; reading its source image comes on top and has no limit\n" in out, "and no promise that is false"


def test_dry_run_counts_only_the_samples_that_the_command_wants(folder: Path, called: Called) -> None:
    """A run of four, one of which failed, then plans for more and for fewer than that."""
    text = CONFIG.replace("seconds: 0.05", "refuse: [physical/0001]")
    (folder / "small.yaml").write_text(text, encoding="utf-8")
    assert cli("run", "small.yaml", "--allow-code", "--limit", "4", cwd=folder).returncode == 3
    for limit, judged in ((1, "1 scored, 0 unscored, 0 to judge"), (6, "3 scored, 0 unscored, 2 to judge")):
        _, out, _ = called("run", "small.yaml", "--allow-code", "--dry-run", "--limit", str(limit))
        assert judged in out, out


def test_the_production_configuration_is_accepted_on_a_machine_without_gpus(called: Called) -> None:
    code, _, said = called("check", str(ROOT / "config_multi_gpu.yaml"))
    assert code == 0 and "no cuda:0, cuda:1, cuda:2, cuda:3, cuda:4, cuda:5 on this machine" in said
    code, _, said = called("run", str(ROOT / "config_multi_gpu.yaml"))
    assert code == 2 and "cuda:5" in said


def test_simulate_gives_the_exact_oracles(called: Called) -> None:
    _, out, _ = called("simulate", "--requests", "270", "--durations", "2.0,2.1,2.0,2.0,2.0,2.0", "--json")
    result = json.loads(out)
    assert result["lower_bound_s"] == 92.0
    spans = {p["policy"]: p["makespan_s"] for p in result["policies"]}
    assert spans == {"batch_sync": 94.5, "round_robin": 94.5, "bounded_drift": 94.5, "dynamic": 92.0}


def test_no_policy_beats_the_lower_bound_when_the_slow_worker_rotates(called: Called) -> None:
    _, out, _ = called("simulate", "--durations", "2.1,2,2,2,2,2", "--rotate", "--json")
    result = json.loads(out)
    assert result["lower_bound_s"] == 90.0 <= min(p["makespan_s"] for p in result["policies"])


def test_a_place_that_cannot_be_written_to_is_one_line_and_exit_2(folder: Path, called: Called) -> None:
    (folder / "file").touch()
    code, _, said = called("run", "small.yaml", "--allow-code", "--output-dir", "file")
    assert code == 2, said
    assert said.count("\n") == 1 and "file/logs" in said and "--output-dir" in said


def test_a_report_that_does_not_fit_on_the_disk_is_one_line_and_exit_2(folder: Path) -> None:
    assert cli("run", "small.yaml", "--allow-code", cwd=folder).returncode == 0
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)); "
    limit += "from editeval.cli.main import main; main(['report', '--allow-code', '--embed', 'one.html'])"
    done = process("-c", limit, cwd=folder)
    assert done.returncode == 2 and "free some space" in done.stderr and "Traceback" not in done.stderr


def test_a_reader_that_leaves_early_does_not_change_the_exit_code(folder: Path) -> None:
    assert cli("run", "small.yaml", "--allow-code", cwd=folder).returncode == 0
    command = f"{sys.executable} -m editeval run small.yaml --allow-code | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.stdout == "0\n" and "Traceback" not in done.stderr


def test_a_missing_package_is_named_with_its_remedy(folder: Path) -> None:
    hide = "import sys; sys.modules['numpy'] = None; sys.argv = ['main.py']; "
    hide += "from editeval.cli.main import legacy_main; legacy_main(['--config', 'small.yaml', '--allow-code'])"
    done = process("-c", hide, cwd=folder)
    assert done.returncode == 2, done.stderr
    assert "'numpy' is not installed" in done.stderr and "make demo" in done.stderr


def test_an_empty_category_does_not_mean_all(called: Called) -> None:
    code, _, said = called("run", "small.yaml", "--allow-code", "--categories", "")
    assert code == 2 and "--categories[0]: is empty" in said


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "editeval", "run", "small.yaml", "--allow-code"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition: object, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_what_runs_and_prints_the_command_that_continues(
    folder: Path, signum: signal.Signals, code: int
) -> None:
    (folder / "small.yaml").write_text(WORKERS.replace("0.05", "0.5"), encoding="utf-8")
    run = start(folder)
    wait_for(lambda: list((folder / "outputs").glob("small-*/edits/*.png")))
    run.send_signal(signum)
    _, stderr = run.communicate(timeout=60)
    assert run.returncode == code
    assert "To continue: editeval run small.yaml --allow-code" in stderr
    (folder / "small.yaml").write_text(CONFIG, encoding="utf-8")
    done = cli("run", "small.yaml", "--allow-code", cwd=folder)
    assert done.returncode == 0
    assert len((only_run(folder) / "samples.jsonl").read_text(encoding="utf-8").splitlines()) == 10


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended while we looked
        if int(fields[1]) == pid:
            found.append(int(entry.parent.name))
    return found


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("reference")
    (folder / "small.yaml").write_text(CONFIG, encoding="utf-8")
    assert cli("run", "small.yaml", "--allow-code", cwd=folder).returncode == 0
    return folder


@pytest.mark.parametrize("num_images", [0, 1, 4, 9])
def test_kill_9_anywhere_then_the_same_command_gives_the_same_bytes(
    folder: Path, reference: Path, num_images: int
) -> None:
    (folder / "small.yaml").write_text(WORKERS, encoding="utf-8")
    run = start(folder)
    wait_for(lambda: list((folder / "outputs").glob("small-*/ledger.sqlite")))
    wait_for(lambda: len(list((folder / "outputs").glob("small-*/edits/*.png"))) >= num_images)
    workers = children_of(run.pid)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=60)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    (folder / "small.yaml").write_text(CONFIG, encoding="utf-8")  # threads go on where processes died
    done = cli("run", "small.yaml", "--allow-code", cwd=folder)
    assert done.returncode == 0, done.stderr
    for name in ("samples.jsonl", "scores.csv"):
        assert (only_run(folder) / name).read_bytes() == (only_run(reference) / name).read_bytes()
    assert cli("verify", cwd=folder).returncode == 0


@pytest.mark.parametrize("command", [("check",), ("run", "--dry-run")])
def test_all_missing_images_are_in_one_warning(folder: Path, called: Called, command: tuple[str, ...]) -> None:
    (folder / "there.png").write_bytes(encode_png(Image.new("RGB", (8, 8))))
    names = ["there.png", *(f"gone{i}.png" for i in range(7)), "gone0.png"]
    rows = [{"id": f"s{i}", "image": name, "instruction": "x"} for i, name in enumerate(names)]
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    text = CONFIG.replace(
        "type: procedural\n  params: {num_per_category: 2, size: 64}", "type: image_folder\n  params: {path: .}"
    )
    (folder / "small.yaml").write_text(text.partition("reward_model")[0], encoding="utf-8")
    code, _, said = called(*command, "small.yaml", "--allow-code")
    assert code == 0
    (line,) = [line for line in said.splitlines() if "missing" in line]
    assert line.startswith("warning: benchmark: 7 images are missing, which 8 of the samples need: ")
    assert all(f"gone{i}.png (of s{i + 1})" in line for i in range(5)) and line.endswith(", and 2 more")
    for i in range(7):
        (folder / f"gone{i}.png").write_bytes(b"")
    rows[0]["image"] = "a" * 300  # longer than a name can be
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert "1 image is missing" in called(*command, "small.yaml", "--allow-code")[2]
    rows[0]["image"] = "there.png"
    (folder / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert "missing" not in called(*command, "small.yaml", "--allow-code")[2]


def test_edits_and_scores_of_a_run_that_somebody_else_made_are_never_taken_without_a_word(folder: Path) -> None:
    text = (folder / "small.yaml").read_text(encoding="utf-8").replace("fakes.fake_editor", "identity")
    text = text.replace("    seconds: 0.05\n", "")
    for number in ("1", "1", "2"):  # made, continued, reused
        (folder / "small.yaml").write_text(text.replace("category: 2", f"category: {number}"), encoding="utf-8")
        done = cli("run", "small.yaml", cwd=folder, XDG_CONFIG_HOME=str(folder / "me"))
        assert done.returncode == 0 and "not made by you" not in done.stderr, done.stderr
    continued = cli("run", "small.yaml", cwd=folder, XDG_CONFIG_HOME=str(folder / "you"))
    assert "not made by you on this machine: its 10 edits and their scores are taken as they" in continued.stderr
    (folder / "small.yaml").write_text(text.replace("category: 2", "category: 3"), encoding="utf-8")
    reused = cli("run", "small.yaml", cwd=folder, XDG_CONFIG_HOME=str(folder / "you"))
    assert (
        "Nothing is reused from" in reused.stderr and "not made by you on this machine; --allow-code" in reused.stderr
    )
    report = json.loads((folder / "outputs" / "latest" / "report.json").read_text(encoding="utf-8"))
    assert report["badge"] == "valid" and not report["provenance"]["reused"]
    (folder / "small.yaml").write_text(text, encoding="utf-8")
    cli("run", "small.yaml", cwd=folder, XDG_CONFIG_HOME=str(folder / "me"))
    report = json.loads((folder / "outputs" / "latest" / "report.json").read_text(encoding="utf-8"))
    assert report["badge"] == "valid with warnings", "it stays on record that somebody else continued it"
    (folder / "small.yaml").write_text(text.replace("category: 2", "category: 4"), encoding="utf-8")
    mixed = cli("run", "small.yaml", cwd=folder, XDG_CONFIG_HOME=str(folder / "me"))
    assert "another user or another machine has written to it; --allow-code reuses it" in mixed.stderr


def test_every_editor_is_listed_and_how_far_families_and_servers_were_tested(called: Called) -> None:
    code, out, _ = called("list", "editors")
    assert code == 0 and {line.split()[0] for line in out.splitlines()} >= set(plugins.available("editors"))
    for kind, names in (("family", FAMILIES), ("dialect", DIALECTS)):
        assert all(re.search(rf"^ +{kind} {name}\b.*: tested ", out, re.MULTILINE) for name in names)
