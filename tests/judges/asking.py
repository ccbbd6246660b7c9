"""What a protocol really sends: a judge that asks a scripted server over HTTP, and a file as its authors have one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from editeval.images import encode_png
from editeval.judges.openai_chat import OpenaiChatJudge, OpenaiChatParams
from editeval.judges.protocols import protocol as protocols
from editeval.types import JudgeRequest
from fakes import chat_server
from fakes.chat_server import ChatServer

COLOURS = {"source": (200, 0, 0), "edited": (0, 0, 200), "reference": (0, 200, 0)}
SIZES = {"source": (40, 30), "edited": (44, 33), "reference": (48, 36)}
_ROLES = {size: role for role, size in SIZES.items()}


def picture(role: str, number: int = 0, scale: int = 1) -> bytes:
    """A picture whose size says its role, and whose height says which of several it is."""
    width, height = SIZES[role]
    return encode_png(Image.new("RGB", (width * scale, height * scale + number), COLOURS[role]))


def asked_about(category: str, instruction: str = "add a hat", num_sources: int = 1, **more: Any) -> JudgeRequest:
    metadata = {"category": category, **more.pop("metadata", {})}
    references = (picture("reference"),) * more.pop("num_references", 0)
    sources = tuple(picture("source", number) for number in range(num_sources))
    return JudgeRequest("s", sources, picture("edited"), instruction, metadata=metadata, references=references, **more)


def ask(
    protocol: str, request: JudgeRequest, replies: Sequence[str], **params: Any
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The value of every metric, or why it has none, and the fields of every call, in order; `replies` likewise."""
    with ChatServer() as server:
        given = {
            "protocol": protocol,
            "base_url": server.url,
            "model": "tiny-judge",
            "concurrency": 1,
            "max_retries": 0,
            **params,
        }
        judge = OpenaiChatJudge(OpenaiChatParams(**given))
        server.will(chat_server.saying("ready"))
        judge.load(["cpu"])
        server.calls.clear()
        server.will(*map(chat_server.saying, replies))
        try:
            (row,) = judge.judge([request])
        finally:
            judge.unload()
        return {one.metric: one.value if one.value is not None else one.reason for one in row}, server.calls


def parts(call: Mapping[str, Any]) -> list[str]:
    """Every part of a call: "role: " and a text, or the name and number of a picture with its detail, if any."""
    found = []
    for message in call["messages"]:
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if part["type"] == "text":
                found.append(f"{message['role']}: {part['text']}")
                continue
            (one,), _ = chat_server.parts({"messages": [{"role": "user", "content": [part]}]})
            found.append(" ".join(filter(None, (_name(one), part["image_url"].get("detail")))))
    return found


def _name(data: bytes) -> str:
    from editeval.images import decode

    width, height = decode(data).size
    role = next(role for role, size in SIZES.items() if size[0] == width)
    return f"<{role} {height - SIZES[role][1]}>"


def authors_file(folder: Path, protocol: str, text: str, changed: Mapping[str, str] | None = None) -> Path:
    """A file with every constant of the protocol, each `text` with NAME in it replaced."""
    source = protocols.class_of(protocol).prompt_source
    assert source is not None
    path = folder / source.files[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    words = {name: text.replace("NAME", name) for name in source.hashes} | dict(changed or {})
    path.write_text("".join(f"{name} = {words[name]!r}\n" for name in words), "utf-8")
    return folder
