"""Whoever changes how a run edits is told what is kept, and every edit says under which policy it was made."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from editeval.cli.main import main
from editeval.config.load import load_mapping
from editeval.reports.format import policy_line, policy_shares
from editeval.run.pipeline import RunResult, evaluate
from editeval.run.recorded import changed_setting
from editeval.store.run_store import RunStore
from fakes.older_ledgers import as_of_version

KEPT = "Edits that are there are kept: "


def tree(folder: Path, policy: str, devices: int, limit: int | None) -> dict[str, Any]:
    return {
        "benchmark": {"type": "procedural", "params": {"num_per_category": 2, "size": 64}},
        "diffusion_model": {
            "type": "identity",
            "params": {"device_ids": ["cpu"] * devices},
            "execution": {"backend": "inprocess", "policy": policy},
        },
        "evaluation": {"output_dir": str(folder), "limit": limit},
        "logging": {"console_output": False},
    }


def grown(folder: Path, policy: str, size: int) -> RunResult:
    """A run of `size` samples per category on two devices: another one than that of a smaller benchmark."""
    wanted = tree(folder, policy, 2, None)
    wanted["benchmark"]["params"]["num_per_category"] = size
    return evaluate(load_mapping(wanted, "small", environ={}), ["editeval", "test"])


def run(folder: Path, policy: str = "round_robin", devices: int = 2, limit: int | None = None) -> RunResult:
    return evaluate(load_mapping(tree(folder, policy, devices, limit), "small", environ={}), ["editeval", "test"])


def said(folder: Path) -> list[str]:
    """What the log has said of kept edits so far."""
    text = (folder / "logs" / "small.log").read_text(encoding="utf-8")
    return [line.partition(KEPT)[2] for line in text.splitlines() if KEPT in line]


def shares(result: RunResult) -> dict[str, int]:
    assert result.report is not None
    return {one["policy"]: one["num_edits"] for one in result.report.run["edits_by_policy"]}


def test_a_switch_that_comes_too_late_is_said_in_one_line(tmp_path: Path) -> None:
    assert shares(run(tmp_path)) == {"round_robin": 10} and said(tmp_path) == []
    late = run(tmp_path, "batch_sync")
    assert shares(late) == {"round_robin": 10}
    assert said(tmp_path) == [
        "10 with policy round_robin on cpu x2; none left to make with policy batch_sync on cpu x2; "
        "--fresh makes all of them again"
    ]


def test_a_switch_half_way_makes_the_rest_under_the_new_policy_and_every_report_lists_the_shares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, limit=4)
    both = run(tmp_path, "batch_sync")
    assert shares(both) == {"batch_sync": 6, "round_robin": 4}
    assert said(tmp_path) == [
        "4 with policy round_robin on cpu x2, limit 4; 6 left to make with policy batch_sync on cpu x2; "
        "--fresh makes all of them again"
    ]
    assert both.report is not None
    words = policy_shares(both.report.run)
    assert words == "batch_sync 6 (60 %), round_robin 4 (40 %)"
    assert f"edits made under: {words}" in (both.plan.dir / "report.md").read_text(encoding="utf-8").replace("\\", "")
    assert words in (both.plan.dir / "report.html").read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["report", str(both.plan.dir)])
    assert f"edits   {words}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ({"devices": 2}, {"devices": 3}, "10 with policy round_robin on cpu x2; none left to make"),
        ({"limit": 3}, {"limit": None}, "3 with policy round_robin on cpu x2, limit 3; 7 left to make"),
        ({"limit": 3}, {"limit": 5}, "3 with policy round_robin on cpu x2, limit 3; 2 left to make"),
    ],
    ids=["devices", "no limit any more", "a larger limit"],
)
def test_another_device_list_or_limit_is_said(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], line: str
) -> None:
    run(tmp_path, **before)
    run(tmp_path, **after)
    (told,) = said(tmp_path)
    assert told.startswith(line)


def test_a_limit_that_has_not_changed_since_is_not_worth_a_word(tmp_path: Path) -> None:
    for limit in (3, 5, 5, 5):
        run(tmp_path, limit=limit)
    assert len(said(tmp_path)) == 1


def test_the_same_command_again_says_nothing(tmp_path: Path) -> None:
    run(tmp_path)
    run(tmp_path)
    assert said(tmp_path) == []


def test_fresh_makes_all_of_them_under_the_new_policy(tmp_path: Path) -> None:
    run(tmp_path)
    fresh = evaluate(load_mapping(tree(tmp_path, "batch_sync", 2, None), "small", environ={}), fresh=True)
    assert shares(fresh) == {"batch_sync": 10} and said(tmp_path) == []


def test_edits_of_an_older_version_were_made_under_an_unknown_policy(tmp_path: Path) -> None:
    first = run(tmp_path)
    as_of_version(first.plan.dir, 2)
    with RunStore.read(first.plan.dir) as store:
        assert changed_setting(first.plan, store).startswith("Edits that are there are kept: 10 with an unknown")
    assert shares(run(tmp_path, limit=None)) == {"unknown": 10}


def test_reused_edits_were_made_as_the_run_says_that_made_them(tmp_path: Path) -> None:
    grown(tmp_path, "round_robin", 1)
    second = grown(tmp_path, "batch_sync", 2)
    assert shares(second) == {"round_robin": 5, "batch_sync": 5}
    (line,) = said(tmp_path)
    assert line.startswith("5 with policy round_robin on cpu x2; 5 left to make with policy batch_sync")
    assert shares(grown(tmp_path, "batch_sync", 3)) == {"batch_sync": 10, "round_robin": 5}, "through two runs"


def test_edits_reused_under_the_same_setting_are_not_worth_a_word(tmp_path: Path) -> None:
    grown(tmp_path, "round_robin", 1)
    assert shares(grown(tmp_path, "round_robin", 2)) == {"round_robin": 10} and said(tmp_path) == []


def test_edits_reused_from_a_run_that_does_not_know_how_it_made_them_name_that_run(tmp_path: Path) -> None:
    first = grown(tmp_path, "round_robin", 1)
    as_of_version(first.plan.dir, 3)
    origin = f"reused from {first.plan.dir.name}"
    assert shares(grown(tmp_path, "round_robin", 2)) == {"round_robin": 5, f"unknown ({origin})": 5}
    (line,) = said(tmp_path)
    assert line.startswith(f"5 with an unknown setting ({origin}); 5 left")


def test_a_policy_line_covers_no_invocation_that_was_killed_and_says_so(tmp_path: Path) -> None:
    first = run(tmp_path, limit=4)
    with closing(sqlite3.connect(first.plan.dir / "ledger.sqlite")) as db, db:
        db.execute("DELETE FROM events WHERE kind IN ('replay', 'stage_end')")  # as kill -9 would have left it
    second = run(tmp_path)
    report = second.report
    assert report is not None
    assert report.timing["cost"]["num_edits"] == 6 and report.timing["cost"]["of_edits"] == 10
    assert all((row["num_edits"], row["of_edits"]) == (6, 10) for row in report.policies)
    assert "; covers 6 of 10 edits" in policy_line(report)
    assert "in this run, for 6 of 10 edits: measured" in (tmp_path / "logs" / "small.log").read_text(encoding="utf-8")
    assert "Covers 6 of 10 edits" in (second.plan.dir / "report.html").read_text(encoding="utf-8")


def test_seconds_of_two_policies_are_never_added_up(tmp_path: Path) -> None:
    first = run(tmp_path, limit=4).report
    both = run(tmp_path, "batch_sync").report
    assert first is not None and both is not None
    assert "covers" not in policy_line(first)
    new, old = both.timing["costs"]
    assert both.timing["cost"] == new and old == first.timing["cost"] | {"of_edits": 10}
    assert (new["policy"], new["num_edits"], old["policy"], old["num_edits"]) == ("batch_sync", 6, "round_robin", 4)
    line = policy_line(both)
    assert line.startswith("batch_sync ") and "; covers 6 of 10 edits; besides, round_robin took " in line
    assert line.endswith(" for 4 of 10 edits")


def test_a_dry_run_says_it_before_anything_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(
        "benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}\n"
        "diffusion_model: {type: identity, params: {device_ids: [cpu], enable_batch_sync: false}}\n"
        "logging: {console_output: false}\n",
        encoding="utf-8",
    )
    synchronised = ("--set", "diffusion_model.params.enable_batch_sync=true")
    for arguments in (["run", "small.yaml"], ["run", "small.yaml", *synchronised, "--dry-run"]):
        with pytest.raises(SystemExit):
            main(arguments)
    line = "setting        Edits that are there are kept: 5 with policy round_robin on cpu; none left to make with"
    assert line in capsys.readouterr().out
