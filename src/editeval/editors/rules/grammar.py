"""From an English instruction to commands: clauses, then the first matching sentence pattern of each clause."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache

from editeval.editors.rules import colours, nouns, phrases, reference
from editeval.editors.rules.colours import Colour
from editeval.editors.rules.patterns import CONSTRAINT, DEFAULTS, PATTERNS, PREFACE, STATE, VERB
from editeval.editors.rules.phrases import Place
from editeval.editors.rules.reference import Reference
from editeval.errors import EditRefusedError


class InstructionError(EditRefusedError):
    """The rule-based editor does not understand an instruction, or finds nothing in the picture that it refers to."""


@dataclass(frozen=True, slots=True)
class Command:
    """One edit. `text` is the clause it was read from, for measures that only the action understands."""

    action: str
    targets: tuple[Reference, ...]
    text: str
    colour: Colour | None = None
    place: Place | None = None
    word: str = ""  # weather, shape, or axis, as the action needs


def parse(instruction: str) -> tuple[Command, ...]:
    """At least one command. Raises InstructionError if no clause has a verb that the patterns know."""
    commands: list[Command] = []
    for clause in _clauses(phrases.normalised(instruction)):
        previous = commands[-1] if commands else None
        command = _command(clause) or _continued(clause, previous) or _keyword(clause)
        if command is not None:
            commands.append(_resolved(command, previous))
    if not commands:
        raise InstructionError(
            f"classical: no edit verb recognised in {instruction!r}; it reads English instructions such as "
            "'make the red circle blue', 'remove the largest star' or 'turn the left half grey'"
        )
    return tuple(commands)


def _clauses(text: str) -> list[str]:
    sentences = re.split(r"[.;!?\n]+(?:\s|$)|\s+-+\s+", text)
    clauses: list[str] = []
    for sentence in sentences:
        for part in re.split(
            rf",? (?:and then|then|after that|and also|and|but) (?={VERB}\b)|, (?={VERB}\b)", sentence
        ):
            kept = re.sub(CONSTRAINT, "", part).strip(" ,")
            kept = re.sub(r"^(?:and|then|also|so|but|next|finally|first),? ", "", kept)
            kept = re.sub(PREFACE, "", kept)
            if kept:
                clauses.extend(_split_contrast(kept))
    return clauses


def _split_contrast(clause: str) -> list[str]:
    """ "make the circle red and the square green" gives two clauses, "make the circle and the square red" one."""
    if re.search(r"\bbetween\b", clause):
        return [clause]
    for found in re.finditer(r",? and |, ", clause):
        left, right = clause[: found.start()], clause[found.end() :]
        made = right if re.match(rf"{reference.DETERMINER} ", right) else f"it {right}"
        if re.match(rf"{VERB}\b", right) or _command(left) is None or _command(f"make {made}") is None:
            continue
        return [left, *_split_contrast(f"make {made}")]
    return [clause]


@cache
def _compiled() -> tuple[tuple[str, re.Pattern[str]], ...]:
    shapes = "|".join(n for n, hint in nouns.HINTS.items() if hint.shapes and n not in colours.NAMES)
    fill = {
        "<T>": rf"(?P<target>(?:(?:{reference.DETERMINER}|of|these|those) )*+.+?)",
        "<C>": rf"(?P<colour>{colours.pattern()})",
        "<P>": r"(?P<place>.+)",
    }
    fill |= {"<S>": rf"(?:an? |the |some )?(?P<word>(?:[a-z#0-9]+ )*?(?:{shapes}))"}
    out = []
    for action, pattern in PATTERNS:
        for mark, expression in fill.items():
            pattern = pattern.replace(mark, expression)
        out.append((action, re.compile(pattern)))
    return tuple(out)


def _command(clause: str) -> Command | None:
    for action, pattern in _compiled():
        found = pattern.fullmatch(clause)
        if found is not None:
            return _build(action, clause, found)
    return None


def _build(action: str, clause: str, found: re.Match[str]) -> Command:
    groups = {k: v for k, v in found.groupdict().items() if v}
    target = groups.get("target", DEFAULTS.get(action, ""))
    target = re.sub(r" (?:by )?(?:about )?\d+(?:\.\d+)? ?(?:pixels?|percent|degrees?)(?: of .+)?$", "", target)
    targets = reference.read_all(target) if target else (Reference("", is_whole=True),)
    if "other" in groups:
        targets = (*targets, reference.read(groups["other"]))
    place = phrases.place(groups["place"], clause) if "place" in groups else None
    colour = colours.read(groups["colour"]) if "colour" in groups else None
    return Command(action, targets, clause, colour, place, groups.get("word", ""))


def _continued(clause: str, previous: Command | None) -> Command | None:
    """ "..., and the blue square": a clause without a verb repeats the command before on other targets."""
    if previous is not None and re.match(rf"{reference.DETERMINER} ", clause):
        return replace(previous, targets=reference.read_all(clause))
    return None


def _keyword(clause: str) -> Command | None:
    """Best effort for other wordings that have a verb: what they say something is, or their light or weather word."""
    if re.search(rf"\b(?:{VERB}|{STATE})\b", clause) is None:
        return None
    found = re.fullmatch(rf".*?\b(the .+?) (?:\w+ )*?(?:{STATE}|in|as|to) (.+)", clause)
    command = _command(f"make {found[1]} {found[2]}") if found is not None else None
    if command is not None:
        return command
    for word in re.findall(r"[a-z]+", clause):
        command = _command(f"make it {word}")
        if command is not None and command.action not in ("recolour", "resize"):
            return replace(command, text=clause)
    return None


def _resolved(command: Command, previous: Command | None) -> Command:
    """Pronouns stand for what the command before was about, or for the whole picture."""
    if not any(t.is_pronoun for t in command.targets):
        return command
    whole = Reference("the picture", is_whole=True)
    earlier = previous.targets if previous is not None else (whole,)
    targets = [r for t in command.targets for r in (earlier if t.is_pronoun else (t,))]
    return replace(command, targets=tuple(targets))
