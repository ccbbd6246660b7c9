"""Which samples a part of a benchmark consists of."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence


def stratified(samples: Sequence[tuple[str, str]], num: int, seed: int) -> list[int]:
    """Positions, ascending, of `num` of these (id, category), drawn at random but evenly over the categories.

    A category of n_k samples gets about num * n_k / n, and one at least if `num` is enough for all. Only `seed`,
    ids and categories decide, and of the same samples a smaller draw is part of every larger one.
    """
    sizes = Counter(category for _, category in samples)
    drawn: Counter[str] = Counter()
    turns: list[tuple[float, str, int]] = []
    for position in sorted(range(len(samples)), key=lambda position: _noise(seed, samples[position][0])):
        category = samples[position][1]
        turns.append((drawn[category] / sizes[category], _noise(seed, category), position))
        drawn[category] += 1
    return sorted(position for *_, position in sorted(turns)[:num])


def _noise(seed: int, text: str) -> str:
    return hashlib.sha256(f"draw:{seed}:{text}".encode("utf-8", "surrogatepass")).hexdigest()
