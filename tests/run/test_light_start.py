"""Commands that only look, and a run before its first edit, start without what they do not need."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("command", ["status", "show", "view", "export"])
def test_a_command_that_only_looks_imports_no_pydantic(command: str) -> None:
    code = f"import sys, editeval.cli.{command}; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "False\n"


def test_a_run_imports_what_draws_a_report_only_when_there_is_one_to_write() -> None:
    code = "import sys, editeval.run.pipeline; print([m for m in sys.argv[1:] if m in sys.modules])"
    late = ("editeval.run.report", "editeval.reports.site.write", "editeval.certificates.checks", "PIL.ImageDraw")
    done = subprocess.run([sys.executable, "-c", code, *late], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "[]\n"
