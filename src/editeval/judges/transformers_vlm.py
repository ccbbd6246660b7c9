"""Judge `transformers_vlm`: a Qwen vision-language model run with transformers; v2's `qwen3_vl*`.

Models   Qwen3-VL, dense and mixture of experts, Qwen2.5-VL, Qwen2-VL: https://huggingface.co/Qwen (Apache-2.0, some
         sizes under Qwen licences of their own)
Memory   weights in bfloat16 take 2 GB per billion parameters: 16 GB for 8B, 60 GB for the default 30B-A3B
Cost     one prompt per question of the protocol; `rubric` writes a few tokens each, `pointwise` reads the first of two
         tokens. Both pictures are shrunk to 1024 pixels first.

One call of `judge` is one batch: batch_size prompts at a time, padded on the left, answered by the likeliest tokens
unless num_samples says otherwise. A batch that does not fit into memory is halved. Code of a checkpoint is never run,
and only safetensors weights are read.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from editeval.errors import ConfigError
from editeval.judges.chat import params
from editeval.judges.chat.messages import answer_of
from editeval.judges.chat.params import ProtocolJudge
from editeval.judges.chat.runner import Prefetcher
from editeval.judges.local.generate import Generator
from editeval.judges.local.inputs import EncodedPrompt, PreparedRequest, Preparer
from editeval.judges.local.pretrained import ModelRequest, PretrainedModel, check_folder, facts_of, load_checkpoint
from editeval.judges.parsing.reply import Reply
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols.protocol import Protocol
from editeval.types import WEIGHTS, Facts, HubModel, JudgeRequest, Score

DTYPES = ("auto", "bfloat16", "float16", "float32")
NAME = "transformers_vlm"


@dataclass(frozen=True)
class TransformersVlmParams:
    """Which model, how it is asked, and what counts as an answer."""

    model_name: str = field(default="Qwen/Qwen3-VL-30B-A3B-Instruct", metadata=WEIGHTS)
    """Name on the hub, or path of a local snapshot."""

    revision: str | None = None
    """Commit, tag or branch of the hub repository; None takes the newest that is at hand."""

    dtype: str = "bfloat16"
    """Of the weights: bfloat16, float16, float32, or auto for the checkpoint's own."""

    max_new_tokens: int = 128
    """Limit of a written reply; one that reaches it is unscored as truncated."""

    use_flash_attention: bool = False
    """Attention by the package flash_attn instead of torch's own."""

    protocol: str = "pointwise"
    """How to ask: pointwise, pointwise_mean, rubric (the YAML's prompts; what v2's names mean), viescore or re_edit."""

    max_image_side: int = 1024
    """Pictures with a longer side than this many pixels are shrunk to it, their proportions kept."""

    min_label_mass: float = 0.9
    """A score from label probabilities needs at least this much probability on the labels."""

    num_samples: int = 1
    """Replies to each question that is answered in writing: 1 takes the likeliest one, more are drawn and averaged."""

    sampling_temperature: float | None = None
    """Of drawn replies; None is 0.7. (v2's `temperature` had no effect, and has none.)"""

    seed: int = 0
    """Of drawn replies, together with the sample's id, the question and the number."""

    reasons: bool = False
    """True: another prompt, after the score, asks for one sentence; it changes no score."""

    def __post_init__(self) -> None:
        if not self.model_name.strip():
            raise ConfigError("model_name: must name a checkpoint, got nothing")
        if self.dtype not in DTYPES:
            raise ConfigError(f"dtype: must be one of {', '.join(DTYPES)}, got {self.dtype!r}")
        params.check_protocol(self.protocol)
        params.check_limits(self.max_new_tokens, self.max_image_side, self.min_label_mass)
        params.check_sampling(self.num_samples, self.temperature)
        if self.num_samples > 1 and not params.writes_text(self.protocol):
            raise ConfigError(f"num_samples: {self.protocol} reads probabilities, which need no samples; leave it out")
        if self.num_samples == 1 and self.sampling_temperature is not None:
            raise ConfigError("sampling_temperature: has no effect with num_samples: 1; leave it out")

    @property
    def temperature(self) -> float:
        """Of drawn replies."""
        return 0.7 if self.sampling_temperature is None else self.sampling_temperature

    @property
    def wanted(self) -> ModelRequest:
        """What is to be loaded."""
        return ModelRequest(self.model_name, self.revision, self.dtype, self.use_flash_attention)


class TransformersVlmJudge(ProtocolJudge):
    """Asks a local vision-language model what the protocol asks."""

    Params = TransformersVlmParams
    packages = ("torch", "transformers")

    def __init__(self, params: TransformersVlmParams) -> None:
        super().__init__(params)
        self.protocol: Protocol = protocols.load(params.protocol)
        self._preparer: Preparer | None = None
        self._answerer: Generator | None = None
        self._facts: Facts = {}
        self._ahead: Prefetcher[PreparedRequest] = Prefetcher(self._begin)

    @classmethod
    def check(cls, params: TransformersVlmParams) -> None:
        """A folder must be there; what is on the hub is looked up afterwards."""
        check_folder(params.wanted)

    @classmethod
    def hub_model(cls, params: TransformersVlmParams) -> HubModel | None:
        return params.wanted.hub_model

    def load(self, devices: Sequence[str]) -> None:
        """Raises MachineError if the checkpoint cannot be found, is incomplete or is not of a supported family."""
        self.adopt(load_checkpoint(self.params.wanted, devices))

    def adopt(self, checkpoint: PretrainedModel) -> None:
        """Ask this checkpoint from now on."""
        p = self.params
        reader = checkpoint.tokenizer, checkpoint.image_processor
        self._preparer = Preparer(*reader, self.protocol, p.max_image_side, checkpoint.max_tokens)
        self._answerer = Generator(checkpoint, p.max_new_tokens, p.temperature)
        self._facts = facts_of(checkpoint.model)

    def facts(self) -> Facts:
        """Class, commit, attention, dtype, devices."""
        return self._facts

    def unload(self) -> None:
        if self._preparer is not None:
            self._preparer.close()
        if self._answerer is not None:
            self._answerer.close()
        self._preparer = self._answerer = None
        self._ahead = Prefetcher(self._begin)

    def prepare(self, requests: Sequence[JudgeRequest]) -> None:
        """Begin to make `requests` ready in other threads while the device computes; `judge` picks them up."""
        if self._preparer is not None:
            self._ahead.prepare(requests)

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        assert self._preparer is not None and self._answerer is not None, "load comes first"
        started = time.perf_counter()
        ready = self._ahead.take(requests)
        replies: dict[str, dict[str, Reply | None]] = {one.key: {} for one in ready}
        for turn in zip(*(one.prompts for one in ready if one.prompts), strict=True):
            answers = self._answers(self._answerer, turn)
            if self.params.reasons:
                answers = self._explained(self._preparer, self._answerer, turn, answers)
            for prompt, reply in zip(turn, answers, strict=True):
                replies[prompt.key][prompt.question.name] = reply
        seconds = (time.perf_counter() - started) / max(len(requests), 1)
        return [self._scores(r, one, replies[r.key], seconds) for r, one in zip(requests, ready, strict=True)]

    def _begin(self, requests: Sequence[JudgeRequest]) -> list[Future[PreparedRequest]]:
        assert self._preparer is not None, "load comes first"
        return self._preparer.begin(requests)

    def _answers(self, answerer: Generator, turn: Sequence[EncodedPrompt]) -> list[Reply | None]:
        """One reply per prompt, or what came of num_samples."""
        p = self.params
        if p.num_samples == 1 or turn[0].answer == "labels":
            return answerer.replies(turn)
        rounds = []
        for number in range(p.num_samples):
            seeds = [params.sample_seed(p.seed, one.key, one.question.name, number) for one in turn]
            rounds.append(answerer.replies([replace(one, seed=seed) for one, seed in zip(turn, seeds, strict=True)]))
        drawn = [[reply for reply in said if reply is not None] for said in zip(*rounds, strict=True)]
        return [Reply("", samples=tuple(said)) if len(said) == p.num_samples else None for said in drawn]

    def _explained(
        self, preparer: Preparer, answerer: Generator, turn: Sequence[EncodedPrompt], answers: list[Reply | None]
    ) -> list[Reply | None]:
        """The same replies, each with the judge's reason where it gave a score and there is room for the question."""
        explained, whys = list(answers), {}
        for i, (prompt, reply) in enumerate(zip(turn, answers, strict=True)):
            answer = answer_of(prompt.question, reply, self.params.min_label_mass) if reply is not None else ""
            why = preparer.follow_up(prompt, answer) if answer else None
            if why is not None:
                whys[i] = why
        for i, rationale in zip(whys, answerer.replies(list(whys.values())), strict=True):
            reply = answers[i]
            if reply is not None:
                explained[i] = replace(reply, rationale=rationale)
        return explained

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
