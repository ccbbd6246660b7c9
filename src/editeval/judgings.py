"""The judgings that a run keeps: those of its configuration, of earlier ones, and those that were read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from editeval.errors import ConfigError
from editeval.plan import Plan, ShownJudging
from editeval.store import activity
from editeval.store.run_store import RunStore


def kept(store: RunStore) -> list[ShownJudging]:
    """Every judging of the run that has scores, in the order in which they were added, each under a name of its own.

    Of two with the same name the later one carries the beginning of its id.
    """
    found: list[ShownJudging] = []
    for judging in store.judgings():
        metrics = activity.metrics(store, judging.id)
        if not metrics:
            continue
        name = str(judging.details.get("name", judging.judge))
        if any(other.name == name for other in found):
            name = f"{name}-{judging.id[:6]}"
        judge = str(judging.details.get("requested_type", judging.judge))
        found.append(ShownJudging(name, judging.id, judge, metrics))
    return found


def choose(store: RunStore, words: Sequence[str]) -> tuple[ShownJudging, ...]:
    """The judgings that `words` (names, or beginnings of ids) mean, in their order; the first one has the headline.

    Raises ConfigError for a word that means none or several.
    """
    known = kept(store)
    chosen = [_meant(word, known) for word in dict.fromkeys(words)]
    unique = dict.fromkeys(chosen)
    return tuple(replace(judging, prefix=f"{judging.name}." if place else "") for place, judging in enumerate(unique))


def showing(plan: Plan, store: RunStore, words: Sequence[str]) -> Plan:
    """`plan`, whose reports show the judgings that `words` mean; without any, those of its configuration."""
    return replace(plan, chosen=choose(store, words)) if words else plan


def _meant(word: str, known: Sequence[ShownJudging]) -> ShownJudging:
    exact = [judging for judging in known if word in (judging.name, judging.id)]
    found = exact or [judging for judging in known if len(word) >= 4 and judging.id.startswith(word)]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{judging.name} ({judging.id})" for judging in (found or known)) or "none"
    what = "means several" if found else "no such judging"
    raise ConfigError(f"--judging {word}: {what}; the run has {listed}")
