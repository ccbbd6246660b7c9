"""Plain Python as a plug-in: a function or a class with `__call__` that edits or judges, an iterable that has samples.

    def edit(image, instruction, *, seed): ...            -> the edited PIL image
    def judge(source, edited, instruction): ...           -> a number, or a dict of numbers
    def samples(): ...                                    -> dicts with image, instruction, ...

What a function asks for by name it gets (`OFFERED`); a first parameter of another name is taken in that order. Its
other parameters with plain defaults, or those of a class's `__init__`, are its `params` in the YAML. There is a worker
for every visible GPU, or one on the CPU; `device` says which. A class is made once in each worker, a module is imported
once more in the main process.
"""

from __future__ import annotations

import inspect
import math
import numbers
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from editeval.errors import BadOutputError, ConfigError, Reason
from editeval.images import decode
from editeval.machine import gpus
from editeval.machine.digest import sources_of
from editeval.own_code.iterables import fingerprint_of, samples_from
from editeval.own_code.signatures import Binding, params_class, read, values_of
from editeval.types import (
    Benchmark,
    Editor,
    EditRequest,
    Judge,
    JudgeRequest,
    Metric,
    PluginParams,
    Progress,
    Sample,
    Score,
)

NAMES = {"editors": "edit", "judges": "judge", "benchmarks": "samples"}
"""What a function is called that needs no name in the YAML."""
OFFERED: Mapping[str, tuple[str, ...]] = {
    "editors": ("image", "instruction", "images", "seed", "device", "progress"),
    "judges": (
        *("source", "edited", "instruction", "sources", "target", "mask", "references", "reference_text"),
        *("metadata", "language", "device"),
    ),
    "benchmarks": (),
}
"""What a call can ask for by name. The first ones may have other names: they are then taken in this order."""
_FIRST = {"editors": 2, "judges": 3, "benchmarks": 0}


@dataclass(frozen=True, slots=True)
class _Own:
    """Somebody's callable, and how it is made and called."""

    found: Callable[..., object]
    call: Binding
    init: Binding | None  # of a class

    def made(self, offered: Mapping[str, object], params: Mapping[str, object]) -> Callable[..., object]:
        """What is called: the function, or an instance of the class."""
        if self.init is None:
            return self.found
        arguments = self.init.arguments(offered, params)
        instance: Callable[..., object] = self.found(*arguments.args, **arguments.kwargs)  # type: ignore[assignment]
        return instance


def plugin_class(
    kind: str, name: str, found: object, where: str, folder: Path, is_given: bool = False
) -> type[Any] | None:
    """The plug-in class of `kind` that calls `found`; None if it cannot be called so.

    `where` is file:line for messages; paths of images are relative to `folder`. `is_given`: as an object,
    for threads, which share what they see. Raises ConfigError for a signature that does not fit.
    """
    if kind == "benchmarks":
        return _benchmark(name, found, where, folder)
    method = "__call__"
    if not callable(found) or (isinstance(found, type) and not any(method in vars(cls) for cls in found.__mro__)):
        return None
    word = getattr(found, "__name__", name)
    init = read(found, (), 0, where, ("device",)) if isinstance(found, type) else None
    called = found.__call__ if isinstance(found, type) else found
    call = read(called, OFFERED[kind], _FIRST[kind], where, is_method=init is not None)
    if inspect.iscoroutinefunction(called):
        raise ConfigError(f"{where}: {word} is async; make it a plain function")
    needed = ("image", "images") if kind == "editors" else ("edited",)
    if not set(needed) & set(call.roles.values()):
        listed = ", ".join(OFFERED[kind][: _FIRST[kind]])
        raise ConfigError(f"{where}: {word}{call.signature}: takes no {needed[0]}; it is called as {word}({listed})")
    own = _Own(found, call, init)
    given = init.own if init is not None else call.own
    asks = "device" in {*call.roles.values(), *(init.roles.values() if init is not None else ())}
    base: type[Any] = _OwnEditor if kind == "editors" else _OwnJudge
    members = {
        "__module__": getattr(found, "__module__", None) or __name__,
        "__doc__": found.__doc__,
        "Params": params_class(given),
        "own": own,
        "default_device": "cuda" if gpus.num_gpus() and (asks or not is_given) else "cpu",
    }
    if kind == "editors":
        members["max_images"] = None if "images" in call.roles.values() else 1
    else:
        scales = _scales(found, where)
        members |= {"metrics": tuple(scales), "scales": scales}
        members["reads_instruction"] = "instruction" in call.roles.values()
    return type(name, (base,), members)


# ------------------------------------------------------------------------------------------------ editors and judges


class _OwnEditor(Editor):
    own: ClassVar[_Own]

    def load(self, device: str) -> None:
        self._device = device
        self._call = self.own.made({"device": device}, values_of(self.params))

    def edit(self, request: EditRequest, progress: Progress) -> Any:
        unknown = [name for name in request.overrides if name not in self.own.call.own]
        if unknown:
            raise ConfigError(f"{type(self).__name__}{self.own.call.signature} has no parameter {unknown[0]!r}")
        pictures = [decode(one) for one in request.images]
        offered = {
            "image": pictures[0],
            "images": pictures,
            "instruction": request.instruction,
            "seed": request.seed,
            "device": self._device,
            "progress": progress,
        }
        arguments = self.own.call.arguments(offered, {**values_of(self.params), **request.overrides})
        return self._call(*arguments.args, **arguments.kwargs)


class _OwnJudge(Judge):
    own: ClassVar[_Own]
    scales: ClassVar[Mapping[str, Metric]]

    @classmethod
    def scales_of(cls, params: PluginParams) -> Mapping[str, Metric]:
        return cls.scales

    def load(self, devices: Sequence[str]) -> None:
        self._device = devices[0]
        self._call = self.own.made({"device": self._device}, values_of(self.params))

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        return [self._row(request) for request in requests]

    def _row(self, request: JudgeRequest) -> list[Score]:
        sources = [decode(one) for one in request.sources]
        offered = {
            "source": sources[0],
            "sources": sources,
            "edited": decode(request.edited),
            "instruction": request.instruction,
            "language": request.language,
            "device": self._device,
            "target": None if request.target is None else decode(request.target),
            "mask": None if request.mask is None else decode(request.mask, "L"),
            "references": [decode(one) for one in request.references],
            "reference_text": request.reference_text,
            "metadata": dict(request.metadata),
        }
        arguments = self.own.call.arguments(offered, values_of(self.params))
        answer = self._call(*arguments.args, **arguments.kwargs)
        reply = ""
        if isinstance(answer, Mapping):
            reply = str(answer.get("reply", "")) if "reply" not in self.scales else ""
            answer = {name: value for name, value in answer.items() if name != "reply" or "reply" in self.scales}
        elif len(self.scales) == 1:
            answer = {next(iter(self.scales)): answer}
        if not (isinstance(answer, Mapping) and answer.keys() == self.scales.keys()):
            got = f"a dict of {', '.join(map(str, answer))}" if isinstance(answer, Mapping) else type(answer).__name__
            raise BadOutputError(
                f"{type(self).__name__} returned {got}, and its metrics are {', '.join(self.scales)}; declare others "
                f"below the function: {type(self).__name__}.metrics = {{'name': (low, high)}}"
            )
        return [self._score(request.key, metric, answer[name], reply) for name, metric in self.scales.items()]

    def _score(self, key: str, metric: Metric, value: object, reply: str) -> Score:
        """A number on its scale is the value; anything else is unscored, and says why."""
        judge, raw = type(self).__name__, reply or repr(value)
        if value is None:
            return Score(key, judge, metric.name, None, reply or "returned None", Reason.NO_ANSWER)
        number = _number(value)
        if number is None:
            raise BadOutputError(f"{judge} returned {metric.name} {value!r}, {type(value).__name__}; return a number")
        if math.isnan(number):
            return Score(key, judge, metric.name, None, raw, Reason.NOT_A_NUMBER)
        if not metric.has(number):
            return Score(key, judge, metric.name, None, raw, Reason.OUT_OF_RANGE)
        return Score(key, judge, metric.name, number, reply)


def _number(value: object) -> float | None:
    """A number of Python, NumPy or a tensor of one element; None for anything else, text and booleans too."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        return float(value)
    item = getattr(value, "item", None)
    try:
        held = item() if callable(item) else None
    except (RuntimeError, ValueError, TypeError):  # more than one element
        return None
    return float(held) if isinstance(held, int | float) and not isinstance(held, bool) else None


def _scales(found: object, where: str) -> dict[str, Metric]:
    """The metrics that a judge declares: name -> (low, high) or (low, high, "lower"); else one of 0-10."""
    declared = getattr(found, "metrics", None)
    if declared is None:
        return {"score": Metric("score")}
    advice = "metrics must be a dict such as {'sharpness': (0, 1), 'error': (0, None, 'lower')}"
    if not isinstance(declared, Mapping) or not declared:
        raise ConfigError(f"{where}: {advice}, got {declared!r}")
    scales: dict[str, Metric] = {}
    for name, scale in declared.items():
        if isinstance(scale, Metric):
            scales[str(name)] = scale
            continue
        is_scale = isinstance(scale, tuple | list) and len(scale) in (2, 3) and set(scale[2:]) <= {"higher", "lower"}
        if not (isinstance(name, str) and name.strip() and is_scale):
            raise ConfigError(f"{where}: {advice}, got {name!r}: {scale!r}")
        try:
            scales[name] = Metric(name, scale[0], scale[1], "lower" not in scale[2:])
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{where}: metrics: {error}") from error
    return scales


# ------------------------------------------------------------------------------------------------ benchmarks


def _benchmark(name: str, found: object, where: str, folder: Path) -> type[Any] | None:
    """Of a function, of a class that can be iterated over, or of a list."""
    init = None
    if isinstance(found, Iterator):
        raise ConfigError(f"{where}: {name} can be read only once; make it a function, or a list")
    if isinstance(found, type):
        if not issubclass(found, Iterable):
            return None
        init = read(found, (), 0, where)
    elif callable(found):
        init = read(found, (), 0, where)
    elif not isinstance(found, Iterable):
        return None
    members = {
        "__module__": getattr(found, "__module__", None) or __name__,
        "__doc__": found.__doc__ if callable(found) else None,
        "Params": params_class(init.own if init is not None else {}),
        "rows": (found, init),
        "folder": folder,
    }
    return type(name, (_OwnBenchmark,), members)


class _OwnBenchmark(Benchmark):
    rows: ClassVar[tuple[Any, Binding | None]]
    folder: ClassVar[Path]

    def __init__(self, params: PluginParams) -> None:
        super().__init__(params)
        self._samples: tuple[Sample, ...] = ()

    def __iter__(self) -> Iterator[Sample]:
        if not self._samples:
            found, init = self.rows
            arguments = init.arguments({}, values_of(self.params)) if init is not None else None
            rows = found if arguments is None else found(*arguments.args, **arguments.kwargs)
            self._samples = samples_from(rows, self.folder, type(self).__name__)
        return iter(self._samples)

    def fingerprint(self) -> str:
        return fingerprint_of(self)


# ------------------------------------------------------------------------------------------------ changed files

_stamps: dict[str, dict[str, tuple[Path, int, int]]] = {}
"""Module of a file -> itself and the modules of its own that were imported then, with path, size and time of each."""


def remember(name: str) -> None:
    """Notes the files of which the module `name`, just loaded from a file, consists."""
    package = name.partition(".")[0]
    names = sources_of(sys.modules[name])
    files = {one: getattr(module, "__file__", None) for one, module in list(sys.modules.items())}
    own = {one: Path(file) for one, file in files.items() if file and one.removeprefix(f"{package}.") in names}
    own[name] = Path(str(sys.modules[name].__file__))
    _stamps[name] = {one: (file, *_stamp(file)) for one, file in own.items() if one != "__main__"}


def has_changed(name: str) -> bool:
    """Whether one of these files is another one now, as in a notebook whose user goes on writing."""
    return any(_stamp(file) != (size, time) for file, size, time in _stamps.get(name, {}).values())


def forget(name: str) -> None:
    """The next import reads all of them again."""
    for one in _stamps.pop(name, {}):
        sys.modules.pop(one, None)


def _stamp(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns
