"""`--benchmark` and `--data`, and `editeval list benchmarks NAME`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from command_line import cli
from editeval import plugins
from editeval.benchmarks._published import PublishedBenchmark
from published import gedit, gedit_rows, gedit_table, saved

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
