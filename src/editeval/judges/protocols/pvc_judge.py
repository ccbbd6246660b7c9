"""Protocol `pvc_judge`: which of two edits leaves more as it was, as GEditBench v2 asks PVC-Judge, its own model.

visual_consistency   source, image A, image B   1 where this run's edit wins, 0 where the other one does, 0.5 for a tie

The question is that of `gedit_v2`. The judge is Qwen3-VL-8B-Instruct with an adapter. Each image is brought to between
256 and 1280 times 32 x 32 pixels, with sides that are multiples of 28, since the authors' loader counts in patches of
14; the checkpoint then scales them to multiples of 32. At most 1024 tokens are drawn at temperature 0.7, top_p 0.9,
top_k 20, with seed 42, as in their published run.

Deviations: both orders are asked, and two that do not agree are a tie; the authors ask one, as `match_published:
single_order` does. They ask again, up to three times, until they can read a winner. Here such a reply is unscored; with
`num_samples: 3` three are drawn with their seeds, and a verdict needs two that can be read. arXiv 2603.28547.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from editeval.judges.protocols._pairs import PairwiseProtocol, scales_of, seen_winner_in
from editeval.judges.protocols.gedit_v2 import GEditV2Protocol, words_of
from editeval.judges.protocols.protocol import OfficialSettings, Preparation
from editeval.types import OfficialMean

_BASE, _ADAPTER = "Qwen/Qwen3-VL-8B-Instruct", "GEditBench-v2/PVC-Judge"


class PvcJudgeProtocol(GEditV2Protocol):
    """One verdict on two edits, in both orders."""

    dimensions = ("visual_consistency",)
    version = 2  # who says that image A or B was not shown has no verdict
    grammars = {"winner": seen_winner_in}  # noqa: RUF012
    metrics = dimensions
    scales = scales_of(metrics)
    own_words: ClassVar[Mapping[str, str]] = {
        name: text for name, text in GEditV2Protocol.own_words.items() if name.startswith("visual_consistency.")
    }
    prompt_source = words_of(*dimensions)
    shown = Preparation(multiple=28, min_pixels=256 * 32 * 32, max_pixels=1280 * 32 * 32, is_limited=False)
    settings = OfficialSettings(
        judges=(f"{_BASE} + {_ADAPTER}", _ADAPTER, "PVC-Judge"),  # the last: as the authors serve it
        temperature=0.7,
        max_new_tokens=1024,
        top_p=0.9,
        top_k=20,
        seed=42,
    )
    official = (OfficialMean("win rate", metrics, "samples"),)

    @property
    def departs(self) -> tuple[str, ...]:
        return tuple(one for one in super().departs if not one.startswith("judge of "))

    def agreed(self, orders: Sequence[float]) -> float:
        return PairwiseProtocol.agreed(self, orders)


PROTOCOL = PvcJudgeProtocol
