"""`editeval certify`: how far the judge of a configuration can be trusted."""

from __future__ import annotations

import argparse
import json
import sys

from editeval.commands.run import interruptible
from editeval.config.schema import Config

CERTIFIED, NOT_CERTIFIED = 0, 3


def certify(config: Config, options: argparse.Namespace) -> int:
    """Print the certificate, which is kept beside the runs. 0 if the judge is certified, 3 if not."""
    from editeval.certification import Suite
    from editeval.certification import certify as make
    from editeval.pipeline import logs

    with interruptible() as interrupt, logs(config.logging):
        made = make(config, interrupt, Suite(num_samples=options.num_items))
    if made.content is None:
        sys.stderr.write("Interrupted; no certificate was made.\n")
        return 128 + (made.signum or 0)
    if options.json:
        sys.stdout.write(json.dumps(made.content, ensure_ascii=False) + "\n")
    else:
        _show(made.content)
    sys.stderr.write(f"Certificate: {made.path}\n")
    return CERTIFIED if made.content["verdict"] == "certified" else NOT_CERTIFIED


def _show(content: dict[str, object]) -> None:
    from editeval.commands.console import result_console
    from editeval.reports.certificate import render_certificate

    render_certificate(content, result_console())
