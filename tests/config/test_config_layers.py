"""Flag over --set over environment over file over default, and the record says which it was."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_fakes.minimal import MINIMAL, Load

from editeval import plugins
from editeval.config.load import load_config
from editeval.config.schema import Config
from editeval.errors import ConfigError

ROOT = Path(__file__).parents[2]
VALUES = {"file": 1, "env": 2, "short env": 3, "set": 4, "flag": 5}


@pytest.mark.parametrize("given", [c for n in range(6) for c in itertools.combinations(VALUES, n)])
def test_the_highest_layer_decides_and_is_recorded(load: Load, tmp_path: Path, given: tuple[str, ...]) -> None:
    seed = "diffusion_model.params.seed"
    text = (
        MINIMAL.replace("config_fakes.editor", "config_fakes.editor, params: {seed: 1}") if "file" in given else MINIMAL
    )
    environ = {"EDITEVAL_DIFFUSION_MODEL__PARAMS__SEED": "2"} if "env" in given else {}
    environ |= {"EDITEVAL_SEED": "3"} if "short env" in given else {}
    sets = [f"{seed}=4"] if "set" in given else []
    config = load(text, *sets, environ=environ, **({"seed": 5} if "flag" in given else {}))
    order = ["flag", "set", "env", "short env", "file"]
    winner = next((layer for layer in order if layer in given), None)
    origins = {
        "flag": "flag --seed",
        "set": "--set",
        "env": "env EDITEVAL_DIFFUSION_MODEL__PARAMS__SEED",
        "short env": "env EDITEVAL_SEED",
        "file": f"file {tmp_path}/config.yaml:2",
        None: "default",
    }
    assert config.diffusion_model.seed == (VALUES[winner] if winner else 0)
    assert config.origins[seed] == origins[winner]


def test_of_two_sets_the_later_wins_in_any_spelling(load: Load) -> None:
    key = "diffusion_model"
    config = load(MINIMAL, f"{key}.params.device_ids=[0]", f"{key}.execution.device_ids=[1]")
    assert config.diffusion_model.execution.device_ids == ("cuda:1",)
    config = load(MINIMAL, f"{key}.execution.policy=dynamic", f"{key}.params.enable_batch_sync=true")
    assert config.diffusion_model.execution.policy == "batch_sync"


def test_higher_policy_drops_the_drift_of_the_file_and_says_so(load: Load) -> None:
    execution = "execution: {policy: bounded_drift, max_drift: 2}"
    text = MINIMAL.replace("config_fakes.editor", f"config_fakes.editor, {execution}")
    assert load(text).diffusion_model.execution.max_drift == 2
    config = load(text, "diffusion_model.execution.policy=dynamic")
    assert config.diffusion_model.execution.max_drift is None
    assert "max_drift: has no effect" in config.warnings[0]


def test_retries_at_the_end_need_batches_and_a_higher_policy_drops_them(load: Load) -> None:
    assert load(MINIMAL).diffusion_model.execution.retry == "in_batch"
    text = MINIMAL.replace("config_fakes.editor", "config_fakes.editor, execution: {retry: at_end}")
    assert load(text).diffusion_model.execution.retry == "at_end"
    config = load(text, "diffusion_model.execution.policy=dynamic")
    assert config.diffusion_model.execution.retry == "in_batch"
    assert "retry: has no effect" in config.warnings[0]


@pytest.mark.parametrize("order", [1, -1])
def test_another_type_leaves_the_old_params_behind_and_says_so(load: Load, order: int) -> None:
    params = "params: {model_name: secret, seed: 9, device_ids: [cpu]}"
    text = MINIMAL.replace("config_fakes.editor", f"config_fakes.editor, {params}")
    config = load(text, "diffusion_model.type=identity")
    assert config.diffusion_model.seed == 9
    assert config.diffusion_model.execution.device_ids == ("cpu",)
    assert "model_name" in config.warnings[0]
    sets = ["benchmark.type=procedural", "benchmark.params.num_per_category=3"][::order]
    config = load(text, *sets)
    assert config.benchmark.params.num_per_category == 3
    assert config.warnings[0].endswith("dropped its old params: path")


def test_refused_type_can_be_replaced_from_the_command_line(load: Load) -> None:
    text = MINIMAL.replace("config_fakes.editor", "example_model, params: {batch_size: 2}")
    assert load(text, "diffusion_model.type=identity").diffusion_model.type == "identity"


def test_same_type_again_keeps_the_params(load: Load) -> None:
    config = load(MINIMAL, "benchmark.type=config_fakes.bench")
    assert config.benchmark.params.path == "data.json"
    assert config.warnings == ()


def test_mappings_are_joined_and_lists_replaced(load: Load) -> None:
    text = MINIMAL.replace("{path: data.json}", "{path: data.json, fields: {id: key, image: img}, sizes: [1, 2]}")
    config = load(text, "benchmark.params.fields.id=uid", "benchmark.params.sizes=[3]")
    assert config.benchmark.params.fields == {"id": "uid", "image": "img"}
    assert config.benchmark.params.sizes == (3,)
    assert config.origins["benchmark.params.fields"] == "--set"


def test_flags_reach_every_stage(load: Load) -> None:
    flags: dict[str, Any] = {
        "categories": ("物理",),
        "limit": 3,
        "samples": ("a*", "b"),
        "output_dir": Path("elsewhere"),
        "device_ids": ("cpu", "1"),
        "seed": 11,
    }
    config = load(MINIMAL, **flags)
    assert config.reward_model is not None
    assert config.benchmark.categories == ("物理",)
    assert (config.limit, config.samples) == (3, ("a*", "b"))
    assert config.evaluation.output_dir == Path("elsewhere")
    assert config.logging.log_file == Path("elsewhere/logs/config.log")
    for stage in (config.diffusion_model, config.reward_model):
        assert stage.execution.device_ids == ("cpu", "cuda:1")
        assert stage.seed == 11
    assert config.origins["reward_model.execution.device_ids"] == "flag --gpus"


@pytest.mark.parametrize("rest", ["", "reward_model:\n"])
def test_flags_do_not_make_a_judge(load: Load, rest: str) -> None:
    text = "".join(MINIMAL.splitlines(keepends=True)[:2]) + rest
    config = load(text, environ={"EDITEVAL_SEED": "1"}, device_ids=("cpu",))
    assert config.reward_model is None
    assert config.resolved["reward_model"] is None


def test_environment_takes_folders_and_devices_as_they_are(load: Load) -> None:
    environ = {"EDITEVAL_OUTPUT_DIR": "2025", "EDITEVAL_DEVICE_IDS": "cpu,cpu", "EDITEVAL_FIRST": "2", "OTHER": "x"}
    config = load(environ=environ)
    assert config.evaluation.output_dir == Path("2025")
    assert config.diffusion_model.execution.device_ids == ("cpu", "cpu")
    assert (config.first, config.limit) == (2, None)


def test_defaults(load: Load) -> None:
    config = load()
    assert config.name == "config"
    assert config.evaluation.output_dir == Path("outputs")
    assert config.logging.log_file == Path("outputs/logs/config.log")
    assert config.diffusion_model.execution.device_ids is None
    assert config.reward_model is not None
    assert (config.reward_model.execution.policy, config.reward_model.execution.batch_size) == ("dynamic", 4)


def leaves(tree: Mapping[str, Any], prefix: str = "") -> set[str]:
    """Dotted keys of `resolved`; a parameter is a leaf whatever its value is."""
    found: set[str] = set()
    for key, value in tree.items():
        is_param = prefix.endswith(".params.")
        found |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) and not is_param else {prefix + key}
    return found


def comparable(config: Config) -> Config:
    return dataclasses.replace(config, path=Path(), origins={}, warnings=())


RICH = """\
benchmark:
  type: config_fakes.bench
  params: {path: 数据.json, fields: {id: k}, language: zh, sizes: [1, 2]}
  categories: [物理, b]
diffusion_model:
  type: config_fakes.editor
  params: {seed: 5, device_ids: [0, 1], enable_batch_sync: false, negative_prompt: "1e3", model_name: "no"}
reward_model:
  type: config_fakes.judge
  params: {use_batch_inference: false, timeout: 60, device: cpu, conda_env: x}
prompts:
  物理: {system_prompt: "a: b\\n  c", user_prompt_template: "{edit_instruction} {{x}}"}
evaluation: {results_dir: res, metrics: [count, mean], limit: 7, samples: ["1e3", "*:2"]}
logging: {level: warning, save_to_file: false, log_dir: l}
"""
DRIFT = "diffusion_model.execution={policy: bounded_drift, max_drift: 3, backend: inprocess, stall_s: 5}"


@pytest.mark.parametrize("sets", [(), (DRIFT,), ("reward_model=null",)])
@pytest.mark.parametrize("text", [MINIMAL, RICH])
def test_resolved_form_is_complete_and_gives_the_same_configuration(load: Load, text: str, sets: tuple[str]) -> None:
    config = load(text, *sets)
    assert set(config.origins) == leaves(config.resolved) - ({"prompts"} if not config.prompts else set())
    assert json.loads(json.dumps(config.resolved)) == config.resolved
    for dump in (yaml.safe_dump(config.resolved), json.dumps(config.resolved)):
        again = load(dump)
        assert comparable(again) == comparable(config)
        assert all(origin != "default" for origin in again.origins.values())


def _missing_plugins(path: Path) -> list[str]:
    types = {"editors": "diffusion_model", "judges": "reward_model"}
    names = {"multi_gpu_qwen_image_edit": "qwen_image_edit", "qwen3_vl": "transformers_vlm"}
    wanted = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = {kind: wanted[section]["type"] for kind, section in types.items() if wanted.get(section)}
    return [name for kind, name in found.items() if names.get(name, name) not in plugins.available(kind)]


@pytest.mark.parametrize("path", sorted(ROOT.glob("config*.yaml")), ids=lambda p: p.name)
def test_every_shipped_configuration_is_read_without_a_warning(path: Path, load: Load) -> None:
    missing = _missing_plugins(path)
    if missing:
        pytest.skip(f"no plug-in yet: {', '.join(missing)}")
    config = load_config(path, environ={})
    assert config.warnings == ()
    assert comparable(
        dataclasses.replace(load(yaml.safe_dump(config.resolved)), name=config.name)
    ) == dataclasses.replace(comparable(config), allow_code=True)


def test_production_recipe_is_the_one_of_v2_1() -> None:
    path = ROOT / "config_multi_gpu.yaml"
    if _missing_plugins(path):
        pytest.skip("the Qwen plug-ins are not here yet")
    config = load_config(path, environ={})
    editor, judge = config.diffusion_model, config.reward_model
    assert judge is not None
    assert editor.log_name == "MultiGPUQwenImageEdit"
    assert editor.execution.device_ids == tuple(f"cuda:{n}" for n in range(6))
    assert editor.execution.policy == "batch_sync"
    assert (editor.params.num_inference_steps, editor.params.true_cfg_scale, editor.params.dtype) == (
        50,
        4.0,
        "bfloat16",
    )
    assert judge.execution.batch_size == 4
    assert set(config.prompts) == set(config.benchmark.categories) == {"物理", "环境", "社会", "因果", "指代"}


def test_default_configuration_runs_on_two_cpu_workers() -> None:
    path = ROOT / "config.yaml"
    if _missing_plugins(path):
        pytest.skip("not all plug-ins of the demo are here yet")
    config = load_config(path, environ={})
    assert config.diffusion_model.execution.device_ids == ("cpu", "cpu")
    assert config.diffusion_model.execution.policy == "batch_sync"
    assert config.logging.log_file == Path("outputs/logs/config.log")


def test_reading_opens_no_data_and_resolves_no_path(load: Load) -> None:
    config = load("benchmark: {data_path: not/there.json}\ndiffusion_model: {type: identity}\n")
    assert config.benchmark.params.path == "not/there.json"
    with pytest.raises(ConfigError):
        load("benchmark: {data_path: 3}\ndiffusion_model: {type: identity}\n")
