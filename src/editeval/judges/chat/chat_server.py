"""One chat server as one worker uses it: what it can do, what it was asked, what it said, and when to stop asking."""

from __future__ import annotations

import base64
import json
import logging
import random
import re
import threading
import uuid
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from editeval.errors import BudgetError, MachineError
from editeval.http.calls import Bounds, UsageMeter, ask
from editeval.http.client import (
    DeclinedError,
    HttpReply,
    HttpRequest,
    PassingError,
    Server,
    TransportError,
    idempotency,
)
from editeval.http.status_codes import check, complaint, listing, mapping, parse, snippet
from editeval.images import encode_png
from editeval.judges.chat import messages as chat
from editeval.judges.chat.messages import JSON_SCHEMAS, NUM_LOGPROBS, Conversation, Part
from editeval.judges.chat.params import SamplingParams
from editeval.judges.chat.runner import Backend, Call
from editeval.judges.parsing.reply import Reply
from editeval.text import shortened

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger("editeval")
MAX_REFUSED_FIELDS = 12
MAX_MODEL_NAME = 80  # characters that are kept
_DATE = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")
FINISHED = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence"})
FILTERED = frozenset({"content_filter", "safety", "recitation", "prohibited_content", "blocklist"})
BROKEN = frozenset({"abort", "aborted", "error"})
"""Words for how a reply ended. Any other, or none, counts as cut off: what it was going to say is not known."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """Who is asked: a server, and a model as the server names it."""

    server: Server
    model: str
    extra: Mapping[str, object]  # further fields of a call, sent as they are
    scored_as: str  # part of the key of each call: differs where scores may differ


class ChatSession(Backend[Conversation]):
    """Calls go out `concurrency` at a time. After a MachineError no further call is made."""

    def __init__(self, target: ServedModel, bounds: Bounds, usage: UsageMeter, concurrency: int) -> None:
        self.server = target.server
        self.abilities = Capabilities()
        self._target = target
        self._bounds = bounds
        self._usage = usage
        self._callers = ThreadPoolExecutor(concurrency, "ask")
        self._is_over = ""  # why no further call is made
        self._counting = threading.Lock()
        self._num_calls = 0
        self._num_tokens = [0, 0]  # of prompts, of replies

    def part(self, image: Image) -> Part:
        """The picture as PNG, inside the message."""
        url = f"data:image/png;base64,{base64.b64encode(encode_png(image)).decode()}"
        return {"type": "image_url", "image_url": {"url": url}}

    def encode(self, conversation: Conversation) -> Conversation:
        return chat.harmless(conversation)

    def find_out(self, asked: Conversation, sampling: SamplingParams) -> None:
        """Ask once, as all of the run will be asked, and settle what the server can do.

        Raises MachineError if it cannot be used, or lacks a field that is needed.
        """
        self.abilities = replace(self.abilities, refused=self.abilities.refused - sampling.needed)
        for _ in range(MAX_REFUSED_FIELDS):
            try:
                found = self._call(asked, sampling, ("probe", uuid.uuid4().hex), is_probe=True)
            except _FieldRefusedError as refused:
                self._drop(refused.names, sampling, str(refused))
                continue
            except DeclinedError as error:
                raise MachineError(f"openai_chat: {self.server.url}: the first question was {error}") from None
            except TransportError as error:
                raise MachineError(f"openai_chat: {error}; start the server, or fix base_url") from None
            if found.answered_by:
                said = "no number of it is called official"
                log.warning(
                    "%s answers as %s, not as %s: %s", self.server.url, found.answered_by, self._target.model, said
                )
            if sampling.is_expected and found.problem == "no_probabilities":
                self.abilities = self.abilities.without("logprobs")
            self.gives_probabilities = self.abilities.top_logprobs > 0
            return
        raise MachineError(f"openai_chat: {self.server.url} refuses one field after the other")

    def complete(self, calls: Sequence[Call[Conversation]]) -> list[Reply]:
        """The replies of all calls, in order. If one shows that none can succeed, those not yet begun are dropped."""
        futures = [self._callers.submit(self._reply, call) for call in calls]
        try:
            return [future.result() for future in futures]
        except MachineError:
            for future in futures:
                future.cancel()
            raise

    def close(self) -> None:
        prompts, replies = self._num_tokens
        said = f"{self._num_calls} calls answered, {prompts} prompt and {replies} reply tokens"
        log.info("openai_chat: %s: %s", self.server.url, said)
        self._callers.shutdown(cancel_futures=True)

    def _reply(self, call: Call[Conversation]) -> Reply:
        """What the server says; a call that fails by itself is a reply with a problem. Raises MachineError."""
        if self._is_over:
            raise MachineError(self._is_over)
        _, question, number = call.place
        try:
            return self._call(call.prompt, call.sampling, (call.key, question, str(number)), is_probe=False)
        except DeclinedError as error:
            return Reply("", problem="refused" if error.is_refusal else "declined", message=str(error))
        except (TransportError, BudgetError) as error:
            return Reply("", problem=error.reason, message=str(error))
        except MachineError as error:
            self._is_over = str(error)
            raise

    def _call(self, asked: Conversation, sampling: SamplingParams, name: tuple[str, ...], is_probe: bool) -> Reply:
        """`name` is the call's own: the sample, the question and the number of the reply."""
        fields = {**body(self._target.model, asked, sampling, self.abilities), **self._target.extra}
        content = json.dumps(fields)
        once = idempotency(self._target.scored_as, *name, sampling.answer, content)
        message = HttpRequest("POST", "/chat/completions", content.encode(), "application/json", once)

        def read(answer: HttpReply) -> Reply:
            if is_probe and answer.status in (400, 403, 422):
                said = complaint(answer.body)[1]
                sent = fields.keys() - self._target.extra.keys()
                names = named([name for name in (*REFUSABLE, self.abilities.limit_field) if name in sent], said)
                if names:
                    raise _FieldRefusedError(names, self.server.quote(said))
            check(self.server, answer)
            return read_reply(self.server, answer, sampling.is_expected, self._target.model)

        jitter = random.Random(f"{sampling.seed}:{name[0]}")
        found = ask(self.server, message, self._bounds, read, jitter, self._usage.begin)
        self._usage.answered(found.usage, self.server.url)
        with self._counting:
            self._num_calls += 1
            for i, count in enumerate(found.usage or ()):
                self._num_tokens[i] += count
        return replace(found, sent_without=lacking(sampling, self.abilities))

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


NEUTRAL: Mapping[str, float] = {"top_p": 1.0, "top_k": -1, "repetition_penalty": 1.0}
"""Samplers that would bend the distribution, switched off. Not every server has the last two."""

FEWER_LOGPROBS = {NUM_LOGPROBS: 5, 5: 0}
"""Likeliest tokens to ask for where a server refuses so many: some give five."""

REFUSABLE = (*NEUTRAL, "seed", "temperature", "response_format", "logprobs", "top_logprobs")
"""Fields that a call can do without, and the field with the token limit, which has two names."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Which fields the server refuses, and how many token probabilities it gives."""

    refused: frozenset[str] = frozenset()
    top_logprobs: int = NUM_LOGPROBS  # 0: it gives no probabilities
    limit_field: str = "max_tokens"

    def without(self, name: str) -> Capabilities:
        """The same less the field `name`; the same itself if that cannot be left out."""
        if name in ("logprobs", "top_logprobs"):
            fewer = FEWER_LOGPROBS.get(self.top_logprobs, 0) if name == "top_logprobs" else 0
            return replace(self, top_logprobs=fewer)
        if name in ("max_tokens", "max_completion_tokens"):
            return replace(self, limit_field="max_completion_tokens")
        return replace(self, refused=self.refused | {name})


def body(model: str, asked: Conversation, sampling: SamplingParams, abilities: Capabilities) -> dict[str, object]:
    """The JSON of one call."""
    fields: dict[str, object] = {"model": model, "messages": asked, abilities.limit_field: sampling.max_tokens}
    fields["seed"] = sampling.seed
    if sampling.temperature is not None:  # else the server's own sampling is asked for, as it is
        fields |= {"temperature": sampling.temperature, **NEUTRAL, "top_p": sampling.top_p, "top_k": sampling.top_k}
    if sampling.is_expected and abilities.top_logprobs:
        fields |= {"logprobs": True, "top_logprobs": abilities.top_logprobs}
    if sampling.is_structured and sampling.answer in JSON_SCHEMAS:
        schema = {"name": sampling.answer, "schema": JSON_SCHEMAS[sampling.answer], "strict": True}
        fields["response_format"] = {"type": "json_schema", "json_schema": schema}
    return {name: value for name, value in fields.items() if name not in abilities.refused}


def lacking(sampling: SamplingParams, abilities: Capabilities) -> tuple[str, ...]:
    """What decides how a reply is drawn or written, is not at its default here, and is not sent to this server."""
    is_drawn = sampling.temperature and not sampling.is_expected
    wanted = {
        "top_p": bool(is_drawn and sampling.top_p != NEUTRAL["top_p"]),
        "response_format": sampling.is_structured and sampling.answer in JSON_SCHEMAS,
    }
    return tuple(name for name, is_wanted in wanted.items() if is_wanted and name in abilities.refused)


def named(fields: Collection[str], said: str) -> list[str]:
    """Those of `fields` that a server's complaint names."""
    return [name for name in fields if re.search(rf"(?<![A-Za-z0-9_]){name}(?![A-Za-z0-9_])", said)]


def read_reply(server: Server, answer: HttpReply, is_expected: bool, model: str) -> Reply:
    """The reply in a sound answer of `model`. Raises PassingError for one that holds none."""
    try:
        data = parse(answer.body)
    except PassingError:
        raise PassingError(f"{answer.status} without JSON: {server.quote(snippet(answer))}") from None
    name = data.get("model")
    is_other = isinstance(name, str) and bool(name) and not _is_same(name, model)
    other = shortened(server.quote(str(name)), MAX_MODEL_NAME) if is_other else ""
    return replace(_reply_in(server, answer, data, is_expected), answered_by=other)


def _is_same(answered: str, asked: str) -> bool:
    """Whether two names mean one model: servers add its owner, or the date of the snapshot that it is."""
    names = [name.rpartition("/")[2].casefold() for name in (answered, asked)]
    undated = [_DATE.sub("", name) for name in names]
    return names[0] == names[1] or (undated[0] == undated[1] and any(name in undated for name in names))


def _reply_in(server: Server, answer: HttpReply, data: Mapping[str, object], is_expected: bool) -> Reply:
    choice = mapping(next(iter(listing(data.get("choices"))), None))
    message = choice.get("message")
    if not isinstance(message, dict):
        raise PassingError(f"the answer has no choice with a message: {server.quote(snippet(answer))}")
    ended = str(choice.get("finish_reason")).lower()
    text, usage = _text(message.get("content")), _usage(mapping(data.get("usage")))
    if ended in BROKEN:
        raise PassingError(f"the server broke off the reply ({ended})")
    if ended in FILTERED:
        return Reply(text, problem="content_filter", message="the server's filter stopped the reply", usage=usage)
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return Reply(text, problem="refused", message=f"the model declined: {server.quote(refusal)}", usage=usage)
    if is_expected:
        return chat.reply_of(_first_tokens(mapping(choice.get("logprobs"))), text, usage, ended in FINISHED)
    return Reply(text, ended in FINISHED, usage=usage)


def _first_tokens(logprobs: Mapping[str, object]) -> list[dict[str, object]]:
    """Log-probabilities of the likeliest tokens at each place, the written one first; as far as they were given."""
    found = []
    for place in listing(logprobs.get("content"))[: chat.NUM_TOKENS]:
        top = listing(mapping(place).get("top_logprobs"))
        entries = [mapping(entry) for entry in (place, *top)]  # the written one may not be among the likeliest
        if not top or not all(isinstance(entry.get("token"), str) for entry in entries):
            break
        found.append({str(entry["token"]): entry.get("logprob") for entry in entries})
    return found


def _text(content: object) -> str:
    if isinstance(content, list):  # of parts
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _usage(usage: Mapping[str, object]) -> tuple[int, int] | None:
    prompt, reply = usage.get("prompt_tokens"), usage.get("completion_tokens")
    return (prompt, reply) if isinstance(prompt, int) and isinstance(reply, int) and min(prompt, reply) >= 0 else None
