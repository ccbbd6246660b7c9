"""What prompts of several questions about the same pictures begin with, computed once: system message and pictures.

The keys and values of the common tokens are kept from one forward pass, and each question goes on from there. The sums
are those of whole prompts in another order: equal in float32 to 1e-6, and in bfloat16 to the noise of another batch.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from editeval.errors import MachineError

if TYPE_CHECKING:
    from torch import Tensor

    from editeval.judges.local.generate import EncodedPrompt
    from editeval.judges.local.pretrained import PretrainedModel

SINCE = (5, 23)
"""Version of transformers from which `generate` counts positions rightly behind tokens that it did not compute."""


def check_version() -> None:
    """Raises MachineError for a transformers that would compute other scores."""
    import transformers

    if tuple(int(part) for part in transformers.__version__.split(".")[:2]) < SINCE:
        what = f"needs transformers {'.'.join(map(str, SINCE))} or newer, got {transformers.__version__}"
        raise MachineError(f"reward_model.params.share_prefix: {what}; update it, or leave share_prefix out")


@dataclass(frozen=True)
class SharedPrefix:
    """The common beginnings of the prompts of some requests, in order, and the model's state behind them."""

    inputs: dict[str, Tensor]  # of the beginnings, padded on the left
    lengths: tuple[int, ...]  # tokens of each
    cache: object  # what the model computed; never changed

    @classmethod
    def of(cls, asked: Sequence[Sequence[EncodedPrompt]], checkpoint: PretrainedModel) -> SharedPrefix | None:
        """Of `asked`: for each question the prompts of the same requests. None if the pictures are not all in it."""
        import torch

        from editeval.judges.local.generate import collate

        rows = [[question[i].token_ids for question in asked] for i in range(len(asked[0]))]
        lengths = tuple(min(_common(row), min(map(len, row)) - 1) for row in rows)
        image = checkpoint.model.config.image_token_id
        if any(image in ids[length:] for row, length in zip(rows, lengths, strict=True) for ids in row):
            return None
        first = [replace(one, token_ids=one.token_ids[:n]) for one, n in zip(asked[0], lengths, strict=True)]
        inputs = collate(first, checkpoint)
        with torch.inference_mode():
            cache = checkpoint.model.model(**inputs, use_cache=True).past_key_values
        return cls(inputs, lengths, cache)

    def state(self) -> object:
        """The model's state behind the beginnings, for one question to go on from."""
        return copy.deepcopy(self.cache)

    def going_on(self, prompts: Sequence[EncodedPrompt], checkpoint: PretrainedModel) -> dict[str, Tensor]:
        """Inputs of `generate` for one question: the prompts, of which only the rest is computed."""
        import torch

        rests = [prompt.token_ids[n:] for prompt, n in zip(prompts, self.lengths, strict=True)]
        joined = {
            name: torch.cat([self.inputs[name], more.to(self.inputs[name])], dim=1)
            for name, more in padded(rests, checkpoint.pad_id).items()
        }
        if checkpoint.typed_id is not None:
            joined["mm_token_type_ids"] = (joined["input_ids"] == checkpoint.typed_id).to(torch.int)
        return {**joined, "image_grid_thw": self.inputs["image_grid_thw"]}


def padded(rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, Tensor]:
    """Token ids of all rows, padded on the left, and the mask of those that are no padding."""
    import torch

    width = max(map(len, rows))
    ids = torch.full((len(rows), width), pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, width - len(row) :] = torch.tensor(row)
        mask[i, width - len(row) :] = 1
    return {"input_ids": ids, "attention_mask": mask}


def _common(rows: Sequence[Sequence[int]]) -> int:
    """How many tokens all of `rows` begin with."""
    pairs = enumerate(zip(*rows, strict=False))
    return next((n for n, tokens in pairs if len(set(tokens)) > 1), min(map(len, rows)))
