"""What stands in a file needs the user's consent before it executes, writes elsewhere or is sent a key."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from editeval.cli.main import main
from editeval.config.consent import Settings, effects_of
from editeval.config.load import Overrides, load_config, load_judges, load_mapping
from editeval.config.schema import Config
from editeval.config.trust import trust_file
from editeval.errors import ConfigError

BASE = "benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}\n"
EDITOR = "diffusion_model: {type: identity, execution: {device_ids: [cpu]}}\n"
SERVED = "{{type: openai_chat, params: {{model: m, base_url: '{url}', api_key_env: {key}}}}}\n"
ADVICE = "; if you trust it, add --allow-code or set EDITEVAL_ALLOW_CODE=1"
DIFFUSERS = "diffusion_model: {type: diffusers_pipeline, params: {model_name: a/b, "


def judge(text: str) -> str:
    return BASE + EDITOR + f"reward_model: {{type: reference, execution: {{{text}}}}}\n"


def served(url: str, key: str) -> str:
    return BASE + EDITOR + "reward_model: " + SERVED.format(url=url, key=key)


EXECUTING = {
    "an editor in a file": (BASE + "diffusion_model: {type: my_editor.py}\n", "diffusion_model.type: "),
    "an editor in a module": (BASE + "diffusion_model: {type: my.editor}\n", "diffusion_model.type: 'my.editor' is"),
    "a benchmark": (f"benchmark: {{type: ./b.py}}\n{EDITOR}", "benchmark.type: "),
    "an interpreter beside the file": (judge("python: bin/python"), "reward_model.execution.python: runs 'bin/python'"),
    "v2's interpreter": (
        BASE + EDITOR + "reward_model: {type: reference, params: {python_path: bin/python}}\n",
        "reward_model.params.python_path: runs 'bin/python'",
    ),
    "v2's conda environment": (
        BASE + EDITOR + "reward_model: {type: reference, params: {conda_env: ./env}}\n",
        "reward_model.params.conda_env: runs 'env/bin/python'",
    ),
    "any program": (judge("python: /usr/bin/env"), "reward_model.execution.python: runs '/usr/bin/env'"),
    "packages": (judge("requirements: [evil, more]"), "reward_model.execution.requirements: installs packages"),
    "packages of one of several judges": (
        BASE + EDITOR + "reward_models: {a: {type: reference, execution: {requirements: [evil]}}}\n",
        "reward_models.a.execution.requirements: installs packages",
    ),
    "code of a checkpoint": (
        BASE + DIFFUSERS + f"trust_remote_code: true, revision: {'a' * 40}}}}}\n",
        "diffusion_model.params.trust_remote_code: runs Python of the checkpoint a/b, revision aaaa",
    ),
    "pickled weights": (
        BASE + EDITOR + "reward_model: {type: transformers_vlm, params: {model_name: ./weights}}\n",
        "reward_model.params.model_name: reads weights/model.bin, a pickle",
    ),
    "a cluster": (judge("backend: ray, ray_address: 'evil:6379'"), "reward_model.execution.ray_address: joins the Ray"),
    "a key for a stranger": (
        served("https://evil.example/v1", "HF_TOKEN"),
        "reward_model.params.base_url: sends the key in HF_TOKEN to https://evil.example:443/v1",
    ),
    "another key for a known host": (
        served("https://api.openai.com/v1", "HF_TOKEN"),
        "reward_model.params.base_url: sends the key in HF_TOKEN",
    ),
    "another port of a known host": (
        served("https://api.openai.com:8443/v1", "OPENAI_API_KEY"),
        "reward_model.params.base_url: sends the key in OPENAI_API_KEY",
    ),
    "a host that looks like this machine": (
        served("https://127.0.0.1.evil.example/v1", "OPENAI_API_KEY"),
        "reward_model.params.base_url: sends the key in OPENAI_API_KEY",
    ),
    "a log file in the home folder": (BASE + EDITOR + "logging: {log_file: ~/.bashrc}\n", "logging.log_file: appends"),
    "a log file that is a program": (BASE + EDITOR + "logging: {log_file: main.py}\n", "logging.log_file: appends"),
    "v2's folder of logs": (BASE + EDITOR + "logging: {log_dir: /etc/x}\n", "logging.log_dir: appends to /etc/x/"),
    "a log file behind a link": (BASE + EDITOR + "logging: {log_file: out/x.log}\n", "logging.log_file: appends"),
    "a log file that is a link": (BASE + EDITOR + "logging: {log_file: link.log}\n", "logging.log_file: "),
    "results elsewhere": (
        BASE + EDITOR + "evaluation: {output_dir: /etc/x}\n",
        "evaluation.output_dir: writes to /etc",
    ),
    "results in a hidden folder": (BASE + EDITOR + "evaluation: {output_dir: .git}\n", "evaluation.output_dir: writes"),
    "results behind a link": (
        BASE + EDITOR + "evaluation: {output_dir: out}\n",
        "evaluation.output_dir: writes to out",
    ),
    "results behind a link whose name ends in a blank": (
        BASE + EDITOR + 'evaluation: {output_dir: "out "}\n',
        "evaluation.output_dir: writes to out ",
    ),
    "a run behind a link": (
        BASE + EDITOR + "evaluation: {output_dir: runs}\n",
        "evaluation.output_dir: writes through the link runs/c-00000000",
    ),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stranger's folder with a bit of everything; each piece of code in it would leave a file `canary`."""
    place = tmp_path / "stranger"
    (place / "bin").mkdir(parents=True)
    (place / "env" / "bin").mkdir(parents=True)
    (place / "weights").mkdir()
    (place / "weights" / "model.bin").write_bytes(b"pickled")
    (place / "main.py").touch()
    for name in ("my_editor.py", "b.py"):
        (place / name).write_text("open('canary', 'w')\n", encoding="utf-8")
    for program in (place / "bin" / "python", place / "env" / "bin" / "python"):
        program.write_text("#!/bin/sh\ntouch canary\n", encoding="utf-8")
        program.chmod(0o755)
    (place / "out").symlink_to(tmp_path)
    (place / "out ").symlink_to(tmp_path)
    (place / "runs").mkdir()
    (place / "runs" / "c-00000000").symlink_to(tmp_path)
    (place / "link.log").symlink_to(place / "main.py")
    monkeypatch.chdir(place)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    return place


def saved(folder: Path, text: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path, *sets: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, Overrides(sets), {})
    return str(caught.value)


@pytest.mark.parametrize("case", EXECUTING)
def test_what_a_file_executes_is_refused_in_one_line_and_not_executed(folder: Path, case: str) -> None:
    text, expected = EXECUTING[case]
    message = refusal(saved(folder, text))
    (line,) = message.splitlines()
    assert expected in line.replace(f"{folder}/", "") and line.endswith(ADVICE) and "/c.yaml:" in line
    assert not (folder / "canary").exists()


@pytest.mark.parametrize(
    "case", sorted(set(EXECUTING) - {"an editor in a file", "an editor in a module", "a benchmark"})
)
def test_with_consent_it_is_an_ordinary_configuration(folder: Path, case: str) -> None:
    path = saved(folder, EXECUTING[case][0])
    assert load_config(path, environ={}, allow_code=True).allow_code
    assert load_config(path, environ={"EDITEVAL_ALLOW_CODE": "1"}).allow_code
    assert not (folder / "canary").exists(), "reading it runs nothing all the same"


def test_everything_that_needs_consent_is_told_at_once(folder: Path) -> None:
    text = "reward_model: {type: my_judge.py, execution: {requirements: [evil]}}\nlogging: {log_file: /etc/x.log}\n"
    assert len(refusal(saved(folder, BASE + EDITOR + text)).splitlines()) == 3


def test_what_the_user_types_is_the_users_own_word(folder: Path) -> None:
    typed = ("reward_model.execution.requirements=[a]", "logging.log_file=/tmp/x.txt", "evaluation.output_dir=/tmp/x")
    path = saved(folder, judge("device_ids: [cpu]"))
    assert not load_config(path, Overrides(typed), {}).allow_code
    assert not load_config(path, Overrides(output_dir="/srv/x"), {}).allow_code
    by_variable = {"EDITEVAL_REWARD_MODEL__EXECUTION__PYTHON": str(folder / "bin" / "python")}
    assert not load_config(path, environ=by_variable).allow_code
    key = saved(folder, served("https://api.openai.com/v1", "OPENAI_API_KEY"))
    assert "sends the key in HF_TOKEN" in refusal(key, "reward_model.params.api_key_env=HF_TOKEN"), "not of the pair"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://127.0.0.1:8000/v1", "ANYTHING"),
        ("http://localhost:1/v1", "ANYTHING"),
        ("http://[::1]:1/v1", "ANYTHING"),
        ("https://api.openai.com/v1", "OPENAI_API_KEY"),
        ("https://evil.example/v1", "''"),
        ("http://evil.example/v1", "''"),
    ],
)
def test_a_key_goes_where_it_belongs_without_a_question(folder: Path, url: str, key: str) -> None:
    assert not load_config(saved(folder, served(url, key)), environ={}).allow_code


@pytest.mark.parametrize("host", ["10.0.0.5:8000", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example"])
def test_a_key_is_never_sent_unencrypted_to_another_machine(folder: Path, host: str) -> None:
    path = saved(folder, served(f"http://{host}/v1", "OPENAI_API_KEY"))
    with pytest.raises(ConfigError, match="would get the key in OPENAI_API_KEY unencrypted; use https"):
        load_config(path, environ={}, allow_code=True)


# ------------------------------------------------------------------------------------------------ interpreters


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """An interpreter outside of the stranger's folder."""
    place = tmp_path / "opt" / "env" / "bin"
    place.mkdir(parents=True)
    (place / "python").symlink_to(sys.executable)
    return place / "python"


def test_an_interpreter_of_this_machine_needs_no_consent(
    folder: Path, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{installed.parent}{os.pathsep}{os.environ['PATH']}")
    v2 = BASE + EDITOR + "reward_model: {type: reference, params: {KEY}}\n"
    for text in (
        judge(f"python: {installed}"),
        judge("python: python"),
        judge(f"python: {sys.executable}"),
        judge("python: /nowhere/python"),  # it can run nothing; a run says that it is not there
        v2.replace("KEY", f"python_path: {installed}"),
        v2.replace("KEY", f"conda_env: {installed.parent.parent}"),
    ):
        config = load_config(saved(folder, text), environ={})
        assert config.reward_model is not None and config.reward_model.execution.python and not config.allow_code


def test_a_link_into_the_strangers_folder_is_beneath_it(folder: Path, tmp_path: Path, installed: Path) -> None:
    straight, chained, through = tmp_path / "python", tmp_path / "python3", tmp_path / "linked"
    straight.symlink_to(folder / "bin" / "python")
    hop = folder / "bin" / "python3"
    hop.symlink_to(installed)
    chained.symlink_to(hop)  # outside, inside, outside again
    through.symlink_to(folder / "bin")
    inside = folder / "venv"
    inside.symlink_to(installed.parent.parent)
    for python in (
        straight,
        chained,
        through / "python",
        inside / "bin" / "python",
        f"{folder}/../stranger/bin/python",
    ):
        assert "is no interpreter installed apart from" in refusal(saved(folder, judge(f"python: {python}"))), python


@pytest.mark.parametrize(
    "start", ["/proc/self/cwd", "//proc/self/cwd", "/tmp/../proc/self/cwd", "/dev/../proc/self/cwd"]
)
def test_the_current_folder_by_another_name_is_no_place_of_this_machine(folder: Path, start: str) -> None:
    (folder / "configs").mkdir()
    path = folder / "configs" / "c.yaml"
    path.write_text(judge(f"python: {start}/bin/python"), encoding="utf-8")
    assert "is no interpreter installed apart from" in refusal(path)


def test_data_and_checkpoints_elsewhere_are_strangers_folders_too(folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "bin").mkdir(parents=True)
    (data / "set.json").write_text("[]", encoding="utf-8")
    (data / "bin" / "python").symlink_to(sys.executable)
    text = f"benchmark: {{type: json_records, params: {{path: {data}/set.json}}}}\n" + EDITOR
    text += f"reward_model: {{type: reference, execution: {{python: {data}/bin/python}}}}\n"
    assert "is no interpreter installed apart from configuration and data" in refusal(saved(folder, text))


# ------------------------------------------------------------------------------------------------ trust


class Terminal(io.StringIO):
    """Somebody who answers `answers`, line by line, and what is said to them."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Terminal]:
    def made(answers: str) -> Terminal:
        monkeypatch.setattr(sys, "stdin", Terminal(answers))
        said = Terminal()
        monkeypatch.setattr(sys, "stderr", said)
        return said

    return made


def load(path: Path) -> Config:
    return load_config(path, environ={})


def test_a_terminal_asks_once_for_everything_and_remembers_a_yes(
    folder: Path, terminal: Callable[[str], Terminal]
) -> None:
    path = saved(folder, judge("python: bin/python, max_attempts: 2") + "logging: {log_file: run.txt}\n")
    said = terminal("y\n")
    assert load(path).allow_code
    *listed, question = said.getvalue().splitlines()
    assert len(listed) == 2 and question == f"Allow this, now and in future, for {folder}? [y/N] "
    said = terminal("")
    assert load(path).allow_code and not said.getvalue(), "not asked again"
    assert load(saved(folder, judge("python: bin/python"))).allow_code, "nor for less, or another number"
    assert not said.getvalue()
    assert stat.S_IMODE(trust_file().parent.stat().st_mode) == 0o700


def test_what_executes_something_else_asks_again(folder: Path, terminal: Callable[[str], Terminal]) -> None:
    terminal("yes\n")
    assert load(saved(folder, judge("python: bin/python"))).allow_code
    said = terminal("\n")
    assert "runs 'env/bin/python'" in refusal(saved(folder, judge("python: env/bin/python"))) and said.getvalue()
    elsewhere = folder / "copy"
    (elsewhere / "bin").mkdir(parents=True)
    assert "runs 'bin/python'" in refusal(saved(elsewhere, judge("python: bin/python"))), "another folder"


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yes please\n"])
def test_everything_but_yes_is_a_refusal_that_is_not_remembered(
    folder: Path, terminal: Callable[[str], Terminal], answer: str
) -> None:
    path = saved(folder, judge("python: bin/python"))
    terminal(answer)
    assert refusal(path).endswith(ADVICE) and not trust_file().exists()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', "null", "[" * 100_000])
def test_a_damaged_memory_trusts_nothing(folder: Path, content: str) -> None:
    trust_file().parent.mkdir(parents=True)
    trust_file().write_text(content, encoding="utf-8")
    assert refusal(saved(folder, judge("python: bin/python"))).endswith(ADVICE)


def test_a_memory_that_cannot_be_written_is_said_and_stops_nothing(
    folder: Path, terminal: Callable[[str], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/proc/nowhere")
    said = terminal("y\n")
    assert load(saved(folder, judge("python: bin/python"))).allow_code
    assert "this is allowed now, and asked again next time" in said.getvalue()


# ------------------------------------------------------------------------------------------------ who calls


def test_settings_of_a_run_need_consent_only_if_they_may_be_a_strangers(folder: Path) -> None:
    settings = json.loads(json.dumps(load_config(saved(folder, judge("python: bin/python")), allow_code=True).resolved))
    assert not load_mapping(settings, "run", {}).allow_code, "one's own"
    with pytest.raises(ConfigError, match="runs 'bin/python'"):
        load_mapping(settings, "run", {}, found_in=folder)
    with pytest.raises(ConfigError, match="runs 'bin/python'"):
        load_judges(settings, "run", None, found_in=folder)
    other = saved(folder, "reward_model: {type: reference, execution: {requirements: [evil]}}\n")
    with pytest.raises(ConfigError, match="installs packages") as caught:
        load_judges(settings, "run", other)
    assert "bin/python" not in str(caught.value), "that of the run is replaced"


def test_check_says_what_a_file_would_do_also_without_consent(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved(folder, served("https://evil.example/v1", "HF_TOKEN") + "logging: {log_file: ~/.bashrc}\n")
    with pytest.raises(SystemExit) as ended:
        main(["check", str(path)])
    said = capsys.readouterr()
    assert ended.value.code == 2 and len(said.err.splitlines()) == 2
    assert said.out.splitlines() == [
        f"  writes: {folder}/outputs, {Path.home()}/.bashrc",
        "  contacts: https://evil.example:443/v1 with the key in HF_TOKEN",
    ]
    with pytest.raises(SystemExit) as ended:
        main(["check", str(saved(folder, BASE + EDITOR))])
    said = capsys.readouterr()
    assert ended.value.code == 0 and f"  writes: {folder}/outputs, {folder}/outputs/logs/c.log" in said.out
    assert "executes" not in said.out and "contacts" not in said.out


def test_a_path_in_a_data_set_of_the_hub_is_no_path_of_this_machine(folder: Path) -> None:
    data = {"type": "hub_dataset", "params": {"repo": "they/edits", "path": "../../etc"}}
    settings = Settings({"benchmark": data}, folder / "c.yaml", folder)
    found = [(effect.verb, effect.subject) for effect in effects_of(settings) if effect.verb != "writes"]
    assert found == [("contacts", "the Hugging Face Hub for they/edits")]


def test_only_models_that_are_loaded_and_can_be_on_the_hub_are_looked_for_there(folder: Path) -> None:
    models = {
        "type": "image_metrics",
        "params": {"metrics": ["ssim", "clip_i"], "clip_model": "a/b", "dino_model": "c/d"},
    }
    editor = {"type": "qwen_image_edit_plus", "params": {"model_name": "/models/mine"}}
    settings = Settings({"diffusion_model": editor, "reward_model": models}, folder / "c.yaml", folder)
    found = [(effect.verb, effect.subject) for effect in effects_of(settings) if effect.verb != "writes"]
    assert found == [("reads", "/models/mine"), ("contacts", "the Hugging Face Hub for a/b")]


@pytest.mark.parametrize(
    ("params", "verb", "subject"),
    [({}, "contacts", "the Hugging Face Hub for stepfun-ai/GEdit-Bench"), ({"path": "data"}, "reads", "data")],
)
def test_a_named_benchmark_contacts_the_hub_only_without_a_path(
    folder: Path, params: dict[str, str], verb: str, subject: str
) -> None:
    (folder / "c.yaml").write_text(
        f"benchmark: {{type: gedit, params: {params}}}\ndiffusion_model: {{type: identity}}\n"
    )
    found = {(e.verb, e.subject) for e in load_config(folder / "c.yaml", environ={}).effects if e.verb != "writes"}
    assert found == {(verb, subject)}
