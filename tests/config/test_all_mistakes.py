"""All mistakes of a file are told at once, a line each, in the order of the lines; nothing is told twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from config_fakes.minimal import MINIMAL

from editeval.cli.main import main
from editeval.errors import ConfigError, MachineError, MistakesError, Problems

Refused = Callable[..., str]
MANY = """\
benchmark:
  type: config_fakes.bench
  params: {path: 5, langage: en, sizes: [1, x, y]}
  categories: [a, a]
diffusion_model:
  type: config_fakes.editor
  params:
    num_inference_steps: 0
    true_cfg_scale: '4'
    dtype: bfloat
    device_ids: [0, tpu, 0]
    enable_batch_sync: perhaps
    seed: 010
    seed: 3
    hf_token: hf_abcdefghijklmnopqrstuvwx
  execution: {polcy: dynamic, timeout_s: -1}
reward_models:
  one: {type: config_fakes.judg}
  two: {type: config_fakes.judge, params: {max_new_tokens: x, device: tpu}}
  thr+ee: {typ: config_fakes.judge}
prompts:
  physical: {system_promt: x, user_prompt_template: '{edit_instuction}'}
  causal: 5
evaluation: {metrics: [men, mean, sum], limit: 0, output_dir: ''}
logging: {level: LOUD, console_output: 1}
lgging: {}
"""
KEYS = """\
3: benchmark.params.langage: unknown key
3: benchmark.params.path: must be text
3: benchmark.params.sizes[1]: must be an integer
3: benchmark.params.sizes[2]: must be an integer
4: benchmark.categories[1]: a is listed twice
8: diffusion_model.params.num_inference_steps: at least 1
9: diffusion_model.params.true_cfg_scale: must be a number
10: diffusion_model.params.dtype: must be
11: diffusion_model.params.device_ids[1]: must be GPU numbers
12: diffusion_model.params.enable_batch_sync: must be a boolean
13: diffusion_model.params.seed: '010' is ambiguous
14: diffusion_model.params.seed: given twice
15: diffusion_model.params.hf_token: secrets do not belong
16: diffusion_model.execution.polcy: unknown key
16: diffusion_model.execution.timeout_s: must be greater
18: reward_models.one.type: no module
19: reward_models.two.params.device[0]: must be GPU numbers
19: reward_models.two.params.max_new_tokens: must be an integer
20: reward_models.thr+ee: must be a name
20: reward_models.thr+ee.typ: unknown key
22: prompts.physical.system_promt: unknown key
22: prompts.physical.user_prompt_template: unknown placeholder
23: prompts.causal: must be a mapping
24: evaluation.limit: must be greater
24: evaluation.metrics[0]: must be
24: evaluation.metrics[2]: must be
24: evaluation.output_dir: must be a path
25: logging.console_output: must be a boolean
25: logging.level: must be one of
26: lgging: unknown key
""".splitlines()


def test_every_mistake_of_a_file_is_told_at_once_in_the_order_of_the_lines(refused: Refused) -> None:
    lines = refused(MANY).splitlines()
    numbers = [int(line.split(":")[1]) for line in lines]
    assert numbers == sorted(numbers)
    for key in KEYS:
        assert sum(line.startswith(f"config.yaml:{key}") for line in lines) == 1, key
    assert len(lines) == len(KEYS), [
        line for line in lines if not line.startswith(tuple(f"config.yaml:{k}" for k in KEYS))
    ]


def test_a_secret_is_never_shown_whatever_else_is_wrong_with_it(refused: Refused) -> None:
    assert "hf_abcdefghijklmnopqrstuvwx" not in refused(MANY)
    assert "hf_abc" not in refused(MINIMAL, "diffusion_model.params.true_cfg_scale=hf_abcdefghijklmnopqrstuvwx")


def test_flags_variables_and_the_file_are_told_together_the_file_first(refused: Refused) -> None:
    said = refused(
        MINIMAL + "logging: {level: LOUD}\n", "diffusion_model.params.sede=1", environ={"EDITEVAL_SEDE": "1"}, limit=0
    ).splitlines()
    assert [line.partition(": ")[0] for line in said] == ["config.yaml:4", "EDITEVAL_SEDE", "--set", "--limit"]


def test_a_mistake_is_not_told_again_by_what_follows_from_it(refused: Refused) -> None:
    for text in (
        MINIMAL.replace("diffusion_model", "difusion_model"),
        MINIMAL.replace("{type: config_fakes.editor}", "{typ: config_fakes.editor}"),
        MINIMAL.replace("params: {path", "params: {pth"),
        MINIMAL.replace("{type: config_fakes.judge}", "[a]"),
        MINIMAL.replace("{type: config_fakes.editor}", "!!python/name:os.system"),
        MINIMAL + "logging: 5\n",
    ):
        assert refused(text).count("\n") == 0, text


STAGE = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model: {type: identity}
reward_model:
  type: transformers_vlm
  params:
    model_name: owner/judge
    adapter: owner/adapter
    protocol: viescor
    dtype: fp8
    max_new_tokens: 0
    max_image_side: 3
    num_samples: 0
"""


def test_params_that_their_class_refuses_one_by_one_are_told_together_also_where_one_is_missing(
    refused: Refused,
) -> None:
    said = [line.partition("reward_model.params.") for line in refused(STAGE).splitlines()]
    assert [(where, what.partition(",")[0]) for where, _, what in said] == [
        ("config.yaml:5: ", "adapter_revision: owner/adapter is on the Hub: give its commit of 40 hex digits"),
        ("config.yaml:8: ", "protocol: must be one of complex_edit"),
        ("config.yaml:9: ", "dtype: must be one of auto"),
        ("config.yaml:10: ", "max_new_tokens: must be at least 1"),
        ("config.yaml:11: ", "max_image_side: must be at least 32"),
        ("config.yaml:12: ", "num_samples: must be between 1 and 64"),
    ]
    assert said[1][2].endswith("got 'viescor'; did you mean 'viescore'?")


MISTYPED = """\
benchmark: {type: procedurl, params: {num_per_category: x, sze: 64}}
diffusion_model:
  type: qwen_image_edit_plu
  params: {model_name: 5, seed: -1}
reward_models:
  near: {type: qwen3_vl_subproces, params: {dtype: fp8}}
  far: {type: gemini, params: {dtype: fp8, seed: x}}
  none: {type: gemini}
"""


def test_params_of_a_misspelt_type_are_checked_as_those_of_the_closest_one_or_it_is_said_that_they_are_not(
    refused: Refused,
) -> None:
    said = [re.sub(r"available: .*?(;|$)", r"...\1", line) for line in refused(MISTYPED).splitlines()]
    guess, unchecked = "(if its type is {})", "its params are not checked until it loads"
    procedural, plus, judge = map(guess.format, ("procedural", "qwen_image_edit_plus", "qwen3_vl_subprocess"))
    assert [line.removeprefix("config.yaml:") for line in said] == [
        "1: benchmark.type: no type 'procedurl'; did you mean 'procedural'? ...",
        f"1: benchmark.params.sze: unknown key; did you mean 'size'? {procedural}",
        f"1: benchmark.params.num_per_category: must be an integer, got 'x' {procedural}",
        "3: diffusion_model.type: no type 'qwen_image_edit_plu'; did you mean 'qwen_image_edit_plus'? ...",
        "4: diffusion_model.params.seed: must be greater than or equal to 0, got -1",
        f"4: diffusion_model.params.model_name: must be text, got 5; put it in quotes {plus}",
        "6: reward_models.near.type: no type 'qwen3_vl_subproces'; did you mean 'qwen3_vl_subprocess'? ...",
        "6: reward_models.near.params.dtype: must be one of auto, bfloat16, float16, float32, got 'fp8' " + judge,
        "7: reward_models.far.params.seed: must be an integer, got 'x'",
        f"7: reward_models.far.type: no type 'gemini'; ...; {unchecked}",
        "8: reward_models.none.type: no type 'gemini'; ...",
    ]


FILE = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}, categories: [causal, weather]}
diffusion_model: {type: identity, params: {device_ids: [97]}}
reward_model: {type: qwen3_vl, params: {device_ids: [98]}}
evaluation: {limit: 0}
"""


def errors_of(capsys: pytest.CaptureFixture[str], *command: str) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()


def test_check_and_run_tell_mistakes_of_the_file_the_data_and_the_machine_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(FILE, encoding="utf-8")
    category = "editeval: c.yaml:1: benchmark.categories: no sample of 'weather'; it has: physical (1), "
    limit = "editeval: c.yaml:4: evaluation.limit: must be greater than or equal to 1, got 0"
    checked = errors_of(capsys, "check", "c.yaml")
    assert len(checked) == 2 and checked[0].startswith(category) and checked[1] == limit
    run = errors_of(capsys, "run", "c.yaml")
    assert run[:2] == checked and [("no cuda:97" in line, "no cuda:98" in line) for line in run[2:]] == [
        *((True, False), (False, True)),
    ]


def test_data_that_are_not_there_are_told_beside_the_mistakes_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    benchmark = "benchmark: {type: json_records, params: {path: absent.json}}\n"
    Path("c.yaml").write_text(benchmark + FILE.partition("\n")[2], encoding="utf-8")
    said = errors_of(capsys, "check", "c.yaml")
    assert "c.yaml:1: benchmark.params.path: no file 'absent.json'" in said[0]
    assert "evaluation.limit" in said[1] and len(said) == 2


def test_a_sound_file_that_fits_neither_its_data_nor_the_machine_is_told_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text(FILE.replace("limit: 0", "limit: 1").replace(", weather", ""), encoding="utf-8")
    said = errors_of(capsys, "run", "c.yaml")
    assert len(said) == 3 and "no prompt for 'causal'" in said[0]
    assert "no cuda:97" in said[1] and "no cuda:98" in said[2]
    assert not Path("outputs").exists()


def test_one_problem_is_raised_as_it_is_and_several_in_the_order_of_their_lines() -> None:
    problems = Problems("a.yaml")
    problems.check()
    problems.add(MachineError("no GPU"))
    with pytest.raises(MachineError, match=r"^no GPU$"):
        problems.check()
    for text in ("a.yaml:12: x: wrong", "a.yaml:3: y: wrong", "a.yaml: z: missing", "a.yaml:3: y: wrong as well"):
        problems.add(ConfigError(text))
    with pytest.raises(MistakesError) as caught:
        problems.check()
    assert str(caught.value).splitlines() == [
        *("a.yaml: z: missing", "a.yaml:3: y: wrong", "a.yaml:12: x: wrong", "no GPU"),
    ]


def test_a_mistake_in_the_parameters_of_the_simulated_editor_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = FILE.replace("identity, params: {device_ids: [97]", "simulated, params: {chances: {causal: {partial: 2}}")
    text = (
        text.replace(", weather", "")
        .replace("qwen3_vl, params: {device_ids: [98]}", "reference")
        .replace("limit: 0", "limit: 1")
    )
    Path("c.yaml").write_text(text, encoding="utf-8")
    (line,) = errors_of(capsys, "check", "c.yaml")
    assert line.startswith("editeval: c.yaml:2: diffusion_model.params.chances: causal: ")
