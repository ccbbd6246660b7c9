"""The first page, whole: readable without any script. Python says it in English; `text.js` can say it in Chinese."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from editeval.viewer.summary.elements import h, markup, section, t
from editeval.viewer.summary.faults import faults
from editeval.viewer.summary.leaderboard import Comparison, leaderboard
from editeval.viewer.summary.origin import certificate, provenance
from editeval.viewer.summary.result import result
from editeval.viewer.summary.runs import Drawn
from editeval.viewer.summary.scores import scores
from editeval.viewer.summary.timing import timing


def first_page(runs: Sequence[Drawn], comparisons: Sequence[Comparison] = (), num_shared: int | None = None) -> str:
    """Head, for several runs how they compare (`comparisons`: the first with each other), and one `main` per run."""
    names = h("span.name", " \u00b7 ".join(drawn.name for drawn in runs))
    head = h("header.top", h("strong", "editeval"), names)
    shared = leaderboard(runs, comparisons, num_shared) if len(runs) > 1 else None
    mains = [_main(drawn, runs) for drawn in runs]
    if shared is not None:
        mains[0].insert(0, shared)  # the script moves it to the run that it shows
    return markup(h("div.app", head, mains))


def _main(drawn: Drawn, runs: Sequence[Drawn]) -> Element:
    return h(
        "main.summary",
        result(drawn),
        faults(drawn, len(runs) > 1),
        scores(drawn, runs),
        timing(drawn),
        section(".ratings", "ratings_title", h("div.card"), hidden=""),  # the script has something to say there
        certificate(drawn),
        provenance(drawn),
        t("footer.soft", "footer"),
        id="main",
    )
