"""A Vega-Lite chart of a run with its data in it: the headline's mean by category, with 95 % intervals."""

from __future__ import annotations

import json
from typing import TextIO

from editeval.reports.data import MACRO, MICRO, JsonObject
from editeval.text import plain

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"


def write_vega(report: JsonObject, out: TextIO) -> None:
    """`report` is what report.json holds. A mean without an interval is a point without a line."""
    metric = report["headline_metric"]
    scale = (report.get("scales") or {}).get(metric) or {"low": 0.0, "high": 10.0, "is_higher_better": True}
    shown = [one for one in report["summaries"] if one["metric"] == metric and one["mean"] is not None]
    names = ("category", "mean", "ci_low", "ci_high", "num_scored", "num_samples")
    values = [{name: one[name] for name in names} for one in shown]
    order = [one["category"] for one in shown if one["category"] not in (MACRO, MICRO)] + [MACRO, MICRO]
    ends = [scale["low"], scale["high"]]
    domain = {} if None in ends else {"scale": {"domain": ends}}
    better = "higher is better" if scale.get("is_higher_better", True) else "lower is better"
    y = {"field": "category", "type": "nominal", "sort": order, "title": None}
    title = f"{metric} ({better})"
    tips = [{"field": name, "type": "nominal" if name == "category" else "quantitative"} for name in names]
    whole = {
        "$schema": SCHEMA,
        "title": {
            "text": f"{report['run']['editor']}: {metric}",
            "subtitle": f"{report['run']['name']}, {report['badge']}",
        },
        "data": {"values": values},
        "encoding": {"y": y},
        "layer": [
            {
                "transform": [{"filter": "isValid(datum.ci_low)"}],
                "mark": "rule",
                "encoding": {
                    "x": {"field": "ci_low", "type": "quantitative", "title": title, **domain},
                    "x2": {"field": "ci_high"},
                },
            },
            {
                "mark": {"type": "point", "filled": True, "size": 60},
                "encoding": {
                    "x": {"field": "mean", "type": "quantitative", "title": title, **domain},
                    "tooltip": tips,
                },
            },
        ],
    }
    out.write(json.dumps(plain(whole), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
