"""The run store: what is recorded is there, what is wanted is pending, nothing else."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import store_fakes as fakes
from hypothesis import given, settings
from hypothesis import strategies as st

from editeval.errors import BenchmarkError, ImageError, UserError
from editeval.store.ledger_events import Capped, EditsForgotten, OtherEvent, Spent
from editeval.store.run_store import RunStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore.open(tmp_path / "run", fakes.manifest()) as opened:
        yield opened


def test_a_recorded_edit_is_the_file_and_the_row(store: RunStore) -> None:
    store.select(fakes.samples(2))
    edit = store.record_edit(fakes.done("s001"), seed=7)
    assert store.edit_of("s001") == edit
    assert (edit.status, edit.width, edit.height, edit.seed, edit.peak_memory_gib) == ("done", 3, 2, 7, 0.25)
    assert edit.path is not None and (store.dir / edit.path).read_bytes() == fakes.png("s001")
    assert store.read_edit(edit) == fakes.png("s001")
    assert store.edit_path("s001") == store.dir / edit.path
    assert store.edit_of("s000") is None


def test_a_failed_edit_has_a_row_and_no_file(store: RunStore) -> None:
    store.select(fakes.samples(1))
    edit = store.record_edit(fakes.failed("s000"), seed=7)
    assert (edit.status, edit.path, edit.sha256, edit.width) == ("failed", None, None, None)
    assert store.edit_of("s000") == edit
    assert edit.error is not None and edit.error.reason == "oom"
    assert not store.edit_path("s000").exists()
    assert store.pending_edits() == []
    store.add_judging(fakes.JUDGING, "reference", {})
    assert store.pending_scores(fakes.JUDGING) == []
    with pytest.raises(ImageError, match="failed"):
        store.read_edit(edit)


def test_an_altered_image_is_never_read_as_the_edit(store: RunStore) -> None:
    store.select(fakes.samples(1))
    edit = store.record_edit(fakes.done("s000"), seed=7)
    store.edit_path("s000").write_bytes(fakes.png("other"))
    with pytest.raises(ImageError, match="not the image that was recorded"):
        store.read_edit(edit)


def test_only_what_is_wanted_is_pending_and_nothing_recorded_is_lost(store: RunStore) -> None:
    every = fakes.samples(5)
    store.select(every[:2])
    assert store.pending_edits() == ["s000", "s001"]
    store.record_edit(fakes.done("s001"), seed=1)
    store.select([every[4], every[1], every[3]])
    assert store.pending_edits() == ["s004", "s003"]
    assert [row.id for row in store.rows(None)] == ["s004", "s001", "s003"]
    store.select([every[3]])
    assert store.edit_of("s001") is not None
    assert list(store.edits()) == []
    assert [edit.sample_id for edit in store.edits(wanted_only=False)] == ["s001"]
    store.select(every)
    assert store.pending_edits() == ["s000", "s002", "s003", "s004"]


def test_the_same_selection_again_writes_nothing(store: RunStore) -> None:
    store.select(fakes.samples(20))
    log = store.dir / "ledger.sqlite-wal"
    before = log.read_bytes()
    store.select(fakes.samples(20))
    assert log.read_bytes() == before


@pytest.mark.parametrize("wanted", [["s000", "s001", "s000"], ["s002", "s002"]])
def test_a_selection_with_one_id_twice_is_refused_and_changes_nothing(store: RunStore, wanted: list[str]) -> None:
    store.select(fakes.samples(2))
    with pytest.raises(BenchmarkError, match=r"only \d+ different ids"):
        store.select([fakes.sample(sample_id) for sample_id in wanted])
    assert store.pending_edits() == ["s000", "s001"]


def test_an_error_of_the_benchmark_leaves_the_selection_as_it_was(store: RunStore) -> None:
    def broken() -> Iterator[object]:
        yield fakes.sample("new")
        raise BenchmarkError("line 2 is broken")

    store.select(fakes.samples(2))
    with pytest.raises(BenchmarkError, match="line 2"):
        store.select(broken())
    assert store.pending_edits() == ["s000", "s001"]


def test_any_id_is_safe_and_never_becomes_a_file_name(store: RunStore) -> None:
    ids = [
        "../../etc/passwd",
        "🐈‍⬛ 物理",
        "a" * 300,
        "nul\0inside",
        "'; DROP TABLE edits; --",
        "\u00c9",
        "E\u0301",
        " ",
        "CON",
    ]
    store.select([fakes.sample(sample_id) for sample_id in ids])
    assert store.pending_edits() == ids
    for sample_id in ids:
        store.record_edit(fakes.done(sample_id), seed=1)
    assert [edit.sample_id for edit in store.edits()] == ids
    names = [path.name for path in (store.dir / "edits").iterdir()]
    assert len(names) == len(ids)
    assert all(len(name) == 36 and set(name[:-4]) <= set("0123456789abcdef") for name in names)


def test_an_id_that_is_no_unicode_is_refused_and_other_texts_are_escaped(store: RunStore) -> None:
    with pytest.raises(BenchmarkError, match="not valid Unicode"):
        store.select([fakes.sample("half \ud800 pair")])
    store.select(fakes.samples(1))
    edit = store.record_edit(fakes.failed("s000", message="half \ud800 pair 物"), seed=1)
    stored = store.edit_of("s000")
    assert edit.error is not None and stored is not None and stored.error is not None
    assert stored.error.message == "half \\ud800 pair 物"


def test_a_second_edit_of_one_sample_is_refused_and_leaves_the_first(store: RunStore) -> None:
    store.select(fakes.samples(1))
    first = store.record_edit(fakes.done("s000"), seed=1)
    with pytest.raises(ValueError, match="has an edit already"):
        store.record_edit(fakes.done("s000", fakes.png("other")), seed=1)
    assert store.read_edit(first) == fakes.png("s000")


@pytest.mark.parametrize("value", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_png_is_never_recorded(store: RunStore, value: bytes) -> None:
    store.select(fakes.samples(1))
    with pytest.raises(ValueError, match="not a PNG"):
        store.record_edit(fakes.done("s000", value), seed=1)
    assert store.pending_edits() == ["s000"] and not list((store.dir / "edits").iterdir())


def test_an_unknown_sample_is_refused_before_anything_is_written(store: RunStore) -> None:
    with pytest.raises(ValueError, match="never selected"):
        store.record_edit(fakes.done("stranger"), seed=1)
    assert not list((store.dir / "edits").iterdir())


def test_every_attempt_stays_on_record(store: RunStore) -> None:
    store.select(fakes.samples(1))
    store.record_attempt("edit", fakes.failed("s000", attempt=1))
    store.record_edit(fakes.done("s000", attempt=2), seed=1)
    store.add_judging(fakes.JUDGING, "reference", {})
    store.record_attempt("judge", fakes.failed("s000", "timeout"), fakes.JUDGING)
    store.record_score_batch(fakes.JUDGING, [(fakes.scores("s000"), fakes.done("s000", 1, attempt=2))])
    told = [(a.stage, a.judging_id, a.attempt, a.error.reason if a.error else "") for a in store.attempts()]
    assert told == [
        ("edit", "", 1, "oom"),
        ("edit", "", 2, ""),
        ("judge", fakes.JUDGING, 1, "timeout"),
        ("judge", fakes.JUDGING, 2, ""),
    ]
    assert [a.attempt for a in store.attempts(stage="edit", sample_id="s000")] == [1, 2]
    assert list(store.attempts(sample_id="s001")) == []


def test_scores_belong_to_their_judging_and_keep_their_order(store: RunStore) -> None:
    store.select(fakes.samples(3))
    for key in ("s000", "s001"):
        store.record_edit(fakes.done(key), seed=1)
    store.record_edit(fakes.failed("s002"), seed=1)
    for judging_id in ("one", "two"):
        store.add_judging(judging_id, "reference", {"prompt": "物"})
        store.add_judging(judging_id, "reference", {"prompt": "物"})
    assert [(j.id, j.judge, j.details) for j in store.judgings()] == [
        ("one", "reference", {"prompt": "物"}),
        ("two", "reference", {"prompt": "物"}),
    ]
    batch = [(fakes.scores(key, value), fakes.done(key, 1)) for key, value in (("s000", 7.25), ("s001", None))]
    store.record_score_batch("one", batch)
    assert store.pending_scores("one") == [] and store.pending_scores("two") == ["s000", "s001"]
    rows = list(store.rows("one"))
    assert list(rows[0].scores) == ["overall", "preservation"]
    assert list(rows[0].scores.values()) == fakes.scores("s000", 7.25)
    assert (rows[1].scores["overall"].value, rows[1].scores["overall"].reason) == (None, "unparsable")
    assert rows[2].scores == {} and rows[2].status == "failed"
    assert all(row.scores == {} for row in store.rows("two"))
    assert all(row.scores == {} for row in store.rows(None))


def test_counts_add_up(store: RunStore) -> None:
    store.select(fakes.samples(6))
    for key in ("s000", "s001", "s002"):
        store.record_edit(fakes.done(key), seed=1)
    store.record_edit(fakes.failed("s003"), seed=1)
    store.add_judging(fakes.JUDGING, "reference", {})
    store.record_score_batch(fakes.JUDGING, [(fakes.scores("s000"), fakes.done("s000", 1))])
    store.record_score_batch(fakes.JUDGING, [(fakes.scores("s001", None), fakes.done("s001", 1))])
    counts = store.counts(fakes.JUDGING)
    assert (counts.num_wanted, counts.num_edited, counts.num_failed) == (6, 3, 1)
    assert (counts.num_scored, counts.num_unscored) == (1, 1)
    assert (counts.num_pending_edits, counts.num_pending_scores) == (2, 1)
    assert store.counts(None).num_scored == 0
    store.select(fakes.samples(1))
    assert store.counts(fakes.JUDGING).num_wanted == store.counts(fakes.JUDGING).num_scored == 1


def test_scores_of_a_batch_are_recorded_together_or_not_at_all(store: RunStore) -> None:
    store.select(fakes.samples(2))
    store.record_edit(fakes.done("s000"), seed=1)
    store.add_judging(fakes.JUDGING, "reference", {})
    batch = [(fakes.scores(key), fakes.done(key, 1)) for key in ("s000", "s001")]
    with pytest.raises(ValueError, match="FOREIGN KEY"):
        store.record_score_batch(fakes.JUDGING, batch)  # s001 has no edit
    assert store.pending_scores(fakes.JUDGING) == ["s000"]


@pytest.mark.parametrize("wrong", [[], fakes.scores("s001")])
def test_scores_that_are_none_or_of_another_sample_are_refused(store: RunStore, wrong: list[object]) -> None:
    with pytest.raises(ValueError, match="all of them its own"):
        store.record_score_batch(fakes.JUDGING, [(wrong, fakes.done("s000", 1))])
    with pytest.raises(ValueError, match="all of them its own"):
        store.record_score_batch(fakes.JUDGING, [(fakes.scores("s000"), fakes.done("s001", 1))])


def test_forgetting_makes_pending_again_and_keeps_the_attempts(store: RunStore) -> None:
    store.select(fakes.samples(2))
    for key in ("s000", "s001"):
        store.record_edit(fakes.done(key), seed=1)
    store.add_judging(fakes.JUDGING, "reference", {})
    for key in ("s000", "s001"):
        store.record_score_batch(fakes.JUDGING, [(fakes.scores(key), fakes.done(key, 1))])
    assert store.forget_edits(["s001", "never seen"]) == 1
    assert store.pending_edits() == ["s001"] and store.counts(fakes.JUDGING).num_scored == 1
    store.forget_scores(fakes.JUDGING, ["s000"])
    assert store.pending_scores(fakes.JUDGING) == ["s000"]
    assert len(list(store.attempts())) == 4
    assert [one.event.edits[0]["sample_id"] for one in store.events_of(EditsForgotten)] == ["s001"]


def test_rows_may_be_streamed_while_others_are_written(store: RunStore) -> None:
    store.select(fakes.samples(300))
    seen = []
    for row in store.rows(None):
        if row.position in (0, 299):
            store.record_edit(fakes.done(row.id), seed=1)
        seen.append(row.id)
    assert seen == [sample.id for sample in fakes.samples(300)]


def test_a_sample_without_a_cluster_is_its_own(store: RunStore) -> None:
    store.select([fakes.sample("a"), fakes.sample("b", cluster="image-1")])
    assert [row.cluster for row in store.rows(None)] == ["a", "image-1"]


def test_events_come_back_in_order_with_their_data(store: RunStore) -> None:
    store.record_event(Capped("同步 \ud800"))
    store.record_event(OtherEvent("a kind of the future", {"device": "cuda:0"}))
    store.record_event(Capped("max_usd"))
    assert [one.event.limit for one in store.events_of(Capped)] == ["同步 \ud800", "max_usd"]
    assert store.latest(Capped).event == Capped("max_usd") and store.latest(Spent) is None
    kinds = [one.event.kind for one in store.events()]
    assert kinds == ["invocation", "capped", "a kind of the future", "capped"]
    assert store.events()[2].event.data == {"device": "cuda:0"}


def test_a_reader_sees_what_is_committed_while_the_writer_works(store: RunStore) -> None:
    store.select(fakes.samples(2))
    with RunStore.read(store.dir) as reader:
        assert reader.counts(None).num_edited == 0
        store.record_edit(fakes.done("s000"), seed=1)
        assert reader.counts(None).num_edited == 1
        assert not reader.is_writer
        with pytest.raises(UserError, match=r"read-?only"):
            reader.record_event(Capped("x"))


def test_reading_what_is_no_run_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run directory: it has no manifest"):
        RunStore.read(tmp_path)


MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("select"), st.lists(st.integers(0, 6), unique=True)),
        st.tuples(st.sampled_from(["edit", "fail", "score", "forget"]), st.just([0])),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(MOVES)
def test_any_order_of_selecting_recording_and_forgetting_agrees_with_a_model(
    moves: list[tuple[str, list[int]]],
) -> None:
    directory = Path(tempfile.mkdtemp(prefix="editeval-store-"))
    wanted: list[str] = []
    status: dict[str, str] = {}
    scored: set[str] = set()
    try:
        with RunStore.open(directory, fakes.manifest()) as store:
            store.add_judging(fakes.JUDGING, "reference", {})
            for move, numbers in moves:
                pending = [key for key in wanted if key not in status]
                unjudged = [key for key in wanted if status.get(key) == "done" and key not in scored]
                if move == "select":
                    wanted = [f"s{number}" for number in numbers]
                    store.select([fakes.sample(key) for key in wanted])
                elif move in ("edit", "fail") and pending:
                    outcome = fakes.done(pending[-1]) if move == "edit" else fakes.failed(pending[-1])
                    status[pending[-1]] = store.record_edit(outcome, seed=1).status
                elif move == "score" and unjudged:
                    key = unjudged[0]
                    store.record_score_batch(fakes.JUDGING, [(fakes.scores(key), fakes.done(key, 1))])
                    scored.add(key)
                elif move == "forget" and status:
                    key = next(iter(status))
                    store.forget_edits([key])
                    del status[key]
                    scored.discard(key)
                assert store.pending_edits() == [key for key in wanted if key not in status]
                unjudged = [key for key in wanted if status.get(key) == "done" and key not in scored]
                assert store.pending_scores(fakes.JUDGING) == unjudged
                assert [row.id for row in store.rows(fakes.JUDGING) if row.scores] == [
                    key for key in wanted if key in scored
                ]
    finally:
        shutil.rmtree(directory)
