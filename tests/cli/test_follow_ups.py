"""Every command that editeval prints for the user to type next works exactly as it is printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from editeval.cli.main import main
from editeval.errors import UserError
from editeval.reports.site.payload import PLACE, read_block
from editeval.store import directories
from editeval.store.run_store import RunStore

CONFIG = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}, categories: [causal, cultural]}
diffusion_model:
  type: fakes.fake_editor
  params: {device_ids: [cpu], notes: NOTES, out_of_memory: {causal/0000: 3}, refuse: [cultural/0000]}
  execution: {backend: inprocess}
reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
evaluation: {output_dir: "out put"}
"""


def typed(line: str) -> int:
    """The exit code of a printed command; argument mistakes and missing flags exit 2."""
    program, *arguments = shlex.split(line)
    assert program == "editeval"
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return int(str(stop.value.code))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "notes").mkdir()
    (tmp_path / "small.yaml").write_text(CONFIG.replace("NOTES", str(tmp_path / "notes")), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def run_dir(folder: Path) -> Path:
    return directories.resolve_run("latest", folder / "out put")


def after(words: str, said: str) -> str:
    found = re.search(f"^{re.escape(words)}(.*)$", said, re.MULTILINE)
    assert found, said
    return found[1]


def test_the_retry_that_a_run_with_code_of_ones_own_prints_works(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert typed("editeval run small.yaml --allow-code") == 3
    line = after("To try again what failed: ", capfd.readouterr().err)
    assert line.endswith("--allow-code") and "'out put/small-" in line
    assert typed(line) == 3, "cultural/0000 is refused whatever is tried"
    assert typed("editeval run small.yaml --allow-code") == 3
    said = capfd.readouterr().err
    assert "2 samples, 1 edited already, 1 failed before, 0 to edit" in said, "a failed edit is not an edited one"


def test_an_interrupted_retry_goes_on_with_the_command_that_began_it(folder: Path) -> None:
    assert typed("editeval run small.yaml --allow-code") == 3
    with RunStore.reopen(run_dir(folder)) as store:
        store.forget_edits(["causal/0000"])  # where a retry stands that was stopped before its first edit
    line = f"editeval retry {shlex.quote(str(run_dir(folder)))} --only oom --allow-code"
    assert typed(line) == 3
    with RunStore.read(run_dir(folder)) as store:
        assert store.counts(None).num_edited == 1
    assert typed(line) == 2, "nothing is unfinished, and no failure has this reason"


def test_what_status_verify_and_the_page_print_works(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert typed("editeval run small.yaml --allow-code") == 3
    run = run_dir(folder)
    commands = read_block(run)["commands"]
    capfd.readouterr()
    assert typed(commands["show"] + " causal/0000") == 0
    assert typed(f"editeval status {shlex.quote(str(run))}") == 3
    assert typed(after("To try them again: ", capfd.readouterr().out)) == 3
    assert typed(commands["retry"]) == 3 and typed(commands["again"]) == 3
    (run / "report.json").write_text("{", encoding="utf-8")
    capfd.readouterr()
    assert typed(f"editeval verify {shlex.quote(str(run))}") == 3
    found = re.search("`(editeval verify .*)` fixes", capfd.readouterr().out)
    assert found and typed(found[1]) == 0


def test_a_missing_or_old_report_names_a_command_that_writes_it(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert typed("editeval run small.yaml --allow-code") == 3
    run = run_dir(folder)
    (run / PLACE).unlink()
    capfd.readouterr()
    assert typed(f"editeval view {shlex.quote(str(run))} --no-open --port 70000") == 2
    found = re.search("`(editeval report .*)` writes it", capfd.readouterr().err)
    assert found and typed(found[1]) == 3 and (run / PLACE).exists()
    (run / PLACE).write_text("from another version", encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_block(run, names_code=True)
    found = re.search("`(editeval report .*)` writes it", str(error.value))
    assert found and typed(found[1]) == 3 and read_block(run)


def test_a_run_without_code_of_ones_own_needs_no_consent(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = CONFIG.partition("  type: fakes")[0] + "  type: identity\n  params: {device_ids: [cpu]}\n"
    (folder / "plain.yaml").write_text(text + "reward_model: {type: reference, params: {device_ids: [cpu]}}\n")
    assert typed("editeval run plain.yaml") == 0
    assert typed("editeval status --output-dir outputs") == 0
    assert "--allow-code" not in capfd.readouterr().out
