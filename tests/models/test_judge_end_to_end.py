"""A v2 configuration, its data and its prompts, with a judge that really looks: one command, on CPU workers."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from judge_fixtures import PROMPT, build, trained

from editeval.config.load import load_config
from editeval.run import pipeline
from editeval.run.pipeline import RunResult
from editeval.store.ledger_events import Load
from editeval.store.run_store import RunStore

pytestmark = pytest.mark.models

CATEGORIES = ("物理", "因果")
HUES = (1, 4, 9, 6, 0, 3)


def write_run(folder: Path, model: Path, **params: Any) -> Path:
    """A v2 data file, and the configuration that judges its untouched pictures with the checkpoint `model`."""
    import tiny_judges

    rng = np.random.default_rng(5)
    records = [
        {
            "subset": CATEGORIES[i % 2],
            "src_img_b64": base64.b64encode(tiny_judges.picture(hue, rng)).decode(),
            "edit_instruction_en": "make the sky red",
            "original_description_en": "a plain colour",
            "original_image_path": f"plain_{i}.png",
        }
        for i, hue in enumerate(HUES)
    ]
    (folder / "benchmark.json").write_text(json.dumps(records, ensure_ascii=False), "utf-8")
    judging = {"model_name": str(model), "device_ids": ["cpu"], "dtype": "float32", "max_new_tokens": 8}
    config = {
        "benchmark": {"data_path": str(folder / "benchmark.json"), "categories": list(CATEGORIES)},
        "diffusion_model": {"type": "identity"},
        "reward_model": {"type": "qwen3_vl", "params": judging | params},
        "evaluation": {"output_dir": str(folder / "outputs")},
        "logging": {"console_output": False},
        "prompts": {c: {"system_prompt": PROMPT[0], "user_prompt_template": PROMPT[1]} for c in CATEGORIES},
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(config, allow_unicode=True), "utf-8")
    return path


def judged(path: Path) -> RunResult:
    return pipeline.evaluate(load_config(path))


def scores(result: RunResult) -> dict[str, dict[str, Any]]:
    lines = (result.plan.dir / "samples.jsonl").read_text("utf-8").splitlines()
    return {row["id"]: row["scores"] for row in map(json.loads, lines)}


def test_a_v2_configuration_gives_real_scores(tmp_path: Path) -> None:
    result = judged(write_run(tmp_path, trained(), batch_size=4, use_batch_inference=True, use_flash_attention=False))
    assert result.exit_code == 0
    found = [row["overall"]["value"] for row in scores(result).values()]
    assert sorted(found) == sorted(float(hue) for hue in HUES)
    assert {key: row["overall"]["value"] for key, row in scores(result).items()} == {
        f"plain_{i}.png": float(hue) for i, hue in enumerate(HUES)
    }
    assert result.report is not None
    micro = next(s for s in result.report.summaries if s.category == "micro")
    assert micro.mean == pytest.approx(sum(HUES) / len(HUES))


def test_one_at_a_time_and_in_batches_give_the_same_scores(tmp_path: Path) -> None:
    found = []
    for name, params in (("one", {"use_batch_inference": False}), ("four", {"batch_size": 4})):
        folder = tmp_path / name
        folder.mkdir()
        found.append(scores(judged(write_run(folder, trained(), **params))))
    assert found[0] == found[1]


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # of plain peft in this test
def test_a_judge_with_an_adapter_scores_as_its_base_and_adapter_together(tmp_path: Path) -> None:
    """Half of what was trained is in the adapter: the base alone gives other scores, both give the trained ones."""
    import peft
    import torch
    import transformers

    torch.manual_seed(0)
    model = transformers.AutoModelForImageTextToText.from_pretrained(trained(), dtype="float32")
    names = ["q_proj", "v_proj", "down_proj"]
    made = peft.get_peft_model(
        model, peft.LoraConfig(r=8, lora_alpha=128, target_modules=names, init_lora_weights=False)
    )
    made.save_pretrained(tmp_path / "lora")
    base = tmp_path / "base"
    shutil.copytree(trained(), base)
    for module in (part for part in made.modules() if isinstance(part, peft.tuners.lora.Linear)):
        module.base_layer.weight.data -= module.get_delta_weight("default")
    made.unload().save_pretrained(base)

    found = []
    for name, params in (("alone", {}), ("both", {"adapter": str(tmp_path / "lora")})):
        (tmp_path / name).mkdir()
        result = judged(write_run(tmp_path / name, base, **params))
        found.append({key: row["overall"]["value"] for key, row in scores(result).items()})
        with RunStore.read(result.plan.dir) as store:
            (facts,) = [one.event.facts for one in store.events_of(Load) if "adapter_rank" in one.event.facts] or [{}]
        assert facts.get("adapter_rank") == (8 if params else None)
    assert found[1] == {f"plain_{i}.png": float(hue) for i, hue in enumerate(HUES)}
    assert found[0] != found[1]


def test_an_untrained_judge_leaves_everything_unscored(tmp_path: Path) -> None:
    result = judged(write_run(tmp_path, build("qwen3_vl", tmp_path / "model")))
    assert result.exit_code == 3
    rows = [row["overall"] for row in scores(result).values()]
    assert {row["value"] for row in rows} == {None}
    assert {row["reason"] for row in rows} <= {"truncated", "unparsable", "degenerate", "empty"}


def test_pointwise_needs_no_prompts_and_shows_its_parts(tmp_path: Path) -> None:
    model = build("qwen3_vl", tmp_path / "model", love_digits="pointwise")
    path = write_run(tmp_path, model, protocol="pointwise")
    content = yaml.safe_load(path.read_text("utf-8"))
    del content["prompts"]
    path.write_text(yaml.safe_dump(content, allow_unicode=True), "utf-8")
    result = judged(path)
    assert result.exit_code == 0
    for row in scores(result).values():
        assert set(row) == {"overall", "following", "preservation", "quality"}
        assert all(0.0 <= part["value"] <= 10.0 for part in row.values())
