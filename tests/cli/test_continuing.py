"""What people are told to type next carries on, whatever they typed before."""

from __future__ import annotations

from typing import Any, cast

import pytest

from editeval.cli.console import continuing
from editeval.cli.run import report_result
from editeval.run.pipeline import RunResult
from editeval.run.plan import Plan
from editeval.store.records import Counts


def test_a_run_that_was_begun_anew_is_not_begun_anew_again() -> None:
    assert continuing(["editeval", "run", "a b.yaml", "--fresh", "--limit", "3"]) == "editeval run 'a b.yaml' --limit 3"


def test_a_secret_on_the_command_line_is_not_repeated() -> None:
    key = "sk-" + "a1B2" * 8
    assert key not in continuing(["editeval", "run", "c.yaml", "--set", f"reward_model.params.api_key={key}"])


def test_nor_is_one_that_met_a_limit_on_spending(capsys: pytest.CaptureFixture[str]) -> None:
    report, plan = cast(Any, object()), cast(Plan, None)
    result = RunResult(plan, report, Counts(1, 0, 0, 0, 0), None, ("max_calls is reached; run the same command",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunResult, "exit_code", 3)
        assert report_result(result, ["editeval", "run", "c.yaml", "--fresh"], "json") == 3
    assert capsys.readouterr().err == "max_calls is reached; run the same command: editeval run c.yaml\n"
