"""Two metrics of a run never have one label, and mistakes of one configuration are told together, with their lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import command_line

JUDGES = """
from editeval.types import Judge, Score
class A(Judge):
    default_device = "cpu"
    metrics = ("m", "b.m")
    def judge(self, requests):
        return [[Score(r.key, "a", metric, 1.0) for metric in self.metrics] for r in requests]
class B(Judge):
    default_device = "cpu"
    metrics = ("m",)
    def judge(self, requests):
        return [[Score(r.key, "b", "m", 9.0)] for r in requests]
"""
HEAD = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model: {type: identity, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
logging: {console_output: false}
evaluation: {output_dir: outputs}
reward_models:
"""
ONE = '  one: {type: "judges.py:A", params: {device_ids: [cpu]}, execution: {backend: inprocess}}\n'
TWO = '  b: {type: "judges.py:B", params: {device_ids: [cpu]}, execution: {backend: inprocess}}\n'
Cli = Callable[..., tuple[object, str]]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.chdir(tmp_path)
    Path("judges.py").write_text(JUDGES)
    for name, text in {"one": ONE, "b": TWO, "both": ONE + TWO, "turned": TWO + ONE}.items():
        Path(f"{name}.yaml").write_text(HEAD + text)

    def call(*arguments: str) -> tuple[object, str]:
        done = command_line.cli(*arguments, "--allow-code", cwd=tmp_path)
        return done.returncode, done.stderr

    return call


def test_judges_whose_metrics_would_have_one_label_are_refused_at_their_line(cli: Cli) -> None:
    line = "editeval: both.yaml:7: reward_models.b: a metric called 'b.m' is one of 'one' too; rename a judge\n"
    assert cli("check", "both.yaml") == (2, line)
    assert cli("check", "turned.yaml")[0] == 0


def test_score_sets_whose_metrics_would_have_one_label_are_not_shown_together(cli: Cli) -> None:
    cli("run", "one.yaml")
    cli("score", "latest", "b.yaml")
    code, said = cli("report", "--scores", "one", "--scores", "b")
    assert code == 2 and "two metrics would be called 'b.m'" in said
    assert cli("report", "--scores", "b", "--scores", "one")[0] == 0


def test_a_missing_category_hides_neither_a_pattern_without_a_match_nor_equal_judges(cli: Cli) -> None:
    text = HEAD.replace("size: 64}", "size: 64}, categories: [nope]").replace("{output", '{samples: ["zz*"], output')
    Path("many.yaml").write_text(text + TWO + TWO.replace("b:", "twin:"))
    code, said = cli("check", "many.yaml")
    assert code == 2
    places = [said.index(part) for part in ("many.yaml:1: benchmark.categories: no sample of", "--sample zz*: matches")]
    equal = said.index("many.yaml:7: reward_models.twin: judges exactly as 'b' does")
    assert places[0] < equal < places[1]


def test_a_folder_for_the_embedded_page_that_is_not_there_is_named_before_anything_is_written(cli: Cli) -> None:
    cli("run", "one.yaml")
    code, said = cli("report", "--embed", "nowhere/x.html")
    assert (code, said) == (2, "editeval: --embed nowhere/x.html: no folder nowhere; make it, or name another file\n")
