"""ImgEdit: `result.json`, the judge's reply by key, beside `basic_edit.json`, which says what kind of edit a key is."""

from __future__ import annotations

from collections.abc import Iterator

from editeval.judges.parsing import answers
from editeval.judges.parsing.reply import Reply
from editeval.judges.protocols import protocol
from editeval.judges.protocols.protocol import Protocol
from editeval.reproduce.clone import Clone, PublishedDataError
from editeval.reproduce.official_means import UNREADABLE, Bug, SampleScores, request_of, rows_of
from editeval.reproduce.published import Recomputed, ResultFormat

_KINDS = ("basic_edit.json", "Benchmark/Basic/basic_edit.json")
_SWITCH = "any_numbers"


def recompute(clone: Clone) -> Iterator[Recomputed]:
    """The mean of each kind, and of the kinds; samples without a reply count as missing."""
    place = next((name for name in _KINDS if clone.has(name)), None)
    if place is None:
        raise PublishedDataError(f"{clone.root}: must hold {_KINDS[0]}, which says what kind of edit each key is")
    replies = clone.json("result.json")
    if not isinstance(replies, dict):
        raise PublishedDataError(f"{clone.root / 'result.json'}: must be an object of replies by key")
    kinds = {key: str(entry["edit_type"]) for key, entry in clone.records(place).items() if entry.get("edit_type")}
    right, published = protocol.load("imgedit"), protocol.load("imgedit", match_published=(_SWITCH,))
    samples = [_scored(right, key, kind, replies.get(key)) for key, kind in kinds.items()]
    repeated = [_scored(published, key, kind, replies.get(key)) for key, kind in kinds.items()]
    unknown = len(set(replies) - set(kinds))
    notes = (f"{unknown} replies to keys that {place} has not",) if unknown else ()
    yield from rows_of("basic", right, samples, Bug(_SWITCH, repeated), notes)


def _scored(imgedit: Protocol, key: str, kind: str, reply: object) -> SampleScores:
    """A reply that is no text is a failed call: the published script ends there."""
    request = request_of(key, {"category": kind})
    questions = imgedit.questions(request)
    if not isinstance(reply, str) or not questions:
        return SampleScores(kind, dict.fromkeys(imgedit.metrics[:1], UNREADABLE))
    grades = answers.read(questions[0].answer, Reply(reply), 0.0, imgedit.grammars)
    return SampleScores(kind, imgedit.combine({questions[0].name: grades}, request))


RESULTS = ResultFormat(
    name="imgedit",
    title="ImgEdit: the judge's replies (basic)",
    repository="",
    commit="",
    layout="result.json, and basic_edit.json",
    words="those that the run used",
    rule="three grades 1-5 of a reply; sample and kind rounded to 2 digits; mean of the kinds",
    recompute=recompute,
    switches={_SWITCH: "every number behind a label counts, above 5 too, and however many there are"},
    digits=2,
)
