"""Checkpoints of Qwen-Image-Edit that take no disk: the real architecture, files of holes, weights drawn on the device.

`write` makes a folder that diffusers loads like any other: true configurations, a small tokenizer built on the spot,
and safetensors files of the true size that are one hole after their header (57 GB that occupy a few hundred kB).
`fill` then overwrites the zeros that were loaded with random numbers, where they lie: timing on zeros would flatter.
Every load draws the same numbers, so that edits of different processes can be compared.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MARKER = "random_weights.json"
SEED = 20261123
SHARD_BYTES = 5 * 10**9
PIPELINES = {"v1": "QwenImageEditPipeline", "plus": "QwenImageEditPlusPipeline"}
DTYPES = {False: "bfloat16", True: "float32"}  # full size, tiny
PROCESSOR_MAX_PX = 12_845_056  # of Qwen2.5-VL: a megapixel is 37 x 37 tokens
ROOT = Path(__file__).parents[1]

VIDEO = {"video_processor_type": "Qwen2VLVideoProcessor"}  # where torchvision is, the processor wants one to exist
SCHEDULER = {
    "base_image_seq_len": 256,
    "base_shift": 0.5,
    "max_image_seq_len": 8192,
    "max_shift": 0.9,
    "num_train_timesteps": 1000,
    "shift": 1.0,
    "shift_terminal": 0.02,
    "time_shift_type": "exponential",
    "use_dynamic_shifting": True,
}
TINY_TRANSFORMER = {
    "in_channels": 16,
    "out_channels": 4,
    "num_layers": 2,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 32,
    "axes_dims_rope": (8, 4, 4),
}
TEXT_7B = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "max_position_embeddings": 128000,
    "rms_norm_eps": 1e-6,
    "bos_token_id": None,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
}
VISION_7B = {
    "depth": 32,
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "num_heads": 16,
    "out_hidden_size": 3584,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "window_size": 112,
    "fullatt_block_indexes": [7, 15, 23, 31],
}


def write(model: str, folder: Path, is_tiny: bool) -> Path:
    """`folder`, with the checkpoint of `model` ("v1", "plus") in it."""
    from diffusers import FlowMatchEulerDiscreteScheduler, __version__

    parts = _tiny_parts()
    tokenizer = parts.qwen_tokenizer()
    processor = parts.vl_processor(tokenizer, max_pixels=112 * 112 if is_tiny else PROCESSOR_MAX_PX)
    networks = _networks(model, is_tiny, parts, tokenizer)
    folder.mkdir(parents=True)
    FlowMatchEulerDiscreteScheduler(**SCHEDULER).save_pretrained(folder / "scheduler")
    tokenizer.save_pretrained(folder / "tokenizer")
    processor.save_pretrained(folder / "processor")
    (folder / "processor" / "video_preprocessor_config.json").write_text(json.dumps(VIDEO), "utf-8")
    for name, network in networks.items():
        save = getattr(network, "save_config", None) or network.config.save_pretrained
        save(folder / name)
        stem = "model" if name == "text_encoder" else "diffusion_pytorch_model"
        write_hollow(network.state_dict(), folder / name, stem, is_tiny)
    index = {
        "_class_name": PIPELINES[model],
        "_diffusers_version": __version__,
        "processor": ["transformers", "Qwen2VLProcessor"],
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "Qwen2_5_VLForConditionalGeneration"],
        "tokenizer": ["transformers", "Qwen2Tokenizer"],
        "transformer": ["diffusers", "QwenImageTransformer2DModel"],
        "vae": ["diffusers", "AutoencoderKLQwenImage"],
    }
    (folder / "model_index.json").write_text(json.dumps(index, indent=2), "utf-8")
    (folder / MARKER).write_text(json.dumps({"seed": SEED}), "utf-8")
    return folder


def _tiny_parts() -> Any:
    """The builders of the tests: tokenizer, processor and tiny networks."""
    folder = str(ROOT / "tests" / "models")
    if folder not in sys.path:
        sys.path.append(folder)
    import tiny_parts

    return tiny_parts


def _networks(model: str, is_tiny: bool, parts: Any, tokenizer: Any) -> dict[str, Any]:
    """The three networks without weights: shapes only."""
    import torch
    from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel

    options: dict[str, Any] = {"zero_cond_t": model == "plus"}  # of 2511
    options |= TINY_TRANSFORMER if is_tiny else {}
    with torch.device("meta"):
        return {
            "transformer": QwenImageTransformer2DModel(**options),
            "text_encoder": parts.qwen25_vl(tokenizer) if is_tiny else _text_encoder(tokenizer),
            "vae": parts.qwen_vae() if is_tiny else AutoencoderKLQwenImage(),
        }


def _text_encoder(tokenizer: Any) -> Any:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    token = tokenizer.convert_tokens_to_ids
    ids = {
        "image_token_id": token("<|image_pad|>"),
        "video_token_id": token("<|video_pad|>"),
        "vision_start_token_id": token("<|vision_start|>"),
        "vision_end_token_id": token("<|vision_end|>"),
    }
    text = TEXT_7B | {"eos_token_id": token("<|im_end|>"), "pad_token_id": token("<|endoftext|>")}
    config = Qwen2_5_VLConfig(text_config=text, vision_config=VISION_7B, tie_word_embeddings=False, **ids)
    return Qwen2_5_VLForConditionalGeneration(config)


def write_hollow(state: dict[str, Any], folder: Path, stem: str, is_tiny: bool) -> None:
    """Safetensors of the shapes in `state` whose data is a hole; in shards with an index, as large models come."""
    dtype, width = ("F32", 4) if is_tiny else ("BF16", 2)
    shards = list(_shards(state, width))
    names = [f"{stem}-{i + 1:05}-of-{len(shards):05}.safetensors" for i in range(len(shards))]
    names = names if len(shards) > 1 else [f"{stem}.safetensors"]
    for name, shard in zip(names, shards, strict=True):
        _write_hole(folder / name, shard, dtype, width)
    if len(shards) > 1:
        weight_map = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
        total = sum(width * shape.numel() for shard in shards for shape in shard.values())
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        (folder / f"{stem}.safetensors.index.json").write_text(json.dumps(index), "utf-8")


def _shards(state: dict[str, Any], width: int) -> Iterator[dict[str, Any]]:
    shard: dict[str, Any] = {}
    num_bytes = 0
    for name, tensor in state.items():
        size = width * tensor.numel()
        if shard and num_bytes + size > SHARD_BYTES:
            yield shard
            shard, num_bytes = {}, 0
        shard[name] = tensor.shape
        num_bytes += size
    yield shard


def _write_hole(path: Path, shapes: dict[str, Any], dtype: str, width: int) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + width * shape.numel()
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def fill(pipeline: Any, folder: Path) -> bool:
    """Draw the weights of a hollow checkpoint on its device, in place; False and nothing done for a real one.

    Variance 1 / inputs for matrices, ones for norms: activations neither vanish nor overflow through 60 blocks.
    """
    import torch

    if not (folder / MARKER).is_file():
        return False
    with torch.no_grad():
        for network in (pipeline.text_encoder, pipeline.transformer, pipeline.vae):
            generator: Any = None
            for name, weights in network.named_parameters():
                generator = generator or torch.Generator(weights.device).manual_seed(SEED)
                if name.endswith("bias"):
                    weights.normal_(0.0, 0.02, generator=generator)
                elif weights.ndim == 1 or name.endswith("gamma"):
                    weights.fill_(1.0)
                else:
                    weights.normal_(0.0, (weights[0].numel()) ** -0.5, generator=generator)
    return True


def num_bytes(folder: Path) -> int:
    """Of all weight files."""
    return sum(path.stat().st_size for path in folder.glob("*/*.safetensors"))
