"""LoRA adapters on a diffusers pipeline, through its own `load_lora_weights`; which parameters name them.

An adapter that was trained for another model is refused: diffusers itself only logs which of its weights it leaves out.
Needs peft. Adapters stay beside the weights (nothing is merged), as in diffusers by default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from editeval.editors.diffusion import checkpoint
from editeval.errors import ConfigError, MachineError
from editeval.text import brief

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

KEY = "diffusion_model.params.lora"
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # peft builds module names of it
_FILE = re.compile(r"[\w.-]+\.safetensors")
_WEIGHT = re.compile(r"lora(_A|_B|[._]down|[._]up)\b.*weight$")


@dataclass(frozen=True, slots=True)
class Lora:
    """One adapter. Raises ValueError, one line, for values that cannot work anywhere."""

    path: str  # a .safetensors file, a folder with one, or the id of a Hub repository
    weight: float = 1.0  # how strongly it counts; 0 switches it off
    adapter_name: str = ""  # empty: lora0, lora1, ...
    weight_name: str | None = None  # which file of a folder or repository; None: the only one
    revision: str | None = None  # a commit of 40 hex digits; needed for a Hub repository

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path:
            raise ValueError(f"lora.path: must be a file, a folder or a Hub id, got {self.path!r}")
        is_number = isinstance(self.weight, int | float) and not isinstance(self.weight, bool)
        if not is_number or not -100 <= self.weight <= 100:
            raise ValueError(f"lora.weight: must be a number between -100 and 100, got {self.weight!r}")
        for name in ("adapter_name", "weight_name", "revision"):
            if not isinstance(getattr(self, name), str | None):
                raise ValueError(f"lora.{name}: must be a text, got {getattr(self, name)!r}")
        if self.weight_name and not _FILE.fullmatch(self.weight_name):
            raise ValueError(f"lora.weight_name: must be the name of a .safetensors file, got {self.weight_name!r}")
        if self.adapter_name and not _NAME.fullmatch(self.adapter_name):
            raise ValueError(f"lora.adapter_name: letters, digits, - and _ only, got {self.adapter_name!r}")
        if not checkpoint.is_path(self.path) and not checkpoint.COMMIT.fullmatch(self.revision or ""):
            raise ValueError(
                f"lora.revision: {self.path} is on the Hub: give its commit of 40 hex digits, got {self.revision!r}"
            )
        if self.revision and checkpoint.is_path(self.path):
            raise ValueError(f"lora.revision: {self.path} is a file or folder, which has none; leave it out")


def adapters(given: Sequence[Mapping[str, object]]) -> tuple[Lora, ...]:
    """The adapters of the parameter `lora`, each with a name. Raises ValueError, one line, for what is wrong."""
    known, found = [one.name for one in fields(Lora)], list[Lora]()
    for number, values in enumerate(given):
        if not isinstance(values, Mapping):
            raise ValueError(f"lora: must be a list of {{path: ..., weight: ...}}, got {values!r}")
        unknown = [name for name in values if name not in known]
        if unknown or "path" not in values:
            raise ValueError(f"lora: needs path and may have {', '.join(known[1:])}; got {', '.join(map(str, values))}")
        found.append(Lora(**{"adapter_name": f"lora{number}", **values}))  # type: ignore[arg-type]
    names = [one.adapter_name for one in found]
    if len(set(names)) < len(names):
        raise ValueError(f"lora.adapter_name: must differ from each other, got {', '.join(names)}")
    return tuple(found)


def check(given: Sequence[Mapping[str, object]]) -> None:
    """Raises MachineError, one line, for an adapter whose files are not there or no safetensors."""
    for one in adapters(given):
        if not checkpoint.is_path(one.path):
            continue
        path = Path(one.path).expanduser()
        files = [path] if path.is_file() else sorted(path.glob(one.weight_name or "*.safetensors"))
        if not files:
            raise MachineError(f"{KEY}: {one.path}: no {one.weight_name or 'safetensors file'} there; check the path")
        if len(files) > 1:
            names = ", ".join(file.name for file in files[:5])
            raise MachineError(f"{KEY}: {one.path}: {len(files)} files ({names}); say which one with weight_name")
        if files[0].suffix in PICKLES:
            raise MachineError(f"{KEY}: {files[0]}: a pickle, which can run code; convert it to safetensors")


def load(pipeline: DiffusionPipeline, given: Sequence[Mapping[str, object]]) -> None:
    """The adapters are in `pipeline`, with their weights. Raises MachineError or ConfigError, one line, if not."""
    wanted = adapters(given)
    if not wanted:
        return
    if not hasattr(pipeline, "load_lora_weights"):
        raise ConfigError(f"{KEY}: {type(pipeline).__name__} of diffusers takes no LoRA; leave it out")
    try:
        import peft  # type: ignore[import-not-found]  # noqa: F401
    except ImportError as error:
        raise MachineError(f"{KEY}: needs the package peft ({error}): pip install peft") from error
    for one in wanted:
        _load(pipeline, one)
    pipeline.set_adapters([one.adapter_name for one in wanted], [float(one.weight) for one in wanted])


def _load(pipeline: DiffusionPipeline, one: Lora) -> None:
    path = str(Path(one.path).expanduser()) if checkpoint.is_path(one.path) else one.path
    where: dict[str, object] = {"use_safetensors": True}
    where |= {"weight_name": one.weight_name} if one.weight_name else {}
    where |= {"revision": one.revision} if one.revision else {}
    try:
        found = pipeline.lora_state_dict(path, **where)
        pipeline.load_lora_weights(path, adapter_name=one.adapter_name, **where)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        if type(error).__name__ == "OutOfMemoryError":
            raise
        raise MachineError(f"{KEY}: {one.path} cannot be loaded: {brief(error)}") from error
    state = found[0] if isinstance(found, tuple) else found
    num_given = sum(_WEIGHT.search(name) is not None for name in state)
    num_used = sum(1 for name in _parameters(pipeline) if re.search(rf"lora_[AB]\.{one.adapter_name}\.weight$", name))
    if not num_used or num_used != num_given:
        raise MachineError(
            f"{KEY}: {one.path}: {num_used} of its {num_given} weights fit {type(pipeline).__name__}; it was trained "
            "for another model"
        )


def _parameters(pipeline: DiffusionPipeline) -> list[str]:
    parts = [part for part in pipeline.components.values() if hasattr(part, "named_parameters")]
    return [name for part in parts for name, _ in part.named_parameters()]


def facts(pipeline: DiffusionPipeline) -> str:
    """Adapters as loaded: "style 0.8 (rank 16)"; empty without any."""
    said = []
    for part in pipeline.components.values():
        for name, config in getattr(part, "peft_config", {}).items():
            weights = [layer.scaling[name] for layer in part.modules() if name in getattr(layer, "scaling", {})]
            said.append(f"{name} rank {config.r}, scale {max(weights, default=0.0):g}")
    return "; ".join(said)
