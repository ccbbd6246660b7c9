"""Replies of a loaded checkpoint to prompts: the likeliest text, a drawn one, or the probabilities of the labels."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

from editeval.judges.chat import messages
from editeval.judges.local.inputs import EncodedPrompt, collate
from editeval.judges.local.pretrained import PretrainedModel
from editeval.judges.parsing.reply import Reply

log = logging.getLogger("editeval")


class Generator:
    """Answers batches. One that does not fit into memory is halved, and later ones start at the size that did fit."""

    def __init__(self, checkpoint: PretrainedModel, max_new_tokens: int, temperature: float = 0.0) -> None:
        self._checkpoint: PretrainedModel | None = checkpoint
        self._tokenizer = checkpoint.tokenizer
        self._max_new_tokens = max_new_tokens
        self._temperature = temperature  # of replies that are drawn
        self._label_ids = list(checkpoint.label_ids)
        self._fits = 0  # prompts per batch that are known to be the most; 0: no limit met so far

    def close(self) -> None:
        """Lets go of the model and of the device memory it held."""
        self._checkpoint = None
        _empty_cache()

    def replies(self, prompts: Sequence[EncodedPrompt]) -> list[Reply | None]:
        """One reply per prompt, in order; None where the device has no room for that prompt alone."""
        if not prompts:
            return []
        size = min(self._fits or len(prompts), len(prompts))
        if size < len(prompts):
            return [r for i in range(0, len(prompts), size) for r in self.replies(prompts[i : i + size])]
        answered = self._within_memory(prompts)
        if answered is not None:
            return answered
        _empty_cache()
        if len(prompts) == 1:
            log.warning("%s: out of memory with this prompt alone; it is left unscored", prompts[0].key)
            return [None]
        self._fits = (len(prompts) + 1) // 2
        log.warning("out of memory with %d prompts at a time; going on with %d", len(prompts), self._fits)
        return self.replies(prompts)

    def _within_memory(self, prompts: Sequence[EncodedPrompt]) -> list[Reply | None] | None:
        """Replies, or None if memory ran out. Returns before anything that holds the failed attempt's tensors."""
        import torch

        try:
            return list(self._generated(prompts))
        except torch.OutOfMemoryError:
            return None

    def _generated(self, prompts: Sequence[EncodedPrompt]) -> list[Reply]:
        import torch

        assert self._checkpoint is not None, "closed"
        checkpoint = self._checkpoint
        by_label = prompts[0].answer == "labels"
        drawing = GumbelSampler([prompt.seed for prompt in prompts], self._temperature)
        inputs = collate(prompts, checkpoint.pad_id, checkpoint.typed_id, checkpoint.device)
        with torch.inference_mode():
            made = checkpoint.model.generate(
                **inputs,
                max_new_tokens=messages.NUM_TOKENS if by_label else self._max_new_tokens,
                return_dict_in_generate=True,
                output_logits=by_label,
                **({"logits_processor": [drawing]} if drawing.is_due else {}),
            )
        if by_label:
            return self._label_replies(*made.logits)
        rows = made.sequences[:, inputs["input_ids"].shape[1] :].tolist()
        return [self._text_reply(row, prompt.opening) for row, prompt in zip(rows, prompts, strict=True)]

    def _text_reply(self, token_ids: list[int], opening: str) -> Reply:
        assert self._checkpoint is not None
        end = next((i for i, token in enumerate(token_ids) if token in self._checkpoint.end_ids), None)
        text = self._tokenizer.decode(token_ids[:end], skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return Reply(opening + text, is_finished=end is not None)

    def _label_replies(self, logits: Any, after: Any = None) -> list[Reply]:
        """Probabilities of the labels as the first token, rounded so that they survive being written down.

        `after` is what may follow the likeliest one; None where that is the end in every row.
        """
        import torch

        probabilities = torch.softmax(logits.float(), dim=-1)
        likeliest = probabilities.argmax(dim=-1).tolist()
        rows = probabilities[:, self._label_ids].tolist()
        endings = self._endings(after) if after is not None else [1.0] * len(rows)
        return [
            Reply(self._tokenizer.decode([token]), labels=tuple(round(p, 6) for p in row), ends=ends)
            if all(map(math.isfinite, row))
            else Reply("", problem="degenerate", message="the model computed NaN")
            for token, row, ends in zip(likeliest, rows, endings, strict=True)
        ]

    def _endings(self, after: Any) -> list[float]:
        """Probability that each answer ends here, as far as the likeliest tokens show it."""
        import torch

        assert self._checkpoint is not None
        shares, tokens = torch.softmax(after.float(), dim=-1).topk(min(messages.NUM_LOGPROBS, after.shape[-1]))
        endings = []
        for row, ids in zip(shares.tolist(), tokens.tolist(), strict=True):
            texts = ["" if token in self._checkpoint.end_ids else self._tokenizer.decode([token]) for token in ids]
            ends = sum(share for share, text in zip(row, texts, strict=True) if messages.is_end(text))
            endings.append(min(1.0, round(ends, 6)) if math.isfinite(ends) else 0.0)
        return endings


class GumbelSampler:
    """Makes the greedy choice a draw: by the Gumbel-max trick, the likeliest token after it is a fair draw before it.

    Every row has a random stream of its own, so that what is drawn for it does not depend on the rest of its batch.
    """

    def __init__(self, seeds: Sequence[int | None], temperature: float) -> None:
        self.is_due = any(seed is not None for seed in seeds)
        self._seeds = seeds
        self._temperature = temperature
        self._streams: list[Any] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        import torch

        if not self._streams:
            self._streams = [None if seed is None else torch.Generator().manual_seed(seed) for seed in self._seeds]
        rows = []
        for row, stream in zip(scores, self._streams, strict=True):
            if stream is None:
                rows.append(row)
                continue
            uniform = torch.rand(row.shape, generator=stream, dtype=torch.float64).clamp_(min=1e-300)
            gumbel = -torch.log(-torch.log(uniform))
            rows.append(row / self._temperature + gumbel.to(row))
        return torch.stack(rows)


def _empty_cache() -> None:
    import torch

    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
