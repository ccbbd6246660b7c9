"""What a terminal shows of a plan from a pilot, of the noise in a run's scores, and of agreement. Input is JSON."""

from __future__ import annotations

from collections.abc import Iterator

from editeval.reports.data import JsonObject
from editeval.reports.i18n import english
from editeval.text import fixed, printable, share
from editeval.types import Metric


def plan_lines(plan: JsonObject) -> Iterator[str]:
    """A plan, a sentence a line."""
    spread, wanted, needed, names = plan["spread"], plan["wanted"], plan["needed"], list(map(printable, plan["pilots"]))
    metric = f"{printable(plan['scale']['name'])} ({Metric(**plan['scale']).range})"
    counted = f"{spread['num']:,} samples, {spread['num_clusters']:,} source images"
    yield f"Pilot: {' and '.join(names)}, {metric}: {counted}"
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
    yield f"To find: p below 0.05{many}, in {share(wanted['power'])} of such runs; as many samples per source image."
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
