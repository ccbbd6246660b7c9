"""What a server's reply to an edit means: an image, or why there is none."""

from __future__ import annotations

from editeval.errors import EditRefusedError, ImageError
from editeval.http import answers
from editeval.http.answers import parse, snippet
from editeval.http.exchange import BadReplyError, DeclinedError, PassingError, Reply, Server
from editeval.images import from_base64


def check(server: Server, reply: Reply) -> None:
    """As `answers.check`; a request that is declined is an EditRefusedError."""
    try:
        answers.check(server, reply)
    except DeclinedError as error:
        raise EditRefusedError(str(error)) from None


def image_of(server: Server, reply: Reply) -> bytes | str:
    """The first image of a checked reply: its encoded bytes, or the address where it is to be had.

    Raises PassingError if the reply is garbage, BadReplyError if it is sound but holds no image.
    """
    try:
        data = parse(reply.body)
    except PassingError:
        raise PassingError(f"{reply.status} without JSON: {server.quote(snippet(reply))}") from None
    entries = data.get("data")
    first = entries[0] if isinstance(entries, list) and entries else None
    if not isinstance(first, dict):
        raise PassingError(f"the reply has no image: {server.quote(snippet(reply))}")
    if isinstance(first.get("b64_json"), str):
        return _decoded(first["b64_json"])
    url = first.get("url")
    if isinstance(url, str) and url.startswith("data:"):
        return _decoded(url)
    if isinstance(url, str) and url:
        return url
    raise BadReplyError(f"{server.url}: the reply has neither b64_json nor url")


def usage_of(reply: Reply) -> tuple[int, int] | None:
    """Tokens in and out of a checked reply; None if the server does not tell them."""
    usage = parse(reply.body).get("usage")
    found = (usage.get("input_tokens"), usage.get("output_tokens")) if isinstance(usage, dict) else ()
    told = [count for count in found if isinstance(count, int) and count >= 0]
    return (told[0], told[1]) if len(told) == 2 else None


def _decoded(text: str) -> bytes:
    try:
        return from_base64(text)
    except ImageError as error:
        raise PassingError(f"the image in the reply is {error}") from None
