"""A real HTTP server for POST /v1/chat/completions that judges deterministically, and misbehaves as its script says.

What it thinks of a question follows from pictures and words. `script` holds one behaviour per coming call, as in
image_server, whose behaviours it shares; an empty script judges.
"""

from __future__ import annotations

import base64
import json
import math
import random
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

from editeval.images import decode
from fakes import image_server

COMMON = {"model", "messages", "temperature", "top_p", "seed", "max_tokens", "logprobs", "top_logprobs"}
COMMON |= {"response_format", "top_k", "repetition_penalty", "max_completion_tokens", "chat_template_kwargs"}


@dataclass
class Quirks:
    """What differs between the servers that it can be."""

    key: str = ""  # wanted in the Authorization header
    model: str = "tiny-judge"
    ignores: frozenset[str] = frozenset()  # fields that are taken and do nothing
    refuses: frozenset[str] = frozenset()  # fields that get a refusal with `refusal_status`, one at a time
    refusal_status: int = 400
    most_logprobs: int = 20
    off_labels: float = 0.02  # probability of the token "I"
    goes_on: float = 0.0  # probability that the token "0" follows a label, instead of the end
    has_usage: bool = True
    seconds: float = 0.0  # that a call takes
    script: deque[Callable[[Handler], None]] = field(default_factory=deque)
    repeats: bool = False


class Handler(image_server.Handler):
    server: ChatServer  # type: ignore[assignment]
    fields: dict[str, Any]
    is_counted: bool = False

    def do_GET(self) -> None:  # noqa: N802
        self.json(404, {"detail": "Not Found"})

    def do_POST(self) -> None:  # noqa: N802
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/v1/chat/completions":
            self.json(404, {"detail": "Not Found"})
            return
        assert self.headers["Content-Type"] == "application/json"
        self.fields = json.loads(body)
        server = self.server
        with server.lock:
            server.calls.append(self.fields)
            server.headers.append(dict(self.headers))
            server.num_now += 1
            self.is_counted = True
            server.most_at_once = max(server.most_at_once, server.num_now)
            script = server.quirks.script
            behave = (script[0] if server.quirks.repeats else script.popleft()) if script else None
        try:
            if self._is_allowed():
                with suppress(BrokenPipeError, ConnectionResetError):
                    (behave or judge)(self)
        finally:
            self._leave()

    def send_response(self, code: int, message: str | None = None) -> None:
        self._leave()  # before the client can know: its next call must not meet this one here
        super().send_response(code, message)

    def _leave(self) -> None:
        with self.server.lock:
            self.server.num_now -= self.is_counted
            self.is_counted = False


class ChatServer(ThreadingHTTPServer):
    """On 127.0.0.1, on a port of its own; use it in a `with`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, **quirks: Any) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.quirks = Quirks(**quirks)
        self.calls: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.num_now = self.most_at_once = 0
        self.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> ChatServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join(image_server.PATIENCE_S)

    def handle_error(self, request: Any, client_address: Any) -> None:
        return  # a client that left is what some tests are about

    def will(self, *behaviours: Callable[[Any], None], repeats: bool = False) -> ChatServer:
        """Behave like that in the coming calls."""
        self.quirks.script = deque(behaviours)
        self.quirks.repeats = repeats
        return self


def parts(fields: dict[str, Any]) -> tuple[list[bytes], str]:
    """(pictures, text) of the first user message; the pictures really are."""
    pictures, text = [], ""
    user = next(message for message in fields["messages"] if message["role"] == "user")
    for part in user["content"] if isinstance(user["content"], list) else [{"type": "text", "text": user["content"]}]:
        if part["type"] == "text":
            text += part["text"] + "\n"
        else:
            kind, _, data = part["image_url"]["url"].partition(",")
            assert kind == "data:image/png;base64"
            pictures.append(base64.b64decode(data, validate=True))
    assert pictures and all(decode(picture).size for picture in pictures)
    return pictures, text


def opinion(fields: dict[str, Any], off_labels: float) -> dict[str, float]:
    """Probability of each first token."""
    pictures, text = parts(fields)
    drawn = random.Random(zlib.crc32(b"".join(pictures) + text.encode()))
    peak = drawn.randrange(10)  # as real ones do, it has one opinion, and doubts about the labels beside it
    weights = [(drawn.random() + 0.5) * math.exp(-2 * abs(label - peak)) for label in range(10)]
    shares = {str(k): (1 - off_labels) * w / sum(weights) for k, w in enumerate(weights)}
    return shares | ({"I": off_labels} if off_labels else {})


def text_of(fields: dict[str, Any], shares: dict[str, float]) -> str:
    """What it writes: likeliest at temperature 0, drawn by the seed otherwise, in the form the question asks for."""
    if [message["role"] for message in fields["messages"]][-2:] == ["assistant", "user"]:
        return f"Because I said {fields['messages'][-2]['content']}."
    drawn = random.Random(fields.get("seed"))
    is_greedy = fields.get("temperature") == 0
    token = max(shares, key=shares.__getitem__) if is_greedy else drawn.choices(list(shares), list(shares.values()))[0]
    _, text = parts(fields)
    if "[A, B]" in text:
        return json.dumps({"score": [int(token) if token != "I" else None, 7], "reasoning": "It fits."})
    if "yes or no" in text:
        return json.dumps({"score": "yes" if token in "56789" else "no", "reasoning": "It fits."})
    return token


def after(goes_on: float) -> list[dict[str, Any]]:
    """What follows a label: the end, as vLLM writes it, or one more digit."""
    shares = sorted({"<|im_end|>": 1 - goes_on, "0": goes_on}.items(), key=lambda item: -item[1])
    top = [{"token": token, "logprob": math.log(share)} for token, share in shares if share]
    return [{**top[0], "top_logprobs": top}]


# -- behaviours --------------------------------------------------------------------------------------------------------


def refuse(handler: Handler, name: str) -> None:
    """That it does not take the field `name`."""
    message = f"Unsupported parameter: '{name}' is not supported with this model."
    error = {"message": message, "type": "invalid_request_error"}
    handler.json(handler.server.quirks.refusal_status, {"error": error})


def judge(handler: Handler) -> None:
    """The normal answer, less what this server cannot do."""
    quirks, fields = handler.server.quirks, handler.fields
    time.sleep(quirks.seconds)
    if fields["model"] != quirks.model:
        handler.json(404, {"object": "error", "message": f"The model `{fields['model']}` does not exist.", "code": 404})
        return
    unwanted = sorted((set(fields) & quirks.refuses) | (set(fields) - COMMON))
    if unwanted:
        refuse(handler, unwanted[0])
        return
    if fields.get("top_logprobs", 0) > quirks.most_logprobs:
        message = f"top_logprobs must be at most {quirks.most_logprobs}"
        handler.json(400, {"error": {"message": message, "type": "invalid_request_error"}})
        return
    known = {name: value for name, value in fields.items() if name not in quirks.ignores}
    shares = opinion(known, quirks.off_labels)
    text = text_of(known, shares)
    limit = known.get("max_tokens", known.get("max_completion_tokens", 16))
    is_cut = limit < 2 or (len(text) > 1 and limit < 3) or quirks.goes_on > 0.5
    answer: dict[str, Any] = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": "length" if is_cut else "stop",
        "logprobs": None,
    }
    if known.get("logprobs"):
        ordered = sorted(shares.items(), key=lambda item: -item[1])[: known.get("top_logprobs", 0)]
        top = [{"token": token, "logprob": math.log(share)} for token, share in ordered]
        answer["logprobs"] = {"content": [{**top[0], "top_logprobs": top}, *after(quirks.goes_on)][:limit]}
    reply = {"id": "x", "object": "chat.completion", "model": quirks.model, "choices": [answer]}
    if quirks.has_usage:
        reply["usage"] = {
            "prompt_tokens": 100,
            "completion_tokens": limit if is_cut or limit < 3 else 5,
            "total_tokens": 101,
        }
    handler.json(200, reply)


def saying(text: str | None, finish: str | None = "stop", **more: Any) -> Callable[[Handler], None]:
    """A sound answer with that reply; `more` goes into the choice, except `refusal`, which goes into the message."""
    message = {"role": "assistant", "content": text, "refusal": more.pop("refusal", None)}
    choice = {"index": 0, "message": message, "finish_reason": finish, **more}
    return lambda handler: handler.json(200, {"choices": [choice], "usage": None})


def top(tokens: dict[str, Any]) -> dict[str, Any]:
    """The logprobs of a choice whose first token has these log-probabilities."""
    entries = [{"token": token, "logprob": logprob} for token, logprob in tokens.items()]
    return {"content": [{**entries[0], "top_logprobs": entries}]}
