"""A LoRA adapter as peft saves it, on a model: merged into the weights, or written out for vLLM to attach.

An adapter whose weights do not all have a place is refused, and so is one that lacks some: peft itself passes over
both. The names of modules differ between versions of transformers; STYLES has them. Nothing that an adapter names is
imported or unpickled: only the fields of READ and IGNORED may say anything.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editeval.errors import ConfigError, MachineError
from editeval.machine import hub
from editeval.text import brief
from editeval.types import Facts, HubModel

if TYPE_CHECKING:
    from peft import LoraConfig, PeftModel  # type: ignore[import-not-found]
    from torch import Tensor
    from transformers import PreTrainedModel

log = logging.getLogger("editeval")
KEY = "reward_model.params.adapter"
CONFIG, WEIGHTS_FILE = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
"""What peft puts in front of the names of a model."""
READ = (
    *("r", "lora_alpha", "target_modules", "exclude_modules", "rank_pattern", "alpha_pattern", "use_rslora"),
    *("use_dora", "fan_in_fan_out", "bias", "lora_bias", "modules_to_save", "layers_to_transform", "layers_pattern"),
    "target_parameters",
)
"""Fields of adapter_config.json that decide what is computed."""
IGNORED = (
    *("peft_type", "peft_version", "auto_mapping", "base_model_name_or_path", "revision", "inference_mode"),
    *("task_type", "lora_dropout", "init_lora_weights", "eva_config", "loftq_config", "megatron_core"),
    *("qalora_group_size", "ensure_weight_tying", "runtime_config"),
)
"""Fields that decide nothing once an adapter is trained. Any other field must be empty."""
PLAIN_STARTS = ("gaussian", "orthogonal", "eva")
"""Words of init_lora_weights for which the model's own weights stay as they are."""
NOT_ATTACHED = ("use_dora", "lora_bias", "modules_to_save", "target_parameters")
"""Fields of READ that vLLM cannot attach."""
STYLES: tuple[Mapping[str, str], ...] = (
    {},
    {"model.language_model.": "model.", "model.visual.": "visual."},  # saved with transformers before 4.52
    {"model.language_model.": "language_model.model.", "model.visual.": "visual."},
)
"""How modules were called where an adapter was trained: the beginning of a name now -> then."""
_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def check_values(adapter: str, revision: str | None) -> None:
    """Raises ConfigError, one line, for values that cannot work anywhere."""
    if revision and (not adapter or is_folder(adapter)):
        what = f"{adapter} is a folder, which has none" if adapter else "there is no adapter"
        raise ConfigError(f"adapter_revision: {what}; leave it out")
    if adapter and not is_folder(adapter) and not _COMMIT.fullmatch(revision or ""):
        raise ConfigError(
            f"adapter_revision: {adapter} is on the Hub: give its commit of 40 hex digits, got {revision!r} (a folder "
            f"is written ./{adapter})"
        )


def is_folder(adapter: str) -> bool:
    """Whether it can only be a folder: what is on the Hub is called owner/name."""
    return adapter.startswith((".", "~", "/")) or not _HUB_ID.fullmatch(adapter)


def hub_models(adapter: str, revision: str | None) -> tuple[HubModel, ...]:
    """What is loaded from the Hub; nothing if there is no adapter or it is a folder of this machine."""
    return (HubModel(adapter, revision, CONFIG, parameter="adapter"),) if adapter and not is_folder(adapter) else ()


def check_folder(adapter: str, is_attached: bool = False) -> None:
    """Raises MachineError if a folder is meant and no adapter is there that can be merged, or attached by vLLM."""
    if adapter and is_folder(adapter):
        folder = Path(adapter).expanduser()
        if not folder.is_dir():
            raise _problem(adapter, "is not a folder", "check the path")
        for name in (CONFIG, WEIGHTS_FILE):
            if not (folder / name).is_file():
                raise _problem(adapter, f"has no {name} in it", "give the folder of a LoRA that peft saved")
        _checked(adapter, folder / CONFIG, is_attached)


@dataclass(frozen=True)
class Adapter:
    """One that was read: its configuration as it stands in the file, and its weights by their names there."""

    name: str
    config: Mapping[str, Any]  # of any JSON
    state: Mapping[str, Tensor]  # by name, without PREFIX
    sha256: str  # of the file of weights

    @property
    def rank(self) -> int:
        """The largest rank of any module."""
        ranks = self.config.get("rank_pattern") or {}
        return max([int(self.config["r"]), *map(int, ranks.values())])

    @property
    def facts(self) -> Facts:
        """What the run has on record of it."""
        return {
            "adapter": self.name,
            "adapter_rank": self.rank,
            "adapter_alpha": self.config.get("lora_alpha"),
            "adapter_base": self.config.get("base_model_name_or_path"),
            "adapter_sha256": self.sha256,
        }


def read(adapter: str, revision: str | None, is_attached: bool = False) -> Adapter:
    """The adapter, from its folder or the Hub. Raises MachineError, one line, for one that cannot be used."""
    try:
        import peft  # noqa: F401
        import torch
        from safetensors import SafetensorError  # type: ignore[import-not-found]
        from safetensors.torch import load_file  # type: ignore[import-not-found]
    except ImportError as error:
        raise MachineError(f"{KEY}: needs the package peft ({brief(error)}): pip install peft") from error

    check_folder(adapter, is_attached)
    places = [_place(adapter, revision, name) for name in (CONFIG, WEIGHTS_FILE)]
    config = _checked(adapter, places[0], is_attached)
    try:
        state = {name.removeprefix(PREFIX): tensor for name, tensor in load_file(places[1]).items()}
        with places[1].open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError, SafetensorError) as error:
        raise _problem(adapter, f"cannot be read: {brief(error)}", "download or copy it again") from error
    if not state:
        raise _problem(adapter, "holds no weights", "download or copy it again")
    spoilt = [name for name, tensor in state.items() if not bool(torch.isfinite(tensor).all())]
    if spoilt:
        raise _problem(adapter, f"has weights that are not finite, such as {spoilt[0]}", "train or save it again")
    return Adapter(adapter, config, state, sha256)


def _place(adapter: str, revision: str | None, name: str) -> Path:
    if is_folder(adapter):
        return Path(adapter).expanduser() / name
    from huggingface_hub import hf_hub_download  # type: ignore[import-not-found]

    hub.guard()
    try:
        return Path(hf_hub_download(adapter, name, revision=revision))
    except hub.client_errors(OSError, ValueError) as error:
        advice = "download it first, or give a folder of a LoRA that peft saved"
        raise _problem(adapter, f"({revision}): {name} cannot be had: {brief(error, 160)}", advice) from error


def _checked(adapter: str, path: Path, is_attached: bool) -> dict[str, Any]:
    """The configuration. Raises MachineError for one of another kind, or that says what cannot be done here."""
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _problem(adapter, f"{CONFIG} cannot be read: {brief(error)}", "download or copy it again") from error
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind != "LORA":
        raise _problem(adapter, f"is an adapter of the kind {kind!r}", "only LORA can be used")
    rank, start = config.get("r"), config.get("init_lora_weights")
    if not isinstance(rank, int) or isinstance(rank, bool) or rank < 1:
        raise _problem(adapter, f"has the rank {rank!r} in {CONFIG}", "it must be a whole number of at least 1")
    odd = [name for name, value in config.items() if value and name not in (*READ, *IGNORED)]
    if isinstance(start, str) and start.lower() not in PLAIN_STARTS:
        odd.append(f"init_lora_weights {start}")
    if odd:
        raise _problem(
            adapter, f"uses {odd[0]}, which is not supported", "save it as a plain LoRA, or merge it yourself"
        )
    beyond = [name for name in NOT_ATTACHED if config.get(name)]
    beyond += ["bias"] if config.get("bias") not in (None, "none") else []
    if is_attached and beyond:
        raise _problem(
            adapter, f"has {beyond[0]}, which vLLM cannot attach", "use transformers_vlm, or merge it yourself"
        )
    return dict(config)


# on a model -----------------------------------------------------------------------------------------------------------


def placed(adapter: Adapter, model: PreTrainedModel) -> tuple[PeftModel, dict[str, Tensor]]:
    """`model` with places for the adapter, and its weights by the names that belong there, PREFIX in front.

    A model on the device "meta" is enough to find out. Raises MachineError unless every weight has a place of its shape
    and every place has a weight.
    """
    from peft import PeftModel, get_peft_model_state_dict

    style, config = _fitted(adapter, model)
    state = {f"{PREFIX}{style.now(name)}": tensor for name, tensor in adapter.state.items()}
    is_meta = next(model.parameters()).is_meta
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by names that have newer ones
            prepared = PeftModel(model, config, low_cpu_mem_usage=is_meta)
        places = get_peft_model_state_dict(prepared, save_embedding_layers=False)
    except (ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
        if type(error).__name__ == "OutOfMemoryError":
            raise
        raise _problem(adapter.name, f"cannot be put on {type(model).__name__}: {brief(error)}", MISFIT) from error
    fitting = [name for name, tensor in state.items() if name in places and places[name].shape == tensor.shape]
    if len(fitting) < len(state):
        odd = next(name for name in state if name not in set(fitting))
        shape = f", which is {_shape(state[odd])} and not {_shape(places[odd])}" if odd in places else ""
        what = f"{len(fitting)} of its {len(state)} weights fit {type(model).__name__}, and not {odd}{shape}"
        raise _problem(adapter.name, what, MISFIT)
    lost = [name for name in places if name not in state]
    if lost:
        what = f"lacks {len(lost)} of the {len(places)} weights that its {CONFIG} speaks of, such as {lost[0]}"
        raise _problem(adapter.name, what, "download or copy it again")
    return prepared, state


MISFIT = "it was trained for another model"


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape))


def merged(adapter: Adapter, model: PreTrainedModel, model_name: str) -> PreTrainedModel:
    """`model` with the adapter in its weights, as `merge_and_unload` of peft makes it."""
    from peft import set_peft_model_state_dict

    warn_of_base(adapter, model_name)
    prepared, state = placed(adapter, model)
    left = set_peft_model_state_dict(prepared, state).unexpected_keys
    if left:
        raise _problem(
            adapter.name, f"{len(left)} of its {len(state)} weights were not taken, such as {left[0]}", MISFIT
        )
    try:
        done: PreTrainedModel = prepared.merge_and_unload(safe_merge=True).eval()
    except ValueError as error:  # not a number, or a kind of layer that cannot be merged
        raise _problem(adapter.name, f"cannot be merged: {brief(error)}", "train or save it again") from error
    return done


def write_for_vllm(adapter: Adapter, state: Mapping[str, Tensor], folder: Path) -> None:
    """The adapter in `folder`, its modules called as transformers calls them now."""
    from safetensors.torch import save_file

    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / WEIGHTS_FILE, {"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(adapter.config), "utf-8")


def warn_of_base(adapter: Adapter, model_name: str) -> None:
    """Shapes decide whether an adapter fits; another name of its base may be another version of the same model."""
    base = str(adapter.config.get("base_model_name_or_path") or "")
    if base and Path(base).name != Path(model_name).name:
        log.warning("%s: %s says that it was trained on %s, not on %s", KEY, adapter.name, base, model_name)


@dataclass(frozen=True)
class _Style:
    """Names of modules as an adapter has them -> as the model has them now."""

    modules: Mapping[str, str]

    def now(self, weight: str) -> str:
        """The name of a weight, as it is called now; as it is where no module is meant."""
        module = _module(weight)
        return self.modules[module] + weight.removeprefix(module) if module in self.modules else weight


def _module(weight: str) -> str:
    """The module that a weight belongs to: all before ".lora_A.weight", or before the last dot."""
    found = re.match(r"(.+?)\.lora_\w+(\.weight|\.bias)?$", weight)
    return found[1] if found else weight.rpartition(".")[0]


def _fitted(adapter: Adapter, model: PreTrainedModel) -> tuple[_Style, LoraConfig]:
    """The style in which most of the weights have a module, and the configuration in the names of now."""
    from peft import LoraConfig

    names = [name for name, _ in model.named_modules()]
    styles = [_Style({_then(name, style): name for name in names}) for style in STYLES]
    used = {_module(weight) for weight in adapter.state}
    best = max(styles, key=lambda style: len(used & style.modules.keys()))  # of equals the first: the names of now
    given = {name: adapter.config[name] for name in READ if adapter.config.get(name) is not None}
    try:
        config = LoraConfig(**given, inference_mode=True)
    except (TypeError, ValueError) as error:
        raise _problem(adapter.name, f"{CONFIG}: {brief(error)}", "save it again with peft") from error
    return best, config if best is styles[0] else _renamed(config, best)


def _then(name: str, style: Mapping[str, str]) -> str:
    return next((then + name.removeprefix(now) for now, then in style.items() if name.startswith(now)), name)


def _renamed(config: LoraConfig, style: _Style) -> LoraConfig:
    """The same in names of now. Patterns may be expressions over the old names, so that each module is named."""
    from peft.tuners.tuners_utils import check_target_module_exists  # type: ignore[import-not-found]
    from peft.utils.other import get_pattern_key  # type: ignore[import-not-found]

    hit = {then: now for then, now in style.modules.items() if check_target_module_exists(config, then)}
    patterns = {
        field: {now: found[key] for then, now in hit.items() if (key := get_pattern_key(found.keys(), then)) in found}
        for field in ("rank_pattern", "alpha_pattern")
        if (found := getattr(config, field))
    }
    free = {"exclude_modules": None, "layers_to_transform": None, "layers_pattern": None}
    renamed: LoraConfig = replace(config, target_modules=sorted(hit.values()), **patterns, **free)
    return renamed


def _problem(adapter: str, what: str, advice: str) -> MachineError:
    return MachineError(f"{KEY}: {adapter!r} {what}; {advice}")
