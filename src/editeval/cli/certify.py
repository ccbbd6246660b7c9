"""`editeval certify`: how far the judges of a configuration can be trusted."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from editeval.cli.console import interruptible, overrides_of, result_console
from editeval.config.load import load_for_certificate
from editeval.config.schema import Config
from editeval.errors import ConfigError
from editeval.run.plan import ScoreSetPlan, judging_plans


def certify(options: argparse.Namespace) -> int:
    """Make and print one certificate per judge, or that of --judge alone. 0 if all are certified, 3 if one is not."""
    from editeval.reports.terminal import render_certificate
    from editeval.run import certify
    from editeval.run.pipeline import logs

    config = load_for_certificate(Path(options.config), overrides_of(options), options.allow_code)
    suite, contents = certify.Suite(num_samples=options.num_items), []
    judgings = chosen_judges(config, options.judge)
    if options.dry_run:
        for judging in judgings:
            sys.stderr.writelines(f"{judging.name}: {line}\n" for line in certify.cost(config, judging, suite))
        return 0
    with interruptible() as interrupt, logs(config.logging, logging.StreamHandler(sys.stderr)):
        for judging in judgings:
            made = certify.certify(config, judging, interrupt, suite)
            if made.content is None:
                sys.stderr.write("Interrupted; no certificate was made of the judge at hand.\n")
                return 128 + (made.signum or 0)
            contents.append(made.content)
            if not options.json:
                render_certificate(made.content, result_console())
            sys.stderr.write(f"Certificate: {made.path}\n")
    if options.json:
        sys.stdout.write(json.dumps(contents[0] if len(contents) == 1 else contents, ensure_ascii=False) + "\n")
    return 0 if all(content["verdict"] == "certified" for content in contents) else 3


def chosen_judges(config: Config, name: str | None) -> list[ScoreSetPlan]:
    """Every judge of the configuration, or the one called `name`. Raises ConfigError for none."""
    judgings = judging_plans(config)
    if not judgings:
        raise ConfigError(f"{config.path}: reward_model: missing; there is no judge to certify")
    chosen = [judging for judging in judgings if name in (None, judging.name)]
    if not chosen:
        raise ConfigError(f"--judge {name}: the configuration has {', '.join(j.name for j in judgings)}")
    return chosen
