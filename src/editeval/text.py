"""Text for people: the commands that they are told to type next."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from editeval.redaction import redacted


def shell_line(words: Iterable[str]) -> str:
    """`words` as one line for a shell, without secrets."""
    return redacted(shlex.join(words))


def run_command(verb: str, directory: object, *flags: str, names_code: bool) -> str:
    """`editeval VERB FLAGS DIRECTORY` as it can be pasted into a shell.

    `names_code`: the run's configuration names code of the user's own, which is imported only with --allow-code.
    """
    consent = ("--allow-code",) if names_code else ()
    return shell_line(("editeval", verb, *flags, str(directory), *consent))
