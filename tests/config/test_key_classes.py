"""Every key that a configuration can have is data, a place, an address or a program; a new one has to be classed here.

data      changes numbers and pictures, and nothing outside the run
place     a file or folder that is read or written
address   a machine that is contacted, or what is sent there besides the pictures
program   decides which code runs

Keys that are refused or that nothing reads (config/legacy.py) have no class.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from editeval import plugins
from editeval.config import legacy
from editeval.config.consent import Settings, effects_of
from editeval.config.schema import SECTIONS, Evaluation, Execution, Logging, Tracking
from editeval.config.values import field_names

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "type",
    "class_path",
    "execution.python",
    "execution.requirements",
    "execution.ray_address",
    "params.python_path",
    "params.conda_env",
    "params.model_name",
    "params.trust_remote_code",
    "params.revision",
}
ADDRESSES = {
    "tracking.host",
    "params.base_url",
    "params.base_urls",
    "params.api_key_env",
    "params.extra",
    "params.allow_url_results",
    "params.repo",
    "params.lora",
    "params.adapter",
}
PLACES = {
    *("params.path", "params.root", "params.manifest", "data.path", "data_path"),
    *(
        "params.prompts_from",
        "params.against",
        "params.folder",
        "params.base_model",
        "params.clip_model",
        "params.dino_model",
    ),
    *("evaluation.output_dir", "evaluation.results_dir", "logging.log_file", "logging.log_dir"),
}
_PARAMS = """
seed num_seeds device_ids device enable_batch_sync batch_size timeout use_batch_inference
allow_patterns format params fields language split id_template num_per_category size
intersection_only mode source suite complexity image_type
hue_tolerance min_saturation min_share chances skill latency_s
dtype disable_progress_bar attention_backend compile acceleration cpu_offload vae_tiling family
adapter_revision num_inference_steps guidance_scale true_cfg_scale image_guidance_scale negative_prompt dialect
model timeout_s deadline_s max_retries backoff_s use_proxy max_calls max_usd usd_per_mtok_in usd_per_mtok_out
max_reply_mib concurrency images protocol num_samples max_new_tokens max_image_side min_label_mass reasons
match_published words layout name num_workers
scoring temperature output use_flash_attention share_prefix sampling_temperature max_model_len gpu_memory_utilization
forgiven_distance unseen_difference full_difference object_share max_aspect_error forgiven_shift
forgiven_zoom forgiven_tone metrics compared_with region lpips_net clip_revision dino_revision source_caption
engine base_revision pixels pooling
"""  # engine has an allow-list of its own: plain numbers and words (tests/judges/test_vllm_vlm.py)
_EXECUTION = """
device_ids policy max_drift retry backend load_concurrency timeout_s stall_s start_timeout_s max_attempts
batch_size devices_per_worker overlap
"""
_OTHERS = """
params execution categories data.categories benchmark diffusion_model reward_model reward_models prompts
tracking tracking.type tracking.project tracking.offline
evaluation logging evaluation.name evaluation.metrics evaluation.controls evaluation.limit evaluation.first
evaluation.samples
logging.level logging.console_output logging.file_output logging.save_to_file
"""
DATA = {
    *_OTHERS.split(),
    *(f"params.{name}" for name in _PARAMS.split()),
    *(f"execution.{name}" for name in _EXECUTION.split()),
}
CLASSES = {"program": PROGRAMS, "address": ADDRESSES, "place": PLACES, "data": DATA}


def keys() -> set[str]:
    """Every key of every schema, without the section of a plug-in."""
    found = {*SECTIONS, "type", "class_path", "params", "execution", "categories"}
    parts = {"execution": Execution, "evaluation": Evaluation, "logging": Logging, "tracking": Tracking}
    for section, cls in parts.items():
        found |= {f"{section}.{field.name}" for field in dataclasses.fields(cls)}
    found |= {f"evaluation.{name}" for name in ("limit", "first", "samples", "results_dir")} | {"logging.log_dir"}
    for kind in plugins.KINDS:
        for name in plugins.available(kind):
            found |= {f"params.{field}" for field in field_names(plugins.load(kind, name).Params)}
    old = [old for old, _ in (*legacy._MOVES, *legacy._JUDGE_MOVES)]
    old += [f"params.{name}" for names in legacy.STAGE_KEYS.values() for name in names]
    sections = ("benchmark.", "diffusion_model.", "reward_model.")
    return found | {key.partition(".")[2] if key.startswith(sections) else key for key in old}


def test_every_key_has_one_class() -> None:
    classed = [key for names in CLASSES.values() for key in names]
    lacking = sorted(keys() - set(classed))
    assert not lacking, "a key without a class: may it run code, name a place, contact somebody?"
    assert len(classed) == len(set(classed)), "two classes"
    assert not set(classed) - keys(), "nothing reads it any more"


@pytest.mark.parametrize("key", sorted(PROGRAMS - {"class_path"}))
def test_a_program_from_a_file_needs_consent(key: str) -> None:
    """In every section that has the key; `class_path` is looked up in a table of v2's and never imported."""
    new = {"params.python_path": "execution.python", "params.conda_env": "execution.python"}.get(key, key)
    part, _, name = new.rpartition(".")
    values = {
        "ray_address": "host:1",
        "trust_remote_code": True,
        "requirements": ["x"],
        "revision": "b",
        "type": "x.py",
    }
    given = {name: values.get(name, __file__)}
    if name in ("revision", "model_name"):
        given["trust_remote_code"] = True
    if name == "ray_address":
        given["backend"] = "ray"
    for section in ("diffusion_model", "reward_model", "reward_models.x"):
        body: dict[str, object] = {part: given} if part else given
        tree: dict[str, object] = {section: body} if "." not in section else {"reward_models": {"x": body}}
        effects = effects_of(Settings(tree, Path("c.yaml"), Path(__file__).parent))
        assert any(effect.why and effect.key.startswith(section) for effect in effects), section


def test_every_key_is_explained() -> None:
    pages = "".join(
        (ROOT / "docs" / f"{page}.md").read_text("utf-8")
        for page in ("configuration", "editing", "report", "benchmarks", "import")
    )
    assert not [key for key in sorted(keys()) if not re.search(rf"\b{key.rpartition('.')[2]}\b", pages)]
