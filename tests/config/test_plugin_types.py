"""`type` in a configuration: plug-ins of one's own with their parameters, and v2's decorative spellings."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_fakes.minimal import Load

from editeval.config.load import load_config, load_mapping
from editeval.errors import ConfigError
from editeval.run.plan import identity_params, json_params

HEAD = "benchmark: {type: config_fakes.bench, params: {path: x}}\n"
PYDANTIC = """\
from pydantic import BaseModel, Field

from editeval.types import Editor


class Settings(BaseModel):
    strength: float = Field(ge=0, le=1)
    words: list[str] = []


class Mine(Editor):
    Params = Settings

    def edit(self, request, progress):
        return None
"""
CLASS = "class_path: src.models.diffusion.implementations.multi_gpu_qwen_edit.MultiGPUQwenImageEdit"


def editor(folder: Path, text: str = PYDANTIC) -> None:
    (folder / "my_editor.py").write_text(text, encoding="utf-8")


def test_a_file_is_relative_to_the_configuration_and_its_whole_path_travels(load: Load, tmp_path: Path) -> None:
    editor(tmp_path)
    config = load(HEAD + "diffusion_model: {type: './my_editor.py:Mine', params: {strength: 0.5, seed: 3}}\n")
    stage = config.diffusion_model
    assert (stage.type, stage.requested_type) == (f"{tmp_path}/my_editor.py:Mine", "my_editor.py:Mine")
    assert stage.params.strength == 0.5 and stage.seed == 3
    assert json_params(stage.params) == identity_params(stage.params) == {"strength": 0.5, "words": []}
    again = load_mapping(config.resolved, "again", {}, allow_code=True)
    assert again.diffusion_model == stage, "the record of a run gives the same, whatever the current folder is"


def test_a_judge_in_a_file_is_called_as_the_file(load: Load, tmp_path: Path) -> None:
    text = (
        "from editeval.types import Judge\n\n\nclass Mine(Judge):\n    metrics = ('m',)\n    def judge(self, r): ...\n"
    )
    (tmp_path / "strict_judge.py").write_text(text, encoding="utf-8")
    config = load(HEAD + "diffusion_model: {type: identity}\nreward_model: {type: 'strict_judge.py:Mine'}\n")
    assert list(config.judges) == ["strict_judge"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ("{}", "config.yaml:2: diffusion_model.params.strength: missing; it has no default"),
        ("{strength: 2}", "diffusion_model.params.strength: must be less than or equal to 1, got 2"),
        ("{strength: '1'}", "diffusion_model.params.strength: must be a number, got '1' (text)"),
        ("{strength: 1, wrds: []}", "diffusion_model.params.wrds: unknown key; did you mean 'words'?"),
        ("{strength: 1, words: [a, 1]}", "diffusion_model.params.words[1]: must be text, got 1"),
    ],
)
def test_a_pydantic_model_is_as_strict_as_a_dataclass(params: str, words: str, load: Load, tmp_path: Path) -> None:
    editor(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load(HEAD + f"diffusion_model: {{type: my_editor.py, params: {params}}}\n")
    assert words in str(caught.value) and len(caught.value.parts) == 1


def test_an_error_in_the_file_is_told_with_the_line_of_the_type_and_its_own(load: Load, tmp_path: Path) -> None:
    editor(tmp_path, "import nobody_has_this\n")
    with pytest.raises(ConfigError) as caught:
        load(HEAD + "diffusion_model:\n  type: my_editor.py\n")
    said = f"{tmp_path}/config.yaml:3: diffusion_model.type: {tmp_path}/my_editor.py:1: ModuleNotFoundError: "
    assert str(caught.value).startswith(said)


def test_consent_is_never_taken_from_the_configuration(tmp_path: Path) -> None:
    editor(tmp_path)
    path = tmp_path / "config.yaml"
    path.write_text("benchmark: {type: procedural}\ndiffusion_model: {type: my_editor.py}\nallow_code: true\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ={})
    consent, unknown = caught.value.parts
    assert "my_editor.py' is code from outside editeval" in str(consent)
    assert str(unknown).startswith(f"{path}:3: allow_code: a configuration cannot consent to its own code; run `edit")


@pytest.mark.parametrize("word", ["multi_gpu_qwen_edit", "qwen_multi", "anything at all"])
def test_beside_a_class_path_of_v2_a_type_that_names_nothing_is_decoration(load: Load, word: str) -> None:
    config = load(HEAD + f"diffusion_model:\n  type: {word}\n  {CLASS}\n")
    assert config.diffusion_model.type == "qwen_image_edit"
    assert config.diffusion_model.log_name == "MultiGPUQwenImageEdit"
    assert len(config.warnings) == (word != "multi_gpu_qwen_edit") or "is qwen_image_edit here" in config.warnings[0]
    assert all("qwen_image_edit" in line for line in config.warnings)


def test_the_spelling_of_v2_s_documents_says_which_editor_it_is(load: Load, tmp_path: Path) -> None:
    config = load(HEAD + "diffusion_model: {type: multi_gpu_qwen_edit, params: {enable_batch_sync: true}}\n")
    assert (config.diffusion_model.type, config.diffusion_model.log_name) == (
        "qwen_image_edit",
        "MultiGPUQwenImageEdit",
    )
    said = f"{tmp_path}/config.yaml:2: diffusion_model.type: 'multi_gpu_qwen_edit' is qwen_image_edit here"
    assert config.warnings == (said,)


@pytest.mark.parametrize("word", ["multi_gpu_qwen_edt", "qwen_image_edt", "identiy"])
def test_a_misspelt_type_without_a_class_path_is_a_mistake_with_a_suggestion(load: Load, word: str) -> None:
    with pytest.raises(ConfigError, match=f"config.yaml:2: diffusion_model.type: no type '{word}'; did you mean '"):
        load(HEAD + f"diffusion_model: {{type: {word}}}\n")


def test_a_type_that_names_another_editor_contradicts_a_class_path(load: Load) -> None:
    with pytest.raises(ConfigError, match=r"is qwen_image_edit, but diffusion_model.type .* is identity; keep one"):
        load(HEAD + f"diffusion_model:\n  type: identity\n  {CLASS}\n")


def test_an_editor_that_only_re_edit_has_is_said_to_be_missing_here(load: Load) -> None:
    with pytest.raises(ConfigError, match="no editor here runs 'janus'; `editeval list editors` shows"):
        load(HEAD + "diffusion_model: {type: janus}\n")
