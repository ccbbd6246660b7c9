"""`editeval migrate`: a file of v2 or RE-Edit becomes one that `check` accepts, with a comment at every change."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from editeval.cli.main import main
from editeval.config import yaml_tree
from editeval.config.load import load_config
from editeval.config.migrate import migrated
from editeval.config.yaml_tree import FILE, Node, Source
from editeval.errors import ConfigError

RE_EDIT = Path(__file__).parent / "re_edit.yaml"
PRODUCTION = Path(__file__).parent.parent.parent / "config_multi_gpu.yaml"
V2 = """\
benchmark: {data_path: d.json, categories: [物理]}
diffusion_model:
  class_path: src.models.diffusion.implementations.multi_gpu_qwen_edit.MultiGPUQwenImageEdit
  type: whatever v2 never read
  params: {batch_size: 4, enable_batch_sync: false, seed: 7}
reward_model:
  type: qwen3_vl
  params: {device: auto, compare_with_original: false, temperature: 0.7, use_batch_inference: false}
prompts:
  物理: {system_prompt: "a\\n b\\n", user_prompt_template: "{edit_instruction}\\twith a tab\\n"}
evaluation: {results_dir: out, images_dir: out/images, resume_from_checkpoint: true}
logging: {save_to_file: true, log_dir: logs}
runtime: {seed: 42}
"""


def keys_of(path: Path) -> dict[str, Any]:
    """Every leaf of a YAML file by its dotted key."""

    def leaves(node: Node) -> dict[str, Any]:
        if not node.children:
            return {node.key: yaml_tree.plain(node)}
        return {key: value for below in node.children.values() for key, value in leaves(below).items()}

    return leaves(yaml_tree.read_file(path, Source(str(path), "", FILE, numbered=True)))


def ended(*command: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(command)
    return int(str(caught.value.code))


def test_check_names_everything_that_re_edit_s_file_has_and_today_s_has_not_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended("check", str(RE_EDIT)) == 2
    missing, *lines = capsys.readouterr().err.splitlines()
    assert "re_edit.yaml:" in missing and "benchmark.params.path: no file" in missing
    numbers = [int(line.partition("re_edit.yaml:")[2].partition(":")[0]) for line in lines]
    assert numbers == sorted(numbers) and len(lines) == 15
    for key in (
        *("diffusion_model.primary", "diffusion_model.refinement", "mllm", "log_level", "evaluation.save_images"),
        *("reward_model.params.tensor_parallel_size", "evaluation.enable_sc_metric", "evaluation.skip_stage4"),
        "prompts.physical.user_prompt_template",
    ):
        assert sum(f": {key}: " in line for line in lines) == 1, key
    assert "`editeval migrate`" in lines[0]


def test_re_edit_s_file_becomes_sound_and_asks_re_edit_s_questions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new.yaml"
    assert ended("migrate", str(RE_EDIT), "-o", str(new)) == 0
    assert capsys.readouterr().out == f"{new}: sound; what changed is said in its comments\n"
    assert ended("check", str(new)) == 0
    config = load_config(new, environ={})
    assert config.warnings == ()
    assert (config.benchmark.type, config.benchmark.params.path) == ("json_records", "data/RE-Edit.json")
    model = config.diffusion_model
    assert (model.type, model.seed, model.execution.policy) == ("qwen_image_edit", 21414, "batch_sync")
    judge = config.judges["vllm_vlm"]
    assert (judge.params.protocol, judge.params.num_samples, judge.params.temperature) == ("re_edit", 1, 0.0)
    assert judge.execution.device_ids == ("cuda:0", "cuda:1", "cuda:2", "cuda:3")
    assert (judge.execution.devices_per_worker, judge.execution.batch_size) == (4, 6)
    assert config.prompts == {} and str(config.evaluation.output_dir) == "results/model"


@pytest.mark.parametrize("old", [RE_EDIT, PRODUCTION, V2], ids=["RE-Edit", "production", "v2"])
def test_every_key_of_the_old_file_is_in_the_new_one_or_in_a_comment_of_it(old: Path | str, tmp_path: Path) -> None:
    if isinstance(old, str):
        (tmp_path / "old.yaml").write_text(old, encoding="utf-8")
        old = tmp_path / "old.yaml"
    new = tmp_path / "new.yaml"
    new.write_text(migrated(old), encoding="utf-8")
    comments = "\n".join(line for line in new.read_text(encoding="utf-8").splitlines() if line.lstrip().startswith("#"))
    dropped = {
        f"{section}.{name}": None
        for section, names in re.findall(r"# dropped (\S+) \(line \d+\), with ([^:]+): ", comments)
        for name in names.split(", ")
    }
    before, after = keys_of(old), keys_of(new)
    for key, value in before.items():
        is_kept = key in after and after[key] == value
        is_told = re.search(rf"(was|dropped|and) {re.escape(key)}\b", comments) or key in dropped
        assert is_kept or is_told, key
    for key, value in after.items():
        assert before.get(key) == value or re.search(
            rf"# .*\n( *# .*\n)* *{key.rpartition('.')[2]}:", new.read_text()
        ), key
    assert all(len(line.partition(": ")[2]) > 12 for line in comments.splitlines() if "# dropped" in line), "a reason"


@pytest.mark.parametrize("text", [V2, PRODUCTION.read_text(encoding="utf-8")], ids=["v2", "production"])
def test_a_file_of_v2_means_the_same_afterwards(text: str, tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(text, encoding="utf-8")
    new.write_text(migrated(old), encoding="utf-8")
    one, two = load_config(old, environ={}), load_config(new, environ={})
    assert one.benchmark == two.benchmark and one.prompts == two.prompts and one.evaluation == two.evaluation
    for before, after in zip(one.stages, two.stages, strict=True):
        assert (before.type, before.params, before.seed, before.execution) == (
            *(after.type, after.params, after.seed, after.execution),
        )
    assert two.warnings == ()


def test_today_s_file_comes_back_without_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "today.yaml"
    path.write_text("benchmark:\n  type: procedural\ndiffusion_model:\n  type: identity\n", encoding="utf-8")
    text = migrated(path)
    assert text.partition("\n")[2] == "\nbenchmark:\n  type: procedural\n\ndiffusion_model:\n  type: identity\n"


def test_nothing_is_overwritten_and_what_is_left_to_decide_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(RE_EDIT.read_text(encoding="utf-8").replace("multi_gpu_qwen_edit", "janus"), encoding="utf-8")
    assert ended("migrate", str(old), "-o", str(new)) == 2
    assert "no editor here runs 'janus'" in capsys.readouterr().err
    old.write_text("benchmark: {type: procedual}\ndiffusion_model: {type: identity}\n", encoding="utf-8")
    assert ended("migrate", str(old), "-o", str(new)) == 2
    assert "new.yaml:4: benchmark.type: no type 'procedual'; did you mean 'procedural'?" in capsys.readouterr().err
    assert ended("migrate", str(old), "-o", str(new)) == 2
    assert "is there already" in capsys.readouterr().err
    assert "procedual" in new.read_text(encoding="utf-8")


def test_no_key_without_effect_is_written(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    text = V2.replace("temperature: 0.7", "batch_size: 8").replace(
        "save_to_file: true, log_dir: logs", "save_to_file: no"
    )
    old.write_text(text, encoding="utf-8")
    new.write_text(migrated(old), encoding="utf-8")
    keys = keys_of(new)
    assert keys["reward_model.execution.batch_size"] == 1
    assert not any(word in key for key in keys for word in ("use_batch_inference", "logging"))
    assert load_config(new, environ={}).warnings == ()
    comments = new.read_text(encoding="utf-8")
    assert (
        "was reward_model.params.use_batch_inference: false (line 8) and reward_model.params.batch_size: 8" in comments
    )
    assert "dropped logging.save_to_file (line 12): the log is always written" in comments


def test_a_file_that_cannot_be_migrated_is_told_everything_that_is_wrong_with_it(tmp_path: Path) -> None:
    old = tmp_path / "old.yaml"
    text = V2.replace("enable_batch_sync: false", "enable_batch_sync: maybe").replace("seed: 7", "seed: -1")
    old.write_text(text.replace("type: qwen3_vl\n", "type: qwen9\n"), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        migrated(old)
    lines = str(caught.value).splitlines()
    keys = ("diffusion_model.params.enable_batch_sync", "diffusion_model.params.seed", "reward_model.type")
    assert all(any(f": {key}: " in line for line in lines) for key in keys), lines


def test_a_section_that_nothing_reads_is_left_out_when_it_is_empty_too(tmp_path: Path) -> None:
    old = tmp_path / "old.yaml"
    old.write_text(V2.replace("runtime: {seed: 42}", "runtime:"), encoding="utf-8")
    assert "\nruntime:" not in migrated(old)


def test_without_a_name_it_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("migrate", str(PRODUCTION)) == 0
    assert capsys.readouterr().out == migrated(PRODUCTION)


def test_what_is_no_configuration_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        migrated(tmp_path / "absent.yaml")
