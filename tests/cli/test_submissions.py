"""`editeval submit` and `verify-submission`: the same digits elsewhere, and whatever was changed is named."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import socket
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from command_line import cli
from editeval.run import submission
from editeval.store import seal
from editeval.store.run_store import RunStore

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 2, size: 64}}
diffusion_model: {type: identity, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
reward_model:
  type: fakes.replying_judge
  params: {min_label_mass: 0.0, device_ids: [cpu]}
  execution: {backend: inprocess}
evaluation: {controls: 5}
logging: {console_output: false}
"""
Change = Callable[[dict[str, bytes]], object]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose judge keeps its replies, and its submission with the edits."""
    root = tmp_path_factory.mktemp("submissions")
    (root / "small.yaml").write_text(CONFIG, encoding="utf-8")
    assert cli("run", "small.yaml", "--allow-code", "--name", "mine", cwd=root).returncode == 0
    assert cli("submit", "mine", "-o", "mine.tar.gz", "--with-images", cwd=root).returncode == 0
    return root


def verified(made: Path, file: Path, home: Path) -> CompletedProcess[str]:
    """On a machine of somebody else: another key, no runs."""
    return cli("verify-submission", str(file), cwd=home, XDG_CONFIG_HOME=str(home / "config"))


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {one.name: (tar.extractfile(one) or io.BytesIO()).read() for one in tar.getmembers()}


def packed(files: dict[str, bytes], path: Path) -> Path:
    with tarfile.open(path, "w:gz", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def sql(statement: str) -> Change:
    """The ledger of a submission, changed."""

    def change(files: dict[str, bytes]) -> None:
        db = sqlite3.connect(":memory:")
        db.deserialize(files["submission/ledger.sqlite"])
        assert db.execute(statement).rowcount > 0
        db.commit()
        files["submission/ledger.sqlite"] = db.serialize()
        db.close()

    return change


def sealed_again(files: dict[str, bytes]) -> None:
    """The digests of a submission are made to fit: what a forger would do who reads the code."""
    about = json.loads(files["submission/submission.json"])
    about["files"] = {name: hashlib.sha256(files[f"submission/{name}"]).hexdigest() for name in about["files"]}
    told = {name: value for name, value in about.items() if name != "digest"}
    about["digest"] = hashlib.sha256(seal.canonical(told)).hexdigest()
    files["submission/submission.json"] = json.dumps(about).encode()


def report(**changed: Any) -> Change:
    def change(files: dict[str, bytes]) -> None:
        told = json.loads(files["submission/report.json"])
        for summary in told["summaries"]:
            summary.update(changed)
        files["submission/report.json"] = json.dumps(told).encode()

    return change


def of_json(name: str, **changed: Any) -> Change:
    def change(files: dict[str, bytes]) -> None:
        files[f"submission/{name}"] = json.dumps(json.loads(files[f"submission/{name}"]) | changed).encode()

    return change


def block(*names: str, **changed: Any) -> Change:
    """A block of report.json, changed."""

    def change(files: dict[str, bytes]) -> None:
        told = json.loads(files["submission/report.json"])
        found = told
        for name in names:
            found = found[name]
        assert set(changed) <= set(found)
        found |= changed
        files["submission/report.json"] = json.dumps(told).encode()

    return change


def both(*changes: Change) -> Change:
    return lambda files: [change(files) for change in changes]


def text(name: str, old: str, new: str) -> Change:
    def change(files: dict[str, bytes]) -> None:
        assert old.encode() in files[f"submission/{name}"]
        files[f"submission/{name}"] = files[f"submission/{name}"].replace(old.encode(), new.encode(), 1)

    return change


def other_picture(files: dict[str, bytes]) -> None:
    names = sorted(name for name in files if name.endswith(".png"))
    other = next(name for name in names if files[name] != files[names[0]])
    files[names[0]] = files[other]


def test_somebody_else_reads_the_same_digits(made: Path, tmp_path: Path) -> None:
    done = verified(made, made / "mine.tar.gz", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((made / "outputs" / "latest" / "report.json").read_bytes())
    whole = next(s for s in told["summaries"] if (s["metric"], s["category"]) == (told["headline_metric"], "micro"))
    assert f"{told['headline_metric']} {whole['mean']:.6g}" in done.stdout and "model   mine" in done.stdout
    lines = (made / "outputs" / "latest" / "samples.jsonl").read_text("utf-8").splitlines()
    num_scores = sum(len(json.loads(line)["scores"]) for line in lines)
    num_scores += told["run"]["controls"]["num_asked"] * len(told["run"]["judgings"][0]["metrics"])
    assert f"10 samples, {num_scores} scores read again" in done.stdout and num_scores >= 10
    assert "unknown" not in done.stdout and "Who gave them, no file can show." in done.stdout
    assert not list(tmp_path.glob("*submission*")), "nothing is left behind"


def test_equal_runs_give_equal_submissions_and_without_images_only_hashes_are_in_it(made: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert cli("submit", "mine", "-o", str(tmp_path / name), cwd=made).returncode == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert not [name for name in members(tmp_path / "a") if name.endswith(".png")]
    done = verified(made, tmp_path / "a", tmp_path)
    assert done.returncode == 0 and "unknown: edits: only their hashes are in it" in done.stdout


def test_nothing_of_the_machine_is_in_it(made: Path) -> None:
    everything = b"".join(members(made / "mine.tar.gz").values())
    for word in (str(made), str(Path.home()), socket.gethostname(), "small.yaml"):
        assert len(word) < 4 or word.encode() not in everything, word


def test_places_addresses_and_secrets_in_settings_are_not_handed_in() -> None:
    told = {
        "model_name": "/home/me/models/Mine-7B",
        "base_url": "http://10.0.0.7:8000/v1",
        "prompts_from": "~/clones/VIEScore",
        "hub": "org/Model",
        "words": {"rule": "Compare /a/b/c with https://x.example"},
        "execution": {"python": "/opt/venv/bin/python"},
        "list": ["../data/x.parquet", 3, None],
    }
    assert submission._placeless(told) == {
        "model_name": "Mine-7B",
        "base_url": "",
        "prompts_from": "VIEScore",
        "hub": "org/Model",
        "words": told["words"],
        "list": ["x.parquet", 3, None],
    }
    said = submission._clean("/home/me/run/a.png: no space; see http://10.0.0.7/x, Bearer abcdefghijklmnop1234")
    assert "me" not in said and "10.0.0.7" not in said and "abcdefghijklmnop1234" not in said and "a.png" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (sql("UPDATE scores SET value = 9.5 WHERE rowid = 1"), ("scores of", "read again")),
        (sql("UPDATE scores SET raw = replace(raw, '1', '2') WHERE instr(raw, '1')"), ("scores of",)),
        (sql("UPDATE samples SET instruction = 'easier' WHERE position = 3"), ("texts of", "not what was submitted")),
        (sql("DELETE FROM samples WHERE position = 3"), ("is missing",)),
        (
            sql("INSERT INTO samples SELECT 'more', 99, category, cluster, '', '', '', '', '', 1 FROM samples LIMIT 1"),
            ("was added",),
        ),
        (sql("UPDATE edits SET seed = seed + 1 WHERE rowid = 1"), ("edit of",)),
        (
            sql("UPDATE judgings SET details = replace(details, '\"seed\": 0', '\"seed\": 1')"),
            ("not those that its id",),
        ),
        (report(mean=9.9), ("report.json", "9.9", "by the ledger")),
        (text("samples.jsonl", '"value": ', '"value": 1'), ("samples.jsonl", "line")),
        (text("manifest.json", '"name": "small"', '"name": "other"'), ("manifest.json", "not the file")),
        (other_picture, ("altered", "edits/")),
    ],
)
def test_what_was_changed_is_named(made: Path, tmp_path: Path, change: Change, words: tuple[str, ...]) -> None:
    files = members(made / "mine.tar.gz")
    change(files)
    done = verified(made, packed(files, tmp_path / "forged.tar.gz"), tmp_path)
    assert done.returncode == 3, done.stdout + done.stderr
    assert all(word in done.stdout for word in words), done.stdout
    assert "Who gave them" not in done.stdout


def test_a_score_with_fitting_digests_is_told_by_its_reply(made: Path, tmp_path: Path) -> None:
    files = members(made / "mine.tar.gz")
    sql("UPDATE scores SET value = 9.5 WHERE rowid = 1")(files)
    sealed_again(files)
    done = verified(made, packed(files, tmp_path / "forged.tar.gz"), tmp_path)
    assert done.returncode == 3 and "another value" in done.stdout and "read again" in done.stdout


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (of_json("report.json", headline_metric="quality"), "headline_metric 'quality'"),
        (of_json("report.json", headline_metric="nothing"), "headline_metric 'nothing'"),
        (of_json("report.json", summaries=[]), "summaries of []"),
        (of_json("submission.json", model="another"), "another run's"),
        (
            text("report.json", '"run": {', '"run": {"official": [{"name": "best", "metrics": [], "value": 9}],'),
            "official best 9",
        ),
        (text("report.json", '"run": {', '"run": {"num_seeds": 4,'), "num_seeds 4, 1 by the ledger"),
        (block("run", subset={"num": 1, "total": 9, "how": ""}), "being a part of the benchmark"),
        (of_json("report.json", badge="valid", warnings=[]), "badge 'valid', "),
        (of_json("report.json", badge="valid (subset)"), "badge 'valid (subset)', "),
        (block("coverage", is_headline=False), "coverage.is_headline"),
        (
            block("run", "controls", normalised={"value": 0.99, "low": 0.9, "high": 1.0, "note": ""}),
            "controls.normalised",
        ),
        (block("run", "controls", means={}), "controls.means.identity"),
        (block("run", "controls", checks=[]), "controls.checks"),
        (
            sql("UPDATE facts SET value = json_replace(value, '$[0].value', 9.5) WHERE name LIKE 'control %'"),
            "read again",
        ),
        (sql("DELETE FROM facts WHERE name LIKE 'control%'"), "controls {"),
    ],
)
def test_figures_of_the_report_with_fitting_digests_are_told_by_the_scores(
    made: Path, tmp_path: Path, change: Change, words: str
) -> None:
    honest = verified(made, made / "mine.tar.gz", tmp_path).stdout
    (score,) = (line for line in honest.splitlines() if line.startswith("score "))
    files = members(made / "mine.tar.gz")
    change(files)
    sealed_again(files)
    done = verified(made, packed(files, tmp_path / "forged.tar.gz"), tmp_path)
    assert done.returncode == 3 and words in done.stdout, done.stdout + done.stderr
    assert score in done.stdout, "the headline is that of the scores"


def test_a_list_of_files_that_are_not_there_is_one_line(made: Path, tmp_path: Path) -> None:
    files = members(made / "mine.tar.gz")
    known = json.loads(files["submission/submission.json"])
    del known["digest"]
    for names in ({}, known["files"] | {"none": ""}, known["files"] | {"../../etc/passwd": ""}):
        about = known | {"files": names}
        about["digest"] = hashlib.sha256(seal.canonical(about)).hexdigest()
        files["submission/submission.json"] = json.dumps(about).encode()
        done = verified(made, packed(files, tmp_path / "forged.tar.gz"), tmp_path)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: files.pop("submission/report.json"), "report.json is missing"),
        (lambda files: files.update({"submission/../evil": b""}), "no file of a submission"),
        (lambda files: files.update({"/etc/evil": b""}), "no file of a submission"),
        (lambda files: files.update({"submission/run.py": b""}), "no file of a submission"),
        (text("manifest.json", '"seed": 0', '"seed": 1'), "altered: its identity does not give its run id"),
        (text("submission.json", '"with_images": true', '"with_images": false'), "changed since it was submitted"),
        (lambda files: files.update({"submission/submission.json": b"[" * 99_999}), "submission.json"),
        (lambda files: files.update({"submission/ledger.sqlite": b"x" * 9000}), "ledger"),
    ],
)
def test_what_is_no_submission_is_one_line_and_writes_nothing(
    made: Path, tmp_path: Path, change: Change, words: str
) -> None:
    files = members(made / "mine.tar.gz")
    change(files)
    done = verified(made, packed(files, tmp_path / "bad.tar.gz"), tmp_path)
    assert done.returncode == 2 and words in done.stderr, done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == 1 and not (tmp_path.parent / "evil").exists()


def _link(tar: tarfile.TarFile) -> None:
    entry = tarfile.TarInfo("submission/manifest.json")
    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
    tar.addfile(entry)


def _long_name(tar: tarfile.TarFile) -> None:
    tar.format = tarfile.GNU_FORMAT
    tar.addfile(tarfile.TarInfo("submission/" + "x" * 5000))


def _bomb(tar: tarfile.TarFile) -> None:
    entry = tarfile.TarInfo("submission/report.json")
    entry.size = 5 << 30
    tar.fileobj.write(entry.tobuf(tarfile.GNU_FORMAT))  # type: ignore[union-attr]


def _twice(tar: tarfile.TarFile) -> None:
    for _ in range(2):
        tar.addfile(tarfile.TarInfo("submission/report.json"))


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (_link, "no file of a submission"),
        (_long_name, "no file of a submission"),
        (_bomb, "more than a submission may hold"),
        (_twice, "is in it twice"),
    ],
)
def test_hostile_members_are_refused_before_they_are_written(
    made: Path, tmp_path: Path, write: Callable[[tarfile.TarFile], None], words: str
) -> None:
    with tarfile.open(tmp_path / "bad.tar.gz", "w:gz") as tar:
        write(tar)
    done = verified(made, tmp_path / "bad.tar.gz", tmp_path)
    assert done.returncode == 2 and words in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "data",
    [b"", b"no gzip", gzip.compress(b"x" * 100), gzip.compress(b"x" * 4096)],
    ids=["empty", "text", "short", "no tar"],
)
def test_any_other_file_is_one_line(made: Path, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    done = verified(made, tmp_path / "file", tmp_path)
    assert done.returncode == 2 and "not a submission" in done.stderr and len(done.stderr.splitlines()) == 1
    assert cli("verify-submission", "absent", cwd=tmp_path).returncode == 2


def test_a_file_that_was_cut_off_is_one_line(made: Path, tmp_path: Path) -> None:
    (tmp_path / "cut").write_bytes((made / "mine.tar.gz").read_bytes()[:-2000])
    done = verified(made, tmp_path / "cut", tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


def test_a_run_whose_report_is_old_and_one_without_scores_cannot_be_submitted(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "outputs", tmp_path / "old", symlinks=True)
    (run,) = (tmp_path / "old").glob("small-*")
    with RunStore.reopen(run) as store:
        store.forget_edits([next(iter(store.edits())).sample_id])
    done = cli("submit", "old/latest", "-o", "x.tar.gz", cwd=tmp_path)
    assert done.returncode == 2 and "its report is not of what it holds now" in done.stderr
    (tmp_path / "edits.yaml").write_text(CONFIG.partition("reward_model")[0].replace("2", "1", 1))
    assert cli("run", "edits.yaml", cwd=tmp_path).returncode == 0
    done = cli("submit", "latest", "-o", "x.tar.gz", cwd=tmp_path)
    assert done.returncode == 2 and "has no scores to submit" in done.stderr and not (tmp_path / "x.tar.gz").exists()
    assert "no folder absent" in cli("submit", "latest", "-o", "absent/x", cwd=tmp_path).stderr


def test_a_verdict_of_a_certificate_is_said_to_be_taken_as_it_is_written(made: Path, tmp_path: Path) -> None:
    def certified(files: dict[str, bytes]) -> None:
        told = json.loads(files["submission/report.json"])
        told["run"]["judgings"][0]["certificate"]["verdict"] = "certified"
        files["submission/report.json"] = json.dumps(told).encode()

    files = members(made / "mine.tar.gz")
    both(certified, sealed_again)(files)
    done = verified(made, packed(files, tmp_path / "forged.tar.gz"), tmp_path)
    assert "unknown: " in done.stdout and "'certified' is taken as it is written" in done.stdout
