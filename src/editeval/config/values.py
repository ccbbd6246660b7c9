"""From nodes to typed values: strict types, one line per mistake. The only file that knows pydantic."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from annotated_types import Ge, Gt, Lt
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from editeval.config.node import Node, plain, problem, quoted, shown
from editeval.errors import ConfigError

COUNT = Annotated[int, Ge(1)]
SEED = Annotated[int, Ge(0), Lt(2**31)]
SECONDS = Annotated[float, Gt(0)]
EXECUTION: dict[str, Any] = {
    "policy": Literal["batch_sync", "round_robin", "bounded_drift", "dynamic"],
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
    value = plain(node)
    try:
        return TypeAdapter(hint).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise _explained(node, value, error) from error


def _explained(node: Node, value: Any, error: ValidationError) -> ConfigError:
    first = error.errors(include_url=False, include_context=True)[0]
    location: list[int | str] = []
    for part in first["loc"]:  # union members are in there too: follow only what exists
        in_list = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if in_list or (isinstance(value, dict) and part in value):
            value = value[part]
            location.append(part)
    message = first["msg"].replace("Input should be", "must be").replace("a valid ", "a ").replace("a array", "a list")
    message = message.replace("a integer", "an integer").replace("a string", "text").replace("'", "").rstrip(".")
    return problem(node, f"{message}, got {quoted(value)}{_advice(first, value)}", location)


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
    return problem(node, f"unknown key{suggestion(node.key.rpartition('.')[2], known)}")


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
    for i, name in enumerate(names):
        if name in names[:i] or not name:
            raise problem(node, f"{shown(name)} is listed twice" if name else "is empty", (i,))
    return names


def parse_devices(node: Node) -> tuple[str, ...] | None:
    """`cpu` and `cuda:N`; numbers, `N-M`, `all` and text with commas are understood. None = all visible GPUs."""
    value = node.value
    if value is None or value == "all":
        return None
    entries = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [plain(node)]
    devices = tuple(name for i, entry in enumerate(entries) for name in _device(node, entry, i))
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


def build(cls: type[Any], node: Node | None, section: str, where: Node) -> tuple[Any, dict[str, Node]]:
    """An instance of the dataclass `cls` from the children of `node`, and the children it used.

    Raises ConfigError for a wrong type, a missing field, or whatever the class itself refuses.
    """
    given: dict[str, Node] = node.value if node is not None else {}
    hints = get_type_hints(cls, include_extras=True)
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}
    for name, below in given.items():
        if name not in fields:
            raise unknown(below, fields)
    missing = [n for n, f in fields.items() if n not in given and _is_required(f)]
    at = node if node is not None else where
    if missing:
        raise ConfigError(f"{at.where}: {section}.{missing[0]}: missing; it has no default")
    values = {name: parse(hints[name], below) for name, below in given.items()}
    try:
        return cls(**values), given
    except (ValueError, TypeError, ConfigError) as error:
        message = " ".join(str(error).split())
        name, colon, rest = message.partition(": ")
        if colon and name in given:  # it has a line of its own, or came by a flag
            raise problem(given[name], rest) from error
        raise ConfigError(f"{at.where}: {section}: {message}") from error


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def to_json(params: Any) -> dict[str, Any]:
    """Every field of a Params instance as JSON values."""
    fields = (f.name for f in dataclasses.fields(params) if f.init)
    return {name: to_jsonable_python(getattr(params, name)) for name in fields}
