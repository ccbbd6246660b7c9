"""Judges of the shape of published reward models, a base with an adapter each, over one run of imported edits."""

from __future__ import annotations

import json
import math
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_rewards
import yaml
from judge_fixtures import build
from PIL import Image

from editeval.config.load import load_config
from editeval.images import encode_png
from editeval.run import official, pipeline
from editeval.run.pipeline import RunResult
from editeval.store.run_store import RunStore
from editeval.store.verify import verify
from editeval.types import JudgeRequest

pytestmark = [
    pytest.mark.models,
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning"),  # of plain peft in these tests
]
NUM = 3
OTHER_PYTHON = os.environ.get("EDITEVAL_TEST_OTHER_PYTHON", sys.executable)  # one with other versions of the libraries
GRADES, VERDICT = "[20, 15]", '{"winner": "B"}'
"""What the adapters are taught to answer, whatever they see."""


def taught(base: Path, out: Path, protocol: str, reply: str) -> Path:
    """An adapter with which the checkpoint `base` gives `reply` to what `protocol` asks."""
    import peft
    import tiny_judges
    import torch
    import transformers

    torch.manual_seed(1)
    model = transformers.AutoModelForImageTextToText.from_pretrained(base, dtype="float32")
    tok = transformers.AutoTokenizer.from_pretrained(base)
    images = transformers.AutoImageProcessor.from_pretrained(base, backend="pil")
    processor = type("Both", (), {"tokenizer": tok, "image_processor": images})()
    more = {"against": "other"} if protocol == "pvc_judge" else {}
    asker = tiny_judges.Asker(tiny_judges.checkpoint(model, processor), protocol, **more)
    shown = [encode_png(Image.new("RGB", (72, 64), (shade, 40, 90))) for shade in (10, 200, 100)]
    prompts = asker.prompts(JudgeRequest("k", (shown[0],), shown[1], "paint 1 red", edited_b=shown[2]))
    asker.close()
    layers = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=16, lora_alpha=32, target_modules=layers))
    optimiser = torch.optim.AdamW([one for one in adapted.parameters() if one.requires_grad], lr=5e-3)
    loaded = replace(tiny_judges.checkpoint(model, processor), model=adapted)
    for _ in range(100):
        loss = tiny_judges._loss(loaded, prompts, [f"{reply}{tok.eos_token}"] * len(prompts))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if float(loss.detach()) < 0.01:
            break
    assert float(loss.detach()) < 0.01
    adapted.save_pretrained(out)
    return out


def outspoken(folder: Path) -> Path:
    """A checkpoint that is sure of what it says, so that an adapter on its layers decides that."""
    import torch
    import transformers

    base = build("qwen3_vl", folder)
    model = transformers.AutoModelForImageTextToText.from_pretrained(base, dtype="float32")
    with torch.no_grad():
        model.lm_head.weight.mul_(30.0)
    model.save_pretrained(base)
    return base


def edits(folder: Path, shade: int) -> str:
    folder.mkdir()
    for n in range(NUM):
        Image.new("RGB", (72, 64), (shade, 40 * n, 90)).save(folder / f"{n}.png")
    return str(folder)


def written(tmp_path: Path, name: str, judges: dict[str, Any]) -> Path:
    """A configuration of one imported run under this name."""
    data = tmp_path / "data"
    if not data.exists():
        edits(data, 10)
        rows = [{"id": str(n), "image": f"{n}.png", "instruction": f"paint {n} red", "key": n} for n in range(NUM)]
        (data / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    folder = edits(tmp_path / name, 200 if name == "mine" else 100)
    tree = {
        "benchmark": {"type": "image_folder", "params": {"path": str(data)}},
        "diffusion_model": {"type": "imported", "params": {"folder": folder, "layout": "{id}.png", "name": name}},
        "evaluation": {"output_dir": str(tmp_path / "out")},
        "logging": {"console_output": False},
        **judges,
    }
    path = tmp_path / f"{name}.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False), "utf-8")
    return path


def judge(base: Path, adapter: Path, protocol: str, **params: Any) -> dict[str, Any]:
    given = {"model_name": str(base), "adapter": str(adapter), "dtype": "float32", "device_ids": ["cpu"]}
    return {"type": "transformers_vlm", "params": {**given, "protocol": protocol, "max_new_tokens": 24, **params}}


def editreward(folder: Path) -> dict[str, Any]:
    """A judge in an environment of its own."""
    base = tiny_rewards.base("qwen3_vl", folder / "reward_base")
    weights = tiny_rewards.save(folder / "reward_weights", tiny_rewards.weights(base))
    given = {"model_name": str(weights), "base_model": str(base), "dtype": "float32", "device_ids": ["cpu"]}
    return {"type": "editreward", "params": given, "execution": {"batch_size": 2, "python": OTHER_PYTHON}}


def judged(path: Path) -> RunResult:
    return pipeline.evaluate(load_config(path))


def scores(result: RunResult) -> list[dict[str, Any]]:
    lines = (result.plan.dir / "samples.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["scores"] for line in lines]


def test_one_configuration_scores_imported_edits_with_two_adapted_judges_and_a_reward(tmp_path: Path) -> None:
    base = outspoken(tmp_path / "base")
    grader = taught(base, tmp_path / "grader", "editscore", GRADES)
    chooser = taught(base, tmp_path / "chooser", "pvc_judge", VERDICT)
    other = judged(written(tmp_path, "theirs", {"reward_model": None}))
    pair = judge(base, chooser, "pvc_judge", against=str(other.plan.dir))
    three = {"reward": judge(base, grader, "editscore", num_samples=2), "pairs": pair, "scalar": editreward(tmp_path)}
    result = judged(written(tmp_path, "mine", {"reward_models": three}))
    assert result.exit_code == 0
    expected = {"prompt_following": 8.0, "consistency": 6.0, "perceptual_quality": 6.0, "overall": math.sqrt(36)}
    for row in scores(result):
        assert {name: row[name]["value"] for name in expected} == expected
        assert row["pairs.visual_consistency"]["value"] == 0.5, "it always prefers the second image: a tie"
    rewards = [row["scalar.reward"]["value"] for row in scores(result)]
    assert len({*rewards}) == NUM and all(math.isfinite(one) for one in rewards)
    first, second = json.loads((result.plan.dir / "report.json").read_text("utf-8"))["run"]["official_claim"]["lines"]
    assert first.startswith("not as its authors ask: editscore overall 6 (") and f"{base} + {grader}" in first
    assert second.startswith("not official: gedit_v2 win rate 0.5 (")
    with RunStore.read(result.plan.dir) as store:
        assert not verify(store) and not list(official.stale_claim(store))
