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

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from editeval.errors import ConfigError, MachineError
from editeval.http.calls import SECRET, Bounds, Caps, UsageMeter, check_variable, key_in
from editeval.http.client import Server, check_reachable, parse_url
from editeval.judges.chat import messages as chat
from editeval.judges.chat.chat_server import ChatSession, ServedModel
from editeval.judges.chat.messages import Conversation
from editeval.judges.chat.params import DrawnParams
from editeval.judges.chat.runner import ProtocolJudge
from editeval.judges.protocols import protocol as protocols

log = logging.getLogger("editeval")
NAME = "openai_chat"
DEFAULT_URL = "http://127.0.0.1:8000/v1"
MAX_REPLY_BYTES = 4 << 20
NOT_IDENTITY: Mapping[str, bool] = {"identity": False}  # such a field changes no score, only how it is come by
OWNED = frozenset(
    {"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "repetition_penalty"}
    | {"seed", "n", "logprobs", "top_logprobs", "response_format", "stream"}
)
"""Fields that the judge decides; `extra` cannot contradict them."""


@dataclass(frozen=True)
class OpenaiChatParams(DrawnParams):
    """Where the server is, how it is asked, and what counts as an answer."""

    base_url: str = field(default="", metadata=NOT_IDENTITY)  # one server; without it and base_urls: DEFAULT_URL
    base_urls: tuple[str, ...] = field(default=(), metadata=NOT_IDENTITY)  # several; worker i takes number i mod n
    model: str = "Qwen/Qwen3-VL-8B-Instruct"  # as the server names it
    api_key_env: str = field(default="", metadata=NOT_IDENTITY)  # NAME of the environment variable; empty = no key
    extra: Mapping[str, object] = field(default_factory=dict)  # further fields of a call, sent as they are
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
        super().__post_init__()
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


class OpenaiChatJudge(ProtocolJudge[Conversation]):
    """Asks a server what the protocol asks, several calls at a time."""

    Params = OpenaiChatParams
    name = NAME
    default_device = "cpu"
    is_remote = True
    params: OpenaiChatParams

    @classmethod
    def check(cls, params: OpenaiChatParams) -> None:
        """The key's variable is set, and somebody listens at every address."""
        key_in(f"{NAME}.api_key_env", params.api_key_env)
        for server in params.servers():
            check_reachable(NAME, server)

    def backend(self, devices: Sequence[str]) -> ChatSession:
        """This worker's server, which was asked one question."""
        p = self.params
        servers = p.servers()
        server = replace(servers[self.worker % len(servers)], key=key_in(f"{NAME}.api_key_env", p.api_key_env))
        bounds = Bounds(p.timeout_s, p.deadline_s, p.max_retries, p.backoff_s, MAX_REPLY_BYTES)
        usage = UsageMeter(NAME, p.caps(), self.request_budget)
        target = ServedModel(server, p.model, p.extra, _scored_as(p))
        session = ChatSession(target, bounds, usage, p.concurrency)
        self._find_out(session)
        return session

    def _find_out(self, session: ChatSession) -> None:
        """One question about two grey pictures, put as all will be; two where the first shows that samples are due."""
        from PIL import Image

        p = self.params
        question = protocols.example_questions(p.protocol)[0]
        grey = session.part(Image.new("RGB", (64, 64), "grey"))
        asked = session.encode(chat.messages(question, dict.fromkeys(question.images, grey)))
        session.find_out(asked, p.sampling(question, "probe", 0, session.gives_probabilities))
        if question.answer == "labels" and p.scoring != "samples" and not session.gives_probabilities:
            will = "every answer is left unscored" if p.scoring == "expected" else f"taking {p.num_samples} samples"
            log.warning("%s gives no token probabilities: %s", session.server.url, will)
            if p.scoring == "auto":
                session.find_out(asked, p.sampling(question, "probe", 0, False))
        if p.output == "structured" and not session.abilities.has_schema:
            raise MachineError(f"{NAME}.output: {session.server.url} takes no response_format; set output: plain")


def _scored_as(params: OpenaiChatParams) -> str:
    """Everything that decides a score, in one text."""
    deciding = {f.name: getattr(params, f.name) for f in fields(params) if f.metadata.get("identity", True)}
    return json.dumps([deciding, protocols.fingerprint(params.protocol)], default=dict, sort_keys=True)
