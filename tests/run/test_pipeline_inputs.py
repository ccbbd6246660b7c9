"""Real inputs through whole runs: folders, v2 files, broken pictures, judges that fall over."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from pipeline_fakes import fake_editor, log_of, report_of, run, samples_of

from command_line import cli
from editeval.errors import BenchmarkError, ConfigError
from editeval.images import decode, encode_png
from editeval.reports.site.payload import data_of, read_block
from editeval.run.pipeline import RunResult
from editeval.run.recorded import plan_of, settings_of
from editeval.run.report import build_report, republish
from editeval.store.run_store import RunStore

CHINESE = ("物理", "环境", "社会", "因果", "指代")
GARBAGE = b"\x89PNG\r\n\x1a\n but no picture" * 8


def picture(colour: str = "white", box: str = "red", size: int = 64) -> bytes:
    image = Image.new("RGB", (size, size), colour)
    ImageDraw.Draw(image).rectangle((size // 4, size // 4, size // 2, size // 2), fill=box)
    return encode_png(image)


def folder(tmp_path: Path, rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The section benchmark for a folder with one row per id."""
    place = tmp_path / "photos"
    place.mkdir()
    (place / "sound.png").write_bytes(picture())
    (place / "broken.png").write_bytes(GARBAGE)
    (place / "half.png").write_bytes(picture()[:60])
    (place / "target.png").write_bytes(picture(box="blue"))
    mask = Image.new("L", (64, 64))
    ImageDraw.Draw(mask).rectangle((16, 16, 32, 32), fill=255)
    (place / "mask.png").write_bytes(encode_png(mask))
    lines = [json.dumps({"id": key, "instruction": "make it blue", **row}) for key, row in rows.items()]
    (place / "manifest.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return {"type": "image_folder", "params": {"path": str(place)}}


def records(tmp_path: Path, changes: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """The section benchmark for a v2 file: two records of each Chinese category."""
    rows = []
    for i in range(10):
        row = {
            "subset": CHINESE[i // 2],
            "src_img_b64": base64.b64encode(picture(box=("red", "green")[i % 2], size=48 + i)).decode(),
            "edit_instruction_en": f"Make square {i} blue.",
            "original_description_en": "A square.",
            "original_image_path": f"images/{i:05d}_{CHINESE[i // 2]}.png",
            "rationale_short_en": "Why not.",
        }
        rows.append(row | changes.get(i, {}))
    path = tmp_path / "v2.json"
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return {"type": "json_records", "params": {"path": str(path)}}


def fake_judge(**params: Any) -> dict[str, Any]:
    batch_size = params.pop("batch_size", 2)
    return {
        "type": "fakes.fake_judge",
        "params": {"device_ids": ["cpu"], **params},
        "execution": {"batch_size": batch_size, "backend": "inprocess"},
    }


def by_id(result: RunResult) -> dict[str, dict[str, Any]]:
    return {sample["id"]: sample for sample in samples_of(result)}


def reasons(result: RunResult, metric: str = "overall") -> dict[str, str | None]:
    """Reason per sample: None where it has a score, "failed" where it has no edit."""
    found = {}
    for key, sample in by_id(result).items():
        score = sample["scores"].get(metric)
        assert score is None or (score["value"] is None) == bool(score["reason"])
        found[key] = score["reason"] or None if score else sample["edit"]["status"]
    return found


def test_a_folder_with_a_broken_picture_fails_that_sample_only(tmp_path: Path) -> None:
    target = {"reference": "target.png", "mask": "mask.png"}
    benchmark = folder(
        tmp_path,
        {
            "full": {"image": "sound.png", **target},
            "broken": {"image": "broken.png", **target},
            "half": {"image": "half.png"},
            "bare": {"image": "sound.png"},
            "bad target": {"image": "sound.png", "reference": "broken.png", "mask": "mask.png"},
        },
    )
    result = run(tmp_path / "out", benchmark=benchmark, diffusion_model=fake_editor(tmp_path))
    assert result.exit_code == 3
    assert list(by_id(result)) == ["full", "broken", "half", "bare", "bad target"], "in the order of the manifest"
    found = reasons(result)
    assert (found["full"], found["broken"], found["half"], found["bare"]) == (None, "failed", "failed", "no_reference")
    assert found["bad target"] not in (None, "failed", "no_reference")
    for key in ("broken", "half"):
        edit = by_id(result)[key]["edit"]
        assert (edit["status"], edit["sha256"], edit["error"]["reason"]) == ("failed", None, "bad_source")
    assert "broken: edit failed (bad_source): " in log_of(result)
    micro = next(s for s in report_of(result)["summaries"] if (s["metric"], s["category"]) == ("overall", "micro"))
    assert [micro[k] for k in ("num_samples", "num_scored", "num_failed", "num_unscored")] == [5, 1, 2, 2]
    assert len(list((result.plan.dir / "edits").glob("*.png"))) == 3


def test_a_v2_file_runs_as_it_is_with_its_chinese_categories(tmp_path: Path) -> None:
    benchmark = records(tmp_path, {3: {"src_img_b64": base64.b64encode(GARBAGE).decode()}, 4: {"src_img_b64": "abc"}})
    section = fake_editor(tmp_path)
    result = run(tmp_path / "out", benchmark=benchmark, diffusion_model=section, reward_model=fake_judge())
    assert result.exit_code == 3
    found = by_id(result)
    assert [sample["category"] for sample in found.values()] == [name for name in CHINESE for _ in (0, 1)]
    assert next(iter(found)) == "00000_物理" and len(found) == 10
    failed = [key for key, sample in found.items() if sample["edit"]["status"] == "failed"]
    assert failed == ["00003_环境", "00004_社会"]
    scored = {k: s["scores"]["overall"]["value"] for k, s in found.items() if k not in failed}
    assert set(scored.values()) == {5.0} and len(scored) == 8
    summaries = {s["category"]: s for s in report_of(result)["summaries"] if s["metric"] == "overall"}
    assert [summaries[name]["num_scored"] for name in CHINESE] == [2, 1, 1, 2, 2]
    with RunStore.read(result.plan.dir) as store:
        sizes = sorted(decode(store.read_edit(e)).size for e in store.edits() if e.status == "done")
    assert sizes == [(48 + i, 48 + i) for i in range(10) if i not in (3, 4)]


def test_a_sound_v2_file_without_targets_is_unscored_for_that_reason(tmp_path: Path) -> None:
    result = run(
        tmp_path / "out",
        benchmark=records(tmp_path, {}) | {"categories": ["物理", "causal"]},
        diffusion_model=fake_editor(tmp_path),
    )
    assert result.exit_code == 3
    assert reasons(result) == {
        f"0000{i}_{name}": "no_reference" for i, name in ((0, "物理"), (1, "物理"), (6, "因果"), (7, "因果"))
    }


def test_one_unreadable_picture_in_a_batch_leaves_its_neighbours_scored(tmp_path: Path) -> None:
    benchmark = records(tmp_path, {1: {"reference_b64": "abc"}})
    judge = fake_judge(batch_size=4)
    result = run(tmp_path / "out", benchmark=benchmark, diffusion_model=fake_editor(tmp_path), reward_model=judge)
    assert result.exit_code == 3
    assert {key: reason for key, reason in reasons(result).items() if reason} == {"00001_物理": "bad_image"}


def test_a_batch_of_unreadable_pictures_is_unscored_and_the_others_are_scored(tmp_path: Path) -> None:
    benchmark = records(tmp_path, {2: {"reference_b64": "abc"}, 3: {"reference_b64": "abc"}})
    result = run(
        tmp_path / "out", benchmark=benchmark, diffusion_model=fake_editor(tmp_path), reward_model=fake_judge()
    )
    assert {key: reason for key, reason in reasons(result).items() if reason} == {
        "00002_环境": "bad_image",
        "00003_环境": "bad_image",
    }


@pytest.mark.parametrize(
    ("mode", "reason"), [("raises", "exception"), ("nan", "exception"), ("one_short", "bad_output")]
)
def test_a_judge_that_falls_over_one_request_leaves_its_neighbours_scored(
    tmp_path: Path, mode: str, reason: str
) -> None:
    judge = fake_judge(modes={"00005_社会": mode}, batch_size=4)
    result = run(
        tmp_path / "out", benchmark=records(tmp_path, {}), diffusion_model=fake_editor(tmp_path), reward_model=judge
    )
    assert result.exit_code == 3
    for metric in ("overall", "care"):
        found = reasons(result, metric)
        assert {key: found[key] for key in found if found[key]} == {"00005_社会": reason}
    micro = next(s for s in report_of(result)["summaries"] if (s["metric"], s["category"]) == ("overall", "micro"))
    assert (micro["mean"], micro["num_scored"], micro["num_unscored"]) == (5.0, 9, 1)
    assert (micro["lowest"], micro["highest"]) == (4.5, 5.5)
    again = run(
        tmp_path / "out", benchmark=records(tmp_path, {}), diffusion_model=fake_editor(tmp_path), reward_model=judge
    )
    assert again.plan.dir == result.plan.dir and samples_of(again) == samples_of(result)


def test_a_judge_s_time_of_a_batch_and_its_raw_words_are_kept(tmp_path: Path) -> None:
    result = run(
        tmp_path / "out",
        benchmark=records(tmp_path, {}),
        diffusion_model=fake_editor(tmp_path),
        reward_model=fake_judge(value=7.25),
        evaluation__first=2,
    )
    assert result.exit_code == 0
    with RunStore.read(result.plan.dir) as store:
        scores = [score for row in store.rows(result.plan.judging_id) for score in row.scores.values()]
    assert {(s.metric, s.value, s.raw) for s in scores} == {
        (metric, 7.25, f"raw {key}") for metric in ("overall", "care") for key in ("00000_物理", "00001_物理")
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({5: {"original_image_path": "images/00004_社会.png"}}, "00004_社会"),
        ({5: {"edit_instruction_en": ""}}, "edit_instruction_en"),
        ({5: {"src_img_b64": "https://example.org/a.png"}}, "is not base64"),
    ],
)
def test_a_bad_record_is_one_line_before_any_worker_starts(
    tmp_path: Path, changes: dict[int, dict[str, Any]], words: str
) -> None:
    with pytest.raises(BenchmarkError) as caught:
        run(tmp_path / "out", benchmark=records(tmp_path, changes), diffusion_model=fake_editor(tmp_path))
    assert words in str(caught.value) and "v2.json" in str(caught.value) and "\n" not in str(caught.value)
    assert list((tmp_path / "notes").iterdir()) == []


def test_an_id_cannot_forge_a_line_of_the_log_or_steer_a_terminal(tmp_path: Path) -> None:
    rows = {"fine": {"image": "sound.png"}, "a\nBatch 9/9 done\x1b[31m": {"image": "broken.png"}}
    result = run(tmp_path, benchmark=folder(tmp_path, rows), reward_model=None)
    assert result.exit_code == 3
    warning = next(line for line in log_of(result).splitlines() if "edit failed" in line)
    assert r"a\nBatch 9/9 done\x1b[31m: edit failed (bad_source)" in warning
    assert "\x1b" not in log_of(result) and not any(x.startswith("Batch 9") for x in log_of(result).splitlines())


SEVERAL = {"one": {"image": "sound.png"}, "two": {"images": ["sound.png", "target.png"]}}
IN_PROCESS = {"backend": "inprocess"}
FIRST = {"type": "fakes.fake_editor", "params": {"device_ids": ["cpu"], "images": "first"}, "execution": IN_PROCESS}


def test_an_editor_that_takes_one_source_image_says_so_before_the_run(tmp_path: Path) -> None:
    benchmark = folder(tmp_path, SEVERAL)
    with pytest.raises(ConfigError, match=r"takes 1 source image.*1 of 2 samples have more \('two': 2\)") as error:
        run(tmp_path / "out", benchmark=benchmark, diffusion_model={"type": "classical"})
    assert "images: first" in str(error.value) and "\n" not in str(error.value)
    assert not list((tmp_path / "out").glob("small-*"))


def test_images_first_is_another_run_and_the_judge_sees_every_source(tmp_path: Path) -> None:
    benchmark = folder(tmp_path, SEVERAL)
    judge = {"type": "fakes.fake_judge", "params": {"notes": str(tmp_path / "shown")}, "execution": IN_PROCESS}
    result = run(tmp_path / "out", benchmark=benchmark, diffusion_model=FIRST, reward_model=judge)
    assert result.exit_code == 0 and result.plan.identity["images"] == "first"
    assert sorted((tmp_path / "shown").read_text().splitlines()) == ["one 1", "two 2"]
    every = {**FIRST, "type": "identity", "params": {"device_ids": ["cpu"]}}
    ours = run(tmp_path / "out", benchmark=benchmark, diffusion_model=every)
    assert "images" not in ours.plan.identity
    words = "1 sample has several source images: a judge is shown the first one only."
    assert words in report_of(ours)["warnings"] and words not in report_of(result)["warnings"], "it compares pixels"


def test_the_report_has_a_picture_of_every_source_and_of_the_references(tmp_path: Path) -> None:
    folder(tmp_path, {})
    two, texts = ["sound.png", "target.png"], {"edit_instruction_en": "make it blue", "subset": "c"}
    rows = {"one": {"p": "sound.png"}, "two": {"p": two}, "ref": {"p": two, "r": ["target.png"]}}
    path = tmp_path / "photos" / "records.json"
    path.write_text(json.dumps([{"id": key, **row, **texts} for key, row in rows.items()]))
    fields = {"id": "id", "image": "", "image_path": "p", "references_path": "r"}
    benchmark = {"type": "json_records", "params": {"path": str(path), "fields": fields}}
    every = {**FIRST, "type": "identity", "params": {"device_ids": ["cpu"]}}
    result = run(tmp_path / "out", benchmark=benchmark, diffusion_model=every)

    def shown() -> dict[str, list[str]]:
        names = read_block(result.plan.dir)["row"]
        rows = [dict(zip(names, row, strict=True)) for row in json.loads(data_of(result.plan.dir, "rows", 0))]
        for row in rows:
            for _, stem, extension, *_ in row["further"] or ():
                assert (result.plan.dir / f"report/thumbs/{stem}.webp").is_file()
                assert (result.plan.dir / f"report/pictures/{stem}.{extension}").is_file()
        return {row["id"]: [role for role, *_ in row["further"] or ()] for row in rows}

    expected = {"one": [], "two": ["source_2"], "ref": ["source_2", "reference"]}
    assert shown() == expected
    with RunStore.reopen(result.plan.dir) as store:
        republish(build_report(result.plan, store), result.plan, store)
    assert shown() == expected, "written again from what is known"
    (tmp_path / "photos").rename(tmp_path / "elsewhere")
    with RunStore.reopen(result.plan.dir) as store:
        plan = plan_of(store, allow_code=False, is_looking=True)
        republish(build_report(plan, store), plan, store)
    assert shown() == expected, "written again from the run alone"


def test_a_changed_second_source_is_another_source(tmp_path: Path) -> None:
    benchmark = folder(tmp_path, SEVERAL)
    every = {**FIRST, "type": "identity", "params": {"device_ids": ["cpu"]}}
    first = run(tmp_path / "out", benchmark=benchmark, diffusion_model=every).plan
    with RunStore.read(first.dir) as store:
        before = {edit.sample_id: edit.made for edit in store.edits()}
    (tmp_path / "photos" / "target.png").write_bytes(picture(box="green"))
    again = run(tmp_path / "out", benchmark=benchmark, diffusion_model=every).plan
    assert again.dir != first.dir
    with RunStore.read(again.dir) as store:
        after = {edit.sample_id: edit.made for edit in store.edits()}
    changed = {key for key, made in before.items() if made and after[key] and made != after[key]}
    assert changed == {"two"}


FAULTY_BENCHMARK = """
from editeval.types import Benchmark, Sample
class Picture:
    def __init__(self, data): self.data = data
    def read(self):
        return {}["boom"] if self.data is None else self.data
class B(Benchmark):
    def __iter__(self):
        good, bad, text = Picture(DATA), Picture(None), Picture("no bytes")
        yield Sample("good", "c", (good,), "do it")
        yield Sample("bad", "c", (bad,), "do it")
        yield Sample("text", "c", (text,), "do it")
        yield Sample("target", "c", (good,), "do it", target=bad)
    def fingerprint(self): return "f"
"""


def test_an_error_in_the_read_of_somebody_elses_benchmark_fails_its_own_sample_at_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "bench.py"
    file.write_text(f"DATA = {picture()!r}\n{FAULTY_BENCHMARK}")
    sections = {"diffusion_model": fake_editor(tmp_path), "reward_model": fake_judge(batch_size=4)}
    result = run(tmp_path / "out", benchmark={"type": str(file)}, **sections)
    assert result.exit_code == 3
    assert reasons(result) == {"good": None, "bad": "failed", "text": "failed", "target": "bad_image"}
    edits = {key: sample["edit"]["error"] for key, sample in by_id(result).items()}
    assert edits["bad"]["reason"] == edits["text"]["reason"] == "bad_source"
    where = f"{file}:7: KeyError: 'boom'"
    assert edits["bad"]["message"] == f"image: {where}"
    assert edits["text"]["message"] == "image: read() must return bytes, got str"
    with RunStore.read(result.plan.dir) as store:
        (target,) = (row for row in store.rows(result.plan.judging_id) if row.id == "target")
    assert target.scores["overall"].raw == f"target: {where}"


def test_of_a_run_whose_data_set_is_gone_the_report_is_made_from_the_run_alone(tmp_path: Path) -> None:
    rows = {"one": {"image": "sound.png", "category": "a.b"}, "two": {"image": "target.png", "category": "a"}}
    result = run(tmp_path / "out", benchmark=folder(tmp_path, rows), reward_model=fake_judge())
    before, told = samples_of(result), (result.plan.dir / "report" / "data" / "rows-0.js").read_text()
    shutil.rmtree(tmp_path / "photos")
    again = cli("report", str(result.plan.dir), "--allow-code", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert samples_of(result) == before
    assert (result.plan.dir / "report" / "data" / "rows-0.js").read_text() == told, "pictures and texts are in the run"
    checked = cli("verify", str(result.plan.dir), "--allow-code", cwd=tmp_path)
    assert "the sources of 2 edits are not there any more" in checked.stdout
    judged = cli("score", str(result.plan.dir), "--allow-code", cwd=tmp_path)
    assert judged.returncode == 2 and "no folder" in judged.stderr, "judging needs the pictures"


def test_a_category_with_a_dot_does_not_brick_its_run(tmp_path: Path) -> None:
    benchmark = folder(tmp_path, {"one": {"image": "sound.png", "category": "a.b"}})

    def asked(system: str, name: str = "a.b") -> RunResult:
        prompts = {name: {"system_prompt": system, "user_prompt_template": "{edit_instruction}"}}
        return run(tmp_path / "out", benchmark=benchmark, reward_model=fake_judge(), prompts=prompts)

    asked("x")
    result = asked("y")
    with RunStore.read(result.plan.dir) as store:
        assert settings_of(store)["prompts"]["a.b"]["system_prompt"] == "y"
    result = asked("z", "a")
    with RunStore.read(result.plan.dir) as store:
        assert set(settings_of(store)["prompts"]) == {"a"}
    assert cli("report", str(result.plan.dir), "--allow-code", cwd=tmp_path).returncode == 0
    override = ("--set", 'prompts."a.b".system_prompt=q', "--set", 'prompts."a.b".user_prompt_template=r', "--dry-run")
    sections = {"benchmark": {"type": "procedural"}, "diffusion_model": {"type": "identity"}}
    (tmp_path / "c.yaml").write_text(json.dumps(sections))
    told = cli("run", "c.yaml", *override, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
