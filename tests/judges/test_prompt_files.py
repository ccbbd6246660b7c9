"""The words of authors out of a file of theirs: as data, within bounds, one line where it is not what it should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from editeval.config.load import load_mapping
from editeval.errors import ConfigError
from editeval.judges.parsing import prompt_files
from editeval.run.plan import judging_plans

SOURCE = ("github.com/a/b", ("x/prompts.py", "prompts.json"), ("one", "two"))


def read(place: Path) -> dict[str, str]:
    return prompt_files.read(place, *SOURCE)


def refusal(place: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read(place)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_top_level_strings_of_python_are_read_and_nothing_is_run(tmp_path: Path) -> None:
    file = tmp_path / "p.py"
    file.write_text(
        'import nowhere\nopen("/nowhere", "w")\none = ("a"\n  "b\\n")\none: str = "c" "d"\n'
        'def f():\n    two = "inside"\nthree = f"{one}"\ntwo = """x\ny"""\n'
    )
    assert read(file) == {"one": "cd", "two": "x\ny"}


def test_strings_that_are_added_and_f_strings_keep_plain_names_in_braces(tmp_path: Path) -> None:
    file = tmp_path / "p.py"
    file.write_text('name = "x"\none = "a {b} " + f"{{c}} {name}\\n" "d"\ntwo = f"{name!r}"\n')
    assert read(file) == {"one": "a {b} {c} {name}\nd"}
    for other in ('f"{name.upper()}"', 'f"{name:>3}"', '"a" + str(1)', '"a" * 3', '"a" + f"{1 + 1}"', "1 + 2"):
        file.write_text(f'one = "a"\ntwo = {other}\n')
        assert read(file) == {"one": "a"}, other


def test_a_constant_that_is_replaced_by_what_is_no_string_is_none(tmp_path: Path) -> None:
    file = tmp_path / "p.py"
    file.write_text('one = "a"\none = one.strip()\ntwo = "b"\n')
    assert read(file) == {"two": "b"}


def test_json_and_yaml_are_read_by_key(tmp_path: Path) -> None:
    (tmp_path / "prompts.json").write_text('{"one": "a", "two": 3, "three": {"four": "x"}}')
    assert read(tmp_path) == {"one": "a"}
    (tmp_path / "p.yaml").write_text("one: a\nblocks: [{text: b}]\n")
    assert prompt_files.read(tmp_path / "p.yaml", "", (), ("one", "blocks.0.text")) == {
        "one": "a",
        "blocks.0.text": "b",
    }


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("p.py", "one = 'a", "cannot be read"),
        ("p.py", "(" * 5000, "cannot be read"),
        ("p.py", "x = 'a'\n" + "y = 'b'\n", "constants one, two; got x, y"),
        ("p.json", "[" * 100_000, "cannot be read"),
        ("p.json", "[" + "1," * 20_000 + "1]", "more than 10000 values"),
        ("p.yaml", "!!python/object/apply:os.system ['x']", "cannot be read"),
        ("p.yaml", "a: !!int ''\n", "cannot be read"),
        ("p.yaml", "a: !!bool b\n", "cannot be read"),
        ("p.yaml", "a: !!timestamp b\n", "cannot be read"),
        ("p.yaml", "a: &a [x, x]\nb: [*a, *a]\n", "has aliases"),
        ("p.yaml", "a: &a {k: v}\n<<: [*a]\n", "has aliases"),
        ("p.yaml", "[" + "x," * 50_000 + "x]", "more than 10000 values"),
        ("p.py", "#" * (1 << 20) + "\n", "at most 1 MiB"),
        ("p.txt", "one", "must be one of .py, .json, .yaml, .yml, got '.txt'"),
    ],
)
def test_what_is_not_the_authors_file_is_one_line(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    assert says in refusal(tmp_path / name)


def test_a_folder_without_the_file_and_a_link_out_of_it_are_refused(tmp_path: Path) -> None:
    assert "no such file or folder; name a clone of github.com/a/b" in refusal(tmp_path / "none")
    folder = tmp_path / "clone"
    folder.mkdir()
    assert "expected x/prompts.py or prompts.json of github.com/a/b" in refusal(folder)
    (tmp_path / "secret.json").write_text('{"one": "a"}')
    (folder / "prompts.json").symlink_to(tmp_path / "secret.json")
    assert "a link out of" in refusal(folder)


@pytest.mark.parametrize(
    ("judge", "score_set"),
    [("openai_chat", "ed7b1fe527e7501e"), ("vllm_vlm", "ee8e7dec296e25d7"), ("transformers_vlm", "e40a44694fda6806")],
)
def test_a_configuration_of_before_identifies_its_scores_as_before(judge: str, score_set: str) -> None:
    params: dict[str, Any] = {"base_url": "http://127.0.0.1:1/v1"} if judge == "openai_chat" else {}
    tree = {"benchmark": {"type": "procedural"}, "diffusion_model": {"type": "identity"}}
    config = load_mapping({**tree, "reward_model": {"type": judge, "params": params}}, "x", environ={})
    assert [one.id for one in judging_plans(config)] == [score_set]


@pytest.mark.parametrize(("judge", "is_same"), [("openai_chat", True), ("transformers_vlm", False)])
def test_how_many_requests_share_a_call_is_no_part_of_a_served_judges_identity(judge: str, is_same: bool) -> None:
    def score_set(batch_size: int) -> str:
        execution = {"batch_size": batch_size}
        tree = {"benchmark": {"type": "procedural"}, "diffusion_model": {"type": "identity"}}
        asked = {"type": judge, "execution": execution}
        return judging_plans(load_mapping({**tree, "reward_model": asked}, "x", environ={}))[0].id

    assert (score_set(1) == score_set(32)) is is_same
