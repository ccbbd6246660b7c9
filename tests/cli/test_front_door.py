"""What a newcomer types first: a run in one line, `init`, names for models and judges, `list NAME`, completion."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from command_line import cli
from editeval import plugins
from editeval.config import short_names
from editeval.config.load import Overrides, load_config
from editeval.config.ready import folder

SMALL = "benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}\n"
PLAIN = f"{SMALL}editor: {{type: target, params: {{device_ids: [cpu]}}}}\njudge: {{type: reference}}\n"
IN_PROCESS = ("--set", "editor.execution.backend=inprocess", "--set", "judge.execution.backend=inprocess")
NAMES = [(kind, name) for kind in short_names.FLAGS for name in short_names.known(kind)]
CHARTS = "image,instruction,category\nred.png,make it blue,colour\n"


def loaded(tmp_path: Path, text: str = PLAIN, **said: str):
    path = tmp_path / "some.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, Overrides(**said), environ={})  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "name"), NAMES, ids=lambda word: word)
def test_a_short_name_stands_for_the_section_of_its_ready_file(kind: str, name: str, tmp_path: Path) -> None:
    path = short_names.known(kind)[name]
    sets = ("judge.params.adapter_revision=" + "a1" * 20,) if "adapter:" in path.read_text(encoding="utf-8") else ()
    sets += ("judge.params.against=other",) if name == "pvc-judge" else ()
    there = load_config(path, Overrides(sets=sets), environ={})
    named = {"model" if kind == "editors" else "judge": name}
    (tmp_path / "some.yaml").write_text(PLAIN, encoding="utf-8")
    here = load_config(tmp_path / "some.yaml", Overrides(sets=sets, **named), environ={})  # type: ignore[arg-type]
    section = short_names.SECTIONS[kind][0]
    assert here.resolved[section] == there.resolved[section] and not here.warnings


def test_a_checkpoint_a_folder_a_type_and_a_file_are_names_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("step-1000").mkdir()
    qwen = short_names.sections("editors", "qwen_image_edit_2511")
    assert short_names.sections("editors", "Qwen/Qwen-Image-Edit-2511") == qwen
    assert short_names.sections("judges", "gpt-4.1") == short_names.sections("judges", "gpt-4-1")
    for word, section in {
        "step-1000": {"type": "diffusers_pipeline", "params": {"model_name": "step-1000"}},
        "someone/their-editor": {"type": "diffusers_pipeline", "params": {"model_name": "someone/their-editor"}},
        "identity": {"type": "identity"},
        "my_editor.py:Mine": {"type": "my_editor.py:Mine"},
        "package.module": {"type": "package.module"},
    }.items():
        assert short_names.sections("editors", word) == {"diffusion_model": section}
    assert short_names.sections("judges", "someone/vlm")["reward_model"] == {
        "type": "transformers_vlm",
        "params": {"model_name": "someone/vlm"},
    }
    Path("judge.yaml").write_text("reward_model: {type: reference}\n", encoding="utf-8")
    assert short_names.sections("judges", "judge.yaml") == {"reward_model": {"type": "reference"}}


def test_the_judge_of_the_published_tables_is_that_of_the_models_files() -> None:
    named = short_names.sections("judges", "gpt-4.1")["reward_model"]
    for path in (folder() / "configs" / "models").glob("*.yaml"):
        written = load_config(path, environ={}).resolved["reward_model"]
        alone = load_config(path, Overrides(judge="gpt-4.1"), environ={}).resolved["reward_model"]
        assert written == alone and isinstance(named, dict)  # the benchmark gives the protocol


def test_what_is_said_above_a_name_wins_and_no_section_is_mixed(tmp_path: Path) -> None:
    config = loaded(tmp_path, model="qwen-image-edit-2511", sets=("editor.params.num_inference_steps=8",))  # type: ignore[arg-type]
    assert config.diffusion_model.params.num_inference_steps == 8  # type: ignore[attr-defined]
    assert config.diffusion_model.execution.device_ids is None  # the file's cpu was that of another editor


def test_mistakes_in_names_and_in_the_file_are_told_together_with_what_was_meant(tmp_path: Path) -> None:
    (tmp_path / "some.yaml").write_text(f"{PLAIN}evaluation: {{limit: 0}}\n", encoding="utf-8")
    done = cli("check", "some.yaml", "--model", "qwen-image-edit-2515", "--judge", "referenc", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 3, done.stderr
    for told in ("did you mean qwen-image-edit-2511?", "did you mean reference?", "evaluation.limit: must be"):
        assert told in done.stderr


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("run --model ''", "--model: is empty; name a model, or leave --model out"),
        ("run --judge ''", "--judge: is empty; name a judge, or leave --judge out"),
        ("run --model some.yaml", "--model: some.yaml is a configuration, not a model; write `editeval run some.yaml`"),
        ("run --model my_edtor.py", "my_edtor.py'; check the path"),
        ("run --benchmark procedural --data here", "--data: sets the parameter `path`, which the chosen type does not"),
        ("run --gpus banana", "--gpus[0]: must be GPU numbers"),
        ("init --model ''", "--model: is empty"),
        ("init --judge ''", "--judge: is empty"),
        ("init --benchmark ''", "--benchmark: is empty"),
        ("init --benchmark gedit --data ''", "--data: is empty"),
        ("init --gpus ''", "--gpus: is empty"),
        ("init --gpus banana", "--gpus[0]: must be GPU numbers"),
        ("init --data here", "--data: the built-in benchmark draws its samples and reads no data; add"),
    ],
)
def test_an_empty_or_useless_word_of_a_flag_is_refused_in_one_line(line: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(PLAIN, encoding="utf-8")
    done = cli(*shlex.split(line), cwd=tmp_path)
    assert done.returncode == 2 and told in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "editeval.yaml").exists() and not (tmp_path / "outputs").exists()


def test_only_flags_of_the_same_command_are_suggested(tmp_path: Path) -> None:
    assert "did you mean --model?" in cli("run", "--modle", "x", cwd=tmp_path).stderr
    said = cli("status", "--limit", "3", cwd=tmp_path).stderr
    assert "unrecognized arguments: --limit; see `editeval status --help`" in said


def test_editor_and_judge_are_the_sections_too_and_two_that_differ_are_refused(tmp_path: Path) -> None:
    config = loaded(tmp_path, sets=("editor.params.seed=3",))  # type: ignore[arg-type]
    assert (config.diffusion_model.type, config.diffusion_model.seed) == ("target", 3)
    assert config.reward_model is not None and config.reward_model.type == "reference"
    (tmp_path / "some.yaml").write_text(f"{PLAIN}diffusion_model: {{type: identity}}\n", encoding="utf-8")
    done = cli("check", "some.yaml", cwd=tmp_path)
    assert done.returncode == 2 and "editor: " in done.stderr and "contradicts diffusion_model" in done.stderr


def test_a_run_in_one_line_is_named_after_its_words_and_its_own_file_continues_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SMALL + PLAIN.replace(SMALL, ""), encoding="utf-8")
    line = ("run", "--model", "identity", "--judge", "reference", "--gpus", "cpu", *IN_PROCESS, "--display", "none")
    assert cli(*line, cwd=tmp_path).returncode == 0
    (run,) = [path for path in (tmp_path / "outputs").iterdir() if path.name.startswith("identity-procedural-")]
    written = (run / "config.yaml").read_text(encoding="utf-8")
    command = re.match(r".*To continue it: editeval (run \S+)\n", written)
    assert command is not None
    before = {path: path.stat().st_mtime_ns for path in run.rglob("edits/*")}
    assert cli(*command[1].split(), "--display", "none", cwd=tmp_path).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in run.rglob("edits/*")} == before and before
    assert [path.name for path in run.parent.iterdir() if path.is_dir()].count(run.name) == 1
    assert (run / "config.yaml").read_text(encoding="utf-8") == written
    (other,) = {path.resolve() for path in run.parent.glob("*-*") if path.is_dir()}
    assert other == run.resolve()
    (run / "config.yaml").unlink()
    (run / "config.yaml").mkdir()
    for _ in range(2):  # the run is left closed
        done = cli(*line, cwd=tmp_path)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and "config.yaml" in done.stderr, done.stderr


def test_several_benchmarks_are_a_run_each_and_a_line_each_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(PLAIN, encoding="utf-8")
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts" / "manifest.csv").write_text(CHARTS, encoding="utf-8")
    from PIL import Image

    Image.new("RGB", (64, 64), "red").save(tmp_path / "charts" / "red.png")
    line = ("run", "--model", "identity", "--benchmark", "procedural,image_folder", "--limit", "3", "--display", "none")
    line = (*line, *IN_PROCESS, "--set", "judge=null")
    refused = cli(*line, "--data", ",absent", cwd=tmp_path)
    assert refused.returncode == 2 and "absent" in refused.stderr and not (tmp_path / "outputs").exists()
    few = cli(*line, "--data", "charts", cwd=tmp_path)
    assert few.returncode == 2 and "--data: 1 for 2 benchmarks" in few.stderr
    done = cli(*line, "--data", ",charts", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()[-2:]
    assert first.startswith("procedural: 3 of 3 samples edited") and second.startswith("image_folder: 1 of 1 samples")


@pytest.mark.parametrize("judge", [None, *short_names.known("judges")])
def test_init_writes_what_check_calls_sound_and_overwrites_nothing(judge: str | None, tmp_path: Path) -> None:
    flags = ("--judge", judge) if judge else ()
    written = cli("init", "mine.yaml", "--model", "flux-kontext", "--gpus", "0,2", *flags, cwd=tmp_path)
    assert written.returncode == 0 and "editeval check mine.yaml" in written.stdout
    text = (tmp_path / "mine.yaml").read_text(encoding="utf-8")
    sets = ("judge.params.adapter_revision=" + "a1" * 20,) if "adapter:" in text else ()
    sets += ("judge.params.against=other",) if judge == "pvc-judge" else ()
    config = load_config(tmp_path / "mine.yaml", Overrides(sets=sets), environ={})
    assert config.diffusion_model.execution.device_ids == ("cuda:0", "cuda:2") and not config.warnings
    again = cli("init", "mine.yaml", cwd=tmp_path)
    assert again.returncode == 2 and "is there already" in again.stderr
    assert (tmp_path / "mine.yaml").read_text(encoding="utf-8") == text


def test_init_takes_the_data_and_the_judge_that_a_benchmarks_authors_use(tmp_path: Path) -> None:
    assert cli("init", "--benchmark", "gedit", "--data", "a: #b", cwd=tmp_path).returncode == 0
    config = load_config(tmp_path / "editeval.yaml", environ={})
    assert config.benchmark.params.path == "a: #b"  # type: ignore[attr-defined]
    assert config.reward_model is not None and config.reward_model.type == "openai_chat"
    for name in plugins.available("benchmarks"):
        cli("init", f"{name}.yaml", "--benchmark", name, "--data", "some/place", "--gpus", "all", cwd=tmp_path)
        if name not in ("procedural", "hub_dataset", "json_records"):
            load_config(tmp_path / f"{name}.yaml", environ={})


@pytest.mark.parametrize("kind", ["editors", "judges", "benchmarks"])
def test_list_prints_every_parameter_with_its_default_and_most_with_a_meaning(kind: str, tmp_path: Path) -> None:
    for name in plugins.available(kind):
        said = cli("list", kind, name, cwd=tmp_path).stdout
        for field in fields(plugins.load(kind, name).Params):
            assert field.name == "words" or re.search(rf"^  {field.name}: .*(default|required)", said, re.M), field.name


def test_list_describes_short_names_and_policies(tmp_path: Path) -> None:
    assert "memory      (32e9" in cli("list", "editors", "flux2-dev", cwd=tmp_path).stdout
    assert "--judge qwen3-vl-8b" in cli("list", "judges", cwd=tmp_path).stdout
    assert "shortest run" in cli("list", "policies", "dynamic", cwd=tmp_path).stdout
    assert "did you mean 'flux2-dev'?" in cli("list", "editors", "flux2-dve", cwd=tmp_path).stderr


def test_completion_is_a_script_or_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    done = cli("completion", "bash", cwd=tmp_path)
    assert done.returncode == 2 and "install 'shtab>=" in done.stderr
    monkeypatch.undo()
    pytest.importorskip("shtab", reason="pip install shtab")
    assert "--judge" in cli("completion", "zsh", cwd=tmp_path).stdout
