"""Verdicts on pairs of edits, a judge's or people's, and the document that they come to: comparison.json."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations, pairwise

from editeval.errors import UserError
from editeval.reports.data import JsonObject
from editeval.stats import betting
from editeval.stats.ranking import ALPHA, Pair, PairResult, Ranking, rank

SCHEMA_VERSION = 1
MAX_MODELS = 50
"""What a ranking costs grows with the fourth power of it: minutes here, hours with twice as many."""


@dataclass(slots=True)
class Verdicts:
    """What is known of every pair, by question; the source images in the order asked."""

    names: tuple[str, ...]
    questions: tuple[str, ...]  # the first one decides what is asked next
    won: dict[str, dict[Pair, dict[str, list[float]]]] = field(default_factory=dict)
    """By question, pair and source image: 1.0 for each sample where the first of the pair won, 0.5 for a tie, 0.0."""
    possible: Mapping[Pair, int] = field(default_factory=dict)  # samples that could be asked about
    asked: Counter[Pair] = field(default_factory=Counter)
    equal: Counter[Pair] = field(default_factory=Counter)  # the same picture twice: a tie, and nothing is asked
    unread: dict[str, Counter[Pair]] = field(default_factory=dict)  # by question: asked, and no verdict
    reasons: Counter[str] = field(default_factory=Counter)  # why not, of all questions
    orders: dict[str, dict[str, list[tuple[float, float]]]] = field(default_factory=dict)
    """By question and source image: how far image A won in one order and in the other, where both can be read."""
    stopped: str = "all"  # or "decided", all neighbours in rank are; or "max_pairs"

    def __post_init__(self) -> None:
        if len(self.names) > MAX_MODELS:
            what = f"at most {MAX_MODELS} models can be ranked at once, got {len(self.names):,}"
            raise UserError(f"compare: {what}; leave some out")
        for question in self.questions:
            self.won[question] = {pair: {} for pair in combinations(self.names, 2)}
            self.unread[question] = Counter()

    def add(self, pair: Pair, cluster: str, question: str, won: float | None) -> None:
        """One verdict more; None: there should be one, and none can be read."""
        if won is None:
            self.unread[question][pair] += 1
        else:
            rounded = 1.0 if won > 0.5 else 0.0 if won < 0.5 else 0.5
            self.won[question][pair].setdefault(cluster, []).append(rounded)


def document(verdicts: Verdicts, is_sequential: bool, seed: int, about: Mapping[str, object]) -> JsonObject:
    """comparison.json: everything that the pages say, and `about`. Its names are those of `verdicts`."""
    rankings = {
        question: rank(verdicts.names, verdicts.won[question], is_sequential, seed) for question in verdicts.questions
    }
    return {
        "schema_version": SCHEMA_VERSION,
        **about,
        "method": {
            "is_sequential": is_sequential,
            "stopped": verdicts.stopped,
            "level": 1 - ALPHA,
            "num_intervals": math.comb(len(verdicts.names), 2),
            "seed": seed,
        },
        "counts": {
            "possible": sum(verdicts.possible.values()),
            "asked": verdicts.asked.total(),
            "equal": verdicts.equal.total(),
            "reasons": dict(verdicts.reasons),
        },
        "questions": [_question(name, ranking, verdicts) for name, ranking in rankings.items()],
        "position": [one for question in verdicts.questions if (one := _position(verdicts, question))],
    }


def _question(name: str, ranking: Ranking, verdicts: Verdicts) -> JsonObject:
    return {
        "name": name,
        "standings": [asdict(one) for one in ranking.standings],
        "pairs": [_pair(name, one, verdicts) for one in ranking.pairs],
        "is_circular": ranking.is_circular,
        "sentence": _sentence(name, ranking),
    }


def _pair(question: str, found: PairResult, verdicts: Verdicts) -> JsonObject:
    pair = (found.a, found.b)
    counts = {
        "num_possible": verdicts.possible.get(pair, 0),
        "num_asked": verdicts.asked[pair],
        "num_equal": verdicts.equal[pair],
        "num_unread": verdicts.unread[question][pair],
    }
    return {**asdict(found), "better": found.better, **counts}


def _sentence(question: str, ranking: Ranking) -> str:
    """Who is better than the next one in rank, and between whom nothing is decided."""
    by_pair = {frozenset((one.a, one.b)): one for one in ranking.pairs}
    parts, open_groups = list[str](), list[list[str]]()
    for one, other in pairwise(standing.name for standing in ranking.standings):
        pair = by_pair[frozenset((one, other))]
        if pair.better:
            parts.append(_better(pair))
        elif open_groups and open_groups[-1][-1] == one and not _is_any_decided(by_pair, open_groups[-1], other):
            open_groups[-1].append(other)
        else:
            open_groups.append([one, other])
    parts += [f"{_listed(group)} are not distinguishable" for group in open_groups]
    circle = "; what is decided leads in a circle, so that not all places follow from it" if ranking.is_circular else ""
    return f"On {question}, {'; '.join(parts)}{circle}."


def _is_any_decided(by_pair: Mapping[frozenset[str], PairResult], group: Sequence[str], other: str) -> bool:
    return any(by_pair[frozenset((name, other))].better for name in group)


def _better(pair: PairResult) -> str:
    assert pair.share is not None, "nothing is decided of no verdicts"
    is_a = pair.better == pair.a
    ends = (pair.share, pair.low, pair.high) if is_a else (1 - pair.share, 1 - pair.high, 1 - pair.low)
    share, low, high = (f"{100 * end:.0f}" for end in ends)
    return f"{pair.better} is better than {pair.b if is_a else pair.a}: won {share} % (95 % {low} to {high})"


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _position(verdicts: Verdicts, question: str) -> JsonObject | None:
    """How much the order of the two images decides; None where no verdict can be read in both orders."""
    orders = verdicts.orders.get(question)
    if not orders:
        return None
    both = [one for several in orders.values() for one in several]
    flipped = [[float(_flips(*one)) for one in several] for several in orders.values()]
    first = [found for several in orders.values() if (found := list(_first_won(several)))]
    by_image, flips_by_image = ([sum(one) / len(one) for one in several] for several in (first, flipped))
    low, high = betting.interval(by_image, ALPHA)
    flip_low, flip_high = betting.interval(flips_by_image, ALPHA)
    num_first = sum(map(len, first))
    return {
        "question": question,
        "num_both": len(both),
        "flipped": sum(flips_by_image) / len(flips_by_image),
        "flipped_low": flip_low,
        "flipped_high": flip_high,
        "num_decided": num_first,
        "first_won": sum(by_image) / len(by_image) if by_image else None,
        "first_low": low if num_first else None,
        "first_high": high if num_first else None,
    }


def _flips(one: float, other: float) -> bool:
    """Whether the same place wins in both orders."""
    return (one > 0.5 and other > 0.5) or (one < 0.5 and other < 0.5)


def _first_won(orders: Sequence[tuple[float, float]]) -> Iterator[float]:
    """1.0 for every verdict for image A, 0.0 for every one for image B; ties are left out."""
    yield from (float(one > 0.5) for both in orders for one in both if one != 0.5)
