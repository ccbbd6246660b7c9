"""A checkpoint of EditReward: found, read and put together with every weight, or one line that says why not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editeval.errors import MachineError
from editeval.judges.local.pretrained import ModelRequest, Preprocessing, load_preprocessing, problem, reading
from editeval.judges.local.reward_model import FAMILIES, HEADS, REWARD_TOKEN, RewardModel

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

HEAD_WIDTHS = (1024, 16)
NUM_OUTPUTS = 2  # mu and log sigma
WEIGHTS_FILES = ("model.safetensors", "model.safetensors.index.json", "model.pth")
"""Where a checkpoint has its weights, the first that is there; the last is a pickle, which needs the user's consent."""


def check_weights(wanted: ModelRequest) -> None:
    """Raises MachineError if a path is meant and no checkpoint is there."""
    if wanted.is_path:
        folder = Path(wanted.place)
        if not folder.is_dir():
            raise problem(wanted, "is not a folder", "check the path")
        if not any((folder / name).is_file() for name in WEIGHTS_FILES):
            raise _no_weights(wanted)


def _no_weights(wanted: ModelRequest) -> MachineError:
    return problem(wanted, f"has none of {', '.join(WEIGHTS_FILES)}", "give the folder of a complete checkpoint")


def load_reward_model(
    weights: ModelRequest, base: ModelRequest, devices: Sequence[str], may_unpickle: bool
) -> RewardModel:
    """The checkpoint `weights`, made of `base`. Of the latter only configuration, tokenizer and image processor are
    read: every weight comes from the checkpoint, none is missing and none is left over. Raises MachineError."""
    if len(devices) != 1:
        what = f"runs on one device at a time, got {', '.join(devices)}"
        raise MachineError(f"reward_model.params.device_ids: editreward {what}; list single devices")
    preparing = load_preprocessing(base, FAMILIES)
    commit = getattr(preparing.config, "_commit_hash", None)
    preparing.tokenizer.add_special_tokens({"additional_special_tokens": [REWARD_TOKEN]})
    reward_id = int(preparing.tokenizer.convert_tokens_to_ids(REWARD_TOKEN))
    file, found_commit = reading(weights, lambda: _weights_file(weights))
    state = reading(weights, lambda: _state(weights, file, may_unpickle))
    backbone, heads = reading(weights, lambda: _assembled(weights, base, preparing, state))
    backbone.config._commit_hash = found_commit
    backbone.to(devices[0])
    heads.to(devices[0])
    return RewardModel(backbone.eval(), heads.eval(), preparing, devices[0], reward_id, commit)


def _weights_file(wanted: ModelRequest) -> tuple[Path, str | None]:
    """Where the weights are on this machine, and the commit they are of, if they come from the hub."""
    from transformers.utils import cached_file

    folder = Path(wanted.place)
    if folder.is_dir():
        found = next((folder / name for name in WEIGHTS_FILES if (folder / name).is_file()), None)
    else:
        source: dict[str, Any] = {"revision": wanted.revision or "main"}
        source["_raise_exceptions_for_missing_entries"] = False
        places = (cached_file(wanted.place, name, **source) for name in WEIGHTS_FILES)
        found = next((Path(place) for place in places if place), None)
    if found is None:
        raise _no_weights(wanted)
    parts = found.parts
    commit = parts[parts.index("snapshots") + 1] if "snapshots" in parts[:-1] and not folder.is_dir() else None
    return found, commit


def _state(wanted: ModelRequest, file: Path, may_unpickle: bool) -> dict[str, Tensor]:
    import torch

    load_file = import_module("safetensors.torch").load_file
    if file.suffix == ".pth":
        if not may_unpickle:
            what = f"has its weights in {file.name}, a pickle, which can run code"
            raise problem(wanted, what, "convert it to model.safetensors, or allow it with --allow-code")
        try:
            state = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        except Exception as error:
            if type(error).__name__ != "UnpicklingError":
                raise
            what = f"has more than weights in {file.name}, which is not read"
            raise problem(wanted, what, "convert it to model.safetensors") from error
        state = state.get("model", state) if isinstance(state, dict) else {}
        return {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    if file.suffix == ".json":
        listed = dict(dict(json.loads(file.read_text(encoding="utf-8")))["weight_map"])
        parts = [load_file(file.parent / Path(name).name) for name in sorted(set(listed.values()))]
        return {name: tensor for part in parts for name, tensor in part.items()}
    whole: dict[str, Tensor] = load_file(file)
    return whole


def _assembled(
    weights: ModelRequest, base: ModelRequest, preparing: Preprocessing, state: Mapping[str, Tensor]
) -> tuple[PreTrainedModel, nn.ModuleDict]:
    """The network with all of `state` in it, on the CPU."""
    import torch
    import transformers

    init_empty_weights = import_module("accelerate").init_empty_weights
    config = preparing.config
    text = config.get_text_config()
    heads = _heads(int(text.hidden_size))
    _check_heads(weights, state, heads)
    table = state.get("model.language_model.embed_tokens.weight")
    num_tokens = len(preparing.tokenizer)
    if table is not None and table.shape[0] < num_tokens:
        what = f"has {table.shape[0]} tokens, and {base.model_name!r} with {REWARD_TOKEN} has {num_tokens}"
        raise problem(weights, what, "name the model it was made of in base_model")
    if table is not None:
        text.vocab_size = int(table.shape[0])
    dtype = next(iter(state.values())).dtype if weights.dtype == "auto" else getattr(torch, weights.dtype)
    with init_empty_weights():
        backbone = transformers.AutoModel.from_config(
            config, attn_implementation="flash_attention_2" if weights.use_flash_attention else "sdpa"
        )
    own = {name.removeprefix("model."): tensor for name, tensor in state.items() if name.startswith("model.")}
    others = [name for name in state if not name.startswith(("model.", "rm_heads.")) and name != "lm_head.weight"]
    _check(weights, base, backbone.state_dict(), own, others)
    backbone.load_state_dict({name: tensor.to(dtype) for name, tensor in own.items()}, assign=True)
    backbone.to(dtype)  # its buffers too: the authors round the rotary frequencies like this
    heads.load_state_dict(
        {n.removeprefix("rm_heads."): t.float() for n, t in state.items() if n.startswith("rm_heads.")}
    )
    return backbone, heads


def _heads(hidden: int) -> nn.ModuleDict:
    from torch import nn

    first, second = HEAD_WIDTHS

    def head() -> nn.Sequential:  # the authors have a dropout at place 2, which is nothing here but counts
        layers = (nn.Linear(hidden, first), nn.ReLU(), nn.Identity(), nn.Linear(first, second), nn.ReLU())
        return nn.Sequential(*layers, nn.Linear(second, NUM_OUTPUTS))

    return nn.ModuleDict({name: head() for name in HEADS})


def _check_heads(wanted: ModelRequest, state: Mapping[str, Tensor], heads: nn.ModuleDict) -> None:
    """Raises MachineError unless the checkpoint has these two heads, and no others."""
    needed = {f"rm_heads.{name}": tensor.shape for name, tensor in heads.state_dict().items()}
    found = {name: tensor.shape for name, tensor in state.items() if name.startswith(("rm_head.", "rm_heads."))}
    missing = [name for name in needed if name not in found]
    if missing:
        what = f"lacks {len(missing)} weights of its reward heads, such as {missing[0]}"
        raise problem(wanted, what, "name a checkpoint of EditReward with two heads, not its base model")
    odd = next((name for name in found if found[name] != needed.get(name)), "")
    if odd:
        shape = "x".join(map(str, found[odd]))
        what = f"has {odd} of {shape}, which is no part of two heads with {NUM_OUTPUTS} outputs over this base model"
        raise problem(wanted, what, "name the model it was made of in base_model, or another checkpoint")


def _check(
    wanted: ModelRequest,
    base: ModelRequest,
    needed: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    others: Sequence[str],
) -> None:
    """Raises MachineError unless every weight of the base model's network is there in its shape, and nothing else."""
    advice = f"name the model it was made of in base_model, which is {base.model_name!r} now"
    missing = [name for name in needed if name not in found]
    extra = [*others, *(f"model.{name}" for name in found if name not in needed)]
    if missing:
        raise problem(wanted, f"lacks {len(missing)} of its weights, such as model.{missing[0]}", advice)
    if extra:
        raise problem(wanted, f"has {len(extra)} weights that its base model has not, such as {extra[0]}", advice)
    odd = next((name for name, tensor in needed.items() if found[name].shape != tensor.shape), "")
    if odd:
        shapes = ("x".join(map(str, side[odd].shape)) for side in (found, needed))
        raise problem(wanted, "has model.{} of {}, where its base model has {}".format(odd, *shapes), advice)
