"""What killed processes left in the folder of a report: half-written files and folders, under hidden names."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

_FOLDERS = ("app", "thumbs", "pictures")
_LEFT = re.compile(r"\.data\.(?P<pid>[0-9]{1,7})\.(new|old)|\..+?\.(?P<owner>[0-9]{1,7})(\.[0-9]+)?\.tmp")


def remove_leftovers(folder: Path) -> None:
    """`folder` is the report's own. What belongs to this process, or to one that still lives, stays."""
    for place in (folder, *(folder / name for name in _FOLDERS)):
        for entry in os.scandir(place):
            left = _LEFT.fullmatch(entry.name)
            if left is None or _is_alive(int(left["pid"] or left["owner"])):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)  # what stays is tried again by the next report
            else:
                Path(entry.path).unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    """Also true of this process and of one that belongs to somebody else."""
    if pid == os.getpid():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
