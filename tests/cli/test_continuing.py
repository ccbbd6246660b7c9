"""What people are told to type next carries on, whatever they typed before."""

from __future__ import annotations

from editeval.commands.console import continuing


def test_a_run_that_was_begun_anew_is_not_begun_anew_again() -> None:
    assert continuing(["editeval", "run", "a b.yaml", "--fresh", "--limit", "3"]) == "editeval run 'a b.yaml' --limit 3"


def test_a_secret_on_the_command_line_is_not_repeated() -> None:
    key = "sk-" + "a1B2" * 8
    assert key not in continuing(["editeval", "run", "c.yaml", "--set", f"reward_model.params.api_key={key}"])
