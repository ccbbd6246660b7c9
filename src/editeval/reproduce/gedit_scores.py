"""GEdit-Bench: the CSV files that its scripts leave, one per group, with the two scores of every sample.

The scripts draw a random integer where a reply cannot be read, and keep no reply: such a score cannot be
told from a real one. An edit that is missing has no row.
"""

from __future__ import annotations

from collections.abc import Iterator

from editeval.judges.protocols import protocol
from editeval.reproduce.clone import Clone, PublishedDataError
from editeval.reproduce.official_means import SampleScores, as_reading, is_yes, request_of, rows_of
from editeval.reproduce.published import Recomputed, ResultFormat

_ENDING = "_gpt_score.csv"
_SCORES = {"semantic_consistency": "sementics_score", "perceptual_quality": "quality_score"}
_COLUMNS = (*_SCORES.values(), "intersection_exist", "instruction_language")
_GROUPS = (
    *("background_change", "color_alter", "material_alter", "motion_change", "ps_human", "style_change"),
    *("subject-add", "subject-remove", "subject-replace", "text_change", "tone_transfer"),
)
_NOTE = "random integers cannot be told from scores"


def recompute(clone: Clone) -> Iterator[Recomputed]:
    """Per language, for the full set and the intersection, groups and their average."""
    files = {name: group for name in clone.names() for group in _GROUPS if name.endswith(f"_{group}{_ENDING}")}
    if not files:
        raise PublishedDataError(f"{clone.root}: must hold files *_{{group}}{_ENDING}, got none")
    gedit = protocol.load("gedit")
    subsets: dict[str, list[SampleScores]] = {}
    for name, group in files.items():
        for row in clone.table(name, ",", _COLUMNS):
            readings = {metric: as_reading(gedit, metric, row[column]) for metric, column in _SCORES.items()}
            sample = SampleScores(group, gedit.combine(readings, request_of(name, {"category": group})))
            language = row["instruction_language"]
            subsets.setdefault(f"{language}, full set", []).append(sample)
            if is_yes(row["intersection_exist"]):
                subsets.setdefault(f"{language}, intersection", []).append(sample)
    absent = sorted(set(_GROUPS) - set(files.values()))
    notes = (_NOTE, *([f"no file of {', '.join(absent)}: published, the average would be NaN"] if absent else []))
    nothing = [SampleScores(group, {}) for group in _GROUPS]  # a group without scores leaves no average
    for subset in sorted(subsets):
        yield from rows_of(subset, gedit, [*subsets[subset], *nothing], notes=notes)


RESULTS = ResultFormat(
    name="gedit",
    title="GEdit-Bench: scores of single samples",
    repository="",
    commit="",
    layout="*_{group}_gpt_score.csv, as in {model}/{backbone}/eval_results_new",
    words="those that the run used",
    rule="O = sqrt(SC * PQ) per sample; mean of each group; average of the groups; one language at a time",
    recompute=recompute,
)
