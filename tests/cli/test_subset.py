"""A part of a benchmark is called so wherever its results stand, and a whole one never."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command_line import cli

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 2, size: 64}}
diffusion_model: {type: identity, params: {device_ids: [cpu], seed: 3}, execution: {backend: inprocess}}
reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
logging: {console_output: false}
"""
LINE = "subset: 5 of 10 (stratified, seed 3); not comparable with full results"


def latest(folder: Path) -> Path:
    return (folder / "outputs" / "latest").resolve()


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((latest(folder) / "report.json").read_text(encoding="utf-8"))
    return found


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (latest(folder) / "samples.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("part")
    (folder / "small.yaml").write_text(CONFIG, encoding="utf-8")
    done = cli("run", "small.yaml", "--limit", "5", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "stdout").write_text(done.stdout, encoding="utf-8")
    return folder


def test_limit_draws_from_every_category(part: Path) -> None:
    assert Counter(line["category"] for line in lines(part)).most_common(1) == [("physical", 1)]
    assert len(lines(part)) == 5


def test_badge_tables_and_files_name_the_subset(part: Path) -> None:
    told, directory = report(part), latest(part)
    subset = {"num": 5, "of": 10, "how": "stratified, seed 3"}
    assert told["badge"].endswith(" (subset)") and told["subset"] == subset
    assert all(line["subset"] == subset for line in lines(part))
    markdown = (directory / "report.md").read_text(encoding="utf-8")
    assert LINE in markdown and "## overall (subset: 5 of 10)" in markdown
    with (directory / "scores.csv").open(encoding="utf-8", newline="") as file:
        assert [row["subset"] for row in csv.DictReader(file)] == ["5 of 10"] * 5
    stdout = (part / "stdout").read_text(encoding="utf-8")
    assert LINE in stdout and " (subset)" in stdout.splitlines()[0]
    assert "overall (subset: 5 of 10)" in stdout


def test_the_page_names_the_subset_in_both_languages(part: Path) -> None:
    text = (latest(part) / "report.html").read_text(encoding="utf-8")
    assert 'data-t="subset_of"' in text and "Subset: 5 of 10 samples; not comparable with full results." in text
    assert 'data-t="valid with warnings (subset)"' in text or 'data-t="valid (subset)"' in text


def test_status_and_exports_name_the_subset(part: Path) -> None:
    assert LINE in cli("status", cwd=part).stdout
    assert json.loads(cli("status", "--json", cwd=part).stdout)["subset"]["of"] == 10
    table = cli("export", "latest", "--to", "csv", "--output", "-", cwd=part).stdout
    assert [row["subset"] for row in csv.DictReader(table.splitlines())] == ["5 of 10"] * 5
    assert LINE in cli("export", "latest", "--to", "md", "--output", "-", cwd=part).stdout
    assert f"identity is a {LINE}." in cli("export", "latest", "--to", "tex", "--output", "-", cwd=part).stdout
    assert LINE in cli("check", "small.yaml", "--limit", "5", cwd=part).stdout
    assert LINE in cli("run", "small.yaml", "--limit", "5", "--dry-run", cwd=part).stdout
    assert cli("verify", cwd=part).returncode == 0


def test_a_larger_limit_keeps_what_the_smaller_one_drew_and_the_whole_is_no_subset(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(CONFIG, encoding="utf-8")
    drawn: list[set[str]] = []
    for flags in (["--limit", "3"], ["--limit", "7"], ["--limit", "10"], ["--first", "4"], []):
        assert cli("run", "small.yaml", *flags, cwd=tmp_path).returncode == 0
        drawn.append({line["id"] for line in lines(tmp_path)})
        told = report(tmp_path)
        is_part = len(drawn[-1]) < 10
        assert bool(told["subset"]) == told["badge"].endswith("(subset)") == is_part
        assert ("subset" in lines(tmp_path)[0]) == is_part
        assert ("subset" in cli("status", cwd=tmp_path).stdout) == is_part
        if flags == ["--first", "4"]:
            assert told["subset"] == {"num": 4, "of": 10, "how": "the first 4"}
            assert [line["category"] for line in lines(tmp_path)] == ["physical"] * 2 + ["environmental"] * 2
    assert drawn[0] < drawn[1] < drawn[2] == drawn[4]
    log = (tmp_path / "outputs" / "logs" / "small.log").read_text(encoding="utf-8")
    assert [n for n in (3, 4, 3) if f"Starting batch edit: {n} images" not in log] == []
    assert log.count("Starting batch edit") == 3, "what is edited is not edited again"


@pytest.mark.parametrize(
    ("flags", "how"),
    [
        (["--categories", "causal", "physical"], "categories causal, physical"),
        (["--sample", "*/0001"], "ids */0001"),
        (["--sample", "*/0001", "--limit", "2"], "ids */0001; stratified, seed 3"),
        (["--sample", "causal*", "--first", "1"], "ids causal*; the first 1"),
    ],
)
def test_every_selection_is_a_subset_and_says_how_it_was_made(tmp_path: Path, flags: list[str], how: str) -> None:
    (tmp_path / "small.yaml").write_text(CONFIG, encoding="utf-8")
    assert f"of 10 ({how}); not" in cli("check", "small.yaml", *flags, cwd=tmp_path).stdout


def test_limit_and_first_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(CONFIG + "evaluation: {limit: 4}\n", encoding="utf-8")
    for flags in (["--first", "2"], ["--set", "evaluation.first=2"]):
        done = cli("check", "small.yaml", *flags, cwd=tmp_path)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
        assert "got 2, and evaluation.limit: 4 (small.yaml:5); keep one" in done.stderr
    both = cli("check", "small.yaml", "--first", "4", "--limit", "3", cwd=tmp_path)
    assert "--first: got 4, and --limit: 3; keep one" in both.stderr
    assert cli("check", "small.yaml", "--first", "2", "--set", "evaluation.limit=null", cwd=tmp_path).returncode == 0


def test_a_run_of_before_keeps_the_first_samples_that_its_limit_meant(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(CONFIG, encoding="utf-8")
    assert cli("run", "small.yaml", "--first", "3", cwd=tmp_path).returncode == 0
    path, before = latest(tmp_path) / "manifest.json", lines(tmp_path)
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["config"]["evaluation"]["limit"] = manifest["config"]["evaluation"].pop("first")
    del manifest["seal"]  # older versions made none
    path.write_text(json.dumps(manifest), encoding="utf-8")
    told = latest(tmp_path) / "report.json"
    old = report(tmp_path) | {"summaries": [s for s in report(tmp_path)["summaries"] if s.pop("interval_note")]}
    for summary in old["summaries"]:
        del summary["interval_kind"]
    told.write_text(json.dumps(old | {"subset": None}), encoding="utf-8")
    assert cli("verify", cwd=tmp_path).returncode == 0, "it had other intervals"
    told.write_text(json.dumps(old).replace('"mean": 0', '"mean": 1', 1), encoding="utf-8")
    assert cli("verify", cwd=tmp_path).returncode == 3
    assert cli("report", "latest", cwd=tmp_path).returncode == 0
    assert lines(tmp_path) == before and report(tmp_path)["subset"]["how"] == "the first 3"
    assert cli("retry", "latest", cwd=tmp_path).returncode == 0
    assert lines(tmp_path) == before
