"""`status` tells the scores that the run shows, and an unfinished other score set in a line of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from editeval.cli.main import main

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model: {type: identity, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
logging: {console_output: false}
"""


def test_a_score_that_failed_leaves_the_shown_scores_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(CONFIG, encoding="utf-8")
    Path("other.yaml").write_text(CONFIG.replace("type: reference", "type: fakes.unloadable_judge"), encoding="utf-8")

    def cli(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert isinstance(ended.value.code, int)
        return ended.value.code, capsys.readouterr().out

    cli("run", "small.yaml")
    code, _ = cli("score", "latest", "other.yaml", "--allow-code")
    assert code not in (0, 3), "it cannot be loaded"
    code, said = cli("status", "--json")
    status = json.loads(said)
    assert (code, status["outcome"]) == (0, "complete")
    assert status["num_scored"] == status["num_wanted"] == 5
    (left,) = status["unfinished"]
    assert (left["name"], left["num_left"]) == ("unloadable_judge", 5)
    _, said = cli("status")
    assert "complete: every wanted sample is scored" in said
    line = (
        f"scores unloadable_judge ({left['id']}), not shown: 5 edits are not judged yet; to continue: editeval score "
    )
    assert line in said
