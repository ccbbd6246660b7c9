"""Runs compared by their scores, as `run/comparison.py` has them: in sentences, a terminal, Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from editeval.reports import markdown, tex
from editeval.reports.data import JsonObject
from editeval.reports.format import format_interval
from editeval.reports.tables import guarded
from editeval.text import NOTHING, fixed, printable, share

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

MAX_SENTENCES = 6  # pairs; of more, the places say it
_RESULTS = {
    "nothing_shared": "nothing shared",
    "identical": "identical",
    "unreliable": "unreliable",
    "not_identified": "not identified",
    "not_distinguishable": "undecided",
}
_WHY = {
    "few_clusters": "there are fewer than six source images",
    "dominant_cluster": "one source image has more than a fifth of the samples",
    "equated": "the scores went through a bridge, whose error for each editor is in no sample",
}
_NO_END = {
    "no_interval": "there is no interval",
    "invalid_judge": "the judge failed a certificate or its controls",
    "no_end": "scores are missing, and the scale has no end that they could be at",
}
_COUNTS = ("num_shared", "num_clusters", "wins", "ties", "losses")
_NUMBERS = ("difference", "low", "high", "p", "p_holm", "p_floor", "mcnemar", "effect", "superiority")
_LIMITS = ("lowest", "highest", "detectable", "num_more")
_NOTES = ("interval_note", "p_note", "reason")
_RUN_HEAD = ("", "run", "mean", "95 % interval", "scored", "place")
_HEAD = ("pair", "difference", "95 % interval", "p (Holm)", "result", "detectable")
_LONG_HEAD = (*_HEAD[:4], "d_z", "better / equal / worse", "P(better)", "result", "detectable", "more samples")


# ------------------------------------------------------------------------------------------------ sentences


def sentences(document: JsonObject) -> Iterator[str]:
    """Who is better, by how much and where; what decides it, and what would."""
    names = {run["letter"]: run["name"] for run in document["runs"]}
    metric = document["metric"]["name"]
    for pair in document["pairs"] if len(document["pairs"]) <= MAX_SENTENCES else ():
        a, b = names[pair["a"]], names[pair["b"]]
        yield f"{_overall(a, b, metric, pair['overall'])}{_parts(a, b, pair['categories'])}."
        if pair["planted"] is not None:
            yield _planted(a, b, pair)
    if document["runs"][0]["best"] is not None and len(names) > 2:
        places = ", ".join(f"{run['name']} {_place(run)}" for run in sorted(document["runs"], key=_by_place))
        decided = sum(bool(pair["overall"]["better"]) for pair in document["pairs"])
        yield f"Places: {places}; {decided} of {len(document['pairs'])} pairs are decided."
    yield from _of_failed_judges(document)
    for one in (document["gate"] or {"runs": ()})["runs"]:
        yield _gate(names[one["run"]], one, document)


def _of_failed_judges(document: JsonObject) -> Iterator[str]:
    if failed := [run["name"] for run in document["runs"] if not run["is_judge_trusted"]]:
        yield f"Invalid judge: it failed a certificate or its controls in {', '.join(failed)}; scores are no result."


def _planted(a: str, b: str, pair: JsonObject) -> str:
    """The true difference of two simulated editors, by the chances of both; samples that failed count alike in both."""
    one, truth = pair["overall"], pair["planted"]
    told = f"Planted: {a} less {b} is {_signed(truth)}; measured {_signed(one['difference'])}"
    if one["low"] is None:
        return f"{told}, without an interval."
    where = "inside" if one["low"] <= truth <= one["high"] else "outside"
    return f"{told} [{fixed(one['low'])}, {fixed(one['high'])}]: {where}."


def _overall(a: str, b: str, metric: str, one: JsonObject) -> str:
    if one["better"]:
        return f"{_better(a, b, one)[0]} better than {_better(a, b, one)[1]} on {metric} {_evidence(one)}"
    if one["reason"] == "not_distinguishable":
        found = f"{a} and {b} not distinguishable on {metric} {_evidence(one)}"
        least = f"; a difference of {fixed(one['detectable'])} would have been found" if one["detectable"] else ""
        more = f"; about {one['num_more']:,} more samples would decide, if it is as seen" if one["num_more"] else ""
        return f"{found}{least}{more}"
    return f"{a} and {b} on {metric}: {_why(one)}"


def _why(one: JsonObject) -> str:
    if one["reason"] == "nothing_shared":
        return "no sample was scored in both"
    if one["reason"] == "identical":
        return f"the same score on all {one['num_shared']} samples that both scored"
    if one["reason"] == "not_identified":
        missing = "" if one["is_bounded_by_scale"] else ", were they like the most extreme ones seen"
        ends = f"{_signed(one['lowest'])} to {_signed(one['highest'])}"
        return f"not identified, the missing scores could turn the sign ({ends}{missing})"
    return f"difference {_signed(one['difference'])}, unreliable: {_WHY.get(one['p_note'], one['p_note'])}"


def _parts(a: str, b: str, categories: Sequence[JsonObject]) -> str:
    if all(one["reason"] == "identical" for one in categories):
        return ""
    better = [one for one in categories if one["better"]]
    told = [f"on {one['category']} {_better(a, b, one)[0]} better {_evidence(one)}" for one in better]
    rest = Counter(_REST[one["reason"]] for one in categories if not one["better"])
    where = "elsewhere" if better else "in no category is one better:"
    why = dict.fromkeys(_WHY.get(one["p_note"], one["p_note"]) for one in categories if one["reason"] == "unreliable")
    because = {_RESULTS["unreliable"]: f": {' or '.join(map(str, why))}"}
    said = ", ".join(f"{what} ({num}{because.get(what, '')})" for what, num in rest.items())
    return "; ".join(["", *told, *([f"{where} {said}"] if rest else [])])


_REST = _RESULTS | {"not_distinguishable": "not distinguishable"}


def _better(a: str, b: str, one: JsonObject) -> tuple[str, str]:
    return (a, b) if one["better"] == "first" else (b, a)


def _evidence(one: JsonObject) -> str:
    """(difference, interval, p), turned so that it is the better one less the other."""
    turn = -1 if one["better"] == "second" else 1
    ends = None if one["low"] is None else sorted((turn * one["low"], turn * one["high"]))
    why = "all source images differ alike" if one["interval_note"] == "no_variation" else "fewer than 10 differ"
    interval = format_interval(*ends) if ends else f"no interval: {why}"
    return f"({_signed(turn * one['difference'])}, {interval}, Holm p {_p(one['p_holm'])})"


def _gate(name: str, one: JsonObject, document: JsonObject) -> str:
    margin, end = fixed(document["gate"]["margin"]), one["worst_end"]
    if one["why"]:
        return f"{name}: not shown to be within {margin} of the baseline, for {_NO_END[one['why']]}: a regression"
    word = "can be" if one["is_regression"] else "is not"
    limit = "lower" if document["metric"]["is_higher_better"] else "upper"
    told = f"the {limit} end of the interval, missing scores at their worst, is {_signed(end)}"
    return f"{name}: {word} worse than the baseline by more than {margin} ({told})"


def _by_place(run: JsonObject) -> tuple[int, int]:
    return run["best"], run["worst"]


def _place(run: JsonObject) -> str:
    if run["best"] is None:
        return NOTHING
    return str(run["best"]) if run["best"] == run["worst"] else f"{run['best']} to {run['worst']}"


def _signed(value: float | None) -> str:
    return NOTHING if value is None else ("+" if value > 0 and fixed(value).strip("0.") else "") + fixed(value)


def _p(value: float | None) -> str:
    if value is None:
        return NOTHING
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}" if value < 0.01 else f"{value:.2f}"


# ------------------------------------------------------------------------------------------------ tables


def _interval(one: JsonObject, low: str = "low", high: str = "high") -> str:
    return format_interval(one[low], one[high]) or (
        NOTHING if one.get("reason") == "identical" or not one["interval_note"] else "unreliable"
    )


def _result(pair: JsonObject, one: JsonObject) -> str:
    return (
        f"{pair['a'] if one['better'] == 'first' else pair['b']} better" if one["better"] else _RESULTS[one["reason"]]
    )


def _run_rows(document: JsonObject) -> list[list[str]]:
    return [
        [
            run["letter"],
            printable(run["name"]),
            fixed(run["mean"]),
            _interval(run),
            f"{run['num_scored']}/{run['num_samples']}{_of_seeds(run)}",
            _place(run),
        ]
        for run in document["runs"]
    ]


def _of_seeds(run: JsonObject) -> str:
    num_seeds = run.get("num_seeds", 1)
    return f", {num_seeds} seeds" if num_seeds > 1 else ""


def _row(pair: JsonObject, one: JsonObject) -> list[str]:
    about = [f"{pair['a']} - {pair['b']}", _signed(one["difference"]), _interval(one), _p(one["p_holm"])]
    return [*about, _result(pair, one), fixed(one["detectable"])]


def _long_row(pair: JsonObject, one: JsonObject) -> list[str]:
    short = _row(pair, one)
    counts = " / ".join(str(one[name]) for name in ("wins", "ties", "losses"))
    more = NOTHING if one["num_more"] is None else f"{one['num_more']:,}"
    return [*short[:4], fixed(one["effect"]), counts, share(one["superiority"]), *short[4:], more]


def _part_rows(document: JsonObject, row: object = None) -> list[list[str]]:
    make = _long_row if row == "long" else _row
    return [[printable(one["category"]), *make(pair, one)] for pair in document["pairs"] for one in pair["categories"]]


def _notes(document: JsonObject) -> Iterator[str]:
    metric, families = document["metric"], document["families"]
    yield from (f"Differs: {remark}." for remark in document["remarks"])
    parts = f" and over {families['categories']} by category" if families["categories"] else ""
    direction = "" if metric["is_higher_better"] else "; lower is better"
    yield (
        f"Differences of means over the samples that both scored{direction}. p: signs of whole source images flipped, "
        f"Holm over {families['overall']} overall{parts}. Detectable: found "
        "80 % of the time at the first step of Holm."
    )


def render_scores(document: JsonObject, console: Console) -> None:
    """Prints it, in 80 columns where names allow; texts from data are never markup."""
    from rich.text import Text

    metric = printable(document["metric"]["name"])
    console.print(_table(f"{metric}, mean over samples", _RUN_HEAD, _run_rows(document)))
    console.print(
        _table(
            f"{metric}, differences over all samples",
            _HEAD,
            [_row(pair, pair["overall"]) for pair in document["pairs"]],
        )
    )
    if rows := _part_rows(document):
        console.print(_table(f"{metric}, by category", ("category", *_HEAD), rows))
    for line in (*_notes(document), *document["sentences"]):
        console.print(Text(printable(line)), highlight=False)


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in header:
        is_text = name in ("", "run", "pair", "category", "result")
        table.add_column(name, justify="left" if is_text else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def write_md(document: JsonObject, out: TextIO) -> None:
    metric = printable(document["metric"]["name"])
    out.write(f"# Comparison by {markdown.escaped(metric)}\n\n")
    out.writelines(f"**{markdown.escaped(printable(line))}**\n\n" for line in document["sentences"])
    overall = [_long_row(pair, pair["overall"]) for pair in document["pairs"]]
    tables = [("Runs", _RUN_HEAD, _run_rows(document)), ("Overall", _LONG_HEAD, overall)]
    tables += [("By category", ("category", *_LONG_HEAD), rows)] if (rows := _part_rows(document, "long")) else []
    for title, header, lines in tables:
        out.write(f"## {title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}\n")
        out.writelines(f"| {' | '.join(map(markdown.escaped, line))} |\n" for line in lines)
        out.write("\n")
    out.writelines(f"- {markdown.escaped(printable(line))}\n" for line in _notes(document))


def write_csv(document: JsonObject, out: TextIO) -> None:
    """One line per pair and category; "" is overall."""
    names = {run["letter"]: run["name"] for run in document["runs"]}
    trusted = {run["letter"]: run["is_judge_trusted"] for run in document["runs"]}
    fields = (*_COUNTS, *_NUMBERS, *_LIMITS, "is_identified", "better", *_NOTES)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("first", "second", "metric", "category", *fields, "is_judge_trusted"))
    for pair in document["pairs"]:
        about = (names[pair["a"]], names[pair["b"]], document["metric"]["name"])
        for one in ({"category": ""} | pair["overall"], *pair["categories"]):
            texts = [guarded(printable(text)) for text in (*about, one["category"])]
            values = ["" if one[name] is None else one[name] for name in fields]
            writer.writerow([*texts, *values, trusted[pair["a"]] and trusted[pair["b"]]])


def write_tex(document: JsonObject, out: TextIO) -> None:
    r"""A booktabs table, a line per pair and category; needs \usepackage{booktabs}."""
    metric = tex.escaped(printable(document["metric"]["name"]))
    legend = "; ".join(f"{run['letter']}: {tex.escaped(printable(run['name']))}" for run in document["runs"])
    told = " ".join(tex.escaped(printable(line)) for line in (*_notes(document), *_of_failed_judges(document)))
    out.write("% \\usepackage{booktabs}\n\\begin{table}\n  \\centering\n")
    out.write(f"  \\caption{{Differences of mean {metric}. {legend}. {told}}}\n")
    out.write("  \\label{tab:editeval-comparison}\n  \\begin{tabular}{llrrrlr}\n    \\toprule\n")
    out.write(f"    {' & '.join(map(tex.escaped, ('category', *_HEAD)))} \\\\\n    \\midrule\n")
    rows = [["overall", *_row(pair, pair["overall"])] for pair in document["pairs"]] + _part_rows(document)
    out.writelines(f"    {' & '.join(map(tex.escaped, row))} \\\\\n" for row in rows)
    out.write("    \\bottomrule\n  \\end{tabular}\n\\end{table}\n")
