"""What a new run takes over from earlier ones of its name, because nothing that decides it has changed.

An edit is the same if editor, parameters, weights, code, source image, instruction and seed are; scores are the same if
the judge is, and all that it was shown. Everything else is made anew. `--fresh` takes over nothing.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from editeval.categories import canonical
from editeval.errors import ImageError, UserError, one_line
from editeval.plan import JudgingPlan, Plan, seed_of
from editeval.store import identity, lineage, reused
from editeval.store.run_store import RunStore
from editeval.store.samples import edit_inputs, judge_request, shown_inputs
from editeval.store.score_sets import details_of, settle
from editeval.types import Edit, Sample

log = logging.getLogger("editeval")
PAGE = 256  # edits in one transaction
EVENT = "reused"


def reuse(plan: Plan, store: RunStore, is_stopped: Callable[[], bool] = lambda: False) -> None:
    """What is still to be made and exists already is taken over; how much, and from where, is on record.

    May be cut short at any moment: the next start goes on.
    """
    if plan.is_fresh or store.manifest.get("fresh") or not plan.is_editing:
        return
    commit = identity.recorded(store).get(identity.COMMIT) or plan.inputs.commit
    editor_id = plan.editor_id(commit)
    if not editor_id or not store.pending_edits():
        return
    for directory in lineage.same_name(plan.config.evaluation.output_dir, plan.config.name):
        if directory.resolve() == store.dir.resolve():
            continue
        try:
            other = RunStore.read(directory)
        except UserError as error:
            log.warning("Nothing is reused from %s: %s", directory.name, one_line(error))
            continue
        with other:
            _take_over(plan, store, other, editor_id, is_stopped)
        if commit and not plan.inputs.weights and reused.taken_edits(store):
            identity.record(store, {identity.COMMIT: commit})  # whatever is edited here must come from the same one
        if is_stopped() or not store.pending_edits():
            return


def _take_over(plan: Plan, store: RunStore, other: RunStore, editor_id: str, is_stopped: Callable[[], bool]) -> None:
    pending = set(store.pending_edits())
    samples = {sample.id: sample for sample in plan.samples if sample.id in pending}
    wanted = (edit for edit in reused.reusable_edits(other, editor_id) if edit.sample_id in samples)
    while (page := list(islice(wanted, PAGE))) and not is_stopped():
        reused.take_edits(store, other, list(_same(plan, samples, page)))
    mine = frozenset(reused.taken_edits(store).get(other.dir.name, ()))
    if not mine:
        return
    for judging in plan.judgings:
        if not is_stopped():
            _take_scores(plan, judging, store, other, mine)
    told = next(one for one in reused.reused(store) if one.run == other.dir.name)
    store.record_event(EVENT, {"run": told.run, "num_edits": told.num_edits, "num_scored": told.num_scored})


def _same(plan: Plan, samples: Mapping[str, Sample], edits: Sequence[Edit]) -> Iterator[Edit]:
    """Those of `edits` that were made of exactly what the benchmark gives now."""
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), "reuse") as executor:
        found = executor.map(lambda edit: _inputs(plan, samples[edit.sample_id]), edits)
        for edit, inputs in zip(edits, found, strict=True):
            if edit.made is not None and edit.made.inputs == inputs:
                yield edit


def _inputs(plan: Plan, sample: Sample) -> str:
    """As editing would record it; empty for what cannot be read."""
    shown = [sample.image, *([sample.reference] if plan.editor.sees_reference else [])]
    digests = [lineage.source_digest(image) if image is not None else None for image in shown]
    seed = seed_of(plan.config.diffusion_model.seed, sample.id)
    known = [digest for digest in digests if digest is not None]
    return edit_inputs(known, sample.instruction, seed) if len(known) == len(shown) else ""


def _take_scores(plan: Plan, judging: JudgingPlan, store: RunStore, other: RunStore, mine: frozenset[str]) -> None:
    """Scores of whole calls whose every request is what it was; where calls do not matter, a request is a call."""
    there = settle({judging.name: judging.known}, other.dir)[judging.name]
    is_known = not judging.known.inputs.is_on_hub or judging.known.inputs.commit
    if there.unrecorded or there.replaces or not is_known:
        return
    kept = reused.kept_scores(other, there.id, [key for key in store.pending_scores(judging.id) if key in mine])
    if not kept:
        return
    details = details_of(judging.name, judging.stage, judging.known)
    store.add_judging(judging.id, judging.stage.type, details)
    parts = {name: text for name, text in judging.known.inputs.parts.items() if name == identity.COMMIT}
    identity.record(store, parts, "judge", judging.id)
    for call in _calls(plan, judging):
        if all(sample.id in kept for sample in call):
            shown = _shown(plan, judging, store, call)
            if all(kept[sample.id].inputs == shown.get(sample.id) for sample in call):
                reused.take_scores(store, judging.id, {s.id: kept[s.id] for s in call}, other.dir.name)


def _calls(plan: Plan, judging: JudgingPlan) -> Iterator[Sequence[Sample]]:
    """The wanted samples as the judge would be asked about them."""
    size = judging.stage.execution.batch_size if judging.depends_on_calls else 1
    yield from (plan.samples[start : start + size] for start in range(0, len(plan.samples), size))


def _shown(plan: Plan, judging: JudgingPlan, store: RunStore, call: Sequence[Sample]) -> Mapping[str, str]:
    prompts = {canonical(name): prompt for name, prompt in plan.config.prompts.items()}
    requests = []
    for sample in call:
        edit = store.edit_of(sample.id)
        try:
            assert edit is not None, "it was taken over"
            edited = store.read_edit(edit)
            requests.append(judge_request(sample, sample.image.read(), edited, prompts.get(canonical(sample.category))))
        except ImageError:
            return {}
    return shown_inputs(requests, judging.depends_on_calls)
