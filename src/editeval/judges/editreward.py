"""Judge `editreward`: a reward model for edits by TIGER-Lab. No text is written: two heads read two numbers each.

Model    https://github.com/TIGER-AI-Lab/EditReward (MIT); checkpoints on the hub: _BASES, or a folder with
         model.safetensors. Its base model gives the tokenizer, the image processor and the configuration, no weights
Memory   weights in bfloat16: 16 GB for Qwen2.5-VL-7B, 17 GB for MiMo-VL-7B and Qwen3-VL-8B
Cost     two prompts per edit of some 900 tokens, and no generation: one forward pass for all edits of a batch
Scores   reward, the headline, following and quality have no zero, no unit and no ends: they only rank edits, best
         those of one source image. sigma is the model's own standard deviation of `reward`; the lower, the surer

following  mu of the head that is asked about the instruction
quality    mu of the head that is asked about the picture
reward     their mean, minimum or sum, as `pooling` says; sigma likewise, as the authors pool log sigma

Of several source images the first is shown. Code of a checkpoint is never run. Words: our own unless `prompts_from`
names the authors' clone; the heads were trained on the authors' words, so that ours cost accuracy.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from editeval.errors import ConfigError, ImageError
from editeval.judges.local import reward_checkpoint, reward_model
from editeval.judges.local.pretrained import DTYPES, ModelRequest, check_folder, empty_cache
from editeval.judges.local.reward_checkpoint import WEIGHTS_FILES
from editeval.judges.local.reward_model import EditPrompts, RewardModel
from editeval.judges.parsing.prompt_files import PromptSource
from editeval.judges.protocols.protocol import formatted
from editeval.types import WEIGHTS, Facts, HubModel, Judge, JudgeRequest, Metric, Score

log = logging.getLogger("editeval")

VERSION = 1
"""Raise it whenever a score changes for the same request and parameters."""
POOLINGS = ("mean", "min", "sum")
SCALES: Mapping[str, Metric] = {
    "reward": Metric("reward", None, None),
    "following": Metric("following", None, None),
    "quality": Metric("quality", None, None),
    "sigma": Metric("sigma", 0.0, None, is_higher_better=False),
}
QUESTIONS = {"following": "INSTRUCTION_EDIT_FOLLOWING", "quality": "INSTRUCTION_EDIT_QUALITY"}
"""What each head is asked, by the authors' names of the texts; the heads in their order."""
_ENDING = "prompt_with_special_token"
_INPUTS = "The first picture is the original, the second one is an edit of it.\n"
OWN_WORDS: Mapping[str, str] = {
    "INSTRUCTION_EDIT_FOLLOWING": (
        f"{_INPUTS}Judge how well the edit follows its instruction: is what was asked for there, all of it, and was "
        "nothing else changed?\nInstruction: {text_prompt}\n"
    ),
    "INSTRUCTION_EDIT_QUALITY": (
        f"{_INPUTS}Judge how good the edited picture looks: does it look real, without flaws, and does the change fit "
        "the rest of the picture?\nInstruction: {text_prompt}\n"
    ),
    _ENDING: f"\nOverall rating of the edit: {reward_model.REWARD_TOKEN}\n",
}
PROMPT_SOURCE = PromptSource(
    "github.com/TIGER-AI-Lab/EditReward",
    ("EditReward/dataset/prompts.py",),
    {
        "INSTRUCTION_EDIT_FOLLOWING": ("da5bfc26898cc8e0",),
        "INSTRUCTION_EDIT_QUALITY": ("89bbc5c2ac1bbea9",),
        _ENDING: ("2471faca094ae5bd",),
    },
    ((_ENDING, "EditReward/dataset/data_collator_qwen_edit.py", _ENDING),),
)
_BASES = {
    "TIGER-Lab/EditReward-Qwen2.5-VL-7B": "Qwen/Qwen2.5-VL-7B-Instruct",
    "TIGER-Lab/EditReward-MiMo-VL-7B-SFT-2508": "XiaomiMiMo/MiMo-VL-7B-SFT-2508",
}
_BY_FINGERPRINT = {"identity": False}


@dataclass(frozen=True)
class EditRewardParams:
    """Which checkpoint, and how it is asked. Raises ConfigError for what makes no sense."""

    model_name: str = field(default="TIGER-Lab/EditReward-Qwen2.5-VL-7B", metadata=WEIGHTS)  # on the hub, or a folder
    revision: str | None = None  # commit, tag or branch of the hub repository; None: the newest that is at hand
    base_model: str = field(
        default="", metadata=WEIGHTS
    )  # what it was made of; empty: known for checkpoints on the hub
    base_revision: str | None = None  # of base_model
    dtype: str = "bfloat16"  # of the weights, as they were trained; the heads are float32
    use_flash_attention: bool = False  # attention by the package flash_attn instead of torch's own
    pooling: str = "mean"  # of the two heads: mean | min | sum
    pixels: int | None = None  # of each picture; None: as the authors' code: 200704, and Qwen3-VL's own limits
    prompts_from: str = field(
        default="", metadata=_BY_FINGERPRINT
    )  # clone or file of the authors; empty: our own words
    words: Mapping[str, str] = field(default_factory=dict, metadata=_BY_FINGERPRINT)  # read from prompts_from

    def __post_init__(self) -> None:
        if not self.model_name.strip():
            raise ConfigError("model_name: must name a checkpoint, got nothing")
        if not self.base_model.strip():
            if self.model_name not in _BASES:
                raise ConfigError(f"base_model: name the model that {self.model_name} was made of, or its folder")
            object.__setattr__(self, "base_model", _BASES[self.model_name])
        for name, value, known in (("dtype", self.dtype, DTYPES), ("pooling", self.pooling, POOLINGS)):
            if value not in known:
                raise ConfigError(f"{name}: must be one of {', '.join(known)}, got {value!r}")
        if self.pixels is not None and not 32 * 32 <= self.pixels <= 1 << 24:
            raise ConfigError(f"pixels: must be between 1024 and 16777216, got {self.pixels}")
        if self.prompts_from and not self.words:
            object.__setattr__(self, "words", PROMPT_SOURCE.read(Path(self.prompts_from).expanduser()))
        if any(self.asked[name].count("{text_prompt}") != 1 for name in QUESTIONS.values()):
            raise ConfigError("prompts_from: each question must have {text_prompt} in it, once")
        if self.asked[_ENDING].count(reward_model.REWARD_TOKEN) != 1:
            raise ConfigError(f"prompts_from: {_ENDING} must have {reward_model.REWARD_TOKEN} in it, once")

    @property
    def asked(self) -> Mapping[str, str]:
        """The texts in use, by the authors' names."""
        return {**OWN_WORDS, **self.words}

    @property
    def whose_words(self) -> str:
        """In words: the authors' own, as this version knows them, or ours."""
        if not self.words:
            return "own wording"
        unknown = PROMPT_SOURCE.unknown(self.asked)
        return f"no known version of the authors' ({', '.join(unknown)})" if unknown else "the authors'"

    @property
    def weights(self) -> ModelRequest:
        return ModelRequest(self.model_name, self.revision, self.dtype, self.use_flash_attention)

    @property
    def base(self) -> ModelRequest:
        return ModelRequest(self.base_model, self.base_revision, self.dtype, self.use_flash_attention, "base_model")


class EditRewardJudge(Judge):
    """Reads two rewards of an edit out of a vision-language model."""

    Params = EditRewardParams
    name: ClassVar[str] = "editreward"
    metrics = tuple(SCALES)
    packages = ("torch", "transformers", "accelerate")
    params: EditRewardParams
    _model: RewardModel | None = None
    _threads: ThreadPoolExecutor | None = None

    @classmethod
    def check(cls, params: EditRewardParams) -> None:
        """Folders must be there; what is on the hub is looked up afterwards. Raises MachineError."""
        reward_checkpoint.check_weights(params.weights)
        check_folder(params.base)

    @classmethod
    def hub_model(cls, params: EditRewardParams) -> HubModel | None:
        on_hub = params.weights.hub_model
        return None if on_hub is None else replace(on_hub, file=WEIGHTS_FILES[0], is_file_needed=False)

    @classmethod
    def hub_others(cls, params: EditRewardParams) -> tuple[HubModel, ...]:
        """The base model, of which no weights are needed."""
        on_hub = params.base.hub_model
        return () if on_hub is None else (replace(on_hub, needs_weights=False),)

    @classmethod
    def notes_of(cls, params: EditRewardParams) -> tuple[str, ...]:
        """What a user is told before a run."""
        if params.words and not PROMPT_SOURCE.unknown(params.asked):
            return ()
        advice = f"prompts_from: a clone of {PROMPT_SOURCE.repository} gives the words that its heads were trained on"
        return (f"editreward: asks in {params.whose_words}: its rewards are not those of the authors; {advice}",)

    @classmethod
    def scales_of(cls, params: EditRewardParams) -> Mapping[str, Metric]:
        return SCALES

    @classmethod
    def fingerprint_of(cls, params: EditRewardParams) -> str:
        """Hash of the texts and of the version of this code."""
        parts = [VERSION, QUESTIONS, dict(params.asked)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def load(self, devices: Sequence[str]) -> None:
        """Raises MachineError if the checkpoint cannot be used."""
        params = self.params
        self._model = reward_checkpoint.load_reward_model(params.weights, params.base, devices, self.allow_code)
        self._threads = ThreadPoolExecutor(min(8, os.cpu_count() or 1), "prepare")
        self._ahead: list[tuple[Sequence[JudgeRequest], list[Future[EditPrompts]]]] = []
        self._fits = 0  # edits per batch that are known to be the most; 0: no limit met so far

    def facts(self) -> Facts:
        told = self._model.facts() if self._model is not None else {}
        return {**told, "words": self.params.whose_words}

    def unload(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        self._model = self._threads = None
        empty_cache()

    def prepare(self, requests: Sequence[JudgeRequest]) -> None:
        """Begin to read and resize; the newest two batches are kept: one is judged, one waits."""
        self._ahead = [*self._ahead[-1:], (requests, self._begin(requests))]

    def judge(self, requests: Sequence[JudgeRequest]) -> list[list[Score]]:
        started = time.perf_counter()
        begun = next((futures for of, futures in self._ahead if of is requests), None)
        self._ahead = [entry for entry in self._ahead if entry[0] is not requests]
        rows: dict[int, list[Score]] = {}
        edits: list[tuple[int, EditPrompts]] = []
        for place, future in enumerate(begun or self._begin(requests)):
            try:
                edits.append((place, future.result()))
            except ImageError as error:
                rows[place] = self._unscored(requests[place], "bad_image", str(error))
            except reward_model.TooLongError as error:
                rows[place] = self._unscored(requests[place], "too_long", str(error))
        for (place, _), read in zip(edits, self._read([edit for _, edit in edits]), strict=True):
            rows[place] = self._scores(requests[place], read)
        seconds = (time.perf_counter() - started) / max(len(requests), 1)
        return [[replace(score, seconds=seconds) for score in rows[place]] for place in range(len(requests))]

    def _begin(self, requests: Sequence[JudgeRequest]) -> list[Future[EditPrompts]]:
        assert self._threads is not None, "load comes first"
        return [self._threads.submit(self._encoded, request) for request in requests]

    def _encoded(self, request: JudgeRequest) -> EditPrompts:
        assert self._model is not None, "load comes first"
        asked, plain = self.params.asked, self._model.without_control_tokens(request.instruction)
        texts = [formatted(asked[name], text_prompt=plain) + asked[_ENDING] for name in QUESTIONS.values()]
        return self._model.encoded((request.source, request.edited), texts, self.params.pixels)

    def _read(self, edits: Sequence[EditPrompts]) -> list[list[tuple[float, float]]]:
        """(mu, log sigma) of every head, by edit; nothing for one that does not fit into memory by itself."""
        size = min(self._fits or len(edits), len(edits))
        if size < len(edits):
            return [r for i in range(0, len(edits), size) for r in self._read(edits[i : i + size])]
        assert self._model is not None, "load comes first"
        found = self._model.within_memory(edits) if edits else []
        if found is not None:
            return found
        empty_cache()
        if len(edits) == 1:
            return [[]]
        self._fits = (len(edits) + 1) // 2
        log.warning("out of memory with %d edits at a time; going on with %d", len(edits), self._fits)
        return self._read(edits)

    def _scores(self, request: JudgeRequest, read: Sequence[tuple[float, float]]) -> list[Score]:
        if not read:
            return self._unscored(request, "oom", "the device has not enough memory for this edit alone; lower pixels")
        values = dict(zip(QUESTIONS, (mu for mu, _ in read), strict=True)) | pooled(read, self.params.pooling)
        heads = {name: {"mu": mu, "log_sigma": s} for name, (mu, s) in zip(QUESTIONS, read, strict=True)}
        if not all(map(math.isfinite, values.values())):
            return self._unscored(request, "degenerate", "the model computed a reward that is no finite number")
        raw = json.dumps(heads)
        return [Score(request.key, self.name, metric, values[metric], raw) for metric in self.metrics]

    def _unscored(self, request: JudgeRequest, reason: str, message: str) -> list[Score]:
        raw = json.dumps({"message": message}, ensure_ascii=False)
        return [Score(request.key, self.name, metric, None, raw, reason) for metric in self.metrics]


def pooled(heads: Sequence[tuple[float, float]], pooling: str) -> dict[str, float]:
    """reward and sigma of the (mu, log sigma) of all heads. Numbers that are not finite stay so.

    mean and min are taken of mu and of log sigma alike; sum adds the means and the variances.
    """
    mus, logs = zip(*heads, strict=True)
    if not all(map(math.isfinite, (*mus, *logs))) or max(logs) > 300:
        return {"reward": math.nan, "sigma": math.nan}
    if pooling == "sum":
        return {"reward": math.fsum(mus), "sigma": math.sqrt(math.fsum(math.exp(2 * one) for one in logs))}
    if pooling == "min":
        return {"reward": min(mus), "sigma": math.exp(min(logs))}
    return {"reward": math.fsum(mus) / len(mus), "sigma": math.exp(math.fsum(logs) / len(logs))}
