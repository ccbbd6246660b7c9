"""What to try when an instruction is not understood: plain instructions made of the words that it does contain."""

from __future__ import annotations

import re

from editeval.editors.rules import colours, nouns, phrases


def guesses(instruction: str) -> list[str]:
    """Plain instructions, the most specific first; the last one needs no word of `instruction` at all."""
    words = re.findall(r"[a-z]+", phrases.normalised(instruction))
    named = list(dict.fromkeys(word for word in words if word in colours.NAMES))
    things = list(dict.fromkeys(word for word in words if word in nouns.HINTS and word not in colours.NAMES))
    thing = things[0] if things else "object"
    tries = []
    if len(named) > 1:
        tries.append(f"make the {named[0]} {thing} {named[-1]}")
    if named:
        tries.append(f"make the {thing} {named[-1]}")
    if things:
        tries.append(f"remove the {thing}")
    return [*tries, "remove the largest object", "darken the picture"]
