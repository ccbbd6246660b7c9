"""What a terminal shows of a plan from a pilot, and of the noise in a run's scores. Input is JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from editeval.reports.data import JsonObject
from editeval.reports.i18n import english
from editeval.text import NOTHING, duration, fixed, printable, share
from editeval.types import Metric

if TYPE_CHECKING:
    from rich.console import Console


def plan_lines(plan: JsonObject) -> Iterator[str]:
    """A plan, a sentence a line."""
    spread, wanted, needed, names = plan["spread"], plan["wanted"], plan["needed"], list(map(printable, plan["pilots"]))
    metric = f"{printable(plan['scale']['name'])} ({Metric(**plan['scale']).range})"
    counted = f"{spread['num']:,} samples, {spread['num_clusters']:,} source images"
    seeds = f", {plan['num_seeds']} seeds for each sample" if plan["num_seeds"] > 1 else ""
    yield f"Pilot: {' and '.join(names)}, {metric}: {counted}{seeds}"
    sd = f"SD {_significant(spread['sd'])} ({_significant(spread['low'])} to {_significant(spread['high'])})"
    yield f"Difference of two models on one sample: {sd}, design effect of source images {fixed(spread['effect'])}"
    if needed:
        ends = [_samples(needed[end]) for end in ("num", "low", "high")]
        yield f"To find a true difference of {needed['difference']:g}: {ends[0]} samples ({ends[1]} to {ends[2]})"
        if needed["num"] is None or needed["num"] > plan["num_benchmark"]:
            yield f"  The benchmark has {plan['num_benchmark']:,}."
    for one in plan["shows"]:
        ends = [_significant(one[end]) for end in ("difference", "low", "high")]
        found = "no difference: too few for a test" if one["difference"] is None else "a true difference of "
        found += "" if one["difference"] is None else f"{ends[0]} ({ends[1]} to {ends[2]})"
        yield f"{one['num']:,} samples find {found}"
    many = "" if wanted["comparisons"] == 1 else f" / {wanted['comparisons']} comparisons (first step of Holm)"
    as_many = f"as many samples per source image{seeds}"
    yield f"To find: p below 0.05{many}, in {share(wanted['power'])} of such runs; {as_many}."
    if len(names) == 1:
        yield _ASSUMED.format(wanted["correlation"] or 0.0)
    yield f"In brackets: what the spread leaves open, an estimate from {spread['num']:,} samples (95 %, if normal)."
    if spread["note"]:
        yield f"Treat it as a guess: {english('why_' + spread['note'])}"


_ASSUMED = (
    "Assumed of the other model: scores as far apart, and a correlation of {:g} with these, sample by sample. A second "
    "pilot shows both."
)


def _samples(num: int | None) -> str:
    return "over a billion" if num is None else f"{num:,}"


def _significant(value: float | None) -> str:
    """Three digits, whatever the scale."""
    return "-" if value is None else f"{value:#.3g}".rstrip(".")


_SOURCES = {"samples": "samples", "seeds": "seeds of the editor", "draws": "repeats of the judge"}


def noise_cost_lines(plan: JsonObject) -> Iterator[str]:
    """What will be made, and where."""
    edits = plan["edits"]
    took = f" (about {duration(edits * plan['edit_s'])} of one device)" if edits else ""
    judged = plan["seeds"] * plan["draws"] * plan["num"]
    yield f"{plan['num']} samples, {plan['seeds']} seeds, {plan['draws']} judgements of each edit"
    yield f"to make: {edits:,} edits{took}, {judged:,} judgements; in {printable(plan['place'])}"


def render_noise(found: JsonObject, console: Console) -> None:
    """Prints it; texts from data are never markup."""
    from rich.table import Table
    from rich.text import Text

    counted = f"{found['num_complete']} samples x {found['seeds']} seeds x {found['draws']} judgements"
    title = f"{printable(found['run'])}, {printable(found['metric'])} ({Metric(**found['scale']).range}): {counted}"
    table = Table(title=Text(title), title_justify="left")
    for name in ("variance of one score", "SD", "share", "95 % interval"):
        table.add_column(name, justify="left" if name == "variance of one score" else "right")
    for one in found["components"]:
        name = " and ".join(_SOURCES[part] for part in one["name"].split("+"))
        low, high = one["share"]["low"], one["share"]["high"]
        interval = NOTHING if low is None else f"{low * 100:.0f} to {high * 100:.0f} %"
        cells = name, _significant(one["variance"] ** 0.5), share(one["share"]["value"]), interval
        table.add_row(*map(Text, cells))
    console.print(table)
    for line in _noise_lines(found):
        console.print(line, markup=False, highlight=False)


def _fixed_error(mean: JsonObject) -> str:
    if mean["fixed"] is not None:
        return f"{_significant(mean['fixed'])} if only these samples count"
    why = {"one_seed": "one seed does not tell", "no_variation": "every repeat gave the same scores"}
    return f"no figure if only these samples count: {why[mean['fixed_note']]}"


def _noise_lines(found: JsonObject) -> Iterator[str]:
    mean, costs = found["mean"], found["costs"]
    if found["num_complete"] < found["num_drawn"]:
        yield f"{found['num_drawn'] - found['num_complete']} of {found['num_drawn']} drawn samples lack a score."
    for one in found["components"]:
        if one["is_negative"]:
            yield f"The estimate for {one['name']} was below 0; it is taken as 0."
    if any(one["share"]["note"] == "few_clusters" for one in found["components"]):
        yield f"No intervals of the shares: the samples are of {found['num_clusters']} source images, fewer than 10."
    if found["is_same_edits"] and found["seeds"] > 1:
        yield "Every seed gave the same pictures: this editor does not depend on the seed."
    if found["is_same_scores"] and found["draws"] > 1:
        yield "The judge gave every edit the same score each time: it is deterministic as it is configured."
    if mean["now"]:
        yield (
            f"Standard error of the run's mean: {_significant(mean['now'])} ({mean['num']:,} samples, design effect "
            f"{fixed(mean['effect'])}); {_fixed_error(mean)}."
        )
    else:
        yield "The drawn scores are all alike: they do not tell the standard error of the run's mean."
    seconds = f"{duration(costs['edit_s'])} an edit, {duration(costs['judgement_s'])} a judgement"
    for n, one in enumerate(mean["spending"]):
        amount = (
            f"{one['amount']:,.0f}" if one["on"] == "samples" or one["amount"] >= 100 else _significant(one["amount"])
        )
        per = "" if one["on"] == "samples" else " for each sample"
        best = "Best: " if n == 0 and len(mean["spending"]) > 1 else ""
        after = _significant(one["error"])
        yield f"  {best}an hour of one device on {amount} more {_SOURCES[one['on']]}{per}: {after}"
    if mean["spending"]:
        yield f"  (at {seconds}, as measured here)"
    if not found["num_more"]:
        yield "  The run has all samples of its benchmark."
    yield "A judge's bias is in none of these figures."
