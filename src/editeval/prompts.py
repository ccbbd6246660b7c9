"""The YAML section `prompts`: one prompt for the judge per category, filled in without ever running format code.

Placeholders are `{original_description}`, `{edit_instruction}` (v2) and `{category}`; every other brace is
literal text, and doubled braces are single ones, as `str.format` had it. Inserted text is never expanded again, and
cannot leave the place where it is inserted: it starts no line, and closes no tag that the template may put around it.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from editeval.errors import ConfigError
from editeval.types import Sample

PLACEHOLDERS = ("original_description", "edit_instruction", "category")
_TOKEN = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """System and user text of one category."""

    system_prompt: str
    user_prompt_template: str

    def render(self, sample: Sample) -> tuple[str, str]:
        """(system, user) for `sample`; neither the description nor the instruction is expanded again."""
        values = {
            "original_description": sample.description,
            "edit_instruction": sample.instruction,
            "category": sample.category,
        }

        def replace(match: re.Match[str]) -> str:
            if match[0] in ("{{", "}}"):
                return match[0][0]
            return contained(values[match[1]]) if match[1] in values else match[0]

        return self.system_prompt, _TOKEN.sub(replace, self.user_prompt_template)


def contained(text: str) -> str:
    """`text` on one line without angle brackets: what would break out becomes its escape; other texts are as given.

    A data set must not be able to speak to the judge in the configuration's name.
    """
    return "".join(c if c not in "<>" and (c.isprintable() or c == "\u200d") else f"\\u{ord(c):04x}" for c in text)


def check(where: str, prompt: Prompt) -> None:
    """Raises ConfigError if the template has a placeholder that looks like a misspelt one of ours."""
    for match in _TOKEN.finditer(prompt.user_prompt_template):
        name = match[1]
        if name and name not in PLACEHOLDERS:
            close = difflib.get_close_matches(name, PLACEHOLDERS, n=1)
            hint = f"; did you mean {{{close[0]}}}?" if close else ""
            known = ", ".join(f"{{{p}}}" for p in PLACEHOLDERS)
            raise ConfigError(
                f"{where}.user_prompt_template: unknown placeholder {{{name}}}{hint} "
                f"(known: {known}; write {{{{{name}}}}} for literal braces)"
            )


CATEGORIES = ("physical", "environmental", "cultural", "causal", "referential")
