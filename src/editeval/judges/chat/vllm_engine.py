"""vLLM's offline API as one worker uses it: a batch of calls in, one reply per call out.

Written for vLLM 0.32 and 0.33; their logprobs are those of the model itself, before temperature and grammar.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from editeval.errors import EditevalError, MachineError
from editeval.judges.chat import messages
from editeval.judges.chat.messages import JSON_SCHEMAS, NUMBER
from editeval.judges.chat.runner import Call, SamplingParams
from editeval.judges.parsing.reply import Reply
from editeval.types import Facts

log = logging.getLogger("editeval")
FINISHED = "stop"
_OF_REQUEST = frozenset({"ValueError", "VLLMClientError"})
_OF_ENGINE = frozenset({"VLLMServerError", "EngineDeadError"})
"""Names of error classes, because their modules differ between versions: one request is bad; the engine is dead."""


class EngineLostError(EditevalError):
    """The engine died; only a new process brings it back."""

    reason = "device_lost"


class VllmEngine:
    """A loaded `vllm.LLM`. `vllm` is the package."""

    def __init__(self, vllm: Any, options: Mapping[str, Any]) -> None:
        """Raises MachineError if the model cannot be loaded."""
        self._vllm = vllm
        try:
            self._llm = vllm.LLM(**options)
        except (OSError, ValueError) as error:
            first = " ".join(str(error).split())[:240]
            raise MachineError(f"reward_model.params.model_name: {options['model']!r}: {first}") from error

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
        }

    def close(self) -> None:
        """Ends the engine's own processes."""
        core: Any = getattr(getattr(self._llm, "llm_engine", None), "engine_core", None)
        if hasattr(core, "shutdown"):
            core.shutdown()
        self._llm = None

    def replies(self, calls: Sequence[Call]) -> list[Reply]:
        """One reply per call, in order: all in one batch or, if the engine refuses one of them, one by one."""
        if not calls:
            return []
        try:
            outputs = self._llm.chat(
                [call.messages for call in calls], [self._sampling(call.sampling) for call in calls], use_tqdm=False
            )
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
        return [reply for call in calls for reply in self.replies([call])]

    def _sampling(self, sampling: SamplingParams) -> Any:
        options: dict[str, Any] = {
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "seed": sampling.seed,
        }
        if sampling.is_expected:
            options["logprobs"] = messages.NUM_LOGPROBS
        form = _form(sampling)
        if form:
            options["structured_outputs"] = self._vllm.sampling_params.StructuredOutputsParams(**form)
        return self._vllm.SamplingParams(**options)


def _form(sampling: SamplingParams) -> dict[str, Any]:
    """What a reply is forced into; labels and reasons never are."""
    if not sampling.is_structured:
        return {}
    if sampling.answer in JSON_SCHEMAS:
        return {"json": dict(JSON_SCHEMAS[sampling.answer])}
    return {"regex": NUMBER} if sampling.answer == "number" else {}


def _reply(output: Any, sampling: SamplingParams) -> Reply:
    said = output.outputs[0]
    usage = (len(output.prompt_token_ids or ()), len(said.token_ids))
    if sampling.is_expected:
        places = [_by_text(place.values()) for place in (said.logprobs or ())[: messages.NUM_TOKENS]]
        if any(math.isnan(logprob) for place in places[:1] for logprob in place.values()):
            return Reply(said.text, problem="degenerate", message="the model computed NaN", usage=usage)
        return messages.reply_of(places, said.text, usage, said.finish_reason == FINISHED)
    return Reply(said.text, said.finish_reason == FINISHED, usage=usage)


def _by_text(entries: Iterable[Any]) -> dict[str, float]:
    """Log-probability by token, the likeliest first: at temperature 0 that is the one which was written."""
    found: dict[str, float] = {}
    for entry in sorted(entries, key=lambda entry: -entry.logprob):
        found.setdefault(str(entry.decoded_token), entry.logprob)
    return found
