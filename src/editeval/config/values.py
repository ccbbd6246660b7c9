"""From nodes to typed values: strict types, one line per mistake. The only file that knows pydantic."""

from __future__ import annotations

import dataclasses
import difflib
import json
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeGuard, get_type_hints

from annotated_types import Ge, Gt, Lt

from editeval.config.schema import POLICIES
from editeval.config.yaml_tree import Node, plain, problem, quoted, shown
from editeval.errors import ConfigError, MistakesError, Problems

if TYPE_CHECKING:  # imported where it is used: commands that only look at a run start without it
    from pydantic import BaseModel, ValidationError

COUNT = Annotated[int, Ge(1)]
SEED = Annotated[int, Ge(0), Lt(2**31)]
SECONDS = Annotated[float, Gt(0)]
EXECUTION: dict[str, Any] = {
    "policy": Literal[*POLICIES],
    "max_drift": Annotated[int, Ge(0)] | None,
    "retry": Literal["in_batch", "at_end"],
    "backend": Literal["process", "inprocess", "ray"],
    "ray_address": str | None,
    "load_concurrency": COUNT,
    "timeout_s": SECONDS,
    "stall_s": SECONDS,
    "start_timeout_s": SECONDS,
    "max_attempts": COUNT,
    "batch_size": COUNT,
    "devices_per_worker": COUNT,
    "python": str | None,
    "requirements": tuple[str, ...],
}
JUDGE_EXECUTION: dict[str, Any] = {**EXECUTION, "overlap": bool | None}
METRICS = tuple[Literal["mean", "std", "median", "min", "max", "count"], ...]


def parse(hint: Any, node: Node) -> Any:
    """The node's value as `hint`, as strict as JSON: no text for numbers, no numbers for booleans; int is a float."""
    from pydantic import TypeAdapter, ValidationError

    value = plain(node)
    try:
        return TypeAdapter(hint).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise _explained(node, value, error) from error


def _explained(node: Node, value: Any, error: ValidationError) -> ConfigError:
    """Every place in `value` that is wrong, one line each."""
    errors: dict[tuple[int | str, ...], ConfigError] = {}
    for detail in error.errors(include_url=False, include_context=True):
        location, found = _followed(detail["loc"], value)
        if location not in errors:  # members of a union complain about the same place
            message = f"{_plain_english(detail['msg'])}, got {quoted(found)}{_advice(detail, found)}"
            errors[location] = problem(node, message, location)
    return next(iter(errors.values())) if len(errors) == 1 else MistakesError(list(errors.values()))


def _followed(path: Sequence[int | str], value: Any) -> tuple[tuple[int | str, ...], Any]:
    """Where `path` leads in `value`, and what is there. Members of unions, also in a path, are passed over."""
    location: list[int | str] = []
    for part in path:
        in_list = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if in_list or (isinstance(value, dict) and part in value):
            value = value[part]
            location.append(part)
    return tuple(location), value


def _plain_english(message: str) -> str:
    """What pydantic says, as the other messages say it."""
    for old, new in (
        ("Input should be", "must be"),
        ("a valid ", "a "),
        ("a array", "a list"),
        ("a integer", "an integer"),
        ("a string", "text"),
        ("'", ""),
    ):
        message = message.replace(old, new)
    return message.rstrip(".")


def _advice(first: Any, value: Any) -> str:
    if first["type"] == "literal_error" and isinstance(value, str):
        return suggestion(value, str(first["ctx"]["expected"]).replace(" or ", ", ").replace("'", "").split(", "))
    wants_number = first["type"] in ("int_type", "float_type")
    if wants_number and isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return ""
        return f" (text); write {number:g} without quotes" if number.is_integer() else " (text); write a plain number"
    if first["type"] == "bool_type":
        return "; write true or false"
    if first["type"] == "string_type" and isinstance(value, (bool, int, float)):
        return "; put it in quotes"
    return ""


def suggestion(word: str, known: Collection[str]) -> str:
    """`; did you mean 'x'?`, or what there is, or nothing if nothing is close and the list is long."""
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(sorted(known))}" if known and len(known) <= 16 else ""


def unknown(node: Node, known: Collection[str]) -> ConfigError:
    """The error for a key that nobody reads."""
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


def parse_names(node: Node, hint: Any = tuple[str, ...]) -> tuple[str, ...]:
    """A list without repetitions."""
    names: tuple[str, ...] = parse(hint, node)
    problems = Problems()
    for i, name in enumerate(names):
        if name in names[:i] or not name:
            problems.add(problem(node, f"{shown(name)} is listed twice" if name else "is empty", (i,)))
    problems.check()
    return names


def parse_devices(node: Node) -> tuple[str, ...] | None:
    """`cpu` and `cuda:N`; numbers, `N-M`, `all` and text with commas are understood. None = all visible GPUs."""
    value = node.value
    if value is None or value == "all":
        return None
    entries = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [plain(node)]
    problems = Problems()
    found: list[str] = []
    for i, entry in enumerate(entries):
        with problems.collect():
            found += _device(node, entry, i)
    problems.check()
    devices = tuple(found)
    if not devices:
        raise problem(node, "is empty; name a device, or leave the key out for all visible GPUs")
    twice = [name for i, name in enumerate(devices) if name != "cpu" and name in devices[:i]]
    if twice:
        raise problem(node, f"{twice[0]} is listed twice; a GPU holds one worker")
    return devices


def _device(node: Node, entry: Any, index: int) -> list[str]:
    text = str(entry).strip().lower() if isinstance(entry, (str, int)) and not isinstance(entry, bool) else ""
    if text in ("cpu", "cuda"):
        return ["cpu" if text == "cpu" else "cuda:0"]
    first, dash, last = text.removeprefix("cuda:").partition("-")
    if _is_index(first) and (not dash or (_is_index(last) and int(first) <= int(last))):
        return [f"cuda:{n}" for n in range(int(first), int(last if dash else first) + 1)]
    raise problem(node, f"must be GPU numbers, 'cuda:N' or 'cpu', got {quoted(entry)}", (index,))


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 4


def _is_model(cls: type[Any]) -> TypeGuard[type[BaseModel]]:
    """Is it a pydantic model? If it is, somebody has imported pydantic."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and issubclass(cls, pydantic.BaseModel)


def field_names(cls: type[Any]) -> dict[str, bool]:
    """The parameters of a plug-in's Params, a dataclass or a pydantic model; True: it has no default."""
    if _is_model(cls):
        return {name: field.is_required() for name, field in cls.model_fields.items()}
    return {f.name: _is_required(f) for f in dataclasses.fields(cls) if f.init}


def build(cls: type[Any], node: Node, section: str, problems: Problems, meant: Collection[str] = ()) -> Any:
    """An instance of `cls` from the children of `node`; None if `problems` has learned why there is none.

    What is wrong: a type, a missing field, or whatever the class itself refuses. A field that is `meant`, its dotted
    key misspelt, is missing without another word.
    """
    given: dict[str, Node] = node.value
    before = len(problems.found)
    for name, is_required in field_names(cls).items():
        if is_required and name not in given and f"{section}.{name}" not in meant:
            problems.add(ConfigError(f"{node.where}: {section}.{name}: missing; it has no default"))
    if _is_model(cls):
        made = _model(cls, node, section, problems)
    else:
        hints = get_type_hints(cls, include_extras=True)
        values: dict[str, Any] = {}
        for name, below in given.items():
            with problems.collect():
                values[name] = parse(hints[name], below)
        is_whole = all(name in values or not needed for name, needed in field_names(cls).items())
        made = _instance(cls, values, node, section, problems) if is_whole else None
    return made if len(problems.found) == before else None


def _instance(cls: type[Any], values: dict[str, Any], node: Node, section: str, problems: Problems) -> Any:
    """An instance, or None. A value that the class refuses is left out, to see what else it refuses."""
    given: dict[str, Node] = node.value
    while True:
        try:
            return cls(**values)
        except (ValueError, TypeError, ConfigError) as error:
            message = " ".join(str(error).split())
            name, colon, rest = message.partition(": ")
            if not (colon and name in given):
                problems.add(ConfigError(f"{node.where}: {section}: {message}"))
                return None
            problems.add(problem(given[name], rest))  # it has a line of its own, or came by a flag
            if name not in values or field_names(cls)[name]:
                return None
            del values[name]


def _model(cls: type[BaseModel], node: Node, section: str, problems: Problems) -> Any:
    """An instance of a pydantic model, or None."""
    from pydantic import ValidationError

    given: dict[str, Node] = node.value
    try:
        return cls.model_validate_json(json.dumps(plain(node)), strict=True)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_context=True):
            name, *path = detail["loc"] or ("",)
            said = _plain_english(detail["msg"])
            if name in given:
                value = plain(given[str(name)])
                location, found = _followed(path, value)
                problems.add(
                    problem(given[str(name)], f"{said}, got {quoted(found)}{_advice(detail, found)}", location)
                )
            elif detail["type"] != "missing":
                problems.add(ConfigError(f"{node.where}: {section}: {said}"))
        return None


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def to_json(params: Any) -> dict[str, Any]:
    """Every field of a Params instance as JSON values."""
    from pydantic_core import to_jsonable_python

    return {name: to_jsonable_python(getattr(params, name)) for name in field_names(type(params))}


def is_address(text: str) -> bool:
    """Whether it is host:port and nothing more: `ray://head:10001` is another program's, and could not carry a run."""
    host, _, port = text.rpartition(":")
    return bool(host) and "/" not in host and port.isdecimal() and 0 < int(port) < 65536
