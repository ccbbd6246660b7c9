"""From the YAML word `type` to a class: the module's name is the type. No registry; listing imports nothing.

`load("editors", "classical")` imports `editeval.editors.classical` and returns the one Editor subclass defined there.
A dotted path ("my_package.my_module") loads code from outside and needs the user's consent.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from typing import Any

from editeval.errors import ConfigError
from editeval.types import Benchmark, Editor, Judge

KINDS: dict[str, type] = {"benchmarks": Benchmark, "editors": Editor, "judges": Judge}


def available(kind: str) -> list[str]:
    """Names of the built-in plug-ins of `kind` ("benchmarks", "editors", "judges"), sorted; imports none of them."""
    package = importlib.import_module(f"editeval.{kind}")
    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if not m.ispkg and not m.name.startswith("_"))


def is_code(name: str) -> bool:
    """Whether `name` is code from outside editeval, which is imported only with --allow-code."""
    return "." in name


def names_code(settings: Mapping[str, Any]) -> bool:
    """Whether a plug-in of a resolved configuration is such code: then commands about its runs need --allow-code."""
    sections = [settings.get(name) for name in ("benchmark", "diffusion_model", "reward_model")]
    sections += (settings.get("reward_models") or {}).values()
    return any(is_code(str(section["type"])) for section in sections if section)


def load(kind: str, name: str, allow_code: bool = False) -> type[Any]:
    """The plug-in class called `name`. Raises ConfigError for an unknown name, or a dotted one without `allow_code`."""
    if is_code(name):
        if not allow_code:
            raise ConfigError(
                f"{kind}: {name!r} is code from outside editeval; "
                "if you trust it, add --allow-code or set EDITEVAL_ALLOW_CODE=1"
            )
        return _load_module(kind, name)
    names = available(kind)
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(f"{kind}: no type {name!r}; {hint}available: {', '.join(names)}")
    return _load_module(kind, f"editeval.{kind}.{name}")


def _load_module(kind: str, path: str) -> type[Any]:
    base = KINDS[kind]
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is not None and (path == error.name or path.startswith(f"{error.name}.")):
            raise ConfigError(f"{kind}: no module {path!r} on the Python path") from error
        raise
    found = [
        cls
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, base) and cls.__module__ == module.__name__ and not inspect.isabstract(cls)
    ]
    if len(found) != 1:
        raise ConfigError(f"{kind}: {path} must define exactly one {base.__name__} subclass, got {len(found)}")
    return found[0]
