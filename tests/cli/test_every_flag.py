"""Every flag of every command is honoured or refused: a table that names its effect, and a walk over the parsers.

A row is two command lines, the second with the flag, and what only the second one says: in its output, its exit code or
the names of the files that are there afterwards. A flag without a row fails.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import human_sets
from editeval.cli.main import build_legacy_parser, legacy_main, main
from editeval.cli.parser import build_parser
from editeval.errors import UserError
from editeval.store.run_store import RunStore
from published import gedit_rows, gedit_table, parquet

PLAIN = """\
benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}
diffusion_model: {type: identity, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
logging: {console_output: false}
"""
CODED = PLAIN.replace("type: reference", "type: fakes.replying_judge")
EXACT = "reward_model: {type: reference, params: {device_ids: [cpu], object_share: 0.5}}\n"
LADDER = """\
reward_models:
  dull: {type: fakes.ladder_judge, params: {device_ids: [cpu], batch_size: 30, broken: constant}}
  other: {type: fakes.ladder_judge, params: {device_ids: [cpu], batch_size: 30, broken: shuffled}}
"""
PAIRS = '{base_url: "http://127.0.0.1:9/v1", model: m, protocol: pairwise}'  # of equal edits it is asked nothing
PEOPLE_SAID = [f'{{"id": {n}, "a": "fox", "b": "ant", "winner": "{"fox" if n % 3 else "ant"}"}}' for n in range(12)]
LATEST = "larger"
VARIED = PLAIN.replace("num_per_category: 1", "num_per_category: 2").replace(
    "{type: identity, params: {device_ids: [cpu]}",
    "{type: simulated, params: {device_ids: [cpu], latency_s: 0, chances: {default: {identity: 0.4}}}",
)
RUNS = {"plain": PLAIN, "coded": CODED, "broken": PLAIN, "stale": CODED, "varied": VARIED}
RUNS |= {LATEST: PLAIN.replace("num_per_category: 1", "num_per_category: 2")}
CODE = "--allow-code"
RED = """\
reward_models:
  red: {type: fakes.redness_judge, params: {device_ids: [cpu]}, execution: {backend: inprocess}}
  blue: {type: fakes.redness_judge, params: {device_ids: [cpu], blind_from: 0}, execution: {backend: inprocess}}
"""


@dataclass(frozen=True)
class Row:
    """`wanted`: a pattern that the outcome of `with_flag` has and that of `without` has not."""

    without: Sequence[str]
    with_flag: Sequence[str]
    wanted: str


def row(base: str, flag: str, wanted: str) -> Row:
    """The command line `base`, and the same with `flag` behind it."""
    return Row(base.split(), [*base.split(), *flag.split()], wanted)


def other(without: str, with_flag: str, wanted: str) -> Row:
    """Two command lines that differ in a positional."""
    return Row(without.split(), with_flag.split(), wanted)


RUN = "run plain.yaml --dry-run"
CHECK = "check plain.yaml"
IMPORT = "import made plain.yaml --dry-run"
IMPORT_ALONE = "import made --dry-run --output-dir there"
CERTIFY = f"certify ladder.yaml --judge dull --num-items 30 {CODE}"
BRIDGE = "bridge --anchor judged.csv --from new --to old"
JUDGED = "\n".join(f"e{n // 12},s{n},{n % 9},{n % 7}" for n in range(36))
COMPARE = "compare plain broken --judge pairs.yaml"
PEOPLE = "compare --verdicts people.jsonl"
SWEEP = "sweep plain.yaml --set-each diffusion_model.params.seed=0 --json"
GATE = "gate plain broken --margin 1%"
META = f"meta red.yaml --judge red --data own --path people/pairs.jsonl {CODE}"
NOT_ASKED = r"(?s)\A(?!.*Certificate: )"
SIMULATE = "simulate --requests 12 --durations 2.0,4.0"
NOT_THERE = "no run directory of this name"
RAISED = "raised"

TABLE: dict[tuple[str, str], Row] = {
    ("", "--version"): other("list policies", "--version", r"editeval \d"),
    ("run", "config"): other("run --dry-run", "run absent.yaml --dry-run", "absent.yaml"),
    ("run", "--benchmark"): row(RUN, "--benchmark gedit --data gedit.parquet", "language en, source input_image"),
    ("run", "--data"): row(f"{RUN} --benchmark gedit --data gedit.parquet", "--data not.parquet", "nothing at 'not"),
    ("run", "--set"): row(RUN, "--set evaluation.limit=2", "procedural: 2 samples"),
    ("run", "--categories"): row(RUN, "--categories causal", "procedural: 1 samples"),
    ("run", "--limit"): row(RUN, "--limit 2", "procedural: 2 samples"),
    ("run", "--first"): row(RUN, "--first 2", "procedural: 2 samples"),
    ("run", "--num-seeds"): row(RUN, "--num-seeds 2", "procedural: 5 samples x 2 seeds"),
    ("run", "--sample"): row(RUN, "--sample causal/0000", "procedural: 1 samples"),
    ("run", "--name"): row(RUN, "--name mine", "name           mine"),
    ("run", "--output-dir"): row(RUN, "--output-dir there", "run directory  there/"),
    ("run", "--device-ids"): row(RUN, "--device-ids cpu cpu", "2 workers"),
    ("run", "--seed"): row(RUN, "--seed 7", "base seed 7"),
    ("run", "--allow-code"): row("run coded.yaml --dry-run", CODE, "run directory"),
    ("run", "--debug"): row("run absent.yaml", "--debug", RAISED),
    ("run", "--dry-run"): row("run plain.yaml", "--dry-run", "policy         batch_sync"),
    ("run", "--fresh"): row(RUN, "--fresh", r"-2 \(new\)"),
    ("run", "--resume"): row(f"{RUN} --fresh", "--resume", "--fresh and --resume: .* choose one"),
    ("run", "--display"): row("run plain.yaml --display none", "--display json", '"event": "run_began"'),
    ("run", "--track"): row("run plain.yaml", "--track wandbb", "--track: must be trackio, "),
    ("import", "--track"): row(f"{IMPORT} --dry-run", "--track wandbb", "--track: must be trackio, "),
    ("run", "--model"): row(RUN, "--model target", r"editor         target \(Target\)"),
    ("run", "--judge"): row(RUN, "--judge image_metrics", "judge          image_metrics"),
    ("run", "--gpus"): row(RUN, "--gpus cpu,cpu", "2 workers"),
    ("import", "folder"): other(IMPORT, "import absent plain.yaml --dry-run", "there is no such folder"),
    ("import", "config"): other(IMPORT, "import made absent.yaml --dry-run", "absent.yaml"),
    ("import", "--benchmark"): row(IMPORT_ALONE, "--benchmark procedural", "procedural: 270 samples"),
    ("import", "--data"): row(f"{IMPORT_ALONE} --benchmark image_folder", "--data absent", "absent"),
    ("import", "--name"): row(IMPORT, "--name mine", "outputs/mine-"),
    ("import", "--layout"): row(IMPORT, "--layout {category}.png", r"looked for .* \(layout {category}.png\)"),
    ("import", "--set"): row(IMPORT, "--set evaluation.limit=2", "procedural: 2 samples"),
    ("import", "--categories"): row(IMPORT, "--categories causal", "procedural: 1 samples"),
    ("import", "--limit"): row(IMPORT, "--limit 2", "procedural: 2 samples"),
    ("import", "--first"): row(IMPORT, "--first 2", "procedural: 2 samples"),
    ("import", "--num-seeds"): row(IMPORT, "--num-seeds 2", "one edit of each sample"),
    ("import", "--sample"): row(IMPORT, "--sample causal/0000", "procedural: 1 samples"),
    ("import", "--output-dir"): row(IMPORT, "--output-dir there", "run directory  there/"),
    ("import", "--judge"): row(IMPORT, "--judge image_metrics", "judge          image_metrics"),
    ("import", "--gpus"): row(IMPORT, "--gpus cpu cpu cpu", "3 workers"),
    ("import", "--device-ids"): row(IMPORT, "--device-ids cpu cpu cpu", "3 workers"),
    ("import", "--seed"): row(IMPORT, "--seed 7", "base seed 7"),
    ("import", "--allow-code"): row("import made coded.yaml --dry-run", CODE, "run directory"),
    ("import", "--debug"): row("import made absent.yaml", "--debug", RAISED),
    ("import", "--dry-run"): row("import made plain.yaml", "--dry-run", "policy         dynamic"),
    ("import", "--fresh"): row(IMPORT, "--fresh", r"-2 \(new\)"),
    ("import", "--resume"): row(f"{IMPORT} --fresh", "--resume", "--fresh and --resume: .* choose one"),
    ("import", "--display"): row("import made plain.yaml --display none", "--display json", '"event": "run_began"'),
    ("check", "config"): other("check", "check absent.yaml", "absent.yaml"),
    ("check", "--benchmark"): row(CHECK, "--benchmark gedit --data gedit.parquet", "language en, source input_image"),
    ("check", "--data"): row(
        f"{CHECK} --benchmark gedit --data gedit.parquet", "--data not.parquet", "nothing at 'not"
    ),
    ("check", "--set"): row(CHECK, "--set evaluation.limit=2", "  2 samples"),
    ("check", "--categories"): row(CHECK, "--categories causal", "  1 samples"),
    ("check", "--limit"): row(CHECK, "--limit 2", "  2 samples"),
    ("check", "--first"): row(CHECK, "--first 2", "  2 samples"),
    ("check", "--num-seeds"): row(CHECK, "--num-seeds 2", "  5 samples x 2 seeds"),
    ("check", "--sample"): row(CHECK, "--sample causal/0000", "  1 samples"),
    ("check", "--output-dir"): row(CHECK, "--output-dir there", "run directory there/"),
    ("check", "--model"): row(CHECK, "--model target", "editor Target"),
    ("check", "--judge"): row(CHECK, "--judge nope", "no judge .nope."),
    ("check", "--gpus"): row(CHECK, "--gpus 97", "cuda:97"),
    ("check", "--device-ids"): row(CHECK, "--device-ids 97", "cuda:97"),
    ("check", "--seed"): row(CHECK, "--set diffusion_model.params.seed=1 --seed x", "invalid int value"),
    ("check", "--allow-code"): row("check coded.yaml", CODE, "coded.yaml: sound"),
    ("check", "--debug"): row("check absent.yaml", "--debug", RAISED),
    ("migrate", "config"): other("migrate plain.yaml", "migrate absent.yaml", "absent.yaml"),
    ("migrate", "-o"): row("migrate plain.yaml", "-o today.yaml", "today.yaml"),
    ("migrate", "--output"): row("migrate plain.yaml", "--output today.yaml", "today.yaml"),
    ("submit", "run"): other("submit -o a", "submit nobody -o a", NOT_THERE),
    ("submit", "--output-dir"): row("submit -o a", "--output-dir nowhere", NOT_THERE),
    ("submit", "-o"): other("submit -o a", "submit -o absent/a", "no folder absent"),
    ("submit", "--output"): other("submit -o a", "submit --output absent/a", "no folder absent"),
    ("submit", "--with-images"): row("submit -o a", "--with-images", "ANOTHER"),
    ("verify-submission", "file"): other("verify-submission people.jsonl", "verify-submission absent", "No such file"),
    ("leaderboard", "runs"): other("leaderboard", "leaderboard nobody", NOT_THERE),
    ("leaderboard", "--output-dir"): row("leaderboard", "--output-dir nowhere", "nowhere: no such folder"),
    ("leaderboard", "--to"): row("leaderboard", "--to csv", '"best_place"'),
    ("leaderboard", "-o"): row("leaderboard --to md", "-o board.md", "(?m)^board.md$"),
    ("leaderboard", "--output"): row("leaderboard --to md", "--output board.md", "(?m)^board.md$"),
    ("runs", "folder"): other("runs", "runs nowhere", "nowhere: no such folder"),
    ("runs", "--benchmark"): row("runs", "--benchmark gedit", "no runs that match"),
    ("runs", "--model"): row("runs", "--model nobody", "no runs that match"),
    ("runs", "--last"): row("runs", "--last 0", "at least 1, got 0"),
    ("runs", "--json"): row("runs", "--json", '"runs": '),
    ("status", "run"): other("status plain", "status nobody", NOT_THERE),
    ("status", "--output-dir"): row("status", "--output-dir nowhere", NOT_THERE),
    ("status", "--json"): row("status plain", "--json", '"outcome": "complete"'),
    ("show", "run"): other("show plain causal/0000", "show nobody causal/0000", NOT_THERE),
    ("show", "sample"): other("show plain causal/0000", "show plain cultural/0000", "sample       cultural/0000"),
    ("show", "--output-dir"): row("show plain causal/0000", "--output-dir nowhere", NOT_THERE),
    ("show", "--json"): row("show plain causal/0000", "--json", '"sample_id": "causal/0000"'),
    ("export", "runs"): other("export plain --to csv", "export nobody --to csv", NOT_THERE),
    ("export", "--to"): other("export plain --to csv", "export plain --to tex", r"plain-\w+/table.tex"),
    ("export", "--output"): row("export plain --to csv", "--output mine.csv", "mine.csv"),
    ("export", "--output-dir"): row("export plain --to csv", "--output-dir nowhere", NOT_THERE),
    ("export", "--task"): row("export plain --to csv", "--task a/b:c", "--task: only with --to eval-results"),
    ("export", "--push"): row("export plain --to csv", "--push a/b", "--push: only with --to hf"),
    ("export", "--allow-code"): row("export coded --to md", CODE, "coded-\\w+/summary.md"),
    ("view", "runs"): other("view plain --port 99999", "view nobody --port 99999", NOT_THERE),
    ("view", "--output-dir"): row("view plain --port 99999", "--output-dir nowhere", NOT_THERE),
    ("view", "--port"): row("view nobody", "--port 99999x", "invalid int value"),
    ("view", "--rater"): row("view plain --port 99999", "--rater a/b", "--rater: must be up to 40 letters"),
    ("view", "--intersect"): row("view plain larger --port 99999", "--intersect", "--port: must be from 0"),
    ("report", "run"): other("report plain", "report nobody", NOT_THERE),
    ("report", "--output-dir"): row("report plain", "--output-dir nowhere", NOT_THERE),
    ("report", "--scores"): row("report plain", "--scores nobody", "no such score set"),
    ("report", "--judging"): row("report plain", "--judging nobody", "no such score set"),
    ("report", "--allow-code"): row("report coded", CODE, "coded-\\w+  (valid|invalid)"),
    ("report", "--scale-of"): row("report plain", "--scale-of old", "go together"),
    ("report", "--bridge"): row("report plain --scale-of old", "--bridge absent.json", "absent.json: cannot be read"),
    ("report", "--embed"): row("report plain", "--embed all.html", "all.html"),
    ("retry", "run"): other("retry plain", "retry nobody", NOT_THERE),
    ("retry", "--output-dir"): row("retry plain", "--output-dir nowhere", NOT_THERE),
    ("retry", "--only"): row("retry plain", "--only nothing_of_ours", "no such reason"),
    ("retry", "--allow-code"): row("retry coded", CODE, "trying again"),
    ("retry", "--debug"): row("retry nobody", "--debug", RAISED),
    ("retry", "--display"): row(f"retry coded {CODE}", "--display json", '"event": "run_began"'),
    ("verify", "run"): other("verify plain", "verify nobody", NOT_THERE),
    ("verify", "--output-dir"): row("verify plain", "--output-dir nowhere", NOT_THERE),
    ("verify", "--repair"): row("verify broken", "--repair", "1 problems, 1 repaired"),
    ("verify", "--accept-loss"): row("verify broken", "--accept-loss", "add --repair"),
    ("verify", "--allow-code"): row("verify stale --repair", CODE, "1 problems, 1 repaired"),
    ("doctor", "--output-dir"): row("doctor", "--output-dir there", "there"),
    ("doctor", "--json"): row("doctor", "--json", "(?m)^\\{"),
    ("list", "what"): other("list policies", "list judges", "reference"),
    ("list", "name"): row("list benchmarks", "gedit", "licence"),
    ("init", "file"): other("init plain.yaml", "init new.yaml", "Wrote new.yaml"),
    ("init", "--model"): row("init new.yaml", "--model nope", "--model: no model 'nope'"),
    ("init", "--judge"): row("init new.yaml", "--judge nope", "--judge: no judge 'nope'"),
    ("init", "--benchmark"): row("init new.yaml", "--benchmark nope", "--benchmark: no benchmark 'nope'"),
    ("certify", "config"): other("certify", "certify absent.yaml", "absent.yaml"),
    ("certify", "--num-items"): row(CERTIFY, "--num-items 5", "at least 30, got 5"),
    ("certify", "--judge"): row(CERTIFY, "--judge nobody", "has dull, other"),
    ("certify", "--json"): row(CERTIFY, "--json", '"verdict": "not certified"'),
    ("certify", "--set"): row(CERTIFY, "--set reward_models.dull.params.nothing=1", "unknown"),
    ("certify", "--output-dir"): row(CERTIFY, "--output-dir there", "there/certificates"),
    ("certify", "--gpus"): row(CERTIFY, "--gpus 97", "cuda:97"),
    ("certify", "--device-ids"): row(CERTIFY, "--device-ids 97", "cuda:97"),
    ("certify", "--seed"): row(CERTIFY, "--seed 4", "ANOTHER"),
    ("certify", "--allow-code"): row(CERTIFY.replace(CODE, ""), CODE, "Certificate: "),
    ("certify", "--debug"): row("certify absent.yaml", "--debug", RAISED),
    ("certify", "--dry-run"): row(CERTIFY, "--dry-run", NOT_ASKED),
    ("meta", "config"): other(META, META.replace("red.yaml", "absent.yaml"), "absent.yaml"),
    ("meta", "--data"): row(META.replace(" --data own", ""), "--data own", "agrees with people"),
    ("meta", "--path"): row(f"meta red.yaml --data own --dry-run {CODE}", "--path people/pairs.jsonl", "8 edits"),
    ("meta", "--limit"): row(META, "--limit 5", "at least 30, got 5"),
    ("meta", "--judge"): row(META.replace(" --judge red", ""), "--judge nobody", "has red, blue"),
    ("meta", "--dry-run"): row(META, "--dry-run", NOT_ASKED),
    ("meta", "--json"): row(META, "--json", '"kind": "photographic"'),
    ("meta", "--set"): row(META, "--set reward_models.red.params.nothing=1", "unknown"),
    ("meta", "--output-dir"): row(META, "--output-dir there", "there/certificates"),
    ("meta", "--gpus"): row(META, "--gpus 97", "cuda:97"),
    ("meta", "--device-ids"): row(META, "--device-ids 97", "cuda:97"),
    ("meta", "--seed"): row(META, "--seed 4", "ANOTHER"),
    ("meta", "--allow-code"): row(META.replace(CODE, ""), CODE, "Certificate: "),
    ("meta", "--debug"): row("meta absent.yaml --data own", "--debug", RAISED),
    ("score", "run"): other("score plain exact.yaml", "score nobody exact.yaml", NOT_THERE),
    ("score", "config"): other("score plain", "score plain absent.yaml", "absent.yaml"),
    ("score", "--output-dir"): row("score plain", "--output-dir nowhere", NOT_THERE),
    ("score", "--data"): row("score plain", "--data gedit.parquet", "benchmark.params.path: unknown"),
    ("score", "--set"): row("score plain", "--set reward_model.params.object_share=0.5", "Kept: "),
    ("score", "--allow-code"): row("score coded", CODE, "coded-\\w+  (valid|invalid)"),
    ("score", "--debug"): row("score nobody", "--debug", RAISED),
    ("score", "--display"): row("score plain exact.yaml", "--display json", '"event": "run_began"'),
    ("reparse", "run"): other(f"reparse coded {CODE}", f"reparse nobody {CODE}", NOT_THERE),
    ("reparse", "--output-dir"): row(f"reparse coded {CODE}", "--output-dir nowhere", NOT_THERE),
    ("reparse", "--scores"): row(f"reparse coded {CODE}", "--scores nobody", "no such score set"),
    ("reparse", "--judging"): row(f"reparse coded {CODE}", "--judging nobody", "no such score set"),
    ("reparse", "--protocol"): row(f"reparse coded {CODE}", "--protocol viescore", "asks other questions"),
    ("reparse", "--match-published"): row(f"reparse coded {CODE}", "--match-published nobody", "has no switch"),
    ("reparse", "--min-label-mass"): row(f"reparse coded {CODE}", "--min-label-mass 0", "kept as the score set"),
    ("reparse", "--allow-code"): row("reparse coded --min-label-mass 0", CODE, "kept as the score set"),
    ("bridge", "--anchor"): other(BRIDGE, BRIDGE.replace("judged", "absent"), "absent.csv: cannot be read"),
    ("bridge", "--from"): other(BRIDGE, BRIDGE.replace("new", "z"), "bridge-z-to-old.json"),
    ("bridge", "--to"): other(BRIDGE, BRIDGE.replace("old", "z"), "bridge-new-to-z.json"),
    ("bridge", "--metric"): row(BRIDGE, "--metric style", "leave --metric out"),
    ("bridge", "--out"): row(BRIDGE, "--out mine.json", "mine.json"),
    ("bridge", "--output-dir"): row(BRIDGE.replace("judged.csv", "plain"), "--output-dir nowhere", NOT_THERE),
    ("bridge", "--debug"): row(BRIDGE.replace("judged", "absent"), "--debug", RAISED),
    ("compare", "runs"): other("compare plain broken", "compare plain nobody", NOT_THERE),
    ("compare", "--judge"): row("compare plain broken", "--judge pairs.yaml", "ranking by overall"),
    ("compare", "--verdicts"): row("compare", "--verdicts people.jsonl", "ranking by overall"),
    ("compare", "--max-pairs"): row(COMPARE, "--max-pairs 0", "at least 1, got 0"),
    ("compare", "--all"): row(f"{COMPARE} --max-pairs 3", "--all", "asks about everything"),
    ("compare", "--out"): row(PEOPLE, "--out there", "there/comparison.md"),
    ("compare", "--seed"): row(f"{PEOPLE} --json", "--seed 3", "ANOTHER"),
    ("compare", "--set"): row(COMPARE, "--set reward_model.params.protocol=pointwise", "looks at one edit"),
    ("compare", "--data"): row(COMPARE, "--data gedit.parquet", "benchmark.params.path: unknown"),
    ("compare", "--output-dir"): row(COMPARE, "--output-dir nowhere", NOT_THERE),
    ("compare", "--json"): row(PEOPLE, "--json", '"schema_version"'),
    ("compare", "--allow-code"): row(COMPARE.replace("pairs", "paircode"), CODE, "ranking by better"),
    ("compare", "--metric"): row("compare plain broken", "--metric nope", "nope"),
    ("compare", "--intersect"): row(f"compare plain {LATEST}", "--intersect", "Differs: "),
    ("compare", "--baseline"): row("compare plain broken", "--baseline nobody", "nobody"),
    ("compare", "--fail-on-regression"): row("compare plain broken", "--fail-on-regression -1", "fail-on-regression"),
    ("compare", "--to"): row("compare plain broken", "--to md", r"\| ?---"),
    ("compare", "--output"): row("compare plain broken --to md", "--output there.md", r"there\.md"),
    ("compare", "--debug"): row("compare plain nobody", "--debug", RAISED),
    ("sweep", "config"): other(SWEEP, SWEEP.replace("plain", "absent"), "absent.yaml"),
    ("sweep", "--benchmark"): row(SWEEP, "--benchmark nobody", "nobody"),
    ("sweep", "--data"): row(SWEEP, "--data gedit.parquet", "--data: sets the parameter `path`, which"),
    ("sweep", "--set"): row(SWEEP, "--set evaluation.limit=0", "limit"),
    ("sweep", "--categories"): row(SWEEP, "--categories nobody", "nobody"),
    ("sweep", "--limit"): row(SWEEP, "--limit 2", '"num_samples": 2'),
    ("sweep", "--first"): row(SWEEP, "--first 2", '"num_samples": 2'),
    ("sweep", "--num-seeds"): row(SWEEP, "--num-seeds 2", '"num_samples": 10'),
    ("sweep", "--sample"): row(SWEEP, "--sample causal/0000", '"num_samples": 1'),
    ("sweep", "--output-dir"): row(SWEEP, "--output-dir there", "there/sweeps"),
    ("sweep", "--device-ids"): row(SWEEP, "--device-ids 97", "cuda:97"),
    ("sweep", "--allow-code"): row(SWEEP.replace("plain", "coded"), CODE, '"num_judge_loads"'),
    ("sweep", "--debug"): row(SWEEP.replace("plain", "absent"), "--debug", RAISED),
    ("sweep", "--checkpoint"): row("sweep plain.yaml", "--checkpoint made", "no parameter that names its weights"),
    ("sweep", "--lora"): row("sweep plain.yaml", "--lora made", "takes no adapters"),
    ("sweep", "--set-each"): row("sweep plain.yaml", "--set-each x", "must be KEY=V1,V2"),
    ("sweep", "--watch"): row("sweep plain.yaml", "--watch nowhere", "there is no such folder"),
    ("sweep", "--max-hours"): row("sweep plain.yaml --watch nowhere", "--max-hours 0", "must be above 0"),
    ("sweep", "--poll-s"): row("sweep plain.yaml --watch nowhere", "--poll-s 0", "must be above 0"),
    ("sweep", "--stop-early"): row(SWEEP, "--stop-early", '"margin": 0.1'),
    ("sweep", "--margin"): row(f"{SWEEP} --stop-early", "--margin 200%", "--margin 200%"),
    ("sweep", "--json"): row(SWEEP.replace(" --json", ""), "--json", '"schema_version"'),
    ("sweep", "--display"): row(SWEEP.replace(" --json", ""), "--display json", '"event": "run_began"'),
    ("sweep", "--seed"): row(SWEEP, "--seed x", "invalid int value"),
    ("gate", "first_run"): other(GATE, GATE.replace("plain", "nobody"), NOT_THERE),
    ("gate", "second_run"): other(GATE, GATE.replace("broken", "larger"), "different benchmarks"),
    ("gate", "--margin"): other(GATE, GATE.replace("1%", "0"), "must be a number above 0"),
    ("gate", "--no-pixels"): row(f"{GATE} --json", "--no-pixels", '"edits": null'),
    ("gate", "--to"): row(GATE, "--to md", "# Engine gate"),
    ("gate", "--output-dir"): row(GATE, "--output-dir nowhere", NOT_THERE),
    ("gate", "--json"): row(GATE, "--json", '"outcome"'),
    ("gate", "--debug"): row(GATE.replace("plain", "nobody"), "--debug", RAISED),
    ("plan", "--pilot"): other("plan --pilot varied", "plan --pilot nobody", NOT_THERE),
    ("plan", "--difference"): row("plan --pilot varied", "--difference 2", "To find a true difference of 2: "),
    ("plan", "--samples"): row("plan --pilot varied", "--samples 99", "99 samples find a true difference"),
    ("plan", "--power"): row("plan --pilot varied", "--power 0.9", "in 90 % of such runs"),
    ("plan", "--comparisons"): row("plan --pilot varied", "--comparisons 10", "10 comparisons"),
    ("plan", "--correlation"): row("plan --pilot varied", "--correlation 0.5", "correlation of 0.5"),
    ("plan", "--output-dir"): row("plan --pilot varied", "--output-dir nowhere", NOT_THERE),
    ("plan", "--json"): row("plan --pilot varied", "--json", '"num_benchmark": 10'),
    ("plan", "--debug"): row("plan --pilot nobody", "--debug", RAISED),
    ("agreement", "runs"): other("agreement varied", "agreement nobody", NOT_THERE),
    ("agreement", "--ratings"): row("agreement varied", "--ratings stars.csv", "reference and people"),
    ("agreement", "--judges"): row("agreement varied --ratings stars.csv", "--judges nobody", "no such score set"),
    ("agreement", "--metric"): row("agreement varied --ratings stars.csv", "--metric nothing", "gives overall"),
    ("agreement", "--output-dir"): row("agreement varied", "--output-dir nowhere", NOT_THERE),
    ("agreement", "--json"): row("agreement varied --ratings stars.csv", "--json", '"num_strange"'),
    ("agreement", "--debug"): row("agreement nobody", "--debug", RAISED),
    ("noise", "run"): other("noise varied --samples 10 --dry-run", "noise nobody", NOT_THERE),
    ("noise", "--seeds"): row("noise varied --samples 10 --dry-run", "--seeds 3", "to make: 20 edits"),
    ("noise", "--draws"): row("noise varied --samples 10 --dry-run", "--draws 3", "60 judgements"),
    ("noise", "--samples"): row("noise varied --dry-run", "--samples 9", "--samples: must be at least 10, got 9"),
    ("noise", "--dry-run"): row("noise varied --samples 10", "--dry-run", r"(?s)\A(?!.*share)"),
    ("noise", "--output-dir"): row("noise varied --dry-run", "--output-dir nowhere", NOT_THERE),
    ("noise", "--json"): row("noise varied", "--json", '"is_same_scores": true'),
    ("noise", "--allow-code"): row("noise coded --dry-run", CODE, "0 scored|scored samples to draw from"),
    ("noise", "--debug"): row("noise nobody", "--debug", RAISED),
    ("simulate", "--requests"): row(SIMULATE, "--requests 14", "14 requests"),
    ("simulate", "--durations"): row(SIMULATE, "--durations 1.0,1.0,1.0", "on 3 workers"),
    ("simulate", "--cv"): row(SIMULATE, "--cv 0.1", "cv 0.1"),
    ("simulate", "--draws"): row(f"{SIMULATE} --cv 0.1", "--draws 3", "mean of 3 draws"),
    ("simulate", "--rotate"): row(SIMULATE, "--rotate", r"round_robin +18.00 s"),
    ("simulate", "--max-drift"): row(f"{SIMULATE} --rotate", "--max-drift -1", "--max-drift 0 or more"),
    ("simulate", "--seed"): row(f"{SIMULATE} --cv 0.3 --draws 1", "--seed 3", "ANOTHER"),
    ("reproduce", "name"): other("reproduce mmrb2 --from .", "reproduce mmrb3 --from .", "did you mean mmrb2"),
    ("reproduce", "--from"): row("reproduce mmrb2", "--from nowhere", "no such folder"),
    ("reproduce", "--published"): row("reproduce mmrb2 --from .", "--published accuracy", "ROW COLUMN=VALUE' with"),
    ("reproduce", "--markdown"): row("reproduce --list", "--markdown", "stands alone"),
    ("reproduce", "--chinese"): row("reproduce mmrb2 --from .", "--chinese", "only the page is in Chinese"),
    ("reproduce", "--list"): row("reproduce", "--list", "not recomputable"),
    ("simulate", "--svg"): row(SIMULATE, "--svg drawn.svg", r"drawn\.svg"),
    ("simulate", "--json"): row(SIMULATE, "--json", '"lower_bound_s"'),
}
TESTED_BELOW = {("view", "--no-open"), ("status", "--follow")}
TESTED_BELOW |= {("init", "--data"), ("init", "--gpus"), ("completion", "shell")}  # tests/cli/test_front_door.py
BY_SCORES = ("--metric", "--baseline", "--fail-on-regression", "--intersect", "--to", "--output")
TESTED_BELOW |= {("compare", flag) for flag in BY_SCORES}  # tests/run/test_comparison.py
TESTED_BELOW |= {("sweep", "--gpus"), ("sweep", "--judge")}  # as of `run`: read by overrides_of
SLOW = [key for key in TABLE if key[0] == "certify"]


def flags_of(command: str, parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from flags_of(name, below)
        elif not isinstance(action, argparse._HelpAction):
            yield from ((command, name) for name in action.option_strings or [action.dest])


def test_every_flag_of_every_command_has_a_row() -> None:
    flags = set(flags_of("", build_parser()))
    assert flags - TABLE.keys() - TESTED_BELOW == set(), "say in TABLE what it does"
    assert TABLE.keys() | TESTED_BELOW == flags


def test_the_old_entry_has_the_flags_of_run_and_the_configuration() -> None:
    of_run = {flag for command, flag in TABLE if command == "run" and flag.startswith("--")}
    assert {flag for _, flag in flags_of("", build_legacy_parser())} == of_run | {"--config"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with configurations and finished runs of them."""
    folder = tmp_path_factory.mktemp("finished")
    for name, text in (RUNS | {"exact": EXACT, "ladder": LADDER, "red": RED}).items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    (folder / "judged.csv").write_text(f"editor,sample,from,to\n{JUDGED}\n", encoding="utf-8")
    parquet(folder / "gedit.parquet", gedit_table(gedit_rows()))
    (folder / "pairs.yaml").write_text(f"reward_model: {{type: openai_chat, params: {PAIRS}}}\n", encoding="utf-8")
    (folder / "paircode.yaml").write_text("reward_model: {type: fakes.pair_judge}\n", encoding="utf-8")
    stars = "\n".join(f"causal/000{n},{n}" for n in range(2))
    (folder / "stars.csv").write_text(f"sample,rating\n{stars}\n", encoding="utf-8")
    (folder / "people.jsonl").write_text("\n".join(PEOPLE_SAID), encoding="utf-8")
    human_sets.own(folder / "people", [human_sets.Told(n, 200, 100) for n in range(4)])
    before = Path.cwd()
    os.chdir(folder)
    try:
        for name in RUNS:
            called(["run", f"{name}.yaml", CODE])
            if name == "plain":
                (plain,) = (folder / "outputs").glob("plain-*")
                shutil.copytree(plain / "edits", folder / "made")
                called(["import", "made", "plain.yaml"])
        (broken,) = (folder / "outputs").glob("broken-*")
        (broken / ".half.tmp").write_bytes(b"?")
        (stale,) = (folder / "outputs").glob("stale-*")
        (stale / "scores.csv").write_text("id\n", encoding="utf-8")
    finally:
        os.chdir(before)
    return folder


@pytest.fixture(scope="module")
def known() -> dict[tuple[object, ...], str]:
    """What command lines have come to: most rows share one of their two with others."""
    return {}


def called(arguments: Sequence[str], entry: Callable[[Sequence[str]], None] = main) -> tuple[object, str]:
    """(exit code, what was raised instead)."""
    try:
        entry(arguments)
    except SystemExit as ended:
        return ended.code, ""
    except UserError as error:
        return None, f"{RAISED} {type(error).__name__}"
    raise AssertionError("a command ends with an exit code")


@pytest.fixture
def outcome(
    finished: Path,
    known: dict[tuple[object, ...], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """What a command line comes to in a copy of the folder with the runs that it names: code, output, files."""
    made: list[str] = []

    def come_to(arguments: Sequence[str], entry: Callable[[Sequence[str]], None] = main) -> str:
        line = (entry, *arguments)
        if line not in known:
            known[line] = make(arguments, entry)
        return known[line]

    def make(arguments: Sequence[str], entry: Callable[[Sequence[str]], None]) -> str:
        folder = tmp_path / f"copy{len(made)}"
        made.append(" ".join(arguments))
        runs = [run for run in RUNS if run in made[-1]] or [LATEST]
        others = [f"{run}-*" for run in RUNS if run not in runs]
        shutil.copytree(finished, folder, symlinks=True, ignore=shutil.ignore_patterns(*others))
        monkeypatch.chdir(folder)
        capsys.readouterr()
        code, raised = called(arguments, entry)
        said = capsys.readouterr()
        names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if "edits" not in path.parts)
        return "\n".join([f"exit {code}", raised, said.out, said.err, *names])

    return come_to


def assert_differ(row: Row, without: str, with_flag: str) -> None:
    if row.wanted == "ANOTHER":  # the same words, other figures
        assert with_flag != without
        return
    assert re.search(row.wanted, with_flag), with_flag
    assert not re.search(row.wanted, without), without


@pytest.mark.parametrize("key", [key for key in TABLE if key not in SLOW], ids=" ".join)
def test_a_flag_does_what_it_says_or_is_refused(key: tuple[str, str], outcome: Callable[..., str]) -> None:
    row = TABLE[key]
    assert_differ(row, outcome(row.without), outcome(row.with_flag))


@pytest.mark.slow
@pytest.mark.parametrize("key", SLOW, ids=" ".join)
def test_a_flag_of_certify_does_what_it_says_or_is_refused(key: tuple[str, str], outcome: Callable[..., str]) -> None:
    row = TABLE[key]
    assert_differ(row, outcome(row.without), outcome(row.with_flag))


@pytest.mark.parametrize("flag", ["--limit 3", "--categories causal", "--sample causal/0000"])
def test_certify_refuses_what_it_does_not_use(flag: str, outcome: Callable[..., str]) -> None:
    said = outcome(["certify", "ladder.yaml", *flag.split()])
    assert "exit 2" in said and f"unrecognized arguments: {flag.split()[0]}" in said


def test_certify_refuses_settings_of_benchmark_and_editor(outcome: Callable[..., str]) -> None:
    for setting in ("benchmark.params.size=3", "diffusion_model.params.seed=3", "evaluation.limit=3"):
        said = outcome(["certify", "ladder.yaml", CODE, "--set", setting])
        assert "exit 2" in said and "uses neither benchmark nor editor" in said


@pytest.mark.parametrize("flag", ["--limit 2", "--seed 7", "--device-ids cpu cpu", "--fresh"])
def test_the_old_entry_honours_the_same_flags(flag: str, outcome: Callable[..., str]) -> None:
    base = ["--config", "plain.yaml", "--dry-run"]
    row = TABLE["run", flag.split()[0]]
    assert_differ(row, outcome(base, legacy_main), outcome([*base, *flag.split()], legacy_main))


def test_status_follows_a_run_until_nobody_writes_to_it(finished: Path) -> None:
    (directory,) = (finished / "outputs").glob("plain-*")
    command = [sys.executable, "-m", "editeval", "status", "plain"]
    with RunStore.reopen(directory):
        once = subprocess.run(command, cwd=finished, capture_output=True, text=True, timeout=120, check=False)
        assert "running: process" in once.stdout, "without --follow it does not wait for the writer"
        following = subprocess.Popen([*command, "--follow"], cwd=finished, stdout=subprocess.PIPE, text=True)
        assert following.stdout is not None
        first = following.stdout.readline()
        assert first.strip() and following.poll() is None
    with following:
        rest = following.stdout.read()
    assert "complete: every wanted sample is scored" in rest


def wait_for(path: Path, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.05)


def test_view_opens_a_browser_unless_told_not_to(finished: Path, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\ntouch {tmp_path}/opened\n", encoding="utf-8")
    browser.chmod(0o755)
    for more, is_opened in ((["--no-open"], False), ([], True)):
        with subprocess.Popen(
            [sys.executable, "-m", "editeval", "view", "plain", *more],
            cwd=finished,
            env={**os.environ, "BROWSER": f"{browser} %s"},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("http://127.0.0.1:")
            process.stdout.readline()
            if is_opened:
                wait_for(tmp_path / "opened")
            process.send_signal(signal.SIGINT)
        assert (tmp_path / "opened").exists() == is_opened
