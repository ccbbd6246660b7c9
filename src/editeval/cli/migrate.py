"""`editeval migrate`: today's file for a configuration of v2 or RE-Edit."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from editeval.config.load import load_config
from editeval.config.migrate import migrated
from editeval.errors import ConfigError


def migrate(options: argparse.Namespace) -> int:
    """Write today's file, and check it. 0 if it is sound; raises ConfigError with what is left to decide if not."""
    old = Path(options.config)
    new = Path(options.output) if options.output else None
    text = migrated(old)
    if new is None:
        sys.stdout.write(text)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / old.name
            copy.write_text(text, encoding="utf-8")
            load_config(copy)
        return 0
    try:
        with new.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"--output {new}: is there already; name another file") from error
    except OSError as error:
        raise ConfigError(f"--output {new}: {error.strerror}; name a place you can write to") from error
    load_config(new)
    sys.stdout.write(f"{new}: sound; what changed is said in its comments\n")
    return 0
