"""A judge asked outside a run: every request is answered once, whatever ends the command in between."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from editeval.config.load import load_mapping
from editeval.config.schema import Config
from editeval.errors import ImageError, MachineError, RunConflictError
from editeval.run.plan import ScoreSetPlan, judging_plans
from editeval.run.questions import Asking, ask
from editeval.run.scheduler import Interrupt
from editeval.types import JudgeRequest, Score

KEYS = ("first", "second", "third", "fourth", "fifth")


def judge_of(folder: Path, batch_size: int = 2, **params: Any) -> tuple[Config, ScoreSetPlan]:
    """A scripted judge that notes the keys of what it is asked in `notes`."""
    given = {"notes": str(folder / "notes"), **params}
    execution = {"backend": "inprocess", "batch_size": batch_size, "max_attempts": 1}
    tree = {
        "benchmark": {"type": "procedural"},
        "diffusion_model": {"type": "identity"},
        "reward_model": {"type": "fakes.fake_judge", "params": given, "execution": execution},
        "evaluation": {"output_dir": str(folder / "out")},
        "logging": {"console_output": False},
    }
    config = load_mapping(tree, "small", environ={}, allow_code=True)
    return config, judging_plans(config)[0]


def requests(instruction: str = "Make it red.", keys: tuple[str, ...] = KEYS) -> dict[str, Callable[[], JudgeRequest]]:
    return {key: partial(JudgeRequest, key, (b"source",), b"edited", instruction) for key in keys}


def asked(folder: Path) -> list[str]:
    """Keys that the judge has been asked about since the last look."""
    notes = folder / "notes"
    found = [line.split()[0] for line in notes.read_text().splitlines()] if notes.exists() else []
    notes.unlink(missing_ok=True)
    return found


def values(folder: Path, kept: Path | None, build: Any = None, **params: Any) -> dict[str, float | str]:
    config, judging = judge_of(folder, **params)
    found = ask(config, judging, build or requests(), kept)
    return {key: rows[0].reason if rows[0].value is None else rows[0].value for key, rows in found}


def test_every_request_is_answered_and_what_is_kept_is_not_asked_again(tmp_path: Path) -> None:
    kept = tmp_path / "kept" / "answers.jsonl"
    first = values(tmp_path, kept)
    assert first == dict.fromkeys(KEYS, 5.0) and sorted(asked(tmp_path)) == sorted(KEYS)
    assert values(tmp_path, kept) == first and asked(tmp_path) == []
    wider = requests(keys=(*KEYS, "sixth"))
    assert values(tmp_path, kept, wider) == first | {"sixth": 5.0} and asked(tmp_path) == ["sixth"]
    told = [json.loads(line) for line in kept.read_text().splitlines()]
    assert {one["key"] for one in told} == {*KEYS, "sixth"} and told[0]["scores"][0]["raw"].startswith("raw ")


def test_a_kill_anywhere_loses_nothing_but_the_answer_that_was_being_written(tmp_path: Path) -> None:
    kept = tmp_path / "answers.jsonl"
    config, judging = judge_of(tmp_path)
    answers = ask(config, judging, requests(), kept)
    gone = {next(answers)[0] for _ in range(2)}
    answers.close()  # as when the process goes away
    asked(tmp_path)
    with kept.open("ab") as file:
        file.write(b'{"score_set": "cut off in the mid')
    assert values(tmp_path, kept) == dict.fromkeys(KEYS, 5.0)
    assert not gone & set(asked(tmp_path))
    assert all(json.loads(line) for line in kept.read_text().splitlines())


def test_an_answer_holds_for_the_same_judge_and_the_very_same_request_alone(tmp_path: Path) -> None:
    kept = tmp_path / "answers.jsonl"
    values(tmp_path, kept)
    asked(tmp_path)
    assert set(values(tmp_path, kept, requests("Make it blue."))) == set(KEYS) and len(asked(tmp_path)) == 5
    assert values(tmp_path, kept, value=7.0) == dict.fromkeys(KEYS, 7.0) and len(asked(tmp_path)) == 5


@pytest.mark.parametrize("change", [{"value": 11.5}, {"value": -1}, {"metric": "other"}, {"value": "7"}])
def test_a_kept_answer_that_this_judge_cannot_have_given_is_said_and_asked_again(
    tmp_path: Path, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    kept = tmp_path / "answers.jsonl"
    values(tmp_path, kept)
    asked(tmp_path)
    first, *others = kept.read_text().splitlines()
    told = json.loads(first)
    told["scores"][0] |= change
    kept.write_text("\n".join([json.dumps(told), *others]) + "\n")
    if isinstance(change.get("value"), str):
        with pytest.raises(MachineError, match=r"answers.jsonl:1: no answer of a judge"):
            values(tmp_path, kept)
        return
    assert values(tmp_path, kept) == dict.fromkeys(KEYS, 5.0) and asked(tmp_path) == [told["key"]]
    assert "answers.jsonl:1: not used, and asked again" in caplog.text
    assert values(tmp_path, kept) == dict.fromkeys(KEYS, 5.0) and asked(tmp_path) == []


def test_what_says_nothing_of_the_edit_is_asked_again(tmp_path: Path) -> None:
    kept = tmp_path / "answers.jsonl"
    modes = {"third": "raises"}
    first = values(tmp_path, kept, batch_size=1, modes=modes)
    assert first["third"] == "exception" and list(first.values()).count(5.0) == 4
    asked(tmp_path)
    values(tmp_path, kept, batch_size=1, modes=modes)
    assert asked(tmp_path) == ["third"]


def test_a_picture_that_cannot_be_read_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    def broken() -> JudgeRequest:
        raise ImageError("second.png: no image")

    found = values(tmp_path, None, requests() | {"second": broken}, batch_size=5)
    assert found == dict.fromkeys(KEYS, 5.0) | {"second": "bad_image"}


def test_an_interrupt_before_the_first_request_asks_nothing(tmp_path: Path) -> None:
    config, judging = judge_of(tmp_path)
    interrupt = Interrupt()
    interrupt.request(2)
    assert list(ask(config, judging, requests(), None, Asking(interrupt=interrupt))) == [] and asked(tmp_path) == []


def test_a_file_that_another_process_writes_and_one_that_is_damaged_are_named(tmp_path: Path) -> None:
    kept = tmp_path / "answers.jsonl"
    config, judging = judge_of(tmp_path)
    busy = ask(config, judging, requests(), kept)
    assert isinstance(next(busy)[1][0], Score)
    with pytest.raises(RunConflictError, match=r"answers.jsonl: another process is asking"):
        values(tmp_path, kept)
    busy.close()
    kept.write_text("no answer\n")
    with pytest.raises(MachineError, match=r"answers.jsonl:1: no answer of a judge"):
        values(tmp_path, kept)
