"""The layout keeps to its width and height whatever an id holds, and says what it should at every width."""

from __future__ import annotations

from dataclasses import replace

import pytest
from display_fakes import Told, edit_facts, gpu, judge_facts
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from editeval.display.screen import MAX_ROWS, lines
from editeval.display.snapshot import RunSnapshot
from editeval.text import bar, clock, fit, one_line


def picture(num_workers: int = 6, sample: str = "gedit/add/0411", message: str = "CUDA out of memory") -> RunSnapshot:
    told = Told(
        edit_facts(num_workers, 606, done=90, failed=6), judge_facts(606, scores=(("c", "c", 6.0),)), name=sample
    )
    told.tracker.stage_began(edit_facts(num_workers, 606, done=90, failed=6))
    for worker in range(num_workers):
        told.edits(f"{sample}-{worker}", worker, error="oom" if worker == 2 else "")
        told.tracker.notice("edit", "started", {"worker": worker, "key": sample})
        told.tracker.notice("edit", "progress", {"worker": worker, "key": sample, "step": 17, "num_steps": 28})
    told.tracker.batch("edit", 1, 85)
    attempt = {"worker": 0, "key": sample, "attempt": 1, "reason": "oom", "message": message}
    told.tracker.notice("edit", "attempt", attempt)
    told.tracker.tick([gpu(f"cuda:{worker}") for worker in range(num_workers)])
    return told.tracker.picture()


def text(shown: RunSnapshot, width: int, height: int = 1000) -> str:
    return "\n".join("".join(part for part, _ in line) for line in lines(shown, width, height))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60), st.text(max_size=200), st.integers(1, 220), st.integers(0, 40), st.integers(0, 24))
def test_no_line_is_wider_than_the_terminal_and_nothing_in_it_can_steer_it(
    sample: str, message: str, width: int, height: int, num_workers: int
) -> None:
    shown = picture(num_workers, sample, message)
    for line in lines(shown, width, height):
        said = "".join(part for part, _ in line)
        assert cell_len(said) <= width
        assert said.isprintable()


@pytest.mark.parametrize("width", [80, 118, 200])
def test_every_width_shows_the_stages_the_workers_and_the_last_failure(width: int) -> None:
    said = text(picture(), width)
    for words in ("102/606", "17%", "img/min", "ETA", "batch  1/85", "0/606", "waiting", "overall 6.00", "provisional"):
        assert words in said, words
    assert "batch  1/85 waiting for a retry of " in said and "in step" not in said
    for words in ("7 failed", "1 retried", "96 already", "17/28", "97%", "last failure", "worker 0: oom"):
        assert words in said, words
    assert "logs/edit-worker0.log" in said
    assert said.count("gedit/add/0411") >= 6


def test_a_narrow_terminal_does_without_memory_power_and_temperature() -> None:
    head = next(line for line in text(picture(), 89).splitlines() if "device" in line)
    assert "util" in head and not {"GiB", "W", "°C"} & set(head.split())
    wide = next(line for line in text(picture(), 90).splitlines() if "device" in line)
    assert {"util", "GiB", "W", "°C"} <= set(wide.split())


def test_a_wide_terminal_shows_how_the_load_of_each_worker_rose_and_fell() -> None:
    shown = picture(2)
    workers = tuple(replace(w, history=(0, 13, 50, 99, 100)) for w in shown.workers)
    said = text(replace(shown, workers=workers), 118)
    assert said.count("▁▁▄▇▇") == 2
    assert "▁" not in text(replace(shown, workers=workers), 117)


@pytest.mark.parametrize("num_workers", [MAX_ROWS, MAX_ROWS + 1, 512])
def test_more_than_sixteen_workers_are_summed_up_per_state(num_workers: int) -> None:
    said = text(picture(num_workers), 118)
    rows = [line for line in said.splitlines() if "cuda:" in line]
    assert len(rows) == (num_workers if num_workers <= MAX_ROWS else 0)
    if not rows:
        line = next(line for line in said.splitlines() if line.startswith("editing"))
        assert line.split()[1] == str(num_workers - 1) and "97 % (97-97)" in line


def test_a_low_terminal_sums_up_as_well() -> None:
    assert len(text(picture(12), 118, height=12).splitlines()) <= 12
    assert "cuda:11" in text(picture(12), 118, height=40)


def test_two_stages_at_once_say_which_worker_is_whose() -> None:
    told = Told(edit_facts(1), judge_facts())
    told.tracker.stage_began(edit_facts(1))
    told.tracker.stage_began(judge_facts())
    said = text(told.tracker.picture(), 118)
    assert "stage" in said and "judge second" in said


def test_before_the_run_is_known_it_says_that_it_starts() -> None:
    assert text(RunSnapshot("", "", 0, 1.0, 1.0, "starting"), 80) == "starting"


def test_the_time_of_a_run_that_was_continued_is_said_to_be_that_of_its_last_part() -> None:
    once = RunSnapshot("run", "out/run", 4, 13.0, 0.0, "not running")
    assert "run · 4 samples · 00:13  not running" in text(once, 120)
    again = replace(once, is_continued=True)
    assert "· 00:13 in this invocation  not running" in text(again, 120)


def test_stopping_says_what_the_next_ctrl_c_does() -> None:
    assert "Ctrl-C again stops at once" in text(replace(picture(), state="stopping"), 118)


@settings(deadline=None)
@given(st.text(max_size=30), st.integers(1, 40), st.booleans())
def test_a_fitted_text_has_exactly_its_width(said: str, width: int, is_right: bool) -> None:
    assert cell_len(fit(one_line(said), width, is_right)) == width


@settings(deadline=None)
@given(st.floats(-1, 2), st.integers(1, 80))
def test_a_bar_has_exactly_its_width(share: float, width: int) -> None:
    full, empty = bar(share, width)
    assert len(full) + len(empty) == width
    assert (full == "") if share <= 0 else (empty == "" if share >= 1 else True)


def test_clocks() -> None:
    read = ["-", "00:00", "01:00", "01:35", "59:59", "1:00:00", "2:01:35"]
    assert [clock(s) for s in (None, 0, 59.6, 95, 3599.4, 3600, 7295)] == read
