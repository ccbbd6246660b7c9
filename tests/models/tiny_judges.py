"""Real Qwen-VL checkpoints of less than a megabyte, built offline in seconds: untrained, digit-loving, or trained.

The trained judge answers every prompt it was taught with one number, 0-9: the hue of the last image, in tenths of the
colour circle. It is trained through the very code that asks it, so it knows the prompts as they are put to it.
"""

from __future__ import annotations

import colorsys
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers, trainers

from editeval.judges.protocols.protocol import Protocol
from editeval.judges.vlm.prompts import Preparer, Prompt, collate
from editeval.types import JudgeRequest

CONTROL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
TEXT = (
    "system user assistant Original picture: Edited picture: Instruction: What was asked for: The original shows: "
    "Answer with a single number from 0 to 10 and nothing else. Score: 0 1 2 3 4 5 6 7 8 9 make the sky red remove dog"
)
TEMPLATE = (
    "{%- for message in messages -%}<|im_start|>{{ message.role }}\n{% for part in message.content -%}"
    "{%- if part.type == 'image' -%}<|vision_start|><|image_pad|><|vision_end|>{%- else -%}{{ part.text }}{%- endif -%}"
    "{%- endfor -%}<|im_end|>\n{% endfor -%}{%- if add_generation_prompt -%}<|im_start|>assistant\n{% endif -%}"
)
DIGIT_SPLIT = r"\p{N}| ?[^\s\p{L}\p{N}]+| ?\p{L}+|\s+"


def tokenizer(texts: Iterable[str] = (), vocab_size: int = 600) -> Any:
    """A byte-level tokenizer of the family, taught on TEXT and `texts`; every digit is a token of its own."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(DIGIT_SPLIT), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
    learner.train_from_iterator([TEXT, *texts] * 3, trainer)
    learned = learner.model
    folder_files = {}
    with_folder = _saved(learned)
    folder_files.update(with_folder)
    made = transformers.Qwen2Tokenizer(
        vocab=folder_files["vocab"], merges=folder_files["merges"], padding_side="left",
        eos_token="<|im_end|>", pad_token="<|endoftext|>", unk_token="<|endoftext|>",
    )  # fmt: skip
    made.add_special_tokens({"additional_special_tokens": [AddedToken(t, special=True, normalized=False) for t in CONTROL]})
    made.chat_template = TEMPLATE
    return made
