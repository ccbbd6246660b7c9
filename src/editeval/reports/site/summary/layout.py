"""The first page, whole: readable without any script. Python says it in English; `text.js` can say it in Chinese."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from editeval.reports.site.summary.elements import h, markup, section, t
from editeval.reports.site.summary.failures import faults
from editeval.reports.site.summary.leaderboard import Comparison, leaderboard
from editeval.reports.site.summary.provenance import certificate, provenance
from editeval.reports.site.summary.result import result
from editeval.reports.site.summary.run_view import RunView
from editeval.reports.site.summary.scores import scores
from editeval.reports.site.summary.timing import timing


def first_page(runs: Sequence[RunView], comparisons: Sequence[Comparison] = (), num_shared: int | None = None) -> str:
    """Head, for several runs how they compare (`comparisons`: the first with each other), and one `main` per run."""
    names = h("span.name", " \u00b7 ".join(view.name for view in runs))
    head = h("header.top", h("strong", "editeval"), names)
    shared = leaderboard(runs, comparisons, num_shared) if len(runs) > 1 else None
    mains = [_main(view, runs) for view in runs]
    if shared is not None:
        mains[0].insert(0, shared)  # the script moves it to the run that it shows
    return markup(h("div.app", head, mains))


def _main(view: RunView, runs: Sequence[RunView]) -> Element:
    return h(
        "main.summary",
        result(view),
        faults(view, len(runs) > 1),
        scores(view, runs),
        timing(view),
        section(".ratings", "ratings_title", h("div.card"), hidden=""),  # the script has something to say there
        certificate(view),
        provenance(view),
        t("footer.soft", "footer"),
        id="main",
    )
