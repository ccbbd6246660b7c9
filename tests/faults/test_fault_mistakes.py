"""Every mistake of a user: exit 2 within 5 s of CPU time, one line that helps, nothing written or paid for."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from mistakes import BASE, MISTAKES

pytestmark = pytest.mark.slow

LIMITED = ["sh", "-c", 'ulimit -t 5; exec "$@"', "sh"]  # whoever computes for longer is killed by the kernel


@dataclass(frozen=True)
class Answer:
    """What editeval said, and what it left."""

    code: int
    stdout: str
    stderr: str
    left: set[str]  # what lies in the folder now and did not before


def answer(folder: Path, name: str) -> Answer:
    """What the mistake called `name` is told, in a folder of its own."""
    mistake = MISTAKES[name]
    folder.mkdir()
    (folder / "base.yaml").write_text(BASE, encoding="utf-8")
    mistake.prepare(folder)
    before = {path.name for path in folder.iterdir()}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EDITEVAL_")}
    if name == "unknown variable":
        environment["EDITEVAL_SEDE"] = "1"
    command = [*LIMITED, sys.executable, "-m", "editeval", *shlex.split(mistake.command)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", timeout=600, check=False
    )
    left = {path.name for path in folder.iterdir()} - before
    return Answer(done.returncode, done.stdout, done.stderr, left)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Answer]:
    folder = tmp_path_factory.mktemp("mistakes")
    with ThreadPoolExecutor(2) as executor:
        names = list(MISTAKES)
        found = executor.map(lambda i: answer(folder / str(i), names[i]), range(len(names)))
        return dict(zip(names, found, strict=True))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_that_helps(name: str, answers: dict[str, Answer]) -> None:
    got = answers[name]
    assert got.code == 2, got.stdout + got.stderr
    assert got.stderr.startswith("editeval: ") and got.stderr.count("\n") == 1 and got.stdout == "", got.stderr
    assert "Traceback" not in got.stderr and len(got.stderr) < 600
    for words in MISTAKES[name].words:
        assert words in got.stderr, got.stderr
    assert not got.left, "nothing is begun that cannot work"


def test_there_are_forty_of_them() -> None:
    assert len(MISTAKES) >= 40
