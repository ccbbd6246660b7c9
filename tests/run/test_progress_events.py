"""What observers of the stages get is what the report will say."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editeval.display.observer import Observer
from editeval.execution.pool_events import PoolEvent
from editeval.run.edit_stage import completed_edit
from editeval.run.judge_stage import completed_scores
from editeval.run.stage import pass_on
from editeval.stats.summary import Entry, running_interval, summarise
from editeval.types import Failure, Metric, Outcome, Sample, Score


class NoImage:
    def read(self) -> bytes:
        raise AssertionError("no pixel is needed")


def outcome(key: str, error: Failure | None = None) -> Outcome:
    return Outcome(key, None if error else "value", error, 1, "cpu", 2, 5.0, 3.0)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcd"), st.integers(0, 9)),  # source image and sample
        st.lists(st.floats(0, 10) | st.sampled_from((0.0, 10.0)), min_size=1, max_size=3),
        min_size=1,
        max_size=16,
    )
)
def test_the_running_interval_is_that_of_the_reports_row_micro(scores: dict[tuple[str, int], list[float]]) -> None:
    placed = [(cluster, f"{cluster}{n}", value) for (cluster, n), values in scores.items() for value in values]
    entries: list[Entry] = [("a", cluster, "scored", value, sample) for cluster, sample, value in placed]
    whole = summarise(entries, "overall")[-1]
    mean, low, high = running_interval(placed, Metric("m"))
    assert mean == pytest.approx(whole.mean, abs=1e-9)
    assert (low is None) == (whole.ci_low is None)
    if low is not None:
        assert [low, high] == pytest.approx([whole.ci_low, whole.ci_high], abs=1e-9)


def test_a_failed_edit_settles_with_its_reason() -> None:
    failed = completed_edit(outcome("a", Failure("oom", "no memory", "trace")))
    assert failed.failures == (("a", "oom", "no memory"),) and (failed.worker, failed.seconds) == (1, 3.0)
    assert completed_edit(outcome("a")).failures == ()


def test_a_batch_settles_its_scores_by_cluster_what_is_unscored_and_what_has_no_edit() -> None:
    samples = {key: Sample(key, "x", (NoImage(),), "do", cluster=cluster) for key, cluster in (("a", "c"), ("b", ""))}
    samples["b"] = replace(samples["b"], repeat_of="a")
    rows = [([Score("a", "j", "overall", 4.0)], outcome("a")), ([Score("b", "j", "overall", 6.0)], outcome("b"))]
    settled = completed_scores(outcome("batch 0"), 3, rows, samples)
    assert settled.scores == (("c", "a", 4.0), ("b", "a", 6.0)) and (settled.num_samples, settled.num_gone) == (2, 1)
    rows[1] = ([Score("b", "j", "overall", None, "what?", "unparsable")], outcome("b"))
    settled = completed_scores(outcome("batch 0"), 2, rows, samples)
    assert settled.failures == (("b", "unparsable", "what?"),) and settled.num_gone == 0


class Recording(Observer):
    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict]] = []

    def notice(self, stage, kind, data) -> None:  # type: ignore[no-untyped-def]
        self.events.append((stage, kind, dict(data)))


def test_events_are_passed_on_as_json_values_and_ticks_are_not() -> None:
    observer = Recording()
    pass_on(observer, "edit", PoolEvent("tick", {}))
    pass_on(observer, "edit", PoolEvent("started", {"worker": 0, "key": "a"}))
    pass_on(observer, "edit", PoolEvent("attempt", {"outcome": outcome("a", Failure("oom", "no memory"))}))
    attempt = {"key": "a", "worker": 1, "attempt": 2, "reason": "oom", "message": "no memory"}
    assert observer.events == [("edit", "started", {"worker": 0, "key": "a"}), ("edit", "attempt", attempt)]
