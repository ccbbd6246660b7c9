"""Secrets stay out of everything that is written or printed.

A secret is the value of an environment variable whose name says so, or text of a form that only keys have. Where one
is needed, a configuration holds the NAME of the variable, never the value.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Mapping
from types import TracebackType

MIN_LENGTH = 8  # of a value: "1" and "true" in the place of a secret would black out half of every log
_WORDS = {"KEY", "APIKEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "CREDENTIALS", "PAT"}
_FORMS = re.compile(
    r"(?<![A-Za-z0-9])(?:sk-[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}"
    r"|AKIA[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|xox[abprs]-[A-Za-z0-9-]{10,}|nvapi-[A-Za-z0-9_-]{20,}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,})"
)
_SECRET_KEY = re.compile(
    r"(?:.*[_-])?(?:api_?key|access_?key|private_?key|authorization|bearer|(?:auth|access|api|hf|hub)_?token|token"
    r"|password|passwd|passphrase|secret|credentials?)",
    re.IGNORECASE,
)


def secrets_in(environ: Mapping[str, str]) -> dict[str, str]:
    """Value -> name of every variable that holds a secret; longer values first. Paths are none."""
    found = {
        value.strip(): name
        for name, value in sorted(environ.items())
        if _WORDS & set(name.upper().split("_"))
        and len(value.strip()) >= MIN_LENGTH
        and not value.startswith(("/", "~"))
    }
    return dict(sorted(found.items(), key=lambda pair: -len(pair[0])))


def redacted(text: str, environ: Mapping[str, str] | None = None) -> str:
    """`text` with `[NAME]` for the value of the variable NAME, and `[secret]` for whatever has the form of a key."""
    for value, name in secrets_in(os.environ if environ is None else environ).items():
        text = text.replace(value, f"[{name}]")
    return _FORMS.sub("[secret]", text)


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
    if _FORMS.search(value):
        return "this looks like a secret"
    name = next((name for secret, name in secrets_in(environ).items() if secret in value), "")
    return f"this is the value of the environment variable {name}" if name else ""
