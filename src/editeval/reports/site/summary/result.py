"""The result and what it is worth: the number with its badge, and how many samples it speaks of."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from editeval.reports.site.summary.charts import Part, stacked
from editeval.reports.site.summary.elements import Child, badge, h, interval, interval_notes, message, pairs, t
from editeval.reports.site.summary.run_view import RunView
from editeval.text import fixed, moment, share, span

_MEANS = {"valid": "valid_means", "invalid": "invalid_means"}


def result(view: RunView) -> Element:
    word = str(view.block["badge"])
    means = _MEANS.get(word.removesuffix(" (subset)"), "warned_means")
    worth = t("p.soft", means) if view.block["headline"] else None
    subset = view.block.get("subset")  # reports of before have none
    part = t("p.warnings", "subset_of", subset["num"], subset["of"]) if subset else None
    return h("section.result", h("div.card.headline", badge(word), worth, part, *_number(view)), _coverage(view))


def _number(view: RunView) -> Iterator[Element]:
    whole, macro = view.summary("micro"), view.summary("macro")
    headline = view.block["headline"]
    if whole is None or whole["mean"] is None:
        yield t("p.big", "nothing_scored" if headline else "no_judge")
        return
    yield h("p.score", fixed(whole["mean"]), h("small", " ", t("span", "of_ten")))
    yield h("p", h("b", headline), ", ", t("span", "mean_over"))
    entries: list[tuple[str, Child]] = []
    if whole["ci_low"] is not None or whole.get("interval_note"):
        entries.append(("interval", interval(whole)))
    if whole["num_scored"] < whole["num_samples"]:
        entries.append(("if_all", span(whole["lowest"], whole["highest"])))
    if view.block.get("planted"):
        entries.append(("planted", message("span", view.block["planted"])))
    yield pairs([*entries, ("category_mean", fixed(macro["mean"] if macro else None))])
    why = interval_notes([whole])
    if why is not None:
        yield why


def _coverage(view: RunView) -> Element:
    counts, warnings = view.block["coverage"], view.block["warnings"]
    is_judged = bool(view.block["headline"])
    num, total = counts["num_scored" if is_judged else "num_edited"], counts["num_samples"]
    amounts = {"scored" if is_judged else "done": num, "unscored": counts["num_unscored"] if is_judged else 0}
    amounts |= {"failed": counts["num_failed"], "pending": counts["num_pending"]}
    said = t("small", "samples_scored" if is_judged else "edits_made", num, total)
    return h(
        "div.card",
        t("h2", "coverage"),
        h("p.big", share(num / (total or 1)), " ", said),
        stacked([Part(kind, amount, str(amount), kind) for kind, amount in amounts.items()], "coverage"),
        h("ul.warnings", *(message("li", one) for one in warnings)) if warnings else t("p.soft", "no_warnings"),
        pairs(_facts(view)),
    )


def _facts(view: RunView) -> Iterator[tuple[str, Child]]:
    run = view.run
    devices = ", ".join(map(str, run.get("devices") or ()))
    facts = {
        "editor": run.get("editor"),
        "judge": "; ".join(run.get("scores") or ()) or run.get("judge"),
        "benchmark": run.get("benchmark"),
    }
    facts |= {"policy": run.get("policy"), "made_under": run.get("made_under"), "devices": devices}
    facts |= {"subset": (view.block.get("subset") or {}).get("how")}
    facts |= {"also_kept": "; ".join(run.get("also_kept") or ())}
    yield from ((name, str(value)) for name, value in facts.items() if value)
    if view.block.get("model"):
        yield "model_is", message("span", view.block["model"])
    yield "created", moment(run.get("created_at"))
