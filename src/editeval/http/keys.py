"""Keys of servers: they come from environment variables, and no file, log or message ever shows one."""

from __future__ import annotations

import os
import re

from editeval.errors import ConfigError, MachineError

SECRET = re.compile(r"api_?key|auth|token|password|secret|credential")
"""Names of fields that hold secrets."""

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


def check_variable(name: str) -> None:
    """Raises ConfigError for what looks like a key itself, and does not repeat it."""
    if name and (not _VARIABLE.fullmatch(name) or (len(name) >= 20 and "_" not in name)):
        raise ConfigError(
            "api_key_env: must be the NAME of an environment variable, such as OPENAI_API_KEY (capitals, digits, _); "
            "the value given is not one and is not shown here, as it may be a key"
        )


def key_in(where: str, variable: str) -> str:
    """The key in the environment variable; none without one. Raises MachineError, which never shows it."""
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise MachineError(f"{where}: the environment variable {variable} is not set; export it")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise MachineError(f"{where}: {variable} holds something that is no key (spaces, controls)")
    return key
