"""The harness is tested too: each patch in planted/ puts one bug into a copy of the source, which must be caught."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chaos.families import FAMILIES
from chaos.family import Options

HERE = Path(__file__).parent
SOURCE = HERE.parent.parent / "src"


@dataclass(frozen=True, slots=True)
class Bug:
    """One patch. Its first lines say "family: NAME" and what is wrong."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def family(self) -> str:
        """The family of faults that must catch it."""
        return self.path.read_text(encoding="utf-8").splitlines()[0].removeprefix("family: ")

    def plant(self, source: Path, is_dry: bool = False) -> None:
        """It is in the copy at `source`, or would be. Raises AssertionError if the patch does not apply any more."""
        environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(source.parent)}
        command = ["git", "apply", "--whitespace=nowarn", *(["--check"] if is_dry else []), str(self.path)]
        done = subprocess.run(command, cwd=source.parent, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(f"{self.path.name} does not apply any more; make it again: {done.stderr.strip()}")


def bugs() -> list[Bug]:
    """All of them, by name."""
    return [Bug(path) for path in sorted((HERE / "planted").glob("*.patch"))]


@contextmanager
def copy_of_source(bug: Bug | None = None) -> Iterator[Path]:
    """A copy of src/, with `bug` if there is one: nobody's editing, and no git, gets into the measurement."""
    with tempfile.TemporaryDirectory(prefix="chaos-src-") as folder:
        source = Path(folder) / "src"
        shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("*.egg-info"))  # what is compiled is taken along
        if bug is not None:
            bug.plant(source)
        yield source


def found_with(bug: Bug, library: Path, num: int, seed: int) -> list[str]:
    """The violations that its family reports, up to the first one, within `num` experiments."""
    from chaos import suite

    with copy_of_source(bug) as source:
        options = Options(num, seed, is_first_enough=True)
        return suite.figures_of(bug.family, options, suite.environment(library, source)).violations


def report(library: Path, seed: int) -> bool:
    """Print one line per bug; True if all are caught. Two at a time: each begins with seconds of a single process."""

    def hunt(bug: Bug) -> bool:
        began = time.monotonic()
        violations = found_with(bug, library, FAMILIES[bug.family].num_to_catch, seed)
        how = violations[0] if violations else "NOT CAUGHT"
        how = how if len(how) < 160 else f"... {how[-150:]}"
        seconds = time.monotonic() - began
        print(f"    planted {bug.name:26} {seconds:>4.0f} s   {bug.family}: {how}", flush=True)
        return bool(violations)

    with ThreadPoolExecutor(max_workers=2) as pool:
        num_caught = sum(pool.map(hunt, bugs()))
    print(f"planted bugs             {num_caught:>7,} of {len(bugs())} caught", flush=True)
    return num_caught == len(bugs()) >= 12
