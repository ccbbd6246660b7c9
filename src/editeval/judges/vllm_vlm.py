"""Judge `vllm_vlm`: a vision-language model run by vLLM in the worker's own process (`LLM.chat`), without a server.

Models   whatever vLLM runs that takes pictures, such as Qwen3-VL and Qwen2.5-VL: https://docs.vllm.ai (Apache-2.0);
         a model has its own licence
Memory   gpu_memory_utilization of each device is taken at the start, weights and cache together
Cost     one prompt per question of the protocol, or num_samples; what two questions have in common is computed once

One call of `judge` is one batch of vLLM's: a larger reward_model.execution.batch_size (64) keeps the device busy, and
scores still land batch by batch. A worker with several devices (devices_per_worker) spreads the model over them. vLLM
pins a torch of its own: give it an environment of its own. Code of a checkpoint is never run. `adapter`: a LoRA that
peft saved, attached to every request; needs peft too.
"""

from __future__ import annotations

import importlib
import logging
import math
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from editeval.errors import ConfigError, EditevalError, MachineError
from editeval.judges.chat import messages as chat
from editeval.judges.chat.messages import JSON_SCHEMAS, NUMBER, Conversation, Part
from editeval.judges.chat.params import DrawnParams, SamplingParams
from editeval.judges.chat.runner import Backend, Call, ProtocolJudge
from editeval.judges.local import adapter as adapters
from editeval.judges.local.pretrained import DTYPES, ModelRequest, check_folder, empty_model
from editeval.judges.parsing.reply import Reply
from editeval.judges.protocols import protocol as protocols
from editeval.machine import hub
from editeval.types import WEIGHTS, WHERE_SET, Facts, HubModel

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor
    from vllm import LLM, RequestOutput
    from vllm.logprobs import Logprob

log = logging.getLogger("editeval")
NAME = "vllm_vlm"
INSTALL = "pip install vllm, into an environment of its own"
_NAMES = (
    "async_scheduling attention_backend block_size calculate_kv_scales config_format cpu_offload_gb data_parallel_size "
    "disable_custom_all_reduce disable_log_stats disable_mm_preprocessor_cache enable_chunked_prefill "
    "enable_expert_parallel enable_prefix_caching enforce_eager kv_cache_dtype kv_cache_memory_bytes load_format "
    "max_num_batched_tokens max_num_seqs max_parallel_loading_workers mm_encoder_attn_backend mm_encoder_tp_mode "
    "mm_processor_cache_gb mm_processor_cache_type num_gpu_blocks_override pipeline_parallel_size quantization "
    "skip_mm_profiling swap_space tokenizer_mode use_tqdm_on_load"
)
ENGINE = frozenset(_NAMES.split())
"""What `engine` may hold: plain numbers and words. Of vLLM's other arguments some name classes, modules or files."""
FORMATS = ("safetensors", "fastsafetensors", "mistral", "gguf", "bitsandbytes", "sharded_state", "dummy")
"""What `engine.load_format` may be: no format that unpickles."""


@dataclass(frozen=True)
class VllmVlmParams(DrawnParams):
    """Which model, how it is asked, and what counts as an answer."""

    model_name: str = field(default="Qwen/Qwen3-VL-8B-Instruct", metadata=WEIGHTS)  # on the hub, or a local path
    revision: str | None = None  # commit, tag or branch of the hub repository; None: the newest
    adapter: str = field(default="", metadata={**WEIGHTS, **WHERE_SET})  # a LoRA: a folder, or a name on the hub
    adapter_revision: str | None = field(default=None, metadata=WHERE_SET)  # its commit there, of 40 hex digits
    dtype: str = "bfloat16"  # of the weights: bfloat16, float16, float32, or auto for the checkpoint's own
    max_model_len: int = 8192  # tokens of a prompt and its reply; a longer prompt is unscored
    gpu_memory_utilization: float = 0.9  # share of each device's memory that vLLM takes
    engine: Mapping[str, object] = field(default_factory=dict)  # further arguments of vllm.LLM, such as enforce_eager

    def __post_init__(self) -> None:
        if not self.model_name.strip():
            raise ConfigError("model_name: must name a checkpoint, got nothing")
        adapters.check_values(self.adapter, self.adapter_revision)
        if self.dtype not in DTYPES:
            raise ConfigError(f"dtype: must be one of {', '.join(DTYPES)}, got {self.dtype!r}")
        super().__post_init__()
        if self.max_model_len < 256:
            raise ConfigError(f"max_model_len: must be at least 256, got {self.max_model_len}")
        if not 0.0 < self.gpu_memory_utilization <= 1.0:
            raise ConfigError(
                f"gpu_memory_utilization: must be above 0 and at most 1, got {self.gpu_memory_utilization}"
            )
        for name, value in self.engine.items():
            if name not in ENGINE:
                raise ConfigError(f"engine: {name[:40]!r} cannot be set here; known: {', '.join(sorted(ENGINE))}")
            if not isinstance(value, bool | int | float | str | None):
                raise ConfigError(f"engine: {name} must be a number, true, false or a word")
            if name == "load_format" and value not in FORMATS:
                raise ConfigError(f"engine: load_format must be one of {', '.join(FORMATS)}, got {value!r}")


class VllmVlmJudge(ProtocolJudge[Conversation]):
    """Asks a model inside vLLM what the protocol asks, a batch at a time. Tests give a fake package as `vllm`."""

    Params = VllmVlmParams
    name = NAME
    packages = ("vllm",)
    params: VllmVlmParams

    def __init__(self, params: VllmVlmParams, vllm: Any = None) -> None:
        super().__init__(params)
        self._vllm = vllm

    @classmethod
    def check(cls, params: VllmVlmParams) -> None:
        """A folder, or a file of weights, must be there; what is on the hub is looked up afterwards."""
        wanted = _wanted(params)
        if not Path(wanted.place).is_file():
            check_folder(wanted)
        adapters.check_folder(params.adapter, is_attached=True)

    @classmethod
    def hub_model(cls, params: VllmVlmParams) -> HubModel | None:
        """vLLM also takes models without config.json, quantised ones as owner/name:kind, and those of another hub."""
        if ":" in params.model_name or os.environ.get("VLLM_USE_MODELSCOPE", "").lower() in ("1", "true"):
            return None
        model = _wanted(params).hub_model
        return model and replace(model, is_file_needed=False)

    @classmethod
    def hub_others(cls, params: VllmVlmParams) -> tuple[HubModel, ...]:
        return _wanted(params).hub_adapters

    def backend(self, devices: Sequence[str]) -> VllmEngine:
        """The model, spread over `devices`. Raises MachineError if vLLM is not installed, or cannot load it."""
        p = self.params
        options = {
            "model": p.model_name,
            "revision": p.revision,
            "runner": "generate",
            "dtype": p.dtype,
            "tensor_parallel_size": len(devices),
            "max_model_len": p.max_model_len,
            "gpu_memory_utilization": p.gpu_memory_utilization,
            "limit_mm_per_prompt": {"image": protocols.max_images(p.asking), "video": 0},
            "logprobs_mode": "raw_logprobs",  # before temperature and grammar: what the model itself thinks
            "generation_config": "vllm",  # not the checkpoint's samplers and penalties
            "trust_remote_code": False,
            "load_format": "auto" if self.allow_code else "safetensors",  # "auto" would also unpickle
            "seed": 0,
            **p.engine,
        }
        if not p.adapter:
            return VllmEngine(self._vllm or _package(), options)
        lora = AttachedLora.fitting(_wanted(p))
        return VllmEngine(self._vllm or _package(), {**options, **lora.options}, lora)


def _wanted(params: VllmVlmParams) -> ModelRequest:
    names = params.model_name, params.revision, params.dtype
    return ModelRequest(*names, False, adapter=params.adapter, adapter_revision=params.adapter_revision)


def _package() -> ModuleType:
    """The package vllm. Raises MachineError where it is not installed."""
    try:
        return importlib.import_module("vllm")
    except ModuleNotFoundError as error:
        raise MachineError(f"reward_model.type: {NAME} needs the package {error.name}; {INSTALL}") from error


RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM takes as `max_lora_rank`."""


@dataclass(frozen=True)
class AttachedLora:
    """An adapter that fits the model, for vLLM to compute beside its weights: vLLM has no way to merge one."""

    adapter: adapters.Adapter
    state: Mapping[str, Tensor]  # its weights, called as transformers calls them now

    @classmethod
    def fitting(cls, wanted: ModelRequest) -> AttachedLora:
        """Raises MachineError, one line, for one that does not fit: vLLM passes over weights without a place."""
        adapter = adapters.read(wanted.adapter, wanted.adapter_revision, is_attached=True)
        if adapter.rank > RANKS[-1]:
            raise MachineError(f"{adapters.KEY}: {adapter.name!r} has the rank {adapter.rank}; vLLM takes {RANKS[-1]}")
        adapters.warn_of_base(adapter, wanted.model_name)
        return cls(adapter, adapters.placed(adapter, empty_model(wanted))[1])

    @property
    def options(self) -> dict[str, object]:
        """What `vllm.LLM` has to be told."""
        rank = next(rank for rank in RANKS if rank >= self.adapter.rank)
        options: dict[str, object] = {"enable_lora": True, "max_loras": 1, "max_lora_rank": rank}
        if any(".visual." in name for name in self.state):
            options["enable_tower_connector_lora"] = True
        return options

    def attach(self, vllm: Any, llm: LLM) -> object:
        """The adapter is in the engine, which keeps it; returns what names it in a request."""
        with tempfile.TemporaryDirectory(prefix="editeval-adapter-") as folder:
            adapters.write_for_vllm(self.adapter, self.state, Path(folder))
            made: object = vllm.lora.request.LoRARequest("adapter", 1, folder)
            try:
                is_new = llm.llm_engine.add_lora(made)
            except Exception as error:  # of its own class where another process raised it
                if type(error) not in (Exception, ValueError, RuntimeError, OSError):
                    raise
                what = " ".join(str(error).split())[:240]
                raise MachineError(f"{adapters.KEY}: {self.adapter.name!r}: not accepted by vllm: {what}") from error
        if not is_new:
            raise MachineError(f"{adapters.KEY}: {self.adapter.name!r}: vllm did not load it")
        return made


FINISHED = "stop"
_OF_REQUEST = frozenset({"ValueError", "VLLMClientError"})
_OF_ENGINE = frozenset({"VLLMServerError", "EngineDeadError"})
"""Names of error classes, because their modules differ between versions: one request is bad; the engine is dead."""


class EngineLostError(EditevalError):
    """The engine died; only a new process brings it back."""

    reason = "device_lost"


class VllmEngine(Backend[Conversation]):
    """A loaded `vllm.LLM`; `vllm` is the package. Written for vLLM 0.32 and 0.33."""

    def __init__(self, vllm: Any, options: Mapping[str, object], lora: AttachedLora | None = None) -> None:
        """Raises MachineError if the model or its adapter cannot be loaded."""
        self._vllm = vllm
        try:
            self._llm: LLM = vllm.LLM(**options)
        except hub.client_errors(OSError, ValueError) as error:
            first = " ".join(str(error).split())[:240]
            raise MachineError(f"reward_model.params.model_name: {options['model']!r}: {first}") from error
        self._adapter = {} if lora is None else lora.adapter.facts
        self._attached = {} if lora is None else {"lora_request": lora.attach(vllm, self._llm)}

    def facts(self) -> Facts:
        """What vLLM's own configuration says; `attention` is "auto" where vLLM chooses, which its log then names."""
        config = self._llm.llm_engine.vllm_config
        model, backend = config.model_config, config.attention_config.backend
        return {
            "model": ", ".join(model.hf_config.architectures),
            "commit": getattr(model.hf_config, "_commit_hash", None),
            "attention": "auto" if backend is None else backend.name,
            "dtype": str(model.dtype).removeprefix("torch."),
            "device": config.device_config.device_type,
            "num_devices": config.parallel_config.world_size,
            **self._adapter,
        }

    def close(self) -> None:
        """Ends the engine's own processes."""
        core = getattr(getattr(self._llm, "llm_engine", None), "engine_core", None)
        shutdown = getattr(core, "shutdown", None)
        if shutdown is not None:
            shutdown()
        self._llm = None

    def part(self, image: Image) -> Part:
        return {"type": "image_pil", "image_pil": image}

    def encode(self, conversation: Conversation) -> Conversation:
        return chat.harmless(conversation)

    def complete(self, calls: Sequence[Call[Conversation]]) -> list[Reply]:
        """All in one batch or, if the engine refuses one of them, one by one."""
        asked, sampling = [call.prompt for call in calls], [self._sampling(call.sampling) for call in calls]
        try:
            outputs = self._llm.chat(asked, sampling, use_tqdm=False, **self._attached)
        except Exception as error:
            kinds = {cls.__name__ for cls in type(error).__mro__}
            if kinds & _OF_ENGINE:
                raise EngineLostError(f"vllm: {type(error).__name__}: {error}") from error
            if not kinds & _OF_REQUEST:
                raise
            refusal = " ".join(str(error).split())
        else:
            return [_reply(output, call.sampling) for output, call in zip(outputs, calls, strict=True)]
        if len(calls) == 1:
            return [Reply("", problem="declined", message=f"not accepted by vllm: {refusal}")]
        log.warning("vllm refuses a batch of %d (%s); one by one", len(calls), refusal[:200])
        return [reply for call in calls for reply in self.complete([call])]

    def _sampling(self, wanted: SamplingParams) -> object:
        """A reply is forced into the form of its answer format; labels and reasons never are."""
        options: dict[str, object] = {"max_tokens": wanted.max_tokens}
        options |= {} if wanted.temperature is None else {"temperature": wanted.temperature}
        options |= {"top_p": wanted.top_p, "top_k": wanted.top_k} if wanted.is_cut and wanted.temperature else {}
        options["seed"] = wanted.seed
        if wanted.is_expected:
            options["logprobs"] = chat.NUM_LOGPROBS
        form: dict[str, object] = {}
        if wanted.is_structured and wanted.answer in JSON_SCHEMAS:
            form["json"] = dict(JSON_SCHEMAS[wanted.answer])
        elif wanted.is_structured and wanted.answer == "number":
            form["regex"] = NUMBER
        if form:
            options["structured_outputs"] = self._vllm.sampling_params.StructuredOutputsParams(**form)
        made: object = self._vllm.SamplingParams(**options)
        return made


def _reply(output: RequestOutput, sampling: SamplingParams) -> Reply:
    said = output.outputs[0]
    usage = (len(output.prompt_token_ids or ()), len(said.token_ids))
    if sampling.is_expected:
        places = [_by_text(place.values()) for place in (said.logprobs or ())[: chat.NUM_TOKENS]]
        if any(math.isnan(logprob) for place in places[:1] for logprob in place.values()):
            return Reply(said.text, problem="degenerate", message="the model computed NaN", usage=usage)
        return chat.reply_of(places, said.text, usage, said.finish_reason == FINISHED)
    return Reply(said.text, said.finish_reason == FINISHED, usage=usage)


def _by_text(entries: Iterable[Logprob]) -> dict[str, float]:
    """Log-probability by token, the likeliest first: at temperature 0 that is the one which was written."""
    found: dict[str, float] = {}
    for entry in sorted(entries, key=lambda entry: -entry.logprob):
        found.setdefault(str(entry.decoded_token), entry.logprob)
    return found
