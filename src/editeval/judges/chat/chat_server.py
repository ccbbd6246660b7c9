"""One chat server as one worker uses it: what it can do, what it was asked, and when to stop asking."""

from __future__ import annotations

import json
import logging
import random
import re
import threading
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from editeval.errors import BudgetError, MachineError
from editeval.http import client
from editeval.http.client import DeclinedError, HttpRequest, Server, TransportError, idempotency
from editeval.http.retries import Bounds, ask
from editeval.http.status_codes import check, complaint
from editeval.http.usage import UsageMeter
from editeval.judges.chat import messages as chat
from editeval.judges.chat import response
from editeval.judges.chat.messages import JSON_SCHEMAS, NUM_LOGPROBS, Message
from editeval.judges.chat.runner import Call, SamplingParams
from editeval.judges.parsing.reply import Reply

log = logging.getLogger("editeval")
MAX_REFUSED_FIELDS = 12


@dataclass(frozen=True, slots=True)
class ServedModel:
    """Who is asked: a server, and a model as the server names it."""

    server: Server
    model: str


class ChatSession:
    """Calls from several threads. After a MachineError no further call is made."""

    def __init__(
        self, target: ServedModel, bounds: Bounds, spending: UsageMeter, extra: Mapping[str, Any], judging: str = ""
    ) -> None:
        """`judging` tells the calls of one way of judging from those of another."""
        self.server = target.server
        self._judging = judging
        self._spending = spending
        self.abilities = Capabilities()
        self._model = target.model
        self._bounds = bounds
        self._extra = dict(extra)
        self._is_over = ""  # why no further call is made
        self._counting = threading.Lock()
        self._num_calls = 0
        self._num_tokens = [0, 0]  # of prompts, of replies

    def find_out(self, asked: list[chat.Message], sampling: SamplingParams) -> None:
        """Ask once, as all of the run will be asked, and settle what the server can do.

        Raises MachineError if it cannot be used, or lacks a field that is needed.
        """
        if "temperature" in sampling.needed:
            self.abilities = replace(self.abilities, has_temperature=True)
        for _ in range(MAX_REFUSED_FIELDS):
            try:
                found = self._call(asked, sampling, ("probe", uuid.uuid4().hex), is_probe=True)
            except _FieldRefusedError as refused:
                self._drop(refused.names, sampling, refused.said)
                continue
            except DeclinedError as error:
                raise MachineError(f"openai_chat: {self.server.url}: the first question was {error}") from None
            except TransportError as error:
                raise MachineError(f"openai_chat: {error}; start the server, or fix base_url") from None
            if sampling.is_expected and found.problem == "no_probabilities":
                self.abilities = self.abilities.without("logprobs")
            return
        raise MachineError(f"openai_chat: {self.server.url} refuses one field after the other")

    def reply(self, call: Call) -> Reply:
        """What the server says; a call that fails by itself is a reply with a problem. Raises MachineError."""
        if self._is_over:
            raise MachineError(self._is_over)
        try:
            _, question, number = call.place
            found = self._call(call.messages, call.sampling, (call.key, question, str(number)), is_probe=False)
        except DeclinedError as error:
            return Reply("", problem="refused" if error.is_refusal else "declined", message=str(error))
        except (TransportError, BudgetError) as error:
            return Reply("", problem=error.reason, message=str(error))
        except MachineError as error:
            self._is_over = str(error)
            raise
        return found

    def spent(self) -> str:
        """One line about the calls that were answered, and their tokens."""
        prompts, replies = self._num_tokens
        return f"{self.server.url}: {self._num_calls} calls answered, {prompts} prompt and {replies} reply tokens"

    def _call(
        self, asked: list[chat.Message], sampling: SamplingParams, name: tuple[str, ...], is_probe: bool
    ) -> Reply:
        """`name` is the call's own: the sample, the question and the number of the reply."""
        fields = body(self._model, asked, sampling, self.abilities) | self._extra
        content = json.dumps(fields)
        once = idempotency(self._judging, *name, sampling.answer, content)
        message = HttpRequest("POST", "/chat/completions", content.encode(), "application/json", once)

        def read(answer: client.HttpReply) -> Reply:
            if is_probe and answer.status in (400, 403, 422):
                said = complaint(answer.body)[1]
                sent = fields.keys() - self._extra.keys()
                names = named([name for name in self.abilities.refusable if name in sent], said)
                if names:
                    raise _FieldRefusedError(names, self.server.quote(said))
            check(self.server, answer)
            return response.read(self.server, answer, sampling.is_expected)

        jitter = random.Random(f"{sampling.seed}:{name[0]}")
        found = ask(self.server, message, self._bounds, read, jitter, self._spending.begin)
        self._spending.answered(found.usage, self.server.url)
        with self._counting:
            self._num_calls += 1
            for i, count in enumerate(found.usage or ()):
                self._num_tokens[i] += count
        return found

    def _drop(self, names: list[str], sampling: SamplingParams, said: str) -> None:
        """Go on without what the server refuses. Raises MachineError for what is needed, or cannot be left out."""
        before = self.abilities
        for name in names:
            if name not in sampling.needed:
                self.abilities = self.abilities.without(name)
        if self.abilities == before:
            where = f"openai_chat: {self.server.url}: does not take {', '.join(names)} as it was asked"
            raise MachineError(f"{where}: {said}; change that parameter, or use another server")
        log.info("%s refuses %s; going on without: %s", self.server.url, ", ".join(names), said)


class _FieldRefusedError(Exception):
    """The server named fields of the call that it does not take."""

    def __init__(self, names: list[str], said: str) -> None:
        super().__init__(said)
        self.names = names
        self.said = said


NEUTRAL: Mapping[str, float] = {"top_p": 1.0, "top_k": -1, "repetition_penalty": 1.0}
"""Samplers that would bend the distribution, switched off. Not every server has the last two."""

MOST_LOGPROBS = (NUM_LOGPROBS, 5, 0)
"""Likeliest tokens to ask for, next time one less: some servers give five."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Which fields the server takes, and how many token probabilities it gives."""

    limit_field: str = "max_tokens"
    neutral: tuple[str, ...] = tuple(NEUTRAL)
    has_seed: bool = True
    has_temperature: bool = True
    has_schema: bool = True
    top_logprobs: int = MOST_LOGPROBS[0]  # 0: it gives no probabilities

    @property
    def refusable(self) -> tuple[str, ...]:
        """Fields that `without` can do something about, and the temperature."""
        return (*self.neutral, "seed", "temperature", "response_format", "logprobs", "top_logprobs", self.limit_field)

    def without(self, name: str) -> Capabilities:
        """The same less the field `name`."""
        if name in self.neutral:
            return replace(self, neutral=tuple(field for field in self.neutral if field != name))
        if name in ("logprobs", "top_logprobs") and self.top_logprobs:
            less = 0 if name == "logprobs" else MOST_LOGPROBS[MOST_LOGPROBS.index(self.top_logprobs) + 1]
            return replace(self, top_logprobs=less)
        if name == self.limit_field == "max_tokens":
            return replace(self, limit_field="max_completion_tokens")
        return replace(
            self,
            has_seed=self.has_seed and name != "seed",
            has_temperature=self.has_temperature and name != "temperature",
            has_schema=self.has_schema and name != "response_format",
        )


def body(model: str, messages: list[Message], sampling: SamplingParams, abilities: Capabilities) -> dict[str, Any]:
    """The JSON of one call."""
    fields: dict[str, Any] = {"model": model, "messages": messages, abilities.limit_field: sampling.max_tokens}
    if abilities.has_temperature:
        fields["temperature"] = sampling.temperature
    if abilities.has_seed:
        fields["seed"] = sampling.seed
    fields |= {name: NEUTRAL[name] for name in abilities.neutral}
    if sampling.is_expected and abilities.top_logprobs:
        fields |= {"logprobs": True, "top_logprobs": abilities.top_logprobs}
    if sampling.is_structured and abilities.has_schema and sampling.answer in JSON_SCHEMAS:
        schema = {"name": sampling.answer, "schema": JSON_SCHEMAS[sampling.answer], "strict": True}
        fields["response_format"] = {"type": "json_schema", "json_schema": schema}
    return fields


def named(fields: Collection[str], complaint: str) -> list[str]:
    """Those of `fields` that a server's complaint names."""
    return [name for name in fields if re.search(rf"(?<![A-Za-z0-9_]){name}(?![A-Za-z0-9_])", complaint)]
