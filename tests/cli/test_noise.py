"""`editeval noise`: a drawn part of a run with more seeds, judged several times over."""

from __future__ import annotations

import io
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from command_line import cli
from editeval.reports.noise_text import render_noise
from editeval.run.noise_runs import Repeats, noise_plan
from editeval.stats import noise
from editeval.store.run_store import RunStore

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 3, size: 64}}
diffusion_model:
  type: simulated
  params: {device_ids: [cpu], latency_s: 0, chances: {default: {identity: 0.5}}}
  execution: {backend: inprocess}
reward_model: {type: fakes.unsure_judge, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
logging: {console_output: false}
"""
NOISE = ("noise", "run", "--samples", "12", "--allow-code")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], dict[str, bytes]]:
    """A run of fifteen samples, what `noise` says of it, and the run's files as they were before."""
    root = tmp_path_factory.mktemp("noise")
    (root / "config.yaml").write_text(CONFIG)
    assert cli("run", "config.yaml", "--allow-code", "--display", "none", cwd=root).returncode == 0
    shutil.move(next(path for path in (root / "outputs").iterdir() if path.name.startswith("config-")), root / "run")
    shutil.rmtree(root / "outputs")
    before = files(root / "run")
    done = cli(*NOISE, "--json", cwd=root)
    assert done.returncode == 0, done.stderr
    return root, json.loads(done.stdout), before


def files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.name.startswith("ledger.sqlite-")
    }


def test_the_run_stays_as_it_was(made: tuple[Path, dict[str, Any], dict[str, bytes]]) -> None:
    root, _, before = made
    assert files(root / "run") == before
    assert {path.name for path in root.iterdir()} == {"config.yaml", "noise", "run"}


def test_the_first_seed_is_the_run_s_own_and_no_score_of_it_is_a_repeat(made: tuple[Any, ...]) -> None:
    root, found, _ = made
    (made_in,) = (Path(directory) for directory in found["directories"])
    with RunStore.read(made_in) as store, RunStore.read(root / "run") as run:
        own = {edit.sample_id: edit.sha256 for edit in run.edits()}
        edits = list(store.edits())
        assert {edit.sample_id: edit.sha256 for edit in edits if edit.origin == "run"}.items() <= own.items()
        assert sum(edit.origin == "run" for edit in edits) == 12 == sum(edit.sample_id.endswith("#2") for edit in edits)
        assert all(edit.sample_id.endswith("#2") for edit in edits if edit.origin != "run")
        judged = list(store.attempts("judge"))
        assert len(judged) == 48 and len({one.judging_id for one in judged}) == 2
        assert not {one.judging_id for one in judged} & {one.id for one in run.judgings()}


def test_scores_and_components_follow_from_what_was_made(made: tuple[Any, ...]) -> None:
    _, found, _ = made
    assert (found["num_drawn"], found["num_complete"], found["seeds"], found["draws"]) == (12, 12, 2, 2)
    spread = [abs(row[0] - row[1]) for rows in found["scores"].values() for row in rows]
    assert 0 < max(spread) < 2  # the judge's noise is at most one point on either side
    shares = {one["name"]: one["share"]["value"] for one in found["components"]}
    assert sum(shares.values()) == pytest.approx(1) and shares["seeds"] > shares["draws"] > 0
    assert not found["is_same_edits"] and not found["is_same_scores"]


def test_the_same_command_again_makes_nothing(made: tuple[Any, ...]) -> None:
    root, found, _ = made

    def counted() -> list[int]:
        with RunStore.read(Path(found["directories"][0])) as store:
            return [len(list(store.attempts("edit"))), len(list(store.attempts("judge")))]

    before = counted()
    again = cli(*NOISE, cwd=root)
    assert (again.returncode, counted()) == (0, before)
    text = " ".join(again.stdout.split())
    assert "12 samples x 2 seeds x 2 judgements" in text and "A judge's bias is in none of these figures." in text
    assert "Standard error of the run's mean:" in text and "The run has all samples of its benchmark." in text


def test_the_seeds_of_a_run_with_several_are_taken_and_none_is_made(made: tuple[Any, ...], tmp_path: Path) -> None:
    root, found, _ = made
    shutil.copytree(root / "run", tmp_path / "run")
    command = ("run", "run/config.yaml", "--num-seeds", "3", "--output-dir", ".", "--allow-code", "--display", "none")
    assert cli(*command, cwd=tmp_path).returncode == 0
    (run,) = (path for path in tmp_path.glob("config-*"))
    done = cli("noise", str(run), "--samples", "12", "--allow-code", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert "12 samples, 3 seeds" in done.stderr and "to make: 0 edits, 72 judgements" in done.stderr
    assert (told["seeds"], told["num_complete"], told["mean"]["num"]) == (3, 12, 15)
    with RunStore.read(Path(told["directories"][0])) as store:
        assert {edit.origin for edit in store.edits()} == {run.name}
    assert told["scores"].keys() == found["scores"].keys(), "the same samples are drawn, by their own ids"
    assert [rows[:2] for rows in told["scores"].values()] == list(found["scores"].values())


def test_more_draws_keep_those_that_are_there(made: tuple[Any, ...], tmp_path: Path) -> None:
    root, found, _ = made
    shutil.copytree(root, tmp_path / "copy")
    more = json.loads(cli(*NOISE, "--draws", "3", "--json", cwd=tmp_path / "copy").stdout)
    assert {key: [row[:2] for row in rows] for key, rows in more["scores"].items()} == found["scores"]


def test_more_samples_and_a_score_that_comes_or_goes_leave_the_others_drawn(made: Any, tmp_path: Path) -> None:
    root, _, _ = made
    shutil.copytree(root / "run", tmp_path / "run")
    drawn = [noise_plan(root / "run", Repeats(num), allow_code=True).drawn for num in (10, 15)]
    assert drawn[1][:10] == drawn[0] and list(drawn[1]) != sorted(drawn[1])
    with sqlite3.connect(tmp_path / "run/ledger.sqlite") as connection:
        connection.execute("UPDATE scores SET value = NULL, reason = 'unparsed' WHERE sample_id = ?", (drawn[1][12],))
    assert noise_plan(tmp_path / "run", Repeats(10), allow_code=True).drawn == drawn[0]


def test_scores_that_are_all_alike_tell_no_error_of_the_mean(made: Any) -> None:
    alike = np.full((12, 2, 3), 7.3)
    names = [f"image {n}" for n in range(12)]
    costs = noise.Costs(1.0, 1.0)
    mean = asdict(noise.mean_error(noise.components(alike, names), alike, names, (12, 100), costs))
    assert (mean["now"], mean["now_note"], mean["fixed"], mean["fixed_note"]) == (None, "no_variation") * 2
    assert mean["effect"] is None and not mean["spending"]
    console = Console(file=io.StringIO(), width=200)
    render_noise({**made[1], "mean": mean}, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "all alike" in text and "Standard error" not in text


def test_repeats_that_are_alike_have_no_error_of_0(made: Any) -> None:
    alike = np.repeat(np.linspace(0, 7.3, 12)[:, None, None], 2, axis=1)
    names = [f"image {n}" for n in range(12)]
    mean = asdict(noise.mean_error(noise.components(alike, names), alike, names, (12, 0), noise.Costs(1.0, 1.0)))
    assert mean["now"] == pytest.approx(np.std(alike[:, 0, 0], ddof=1) / 12**0.5) and not mean["now_note"]
    assert (mean["fixed"], mean["fixed_note"]) == (None, "no_variation")
    console = Console(file=io.StringIO(), width=200)
    render_noise({**made[1], "mean": mean}, console)
    assert "no figure if only these samples count: every repeat gave" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.slow
def test_killed_the_same_command_goes_on_and_makes_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    editor = "{type: fakes.faulty_editor, params: {device_ids: [cpu], notes: notes, once: {cultural/0001#2: SIGKILL}}, "
    head, rest = CONFIG.split("diffusion_model:\n")[0], CONFIG.split("backend: inprocess}\n", 1)[1]
    (tmp_path / "config.yaml").write_text(
        f"{head}diffusion_model: {editor}execution: {{backend: inprocess}}}}\n{rest}", encoding="utf-8"
    )
    assert cli("run", "config.yaml", "--allow-code", "--name", "run", cwd=tmp_path).returncode == 0
    command = [sys.executable, "-m", "editeval", "noise", "run", "--samples", "15", "--draws", "1", "--allow-code"]
    killed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (second,) = (path for path in tmp_path.glob("outputs/noise/*/config-*") if own_edits(path))
    before = own_edits(second)
    assert 0 < len(before) < 15
    done = cli(*command[3:], "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert done.returncode == 0 and told["num_complete"] == 15 and Path(told["directories"][0]) == second
    assert len(own_edits(second)) == 15 and own_edits(second)[: len(before)] == before


def own_edits(run: Path) -> list[tuple[str, float]]:
    """(sample, start) of each attempt at an edit; none of edits that were taken over."""
    with RunStore.read(run) as store:
        taken = {edit.sample_id for edit in store.edits() if edit.origin}
        return [(one.sample_id, one.started_at) for one in store.attempts("edit") if one.sample_id not in taken]


def test_what_cannot_be_repeated_is_one_line(made: tuple[Any, ...], tmp_path: Path) -> None:
    root, _, _ = made
    for flags, said in (
        (("--seeds", "1", "--draws", "1"), "nothing is repeated; ask for two seeds or two draws"),
        (("--seeds", "0"), "--seeds: must be at least 1, got 0"),
        (("--samples", "9"), "--samples: must be at least 10, got 9"),
    ):
        done = cli("noise", "run", *flags, cwd=root)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1) and said in done.stderr
    (tmp_path / "config.yaml").write_text(CONFIG.replace("fakes.unsure_judge", "reference"))
    shutil.copytree(root / "run" / "edits", tmp_path / "edits")
    assert cli("import", "edits", "config.yaml", "--name", "mine", cwd=tmp_path).returncode == 0
    done = cli("noise", cwd=tmp_path)
    assert done.returncode == 2 and "its edits were made elsewhere, with one seed; add --seeds 1" in done.stderr
    judged = cli("noise", "--seeds", "1", "--samples", "10", cwd=tmp_path)
    assert judged.returncode == 0, judged.stderr
    text = " ".join(judged.stdout.split())
    assert "no figure if only these samples count: one seed does not tell" in text
    assert "samples and seeds of the editor" in text and "it is deterministic as it is configured" in text
