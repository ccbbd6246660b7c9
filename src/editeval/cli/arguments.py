"""How arguments are taken: one line per mistake, nothing guessed."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from typing import Any, NoReturn

from editeval.cli.console import USAGE, print_error


class Parser(argparse.ArgumentParser):
    """argparse with one line per mistake, that suggests the flag you meant and guesses none from its beginning.

    `last` names an optional argument, None if it is not given, that may also stand behind the flags.
    """

    last = ""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        found, rest = super().parse_known_args(args, namespace)
        if self.last and rest and not rest[0].startswith("-") and getattr(found, self.last) is None:
            setattr(found, self.last, rest.pop(0))
        if rest:  # told by the command itself, which knows its own flags
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def error(self, message: str) -> NoReturn:
        hint = f"; see `{self.prog} --help`"
        if message.startswith("unrecognized arguments:"):
            wrong = message.split()[2].partition("=")[0]
            close = difflib.get_close_matches(wrong, self.known_flags(), n=1)
            hint = f"; did you mean {close[0]}?" if close else hint
        elif "invalid choice:" in message:
            wrong, *choices = re.findall("'([^']*)'", message)
            close = difflib.get_close_matches(wrong, choices, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
        print_error(f"{message}{hint}")
        sys.exit(USAGE)

    def commands(self) -> list[Parser]:
        """The parsers of its commands."""
        groups = [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return [parser for group in groups for parser in group.choices.values()]

    def known_flags(self) -> list[str]:
        """The flags of this command that its help shows."""
        shown = [action for action in self._actions if action.help != argparse.SUPPRESS]
        return [flag for action in shown for flag in action.option_strings]


class VersionAction(argparse.Action):
    def __call__(self, *_: object, **__: object) -> None:
        from importlib.metadata import version

        sys.stdout.write(f"editeval {version('editeval')}\n")
        sys.exit(0)
