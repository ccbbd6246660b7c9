"""How many floating-point operations an edit takes: arithmetic on the transformer's shapes, no measurement in it.

A multiplication and an addition count as two. Counted: every matrix product of QwenImageTransformer2DModel. Not
counted: norms, rotations, activations (they move bytes), the text encoder and the autoencoder (1-2 % of an edit).
tests/models/test_gpu_bench.py holds the formula against what torch counts on a small transformer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TIME_CHANNELS = 256
"""Width of the sinusoidal time embedding, a constant in diffusers' code."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one forward pass sees: latent tokens (target and references together) and text tokens, vision included."""

    latent: int
    text: int

    @property
    def joint(self) -> int:
        """Length of the attention's sequence."""
        return self.latent + self.text


def block_flops(width: int, joint: int) -> float:
    """Of one dual-stream block: 12 d^2 weights per token (QKV, output, MLP of 4 d), attention over all tokens."""
    return 24.0 * width**2 * joint + 4.0 * joint**2 * width


def forward_flops(config: Mapping[str, Any], tokens: Tokens) -> float:
    """Of one forward pass at batch 1. `config` is that of the transformer."""
    width = config["num_attention_heads"] * config["attention_head_dim"]
    out = config["patch_size"] ** 2 * (config["out_channels"] or config["in_channels"])
    times = 2 if config.get("zero_cond_t") else 1  # the references are modulated at time 0
    modulation = 12.0 * width**2 * (times + 1)  # image and text stream: d -> 6 d each, once per pass
    inner = config["num_layers"] * (block_flops(width, tokens.joint) + modulation)
    embeddings = 2.0 * width * (config["in_channels"] * tokens.latent + config["joint_attention_dim"] * tokens.text)
    time = 2.0 * width * times * (TIME_CHANNELS + width)
    head = 4.0 * width**2 + 2.0 * width * out * tokens.latent
    return float(inner + embeddings + time + head)


def edit_flops(config: Mapping[str, Any], passes: list[Tokens], num_steps: int) -> float:
    """Of one edit; `passes` are the forward passes of one step (two with classifier-free guidance)."""
    return num_steps * sum(forward_flops(config, tokens) for tokens in passes)
