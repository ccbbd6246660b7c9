"""Every line is one JSON object; a reader that is slow or leaves costs the run nothing."""

from __future__ import annotations

import io
import json
import os
import time
from typing import Any

import pytest
from display_fakes import Told, edit_facts, run

from editeval.display import recorder as events_module
from editeval.display.observer import RequestCompleted
from editeval.display.recorder import EventLines


@pytest.fixture(autouse=True)
def it_is_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last line is waited for, however busy the machine is."""
    monkeypatch.setattr(events_module, "PATIENCE_S", 60.0)


def written(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_everything_that_is_told_becomes_a_line() -> None:
    out = io.StringIO()
    with EventLines(Told(edit_facts()).tracker, out) as lines:
        lines.run_began(run(edit_facts()))
        lines.stage_began(edit_facts())
        lines.notice("edit", "started", {"worker": 0, "key": "a\n\u2028\ud800"})
        lines.settled("edit", RequestCompleted("a", 0, 1.0, failures=(("a", "oom", "no memory"),)))
        lines.batch("edit", 1, 5)
        lines.stage_ended("edit")
        lines.run_ended(3)
    found = written(out)
    names = ["run_began", "stage_began", "started", "settled", "batch", "stage_ended", "picture", "run_ended"]
    assert [event["event"] for event in found] == names
    assert all(isinstance(event["at"], float) for event in found)
    assert found[2]["key"] == "a\n\u2028\ud800" and found[1]["devices"] == [["cuda:0"], ["cuda:1"]]
    assert found[3]["failures"] == [{"sample": "a", "reason": "oom", "message": "no memory"}]
    assert found[7]["exit_code"] == 3 and found[6]["stages"][0]["key"] == "edit"


def steps_of(found: list[dict[str, Any]]) -> list[int]:
    return [event["step"] for event in found if event["event"] == "progress"]


def dropped_in(found: list[dict[str, Any]]) -> int:
    return sum(event["count"] for event in found if event["event"] == "dropped")


def test_a_reader_that_does_not_read_loses_events_and_is_told_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events_module, "MAX_WAITING", 100)
    reader, writer = os.pipe()
    with (
        os.fdopen(writer, "w", encoding="utf-8") as out,
        os.fdopen(reader, encoding="utf-8") as source,
        EventLines(Told(edit_facts()).tracker, out) as lines,
    ):
        for number in range(5000):
            lines.notice("edit", "progress", {"worker": 0, "key": "k" * 200, "step": number, "num_steps": 5000})
        found: list[dict[str, Any]] = []  # nobody has read yet: telling that waits would not get here
        while len(steps_of(found)) + dropped_in(found) < 5000:
            found.append(json.loads(source.readline()))
    steps = steps_of(found)
    assert steps == sorted(steps) and 0 < len(steps) < 5000
    assert dropped_in(found) == 5000 - len(steps)


def test_a_reader_that_leaves_ends_the_events_and_nothing_else() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    out = os.fdopen(writer, "w", encoding="utf-8", closefd=True)
    with EventLines(Told(edit_facts()).tracker, out) as lines:
        lines.run_began(run(edit_facts()))
        time.sleep(0.2)
        lines.run_ended(0)
    out.close()  # raises nothing any more
    assert out.closed
