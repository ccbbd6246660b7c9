"""`editeval leaderboard`: only scores that compare share a table, and the rest is said."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from command_line import cli
from editeval.reports import ranked
from editeval.reports.i18n import Message
from editeval.run import leaderboard
from editeval.store.run_store import RunStore

REFERENCE = "reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}"
SIMULATED = """\
benchmark: {type: procedural, params: {num_per_category: 4, size: 64}}
diffusion_model:
  type: simulated
  params: {latency_s: 0.0, device_ids: [cpu], chances: {default: {CHANCES}}}
  execution: {backend: inprocess}
JUDGE
logging: {console_output: false}
"""
LOWER = (
    "reward_model: {type: image_metrics, params: {metrics: [l1], device_ids: [cpu]}, execution: {backend: inprocess}}"
)
CHANCES = {"good": "partial: 0.05", "same": "partial: 0.06", "poor": "partial: 0.1, identity: 0.8"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models scored alike; one of them again, on a part, and by a metric of which less is better."""
    root = tmp_path_factory.mktemp("leaderboard")
    for name, chances in CHANCES.items():
        text = SIMULATED.replace("CHANCES", chances).replace("JUDGE", REFERENCE)
        (root / f"{name}.yaml").write_text(text)
        assert cli("run", f"{name}.yaml", cwd=root).returncode == 0
    for name in ("good", "poor"):
        text = SIMULATED.replace("CHANCES", CHANCES[name]).replace("JUDGE", LOWER)
        (root / f"{name}-l1.yaml").write_text(text)
        assert cli("run", f"{name}-l1.yaml", cwd=root).returncode == 0
    assert cli("run", "good.yaml", "--fresh", "--name", "=again\u202e", cwd=root).returncode == 2
    assert cli("run", "good.yaml", "--fresh", "--name", "=1+1|<b>", cwd=root).returncode == 0
    assert cli("run", "poor.yaml", "--fresh", "--limit", "5", "--name", "part", cwd=root).returncode == 0
    text = SIMULATED.replace("CHANCES", CHANCES["good"]).replace("JUDGE", "")
    (root / "edits.yaml").write_text(text.replace("num_per_category: 4", "num_per_category: 1"))
    assert cli("run", "edits.yaml", cwd=root).returncode == 0
    return root


def document(cwd: Path, *words: str) -> dict[str, Any]:
    done = cli("leaderboard", *words, "--to", "json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_only_scores_that_compare_share_a_table_and_every_other_run_has_its_reason(made: Path) -> None:
    found = document(made)
    models = [[row["model"] for row in table["rows"]] for table in found["tables"]]
    assert models[0] == ["=1+1|<b>", "simulated (same)", "simulated (poor)"] or models[0][0] == "simulated (same)"
    assert sorted(map(len, models)) == [1, 2, 3]
    reasons = [table["apart"] for table in found["tables"]]
    assert reasons[0] is None
    assert sum("judged by image_metrics, in the first table by reference" in str(why) for why in reasons) == 1
    assert sum("other samples (5 of 20) than in the first table (20)" in str(why) for why in reasons) == 1
    left = {one["run"].rpartition("-")[0]: one["why"] for one in found["left_out"]}
    assert any("has no scores" in why for why in left.values())
    assert any("the same run as good-" in why for why in left.values()), "--fresh repeated it: one row"


def test_places_are_intervals_that_the_data_decide(made: Path) -> None:
    rows = {row["model"]: row["place"] for row in document(made)["tables"][0]["rows"]}
    assert rows.pop("simulated (poor)") == [3, 3]
    assert list(rows.values()) == [[1, 2], [1, 2]], "two models of nearly the same chances"


def test_of_many_runs_no_places_are_told_and_those_left_out_for_one_reason_share_a_line(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaderboard, "MAX_RANKED", 2)
    table = document(made)["tables"][0]
    assert [row["place"] for row in table["rows"]] == [None] * 3 and "at most 2 runs" in table["note"]
    out = [{"run": f"r{n}", "model": "m", "why": Message("out_no_scores")} for n in range(9)]
    (line,) = map(str, ranked.left_out({"left_out": out}))
    assert line.startswith("left out: r0, r1, r2, r3, r4 (+4): has no scores")


def test_where_less_is_better_the_least_is_first(made: Path) -> None:
    (table,) = (one for one in document(made)["tables"] if one["judge"] == "image_metrics")
    assert not table["scale"]["is_higher_better"]
    means = [row["mean"] for row in table["rows"]]
    assert means == sorted(means) and table["rows"][0]["model"] == "simulated (good-l1)"
    assert "lower is better" in cli("leaderboard", cwd=made).stdout


def test_every_form_has_the_same_numbers_and_texts_stay_texts(made: Path) -> None:
    found = document(made)
    first = found["tables"][0]["rows"]
    rows = list(csv.DictReader(io.StringIO(cli("leaderboard", "--to", "csv", cwd=made).stdout)))
    assert len(rows) == sum(len(table["rows"]) for table in found["tables"])
    assert [float(row["mean"]) for row in rows[:3]] == [row["mean"] for row in first]
    assert "'=1+1|<b>" in [row["model"] for row in rows], "no formula in a spreadsheet"
    assert r"=1+1\|\<b\>" in cli("leaderboard", "--to", "md", cwd=made).stdout
    assert r"=1+1\textbar{}\textless{}b\textgreater{}" in cli("leaderboard", "--to", "tex", cwd=made).stdout
    table = cli("leaderboard", cwd=made, COLUMNS="80").stdout
    assert max(map(len, table.splitlines())) <= 80
    assert all(f"{row['mean']:.2f}" in table and f"{row['num_scored']}/20" in table for row in first)


def test_the_page_is_one_file_in_two_languages_without_scripts(made: Path, tmp_path: Path) -> None:
    done = cli("leaderboard", "--to", "html", "-o", str(tmp_path / "board.html"), cwd=made)
    assert done.stdout == f"{tmp_path / 'board.html'}\n"
    page = (tmp_path / "board.html").read_text(encoding="utf-8")
    assert "<script" not in page and not re.search(r'(src|href)="(?!data:)', page)
    assert "default-src 'none'" in html.unescape(page) and "&lt;b&gt;" in page and "<b>" not in page
    assert "排行榜" in page and "Leaderboard" in page and "评判模型 reference" in page


def test_unfinished_broken_and_unknown_runs_are_named_and_shown_in_no_table(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, symlinks=True)
    (same,) = (tmp_path / "outputs").glob("same-*")
    (poor,) = (path for path in (tmp_path / "outputs").glob("poor-*") if re.fullmatch("poor-[0-9a-f]{8}", path.name))
    with RunStore.reopen(same) as store:
        store.forget_edits([next(iter(store.edits())).sample_id])
    (poor / "ledger.sqlite").write_bytes(b"")
    found = document(tmp_path, "outputs")
    whys = {one["run"]: one["why"] for one in found["left_out"]}
    assert "19 of 20 scored" in whys[same.name] and "not readable" in whys[poor.name]
    done = cli("leaderboard", poor.name, cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "no table" in done.stderr
    assert cli("leaderboard", "nobody", cwd=tmp_path).returncode == 2


def test_a_name_and_a_folder_may_be_mixed_and_a_run_counts_once(made: Path) -> None:
    assert document(made, "=1+1|<b>", "outputs") == document(made, "outputs")


def test_runs_in_directories_of_one_name_keep_their_own_places(made: Path, tmp_path: Path) -> None:
    for name in ("good", "same", "poor"):
        (run, *_) = sorted((made / "outputs").glob(f"{name}-????????"))
        shutil.copytree(run, tmp_path / name / "run")
    (table,) = document(tmp_path, "good/run", "same/run", "poor/run")["tables"]
    assert [row["place"] for row in table["rows"]] == [[1, 2], [1, 2], [3, 3]]
