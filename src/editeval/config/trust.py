"""What the user has trusted: `trusted.json` in the user's own configuration folder. A yes on a terminal writes it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from editeval.files import user_folder, write_atomic


def trust_file() -> Path:
    """What the user has trusted. Raises RuntimeError for a user without a home."""
    return user_folder() / "trusted.json"


def trusted() -> dict[str, list[str]]:
    """Real path of a folder -> names of the effects trusted there; nothing if the file is not there, or damaged."""
    try:
        found = json.loads(trust_file().read_text(encoding="utf-8"))
        return {str(place): [str(name) for name in names] for place, names in found.items()}
    except (OSError, ValueError, AttributeError, TypeError, RuntimeError):  # or too deep, or a user without a home
        return {}


def remember(trusted: Mapping[str, Sequence[str]]) -> None:
    path = Path("trusted.json")
    try:
        path = trust_file()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, (json.dumps(trusted, indent=1, ensure_ascii=False) + "\n").encode())
    except (OSError, RuntimeError) as error:
        sys.stderr.write(
            f"{path}: {getattr(error, 'strerror', None) or error}; this is allowed now, and asked again next time\n"
        )
