"""A batch of requests as calls to an engine that chats, and its replies as scores. Knows no engine.

Every question is one call, or num_samples calls; with `reasons` a second round asks why. Nothing about a call depends
on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from typing import Protocol as Shape

from editeval.errors import ImageError
from editeval.judges.chat import messages as chat
from editeval.judges.chat import params
from editeval.judges.chat.messages import NUM_TOKENS, answer_of, pictures
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
class PlannedRequest:
    """One request, ready to be put: its questions and the conversation of each; or why it cannot be asked."""

    questions: tuple[Question, ...] = ()
    conversations: tuple[list[chat.Message], ...] = ()
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """One reply to ask for."""

    place: Place
    key: str  # of the request
    messages: list[chat.Message]
    sampling: SamplingParams


Complete = Callable[[Sequence[Call]], Sequence[Reply]]
"""One reply per call, in order."""


class ProtocolRunner:
    """How the judge called `name` asks and reads."""

    def __init__(self, name: str, style: Style, part: Callable[[Any], chat.Message]) -> None:
        self.protocol = protocols.load(style.protocol)
        self.gives_probabilities = True  # whether the engine does
        self._name = name
        self._style = style
        self._part = part  # a picture as a part of a message

    def asked(self, request: JudgeRequest) -> PlannedRequest:
        """The request, with its pictures read and shrunk."""
        questions = self.protocol.questions(request)
        if not questions:
            return PlannedRequest(reason="no_prompt", message="the protocol has no question for this sample")
        try:
            shown = pictures(request, questions, self._style.max_image_side)
        except ImageError as error:
            return PlannedRequest(reason="bad_image", message=str(error))
        parts = {name: self._part(image) for name, image in shown.items()}
        return PlannedRequest(questions, tuple(chat.messages(question, parts) for question in questions))

    def sampling(self, question: Question, key: str, number: int) -> SamplingParams:
        """How sample `number` of the reply to `question` is wanted."""
        style = self._style
        if self._is_expected(question):
            return SamplingParams(question.answer, NUM_TOKENS, is_expected=True)
        seed = params.sample_seed(style.seed, key, question.name, number)
        return SamplingParams(
            question.answer, style.max_new_tokens, False, style.temperature, seed, style.output != "plain"
        )

    def rows(
        self, requests: Sequence[JudgeRequest], ready: Sequence[PlannedRequest], complete: Complete
    ) -> list[list[Score]]:
        """The scores of the batch."""
        keys = [request.key for request in requests]
        calls = self._calls(keys, ready)
        heard = dict(zip((call.place for call in calls), complete(calls), strict=True))
        replies = [self._replies(i, one, heard) for i, one in enumerate(ready)]
        if self._style.reasons:
            whys = self._rationales(keys, ready, replies)
            reasons = dict(zip((call.place for call in whys), complete(whys), strict=True))
            replies = [
                {name: replace(reply, rationale=reasons.get((i, name, 0))) for name, reply in row.items()}
                for i, row in enumerate(replies)
            ]
        return [self._scores(*row) for row in zip(requests, ready, replies, strict=True)]

    def _calls(self, keys: Sequence[str], ready: Sequence[PlannedRequest]) -> list[Call]:
        return [
            Call((i, question.name, number), keys[i], conversation, self.sampling(question, keys[i], number))
            for i, one in enumerate(ready)
            for question, conversation in zip(one.questions, one.conversations, strict=True)
            for number in range(self._num_replies(question))
        ]

    def _rationales(
        self, keys: Sequence[str], ready: Sequence[PlannedRequest], replies: Sequence[dict[str, Reply]]
    ) -> list[Call]:
        """A call for every question that got a score."""
        sampling = SamplingParams("rationale", self._style.max_new_tokens)
        return [
            Call((i, question.name, 0), keys[i], chat.follow_up(conversation, answer), sampling)
            for i, one in enumerate(ready)
            for question, conversation in zip(one.questions, one.conversations, strict=True)
            if (answer := answer_of(question, replies[i][question.name], self._style.min_label_mass))
        ]

    def _replies(self, i: int, one: PlannedRequest, heard: dict[Place, Reply]) -> dict[str, Reply]:
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

    def _scores(self, request: JudgeRequest, one: PlannedRequest, replies: dict[str, Reply]) -> list[Score]:
        if one.reason:
            return protocols.unscored(self.protocol, self._name, request.key, one.reason, one.message)
        return protocols.scores(self.protocol, self._name, request, replies, self._style.min_label_mass)


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How a reply is wanted."""

    answer: str  # an answer format, or "rationale"
    max_tokens: int
    is_expected: bool = False  # True: probabilities of the first token
    temperature: float = 0.0
    seed: int = 0
    is_structured: bool = False  # True: the answer format's JSON is forced, where it has one

    @property
    def needed(self) -> frozenset[str]:
        """Fields without which the reply would not be the one that is wanted."""
        return frozenset() if self.is_expected else frozenset({"temperature"})


T = TypeVar("T")
Begin = Callable[[Sequence[JudgeRequest]], list[Future[T]]]


class Prefetcher(Generic[T]):
    """Keeps what was begun for the newest two batches: one is judged, one waits."""

    def __init__(self, begin: Begin[T]) -> None:
        self._begin = begin
        self._begun: list[tuple[Sequence[JudgeRequest], list[Future[T]]]] = []

    def prepare(self, requests: Sequence[JudgeRequest]) -> None:
        """Begin now; returns at once."""
        self._begun = [*self._begun[-1:], (requests, self._begin(requests))]

    def take(self, requests: Sequence[JudgeRequest]) -> list[T]:
        """What the preparation of `requests` gave, in order; begun here if it was not before."""
        begun = next((futures for of, futures in self._begun if of is requests), None)
        self._begun = [entry for entry in self._begun if entry[0] is not requests]
        return [future.result() for future in begun or self._begin(requests)]
