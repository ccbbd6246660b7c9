"""One forward pass for a batch of edits against one by one, of the judge `editreward`: `python bench/rewards.py`.

Tiny models of the real classes with random weights, on one thread of the CPU, so that the seconds mean little and the
ratios show what a pass costs by itself. CPU seconds, median of 5 rounds in turn, pictures made beforehand. Limit: 2.0
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from editeval.judges.editreward import EditRewardJudge, EditRewardParams
from editeval.judges.local.reward_model import outputs_of

ROOT = Path(__file__).resolve().parent.parent
NUM_EDITS, ROUNDS, LIMIT = 16, 5, 2.0


def measured(family: str, folder: Path) -> tuple[float, float, float]:
    """CPU seconds of a pass per prompt, a pass per edit and one pass, over the same edits."""
    import tiny_judges
    import tiny_rewards

    base = tiny_rewards.base(family, folder / "base")
    weights = tiny_rewards.save(folder / "weights", tiny_rewards.weights(base))
    judge = EditRewardJudge(EditRewardParams(str(weights), base_model=str(base), dtype="float32", pixels=64 * 64))
    judge.load(["cpu"])
    model = judge._model
    assert model is not None
    rng = np.random.default_rng(0)
    edits = [judge._encoded(tiny_judges.request(f"edit {i}", i % 10, rng)) for i in range(NUM_EDITS)]

    def by_prompt() -> None:
        for edit in edits:
            for head, prompt in enumerate(edit.prompts):
                outputs_of(model, model._padded([replace(edit, prompts=(prompt,))]), [head])

    ways: list[Callable[[], object]] = [
        by_prompt,
        lambda: [model.within_memory([edit]) for edit in edits],
        lambda: model.within_memory(edits),
    ]
    ways[2]()
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(ROUNDS):
        for way, taken in zip(ways, seconds, strict=True):
            start = time.process_time()
            way()
            taken.append(time.process_time() - start)
    judge.unload()
    one, two, three = map(statistics.median, seconds)
    return one, two, three


def main() -> None:
    sys.path.append(str(ROOT / "tests" / "models"))
    torch.set_num_threads(1)
    print(f"| {NUM_EDITS} edits on | a pass per prompt | a pass per edit | one pass | ratios |\n|---|---|---|---|---|")
    worst = 99.0
    for family in ("qwen2_5_vl", "qwen3_vl"):
        with tempfile.TemporaryDirectory() as folder:
            prompts, edits, whole = measured(family, Path(folder))
        worst = min(worst, edits / whole)
        ratios = f"{prompts / whole:.1f}, {edits / whole:.1f}"
        print(f"| {family} | {prompts:.3f} s | {edits:.3f} s | {whole:.3f} s | {ratios} |")
    print(f"\n{'reached' if worst >= LIMIT else 'MISSED'}: one pass at least {LIMIT:g} times as fast as one by one")
    sys.exit(worst < LIMIT)


if __name__ == "__main__":
    main()
