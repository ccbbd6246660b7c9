"""`status` tells the scores that the run shows, and an unfinished other score set in a line of its own."""

from __future__ import annotations

import json
from pathlib import Path

from command_line import cli

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model: {type: identity, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
logging: {console_output: false}
"""


def test_a_score_that_failed_leaves_the_shown_scores_complete(tmp_path: Path) -> None:
    other = CONFIG.replace("type: reference", "type: fakes.unloadable_judge")
    (tmp_path / "small.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "other.yaml").write_text(other, encoding="utf-8")
    assert cli("run", "small.yaml", cwd=tmp_path).returncode == 0
    done = cli("score", "latest", "other.yaml", "--allow-code", cwd=tmp_path)
    assert done.returncode not in (0, 3), "it cannot be loaded"
    done = cli("status", "--json", cwd=tmp_path)
    status = json.loads(done.stdout)
    assert (done.returncode, status["outcome"]) == (0, "complete")
    assert status["num_scored"] == status["num_wanted"] == 5
    (left,) = status["unfinished"]
    assert (left["name"], left["num_left"]) == ("unloadable_judge", 5)
    said = cli("status", cwd=tmp_path).stdout
    assert "complete: every wanted sample is scored" in said
    line = (
        f"scores unloadable_judge ({left['id']}), not shown: 5 edits are not judged yet; to continue: editeval score "
    )
    assert line in said
