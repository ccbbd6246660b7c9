"""Which part of a benchmark is wanted, in which order, and what it is called: by category, id and number."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from editeval.config import legacy
from editeval.config.schema import BenchmarkConfig, Config
from editeval.errors import BenchmarkError
from editeval.stats.sampling import stratified
from editeval.types import Benchmark, Sample, Subset


def in_one_word(samples: list[Sample], benchmark: BenchmarkConfig) -> list[Sample]:
    """The samples, where v2's data call one category by two words, under the English one; ids stay as they are."""
    spellings: dict[str, set[str]] = {}
    for name in {s.category for s in samples}:
        spellings.setdefault(benchmark.canonical(name), set()).add(name)
    renamed = {name: word for word, names in spellings.items() if len(names) > 1 for name in names - {word}}
    return [replace(s, category=renamed[s.category]) if s.category in renamed else s for s in samples]


def of_categories(samples: list[Sample], config: Config) -> list[Sample]:
    """Those of the categories that are named, in that order. Raises BenchmarkError, which names every absent one."""
    canonical, wanted = config.benchmark.canonical, config.benchmark.categories
    if not wanted:
        return samples
    counts = Counter(s.category for s in samples)
    present = {canonical(name) for name in counts}
    absent = [name for name in wanted if canonical(name) not in present]
    if absent:
        has = ", ".join(f"{name} ({count})" for name, count in counts.items())
        told = ", ".join(repr(name) + meant(name, list(counts)) for name in absent)
        raise BenchmarkError(f"{at(config, 'benchmark.categories')}: no sample of {told}; it has: {has}")
    order = {canonical(name): place for place, name in enumerate(wanted)}
    chosen = [s for s in samples if canonical(s.category) in order]
    return sorted(chosen, key=lambda s: order[canonical(s.category)])


def meant(name: str, known: Sequence[str]) -> str:
    """` (did you mean 'x'?)`, or nothing. v2's words are known even where they mean nothing."""
    same = [word for word in known if legacy.canonical(word) == legacy.canonical(name)]
    close = difflib.get_close_matches(name, known, n=1) or same
    return f" (did you mean {close[0]!r}?)" if close else ""


def at(config: Config, key: str, decided_by: str = "") -> str:
    """`key` with the file and line, the flag or the variable of `decided_by` (the key itself), where there is one."""
    origin = config.origins.get(decided_by or key, "")
    kind, _, where = origin.partition(" ")
    return f"{where}: {key}" if kind in ("file", "flag", "env") else key


def category_notes(benchmark: Benchmark, config: Config) -> list[str]:
    """What to say of the benchmark's categories, counted and named: those under two words, and those left out."""
    canonical, wanted = config.benchmark.canonical, config.benchmark.categories
    samples = list(benchmark)
    spelled = Counter(s.category for s in samples)
    counts = Counter(s.category for s in in_one_word(samples, config.benchmark))
    twins = [name for name in spelled if name not in counts]
    notes = []
    if twins:
        told = ", ".join(f"{name} ({spelled[name]}) is {canonical(name)}" for name in twins)
        notes.append(f"benchmark: two words for one category: {told}")
    kept = set(map(canonical, wanted))
    left = {name: count for name, count in counts.items() if wanted and canonical(name) not in kept}
    if left:
        told = ", ".join(f"{name} ({count})" for name, count in left.items())
        of = f"{sum(left.values())} of {counts.total()} samples"
        notes.append(f"{at(config, 'benchmark.categories')}: {of} are left out, of categories not named: {told}")
    return notes


def part_of(samples: Sequence[Sample], config: Config) -> list[Sample]:
    """What `first` or `limit` leaves of `samples`, in their order. A larger limit keeps what a smaller one drew."""
    chosen = list(samples[: config.first])
    if config.limit is None or config.limit >= len(chosen):
        return chosen
    known = [(sample.id, config.benchmark.canonical(sample.category)) for sample in chosen]
    return [chosen[n] for n in stratified(known, config.limit, config.diffusion_model.seed)]


def subset_of(config: Config, everything: Sequence[Sample], num: int) -> Subset | None:
    """What part of a benchmark of `everything` the `num` samples are that `config` selects; None for all of it."""
    if num == len(everything):
        return None
    canonical = config.benchmark.canonical
    present = {canonical(s.category) for s in everything}
    wanted = {canonical(c) for c in config.benchmark.categories} or present
    how = [
        f"categories {', '.join(config.benchmark.categories)}" if present - wanted else "",
        f"ids {', '.join(config.samples)}" if config.samples else "",
        f"the first {config.first}" if config.first == num else "",
        f"stratified, seed {config.diffusion_model.seed}" if config.limit == num else "",
    ]
    return Subset(num, len(everything), "; ".join(filter(None, how)))
