"""Tiny tokenizers, encoders and autoencoders with random weights, made on the spot: nothing is fetched.

Every class is the real one of transformers or diffusers; only the widths and depths are small.
"""

from __future__ import annotations

import json
from typing import Any

PROMPT_TEXT = [
    "system\nDescribe the key features of the input image (color, shape, size, texture, objects, background), then "
    "explain how the user's text instruction should alter or modify the image. Generate a new image that meets the "
    "user's requirements while maintaining consistency with the original input where appropriate.",
    "user\nassistant\nPicture 1: Comprehend and analyze the provided prompt.",
]
"""What the Qwen pipelines wrap a prompt in. They drop the first 64 tokens: the tokenizer must know these words."""

VISION_TOKENS = ["<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
)


def qwen_tokenizer() -> Any:
    """A Qwen2Tokenizer: byte-level BPE of 512 pieces, then Qwen's special tokens."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
    from transformers import Qwen2Tokenizer
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    trained = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trained.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=512, initial_alphabet=alphabet, show_progress=False)
    trained.train_from_iterator(PROMPT_TEXT * 4, trainer)
    model = json.loads(trained.to_str())["model"]
    tokenizer = Qwen2Tokenizer(
        vocab=model["vocab"],
        merges=[tuple(merge) for merge in model["merges"]],
        padding_side="left",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token="<|endoftext|>",
    )
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *VISION_TOKENS]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def vl_processor(tokenizer: Any, class_name: str = "Qwen2VLProcessor", max_pixels: int = 112 * 112) -> Any:
    """A processor of that class that knows images and no videos (those would need torchvision)."""
    import transformers

    cls = getattr(transformers, class_name)
    attributes = classmethod(lambda _: ["image_processor", "tokenizer"])
    image_only = type(class_name, (cls,), {"get_attributes": attributes, "__module__": cls.__module__})
    kind = getattr(transformers, "Qwen2VLImageProcessorPil", None) or transformers.Qwen2VLImageProcessor
    options = {"patch_size": 16} if class_name.startswith("Qwen3") else {}
    images = kind(size={"shortest_edge": 56 * 56, "longest_edge": max_pixels}, **options)
    return image_only(images, tokenizer, chat_template=CHAT_TEMPLATE)


def qwen25_vl(tokenizer: Any, hidden: int = 32) -> Any:
    """A Qwen2.5-VL of two layers whose rotary positions are three-dimensional."""
    import torch
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    token = tokenizer.convert_tokens_to_ids
    text = {
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "vocab_size": _rounded(len(tokenizer)),
        "max_position_embeddings": 32768,
        "bos_token_id": None,
        "eos_token_id": token("<|im_end|>"),
        "pad_token_id": token("<|endoftext|>"),
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [2, 3, 3]},
    }
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": hidden,
        "patch_size": 14,
        "fullatt_block_indexes": [1],
    }
    torch.manual_seed(0)
    config = Qwen2_5_VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=False, **_vision_ids(token))
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def _vision_ids(token: Any) -> dict[str, int]:
    return {
        "image_token_id": token("<|image_pad|>"),
        "video_token_id": token("<|video_pad|>"),
        "vision_start_token_id": token("<|vision_start|>"),
        "vision_end_token_id": token("<|vision_end|>"),
    }


def _rounded(length: int) -> int:
    return -(-length // 64) * 64


def qwen_vae(num_halvings: int = 4) -> Any:
    """Qwen's autoencoder with 16x instead of 8x smaller latents: a megapixel is then 32 x 32 tokens."""
    import torch
    from diffusers import AutoencoderKLQwenImage

    torch.manual_seed(0)
    return AutoencoderKLQwenImage(
        base_dim=4,
        z_dim=4,
        dim_mult=[1] * (num_halvings + 1),
        num_res_blocks=0,
        temperal_downsample=[False] + [True] * (num_halvings - 1),
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    ).eval()


def kl_vae(latent_channels: int = 4, class_name: str = "AutoencoderKL", **options: Any) -> Any:
    """An autoencoder with 8x smaller latents."""
    import diffusers
    import torch

    torch.manual_seed(0)
    cls = getattr(diffusers, class_name)
    return cls(
        in_channels=3,
        out_channels=3,
        block_out_channels=(4,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=latent_channels,
        norm_num_groups=1,
        mid_block_add_attention=False,
        **options,
    ).eval()


def clip_text() -> tuple[Any, Any]:
    """(tokenizer, encoder): CLIP over single bytes."""
    import torch
    from tokenizers import pre_tokenizers
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    units = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*units, *(unit + "</w>" for unit in units), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={p: i for i, p in enumerate(pieces)}, merges=[], model_max_length=77)
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        projection_dim=32,
        max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(0)
    return tokenizer, CLIPTextModel(config).eval()


def t5_text() -> tuple[Any, Any]:
    """(tokenizer, encoder): T5 over single characters."""
    import string

    import torch
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    letters = [(c, -3.0) for c in string.printable if not c.isspace()]
    vocab = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *letters]
    tokenizer = T5Tokenizer(vocab=vocab, extra_ids=0, model_max_length=512)
    config = T5Config(
        vocab_size=128,
        d_model=32,
        d_kv=8,
        d_ff=37,
        num_layers=2,
        num_heads=4,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )
    torch.manual_seed(0)
    return tokenizer, T5EncoderModel(config).eval()


def qwen3_text(tokenizer: Any) -> Any:
    """A Qwen3 of 28 very small layers: FLUX.2 klein reads the states after 9, 18 and 27."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=28,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        vocab_size=_rounded(len(tokenizer)),
        max_position_embeddings=2048,
    )
    torch.manual_seed(0)
    return Qwen3ForCausalLM(config).eval()


def mistral3_tokenizer() -> Any:
    """The text half of a PixtralProcessor: byte-level BPE without merges, and a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    brackets = ["[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[IMG]", "[IMG_BREAK]", "[IMG_END]"]
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    special = ["<unk>", "<s>", "</s>", "<pad>", *brackets]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    trained.train_from_iterator(PROMPT_TEXT, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=trained,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        padding_side="left",
    )
    template = (
        "{{ bos_token }}{% for message in messages %}{% set is_system = message.role == 'system' %}"
        "{{ '[SYSTEM_PROMPT]' if is_system else '[INST]' }}"
        "{% for part in message.content %}{{ part.text if part.type == 'text' else '[IMG]' }}{% endfor %}"
        "{{ '[/SYSTEM_PROMPT]' if is_system else '[/INST]' }}{% endfor %}"
    )
    tokenizer.chat_template = template
    return tokenizer


def mistral3(tokenizer: Any) -> Any:
    """A Mistral 3 of 31 very small layers: FLUX.2 reads the states after 10, 20 and 30."""
    import torch
    from transformers import Mistral3Config, Mistral3ForConditionalGeneration

    text = {
        "model_type": "mistral",
        "vocab_size": 448,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "num_hidden_layers": 31,
        "max_position_embeddings": 2048,
        "sliding_window": None,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 3,
    }
    vision = {
        "model_type": "pixtral",
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "head_dim": 8,
        "intermediate_size": 16,
        "image_size": 112,
        "patch_size": 14,
        "num_channels": 3,
    }
    torch.manual_seed(0)
    config = Mistral3Config(
        text_config=text,
        vision_config=vision,
        image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
        vision_feature_layer=-1,
        spatial_merge_size=2,
    )
    return Mistral3ForConditionalGeneration(config).eval()


def qwen3_vl(tokenizer: Any, hidden: int = 32) -> Any:
    """A Qwen3-VL of two layers."""
    import torch
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    token = tokenizer.convert_tokens_to_ids
    rope = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [4, 2, 2], "mrope_interleaved": True}
    text = {
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "vocab_size": _rounded(len(tokenizer)),
        "max_position_embeddings": 32768,
        "eos_token_id": token("<|im_end|>"),
        "pad_token_id": token("<|endoftext|>"),
        "rope_parameters": rope,
    }
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_heads": 2,
        "out_hidden_size": hidden,
        "patch_size": 16,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0, 1],
    }
    torch.manual_seed(0)
    config = Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=True, **_vision_ids(token))
    return Qwen3VLForConditionalGeneration(config).eval()


def qwen21_vae() -> Any:
    """The autoencoder of Qwen-Image-2.1: 16x smaller latents of four channels, pictures with transparency."""
    import torch
    from diffusers import AutoencoderKLQwenImage21

    torch.manual_seed(0)
    return AutoencoderKLQwenImage21(
        base_dim=4,
        decoder_base_dim=4,
        z_dim=4,
        dim_mult=[1] * 5,
        num_res_blocks=1,
        temperal_downsample=[False, True, True, True],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    ).eval()
