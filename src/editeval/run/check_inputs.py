"""Is what a run was made of still what is there: source images, instructions, weights, code? For `editeval verify`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from editeval.run.plan import Plan
from editeval.store import fingerprints, lineage, queries
from editeval.store.fingerprints import Inputs
from editeval.store.records import Listed
from editeval.store.run_store import RunStore
from editeval.store.verify import Problem
from editeval.types import Edit, Sample

PAGE = 256


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


def _check_sources(found: InputsCheck, plan: Plan, store: RunStore) -> None:
    is_same = plan.benchmark.fingerprint() == store.manifest["identity"]["benchmark"]
    samples = {sample.id: sample for sample in plan.benchmark}
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
    return lineage.source_digest(sample.image) or ""


def _source_problems(edit: Edit, sample: Sample, digest: str, store: RunStore) -> Iterator[Problem]:
    assert edit.made is not None, "the caller has looked"
    if digest != edit.made.source_sha256:
        yield Problem("inputs", "benchmark", f"{sample.id!r}: the source image is not the one that was edited")
    recorded = queries.instruction_of(store, sample.id)
    if recorded is not None and recorded != lineage.as_recorded(sample.instruction):
        yield Problem("inputs", "benchmark", f"{sample.id!r}: the instruction is not the one that was followed")
