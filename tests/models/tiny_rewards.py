"""Tiny reward models on the real classes: a base model with its own vocabulary, and a checkpoint made of it.

A checkpoint has what EditReward's have: the base model's weights over a vocabulary of one token more, and two heads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tiny_judges
import torch
from safetensors.torch import save_file

from editeval.judges.local.reward_model import HEADS, REWARD_TOKEN

WIDTHS = (1024, 16, 2)


def base(family: str, folder: Path, hidden: int = 32) -> Path:
    """A base model with random weights, as a snapshot."""
    tok = tiny_judges.tokenizer(["Judge how well the edit follows its instruction", "Overall rating of the edit:"])
    model, processor = {"qwen3_vl": tiny_judges.qwen3_vl, "qwen2_5_vl": tiny_judges.qwen25_vl}[family](tok, hidden)
    return tiny_judges.save(folder, model, processor)


def weights(base: Path, seed: int = 1) -> dict[str, torch.Tensor]:
    """Of a checkpoint that was made of `base`: no row of the table and no head is the base model's."""
    import transformers

    tok = transformers.AutoTokenizer.from_pretrained(base)
    tok.add_special_tokens({"additional_special_tokens": [REWARD_TOKEN]})
    model = transformers.AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32)
    torch.manual_seed(seed)
    model.resize_token_embeddings(len(tok), mean_resizing=False)
    state = {name: tensor + 0.05 * torch.randn_like(tensor) for name, tensor in model.state_dict().items()}
    return state | {f"rm_heads.{name}": tensor for name, tensor in heads(model.config.text_config.hidden_size).items()}


def heads(hidden: int) -> dict[str, torch.Tensor]:
    """Their weights by name; large enough that pictures and texts tell in the output."""
    found = {}
    for head in HEADS:
        for place, (wide, narrow) in zip((0, 3, 5), zip((hidden, *WIDTHS), WIDTHS, strict=False), strict=True):
            found[f"{head}.{place}.weight"] = torch.randn(narrow, wide) * (2.0 / wide) ** 0.5
            found[f"{head}.{place}.bias"] = torch.randn(narrow) * 0.1
    return found


def save(folder: Path, state: dict[str, Any], name: str = "model.safetensors") -> Path:
    """The folder, now a checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    if name.endswith(".pth"):
        torch.save(state, folder / name)
    else:
        save_file({key: tensor.contiguous().clone() for key, tensor in state.items()}, folder / name)
    return folder
