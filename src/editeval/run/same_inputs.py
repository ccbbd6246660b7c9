"""Has anything changed that decides an edit or a score? For runs that take over what another one has, and for `verify`.

An edit is the same if editor, parameters, weights, code, source image, instruction and seed are; scores are the same if
the judge is, and all that it was shown. A new run takes these over from earlier ones of its name, and makes everything
else again. `--fresh` takes over nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from editeval.errors import ImageError, UserError
from editeval.run import imports
from editeval.run.chains import linked, turns
from editeval.run.layouts import named
from editeval.run.plan import Plan, ScoreSetPlan, calls_of, seed_of
from editeval.run.selection import shown_images, with_repeats
from editeval.store import fingerprints, lineage, queries, reused
from editeval.store.fingerprints import Inputs, edit_inputs, judge_request, shown_inputs
from editeval.store.ledger_seal import CHANGED, ELSEWHERE
from editeval.store.records import Listed
from editeval.store.run_store import RunStore
from editeval.store.score_sets import details_of, settle
from editeval.store.verify import Problem
from editeval.text import one_line
from editeval.types import Edit, Sample

log = logging.getLogger("editeval")
PAGE = 256  # edits in one transaction


def reuse(
    plan: Plan,
    store: RunStore,
    is_stopped: Callable[[], bool] = lambda: False,
    page_size: int = PAGE,
    donors: Iterable[Path] | None = None,
) -> None:
    """What is still to be made and exists already is taken over; how much, and from where, is on record.

    From `donors`; None: from the runs of the same name. May be cut short at any moment: the next start goes on.
    """
    if not plan.can_reuse or store.manifest.get("fresh") or not plan.is_editing:
        return
    commit = fingerprints.recorded(store).get(fingerprints.COMMIT) or plan.inputs.commit
    editor_id = plan.editor_id(commit)
    if donors is None:
        donors = lineage.same_name(plan.config.evaluation.output_dir, plan.config.name)
    for directory in donors if editor_id else ():
        if directory.resolve() == store.dir.resolve() or not _is_open(plan, store, directory.name):
            continue
        before = reused.reused(store)
        with contextlib.ExitStack() as stack:
            other = _opened(directory, stack, plan.config.allow_code)
            if other is None:
                continue
            for turn in turns(plan.samples, store.pending_edits()):
                same = _same(plan, set(turn), other, editor_id)
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


def _opened(directory: Path, stack: contextlib.ExitStack, allow_code: bool) -> RunStore | None:
    """Another run, to read; None, and that is said, if it is broken, or a stranger's without consent."""
    try:
        other = stack.enter_context(RunStore.read(directory))
        state = other.ledger_state()
        if state == CHANGED:
            raise UserError("its edits or scores were changed by something other than editeval")
        if not (allow_code or other.is_own):
            raise UserError("not made by you on this machine; --allow-code reuses it")
        if state == ELSEWHERE and not allow_code:
            raise UserError("another user or another machine has written to it; --allow-code reuses it")
        return other
    except UserError as error:
        log.warning("Nothing is reused from %s: %s", directory.name, one_line(error))
        return None


def _pin(plan: Plan, store: RunStore, commit: str | None) -> None:
    """Whatever is edited here from now on must come from the commit whose edits are taken over."""
    if commit and not plan.inputs.weights:
        fingerprints.record(store, {fingerprints.COMMIT: commit})


def _same(plan: Plan, pending: set[str], other: RunStore, editor_id: str) -> Iterator[Edit]:
    """Edits of `other` that are `pending` here and were made of exactly what the benchmark gives now."""
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
    shown = [*shown_images(plan.config, sample), *([sample.target] if plan.editor.sees_target else [])]
    digests = [lineage.image_digest(image) if image is not None else None for image in shown]
    digests += [plan.files.digests[sample.id] or None] if plan.files is not None else []
    seed = seed_of(plan.config.diffusion_model.seed, sample.id)
    known = [digest for digest in digests if digest is not None]
    return edit_inputs(known, sample.instruction, seed) if len(known) == len(digests) else ""


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
    for call in calls_of(plan, judging) if judging.depends_on_calls else ([one] for one in plan.samples):
        if all(sample.id in kept for sample in call):
            shown = _shown(plan, judging, store, call)
            if all(kept[sample.id].inputs == shown.get(sample.id) for sample in call):
                reused.take_scores(store, judging.id, {s.id: kept[s.id] for s in call}, other.dir.name)


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
            requests.append(judge_request(asked, [image.read() for image in sample.images], edited, prompt))
        except ImageError:
            return {}
    return shown_inputs(requests, judging.depends_on_calls)


@dataclass(slots=True)
class InputsCheck:
    """What was found. `unknown` says, a line each, what could not be compared."""

    problems: list[Problem] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def check_inputs(plan: Plan, store: RunStore) -> InputsCheck:
    """Reads every source image that is still there once; changes nothing."""
    found = InputsCheck()
    num_edits = sum(edit.path is not None for edit in store.edits(wanted_only=False))
    if num_edits:
        old = store.manifest.get("inputs", {})
        _compare(found, "diffusion_model", fingerprints.recorded(store), plan.inputs, old, f"{num_edits} edits")
        _check_editors(found, store)
        _check_sources(found, plan, store)
        _check_files(found, plan, store)
    details = {judging.id: judging.details for judging in store.judgings()}
    for judging in plan.judgings:
        if judging.id in details:
            known, old = fingerprints.recorded(store, "judge", judging.id), details[judging.id].get("inputs", {})
            what = f"the scores of {judging.name} ({judging.id})"
            _compare(found, judging.stage.section, known, judging.known.inputs, old, what)
    return found


def _compare(found: InputsCheck, where: str, known: fingerprints.Parts, now: Inputs, old: Listed, made: str) -> None:
    for part in fingerprints.changed(known, now.parts):
        said = fingerprints.in_words(part, old, now.listed())
        found.problems.append(
            Problem("inputs", where, f"{said}: not what made {made}; the same command makes them again")
        )
    for part in known:
        if part not in now.parts:
            found.unknown.append(f"{where}: {fingerprints.in_words(part, {}, {})}: not on this machine any more")
    for part in fingerprints.unrecorded(known, now.parts):
        said = fingerprints.in_words(part, {}, {})
        found.unknown.append(f"{where}: {said}: not on record, {made} were made before editeval wrote it down")


def _check_editors(found: InputsCheck, store: RunStore) -> None:
    ids = {edit.made.editor_id for edit in store.edits(wanted_only=False) if edit.made and edit.made.editor_id}
    if len(ids) > 1:
        said = f"edits of {len(ids)} editors in one run: {', '.join(sorted(ids))}; begin a new run with --fresh"
        found.problems.append(Problem("inputs", store.path.name, said))


def _check_files(found: InputsCheck, plan: Plan, store: RunStore) -> None:
    """Of edits made elsewhere: are the files still those that were imported?"""
    where = imports.FOLDER
    try:
        files = imports.found_edits(plan.editor, plan.config.diffusion_model.params, plan.benchmark, plan.samples)
    except UserError as error:
        found.unknown.append(f"edits made elsewhere: {one_line(error)}")
        return
    changed = lineage.changed_files(store, files.digests) if files is not None else []
    if changed:
        said = f"edits made elsewhere: {len(changed)} files are not what was imported: {named(changed)}"
        found.problems.append(Problem("inputs", where, f"{said}; the same command makes another run of them"))


def is_same_benchmark(plan: Plan, store: RunStore) -> bool:
    """Whether the benchmark is, by its fingerprint, the one that was edited: same texts and same images."""
    return plan.benchmark.fingerprint() == str(store.manifest["identity"]["benchmark"])


def _check_sources(found: InputsCheck, plan: Plan, store: RunStore) -> None:
    if store.manifest["identity"]["benchmark"] in plan.benchmark.earlier_fingerprints():
        found.unknown.append("benchmark: the samples are of an older version of it, which cannot be made any more")
        return
    is_same = is_same_benchmark(plan, store)
    everything = list(plan.benchmark)
    repeated = with_repeats(everything, everything, queries.most_seeds(store))
    samples = {sample.id: sample for sample in linked(repeated, store.dir)}
    before = len(found.problems)
    counts = dict.fromkeys(("absent", "unrecorded"), 0)
    edits = (edit for edit in store.edits(wanted_only=False) if edit.path is not None)
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), "verify") as executor:
        while page := list(islice(edits, PAGE)):
            pairs = [(edit, samples.get(edit.sample_id)) for edit in page]
            digests = executor.map(lambda pair: _digest(pair[0], pair[1], is_same), pairs)
            for (edit, sample), digest in zip(pairs, digests, strict=True):
                if edit.made is None:
                    counts["unrecorded"] += 1
                elif sample is None or not digest:
                    counts["absent"] += 1
                else:
                    found.problems += _source_problems(edit, sample, digest, store)
    if not is_same and len(found.problems) == before:
        said = "not the benchmark of this run: other samples, targets or masks"
        found.problems.append(Problem("inputs", "benchmark", said))
    if counts["unrecorded"]:
        found.unknown.append(f"benchmark: {counts['unrecorded']} edits were made before editeval recorded their source")
    if counts["absent"]:
        found.unknown.append(f"benchmark: the sources of {counts['absent']} edits are not there any more")


def _digest(edit: Edit, sample: Sample | None, is_same_benchmark: bool) -> str:
    """Of the source as it is now; empty if there is none.

    A drawing is what it was if the benchmark's fingerprint is, and drawing it again would take minutes.
    """
    if sample is None or edit.made is None:
        return ""
    if is_same_benchmark and not lineage.is_stored(sample.image):
        return edit.made.source_sha256
    return lineage.source_digest(sample) or ""


def _source_problems(edit: Edit, sample: Sample, digest: str, store: RunStore) -> Iterator[Problem]:
    assert edit.made is not None, "the caller has looked"
    if digest != edit.made.source_sha256:
        yield Problem("inputs", "benchmark", f"{sample.id!r}: the source image is not the one that was edited")
    recorded = queries.instruction_of(store, sample.id)
    if recorded is not None and recorded != lineage.as_recorded(sample.instruction):
        yield Problem("inputs", "benchmark", f"{sample.id!r}: the instruction is not the one that was followed")
