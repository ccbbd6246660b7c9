"""What a reply means, whatever API it is of: an answer, a refusal, something that passes, the end of the run."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime

from editeval.errors import MachineError
from editeval.http.client import DeclinedError, HttpReply, PassingError, Server

PASSING = frozenset({408, 409, 425, 429})
FATAL = {
    401: "the server does not accept the key; set the environment variable named in api_key_env",
    402: "the account has no credit left; top it up, then run the same command again",
    403: "the key has no permission for this; use another key, or another model",
    404: "no such model or address; fix model or base_url",
    405: "this address takes no such requests; fix base_url",
}
_REFUSALS = re.compile(r"moderation|content_policy|content_filter|safety|image_generation_user_error")
_REFUSAL_TEXT = re.compile(r"safety system|content policy|content management policy|content filter", re.IGNORECASE)
_NO_MODEL = re.compile(r"\bmodel\b.{0,200}\b(does not exist|not found|not exist)\b|model mismatch", re.I | re.S)


def check(server: Server, reply: HttpReply) -> None:
    """Returns for a 2xx reply without an error in it.

    Raises PassingError (ask again), DeclinedError (this request, never again) or MachineError (stop the run).
    """
    code, text = complaint(reply.body)
    if 200 <= reply.status < 300:
        if not code and not text:
            return
    elif 300 <= reply.status < 400:
        target = server.quote(reply.headers.get("location", "nowhere"))
        raise MachineError(f"{server.url}: redirects to {target}; set base_url to the address itself")
    said = f"{reply.status}: {server.quote(text or snippet(reply))}"
    if _REFUSALS.search(code) or (reply.status in (200, 400) and _REFUSAL_TEXT.search(text)):
        raise DeclinedError(f"refused by the server: {said}", is_refusal=True)
    if reply.status in FATAL:
        raise MachineError(f"{server.url}: {said}; {FATAL[reply.status]}")
    if "quota" in code or "billing" in code:
        raise MachineError(f"{server.url}: {said}; {FATAL[402]}")
    if code == "model_not_found" or (reply.status == 400 and _NO_MODEL.search(text)):
        raise MachineError(f"{server.url}: {said}; {FATAL[404]}")
    if reply.status in PASSING or reply.status >= 500 or reply.status < 400:
        raise PassingError(said, wait_of(reply))
    raise DeclinedError(f"not accepted by the server: {said}", is_refusal=False)


def complaint(body: bytes) -> tuple[str, str]:
    """(code in lower case, text) of the error in a JSON reply, in any of the shapes servers use; ("", "") for none."""
    try:
        data = parse(body)
    except PassingError:
        return "", ""
    error = data.get("error")
    if error is None and data.get("object") == "error":
        error = data
    if isinstance(error, dict):
        code = " ".join(str(error[k]) for k in ("code", "type") if error.get(k) is not None)
        return code.lower(), str(error.get("message") or error)
    if error:
        return "error", str(error)
    detail = data.get("detail")  # FastAPI's own errors
    return ("", str(detail)) if detail else ("", "")


def mapping(value: object) -> Mapping[str, object]:
    """`value`, if it is an object of JSON; else an empty one."""
    return value if isinstance(value, dict) else {}


def listing(value: object) -> Sequence[object]:
    """`value`, if it is an array of JSON; else an empty one."""
    return value if isinstance(value, list) else ()


def parse(body: bytes) -> dict[str, object]:
    """The JSON object that `body` is. Raises PassingError."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise PassingError(f"the reply ({len(body)} bytes) is no JSON object")
    return data


def snippet(reply: HttpReply) -> str:
    """The beginning of a reply that is not what it should be."""
    kind = reply.headers.get("content-type", "no content type")
    return f"{kind}, {len(reply.body)} bytes: {reply.body[:120].decode('utf-8', 'replace')!r}"


def wait_of(reply: HttpReply) -> float | None:
    """Seconds that `Retry-After` asks for, as a number or a date; None if it is absent or nonsense."""
    text = reply.headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def models_of(reply: HttpReply) -> tuple[str, ...]:
    """Names that GET /models lists; () if it does not say."""
    try:
        entries = parse(reply.body).get("data")
    except PassingError:
        return ()
    return tuple(str(e["id"]) for e in listing(entries) if isinstance(e, dict) and e.get("id"))
