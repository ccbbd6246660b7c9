"""What people said about edits: which of two is better, or how good each one is. Pictures stay in their files."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from editeval.errors import BenchmarkError, ImageError
from editeval.stats.agreement import TIE
from editeval.types import ImageRef

OVERALL = "overall"
"""The dimension that is about the whole edit."""


@dataclass(frozen=True, slots=True)
class ShownEdit:
    """One edit of one or more sources. `key`: equal edits (sources, instruction, picture) have the same one.

    The key is empty until it is known, and stays so if a picture cannot be read.
    """

    sources: tuple[ImageRef, ...]
    instruction: str
    edited: ImageRef
    editor: str = ""
    language: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class HumanPair:
    """Two edits of the same sources, and which one people prefer."""

    id: str
    a: ShownEdit
    b: ShownEdit
    winner: float  # 1: a, 0: b, 0.5: a tie
    dimension: str = OVERALL  # what people looked at
    task: str = ""
    group: str = ""  # pairs of one ranking of several edits
    cluster: str = ""  # empty: what is made of one source

    @property
    def key(self) -> str:
        """Equal pairs in the same order have the same one."""
        return f"{self.a.key}-{self.b.key}"

    @property
    def is_shown(self) -> bool:
        """Whether all of its pictures can be read."""
        return bool(self.a.key and self.b.key)


@dataclass(frozen=True, slots=True)
class RatedEdit:
    """One edit, and the mean rating that people gave it in each dimension."""

    id: str
    shown: ShownEdit
    ratings: Mapping[str, float]
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class HumanData:
    """A data set: pairs, or edits with ratings (`rated`), of which pairs are made. Some may not be shown."""

    name: str
    pairs: tuple[HumanPair, ...] = ()
    rated: tuple[RatedEdit, ...] = ()
    main: str = ""  # the dimension that decides; empty: all pairs together
    rule: str = "ties wrong"  # of the authors: a name of certificates/human_agreement.RULES
    is_macro: bool = False  # True: the authors' number is the mean of the tasks' accuracies
    is_stretched: bool = False  # True: the authors show every edit in the size of its source
    digest: str = ""  # of all texts, pictures and verdicts that can be read
    missing: tuple[str, ...] = field(default=(), repr=False)  # what cannot be shown: id and why, one line each
    num_all: int = 0  # pairs, or rated edits, of the whole data set

    @property
    def num_shown(self) -> int:
        """Pairs, or rated edits, whose pictures can be read."""
        return sum(pair.is_shown for pair in self.pairs) + sum(bool(one.shown.key) for one in self.rated)


def with_keys(data: HumanData) -> HumanData:
    """The same, every edit with its key; it is empty where a picture cannot be read. Reads every picture once.

    Raises BenchmarkError if nothing can be shown.
    """
    seen = _Hashes()
    pairs: list[HumanPair] = []
    rated: list[RatedEdit] = []
    missing: list[str] = []
    parts: list[object] = []
    for pair in data.pairs:
        try:
            a, b = seen.keyed(pair.a), seen.keyed(pair.b)
        except ImageError as error:
            missing.append(f"{pair.id}: {error}")
            pairs.append(pair)
            continue
        pairs.append(replace(pair, a=a, b=b, cluster=pair.cluster or seen.source(pair.a)))
        parts.append([pair.id, a.key, b.key, pair.winner, pair.dimension, pair.task, pair.group, pairs[-1].cluster])
    for one in data.rated:
        try:
            shown = seen.keyed(one.shown)
        except ImageError as error:
            missing.append(f"{one.id}: {error}")
            rated.append(replace(one, cluster=one.cluster or seen.source_or_place(one.shown)))
            continue
        rated.append(replace(one, shown=shown, cluster=one.cluster or seen.source(one.shown)))
        parts.append([one.id, shown.key, shown.editor, dict(one.ratings), rated[-1].cluster])
    if not parts:
        why = missing[0] if missing else "no pair in it"
        raise BenchmarkError(f"--data {data.name}: nothing of it can be shown ({why}); see docs/certificate.md")
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    num_all = len(data.pairs) + len(data.rated)
    return replace(data, pairs=tuple(pairs), rated=tuple(rated), missing=tuple(missing), digest=digest, num_all=num_all)


class _Hashes:
    """Hashes of pictures, each of which is read once."""

    def __init__(self) -> None:
        self._known: dict[ImageRef, str] = {}

    def source(self, shown: ShownEdit) -> str:
        return _short([self._of(image) for image in shown.sources])

    def source_or_place(self, shown: ShownEdit) -> str:
        """Where the source would be, if it cannot be read."""
        try:
            return self.source(shown)
        except ImageError:
            return str(shown.sources)

    def keyed(self, shown: ShownEdit) -> ShownEdit:
        """Raises ImageError for a picture that cannot be read."""
        pictures = [self._of(image) for image in (*shown.sources, shown.edited)]
        return replace(shown, key=_short([*pictures, shown.instruction, shown.language]))

    def _of(self, image: ImageRef) -> str:
        if image not in self._known:
            self._known[image] = hashlib.sha256(image.read()).hexdigest()
        return self._known[image]


def _short(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()[:20]


def limited(data: HumanData, limit: int | None) -> HumanData:
    """About `limit` pairs, or rated edits: whole sources or groups, as evenly from dimensions and tasks as can be.

    Which ones, their ids decide and nothing else. None: all.
    """
    if limit is None:
        return data
    strata: dict[tuple[str, str], dict[str, list[HumanPair]]] = defaultdict(lambda: defaultdict(list))
    for pair in data.pairs:
        strata[pair.dimension, pair.task][pair.group or pair.id].append(pair)
    sources: dict[str, list[RatedEdit]] = defaultdict(list)
    for one in data.rated:
        sources[one.cluster].append(one)
    kept = set(_taken([_shuffled(groups) for groups in strata.values()], limit))
    kept_sources = set(_taken([_shuffled(sources)], limit))
    return replace(
        data,
        pairs=tuple(pair for pair in data.pairs if pair.id in kept),
        rated=tuple(one for one in data.rated if one.id in kept_sources),
    )


def _shuffled(groups: Mapping[str, Sequence[HumanPair | RatedEdit]]) -> list[list[str]]:
    """The ids of each group, in an order that the groups' names decide."""
    names = sorted(groups, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return [[member.id for member in groups[name]] for name in names]


def _taken(strata: Sequence[list[list[str]]], limit: int) -> Iterator[str]:
    """Ids, one group of each stratum in turn, until there are `limit` of them."""
    num = 0
    for turn in range(max(map(len, strata), default=0)):
        for groups in strata:
            if turn < len(groups) and num < limit:
                num += len(groups[turn])
                yield from groups[turn]


def pairs_of(rated: Iterable[RatedEdit], dimension: str) -> Iterator[HumanPair]:
    """Every two edits of one source that people rated differently in `dimension`."""
    groups: dict[tuple[str, str], list[RatedEdit]] = defaultdict(list)
    for one in rated:
        if dimension in one.ratings:
            groups[one.cluster, one.shown.instruction].append(one)
    for members in groups.values():
        for a, b in combinations(members, 2):
            higher, lower = round(a.ratings[dimension], 9), round(b.ratings[dimension], 9)
            if higher != lower:
                won = float(higher > lower)
                yield HumanPair(f"{a.id}>{b.id}", a.shown, b.shown, won, dimension, cluster=a.cluster)


def winner_of(where: str, said: object, first: Iterable[str], second: Iterable[str]) -> float:
    """1, 0 or 0.5 for what a data set says of a pair. Raises BenchmarkError for another word."""
    word = str(said).strip().lower()
    if word in (known.lower() for known in first):
        return 1.0
    if word in (known.lower() for known in second):
        return 0.0
    if word in ("tie", "equal"):
        return TIE
    raise BenchmarkError(
        f"{where}: winner must be {next(iter(first))!r}, {next(iter(second))!r} or 'tie', got {said!r}; correct it"
    )
