"""The JSON that a server or an engine may force a reply into, by answer format; plain text is never forced there.

Every form has room for "cannot judge": a judge that was shown nothing must not be forced to give a number. Labels are
never forced: a judge that wants to say something else must be able to, so that it shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from editeval.judges.parsing.json_answer import CANNOT_JUDGE

_GRADE = {"type": "number", "minimum": 0, "maximum": 10}
_ABSTAINED = {"type": "string", "enum": [CANNOT_JUDGE]}
_REASONING = {"type": "string", "maxLength": 400}  # without an end, a reply may run into the token limit


def _object(score: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"score": dict(score), "reasoning": dict(_REASONING)},
        "required": ["score", "reasoning"],
        "additionalProperties": False,
    }


JSON_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "pair": _object({"anyOf": [{"type": "array", "items": _GRADE, "minItems": 2, "maxItems": 2}, _ABSTAINED]}),
    "verdict": _object({"type": "string", "enum": ["yes", "no", CANNOT_JUDGE]}),
}
"""By answer format; those that are not here are written freely."""

NUMBER = rf"(10(\.0)?|[0-9](\.[0-9]{{1,2}})?|{CANNOT_JUDGE})"
"""What `number` is, for engines that can force a regular expression."""
