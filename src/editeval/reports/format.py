"""How numbers and foreign text read: one place for every renderer.

None is a dash, never a zero. Text from data is made printable: no control, escape or direction-changing character
survives, so that neither a terminal nor a reader's eye can be steered by an instruction or an error message.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace

from editeval.reports.badge import MIN_HEADLINE, is_headline, official_lines
from editeval.reports.data import GROUPED_BY, MACRO, MICRO, JsonObject, Report
from editeval.reports.i18n import Message, english
from editeval.text import NOTHING, duration, extent, fixed, moment, printable, share
from editeval.types import STATISTICS, Metric, Subset, Summary


def format_interval(low: float | None, high: float | None) -> str:
    """An interval, "6.11 to 6.73"; empty if there is none."""
    return "" if low is None or high is None else f"{fixed(low)} to {fixed(high)}"


def interval_cell(summary: Summary) -> str:
    """The 95 % interval of the mean; a word if it would be too narrow, a dash without a mean."""
    word = english("unreliable") if summary.interval_note else NOTHING
    return format_interval(summary.ci_low, summary.ci_high) or word


def coverage_line(report: Report) -> str:
    """The shares of samples and answers that a run has, each with its 95 % interval; empty for older counts."""
    counts, total = report.coverage, report.coverage["num_samples"]
    values = {"scored": counts["scored"], "failed": counts["num_failed"] / total if total else None}
    named = {
        "scored": "edits scored" if report.run.get("num_seeds") else "samples scored",
        "failed": "edits failed",
        "parse_rate": "answers read",
    }
    known = values | {"parse_rate": counts.get("parse_rate")}
    found = ((named[name], known[name], ends) for name, ends in counts.get("intervals", {}).items())
    return ", ".join(f"{what} {share(value)} ({share(low)} to {share(high)})" for what, value, (low, high) in found)


def interval_notes(summaries: Sequence[Summary]) -> Iterator[str]:
    """Why means have no interval: a sentence per reason, and the categories that it is true of."""
    for note in dict.fromkeys(s.interval_note for s in summaries if s.interval_note):
        names = ", ".join(category_title(s.category) for s in summaries if s.interval_note == note)
        yield f"{english(f'why_{note}')} ({names})"


def rows_of(report: Report, metric: str) -> tuple[Summary, ...]:
    """The metric's summaries: categories as given, then macro, then micro."""
    mine = [s for s in report.summaries if s.metric == metric]
    last = {MACRO: 1, MICRO: 2}
    return tuple(sorted(mine, key=lambda s: last.get(s.category, 0)))


GROUP_TITLES = {"language": "by language", "subset": "by named subset"}


def group_title(by: str, name: str) -> str:
    """What the samples of one language or named subset are called."""
    return printable(name) or {"language": "(no language)", "subset": "(in none)"}[by]


def group_tables(report: Report) -> Iterator[tuple[str, tuple[Summary, ...]]]:
    """What is grouped by, and two summaries of each group's headline: over its categories, and over its samples."""
    for by in GROUPED_BY:
        rows = tuple(
            replace(summary, category=f"{group_title(group.by, group.name)}, {summary.category}")
            for group in report.groups
            for summary in group.summaries
            if group.by == by and summary.metric == report.headline_metric and summary.category in (MACRO, MICRO)
        )
        if rows:
            yield by, rows


def metrics_of(report: Report) -> tuple[str, ...]:
    """Every metric that has a summary, the headline first."""
    seen = dict.fromkeys([report.headline_metric, *(s.metric for s in report.summaries)])
    return tuple(seen)


def category_title(category: str) -> str:
    """What a row of the table is called; `macro` is the mean of the categories, `micro` is over all samples."""
    return printable(category) or "(no category)"


def row_title(report: Report, summary: Summary) -> str:
    """The category, and what its authors call the metric there."""
    name = report.authors_names.get(summary.metric, {}).get(summary.category, "")
    return category_title(summary.category) + (f" ({printable(name)})" if name else "")


def headline(report: Report) -> str:
    """The result in one sentence; no number at all if nothing was scored."""
    if not report.headline_metric:
        counts = report.coverage
        num_seeds = report.run.get("num_seeds")
        made = f"edits made ({extent(counts['num_samples'], num_seeds)})" if num_seeds else "samples edited"
        return f"{counts['num_edited']} of {counts['num_samples']} {made}; no judge was asked."
    whole = report.headline(MICRO)
    if whole is None or whole.num_scored == 0:
        return "Nothing was scored, so there is no result."
    figures = [_statistic_phrase(report, whole)] if set(report.statistics) & set(STATISTICS[:-1]) else []
    is_quoted = is_headline(whole.num_scored, whole.num_samples)
    doubt = "" if is_quoted else f", no headline (that takes {share(MIN_HEADLINE)})"
    figures.append(f"{_scored(whole)}{doubt}")
    has_bounds = whole.lowest is not None and whole.highest is not None
    if whole.num_scored < whole.num_samples and "mean" in report.statistics and has_bounds:
        figures.append(f"between {fixed(whole.lowest)} and {fixed(whole.highest)} if all were scored")
    return f"{printable(report.headline_metric)}: {'; '.join(figures)}."


def _scored(whole: Summary) -> str:
    """How many samples are scored; of several seeds for each, how many edits, and of how many samples."""
    scored, coverage = f"{whole.num_scored} of {whole.num_samples}", share(whole.coverage)
    if whole.num_distinct is None:
        return f"{scored} samples scored ({coverage})"
    return f"{scored} edits scored ({coverage}), of {whole.num_distinct_scored} of {whole.num_distinct} samples"


def seeds_line(report: Report) -> Message | None:
    """How many seeds each sample has, and how far its scores differ from seed to seed; None for one seed."""
    num, whole = report.run.get("num_seeds"), report.headline(MICRO)
    if not num or whole is None:
        return None
    sd = whole.seed_sd
    spread = Message("seeds_no_spread") if sd is None else Message("seeds_spread", (fixed(sd),))
    return Message("seeds", (num, report.run["num_distinct"], spread))


def _statistic_phrase(report: Report, whole: Summary) -> str:
    name = next(name for name in STATISTICS if name in report.statistics)
    phrase = f"{name} {fixed(getattr(whole, name))}"
    interval = f", 95 % interval {interval_cell(whole)}" if name == "mean" else ""
    return f"{phrase} {scale_words(report.scale(whole.metric))}{interval}"


def scale_words(scale: Metric) -> str:
    """What follows a mean: "of 10", "(1-5)", "(no bounds, lower is better)"."""
    if (scale.low, scale.high, scale.is_higher_better) == (0, 10, True):
        return "of 10"
    return f"({scale.range}{'' if scale.is_higher_better else ', lower is better'})"


def policy_line(report: Report) -> str:
    """What the policy of this run took and what the others would have taken; empty if nothing was replayed."""
    used = next((p for p in report.policies if p["policy"] == report.run.get("policy")), None)
    if used is None:
        return ""
    idle = f" (workers idle {share(used.get('idle_fraction'))})" if used.get("idle_fraction") is not None else ""
    others = [_compared(p, float(used["makespan_s"])) for p in report.policies if p is not used]
    tail = f"; replayed from the measured durations: {', '.join(others)}" if others else ""
    lost = used.get("failures_s", 0.0)
    failures = f", {duration(lost)} of it waiting for failures" if lost >= 0.05 else ""
    return f"{printable(used['policy'])} {duration(used['makespan_s'])}{failures}{idle}{tail}{_covered(report, used)}"


def _covered(report: Report, used: JsonObject) -> str:
    """How much of the editing beside it the policy's line is about, if not all, and what other policies took."""
    costs = report.timing.get("costs") or ()
    editing_s = sum(report.timing.get(name) or 0.0 for name in ("edit_s", "both_s"))
    parts = []
    if used.get("num_edits", 0) < used.get("of_edits", 0):
        parts.append(f"covers {used['num_edits']} of {used['of_edits']} edits")
    measured_s = sum(cost["measured_s"] for cost in costs)
    if costs and measured_s < editing_s - 0.05:
        parts.append(f"nothing is on record of another {duration(editing_s - measured_s)} of editing")
    for cost in costs:
        if cost["policy"] != used["policy"]:
            edits = f"{cost['num_edits']} of {cost['of_edits']} edits"
            parts.append(f"besides, {printable(cost['policy'])} took {duration(cost['measured_s'])} for {edits}")
    return "".join(f"; {part}" for part in parts)


def _compared(policy: JsonObject, used_s: float) -> str:
    makespan = float(policy["makespan_s"])
    return f"{printable(policy['policy'])} {duration(makespan)} ({difference(makespan, used_s)})"


def difference(makespan_s: float, used_s: float) -> str:
    """How a makespan compares with that of the policy used, in words."""
    change = change_of(makespan_s, used_s)
    return f"{share(abs(change))} {'less' if change < 0 else 'more'}" if change else "the same"


def change_of(makespan_s: float, used_s: float | None) -> float:
    """Of a policy's time against that of the policy used, as a share; 0 for a difference that is none."""
    change = makespan_s / used_s - 1 if used_s else 0.0
    return change if abs(change) >= 0.0005 else 0.0


_STAGES = {
    "wall_s": "whole run",
    "load_s": "loading",
    "edit_s": "editing",
    "both_s": "editing and judging",
    "swap_s": "swapping models",
    "judge_s": "judging",
}


def stage_times(report: Report) -> Iterator[tuple[str, str]]:
    """(name, duration) of every time in `timing` that is known, in reading order."""
    names = [*(k for k in _STAGES if k in report.timing), *(k for k in report.timing if k not in _STAGES)]
    for name in names:
        value = report.timing[name]
        if name == "both_s" and not value:
            continue  # stages that share no time say so by saying nothing
        if isinstance(value, int | float) and not isinstance(value, bool):
            label = _STAGES.get(name) or printable(name.removesuffix("_s").replace("_", " "))
            yield label, duration(value) if name.endswith("_s") else f"{value:g}"


def command(report: Report) -> str:
    """The command that made the run and continues it, so without --fresh; quoted for a shell; empty if unknown."""
    argv = report.provenance.get("argv")
    if isinstance(argv, list | tuple):
        return printable(shlex.join(str(part) for part in argv if part != "--fresh"))
    return printable(argv)


def score_set_title(name: str, judge: str, protocol: str, score_set_id: str) -> str:
    """`words (openai_chat, protocol rubric, 1f0c...)`: which scores these are."""
    asked = f", protocol {protocol}" if protocol else ""
    return f"{name} ({judge}{asked}, {score_set_id})"


def score_lines(report: Report) -> Iterator[tuple[str, str]]:
    """("scores", name, judge, protocol and id of what is shown) and ("also kept", the score sets that are not)."""
    shown = score_titles(report.run)
    if shown:
        yield "scores", printable("; ".join(shown))
    if report.run.get("also_kept"):
        yield "also kept", printable("; ".join(report.run["also_kept"]))


def score_titles(run: JsonObject) -> list[str]:
    """Which scores a run shows, the headline's first."""
    return [
        score_set_title(one["name"], one["judge"], one.get("protocol") or "", one["id"])
        for one in run.get("judgings") or ()
    ]


def policy_shares(run: JsonObject) -> str:
    """Which policy made how many edits, "round_robin 20 (66.7 %), dynamic 10 (33.3 %)"; empty before the first.

    Of edits made elsewhere, where they are.
    """
    made = run.get("edits_by_policy") or ()
    if elsewhere := run.get("imported"):
        counts = f"{elsewhere['num_missing']} missing, {elsewhere['num_surplus']} surplus files"
        return printable(f"made elsewhere: {elsewhere['folder']} ({elsewhere['how']}); {counts}")
    return printable(", ".join(f"{one['policy']} {one['num_edits']} ({share(one['share'])})" for one in made))


def trust_lines(report: Report) -> Iterator[tuple[str, str]]:
    """("trust", what is known of how far a judge can be trusted) for every judge whose scores are shown."""
    judgings = report.run.get("judgings") or ()
    for judging in judgings:
        line = (judging.get("certificate") or {}).get("line")
        if line:
            yield "trust", printable(line if len(judgings) == 1 else f"{judging['name']}: {line}")


def subset_line(subset: Subset) -> str:
    """What a part of a benchmark is called wherever its results stand."""
    how = f" ({printable(subset.how)})" if subset.how else ""
    return f"subset: {subset.num} of {subset.of}{how}; not comparable with full results"


def metric_title(report: Report, metric: str) -> str:
    """What the table of a metric is called: of a subset, its size is part of the name."""
    subset = report.subset
    return printable(metric) + (f" (subset: {subset.num} of {subset.of})" if subset else "")


def selection_line(report: Report) -> str:
    """What part of the run's samples the report covers; empty if all that it has edited."""
    wanted, edited = report.run.get("num_samples"), report.run.get("num_in_run", 0)
    if not isinstance(wanted, int) or not isinstance(edited, int) or edited <= wanted:
        return ""
    flags = "--limit, --sample, --num-seeds or categories"
    return f"covers {wanted} of the {edited} edits that this run has, as {flags} say"


def reused_line(report: Report) -> str:
    """What was taken over from other runs; empty if nothing was."""
    parts = []
    for one in report.run.get("reused") or ():
        scores = f" and the scores of {one['num_scored']}" if one["num_scored"] else ""
        parts.append(f"{one['num_edits']} edit{'' if one['num_edits'] == 1 else 's'}{scores} from {one['run']}")
    return printable("; ".join(parts))


def planted_line(report: Report) -> Message | None:
    """The truth that a simulated editor was given, and what was measured; None for every other editor."""
    truth, whole = report.run.get("planted"), report.headline(MICRO)
    if not truth or whole is None or whole.mean is None:
        return None
    means = fixed(truth["mean"]), fixed(whole.mean)
    if whole.ci_low is None or whole.ci_high is None:
        return Message("planted_no_interval", means)
    key = "planted_inside" if whole.ci_low <= truth["mean"] <= whole.ci_high else "planted_outside"
    return Message(key, (*means, fixed(whole.ci_low), fixed(whole.ci_high)))


def run_title(report: Report) -> str:
    """What made the edits, and the directory of the run."""
    run = report.run
    directory = str(run.get("name") or run.get("id") or "run")
    return f"{run['model']}, {directory}" if run.get("model") else directory


def model_line(report: Report) -> Message | None:
    """That there is no model behind the edits, if the editor says so."""
    loaded = report.provenance.get("models") or {}
    said = str((loaded.get("edit") or {}).get("model") or "")
    return Message("simulated_model") if said.startswith("simulated:") else None


def run_facts(report: Report) -> Iterator[tuple[str, str]]:
    """(name, value) of what was run, for the head of a report."""
    run = report.run
    known = [(name, run.get(name)) for name in ("model", "editor", "judge", "benchmark", "policy", "devices")]
    facts = [(name, ", ".join(map(str, v)) if isinstance(v, list | tuple) else v) for name, v in known]
    facts += [("edits" if run.get("imported") else "edits made under", policy_shares(run)), *score_lines(report)]
    facts += [
        ("note", model_line(report)),
        ("planted", planted_line(report)),
        ("seeds", seeds_line(report)),
        *trust_lines(report),
        *official_lines(report),
    ]
    facts += [("selection", selection_line(report)), ("reused", reused_line(report))]
    created = moment(run["created_at"]) if run.get("created_at") is not None else ""
    facts += [("created", created), ("run id", run.get("id"))]
    return ((name, printable(value)) for name, value in facts if value)
