"""What a scene is before it is drawn: a state, the edits that lead to other states, and the dice that choose them.

Planning is cheap and needs no pixels: texts come from here, pictures from `Kind.draw` alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from editeval.benchmarks.scenes.canvas import Canvas

T = TypeVar("T")
State = TypeVar("State")  # what a scene shows: frozen, comparable
_MASK = (1 << 64) - 1


def mix(*values: int) -> int:
    """A 64-bit hash of integers (splitmix64 finaliser); the same in every Python."""
    state = 0
    for value in values:
        state = (state + value + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


@dataclass(slots=True)
class Dice:
    """A stream of choices from a seed."""

    seed: int
    count: int = 0

    def below(self, n: int) -> int:
        """0 <= value < n."""
        self.count += 1
        return mix(self.seed, self.count) % n

    def between(self, low: int, high: int) -> int:
        """low <= value <= high."""
        return low + self.below(high - low + 1)

    def pick(self, values: Sequence[T]) -> T:
        return values[self.below(len(values))]

    def either(self, *texts: str) -> str:
        return self.pick(texts)

    def shuffled(self, values: Sequence[T]) -> list[T]:
        rest = list(values)
        return [rest.pop(self.below(len(rest))) for _ in range(len(values))]


@dataclass(frozen=True, slots=True)
class Look:
    """What the instruction does not speak of (walls, clouds, plants): named choices, so that order does not matter."""

    seed: int

    def below(self, name: str, n: int) -> int:
        """0 <= value < n, the same for the same name."""
        return mix(self.seed, zlib.crc32(name.encode())) % n

    def pick(self, name: str, values: Sequence[T]) -> T:
        return values[self.below(name, len(values))]

    def shift(self, name: str, reach: int) -> int:
        """-reach <= value <= reach."""
        return self.below(name, 2 * reach + 1) - reach


@dataclass(frozen=True, slots=True)
class SceneChange(Generic[State]):
    """One instruction: the state it asks for, and the state after the same operation on the wrong object."""

    target: State
    wrong: State
    english: str
    chinese: str
    difficulty: int  # 1 names the object, 2 needs a relation or a consequence, 3 needs several
    rule: str = ""  # the codified convention that decides the target


@dataclass(frozen=True, slots=True)
class Scene(Generic[State]):
    """A source state, its caption and at least three changes."""

    source: State
    description: str
    changes: tuple[SceneChange[State], ...]


@dataclass(frozen=True, slots=True)
class Kind(Generic[State]):
    """One kind of scene."""

    name: str
    plan: Callable[[Dice], Scene[State]]
    draw: Callable[[Canvas, State, Look], None]


def a(noun: str) -> str:
    """`noun` with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def changed(things: tuple[T, ...], index: int, **fields: object) -> tuple[T, ...]:
    """`things` (frozen dataclasses) with other `fields` for the one at `index`."""
    return tuple(replace(t, **fields) if i == index else t for i, t in enumerate(things))  # type: ignore[type-var]


def one_changed(things: tuple[T, ...], index: int, other: int, **fields: object) -> tuple[tuple[T, ...], tuple[T, ...]]:
    """Target and wrong answer: `things` with other `fields` for the one at `index`, or for the one at `other`."""
    return changed(things, index, **fields), changed(things, other, **fields)
