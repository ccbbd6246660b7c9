"""argparse with one line per mistake and no abbreviations."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    pass
from editeval.cli.console import USAGE, print_error


class Parser(argparse.ArgumentParser):
    """argparse that suggests the flag you meant, and never guesses one from its beginning."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def error(self, message: str) -> NoReturn:
        hint = ""
        if message.startswith("unrecognized arguments:"):
            wrong = message.split()[2].partition("=")[0]
            close = difflib.get_close_matches(wrong, self.known_flags(), n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; see `{self.prog} --help`"
            if wrong in close:
                hint = "; this command does not take it: see its --help"
        elif "invalid choice:" in message:
            wrong, *choices = re.findall("'([^']*)'", message)
            close = difflib.get_close_matches(wrong, choices, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
        else:
            hint = f"; see `{self.prog} --help`"
        print_error(f"{message}{hint}")
        sys.exit(USAGE)

    def known_flags(self) -> list[str]:
        """Every flag of this parser and its commands."""
        flags: list[str] = []
        for action in self._actions:
            flags += action.option_strings
            if isinstance(action, argparse._SubParsersAction):
                for parser in action.choices.values():
                    flags += parser.known_flags()
        return flags
