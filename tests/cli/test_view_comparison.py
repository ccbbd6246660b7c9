"""`editeval view` of several runs: what the page says of them, from ledgers and reports on the disk."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from command_line import cli
from editeval.cli.view import shown_runs
from editeval.errors import UserError
from editeval.reports.site.payload import PLACE, read_block
from editeval.run.comparison import Comparing, scored
from editeval.run.results import value_of
from editeval.store.records import SampleRow
from editeval.types import Score
from editeval.viewer.server import Viewer

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 2, size: 64}}
diffusion_model: {type: %s, params: {device_ids: [cpu], %s}, execution: {backend: inprocess}}
reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
logging: {console_output: false}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two runs of one benchmark by different editors, each without an edit that the other has."""
    folder = tmp_path_factory.mktemp("compared")
    made = []
    editors = (
        ("simulated", "chances: {causal: {refused: 0.6}, default: {partial: 0.5}}"),
        ("fakes.fake_editor", "refuse: [environmental/0000]"),
    )
    for name, editor in zip(("one", "two"), editors, strict=True):
        (folder / f"{name}.yaml").write_text(CONFIG % editor, encoding="utf-8")
        done = cli("run", f"{name}.yaml", "--allow-code", cwd=folder)
        assert done.returncode == 3, done.stderr
        made.append((folder / "outputs" / "latest").resolve())
    return made


def headline_scores(run: Path) -> dict[str, float | None]:
    rows = [json.loads(line) for line in (run / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    return {row["id"]: row["scores"].get("overall", {"value": None})["value"] for row in rows}


def comparison(runs: list[Path]) -> dict[str, Any]:
    (told,), num_shared = Comparing(runs, False)([read_block(run) for run in runs])
    assert num_shared is None
    return told


def test_the_comparison_is_that_of_the_samples_that_both_scored(runs: list[Path]) -> None:
    first, second = map(headline_scores, runs)
    both = [a - b for key in first if (a := first[key]) is not None and (b := second[key]) is not None]
    told = comparison(runs)
    scored_first = sum(value is not None for value in first.values())
    assert told["num_shared"] == len(both) < min(scored_first, 9)
    assert told["difference"] == pytest.approx(sum(both) / len(both), abs=1e-6) and told["difference"] != 0
    assert (told["wins"], told["losses"]) == (sum(d > 0 for d in both), sum(d < 0 for d in both))
    assert told["first"] == {"num_scored": scored_first, "num_samples": 10}
    assert told["second"] == {"num_scored": 9, "num_samples": 10}
    assert told["is_same_judge"] is True


def test_clusters_come_from_the_ledger_and_no_value_from_an_edit_that_failed(runs: list[Path]) -> None:
    found = scored(runs[0], read_block(runs[0]))
    assert None in {one.value for one in found.values()}
    assert all(one.cluster for one in found.values())
    rounded = {sample_id: one.value and round(one.value, 6) for (sample_id, _), one in found.items()}
    assert rounded == headline_scores(runs[0])


def test_a_score_of_an_edit_that_failed_later_is_no_score() -> None:
    said = ("0" * 64, 1, None, None, 1.0, "cpu", 0, 1, "edits/a.png")
    scores = {"overall": Score("a", "exact", "overall", 4.0)}
    row = SampleRow("a", "physical", "do", "a", 0, "done", *said, scores)
    assert (value_of(row, "overall"), value_of(row, "care")) == (4.0, None)
    assert value_of(replace(row, status="failed"), "overall") is None
    assert value_of(replace(row, status="pending"), "overall") is None


def test_it_is_counted_again_only_when_a_report_was_written(runs: list[Path]) -> None:
    blocks = [read_block(run) for run in runs]
    comparing = Comparing(runs, False)
    told = comparing(blocks)
    assert comparing(blocks) is told
    (runs[1] / "report" / "data" / "run.js").touch()
    again = comparing(blocks)
    assert again is not told and again == told


def test_intersect_counts_the_samples_that_all_have(runs: list[Path]) -> None:
    _, num_shared = Comparing(runs, True)([read_block(run) for run in runs])
    assert num_shared == 10


def test_the_page_names_every_run_and_one_is_not_compared(runs: list[Path]) -> None:
    viewer = Viewer(shown_runs(runs, False), comparing=Comparing(runs, False))
    alone = Viewer(shown_runs(runs[:1], False), comparing=Comparing(runs[:1], False))
    try:
        text, one = viewer.page(), alone.page()
    finally:
        viewer.close()
        alone.close()
    assert text.count("<main") == 2 + one.partition('class="app"')[0].count("<main")
    assert f"{runs[0].name} \u2013 {runs[1].name}" in text and " \u00b7 9/10" in text
    assert 'class="runs"' in text and 'class="runs"' not in one
    assert "runs/1/report/thumbs/" in text and "runs/1/" not in one


def test_a_report_that_is_just_being_replaced_costs_a_look_and_no_page(runs: list[Path]) -> None:
    blocks, comparing = [read_block(run) for run in runs], Comparing(runs, False)
    before, place = comparing(blocks), runs[1] / PLACE
    away = place.rename(place.with_suffix(".away"))
    try:
        assert comparing(blocks) == before
    finally:
        away.rename(place)
    assert comparing(blocks) == before


def test_runs_that_share_no_sample_are_not_intersected(tmp_path: Path) -> None:
    """An empty page would be the answer."""
    disjoint = []
    for name in ("physical", "causal"):
        (tmp_path / f"{name}.yaml").write_text(CONFIG % ("identity", "seed: 0"), encoding="utf-8")
        assert cli("run", f"{name}.yaml", "--categories", name, cwd=tmp_path).returncode == 0
        disjoint.append((tmp_path / "outputs" / "latest").resolve())
    with pytest.raises(UserError, match=r"have no sample .* in common"):
        shown_runs(disjoint, True)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_cannot_be_is_a_mistake_of_the_command_line(runs: list[Path], port: int) -> None:
    with pytest.raises(UserError, match=f"--port: must be from 0 to 65535, got {port}"):
        Viewer(shown_runs(runs[:1], False), port)
