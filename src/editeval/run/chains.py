"""Multi-turn samples: a turn edits what the turn before it, `Sample.after`, has made.

All first turns are edited, then all second turns, and so on: no worker needs a file that is not there yet, and it does
not matter which worker makes which turn. A turn whose predecessor has no edit fails with the reason `previous_turn`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from editeval.errors import BenchmarkError, ImageError, Reason
from editeval.execution.policy import num_rounds
from editeval.execution.simulate import Faults, History, Setting, SimulatedRun, replay
from editeval.images import read_file
from editeval.store.fingerprints import sources_digest
from editeval.store.run_store import RunStore, relative_path
from editeval.types import Edit, Sample


class PreviousTurnError(ImageError):
    """The turn before has no edit."""

    reason = Reason.PREVIOUS_TURN


@dataclass(frozen=True, slots=True)
class PreviousEdit:
    """The edit of the turn before: a file of the run, once that turn is done."""

    path: Path

    def read(self) -> bytes:
        return read_file(self.path)


def depths(samples: Iterable[Sample]) -> Mapping[str, int]:
    """How many turns come before each sample. Raises BenchmarkError for an unknown previous turn, and for a circle."""
    known = {sample.id: sample for sample in samples}
    found: dict[str, int] = {}
    for sample in known.values():
        later: list[str] = []
        while sample.id not in found and sample.after:
            if sample.after not in known:
                raise BenchmarkError(
                    f"benchmark: sample {sample.id!r}: its previous turn {sample.after!r} is no sample"
                )
            later.append(sample.id)
            if len(later) > len(known):
                raise BenchmarkError(f"benchmark: sample {sample.id!r}: the turns go round in a circle")
            sample = known[sample.after]
        depth = found.setdefault(sample.id, 0)
        found |= {sample_id: depth + n for n, sample_id in enumerate(reversed(later), 1)}
    return found


def has_turns(samples: Iterable[Sample]) -> bool:
    """Whether any of `samples` edits what another one has made."""
    return any(sample.after for sample in samples)


def turns(samples: Sequence[Sample], ids: Sequence[str]) -> list[list[str]]:
    """`ids`, in order, by turn: those of one list can be edited once those of the lists before are."""
    if not has_turns(samples):
        return [list(ids)] if ids else []
    depth = depths(samples)
    by_depth: dict[int, list[str]] = {}
    for sample_id in ids:
        by_depth.setdefault(depth[sample_id], []).append(sample_id)
    return [by_depth[n] for n in sorted(by_depth)]


def with_previous_turns(chosen: list[Sample], everything: Sequence[Sample]) -> list[Sample]:
    """`chosen`, with the turns that they need and that are not among them in front of the first that needs them."""
    if not has_turns(chosen):
        return chosen
    known = {sample.id: sample for sample in everything}
    depths(everything)  # which raises, if they cannot be followed
    result: dict[str, Sample] = {}
    for sample in chosen:
        needed = [sample]
        while needed[-1].after and needed[-1].after not in result:
            needed.append(known[needed[-1].after])
        result |= {one.id: one for one in reversed(needed) if one.id not in result}
    return list(result.values())


def linked(samples: Iterable[Sample], directory: Path) -> list[Sample]:
    """The samples, each later turn with the edit of the turn before, in the run `directory`, as its source image."""
    return [
        replace(sample, images=(PreviousEdit(directory / relative_path(sample.after)), *sample.images[1:]))
        if sample.after
        else sample
        for sample in samples
    ]


def outdated(samples: Sequence[Sample], store: RunStore) -> list[str]:
    """Later turns that are on record and do not follow from what the turn before is now: they are to be made again."""
    if not has_turns(samples):
        return []
    edits = {edit.sample_id: edit for edit in store.edits(wanted_only=False)}
    depth, found = depths(samples), list[str]()
    for sample in sorted((s for s in samples if s.after), key=lambda s: depth[s.id]):
        edit = edits.get(sample.id)
        if edit is not None and not _follows(edit, edits.get(sample.after)):
            found.append(sample.id)
            del edits[sample.id]
    return found


def _follows(edit: Edit, before: Edit | None) -> bool:
    if before is None:
        return False
    if before.sha256 is None:
        return edit.path is None
    if edit.path is None:
        return edit.error is None or edit.error.reason != Reason.PREVIOUS_TURN
    return edit.made is None or edit.made.source_sha256 == sources_digest([before.sha256])


def num_batches(sizes: Iterable[int], num_workers: int) -> int:
    """Batches of batch_sync for turns of these sizes: no batch holds two turns."""
    return sum(num_rounds(size, num_workers) for size in sizes)


def replay_turns(history: History, setting: Setting, faults: Faults, sizes: Sequence[int]) -> list[SimulatedRun]:
    """`replay` turn by turn: what every policy would have taken for requests of which the first `sizes[0]` are one."""
    totals: dict[str, SimulatedRun] = {}
    start = 0
    for size in sizes:
        mine = range(start, start := start + size)
        measured = [one for one in history.measured if one.request in mine]
        for run in replay(measured, setting, faults, history.failed.intersection(mine)):
            totals[run.policy] = _sum(totals[run.policy], run) if run.policy in totals else run
    return list(totals.values())


def _sum(one: SimulatedRun, then: SimulatedRun) -> SimulatedRun:
    seconds = one.makespan_s + then.makespan_s
    idle = one.idle_fraction * one.makespan_s + then.idle_fraction * then.makespan_s
    share = idle / seconds if seconds else 0.0
    return SimulatedRun(one.policy, seconds, share, max(one.max_drift, then.max_drift))
