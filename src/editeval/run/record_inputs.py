"""What is said, and put on record, about the weights, the code and the samples of a run before it goes on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from editeval.run.plan import Plan
from editeval.store import fingerprints, lineage
from editeval.store.run_store import RunStore

log = logging.getLogger("editeval")


def settle(plan: Plan, store: RunStore) -> None:
    """The log says what changed since an earlier run, and what is not known of this one; from now on it is known."""
    found = plan.lineage
    if found is not None and plan.is_editing:
        if found.previous is not None and found.reasons:
            log.info("%s", new_run_line(found))
        if found.unrecorded and any(edit.path for edit in store.edits(wanted_only=False)):
            log.warning(
                "%s: made before editeval recorded its %s: whether that has changed since is not known; --fresh edits "
                "everything again",
                plan.dir,
                _named(found.unrecorded),
            )
        fingerprints.record(store, _lasting(plan.inputs.parts))
        if found.checked_at:
            store.set_fact(lineage.CHECKED_AT, repr(found.checked_at))
    _settle_judges(plan, store)


def new_run_line(found: lineage.Lineage) -> str:
    """Why a new run begins."""
    assert found.previous is not None, "a run without a predecessor needs no reason"
    return f"{found.previous.name} differs in {'; '.join(found.reasons)}: a new run begins, {found.dir.name}"


def _settle_judges(plan: Plan, store: RunStore) -> None:
    for judging in plan.judgings:
        known = judging.known
        if known.replaces:
            what = "; ".join(known.replaces)
            log.info("%s: changed: %s: scores are made again, those there stay", judging.stage.section, what)
        missing = [part for part in known.unrecorded if part != fingerprints.COMMIT]
        if missing:
            log.warning(
                "%s: the scores there were made before editeval recorded its %s: whether that has changed since is not "
                "known; `editeval score` with another seed judges again",
                judging.stage.section,
                _named(missing),
            )
            fingerprints.record(store, _lasting(known.inputs.parts), "judge", judging.id)


def _lasting(parts: Mapping[str, str]) -> dict[str, str]:
    """All but the commit of a model on the Hub, which is known when it is loaded."""
    return {name: text for name, text in parts.items() if name != fingerprints.COMMIT}


def _named(parts: Sequence[str]) -> str:
    words = ("code" if part == fingerprints.CODE else "weights" for part in parts)
    return " and ".join(dict.fromkeys(words))
