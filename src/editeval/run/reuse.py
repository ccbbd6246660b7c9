"""What a new run takes over from earlier ones of its name, because nothing that decides it has changed.

An edit is the same if editor, parameters, weights, code, source image, instruction and seed are; scores are the same if
the judge is, and all that it was shown. Everything else is made again. `--fresh` takes over nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

from editeval.errors import ImageError, UserError
from editeval.run.plan import Plan, ScoreSetPlan, seed_of
from editeval.store import fingerprints, lineage, reused
from editeval.store.fingerprints import edit_inputs, judge_request, shown_inputs
from editeval.store.run_store import RunStore
from editeval.store.score_sets import details_of, settle
from editeval.text import one_line
from editeval.types import Edit, Sample

log = logging.getLogger("editeval")
PAGE = 256  # edits in one transaction


def reuse(plan: Plan, store: RunStore, is_stopped: Callable[[], bool] = lambda: False, page_size: int = PAGE) -> None:
    """What is still to be made and exists already is taken over; how much, and from where, is on record.

    May be cut short at any moment: the next start goes on.
    """
    if not plan.can_reuse or store.manifest.get("fresh") or not plan.is_editing:
        return
    commit = fingerprints.recorded(store).get(fingerprints.COMMIT) or plan.inputs.commit
    editor_id = plan.editor_id(commit)
    for directory in lineage.same_name(plan.config.evaluation.output_dir, plan.config.name) if editor_id else ():
        if directory.resolve() == store.dir.resolve() or not _is_open(plan, store, directory.name):
            continue
        before = reused.reused(store)
        with contextlib.ExitStack() as stack:
            other = _opened(directory, stack)
            if other is None:
                continue
            same = _same(plan, store, other, editor_id)
            while (page := list(islice(same, page_size))) and not is_stopped():
                _pin(plan, store, commit)
                reused.take_edits(store, other, page)
            mine = frozenset(reused.taken_edits(store).get(directory.name, ()))
            for judging in plan.judgings if mine and not is_stopped() else ():
                _take_scores(plan, judging, store, other, mine)
        for one in reused.reused(store):
            if one.run == directory.name and one not in before:
                store.record_event(one)


def _is_open(plan: Plan, store: RunStore, run: str) -> bool:
    """Whether anything is wanted that the other run might have."""
    if store.pending_edits():
        return True
    mine = set(reused.taken_edits(store).get(run, ()))
    return any(mine.intersection(store.pending_scores(judging.id)) for judging in plan.judgings)


def _opened(directory: Path, stack: contextlib.ExitStack) -> RunStore | None:
    """Another run, to read; None, and that is said, if it is broken."""
    try:
        return stack.enter_context(RunStore.read(directory))
    except UserError as error:
        log.warning("Nothing is reused from %s: %s", directory.name, one_line(error))
        return None


def _pin(plan: Plan, store: RunStore, commit: str | None) -> None:
    """Whatever is edited here from now on must come from the commit whose edits are taken over."""
    if commit and not plan.inputs.weights:
        fingerprints.record(store, {fingerprints.COMMIT: commit})


def _same(plan: Plan, store: RunStore, other: RunStore, editor_id: str) -> Iterator[Edit]:
    """Edits of `other` that are pending here and were made of exactly what the benchmark gives now."""
    pending = set(store.pending_edits())
    samples = {sample.id: sample for sample in plan.samples if sample.id in pending}
    wanted = (edit for edit in _readable(other, editor_id) if edit.sample_id in samples)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), "reuse") as executor:
        while page := list(islice(wanted, PAGE)):
            found = executor.map(lambda edit: _inputs(plan, samples[edit.sample_id]), page)
            for edit, inputs in zip(page, found, strict=True):
                if edit.made is not None and edit.made.inputs == inputs:
                    yield edit


def _readable(other: RunStore, editor_id: str) -> Iterator[Edit]:
    """As many edits as the other ledger gives: one that is damaged is no reason to stop."""
    try:
        yield from reused.reusable_edits(other, editor_id)
    except UserError as error:
        log.warning("No more is reused from %s: %s", other.dir.name, one_line(error))


def _inputs(plan: Plan, sample: Sample) -> str:
    """As editing would record it; empty for what cannot be read."""
    shown = [sample.image, *([sample.reference] if plan.editor.sees_reference else [])]
    digests = [lineage.source_digest(image) if image is not None else None for image in shown]
    seed = seed_of(plan.config.diffusion_model.seed, sample.id)
    known = [digest for digest in digests if digest is not None]
    return edit_inputs(known, sample.instruction, seed) if len(known) == len(shown) else ""


def _take_scores(plan: Plan, judging: ScoreSetPlan, store: RunStore, other: RunStore, mine: frozenset[str]) -> None:
    """Scores of whole calls whose every request is what it was; where calls do not matter, a request is a call."""
    there = settle({judging.name: judging.known}, other.dir)[judging.name]
    is_known = not judging.known.inputs.is_on_hub or judging.known.inputs.commit
    if there.unrecorded or there.replaces or not is_known:
        return
    try:
        kept = reused.kept_scores(other, there.id, [key for key in store.pending_scores(judging.id) if key in mine])
    except UserError as error:
        log.warning("No scores are reused from %s: %s", other.dir.name, one_line(error))
        return
    if not kept:
        return
    details = details_of(judging.name, judging.stage, judging.known)
    store.add_judging(judging.id, judging.stage.type, details)
    parts = {name: text for name, text in judging.known.inputs.parts.items() if name == fingerprints.COMMIT}
    fingerprints.record(store, parts, "judge", judging.id)
    for call in _calls(plan, judging):
        if all(sample.id in kept for sample in call):
            shown = _shown(plan, judging, store, call)
            if all(kept[sample.id].inputs == shown.get(sample.id) for sample in call):
                reused.take_scores(store, judging.id, {s.id: kept[s.id] for s in call}, other.dir.name)


def _calls(plan: Plan, judging: ScoreSetPlan) -> Iterator[Sequence[Sample]]:
    """The wanted samples as the judge would be asked about them."""
    size = judging.stage.execution.batch_size if judging.depends_on_calls else 1
    yield from (plan.samples[start : start + size] for start in range(0, len(plan.samples), size))


def _shown(plan: Plan, judging: ScoreSetPlan, store: RunStore, call: Sequence[Sample]) -> Mapping[str, str]:
    config = plan.config
    requests = []
    for sample in call:
        edit = store.edit_of(sample.id)
        try:
            assert edit is not None, "it was taken over"
            edited = store.read_edit(edit)
            asked = replace(sample, category=config.benchmark.canonical(sample.category))
            prompt = config.prompt_of(sample.category)
            requests.append(judge_request(asked, sample.image.read(), edited, prompt))
        except ImageError:
            return {}
    return shown_inputs(requests, judging.depends_on_calls)
