"""A checkpoint of the Qwen-VL family, ready to answer, or one line that says what is wrong with it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from editeval.errors import MachineError
from editeval.judges.local import adapter as adapters
from editeval.judges.parsing.reply import LABELS
from editeval.machine import hub
from editeval.machine.versions import to_install
from editeval.types import Facts, HubModel

if TYPE_CHECKING:
    from transformers import BaseImageProcessor, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe")
"""Values of `model_type` whose prompts this engine knows how to build."""

DTYPES = ("auto", "bfloat16", "float16", "float32")
CONFIG = "config.json"
IMAGE_TOKEN = "<|image_pad|>"
"""What the chat templates of all FAMILIES put in the place of an image."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What is to be loaded."""

    model_name: str
    revision: str | None
    dtype: str
    use_flash_attention: bool
    parameter: str = "model_name"  # that names it, for messages
    adapter: str = ""  # a LoRA's folder or name on the hub; empty: none
    adapter_revision: str | None = None

    @property
    def is_path(self) -> bool:
        """Whether `model_name` can only be a folder: names on the hub are "name" or "owner/name"."""
        return self.model_name.startswith((".", "~", "/")) or self.model_name.count("/") > 1 or "\\" in self.model_name

    @property
    def place(self) -> str:
        """`model_name` as the libraries want it."""
        return str(Path(self.model_name).expanduser()) if self.is_path else self.model_name

    @property
    def hub_model(self) -> HubModel | None:
        """What is loaded from the Hub; None if it is a folder of this machine."""
        is_here = self.is_path or Path(self.model_name).is_dir()
        return None if is_here else HubModel(self.model_name, self.revision, CONFIG, parameter=self.parameter)

    @property
    def hub_adapters(self) -> tuple[HubModel, ...]:
        """The same for the adapter, if there is one."""
        return adapters.hub_models(self.adapter, self.adapter_revision)


@dataclass(frozen=True, slots=True)
class PretrainedModel:
    """A model on its devices and what turns messages and images into its inputs."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    image_processor: BaseImageProcessor
    device: str  # where inputs go
    max_tokens: int  # prompt and reply together
    end_ids: frozenset[int]  # tokens that end a reply
    label_ids: tuple[int, ...]  # token of each of LABELS
    pad_id: int
    typed_id: int | None  # token to be marked as an image's, for models that want it marked
    adapter_facts: Facts = field(default_factory=dict)  # of the adapter in the weights; empty: none


def check_folder(wanted: ModelRequest) -> None:
    """Raises MachineError if a path is meant and no checkpoint is there."""
    if not wanted.is_path:
        return
    folder = Path(wanted.model_name).expanduser()
    if not folder.is_dir():
        raise problem(wanted, "is not a folder", "check the path")
    if not (folder / CONFIG).is_file():
        raise problem(wanted, "has no config.json in it", "give the folder of a complete snapshot")


def check_alone(wanted: ModelRequest, model: object = None) -> None:
    """Raises MachineError if transformers attaches an adapter unasked, or did so to `model`: one beside the weights.

    It would, without a word, where peft is installed, and pass over weights that fit nothing.
    """
    if (Path(wanted.place) / adapters.CONFIG).is_file() or getattr(model, "_hf_peft_config_loaded", False):
        advice = "keep the adapter in a folder of its own, and name that in adapter where the judge has it"
        raise problem(wanted, f"has an adapter beside its weights ({adapters.CONFIG})", advice)


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Of a checkpoint, what turns messages and images into a model's inputs."""

    config: PretrainedConfig
    tokenizer: PreTrainedTokenizerBase
    image_processor: BaseImageProcessor


def load_preprocessing(wanted: ModelRequest, families: Sequence[str] = FAMILIES) -> Preprocessing:
    """Configuration, tokenizer and image processor of a checkpoint of one of `families`. Raises MachineError."""
    try:
        import torch  # noqa: F401  transformers imports without it, and fails later
        import transformers  # noqa: F401
    except ModuleNotFoundError as error:
        raise MachineError(f"reward_model.type: needs the package {error.name}; {to_install('judge')}") from error
    check_folder(wanted)
    config = load_config(wanted, families)
    tokenizer = reading(wanted, lambda: _tokenizer(wanted))
    if tokenizer.convert_tokens_to_ids(IMAGE_TOKEN) != config.image_token_id:
        raise problem(wanted, f"has a tokenizer without {IMAGE_TOKEN}", "download the snapshot again, completely")
    return Preprocessing(config, tokenizer, reading(wanted, lambda: load_image_processor(wanted)))


def load_config(wanted: ModelRequest, types: Sequence[str] = ()) -> PretrainedConfig:
    """The configuration of a checkpoint of one of `types`; none: of any. Raises MachineError."""
    import transformers

    written, _ = reading(wanted, lambda: transformers.PretrainedConfig.get_config_dict(wanted.place, **source(wanted)))
    if kernel := hub.kernel_in(written):
        raise problem(wanted, f"asks to run code of {kernel} ({CONFIG})", "take that setting out of the file")
    config = reading(wanted, lambda: transformers.AutoConfig.from_pretrained(wanted.place, **source(wanted)))
    if types and config.model_type not in types:
        raise problem(wanted, f"is a model of type {config.model_type!r}", f"name one of type {', '.join(types)}")
    return config


def load_checkpoint(wanted: ModelRequest, devices: Sequence[str]) -> PretrainedModel:
    """The checkpoint on `devices` (several: its layers are spread over them), in greedy mode. Raises MachineError."""
    found = load_preprocessing(wanted)
    config, tokenizer, image_processor = found.config, found.tokenizer, found.image_processor
    lora = adapters.read(wanted.adapter, wanted.adapter_revision) if wanted.adapter else None
    model = reading(wanted, lambda: _model(wanted, config, devices)).eval()
    model = model if lora is None else adapters.merged(lora, model, wanted.model_name)
    end_ids, pad_id = _make_greedy(model, tokenizer)
    max_tokens = int(getattr(config.get_text_config(), "max_position_embeddings", 32768))
    typed_id = config.image_token_id if "mm_token_type_ids" in signature(model.forward).parameters else None
    labels = _label_ids(wanted, tokenizer)
    held = model, tokenizer, image_processor, devices[0], max_tokens, end_ids, labels, pad_id, typed_id
    return PretrainedModel(*held, adapter_facts={} if lora is None else lora.facts)


def source(wanted: ModelRequest) -> dict[str, str | bool]:
    """What every `from_pretrained` is told."""
    return {"revision": wanted.revision or "main", "trust_remote_code": False}


def _tokenizer(wanted: ModelRequest) -> PreTrainedTokenizerBase:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(wanted.place, **source(wanted))
    template = tokenizer.chat_template
    if not isinstance(template, str) or "image" not in template:
        tokenizer.chat_template = _old_template(wanted)
    return tokenizer


def _old_template(wanted: ModelRequest) -> str:
    """The chat template from where checkpoints of 2025 keep it: a file of the processor's."""
    from transformers.utils import cached_file

    path = cached_file(
        wanted.place,
        "chat_template.json",
        revision=wanted.revision or "main",
        _raise_exceptions_for_missing_entries=False,
    )
    template = json.loads(Path(path).read_text(encoding="utf-8")).get("chat_template") if path else None
    if not isinstance(template, str):
        raise problem(wanted, "has no chat template for images", "use an instruction-tuned (Instruct) checkpoint")
    return template


def load_image_processor(wanted: ModelRequest) -> BaseImageProcessor:
    """Always the one on Pillow: what the judge sees must not depend on whether torchvision is installed."""
    import transformers

    on_pillow = {"backend": "pil"} if hasattr(transformers, "Qwen2VLImageProcessorPil") else {"use_fast": False}
    return transformers.AutoImageProcessor.from_pretrained(wanted.place, **on_pillow, **source(wanted))


def _model(wanted: ModelRequest, config: PretrainedConfig, devices: Sequence[str]) -> PreTrainedModel:
    """The model with every weight from the checkpoint: transformers would fill gaps with random numbers."""
    import torch
    import transformers

    check_alone(wanted)
    dtype = wanted.dtype if wanted.dtype == "auto" else getattr(torch, wanted.dtype)
    placement: dict[str, object] = {}
    if devices[0] != "cpu":
        placement["device_map"] = {"": devices[0]} if len(devices) == 1 else "balanced"
    model, report = transformers.AutoModelForImageTextToText.from_pretrained(
        wanted.place,
        config=config,
        dtype=dtype,
        attn_implementation="flash_attention_2" if wanted.use_flash_attention else "sdpa",
        use_safetensors=True,
        output_loading_info=True,
        **placement,
        **source(wanted),
    )
    check_alone(wanted, model)
    gaps = [*report["missing_keys"], *report["mismatched_keys"]]
    if gaps:
        raise problem(
            wanted, f"lacks {len(gaps)} of its weights, such as {gaps[0]}", "download the snapshot again, completely"
        )
    return model


def empty_model(wanted: ModelRequest) -> PreTrainedModel:
    """The model without its weights: names and shapes. Raises MachineError for one that transformers does not know."""
    import torch
    import transformers

    config = load_config(wanted)
    with torch.device("meta"):
        return reading(wanted, lambda: transformers.AutoModelForImageTextToText.from_config(config))


def _make_greedy(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> tuple[frozenset[int], int]:
    """Replaces the checkpoint's sampling settings and penalties; returns the ids that end a reply, and of padding."""
    import transformers

    own = model.generation_config
    listed = own.eos_token_id if own.eos_token_id is not None else tokenizer.eos_token_id
    end_ids = frozenset(listed if isinstance(listed, list | tuple) else [listed])
    pad_id = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else min(end_ids)
    model.generation_config = transformers.GenerationConfig(
        do_sample=False, num_beams=1, eos_token_id=sorted(end_ids), pad_token_id=pad_id
    )
    return end_ids, pad_id


def _label_ids(wanted: ModelRequest, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    encoded = [tokenizer(label, add_special_tokens=False)["input_ids"] for label in LABELS]
    if any(len(ids) != 1 for ids in encoded):
        raise problem(wanted, "has a tokenizer that splits digits", "use one where every digit is one token")
    return tuple(ids[0] for ids in encoded)


def reading(wanted: ModelRequest, read: Callable[[], T]) -> T:
    """What `read` returns; whatever the libraries raise for a bad checkpoint becomes one line."""
    hub.guard()
    broken_weights: type[Exception] = importlib.import_module("safetensors").SafetensorError
    read_errors = hub.client_errors(OSError, ValueError, TypeError, LookupError, RuntimeError, broken_weights)

    try:
        return read()
    except ImportError as error:
        advice = "install what it names" + (", or set use_flash_attention: false" if wanted.use_flash_attention else "")
        raise problem(wanted, _first_sentence(error), advice) from error
    except read_errors as error:
        if type(error).__name__ == "OutOfMemoryError":
            raise
        advice = "give the path of a complete local snapshot, or a name on the hub while it can be reached"
        raise problem(wanted, f"cannot be loaded: {_first_sentence(error)}", advice) from error


def _first_sentence(error: BaseException) -> str:
    """The first sentence: what follows is advice that does not fit here, such as to run the checkpoint's code."""
    text = " ".join(str(error).split()).partition(". ")[0].rstrip(".") or type(error).__name__
    return text if len(text) <= 240 else text[:237] + "..."


def problem(wanted: ModelRequest, what: str, advice: str) -> MachineError:
    revision = f" (revision {wanted.revision})" if wanted.revision else ""
    return MachineError(f"reward_model.params.{wanted.parameter}: {wanted.model_name!r}{revision} {what}; {advice}")


def facts_of(model: PreTrainedModel) -> Facts:
    """Class, commit (None unless it came from the hub), attention, dtype, and the devices that hold its weights."""
    places = sorted({str(parameter.device) for parameter in model.parameters()})
    return {
        "model": type(model).__name__,
        "commit": getattr(model.config, "_commit_hash", None),
        "attention": getattr(model.config, "_attn_implementation", None),
        "dtype": str(model.dtype).removeprefix("torch."),
        "device": ", ".join(dict.fromkeys(_name_of(place) for place in places)),
        "num_devices": len(places),
    }


def _name_of(device: str) -> str:
    """What a CUDA device is, since its number says nothing later."""
    if not device.startswith("cuda"):
        return device
    import torch

    return str(torch.cuda.get_device_name(device))


def empty_cache() -> None:
    """Gives back what torch keeps of a device's memory."""
    import torch

    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
