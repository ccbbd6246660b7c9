"""What a scripted chat server was shown: the parts of a call in order, as texts and sizes of pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from PIL import Image

from editeval.images import decode, encode_png
from editeval.judges.openai_chat import OpenaiChatJudge, OpenaiChatParams
from editeval.types import JudgeRequest, Score
from fakes import chat_server
from fakes.chat_server import ChatServer

Part = str | tuple[int, int]


def picture(width: int, height: int, colour: str = "red") -> bytes:
    """An encoded picture of this size."""
    return encode_png(Image.new("RGB", (width, height), colour))


def pixels(url: str) -> Image.Image:
    """The picture that a part of a call holds."""
    kind, _, data = url.partition(",")
    assert kind == "data:image/png;base64"
    return decode(base64.b64decode(data, validate=True))


def parts(call: dict[str, Any]) -> list[Part]:
    """Texts as they are, pictures as (width, height)."""
    said = call["messages"][-1]["content"]
    return [part["text"] if part["type"] == "text" else pixels(part["image_url"]["url"]).size for part in said]


def judged(
    requests: Sequence[JudgeRequest], replies: Sequence[str], **params: Any
) -> tuple[list[dict[str, float | str]], list[dict[str, Any]]]:
    """(score or reason by metric, for each request; the calls) of a judge whose server gives `replies`, in order.

    With one reply, it gives that to all. The judge's first question, about grey pictures, is not among the calls.
    """
    with ChatServer() as server:
        asked = OpenaiChatParams(base_url=server.url, model="tiny-judge", concurrency=1, max_retries=0, **params)
        judge = OpenaiChatJudge(asked)
        server.will(chat_server.saying(replies[0]), repeats=True)
        judge.load(["cpu"])
        server.calls.clear()
        server.will(*map(chat_server.saying, replies), repeats=len(replies) == 1)
        rows = judge.judge(requests)
        judge.unload()
        return [{one.metric: said(one) for one in row} for row in rows], list(server.calls)


def said(score: Score) -> float | str:
    return score.reason if score.value is None else score.value
