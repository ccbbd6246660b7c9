"""What a sweep has found, as a document: every checkpoint against the first and against the best."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from editeval.config.schema import Config
from editeval.reports.data import JsonObject
from editeval.reports.sweep_tables import NOTES
from editeval.run.gating import margin_of
from editeval.run.plan import hash_of
from editeval.run.sweep import Contestant, Sweep
from editeval.stats import intervals
from editeval.stats.checkpoints import CheckpointStanding, standings
from editeval.text import stem_of


def folder_of(base: Config, asked: Mapping[str, object]) -> Path:
    """Where a sweep's documents go: one folder for what is swept (`asked`) over what, wherever that is computed."""

    def kept(section: object) -> object:
        return {k: v for k, v in section.items() if k != "execution"} if isinstance(section, Mapping) else section

    shaping = {
        name: {judge: kept(one) for judge, one in section.items()} if name == "reward_models" else kept(section)
        for name, section in base.resolved.items()
        if name not in ("logging", "tracking", "evaluation")
    }
    evaluation = {k: v for k, v in base.resolved.get("evaluation", {}).items() if k != "output_dir"}
    told = json.dumps([shaping, evaluation, asked], sort_keys=True, default=str)
    name = f"{stem_of(base.name)}-{hash_of([told])[:8]}"
    return base.evaluation.output_dir / "sweeps" / name


def document(sweep: Sweep, name: str, margin: str | None) -> JsonObject:
    """`margin`: as it was given, of a sweep that stops early."""
    done = [one for one in sweep.contestants if one.is_complete(len(sweep.looks))]
    found = standings([one.scores for one in done], sweep.metric) if sweep.metric and done else []
    places = dict(zip((one.label for one in done), found, strict=False))
    rows = [_row(one, places.get(one.label), sweep) for one in sweep.contestants]
    means = [
        (row["mean"], row["checkpoint"]) for row in rows if row["status"] == "complete" and row["mean"] is not None
    ]
    sign = 1 if sweep.metric is None or sweep.metric.is_higher_better else -1
    best = max(means, key=lambda pair: sign * pair[0])[1] if means else None
    return {
        "schema_version": 1,
        "name": name,
        "metric": asdict(sweep.metric) if sweep.metric else None,
        "margin": margin_of(margin or "1%", sweep.metric) if sweep.metric and sweep.is_stopping else None,
        "first": done[0].label if done else None,
        "best": best,
        "may_be_best": [row["checkpoint"] for row in rows if row["may_be_best"]],
        "checkpoints": rows,
        "num_saved": sum(row["num_saved"] for row in rows),
        "num_judge_loads": sweep.num_judge_loads,
        "methods": {name: str(said) for name, said in NOTES.items()},
    }


def _row(one: Contestant, standing: CheckpointStanding | None, sweep: Sweep) -> JsonObject:
    scored = [score for score in one.scores.values() if score.value is not None]
    num_samples = len(one.plan.samples) if one.plan else 0
    is_complete = one.is_complete(len(sweep.looks))
    status = "failed" if one.error else "stopped" if one.worse_than else "complete" if is_complete else "incomplete"
    clusters = intervals.by_cluster((s.cluster, s.sample or n, s.value or 0.0) for n, s in enumerate(scored))
    means = [value for found in clusters.values() for value in found]
    mean = math.fsum(means) / len(means) if means else None
    whole = intervals.interval([clusters], [mean]) if status == "complete" and mean is not None else None
    told = asdict(standing) if standing else dict.fromkeys(field for field in CheckpointStanding.__slots__)
    return {
        "checkpoint": one.label,
        "sets": list(one.sets),
        "run": one.plan.dir.name if one.plan else None,
        "directory": str(one.plan.dir) if one.plan else None,
        "status": status,
        "error": one.error,
        "worse_than": one.worse_than,
        "num_samples": num_samples,
        "num_edited": len(one.scores),
        "num_scored": len(scored),
        "num_made": one.num_made,
        "num_saved": max(0, num_samples - one.num_made) if one.worse_than else 0,
        "mean": mean,
        "low": whole.low if whole else None,
        "high": whole.high if whole else None,
        **{name: told[name] for name in CheckpointStanding.__slots__ if name not in ("mean", "num_scored", "note")},
        "may_be_best": bool(told["may_be_best"]),
        "note": told["note"] or "",
    }
