"""Which part of a benchmark is wanted, and what it is called: --limit, --first, --sample, categories."""

from __future__ import annotations

from collections.abc import Sequence

from editeval.categories import canonical
from editeval.config.schema import Config
from editeval.stats.sampling import stratified
from editeval.types import Sample, Subset


def part_of(samples: Sequence[Sample], config: Config) -> list[Sample]:
    """What `first` or `limit` leaves of `samples`, in their order. A larger limit keeps what a smaller one drew."""
    chosen = list(samples[: config.first])
    if config.limit is None or config.limit >= len(chosen):
        return chosen
    known = [(sample.id, canonical(sample.category)) for sample in chosen]
    return [chosen[n] for n in stratified(known, config.limit, config.diffusion_model.seed)]


def subset_of(config: Config, everything: Sequence[Sample], num: int) -> Subset | None:
    """What part of a benchmark of `everything` the `num` samples are that `config` selects; None for all of it."""
    if num == len(everything):
        return None
    present = {canonical(s.category) for s in everything}
    wanted = {canonical(c) for c in config.benchmark.categories} or present
    how = [
        f"categories {', '.join(config.benchmark.categories)}" if present - wanted else "",
        f"ids {', '.join(config.samples)}" if config.samples else "",
        f"the first {config.first}" if config.first == num else "",
        f"stratified, seed {config.diffusion_model.seed}" if config.limit == num else "",
    ]
    return Subset(num, len(everything), "; ".join(filter(None, how)))
