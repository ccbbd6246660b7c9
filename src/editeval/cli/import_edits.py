"""`editeval import`: edits made elsewhere become a run, and are judged if CONFIG names judges."""

from __future__ import annotations

import argparse
from pathlib import Path

from editeval.cli.console import overrides_of
from editeval.cli.run import carried_out
from editeval.config.load import load_with
from editeval.errors import ConfigError

EDITOR = "imported"


def import_edits(options: argparse.Namespace) -> int:
    """As `editeval run` of a configuration whose editor is `imported`. Returns the exit code."""
    if options.config is None and options.benchmark is None:
        raise ConfigError("--benchmark: missing; name the benchmark whose samples these are edits of, or a CONFIG")
    folder = Path(options.folder)
    name = options.name or (folder.stem if folder.suffix == ".jsonl" else folder.resolve().name) or EDITOR
    params = {"folder": options.folder, "layout": options.layout, "name": name}
    sections = {"diffusion_model": {"type": EDITOR, "params": params, "execution": {"policy": "dynamic"}}}
    path = Path(options.config) if options.config is not None else None
    return carried_out(load_with(sections, name, path, overrides_of(options), options.allow_code), options)
