"""OmniContext: `{task_type}/score.jsonl`, a line per sample with its two scores 0-10.

The published script draws a random number where a reply cannot be read; which those are, the file does not say.
"""

from __future__ import annotations

from collections.abc import Iterator

from editeval.files import from_json
from editeval.judges.protocols import protocol
from editeval.reproduce.clone import Clone, PublishedDataError
from editeval.reproduce.official_means import SampleScores, as_reading, request_of, rows_of
from editeval.reproduce.published import Recomputed, ResultFormat

_SCORES = {"prompt_following": "PF_score", "subject_consistency": "SC_score"}
_NOTE = "random numbers cannot be told from scores"


def recompute(clone: Clone) -> Iterator[Recomputed]:
    """Every kind of task and their average, one language at a time."""
    omnicontext = protocol.load("omnicontext")
    languages: dict[str, list[SampleScores]] = {}
    for task in clone.names():
        file = f"{task}/score.jsonl"
        if not clone.has(file):
            continue
        for number, line in enumerate(clone.text(file).splitlines(), 1):
            if not line.strip():
                continue
            try:
                entry = from_json(line)
                language, kept = str(entry["instruction_language"]), {name: entry[key] for name, key in _SCORES.items()}
            except (ValueError, TypeError, KeyError) as error:
                where = f"{clone.root / file}: line {number}"
                raise PublishedDataError(f"{where}: must be an object with {', '.join(_SCORES.values())}") from error
            readings = {name: as_reading(omnicontext, name, value) for name, value in kept.items()}
            values = omnicontext.combine(readings, request_of(str(number), {"category": task}))
            languages.setdefault(language, []).append(SampleScores(task, values))
    if not languages:
        raise PublishedDataError(f"{clone.root}: must hold {{task_type}}/score.jsonl, got none")
    for language, samples in languages.items():
        yield from rows_of(language, omnicontext, samples, notes=(_NOTE,))


RESULTS = ResultFormat(
    name="omnicontext",
    title="OmniContext: scores of single samples",
    repository="",
    commit="",
    layout="{task_type}/score.jsonl, as in {model}/gpt4dot1",
    words="those that the run used",
    rule="O = sqrt(PF * SC) per sample; mean of each kind of task; average of the kinds",
    recompute=recompute,
)
