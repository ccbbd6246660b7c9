"""What loaded models say of themselves: read off the model, so that a run's record is not a copy of its parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
from judge_fixtures import build, loaded
from model_cases import loaded as editor

from conftest import Folder
from editeval.execution.worker_messages import are_facts

pytestmark = pytest.mark.models

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PIPELINES = {
    "qwen_image_edit": ("QwenImageEditPipeline", "native"),
    "qwen_image_edit_plus": ("QwenImageEditPlusPipeline", "native"),
    "flux_kontext": ("FluxKontextPipeline", "native"),
    "instruct_pix2pix": ("StableDiffusionInstructPix2PixPipeline", "AttnProcessor2_0"),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_an_editor_says_what_it_loaded(name: str, tiny: Folder) -> None:
    model = editor(name, tiny(name))
    facts = model.facts()
    assert are_facts(facts)
    assert (facts["pipeline"], facts["attention"]) == PIPELINES[name]
    assert (facts["dtype"], facts["device"], facts["compiled"], facts["commit"]) == ("float32", "cpu", False, None)
    model.unload()
    assert model.facts() == {}


def test_parameters_that_change_the_model_change_what_it_says(tiny: Folder) -> None:
    model = editor(
        "qwen_image_edit",
        tiny("qwen_image_edit"),
        dtype="bfloat16",
        attention_backend="_native_math",
        acceleration="exact",
    )
    facts = model.facts()
    assert (facts["dtype"], facts["attention"], facts["compiled"]) == ("bfloat16", "_native_math", True)
    model.unload()


def test_a_folder_of_the_hubs_cache_has_a_commit(tiny: Folder, tmp_path: Path) -> None:
    snapshots = tmp_path / "models--nobody--tiny" / "snapshots"
    snapshots.mkdir(parents=True)
    (snapshots / COMMIT).symlink_to(tiny("qwen_image_edit"))
    assert editor("qwen_image_edit", snapshots / COMMIT).facts()["commit"] == COMMIT


def test_a_judge_says_what_it_loaded(tmp_path: Path) -> None:
    judge = loaded(build("qwen3_vl", tmp_path / "judge"))
    facts = judge.facts()
    assert are_facts(facts)
    assert (facts["model"], facts["attention"]) == ("Qwen3VLForConditionalGeneration", "sdpa")
    assert (facts["dtype"], facts["device"], facts["num_devices"], facts["commit"]) == ("float32", "cpu", 1, None)
    judge.unload()


def test_a_judge_from_the_hubs_cache_has_a_commit(tmp_path: Path) -> None:
    snapshots = tmp_path / "models--nobody--tiny" / "snapshots"
    snapshots.mkdir(parents=True)
    (snapshots / COMMIT).symlink_to(build("qwen3_vl", tmp_path / "judge"))
    assert loaded(snapshots / COMMIT, dtype="bfloat16").facts() | {"commit": COMMIT, "dtype": "bfloat16"} == {
        "model": "Qwen3VLForConditionalGeneration",
        "commit": COMMIT,
        "attention": "sdpa",
        "dtype": "bfloat16",
        "device": "cpu",
        "num_devices": 1,
    }
