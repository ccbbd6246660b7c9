"""`editeval meta`: how far the judges of a configuration agree with people about real edits."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from editeval.cli.certify import chosen_judges
from editeval.cli.console import interruptible, overrides_of, result_console
from editeval.config.load import load_for_certificate


def meta(options: argparse.Namespace) -> int:
    """Print the photographic certificate of each judge. 0 if all agree with people, 3 if one does not."""
    from editeval.preferences.data_sets import human_data
    from editeval.reports.badge import CERTIFIED
    from editeval.reports.photographs import render_photographic
    from editeval.run import meta
    from editeval.run.pipeline import logs

    config = load_for_certificate(Path(options.config), overrides_of(options), options.allow_code)
    judgings = chosen_judges(config, options.judge)
    data, contents = human_data(options.people, options.path), []
    asked = [(judging, meta.questions_about(config, judging, data, options.num_pairs)) for judging in judgings]
    for judging, questions in asked:
        for line in meta.cost(judging, questions):
            sys.stderr.write(f"{judging.name}: {line}\n")
    if data.missing:
        sys.stderr.write(f"{data.name}: {len(data.missing)} of {data.num_all} cannot be shown: {data.missing[0]}\n")
    if options.dry_run:
        return 0
    with interruptible() as interrupt, logs(config.logging, logging.StreamHandler(sys.stderr)):
        for judging, questions in asked:
            made = meta.measure(config, judging, questions, interrupt)
            if made.content is None:
                sys.stderr.write("Interrupted; what was answered is kept, and the same command goes on.\n")
                return 128 + (made.signum or 0)
            contents.append(made.content)
            if not options.json:
                render_photographic(made.content, result_console())
            said = f"Not kept: {made.why_not_kept}" if made.why_not_kept else f"Certificate: {made.path}"
            sys.stderr.write(f"{said}\n")
    if options.json:
        sys.stdout.write(json.dumps(contents[0] if len(contents) == 1 else contents, ensure_ascii=False) + "\n")
    return 0 if all(content["verdict"] == CERTIFIED for content in contents) else 3
