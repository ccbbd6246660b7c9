"""`editeval compare`: which of several models is better - by a judge of pairs, by people's verdicts, or by scores."""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import math
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TextIO

from editeval.cli.console import REGRESSED, add_step_summary, interruptible, result_console, run_dirs
from editeval.config.consent import odd_file
from editeval.config.load import load_judges
from editeval.config.schema import Config
from editeval.errors import ConfigError, UserError
from editeval.files import write_atomic
from editeval.reports.data import JsonObject
from editeval.reports.tables import replacing, to_json
from editeval.run.pair_verdicts import Verdicts, document
from editeval.run.plan import ScoreSetPlan
from editeval.run.recorded import settings_here, stranger_of
from editeval.store.manifest import run_id
from editeval.store.opponent import Opponent
from editeval.store.run_store import RunStore

ONLY_WITH_JUDGE = ("max_pairs", "all", "set", "data", "allow_code")
ONLY_BY_SCORES = ("metric", "intersect", "baseline", "fail_on_regression", "to", "output")


def compare(options: argparse.Namespace) -> int:
    """0 if there is a result, 3 if some questions have no verdict, 128 + signal after an interrupt.

    REGRESSED if a run is, or may be, worse than the baseline by more than the margin.
    """
    if options.judge is not None or options.verdicts is not None:
        given = [name for name in ONLY_BY_SCORES if getattr(options, name) not in (None, False)]
        if given:
            raise ConfigError(f"--{given[0].replace('_', '-')}: is about the scores of the runs; leave --judge out")
    if options.judge is None:
        given = [name for name in ONLY_WITH_JUDGE if getattr(options, name)]
        if given:
            raise ConfigError(f"--{given[0].replace('_', '-')}: is about asking a judge; name one with --judge")
    if options.verdicts is not None:
        if options.judge is not None or options.runs:
            raise ConfigError("--verdicts: the models are those of the file; name no run and no --judge with it")
        return _shown(options, _of_people(options), None)
    if options.judge is None:
        return _of_scores(options)
    return _judged(options)


def _judged(options: argparse.Namespace) -> int:
    from editeval.run.arena import Arena, ArenaLimits, judging_of, opponents
    from editeval.run.pipeline import logs

    if options.all and options.max_pairs is not None:
        raise ConfigError("--all: asks about everything; leave --max-pairs out")
    if options.max_pairs is not None and options.max_pairs < 1:
        raise ConfigError(f"--max-pairs: must be at least 1, got {options.max_pairs}")
    runs = opponents(run_dirs(options))
    first = next(iter(runs.values())).store.dir
    place = _place(options, runs)
    config = _config(options, first, place)
    judging = judging_of(config)
    limits = ArenaLimits(options.max_pairs, options.all, options.seed)
    with interruptible() as interrupt, logs(config.logging, logging.StreamHandler(sys.stderr)):
        for warning in config.warnings:
            logging.getLogger("editeval").warning("%s", warning)
        arena = Arena(config, judging, runs, limits)
        kept = place / "comparisons" / f"answers-{judging.id}.jsonl"
        verdicts = arena.run(kept, interrupt)
    if interrupt.signum is not None:
        sys.stderr.write(f"Interrupted; what was answered is in {kept}, and the same command carries on.\n")
        return 128 + interrupt.signum
    models = _models(runs)
    about = {"judge": _judge(judging), "models": models}
    found = document(verdicts, is_sequential=not options.all, seed=options.seed, about=about)
    mark = run_id({"judge": judging.id, "runs": [one["run_id"] for one in models], "seed": options.seed})
    return _shown(options, found, place / "comparisons" / mark[:12])


def _place(options: argparse.Namespace, runs: Mapping[str, Opponent]) -> Path:
    """Where answers, logs and the result are kept: beside a run that was made here, else in the output folder.

    The folder of a stranger's runs may hold answers that nobody gave. Raises ConfigError where a link leads elsewhere.
    """
    place = Path(options.output_dir or "outputs").absolute()
    for directory in (one.store.dir for one in runs.values()):
        with RunStore.read(directory) as store:
            if store.is_own:
                place = directory.parent
                break
    for folder in (place / "comparisons", place / "logs"):
        if (odd := odd_file(folder)) and not options.allow_code:
            raise ConfigError(f"{folder}: {odd} is a link or no ordinary file; remove it, or add --allow-code")
    return place


def _config(options: argparse.Namespace, directory: Path, place: Path) -> Config:
    """The judge of --judge and the benchmark of the run in `directory`; logs are written beside the runs."""
    with RunStore.read(directory) as store:
        settings, name, found_in = settings_here(store), str(store.manifest["name"]), stranger_of(store)
    if options.data is not None:
        settings["benchmark"].setdefault("params", {})["path"] = options.data
    config = load_judges(settings, name, Path(options.judge), options.set, options.allow_code, found_in)
    log_file = place / "logs" / "compare.log"
    return replace(
        config,
        path=Path(options.judge),
        evaluation=replace(config.evaluation, output_dir=place),
        logging=replace(config.logging, log_file=log_file),
    )


def _judge(judging: ScoreSetPlan) -> JsonObject:
    protocol = getattr(judging.stage.params, "protocol", "")
    return {"name": judging.name, "type": judging.stage.type, "protocol": protocol, "id": judging.id}


def _models(runs: Mapping[str, Opponent]) -> list[JsonObject]:
    return [
        {
            "name": name,
            "directory": str(one.store.dir),
            "run_id": one.store.manifest["run_id"],
            "num": len(one.edits),
            "of": "edits",
        }
        for name, one in runs.items()
    ]


def _of_people(options: argparse.Namespace) -> JsonObject:
    from editeval.preferences.verdict_files import read_verdicts

    path = Path(options.verdicts)
    if not path.exists():
        raise UserError(f"--verdicts {path}: no such file or folder")
    file = read_verdicts(path)
    names = sorted({name for one in file.verdicts for name in (one.said.a, one.said.b)})
    verdicts = Verdicts(tuple(names), tuple(dict.fromkeys(one.question for one in file.verdicts)))
    counts = {question: Counter[tuple[str, str]]() for question in verdicts.questions}
    for one in file.verdicts:
        is_turned = one.said.a > one.said.b
        pair = (one.said.b, one.said.a) if is_turned else (one.said.a, one.said.b)
        verdicts.add(pair, one.cluster, one.question, 1 - one.said.won if is_turned else one.said.won)
        counts[one.question][pair] += 1
    possible = reduce(or_, counts.values())  # of each pair, as many as the question with the most
    verdicts.possible, verdicts.asked = possible, possible.copy()
    num = {name: sum(count for pair, count in possible.items() if name in pair) for name in names}
    about = {
        "verdicts": {
            "file": str(path),
            "layout": file.layout,
            "sha256": file.sha256,
            "num_left_out": file.num_left_out,
        },
        "models": [{"name": name, "num": num[name], "of": "verdicts"} for name in names],
    }
    return document(verdicts, is_sequential=False, seed=options.seed, about=about)


def _shown(options: argparse.Namespace, found: JsonObject, default: Path | None) -> int:
    from editeval.reports.standings import comparison_markdown, render_comparison

    folder = Path(options.out) if options.out else default
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / "comparison.json", (to_json(found, indent=2) + "\n").encode())
            write_atomic(folder / "comparison.md", comparison_markdown(found).encode("utf-8", "replace"))
        except OSError as error:
            raise UserError(f"--out {folder}: cannot be written: {error.strerror or error}") from error
    if options.json:
        sys.stdout.write(to_json(found) + "\n")
    else:
        render_comparison(found, result_console())
    add_step_summary(lambda: comparison_markdown(found))
    if folder is not None:
        sys.stderr.write(f"Comparison: {folder / 'comparison.json'}\n")
    return 3 if found["counts"]["reasons"] else 0


def _of_scores(options: argparse.Namespace) -> int:
    """The paired differences of the scores that the runs show."""
    from editeval.reports import comparison_tables as tables
    from editeval.run.comparison import ComparisonPlan, by_scores
    from editeval.run.index import find_run

    if options.out or options.seed:
        raise ConfigError(
            f"--{'out' if options.out else 'seed'}: is about verdicts on pairs; give --judge or --verdicts"
        )
    if options.output and not options.to:
        raise ConfigError("--output: as what? give --to md, csv, json or tex")
    if options.json and options.to:
        raise ConfigError("--json: the same as --to json; give one of the two")
    margin = options.fail_on_regression
    if margin is not None and not (math.isfinite(margin) and margin >= 0):
        raise ConfigError(f"--fail-on-regression: must be 0 or more, in the metric's numbers, got {margin}")
    if margin is not None and options.baseline is None:
        raise ConfigError("--fail-on-regression: against what? name a run with --baseline")
    directories, place = run_dirs(options), Path(options.output_dir)
    baseline = None if options.baseline is None else find_run(options.baseline, place)
    plan = ComparisonPlan(options.metric or "", options.intersect, baseline, margin)
    found = by_scores([*directories, *([baseline] if baseline else [])], plan)
    writers = {"md": tables.write_md, "csv": tables.write_csv, "tex": tables.write_tex, "json": _write_json}
    if options.to is None and not options.json:
        tables.render_scores(found, result_console())
    else:
        with _opened(options.output) as out:
            writers[options.to or "json"](found, out)
    add_step_summary(lambda: _markdown(found))
    gate = found["gate"]
    return REGRESSED if gate and any(one["is_regression"] for one in gate["runs"]) else 0


def _markdown(found: JsonObject) -> str:
    from editeval.reports.comparison_tables import write_md

    page = io.StringIO()
    write_md(found, page)
    return page.getvalue()


@contextlib.contextmanager
def _opened(output: str | None) -> Iterator[TextIO]:
    """stdout, or a file that is there when all is written. Raises UserError if it cannot be."""
    if output in (None, "-"):
        yield sys.stdout
        return
    try:
        with replacing(Path(str(output))) as file:
            yield file
    except OSError as error:
        raise UserError(f"--output {output}: cannot be written: {error.strerror or error}") from error


def _write_json(document: JsonObject, out: TextIO) -> None:
    out.write(to_json(document) + "\n")
