"""From the YAML word `type` to a class.

    classical               built in: the module of that name in editeval.editors
    their_editor            an entry point of the group editeval.editors in an installed package
    my_editor.py            a file, relative to the configuration, then to the current folder; the one Editor in it,
                            or its function `edit` (`judge`, `samples`)
    my_editor.py:MyEditor   a class of it, or a function (editeval.own_code)
    package.module          a module on the Python path or in the current folder; package.module:MyEditor

Files and modules run code that nobody has installed, and need the user's consent. No registry; listing imports nothing.
What such code raises is told by editeval.plugin_errors.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from editeval.errors import ConfigError
from editeval.own_code import callables, signatures
from editeval.plugin_errors import Origin, from_here, guarded, origins
from editeval.redaction import watch
from editeval.types import Benchmark, Editor, Judge

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

PluginClass = type[Any]
"""A subclass of one of KINDS; which one, the caller knows."""
ADVICE = "if you trust it, add --allow-code or set EDITEVAL_ALLOW_CODE=1"
KINDS: dict[str, type] = {"benchmarks": Benchmark, "editors": Editor, "judges": Judge}
CLASSES = {
    "editors": {
        "diffusers_pipeline": "diffusers_pipeline:DiffusersPipeline",
        "qwen_image_edit": "diffusers_pipeline:QwenImageEdit",
        "qwen_image_edit_plus": "diffusers_pipeline:QwenImageEditPlus",
    }
}
"""Built-in names that share a module: the module and the class in it."""


GIVEN = "_in_python"
"""What the name of a plug-in ends with that a Python program has given as an object."""
_given: dict[tuple[str, str], PluginClass] = {}
_made: dict[tuple[str, int], PluginClass] = {}
"""The plug-ins that callables of somebody's own became, which they keep: kind and id of the callable."""


def available(kind: str) -> list[str]:
    """Names of the built-in plug-ins of `kind` ("benchmarks", "editors", "judges"), sorted; imports none of them."""
    package = importlib.import_module(f"editeval.{kind}")
    modules = {m.name for m in pkgutil.iter_modules(package.__path__) if not m.ispkg and not m.name.startswith("_")}
    return sorted(modules | CLASSES.get(kind, {}).keys())


def built_in(kind: str, name: str) -> tuple[str, str]:
    """Module of a built-in plug-in, and its class where the module has several."""
    place, cls = _split(CLASSES.get(kind, {}).get(name, name))
    return f"editeval.{kind}.{place}", cls


def installed(kind: str) -> dict[str, list[EntryPoint]]:
    """Entry points of installed packages by name, without those named as a built-in plug-in; imports none of them."""
    from importlib.metadata import entry_points

    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=f"editeval.{kind}"):
        found.setdefault(point.name, []).append(point)
    return {name: found[name] for name in sorted(found.keys() - set(available(kind)))}


def is_foreign(name: str) -> bool:
    """Whether `name` is spelled as a file or a module: code that is loaded by consent only."""
    return any(mark in name for mark in "./:")


def stranger(name: str) -> str:
    """Why code that `name` names needs consent."""
    return f"{name!r} is code from outside editeval"


def is_name(kind: str, word: str) -> bool:
    """Whether `word` may name a plug-in of `kind`; a file or a module need not be there."""
    return is_foreign(word) or word in available(kind) or word in installed(kind)


def is_file(name: str) -> bool:
    """Whether `name` is spelled as a Python file, with a class of it or without."""
    return _split(name)[0].endswith(".py")


def absent(name: str) -> str:
    """What is said of a `name` that is spelled as a Python file that is not there; else nothing."""
    path, _ = _split(name)
    is_absent = is_file(name) and not Path(path).is_file()
    return f"no file {path!r}; check the path, it is relative to the configuration" if is_absent else ""


def short_name(name: str) -> str:
    """The last word of a file's or a module's name, without the class; any other name as it is."""
    place, _ = _split(name)
    return Path(place).stem if is_file(name) else place.rpartition(".")[2]


def absolute(name: str, folder: Path) -> str:
    """`name`, with the whole path if it is a file: beside the configuration in `folder`, or in the current folder."""
    path, cls = _split(name)
    if not is_file(name):
        return name
    path = f"{Path.home()}{path[1:]}" if path.startswith("~/") else path
    places = [place / path for place in (folder, Path.cwd())]
    found = next((place for place in places if place.is_file()), places[0])
    return f"{os.path.realpath(found)}{cls and ':'}{cls}"


def names_code(settings: Mapping[str, Any]) -> bool:
    """Whether a resolved configuration names code of the user's own: commands about its runs need --allow-code."""
    sections = [settings.get(name) for name in ("benchmark", "diffusion_model", "reward_model")]
    sections += (settings.get("reward_models") or {}).values()
    return any(is_foreign(str(section["type"])) for section in sections if section)


def load(kind: str, name: str, allow_code: bool = False) -> PluginClass:
    """The plug-in class called `name`.

    Raises ConfigError, one line, for an unknown name, for code without `allow_code`, and for whatever is wrong with it.
    """
    if is_foreign(name):
        if not allow_code:
            raise ConfigError(f"{kind}: {stranger(name)}; {ADVICE}")
        if str(Path.cwd()) not in sys.path:
            sys.path.append(str(Path.cwd()))  # code that the user trusts is found where the user is; last, or a file
            # there would be taken for the module of a library that has the same name
        return _foreign(kind, name)
    if (kind, name) in _given:
        return _given[kind, name]
    if name in available(kind):
        place, cls_name = built_in(kind, name)
        module = importlib.import_module(place)
        return _named(kind, module, cls_name) if cls_name else _the_class(kind, module, name)
    points = installed(kind)
    if name not in points and name.endswith(GIVEN):
        what = f"{name.removesuffix(GIVEN)!r} was given by a Python program, which alone can run it"
        raise ConfigError(f"{kind}: {what}; put it into a file to name it here: my_{callables.NAMES[kind]}.py")
    if name not in points:
        names = [*available(kind), *points]
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(f"{kind}: no type {name!r}; {hint}available: {', '.join(names)}")
    if len(points[name]) > 1:
        packages = ", ".join(sorted(str(point.dist and point.dist.name) for point in points[name]))
        raise ConfigError(f"{kind}: {name!r} is a plug-in of several packages: {packages}; write package.module:Class")
    return _foreign(kind, points[name][0].value.partition(" ")[0])


def give(kind: str, name: str, found: object, where: str, token: str) -> None:
    """From now on `name` means `found`, an object of this program. `token` stands for its code in identities."""
    if isinstance(found, type) and issubclass(found, KINDS[kind]):
        plugin: PluginClass | None = type(found.__name__, (found,), {"__module__": found.__module__})
    else:
        plugin = callables.plugin_class(kind, name.removesuffix(GIVEN), found, f"{kind}: {where}", Path.cwd(), True)
    if plugin is None:
        raise ConfigError(f"{kind}: {where}: must be callable, or a class with `__call__`, got {found!r}")
    plugin.code_token = token
    if Path(where).is_absolute():
        origins[plugin] = _of_file(Path(where))
    _given[kind, name] = plugin


def _split(name: str) -> tuple[str, str]:
    """(file or module, class or nothing)."""
    place, _, cls = name.partition(":")
    return place, cls


def _foreign(kind: str, name: str) -> PluginClass:
    place, cls_name = _split(name)
    module = _from_file(kind, Path(place)) if is_file(name) else _from_path(kind, place)
    found = _of_callable(kind, module, cls_name, name)
    if found is None:
        found = _named(kind, module, cls_name) if cls_name else _the_class(kind, module, place)
    file = Path(str(module.__file__)).resolve()
    origins[found] = _of_file(file) if is_file(name) else Origin.of_module(file, place)
    if hasattr(found, "sees_reference"):
        raise ConfigError(
            f"{kind}: {_place(found)}: `sees_reference` is called `sees_target`, and the target `request.target`"
        )
    params = found.Params
    if not (isinstance(params, type) and (is_dataclass(params) or hasattr(params, "model_validate"))):
        what = getattr(params, "__name__", repr(params))
        raise ConfigError(f"{kind}: {_place(found)}: Params must be a dataclass or a pydantic model, got {what}")
    return found


def _of_callable(kind: str, module: ModuleType, cls_name: str, name: str) -> PluginClass | None:
    """The plug-in that a function, a callable or an iterable of `module` is; None if a class of KINDS is meant."""
    if not cls_name and _classes(kind, module):
        return None
    word = cls_name or callables.NAMES[kind]
    value = getattr(module, word, None)
    if value is None or (isinstance(value, type) and issubclass(value, KINDS[kind])):
        return None
    known = _made.get((kind, id(value)))
    if known is None:
        file = Path(str(module.__file__))
        line = f":{inspect.getsourcelines(value)[1]}" if inspect.isfunction(value) or inspect.isclass(value) else ""
        called = word if cls_name else short_name(name)
        known = callables.plugin_class(kind, called, value, f"{kind}: {from_here(file)}{line}", file.parent)
        if known is not None:
            known.__module__ = module.__name__
            _made[kind, id(value)] = known
    return known


def _from_file(kind: str, path: Path) -> ModuleType:
    """The module in the file at `path`; files beside it can be imported, by `import x` and by `from . import x`."""
    path = path.expanduser().resolve()
    if told := absent(str(path)):
        raise ConfigError(f"{kind}: {told}")
    folder = f"editeval_plugin_{hashlib.sha256(str(path.parent).encode()).hexdigest()[:8]}"
    name = f"{folder}.{path.stem}"
    if name in sys.modules:
        if not callables.has_changed(name):
            return sys.modules[name]
        callables.forget(name)
    if folder not in sys.modules:
        package = ModuleType(folder)
        package.__path__ = [str(path.parent)]
        sys.modules[folder] = package
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        guarded(kind, lambda: spec.loader.exec_module(module), _of_file(path))  # type: ignore[union-attr]
    except ConfigError:
        del sys.modules[name]
        raise
    callables.remember(name)
    return module


def _from_path(kind: str, name: str) -> ModuleType:
    """The module called `name` on the Python path."""
    try:
        is_there = all(part.isidentifier() for part in name.split(".")) and _has_spec(kind, name)
    except ModuleNotFoundError:
        is_there = False
    if not is_there:
        raise ConfigError(f"{kind}: no module {name!r} on the Python path")
    module: ModuleType = guarded(kind, lambda: importlib.import_module(name), _origin_by_name(name))
    return module


def _has_spec(kind: str, name: str) -> bool:
    """Whether there is such a module. Imports the packages above it, as Python does."""
    package, _, _ = name.rpartition(".")
    if package and not _has_spec(kind, package):
        return False
    if package:
        guarded(kind, lambda: importlib.import_module(package), _origin_by_name(package))
    return importlib.util.find_spec(name) is not None


def _named(kind: str, module: ModuleType, cls_name: str) -> PluginClass:
    base = KINDS[kind]
    found = getattr(module, cls_name, None)
    if not (isinstance(found, type) and issubclass(found, base)):
        has = ", ".join([*(cls.__name__ for cls in _classes(kind, module)), *_functions(module)]) or "none"
        raise ConfigError(f"{kind}: {cls_name!r} is no {base.__name__} subclass in {_shown(module)}; it has: {has}")
    if inspect.isabstract(found):
        raise _unfinished(kind, found)
    return found


def _the_class(kind: str, module: ModuleType, name: str) -> PluginClass:
    base = KINDS[kind]
    found = _classes(kind, module)
    whole = [cls for cls in found if not inspect.isabstract(cls)]
    if len(whole) != 1:
        if not whole and len(found) == 1:
            raise _unfinished(kind, found[0])
        several = f"; name one: {name}:{whole[0].__name__}" if whole else f", and no function `{callables.NAMES[kind]}`"
        others = [] if whole else _functions(module)
        several += f"; it has {', '.join(others)}: name one, {name}:{others[0]}" if others else ""
        what = f"must define exactly one {base.__name__} subclass, got {len(whole)}{several}"
        raise ConfigError(f"{kind}: {name} {what}")
    return whole[0]


def _classes(kind: str, module: ModuleType) -> list[PluginClass]:
    members = inspect.getmembers(module, inspect.isclass)
    return [cls for _, cls in members if issubclass(cls, KINDS[kind]) and cls.__module__ == module.__name__]


def _functions(module: ModuleType) -> list[str]:
    """The functions that a module defines for others."""
    members = inspect.getmembers(module, inspect.isfunction)
    return [name for name, one in members if one.__module__ == module.__name__ and not name.startswith("_")]


def _unfinished(kind: str, cls: PluginClass) -> ConfigError:
    lacking = ", ".join(f"{name}()" for name in sorted(cls.__abstractmethods__))
    return ConfigError(f"{kind}: {_place(cls)}: {cls.__name__} has no {lacking}; every {KINDS[kind].__name__} needs it")


# ------------------------------------------------------------------------------------------------ parameters


def params_of(cls: PluginClass, values: Mapping[str, Any]) -> Any:
    """The parameters of a plug-in from JSON values: what travelled to a worker is what the parent had checked."""
    watch(str(values.get("api_key_env")))
    return signatures.revived(cls.Params, values)


def _of_file(file: Path) -> Origin:
    return Origin(file, file.parent, file.parent)


def _origin_by_name(name: str) -> Origin | None:
    """Of a module that may not be imported yet."""
    spec = importlib.util.find_spec(name)
    is_file = spec is not None and spec.origin is not None and Path(spec.origin).is_file()
    return Origin.of_module(Path(str(spec.origin)).resolve(), name) if spec is not None and is_file else None


def _place(cls: PluginClass) -> str:
    """file:line of a class."""
    file = Path(str(inspect.getsourcefile(cls)))
    return f"{from_here(file)}:{inspect.getsourcelines(cls)[1]}"


def _shown(module: ModuleType) -> str:
    return str(from_here(Path(str(module.__file__))))
