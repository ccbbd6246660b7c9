"""Every key that v2 had is accepted with its meaning, or named once with the reason why it has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from config_fakes.minimal import MINIMAL, Load

from editeval import plugins
from editeval.config import legacy, yaml_tree
from editeval.config.schema import Config
from editeval.config.yaml_tree import FILE, Source, make
from editeval.errors import ConfigError

SOURCE = Source("config.yaml", "file config.yaml", FILE, numbered=True)
OLD_EDITOR = "src.models.diffusion.implementations.multi_gpu_qwen_edit.MultiGPUQwenImageEdit"

# key of v2 -> (value, where its meaning is found in the Config, what is found there)
MEANINGS: dict[str, tuple[Any, Callable[[Config], Any], Any]] = {
    "benchmark.data_path": ("d.json", lambda c: c.benchmark.params.path, "d.json"),
    "benchmark.categories": ("[物理, 因果]", lambda c: c.benchmark.categories, ("物理", "因果")),
    "diffusion_model.params.model_name": (
        "/models/edit",
        lambda c: c.diffusion_model.params.model_name,
        "/models/edit",
    ),
    "diffusion_model.params.device_ids": (
        "[0, 1, 2]",
        lambda c: c.diffusion_model.execution.device_ids,
        ("cuda:0", "cuda:1", "cuda:2"),
    ),
    "diffusion_model.params.device": ("cuda", lambda c: c.diffusion_model.execution.device_ids, ("cuda:0",)),
    "diffusion_model.params.dtype": ("float16", lambda c: c.diffusion_model.params.dtype, "float16"),
    "diffusion_model.params.num_inference_steps": (10, lambda c: c.diffusion_model.params.num_inference_steps, 10),
    "diffusion_model.params.true_cfg_scale": (5, lambda c: c.diffusion_model.params.true_cfg_scale, 5.0),
    "diffusion_model.params.negative_prompt": (
        "'blurry'",
        lambda c: c.diffusion_model.params.negative_prompt,
        "blurry",
    ),
    "diffusion_model.params.seed": (42, lambda c: c.diffusion_model.seed, 42),
    "diffusion_model.params.disable_progress_bar": (
        "false",
        lambda c: c.diffusion_model.params.disable_progress_bar,
        False,
    ),
    "diffusion_model.params.enable_batch_sync": (
        "false",
        lambda c: c.diffusion_model.execution.policy,
        "round_robin",
    ),
    "diffusion_model.params.batch_size": (1, lambda c: c.diffusion_model.execution.batch_size, 1),
    "reward_model.params.model_name": ("/models/judge", lambda c: c.reward_model.params.model_name, "/models/judge"),
    "reward_model.params.device": ("cuda:3", lambda c: c.reward_model.execution.device_ids, ("cuda:3",)),
    "reward_model.params.dtype": ("auto", lambda c: c.reward_model.params.dtype, "auto"),
    "reward_model.params.max_new_tokens": (64, lambda c: c.reward_model.params.max_new_tokens, 64),
    "reward_model.params.use_flash_attention": ("true", lambda c: c.reward_model.params.use_flash_attention, True),
    "reward_model.params.use_batch_inference": ("false", lambda c: c.reward_model.execution.batch_size, 1),
    "reward_model.params.batch_size": (2, lambda c: c.reward_model.execution.batch_size, 2),
    "reward_model.params.device_ids": ("[4, 5]", lambda c: c.reward_model.execution.device_ids, ("cuda:4", "cuda:5")),
    "reward_model.params.python_path": ("/usr/bin/p", lambda c: c.reward_model.execution.python, "/usr/bin/p"),
    "reward_model.params.timeout": (600, lambda c: c.reward_model.execution.timeout_s, 600.0),
    "prompts.物理.system_prompt": ("S", lambda c: c.prompts["物理"].system_prompt, "S"),
    "prompts.物理.user_prompt_template": (
        "'U {edit_instruction}'",
        lambda c: c.prompts["物理"].user_prompt_template,
        "U {edit_instruction}",
    ),
    "evaluation.output_dir": ("out", lambda c: c.evaluation.output_dir, Path("out")),
    "evaluation.results_dir": ("out/results", lambda c: c.evaluation.output_dir, Path("out/results")),
    "evaluation.save_generated_images": ("true", lambda c: c.warnings, ()),
    "evaluation.metrics": ("[mean, count]", lambda c: c.evaluation.metrics, ("mean", "count")),
    "evaluation.resume_from_checkpoint": ("true", lambda c: c.warnings, ()),
    "evaluation.enable_checkpoint": ("true", lambda c: c.warnings, ()),
    "logging.level": ("debug", lambda c: c.logging.level, "DEBUG"),
    "logging.console_output": ("false", lambda c: c.logging.console_output, False),
    "logging.file_output": ("true", lambda c: c.logging.file_output, True),
    "logging.log_file": ("l/e.log", lambda c: c.logging.log_file, Path("l/e.log")),
    "logging.save_to_file": ("true", lambda c: c.logging.file_output, True),
    "logging.log_dir": ("l", lambda c: c.logging.log_file, Path("l/config.log")),
}
NO_MEANING = {  # key of v2 -> a value for which it is named in a warning
    "diffusion_model.params.batch_size": 4,
    "reward_model.params.device": "auto",
    "reward_model.params.compare_with_original": "false",
    "reward_model.params.conda_env": "yx_qwen3",
    "reward_model.params.script_path": "judge.py",
    "reward_model.params.temperature": 0.7,
    "evaluation.images_dir": "outputs/images",
    "evaluation.logs_dir": "outputs/logs",
    "evaluation.save_generated_images": "false",
    "evaluation.resume_from_checkpoint": "false",
    "evaluation.enable_checkpoint": "false",
    "evaluation.checkpoint_path": "outputs/checkpoint.json",
    "evaluation.checkpoint_interval": 10,
    "logging.file_output": "false",
    "logging.save_to_file": "false",
    "runtime.num_workers": 4,
    "runtime.use_multiprocessing": "true",
    "runtime.seed": 42,
}


def _single(key: str, value: Any) -> str:
    """MINIMAL with one more key; line 4 onwards is the section it is in."""
    section, *path = key.split(".")
    types = {
        "benchmark": "config_fakes.bench",
        "diffusion_model": "config_fakes.editor",
        "reward_model": "config_fakes.judge",
    }
    head = "".join(
        f"{s}: {{type: {t}{', params: {path: x}' if s == 'benchmark' else ''}}}\n"
        for s, t in types.items()
        if s != section
    )
    lines = [f"{section}:"] + ([f"  type: {types[section]}"] if section in types else [])
    if section == "benchmark" and path != ["data_path"]:
        lines.append("  params: {path: x}")
    for depth, part in enumerate(path[:-1]):
        lines.append("  " * (depth + 1) + f"{part}:")
    lines.append("  " * len(path) + f"{path[-1]}: {value}")
    if section == "prompts":
        other = {"system_prompt", "user_prompt_template"} - {path[-1]}
        lines.append("  " * len(path) + f"{other.pop()}: x")
    return head + "\n".join(lines) + "\n"


@pytest.mark.parametrize("key", MEANINGS)
def test_every_v2_key_with_a_meaning_keeps_it(load: Load, key: str) -> None:
    value, found, expected = MEANINGS[key]
    config = load(_single(key, value))
    assert found(config) == expected
    assert config.warnings == ()


@pytest.mark.parametrize("key", NO_MEANING)
def test_every_v2_key_without_effect_is_named_once_with_the_reason(load: Load, key: str, tmp_path: Path) -> None:
    text = _single(key, NO_MEANING[key])
    warnings = load(text).warnings
    assert len(warnings) == 1
    line = next(
        i for i, part in enumerate(text.splitlines(), 1) if part.strip().startswith(f"{key.rpartition('.')[2]}:")
    )
    assert warnings[0].startswith(f"{tmp_path}/config.yaml:{line}: {key}: ")
    assert len(warnings[0].partition(f"{key}: ")[2]) > 30


def test_no_effect_table_has_a_test_for_every_entry() -> None:
    untested = set(legacy.NO_EFFECT) - set(NO_MEANING)
    assert untested == {
        "evaluation.results_dir",  # only beside output_dir
        "logging.log_dir",  # only beside log_file
        "reward_model.params.use_batch_inference",  # never as false
    }


def test_second_place_for_results_or_logs_is_named(load: Load) -> None:
    text = MINIMAL + "evaluation: {output_dir: a, results_dir: b}\nlogging: {log_file: c.log, log_dir: d}\n"
    config = load(text)
    assert config.evaluation.output_dir == Path("a")
    assert config.logging.log_file == Path("c.log")
    assert [w.partition(": ")[2].partition(":")[0] for w in config.warnings] == [
        "evaluation.results_dir",
        "logging.log_dir",
    ]


def test_missing_switch_means_synchronised(load: Load) -> None:
    config = load()
    assert config.diffusion_model.execution.policy == "batch_sync"
    assert config.origins["diffusion_model.execution.policy"] == "default"


@pytest.mark.parametrize(
    ("switch", "policy", "expected"),
    [
        ("true", None, "batch_sync"),
        ("yes", None, "batch_sync"),
        ("false", None, "round_robin"),
        ("true", "batch_sync", "batch_sync"),
        ("false", "dynamic", "dynamic"),
        (None, "bounded_drift", "bounded_drift"),
    ],
)
def test_switch_and_policy_agree(load: Load, switch: str | None, policy: str | None, expected: str) -> None:
    params = f"  params: {{enable_batch_sync: {switch}}}\n" if switch else ""
    execution = f"  execution: {{policy: {policy}}}\n" if policy else ""
    text = "benchmark: {type: config_fakes.bench, params: {path: x}}\ndiffusion_model:\n  type: config_fakes.editor\n"
    run = load(text + params + execution).diffusion_model.execution
    assert (run.policy, run.max_drift) == (expected, 1 if expected == "bounded_drift" else None)


def test_data_path_alone_means_json_records(load: Load) -> None:
    config = load("benchmark: {data_path: a/b.json}\ndiffusion_model: {type: config_fakes.editor}\n")
    assert (config.benchmark.type, config.benchmark.params.path) == ("json_records", "a/b.json")
    assert config.origins["benchmark.params.path"].endswith("config.yaml:1")


def test_re_edit_data_section_is_the_benchmark(load: Load) -> None:
    config = load("data: {path: r.json, categories: [causal]}\ndiffusion_model: {type: config_fakes.editor}\n")
    assert config.benchmark.type == "json_records"
    assert config.benchmark.categories == ("causal",)


def test_unknown_key_of_re_edit_data_is_refused(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml:1: data: unknown key"):
        load("data: {path: r.json, format: x}\ndiffusion_model: {type: config_fakes.editor}\n")


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        ("editors", "multi_gpu_qwen_image_edit", ("qwen_image_edit", "MultiGPUQwenImageEdit")),
        ("editors", "qwen_image_edit", ("qwen_image_edit", "")),
        ("editors", OLD_EDITOR, ("qwen_image_edit", "MultiGPUQwenImageEdit")),
        ("editors", "src.models.diffusion.implementations.qwen_image_edit.QwenImageEditModel", ("qwen_image_edit", "")),
        ("editors", "classical", ("classical", "")),
        ("judges", "qwen3_vl", ("transformers_vlm", "")),
        ("judges", "qwen3_vl_subprocess", ("transformers_vlm", "")),
        ("judges", "qwen3_vl_multi_gpu_subprocess", ("transformers_vlm", "")),
        ("judges", "src.models.reward.implementations.qwen3_vl_reward.Qwen3VLReward", ("transformers_vlm", "")),
        ("judges", "src.models.reward.implementations.qwen3_vl_subprocess.Judge", ("transformers_vlm", "")),
        ("judges", "src.models.reward.implementations.qwen3_vl_multi_gpu_subprocess.J", ("transformers_vlm", "")),
    ],
)
def test_old_names_resolve_by_a_table(kind: str, written: str, expected: tuple[str, str]) -> None:
    named = legacy.resolve_type(kind, make(written, "k", SOURCE, 1))
    assert (named.type, named.log_name) == expected


def test_class_path_beside_an_agreeing_type_gives_the_log_name() -> None:
    section = yaml_tree.read_text(f"type: multi_gpu_qwen_image_edit\nclass_path: {OLD_EDITOR}\n", SOURCE)
    named, node = legacy.resolve("editors", section, "diffusion_model")
    assert (named.type, named.log_name, node.value) == (
        "qwen_image_edit",
        "MultiGPUQwenImageEdit",
        "multi_gpu_qwen_image_edit",
    )


def test_class_path_that_alone_has_a_log_name_is_what_is_remembered() -> None:
    section = yaml_tree.read_text(f"type: qwen_image_edit\nclass_path: {OLD_EDITOR}\n", SOURCE)
    named, node = legacy.resolve("editors", section, "diffusion_model")
    assert (named.log_name, node.value) == ("MultiGPUQwenImageEdit", OLD_EDITOR)
    assert legacy.resolve_type("editors", node) == named


@pytest.mark.parametrize(
    ("kind", "written", "reason"),
    [
        ("editors", "example_model", "copy of the source image; use identity"),
        ("judges", "example_reward", "random scores; use reference"),
        ("editors", "src.models.diffusion.implementations.example_model.ExampleModel", "copy of the source image"),
        ("judges", "src.models.reward.implementations.example_reward.ExampleReward", "random scores"),
        ("editors", "src.models.diffusion.implementations.flux.Flux", "no replacement"),
    ],
)
def test_placeholders_and_unknown_classes_are_refused_with_the_reason(kind: str, written: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        legacy.resolve_type(kind, make(written, "k", SOURCE, 1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[0, cuda:1, '2', cpu]", ("cuda:0", "cuda:1", "cuda:2", "cpu")),
        ("[cpu, cpu]", ("cpu", "cpu")),
        ("0-3", ("cuda:0", "cuda:1", "cuda:2", "cuda:3")),
        ("'0,2'", ("cuda:0", "cuda:2")),
        ("3", ("cuda:3",)),
        ("cuda", ("cuda:0",)),
        ("all", None),
        ("null", None),
    ],
)
def test_devices_are_normalised(load: Load, text: str, expected: tuple[str, ...] | None) -> None:
    config = load(MINIMAL, f"diffusion_model.params.device_ids={text}")
    assert config.diffusion_model.execution.device_ids == expected


@pytest.mark.parametrize(("text", "expected"), [("[0, 1]", ("cuda:0", "cuda:1")), ("null", None)])
def test_a_list_of_devices_or_none_is_read_under_the_old_key_too(
    load: Load, text: str, expected: tuple[str, ...] | None
) -> None:
    config = load(MINIMAL, f"diffusion_model.params.device={text}")
    assert config.diffusion_model.execution.device_ids == expected


@pytest.mark.parametrize(
    ("device", "ids", "fits"), [("cuda", "[0, 1]", True), ("auto", "[0]", True), ("cpu", "[0]", False)]
)
def test_device_beside_device_ids_must_fit(load: Load, device: str, ids: str, fits: bool) -> None:
    text = MINIMAL.replace("fakes.judge}", f"fakes.judge, params: {{device: {device}, device_ids: {ids}}}}}")
    if fits:
        assert load(text).warnings == ()
    else:
        with pytest.raises(ConfigError, match=r"device: 'cpu' contradicts reward_model\.params.device_ids"):
            load(text)


def test_plugin_never_sees_how_it_is_run(load: Load) -> None:
    config = load(MINIMAL, "reward_model.params.seed=3", "reward_model.params.device_ids=[cpu]")
    assert config.reward_model is not None
    assert config.reward_model.params.seed == 3  # it has a field of that name
    assert config.reward_model.seed == 3
    assert set(config.resolved["reward_model"]["params"]) == {
        "model_name",
        "dtype",
        "max_new_tokens",
        "use_flash_attention",
        "seed",
    }


def test_batch_size_means_nothing_while_batching_is_off(load: Load) -> None:
    sets = ("reward_model.params.batch_size=8", "reward_model.params.use_batch_inference=false")
    config = load(MINIMAL, *sets)
    assert config.reward_model is not None
    assert config.reward_model.execution.batch_size == 1
    assert len(config.warnings) == 1


@pytest.mark.skipif(
    "qwen_image_edit" not in plugins.available("editors") or "transformers_vlm" not in plugins.available("judges"),
    reason="the Qwen plug-ins are not here yet",
)
def test_every_v2_param_is_accepted_by_the_plugins_that_replace_v2(load: Load) -> None:
    text = MINIMAL.replace("config_fakes.editor", "multi_gpu_qwen_image_edit").replace("config_fakes.judge", "qwen3_vl")
    sets = [f"{key}={value[0]}" for key, value in MEANINGS.items() if ".params." in key]
    sets += [f"{key}={value}" for key, value in NO_MEANING.items() if ".params." in key and not key.endswith(".device")]
    config = load(text, *sets)
    assert config.diffusion_model.log_name == "MultiGPUQwenImageEdit"


def test_the_judges_of_v2_ask_with_the_prompts_of_the_file_and_the_new_name_asks_in_its_own_words(load: Load) -> None:
    text = MINIMAL.replace("config_fakes.judge", "qwen3_vl")
    assert load(text).judges["qwen3_vl"].params.protocol == "rubric"
    assert load(text).origins["reward_model.params.protocol"] == "default"
    assert load(text, "reward_model.params.protocol=viescore").judges["qwen3_vl"].params.protocol == "viescore"
    new = MINIMAL.replace("config_fakes.judge", "transformers_vlm")
    assert load(new).judges["transformers_vlm"].params.protocol == "pointwise"
