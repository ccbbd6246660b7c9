"""Whole runs: the same bytes however made, stages one after the other, the log contract."""

from __future__ import annotations

import json
import os
import re
import signal
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest
from pipeline_fakes import PROCESSES, THREADS, config, fake_editor, log_of, report_of, run, samples_of

from editeval.errors import BenchmarkError, ConfigError, MachineError
from editeval.execution.policies import POLICIES
from editeval.machine import host
from editeval.run.pipeline import evaluate
from editeval.run.plan import make_plan, seed_of
from editeval.run.scheduler import Interrupt
from editeval.run.status import status_of
from editeval.store.ledger_events import BatchEnd, Invocation, Load, ReportWritten, StageEnd
from editeval.store.run_store import RunStore
from editeval.store.verify import verify


def test_identity_scores_zero_and_target_scores_ten(tmp_path: Path) -> None:
    for editor, expected in (("identity", 0.0), ("target", 10.0)):
        result = run(tmp_path, diffusion_model__type=editor)
        assert result.exit_code == 0
        assert {s["scores"]["overall"]["value"] for s in samples_of(result)} == {expected}
        micro = next(s for s in report_of(result)["summaries"] if (s["metric"], s["category"]) == ("overall", "micro"))
        assert (micro["mean"], micro["num_scored"]) == (expected, 10)
        assert (report_of(result)["badge"], report_of(result)["warnings"]) == ("valid", [])


def test_one_worker_and_three_and_every_policy_give_the_same_samples(tmp_path: Path) -> None:
    texts = set()
    ways = [(1, "batch_sync", PROCESSES), *((3, policy, THREADS) for policy in POLICIES)]
    for number, (devices, policy, backend) in enumerate(ways):
        section = fake_editor(tmp_path, devices) | {"execution": {"policy": policy} | backend}
        result = run(tmp_path / str(number), diffusion_model=section)
        texts.add((result.plan.dir / "samples.jsonl").read_bytes())
    assert len(texts) == 1


def test_a_seed_comes_from_base_seed_and_id_alone() -> None:
    assert seed_of(0, "a/1") == seed_of(0, "a/1")
    assert len({seed_of(0, "a/1"), seed_of(1, "a/1"), seed_of(0, "a/2")}) == 3
    assert all(0 <= seed_of(b, f"x{i}") < 2**31 for b in (0, 7) for i in range(50))


def test_limit_then_the_full_run_makes_only_what_is_missing(tmp_path: Path) -> None:
    section = fake_editor(tmp_path)
    first = run(tmp_path, diffusion_model=section, evaluation__limit=3)
    three = samples_of(first)
    assert [s["id"] for s in three] == [s.id for s in first.plan.samples] and len(three) == 3
    second = run(tmp_path, diffusion_model=section)
    assert second.plan.dir == first.plan.dir and len(samples_of(second)) == 10
    assert "Starting batch edit: 3 images on 2 GPUs" in log_of(first)
    assert "Starting batch edit: 7 images on 2 GPUs" in log_of(second)
    kept = [s for s in samples_of(second) if s["id"] in {one["id"] for one in three}]
    assert kept == [{name: value for name, value in one.items() if name != "subset"} for one in three]


def test_a_finished_run_answers_without_starting_a_worker(tmp_path: Path) -> None:
    run(tmp_path)
    result = run(tmp_path)
    assert result.exit_code == 0
    with RunStore.read(result.plan.dir) as store:
        assert len(store.events_of(Invocation)) == 2
        assert len(store.events_of(Load)) == 3  # two editors and a judge, all in the first invocation
        assert len(store.events_of(ReportWritten)) == 1


def test_what_the_loaded_models_say_of_themselves_is_on_record(tmp_path: Path) -> None:
    result = run(tmp_path, diffusion_model=fake_editor(tmp_path, facts={"commit": "c0ffee", "attention": "sdpa"}))
    with RunStore.read(result.plan.dir) as store:
        said = [one.event.facts for one in store.events_of(Load)]
    assert said == [{"commit": "c0ffee", "attention": "sdpa"}] * 2 + [{}]
    provenance = report_of(result)["provenance"]
    assert provenance["models"] == {"edit": {"commit": "c0ffee", "attention": "sdpa"}, "judge": {}}
    assert [judging["model"] for judging in provenance["judgings"]] == [{}]


def test_a_report_is_not_hindered_by_what_a_killed_process_of_the_same_number_left(tmp_path: Path) -> None:
    site = run(tmp_path).plan.dir / "report"
    for which in ("new", "old"):
        (site / f".data.{os.getpid()}.{which}").mkdir()
        (site / f".data.{os.getpid()}.{which}" / "rows-7.js").write_text("half")
    run(tmp_path, evaluation__limit=3)
    assert sorted(path.name for path in site.iterdir() if path.name.startswith(".")) == []
    assert sorted(path.name for path in (site / "data").iterdir()) == ["details-0.js", "rows-0.js", "run.js"]


def test_what_a_power_cut_took_of_a_finished_report_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = run(tmp_path).plan.dir / "report"
    whole = {path: path.read_bytes() for path in sorted(site.rglob("*.*"))}
    for number, path in enumerate(whole):  # nothing in there is forced to disk
        path.write_bytes(whole[path][: 512 if path.suffix == ".webp" and number % 2 else 0])
    (tmp_path / "boot_id").write_text("the machine was started again", encoding="ascii")
    monkeypatch.setattr(host, "BOOT_ID_FILE", tmp_path / "boot_id")
    run(tmp_path)
    torn = [path.name for path, data in whole.items() if path.name != "run.js" and path.read_bytes() != data]
    assert torn == ["pictures.jsonl"] or not torn, torn  # its lines come in the order of the threads
    assert (site / "data" / "run.js").read_bytes().endswith(b");\n")


def test_a_failed_edit_is_failed_unscored_and_exit_3(tmp_path: Path) -> None:
    ids = [s.id for s in make_plan(config(tmp_path)).samples]
    section = fake_editor(tmp_path, raises=[ids[1]], refuse=[ids[4]])
    result = run(tmp_path, diffusion_model=section)
    assert result.exit_code == 3
    samples = {s["id"]: s for s in samples_of(result)}
    assert samples[ids[1]]["edit"]["status"] == "failed" and samples[ids[1]]["scores"] == {}
    assert samples[ids[1]]["edit"]["sha256"] is None
    assert samples[ids[1]]["edit"]["error"]["reason"] == "exception"
    assert samples[ids[4]]["edit"]["error"]["reason"] == "refused"
    micro = next(s for s in report_of(result)["summaries"] if (s["metric"], s["category"]) == ("overall", "micro"))
    assert (micro["num_scored"], micro["num_failed"], micro["num_samples"]) == (8, 2, 10)
    assert micro["lowest"] <= micro["mean"] < micro["highest"]


def test_the_judge_loads_only_when_every_editor_process_is_gone(tmp_path: Path) -> None:
    section = fake_editor(tmp_path) | {"execution": PROCESSES}
    result = run(tmp_path, diffusion_model=section, reward_model__execution=PROCESSES)
    with RunStore.read(result.plan.dir) as store:
        events = store.events()
    edit_end = next(e.seq for e in events if isinstance(e.event, StageEnd) and e.event.stage == "edit")
    loads = [e for e in events if isinstance(e.event, Load)]
    judge_load = next(e for e in loads if e.event.stage == "judge")
    assert judge_load.seq > edit_end
    editors = [e.event.pid for e in loads if e.event.stage == "edit"]
    assert editors and not any(Path(f"/proc/{pid}").exists() for pid in editors)


def test_the_log_contract_holds_to_the_letter(tmp_path: Path) -> None:
    result = run(tmp_path, diffusion_model=fake_editor(tmp_path, devices=3, seconds=0.01))
    lines = log_of(result).splitlines()
    start = lines.index("[FakeEditor] Starting batch edit: 10 images on 3 GPUs")
    assert lines[start + 1 : start + 7] == [
        "  🔄 Batch synchronization: ENABLED ✅",
        "",
        "🔄 Batch synchronization mode:",
        "   - Total batches: 4",
        "   - Batch size: 3 (one task per GPU)",
        "   - All GPUs will stay synchronized at batch boundaries",
    ]
    assert [line for line in lines if line.startswith("Batch ")] == [
        f"Batch {i}/4 done, GPUs synced ✓" for i in range(1, 5)
    ]
    bars = [line for line in lines if line.startswith("[SYNC] Editing images")]
    assert re.fullmatch(r"\[SYNC\] Editing images: 100%\|█{20}\| 10/10 \[\d\d:\d\d<00:00\]", bars[-1])
    assert any(line.startswith("Synchronisation cost ") for line in lines)


def test_without_synchronisation_the_log_says_so(tmp_path: Path) -> None:
    section = fake_editor(tmp_path, enable_batch_sync=False)
    lines = log_of(run(tmp_path, diffusion_model=section)).splitlines()
    assert "  🔄 Batch synchronization: DISABLED ⚠️" in lines
    assert any(line.startswith("[NO-SYNC] Editing images: 100%|") for line in lines)
    assert not any(line.startswith("Batch ") for line in lines)


def test_batches_in_the_report_follow_one_another(tmp_path: Path) -> None:
    report = report_of(run(tmp_path, diffusion_model=fake_editor(tmp_path, seconds=0.02)))
    batches = report["batches"]
    assert [b["index"] for b in batches] == [1, 2, 3, 4, 5]
    assert all(a["started_at"] + a["seconds"] <= b["started_at"] + 2e-3 for a, b in pairwise(batches))
    assert {b["slowest_worker"] for b in batches} <= {0, 1}
    assert [p["policy"] for p in report["policies"]] == list(POLICIES)


@pytest.mark.parametrize("retry", ["in_batch", "at_end"])
def test_log_ledger_and_report_have_the_same_batches_whatever_fails(tmp_path: Path, retry: str) -> None:
    ids = [line["id"] for line in samples_of(run(tmp_path / "sound"))]
    faults = {"kills_once": [ids[2]], "out_of_memory": {ids[5]: 1}, "raises": [ids[7]], "seconds": 0.02}
    section = fake_editor(tmp_path, **faults) | {"execution": {"retry": retry} | PROCESSES}
    result = run(tmp_path, diffusion_model=section)
    with RunStore.read(result.plan.dir) as store:
        assert [str(p) for p in verify(store)] == []
        events = [asdict(one.event) for one in store.events_of(BatchEnd)]
    said = [line for line in log_of(result).splitlines() if line.startswith("Batch ")]
    assert said == [f"Batch {e['index']}/{e['total']} done, GPUs synced ✓" for e in events]
    assert sorted(key for e in events for key in e["members"]) == sorted(ids)
    left = {key for e in events for key in e["deferred"]}
    assert left == ({ids[2], ids[5], ids[7]} if retry == "at_end" else set())
    report = report_of(result)
    assert [b["num_requests"] for b in report["batches"]] == [len(e["members"]) for e in events]
    cost = report["timing"]["cost"]
    assert cost["failures_s"] > 0.05, "a worker died and was loaded again"
    parts = cost["ideal_s"] + cost["policy_s"] + cost["failures_s"] + cost["rest_s"]
    assert parts == pytest.approx(cost["measured_s"])
    assert cost["measured_s"] == pytest.approx(report["timing"]["edit_s"], abs=1e-3), "one clock"


def test_an_unknown_category_or_sample_is_one_line_and_no_worker(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match=r"no sample of 'weather'; it has: physical \(2\), "):
        run(tmp_path, benchmark__categories=["physical", "weather"])
    with pytest.raises(BenchmarkError, match="--sample nothing/\\*: matches none"):
        run(tmp_path, evaluation__samples=["nothing/*"])
    assert not tmp_path.joinpath("notes").exists()


def test_chinese_and_english_category_names_select_the_same_scenes(tmp_path: Path) -> None:
    chinese = make_plan(config(tmp_path, benchmark__categories=["物理", "指代"]))
    english = make_plan(config(tmp_path, benchmark__categories=["physical", "referential"]))
    assert [s.id for s in chinese.samples] == [s.id for s in english.samples]
    assert {s.category for s in chinese.samples} == {"physical", "referential"}


def test_missing_devices_are_named_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"diffusion_model.params.device_ids: no cuda:98, cuda:99 on this machine"):
        run(tmp_path, diffusion_model=fake_editor(tmp_path) | {"params": {"device_ids": [98, 99]}})
    assert not (tmp_path / "logs").exists()


def test_the_target_editor_needs_a_benchmark_with_targets(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "manifest.jsonl").write_text('{"image": "a.png", "instruction": "make it blue"}\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="returns the exact target"):
        run(
            tmp_path,
            benchmark={"type": "image_folder", "params": {"path": str(folder)}},
            diffusion_model__type="target",
        )


def test_an_interrupted_run_keeps_what_is_finished_and_the_next_one_continues(tmp_path: Path) -> None:
    from editeval.run.scheduler import Interrupt

    section = fake_editor(tmp_path, seconds=0.05)
    interrupt = Interrupt()
    interrupt.request(2)
    stopped = evaluate(config(tmp_path, diffusion_model=section), interrupt=interrupt)
    assert stopped.exit_code == 130 and stopped.report is None
    whole = run(tmp_path, diffusion_model=section)
    assert whole.exit_code == 0 and len(samples_of(whole)) == 10


def test_fresh_starts_beside_and_deletes_nothing(tmp_path: Path) -> None:
    first = run(tmp_path)
    second = run(tmp_path, fresh=True)
    assert second.plan.dir.name == f"{first.plan.dir.name}-2"
    assert samples_of(first) == samples_of(second)
    assert (tmp_path / "latest").resolve() == second.plan.dir.resolve()


def test_another_judge_adds_a_judging_and_edits_nothing_again(tmp_path: Path) -> None:
    first = run(tmp_path)
    second = run(tmp_path, reward_model__params__seed=1)
    assert second.plan.dir == first.plan.dir
    with RunStore.read(second.plan.dir) as store:
        assert len(store.judgings()) == 2
        assert len([one for one in store.events_of(Load) if one.event.stage == "edit"]) == 2


def test_a_report_names_the_policy_under_which_the_edits_were_made_and_counts_all_work_as_busy(tmp_path: Path) -> None:
    section = fake_editor(tmp_path, seconds=0.05)
    whole = report_of(run(tmp_path, diffusion_model=section))
    other = section | {"execution": {"policy": "dynamic"} | THREADS}
    part = report_of(run(tmp_path, diffusion_model=other, evaluation__limit=2))
    assert part["run"]["num_samples"] == 2 and part["run"]["policy"] == whole["run"]["policy"] == "batch_sync"
    assert part["timing"]["workers"] == whole["timing"]["workers"]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_stops_at_once_and_says_which_it_was(signum: int) -> None:
    interrupt = Interrupt()
    interrupt.request(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as stop:
        interrupt.request(signum)
    assert stop.value.args == (signum,)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_log_that_cannot_be_written_is_told_once_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(tmp_path, logging__log_file="/dev/full")
    assert result.exit_code == 0
    told = capsys.readouterr().err.splitlines()
    assert told == ["/dev/full: No space left on device; the log is incomplete, the run is not"]


def test_status_knows_that_a_run_was_continued(tmp_path: Path) -> None:
    first = run(tmp_path, evaluation__limit=4)
    assert not status_of(first.plan.dir).picture.is_continued
    assert status_of(run(tmp_path).plan.dir).picture.is_continued, "the time that it shows is of the latest invocation"


def test_the_origin_of_every_value_is_in_the_manifest_and_in_the_report(tmp_path: Path) -> None:
    made = config(tmp_path)
    result = evaluate(made)
    assert made.origins and json.loads((result.plan.dir / "manifest.json").read_bytes())["origins"] == made.origins
    assert report_of(result)["provenance"]["origins"] == made.origins
