"""From requests to token ids and pixels, in threads, one image at a time; and from those to padded batches.

The result equals that of the checkpoint's own processor on the whole batch (a test compares them). It is taken apart
here so that images are prepared in parallel, each once for all questions, and so that halving a batch costs nothing.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from editeval.errors import ImageError
from editeval.judges.chat.messages import WHY, picture
from editeval.judges.local.pretrained import IMAGE_TOKEN
from editeval.judges.protocols.protocol import SHOWN_AS, Protocol, Question
from editeval.types import JudgeRequest

MAX_THREADS = 8


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """One question about one edit, ready for the model."""

    key: str  # of the request
    question: Question
    answer: str  # an answer format, or "rationale"
    token_ids: list[int]
    pixels: tuple[Any, ...]  # per image, a tensor of (patches, values)
    grids: tuple[Any, ...]  # per image, a tensor of (1, 3)
    opening: str  # what the template put at the start of the reply: "<think>" or nothing
    seed: int | None = None  # of a reply that is drawn; None: the likeliest one


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """All prompts of one request, or why it cannot be asked."""

    key: str
    prompts: tuple[EncodedPrompt, ...] = ()
    reason: str = ""
    message: str = ""


class Preparer:
    """Makes requests ready. Threads share the tokenizer, which one of them uses at a time."""

    def __init__(
        self, tokenizer: Any, image_processor: Any, protocol: Protocol, max_image_side: int, max_tokens: int
    ) -> None:
        self._tokenizer = tokenizer
        self._image_processor = image_processor
        self._protocol = protocol
        self._max_image_side = max_image_side
        self._max_tokens = max_tokens
        self._tokenizing = threading.Lock()
        self._control = tuple(sorted(tokenizer.get_added_vocab(), key=len, reverse=True))
        self._threads = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1), "prepare")

    def begin(self, requests: Sequence[JudgeRequest]) -> list[Future[PreparedRequest]]:
        """One future per request, in order. Broken images are part of the result, not an exception."""
        return [self._threads.submit(self.prepared, request) for request in requests]

    def close(self) -> None:
        """Ends the threads; what has not begun is dropped."""
        self._threads.shutdown(cancel_futures=True)

    def prepared(self, request: JudgeRequest) -> PreparedRequest:
        """The prompts of `request`: all questions of the protocol, in order."""
        questions = self._protocol.questions(request)
        if not questions:
            return PreparedRequest(request.key, (), "no_prompt", "the protocol has no question for this sample")
        shown = dict.fromkeys(name for question in questions for name in question.images)
        try:
            images = {name: self._image(name, getattr(request, name)) for name in shown}
        except ImageError as error:
            return PreparedRequest(request.key, (), "bad_image", str(error))
        prompts = tuple(self._prompt(request.key, question, images) for question in questions)
        longest = max(len(prompt.token_ids) for prompt in prompts)
        if longest > self._max_tokens:
            message = f"a question of {longest} tokens; the judge takes {self._max_tokens}"
            return PreparedRequest(request.key, (), "too_long", message)
        return PreparedRequest(request.key, prompts)

    def _image(self, name: str, data: bytes) -> tuple[Any, Any]:
        """(pixels, grid) of one image. Raises ImageError."""
        image = picture(name, data, self._max_image_side)
        made = self._image_processor(images=[image], return_tensors="pt")
        return made["pixel_values"], made["image_grid_thw"]

    def follow_up(self, prompt: EncodedPrompt, answer: str) -> EncodedPrompt | None:
        """The prompt that asks why `answer` was given to `prompt`; None if it is longer than the judge takes."""
        shown = list(zip(prompt.pixels, prompt.grids, strict=True))
        why = self._tokenized(prompt.key, prompt.question, shown, answer)
        return why if len(why.token_ids) <= self._max_tokens else None

    def _prompt(self, key: str, question: Question, images: Mapping[str, tuple[Any, Any]]) -> EncodedPrompt:
        return self._tokenized(key, question, [images[name] for name in question.images], "")

    def _tokenized(self, key: str, question: Question, shown: Sequence[tuple[Any, Any]], answer: str) -> EncodedPrompt:
        messages = self._messages(question, answer)
        with self._tokenizing:
            text = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
            token_ids = self._tokenizer(self._expanded(text, [grid for _, grid in shown]))["input_ids"]
        opening = "<think>" if text.rstrip().endswith("<think>") else ""
        pixels, grids = tuple(p for p, _ in shown), tuple(g for _, g in shown)
        wanted = "rationale" if answer else question.answer
        return EncodedPrompt(key, question, wanted, list(token_ids), pixels, grids, opening)

    def _messages(self, question: Question, answer: str) -> list[dict[str, Any]]:
        content: list[dict[str, str]] = []
        for name in question.images:
            content += [{"type": "text", "text": SHOWN_AS[name]}, {"type": "image"}]
        content.append({"type": "text", "text": self._harmless(question.user)})
        system = [{"type": "text", "text": self._harmless(question.system)}]
        asked = [{"role": "system", "content": system}, {"role": "user", "content": content}]
        if not answer:
            return asked
        said = [{"type": "text", "text": self._harmless(answer)}]
        why = [{"type": "text", "text": WHY}]
        return [*asked, {"role": "assistant", "content": said}, {"role": "user", "content": why}]

    def _harmless(self, text: str) -> str:
        """`text` without control tokens: a space is put into what the tokenizer would take for one."""
        for token in self._control:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _expanded(self, text: str, grids: Sequence[Any]) -> str:
        """`text` with each image's one place holder repeated as often as the image has tokens."""
        per_token = self._image_processor.merge_size**2
        parts = text.split(IMAGE_TOKEN)
        if len(parts) != len(grids) + 1:
            raise ValueError(f"the chat template shows {len(parts) - 1} images, the question has {len(grids)}")
        counts = [int(grid.prod()) // per_token for grid in grids]
        return "".join(part + IMAGE_TOKEN * n for part, n in zip(parts, [*counts, 0], strict=True))


def collate(prompts: Sequence[EncodedPrompt], pad_id: int, typed_id: int | None, device: str) -> dict[str, Any]:
    """Inputs of the model for `prompts`, padded on the left, on `device`; `typed_id` is marked as an image's token."""
    import torch

    width = max(len(prompt.token_ids) for prompt in prompts)
    ids = torch.full((len(prompts), width), pad_id, dtype=torch.long)
    mask = torch.zeros((len(prompts), width), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt.token_ids) :] = torch.tensor(prompt.token_ids)
        mask[row, width - len(prompt.token_ids) :] = 1
    inputs = {
        "input_ids": ids,
        "attention_mask": mask,
        "pixel_values": torch.cat([pixels for prompt in prompts for pixels in prompt.pixels]),
        "image_grid_thw": torch.cat([grid for prompt in prompts for grid in prompt.grids]),
    }
    if typed_id is not None:
        inputs["mm_token_type_ids"] = (ids == typed_id).to(torch.int)
    return {name: tensor.to(device) for name, tensor in inputs.items()}
