"""`editeval sweep`: one run per checkpoint, one loaded judge, early stopping, and folders that a training fills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from command_line import cli
from editeval.config.load import Overrides, load_config
from editeval.config.schema import Config
from editeval.reports.sweep_tables import sweep_html
from editeval.run.arrivals import Arrivals, incomplete, natural
from editeval.run.scheduler import Interrupt
from editeval.run.sweep import Sweep
from editeval.run.sweep_results import document
from editeval.stats.checkpoints import ALPHA
from editeval.store.run_store import RunStore

BASE = """\
benchmark: {type: procedural, params: {num_per_category: 8, size: 64}}
diffusion_model:
  {type: fakes.checkpoint_editor, params: {device_ids: [cpu], notes: loads.txt}, execution: {backend: inprocess}}
reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
logging: {console_output: false}
"""
CODE = "--allow-code"


def write(folder: Path, quality: float | None, content: bytes = b"weights!") -> Path:
    """A complete checkpoint of this quality; None: one that cannot be loaded."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({} if quality is None else {"quality": quality}))
    (folder / "model.safetensors").write_bytes(tensors(content))
    return folder


def tensors(content: bytes) -> bytes:
    header = json.dumps({"w": {"dtype": "U8", "shape": [len(content)], "data_offsets": [0, len(content)]}}).encode()
    return len(header).to_bytes(8, "little") + header + content


def sweep(root: Path, *arguments: str) -> tuple[CompletedProcess[str], dict[str, Any]]:
    done = cli("sweep", "base.yaml", CODE, "--json", *arguments, cwd=root)
    return done, json.loads(done.stdout) if done.stdout else {}


def folder_of(done: CompletedProcess[str]) -> Path:
    """Where it says that its documents are."""
    (path,) = (line.removeprefix("Sweep: ") for line in done.stderr.splitlines() if line.startswith("Sweep: "))
    return Path(path).parent


def rows(told: dict[str, Any], name: str) -> list[Any]:
    return [row[name] for row in told["checkpoints"]]


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CompletedProcess[str], dict[str, Any]]:
    root = tmp_path_factory.mktemp("sweep")
    (root / "base.yaml").write_text(BASE)
    for step, quality in ((900, 0.0), (1000, 0.5), (1100, 1.0), (1200, None)):
        write(root / f"out/step-{step}", quality)
    found = [f"out/step-{step}" for step in (1000, 1200, 900, 1100)]
    return root, *sweep(root, "--checkpoint", *found)


def test_each_checkpoint_has_a_run_of_its_name_in_natural_order(swept: Any) -> None:
    root, _, told = swept
    assert rows(told, "checkpoint") == ["step-900", "step-1000", "step-1100", "step-1200"]
    runs = rows(told, "run")[:3]
    assert all(run.startswith(f"base-{name}-") for run, name in zip(runs, rows(told, "checkpoint"), strict=False))
    assert all((root / "outputs" / run / "report.json").is_file() for run in runs)
    means = rows(told, "mean")
    assert means[0] == pytest.approx(0, abs=0.1) and means[2] == pytest.approx(10, abs=0.01) and 2 < means[1] < 8


def test_a_checkpoint_that_cannot_be_loaded_costs_its_own_line_and_exit_code_3(swept: Any) -> None:
    _, done, told = swept
    assert done.returncode == 3 and rows(told, "status") == ["complete"] * 3 + ["failed"]
    assert "has no quality" in told["checkpoints"][3]["error"]


def test_the_judge_is_loaded_once_for_all_checkpoints(swept: Any) -> None:
    root, _, told = swept
    assert told["num_judge_loads"] == 1
    assert (root / "loads.txt").read_text().splitlines() == ["step-900", "step-1000", "step-1100"]
    for run in rows(told, "run")[:3]:
        assert cli("verify", run, CODE, cwd=root).returncode == 0


def test_the_best_is_named_with_intervals_against_it_and_against_the_first(swept: Any) -> None:
    root, _, told = swept
    assert (told["first"], told["best"], told["may_be_best"]) == ("step-900", "step-1100", ["step-1100"])
    middle = told["checkpoints"][1]
    assert middle["first_low"] < middle["to_first"] < middle["first_high"]
    assert middle["best_low"] < middle["to_best"] < middle["best_high"] < 0
    folder = folder_of(swept[1])
    shown = (root / folder / "sweep.md").read_text()
    assert "step-1100 is the best, with 95 %" in shown and "Hsu" in shown
    assert (root / folder / "sweep.csv").read_text().count("\n") == 5
    assert "step-1100" in (root / folder / "sweep.html").read_text(encoding="utf-8")


def test_the_page_is_one_file_with_curves_and_table_in_both_languages(swept: Any) -> None:
    _, _, told = swept
    odd = {**told["checkpoints"][3], "checkpoint": "<b>bold</b>", "error": "\u202eno"}
    text = sweep_html({**told, "checkpoints": [*told["checkpoints"][:3], odd]}, 0.0)
    assert text.count("<svg") == 3 and "<script" not in text and "default-src &#39;none&#39;" in text
    assert "<b>bold" not in text and "&lt;b&gt;bold" in text and "\u202e" not in text
    for row in told["checkpoints"][:3]:
        assert f"<td><span>{row['num_scored']}/{row['num_samples']}</span></td>" in text
        assert f"<title>{row['checkpoint']}: {row['mean']:.2f}</title>" in text
    for words in ("step-1100 is the best, with 95 %.", "step-1100 最好（95%）。", "against the first", "与第一个相比"):
        assert words in text
    assert text.count('class="reach"') == sum(
        row[f"{name}low"] is not None and row[f"{name}high"] is not None
        for row in told["checkpoints"]
        for name in ("", "first_", "best_")
    )
    alone = sweep_html({**told, "checkpoints": told["checkpoints"][:1]}, 0.0)
    assert "<svg" not in alone and "step-900" in alone, "one checkpoint is no curve"
    assert f"are {ALPHA:g} together" in told["methods"]["early"]


def test_the_same_command_again_makes_nothing_again(swept: Any) -> None:
    root, _, told = swept
    before = (root / "loads.txt").read_text()
    _, again = sweep(root, "--checkpoint", "out/step-900", "out/step-1100")
    assert (root / "loads.txt").read_text() == before and again["num_judge_loads"] == 0
    assert rows(again, "run") == [rows(told, "run")[0], rows(told, "run")[2]]


def test_a_checkpoint_that_changed_under_its_path_begins_a_new_run(swept: Any, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    write(tmp_path / "step-1", 0.0)
    _, before = sweep(tmp_path, "--checkpoint", "step-1")
    write(tmp_path / "step-1", 1.0, b"others!!")
    _, after = sweep(tmp_path, "--checkpoint", "step-1")
    assert rows(before, "run") != rows(after, "run") and rows(after, "mean") == [pytest.approx(10, abs=0.01)]


def test_a_checkpoint_may_be_called_anything(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE.replace("num_per_category: 8", "num_per_category: 1"))
    write(tmp_path / "étape-\U0001f600 'x': \"1\"", 1.0)
    done, told = sweep(tmp_path, "--checkpoint", "étape-\U0001f600 'x': \"1\"")
    assert done.returncode == 0 and rows(told, "mean") == [pytest.approx(10, abs=0.01)], done.stderr


def test_scores_are_of_the_judge_of_the_configuration_whatever_a_run_shows(swept: Any, tmp_path: Path) -> None:
    root, _, told = swept
    shutil.copytree(root, tmp_path, dirs_exist_ok=True, symlinks=True)
    (run,) = (tmp_path / "outputs").glob("base-step-1000-*")
    (tmp_path / "other.yaml").write_text(
        "reward_model: {type: reference, params: {device_ids: [cpu], object_share: 0.1}}\n"
    )
    assert cli("score", str(run), "other.yaml", CODE, cwd=tmp_path).returncode == 0
    with RunStore.read(run) as store:
        other = store.judgings()[-1].id
    with sqlite3.connect(run / "ledger.sqlite") as connection:
        connection.execute("UPDATE scores SET value = 1 WHERE judging_id = ?", (other,))
    assert cli("report", str(run), "--scores", other, CODE, cwd=tmp_path).returncode == 0
    _, again = sweep(tmp_path, "--checkpoint", "out/step-900", "out/step-1000")
    assert rows(again, "run") == rows(told, "run")[:2] and rows(again, "mean") == rows(told, "mean")[:2]


def test_early_stopping_saves_samples_of_what_is_worse_and_the_same_command_decides_the_same(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE.replace("num_per_category: 8", "num_per_category: 16"))
    paths = [str(write(tmp_path / f"step-{n}", quality)) for n, quality in enumerate((1.0, 0.0, 1.0))]
    done, told = sweep(tmp_path, "--checkpoint", *paths, "--stop-early", "--margin", "0.5")
    assert done.returncode == 0, done.stderr
    assert rows(told, "status") == ["complete", "stopped", "complete"]
    assert told["num_saved"] == told["checkpoints"][1]["num_saved"] >= 30
    assert told["checkpoints"][1]["worse_than"] in ("step-0", "step-2")
    loads = (tmp_path / "loads.txt").read_text()
    _, again = sweep(tmp_path, "--checkpoint", *paths, "--stop-early", "--margin", "0.5")
    assert again["checkpoints"] == told["checkpoints"] and (tmp_path / "loads.txt").read_text() == loads


def test_a_complete_run_that_lost_scores_is_not_cut_back_by_early_stopping(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE.replace("num_per_category: 8", "num_per_category: 20"))
    paths = [str(write(tmp_path / f"step-{n}", quality)) for n, quality in enumerate((1.0, 0.0))]
    _, told = sweep(tmp_path, "--checkpoint", *paths)
    run = tmp_path / "outputs" / rows(told, "run")[1]
    with RunStore.reopen(run) as store:
        store.forget_scores(store.judgings()[0].id, list(store.sample_ids())[::2])
    done, stopped = sweep(tmp_path, "--checkpoint", *paths, "--stop-early", "--margin", "0.5")
    assert rows(stopped, "status") == ["complete", "stopped"]
    with RunStore.read(run) as store:
        counts = store.counts(store.judgings()[0].id)
    assert (counts.num_wanted, counts.num_scored) == (100, 100)
    row = stopped["checkpoints"][1]
    assert row["num_edited"] < row["num_made"] == 100 and stopped["num_saved"] == 0
    said = f"its mean is of the {row['num_edited']} samples at which it was stopped; its run has 100, of an earlier"
    assert said in (tmp_path / folder_of(done) / "sweep.md").read_text()


def test_values_of_a_parameter_are_swept(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        BASE.replace("fakes.checkpoint_editor", "simulated").replace(", notes: loads.txt", ", latency_s: 0")
    )
    command = ("--set-each", "diffusion_model.params.skill=0,1", "--limit", "10")
    done, told = sweep(tmp_path, *command)
    assert rows(told, "checkpoint") == ["skill=0", "skill=1"] and rows(told, "num_samples") == [10, 10]
    assert told["best"] == "skill=1"
    written = (tmp_path / folder_of(done) / "sweep.json").read_bytes()
    (tmp_path / "base.yaml").write_text((tmp_path / "base.yaml").read_text().replace("size: 64", "size: 72"))
    other, _ = sweep(tmp_path, *command)
    part, _ = sweep(tmp_path, "--set-each", "diffusion_model.params.skill=0", "--limit", "10")
    assert len({folder_of(one) for one in (done, other, part)}) == 3, "another sweep has another folder"
    assert (tmp_path / folder_of(done) / "sweep.json").read_bytes() == written
    (tmp_path / "base.yaml").write_text(
        (tmp_path / "base.yaml").read_text().replace("size: 72", "size: 64").replace("[cpu]", "[cpu, cpu]")
    )
    again, _ = sweep(tmp_path, *command)
    assert folder_of(again) == folder_of(done), "more devices are the same sweep"


def test_a_folder_is_watched_and_checkpoints_are_taken_when_they_are_complete(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE.replace("num_per_category: 8", "num_per_category: 1"))
    write(tmp_path / "out/step-1", 1.0)
    half = write(tmp_path / "out/step-2", 1.0)
    (half / "model.safetensors").write_bytes(tensors(b"weights!")[:-3])
    for _ in range(20):  # the same command continues, where a second was too little
        done, told = sweep(tmp_path, "--watch", "out", "--max-hours", "0.0003", "--poll-s", "0.2")
        if rows(told, "status") == ["complete"]:
            break
    assert rows(told, "checkpoint") == ["step-1"] and done.returncode == 0
    assert "step-2: not taken: model.safetensors has" in done.stderr


def test_the_time_limit_ends_a_sweep_that_is_at_work(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE.replace("num_per_category: 8", "num_per_category: 400"))
    path = str(write(tmp_path / "out/step-1", 1.0))
    done, told = sweep(tmp_path, "--checkpoint", path, "--watch", "out", "--max-hours", "0.0003")
    assert done.returncode == 3 and rows(told, "status") == ["incomplete"]
    assert "--max-hours: the time is over; to continue: editeval sweep base.yaml" in done.stderr


def test_an_interrupt_leaves_the_scores_of_what_is_finished(tmp_path: Path) -> None:
    text = BASE.replace("num_per_category: 8", "num_per_category: 1").replace(", notes: loads.txt", "")
    (tmp_path / "base.yaml").write_text(text)
    interrupt, planned = Interrupt(), list[str]()

    def config_of(sets: tuple[str, ...]) -> Config:
        planned.extend(sets)
        if planned.count(second) == 3:  # for the look, to edit, and now to judge
            interrupt.request(signal.SIGINT)
        overrides = Overrides(sets=(*sets, f"evaluation.output_dir={tmp_path}"))
        return load_config(tmp_path / "base.yaml", overrides, allow_code=True)

    running = Sweep(config_of, None, (), "none")
    first, second = (f"diffusion_model.params.model_name={write(tmp_path / f'step-{n}', 1.0)}" for n in (1, 2))
    for n, sets in enumerate((first, second), 1):
        running.add(f"step-{n}", (sets,))
    assert not running.advance(interrupt) and interrupt.signum == signal.SIGINT
    told = document(running, "base", None)
    assert rows(told, "status") == ["complete", "incomplete"] and rows(told, "num_scored") == [5, 0]
    assert rows(told, "mean") == [pytest.approx(10, abs=0.01), None]


def test_what_is_written_between_two_looks_is_not_taken(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path)
    path = write(tmp_path / "step-10", 1.0)
    write(tmp_path / "step-9", 1.0)
    assert arrivals.look([]) == [] and "still being written" in arrivals.waiting[path]
    write(path, 1.0, b"longer than before")
    assert [one.name for one in arrivals.look([])] == ["step-9"]
    assert arrivals.look([tmp_path / "step-9"]) == [path] and arrivals.waiting == {}


def test_a_checkpoint_that_changes_after_it_was_taken_is_told_and_a_folder_that_is_gone_is_no_end(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "out/last", 0.0)
    arrivals = Arrivals(tmp_path / "out")
    assert arrivals.look([]) == [] and arrivals.look([]) == [path]
    assert arrivals.look([path]) == [] and arrivals.waiting == {}
    write(path, 1.0, b"the next one")
    assert arrivals.look([path]) == [] and "has changed since it was taken" in arrivals.waiting[path]
    (tmp_path / "out").rename(tmp_path / "away")
    assert arrivals.look([path]) == [] and "cannot be read" in arrivals.waiting[tmp_path / "out"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.safetensors", b"", "has no header"),
        ("model.safetensors", tensors(b"weights!") + b"x", "bytes of"),
        ("model.safetensors", (3).to_bytes(8, "little") + b"{,}", "cannot be read"),
        ("model.safetensors", (2).to_bytes(8, "little") + b"[]", "cannot be read"),
        ("model.safetensors", (36).to_bytes(8, "little") + b'{"w": {"data_offsets": ["a", "bc"]}}', "cannot be read"),
        ("model.safetensors.index.json", b'{"weight_map": {"w": "model-2.safetensors"}}', "which is not there"),
        ("model.safetensors.index.json", b"{", "cannot be read"),
        ("model.safetensors.index.json", b"[" * 100_000, "cannot be read"),
        ("model.safetensors.index.json", b'{"weight_map": {"v": 1, "w": "x"}}', "which is not there"),
        ("optimizer.pt.tmp", b"x", "is not finished"),
    ],
)
def test_a_checkpoint_that_is_not_whole_is_told(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    folder = write(tmp_path / "step", 1.0)
    assert incomplete(folder) == ""
    (folder / name).write_bytes(content)
    assert said in incomplete(folder)


def test_pipes_links_that_go_in_circles_and_whole_disks_neither_stop_nor_end_a_watch(tmp_path: Path) -> None:
    out, path = tmp_path / "out", write(tmp_path / "out/10²", 1.0)
    os.mkfifo(out / "pipe.safetensors")  # opening it would wait for somebody who writes
    (out / "loop.safetensors").symlink_to("loop.safetensors")
    (out / "disk").symlink_to("/")
    arrivals = Arrivals(out)
    assert arrivals.look([]) == [] and arrivals.look([out / "loop.safetensors"]) == [path]


def test_steps_are_sorted_as_people_count() -> None:
    assert sorted(["s10b", "s9", "s10a", "t", "s"], key=natural) == ["s", "s9", "s10a", "s10b", "t"]
    assert natural("10²") < natural("11")  # a raised two is a digit and no number


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("", "nothing to compare"),
        ("--checkpoint", "nothing to compare"),
        ("--checkpoint a --lora b", "sweep one thing"),
        ("--checkpoint a b/a ./a", "is named twice"),
        ("--lora a", "takes no adapters"),
        ("--set-each x", "must be KEY=V1,V2"),
        ("--set-each a=1 --watch .", "choose one"),
        ("--checkpoint a --max-hours 1", "is about --watch"),
        ("--watch . --poll-s 0", "must be above 0"),
        ("--watch nowhere", "there is no such folder"),
        ("--checkpoint a --margin 1", "is about --stop-early"),
        ("--checkpoint step --stop-early --margin 200%", "--margin 200%"),
    ],
)
def test_what_cannot_be_swept_is_one_line(tmp_path: Path, flags: str, said: str) -> None:
    (tmp_path / "base.yaml").write_text(BASE)
    write(tmp_path / "step", 1.0)
    done, _ = sweep(tmp_path, *flags.split())
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
