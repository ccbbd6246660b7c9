"""Categories: the order asked for, two words for one in v2's data alone, and a word for whatever is left out."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from editeval.cli.main import main
from editeval.config.load import load_mapping
from editeval.config.schema import Config
from editeval.errors import BenchmarkError, ConfigError
from editeval.images import encode_png
from editeval.run.pipeline import evaluate
from editeval.run.plan import judging_plans, make_plan

PIXEL = encode_png(Image.new("RGB", (8, 8), (9, 9, 9)))
PROMPT = {"system_prompt": "s", "user_prompt_template": "{edit_instruction}"}
CPU = {"params": {"device_ids": ["cpu"]}, "execution": {"backend": "inprocess"}}


def v2_file(folder: Path, *categories: str) -> Path:
    """One record for each of `categories`, in v2's format."""
    rows = [
        {
            "original_image_path": f"images/{i}.png",
            "subset": category,
            "src_img_b64": base64.b64encode(PIXEL).decode(),
            "edit_instruction_en": f"edit {i}",
        }
        for i, category in enumerate(categories)
    ]
    path = folder / "data.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def own_file(folder: Path, *categories: str) -> Path:
    """The same in a format of one's own: another name for the category."""
    path = v2_file(folder, *categories)
    rows = [{"kind" if k == "subset" else k: v for k, v in row.items()} for row in json.loads(path.read_text())]
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def config(folder: Path, benchmark: dict[str, Any], **sections: Any) -> Config:
    tree = {
        "benchmark": benchmark,
        "diffusion_model": {"type": "identity", **CPU},
        "evaluation": {"output_dir": str(folder / "out")},
        "logging": {"console_output": False},
    }
    return load_mapping(tree | sections, "small", environ={}, allow_code=True)


def found(settings: Config) -> list[tuple[str, str]]:
    """(id, category) of the samples, in order."""
    return [(s.id, s.category) for s in make_plan(settings).samples]


def test_samples_come_in_the_order_of_the_categories_and_stay_in_order_within_one(tmp_path: Path) -> None:
    path = str(v2_file(tmp_path, "物理", "因果", "物理", "环境", "因果"))
    asked = config(tmp_path, {"data_path": path, "categories": ["因果", "环境", "物理"]})
    assert found(asked) == [("1", "因果"), ("4", "因果"), ("3", "环境"), ("0", "物理"), ("2", "物理")]
    assert [i for i, _ in found(config(tmp_path, {"data_path": path}))] == ["0", "1", "2", "3", "4"]


def test_the_ledger_and_the_reports_keep_the_order_asked_for(tmp_path: Path) -> None:
    path = str(v2_file(tmp_path, "物理", "因果", "物理"))
    result = evaluate(config(tmp_path, {"data_path": path, "categories": ["因果", "物理"]}))
    lines = (result.plan.dir / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["1", "0", "2"]


def test_both_vocabularies_in_one_v2_file_are_five_categories_not_ten(tmp_path: Path) -> None:
    words = ("物理", "physical", "环境", "environmental", "社会", "cultural", "因果", "causal", "指代", "referential")
    plan = make_plan(config(tmp_path, {"data_path": str(v2_file(tmp_path, *words * 3))}))
    counts = [s.category for s in plan.samples]
    assert {name: counts.count(name) for name in counts} == dict.fromkeys(words[1::2], 6)
    assert len({s.id for s in plan.samples}) == 30
    assert plan.notes[0].startswith("benchmark: two words for one category: 物理 (3) is physical, 环境 (3) is ")
    chosen = config(tmp_path, {"data_path": str(tmp_path / "data.json"), "categories": ["因果"]})
    assert [name for _, name in found(chosen)] == ["causal"] * 6


def test_a_v2_file_of_one_vocabulary_keeps_its_words_whatever_the_configuration_calls_them(tmp_path: Path) -> None:
    path = str(v2_file(tmp_path, "物理", "因果"))
    assert found(config(tmp_path, {"data_path": path, "categories": ["causal", "物理"]})) == [
        ("1", "因果"),
        ("0", "物理"),
    ]


@pytest.mark.parametrize("word", ["social", "社会", "文化"])
def test_categories_of_one_s_own_data_are_never_merged_and_neither_are_their_prompts(tmp_path: Path, word: str) -> None:
    benchmark = {
        "type": "json_records",
        "params": {"path": str(own_file(tmp_path, word, "cultural", word)), "fields": {"category": "kind"}},
    }
    asks = {name: {**PROMPT, "system_prompt": name} for name in (word, "cultural")}
    judge = {"type": "fakes.prompted_judge", **CPU}
    settings = config(tmp_path, benchmark, reward_model=judge, prompts=asks)
    assert [name for _, name in found(settings)] == [word, "cultural", word]
    prompts = {name: settings.prompt_of(name) for name in asks}
    assert {name: prompt and prompt.system_prompt for name, prompt in prompts.items()} == {n: n for n in asks}
    assert [i for i, _ in found(config(tmp_path, benchmark | {"categories": ["cultural"]}))] == ["1"]
    with pytest.raises(ConfigError, match=f"no prompt for '{word}'"):
        make_plan(config(tmp_path, benchmark, reward_model=judge, prompts={"cultural": PROMPT}))
    changed = {**asks, word: {**PROMPT, "system_prompt": "other"}}
    other = config(tmp_path, benchmark, reward_model=judge, prompts=changed)
    assert judging_plans(settings)[0].id != judging_plans(other)[0].id, "a prompt that is asked decides the score set"


def test_a_v2_file_finds_its_prompt_by_either_word_and_two_for_one_category_are_refused(tmp_path: Path) -> None:
    benchmark = {"data_path": str(v2_file(tmp_path, "物理", "physical"))}
    judge = {"type": "fakes.prompted_judge", **CPU}
    settings = config(tmp_path, benchmark, reward_model=judge, prompts={"物理": PROMPT})
    assert make_plan(settings).judgings
    with pytest.raises(ConfigError, match=r"prompts\.physical: physical and 物理 are one category here"):
        config(tmp_path, benchmark, prompts={"物理": PROMPT, "physical": PROMPT})
    with pytest.raises(ConfigError, match="physical and 物理 are one category here"):
        config(tmp_path, benchmark | {"categories": ["物理", "physical"]})


def test_every_absent_category_is_named_with_what_may_have_been_meant(tmp_path: Path) -> None:
    path = str(v2_file(tmp_path, "physical", "physical", "causal"))
    with pytest.raises(BenchmarkError) as caught:
        make_plan(config(tmp_path, {"data_path": path, "categories": ["phisical", "causal", "weather"]}))
    said = "no sample of 'phisical' (did you mean 'physical'?), 'weather'; it has: physical (2), causal (1)"
    assert str(caught.value) == f"benchmark.categories: {said}"
    with pytest.raises(BenchmarkError, match=r"no sample of '物理' \(did you mean 'physical'\?\)"):
        own = {"path": str(own_file(tmp_path, "physical")), "fields": {"category": "kind"}}
        make_plan(config(tmp_path, {"type": "json_records", "params": own, "categories": ["物理"]}))


YAML = """\
benchmark:
  type: procedural
  params: {num_per_category: 2, size: 64}
  categories: [causal, physical]
diffusion_model: {type: identity, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
logging: {console_output: true}
"""
LEFT_OUT = "small.yaml:4: benchmark.categories: 6 of 10 samples are left out, of categories not named: "
LEFT_OUT += "environmental (2), cultural (2), referential (2)"


@pytest.mark.parametrize("command", [["check"], ["run", "--dry-run"], ["run", "--display", "plain"]])
def test_what_is_left_out_is_counted_and_named(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(YAML, encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main([*command, "small.yaml"])
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert LEFT_OUT in said.out + said.err
    if "--display" in command:
        assert LEFT_OUT in Path("outputs/logs/small.log").read_text(encoding="utf-8")
