"""Judge `openai_chat`: a vision-language model behind any `POST /v1/chat/completions`: vLLM, SGLang, OpenAI, ...

Model and licence: the server's. Memory: none here. Cost: the server's time, and its price; `pointwise` is three calls a
sample, or three times num_samples where the server gives no token probabilities. Needs no further package.

One call of `judge` is one batch, whose calls go out `concurrency` at a time: a reward_model.execution.batch_size of 32
keeps them flowing. Several `base_urls` are several workers: worker i talks to address i mod n; all must serve the same
model with the same engine. Before the first judgement each worker asks one question about two grey pictures, and so
finds out what its server can do. Keys come from the environment variable named in `api_key_env`, and from nowhere else.
Connects directly: the environment's proxy settings are not used. Pictures are sent as PNG without metadata, inside the
request. Proven against `transformers serve` 5.23, `vllm serve` 0.32 and a scripted server; SGLang, OpenAI: untested.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import logging
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from editeval.errors import BudgetError, ConfigError, MachineError
from editeval.http.client import Server, check_reachable, parse_url
from editeval.http.retries import SECRET, Bounds, check_variable, key_in
from editeval.http.usage import Caps, UsageMeter
from editeval.images import encode_png
from editeval.judges.chat import messages as chat
from editeval.judges.chat import params
from editeval.judges.chat.chat_server import ChatSession, ServedModel
from editeval.judges.chat.params import ProtocolJudge
from editeval.judges.chat.runner import Call, PlannedRequest, Prefetcher, ProtocolRunner
from editeval.judges.parsing.reply import Reply
from editeval.judges.protocols import protocol as protocols
from editeval.types import JudgeRequest, Score

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger("editeval")
NAME = "openai_chat"
DEFAULT_URL = "http://127.0.0.1:8000/v1"
MAX_REPLY_BYTES = 4 << 20
NOT_IDENTITY: Mapping[str, Any] = {"identity": False}  # such a field changes no score, only how it is come by
OWNED = frozenset(
    {"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "repetition_penalty"}
    | {"seed", "n", "logprobs", "top_logprobs", "response_format", "stream"}
)
"""Fields that the judge decides; `extra` cannot contradict them."""


@dataclass(frozen=True, slots=True)
class OpenaiChatParams:
    """Where the server is, how it is asked, and what counts as an answer."""

    base_url: str = field(default="", metadata=NOT_IDENTITY)  # one server; without it and base_urls: DEFAULT_URL
    base_urls: tuple[str, ...] = field(default=(), metadata=NOT_IDENTITY)  # several; worker i takes number i mod n
    model: str = "Qwen/Qwen3-VL-8B-Instruct"  # as the server names it
    api_key_env: str = field(default="", metadata=NOT_IDENTITY)  # NAME of the environment variable; empty = no key
    protocol: str = "pointwise"  # how to ask: pointwise, rubric (the YAML's prompts), viescore or re_edit
    scoring: str = "auto"  # expected: by token probabilities | samples: mean of num_samples | auto: the first if it can
    num_samples: int = 4  # replies to each question that is not scored by probabilities
    temperature: float = 0.7  # of samples
    seed: int = 0  # of samples, together with the sample's id, the question and the number
    max_new_tokens: int = 256  # of a written reply; one that reaches it is unscored as truncated
    max_image_side: int = 1024  # pictures with a longer side than this many pixels are shrunk to it
    min_label_mass: float = 0.9  # a score by probabilities needs at least this much probability on the labels
    output: str = "auto"  # structured: force the protocol's JSON | plain: never | auto: where the server can
    reasons: bool = False  # True: another call, after the score, asks for one sentence; it changes no score
    extra: Mapping[str, Any] = field(default_factory=dict)  # further fields of a call, sent as they are
    concurrency: int = field(default=8, metadata=NOT_IDENTITY)  # calls at a time
    timeout_s: float = field(default=120.0, metadata=NOT_IDENTITY)  # one call, from connecting to the last byte
    deadline_s: float = field(default=600.0, metadata=NOT_IDENTITY)  # one reply, with every retry and pause
    max_retries: int = field(default=4, metadata=NOT_IDENTITY)  # after 408, 409, 425, 429, 5xx, resets and timeouts
    backoff_s: float = field(default=1.0, metadata=NOT_IDENTITY)  # the first pause; each further one is twice as long
    max_calls: int | None = field(default=None, metadata=NOT_IDENTITY)  # of a run, retries included; then it stops
    max_usd: float | None = field(default=None, metadata=NOT_IDENTITY)  # of a run, by these prices; then it stops
    usd_per_mtok_in: float = field(default=0.0, metadata=NOT_IDENTITY)  # US dollars per million tokens of prompts
    usd_per_mtok_out: float = field(default=0.0, metadata=NOT_IDENTITY)  # ... of replies

    def __post_init__(self) -> None:
        if self.base_url and self.base_urls:
            raise ConfigError("base_urls: given together with base_url; give one of them")
        object.__setattr__(self, "base_urls", tuple(self.base_urls))  # a list, when it comes out of JSON
        self.servers()
        check_variable(self.api_key_env)
        if not self.model.strip():
            raise ConfigError("model: is empty; name the model that the server serves")
        params.check_protocol(self.protocol)
        params.check_scoring(self.scoring, self.protocol)
        params.check_sampling(self.num_samples, self.temperature)
        params.check_output(self.output)
        params.check_limits(self.max_new_tokens, self.max_image_side, self.min_label_mass)
        for name, least, most in (
            ("concurrency", 1, 1024),
            ("timeout_s", 0.01, 86400),
            ("deadline_s", 0.01, 86400),
            ("max_retries", 0, 20),
            ("backoff_s", 0, 60),
        ):
            if not least <= getattr(self, name) <= most:
                raise ConfigError(f"{name}: must be from {least:g} to {most:g}, got {getattr(self, name)!r}")
        self.caps()
        for name in self.extra:
            if name in OWNED:
                raise ConfigError(f"extra.{name}: is decided by the judge; use its own parameter, if it has one")
            if SECRET.search(name.lower()):
                raise ConfigError(f"extra.{name}: secrets do not belong in a configuration; use api_key_env")

    @property
    def num_workers(self) -> int:
        """How many workers there are where the configuration names no devices: one per server."""
        return len(self.base_urls) or 1

    def caps(self) -> Caps:
        """What may be spent."""
        return Caps(self.max_calls, self.max_usd, self.usd_per_mtok_in, self.usd_per_mtok_out)

    def servers(self) -> list[Server]:
        """Every server, without its key."""
        if self.base_urls:
            return [parse_url(f"base_urls[{i}]", url) for i, url in enumerate(self.base_urls)]
        return [parse_url("base_url", self.base_url or DEFAULT_URL)]


class OpenaiChatJudge(ProtocolJudge):
    """Asks a server what the protocol asks, several calls at a time."""

    Params = OpenaiChatParams
    default_device = "cpu"
    is_remote = True
    params: OpenaiChatParams

    def __init__(self, params: OpenaiChatParams) -> None:
        super().__init__(params)
        self._interview = ProtocolRunner(NAME, params, _part)
        self._session: ChatSession | None = None
        self._callers: ThreadPoolExecutor | None = None
        self._preparers: ThreadPoolExecutor | None = None
        self._ahead: Prefetcher[PlannedRequest] = Prefetcher(self._begin)
        self._unpaid: dict[str, str] = {}  # why not, by sample

    @classmethod
    def check(cls, params: OpenaiChatParams) -> None:
        """The key's variable is set, and somebody listens at every address."""
        key_in(f"{NAME}.api_key_env", params.api_key_env)
        for server in params.servers():
            check_reachable(NAME, server)

    def load(self, devices: Sequence[str]) -> None:
        """Choose this worker's server and ask it one question. Raises MachineError if it cannot be used."""
        p = self.params
        servers = p.servers()
        key = key_in(f"{NAME}.api_key_env", p.api_key_env)
        server = dataclasses.replace(servers[self.worker % len(servers)], key=key)
        bounds = Bounds(p.timeout_s, p.deadline_s, p.max_retries, p.backoff_s, MAX_REPLY_BYTES)
        spending = UsageMeter(NAME, p.caps(), self.request_budget)
        session = ChatSession(ServedModel(server, p.model), bounds, spending, p.extra, _judging(p))
        self._find_out(session)
        self._session = session
        self._callers = ThreadPoolExecutor(p.concurrency, "ask")
        self._preparers = ThreadPoolExecutor(min(4, os.cpu_count() or 1), "prepare")

    def unload(self) -> None:
        if self._session is not None:
            log.info("%s: %s", NAME, self._session.spent())
        for threads in (self._callers, self._preparers):
            if threads is not None:
                threads.shutdown(cancel_futures=True)
        self._session = self._callers = self._preparers = None

    def prepare(self, requests: Sequence[JudgeRequest]) -> None:
        """Begin to make `requests` ready while others wait for the server; `judge` picks them up."""
        if self._preparers is not None:
            self._ahead.prepare(requests)

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        """Raises MachineError if no request can succeed; then no further call is made."""
        assert self._session is not None, "load comes first"
        started = time.perf_counter()
        self._unpaid.clear()
        rows = self._interview.rows(requests, self._ahead.take(requests), self._hear)
        rows = [self._unasked(row) if row[0].sample_id in self._unpaid else row for row in rows]
        seconds = (time.perf_counter() - started) / max(len(requests), 1)
        return [[dataclasses.replace(score, seconds=seconds) for score in row] for row in rows]

    def _begin(self, requests: Sequence[JudgeRequest]) -> list[Future[PlannedRequest]]:
        assert self._preparers is not None, "load comes first"
        return [self._preparers.submit(self._interview.asked, request) for request in requests]

    def _unasked(self, row: list[Score]) -> list[Score]:
        """The scores of a sample that was not asked about in full: none, not even from what was answered."""
        why = self._unpaid[row[0].sample_id]
        return protocols.unscored(self._interview.protocol, NAME, row[0].sample_id, BudgetError.reason, why)

    def _find_out(self, session: ChatSession) -> None:
        """One question about two grey pictures, put as all will be; two where the first shows that samples are due."""
        p, interview = self.params, self._interview
        question = protocols.example_questions(p.protocol)[0]
        asked = chat.messages(question, dict.fromkeys(question.images, _part(_grey())))
        session.find_out(asked, interview.sampling(question, "probe", 0))
        interview.gives_probabilities = session.abilities.top_logprobs > 0
        if question.answer == "labels" and p.scoring != "samples" and not interview.gives_probabilities:
            will = "every answer is left unscored" if p.scoring == "expected" else f"taking {p.num_samples} samples"
            log.warning("%s gives no token probabilities: %s", session.server.url, will)
            if p.scoring == "auto":
                session.find_out(asked, interview.sampling(question, "probe", 0))
        if p.output == "structured" and not session.abilities.has_schema:
            raise MachineError(f"{NAME}.output: {session.server.url} takes no response_format; set output: plain")

    def _hear(self, calls: Sequence[Call]) -> list[Reply]:
        """The replies of all calls, in order. If one shows that none can succeed, those not yet begun are dropped."""
        assert self._session is not None and self._callers is not None
        futures = [self._callers.submit(self._session.reply, call) for call in calls]
        try:
            heard = [future.result() for future in futures]
        except MachineError:
            for future in futures:
                future.cancel()
            raise
        for call, reply in zip(calls, heard, strict=True):
            if reply.problem == BudgetError.reason and call.sampling.answer != "rationale":
                self._unpaid[call.key] = reply.message
        return heard


def _judging(params: OpenaiChatParams) -> str:
    """Everything that decides a score, in one text."""
    deciding = {f.name: getattr(params, f.name) for f in dataclasses.fields(params) if f.metadata.get("identity", True)}
    return json.dumps([deciding, protocols.fingerprint(params.protocol)], default=dict, sort_keys=True)


def _part(image: Any) -> chat.Message:
    """A picture as a part of a message."""
    url = f"data:image/png;base64,{base64.b64encode(encode_png(image)).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def _grey() -> Image:
    from PIL import Image

    return Image.new("RGB", (64, 64), "grey")
