"""MMRB2: verdicts on pairs, each asked in both orders, against what people chose."""

from __future__ import annotations

from collections.abc import Iterator

from editeval.reproduce.clone import Clone, PublishedDataError
from editeval.reproduce.published import Recomputed, ResultFormat
from editeval.stats.agreement import readable_verdicts

_TABLE = "accuracy of the sample judgements, %"
_TASKS = {"image": "t2i", "edit": "edit", "interleaved": "interleaved", "reasoning": "reasoning"}
_JUDGEMENTS = "evaluate/generate_judgements/outputs"
_FLIPPED = {"A": "B", "B": "A"}


def recompute(clone: Clone) -> Iterator[Recomputed]:
    """Accuracy by task and over all: right verdicts by readable verdicts, both orders alike."""
    right = read = missing = 0
    for number, (task, benchmark) in enumerate(_TASKS.items(), 1):
        verdicts = clone.records(f"{_JUDGEMENTS}/sample_task{number}_{task}.json")
        counts = _counts(_chosen(clone, benchmark), verdicts)
        yield _row(task, *counts)
        right, read, missing = (a + b for a, b in zip((right, read, missing), counts, strict=True))
    yield _row("all tasks", right, read, missing)


def _row(task: str, right: int, read: int, missing: int) -> Recomputed:
    accuracy = 100 * right / read if read else None
    return Recomputed(_TABLE, task, "accuracy", accuracy, read, missing)


def _chosen(clone: Clone, benchmark: str) -> dict[str, str]:
    """What people chose, by pair: A or B. The built benchmark, or the file from which it is built."""
    built = f"benchmark/{benchmark}.json"
    name = built if clone.has(built) else f"benchmark/{benchmark}_response_only.json"
    value = clone.json(name)
    pairs = value.get("pairs") if isinstance(value, dict) else None
    if not isinstance(pairs, list) or not all(isinstance(pair, dict) and "chosen" in pair for pair in pairs):
        raise PublishedDataError(f"{clone.root / name}: must be an object with `pairs`, each with `id` and `chosen`")
    return {str(pair.get("id", pair.get("pair_id"))): str(pair["chosen"]) for pair in pairs}


def _counts(chosen: dict[str, str], verdicts: dict[str, dict[str, object]]) -> tuple[int, int, int]:
    """(right, readable, missing) verdicts; two are expected of every pair."""
    right = read = 0
    for pair, wanted in chosen.items():
        asked = verdicts.get(pair, {})
        said = [_verdict(asked.get("forward")) or None, _FLIPPED.get(_verdict(asked.get("reverse")))]
        counts = readable_verdicts(wanted, said)
        right, read = right + counts[0], read + counts[1]
    return right, read, 2 * len(chosen) - read


def _verdict(replies: object) -> str:
    """A or B, of the first reply; empty if it says neither."""
    first = replies[0] if isinstance(replies, list) and replies else None
    said = first.get("judgement") if isinstance(first, dict) else None
    return said if isinstance(said, str) and said in _FLIPPED else ""


RESULTS = ResultFormat(
    name="mmrb2",
    title="MMRB2: verdicts on pairs of answers",
    repository="github.com/facebookresearch/MMRB2",
    commit="7ff0552",
    layout=f"{_JUDGEMENTS}/sample_task*.json and benchmark/*_response_only.json",
    words="none: the authors call the evaluator of these files `sample`",
    rule="the first verdict of each order, the reverse one flipped; right by readable, missing verdicts left out",
    recompute=recompute,
    digits=2,
)
