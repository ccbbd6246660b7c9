"""Judge `transformers_vlm`: a Qwen vision-language model run with transformers; v2's `qwen3_vl*`.

Models   Qwen3-VL, dense and mixture of experts, Qwen2.5-VL, Qwen2-VL: https://huggingface.co/Qwen (Apache-2.0, some
         sizes under Qwen licences of their own)
Memory   weights in bfloat16 take 2 GB per billion parameters: 16 GB for 8B, 60 GB for the default 30B-A3B
Cost     one prompt per question of the protocol; `rubric` writes a few tokens each, `pointwise` reads three single
         tokens. Both pictures are shrunk to 1024 pixels first.

One call of `judge` is one batch: batch_size prompts at a time, padded on the left, answered greedily. A batch that does
not fit into memory is halved. Code of a checkpoint is never run, and only safetensors weights are read.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from editeval.errors import ConfigError
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols.protocol import Protocol
from editeval.judges.replies.reading import Reply
from editeval.judges.vlm.answering import Answerer
from editeval.judges.vlm.loading import Wanted, load_checkpoint
from editeval.judges.vlm.prompts import PreparedRequest, Preparer
from editeval.types import Judge, JudgeRequest, Score

DTYPES = ("auto", "bfloat16", "float16", "float32")
NAME = "transformers_vlm"


@dataclass(frozen=True)
class TransformersVlmParams:
    """Which model, how it is asked, and what counts as an answer."""

    model_name: str = "Qwen/Qwen3-VL-30B-A3B-Instruct"
    """Name on the hub, or path of a local snapshot."""

    revision: str | None = None
    """Commit, tag or branch of the hub repository; None takes the newest that is at hand."""

    dtype: str = "bfloat16"
    """Of the weights: bfloat16, float16, float32, or auto for the checkpoint's own."""

    max_new_tokens: int = 128
    """Limit of a written reply; one that reaches it is unscored as truncated."""

    use_flash_attention: bool = False
    """Attention by the package flash_attn instead of torch's own."""

    protocol: str = "rubric"
    """How to ask: rubric (the YAML's prompts), pointwise, viescore or re_edit."""

    max_image_side: int = 1024
    """Pictures with a longer side than this many pixels are shrunk to it, their proportions kept."""

    min_label_mass: float = 0.9
    """A score from label probabilities needs at least this much probability on the labels."""

    def __post_init__(self) -> None:
        if not self.model_name.strip():
            raise ConfigError("model_name: must name a checkpoint, got nothing")
        if self.dtype not in DTYPES:
            raise ConfigError(f"dtype: must be one of {', '.join(DTYPES)}, got {self.dtype!r}")
        if self.protocol not in protocols.PROTOCOLS:
            raise ConfigError(f"protocol: must be one of {', '.join(protocols.PROTOCOLS)}, got {self.protocol!r}")
        if self.max_new_tokens < 1 or self.max_image_side < 32:
            raise ConfigError("max_new_tokens must be at least 1 and max_image_side at least 32")
        if not 0.0 <= self.min_label_mass <= 1.0:
            raise ConfigError(f"min_label_mass: must be between 0 and 1, got {self.min_label_mass}")


class TransformersVlmJudge(Judge):
    """Asks a local vision-language model what the protocol asks."""

    Params = TransformersVlmParams
    metrics = ("overall",)  # those of the default protocol
    uses_prompts = True

    def __init__(self, params: TransformersVlmParams) -> None:
        super().__init__(params)
        self.protocol: Protocol = protocols.load(params.protocol)
        self._preparer: Preparer | None = None
        self._answerer: Answerer | None = None
        self._ahead: list[tuple[Sequence[JudgeRequest], list[Future[PreparedRequest]]]] = []  # begun, not yet judged

    @classmethod
    def metrics_of(cls, params: TransformersVlmParams) -> tuple[str, ...]:
        return protocols.load(params.protocol).metrics

    @classmethod
    def uses_prompts_of(cls, params: TransformersVlmParams) -> bool:
        return protocols.load(params.protocol).uses_prompts

    @classmethod
    def fingerprint_of(cls, params: TransformersVlmParams) -> str:
        """Hash of everything in the code that decides a score; belongs into the judging's identity."""
        return protocols.fingerprint(params.protocol)

    def load(self, devices: Sequence[str]) -> None:
        """Raises MachineError if the checkpoint cannot be had, is incomplete or is not of a supported family."""
        p = self.params
        checkpoint = load_checkpoint(Wanted(p.model_name, p.revision, p.dtype, p.use_flash_attention), devices)
        reader = checkpoint.tokenizer, checkpoint.image_processor
        self._preparer = Preparer(*reader, self.protocol, p.max_image_side, checkpoint.max_tokens)
        self._answerer = Answerer(checkpoint, p.max_new_tokens)

    def unload(self) -> None:
        if self._preparer is not None:
            self._preparer.close()
        if self._answerer is not None:
            self._answerer.close()
        self._preparer = self._answerer = None
        self._ahead.clear()

    def prepare(self, requests: Sequence[JudgeRequest]) -> None:
        """Begin to make `requests` ready in other threads while the device computes; `judge` picks them up."""
        if self._preparer is not None:
            self._ahead = [*self._ahead[-1:], (requests, self._preparer.begin(requests))]

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        assert self._preparer is not None and self._answerer is not None, "load comes first"
        started = time.perf_counter()
        begun = next((futures for of, futures in self._ahead if of is requests), None)
        self._ahead = [entry for entry in self._ahead if entry[0] is not requests]
        ready = [future.result() for future in begun or self._preparer.begin(requests)]
        replies: dict[str, dict[str, Reply | None]] = {one.key: {} for one in ready}
        for turn in zip(*(one.prompts for one in ready if one.prompts), strict=True):
            for prompt, reply in zip(turn, self._answerer.replies(turn), strict=True):
                replies[prompt.key][prompt.name] = reply
        seconds = (time.perf_counter() - started) / max(len(requests), 1)
        return [self._scores(r, one, replies[r.key], seconds) for r, one in zip(requests, ready, strict=True)]

    def _scores(
        self, request: JudgeRequest, ready: PreparedRequest, replies: dict[str, Reply | None], seconds: float
    ) -> list[Score]:
        heard = {name: reply for name, reply in replies.items() if reply is not None}
        if ready.reason:
            rows = protocols.unscored(self.protocol, NAME, request.key, ready.reason, ready.message)
        elif len(heard) < len(replies):
            message = "the device has not enough memory for this prompt alone; lower max_image_side"
            rows = protocols.unscored(self.protocol, NAME, request.key, "oom", message)
        else:
            rows = protocols.scores(self.protocol, NAME, request, heard, self.params.min_label_mass)
        return [replace(row, seconds=seconds) for row in rows]
