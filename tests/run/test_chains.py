"""Multi-turn samples: a turn edits what the turn before has made, whatever fails, stops or changes in between."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pipeline_fakes import THREADS, config, fake_editor, log_of, samples_of

from editeval.errors import BenchmarkError
from editeval.images import decode, encode_png
from editeval.run import chains
from editeval.run.pipeline import RunResult, evaluate, score
from editeval.run.same_inputs import check_inputs
from editeval.run.scheduler import Interrupt
from editeval.store.fingerprints import sources_digest
from editeval.store.ledger_events import BatchEnd
from editeval.store.run_store import RunStore, relative_path
from editeval.types import Edit

IDS = [f"{chain}{turn}" for chain in "ab" for turn in (1, 2, 3)] + ["c"]


def records() -> list[dict[str, Any]]:
    """Two chains of three turns, and a sample without a chain."""
    rows = [{"id": key, "image": f"{key[0]}.png", "instruction": f"do {key}"} for key in IDS]
    for row in rows:
        if row["id"][1:] in ("2", "3"):
            row["before"] = f"{row['id'][0]}{int(row['id'][1]) - 1}"
    return rows


class Chains:
    """A benchmark of turns, and runs of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for number, name in enumerate("abc"):
            (folder / f"{name}.png").write_bytes(encode_png(Image.new("RGB", (16, 12), (number * 60, 90, 200))))
        self.write(records())

    def write(self, rows: list[dict[str, Any]]) -> None:
        (self.folder / "turns.json").write_text(json.dumps(rows))

    def run(self, fresh: bool = False, interrupt: Interrupt | None = None, **changes: Any) -> RunResult:
        fields = {"id": "id", "image": "", "image_path": "image", "instruction": "instruction"}
        fields |= {"category": "", "previous_turn": "before"}
        params = {"path": str(self.folder / "turns.json"), "fields": fields}
        settings = {"benchmark": {"type": "json_records", "params": params}}
        settings |= {"diffusion_model": fake_editor(self.folder), "reward_model": self.judge()}
        settings |= changes
        return evaluate(config(self.folder / "out", **settings), ["editeval", "test"], interrupt, fresh)

    @staticmethod
    def judge() -> dict[str, Any]:
        return {"type": "fakes.fake_judge", "params": {"device_ids": ["cpu"]}, "execution": THREADS}


@pytest.fixture
def bench(tmp_path: Path) -> Chains:
    return Chains(tmp_path)


def edits_of(result: RunResult) -> dict[str, Edit]:
    with RunStore.read(result.plan.dir) as store:
        return {edit.sample_id: edit for edit in store.edits()}


def check_chains(result: RunResult) -> None:
    """Every later turn that is done was made of the edit of the turn before, as it is now."""
    edits = edits_of(result)
    for sample in result.plan.samples:
        edit = edits[sample.id]
        if sample.after and edit.path:
            before = edits[sample.after].sha256
            assert before is not None and edit.made is not None
            assert edit.made.source_sha256 == sources_digest([before])


@pytest.mark.parametrize("policy", ["batch_sync", "round_robin", "dynamic"])
def test_every_turn_edits_what_the_turn_before_made(bench: Chains, policy: str) -> None:
    editor = fake_editor(bench.folder, devices=3)
    result = bench.run(diffusion_model=editor | {"execution": THREADS | {"policy": policy}})
    assert result.exit_code == 0 and set(edits_of(result)) == set(IDS)
    check_chains(result)
    colours = {decode((result.plan.dir / edits_of(result)[key].path).read_bytes()).getpixel((5, 5)) for key in IDS[:3]}
    assert colours == {(0, 90, 200)}, "the chain's own source is where it began"


def test_a_turn_follows_the_turn_of_its_own_seed(bench: Chains) -> None:
    editor = fake_editor(bench.folder)
    result = bench.run(diffusion_model=editor | {"params": editor["params"] | {"num_seeds": 2}})
    assert result.exit_code == 0 and set(edits_of(result)) == {*IDS, *(f"{key}#2" for key in IDS)}
    check_chains(result)
    known = {sample.id: sample for sample in result.plan.samples}
    assert known["a3#2"].after == "a2#2" and known["a1#2"].repeat_of == "a1"
    assert known["a3#2"].images == (chains.PreviousEdit(result.plan.dir / relative_path("a2#2")),)


def test_no_batch_holds_two_turns_and_batches_are_counted_over_the_whole_run(bench: Chains) -> None:
    result = bench.run(diffusion_model=fake_editor(bench.folder, devices=2))
    with RunStore.read(result.plan.dir) as store:
        batches = [one.event for one in store.events_of(BatchEnd)]
    assert [batch.index for batch in batches] == [1, 2, 3, 4]
    assert [batch.total for batch in batches] == [4] * 4
    assert [batch.members for batch in batches] == [("a1", "b1"), ("c",), ("a2", "b2"), ("a3", "b3")]
    log = log_of(result)
    assert "   - Total batches: 4" in log and "Batch 4/4 done, GPUs synced ✓" in log


def test_a_judge_sees_the_edit_of_the_turn_before_as_the_source(bench: Chains) -> None:
    result = bench.run(reward_model__execution={"overlap": True} | THREADS)
    assert result.exit_code == 0
    assert all(row["scores"] for row in samples_of(result))
    with RunStore.read(result.plan.dir) as store:
        (judging,) = store.judgings()
        assert not store.pending_scores(judging.id)


def test_a_turn_after_a_failed_one_fails_with_a_reason_and_both_are_made_by_a_retry(bench: Chains) -> None:
    first = bench.run(diffusion_model=fake_editor(bench.folder, refuse=["a1"]))
    reasons = {key: edit.error and edit.error.reason for key, edit in edits_of(first).items()}
    assert reasons == {**dict.fromkeys(IDS), "a1": "refused", "a2": "previous_turn", "a3": "previous_turn"}
    with RunStore.reopen(first.plan.dir) as store:
        store.forget_edits(["a1"])
        assert chains.outdated(first.plan.samples, store) == ["a2", "a3"]


def test_later_turns_are_made_again_if_the_one_before_is_another_edit_now(bench: Chains) -> None:
    result = bench.run()
    with RunStore.reopen(result.plan.dir) as store:
        before = store.edit_of("b1")
        assert before is not None and before.made is not None
        store.forget_edits(["b1"])
    again = bench.run()
    assert again.plan.dir == result.plan.dir and set(edits_of(again)) == set(IDS)
    check_chains(again)
    with RunStore.read(again.plan.dir) as store:
        tries = [attempt.sample_id for attempt in store.attempts("edit")]
    assert sorted(tries) == sorted([*IDS, "b1", "b2", "b3"])


def test_a_picture_put_in_the_place_of_an_earlier_turn_is_edited_by_nobody(bench: Chains) -> None:
    first = bench.run(evaluation__samples=["a1"])
    (first.plan.dir / edits_of(first)["a1"].path).write_bytes(encode_png(Image.new("RGB", (16, 12), (1, 2, 3))))
    result = bench.run()
    reasons = {key: edit.error and edit.error.reason for key, edit in edits_of(result).items()}
    assert reasons == {**dict.fromkeys(IDS), "a2": "previous_turn", "a3": "previous_turn"}
    with RunStore.reopen(first.plan.dir) as store:
        store.forget_edits(["a1"])  # as `verify --repair` does
    again = bench.run()
    assert again.exit_code == 0 and {edit.error for edit in edits_of(again).values()} == {None}
    check_chains(again)


def test_an_interrupted_run_goes_on_with_the_turns_that_are_left(bench: Chains) -> None:
    interrupt = Interrupt()
    interrupt.request(15)
    stopped = bench.run(interrupt=interrupt)
    assert stopped.exit_code == 143
    result = bench.run()
    assert result.exit_code == 0 and set(edits_of(result)) == set(IDS)
    check_chains(result)


def test_another_run_takes_over_whole_chains(bench: Chains) -> None:
    bench.run()
    rows = records()
    next(row for row in rows if row["id"] == "b2")["instruction"] = "something else"
    bench.write(rows)
    result = bench.run()
    with RunStore.read(result.plan.dir) as store:
        made = sorted(attempt.sample_id for attempt in store.attempts("edit"))
    assert made == ["b2", "b3"] and set(edits_of(result)) == set(IDS)
    check_chains(result)


def test_a_subset_has_the_turns_that_its_samples_need(bench: Chains) -> None:
    result = bench.run(evaluation__limit=1)
    chosen = {sample.id: sample.after for sample in result.plan.samples}
    assert chosen and all(before in chosen for before in chosen.values() if before)
    assert result.plan.subset is not None and result.plan.subset.num == len(chosen)
    assert "stratified" in result.plan.subset.how
    everything = [replace(sample, after="") for sample in result.plan.benchmark]
    turns = [replace(one, after=before) for one, before in zip(everything[:3], ["", "a1", "a2"], strict=True)]
    assert [one.id for one in chains.with_previous_turns([turns[2]], turns)] == ["a1", "a2", "a3"]
    assert chains.with_previous_turns([turns[0]], turns) == [turns[0]]


def test_an_unknown_previous_turn_and_a_circle_are_named(bench: Chains) -> None:
    rows = records()
    rows[1]["before"] = "nobody"
    bench.write(rows)
    with pytest.raises(BenchmarkError, match="sample 'a2': its previous turn 'nobody' is no sample"):
        bench.run()
    rows[1]["before"] = "a3"
    bench.write(rows)
    with pytest.raises(BenchmarkError, match="in a circle"):
        bench.run()


def test_verify_report_and_score_know_that_the_source_of_a_later_turn_is_an_edit(bench: Chains) -> None:
    result = bench.run()
    with RunStore.read(result.plan.dir) as store:
        assert check_inputs(result.plan, store).problems == []
    scoring = score(result.plan.config, result.plan.dir, ["editeval", "test"], Interrupt())
    assert scoring.exit_code == 0
    edited = edits_of(result)["a1"]
    assert edited.path is not None
    (result.plan.dir / edited.path).write_bytes(encode_png(Image.new("RGB", (16, 12), "red")))
    with RunStore.read(result.plan.dir) as store:
        assert any("'a2'" in str(problem) for problem in check_inputs(result.plan, store).problems)
