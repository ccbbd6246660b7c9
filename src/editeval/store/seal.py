"""Who wrote a manifest or a ledger: the seal of this user on this machine, which nobody else can make.

A random key in the user's configuration folder; the seal is an HMAC with it. A run directory from somewhere else, one
that was changed, and one of an older version have no seal that fits: their settings execute nothing without consent.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path

from editeval.files import user_folder

NUM_BYTES = 32


def canonical(value: object) -> bytes:
    """JSON of which there is one for a value: keys sorted, no spaces, no NaN."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.encode()


def seal_of(value: object) -> str:
    """The seal of a JSON value; empty where there is no place for a key, so that the value counts as a stranger's."""
    own = key(is_made=True)
    return hmac.new(own, canonical(value), hashlib.sha256).hexdigest() if own else ""


def is_sealed(value: object, seal: object) -> bool:
    """Whether `seal` is the one that this user on this machine gives to `value`."""
    own = key(is_made=False)
    if not own or not isinstance(seal, str):
        return False
    return hmac.compare_digest(hmac.new(own, canonical(value), hashlib.sha256).hexdigest().encode(), seal.encode())


def key_file() -> Path:
    """The user's key. Raises RuntimeError for a user without a home."""
    return user_folder() / "key"


def key(is_made: bool) -> bytes:
    """The key, made now if there is none and `is_made`; empty if there is none."""
    with contextlib.suppress(OSError, RuntimeError):
        path = key_file()
        if is_made and not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = path.with_name(f".key.{os.getpid()}.{secrets.token_hex(4)}.tmp")
            try:
                temporary.touch(0o600, exist_ok=False)
                temporary.write_bytes(secrets.token_bytes(NUM_BYTES))
                with contextlib.suppress(FileExistsError):  # another process was first
                    os.link(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
        found = path.read_bytes()
        return found if len(found) == NUM_BYTES else b""
    return b""
