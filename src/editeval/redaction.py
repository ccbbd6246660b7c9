"""Secrets stay out of everything that is written or printed.

A secret is the value of an environment variable whose name says so, or that an `api_key_env` names; text of a form that
only keys have; or what stands where keys do: before the @ of an address, after Bearer, as the value of `?token=`. Where
one is needed, a configuration holds the NAME of the variable, never the value.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Mapping
from functools import cache
from types import TracebackType

MIN_LENGTH = 8  # of a value: "1" and "true" in the place of a secret would black out half of every log
MAX_LINE = 1 << 16  # bytes that a stream may keep back until a line ends
_NAME = re.compile(
    r"(?:.*_)?(?:\w*(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL)S?|PASS|PWD|PAT|AUTH|COOKIE|DSN)(?:_.*)?"
)
_PATH = re.compile(r"[/~](?![A-Za-z0-9/+]{39}$)")  # but for the keys of AWS, which may begin with a slash
_FORMS = re.compile(
    r"(?<![A-Za-z0-9])(?:sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|A[KS]IA[A-Z0-9]{16}"
    r"|(?:hf|gsk|r8|npm|sk_live|rk_live|tgp_v1)_[A-Za-z0-9_-]{20,}|(?:nvapi|glpat|xai|pplx)-[A-Za-z0-9_-]{20,}"
    r"|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,})"
)
_PLACES = re.compile(  # what comes before a secret, which is the rest
    r"(://)(?:[^/\s:@]*:[^/\s@]+|[^/\s:@]{8,})(?=@)"  # in an address, before the host
    r"|(\bbearer\s+|\bauthorization[\"']?\s*[:=]\s*[\"']?(?:basic\s+|token\s+)?)[A-Za-z0-9._~+/=-]{16,}"
    r"|([?&;](?:\w*key|\w*token|auth|sig|signature|\w*secret|password|x-amz-[a-z-]+)=)[^&;\s\"'<>#]{8,}"
    r"|(\b(?:x-)?(?:api|access|auth)[_-]?(?:key|token)[\"']?\s*[:=]\s*[\"']?)[^\s\"',;&]{8,}",
    re.IGNORECASE,
)
_WATCHED = "_EDITEVAL_SECRETS"  # names of variables; the processes that this one starts have them too
_SECRET_KEY = re.compile(
    r"(?:.*[_-])?(?:api_?key|access_?key|private_?key|authorization|bearer|(?:auth|access|api|hf|hub)_?token|token"
    r"|password|passwd|passphrase|secret|credentials?)",
    re.IGNORECASE,
)


def watch(variable: str) -> None:
    """From now on the value of this environment variable is a secret, whatever the variable is called.

    Also for the processes that this one starts.
    """
    if variable in os.environ:
        os.environ[_WATCHED] = ",".join(sorted({variable, *_watched()}))


def _watched() -> list[str]:
    return os.environ.get(_WATCHED, "").split(",")


def secrets_in(environ: Mapping[str, str]) -> dict[str, str]:
    """Value -> name of every variable that holds a secret; longer values first. Paths are none."""
    watched = _watched()
    found = {
        value.strip(): name
        for name, value in sorted(environ.items())
        if (name in watched or _is_secret(name)) and len(value.strip()) >= MIN_LENGTH and not _PATH.match(value)
    }
    return dict(sorted(found.items(), key=lambda pair: -len(pair[0])))


@cache
def _is_secret(name: str) -> bool:
    return _NAME.fullmatch(name.upper()) is not None


def redacted(text: str, environ: Mapping[str, str] | None = None) -> str:
    """`text` with `[NAME]` for the value of the variable NAME, and `[secret]` for whatever has the form of a key."""
    for value, name in secrets_in(os.environ if environ is None else environ).items():
        text = text.replace(value, f"[{name}]")
    return _PLACES.sub(lambda match: f"{match[match.lastindex or 0]}[secret]", _FORMS.sub("[secret]", text))


class LineRedactor:
    """Output of another process without secrets: give it what was read, and write what it returns.

    It hands over whole lines, which end with a newline or, as progress bars have it, a carriage return. One longer than
    MAX_LINE comes in pieces, cut between words where it has any.
    """

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, data: bytes) -> bytes:
        """What is whole by now."""
        kept = self._kept + data
        end = max(kept.rfind(b"\n"), kept.rfind(b"\r")) + 1
        if not end and len(kept) > MAX_LINE:
            end = kept.rfind(b" ") + 1 or len(kept)
        self._kept = kept[end:]
        return _redacted_bytes(kept[:end])

    def end(self) -> bytes:
        """What is left when nothing more comes."""
        kept, self._kept = self._kept, b""
        return _redacted_bytes(kept)


def _redacted_bytes(data: bytes) -> bytes:
    return redacted(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


class RedactingFormatter(logging.Formatter):
    """Log lines, and tracebacks in them, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def guard_tracebacks() -> None:
    """From now on, what ends this process or one of its threads is printed without secrets."""

    def show(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        sys.stderr.write(redacted("".join(traceback.format_exception(kind, error, trace))))

    def show_in_thread(ended: threading.ExceptHookArgs) -> None:
        show(ended.exc_type, ended.exc_value, ended.exc_traceback)

    sys.excepthook = show
    threading.excepthook = show_in_thread


def secret_in(key: str, value: str, environ: Mapping[str, str]) -> str:
    """Why a configuration must not hold `value` under `key`, without repeating it; empty if it may."""
    if value and _SECRET_KEY.fullmatch(key.rpartition(".")[2]):
        return "secrets do not belong in a configuration"
    if _FORMS.search(value) or _PLACES.search(value):
        return "this looks like a secret"
    name = next((name for secret, name in secrets_in(environ).items() if secret in value), "")
    return f"this is the value of the environment variable {name}" if name else ""
