"""How somebody's callable is called: which of its parameters get what is offered, and which are its YAML `params`."""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, make_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from editeval.errors import ConfigError
from editeval.types import PluginParams

SEVERAL = {"image": "images", "source": "sources"}
"""What is offered once, and the list of all of it."""
_PLAIN = (bool, int, float, str, Path, type(None))
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Binding:
    """How a callable is called: which parameter gets what is offered; the rest are parameters of the YAML."""

    signature: inspect.Signature
    roles: Mapping[str, str]
    own: Mapping[str, inspect.Parameter]

    def arguments(self, offered: Mapping[str, object], params: Mapping[str, object]) -> inspect.BoundArguments:
        values = {name: offered[role] for name, role in self.roles.items()}
        values |= {name: params[name] for name in self.own if name in params}
        ordered = {name: values[name] for name in self.signature.parameters if name in values}
        return inspect.BoundArguments(self.signature, ordered)


def read(
    found: Callable[..., object],
    offered: Sequence[str],
    num_first: int,
    where: str,
    named: Sequence[str] = (),
    is_method: bool = False,
) -> Binding:
    try:
        signature = inspect.signature(found, eval_str=True)
    except (NameError, TypeError, ValueError, AttributeError, SyntaxError):  # of annotations, or of C code
        try:
            signature = inspect.signature(found)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{where}: has no signature that can be read: {error}; wrap it in a function") from error
    parameters = list(signature.parameters.values())[is_method:]
    taken = {parameter.name for parameter in parameters}
    first = [name for name in offered[:num_first] if name not in taken and SEVERAL.get(name) not in taken]
    roles: dict[str, str] = {}
    own: dict[str, inspect.Parameter] = {}
    for parameter in parameters:
        is_open = parameter.kind is not parameter.KEYWORD_ONLY and parameter.default is parameter.empty
        if parameter.kind in _VARIADIC:
            continue
        if parameter.name in (*offered, *named):
            roles[parameter.name] = parameter.name
        elif is_open and first:
            roles[parameter.name] = first.pop(0)
        elif parameter.default is parameter.empty or _is_json(parameter.default):
            own[parameter.name] = parameter
    return Binding(signature.replace(parameters=parameters), roles, own)


def params_class(own: Mapping[str, inspect.Parameter]) -> type:
    """A dataclass with a field for every parameter."""
    listed: list[tuple[str, Any, Any]] = []
    for name, parameter in own.items():
        default = parameter.default
        if default is parameter.empty:
            how = field()
        elif isinstance(default, list | dict):
            how = field(default_factory=lambda default=default: type(default)(default))  # type: ignore[misc]
        else:
            how = field(default=default)
        listed.append((name, _hint(parameter), how))
    return make_dataclass("Params", listed, frozen=True, kw_only=True, namespace={"__module__": __name__})


def _hint(parameter: inspect.Parameter) -> Any:
    """Its annotation if JSON can hold that; else what the default says."""
    if _is_hint(parameter.annotation):
        return parameter.annotation
    default = parameter.default
    if isinstance(default, bool | str):
        return type(default)
    return float | int if isinstance(default, int | float) else Any


def _is_hint(hint: object) -> bool:
    if hint in _PLAIN:
        return True
    origin = get_origin(hint)
    if origin is Literal:
        return True
    return origin in (list, dict, tuple, Union, types.UnionType) and all(
        part is ... or _is_hint(part) for part in get_args(hint)
    )


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False, default=lambda path: str(path) if isinstance(path, Path) else 1 / 0)
    except (TypeError, ValueError, ZeroDivisionError, RecursionError):
        return False
    return True


def values_of(params: PluginParams) -> dict[str, object]:
    return {one.name: getattr(params, one.name) for one in fields(params)}


def revived(cls: type[Any], values: Mapping[str, Any]) -> Any:
    """An instance of a plug-in's Params from JSON values that were checked."""
    if not is_dataclass(cls):
        return cls.model_validate(dict(values))
    hints = get_type_hints(cls)
    return cls(**{name: _typed(hints.get(name), value) for name, value in values.items()})


def _typed(hint: Any, value: Any) -> Any:
    """JSON has no paths, tuples and records."""
    if hint is Path and isinstance(value, str):
        return Path(value)
    if isinstance(value, list) and (hint is tuple or get_origin(hint) is tuple):
        return tuple(value)
    if isinstance(value, dict) and isinstance(hint, type) and (is_dataclass(hint) or hasattr(hint, "model_validate")):
        return revived(hint, value)
    return value
