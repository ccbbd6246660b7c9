"""Whether the disk has room for what a run has still to write: an estimate beforehand, and no more than that.

The rule: an edit has as many pixels as its source and takes EDIT_BYTES for each. The report keeps every source image
and every target once, as they are, and a thumbnail of each picture; ledger and tables take TEXT_BYTES a sample and as
much again for each judging. How large sources are is measured at a few, evenly spread over the samples. A model that
answers in a size of its own (`size: model`) may take more or less.
"""

from __future__ import annotations

import io
import logging
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from editeval.errors import ImageError, MachineError
from editeval.images import FORMATS
from editeval.machine import host
from editeval.run.plan import Plan
from editeval.store.run_store import RunStore
from editeval.types import Edit, Sample

log = logging.getLogger("editeval")

RESERVE = 64 << 20
"""Bytes: with less than that free, a run that needs more than there is does not begin."""
AMPLE = 32 << 20
"""Bytes a sample: where that much is free for each, nobody needs to measure."""
EDIT_BYTES = 2.0  # per pixel: photographs as `images.encode_png` writes them take 1.3 to 2.1, drawings 0.1 to 0.8
THUMBNAIL_BYTES = 20_000
TEXT_BYTES = 6_000
NUM_ASKED = 500  # samples whose state is looked up
NUM_MEASURED = 24  # samples whose pictures are read
MEASURING_S = 0.02  # when it is over, what has been measured by then must do

FreeBytes = Callable[[Path], int | None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of an average sample: pixels of its source, encoded bytes of the source and, where there is one, the target."""

    pixels: float
    source_bytes: float
    target_bytes: float


@dataclass(frozen=True, slots=True)
class Work:
    """What is left: numbers of samples to edit, of samples to show (edited now, or judged), source images, judgings."""

    num_edits: int
    num_shown: int
    num_sources: int
    num_judgings: int

    def bytes_needed(self, sizes: Sizes) -> int:
        """The estimate, by the rule of this module."""
        edits = self.num_edits * sizes.pixels * EDIT_BYTES
        pictures = self.num_sources * sizes.source_bytes
        pictures += self.num_shown * (sizes.target_bytes + 3 * THUMBNAIL_BYTES)
        texts = self.num_shown * TEXT_BYTES * (1 + self.num_judgings)
        return int(edits + pictures + texts)


def check_room(plan: Plan, store: RunStore, free_bytes: FreeBytes | None = None) -> None:
    """Warns, in one line, if what is left to do looks too big for the disk. Costs milliseconds, however large the run.

    Raises MachineError if it does and RESERVE is not free either. `free_bytes` replaces the kernel's answer.
    """
    free = (free_bytes or free_of)(plan.dir)
    if free is None or free >= len(plan.samples) * AMPLE:
        return
    left = work_left(plan, store)
    sizes = measured(plan.samples) if left.num_shown else None
    needed = left.bytes_needed(sizes) if sizes else 0
    if needed <= free:
        return
    what = f"{left.num_edits} edits and the report need about {shown(needed)}, and {shown(free)} are free"
    advice = "free some space, or choose another disk with evaluation.output_dir (--output-dir)"
    if free < RESERVE:
        raise MachineError(f"{host.mount_point(plan.dir)}: {what}; {advice}; the same command continues")
    log.warning("%s: %s, by an estimate from the sources' sizes; %s", host.mount_point(plan.dir), what, advice)


def work_left(plan: Plan, store: RunStore) -> Work:
    """As far as a few hundred samples, evenly spread, tell; exact for a run that has no more of them."""
    asked = spread(plan.samples, NUM_ASKED)
    edited = [store.edit_of(sample.id) for sample in asked]
    num_edits = sum(edit is None for edit in edited) if plan.is_editing else 0
    num_shown = sum(_is_shown(plan, store, s.id, e) for s, e in zip(asked, edited, strict=True))
    num_sources = len({sample.cluster or sample.id for sample in plan.samples})
    share = len(plan.samples) / len(asked)
    to_show = round(num_shown * share)
    return Work(round(num_edits * share), to_show, min(num_sources, to_show), len(plan.judgings))


def _is_shown(plan: Plan, store: RunStore, sample_id: str, edit: Edit | None) -> bool:
    """Whether something of this sample is still to come: its edit, or scores of it."""
    if edit is None:
        return plan.is_editing
    return edit.error is None and not all(store.has_scores(judging.id, sample_id) for judging in plan.judgings)


def spread(samples: Sequence[Sample], most: int) -> Sequence[Sample]:
    """At most `most` of them, evenly spread."""
    return samples[:: -(-len(samples) // most)]


def free_of(path: Path) -> int | None:
    """Bytes that this user may still write on the disk of `path`; None if it does not tell."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def measured(samples: Sequence[Sample]) -> Sizes | None:
    """The average over a few of `samples`; None if the pictures of none can be read."""
    found: list[Sizes] = []
    end = time.monotonic() + MEASURING_S
    for sample in spread(samples, NUM_MEASURED):
        try:
            found.append(_measure(sample))
        except ImageError:
            continue  # its edit will fail, and take no room
        if time.monotonic() > end:
            break
    if not found:
        return None
    count = len(found)
    return Sizes(
        sum(size.pixels for size in found) / count,
        sum(size.source_bytes for size in found) / count,
        sum(size.target_bytes for size in found) / count,
    )


def _measure(sample: Sample) -> Sizes:
    from PIL import Image

    source = sample.image.read()
    try:
        with Image.open(io.BytesIO(source), formats=FORMATS) as image:  # reads the header, no pixel
            pixels = image.width * image.height
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"{sample.id}: {error}") from error
    target = sample.reference.read() if sample.reference else b""
    return Sizes(pixels, len(source), len(target))


def shown(num_bytes: int) -> str:
    """As people say it."""
    return f"{num_bytes / 2**30:.1f} GiB" if num_bytes >= 2**30 else f"{num_bytes / 2**20:.1f} MiB"
