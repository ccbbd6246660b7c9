"""A batch of requests as calls to an engine that chats, and its replies as scores. Knows no engine.

Every question is one call, or num_samples calls; with `reasons` a second round asks why. Nothing about a call depends
on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from typing import Protocol as Shape

from editeval.errors import ImageError
from editeval.judges.asking import messages as chat
from editeval.judges.asking import settings
from editeval.judges.asking.labels import NUM_TOKENS
from editeval.judges.asking.pictures import pictures
from editeval.judges.asking.rationale import answer_of
from editeval.judges.asking.wish import Wish
from editeval.judges.parsing.reply import Reply
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols.protocol import Question
from editeval.types import JudgeRequest, Score

Place = tuple[int, str, int]
"""Number of the request in its batch, name of the question, number of the sample."""


class Style(Shape):
    """The parameters of a judge that decide how it is asked."""

    @property
    def protocol(self) -> str: ...
    @property
    def scoring(self) -> str: ...
    @property
    def num_samples(self) -> int: ...
    @property
    def temperature(self) -> float: ...
    @property
    def seed(self) -> int: ...
    @property
    def max_new_tokens(self) -> int: ...
    @property
    def max_image_side(self) -> int: ...
    @property
    def min_label_mass(self) -> float: ...
    @property
    def output(self) -> str: ...
    @property
    def reasons(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, ready to be put: its questions and the conversation of each; or why it cannot be asked."""

    questions: tuple[Question, ...] = ()
    conversations: tuple[list[chat.Message], ...] = ()
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One reply to be had."""

    place: Place
    key: str  # of the request
    messages: list[chat.Message]
    wish: Wish


Hear = Callable[[Sequence[Call]], Sequence[Reply]]
"""One reply per call, in order."""


class Interview:
    """How the judge called `name` asks and reads."""

    def __init__(self, name: str, style: Style, part: Callable[[Any], chat.Message]) -> None:
        self.protocol = protocols.load(style.protocol)
        self.gives_probabilities = True  # whether the engine does
        self._name = name
        self._style = style
        self._part = part  # a picture as a part of a message

    def asked(self, request: JudgeRequest) -> Asked:
        """The request, with its pictures read and shrunk."""
        questions = self.protocol.questions(request)
        if not questions:
            return Asked(reason="no_prompt", message="the protocol has no question for this sample")
        try:
            shown = pictures(request, questions, self._style.max_image_side)
        except ImageError as error:
            return Asked(reason="bad_image", message=str(error))
        parts = {name: self._part(image) for name, image in shown.items()}
        return Asked(questions, tuple(chat.messages(question, parts) for question in questions))

    def wish(self, question: Question, key: str, number: int) -> Wish:
        """How sample `number` of the reply to `question` is wanted."""
        style = self._style
        if self._is_expected(question):
            return Wish(question.answer, NUM_TOKENS, is_expected=True)
        seed = settings.sample_seed(style.seed, key, question.name, number)
        return Wish(question.answer, style.max_new_tokens, False, style.temperature, seed, style.output != "plain")

    def rows(self, requests: Sequence[JudgeRequest], ready: Sequence[Asked], hear: Hear) -> list[list[Score]]:
        """The scores of the batch."""
        keys = [request.key for request in requests]
        calls = self._calls(keys, ready)
        heard = dict(zip((call.place for call in calls), hear(calls), strict=True))
        replies = [self._replies(i, one, heard) for i, one in enumerate(ready)]
        if self._style.reasons:
            whys = self._whys(keys, ready, replies)
            reasons = dict(zip((call.place for call in whys), hear(whys), strict=True))
            replies = [
                {name: replace(reply, rationale=reasons.get((i, name, 0))) for name, reply in row.items()}
                for i, row in enumerate(replies)
            ]
        return [self._scores(*row) for row in zip(requests, ready, replies, strict=True)]

    def _calls(self, keys: Sequence[str], ready: Sequence[Asked]) -> list[Call]:
        return [
            Call((i, question.name, number), keys[i], conversation, self.wish(question, keys[i], number))
            for i, one in enumerate(ready)
            for question, conversation in zip(one.questions, one.conversations, strict=True)
            for number in range(self._num_replies(question))
        ]

    def _whys(self, keys: Sequence[str], ready: Sequence[Asked], replies: Sequence[dict[str, Reply]]) -> list[Call]:
        """A call for every question that got a score."""
        wish = Wish("rationale", self._style.max_new_tokens)
        return [
            Call((i, question.name, 0), keys[i], chat.follow_up(conversation, answer), wish)
            for i, one in enumerate(ready)
            for question, conversation in zip(one.questions, one.conversations, strict=True)
            if (answer := answer_of(question, replies[i][question.name], self._style.min_label_mass))
        ]

    def _replies(self, i: int, one: Asked, heard: dict[Place, Reply]) -> dict[str, Reply]:
        replies = {}
        for question in one.questions:
            said = tuple(heard[i, question.name, number] for number in range(self._num_replies(question)))
            replies[question.name] = said[0] if self._is_expected(question) else Reply("", samples=said)
        return replies

    def _num_replies(self, question: Question) -> int:
        return 1 if self._is_expected(question) else self._style.num_samples

    def _is_expected(self, question: Question) -> bool:
        """Whether the question is scored by probabilities (under `expected` it is, even where none will come)."""
        scoring = self._style.scoring
        has_any = scoring == "expected" or self.gives_probabilities
        return question.answer == "labels" and scoring != "samples" and has_any

    def _scores(self, request: JudgeRequest, one: Asked, replies: dict[str, Reply]) -> list[Score]:
        if one.reason:
            return protocols.unscored(self.protocol, self._name, request.key, one.reason, one.message)
        return protocols.scores(self.protocol, self._name, request, replies, self._style.min_label_mass)
