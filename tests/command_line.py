"""The command line in this process."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from editeval.cli.main import legacy_main, main


def cli(*arguments: str, cwd: Path, is_old: bool = False, **environment: str) -> CompletedProcess[str]:
    """`editeval ARGUMENTS` as a user types it in `cwd`: exit code, stdout and stderr; `is_old`: `python main.py ...`.

    It does what a process of its own would do but for its end: what is raised past `main` is raised here.
    """
    said = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
    hooks = sys.excepthook, threading.excepthook
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(cwd):
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdout", said[0])
        patch.setattr(sys, "stderr", said[1])
        patch.setattr(sys, "argv", [os.fspath(Path(sys.executable).with_name("editeval")), *arguments])
        try:
            (legacy_main if is_old else main)(arguments)
            raise AssertionError("a command ends with an exit code")
        except SystemExit as ended:
            code = ended.code
        finally:
            sys.excepthook, threading.excepthook = hooks
    assert isinstance(code, int), code
    out, err = (stream.buffer.getvalue().decode("utf-8") for stream in said)
    return CompletedProcess(["editeval", *arguments], code, out, err)
