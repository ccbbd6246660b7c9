"""`editeval submit` and `editeval verify-submission`: a run to hand in, and what one holds computed again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from editeval.cli.console import run_dirs
from editeval.errors import ConfigError
from editeval.files import replacing
from editeval.run import submission
from editeval.store import connection
from editeval.store.run_store import RunStore
from editeval.text import one_line, printable


def submit(options: argparse.Namespace) -> int:
    """Write the submission of a run, and say its digest."""
    path = Path(options.output)
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"-o {path}: no folder {path.parent}; make it, or name another file")
    with RunStore.read(run_dirs(options)[0]) as store, connection.translated(path), replacing(path) as out:
        digest, remarks = submission.submit(store, out, options.with_images)
    for remark in remarks:
        sys.stderr.write(f"remark: {one_line(remark)}\n")
    sys.stdout.write(f"{path}\ndigest {digest}\n")
    return 0


def verify_submission(options: argparse.Namespace) -> int:
    """0 if every number follows from what the file holds, else 3 and a line for each that differs."""
    found = submission.verify(Path(options.file))
    for problem in found.problems:
        sys.stdout.write(f"{one_line(problem)}\n")
    for line in found.unknown:
        sys.stdout.write(f"unknown: {one_line(line)}\n")
    sys.stdout.write(f"model   {printable(found.model)}\nscore   {printable(found.headline)}\n")
    for line in found.lines:
        sys.stdout.write(f"        {printable(line)}\n")
    read = f"{found.num_read} scores read again from replies"
    sys.stdout.write(f"{options.file}: {found.num_samples} samples, {read}, {len(found.problems)} problems\n")
    sys.stdout.write(f"digest  {found.digest}\n")
    if not found.problems:
        replies = ", and the scores from the replies" if found.num_read else ""
        sys.stdout.write(f"The numbers follow from the scores{replies}. Who gave them, no file can show.\n")
    return 3 if found.problems else 0
