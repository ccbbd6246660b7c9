"""A judge against people: edits that people compared or rated, put to the judge, and what their agreement is worth."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PIL import Image

from editeval.certificates.certificate import CERTIFIED
from editeval.certificates.human_agreement import RULES, Counting, PairAnswer, RatedAnswer
from editeval.certificates.photographic import (
    MIN_PAIRS,
    answers_path,
    assemble,
    photographic_of,
    photographic_path,
    write_photographic,
)
from editeval.config.schema import Config
from editeval.errors import ConfigError, Reason
from editeval.images import decode, encode_png
from editeval.judges.chat.params import AskParams
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols._pairs import AS_A, AS_B
from editeval.machine import versions
from editeval.preferences.human_data import HumanData, HumanPair, ShownEdit, limited, pairs_of
from editeval.run import forecast
from editeval.run.certify import about_judge
from editeval.run.plan import ScoreSetPlan
from editeval.run.prepare import interpreter_of
from editeval.run.questions import OUTSIDE, Asking, ask
from editeval.run.scheduler import Interrupt
from editeval.types import JudgeRequest, Score

_NAMES_OF: Mapping[str, tuple[str, ...]] = {
    "following": ("following", "instruction_following", "prompt_following", "semantic_consistency", "completeness"),
    "preservation": ("preservation", "consistency", "visual_consistency"),
    "quality": ("quality", "visual_quality", "perceptual_quality", "image_quality"),
    "whole": (),
}
"""What people looked at -> names of metrics that measure it, the best first; the headline stands in where none is."""
_LOOKED_AT: Mapping[str, str] = {
    **dict.fromkeys(("prompt_following", "instruction_following", "following", "IA", "SC"), "following"),
    **dict.fromkeys(("consistency", "visual_consistency", "preservation", "VC"), "preservation"),
    **dict.fromkeys(("quality", "visual_quality", "VQ", "PQ"), "quality"),
    **dict.fromkeys(("overall", "O"), "whole"),
}
"""Dimensions of data sets by what they are about."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The outcome. `content` is None if it was interrupted: what was answered is kept, and the same command goes on."""

    content: dict[str, object] | None
    path: Path
    signum: int | None = None
    why_not_kept: str = ""  # in words; empty: it is kept


@dataclass(frozen=True, slots=True)
class Questions:
    """What there is to ask about a data set: a request for every pair, or for every single edit of all pairs."""

    data: HumanData  # those that are asked about
    num_all: int  # pairs, or rated edits, of the whole data set
    is_pairwise: bool
    shown: Mapping[str, tuple[ShownEdit, ShownEdit | None]]

    def builders(self) -> dict[str, Callable[[], JudgeRequest]]:
        """What builds the request of each key."""
        return {key: partial(self.request, key) for key in self.shown}

    def request(self, key: str) -> JudgeRequest:
        """Raises ImageError if a picture cannot be read."""
        one, other = self.shown[key]
        sources = tuple(image.read() for image in one.sources)
        edits = [self._edit(sources[0], edit) for edit in (one, other) if edit is not None]
        edited_b = edits[1] if len(edits) > 1 else None
        return replace(self.unread(key), sources=sources, edited=edits[0], edited_b=edited_b)

    def _edit(self, source: bytes, shown: ShownEdit) -> bytes:
        """The picture as the authors of the data show it."""
        data = shown.edited.read()
        if not self.data.is_stretched:
            return data
        image, size = decode(data), decode(source).size
        return data if image.size == size else encode_png(image.resize(size, Image.Resampling.BICUBIC))

    def unread(self, key: str) -> JudgeRequest:
        """The request with nothing in place of every picture."""
        one, other = self.shown[key]
        return JudgeRequest(
            key,
            (b"",) * len(one.sources),
            b"",
            one.instruction,
            metadata={"category": "all"} | ({"comes_first": True} if self.is_pairwise else {}),
            language=one.language,
            edited_b=None if other is None else b"",
        )


def questions_about(config: Config, judging: ScoreSetPlan, data: HumanData, limit: int | None = None) -> Questions:
    """What `judging` would be asked about `data`. Raises ConfigError for a judge that cannot be asked about it."""
    where = f"{config.path}: the judge {judging.name!r}"
    if judging.uses_prompts:
        raise ConfigError(f"{where} asks in the words of its category, and people's pairs have none; set a protocol")
    if not judging.judge.reads_instruction:
        raise ConfigError(f"{where} compares with a known target, and people's pairs have none")
    if getattr(judging.stage.params, "against", ""):
        raise ConfigError(f"{where} compares with a run; leave `against` out: the data set has both edits")
    if limit is not None and limit < MIN_PAIRS:
        raise ConfigError(f"--limit: a verdict takes at least {MIN_PAIRS}, got {limit}")
    chosen = limited(data, limit)
    is_pairwise = bool(getattr(judging.stage.params, "is_pairwise", False))
    pairs = list(_all_pairs(chosen))
    if not pairs:
        raise ConfigError(f"--data {data.name}: people made no difference between any two edits of one source")
    if is_pairwise:
        shown: dict[str, tuple[ShownEdit, ShownEdit | None]] = {
            pair.key: (pair.a, pair.b) for pair in pairs if pair.is_shown
        }
    else:
        singles = [edit for pair in pairs for edit in (pair.a, pair.b)] + [one.shown for one in chosen.rated]
        shown = {edit.key: (edit, None) for edit in singles if edit.key}
    return Questions(chosen, data.num_all, is_pairwise, shown)


def _all_pairs(data: HumanData) -> Iterator[HumanPair]:
    yield from data.pairs
    for dimension in dict.fromkeys(name for one in data.rated for name in one.ratings):
        yield from pairs_of(data.rated, dimension)


def cost(judging: ScoreSetPlan, questions: Questions) -> list[str]:
    """What all of it would cost, in words; the number of requests alone for a judge that follows no protocol."""
    what = "pairs, each in both orders" if questions.is_pairwise else "edits"
    said = forecast.lines_of(judging, lambda: map(questions.unread, questions.shown))
    return [f"{len(questions.shown):,} {what}", *said]


def measure(config: Config, judging: ScoreSetPlan, questions: Questions, interrupt: Interrupt) -> Measured:
    """Ask what has not been answered yet, and keep the photographic certificate.

    Raises UserError before any worker starts if it cannot work.
    """
    began, data = time.time(), questions.data
    output_dir = config.evaluation.output_dir
    path = photographic_path(output_dir, judging.id, data.name, data.digest)
    how = Asking(f"Judging {data.name}:", f"meta-{data.name}", interrupt, questions.unread)
    kept = answers_path(output_dir, judging.id, data.name)
    answers = dict(ask(config, judging, questions.builders(), kept, how))
    if interrupt.signum is not None:
        return Measured(None, path, interrupt.signum)
    installed = versions.recorded() | interpreter_of(config, judging.stage).versions
    about = {"seconds": time.time() - began, "versions": installed, "data": _about(questions)}
    reading = _Reading(judging, answers, questions.is_pairwise)
    content = assemble(
        judging.id,
        [reading.pair(pair) for pair in _all_pairs(data)],
        [] if questions.is_pairwise else list(reading.ratings(data)),
        Counting(data.rule, data.is_macro, data.main),
        about | about_judge(config, judging),
    )
    unfinished = "" if content["verdict"] == CERTIFIED else reading.unfinished()
    why = unfinished or _has_more(output_dir, judging.id, content)
    if why:
        return Measured(content, path, why_not_kept=why)
    return Measured(content, write_photographic(output_dir, content))


def _about(questions: Questions) -> dict[str, object]:
    data = questions.data
    return {
        "name": data.name,
        "digest": data.digest,
        "counted": data.rule,
        "rule": RULES[data.rule],
        "num_pairs": questions.num_all,
        "num_used": data.num_shown,
        "num_missing": len(data.missing),
        "missing": list(data.missing[:20]),
    }


def _has_more(output_dir: Path, score_set_id: str, content: Mapping[str, object]) -> str:
    """What is there if it is about more of the very same data; empty if it is not."""
    about = content["data"]
    assert isinstance(about, dict)
    there = [one["data"] for one in photographic_of(output_dir, score_set_id)]
    same = [one for one in there if (one["name"], one["digest"]) == (about["name"], about["digest"])]
    most = max((int(one["num_used"]) for one in same), default=0)
    return f"the one about {most} of the same data stays" if most > about["num_used"] else ""


class _Reading:
    """What the answers say about pairs and ratings."""

    def __init__(self, judging: ScoreSetPlan, answers: Mapping[str, Sequence[Score]], is_pairwise: bool) -> None:
        self._judging = judging
        self._answers = {key: {score.metric: score for score in scores} for key, scores in answers.items()}
        self._is_pairwise = is_pairwise
        self._roles = judging.judge.roles_of(judging.stage.params)

    def unfinished(self) -> str:
        """What goes away by itself and kept answers from coming; empty if there is no such thing."""
        reasons = Counter(next(iter(row.values())).reason for row in self._answers.values())
        gone = {reason: count for reason, count in reasons.items() if reason in OUTSIDE}
        told = ", ".join(f"{count} {reason}" for reason, count in gone.items())
        return f"not all was answered ({told}); the same command goes on" if told else ""

    def metric_for(self, dimension: str) -> tuple[str, bool]:
        """The metric that measures what people looked at, and whether it is one of that dimension's own."""
        metrics = self._judging.metrics
        role = _LOOKED_AT.get(dimension, "")
        names = (dimension, self._roles.get(role, ""), *_NAMES_OF.get(role, ()))
        own = next((name for name in names if name in metrics), None)
        return (own, True) if own is not None else (metrics[0], role == "whole")

    def pair(self, pair: HumanPair) -> PairAnswer:
        metric, is_own = self.metric_for(pair.dimension)
        found = PairAnswer(
            pair.dimension, pair.task, pair.cluster, pair.group, metric, pair.winner, None, is_own_metric=is_own
        )
        if not pair.is_shown:
            return replace(found, reason=Reason.MISSING)
        if self._is_pairwise:
            score = self._score(pair.key, metric)
            if score.value is None:
                return replace(found, reason=score.reason, orders=self._orders(score))
            return replace(found, margin=score.value - 0.5, orders=self._orders(score))
        a, b = self._score(pair.a.key, metric), self._score(pair.b.key, metric)
        if a.value is None or b.value is None:
            return replace(found, reason=a.reason or b.reason)
        return replace(found, margin=self._sign(metric) * (a.value - b.value))

    def ratings(self, data: HumanData) -> Iterator[RatedAnswer]:
        for one in data.rated:
            for dimension, people in one.ratings.items():
                metric, _ = self.metric_for(dimension)
                score = self._score(one.shown.key, metric)
                value = None if score.value is None else self._sign(metric) * score.value
                reason = score.reason if one.shown.key else Reason.MISSING
                yield RatedAnswer(dimension, one.shown.editor, one.cluster, metric, people, value, reason)

    def _score(self, key: str, metric: str) -> Score:
        missing = Score(key, "", metric, None, "", Reason.NO_ANSWER)
        return self._answers.get(key, {}).get(metric, missing)

    def _sign(self, metric: str) -> float:
        scale = self._judging.known.scales.get(metric)
        return 1.0 if scale is None or scale.is_higher_better else -1.0

    def _orders(self, score: Score) -> tuple[tuple[bool, float], ...]:
        """(the first edit was image A, image A won) of each order that can be read in the kept replies."""
        params = self._judging.stage.params
        if not isinstance(params, AskParams) or not score.raw.startswith("{"):
            return ()
        formats = {question.name: question.answer for question in protocols.example_questions(params.asking)}
        replies, found = protocols.kept_replies(score.raw), []
        for order in (AS_A, AS_B):
            name = f"{score.metric}.{order}"
            if name in replies and name in formats:
                reading = protocols.read(params.asking, formats[name], replies[name], params.min_label_mass)
                if reading.values:
                    image_a = reading.values[0]
                    found.append((order == AS_A, 0.5 + 0.5 * ((image_a > 0.5) - (image_a < 0.5))))
        return tuple(found)
