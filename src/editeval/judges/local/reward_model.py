"""EditReward's network: a Qwen-VL without its language head, and two small heads that read it at one special token.

Facts of github.com/TIGER-AI-Lab/EditReward at edb027e (MIT), from which no line is taken; ours is compared with theirs
in docs/decisions.md. What its checkpoints were trained with, and what therefore belongs to the numbers:

vocabulary   that of the base model and `<|Reward|>`, whose hidden state in the last layer is what the heads read
heads        rm_heads.head_0 (instruction following) and head_1 (quality): hidden -> 1024 -> 16 -> (mu, log sigma), in
             float32 whatever the rest is in
positions    Qwen2.5-VL and MiMo-VL count every token once, image tokens as well: the authors hand the model embeddings
             without image grids, so that its positions in three dimensions are never used. Qwen3-VL has them
rotation     the frequencies are rounded to the dtype of the weights, like every other number of the model
pictures     Qwen2.5-VL and MiMo-VL: about 200,704 pixels each. Qwen3-VL: the limits of its own image processor; the
             200,704 of the authors' configuration do not reach it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from threading import Lock
from typing import TYPE_CHECKING

from PIL import Image

from editeval.errors import ImageError
from editeval.images import decode
from editeval.judges.chat.messages import MAX_ASPECT, fitted
from editeval.judges.local.pretrained import IMAGE_TOKEN, Preprocessing, facts_of
from editeval.types import Facts

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import PreTrainedModel

REWARD_TOKEN = "<|Reward|>"
FLAT_POSITIONS = ("qwen2_5_vl",)  # values of `model_type` whose image tokens are counted one by one
FAMILIES = (*FLAT_POSITIONS, "qwen3_vl")
HEADS = ("head_0", "head_1")
PIXELS = 256 * 28 * 28
BICUBIC = Image.Resampling.BICUBIC


class TooLongError(Exception):
    """A prompt is longer than the model takes; it is never cut."""


@dataclass(frozen=True, slots=True)
class EditPrompts:
    """One edit, ready for the model: one prompt per head, over the same pictures."""

    prompts: tuple[tuple[int, ...], ...]  # token ids
    pixels: Tensor  # (patches, values), of all pictures
    grids: Tensor  # (pictures, 3)


@dataclass(frozen=True, slots=True)
class RewardModel:
    """A loaded checkpoint and what turns pictures and texts into its inputs. Threads may encode at the same time."""

    backbone: PreTrainedModel  # without a language head
    heads: nn.ModuleDict
    preprocessing: Preprocessing  # of the base model; its tokenizer knows REWARD_TOKEN
    device: str
    reward_id: int
    base_commit: str | None
    tokenizing: Lock = field(default_factory=Lock)

    @property
    def has_flat_positions(self) -> bool:
        return self.backbone.config.model_type in FLAT_POSITIONS

    def facts(self) -> Facts:
        """Class, attention, dtype, device, and the commit of the base model's tokenizer and configuration."""
        return {**facts_of(self.backbone), "base_commit": self.base_commit}

    def without_control_tokens(self, text: str) -> str:
        """`text` with a space in what the tokenizer would take for a token of its own, such as REWARD_TOKEN."""
        for token in sorted(self.preprocessing.tokenizer.get_added_vocab(), key=len, reverse=True):
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def encoded(self, pictures: Sequence[bytes], texts: Sequence[str], pixels: int | None) -> EditPrompts:
        """One user message per text: the pictures in order, then the text. Raises ImageError, TooLongError."""
        import torch

        prepared = [self._picture(data, pixels) for data in pictures]
        grids = torch.cat([grid for _, grid in prepared])
        counts = [int(grid.prod()) // self.preprocessing.image_processor.merge_size**2 for grid in grids]
        prompts = [tuple(self._token_ids(text, counts)) for text in texts]
        longest = max(map(len, prompts))
        most = int(self.backbone.config.get_text_config().max_position_embeddings)
        if longest > most:
            raise TooLongError(f"a prompt of {longest} tokens; the model takes {most}")
        return EditPrompts(tuple(prompts), torch.cat([values for values, _ in prepared]), grids)

    def _picture(self, data: bytes, pixels: int | None) -> tuple[Tensor, Tensor]:
        image, processor = decode(data), self.preprocessing.image_processor
        if max(image.size) > MAX_ASPECT * min(image.size):
            raise ImageError(f"{image.width}x{image.height} pixels: too narrow for the judge")
        pixels = pixels or (PIXELS if self.has_flat_positions else None)
        if pixels is not None:
            size = fitted(image.size, processor.patch_size * processor.merge_size, pixels, pixels)
            image = image.resize(size, BICUBIC)
        made = processor(images=[image], return_tensors="pt", do_resize=pixels is None)
        return made["pixel_values"], made["image_grid_thw"]

    def _token_ids(self, text: str, counts: Sequence[int]) -> list[int]:
        content = [*({"type": "image"} for _ in counts), {"type": "text", "text": text}]
        asked, tokenizer = [{"role": "user", "content": content}], self.preprocessing.tokenizer
        with self.tokenizing:
            shown = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
            parts = shown.split(IMAGE_TOKEN)
            if len(parts) != len(counts) + 1:
                raise ValueError(f"the chat template shows {len(parts) - 1} images, the question has {len(counts)}")
            expanded = "".join(part + IMAGE_TOKEN * n for part, n in zip(parts, [*counts, 0], strict=True))
            return list(tokenizer(expanded)["input_ids"])

    def within_memory(self, edits: Sequence[EditPrompts]) -> list[list[tuple[float, float]]] | None:
        """(mu, log sigma) of every head, by edit, of one forward pass for all; None if memory ran out.

        Returns before anything that holds the failed attempt's tensors.
        """
        import torch

        heads = [head for edit in edits for head in range(len(edit.prompts))]
        try:
            read = iter(outputs_of(self, self._padded(edits), heads))
        except torch.OutOfMemoryError:
            return None
        return [[next(read) for _ in edit.prompts] for edit in edits]

    def _padded(self, edits: Sequence[EditPrompts]) -> dict[str, Tensor]:
        """Inputs of the model, padded on the right as the authors pad, on its device."""
        import torch

        prompts = [prompt for edit in edits for prompt in edit.prompts]
        width, tokenizer = max(map(len, prompts)), self.preprocessing.tokenizer
        ids = torch.full((len(prompts), width), tokenizer.pad_token_id or 0, dtype=torch.long)
        mask = torch.zeros((len(prompts), width), dtype=torch.long)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt)] = torch.tensor(prompt)
            mask[row, : len(prompt)] = 1
        inputs = {
            "input_ids": ids,
            "attention_mask": mask,
            "pixel_values": torch.cat([edit.pixels for edit in edits for _ in edit.prompts]),
            "image_grid_thw": torch.cat([edit.grids for edit in edits for _ in edit.prompts]),
        }
        if "mm_token_type_ids" in signature(self.backbone.forward).parameters:
            inputs["mm_token_type_ids"] = (ids == self.backbone.config.image_token_id).to(torch.int)
        return {name: tensor.to(self.device) for name, tensor in inputs.items()}


def outputs_of(model: RewardModel, inputs: Mapping[str, Tensor], heads: Sequence[int]) -> list[tuple[float, float]]:
    """(mu, log sigma) of every prompt of a padded batch; `heads`: by which head each is read. They may be no numbers.

    Raises torch.OutOfMemoryError.
    """
    import torch

    given = dict(inputs)
    if model.has_flat_positions:
        mask = inputs["attention_mask"]
        places = (mask.long().cumsum(-1) - 1).masked_fill(mask == 0, 1)
        given["position_ids"] = places.unsqueeze(0).expand(3, -1, -1)
    with torch.inference_mode():
        hidden = model.backbone(**given, use_cache=False).last_hidden_state
        at_token = hidden[inputs["input_ids"] == model.reward_id].float()
        read = [model.heads[HEADS[head]](row) for head, row in zip(heads, at_token, strict=True)]
        return [(float(mu), float(log_sigma)) for mu, log_sigma in torch.stack(read).tolist()]
