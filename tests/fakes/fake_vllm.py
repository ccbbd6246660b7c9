"""An object shaped like the package vllm, as far as the judge uses it: strict about what it is given, deterministic.

Tokens 0-9 are the digits, token 10 is "I". What it thinks follows from the pictures and the text.
"""

from __future__ import annotations

import json
import math
import random
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from PIL.Image import Image

TOO_LONG = "TOO LONG"
TOKENS = (*"0123456789", "I")


class VLLMClientError(Exception):
    """As in vllm.exceptions: not a ValueError."""


class EngineDeadError(Exception):
    """As in vllm.v1.engine.exceptions."""


@dataclass
class StructuredOutputsParams:
    json: Any = None
    regex: str | None = None
    choice: list[str] | None = None

    def __post_init__(self) -> None:
        assert [self.json, self.regex, self.choice].count(None) == 2, "exactly one kind"


@dataclass
class SamplingParams:
    max_tokens: int
    temperature: float
    seed: int | None = None
    logprobs: int | None = None
    top_p: float = 1.0
    top_k: int = -1
    structured_outputs: StructuredOutputsParams | None = None


@dataclass
class LoRARequest:
    lora_name: str
    lora_int_id: int
    lora_path: str


@dataclass
class FakeVllm:
    """The package. `off_labels` is the probability of the token "I"; `error` is what the next chat raises."""

    off_labels: float = 0.02
    goes_on: float = 0.0  # probability that the token "0" follows a label, instead of the end
    gives_logprobs: bool = True
    error: Exception | None = None
    invalid: type[Exception] = VLLMClientError  # what an over-long prompt raises; ValueError in older versions
    loaded: list[dict[str, Any]] = field(default_factory=list)
    batches: list[list[Any]] = field(default_factory=list)
    params: list[Any] = field(default_factory=list)
    num_closed: int = 0
    refuses_adapters: str = ""  # what the engine's process says of an adapter
    adapters: list[dict[str, list[int]]] = field(default_factory=list)  # shapes of the weights of each, by name
    lora_requests: list[Any] = field(default_factory=list)  # (name, number) in each call of chat that has one
    lora: Any = field(default_factory=lambda: SimpleNamespace(request=SimpleNamespace(LoRARequest=LoRARequest)))
    SamplingParams: type = SamplingParams
    sampling_params: Any = field(
        default_factory=lambda: SimpleNamespace(StructuredOutputsParams=StructuredOutputsParams)
    )

    def LLM(self, **options: Any) -> FakeLlm:  # noqa: N802 - the package's name
        """A loaded engine; a model called "absent" cannot be had."""
        if options["model"] == "absent":
            raise OSError("absent is not a local folder.\nAnd no model on the hub.")
        self.loaded.append(options)
        return FakeLlm(self)


def _config(options: dict[str, Any]) -> SimpleNamespace:
    """As much of a VllmConfig as the judge reads."""
    hf_config = SimpleNamespace(architectures=["FakeForConditionalGeneration"], _commit_hash="c" * 40)
    return SimpleNamespace(
        model_config=SimpleNamespace(hf_config=hf_config, dtype=f"torch.{options['dtype']}"),
        attention_config=SimpleNamespace(backend=None),
        device_config=SimpleNamespace(device_type="cpu"),
        parallel_config=SimpleNamespace(world_size=options["tensor_parallel_size"]),
    )


class FakeLlm:
    def __init__(self, package: FakeVllm) -> None:
        self.package = package
        config = _config(package.loaded[-1])
        self.llm_engine = SimpleNamespace(engine_core=self, vllm_config=config, add_lora=self.add_lora)

    def shutdown(self) -> None:
        self.package.num_closed += 1

    def add_lora(self, request: LoRARequest) -> bool:
        assert self.package.loaded[-1]["enable_lora"]
        if self.package.refuses_adapters:
            raise Exception(self.package.refuses_adapters)  # as the client of its process does
        with Path(request.lora_path, "adapter_model.safetensors").open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        self.package.adapters.append({name: one["shape"] for name, one in header.items() if name != "__metadata__"})
        assert json.loads(Path(request.lora_path, "adapter_config.json").read_text())["peft_type"] == "LORA"
        return True

    def chat(
        self,
        messages: list[Any],
        sampling_params: list[SamplingParams],
        use_tqdm: bool = True,
        lora_request: LoRARequest | None = None,
    ) -> list[Any]:
        package = self.package
        if lora_request is not None:
            package.lora_requests.append((lora_request.lora_name, lora_request.lora_int_id))
        assert not use_tqdm and len(messages) == len(sampling_params)
        package.batches.append(messages)
        package.params += sampling_params
        if package.error is not None:
            error, package.error = package.error, None
            raise error
        if any(TOO_LONG in json.dumps(conversation, default=str) for conversation in messages):
            raise package.invalid("The decoder prompt (9000 tokens) is longer than the maximum model length")
        return [self._output(*pair) for pair in zip(messages, sampling_params, strict=True)]

    def _output(self, conversation: Any, params: SamplingParams) -> Any:
        shares = self._opinion(conversation)
        text = self._text(conversation, params, shares)
        logprobs = None
        if params.logprobs and self.package.gives_logprobs:
            ordered = sorted(range(len(TOKENS)), key=lambda token: -shares[token])
            entries = {
                token: SimpleNamespace(logprob=math.log(shares[token]), rank=rank, decoded_token=TOKENS[token])
                for rank, token in enumerate(ordered, 1)
                if shares[token]
            }
            logprobs = [entries, self._after(self.package.goes_on)][: params.max_tokens]
        is_cut = len(text) > 1 and params.max_tokens < 8
        ended = "length" if is_cut or params.max_tokens == 1 or self.package.goes_on > 0.5 else "stop"
        said = SimpleNamespace(text=text, token_ids=[0, 0][: params.max_tokens], finish_reason=ended, logprobs=logprobs)
        return SimpleNamespace(prompt_token_ids=[0] * 70, outputs=[said])

    def _after(self, goes_on: float) -> dict[int, Any]:
        shares = {"<|im_end|>": 1 - goes_on, "0": goes_on}
        return {
            token: SimpleNamespace(logprob=math.log(share), rank=1, decoded_token=text)
            for token, (text, share) in enumerate(shares.items(), 11)
            if share
        }

    def _opinion(self, conversation: Any) -> list[float]:
        data = b""
        for part in next(said["content"] for said in conversation if said["role"] == "user"):
            image = part.get("image_pil")
            assert part["type"] in ("text", "image_pil") and (image is None or isinstance(image, Image))
            data += part["text"].encode() if image is None else image.tobytes()
        drawn = random.Random(zlib.crc32(data))
        peak = drawn.randrange(10)  # as real ones do, it has one opinion, and doubts about the labels beside it
        weights = [(drawn.random() + 0.5) * math.exp(-2 * abs(label - peak)) for label in range(10)]
        off = self.package.off_labels
        return [(1 - off) * weight / sum(weights) for weight in weights] + [off]

    def _text(self, conversation: Any, params: SamplingParams, shares: list[float]) -> str:
        if len(conversation) > 2:
            return f"Because I said {conversation[-2]['content']}."
        greedy = max(range(len(TOKENS)), key=shares.__getitem__)
        token = TOKENS[greedy if not params.temperature else random.Random(params.seed).choices(range(11), shares)[0]]
        schema = params.structured_outputs.json if params.structured_outputs else None
        if schema is None:
            return token
        score: Any = [int(token), 7] if "array" in json.dumps(schema) else "yes" if token > "4" else "no"
        return json.dumps({"score": score, "reasoning": "It fits."})
