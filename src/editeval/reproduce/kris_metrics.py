"""KRIS: `{category}/metrics.json`, in which the published scripts keep the scores 1-5 of every sample by id."""

from __future__ import annotations

from collections.abc import Iterator

from editeval.judges.protocols import protocol
from editeval.reproduce.clone import Clone, PublishedDataError
from editeval.reproduce.official_means import Bug, SampleScores, as_reading, rows_of
from editeval.reproduce.published import Recomputed, ResultFormat

_SWITCH = "kris_drop_incomplete"
_KNOWLEDGE = "knowledge"


def recompute(clone: Clone) -> Iterator[Recomputed]:
    """Every category, dimension, part and the whole, 0-100."""
    kris = protocol.load("kris")
    samples: list[SampleScores] = []
    absent = []
    for category in sorted({name for mean in kris.official for name in mean.categories}):
        file = f"{category}/metrics.json"
        if not clone.has(file):
            absent.append(category)
            continue
        entries = clone.records(file).values()
        names = [name for name in kris.metrics if name != _KNOWLEDGE or any(f"{name}_score" in e for e in entries)]
        samples += [
            SampleScores(category, {name: as_reading(kris, name, e.get(f"{name}_score")) for name in names})
            for e in entries
        ]
    if not samples:
        raise PublishedDataError(f"{clone.root}: must hold {{category}}/metrics.json, got none")
    whole = [sample for sample in samples if not any(reading.reason for reading in sample.values.values())]
    notes = (f"no file of {', '.join(absent)}",) if absent else ()
    yield from rows_of("all categories", kris, samples, Bug(_SWITCH, whole), notes)


RESULTS = ResultFormat(
    name="kris",
    title="KRIS-Bench: scores of single samples",
    repository="",
    commit="",
    layout="{category}/metrics.json, as in results/{model}",
    words="those that the run used",
    rule="25 * (score - 1); mean of every single score in a dimension, a part, or all, as BAGEL publishes it",
    recompute=recompute,
    switches={_SWITCH: "a sample with one score missing loses its other scores too"},
    digits=2,
)
