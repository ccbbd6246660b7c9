"""Output that is closed or full, a user without a name, a folder that is no UTF-8: one line and the right code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import cli

SMALL = "{benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}, diffusion_model: {type: identity}}\n"


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`line` with editeval as $E, in an environment that has next to nothing."""
    source = str(Path(__file__).parents[2] / "src")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": source, "E": f"{sys.executable} -m editeval"}
    return subprocess.run(
        ["sh", "-c", line], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("$E list policies >&-", 0, ""),
        ("$E status nobody <&- >&- 2>&-", 2, ""),
        ("$E status nobody 2>/dev/full", 2, ""),
        ("$E list nothing 2>/dev/full", 2, ""),
        ("$E --help >/dev/full", 2, "editeval: the output cannot be written: No space left on device"),
        ("$E list policies >/dev/full", 2, "editeval: the output cannot be written: No space left on device"),
    ],
)
def test_output_that_is_closed_goes_nowhere_and_output_that_is_full_is_one_line(
    tmp_path: Path, line: str, code: int, said: str
) -> None:
    done = shell(line, tmp_path)
    assert done.returncode == code and done.stdout == ""
    assert done.stderr.startswith(said) and done.stderr.count("\n") == bool(said)


def test_no_file_of_a_run_gets_the_number_of_a_closed_output(tmp_path: Path) -> None:
    """Whatever a library prints would be written into the ledger."""
    (tmp_path / "c.yaml").write_text(SMALL)
    done = shell("$E run c.yaml --first 1 --device-ids cpu <&- >&- 2>&-", tmp_path)
    assert done.returncode == 0
    (run,) = (tmp_path / "outputs").glob("c-*")
    assert cli("verify", str(run), cwd=tmp_path).returncode == 0


def test_a_folder_whose_name_is_no_text_holds_runs_like_any_other(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    folder.mkdir()
    (folder / "c.yaml").write_text(SMALL)
    assert cli("run", "c.yaml", "--first", "1", "--device-ids", "cpu", cwd=folder).returncode == 0
    for command in (("report", "latest"), ("verify", "latest"), ("export", "latest", "--to", "csv")):
        assert cli(*command, cwd=folder).returncode == 0


def test_a_user_without_a_home_is_no_error(tmp_path: Path) -> None:
    code = (
        "import pwd, sys; from editeval.cli.main import main\n"
        "def nobody(uid): raise KeyError(uid)\n"
        "pwd.getpwuid = nobody; main(['doctor', '--json'])"
    )
    done = shell(f'{sys.executable} -c "{code}"', tmp_path)
    assert done.returncode in (0, 3) and done.stdout.startswith("{") and "Traceback" not in done.stderr
