"""A run as JUnit XML, a case per sample: what has no score fails, a low score does not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO
from xml.etree import ElementTree as ET

from editeval.reports.data import scored_value, why_unscored
from editeval.reports.reply_text import reply_text
from editeval.store.records import SampleRow
from editeval.text import printable


def write_junit(name: str, rows: Iterable[SampleRow], metric: str, out: TextIO) -> None:
    """`metric` is the headline; empty: the run has no judge, and its edits are the result."""
    suite = ET.Element("testsuite", name=printable(name))
    counts = {"tests": 0, "failures": 0, "errors": 0}
    seconds = 0.0
    for row in rows:
        counts["tests"] += 1
        seconds += row.seconds or 0.0
        case = ET.SubElement(suite, "testcase", classname=printable(row.category), name=printable(row.id))
        case.set("time", f"{row.seconds or 0:.3f}")
        value = scored_value(row, metric) if metric else None
        if row.status != "done":
            counts["failures"] += 1
            reason = row.error_reason or row.status
            ET.SubElement(case, "failure", type=reason, message=printable(row.error_message or reason))
        elif metric and value is None:
            counts["errors"] += 1
            reason = why_unscored(row, metric)
            score = row.scores.get(metric)
            said = printable(reply_text(score.raw)[:2000]) if score is not None else ""
            ET.SubElement(case, "error", type=reason, message=f"{printable(metric)}: no score: {reason}").text = said
        elif metric:
            properties = ET.SubElement(case, "properties")
            ET.SubElement(properties, "property", name=printable(metric), value=f"{value:g}")
    for key, count in counts.items():
        suite.set(key, str(count))
    suite.set("time", f"{seconds:.3f}")
    ET.indent(suite)
    out.write('<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n")
