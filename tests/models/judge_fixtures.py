"""The tiny judges that the tests share, each built once; the trained one is kept in the temporary folder."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from editeval.judges.local import generate as asking
from editeval.judges.protocols import protocol as protocols
from editeval.judges.transformers_vlm import TransformersVlmJudge, TransformersVlmParams

PROMPT = (
    "You grade edits.",
    "Instruction: {edit_instruction}\nAnswer with a single number from 0 to 10.",
)
"""What the trained judge was taught to answer."""


def build(family: str, folder: Path, *, love_digits: str = "") -> Path:
    """An untrained checkpoint; with `love_digits` it answers the questions of that protocol with digits."""
    import tiny_judges

    tok = tiny_judges.tokenizer(PROMPT)
    model, processor = {"qwen3_vl": tiny_judges.qwen3_vl, "qwen2_5_vl": tiny_judges.qwen25_vl}[family](tok)
    if love_digits:
        asker = tiny_judges.Asker(tiny_judges.checkpoint(model, processor), love_digits)
        rng = np.random.default_rng(1)
        asked = [p for hue in range(4) for p in asker.prompts(tiny_judges.request("k", hue, rng, PROMPT))]
        asker.close()
        tiny_judges.favour_digits(model, processor, asked)
    return tiny_judges.save(folder, model, processor)


def trained() -> Path:
    """A Qwen3-VL that answers PROMPT with the hue of the edited picture. Takes 25 s the first time, then nothing."""
    import tiny_judges
    import transformers

    made_by = "".join(Path(module.__file__ or "").read_text() for module in (tiny_judges, asking, protocols))
    key = hashlib.sha256(f"{made_by}{PROMPT}{transformers.__version__}".encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"editeval-tiny-judge-{os.getuid()}-{key}"
    if folder.exists():
        return folder
    model, processor = tiny_judges.qwen3_vl(tiny_judges.tokenizer(PROMPT))
    tiny_judges.train(model, processor, "rubric", PROMPT)
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=folder.name))
    tiny_judges.save(partial, model, processor)
    try:
        partial.rename(folder)
    except OSError:  # another session was faster
        return partial
    return folder


def local_model(judge: TransformersVlmJudge) -> asking.LocalModel:
    """What answers inside a loaded judge."""
    assert judge.runner is not None and isinstance(judge.runner.backend, asking.LocalModel)
    return judge.runner.backend


def loaded(folder: Path, **params: Any) -> TransformersVlmJudge:
    """The judge on that checkpoint, in float32 on the CPU."""
    given = {"model_name": str(folder), "dtype": "float32", "max_new_tokens": 8, "protocol": "rubric"} | params
    judge = TransformersVlmJudge(TransformersVlmParams(**given))
    judge.load(["cpu"])
    return judge
