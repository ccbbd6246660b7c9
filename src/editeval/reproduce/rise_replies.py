"""RISEBench: `*_judge.csv` with a row per sample and the judge's three replies.

The published script keeps them in a workbook; saved as CSV it is this file. The pickle beside it can run code when it
is opened, and is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from editeval.judges.parsing import answers
from editeval.judges.parsing.reply import Reply
from editeval.judges.protocols import protocol
from editeval.judges.protocols.protocol import NOT_APPLICABLE, Protocol
from editeval.reproduce.clone import Clone, PublishedDataError
from editeval.reproduce.official_means import Bug, SampleScores, is_yes, request_of, rows_of
from editeval.reproduce.published import Recomputed, ResultFormat

_REPLIES = {"consistency": "judge_cons", "reasoning": "judge_reas", "plausibility": "judge_qua"}
_SWITCHES = ("rise_nan", "rise_unreadable_wrong")
_LOGICAL = "logical_reasoning"
_EMPTY = ("", "nan", "none")  # how a workbook without a reply is saved


def recompute(clone: Clone) -> Iterator[Recomputed]:
    """Accuracy and score by category and over all samples."""
    found = [name for name in clone.names() if name.endswith("_judge.csv")]
    if len(found) != 1:
        raise PublishedDataError(
            f"{clone.root}: must hold one *_judge.csv, the workbook saved as CSV, got {len(found)}"
        )
    rows = list(clone.table(found[0], ",", ("category", *_REPLIES.values())))
    known = {category for mean in protocol.load("rise").official for category in mean.categories}
    if unknown := sorted({row["category"] for row in rows} - known):
        shown = ", ".join(sorted(known))
        raise PublishedDataError(f"{clone.root / found[0]}: category must be one of {shown}, got {unknown[0][:40]!r}")
    right, published = protocol.load("rise"), protocol.load("rise", match_published=_SWITCHES)
    samples, repeated = ([_scored(one, row) for row in rows] for one in (right, published))
    yield from rows_of("all samples", right, samples, Bug("rise_nan", repeated))


def _scored(rise: Protocol, row: Mapping[str, str]) -> SampleScores:
    category = row["category"]
    is_free = is_yes(row.get("consistency_free", ""))
    asked = {name: row[column] for name, column in _REPLIES.items()}
    if category == _LOGICAL:
        del asked["plausibility"]
    elif is_free:
        del asked["consistency"]
    readings = {}
    for name, said in asked.items():
        grammar = "final_verdict" if category == _LOGICAL else "final_grade"
        text = "" if said.strip().lower() in _EMPTY else said
        readings[name] = answers.read(grammar, Reply(text), 0.0, rise.grammars)
    request = request_of(row.get("index", ""), {"category": category, "consistency_free": is_free})
    combined = rise.combine(readings, request)
    return SampleScores(
        category, {name: reading for name, reading in combined.items() if reading is not NOT_APPLICABLE}
    )


RESULTS = ResultFormat(
    name="rise",
    title="RISEBench: the judge's replies",
    repository="",
    commit="",
    layout="one *_judge.csv: the workbook {model}_judge.xlsx saved as CSV",
    words="those that the run used",
    rule="Final Score of each reply; accuracy: all that apply are 5; score: weighted; means over samples, percent",
    recompute=recompute,
    switches={
        "rise_nan": "the score of a temporal, causal or spatial sample never counts consistency; a sample with an "
        "unreadable reply has accuracy 0 and no other score"
    },
    digits=1,
)
