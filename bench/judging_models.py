"""Judges for the bench: the true architectures with random weights drawn on the device, and pictures to judge.

Nothing is fetched and nothing takes disk. The tokenizer is built on the spot from the protocol's own questions, so that
a prompt has about as many tokens as with the published one; the table says how many.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench_fakes import photo_like
from editeval.judges.local.pretrained import PretrainedModel
from editeval.judges.parsing.reply import LABELS
from editeval.judges.protocols import protocol as protocols
from editeval.types import JudgeRequest

REPEATS = 3
ROOT = Path(__file__).parents[1]
SEED = 20261125
VISION = {
    "depth": 27,
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_heads": 16,
    "patch_size": 16,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "num_position_embeddings": 2304,
    "deepstack_visual_indexes": [8, 16, 24],
}
TEXT = {
    "vocab_size": 151936,
    "max_position_embeddings": 262144,
    "head_dim": 128,
    "num_attention_heads": 32,
    "rms_norm_eps": 1e-6,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 5e6,
        "mrope_section": [24, 20, 20],
        "mrope_interleaved": True,
    },
}
DENSE = {"hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36, "num_key_value_heads": 8}
EXPERTS = {
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "num_hidden_layers": 48,
    "num_key_value_heads": 4,
    "moe_intermediate_size": 768,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "norm_topk_prob": True,
}
MODELS: Mapping[str, str] = {
    "tiny": "Qwen3-VL, tiny",
    "8b": "Qwen3-VL 8B",
    "30b-a3b": "Qwen3-VL 30B-A3B",
}
INSTRUCTION = "Make the lamp on the table blue and add a small red car to the left of it."


def timed(work: Callable[[], Any]) -> float:
    """Seconds of `work`: median of REPEATS after one that is not counted."""
    work()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def tiny_judges() -> Any:
    """The test suite's builder of tiny judges."""
    sys.path.append(str(ROOT / "tests" / "models"))
    import tiny_judges

    return tiny_judges


def tokenizer() -> Any:
    """One that knows the words of the questions."""
    texts = [
        f"{q.system} {q.text}"
        for name in protocols.PROTOCOLS
        for q in protocols.example_questions(protocols.load(name))
    ]
    return tiny_judges().tokenizer([*texts, INSTRUCTION], vocab_size=4000)


def config(name: str, tok: Any) -> Any:
    """The true configuration of a full-size model, with the ids of our tokenizer."""
    import transformers

    ids = tiny_judges()._ids(tok)
    text = {**TEXT, **(DENSE if name == "8b" else EXPERTS)}
    vision = {**VISION, "out_hidden_size": text["hidden_size"]}
    cls = transformers.Qwen3VLConfig if name == "8b" else transformers.Qwen3VLMoeConfig
    return cls(text_config=text, vision_config=vision, tie_word_embeddings=False, **ids)


def model_and_processor(name: str, device: str) -> tuple[Any, Any, Any]:
    """(model, tokenizer, image processor): tiny in float32, full size in bfloat16."""
    import torch
    import transformers

    tok = tokenizer()
    torch.manual_seed(SEED)
    if name == "tiny":
        model, processor = tiny_judges().qwen3_vl(tok)
        return model.to(device), tok, processor.image_processor
    with torch.device(device):
        model = transformers.AutoModelForImageTextToText.from_config(config(name, tok), dtype=torch.bfloat16)
    return model.eval(), tok, image_processor()


def image_processor() -> Any:
    """That of the published checkpoints: a megapixel is 32 x 32 tokens."""
    mean = [0.5] * 3
    size = {"shortest_edge": 65536, "longest_edge": 16777216}
    return tiny_judges()._pillow_processor()(size=size, patch_size=16, image_mean=mean, image_std=mean)


def checkpoint(name: str, device: str) -> PretrainedModel:
    """As the judge loads one, except that no token ends a reply: every written one has exactly its limit."""
    import transformers

    model, tok, images = model_and_processor(name, device)
    pad = int(tok.pad_token_id)
    model.generation_config = transformers.GenerationConfig(do_sample=False, eos_token_id=None, pad_token_id=pad)
    labels = tuple(tok.convert_tokens_to_ids(label) for label in LABELS)
    typed = tiny_judges().typed_id(model)
    return PretrainedModel(model, tok, images, device, 32768, frozenset(), labels, pad, typed)


def snapshot(name: str, folder: Path) -> Path:
    """A folder that vLLM opens with `load_format: dummy`: everything but the weights."""
    tok = tokenizer()
    judges = tiny_judges()
    if name == "tiny":
        model, processor = judges.qwen3_vl(tok, hidden=64)
        made = model.config
    else:
        made = config(name, tok)
        processor = judges.images_only("Qwen3VLProcessor")(image_processor(), tok, chat_template=judges.TEMPLATE)
    kind = "Qwen3VLMoeForConditionalGeneration" if "moe" in made.model_type else "Qwen3VLForConditionalGeneration"
    made.architectures = [kind]
    made.save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / "video_preprocessor_config.json").write_text('{"video_processor_type": "Qwen3VLVideoProcessor"}', "utf-8")
    return folder


def requests(num: int, side: int) -> list[JudgeRequest]:
    """Edits to judge: pictures of `side` pixels, no two requests with the same ones."""
    return [
        JudgeRequest(f"s{i}", (photo_like(side, seed=2 * i),), photo_like(side, seed=2 * i + 1), INSTRUCTION)
        for i in range(num)
    ]
