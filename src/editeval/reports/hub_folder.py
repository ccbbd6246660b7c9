"""A run for the Hugging Face Hub: a data set folder of edits with their scores, and results as the Hub reads them.

Results have two forms: `model-index` in a card, and files of `.eval_results/` in the model's repository, after
https://github.com/huggingface/hub-docs/blob/main/eval_results.yaml (read on 2026-11-30, as of 2026-08-22).
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from editeval.errors import ConfigError, MachineError
from editeval.machine.hub import client_errors
from editeval.reports.data import INVALID, INVALID_JUDGE, MACRO, JsonObject, scored_value
from editeval.store.records import SampleRow
from editeval.text import as_yaml, printable


def write_folder(report: JsonObject, rows: Iterable[SampleRow], run: Path, folder: Path) -> None:
    """README.md (with `model-index`), metadata.jsonl and edits/. Raises MachineError if something else is there."""
    if folder.exists() and not (folder / "metadata.jsonl").is_file():
        raise MachineError(f"{folder}: is there already, and no export; name another place with --output")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "edits").mkdir(parents=True)
    with (folder / "metadata.jsonl").open("w", encoding="utf-8") as file:
        for line in _lines(report, rows, run, folder):
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    (folder / "report.json").write_bytes((run / "report.json").read_bytes())
    (folder / "README.md").write_text(_card(report), encoding="utf-8")


def _lines(report: JsonObject, rows: Iterable[SampleRow], run: Path, folder: Path) -> Iterator[dict[str, object]]:
    """Edits alone: the Hub's viewer wants a file in each line. The others are in report.json, counted."""
    has_seeds = bool(report["run"].get("num_seeds"))
    for row in rows:
        if row.status != "done" or row.edited_path is None:
            continue
        name = f"edits/{Path(row.edited_path).name}"
        shutil.copyfile(run / row.edited_path, folder / name)
        about: dict[str, object] = {
            "file_name": name,
            "id": row.id,
            "category": row.category,
            "instruction": row.instruction,
        }
        about |= {"sample": row.sample, "seed_index": row.seed_index} if has_seeds else {}
        yield {**about, "seed": row.seed, **{metric: scored_value(row, metric) for metric in row.scores}}


def results(report: JsonObject) -> list[dict[str, object]]:
    """The entries of `model-index`: the mean over categories of every metric that has one, with what it is worth."""
    benchmark = printable(report["run"]["benchmark"])
    found: list[dict[str, object]] = []
    for one in report["summaries"]:
        if one["category"] != MACRO or one["mean"] is None:
            continue
        interval = {"low": one["ci_low"], "high": one["ci_high"]}
        metric = {"type": printable(one["metric"]), "value": one["mean"], "name": f"{printable(one['metric'])} (macro)"}
        found.append(
            {
                "task": {"type": "image-to-image"},
                "dataset": {"type": benchmark, "name": benchmark},
                "metrics": [{**metric, "args": {"coverage": one["coverage"], "interval_95": interval}}],
            }
        )
    return found


def write_eval_results(report: JsonObject, task: str, out: TextIO) -> None:
    """A list of one result, of the benchmark and task that `task` names: OWNER/NAME:TASK_ID.

    The value is the authors' number where the run is official and has one, else the headline's mean over categories;
    the notes say which. Raises ConfigError where there is no number to quote.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+:\S+", task):
        raise ConfigError(f"--task: must be OWNER/NAME:TASK_ID, a benchmark of the Hub and a task of it, got {task!r}")
    run, metric = report["run"], report["headline_metric"]
    of_headline = [one for one in report["summaries"] if one["metric"] == metric and one["category"] == MACRO]
    mean = next((one for one in of_headline if one["mean"] is not None), None)
    lacks = "" if mean else "it has no scores"
    lacks = lacks or ("it is a part of the benchmark" if report["subset"] else "")
    lacks = lacks or (f"it is {report['badge']}" if report["badge"] in (INVALID, INVALID_JUDGE) else "")
    lacks = lacks or ("" if report["coverage"]["is_headline"] else "too few of its samples have a score")
    if mean is None or lacks:
        raise ConfigError(f"{run['name']}: no result for the Hub: {lacks}")
    value, said = _official(run.get("official_claim") or {}) or (mean["mean"], _macro(report, mean))
    judges = ", ".join(dict.fromkeys(f"{one['judge']} {one['protocol']}".strip() for one in run["judgings"][:1]))
    notes = f"editeval; {said}; judge {judges}"
    dataset, _, task_id = task.partition(":")
    date = datetime.fromtimestamp(run["created_at"], UTC).strftime("%Y-%m-%d")
    result = {"dataset": {"id": dataset, "task_id": task_id}, "value": value, "date": date, "notes": printable(notes)}
    out.write(as_yaml([result], width=10_000))


def _official(claim: JsonObject) -> tuple[float, str] | None:
    """The authors' number and the line about it; None if the run is not official, or has one for each language."""
    numbers = claim.get("numbers") or []
    main = [one for one in numbers if one["name"] == numbers[0]["name"] and one["value"] is not None]
    if not claim.get("is_official") or len(main) != 1:
        return None
    return main[0]["value"], claim["lines"][0]


def _macro(report: JsonObject, mean: JsonObject) -> str:
    claim = report["run"].get("official_claim") or {}
    interval = "" if mean["ci_low"] is None else f", 95 % interval {mean['ci_low']:.4g} to {mean['ci_high']:.4g}"
    counts = f"{mean['num_scored']} of {mean['num_samples']} samples"
    differs = "; ".join(claim.get("lines", ()))
    what = f"mean over categories of {mean['metric']}{interval}, {counts}"
    return f"{what}; {differs}" if differs else what


def _card(report: JsonObject) -> str:
    run = report["run"]
    index = [{"name": printable(run["editor"]), "results": results(report)}]
    head = {"tags": ["editeval", "image-editing"], "configs": [{"config_name": "default", "data_dir": "."}]}
    text = as_yaml({**head, "model-index": index}, width=80)
    counts = report["coverage"]
    lines = [
        f"# {printable(run['editor'])} on {printable(run['benchmark'])}",
        f"Edits and scores of the run `{printable(run['name'])}` of editeval: {report['badge']}.",
        f"{counts['num_scored']} of {counts['num_samples']} samples are scored, {counts['num_failed']} edits failed.",
        *(f"- {printable(warning)}" for warning in report["warnings"]),
    ]
    return f"---\n{text}---\n\n" + "\n\n".join(lines) + "\n"


def push(folder: Path, repo: str) -> str:
    """The address of the data set `repo` (owner/name), made private if it is new, with the folder in it.

    Raises MachineError, one line, without a network, a token or the right to write.
    """
    try:
        from huggingface_hub import HfApi, constants  # type: ignore[import-not-found]
    except ImportError as error:
        raise MachineError(f"--push: huggingface_hub cannot be imported: {error}") from error
    if constants.HF_HUB_OFFLINE:
        raise MachineError("--push: HF_HUB_OFFLINE is set; the folder is written, and nothing was sent")
    api = HfApi()
    try:
        api.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
        api.upload_folder(repo_id=repo, repo_type="dataset", folder_path=folder)
    except client_errors(ValueError, OSError) as error:
        what = " ".join(str(error).split())[:300]
        raise MachineError(f"--push {repo}: {what}; the folder {folder} is written") from error
    return f"https://huggingface.co/datasets/{repo}"
