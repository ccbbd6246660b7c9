"""A benchmark in several languages, or with subsets of its own: each has its figures, and a run says what it covers."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pipeline_fakes import THREADS, config, report_of, run, samples_of
from rich.console import Console

from command_line import cli
from editeval.cli.export import flat
from editeval.reports.site.first_page import RunView, first_page
from editeval.reports.site.payload import read_block
from editeval.reports.terminal import render_terminal
from editeval.run import results
from editeval.run.comparison import Comparing
from editeval.run.pipeline import RunResult
from editeval.run.report import build_report
from editeval.run.selection import part_of
from editeval.store import queries
from editeval.store.run_store import RunStore
from editeval.store.verify import check_exports
from editeval.types import Sample
from fakes.older_ledgers import as_of_version

VALUES = {"a-en-0": 2.0, "a-cn-0": 4.0, "b-en-0": 6.0, "b-cn-0": 9.0, "b-cn-1": 9.0}


def write_data(folder: Path, languages: bool = True) -> Path:
    """Five records in two categories and two languages; the English ones are in the subset `core`."""
    folder.mkdir(exist_ok=True)
    records = []
    for number, key in enumerate(VALUES):
        category, language, _ = key.split("-")
        Image.new("RGB", (32, 32), (40 * number, 90, 10)).save(folder / f"{number}.png")
        record = {"id": key, "image_path": f"{number}.png", "edit_instruction_en": "make it red", "subset": category}
        part = "core" if language == "en" else ""
        records.append(record | ({"lang": language, "part": part} if languages else {}))
    path = folder / "records.json"
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def judged(tmp_path: Path, languages: bool = True, **changes: Any) -> RunResult:
    fields = {"id": "id", "image": "", "image_path": "image_path", "language": "lang", "subset": "part"}
    benchmark = {"path": str(write_data(tmp_path / "data", languages)), "fields": fields}
    official = {"official": ["overall"], "values": VALUES}
    judge = {"type": "fakes.fake_judge", "params": official, "execution": THREADS}
    return run(
        tmp_path / "out",
        benchmark={"type": "json_records", "params": benchmark},
        diffusion_model={"type": "identity", "params": {"device_ids": ["cpu"]}, "execution": THREADS},
        reward_model=judge,
        **changes,
    )


def means(report: dict[str, Any], category: str = "micro") -> dict[tuple[str, str], float]:
    return {
        (group["by"], group["name"]): summary["mean"]
        for group in report["groups"]
        for summary in group["summaries"]
        if (summary["metric"], summary["category"]) == ("overall", category)
    }


def test_every_language_and_every_named_subset_has_its_own_figures(tmp_path: Path) -> None:
    result = judged(tmp_path)
    told = report_of(result)
    assert means(told) == {
        ("language", "en"): 4.0,
        ("language", "cn"): pytest.approx(22 / 3),
        ("subset", "core"): 4.0,
        ("subset", ""): pytest.approx(22 / 3),
    }
    assert means(told, "macro")["language", "cn"] == 6.5, "the mean of the categories' means"
    authors = {
        (group["by"], group["name"]): [one["value"] for one in group.get("official", ())] for group in told["groups"]
    }
    assert authors["language", "cn"] == [6.5] and authors["subset", "core"] == [4.0]
    assert told["run"]["languages"] == {"en": 2, "cn": 3} and told["run"]["subsets"] == {"core": 2, "": 3}
    page = (result.plan.dir / "report.html").read_text(encoding="utf-8")
    text = (result.plan.dir / "report.md").read_text(encoding="utf-8")
    assert "## overall by language" in text and "| cn, macro | 6.50 |" in text and "theirs (cn), authors' rule" in text
    assert "### overall by named subset" in text and "(in none), micro" in text
    assert 'data-t="by_language"' in page and "cn, macro" in page
    with RunStore.read(result.plan.dir) as store:
        assert not list(results.stale_summaries(store))


def test_the_terminal_and_the_files_of_samples_name_language_and_subset(tmp_path: Path) -> None:
    result = judged(tmp_path)
    lines = {line["id"]: (line.get("language"), line.get("named_subset")) for line in samples_of(result)}
    assert lines["a-en-0"] == ("en", "core") and lines["a-cn-0"] == ("cn", None)
    with (result.plan.dir / "scores.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: (row["language"], row["named_subset"]) for row in csv.DictReader(file)}
    assert rows["a-en-0"] == ("en", "core") and rows["b-cn-1"] == ("cn", "")
    with RunStore.read(result.plan.dir) as store:
        assert [row["language"] for row in flat(store).rows()] == ["en", "cn", "en", "cn", "cn"]
        report = build_report(result.plan, store)
    console = Console(width=100, record=True, file=io.StringIO())
    render_terminal(report, console)
    printed = console.export_text()
    assert "overall by language" in printed and "overall by named subset" in printed and "cn, micro" in printed
    told = json.loads(cli("status", str(result.plan.dir), "--json", cwd=tmp_path).stdout)
    assert told["languages"] == {"en": 2, "cn": 3} and told["subsets"] == {"core": 2, "": 3}
    shown = cli("show", str(result.plan.dir), "a-en-0", cwd=tmp_path).stdout
    assert "language     en" in shown and "subset       core" in shown


def test_one_language_and_no_subset_change_nothing_in_a_report(tmp_path: Path) -> None:
    result = judged(tmp_path, languages=False)
    told = report_of(result)
    assert "groups" not in told and "languages" not in told["run"]
    assert all("language" not in line for line in samples_of(result))
    assert "language" not in (result.plan.dir / "scores.csv").read_text(encoding="utf-8")
    assert "by language" not in (result.plan.dir / "report.md").read_text(encoding="utf-8")


def test_a_changed_figure_of_a_language_or_a_changed_language_is_found(tmp_path: Path) -> None:
    result = judged(tmp_path)
    path = result.plan.dir / "report.json"
    told = report_of(result)
    told["groups"][1]["summaries"][-1]["mean"] = 9.9
    path.write_text(json.dumps(told), encoding="utf-8")
    lines = result.plan.dir / "samples.jsonl"
    lines.write_text(
        lines.read_text(encoding="utf-8").replace('"language": "cn"', '"language": "en"'), encoding="utf-8"
    )
    with RunStore.read(result.plan.dir) as store:
        (found,) = results.stale_summaries(store)
        assert "in language cn: mean 9.9" in found.detail
        faults = check_exports(store, results.prefixes(results.shown(store)))
    assert faults and "language or named subset of 'a-cn-0' differs" in faults[0][1]


def test_a_run_of_before_gets_its_languages_when_it_goes_on_and_is_read_without_them(tmp_path: Path) -> None:
    first = judged(tmp_path)
    as_of_version(first.plan.dir, 4)
    with RunStore.read(first.plan.dir) as store:
        assert queries.covered(store) == {"language": {}, "subset": {}}
        assert not build_report(first.plan, store).groups
    again = judged(tmp_path)
    assert again.plan.dir == first.plan.dir and again.exit_code == 0
    assert report_of(again)["run"]["languages"] == {"en": 2, "cn": 3}
    with RunStore.read(again.plan.dir) as store:
        assert sum(1 for _ in store.attempts("edit")) == len(VALUES), "nothing was edited again"


def test_runs_that_cover_other_samples_are_not_put_into_one_order(tmp_path: Path) -> None:
    whole = judged(tmp_path)
    english = judged(tmp_path, evaluation__samples=["*-en-*"], evaluation__output_dir=str(tmp_path / "english"))
    blocks = [read_block(one.plan.dir) for one in (whole, english)]
    (told,), _ = Comparing((whole.plan.dir, english.plan.dir), intersect=False)(blocks)
    assert not told["is_same_part"] and told["num_shared"] == 2
    views = [RunView(block, "{}".format, number) for number, block in enumerate(blocks)]
    assert "covers other samples: the means do not compare" in first_page(views, [told])
    (same,), _ = Comparing((whole.plan.dir, whole.plan.dir), intersect=False)([blocks[0], blocks[0]])
    assert same["is_same_part"]
    done = cli("export", str(whole.plan.dir), str(english.plan.dir), "--to", "tex", "--output", "-", cwd=tmp_path)
    assert "cover different samples, so that the means do not compare" in done.stdout and "textbf" not in done.stdout


def test_a_draw_is_even_over_the_languages_of_every_category(tmp_path: Path) -> None:
    (image,) = (Drawn(),)
    samples = [
        Sample(f"{c}{n}{lang}", c, (image,), "x", language=lang)
        for c in "ab"
        for n in range(20)
        for lang in ("en", "cn")
    ]
    for seed in range(5):
        chosen = config(tmp_path, evaluation__limit=4, diffusion_model__params={"device_ids": ["cpu"], "seed": seed})
        drawn = Counter((one.category, one.language) for one in part_of(samples, chosen))
        assert set(drawn.values()) == {1} and len(drawn) == 4
    plain = [replace(one, language="en") for one in samples]
    silent = [replace(one, language="") for one in samples]
    assert [a.id for a in part_of(plain, chosen)] == [b.id for b in part_of(silent, chosen)]


class Drawn:
    def read(self) -> bytes:
        raise AssertionError("nobody looks at the pixels")
