"""Every output of a run shows the same scores, under the same labels, and the same seconds; reports follow a change."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import command_line
from editeval.reports.site.payload import read_block
from editeval.run import results
from editeval.run.comparison import scored
from editeval.store.ledger_events import ScoreSetsChosen, ScoresForgotten
from editeval.store.run_store import RunStore
from editeval.text import duration, fixed

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model: {type: identity, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
reward_model: {type: fakes.replying_judge, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
logging: {console_output: false}
"""
OTHER = """\
reward_models:
  exact: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
  words:
    type: fakes.replying_judge
    params: {device_ids: [cpu], protocol: viescore, text: '{"score": [4, 6], "reasoning": "fine"}'}
    execution: {backend: inprocess}
"""
CODE = "--allow-code"
SCORE = ("score", "latest", "other.yaml", CODE)
REPARSE = ("reparse", "--min-label-mass", "0.5", CODE)
WAYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "the configuration": (),
    "another judge in the configuration": (
        ("run", "small.yaml", "--set", "reward_model.params.min_label_mass=0.5", CODE),
    ),
    "no judge": (("run", "small.yaml", "--set", "reward_model=null"),),
    "no judge, and a score": (("run", "small.yaml", "--set", "reward_model=null"), SCORE),
    "score": (SCORE,),
    "reparse": (REPARSE,),
    "report": (SCORE, ("report", CODE)),
    "report --scores of a score": (SCORE, ("report", "--scores", "words", CODE)),
    "report --scores of a reparse": (REPARSE, ("report", "--scores", "replying_judge-reparsed", CODE)),
    "report --scores of several": (
        SCORE,
        ("report", "--scores", "exact", "--scores", "replying_judge", "--scores", "words", CODE),
    ),
    "report --scores, then the run again": (
        SCORE,
        ("report", "--scores", "words", CODE),
        ("run", "small.yaml", CODE),
    ),
    "report --scores, then a retry": (SCORE, ("report", "--scores", "words", CODE), ("retry", CODE)),
    "report --scores, then a reparse": (
        SCORE,
        ("report", "--scores", "words", CODE),
        ("reparse", "--scores", "replying_judge", "--min-label-mass", "0", CODE),
    ),
}

Cli = Callable[..., str]


@pytest.fixture
def cli() -> Cli:
    def call(*arguments: str, expected: tuple[int, ...] = (0, 3)) -> str:
        done = command_line.cli(*arguments, cwd=Path.cwd())
        assert done.returncode in expected, done
        return done.stdout

    return call


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, as every test begins."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "small.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "other.yaml").write_text(OTHER, encoding="utf-8")
    command_line.cli("run", "small.yaml", CODE, cwd=folder)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, where the test is; the run's directory."""
    shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")
    return Path("outputs/latest").resolve()


Values = dict[str, dict[str, float | None]]  # sample -> label -> score


def in_table(text: str, labels: list[str]) -> Values:
    return {
        row["id"]: {label: float(row[label]) if row[label] else None for label in labels}
        for row in csv.DictReader(io.StringIO(text))
    }


def ledger_values(run: Path) -> tuple[list[str], list[str], Values]:
    with RunStore.read(run) as store:
        shown = results.shown(store)
        labels = list(results.labels(shown))
        rows = {row.id: {label: results.value_of(row, label) for label in labels} for row in results.rows(store)}
    return [one.id for one in shown], labels, rows


@pytest.fixture(scope="module", params=WAYS)
def walked(request: pytest.FixtureRequest, finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of it in which the scores were chosen in one of the ways; nothing of the run is changed any more."""
    folder = tmp_path_factory.mktemp("walked") / "copy"
    shutil.copytree(finished, folder, symlinks=True)
    for arguments in WAYS[request.param]:
        assert command_line.cli(*arguments, cwd=folder).returncode in (0, 3)
    return folder


@pytest.fixture
def chosen(walked: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run's directory of that copy, where the test is."""
    monkeypatch.chdir(walked)
    return Path("outputs/latest").resolve()


def test_export_equals_report_for_every_way_of_choosing_scores(chosen: Path, cli: Cli) -> None:
    run = chosen
    ids, labels, values = ledger_values(run)
    report = json.loads((run / "report.json").read_bytes())
    assert [judging["id"] for judging in report["run"]["judgings"]] == ids
    assert list(dict.fromkeys(summary["metric"] for summary in report["summaries"])) == labels
    assert in_table((run / "scores.csv").read_text(encoding="utf-8"), labels) == values
    assert in_table(cli("export", "--to", "csv", "--output", "-"), labels) == values
    lines = map(json.loads, (run / "samples.jsonl").read_text(encoding="utf-8").splitlines())
    told = {line["id"]: {label: (line["scores"].get(label) or {}).get("value") for label in labels} for line in lines}
    assert told == {i: {m: v if v is None else round(v, 6) for m, v in row.items()} for i, row in values.items()}
    assert cli("export", "--to", "md", "--output", "-", CODE) == (run / "report.md").read_text(encoding="utf-8")
    status = json.loads(cli("status", "--json"))
    assert {one["id"] for one in status["judgings"] if one["is_shown"]} == set(ids)
    heads = {one["score"]["metric"]: one["score"] for one in status["stages"] if one["kind"] == "judge"}
    names = {one["id"]: one["name"] for one in status["judgings"]}
    assert [head["score_set"] for head in heads.values()] == [names[score_set_id] for score_set_id in ids]
    micro = {s["metric"]: s for s in report["summaries"] if s["category"] == "micro"}
    for label, head in heads.items():
        assert (head["mean"], head["num_scored"]) == (micro[label]["mean"], micro[label]["num_scored"])
    (shown,) = [json.loads(line) for line in cli("show", "latest", "causal/0000", "--json").splitlines()]
    assert {one["id"] for one in shown["judgings"] if one["is_shown"]} == set(ids)
    block = read_block(run)
    assert [judging["id"] for judging in block["run"]["judgings"]] == ids
    assert (
        [one.value for one in scored(run, block).values()] == [row.get(labels[0]) for row in values.values()]
        if (labels)
        else not ids
    )
    assert " 0 problems" in cli("verify", expected=(0,))


def test_the_table_for_a_paper_has_the_report_s_headline(chosen: Path, cli: Cli) -> None:
    report = json.loads((chosen / "report.json").read_bytes())
    if not report["summaries"]:
        assert not report["run"]["judgings"]
        return
    (whole,) = [s for s in report["summaries"] if (s["metric"], s["category"]) == (report["headline_metric"], "micro")]
    table = cli("export", "--to", "tex", "--output", "-")
    means = next(line for line in table.splitlines() if line.strip().startswith("identity &"))
    assert means.split("&")[-1].strip(" \\") == fixed(whole["mean"])


@pytest.mark.parametrize("step", [SCORE, REPARSE], ids=["score", "reparse"])
def test_scoring_again_changes_no_number_of_the_reports(step: tuple[str, ...], run: Path, cli: Cli) -> None:
    before = json.loads((run / "report.json").read_bytes())
    tables = (run / "scores.csv").read_bytes(), (run / "samples.jsonl").read_bytes()
    cli(*step)
    after = json.loads((run / "report.json").read_bytes())
    assert ((run / "scores.csv").read_bytes(), (run / "samples.jsonl").read_bytes()) == tables
    assert (after["summaries"], after["coverage"]) == (before["summaries"], before["coverage"])
    assert after["run"]["also_kept"] and not before["run"]["also_kept"]


def test_every_output_names_judge_and_protocol_of_every_score_set(run: Path, cli: Cli) -> None:
    cli(*SCORE)
    terminal = cli("report", "--scores", "words", "--scores", "exact", CODE)
    with RunStore.read(run) as store:
        words, exact = results.shown(store)
    assert (words.protocol, exact.protocol) == ("viescore", "")
    outputs = {
        "terminal": re.sub(r"\s+", " ", terminal),
        "report.md": (run / "report.md").read_text(encoding="utf-8").replace("\\", ""),
        "page": (run / "report.html").read_text(encoding="utf-8"),
        "tex": cli("export", "--to", "tex", "--output", "-").replace("\\", ""),
        "trace": cli("export", "--to", "trace", "--output", "-"),
        "show": cli("show", "latest", "causal/0000"),
    }
    for name, text in outputs.items():
        assert words.title in text, name
        assert exact.title in text or name == "tex", name
    for text in ((run / "scores.csv").read_text(encoding="utf-8"), cli("export", "--to", "csv", "--output", "-")):
        row = next(csv.DictReader(io.StringIO(text)))
        assert (row["judge"], row["protocol"]) == (f"fakes.replying_judge ({words.id})", "viescore")
        assert (row["exact.judge"], row["exact.protocol"]) == (f"reference ({exact.id})", "")
    line = json.loads((run / "samples.jsonl").read_text(encoding="utf-8").splitlines()[0])
    told = {label: (score["judge"], score["protocol"]) for label, score in line["scores"].items()}
    assert told[words.labels[0]] == ("fakes.replying_judge", "viescore")
    assert told[exact.labels[0]] == ("reference", None)
    kept = {one["name"]: one["protocol"] for one in json.loads(cli("status", "--json"))["judgings"]}
    assert kept == {"replying_judge": "pointwise", "exact": "", "words": "viescore"}
    assert "words" in cli("status") and "protocol viescore" in cli("status")


def test_a_report_that_shows_other_scores_than_the_run_is_found_and_repaired(run: Path, cli: Cli) -> None:
    cli(*SCORE)
    with RunStore.reopen(run) as store:
        results.choose(store, ["exact"])  # as if `report --scores` had been killed before it wrote
    assert "report.json: report: shows the scores" in cli("verify", expected=(3,))
    cli("verify", "--repair", CODE, expected=(0,))
    assert json.loads((run / "report.json").read_bytes())["run"]["judgings"][0]["name"] == "exact"


def test_a_run_of_an_older_version_shows_what_its_report_shows(run: Path, cli: Cli) -> None:
    cli(*SCORE)
    cli("report", "--scores", "words", CODE)
    with RunStore.reopen(run) as store, store.transaction() as db:
        db.execute("DELETE FROM events WHERE kind = ?", (ScoreSetsChosen.kind,))
        (told,) = db.execute("SELECT data FROM events WHERE kind = 'stages' ORDER BY seq DESC LIMIT 1").fetchone()
    assert "words" in told
    assert ledger_values(run)[0] == [
        one["id"] for one in json.loads((run / "report.json").read_bytes())["run"]["judgings"]
    ]
    assert " 0 problems" in cli("verify", expected=(0,))


def test_a_chosen_score_set_that_lost_its_scores_stays_the_headline(run: Path, cli: Cli) -> None:
    cli(*SCORE)
    cli("report", "--scores", "words", "--scores", "exact", CODE)
    ids, labels, _ = ledger_values(run)
    with RunStore.reopen(run) as store:
        store.forget_scores(ids[0], list(store.sample_ids()))
    assert ledger_values(run)[:2] == (ids, labels)
    cli("report", CODE, expected=(3,))
    assert json.loads((run / "report.json").read_bytes())["headline_metric"] == labels[0]
    assert " 0 problems" in cli("verify", expected=(0,))


# -- one clock -------------------------------------------------------------------------------------------------------

NAMES = {
    "wall_s": "whole run",
    "load_s": "loading",
    "edit_s": "editing",
    "both_s": "editing and judging",
    "swap_s": "swapping models",
    "judge_s": "judging",
}


def test_every_output_of_a_run_prints_the_same_seconds(run: Path, cli: Cli) -> None:
    cli(*SCORE)
    terminal = re.sub(r"\s+", " ", cli("report", CODE))
    timing = json.loads((run / "report.json").read_bytes())["timing"]
    told = {name: duration(timing[name]) for name in NAMES}
    markdown = (run / "report.md").read_text(encoding="utf-8")
    page = (run / "report.html").read_text(encoding="utf-8")
    block = read_block(run)
    for name, label in NAMES.items():
        if name == "both_s" and not timing[name]:
            assert f" {label} " not in terminal
            continue
        assert f" {label} {told[name]} " in terminal, name
        assert f"- {label}: {told[name]}\n" in markdown, name
    assert f">{told['wall_s']} <small" in page
    for name in ("edit_s", "judge_s", "swap_s"):
        assert re.search(rf'data-t="{name}">{NAMES[name]}</span> {re.escape(told[name])}<', page), name
    assert {name: block["timing"][name] for name in NAMES} == {name: timing[name] for name in NAMES}
    assert block["timeline"]["phases"] == {name: timing[name] for name in NAMES if name != "wall_s"}
    assert block["timeline"]["seconds"] == timing["wall_s"]
    lanes = {lane["worker"]: lane for lane in block["timeline"]["lanes"] if lane["stage"] == "edit"}
    assert [(w["busy_s"], w["idle_s"]) for w in timing["workers"]] == [
        (w["busy_s"], w["idle_s"]) for w in lanes.values()
    ]


# -- reports follow --------------------------------------------------------------------------------------------------


def certify_badly(run: Path) -> None:
    with RunStore.read(run) as store:
        (shown,) = results.shown(store)
    content = {
        "schema_version": 1,
        "suite": 0,
        "key": shown.id,
        "verdict": "not certified",
        "created_at": 1.0,
        "num_samples": 30,
        "checks": [],
        "figures": dict.fromkeys(("auroc_target_identity", "auroc_shuffled", "tied", "retest_sd", "coverage")),
    }
    from editeval.certificates.certificate import SCHEMA_VERSION
    from editeval.certificates.checks import SUITE

    folder = Path("outputs/certificates")
    folder.mkdir(exist_ok=True)
    content |= {"schema_version": SCHEMA_VERSION, "suite": SUITE}
    (folder / f"{shown.id}.json").write_text(json.dumps(content), encoding="utf-8")


AGAIN = ("run", "small.yaml", CODE)
CHANGES: dict[str, tuple[Callable[[Path], None] | None, tuple[str, ...], str, str]] = {
    "statistics": (None, (*AGAIN, "--set", "evaluation.metrics=[median]"), "report.md", "| category | median |"),
    "a certificate": (certify_badly, AGAIN, "report.md", "NOT CERTIFIED"),
    "a subset": (None, (*AGAIN, "--limit", "3"), "report.md", "covers 3 of the 5 edits"),
    "a setting that only the provenance shows": (
        None,
        (*AGAIN, "--set", "diffusion_model.execution.timeout_s=77"),
        "report.json",
        '"timeout_s": 77',
    ),
    "a file that is gone": (lambda run: (run / "report.md").unlink(), AGAIN, "report.md", "## Time"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_configuration_changes_the_files_of_a_finished_run(change: str, run: Path, cli: Cli) -> None:
    prepare, arguments, file, wanted = CHANGES[change]
    assert change == "a file that is gone" or wanted not in (run / file).read_text(encoding="utf-8")
    if prepare is not None:
        prepare(run)
    cli(*arguments)
    assert wanted in (run / file).read_text(encoding="utf-8")
    assert " 0 problems" in cli("verify", expected=(0,))


def test_a_run_of_which_nothing_has_changed_writes_no_report(run: Path, cli: Cli) -> None:
    def written() -> dict[str, int]:
        files = [*run.glob("report*"), run / "scores.csv", run / "samples.jsonl", run / "report/data/run.js"]
        return {path.name: path.stat().st_mtime_ns for path in files}

    cli(*AGAIN)  # the copy is elsewhere, and its report says where
    before = written()
    cli(*AGAIN)
    cli(*AGAIN)
    assert written() == before


def test_a_report_that_somebody_else_wrote_is_not_taken_for_that_of_the_run(run: Path, cli: Cli) -> None:
    cli(*AGAIN, "--limit", "2")
    assert len((run / "scores.csv").read_text(encoding="utf-8").splitlines()) == 3
    cli(*AGAIN)
    assert len((run / "scores.csv").read_text(encoding="utf-8").splitlines()) == 6
    cli("report", CODE)
    before = (run / "report.json").stat().st_mtime_ns
    cli(*AGAIN)
    assert (run / "report.json").stat().st_mtime_ns == before, "`report` wrote what `run` would have written"


def test_a_retry_covers_the_judges_that_score_added(run: Path, cli: Cli) -> None:
    cli("score", "--set", "reward_model.params.protocol=pointwise_mean", CODE)
    with RunStore.read(run) as store:
        configured, added = results.kept(store)
    cli("retry", "--only", "low_mass", CODE)
    with RunStore.read(run) as store:
        forgotten = {one.event.judging_id for one in store.events_of(ScoresForgotten)}
        assert forgotten == {configured.id, added.id}
        assert store.pending_scores(configured.id) == store.pending_scores(added.id) == []
        assert [one.id for one in results.shown(store)] == [configured.id]
