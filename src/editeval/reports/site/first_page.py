"""The first page: readable without any script. Python says it in English; `text.js` can say it in Chinese.

What it looks like is in templates/summary.html; here is what the template asks for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import quote

from editeval.reports.columns import saturated
from editeval.reports.format import change_of
from editeval.reports.i18n import Message, is_word
from editeval.reports.site import charts, markup, page
from editeval.reports.site.markup import Html, h, t
from editeval.reports.site.payload import Block
from editeval.text import NOTHING, duration, fixed, moment, share, span
from editeval.types import STATISTICS

WHOLE = ("macro", "micro")
_STEM = re.compile(r"[0-9a-f]{32}")
_PHASES = ("load_s", "edit_s", "both_s", "swap_s", "judge_s")
_CHECK_STATUSES = ("passed", "warned", "failed", "not measured")
_MEANS = {"valid": "valid_means", "invalid": "invalid_means", "invalid judge": "invalid_judge_means"}

Summary: TypeAlias = Block
Comparison: TypeAlias = Block
"""How the first run compares with another, in JSON values: those of `stats.compare.Comparison`, and `is_same_judge`."""


def first_page(runs: Sequence[RunView], comparisons: Sequence[Comparison] = (), num_shared: int | None = None) -> str:
    """Head, for several runs how they compare (`comparisons`: the first with each other), and one `main` per run.

    `num_shared`: only the samples that every run has are shown, and they are so many.
    """
    values = {"runs": runs, "comparisons": comparisons, "num_shared": num_shared}
    return page.rendered("summary.html", {**_GLOBALS, **values})


@dataclass(frozen=True, slots=True)
class RunView:
    """A run on the first page: its block, as `payload` makes it. `thumb(stem)` is the address of a thumbnail."""

    block: Block
    thumb: Callable[[str], str]
    index: int = 0

    @property
    def run(self) -> Block:
        run: Block = self.block["run"]
        return run

    @property
    def name(self) -> str:
        return str(self.run.get("name") or self.run.get("id") or "run")

    @property
    def colour(self) -> int:
        return self.index % 6

    @property
    def means(self) -> str:
        """The word for what its badge means."""
        return _MEANS.get(str(self.block["badge"]).removesuffix(" (subset)"), "warned_means")

    @property
    def whole(self) -> Summary | None:
        """The headline over all samples."""
        return self.summary("micro")

    def summary(self, category: str, metric: str = "") -> Summary | None:
        """That of the headline, unless another metric is asked for; None if there is none."""
        wanted = (metric or self.block["headline"], category)
        return next((one for one in self.block["summaries"] if (one["metric"], one["category"]) == wanted), None)

    def summaries(self) -> list[Summary]:
        """Those of the headline: the categories, then the rows over all of them."""
        mine = [one for one in self.block["summaries"] if one["metric"] == self.block["headline"]]
        return sorted(mine, key=lambda one: WHOLE.index(one["category"]) + 1 if one["category"] in WHOLE else 0)

    @property
    def scale(self) -> Mapping[str, object]:
        """Of the headline; a run of an older version has it on 0-10."""
        return self.block.get("scale") or {"low": 0, "high": 10, "words": "of 10"}

    @property
    def ends(self) -> tuple[float, float]:
        return float(str(self.scale["low"])), float(str(self.scale["high"]))

    def statistics(self) -> list[str]:
        return [name for name in STATISTICS if name != "count" and name in self.block["statistics"]]

    def bins(self, category: str) -> Sequence[int]:
        """The histogram of a category, or of all samples."""
        histograms: Mapping[str, Sequence[int]] = self.block["histograms"]
        if category == "micro":
            return [sum(counts) for counts in zip(*histograms.values(), strict=True)]
        return histograms.get(category, ())

    def coverage(self) -> dict[str, int]:
        """Numbers of samples by what became of them; the first counts for the result."""
        counts = self.block["coverage"]
        known = {"failed": counts["num_failed"], "pending": counts["num_pending"]}
        if not self.block["headline"]:
            return {"done": counts["num_edited"], **known}
        return {"scored": counts["num_scored"], "unscored": counts["num_unscored"], **known}

    def facts(self) -> Iterator[tuple[str, str]]:
        """What was run, by word."""
        run, subset = self.run, self.block.get("subset") or {}
        values = {"model_is": run.get("model"), "editor": run.get("editor")}
        values |= {"judge_model": "; ".join(run.get("scores") or ()) or run.get("judge")}
        values |= {"benchmark": run.get("benchmark"), "policy": run.get("policy")}
        values |= {"edit" if run.get("imported") else "made_under": run.get("made_under")}
        values |= {"devices": ", ".join(map(str, run.get("devices") or ())), "subset": subset.get("how")}
        values |= {"also_kept": "; ".join(run.get("also_kept") or ())}
        return ((name, str(value)) for name, value in values.items() if value)

    def worst(self) -> list[dict[str, object]]:
        """The rows of the worst scores, by name."""
        return [dict(zip(self.block["row"], row, strict=True)) for _, row in self.block["worst"]]

    def picture(self, packed: object) -> str | None:
        """The address of a thumbnail; None for anything that is not named as we name files."""
        if not isinstance(packed, list) or not packed or not _STEM.fullmatch(str(packed[0])):
            return None
        return self.thumb(packed[0])

    def phases(self) -> dict[str, float]:
        return {name: self.block["timeline"]["phases"][name] for name in _PHASES}

    def lanes(self, timeline: Block, tag: str = "span") -> list[Html]:
        """What each worker is called: by its stage, or by its judge if there are several."""
        judges = {one["id"]: one["name"] for one in self.run.get("judgings") or () if one["prefix"]}
        return [
            h(
                tag,
                judges.get(lane["judging_id"]) or t(tag, lane["stage"]),
                _place(lane),
            )
            for lane in timeline["lanes"]
        ]

    def trust(self, place: int) -> Sequence[str] | str:
        """What is said of the certificate of a judge; in reports of before in English alone."""
        lines = self.block.get("trust") or [one["certificate"]["line"] for one in self.run["judgings"]]
        line: Sequence[str] | str = lines[place]
        return line

    def policy(self) -> Block | None:
        """The replay of the policy that was used."""
        return next((one for one in self.block["policies"] if one["policy"] == self.run.get("policy")), None)


def _marks(runs: Sequence[RunView], category: str) -> list[tuple[Summary, int]]:
    """(summary, colour) of every run that has the category."""
    return [(summary, run.colour) for run in runs if (summary := run.summary(category)) is not None]


def _reach(runs: Sequence[RunView]) -> tuple[float, float]:
    """Where an axis begins and ends on which the headlines of all runs have a place."""
    return min(run.ends[0] for run in runs), max(run.ends[1] for run in runs)


def _at_end(summary: Summary, name: str) -> str:
    """Which share of the scores is at that end of the scale; a dash in reports of before, and without such an end."""
    num = summary.get(name)
    return NOTHING if num is None or not summary["num_scored"] else share(num / summary["num_scored"])


def _saturated(summary: Summary) -> str:
    """As `saturation_note`, of JSON values of any version."""
    at_ends = summary.get("num_at_low"), summary.get("num_at_high")
    return saturated(summary.get("interval_kind") or "", summary["num_scored"], at_ends)


def _doubts(ones: Sequence[Block]) -> list[str]:
    """Why there is no interval of some of them, each word once; equal scores need none."""
    notes = (one.get("interval_note") for one in ones if one.get("reason") != "identical")
    return [str(note) for note in dict.fromkeys(notes) if note]


def _longest(lanes: Sequence[Block]) -> float:
    return max(float(lane["busy_s"] + lane["idle_s"]) for lane in lanes)


def _status(status: str) -> Html:
    """Of a check of a certificate, in both languages."""
    said = Message(f"status_{status.replace(' ', '_')}")
    return markup.message("span", [str(said), said.chinese] if status in _CHECK_STATUSES else status)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{round(value, 3):g}"
    return NOTHING if value is None else str(value)


def _about(metrics: Sequence[str]) -> list[tuple[str, str]]:
    """(metric, word for what it measures), of those that we know."""
    words = ((metric, f"about_{metric.rpartition('.')[2]}") for metric in metrics)
    return [(metric, word) for metric, word in words if is_word(word)]


def _pretty(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")


def _place(lane: Block) -> str:
    return f" {lane['worker']} \u00b7 {lane['device']}"


_TEXTS = (t, markup.category, markup.message, fixed, share, span, duration, moment)
_CHARTS = (charts.axis, charts.strip, charts.stacked, charts.bar, charts.gantt)
_OURS = (_marks, _reach, _at_end, _saturated, _doubts, _longest, change_of, _status, _cell, _about, _pretty, _quoted)
_GLOBALS: dict[str, object] = {one.__name__.removeprefix("_"): one for one in (*_TEXTS, *_CHARTS, *_OURS)}
_GLOBALS |= {"WHOLE": WHOLE, "NOTHING": NOTHING}
