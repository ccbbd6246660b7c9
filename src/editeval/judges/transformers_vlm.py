"""Judge `transformers_vlm`: a Qwen vision-language model run with transformers; v2's `qwen3_vl*`.

Models   Qwen3-VL, dense and mixture of experts, Qwen2.5-VL, Qwen2-VL: https://huggingface.co/Qwen (Apache-2.0, some
         sizes under Qwen licences of their own)
Memory   weights in bfloat16 take 2 GB per billion parameters: 16 GB for 8B, 60 GB for the default 30B-A3B
Cost     one prompt per question of the protocol; `rubric` writes a few tokens each, `pointwise` reads the first of two
         tokens. Both pictures are shrunk to 1024 pixels first.

One call of `judge` is one batch: batch_size prompts at a time, padded on the left, answered by the likeliest tokens
unless num_samples says otherwise. A batch that does not fit into memory is halved. Code of a checkpoint is never run,
and only safetensors weights are read. `adapter`: a LoRA that peft saved, merged into the weights as peft does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from editeval.errors import ConfigError
from editeval.judges.chat.params import AskParams
from editeval.judges.chat.runner import ProtocolJudge
from editeval.judges.local import adapter as adapters
from editeval.judges.local.generate import EncodedPrompt, LocalModel
from editeval.judges.local.prefix import check_version
from editeval.judges.local.pretrained import DTYPES, ModelRequest, check_alone, check_folder, load_checkpoint
from editeval.types import WEIGHTS, WHERE_SET, HubModel

NAME = "transformers_vlm"


@dataclass(frozen=True)
class TransformersVlmParams(AskParams):
    """Which model, how it is asked, and what counts as an answer."""

    model_name: str = field(default="Qwen/Qwen3-VL-30B-A3B-Instruct", metadata=WEIGHTS)  # on the hub, or a local path
    revision: str | None = None  # commit, tag or branch of the hub repository; None: the newest that is at hand
    adapter: str = field(default="", metadata={**WEIGHTS, **WHERE_SET})  # a LoRA: a folder, or a name on the hub
    adapter_revision: str | None = field(default=None, metadata=WHERE_SET)  # its commit there, of 40 hex digits
    dtype: str = "bfloat16"  # of the weights: bfloat16, float16, float32, or auto for the checkpoint's own
    use_flash_attention: bool = False  # attention by the package flash_attn instead of torch's own
    share_prefix: bool = field(default=False, metadata=WHERE_SET)  # questions about the same pictures read them once
    sampling_temperature: float | None = None  # of drawn replies; None: the authors', or 0.7. v2's name does nothing

    defaults: ClassVar[Mapping[str, int | float]] = {**AskParams.defaults, "num_samples": 1, "max_new_tokens": 128}

    def __post_init__(self) -> None:
        if not self.model_name.strip():
            raise ConfigError("model_name: must name a checkpoint, got nothing")
        adapters.check_values(self.adapter, self.adapter_revision)
        if self.dtype not in DTYPES:
            raise ConfigError(f"dtype: must be one of {', '.join(DTYPES)}, got {self.dtype!r}")
        if self.share_prefix and self.use_flash_attention:
            raise ConfigError("share_prefix: has not been tried with use_flash_attention: true; leave one of them out")
        super().__post_init__()
        if self.num_replies > 1 and self.answer_formats <= {"labels"}:
            raise ConfigError(f"num_samples: {self.protocol} reads probabilities, which need no samples; leave it out")
        if self.num_replies == 1 and self.sampling_temperature is not None and not self._is_drawn_alone:
            raise ConfigError("sampling_temperature: has no effect with num_samples: 1; leave it out")

    @property
    def temperature(self) -> float:
        """Of drawn replies; 0: each is the likeliest one."""
        settings, drawn = self.asking.default_settings, self.sampling_temperature
        if drawn is None:
            theirs = settings.temperature if settings is not None and self._is_drawn_alone else None
            drawn = 0.7 if theirs is None else theirs
        return drawn if self.num_replies > 1 or self._is_drawn_alone else 0.0

    @property
    def _is_drawn_alone(self) -> bool:
        """Whether one reply is drawn as several are: so ask authors whose judges are local models."""
        settings = self.asking.default_settings
        return settings is not None and settings.top_k is not None

    @property
    def wanted(self) -> ModelRequest:
        """What is to be loaded."""
        names = self.model_name, self.revision, self.dtype, self.use_flash_attention
        return ModelRequest(*names, adapter=self.adapter, adapter_revision=self.adapter_revision)


class TransformersVlmJudge(ProtocolJudge[EncodedPrompt]):
    """Asks a local vision-language model what the protocol asks."""

    Params = TransformersVlmParams
    name = NAME
    packages = ("torch", "transformers")
    params: TransformersVlmParams

    @classmethod
    def check(cls, params: TransformersVlmParams) -> None:
        """A folder must be there; what is on the hub is looked up afterwards."""
        check_folder(params.wanted)
        check_alone(params.wanted)
        adapters.check_folder(params.adapter)

    @classmethod
    def hub_model(cls, params: TransformersVlmParams) -> HubModel | None:
        return params.wanted.hub_model

    @classmethod
    def hub_others(cls, params: TransformersVlmParams) -> tuple[HubModel, ...]:
        return params.wanted.hub_adapters

    def backend(self, devices: Sequence[str]) -> LocalModel:
        """The checkpoint. Raises MachineError if it cannot be found, is incomplete or is not of a supported family."""
        if self.params.share_prefix:
            check_version()
        return LocalModel(load_checkpoint(self.params.wanted, devices), self.params.share_prefix)
