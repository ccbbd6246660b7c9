"""Several judges under `reward_models`, and the interpreter that a stage's workers run in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from config_fakes.minimal import MINIMAL, Load

from editeval.config.load import load_judges, load_mapping
from editeval.errors import ConfigError
from editeval.machine.interpreters import of_conda as interpreter

HEAD = "\n".join(MINIMAL.splitlines()[:2]) + "\n"
TWO = HEAD + (
    "reward_models:\n"
    "  strict: {type: config_fakes.judge, params: {device_ids: [0], batch_size: 2}}\n"
    "  cheap: {type: config_fakes.judge, params: {dtype: float32}, execution: {overlap: true}}\n"
)


def test_judges_keep_their_names_and_order_and_the_first_is_the_headline(load: Load) -> None:
    config = load(TWO)
    assert list(config.judges) == ["strict", "cheap"]
    assert config.reward_model is config.judges["strict"]
    assert config.judges["strict"].section == "reward_models.strict"
    assert config.judges["strict"].execution.device_ids == ("cuda:0",)
    assert config.judges["strict"].execution.batch_size == 2
    assert config.judges["cheap"].params.dtype == "float32"
    assert [stage.execution.overlap for stage in config.judges.values()] == [None, True]


def test_one_judge_is_named_by_its_type(load: Load) -> None:
    assert list(load().judges) == ["judge"]
    assert [stage.section for stage in load().stages] == ["diffusion_model", "reward_model"]


def test_the_resolved_form_gives_the_same_judges_again(load: Load) -> None:
    config = load(TWO)
    assert load_mapping(config.resolved, "again", {}, allow_code=True).judges == config.judges


def test_flags_and_sets_reach_every_judge_and_a_single_one(load: Load) -> None:
    config = load(TWO, "reward_models.cheap.params.dtype=float16", seed=3, device_ids=("1",))
    assert {stage.seed for stage in config.judges.values()} == {3}
    assert {stage.execution.device_ids for stage in config.judges.values()} == {("cuda:1",)}
    assert config.judges["cheap"].params.dtype == "float16"
    assert config.judges["strict"].params.dtype == "bfloat16"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TWO + "reward_model: {type: config_fakes.judge}\n", "reward_models is given as well"),
        (HEAD + "reward_models: {}\n", "is empty; name a judge"),
        (HEAD + "reward_models: {a b: {type: config_fakes.judge}}\n", "letters, digits"),
        (HEAD + "reward_models: {a: {type: config_fakes.judge, parms: {}}}\n", "did you mean 'params'?"),
        (HEAD + "reward_models: {a: {type: config_fakes.judge, params: {dtyp: x}}}\n", "did you mean 'dtype'?"),
        (HEAD + "diffusion_models: {}\n", "unknown key"),
    ],
)
def test_what_makes_no_sense_is_refused(refused: Callable[..., str], text: str, expected: str) -> None:
    assert expected in refused(text)


def test_an_editor_does_not_overlap(refused: Callable[..., str]) -> None:
    assert "unknown key" in refused(MINIMAL, "diffusion_model.execution.overlap=true")


def test_an_old_key_of_one_of_several_judges_is_named_once(load: Load) -> None:
    config = load(TWO, "reward_models.cheap.params.script_path=x.py")
    assert config.warnings == (
        "--set: reward_models.cheap.params.script_path: has no effect: the judge is part of editeval: no script is run",
    )


@pytest.mark.parametrize("section", ["diffusion_model", "reward_model"])
def test_a_stage_may_name_its_interpreter_or_its_packages_but_not_both(
    load: Load, refused: Callable[..., str], section: str
) -> None:
    python, packages = f"{section}.execution.python=/p", f"{section}.execution.requirements=[a==1, b]"
    stages = {stage.section: stage for stage in load(MINIMAL, python).stages}
    assert stages[section].execution.python == "/p"
    stages = {stage.section: stage for stage in load(MINIMAL, packages).stages}
    assert stages[section].execution.requirements == ("a==1", "b")
    assert "keep one" in refused(MINIMAL, python, packages)
    assert "inprocess" in refused(MINIMAL, python, f"{section}.execution.backend=inprocess")
    assert "must be a package" in refused(MINIMAL, f"{section}.execution.requirements=[--index-url]")


def test_conda_env_means_its_interpreter_where_there_is_one(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "conda" / "envs" / "yx_qwen3" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setenv("CONDA_EXE", str(tmp_path / "conda" / "bin" / "conda"))
    config = load(MINIMAL, "reward_model.params.conda_env=yx_qwen3")
    assert config.reward_model is not None and config.reward_model.execution.python == str(python)
    assert config.warnings == ()
    config = load(MINIMAL, "reward_model.params.conda_env=yx_qwen3", "reward_model.params.python_path=/p")
    assert config.reward_model is not None and config.reward_model.execution.python == "/p"


def test_conda_finds_environments_wherever_they_were_made(tmp_path: Path) -> None:
    for folder in ("miniconda3/envs/a", "elsewhere/b", "miniconda3"):
        (tmp_path / folder / "bin").mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "bin" / "python").touch()
    (tmp_path / ".conda").mkdir()
    (tmp_path / ".conda" / "environments.txt").write_text(f"{tmp_path}/elsewhere/b\n")
    for name, folder in (("a", "miniconda3/envs/a"), ("b", "elsewhere/b"), ("base", "miniconda3")):
        assert interpreter(name, {}, tmp_path) == tmp_path / folder / "bin" / "python"
    assert interpreter("c", {}, tmp_path) is None
    assert interpreter(str(tmp_path / "elsewhere/b"), {}, tmp_path) is not None


def test_the_judges_of_another_file_replace_those_of_a_run_and_nothing_else(load: Load, tmp_path: Path) -> None:
    run = load(TWO + "evaluation: {output_dir: here}\n").resolved
    path = tmp_path / "other.yaml"
    path.write_text("reward_model: {type: config_fakes.judge, params: {dtype: float16}}\n", "utf-8")
    config = load_judges(run, "run", path, allow_code=True)
    assert list(config.judges) == ["judge"] and config.judges["judge"].params.dtype == "float16"
    assert config.evaluation.output_dir == Path("here") and not config.warnings
    path.write_text(f"{TWO}evaluation: {{output_dir: there}}\n", "utf-8")
    whole = load_judges(run, "run", path, ["reward_models.cheap.params.dtype=float16"], allow_code=True)
    assert whole.judges["cheap"].params.dtype == "float16" and whole.evaluation.output_dir == Path("here")
    assert any("only its judges and prompts are used" in warning for warning in whole.warnings)


def test_without_a_file_the_judges_of_the_run_stay_and_sets_hold(load: Load) -> None:
    run = load(TWO).resolved
    config = load_judges(run, "run", None, ["reward_models.strict.params.dtype=float16"], allow_code=True)
    assert [stage.params.dtype for stage in config.judges.values()] == ["float16", "float32"]
    with pytest.raises(ConfigError, match="--set evaluation: belongs to the run"):
        load_judges(run, "run", None, ["evaluation.limit=3"], allow_code=True)
