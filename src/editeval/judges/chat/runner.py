"""The one engine of questions: a batch of requests becomes prompts, prompts become replies, replies become scores.

Every question is one call, or num_samples calls; with `reasons` a second round asks why. Nothing about a call depends
on its neighbours. What answers is a Backend: a server, vLLM in this process, a model of transformers.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from editeval.errors import BudgetError, ImageError
from editeval.judges.chat import messages as chat
from editeval.judges.chat.messages import Conversation, Part
from editeval.judges.chat.official_use import official_use
from editeval.judges.chat.params import AskParams, SamplingParams
from editeval.judges.parsing.reply import LABELS, Reply
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols.protocol import Protocol, Question
from editeval.metrics import OfficialUse
from editeval.types import Facts, Judge, JudgeRequest, Metric, OfficialMean, Score

if TYPE_CHECKING:
    from PIL.Image import Image

P = TypeVar("P")  # a conversation as a backend wants it
MAX_THREADS = 8
"""That read, shrink and encode pictures while others are judged."""
COSTS_THE_REQUEST = frozenset({"oom", BudgetError.reason})
"""Problems of one reply that leave its whole request unscored: what the other questions scored would mislead."""
Place = tuple[int, str, int]
"""Number of the request in its batch, name of the question, number of the sample."""


@dataclass(frozen=True, slots=True)
class Call(Generic[P]):
    """One reply to ask for."""

    place: Place
    key: str  # of the request
    prompt: P
    sampling: SamplingParams


class PromptError(Exception):
    """The backend cannot take this conversation; `reason` is why its request is unscored."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Backend(ABC, Generic[P]):
    """What answers. `part` and `encode` are called in several threads, while `complete` is at work."""

    gives_probabilities: bool = True  # of labels
    lists_single_samples: ClassVar[bool] = True  # False: one reply of one is kept as it is, not as a list of samples

    @abstractmethod
    def part(self, image: Image) -> Part:
        """A picture as a part of a message."""

    @abstractmethod
    def encode(self, conversation: Conversation) -> P:
        """The conversation, ready to be answered. Control tokens in a question are plain text. Raises PromptError."""

    @abstractmethod
    def complete(self, calls: Sequence[Call[P]]) -> Sequence[Reply]:
        """One reply per call, in order; a call that fails by itself is a reply with a problem."""

    def facts(self) -> Facts:
        """What the loaded model says of itself."""
        return {}

    def close(self) -> None:
        """Give the devices and threads back."""
        return


@dataclass(frozen=True, slots=True)
class PlannedRequest(Generic[P]):
    """One request, ready to be put: its questions, with the conversation and prompt of each; or why it is not asked."""

    asked: tuple[tuple[Question, Conversation, P], ...] = ()
    reason: str = ""
    message: str = ""


class ProtocolRunner(Generic[P]):
    """How the judge called `name` asks `backend` and reads its replies."""

    def __init__(self, name: str, params: AskParams, backend: Backend[P]) -> None:
        self.protocol = params.asking
        self.backend = backend
        self._name = name
        self._params = params
        self._threads = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1), "prepare")
        self._ahead: list[tuple[Sequence[JudgeRequest], list[Future[PlannedRequest[P]]]]] = []

    def close(self) -> None:
        """What has not begun is dropped."""
        self._threads.shutdown(cancel_futures=True)
        self.backend.close()

    def prepare(self, requests: Sequence[JudgeRequest]) -> None:
        """Begin to plan; returns at once. The newest two batches are kept: one is judged, one waits."""
        self._ahead = [*self._ahead[-1:], (requests, self._begin(requests))]

    def rows(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        """The scores of the batch. Plans it here if that was not begun before."""
        begun = next((futures for of, futures in self._ahead if of is requests), None)
        self._ahead = [entry for entry in self._ahead if entry[0] is not requests]
        plans = [future.result() for future in begun or self._begin(requests)]
        completed = self._completed(
            Call((i, question.name, number), requests[i].key, prompt, self._sampling(question, requests[i].key, number))
            for i, plan in enumerate(plans)
            for question, _, prompt in plan.asked
            for number in range(self._num_replies(question))
        )
        replies = [self._replies(i, plan, completed) for i, plan in enumerate(plans)]
        if self._params.reasons:
            reasons = self._completed(self._rationales(requests, plans, replies))
            replies = [
                {name: replace(reply, rationale=reasons.get((i, name, 0))) for name, reply in row.items()}
                for i, row in enumerate(replies)
            ]
        return [self._scores(*row) for row in zip(requests, plans, replies, strict=True)]

    def plan(self, request: JudgeRequest) -> PlannedRequest[P]:
        """The request, with its pictures read, shrunk and encoded."""
        questions = self.protocol.questions(request)
        if not questions:
            return PlannedRequest(reason="no_prompt", message="the protocol has no question for this sample")
        try:
            shown = chat.pictures(request, questions, self._params.max_image_side)
            parts = {one: self.backend.part(image) for one, image in shown.items()}
            asked = [(question, chat.messages(question, parts)) for question in questions]
            return PlannedRequest(tuple((question, said, self.backend.encode(said)) for question, said in asked))
        except ImageError as error:
            return PlannedRequest(reason="bad_image", message=str(error))
        except PromptError as error:
            return PlannedRequest(reason=error.reason, message=str(error))

    def _begin(self, requests: Sequence[JudgeRequest]) -> list[Future[PlannedRequest[P]]]:
        return [self._threads.submit(self.plan, request) for request in requests]

    def _completed(self, wanted: Iterable[Call[P]]) -> dict[Place, Reply]:
        calls = list(wanted)
        return dict(zip((call.place for call in calls), self.backend.complete(calls), strict=True)) if calls else {}

    def _sampling(self, question: Question, key: str, number: int) -> SamplingParams:
        return self._params.sampling(question, key, number, self.backend.gives_probabilities)

    def _num_replies(self, question: Question) -> int:
        is_expected = self._params.is_expected(question, self.backend.gives_probabilities)
        return 1 if is_expected else self._params.num_replies

    def _replies(self, i: int, plan: PlannedRequest[P], completed: dict[Place, Reply]) -> dict[str, Reply]:
        replies = {}
        for question, _, _ in plan.asked:
            said = tuple(completed[i, question.name, number] for number in range(self._num_replies(question)))
            is_expected = self._params.is_expected(question, self.backend.gives_probabilities)
            is_alone = is_expected or (len(said) == 1 and not self.backend.lists_single_samples)
            replies[question.name] = said[0] if is_alone else Reply("", samples=said)
        return replies

    def _rationales(
        self,
        requests: Sequence[JudgeRequest],
        plans: Sequence[PlannedRequest[P]],
        replies: Sequence[dict[str, Reply]],
    ) -> Iterator[Call[P]]:
        """A call for every question that got a score, if the backend takes it."""
        sampling = SamplingParams("rationale", self._params.max_tokens)
        for i, plan in enumerate(plans):
            for question, conversation, _ in plan.asked:
                answer = answer_of(self.protocol, question, replies[i][question.name], self._params.min_label_mass)
                if answer:
                    with suppress(PromptError):
                        why = self.backend.encode(chat.follow_up(conversation, answer))
                        yield Call((i, question.name, 0), requests[i].key, why, sampling)

    def _scores(self, request: JudgeRequest, plan: PlannedRequest[P], replies: dict[str, Reply]) -> list[Score]:
        said = [one for reply in replies.values() for one in (reply.samples or (reply,))]
        lost = next((one for one in said if one.problem in COSTS_THE_REQUEST), None)
        reason, message = (lost.problem, lost.message) if lost else (plan.reason, plan.message)
        if reason:
            return protocols.unscored(self.protocol, self._name, request.key, reason, message)
        return protocols.scores(self.protocol, self._name, request, replies, self._params.min_label_mass)


def answer_of(protocol: Protocol, question: Question, reply: Reply, min_label_mass: float) -> str:
    """What the follow-up gives as the answer: its text, its likeliest label, or the sample nearest to the mean.

    Empty for a reply that gave no score: there is nothing to explain.
    """
    reading = protocols.read(protocol, question.answer, reply, min_label_mass)
    if not reading.values:
        return ""
    if not reply.samples:
        return reply.text if reply.labels is None else LABELS[reply.labels.index(max(reply.labels))]
    distances: dict[str, float] = {}
    for sample in reply.samples:
        alone = protocols.read(protocol, question.answer, Reply("", samples=(sample,)), min_label_mass)
        if alone.values:
            pairs = zip(alone.values, reading.values, strict=True)
            distances.setdefault(sample.text, sum(abs(value - mean) for value, mean in pairs))
    return min(distances, key=distances.__getitem__)


class ProtocolJudge(Judge, Generic[P]):
    """A judge that asks what `params.protocol` asks; metrics, prompts and fingerprint are those of the protocol."""

    name: ClassVar[str]
    metrics = protocols.class_of(AskParams.protocol).metrics  # those of the default protocol
    params: AskParams
    runner: ProtocolRunner[P] | None = None

    @classmethod
    def metrics_of(cls, params: AskParams) -> tuple[str, ...]:
        return params.asking.metrics

    @classmethod
    def scales_of(cls, params: AskParams) -> Mapping[str, Metric]:
        return params.asking.scales

    @classmethod
    def official_of(cls, params: AskParams) -> tuple[OfficialMean, ...]:
        return params.asking.official

    @classmethod
    def can_ask(cls, name: str) -> bool:
        """Whether `name` is a protocol that asks about one edit: a benchmark's own is then the default."""
        if name not in protocols.PROTOCOLS or protocols.class_of(name).is_pairwise:
            return False
        protocol = protocols.load(name)
        return any(protocol.questions(replace(one, edited_b=None)) for one in protocol.examples())

    @classmethod
    def official_use_of(cls, params: AskParams) -> OfficialUse | None:
        return official_use(params)

    @classmethod
    def uses_prompts_of(cls, params: AskParams) -> bool:
        return params.asking.uses_prompts

    @classmethod
    def fingerprint_of(cls, params: AskParams) -> str:
        """Hash of everything in the code that decides a score; part of the identity of its scores."""
        return protocols.fingerprint(params.asking)

    @classmethod
    def earlier_fingerprints_of(cls, params: AskParams) -> frozenset[str]:
        """Those that it had while it asked the same and read the replies in another way.

        None for pairs: which of two edits was shown first, the kept replies alone do not tell.
        """
        return frozenset() if params.is_pairwise else protocols.earlier_fingerprints(params.asking)

    @abstractmethod
    def backend(self, devices: Sequence[str]) -> Backend[P]:
        """What answers, loaded. Raises MachineError if it cannot be used."""

    def load(self, devices: Sequence[str]) -> None:
        """Raises MachineError if what answers cannot be used."""
        self.adopt(self.backend(devices))

    def adopt(self, backend: Backend[P]) -> None:
        """Ask this one from now on."""
        self.runner = ProtocolRunner(self.name, self.params, backend)

    def facts(self) -> Facts:
        return self.runner.backend.facts() if self.runner is not None else {}

    def unload(self) -> None:
        if self.runner is not None:
            self.runner.close()
        self.runner = None

    def prepare(self, requests: Sequence[JudgeRequest]) -> None:
        """Begin to make `requests` ready while others are answered; `judge` picks them up."""
        if self.runner is not None:
            self.runner.prepare(requests)

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        """Raises MachineError if no request can succeed."""
        assert self.runner is not None, "load comes first"
        started = time.perf_counter()
        rows = self.runner.rows(requests)
        seconds = (time.perf_counter() - started) / max(len(requests), 1)
        return [[replace(score, seconds=seconds) for score in row] for row in rows]
