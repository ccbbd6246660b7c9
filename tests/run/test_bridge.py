"""`editeval bridge` and `report --scale-of`: a judge's scores on the scale of another, marked, checked and refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import command_line
from editeval.certificates.photographic import write_photographic
from editeval.store.run_store import RunStore

PLUGINS = '''
import io
from dataclasses import dataclass
from hashlib import sha256
from PIL import Image
from editeval.types import Editor, Judge, OfficialMean, Score

@dataclass(frozen=True)
class Level:
    level: int = 100

class Paint(Editor):
    """A grey as light as its level, give or take what the sample's id says."""
    Params = Level
    default_device = "cpu"
    def edit(self, request, progress):
        noise = sha256(request.key.encode()).digest()
        return Image.new("RGB", (64, 64), (self.params.level + noise[0] // 4, noise[1], noise[2]))

def red(request):
    return Image.open(io.BytesIO(request.edited)).getpixel((0, 0))[0]

@dataclass(frozen=True)
class Offset:
    offset: float = 0.0

class Old(Judge):
    default_device = "cpu"
    metrics = ("overall",)
    @classmethod
    def official_of(cls, params):
        return (OfficialMean("Avg", ("overall",), "samples"),)
    def judge(self, requests):
        return [[Score(r.key, "old", "overall", (red(r) / 255) ** 2 * 10)] for r in requests]

class New(Judge):
    Params = Offset
    default_device = "cpu"
    metrics = ("overall", "style")
    def judge(self, requests):
        return [[Score(r.key, "new", m, red(r) / 25.5 + self.params.offset) for m in self.metrics] for r in requests]
'''
RUN = """\
benchmark: {type: procedural, params: {num_per_category: 3, size: 64}}
diffusion_model: {type: "plugins.py:Paint", params: {device_ids: [cpu], level: LEVEL}, execution: {backend: inprocess}}
reward_models:
"""
OLD = '  old: {type: "plugins.py:Old", params: {device_ids: [cpu]}, execution: {backend: inprocess}}\n'
NEW = '  new: {type: "plugins.py:New", params: {device_ids: [cpu]}, execution: {backend: inprocess}}\n'
LEVELS = {"dim": 40, "mid": 80, "lit": 120}
BRIDGE = "bridge-new-to-old.json"
ANCHORS = ("bridge", "--anchor", *LEVELS, "--from", "new", "--to", "old")
SHOW = ("report", "mine", "--scale-of", "old", "--bridge", BRIDGE, "--allow-code")


def ok(folder: Path, *arguments: str) -> str:
    done = command_line.cli(*arguments, cwd=folder)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


def refused(folder: Path, *arguments: str) -> str:
    done = command_line.cli(*arguments, cwd=folder)
    assert done.returncode == 2, (arguments, done.stdout, done.stderr)
    return done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three editors that both judges judged, one that only the new one did, one far lighter, and the bridge."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "plugins.py").write_text(PLUGINS)
    judged = {name: (level, OLD + NEW) for name, level in LEVELS.items()}
    judged |= {"mine": (100, NEW), "far": (190, NEW), "other": (100, NEW.replace("[cpu]", "[cpu], offset: 0.5"))}
    for name, (level, judges) in judged.items():
        (folder / f"{name}.yaml").write_text(
            RUN.replace("LEVEL", str(level)) + judges + "logging: {console_output: false, file_output: false}\n"
        )
        ok(folder, "run", f"{name}.yaml", "--allow-code", "--display", "none")
    ok(folder, *ANCHORS)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy that a test may change."""
    yield Path(shutil.copytree(made, tmp_path / "copy", symlinks=True))


def report(folder: Path, name: str = "mine") -> dict[str, Any]:
    (directory,) = (folder / "outputs").glob(f"{name}-*")
    content: dict[str, Any] = json.loads((directory / "report.json").read_text())
    return content


def whole(content: dict[str, Any]) -> dict[str, Any]:
    return next(s for s in content["summaries"] if s["category"] == "micro")


def test_equated_scores_are_near_those_that_the_old_judge_gives(folder: Path) -> None:
    shown = ok(folder, *SHOW)
    equated = whole(report(folder))
    ok(folder, "score", "mine", "dim.yaml", "--allow-code", "--display", "none")
    ok(folder, "report", "mine", "--scores", "old", "--allow-code")
    assert equated["mean"] == pytest.approx(whole(report(folder))["mean"], abs=0.15)
    assert "equated-old.overall" in shown


def test_equated_values_are_marked_in_every_output(folder: Path) -> None:
    shown = ok(folder, *SHOW)
    content = report(folder)
    (directory,) = (folder / "outputs").glob("mine-*")
    digest = json.loads((folder / BRIDGE).read_text())["digest"]
    said = f"equated to old by bridge {digest[:8]}"
    assert content["badge"] == "valid with warnings"
    assert content["headline_metric"] == "equated-old.overall"
    (block,) = content["run"]["equated"]
    assert (block["bridge"], block["from"], block["to"]) == (digest, "new", "old")
    half = block["metrics"]["overall"]["map_half_width"]
    assert f"overall ± {half:.2f}" in shown
    assert said in shown and any(said in warning for warning in content["warnings"])
    assert said in (directory / "report.md").read_text()
    assert said in (directory / "report" / "data" / "run.js").read_text()
    assert "equated-old.overall" in (directory / "report.html").read_text()
    for name in ("samples.jsonl", "scores.csv"):
        assert "equated-old.overall" in (directory / name).read_text()
    assert "equated by bridge" in ok(folder, "export", "mine", "--to", "tex", "--output", "-")
    assert "equated-old.overall" in ok(folder, "status", "mine")


def test_a_certificate_that_the_asked_judge_failed_is_said_of_its_equated_scores(folder: Path) -> None:
    key = json.loads((folder / BRIDGE).read_text())["source"]["id"]
    counts = {"name": "x", "metric": "overall", "required": "x", "num_compared": 40, "num_asked": 40}
    check = counts | {"status": "failed", "value": 0.5, "low": 0.4, "high": 0.6}
    data = {"name": "own", "digest": "d", "num_used": 40}
    content = {"schema_version": 1, "kind": "photographic", "key": key, "verdict": "not certified", "data": data}
    write_photographic(folder / "outputs", {**content, "checks": [check, check]})
    ok(folder, *SHOW)
    assert report(folder)["badge"] == "invalid judge"
    assert "photographs of own: NOT CERTIFIED" in ok(folder, "export", "mine", "--to", "tex", "--output", "-")


def test_a_comparison_of_equated_scores_has_no_interval(folder: Path) -> None:
    ok(folder, *SHOW)
    (pair,) = json.loads(ok(folder, "compare", "mine", "mid", "--intersect", "--json"))["pairs"]
    one = pair["overall"]
    assert (one["low"], one["high"], one["interval_note"]) == (None, None, "equated") and one["difference"] > 0
    assert (one["p"], one["better"], one["reason"]) == (None, "", "unreliable")
    (pair,) = json.loads(ok(folder, "compare", "dim", "mid", "--json"))["pairs"]
    assert pair["overall"]["high"] < 0 and pair["overall"]["interval_note"] == ""


def test_the_interval_holds_the_error_of_the_map_and_of_the_samples(folder: Path) -> None:
    ok(folder, *SHOW)
    content = report(folder)
    row, block = whole(content), content["run"]["equated"][0]["metrics"]["overall"]
    assert row["ci_high"] - row["ci_low"] > 2 * block["map_half_width"] > 0


def test_the_number_of_the_authors_is_there_and_is_no_official_one(folder: Path) -> None:
    assert "Avg, equated, authors' rule" in ok(folder, *SHOW)
    content = report(folder)
    assert [one["name"] for one in content["run"]["official"]] == ["Avg, equated"]
    assert "official_claim" not in content["run"], "the old judge claims none, so nothing is left to deny"


def test_verify_computes_equated_scores_again(folder: Path) -> None:
    ok(folder, *SHOW)
    assert ", 0 problems" in ok(folder, "verify", "mine", "--allow-code")
    (directory,) = (folder / "outputs").glob("mine-*")
    with RunStore.reopen(directory) as store:
        (equated,) = (one for one in store.judgings() if one.judge == "equated")
        with store.transaction() as db:
            db.execute("UPDATE scores SET value = value + 1 WHERE judging_id = ? AND rowid % 2", (equated.id,))
    done = command_line.cli("verify", "mine", "--allow-code", cwd=folder)
    assert done.returncode == 3 and "are not what bridge" in done.stdout
    ok(folder, *SHOW)
    assert ", 0 problems" in ok(folder, "verify", "mine", "--allow-code")


def test_a_report_that_says_another_error_of_the_map_is_found(folder: Path) -> None:
    ok(folder, *SHOW)
    (path,) = (folder / "outputs").glob("mine-*/report.json")
    content = json.loads(path.read_text())
    content["run"]["equated"][0]["metrics"]["overall"]["map_half_width"] = 0.01
    path.write_text(json.dumps(content))
    assert "what it says of equated scores" in command_line.cli("verify", "mine", "--allow-code", cwd=folder).stdout


def test_the_same_command_again_adds_nothing_and_the_own_scores_can_be_shown_again(folder: Path) -> None:
    ok(folder, *SHOW)
    first = report(folder)
    ok(folder, *SHOW)
    assert report(folder)["summaries"] == first["summaries"]
    assert report(folder)["timing"] == first["timing"], "equating is no work of a judge"
    ok(folder, "report", "mine", "--scores", "new", "--allow-code")
    content = report(folder)
    assert content["headline_metric"] == "overall" and "equated" not in content["run"]
    ok(folder, "report", "mine", "--allow-code")
    assert report(folder)["headline_metric"] == "overall"


def test_the_same_anchors_give_the_same_file(folder: Path) -> None:
    before = (folder / BRIDGE).read_bytes()
    ok(folder, *ANCHORS)
    assert (folder / BRIDGE).read_bytes() == before
    said = refused(folder, "bridge", "--anchor", "dim", "mid", "--from", "new", "--to", "old")
    assert "another file is there" in said
    assert (folder / BRIDGE).read_bytes() == before


def test_a_run_once_named_twice_is_one_anchor(folder: Path) -> None:
    ok(folder, *ANCHORS[:2], "dim", "mid", "lit", "dim", *ANCHORS[5:], "--out", "again.json")
    assert (folder / "again.json").read_bytes() == (folder / BRIDGE).read_bytes()


def test_one_editor_gives_means_without_an_interval(folder: Path) -> None:
    assert "a map needs 30" in refused(folder, *ANCHORS[:2], "mid", *ANCHORS[5:], "--out", "one.json")
    rows = [f"only,s{n},{n % 10},{n % 10}\n" for n in range(40)]
    (folder / "one.csv").write_text("editor,sample,from,to\n" + "".join(rows))
    said = ok(folder, "bridge", "--anchor", "one.csv", "--from", "new", "--to", "old", "--out", "one.json")
    assert "one editor" in said and "no interval" in said
    ok(folder, *SHOW[:5], "one.json", "--allow-code", "--scores", "new")
    row = whole(report(folder))
    assert row["mean"] is not None and row["ci_low"] is None and row["interval_note"] == "one_anchor_editor"
    assert "went through a bridge already" in refused(
        folder, *SHOW[:5], "one.json", "--allow-code", "--scores", "equated-old"
    )
    said = " ".join(report(folder)["warnings"])
    assert "Error of the map, part of every interval: overall not known" in said
    assert "fitted on a table" in said


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_tables_of_scores_are_anchors_too(folder: Path, suffix: str) -> None:
    rows = [
        {
            "editor": editor,
            "sample": f"s{n}",
            "cluster": f"i{n // 2}",
            "metric": "overall",
            "from": n % 8,
            "to": n % 8 + k,
        }
        for k, editor in enumerate("abc")
        for n in range(30)
    ]
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    text = "\n".join(lines if suffix == "csv" else map(json.dumps, rows))
    (folder / f"t.{suffix}").write_text(text)
    assert "90" in ok(folder, "bridge", "--anchor", f"t.{suffix}", "--from", "x", "--to", "y")
    assert refused(folder, *SHOW[:3], "y", "--bridge", "bridge-x-to-y.json", "--allow-code").count("--scores") == 1


REFUSED = {
    "a mean too far away": (("report", "far", *SHOW[2:]), "scores lie outside"),
    "another version of the judge": (("report", "other", *SHOW[2:]), "another version of the judge"),
    "another scale": ((*SHOW[:3], "gpt-4.1", *SHOW[4:]), "leads from new to old"),
    "no file": ((*SHOW[:5], "absent.json", "--allow-code"), "No such file"),
    "half of the flags": (SHOW[:4], "go together"),
    "scores that it knows": ((*SHOW, "--scores", "new"), "leave --scores out"),
    "a judge that is not there": ((*ANCHORS[:-1], "nobody"), "--to nobody: no such score set"),
    "one judge twice": ((*ANCHORS[:-1], "new"), "must be two judges"),
    "a metric of one side": ((*ANCHORS, "--metric", "style"), "--metric style=style: old gives overall"),
    "runs and tables": ((*ANCHORS[:2], "dim", "t.csv", *ANCHORS[5:]), "not both"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_anchors_do_not_cover_is_refused_in_one_line(made: Path, case: str) -> None:
    arguments, why = REFUSED[case]
    said = refused(made, *arguments)
    assert why in said and said.count("\n") == 1, said
    assert report(made)["headline_metric"] == "overall", "nothing is shown otherwise than before"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace('"wanted": "overall"', '"wanted": "style"'), "was changed after it was written"),
        (lambda text: text.replace('"version": 1', '"version": 2'), "version 2"),
        (lambda text: text.replace("editeval-bridge", "else"), "must be a file that"),
        (lambda text: text[: len(text) // 2], "--bridge bridge-new-to-old.json: "),
        (lambda text: "[" * 100_000, "nested deeper"),
        (lambda text: text.replace('"noise": ', '"noise": "x", "n": '), "--bridge bridge-new-to-old.json: "),
    ],
)
def test_a_bridge_file_that_was_changed_is_refused_in_one_line(folder: Path, change: Any, why: str) -> None:
    path = folder / BRIDGE
    text = path.read_text()
    path.write_text(change(text))
    assert path.read_text() != text
    said = refused(folder, *SHOW)
    assert why in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a,s,1", "lacks to"),
        ("a,s,one,2", "must be a number, got 'one'"),
        ("a,s,1,-1e300", "must be a number of at most 1e+09 in size, got '-1e300'"),
        ("a,s,nan,2", "must be a number"),
        ("a,s,1,2\na,s,1,2", "there twice"),
    ],
)
def test_a_broken_table_names_its_line(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "t.csv").write_text(f"editor,sample,from,to\n{line}\n")
    said = refused(tmp_path, "bridge", "--anchor", "t.csv", "--from", "x", "--to", "y")
    assert why in said and "t.csv:" in said and said.count("\n") == 1
