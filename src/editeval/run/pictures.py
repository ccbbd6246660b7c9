"""Which pictures a report of a run may show: sources that are what was edited, targets and references.

Nothing is read before it is asked for.
"""

from __future__ import annotations

from editeval.errors import ImageError
from editeval.images import sha256
from editeval.reports import data
from editeval.run.plan import Plan
from editeval.store import queries
from editeval.store.fingerprints import sources_digest
from editeval.store.run_store import RunStore
from editeval.types import ImageRef


def images_of(plan: Plan, store: RunStore, is_same: bool) -> data.Images:
    """Sources that are what was edited; of another benchmark than that only those whose hash the ledger has."""
    samples = {sample.id: sample for sample in plan.samples}
    digests = queries.source_digests(store)

    def images(sample_id: str) -> tuple[bytes | str | None, bytes | None]:
        sample, digest = samples.get(sample_id), digests.get(sample_id)
        if sample is None or not (is_same or digest):
            return None, None
        sources = [_bytes(image) for image in sample.images]
        known = [sha256(source) for source in sources if source is not None]
        is_changed = digest is not None and len(known) == len(sources) and sources_digest(known) != digest
        return data.CHANGED if is_changed else sources[0], _bytes(sample.target) if is_same else None

    return images


def further_of(plan: Plan, is_same: bool) -> data.Further:
    """The sources after the first, and the references; nothing of another benchmark."""
    samples = {sample.id: sample for sample in plan.samples if is_same}

    def further(sample_id: str) -> list[tuple[str, ImageRef]]:
        sample = samples.get(sample_id)
        if sample is None:
            return []
        sources = [(f"source_{number}", image) for number, image in enumerate(sample.images[1:], start=2)]
        references = enumerate(sample.references, start=1)
        return [*sources, *((f"reference_{n}" if n > 1 else "reference", image) for n, image in references)]

    return further


def _bytes(ref: ImageRef | None) -> bytes | None:
    """Encoded bytes for the gallery; None for a picture that cannot be read (its sample failed for that reason)."""
    try:
        return ref.read() if ref is not None else None
    except ImageError:
        return None
