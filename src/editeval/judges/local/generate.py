"""A loaded checkpoint as a backend: from messages to token ids and pixels, to padded batches, to replies.

Prompts equal those of the checkpoint's own processor on the whole batch (a test compares them). They are made here, so
that pictures are prepared in parallel, each once for all questions, and so that halving a batch costs nothing.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from editeval.judges.chat import messages as chat
from editeval.judges.chat.messages import Conversation, Part
from editeval.judges.chat.params import SamplingParams
from editeval.judges.chat.runner import Backend, Call, Place, PromptError
from editeval.judges.local.prefix import SharedPrefix, padded
from editeval.judges.local.pretrained import IMAGE_TOKEN, PretrainedModel, empty_cache, facts_of
from editeval.judges.parsing.reply import Reply
from editeval.types import Facts

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Generator, Tensor
    from transformers import LogitsProcessor

log = logging.getLogger("editeval")


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """As the model takes it."""

    pixels: Tensor  # (patches, values)
    grid: Tensor  # (1, 3)


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """One question about one edit, ready for the model."""

    token_ids: list[int]
    pictures: tuple[EncodedPicture, ...]
    opening: str  # what the template put at the start of the reply: "<think>" or nothing


class LocalModel(Backend[EncodedPrompt]):
    """Answers batches. One that does not fit into memory is halved, and later ones start at the size that did fit.

    Threads share the tokenizer, which one of them uses at a time.
    """

    lists_single_samples = False

    def __init__(self, checkpoint: PretrainedModel, shares_prefix: bool = False) -> None:
        self._checkpoint: PretrainedModel | None = checkpoint
        self._shares_prefix = shares_prefix
        self._tokenizer = checkpoint.tokenizer
        self._image_processor = checkpoint.image_processor
        self._max_tokens = checkpoint.max_tokens
        self._tokenizing = threading.Lock()
        self._control = tuple(sorted(self._tokenizer.get_added_vocab(), key=len, reverse=True))
        self.fits = 0  # prompts per batch that are known to be the most; 0: no limit met so far

    @property
    def checkpoint(self) -> PretrainedModel:
        """The model, until it is closed."""
        assert self._checkpoint is not None, "closed"
        return self._checkpoint

    def facts(self) -> Facts:
        """Class, commit, attention, dtype, devices, adapter."""
        return {**facts_of(self.checkpoint.model), **self.checkpoint.adapter_facts}

    def close(self) -> None:
        """Lets go of the model and of the device memory it held."""
        self._checkpoint = None
        empty_cache()

    def part(self, image: Image) -> Part:
        made = self._image_processor(images=[image], return_tensors="pt")
        return {"type": "image", "picture": EncodedPicture(made["pixel_values"], made["image_grid_thw"])}

    def encode(self, conversation: Conversation) -> EncodedPrompt:
        """Raises PromptError for one that is longer than the judge takes: it is never cut."""
        said = [(message["role"], self._parts(message["content"])) for message in conversation]
        asked = [{"role": role, "content": parts} for role, parts in said]
        found = (part.get("picture") for _, parts in said for part in parts)
        pictures = tuple(picture for picture in found if isinstance(picture, EncodedPicture))
        with self._tokenizing:
            text = self._tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
            token_ids = list(self._tokenizer(self._expanded(text, pictures))["input_ids"])
        if len(token_ids) > self._max_tokens:
            raise PromptError("too_long", f"a question of {len(token_ids)} tokens; the judge takes {self._max_tokens}")
        return EncodedPrompt(token_ids, pictures, "<think>" if text.rstrip().endswith("<think>") else "")

    def _parts(self, content: str | list[Part]) -> list[Part]:
        """The parts of a message, without control tokens: a space is put into what the tokenizer would take for one."""
        rewritten = chat.rewritten(content, self._harmless)
        return [{"type": "text", "text": rewritten}] if isinstance(rewritten, str) else rewritten

    def _harmless(self, text: str) -> str:
        for token in self._control:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _expanded(self, text: str, pictures: Sequence[EncodedPicture]) -> str:
        """`text` with each image's one place holder repeated as often as the image has tokens."""
        per_token = self._image_processor.merge_size**2
        parts = text.split(IMAGE_TOKEN)
        if len(parts) != len(pictures) + 1:
            raise ValueError(f"the chat template shows {len(parts) - 1} images, the question has {len(pictures)}")
        counts = [int(picture.grid.prod()) // per_token for picture in pictures]
        return "".join(part + IMAGE_TOKEN * n for part, n in zip(parts, [*counts, 0], strict=True))

    def complete(self, calls: Sequence[Call[EncodedPrompt]]) -> list[Reply]:
        """One batch for each question, or each sample of a reply to it: prompts of about one length."""
        batches: dict[tuple[str, int], list[Call[EncodedPrompt]]] = {}
        for call in calls:
            batches.setdefault(call.place[1:], []).append(call)
        groups: dict[object, list[list[Call[EncodedPrompt]]]] = {}
        for name, batch in batches.items():
            groups.setdefault(_shown(batch) if self._shares_prefix else name, []).append(batch)
        replies: dict[Place, Reply] = {}
        for group in groups.values():
            for batch, answered in zip(group, self._answered_group(group), strict=True):
                replies.update(zip((call.place for call in batch), answered, strict=True))
        return [replies[call.place] for call in calls]

    def _answered_group(self, group: Sequence[Sequence[Call[EncodedPrompt]]]) -> list[list[Reply]]:
        """Of questions about the same pictures of the same requests: what they begin with is computed once."""
        num = len(group[0])
        size = min(self.fits or num, num)
        if size < num:
            parts = [self._answered_group([b[i : i + size] for b in group]) for i in range(0, num, size)]
            return [[reply for part in parts for reply in part[k]] for k in range(len(group))]
        together = self._together(group) if len(group) > 1 else None
        return together or [self._answered(batch) for batch in group]

    def _together(self, group: Sequence[Sequence[Call[EncodedPrompt]]]) -> list[list[Reply]] | None:
        """Replies, or None if the prompts do not begin alike or memory ran out; nothing of the attempt is held then."""
        import torch

        asked = [[call.prompt for call in batch] for batch in group]
        try:
            prefix = SharedPrefix.of(asked, self.checkpoint)
            if prefix is None:
                return None
            drawn = [[call.sampling for call in batch] for batch in group]
            return [self._generated(*one, prefix) for one in zip(asked, drawn, strict=True)]
        except torch.OutOfMemoryError:
            log.warning("out of memory with a common beginning of %d prompts; each question by itself", len(asked[0]))
            return None

    def _answered(self, calls: Sequence[Call[EncodedPrompt]]) -> list[Reply]:
        size = min(self.fits or len(calls), len(calls))
        if size < len(calls):
            return [r for i in range(0, len(calls), size) for r in self._answered(calls[i : i + size])]
        answered = self._within_memory(calls)
        if answered is not None:
            return answered
        empty_cache()
        if len(calls) == 1:
            log.warning("%s: out of memory with this prompt alone; it is left unscored", calls[0].key)
            message = "the device has not enough memory for this prompt alone; lower max_image_side"
            return [Reply("", problem="oom", message=message)]
        self.fits = (len(calls) + 1) // 2
        log.warning("out of memory with %d prompts at a time; going on with %d", len(calls), self.fits)
        return self._answered(calls)

    def _within_memory(self, calls: Sequence[Call[EncodedPrompt]]) -> list[Reply] | None:
        """Replies, or None if memory ran out. Returns before anything that holds the failed attempt's tensors."""
        import torch

        try:
            return self._generated([call.prompt for call in calls], [call.sampling for call in calls])
        except torch.OutOfMemoryError:
            return None

    def _generated(
        self, prompts: Sequence[EncodedPrompt], sampling: Sequence[SamplingParams], prefix: SharedPrefix | None = None
    ) -> list[Reply]:
        import torch

        by_label = sampling[0].is_expected
        temperature = sampling[0].temperature or 0.0
        is_drawn = temperature > 0
        drawing = _drawing(sampling) if is_drawn else None
        inputs = prefix.going_on(prompts, self.checkpoint) if prefix else collate(prompts, self.checkpoint)
        with torch.inference_mode():
            made = self.checkpoint.model.generate(
                **inputs,
                **({"past_key_values": prefix.state()} if prefix else {}),
                max_new_tokens=sampling[0].max_tokens,
                return_dict_in_generate=True,
                output_logits=by_label,
                **({"logits_processor": drawing} if drawing else {}),
            )
        if by_label:
            return self._label_replies(*made.logits)
        rows = made.sequences[:, inputs["input_ids"].shape[1] :].tolist()
        return [self._text_reply(row, prompt.opening) for row, prompt in zip(rows, prompts, strict=True)]

    def _text_reply(self, token_ids: list[int], opening: str) -> Reply:
        end = next((i for i, token in enumerate(token_ids) if token in self.checkpoint.end_ids), None)
        text = self._tokenizer.decode(token_ids[:end], skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return Reply(opening + text, is_finished=end is not None)

    def _label_replies(self, logits: Tensor, after: Tensor | None = None) -> list[Reply]:
        """Probabilities of the labels as the first token, rounded so that they survive being written down.

        `after` is what may follow the likeliest one; None where that is the end in every row.
        """
        import torch

        probabilities = torch.softmax(logits.float(), dim=-1)
        likeliest = probabilities.argmax(dim=-1).tolist()
        rows = probabilities[:, list(self.checkpoint.label_ids)].tolist()
        endings = self._endings(after) if after is not None else [1.0] * len(rows)
        return [
            Reply(self._tokenizer.decode([token]), labels=tuple(round(p, 6) for p in row), ends=ends)
            if all(map(math.isfinite, row))
            else Reply("", problem="degenerate", message="the model computed NaN")
            for token, row, ends in zip(likeliest, rows, endings, strict=True)
        ]

    def _endings(self, after: Tensor) -> list[float]:
        """Probability that each answer ends here, as far as the likeliest tokens show it."""
        import torch

        shares, tokens = torch.softmax(after.float(), dim=-1).topk(min(chat.NUM_LOGPROBS, after.shape[-1]))
        endings = []
        for row, ids in zip(shares.tolist(), tokens.tolist(), strict=True):
            texts = ["" if token in self.checkpoint.end_ids else self._tokenizer.decode([token]) for token in ids]
            ends = sum(share for share, text in zip(row, texts, strict=True) if chat.is_end(text))
            endings.append(min(1.0, round(ends, 6)) if math.isfinite(ends) else 0.0)
        return endings


def _drawing(sampling: Sequence[SamplingParams]) -> list[LogitsProcessor | GumbelSampler]:
    """What makes draws of greedy choices, in the order in which transformers' own sampling cuts and draws."""
    import transformers

    one, seeds = sampling[0], [each.seed for each in sampling]
    temperature = one.temperature or 0.0
    if not one.is_cut:
        return [GumbelSampler(seeds, temperature)]
    scaled = transformers.TemperatureLogitsWarper(temperature)
    cut = [transformers.TopKLogitsWarper(one.top_k), transformers.TopPLogitsWarper(one.top_p)]
    return [scaled, *cut, GumbelSampler(seeds, 1.0)]


def _shown(batch: Sequence[Call[EncodedPrompt]]) -> object:
    """Which pictures are shown about which requests: equal for questions that can begin alike."""
    return tuple((call.place[0], tuple(map(id, call.prompt.pictures))) for call in batch)


class GumbelSampler:
    """Makes the greedy choice a draw: by the Gumbel-max trick, the likeliest token after it is a fair draw before it.

    Every row has a random stream of its own, so that what is drawn for it does not depend on the rest of its batch.
    """

    def __init__(self, seeds: Sequence[int], temperature: float) -> None:
        self._seeds = seeds
        self._temperature = temperature
        self._streams: list[Generator] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        import torch

        if not self._streams:
            self._streams = [torch.Generator().manual_seed(seed) for seed in self._seeds]
        rows = []
        for row, stream in zip(scores, self._streams, strict=True):
            uniform = torch.rand(row.shape, generator=stream, dtype=torch.float64).clamp_(min=1e-300)
            gumbel = -torch.log(-torch.log(uniform))
            rows.append(row / self._temperature + gumbel.to(row))
        return torch.stack(rows)


def collate(prompts: Sequence[EncodedPrompt], checkpoint: PretrainedModel) -> dict[str, Tensor]:
    """Inputs of the model for `prompts`, padded on the left, on its device."""
    import torch

    inputs = {
        **padded([prompt.token_ids for prompt in prompts], checkpoint.pad_id),
        "pixel_values": torch.cat([picture.pixels for prompt in prompts for picture in prompt.pictures]),
        "image_grid_thw": torch.cat([picture.grid for prompt in prompts for picture in prompt.pictures]),
    }
    if checkpoint.typed_id is not None:
        inputs["mm_token_type_ids"] = (inputs["input_ids"] == checkpoint.typed_id).to(torch.int)
    return {name: tensor.to(checkpoint.device) for name, tensor in inputs.items()}
