"""Tiny editing pipelines of every family, whose output depends on every input. `save(name, folder)` writes one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tiny_parts as parts

PIXTRAL = {
    "processor_class": "PixtralProcessor",
    "patch_size": 14,
    "spatial_merge_size": 2,
    "image_token": "[IMG]",
    "image_break_token": "[IMG_BREAK]",
    "image_end_token": "[IMG_END]",
    "image_processor": {
        "image_processor_type": "PixtralImageProcessor",
        "patch_size": {"height": 14, "width": 14},
        "size": {"longest_edge": 112},
    },
}
"""What makes a PixtralProcessor of a tokenizer; written by hand, as newer transformers need torchvision to do it."""

VIDEO_PROCESSORS = {"Qwen2VLProcessor": "Qwen2VLVideoProcessor", "Qwen3VLProcessor": "Qwen3VLVideoProcessor"}
"""What the processors of these classes also want, where torchvision is installed."""


def _flow(**options: Any) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, **options)


def _qwen_image(class_name: str) -> Any:
    import diffusers
    import torch

    tokenizer = parts.qwen_tokenizer()
    torch.manual_seed(0)
    transformer = diffusers.QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        axes_dims_rope=(8, 4, 4),
    ).eval()
    scheduler = _flow(
        base_shift=0.5, max_shift=0.9, max_image_seq_len=8192, shift_terminal=0.02, time_shift_type="exponential"
    )
    return getattr(diffusers, class_name)(
        scheduler=scheduler,
        vae=parts.qwen_vae(),
        text_encoder=parts.qwen25_vl(tokenizer),
        tokenizer=tokenizer,
        processor=parts.vl_processor(tokenizer),
        transformer=transformer,
    )


def _flux_kontext() -> Any:
    import torch
    from diffusers import FluxKontextPipeline, FluxTransformer2DModel

    clip_tokenizer, clip = parts.clip_text()
    t5_tokenizer, t5 = parts.t5_text()
    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=[4, 4, 8],
        guidance_embeds=True,
    ).eval()
    vae = parts.kl_vae(use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.0609, scaling_factor=1.5035)
    return FluxKontextPipeline(
        scheduler=_flow(),
        vae=vae,
        text_encoder=clip,
        tokenizer=clip_tokenizer,
        text_encoder_2=t5,
        tokenizer_2=t5_tokenizer,
        transformer=transformer,
    )


def _flux2_parts(guidance_embeds: bool) -> dict[str, Any]:
    import torch
    from diffusers import Flux2Transformer2DModel

    torch.manual_seed(0)
    transformer = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=48,
        timestep_guidance_channels=256,
        axes_dims_rope=[4, 4, 4, 4],
        guidance_embeds=guidance_embeds,
    ).eval()
    vae = parts.kl_vae(class_name="AutoencoderKLFlux2", use_quant_conv=False, use_post_quant_conv=False)
    return {"transformer": transformer, "scheduler": _flow(), "vae": vae}


def _flux2() -> Any:
    from diffusers import Flux2Pipeline

    tokenizer = parts.mistral3_tokenizer()
    encoder = parts.mistral3(tokenizer)
    return Flux2Pipeline(text_encoder=encoder, tokenizer=tokenizer, **_flux2_parts(guidance_embeds=True))


def _flux2_klein(is_distilled: bool = False) -> Any:
    from diffusers import Flux2KleinPipeline

    tokenizer = parts.qwen_tokenizer()
    encoder = parts.qwen3_text(tokenizer)
    common = _flux2_parts(guidance_embeds=False)
    return Flux2KleinPipeline(text_encoder=encoder, tokenizer=tokenizer, is_distilled=is_distilled, **common)


def _instruct_pix2pix() -> Any:
    import torch
    from diffusers import (
        EulerAncestralDiscreteScheduler,
        StableDiffusionInstructPix2PixPipeline,
        UNet2DConditionModel,
    )

    tokenizer, encoder = parts.clip_text()
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        in_channels=8,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        norm_num_groups=4,
        cross_attention_dim=32,
        attention_head_dim=4,
    ).eval()
    return StableDiffusionInstructPix2PixPipeline(
        vae=parts.kl_vae(),
        text_encoder=encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=EulerAncestralDiscreteScheduler(beta_schedule="scaled_linear"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _longcat() -> Any:
    import torch
    from diffusers import LongCatImageEditPipeline, LongCatImageTransformer2DModel

    tokenizer = parts.qwen_tokenizer()
    torch.manual_seed(0)
    transformer = LongCatImageTransformer2DModel(
        patch_size=1,
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        axes_dims_rope=[4, 4, 8],
    ).eval()
    vae = parts.kl_vae(16, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.1, scaling_factor=0.36)
    return LongCatImageEditPipeline(
        scheduler=_flow(),
        vae=vae,
        text_encoder=parts.qwen25_vl(tokenizer),
        tokenizer=tokenizer,
        text_processor=parts.vl_processor(tokenizer),
        transformer=transformer,
    )


def _qwen_image_2_1() -> Any:
    import torch
    from diffusers import QwenImage21Pipeline, QwenImage21Transformer2DModel

    tokenizer = parts.qwen_tokenizer()
    torch.manual_seed(0)
    transformer = QwenImage21Transformer2DModel(
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        context_in_dim=32,
        axes_dims_rope=(8, 4, 4),
    ).eval()
    return QwenImage21Pipeline(
        scheduler=_flow(),
        vae=parts.qwen21_vae(),
        text_encoder=parts.qwen3_vl(tokenizer),
        processor=parts.vl_processor(tokenizer, "Qwen3VLProcessor", 2048 * 2048),  # never shrinks: a token a tile
        transformer=transformer,
    )


def _enliven(pipeline: Any, denoiser: float = 1.5, text: float = 2.0, vae: float = 1.5) -> Any:
    """Scale the random weights up and clear the biases: as they come, the output hardly depends on prompt or image."""
    _scale(getattr(pipeline, "transformer", None) or pipeline.unet, denoiser)
    _scale(pipeline.vae, vae)
    for name in ("text_encoder", "text_encoder_2"):
        if getattr(pipeline, name, None) is not None:
            _scale(getattr(pipeline, name), text)
    return pipeline


def _scale(module: Any, gain: float) -> None:
    import torch

    with torch.no_grad():
        for name, weights in module.named_parameters():
            if weights.ndim >= 2:
                weights.mul_(gain)
            elif name.endswith("bias"):
                weights.zero_()


BUILDERS: dict[str, Callable[[], Any]] = {
    "qwen_image_edit": lambda: _enliven(_qwen_image("QwenImageEditPipeline"), text=6),
    "qwen_image_edit_plus": lambda: _enliven(_qwen_image("QwenImageEditPlusPipeline"), text=6),
    "flux_kontext": lambda: _enliven(_flux_kontext(), 2.5),
    "flux2": lambda: _enliven(_flux2(), 2.5),
    "flux2_klein": lambda: _enliven(_flux2_klein(), 2.5),
    "flux2_klein_distilled": lambda: _enliven(_flux2_klein(is_distilled=True), 2.5),
    "instruct_pix2pix": lambda: _enliven(_instruct_pix2pix()),
    "qwen_image_2_1": lambda: _enliven(_qwen_image_2_1(), 3.0, text=3),
    "longcat_image_edit": lambda: _enliven(_longcat(), 3.0),
}


def save(name: str, folder: Path) -> Path:
    """`folder`, with the tiny checkpoint `name` in it (0.5-1 MB)."""
    BUILDERS[name]().save_pretrained(folder)
    _add_video_processors(folder)
    if name == "flux2":
        _add_pixtral(folder)
    return folder


def _add_pixtral(folder: Path) -> None:
    """Make the tokenizer of the pipeline in `folder` the processor that FLUX.2 comes with."""
    (folder / "tokenizer" / "processor_config.json").write_text(json.dumps(PIXTRAL), "utf-8")
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    index["tokenizer"] = ["transformers", "PixtralProcessor"]
    (folder / "model_index.json").write_text(json.dumps(index), "utf-8")


def _add_video_processors(folder: Path) -> None:
    """Writes the file of a video processor beside every processor of the pipeline in `folder` that may want one."""
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    for name, entry in index.items():
        kind = VIDEO_PROCESSORS.get(entry[-1]) if isinstance(entry, list) else None
        if kind is not None:
            text = json.dumps({"video_processor_type": kind})
            (folder / name / "video_preprocessor_config.json").write_text(text, "utf-8")
