"""A run is continued only if everything is what it was: weights, code, samples; and what changed is said."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from identity_fakes import Bench, files_of, log_of, num_edited, num_judged, origins

from editeval.errors import MachineError, RunConflictError
from editeval.run.pipeline import RunResult, open_store, score
from editeval.run.plan import ScoreSetPlan, make_plan
from editeval.run.same_inputs import InputsCheck, check_inputs, reuse
from editeval.run.scheduler import Interrupt
from editeval.store import manifest
from editeval.store.run_store import RunStore
from fakes.older_ledgers import as_of_version

IN_PROCESS = {"backend": "inprocess"}
REFERENCE = {"type": "reference", "params": {"device_ids": ["cpu"]}, "execution": IN_PROCESS}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def checked(result: RunResult) -> InputsCheck:
    with RunStore.read(result.plan.dir) as store:
        return check_inputs(make_plan(result.plan.config, directory=store.dir, is_editing=False), store)


def problems(result: RunResult) -> list[str]:
    return [str(problem) for problem in checked(result).problems]


def unknown(result: RunResult) -> list[str]:
    return checked(result).unknown


def test_other_weights_under_the_same_path_are_another_run(bench: Bench) -> None:
    first = bench.run()
    assert bench.run().plan.dir == first.plan.dir and num_edited(first.plan.dir) == 10
    assert problems(first) == unknown(first) == []
    bench.train(2)
    (found,) = problems(first)
    assert "weights named by model_path (model.safetensors)" in found and "10 edits" in found
    second = bench.run()
    assert second.plan.dir != first.plan.dir and num_edited(second.plan.dir) == 10
    line = f"{first.plan.dir.name} differs in weights named by model_path (model.safetensors): a new run begins, "
    assert line + second.plan.dir.name in log_of(second)
    assert files_of(first) != files_of(second)
    bench.train(1)
    assert bench.run().plan.dir == first.plan.dir, "the old weights are the old run"


def test_a_checkpoint_that_is_trained_while_the_run_works_ends_the_run(bench: Bench) -> None:
    with pytest.raises(MachineError, match=r"changed while this run works: weights named by model_path \(model.safe"):
        bench.run(diffusion_model__params__trains=True)
    (run,) = bench.out.glob("made-*")
    assert num_edited(run) == 0
    assert bench.run().plan.dir != run


def test_a_checkpoint_that_was_moved_is_the_same_model(bench: Bench) -> None:
    first = bench.run(evaluation__limit=5)
    moved = bench.folder / "elsewhere"
    bench.checkpoint.rename(moved)
    second = bench.run(diffusion_model__params__model_path=str(moved))
    assert second.plan.dir == first.plan.dir and num_edited(first.plan.dir) == 10


def test_retry_does_not_go_on_with_other_weights(bench: Bench) -> None:
    first = bench.run(diffusion_model__params__raises=["s03"])
    bench.train(2)
    with pytest.raises(RunConflictError, match=r"changed since its edits: weights named by model_path \(model.safe"):
        make_plan(first.plan.config, directory=first.plan.dir)


def test_judging_again_needs_neither_the_weights_nor_the_code_of_the_editor(bench: Bench) -> None:
    first = bench.run()
    shutil.rmtree(bench.checkpoint)
    plan = make_plan(first.plan.config, directory=first.plan.dir, is_editing=False)
    assert plan.identity == first.plan.identity
    assert any("not on this machine any more" in line for line in unknown(first)) and problems(first) == []


def test_one_changed_instruction_of_ten_edits_one(bench: Bench) -> None:
    first = bench.run()
    bench.instructions["s07"] = "paint it otherwise, please"
    bench.write()
    second = bench.run()
    assert second.plan.dir != first.plan.dir and num_edited(second.plan.dir) == 1
    assert [key for key, origin in origins(second.plan.dir).items() if not origin] == ["s07"]
    assert set(origins(second.plan.dir).values()) == {"", first.plan.dir.name}
    assert num_judged(second.plan.dir) == 4, "the judge may depend on who shares a call: the whole call is asked again"
    log = log_of(second)
    assert f"{first.plan.dir.name} differs in benchmark: 1 sample of 10: a new run begins" in log
    assert f"9 edits and the scores of 6 reused from {first.plan.dir.name}" in log
    assert "10 samples, 9 edited already, 1 to edit" in log
    assert files_of(second) == files_of(bench.run(fresh=True))
    for name in ("report.md", "report.json", "report.html"):
        assert first.plan.dir.name in (second.plan.dir / name).read_text(encoding="utf-8"), name


def drawn(bench: Bench, num_per_category: int, judge: dict[str, Any], **changes: Any) -> RunResult:
    """A run of the built-in benchmark, whose samples have targets."""
    section = {"type": "procedural", "params": {"num_per_category": num_per_category, "size": 64}}
    return bench.run(benchmark=section, reward_model=judge, **changes)


def test_a_judge_whose_calls_do_not_matter_is_asked_about_new_edits_alone(bench: Bench) -> None:
    first = drawn(bench, 1, REFERENCE)
    second = drawn(bench, 2, REFERENCE)
    assert (num_edited(second.plan.dir), num_judged(second.plan.dir)) == (5, 5)
    assert f"5 edits and the scores of 5 reused from {first.plan.dir.name}" in log_of(second)
    assert files_of(second) == files_of(drawn(bench, 2, REFERENCE, fresh=True))


def test_reusing_that_is_cut_short_goes_on_at_the_next_start(bench: Bench) -> None:
    bench.run()
    bench.instructions["s07"] = "paint it otherwise, please"
    bench.write()
    plan = make_plan(bench.config())
    with open_store(plan) as store:
        store.select(plan.samples)
        reuse(plan, store, lambda: sum(1 for _ in store.edits()) >= 4, page_size=2)
        assert sum(1 for _ in store.edits()) == 4
        key = store.pending_edits()[-1]
        store.edit_path(key).write_bytes(b"half a picture")  # a kill between file and row
    result = bench.run()
    assert result.plan.dir == plan.dir and num_edited(plan.dir) == 1
    assert files_of(result) == files_of(bench.run(fresh=True))


def called_as_before(db: sqlite3.Connection, judging: ScoreSetPlan) -> None:
    """The scores of the only judge under the id that it had before."""
    former = manifest.run_id(judging.known.former)[:16]
    for table, column in (("judgings", "id"), ("scores", "judging_id"), ("attempts", "judging_id")):
        db.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (former, judging.id))
    details = json.loads(db.execute("SELECT details FROM judgings").fetchone()[0])
    del details["identity"], details["inputs"]
    db.execute("UPDATE judgings SET details = ?", (json.dumps(details),))


def test_an_id_of_before_batch_sizes_were_left_out_is_still_that_of_the_judge(bench: Bench) -> None:
    first = drawn(bench, 1, REFERENCE)
    (judging,) = first.plan.judgings
    former = manifest.run_id(judging.known.former)[:16]
    assert former != judging.id
    with closing(sqlite3.connect(first.plan.dir / "ledger.sqlite")) as db, db:
        called_as_before(db, judging)
    second = drawn(bench, 1, REFERENCE)
    assert second.plan.judgings[0].id == former and num_judged(second.plan.dir) == 5
    assert second.report is not None and second.report.run["judging_id"] == former
    other = {**REFERENCE, "execution": {**IN_PROCESS, "batch_size": 7}}
    assert drawn(bench, 1, other).plan.judgings[0].id == judging.id, "only the very same settings had that id"


def test_a_changed_image_of_the_same_name_size_and_time_is_another_sample(bench: Bench) -> None:
    first = bench.run()
    size = (bench.data / "s04.png").stat().st_size
    bench.paint("s04", (40, 90, 200))
    assert (bench.data / "s04.png").stat().st_size == size
    assert any("'s04': the source image" in problem for problem in problems(first)) and len(problems(first)) == 1
    second = bench.run()
    assert [key for key, origin in origins(second.plan.dir).items() if not origin] == ["s04"]
    assert files_of(second) == files_of(bench.run(fresh=True))


def test_a_benchmark_whose_fingerprint_is_blind_is_looked_at_sample_by_sample(bench: Bench) -> None:
    blind = {"type": "fakes.blind_benchmark", "params": {"path": str(bench.data)}}
    first = bench.run(benchmark=blind)
    assert bench.run(benchmark=blind).plan.dir == first.plan.dir
    bench.paint("s04", (40, 90, 200))
    second = bench.run(benchmark=blind)
    assert second.plan.dir.name == f"{first.plan.dir.name}-2"
    assert [key for key, origin in origins(second.plan.dir).items() if not origin] == ["s04"]
    assert "benchmark: 1 sample of 10" in log_of(second)
    assert bench.run(benchmark=blind).plan.dir == second.plan.dir


def test_a_source_that_changes_between_edit_and_judgement_is_not_judged(bench: Bench) -> None:
    blind = {"type": "fakes.blind_benchmark", "params": {"path": str(bench.data)}}
    first = bench.run(benchmark=blind, reward_model=None)
    bench.paint("s04", (40, 90, 200))
    result = score(bench.config(benchmark=blind), first.plan.dir, ["editeval", "score"], Interrupt())
    with RunStore.read(first.plan.dir) as store:
        rows = {row.id: row.scores["overall"] for row in store.rows(result.plan.judgings[0].id)}
    assert {key for key, score in rows.items() if score.reason == "source_changed"} == {"s04"}
    assert rows["s03"].value == 5.0


def test_score_refuses_a_benchmark_that_is_another_one_now_and_names_what_changed(bench: Bench) -> None:
    first = bench.run(reward_model=None)
    bench.paint("s04", (40, 90, 200))
    with pytest.raises(RunConflictError, match=r"changed since its edits: benchmark: .*, of 's04' at least; undo"):
        score(bench.config(), first.plan.dir, ["editeval", "score"], Interrupt())


def test_failed_edits_are_never_reused_and_a_fresh_run_reuses_nothing(bench: Bench) -> None:
    first = bench.run(diffusion_model__params__raises=["s03"])
    bench.instructions["s07"] = "paint it otherwise, please"
    bench.write()
    second = bench.run(diffusion_model__params__raises=["s03"])
    assert {key for key, origin in origins(second.plan.dir).items() if not origin} == {"s03", "s07"}
    fresh = bench.run(fresh=True, evaluation__limit=3, diffusion_model__params__raises=["s03"])
    assert num_edited(fresh.plan.dir) == 3
    again = bench.run(diffusion_model__params__raises=["s03"])
    assert again.plan.dir == fresh.plan.dir and set(origins(fresh.plan.dir).values()) == {""}
    assert first.plan.dir != second.plan.dir != fresh.plan.dir


def test_a_picture_that_was_altered_in_the_other_run_is_made_again(bench: Bench) -> None:
    first = bench.run()
    with RunStore.read(first.plan.dir) as store:
        altered, lost, linked = (store.edit_path(key) for key in ("s01", "s02", "s03"))
    altered.write_bytes(altered.read_bytes()[:-1] + b"x")
    lost.unlink()
    outside = bench.folder / "secret.png"
    linked.replace(outside)
    linked.symlink_to(outside)
    bench.instructions["s07"] = "paint it otherwise, please"
    bench.write()
    second = bench.run()
    assert {key for key, origin in origins(second.plan.dir).items() if not origin} == {"s01", "s02", "s03", "s07"}
    assert files_of(second) == files_of(bench.run(fresh=True))
    with RunStore.read(second.plan.dir) as store:
        assert not any(store.edit_path(edit.sample_id).is_symlink() for edit in store.edits())


def test_nothing_is_reused_from_a_run_whose_ledger_was_changed(bench: Bench) -> None:
    first = bench.run()
    with closing(sqlite3.connect(first.plan.dir / "ledger.sqlite")) as db, db:
        db.execute("UPDATE scores SET value = 9.9 WHERE value IS NOT NULL")
    bench.instructions["s07"] = "paint it otherwise, please"
    bench.write()
    second = bench.run()
    assert set(origins(second.plan.dir).values()) == {""}
    assert files_of(second) == files_of(bench.run(fresh=True))


def test_a_damaged_run_is_no_reason_to_stop(bench: Bench) -> None:
    first = bench.run()
    ledger = first.plan.dir / "ledger.sqlite"
    content = ledger.read_bytes()
    ledger.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    bench.instructions["s07"] = "paint it otherwise, please"
    bench.write()
    second = bench.run()
    assert num_edited(second.plan.dir) == 10 and second.exit_code == 0
    assert f"reused from {first.plan.dir.name}" in log_of(second)


def test_another_editor_reuses_nothing(bench: Bench) -> None:
    bench.run()
    bench.instructions["s07"] = "paint it otherwise, please"
    bench.write()
    bench.train(2)
    assert set(origins(bench.run().plan.dir).values()) == {""}


def hub_editor(**params: str) -> dict[str, Any]:
    return {"type": "fakes.hub_editor", "params": {"device_ids": ["cpu"]} | params, "execution": IN_PROCESS}


def test_a_commit_that_moves_on_while_loading_ends_the_run(bench: Bench) -> None:
    first = bench.run(evaluation__limit=5, diffusion_model=hub_editor(commit="a" * 40))
    with pytest.raises(MachineError, match=f"loaded commit {'b' * 12} from the Hub, and this run was made with aaa"):
        bench.run(diffusion_model=hub_editor(commit="b" * 40))
    assert num_edited(first.plan.dir) == 5


def test_a_commit_that_has_moved_on_in_the_cache_is_another_run(bench: Bench) -> None:
    first = bench.run(diffusion_model=hub_editor(commit="a" * 40))
    ref = bench.folder / "cache" / "models--owner--name" / "refs" / "main"
    ref.parent.mkdir(parents=True)
    config = bench.config(diffusion_model=hub_editor(cache=str(bench.folder / "cache")))
    assert make_plan(config).dir == first.plan.dir, "nobody knows which commit it would be"
    ref.write_text("a" * 40)
    assert make_plan(config).dir == first.plan.dir
    ref.write_text("b" * 40)
    plan = make_plan(config)
    assert plan.dir.name == f"{first.plan.dir.name}-2" and plan.lineage is not None
    assert plan.lineage.reasons == ("weights (another commit on the Hub)",)


def test_a_run_of_before_weights_were_recorded_goes_on_and_says_so(bench: Bench) -> None:
    first = bench.run(evaluation__limit=5)
    (judging,) = first.plan.judgings
    former = manifest.run_id(judging.known.former)[:16]
    assert former != judging.id
    old = as_before(first, bench)
    second = bench.run()
    assert second.plan.dir == old and num_edited(old) == 10
    log = log_of(second)
    assert "made before editeval recorded its weights and code: whether that has changed since is not known" in log
    assert "reward_model: the scores there were made before editeval recorded its code" in log
    assert second.plan.judgings[0].id == former and num_judged(old) == 10, "nothing is asked twice"
    assert any("5 edits were made before editeval recorded their source" in line for line in unknown(second))
    bench.train(2)
    third = bench.run()
    assert third.plan.dir != old, "from then on it is known"


def as_before(result: RunResult, bench: Bench) -> Path:
    """The run as editeval left it before: other ids, nothing on what edits and scores were made of."""
    directory, (judging,) = result.plan.dir, result.plan.judgings
    content = json.loads((directory / "manifest.json").read_text())
    told = content["identity"]
    del told["weights"], told["source"], content["inputs"], content["fresh"]
    told["params"]["model_path"] = str(bench.checkpoint)
    content["run_id"] = manifest.run_id(told)
    (directory / "manifest.json").write_text(json.dumps(content))
    with closing(sqlite3.connect(directory / "ledger.sqlite")) as db, db:
        db.execute("UPDATE facts SET value = ? WHERE name = 'run_id'", (content["run_id"],))
        db.execute("DELETE FROM facts WHERE name <> 'run_id'")
        called_as_before(db, judging)
    as_of_version(directory, 2)
    (bench.out / "latest").unlink()
    return directory.rename(directory.with_name(f"made-{content['run_id'][:8]}"))


def test_a_retry_takes_over_nothing(bench: Bench) -> None:
    first = bench.run(diffusion_model__params__raises=["s03"])
    assert not make_plan(first.plan.config, directory=first.plan.dir).can_reuse
    assert make_plan(first.plan.config).can_reuse
