"""`--benchmark` and `--data`, and `editeval list benchmarks NAME`."""

from __future__ import annotations

import json
import math
import shutil
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from command_line import cli
from editeval import plugins
from editeval.benchmarks._published import PublishedBenchmark
from editeval.benchmarks.gedit import GEdit
from editeval.cli.list import list_names
from editeval.errors import ConfigError
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols.gedit import GEditProtocol
from editeval.judges.protocols.protocol import PromptSource, text_digest
from fakes.chat_server import ChatServer, Handler, saying
from published import GEDIT_GROUPS, gedit, gedit_rows, gedit_table, parquet, saved

OTHER = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}, categories: [causal]}
diffusion_model: {type: identity, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
reward_model: {type: fakes.replying_judge, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
logging: {console_output: false}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(OTHER, encoding="utf-8")
    gedit(tmp_path)
    return tmp_path


def test_a_benchmark_is_named_beside_whatever_the_configuration_has_and_without_a_configuration(folder: Path) -> None:
    named = ("--benchmark", "gedit", "--data", "GEdit-Bench", "--allow-code")
    for command in (("run", "--dry-run"), ("run", "config.yaml", "--dry-run"), ("check",)):
        done = cli(*command, *named, cwd=folder)
        assert done.returncode == 0 and "11 samples" in done.stdout, done
        assert "dropped its old params: num_per_category, size, categories" in done.stderr
        assert "language en, source input_image, intersection_only False" in done.stdout
        assert "not the known version of GEdit-Bench: 606 samples expected, found 11; group" in done.stdout


def test_what_another_benchmark_leaves_behind_of_the_default_configuration_is_no_warning(tmp_path: Path) -> None:
    gedit(tmp_path)
    said = cli("check", "--benchmark", "gedit", "--data", "GEdit-Bench", "--model", "identity", cwd=tmp_path)
    assert "11 samples" in said.stdout and "dropped" not in said.stderr, said
    set_too = cli(
        "check", "--set", "benchmark.params.size=64", "--benchmark", "gedit", "--data", "GEdit-Bench", cwd=tmp_path
    )
    assert "dropped" not in set_too.stderr and "size" in set_too.stderr, set_too


@pytest.mark.parametrize("written", ["~/GEdit-Bench", "~/*.parquet"])
def test_check_refuses_data_that_are_there_and_wrong_however_their_place_is_written(folder: Path, written: str) -> None:
    parquet(folder / "odd.parquet", gedit_table(gedit_rows(per_group=1)).drop_columns(["instruction"]))
    shutil.rmtree(folder / "GEdit-Bench")
    (folder / "GEdit-Bench").mkdir()
    kind = "gedit" if written.endswith("Bench") else "parquet"
    there = cli("check", "--benchmark", kind, "--data", written, "--allow-code", cwd=folder, HOME=str(folder))
    assert there.returncode == 2, there
    absent = cli("check", "--benchmark", "gedit", "--data", "~/elsewhere", "--allow-code", cwd=folder, HOME=str(folder))
    assert absent.returncode == 0 and "needed by `editeval run`" in absent.stderr, absent


def test_what_set_says_of_the_named_benchmark_holds(folder: Path) -> None:
    named = ("--benchmark", "gedit", "--data", "GEdit-Bench", "--allow-code")
    more = ("--set", "benchmark.params.language=cn", "--categories", "ps_human")
    done = cli("run", "--dry-run", *named, *more, cwd=folder)
    assert "language cn" in done.stdout and "gedit: 1 samples" in done.stdout, done


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--benchmark", "gedti", "--data", "GEdit-Bench"), "did you mean 'gedit'?"),
        (("--benchmark", "gedit", "--data", "config.yaml"), "found a file of another kind; docs/benchmarks.md"),
        (("--benchmark", "gedit", "--data", "absent"), "nothing at 'absent'"),
        (
            ("--benchmark", "gedit", "--set", "benchmark.params.language=zh", "--data", "GEdit-Bench"),
            "must be en, cn or both, got 'zh'",
        ),
        (("--benchmark", "gedit", "--data", "GEdit-Bench", "--categories", "ps_humans"), "ps_human"),
    ],
)
def test_a_mistake_is_one_line(folder: Path, arguments: tuple[str, ...], expected: str) -> None:
    done = cli("run", "--dry-run", *arguments, "--allow-code", cwd=folder)
    assert done.returncode == 2 and expected in done.stderr
    errors = [line for line in done.stderr.splitlines() if "warning: " not in line]
    assert len(errors) == 1, errors


def test_a_run_is_scored_again_where_its_data_are_now(folder: Path) -> None:
    named = ("--benchmark", "gedit", "--data", "GEdit-Bench", "--allow-code", "--first", "2")
    assert cli("run", *named, cwd=folder).returncode == 3  # the judge answers half of it
    shutil.move(folder / "GEdit-Bench", folder / "moved")
    (folder / "config.yaml").write_text(
        OTHER.replace(
            "params: {device_ids: [cpu]}, execution: {backend: inprocess}}\nlog",
            "params: {device_ids: [cpu], seed: 3}, execution: {backend: inprocess}}\nlog",
        ),
        encoding="utf-8",
    )
    gone = cli("score", "latest", "config.yaml", "--allow-code", cwd=folder)
    assert gone.returncode == 2 and "nothing at" in gone.stderr
    done = cli("score", "latest", "config.yaml", "--allow-code", "--data", "moved", cwd=folder)
    assert done.returncode == 3 and "Kept: " in done.stderr, done
    shutil.rmtree(folder / "moved")
    saved(folder / "moved", gedit_table(gedit_rows(per_group=2)))
    other = cli("score", "latest", "config.yaml", "--allow-code", "--data", "moved", cwd=folder)
    assert other.returncode == 2, other


def test_all_that_is_known_of_every_named_benchmark_is_listed(tmp_path: Path) -> None:
    for name in plugins.available("benchmarks"):
        cls, said = plugins.load("benchmarks", name), cli("list", "benchmarks", name, cwd=tmp_path)
        assert said.returncode == 0 and name in said.stdout
        if issubclass(cls, PublishedBenchmark):
            for text in (cls.card.homepage, cls.card.hub, cls.card.protocol, cls.card.licence.split()[0]):
                assert text in said.stdout
    wrong = cli("list", "benchmarks", "gedot", cwd=tmp_path)
    assert wrong.returncode == 2 and "did you mean 'gedit'?" in wrong.stderr
    assert cli("list", "policies", "gedit", cwd=tmp_path).returncode == 2


@pytest.mark.parametrize("name", protocols.PROTOCOLS)
def test_all_that_is_known_of_a_protocol_is_printed(capsys: pytest.CaptureFixture[str], name: str) -> None:
    protocol = protocols.load(name)
    assert list_names(Namespace(what="protocols", name=name)) == 0
    said = " ".join(capsys.readouterr().out.split())
    questions = {one.name for request in protocol.examples() for one in protocol.questions(request)}
    assert all(text in said for text in (*protocol.metrics, *questions, *protocol.switches))
    assert all(f"{mean.name}: {mean.rule}" in said.replace(" their number", "") for mean in protocol.official)
    if protocol.settings and protocol.prompt_source:
        assert protocol.settings.judges[0] in said and protocol.prompt_source.files[0] in said


def test_protocols_are_listed_and_a_wrong_name_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_names(Namespace(what="protocols", name=None)) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [*protocols.PROTOCOLS]
    with pytest.raises(ConfigError, match="did you mean 'gedit'"):
        list_names(Namespace(what="protocols", name="gedt"))


def test_the_pages_have_a_row_for_every_published_benchmark_that_agrees_with_its_card() -> None:
    for page in ("benchmarks.md", "benchmarks.zh-CN.md"):
        lines = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8").splitlines()
        rows = {line.split("`")[1]: line for line in lines if line.startswith("| `")}
        classes = {name: plugins.load("benchmarks", name) for name in plugins.available("benchmarks")}
        cards = {name: cls.card for name, cls in classes.items() if issubclass(cls, PublishedBenchmark)}
        assert rows.keys() == cards.keys()
        for name, card in cards.items():
            cells = [cell.strip(" `") for cell in rows[name].strip("|").split("|")]
            assert card.hub in cells[2] and cells[4] == card.protocol
            assert cells[5] in card.layouts, name


GROUP = '{"score": [%d, 9], "reasoning": "x"}'


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """The words in `clone` are the authors', and one English sample of each group is the whole benchmark."""
    words = {name: f"Words of {name} on <instruction>" for name in GEditProtocol.own_words}
    hashes = {name: (text_digest(text),) for name, text in words.items()}
    source = PromptSource("github.com/a/b", ("vie_prompts.py",), hashes)
    monkeypatch.setattr(GEditProtocol, "prompt_source", source)
    monkeypatch.setattr(GEdit, "card", replace(GEdit.card, counts={f"en/{name}": 1 for name in GEDIT_GROUPS}))
    (folder / "clone").mkdir()
    lines = (f"{name} = {text!r}\n" for name, text in words.items())
    (folder / "clone" / "vie_prompts.py").write_text("".join(lines), encoding="utf-8")
    return folder / "clone" / "vie_prompts.py"


def test_an_official_number_ends_the_run_and_one_changed_character_of_the_words_ends_it(
    folder: Path, known: Path
) -> None:
    """Each group gets another grade, so the mean of the groups' means is one number and no other."""

    def grade(handler: Handler) -> None:
        text = str(handler.fields["messages"])
        number = next((n for n, name in enumerate(GEDIT_GROUPS) if f"draw {name} 0" in text), None)
        saying(GROUP % (9 if number is None else number % 5 + 4))(handler)

    with ChatServer() as server:
        server.will(grade, repeats=True)
        judge = {"base_url": server.url, "model": "gpt-4.1", "prompts_from": "clone"}
        config = yaml.safe_load(OTHER)
        config["reward_model"] = {"type": "openai_chat", "params": judge, "execution": {"backend": "inprocess"}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        done = cli("run", "--benchmark", "gedit", "--data", "GEdit-Bench", cwd=folder)
        assert done.returncode == 0, done
        grades = [math.sqrt(9 * (number % 5 + 4)) for number in range(len(GEDIT_GROUPS))]
        where = "(en, intersection; judge gpt-4.1; data compared by counts)"
        line = f"official: GEdit-Bench Avg {round(sum(grades) / len(grades), 3):g} {where}"
        assert line in " ".join(done.stdout.split())
        report = json.loads((folder / "outputs" / "latest" / "report.json").read_text(encoding="utf-8"))
        assert report["run"]["official_claim"]["lines"] == [line]
        known.write_text(
            known.read_text(encoding="utf-8").replace("Words of _prompts_0shot_r", "words of _prompts_0shot_r")
        )
        changed = cli("run", "--benchmark", "gedit", "--data", "GEdit-Bench", cwd=folder)
        report = json.loads((folder / "outputs" / "latest" / "report.json").read_text(encoding="utf-8"))
        (differs,) = report["run"]["official_claim"]["differs"]
        assert changed.returncode == 0 and "constant _prompts_0shot_rule_PQ" in differs, changed
