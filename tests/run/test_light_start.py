"""Commands that only look start without the libraries that check a configuration."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("command", ["status", "show", "view", "export"])
def test_a_command_that_only_looks_imports_no_pydantic(command: str) -> None:
    code = f"import sys, editeval.cli.{command}; print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "False\n"
