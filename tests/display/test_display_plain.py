"""When a plain line is due, and what it says."""

from __future__ import annotations

from dataclasses import replace

from display_fakes import Told, edit_facts, gpu, judge_facts

from editeval.display.screen import status_line
from editeval.display.session import INTERVAL_S, MIN_GAP_S, Rhythm
from editeval.display.snapshot import RunSnapshot, StageView


def stage(done: int, total: int = 100) -> StageView:
    return StageView("edit", "edit", "Fake", "running", total, done, 0, 0, 0)


def due_at(points: list[tuple[float, int]]) -> list[float]:
    rhythm = Rhythm()
    shown = [(at, RunSnapshot("demo", "", 100, at, 0.0, "running", (stage(done),))) for at, done in points]
    return [at for at, picture in shown if rhythm.is_due(picture)]


def test_a_line_is_due_every_half_minute() -> None:
    assert due_at([(float(at), 0) for at in range(100)]) == [INTERVAL_S, 2 * INTERVAL_S, 3 * INTERVAL_S]


def test_a_line_is_due_at_every_tenth() -> None:
    assert due_at([(at / 2, int(at)) for at in range(41)]) == [5.0, 10.0, 15.0, 20.0]


def test_tenths_that_follow_one_another_fast_share_a_line() -> None:
    found = due_at([(at / 10, at) for at in range(100)])
    assert len(found) == 1 and found[0] >= MIN_GAP_S


def test_the_line_says_everything_that_moves() -> None:
    told = Told(edit_facts(total=12), judge_facts(scores=(("c", "c", 6.0),)))
    told.tracker.stage_began(edit_facts(total=12))
    told.edits("a", 0)
    told.edits("b", 1, error="oom")
    told.tracker.batch("edit", 1, 6)
    told.tracker.tick([gpu("cuda:0", 90.0), gpu("cuda:1", 96.0)])
    assert status_line(told.tracker.picture()) == (
        "Status: edit 2/12 (17%), 30.0 img/min, ETA 00:20, 1 failed, batch 1/6; "
        "workers: 2 at boundary; GPUs 93 % (90-96), 1280 W"
    )


def test_the_line_of_a_judge_has_its_provisional_mean() -> None:
    view = Told(judge_facts(scores=(("c", "c", 6.0),))).tracker.picture()
    shown = replace(view, stages=(replace(view.stages[0], state="running"),))
    assert "overall 6.00 (95 % 5.00 to 7.00), n 1, provisional" in status_line(shown)


def test_loading_models_are_said_to_load() -> None:
    told = Told(edit_facts())
    told.tracker.stage_began(edit_facts())
    told.tracker.notice("edit", "loading", {"worker": 0})
    assert status_line(told.tracker.picture()) == (
        "Status: edit 0/10 (0%), loading models; workers: 1 loading, 1 waiting"
    )
