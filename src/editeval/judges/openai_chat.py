"""Judge `openai_chat`: a vision-language model behind any `POST /v1/chat/completions`: vLLM, SGLang, OpenAI, ...

Model and licence: the server's. Memory: none here. Cost: the server's time, and its price; `pointwise` is three calls a
sample, or three times num_samples where the server gives no token probabilities. Needs no further package.

One call of `judge` is one batch, whose calls go out `concurrency` at a time: a reward_model.execution.batch_size of 32
keeps them flowing. Several `base_urls` are several workers: worker i talks to address i mod n; all must serve the same
model with the same engine. Before the first judgement each worker asks one question about two grey pictures, and so
finds out what its server can do. Keys come from the environment variable named in `api_key_env`, and from nowhere else.
A proxy that the environment names is used, but for this machine, unless `use_proxy: false`. Pictures are sent as
PNG without metadata, inside the request. Proven against `transformers serve` 5.23, `vllm serve` 0.32 and a scripted
server; SGLang, OpenAI: untested.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from editeval.errors import ConfigError, MachineError
from editeval.http.calls import NOT_IDENTITY, SECRET, ServerParams, UsageMeter
from editeval.judges.chat import messages as chat
from editeval.judges.chat.chat_server import ChatSession, ServedModel
from editeval.judges.chat.messages import Conversation
from editeval.judges.chat.params import DrawnParams
from editeval.judges.chat.runner import ProtocolJudge
from editeval.judges.protocols import protocol as protocols

log = logging.getLogger("editeval")
NAME = "openai_chat"
MAX_REPLY_BYTES = 4 << 20
OWNED = frozenset(
    {"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "repetition_penalty"}
    | {"seed", "n", "logprobs", "top_logprobs", "response_format", "stream"}
)
"""Fields that the judge decides; `extra` cannot contradict them."""


@dataclass(frozen=True)
class OpenaiChatParams(DrawnParams, ServerParams):
    """Where the server is, how it is asked, and what counts as an answer."""

    model: str = field(default="Qwen/Qwen3-VL-8B-Instruct", kw_only=True)  # as the server names it
    extra: Mapping[str, object] = field(default_factory=dict)  # further fields of a call, sent as they are
    concurrency: int = field(default=8, metadata=NOT_IDENTITY)  # calls at a time

    def __post_init__(self) -> None:
        ServerParams.__post_init__(self)
        DrawnParams.__post_init__(self)
        self.check_number("concurrency", 1, 1024, int)
        for name in self.extra:
            if name in OWNED:
                raise ConfigError(f"extra.{name}: is decided by the judge; use its own parameter, if it has one")
            if SECRET.search(name.lower()):
                raise ConfigError(f"extra.{name}: secrets do not belong in a configuration; use api_key_env")


class OpenaiChatJudge(ProtocolJudge[Conversation]):
    """Asks a server what the protocol asks, several calls at a time."""

    Params = OpenaiChatParams
    name = NAME
    default_device = "cpu"
    is_remote = True
    params: OpenaiChatParams

    @classmethod
    def check(cls, params: OpenaiChatParams) -> None:
        """The key's variable is set, and every address answers."""
        params.check_servers(NAME)

    def backend(self, devices: Sequence[str]) -> ChatSession:
        """This worker's server, which was asked one question."""
        p = self.params
        target = ServedModel(p.server_of(NAME, self.worker), p.model, p.extra, _scored_as(p))
        usage = UsageMeter(NAME, p, self.request_budget)
        session = ChatSession(target, p.bounds(MAX_REPLY_BYTES), usage, p.concurrency)
        self._find_out(session)
        return session

    def _find_out(self, session: ChatSession) -> None:
        """One question about two grey pictures, put as all will be; two where the first shows that samples are due."""
        from PIL import Image

        p = self.params
        question = protocols.example_questions(p.asking)[0]
        grey = session.part(Image.new("RGB", (64, 64), "grey"))
        asked = session.encode(chat.messages(question, {shown.picture: grey for shown in question.shown}))
        session.find_out(asked, p.sampling(question, "probe", 0, session.gives_probabilities))
        if question.answer == "labels" and p.scoring != "samples" and not session.gives_probabilities:
            will = "every answer is left unscored" if p.scoring == "expected" else f"taking {p.num_replies} samples"
            log.warning("%s gives no token probabilities: %s", session.server.url, will)
            if p.scoring == "auto":
                session.find_out(asked, p.sampling(question, "probe", 0, False))
        if p.output == "structured" and "response_format" in session.abilities.refused:
            raise MachineError(f"{NAME}.output: {session.server.url} takes no response_format; set output: plain")


def _scored_as(params: OpenaiChatParams) -> str:
    """Everything that decides a score, in one text."""
    deciding = {f.name: getattr(params, f.name) for f in fields(params) if f.metadata.get("identity", True)}
    return json.dumps([deciding, protocols.fingerprint(params.asking)], default=dict, sort_keys=True)
