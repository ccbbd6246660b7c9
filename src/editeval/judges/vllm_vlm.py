"""Judge `vllm_vlm`: a vision-language model run by vLLM in the worker's own process (`LLM.chat`), without a server.

Models   whatever vLLM runs that takes pictures, such as Qwen3-VL and Qwen2.5-VL: https://docs.vllm.ai (Apache-2.0);
         a model has its own licence
Memory   gpu_memory_utilization of each device is taken at the start, weights and cache together
Cost     one prompt per question of the protocol, or num_samples; what two questions have in common is computed once

One call of `judge` is one batch of vLLM's: a larger reward_model.execution.batch_size (64) keeps the device busy, and
scores still land batch by batch. A worker with several devices (devices_per_worker) spreads the model over them. vLLM
pins a torch of its own: give it an environment of its own. Code of a checkpoint is never run.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from editeval.errors import ConfigError, MachineError
from editeval.judges.chat import messages as chat
from editeval.judges.chat import params
from editeval.judges.chat.params import ProtocolJudge
from editeval.judges.chat.runner import PlannedRequest, Prefetcher, ProtocolRunner
from editeval.judges.chat.vllm_engine import VllmEngine
from editeval.judges.local.pretrained import ModelRequest, check_folder
from editeval.types import WEIGHTS, Facts, HubModel, JudgeRequest, Score

DTYPES = ("auto", "bfloat16", "float16", "float32")
NAME = "vllm_vlm"
INSTALL = "pip install vllm, into an environment of its own"
OWNED = frozenset(
    {"model", "revision", "runner", "dtype", "tensor_parallel_size", "max_model_len", "gpu_memory_utilization", "seed"}
    | {"limit_mm_per_prompt", "logprobs_mode", "max_logprobs", "trust_remote_code", "generation_config"}
)
"""Arguments of vLLM that the judge decides; `engine` cannot contradict them."""


@dataclass(frozen=True, slots=True)
class VllmVlmParams:
    """Which model, how it is asked, and what counts as an answer."""

    model_name: str = field(default="Qwen/Qwen3-VL-8B-Instruct", metadata=WEIGHTS)  # on the hub, or a local path
    revision: str | None = None  # commit, tag or branch of the hub repository; None: the newest
    dtype: str = "bfloat16"  # of the weights: bfloat16, float16, float32, or auto for the checkpoint's own
    protocol: str = "pointwise"  # how to ask: pointwise, rubric (the YAML's prompts), viescore or re_edit
    scoring: str = "auto"  # expected, like auto: labels by token probabilities | samples: mean of num_samples
    num_samples: int = 4  # replies to each question that is not scored by probabilities
    temperature: float = 0.7  # of samples
    seed: int = 0  # of samples, together with the sample's id, the question and the number
    max_new_tokens: int = 256  # of a written reply; one that reaches it is unscored as truncated
    max_image_side: int = 1024  # pictures with a longer side than this many pixels are shrunk to it
    min_label_mass: float = 0.9  # a score by probabilities needs at least this much probability on the labels
    output: str = "auto"  # structured, like auto: force the answer format's JSON or number | plain: never
    reasons: bool = False  # True: another prompt, after the score, asks for one sentence; it changes no score
    max_model_len: int = 8192  # tokens of a prompt and its reply; a longer prompt is unscored
    gpu_memory_utilization: float = 0.9  # share of each device's memory that vLLM takes
    engine: Mapping[str, Any] = field(default_factory=dict)  # further arguments of vllm.LLM, such as enforce_eager

    def __post_init__(self) -> None:
        if not self.model_name.strip():
            raise ConfigError("model_name: must name a checkpoint, got nothing")
        if self.dtype not in DTYPES:
            raise ConfigError(f"dtype: must be one of {', '.join(DTYPES)}, got {self.dtype!r}")
        params.check_protocol(self.protocol)
        params.check_scoring(self.scoring, self.protocol)
        params.check_sampling(self.num_samples, self.temperature)
        params.check_output(self.output)
        params.check_limits(self.max_new_tokens, self.max_image_side, self.min_label_mass)
        if self.max_model_len < 256 or not 0.0 < self.gpu_memory_utilization <= 1.0:
            raise ConfigError("max_model_len must be at least 256 and gpu_memory_utilization above 0, at most 1")
        for name in self.engine:
            if name in OWNED:
                raise ConfigError(f"engine.{name}: is decided by the judge; use its own parameter, if it has one")


class VllmVlmJudge(ProtocolJudge):
    """Asks a model inside vLLM what the protocol asks, a batch at a time. `vllm` stands in for the package in tests."""

    Params = VllmVlmParams
    packages = ("vllm",)
    params: VllmVlmParams

    def __init__(self, params: VllmVlmParams, vllm: Any = None) -> None:
        super().__init__(params)
        self._vllm = vllm
        self._interview = ProtocolRunner(NAME, params, _part)
        self._engine: VllmEngine | None = None
        self._preparers: ThreadPoolExecutor | None = None
        self._ahead: Prefetcher[PlannedRequest] = Prefetcher(self._begin)

    @classmethod
    def check(cls, params: VllmVlmParams) -> None:
        """A folder, or a file of weights, must be there; what is on the hub is looked up afterwards."""
        wanted = _wanted(params)
        if not Path(wanted.place).is_file():
            check_folder(wanted)

    @classmethod
    def hub_model(cls, params: VllmVlmParams) -> HubModel | None:
        """vLLM also takes models without config.json, quantised ones as owner/name:kind, and those of another hub."""
        if ":" in params.model_name or os.environ.get("VLLM_USE_MODELSCOPE", "").lower() in ("1", "true"):
            return None
        model = _wanted(params).hub_model
        place = params.engine.get("download_dir")
        return model and dataclasses.replace(model, is_file_needed=False, cache_dir=place and str(place))

    def load(self, devices: Sequence[str]) -> None:
        """Raises MachineError if vLLM is not installed, or cannot load the model."""
        p = self.params
        options = {
            "model": p.model_name,
            "revision": p.revision,
            "runner": "generate",
            "dtype": p.dtype,
            "tensor_parallel_size": len(devices),
            "max_model_len": p.max_model_len,
            "gpu_memory_utilization": p.gpu_memory_utilization,
            "limit_mm_per_prompt": {"image": 2, "video": 0},
            "logprobs_mode": "raw_logprobs",  # before temperature and grammar: what the model itself thinks
            "generation_config": "vllm",  # not the checkpoint's samplers and penalties
            "trust_remote_code": False,
            "seed": 0,
            **p.engine,
        }
        self._engine = VllmEngine(self._vllm or _package(), options)
        self._preparers = ThreadPoolExecutor(min(8, os.cpu_count() or 1), "prepare")

    def facts(self) -> Facts:
        """Architecture, commit, attention, dtype, kind and number of devices."""
        return self._engine.facts() if self._engine is not None else {}

    def unload(self) -> None:
        if self._preparers is not None:
            self._preparers.shutdown(cancel_futures=True)
        if self._engine is not None:
            self._engine.close()
        self._engine = self._preparers = None

    def prepare(self, requests: Sequence[JudgeRequest]) -> None:
        """Begin to read the pictures of `requests` while the device computes; `judge` picks them up."""
        if self._preparers is not None:
            self._ahead.prepare(requests)

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        assert self._engine is not None, "load comes first"
        started = time.perf_counter()
        rows = self._interview.rows(requests, self._ahead.take(requests), self._engine.replies)
        seconds = (time.perf_counter() - started) / max(len(requests), 1)
        return [[dataclasses.replace(score, seconds=seconds) for score in row] for row in rows]

    def _begin(self, requests: Sequence[JudgeRequest]) -> list[Future[PlannedRequest]]:
        assert self._preparers is not None, "load comes first"
        return [self._preparers.submit(self._interview.asked, request) for request in requests]


def _wanted(params: VllmVlmParams) -> ModelRequest:
    return ModelRequest(params.model_name, params.revision, params.dtype, use_flash_attention=False)


def _package() -> Any:
    """The package vllm. Raises MachineError where it is not installed."""
    try:
        import vllm
    except ModuleNotFoundError as error:
        raise MachineError(f"reward_model.type: {NAME} needs the package {error.name}; {INSTALL}") from error
    return vllm


def _part(image: Any) -> chat.Message:
    """A picture as a part of a message."""
    return {"type": "image_pil", "image_pil": image}
