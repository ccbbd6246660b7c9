"""Real Qwen-VL checkpoints of less than a megabyte, built offline in seconds: untrained, digit-loving, or trained.

The trained judge answers every prompt it was taught with one number, 0-9: the hue of the edited picture in tenths of
the colour circle. It is trained through the very code that asks it, so it knows the prompts as they are put to it.
"""

from __future__ import annotations

import colorsys
import inspect
import io
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

from editeval.judges.chat.runner import ProtocolRunner
from editeval.judges.local.generate import EncodedPrompt, LocalModel, collate
from editeval.judges.local.pretrained import PretrainedModel
from editeval.judges.parsing.reply import LABELS
from editeval.judges.transformers_vlm import TransformersVlmParams
from editeval.types import JudgeRequest

CONTROL = ("<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
TEXT = (
    "system user assistant Original picture: Edited picture: Instruction: What was asked for: The original shows: "
    "Answer with a single number from 0 to 10 and nothing else. Score: 0 1 2 3 4 5 6 7 8 9 make the sky red remove dog"
)
TEMPLATE = (
    "{%- for message in messages -%}<|im_start|>{{ message.role }}\n{% for part in message.content -%}"
    "{%- if part.type == 'image' -%}<|vision_start|><|image_pad|><|vision_end|>{%- else -%}{{ part.text }}{%- endif -%}"
    "{%- endfor -%}<|im_end|>\n{% endfor -%}{%- if add_generation_prompt -%}<|im_start|>assistant\n{% endif -%}"
)
MIN_PIXELS, MAX_PIXELS = 64 * 64, 128 * 128


def tokenizer(texts: Iterable[str] = (), vocab_size: int = 600) -> Any:
    """A byte-level tokenizer of the family, taught on TEXT and `texts`; every digit is a token of its own."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{N}|[^\r\n\p{L}\p{N}]?\p{L}+|[^\s\p{L}\p{N}]+|\s+"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
    learner.train_from_iterator([TEXT, *texts] * 3, trainer)
    learned = json.loads(learner.to_str())["model"]
    made = transformers.Qwen2Tokenizer(
        vocab=learned["vocab"],
        merges=[tuple(merge) for merge in learned["merges"]],
        padding_side="left",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    made.add_special_tokens({"additional_special_tokens": list(CONTROL)})
    made.chat_template = TEMPLATE
    return made


def _text_config(tok: Any, hidden: int, head_dim: int) -> dict[str, Any]:
    sections = [head_dim // 2 - 2 * (head_dim // 2 * 3 // 8), head_dim // 2 * 3 // 8, head_dim // 2 * 3 // 8]
    return {
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "vocab_size": -(-len(tok) // 64) * 64,
        "max_position_embeddings": 4096,
        "eos_token_id": tok.eos_token_id,
        "pad_token_id": tok.pad_token_id,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": sections},
    }


def _ids(tok: Any) -> dict[str, int]:
    names = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
    names |= {"vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>"}
    return {name: tok.convert_tokens_to_ids(token) for name, token in names.items()}


def qwen3_vl(tok: Any, hidden: int = 32) -> tuple[Any, Any]:
    """(model, processor) of a Qwen3-VL with random weights."""
    text = _text_config(tok, hidden, 32) | {"head_dim": 32}
    text["rope_parameters"]["mrope_interleaved"] = True
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": hidden}
    vision |= {"patch_size": 16, "num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1]}
    torch.manual_seed(0)
    config = transformers.Qwen3VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=False, **_ids(tok))
    model = transformers.Qwen3VLForConditionalGeneration(config).eval()
    mean = [0.5] * 3
    size = {"shortest_edge": MIN_PIXELS, "longest_edge": MAX_PIXELS}
    images = _pillow_processor()(size=size, patch_size=16, image_mean=mean, image_std=mean)
    return _published(model, tok), images_only("Qwen3VLProcessor")(images, tok, chat_template=TEMPLATE)


def qwen25_vl(tok: Any, hidden: int = 32) -> tuple[Any, Any]:
    """(model, processor) of a Qwen2.5-VL with random weights."""
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": hidden}
    vision |= {"patch_size": 14, "fullatt_block_indexes": [1]}
    torch.manual_seed(0)
    config = transformers.Qwen2_5_VLConfig(
        text_config=_text_config(tok, hidden, hidden // 2), vision_config=vision, tie_word_embeddings=False, **_ids(tok)
    )
    model = transformers.Qwen2_5_VLForConditionalGeneration(config).eval()
    size = {"shortest_edge": 56 * 56, "longest_edge": 112 * 112}
    images = _pillow_processor()(size=size)
    return _published(model, tok), images_only("Qwen2_5_VLProcessor")(images, tok, chat_template=TEMPLATE)


def _pillow_processor() -> Any:
    """The image processor on Pillow, under the name this version of transformers has for it."""
    return getattr(transformers, "Qwen2VLImageProcessorPil", None) or transformers.Qwen2VLImageProcessor


def typed_id(model: Any) -> int | None:
    """The image token, if this version of transformers wants it marked."""
    wants = "mm_token_type_ids" in inspect.signature(model.forward).parameters
    return int(model.config.image_token_id) if wants else None


def images_only(name: str) -> Any:
    """The processor class of that name less its video processor, which would need torchvision."""
    attributes = classmethod(lambda _: ["image_processor", "tokenizer"])
    cls = getattr(transformers, name)
    return type(name, (cls,), {"get_attributes": attributes, "__module__": cls.__module__})


def _published(model: Any, tok: Any) -> Any:
    """With the sampling settings and the penalty that the published checkpoints ship, so that ignoring them shows."""
    model.generation_config.update(
        do_sample=True,
        temperature=0.7,
        top_p=0.8,
        top_k=20,
        repetition_penalty=1.05,
        eos_token_id=[tok.eos_token_id, tok.pad_token_id],
        pad_token_id=tok.pad_token_id,
    )
    return model


def save(folder: Path, model: Any, processor: Any) -> Path:
    """The folder, now a snapshot that `from_pretrained` reads."""
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    kind = "Qwen3VLVideoProcessor" if model.config.model_type == "qwen3_vl" else "Qwen2VLVideoProcessor"
    video = json.dumps({"video_processor_type": kind})  # where torchvision is, the processor wants one to exist
    (folder / "video_preprocessor_config.json").write_text(video, "utf-8")
    return folder


IMAGES_ONLY = """from transformers import Qwen3VLProcessor


class ImagesOnly(Qwen3VLProcessor):
    @classmethod
    def get_attributes(cls):
        return ["image_processor", "tokenizer"]
"""


def for_servers(folder: Path, copy: Path) -> Path:
    """A copy of a snapshot that a server opens without torchvision: its processor has no videos, by code beside it."""
    shutil.copytree(folder, copy)
    (copy / "processing_images.py").write_text(IMAGES_ONLY, "utf-8")
    path = copy / "processor_config.json"
    config = json.loads(path.read_text("utf-8"))
    config |= {"processor_class": "ImagesOnly", "auto_map": {"AutoProcessor": "processing_images.ImagesOnly"}}
    path.write_text(json.dumps(config), "utf-8")
    return copy


def checkpoint(model: Any, processor: Any) -> PretrainedModel:
    """The model and its processor as the judge holds them, on the CPU."""
    tok = processor.tokenizer
    ends, labels = frozenset({tok.eos_token_id}), tuple(tok.convert_tokens_to_ids(list(LABELS)))
    return PretrainedModel(
        model, tok, processor.image_processor, "cpu", 4096, ends, labels, tok.pad_token_id, typed_id(model)
    )


class Asker:
    """Prompts as the judge puts them."""

    def __init__(self, loaded: PretrainedModel, protocol: str, **params: Any) -> None:
        self.model = LocalModel(loaded)
        self._runner = ProtocolRunner("tiny", TransformersVlmParams(protocol=protocol, **params), self.model)

    def prompts(self, request: JudgeRequest) -> list[EncodedPrompt]:
        """One for each question of the protocol."""
        return [prompt for _, _, prompt in self._runner.plan(request).asked]

    def close(self) -> None:
        self._runner.close()


def favour_digits(model: Any, processor: Any, prompts: Sequence[EncodedPrompt], by: float = 12.0) -> None:
    """Lifts the logits of 0-9 at the end of such prompts by about `by`, and that of the end behind such a digit."""
    tok = processor.tokenizer
    digits = [tok.convert_tokens_to_ids(digit) for digit in "0123456789"]
    answered = [replace(prompt, token_ids=[*prompt.token_ids, digit]) for prompt in prompts for digit in digits]
    hidden, after = (_last_hidden(checkpoint(model, processor), asked) for asked in (prompts, answered))
    after -= (after @ hidden / hidden.square().sum()) * hidden  # so that the first token stays as it is
    with torch.no_grad():
        for digit in digits:
            model.lm_head.weight[digit] += by * hidden / hidden.square().sum()
        model.lm_head.weight[tok.eos_token_id] += 3 * by * after / after.square().sum()


def _last_hidden(loaded: PretrainedModel, prompts: Sequence[EncodedPrompt]) -> torch.Tensor:
    with torch.no_grad():
        inputs = collate(prompts, loaded)
        hidden: torch.Tensor = loaded.model(**inputs, output_hidden_states=True).hidden_states[-1][:, -1].mean(dim=0)
    return hidden


def picture(hue: int, rng: np.random.Generator, size: tuple[int, int] = (64, 64)) -> bytes:
    """PNG of one colour with some noise; its hue is `hue` tenths of the circle."""
    colour = 255 * np.array(colorsys.hsv_to_rgb(hue / 10, 1, 1))
    pixels = np.clip(colour + rng.normal(0, 6, (size[1], size[0], 3)), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def request(key: str, hue: int, rng: np.random.Generator, prompt: tuple[str, str] | None = None) -> JudgeRequest:
    """A request whose edited picture has the hue `hue` and whose source has any."""
    words = ["make", "it", "red", "dog", "remove", "sky", "hat", "the"]
    instruction = " ".join(rng.choice(words, int(rng.integers(2, 7))))
    if prompt is not None:
        prompt = (prompt[0], prompt[1].replace("{edit_instruction}", instruction))
    source = picture(int(rng.integers(0, 10)), rng)
    return JudgeRequest(
        key, (source,), picture(hue, rng), instruction, prompt=prompt, metadata={"category": "physical"}
    )


def train(model: Any, processor: Any, protocol: str, prompt: tuple[str, str], steps: int = 220) -> float:
    """Teaches the hue of the edited picture as the reply; returns the last loss. About 20 CPU seconds."""
    tok, loaded = processor.tokenizer, checkpoint(model, processor)
    rng = np.random.default_rng(0)
    asker = Asker(loaded, protocol)
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 8e-3, total_steps=steps)
    model.train()
    loss = torch.tensor(0.0)
    for _ in range(steps):
        hues = rng.integers(0, 10, 16).tolist()
        prompts = [asker.prompts(request("k", hue, rng, prompt))[0] for hue in hues]
        loss = _loss(loaded, prompts, [f"{hue}{tok.eos_token}" for hue in hues])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
    model.eval()
    asker.close()
    return float(loss.detach())


def _loss(loaded: PretrainedModel, prompts: Sequence[EncodedPrompt], replies: Sequence[str]) -> torch.Tensor:
    """Cross-entropy of the replies, all of one length, behind the prompts."""
    answers = [loaded.tokenizer(reply)["input_ids"] for reply in replies]
    taught = [replace(p, token_ids=p.token_ids + ids) for p, ids in zip(prompts, answers, strict=True)]
    inputs = collate(taught, loaded)
    labels = torch.full_like(inputs["input_ids"], -100)
    length = len(answers[0])
    labels[:, -length:] = inputs["input_ids"][:, -length:]
    result: torch.Tensor = loaded.model(**inputs, labels=labels).loss
    return result
