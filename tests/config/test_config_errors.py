"""Every mistake gets one line that says where, what, got what."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from config_fakes.minimal import MINIMAL, Load

from editeval.config.load import load_config
from editeval.errors import ConfigError

Refused = Callable[..., str]
HEAD = """\
benchmark:
  type: config_fakes.bench
  params: {path: data.json}
diffusion_model:
  type: config_fakes.editor
"""  # 5 lines

MISTAKES = {  # name: (text after HEAD, start of the message, what else it must say)
    "unknown section": ("promts: {}\n", "config.yaml:6: promts: unknown key", "'prompts'"),
    "unknown key of a stage": ("  parms: {}\n", "config.yaml:6: diffusion_model.parms: unknown key", "'params'"),
    "unknown param": (
        "  params:\n    dtype: float16\n    true_cfg_scal: 4.0\n",
        "config.yaml:8: diffusion_model.params.true_cfg_scal: unknown key",
        "did you mean 'true_cfg_scale'?",
    ),
    "unknown execution key": (
        "  execution:\n    polcy: dynamic\n",
        "config.yaml:7: diffusion_model.execution.polcy: unknown key",
        "'policy'",
    ),
    "unknown evaluation key": (
        "evaluation:\n  out_dir: x\n",
        "config.yaml:7: evaluation.out_dir: unknown key",
        "'output_dir'",
    ),
    "unknown logging key": ("logging:\n  levl: INFO\n", "config.yaml:7: logging.levl: unknown key", "'level'"),
    "unknown runtime key": ("runtime:\n  threads: 4\n", "config.yaml:7: runtime.threads: unknown key", ""),
    "unknown prompt key": (
        "prompts:\n  physical:\n    system: x\n    user_prompt_template: y\n",
        "config.yaml:8: prompts.physical.system: unknown key",
        "'system_prompt'",
    ),
    "half a prompt": (
        "prompts:\n  physical:\n    system_prompt: x\n",
        "config.yaml:7: prompts.physical.user_prompt_template: missing",
        "",
    ),
    "misspelt placeholder": (
        "prompts:\n  physical:\n    system_prompt: x\n    user_prompt_template: '{edit_instuction}'\n",
        "config.yaml:9: prompts.physical.user_prompt_template: unknown placeholder",
        "{edit_instruction}",
    ),
    "text for an integer": (
        "  params:\n    num_inference_steps: '50'\n",
        "config.yaml:7: diffusion_model.params.num_inference_steps: must be an integer, got '50'",
        "without quotes",
    ),
    "float for an integer": (
        "  params:\n    num_inference_steps: 50.5\n",
        "config.yaml:7: diffusion_model.params.num_inference_steps: must be an integer, got 50.5",
        "",
    ),
    "boolean for an integer": (
        "  params:\n    num_inference_steps: yes\n",
        "config.yaml:7: diffusion_model.params.num_inference_steps: must be an integer, got true",
        "",
    ),
    "boolean for text": (
        "  params:\n    model_name: no\n",
        "config.yaml:7: diffusion_model.params.model_name: must be text, got false",
        "quotes",
    ),
    "exponent without a point": (
        "  params:\n    true_cfg_scale: 1e3\n",
        "config.yaml:7: diffusion_model.params.true_cfg_scale: must be a number, got '1e3'",
        "1000",
    ),
    "null for a number": (
        "  params:\n    true_cfg_scale:\n",
        "config.yaml:7: diffusion_model.params.true_cfg_scale: must be a number, got nothing",
        "",
    ),
    "word outside a choice": (
        "  params:\n    dtype: bfloat\n",
        "config.yaml:7: diffusion_model.params.dtype: must be bfloat16, float16 or float32, got 'bfloat'",
        "did you mean 'bfloat16'?",
    ),
    "value that the plug-in refuses": (
        "  params:\n    num_inference_steps: 0\n",
        "config.yaml:7: diffusion_model.params.num_inference_steps: at least 1, got 0",
        "",
    ),
    "number for a switch": (
        "  params:\n    enable_batch_sync: 1\n",
        "config.yaml:7: diffusion_model.params.enable_batch_sync: must be a boolean, got 1",
        "true or false",
    ),
    "words for a switch": (
        "  params:\n    enable_batch_sync: yes please\n",
        "config.yaml:7: diffusion_model.params.enable_batch_sync: must be a boolean, got 'yes please'",
        "",
    ),
    "null for a switch": (
        "  params:\n    enable_batch_sync:\n",
        "config.yaml:7: diffusion_model.params.enable_batch_sync: must be a boolean, got nothing",
        "",
    ),
    "seed out of range": (
        "  params:\n    seed: -1\n",
        "config.yaml:7: diffusion_model.params.seed: must be greater than or equal to 0, got -1",
        "",
    ),
    "unknown policy": (
        "  execution:\n    policy: batchsync\n",
        "config.yaml:7: diffusion_model.execution.policy: must be",
        "did you mean 'batch_sync'?",
    ),
    "policy that is a list, beside v2's key": (
        "  params: {enable_batch_sync: true}\n  execution:\n    policy: [batch_sync]\n",
        "config.yaml:8: diffusion_model.execution.policy: must be batch_sync",
        "got ['batch_sync']",
    ),
    "drift without its policy": (
        "  execution:\n    max_drift: 2\n",
        "config.yaml:7: diffusion_model.execution.max_drift: only diffusion_model.execution.policy bounded_drift",
        "batch_sync",
    ),
    "retries behind batches that are none": (
        "  execution:\n    policy: dynamic\n    retry: at_end\n",
        "config.yaml:8: diffusion_model.execution.retry: only diffusion_model.execution.policy batch_sync has batches",
        "got policy dynamic",
    ),
    "unknown retry": (
        "  execution:\n    retry: at_the_end\n",
        "config.yaml:7: diffusion_model.execution.retry: must be",
        "did you mean 'at_end'?",
    ),
    "zero attempts": (
        "  execution:\n    max_attempts: 0\n",
        "config.yaml:7: diffusion_model.execution.max_attempts: must be greater than or equal to 1, got 0",
        "",
    ),
    "negative timeout": (
        "  execution:\n    timeout_s: -1.5\n",
        "config.yaml:7: diffusion_model.execution.timeout_s: must be greater than 0, got -1.5",
        "",
    ),
    "batched editor": (
        "  execution:\n    batch_size: 2\n",
        "config.yaml:7: diffusion_model.execution.batch_size: an editor takes one request at a time, got 2",
        "",
    ),
    "devices that cannot be grouped": (
        "  execution:\n    device_ids: [0, 1, 2]\n    devices_per_worker: 2\n",
        "config.yaml:8: diffusion_model.execution.devices_per_worker: 3 devices cannot be shared out in groups of 2",
        "",
    ),
    "no such device": (
        "  params:\n    device_ids:\n      - 0\n      - tpu\n",
        "config.yaml:9: diffusion_model.params.device_ids[1]: must be GPU numbers, 'cuda:N' or 'cpu', got 'tpu'",
        "",
    ),
    "a boolean is no device": (
        "  params:\n    device_ids: [true]\n",
        "config.yaml:7: diffusion_model.params.device_ids[0]: must be GPU numbers",
        "got true",
    ),
    "GPU listed twice": (
        "  params:\n    device_ids: [0, 'cuda:0']\n",
        "config.yaml:7: diffusion_model.params.device_ids: cuda:0 is listed twice",
        "",
    ),
    "no devices": ("  params:\n    device_ids: []\n", "config.yaml:7: diffusion_model.params.device_ids: is empty", ""),
    "two spellings of the devices": (
        "  params:\n    device_ids: [0]\n  execution:\n    device_ids: [1]\n",
        "config.yaml:7: diffusion_model.params.device_ids: [0] contradicts diffusion_model.execution.device_ids: [1]",
        "config.yaml:9",
    ),
    "switch against policy": (
        "  params:\n    enable_batch_sync: true\n  execution:\n    policy: dynamic\n",
        "config.yaml:7: diffusion_model.params.enable_batch_sync: true contradicts diffusion_model.execution.policy",
        "config.yaml:9",
    ),
    "no sync against batch_sync": (
        "  params:\n    enable_batch_sync: false\n  execution:\n    policy: batch_sync\n",
        "config.yaml:7: diffusion_model.params.enable_batch_sync: false contradicts",
        "config.yaml:9",
    ),
    "key twice on one line": (
        "evaluation: {}\nlogging: {}\nprompts: {}\nreward_model:\nruntime: {seed: 1, seed: 2}\n",
        "config.yaml:10: runtime.seed: given twice, first in line 10",
        "",
    ),
    "key twice": (
        "  params:\n    seed: 1\n    dtype: float16\n    seed: 1\n",
        "config.yaml:9: diffusion_model.params.seed: given twice, first in line 7",
        "",
    ),
    "unknown metric": (
        "evaluation:\n  metrics:\n    - mean\n    - average\n",
        "config.yaml:9: evaluation.metrics[1]: must be",
        "got 'average'",
    ),
    "metric twice": (
        "evaluation:\n  metrics: [mean, mean]\n",
        "config.yaml:7: evaluation.metrics[1]: mean is listed twice",
        "",
    ),
    "limit of nothing": ("evaluation:\n  limit: 0\n", "config.yaml:7: evaluation.limit: must be greater than", "got 0"),
    "empty path": ("evaluation:\n  output_dir: ''\n", "config.yaml:7: evaluation.output_dir: must be a path", ""),
    "unknown level": (
        "logging:\n  level: INFOO\n",
        "config.yaml:7: logging.level: must be one of",
        "did you mean 'INFO'?",
    ),
    "scalar for a section": ("logging: INFO\n", "config.yaml:6: logging: must be a mapping, got 'INFO'", ""),
    "list for params": ("  params: [a]\n", "config.yaml:6: diffusion_model.params: must be a mapping, got ['a']", ""),
    "list for a stage": ("reward_model: [a]\n", "config.yaml:6: reward_model: must be a mapping, got ['a']", ""),
    "judge without type": (
        "reward_model:\n  params: {}\n",
        "config.yaml:6: reward_model.type: missing",
        "editeval list judges",
    ),
    "unknown judge": (
        "reward_model:\n  type: refrence\n",
        "config.yaml:7: reward_model.type: no type 'refrence'",
        "available:",
    ),
    "mistake in something inherited": (
        "  params: &p\n    sede: 1\nreward_model:\n  type: config_fakes.judge\n  params: *p\n",
        "config.yaml:7: diffusion_model.params.sede: unknown key",
        "",
    ),
    "octal": ("  params:\n    seed: 010\n", "config.yaml:7: diffusion_model.params.seed: '010' is ambiguous", "quotes"),
    "sexagesimal": ("  params:\n    seed: 12:30\n", "config.yaml:7: diffusion_model.params.seed: '12:30' is amb", ""),
    "infinity": ("  params:\n    seed: .inf\n", "config.yaml:7: diffusion_model.params.seed: '.inf' is ambiguous", ""),
    "huge number": ("  params:\n    seed: " + "9" * 5000, "config.yaml:7: diffusion_model.params.seed: '999", ""),
    "python tag": (
        "  params:\n    seed: !!python/object/apply:os.system ['true']\n",
        "config.yaml:7: diffusion_model.params.seed: the tag !!python/object/apply:os.system is not accepted",
        "",
    ),
    "own tag": ("  params:\n    seed: !env HOME\n", "config.yaml:7: diffusion_model.params.seed: the tag !env", ""),
    "set": ("  params: !!set {a, b}\n", "config.yaml:6: diffusion_model.params: the tag !!set", ""),
    "tab": ("  params:\n\tseed: 1\n", "config.yaml:7: not YAML: ", "spaces, not tabs"),
    "unclosed bracket": ("  params: {a: [1, 2\nlogging: {}\n", "config.yaml:7: not YAML: ", ""),
    "unknown alias": ("  params: *nothing\n", "config.yaml:6: not YAML: ", "alias"),
    "two documents": ("---\na: 1\n", "config.yaml:6: not YAML: ", "document"),
    "control character": ("# \x07\n", "config.yaml:6: control character '\\x07'", ""),
    "control character in an escape": (
        '  params:\n    model_name: "a\\0b"\n',
        "config.yaml:7: diffusion_model.params.model_name: control character",
        "",
    ),
    "list for a key": ("  params: {[a]: 1}\n", "config.yaml:6: diffusion_model.params: a key must be a word", ""),
    "merge of a scalar": ("  params: {<<: 1}\n", "config.yaml:6: diffusion_model.params: << must name a mapping", ""),
    "endless alias": ("  params: &p {a: *p}\n", "config.yaml:6: diffusion_model.params.a", "nested deeper"),
    "depth": ("  params: " + "[" * 5000 + "]" * 5000, "config.yaml:6: nested deeper than 64", ""),
    "tens of thousands of values": (
        "  params: {a: [" + "1, " * 100_001 + "]}\n",
        "config.yaml:6: more than 100000 values",
        "",
    ),
    "class path of one's own": (
        "  class_path: my.models.Editor\n",
        "config.yaml:6: diffusion_model.class_path: 'my.models.Editor' is never imported",
        "--allow-code",
    ),
    "class path against type": (
        "  class_path: src.models.diffusion.implementations.multi_gpu_qwen_edit.MultiGPUQwenImageEdit\n",
        "config.yaml:6: diffusion_model.class_path: is qwen_image_edit, but diffusion_model.type (config.yaml:5) is",
        "keep one",
    ),
    "RE-Edit primary": (
        "  primary: {type: flux_kontext}\n",
        "config.yaml:6: diffusion_model.primary: RE-Edit's spelling",
        "diffusion_model",
    ),
    "RE-Edit mllm": ("mllm: {type: qwen25_vl}\n", "config.yaml:6: mllm: ", "remove"),
    "RE-Edit log level": ("log_level: INFO\n", "config.yaml:6: log_level: ", "logging.level"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_every_mistake_is_one_line_with_its_own_line_number(refused: Refused, name: str) -> None:
    text, start, also = MISTAKES[name]
    message, *others = refused(HEAD + text).splitlines()
    assert message.startswith(start)
    assert also in message
    assert len(others) == (name == "mistake in something inherited"), "which is one of both stages"


BOMB = "bomb: &a [x, x]\n" + "".join(
    f"{chr(97 + i)}: &{chr(97 + i)} [{', '.join([f'*{chr(96 + i)}'] * 9)}]\n" for i in range(1, 20)
)


def test_alias_bomb_is_refused_before_it_goes_off(refused: Refused) -> None:
    assert re.match(r"config\.yaml:\d+: .*more than 100000 values once aliases are followed", refused(BOMB))


@pytest.mark.parametrize(
    ("data", "start"),
    [
        (b"", "config.yaml:1: must be a mapping of sections (benchmark, diffusion_model, ...), got an empty file"),
        (b"- a\n", "config.yaml:1: must be a mapping of sections"),
        (b"just words\n", "config.yaml:1: must be a mapping of sections"),
        (b"a: 1\nb: \xff\xfe\n", "config.yaml:2: not UTF-8 text"),
        ("a: 1".encode("utf-16"), "config.yaml:1: not UTF-8 text"),
        (b"# " + b"x" * 10_000_001, "config.yaml: larger than 10 MB"),
        (b"diffusion_model: {type: identity}\n", "config.yaml: benchmark: missing"),
        (b"benchmark: {type: config_fakes.bench}\n", "config.yaml: diffusion_model: missing"),
        (b"benchmark:\ndiffusion_model:\n", "config.yaml:1: benchmark.type: missing"),
        (b"benchmark: {type: config_fakes.bench}\ndiffusion_model: {}\n", "config.yaml:1: benchmark.params.path: miss"),
    ],
)
def test_files_that_are_no_configuration_are_refused(refused: Refused, data: bytes, start: str) -> None:
    assert start in refused(data)


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yaml: cannot be read: No such file or directory; give the path"):
        load_config(tmp_path / "no.yaml", environ={})
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path, environ={})


def test_byte_order_mark_and_windows_lines_are_accepted(load: Load, refused: Refused) -> None:
    windows = MINIMAL.replace("\n", "\r\n").encode()
    assert load(b"\xef\xbb\xbf" + windows).resolved == load(MINIMAL).resolved
    assert refused(windows + b"logging:\r\n  levl: x\r\n").startswith("config.yaml:5: logging.levl")


def test_code_from_outside_needs_consent(load: Load, tmp_path: Path) -> None:
    load()
    path = tmp_path / "config.yaml"
    with pytest.raises(ConfigError, match=r"config\.yaml:1: benchmark\.type: .*--allow-code"):
        load_config(path, environ={})
    assert load_config(path, environ={"EDITEVAL_ALLOW_CODE": "1"}).allow_code
    with pytest.raises(ConfigError, match="EDITEVAL_ALLOW_CODE: must be 1 or 0, got 'maybe'"):
        load_config(path, environ={"EDITEVAL_ALLOW_CODE": "maybe"})


@pytest.mark.parametrize(
    ("sets", "start"),
    [
        ("diffusion_model.params.sede=1", "--set: diffusion_model.params.sede: unknown key; did you mean"),
        ("diffusion_model.params.seed=x", "--set: diffusion_model.params.seed: must be an integer, got 'x'"),
        ("diffusion_model.params.seed", "--set: must be section.key=value, got 'diffusion_model.params.seed'"),
        ("diffusion.params.seed=1", "--set: diffusion: unknown key; did you mean 'diffusion_model'?"),
        ("=1", "--set: must be section.key=value"),
        ("a..b=1", "--set: must be section.key=value"),
        ("evaluation.metrics=[mean", "--set: evaluation.metrics: not YAML: "),
        ("benchmark=1", "--set: benchmark: must be a mapping, got 1"),
    ],
)
def test_bad_set_is_one_line(refused: Refused, sets: str, start: str) -> None:
    assert refused(MINIMAL, sets).startswith(start)


@pytest.mark.parametrize(
    ("name", "value", "start"),
    [
        ("EDITEVAL_SEDE", "1", "EDITEVAL_SEDE: unknown variable; did you mean EDITEVAL_SEED?"),
        ("EDITEVAL_DIFUSION_MODEL__TYPE", "x", "EDITEVAL_DIFUSION_MODEL__TYPE: unknown variable"),
        ("EDITEVAL_SEED", "x", "EDITEVAL_SEED: must be an integer, got 'x'"),
        ("EDITEVAL_LIMIT", "many", "EDITEVAL_LIMIT: must be an integer, got 'many'"),
        ("EDITEVAL_DEVICE_IDS", "", "EDITEVAL_DEVICE_IDS[0]: must be GPU numbers"),
        ("EDITEVAL_LOGGING__LEVL", "INFO", "EDITEVAL_LOGGING__LEVL: logging.levl: unknown key"),
    ],
)
def test_bad_variable_is_one_line(refused: Refused, name: str, value: str, start: str) -> None:
    assert refused(MINIMAL, environ={name: value}).startswith(start)


@pytest.mark.parametrize(
    ("flags", "start"),
    [
        ({"seed": -1}, "--seed: must be greater than or equal to 0, got -1"),
        ({"limit": 0}, "--limit: must be greater than or equal to 1, got 0"),
        ({"device_ids": ("0", "x")}, "--gpus[1]: must be GPU numbers"),
        ({"samples": ("a", "a")}, "--sample[1]: a is listed twice"),
        ({"output_dir": ""}, "--output-dir: must be a path"),
    ],
)
def test_bad_flag_is_one_line(refused: Refused, flags: dict[str, object], start: str) -> None:
    assert refused(MINIMAL, **flags).startswith(start)


def test_a_configuration_that_is_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(ConfigError, match=r"pipe\.yaml: is a pipe"):
        load_config(tmp_path / "pipe.yaml")
