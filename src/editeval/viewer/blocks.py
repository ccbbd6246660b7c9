"""What a report on the disk says of its run: the block that `reports/front.py` made, read back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from editeval.errors import UserError
from editeval.text import run_command

PLACE = "report/data/run.js"  # in the run directory
SCHEMA_VERSION = 1
_SCRIPT = re.compile(r'ui\.receive\("run", 0, (.*)\);\n', re.DOTALL)


def read_block(run_dir: Path, names_code: bool = False) -> dict[str, Any]:
    """Raises UserError for a run without a report and for a report that another version wrote.

    `names_code`: the run's configuration names code of the user's own; the command that the error names says so.
    """
    path = run_dir / PLACE
    advice = f"`{run_command('report', run_dir, names_code=names_code)}` writes it again"
    try:
        match = _SCRIPT.fullmatch(path.read_text(encoding="utf-8"))
        block = json.loads(match[1]) if match else None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {error}; {advice}") from error
    if not isinstance(block, dict) or block.get("schema") != SCHEMA_VERSION:
        raise UserError(f"{path}: not a report of this version; {advice}")
    return block
