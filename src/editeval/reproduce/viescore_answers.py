"""VIEScore's answers: a judge's scores of seven tasks as its authors' parser left them, beside the ratings of people.

Per judge and number of examples a folder; in it per task and model `SC.json` and `PQ.json`: id -> {score, reasoning}.
What could not be parsed got a random integer; the authors mark these in `reasoning`, so that they can be counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from editeval.judges.parsing import answers
from editeval.judges.parsing.reply import ParsedReply, Reply
from editeval.judges.protocols import protocol
from editeval.metrics import OfficialMean
from editeval.reproduce.clone import Clone, PublishedDataError
from editeval.reproduce.imagenhub_ratings import METRICS, Ratings, read_ratings
from editeval.reproduce.official_means import number_of
from editeval.reproduce.published import Recomputed, ResultFormat
from editeval.stats.agreement import fisher_mean, spearman, tanh_of_mean, without_last_bits
from editeval.types import JudgeRequest

_ROOT = "paper_implementation"
_TASK = "ImagenHub_"
_JUDGES = {
    "GPT-4o": "gpt4o",
    "Gemini-Pro": "gemini",
    "GPT-4v": "gpt4v",
    "LLaVA": "llava",
    "Qwen-VL": "qwenvl",
    "BLIP2": "blip2",
    "InstructBLIP": "instructblip",
    "Fuyu": "fuyu",
    "CogVLM": "cogvlm",
    "OpenFlamingo": "openflamingo",
}
_PRINTED = "Gemini-Pro 0shot"  # the judge of the notebook
_GUESSED = "guess_if_cannot_parse"
_LISTED = {"Text-Guided_IE": (0, 2, 1), "Subject-Driven_IG": (1, 2, 0)}
"""The order in which the authors' disk gave the raters' files, where it was not that of their names."""
_DISTANCES = ("LPIPS",)  # less is better: the published correlations have the sign turned
_REQUEST = JudgeRequest("", (b"",), b"", "")
_ALL = "rank correlation with raters, all tasks"
_BY_TASK = "rank correlation with raters, by task"
_AVERAGE = "all tasks/average"
Columns = dict[str, list[float]]
Correlations = dict[str, tuple[float, float]]
"""By SC, PQ, O: with exact ties, and as the notebook computes it."""


@dataclass(frozen=True, slots=True)
class _Answers:
    """What a judge said about the edits of one model."""

    ids: tuple[str, ...]
    scores: Columns  # SC, PQ and O, 0-10, in the order of the ids, by the authors' rule
    own: Columns  # of the replies that editeval's grammar reads, 0-10
    num_dropped: int  # ids that only one of the two files has, or whose score is none
    num_guessed: int

    @property
    def coverage(self) -> tuple[int, int]:
        return len(self.ids), self.num_dropped


def recompute(clone: Clone) -> Iterator[Recomputed]:
    """Means of the judge that the notebook prints, and correlations of all of them."""
    people = f"{_ROOT}/_human_annotations/ImagenHub_human_eval_results"
    tasks = [name.removeprefix(_TASK) for name in clone.names(people)]
    ratings = {task: read_ratings(clone, f"{people}/{_TASK}{task}") for task in tasks}
    if not ratings:
        raise PublishedDataError(f"{clone.root / people}: must hold the ratings of a task each, got nothing")
    yield from _raters(clone, ratings)
    for judge, short in _JUDGES.items():
        for shots in ("0shot", "1shot"):
            yield from _judge(clone, f"{judge} {shots}", f"{_ROOT}/_answers/results_{short}_{shots}", ratings)
    yield from _without_judge(clone, ratings)


def judgements(clone: Clone) -> Iterator[tuple[str, str, str, dict[str, dict[str, float]]]]:
    """(judge, task, model, metric -> id -> score, 0-10) of all answers that are no random integers."""
    for judge, short in _JUDGES.items():
        for shots in ("0shot", "1shot"):
            folder = f"{_ROOT}/_answers/results_{short}_{shots}"
            for name in clone.names(folder):
                for model in clone.names(f"{folder}/{name}"):
                    yield (
                        f"{judge} {shots}",
                        name.removeprefix(_TASK),
                        model,
                        _judged(clone, f"{folder}/{name}/{model}"),
                    )


def _judged(clone: Clone, folder: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for metric in METRICS[:2]:
        file = clone.records(f"{folder}/{metric}.json") if clone.has(f"{folder}/{metric}.json") else {}
        read = {key: _published_score(one.get("score")) for key, one in file.items() if not _is_guess(one)}
        found[metric] = {key: score for key, score in read.items() if score is not None}
    first, second = found.values()
    return found | {METRICS[2]: {key: math.sqrt(score * second[key]) for key, score in first.items() if key in second}}


def _judge(clone: Clone, judge: str, folder: str, ratings: Mapping[str, Mapping[str, Ratings]]) -> Iterator[Recomputed]:
    table = "rank correlation with raters, Gemini, 0shot"
    by_task, read = {}, dict[str, tuple[int, ...]]()
    for name in clone.names(folder):
        task, found = name.removeprefix(_TASK), []
        for model in clone.names(f"{folder}/{name}"):
            is_read = judge == _PRINTED and task.endswith("_IE")  # two scores each
            said = _answers(clone, f"{folder}/{name}/{model}", is_read)
            if said is None or model not in ratings.get(task, {}):
                continue
            correlations = _with_raters(task, said.ids, said.scores, ratings[task][model], _with_last_bits(said.scores))
            found.append(correlations)
            read[task] = tuple(map(sum, zip(read.get(task, (0, 0)), said.coverage, strict=True)))
            if judge == _PRINTED:
                yield from _means(f"{task}/{model}", said)
                yield from _rows(table, f"{task}/{model}", correlations, said.coverage)
        if average := _average(found):
            by_task[task] = average
            yield from _rows(_BY_TASK, f"{task}/{judge}", average, read[task], "no_atanh")
            if judge == _PRINTED:
                yield from _rows(table, f"{task}/average", average, read[task], "no_atanh")
    if average := _average(list(by_task.values())):
        total = tuple(map(sum, zip(*read.values(), strict=True)))
        yield from _rows(_ALL, judge, average, total, "no_atanh")
        if judge == _PRINTED:
            yield from _rows(table, _AVERAGE, average, total, "no_atanh")


def _answers(clone: Clone, folder: str, is_read: bool) -> _Answers | None:
    """None if a file is missing, or no answer in both. `is_read`: editeval's own grammar reads the answers as well."""
    if not (clone.has(f"{folder}/SC.json") and clone.has(f"{folder}/PQ.json")):
        return None
    files = [clone.records(f"{folder}/{name}.json") for name in METRICS[:2]]
    both, either = set(files[0]) & set(files[1]), set(files[0]) | set(files[1])
    pairs = {key: [_published_score(file[key].get("score")) for file in files] for key in sorted(both)}
    ids = tuple(key for key, pair in pairs.items() if None not in pair)
    if not ids:
        return None
    scores: Columns = {name: [] for name in METRICS}
    own: Columns = {name: [] for name in METRICS}
    for key in ids:
        pair = [score for score in pairs[key] if score is not None]
        _add(scores, [ParsedReply((score, score)) for score in pair])
        if is_read:
            _add(own, [_own_reading(file[key]) for file in files])
    guessed = sum(any(_is_guess(file[key]) for file in files) for key in ids)
    return _Answers(ids, scores, own, len(either) - len(ids), guessed)


def _add(columns: Columns, readings: Sequence[ParsedReply]) -> None:
    """What the protocol `viescore` makes of the answers to its two questions, if both say something."""
    viescore = protocol.load("viescore")
    names = ("semantic_consistency", "perceptual_quality", "overall")
    combined = viescore.combine(dict(zip(names, readings, strict=False)), _REQUEST)
    if not combined["overall"].reason:
        for metric, name in zip(METRICS, names, strict=True):
            columns[metric].append(combined[name].values[0])


def _published_score(score: object) -> float | None:
    """0-10: the least of whole numbers, each cut off behind the point, a number alone as it is; None if it is none."""
    try:
        value = float(score) if isinstance(score, int | float) else float(min(int(one) for one in _listed(score)))
    except (TypeError, ValueError, OverflowError):
        return None
    return min(10.0, max(0.0, value)) if math.isfinite(value) else None


def _listed(score: object) -> list[str | float]:
    return score if isinstance(score, list) else []


def _is_guess(entry: Mapping[str, object]) -> bool:
    return str(entry.get("reasoning", "")).startswith(_GUESSED)


def _own_reading(entry: Mapping[str, object]) -> ParsedReply:
    """The answer by editeval's own grammar; a guess is no answer."""
    if _is_guess(entry):
        return ParsedReply(reason="guessed")
    said = {"score": entry.get("score"), "reasoning": str(entry.get("reasoning") or "")}
    return answers.read("pair", Reply(json.dumps(said)), 0.0)


def _means(row: str, said: _Answers) -> Iterator[Recomputed]:
    table, count = "means of Gemini, 0shot", len(said.ids)
    notes = (f"{said.num_guessed} of {count} are random integers",) if said.num_guessed else ()
    for name, scores in said.scores.items():
        official = OfficialMean(name, (name,), "samples", factor=0.1)
        own = official.of({"": said.own[name]})
        num_own = len(said.own[name]) if own is not None else None
        mean = official.of({"": scores})
        yield Recomputed(
            table, row, f"{name} mean", mean, count, said.num_dropped, own=own, num_own=num_own, notes=notes
        )
        yield Recomputed(table, row, f"{name} std", pstdev(scores) / 10, count, said.num_dropped, notes=notes)


def _with_last_bits(scores: Columns) -> Columns:
    """As the notebook computes them: tenths, and O of these, so that equal ones may differ in the last bit."""
    tenths = {name: [score / 10 for score in scores[name]] for name in METRICS[:2]}
    return tenths | {"O": [math.sqrt(a * b) for a, b in zip(*tenths.values(), strict=True)]}


def _with_raters(
    task: str, ids: Sequence[str], scores: Columns, ratings: Ratings, floats: Columns | None = None
) -> Correlations | None:
    known = [number for number, key in enumerate(ids) if key in ratings]
    found = {}
    for metric, column in enumerate(METRICS):
        rated = [[rating[metric] for rating in ratings[ids[number]]] for number in known]
        order = _LISTED.get(task, ())
        summed = [sum(row[i] for i in order) if len(order) == len(row) else sum(row) for row in rated]
        theirs = [(floats or scores)[column][number] for number in known]
        as_published = spearman(theirs, [total / len(row) for total, row in zip(summed, rated, strict=True)])
        exact = spearman(
            without_last_bits([scores[column][number] for number in known]),
            without_last_bits([fmean(row) for row in rated]),
        )
        if as_published is None or exact is None:
            return None
        found[column] = exact, as_published
    return found


def _average(found: Sequence[Correlations | None], digits: int = 15) -> Correlations | None:
    """Fisher's mean, and the published one: tanh of the plain mean, of numbers that were rounded first."""
    known = [one for one in found if one is not None]
    if not known:
        return None
    averages = {}
    for column in METRICS:
        right = fisher_mean([one[column][0] for one in known])
        printed = tanh_of_mean([round(one[column][1], digits) for one in known])
        assert right is not None and printed is not None
        averages[column] = right, printed
    return averages


def _rows(
    table: str,
    row: str,
    found: Correlations | None,
    coverage: Sequence[int] = (0, 0),
    switch: str = "float_ties",
) -> Iterator[Recomputed]:
    for column, (value, matched) in (found or {}).items():
        yield Recomputed(table, row, column, value, coverage[0], coverage[1], matched, switch)


def _raters(clone: Clone, ratings: Mapping[str, Mapping[str, Ratings]]) -> Iterator[Recomputed]:
    """Each rater against the mean of the other two."""
    table, by_task = "rank correlation of raters with each other", {}
    judged = f"{_ROOT}/_answers/results_gemini_0shot"
    for task, models in ratings.items():
        found = []
        if few := next((model for model, rated in models.items() if any(len(one) < 3 for one in rated.values())), ""):
            raise PublishedDataError(
                f"{clone.root}: {task}/{few}: must have the ratings of three people; clone it whole"
            )
        for model in clone.names(f"{judged}/{_TASK}{task}"):
            average = _average([_one_rater(models[model], number) for number in range(3)]) if model in models else None
            found.append(average)
            yield from _rows(table, f"{task}/{model}", average, switch="no_atanh")
        if average := _average(found, 4):
            by_task[task] = average
            yield from _rows(_BY_TASK, f"{task}/Human raters", average, switch="no_atanh")
    yield from _rows(_ALL, "Human raters", _average(list(by_task.values()), 4), switch="no_atanh")


def _one_rater(ratings: Ratings, number: int) -> Correlations | None:
    found = {}
    for metric, column in enumerate(METRICS):
        mine = [rated[number][metric] for rated in ratings.values()]
        others = [
            fmean(one[metric] for other, one in enumerate(rated) if other != number) for rated in ratings.values()
        ]
        correlation = spearman(without_last_bits(mine), without_last_bits(others))
        if correlation is None:
            return None
        found[column] = correlation, correlation
    return found


def _without_judge(clone: Clone, ratings: Mapping[str, Mapping[str, Ratings]]) -> Iterator[Recomputed]:
    """CLIP, DINO and LPIPS against the raters."""
    folder = f"{_ROOT}/_answers/results_autometrics"
    for name in clone.names(folder):
        task, found = name.removeprefix(_TASK), dict[str, list[Correlations | None]]()
        for file in clone.names(f"{folder}/{name}"):
            model = file.removesuffix(".json")
            values = clone.records(f"{folder}/{name}/{file}")
            for metric in dict.fromkeys(metric for entry in values.values() for metric in entry):
                sign = -1.0 if metric in _DISTANCES else 1.0
                read = {key: number_of(entry.get(metric)) for key, entry in values.items()}
                known = {key: sign * value for key, value in read.items() if value is not None}
                scores: Columns = {column: list(known.values()) for column in METRICS}
                rated = ratings.get(task, {}).get(model, {})
                found.setdefault(metric, []).append(_with_raters(task, tuple(known), scores, rated))
        for metric, correlations in found.items():
            yield from _rows(_BY_TASK, f"{task}/{metric}", _average(correlations), switch="no_atanh")


RESULTS = ResultFormat(
    name="viescore",
    title="VIEScore: answers of ten judges about edits and pictures of ImagenHub",
    repository="github.com/TIGER-AI-Lab/VIEScore",
    commit="2cbea4e",
    layout=f"{_ROOT}/_answers/results_*/ImagenHub_*/{{model}}/{{SC,PQ}}.json and {_ROOT}/_human_annotations",
    words="the authors'",
    rule="scores as the authors' parser left them, random integers too; min of each answer, O = sqrt(SC * PQ), 0-1",
    recompute=recompute,
    switches={
        "float_ties": "equal means of raters get different ranks where their sums differ in the last bit, "
        "which depends on the order of files on the authors' disk",
        "no_atanh": "an average of correlations is tanh(mean(r)), where Fisher's is tanh(mean(atanh(r))); "
        "those of raters are averages of rounded numbers; with `float_ties`",
    },
    digits=4,
)
