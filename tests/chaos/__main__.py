"""`python -m chaos short | full`: break a run in every way we know, and print what came of it.

`python -m chaos FAMILY [--num N] [--seed S] [--replay NAME]` does one family, or one experiment of it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict

from chaos import layer, planted, suite
from chaos.families import FAMILIES
from chaos.family import Options


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("what", choices=[*suite.SUITES, *FAMILIES])
    parser.add_argument("--num", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=4 * len(os.sched_getaffinity(0)))
    parser.add_argument("--replay", default="", help="the beginning of an experiment's name")
    parser.add_argument("--first", action="store_true", help="stop at the first violation")
    parser.add_argument("--json", action="store_true", help="figures as one line of JSON")
    given = parser.parse_args()
    if given.what in suite.SUITES:
        return suite.main(given.what, given.seed)
    if layer.is_loaded():
        options = Options(given.num, given.seed, given.parallel, given.replay, given.first)
        figures = FAMILIES[given.what].act(layer.Layer(), options)
        print(json.dumps(asdict(figures)) if given.json else suite.told(given.what, figures))
        return int(bool(figures.violations))
    with layer.built() as library, planted.copy_of_source() as source:  # again, under the layer
        command = [sys.executable, "-m", "chaos", *sys.argv[1:]]
        return suite.subprocess_code(command, suite.environment(library, source))


if __name__ == "__main__":
    sys.exit(main())
