"""`emu_edit`: the Emu Edit test set, 3,589 edits for test and 2,022 for validation, in groups by task.

Reads the Parquet or Arrow files of facebook/emu_edit_test_set, or downloads them. The caption of the wanted result is
the sample's reference text, that of the source its description. There is no target.

Needs pyarrow (the extra `parquet`). Licence of the data: CC BY-NC 4.0: no commercial use. Cost: 1.9 GB of
download.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from editeval.benchmarks._published import BenchmarkCard, PublishedBenchmark, PublishedParams
from editeval.types import Sample

SPLITS: Mapping[str, int] = {"test": 3589, "validation": 2022}


@dataclass(frozen=True, slots=True)
class EmuEditParams(PublishedParams):
    """Parameters of `emu_edit`."""

    repo: str = "facebook/emu_edit_test_set"
    split: Literal["test", "validation"] = "test"


class EmuEdit(PublishedBenchmark):
    """One split of the Emu Edit test set."""

    Params = EmuEditParams
    fields: ClassVar[Mapping[str, str]] = {
        "image": "image",
        "instruction": "instruction",
        "category": "task",
        "reference_text": "output_caption",
        "description": "input_caption",
        "subset": "split",
    }
    id_template = "{split}/{task}/{idx}"  # none of the three is unique alone
    card = BenchmarkCard(
        title="Emu Edit test set",
        size="test: 3,589 samples; validation: 2,022",
        homepage="https://emu-edit.metademolab.com",
        hub="facebook/emu_edit_test_set",
        licence="CC BY-NC 4.0 (data)",
        citation="Sheynin et al., Emu Edit: Precise Image Editing via Recognition and Generation Tasks, "
        "arXiv:2311.10089, 2023",
        protocol="",
        counts=SPLITS,
        layouts=("{split}/{task}/{idx}.png", "{idx}.png"),
    )

    def adapted(self, group: str, sample: Sample) -> Sample | None:
        del group
        return replace(sample, language="en", subset="") if sample.subset == self.params.split else None

    def expected(self) -> Mapping[str, int]:
        return {"all": SPLITS[self.params.split]}  # the authors print none by task
