"""`editeval report`: write the reports of a run that exists anew."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from editeval.config.load import load_mapping
from editeval.config.schema import Config
from editeval.judgings import showing
from editeval.plan import Plan, make_plan
from editeval.store import activity
from editeval.store.manifest import ABSENT
from editeval.store.records import SUBSET
from editeval.store.run_store import RunStore


def report(directory: Path, words: Sequence[str], allow_code: bool, embed: str | None = None) -> int:
    """Write every report of the run anew and print its table; it shows the judgings that `words` mean, if any."""
    with RunStore.reopen(directory) as store:
        return show_reports(showing(plan_of(store, allow_code), store, words), store, embed)


def show_reports(plan: Plan, store: RunStore, embed: str | None = None) -> int:
    """Write every report of the run anew, into the file `embed` too, and print its table.

    0 if all that it shows is scored, else 3.
    """
    from editeval.commands.console import result_console
    from editeval.reporting import build_report, write_embedded, write_reports
    from editeval.reports.terminal import render_terminal

    if activity.subset(store) != plan.subset:  # a run of before did not say
        store.record_event(SUBSET, asdict(plan.subset) if plan.subset else {})
    built = build_report(plan, store)
    write_reports(built, store.dir)
    if embed is not None:
        write_embedded(built, store.dir, Path(embed))
    render_terminal(built, result_console())
    counts = [store.counts(judging.id) for judging in plan.shown]
    if not counts:
        return 0 if store.counts(None).num_edited == store.counts(None).num_wanted else 3
    return 0 if all(c.num_scored == c.num_wanted for c in counts) else 3


def config_of(store: RunStore, allow_code: bool) -> Config:
    """The configuration of the run's latest invocation: its manifest, and what that invocation had changed.

    A run may come from somebody else: code that it names is imported only with `allow_code`.
    """
    return load_mapping(settings_of(store), store.manifest["name"], allow_code=allow_code)


def settings_of(store: RunStore) -> dict[str, Any]:
    """The configuration of the run's latest invocation, as JSON values."""
    settings: dict[str, Any] = copy.deepcopy(store.manifest["config"])
    selected = settings.get("evaluation", {})
    for key, (_, value) in store.events("invocation")[-1]["data"]["config_changes"].items():
        if value == ABSENT:
            _remove(settings, key.split("."))
            continue
        *path, last = key.split(".")
        place = settings
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    if "first" not in selected:  # of a version in which --limit took the first samples
        selected |= {"first": selected.get("limit"), "limit": None}
    return settings


def _remove(place: dict[str, Any], path: list[str]) -> None:
    """The leaf at `path` is gone, and with it every mapping that it leaves empty."""
    first, *rest = path
    below = place.get(first)
    if rest and isinstance(below, dict):
        _remove(below, rest)
    if not rest or below == {}:
        place.pop(first, None)


def plan_of(store: RunStore, allow_code: bool) -> Plan:
    """The plan of the run's latest invocation, in the directory where the run is."""
    return replace(make_plan(config_of(store, allow_code)), dir=store.dir)
