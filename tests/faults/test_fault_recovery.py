"""`retry` and `verify`: what failed is tried again, what is damaged is found, and only what is provable is fixed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from fault_runs import IDS, cli, config_in, report_in, samples_in

from editeval.cli.retry import reasons_of
from editeval.errors import FAMILIES, ConfigError, Reason
from editeval.store.run_store import RunStore

pytestmark = pytest.mark.slow


def latest(folder: Path) -> Path:
    return (folder / "outputs" / "latest").resolve()


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A run in which one edit died three times, one hung and one was no picture; each is cured by now but the last."""
    faults = {IDS[0]: "SIGSEGV", IDS[1]: "sleep", IDS[2]: "nothing"}
    path = config_in(tmp_path, faults=faults)
    text = path.read_text(encoding="utf-8").replace("reward_model", "  execution: {stall_s: 4.0}\nreward_model")
    path.write_text(text, encoding="utf-8")
    done = cli("run", "small.yaml", "--allow-code", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    return tmp_path


def test_every_attempt_of_every_try_is_on_record_and_a_family_names_several_reasons(broken: Path) -> None:
    reasons = {key: (row["edit"]["error"] or {}).get("reason") for key, row in samples_in(broken).items()}
    assert [reasons[i] for i in IDS] == ["worker_died", "stalled", "bad_output", None, None]
    done = cli("retry", "--only", "crash,timeout", "--allow-code", cwd=broken)
    assert "trying again 2 edits" in done.stderr and done.returncode == 3
    with RunStore.read(latest(broken)) as store:
        numbers = {key: [a.attempt for a in store.attempts("edit", key)] for key in IDS}
    assert numbers[IDS[0]] == numbers[IDS[1]] == [1, 2, 3, 1, 2, 3]
    assert numbers[IDS[2]] == [1]


def test_a_retry_that_cannot_go_on_leaves_the_run_as_it_was(broken: Path) -> None:
    before = samples_in(broken)
    refused = cli("retry", cwd=broken)
    assert refused.returncode == 2 and "--allow-code" in refused.stderr and refused.stderr.count("\n") == 1
    path = latest(broken) / "ledger.sqlite"
    with RunStore.read(latest(broken)) as store:
        assert {edit.sample_id for edit in store.edits()} == set(IDS)
    assert path.exists() and samples_in(broken) == before


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("parze", "--only parze: no such reason; did you mean 'parse'?"),
        ("timeout,xyzzy", "--only xyzzy: no such reason; known: "),
        ("parse", "--only parse: no sample failed for that reason; this run has worker_died (1), stalled (1)"),
    ],
)
def test_a_word_that_means_nothing_is_one_line(broken: Path, words: str, line: str) -> None:
    done = cli("retry", "--only", words, "--allow-code", cwd=broken)
    assert done.returncode == 2 and done.stderr.startswith(f"editeval: {line}"), done.stderr
    assert done.stderr.count("\n") == 1


def test_every_reason_that_the_code_gives_can_be_named() -> None:
    """Out-of-tree plug-ins may have reasons of their own: those are known once they stand in a ledger."""
    from collections import Counter

    for word in (*FAMILIES, *(reason.value for reason in Reason)):
        present = Counter([next(iter(FAMILIES.get(word, (word,))))])
        assert reasons_of([word], present) >= set(present)
    assert reasons_of(["of_their_own"], Counter(["of_their_own"])) == {"of_their_own"}
    with pytest.raises(ConfigError):
        reasons_of(["of_their_own"], Counter(["oom"]))


def test_scores_that_a_judge_could_not_give_are_asked_for_again_and_nothing_is_edited(tmp_path: Path) -> None:
    config_in(tmp_path)
    judge = "reward_model: {type: fakes.fake_judge, params: {device_ids: [cpu], modes: {causal/0000: raises}}}"
    text = (tmp_path / "small.yaml").read_text(encoding="utf-8")
    (tmp_path / "small.yaml").write_text(text[: text.index("reward_model")] + judge + "\n", encoding="utf-8")
    assert cli("run", "small.yaml", "--allow-code", cwd=tmp_path).returncode == 3
    with RunStore.read(latest(tmp_path)) as store:
        edits = [edit.sha256 for edit in store.edits()]
    done = cli("retry", "--only", "exception", "--allow-code", cwd=tmp_path)
    assert "trying again 0 edits and the scores of 1 samples" in done.stderr and done.returncode == 3
    with RunStore.read(latest(tmp_path)) as store:
        assert [edit.sha256 for edit in store.edits()] == edits
        assert len(list(store.attempts("judge", "causal/0000"))) > len(list(store.attempts("judge", IDS[0])))


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A finished run without faults."""
    config_in(tmp_path)
    assert cli("run", "small.yaml", "--allow-code", cwd=tmp_path).returncode == 0
    assert cli("verify", cwd=tmp_path).returncode == 0
    return tmp_path


def _replaced(name: str, old: str, new: str) -> Callable[[Path], None]:
    def damage(run: Path) -> None:
        text = (run / name).read_text(encoding="utf-8")
        assert old in text
        (run / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return damage


def _better_mean(run: Path) -> None:
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    report["summaries"][-1]["mean"] = 9.9
    (run / "report.json").write_text(json.dumps(report), encoding="utf-8")


def _better_score(run: Path) -> None:
    lines = (run / "scores.csv").read_text(encoding="utf-8").splitlines()
    cells = lines[1].split(",")
    cells[lines[0].split(",").index('"overall"')] = "9.5"
    (run / "scores.csv").write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n", encoding="utf-8")


def _one_bit(run: Path) -> None:
    path = sorted((run / "edits").glob("*.png"))[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _truncate(run: Path) -> None:
    path = sorted((run / "edits").glob("*.png"))[0]
    path.write_bytes(path.read_bytes()[:-20])


REPORTS = {
    "mean in report.json": (_better_mean, "report.json: report: "),
    "score in scores.csv": (_better_score, "scores.csv: report: row 2: "),
    "score in samples.jsonl": (
        _replaced("samples.jsonl", '"value": ', '"value": 1'),
        "samples.jsonl: report: line 1: ",
    ),
    "status in samples.jsonl": (_replaced("samples.jsonl", '"done"', '"failed"'), "samples.jsonl: report: line 1: "),
    "count in report.json": (_replaced("report.json", '"num_samples": 5', '"num_samples": 6'), "report.json: report: "),
    "no JSON": (lambda run: (run / "report.json").write_bytes(b"{"), "report.json: report: cannot be read"),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_that_says_something_else_than_the_ledger_is_found_and_written_anew(sound: Path, name: str) -> None:
    damage, line = REPORTS[name]
    before = samples_in(sound), report_in(sound)["summaries"]
    damage(latest(sound))
    found = cli("verify", cwd=sound)
    assert found.returncode == 3 and found.stdout.startswith(line), found.stdout
    assert "verify --repair" in found.stdout
    fixed = cli("verify", "--repair", "--allow-code", cwd=sound)
    assert fixed.returncode == 0 and "(repaired)" in fixed.stdout, fixed.stdout + fixed.stderr
    assert cli("verify", cwd=sound).returncode == 0
    assert (samples_in(sound), report_in(sound)["summaries"]) == before


@pytest.mark.parametrize(
    ("damage", "kind"), [(_one_bit, "altered"), (_truncate, "truncated")], ids=["one bit", "truncated"]
)
def test_a_damaged_image_is_made_again_and_the_run_is_what_it_was(
    sound: Path, damage: Callable[[Path], None], kind: str
) -> None:
    before = samples_in(sound)
    damage(latest(sound))
    assert f": {kind}: " in cli("verify", cwd=sound).stdout
    fixed = cli("verify", "--repair", "--allow-code", cwd=sound)
    assert fixed.returncode == 0 and "pending again" in fixed.stdout, fixed.stdout
    assert cli("verify", cwd=sound).returncode == 0, "the reports say that one sample is pending"
    assert sum(row["edit"]["status"] == "pending" for row in samples_in(sound).values()) == 1
    assert cli("run", "small.yaml", "--allow-code", cwd=sound).returncode == 0
    assert samples_in(sound) == before and cli("verify", cwd=sound).returncode == 0


def test_without_consent_to_foreign_code_reports_stay_and_the_remedy_is_said(sound: Path) -> None:
    _better_mean(latest(sound))
    refused = cli("verify", "--repair", cwd=sound)
    assert refused.returncode == 3 and "0 repaired" in refused.stdout
    assert "the reports cannot be written again: " in refused.stderr and "--allow-code" in refused.stderr


def test_a_row_that_belongs_to_nothing_is_told_and_never_mended(sound: Path) -> None:
    with sqlite3.connect(latest(sound) / "ledger.sqlite") as db:
        names = [row[1] for row in db.execute("PRAGMA table_info(scores)")]
        values = ["'nobody'" if name == "sample_id" else name for name in names]
        db.execute(f"INSERT INTO scores SELECT {', '.join(values)} FROM scores LIMIT 1")
    db.close()
    before = (latest(sound) / "ledger.sqlite").read_bytes()
    found = cli("verify", "--repair", "--allow-code", cwd=sound)
    assert found.returncode == 3 and "of scores belongs to nothing in edits" in found.stdout
    assert (latest(sound) / "ledger.sqlite").read_bytes() == before


def test_between_the_stages_an_altered_image_is_never_judged(tmp_path: Path) -> None:
    """The judge comes in a second invocation; one edit was altered meanwhile."""
    config_in(tmp_path)
    text = (tmp_path / "small.yaml").read_text(encoding="utf-8")
    judged = text[text.index("reward_model") :]
    (tmp_path / "small.yaml").write_text(text.replace(judged, ""), encoding="utf-8")
    assert cli("run", "small.yaml", "--allow-code", cwd=tmp_path).returncode == 0
    _one_bit(latest(tmp_path))
    (tmp_path / "small.yaml").write_text(text, encoding="utf-8")
    assert cli("run", "small.yaml", "--allow-code", cwd=tmp_path).returncode == 3
    reasons = [row["scores"]["overall"]["reason"] for row in samples_in(tmp_path).values()]
    assert sorted(filter(None, reasons)) == ["bad_image"]
