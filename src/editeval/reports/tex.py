r"""A table for a paper: booktabs, one model per block of three lines - mean, 95 % interval, scored of all samples.

Needs \usepackage{booktabs}; with texts that are not ASCII a Unicode engine (XeTeX, LuaTeX).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from editeval.reports.data import MACRO, MICRO
from editeval.reports.format import GROUP_TITLES, subset_line
from editeval.reports.i18n import english
from editeval.text import fixed, printable
from editeval.types import Metric, Subset, Summary

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
}
_PATTERN = re.compile("[" + re.escape("".join(_SPECIAL)) + "]")
NOTHING = "--"
DIFFERS = " differs in: "  # in a line about an official number


@dataclass(frozen=True, slots=True)
class Model:
    """One model's summaries of one metric, by category; `macro` and `micro` among them."""

    name: str
    summaries: Mapping[str, Summary]
    judge: str  # who gave the scores, under which protocol
    subset: Subset | None = None
    scale: Metric = field(default_factory=lambda: Metric(""))
    judging_id: str = ""  # models with another one are judged differently
    claims: tuple[str, ...] = ()  # whether its official numbers are official, or what differs
    covers: str = ""  # which samples: models with another text cover different ones
    groups: Mapping[str, Mapping[str, Summary]] = field(default_factory=dict)  # "language" or "subset" -> column


def render_tex(models: Sequence[Model], metric: str, origin: str) -> str:
    """The table of `models`, and one each for languages and named subsets; the best of several means is bold.

    Models that are judged differently, or cover different samples, are not compared: no mean is bold, and the caption
    says why.
    """
    categories = [c for c in dict.fromkeys(c for m in models for c in m.summaries) if c not in (MACRO, MICRO)]
    lines = [f"% {printable(origin)}", r"% \usepackage{booktabs}"]
    lines += _table(models, [*categories, MACRO, MICRO], _caption(metric, models, models[0].scale), "editeval")
    for by in dict.fromkeys(by for model in models for by in model.groups):
        parts = [replace(model, summaries=model.groups.get(by, {})) for model in models]
        columns = list(dict.fromkeys(column for part in parts for column in part.summaries))
        caption = f"{escaped(metric)} {GROUP_TITLES[by]}; as Table~\\ref{{tab:editeval}}.{_why(parts)}"
        lines += ["", *_table(parts, columns, caption, f"editeval-{by}")]
    return "\n".join([*lines, ""])


def _table(models: Sequence[Model], columns: Sequence[str], caption: str, label: str) -> list[str]:
    lines = [
        r"\begin{table}[t]",
        r"  \centering",
        f"  \\caption{{{caption}}}",
        f"  \\label{{tab:{label}}}",
        f"  \\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"    \toprule",
        f"    Model & {' & '.join(escaped(column) for column in columns)} \\\\",
    ]
    is_comparable = len(models) > 1 and not _is_judged_differently(models) and not _covers_differ(models)
    best = {column: _best(models, column) if is_comparable else None for column in columns}
    for model in models:
        found = [model.summaries.get(column) for column in columns]
        means = [_mean(s, best[c]) for c, s in zip(columns, found, strict=True)]
        lines += [
            r"    \midrule",
            f"    {escaped(model.name)} & {' & '.join(means)} \\\\",
            f"    {{\\scriptsize 95\\,\\% interval}} & {' & '.join(map(_interval, found))} \\\\",
            f"    {{\\scriptsize scored}} & {' & '.join(map(_coverage, found))} \\\\",
        ]
    return [*lines, r"    \bottomrule", r"  \end{tabular}", r"\end{table}"]


def escaped(text: object) -> str:
    """Text in which TeX finds nothing to interpret."""
    return _PATTERN.sub(lambda match: _SPECIAL[match[0]], printable(text))


def _caption(metric: str, models: Sequence[Model], scale: Metric) -> str:
    subsets = "".join(f" {escaped(m.name)} is a {escaped(subset_line(m.subset))}." for m in models if m.subset)
    subsets += _claims(models)
    if _is_judged_differently(models):
        judges = "judged differently, so that the means do not compare: "
        judges += "; ".join(f"{escaped(model.name)} by {escaped(model.judge)}" for model in models)
    else:
        judges = "; ".join(dict.fromkeys(escaped(model.judge) for model in models))
    if _covers_differ(models):
        subsets += " The models cover different samples, so that the means do not compare."
    ends = escaped(scale.range).replace("-", "--") + ("" if scale.is_higher_better else ", lower is better")
    return (
        f"{escaped(metric)}, {ends}: "
        r"mean, 95\,\% interval (cluster-robust, Student's $t$) and scored of all samples. "
        r"\emph{macro}: mean of the categories; \emph{micro}: over all samples. Samples without a score enter no mean. "
        f"Scores: {judges}.{_why(models)}{subsets}"
    )


def _why(models: Sequence[Model]) -> str:
    """Why intervals are unreliable."""
    notes = dict.fromkeys(s.interval_note for m in models for s in m.summaries.values() if s.interval_note)
    return "".join(f" {escaped(english(f'why_{note}'))}" for note in notes)


def _claims(models: Sequence[Model]) -> str:
    """The lines about official numbers; what differs is said once for all models that have it in common."""
    by_difference: dict[str, list[str]] = {}
    for model in models:
        for line in model.claims:
            number, differs, what = line.partition(DIFFERS)
            by_difference.setdefault(differs + what, []).append(f"{model.name}: {number}")
    told = ("; ".join(numbers) + what for what, numbers in by_difference.items())
    return "".join(f" {escaped(text)}." for text in told)


def _is_judged_differently(models: Sequence[Model]) -> bool:
    return len({model.judging_id for model in models}) > 1


def _covers_differ(models: Sequence[Model]) -> bool:
    return len({model.covers for model in models}) > 1


def _best(models: Sequence[Model], column: str) -> float | None:
    means = (m.summaries[column].mean for m in models if column in m.summaries)
    choose = max if models[0].scale.is_higher_better else min
    return choose((mean for mean in means if mean is not None), default=None)


def _mean(summary: Summary | None, best: float | None) -> str:
    if summary is None or summary.mean is None:
        return NOTHING
    text = fixed(summary.mean)
    return f"\\textbf{{{text}}}" if best is not None and text == fixed(best) else text


def _interval(summary: Summary | None) -> str:
    if summary is not None and summary.interval_note:
        return f"{{\\scriptsize {english('unreliable')}}}"
    if summary is None or summary.ci_low is None or summary.ci_high is None:
        return NOTHING
    return f"{{\\scriptsize {fixed(summary.ci_low)}--{fixed(summary.ci_high)}}}"


def _coverage(summary: Summary | None) -> str:
    return NOTHING if summary is None else f"{{\\scriptsize {summary.num_scored}/{summary.num_samples}}}"
