"""From nodes to typed values: strict types, one line per mistake. The only file that knows pydantic."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeGuard, get_type_hints

from editeval.config.schema import POLICIES, Execution
from editeval.config.yaml_tree import Node, Plain, plain, problem, quoted, shown
from editeval.errors import ConfigError, MistakesError, Problems
from editeval.types import STATISTICS, PluginParams

if TYPE_CHECKING:  # imported where it is used: commands that only look at a run start without it
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

EXECUTION: Mapping[str, object] = {
    **get_type_hints(Execution, include_extras=True),
    "policy": Literal[*POLICIES],
}
"""The keys of `execution` and their types."""
MAX_NAME = 100  # characters
STATISTIC: object = Literal.__getitem__(STATISTICS)


def parse(hint: Any, node: Node) -> Any:
    """The node's value as `hint`, as strict as JSON: no text for numbers, no numbers for booleans; int is a float."""
    from pydantic import TypeAdapter, ValidationError

    value = plain(node)
    try:
        return TypeAdapter(hint).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise _explained(node, value, error) from error


def _explained(node: Node, value: Plain, error: ValidationError) -> ConfigError:
    """Every place in `value` that is wrong, one line each."""
    errors: dict[tuple[int | str, ...], ConfigError] = {}
    for detail in error.errors(include_url=False, include_context=True):
        location, found = _followed(detail["loc"], value)
        if location not in errors:  # members of a union complain about the same place
            message = f"{_plain_english(detail['msg'])}, got {quoted(found)}{_advice(detail, found)}"
            errors[location] = problem(node, message, location)
    return next(iter(errors.values())) if len(errors) == 1 else MistakesError(list(errors.values()))


def _followed(path: Sequence[int | str], value: Plain) -> tuple[tuple[int | str, ...], Plain]:
    """Where `path` leads in `value`, and what is there. Members of unions, also in a path, are passed over."""
    location: list[int | str] = []
    for part in path:
        parts: dict[int | str, Plain] = {}
        if isinstance(value, dict | list):
            parts.update(value.items() if isinstance(value, dict) else enumerate(value))
        if part in parts:
            value = parts[part]
            location.append(part)
    return tuple(location), value


def _plain_english(message: str) -> str:
    """What pydantic says, as the other messages say it."""
    words = {"Input should be": "must be", "a valid ": "a ", "a array": "a list", "a integer": "an integer"}
    for old, new in (words | {"a string": "text", "'": ""}).items():
        message = message.replace(old, new)
    return message.rstrip(".")


def _advice(first: ErrorDetails, value: Plain) -> str:
    kind = first["type"]
    if kind == "literal_error" and isinstance(value, str):
        return suggestion(value, str(first["ctx"]["expected"]).replace(" or ", ", ").replace("'", "").split(", "))
    if kind in ("int_type", "float_type") and isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return ""
        return f" (text); write {number:g} without quotes" if number.is_integer() else " (text); write a plain number"
    if kind == "bool_type":
        return "; write true or false"
    return "; put it in quotes" if kind == "string_type" and isinstance(value, bool | int | float) else ""


def suggestion(word: str, known: Collection[str]) -> str:
    """`; did you mean 'x'?`, or what there is, or nothing if nothing is close and the list is long."""
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(sorted(known))}" if known and len(known) <= 16 else ""


def unknown(name: str, node: Node, known: Collection[str]) -> ConfigError:
    """The error for a key `name` that nobody reads; of a flag such as --data, what it would have set."""
    if not node.key:
        listed = f"; it has: {', '.join(sorted(known))}" if known else ""
        return problem(node, f"sets the parameter `{name}`, which the chosen type does not have{listed}")
    advice = suggestion(node.key.rpartition(".")[2], known) or "; nothing reads it, remove it"
    return problem(node, f"unknown key{advice}")


def parse_path(node: Node) -> Path:
    """A path; `~` is the home directory, anything relative stays so."""
    text = parse(str, node)
    if not text or "\x00" in text or "\n" in text:
        raise problem(node, f"must be a path, got {quoted(text)}")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise problem(node, f"{error}, got {quoted(text)}") from error


def parse_name(node: Node) -> str | None:
    """A name for tables, which commands take as well: one line that can be typed and means nothing else yet."""
    text: str | None = parse(str | None, node)
    is_plain = text is None or (text == text.strip() and text.isprintable() and 0 < len(text) <= MAX_NAME)
    if not is_plain or text == "latest":
        advice = f"must be one line of at most {MAX_NAME} printable characters, and not latest"
        raise problem(node, f"{advice}, got {quoted(text)}")
    return text


def parse_names(node: Node, one: object = str) -> tuple[str, ...]:
    """A list of `one` without repetitions."""
    names: tuple[str, ...] = parse(tuple[one, ...], node)  # type: ignore[valid-type]
    problems = Problems()
    for i, name in enumerate(names):
        if name in names[:i] or not name:
            problems.add(problem(node, f"{shown(name)} is listed twice" if name else "is empty", (i,)))
    problems.check()
    return names


def parse_devices(node: Node) -> tuple[str, ...] | None:
    """`cpu` and `cuda:N`; numbers, `N-M`, `all` and text with commas are understood. None = all visible GPUs."""
    value = plain(node)
    if value in (None, "all", ["all"]):
        return None
    entries = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    problems = Problems()
    found: list[str] = []
    for i, entry in enumerate(entries):
        with problems.collect():
            found += _device(node, entry, i)
    problems.check()
    if not found:
        raise problem(node, "is empty; name a device, or leave the key out for all visible GPUs")
    twice = [name for i, name in enumerate(found) if name != "cpu" and name in found[:i]]
    if twice:
        raise problem(node, f"{twice[0]} is listed twice; a GPU holds one worker")
    return tuple(found)


def _device(node: Node, entry: Plain, index: int) -> list[str]:
    text = str(entry).strip().lower() if isinstance(entry, str | int) and not isinstance(entry, bool) else ""
    if text in ("cpu", "cuda"):
        return ["cpu" if text == "cpu" else "cuda:0"]
    span = re.fullmatch(r"(?:cuda:)?([0-9]{1,4})(?:-([0-9]{1,4}))?", text)
    numbers = range(int(span[1]), int(span[2] or span[1]) + 1) if span else range(0)
    if not numbers:
        raise problem(node, f"must be GPU numbers, 'cuda:N' or 'cpu', got {quoted(entry)}", (index,))
    return [f"cuda:{n}" for n in numbers]


def _is_model(cls: type) -> TypeGuard[type[BaseModel]]:
    """Is it a pydantic model? If it is, somebody has imported pydantic."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(cls, pydantic.BaseModel)


def field_names(cls: type) -> dict[str, bool]:
    """The parameters of a plug-in's Params, a dataclass or a pydantic model; True: it has no default."""
    if _is_model(cls):
        return {name: field.is_required() for name, field in cls.model_fields.items()}
    none = dataclasses.MISSING
    return {f.name: f.default is none and f.default_factory is none for f in dataclasses.fields(cls) if f.init}


def build(cls: type, node: Node, section: str, problems: Problems, meant: Collection[str] = ()) -> PluginParams:
    """An instance of `cls` from the children of `node`; None if `problems` has learned why there is none.

    What is wrong: a type, a missing field, or whatever the class itself refuses. A field that is `meant`, its dotted
    key misspelt, is missing without another word.
    """
    before = len(problems.found)
    for name, is_required in field_names(cls).items():
        if is_required and name not in node.children and f"{section}.{name}" not in meant:
            problems.add(ConfigError(f"{node.where}: {section}.{name}: missing; it has no default"))
    if _is_model(cls):
        made = _model(cls, node, section, problems)
    else:
        hints = get_type_hints(cls, include_extras=True)
        values = {}
        for name, below in node.children.items():
            with problems.collect():
                values[name] = parse(hints[name], below)
        is_whole = all(name in values or not needed for name, needed in field_names(cls).items())
        made = _instance(cls, values, node, section, problems) if is_whole else None
    return made if len(problems.found) == before else None


def _instance(
    cls: type, values: dict[str, object], node: Node, section: str, problems: Problems
) -> PluginParams | None:
    """An instance, or None. A value that the class refuses is left out, to see what else it refuses."""
    said = _refusal(cls, values)
    if not said:
        return cls(**values)
    needed = field_names(cls)
    while said:
        name, rest = _about(said, needed)
        below = node.children.get(name)
        if below is not None:  # it has a line of its own, or came by a flag
            problems.add(problem(below, f"{rest}{_closest(rest)}"))
        else:
            problems.add(ConfigError(f"{node.where}: {section}{f'.{name}' if name else ''}: {rest}"))
        optional = [key for key in values if not needed[key]]
        refused = [name] if name in optional else optional
        left_out = next((key for key in refused if _refusal(cls, values, key) != said), None)
        if left_out is None:
            return None
        del values[left_out]
        said = _refusal(cls, values)
    return None


def _refusal(cls: type, values: Mapping[str, object], left_out: str = "") -> str:
    """What the class says against `values` without one of them; nothing if it takes them."""
    try:
        cls(**{name: value for name, value in values.items() if name != left_out})
    except (ValueError, TypeError, ConfigError) as error:
        return " ".join(str(error).split()) or type(error).__name__
    return ""


def _about(said: str, known: Collection[str]) -> tuple[str, str]:
    """The field that `name: message`, or `name must ...`, is about, and the rest; no name if it is about several."""
    match = re.match(r"(\w+)(?:: | (?=must ))", said)
    return (match[1], said[match.end() :]) if match and match[1] in known else ("", said)


def _closest(said: str) -> str:
    """`; did you mean 'x'?` for a message that lists what there is, and names what it got."""
    match = re.search(r"must be (?:\w+ or )?one of (.+), got '([^']*)'$", said)
    close = difflib.get_close_matches(match[2], match[1].split(", "), n=1) if match else []
    return f"; did you mean {close[0]!r}?" if close else ""


def _model(cls: type[BaseModel], node: Node, section: str, problems: Problems) -> BaseModel | None:
    """An instance of a pydantic model, or None."""
    from pydantic import ValidationError

    try:
        return cls.model_validate_json(json.dumps(plain(node)), strict=True)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=True):
            below = node.children.get(str(next(iter(detail["loc"]), "")))
            said = _plain_english(detail["msg"])
            if below is not None:
                location, found = _followed(detail["loc"][1:], plain(below))
                problems.add(problem(below, f"{said}, got {quoted(found)}{_advice(detail, found)}", location))
            elif detail["type"] != "missing":
                problems.add(ConfigError(f"{node.where}: {section}: {said}"))
        return None


def to_json(params: PluginParams) -> dict[str, object]:
    """Every field of a Params instance as JSON values."""
    from pydantic_core import to_jsonable_python

    return {name: to_jsonable_python(getattr(params, name)) for name in field_names(type(params))}


def is_address(text: str) -> bool:
    """Whether it is host:port and nothing more: `ray://head:10001` is another program's, and could not carry a run."""
    host, _, port = text.rpartition(":")
    return bool(host) and "/" not in host and port.isdecimal() and 0 < int(port) < 65536
