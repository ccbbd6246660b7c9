"""`imgedit`: ImgEdit-Bench: Basic (737 edits of nine types), UGE (47 hard ones) and multi-turn (three kinds of chains).

`suite` says which. `path` is the folder `Benchmark` or Benchmark.tar of sysuyy/ImgEdit, or one of the authors' JSON
files; where its images are elsewhere, `images` names their folder. The tar file has no list of the UGE edits:
UGE_edit.json is in the authors' repository.

Licence of the data: MIT (as the Hub says; the repository has no licence). Cost: 48 MB of download.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from editeval.benchmarks._json_stream import JsonRecord
from editeval.benchmarks._official_files import OfficialBenchmark, OfficialParams, RecordsOf, one_of
from editeval.benchmarks._published import BenchmarkCard
from editeval.errors import BenchmarkError
from editeval.types import Benchmark, Sample

TYPES: Mapping[str, int] = {
    "action": 36,
    "add": 95,
    "adjust": 94,
    "background": 94,
    "compose": 23,
    "extract": 117,
    "remove": 86,
    "replace": 92,
    "style": 100,
}
OLD_TYPES = ("alter",)  # what the first version of the data calls `adjust`
CHAINS = ("content_memory", "content_understand", "version_backtrace")
_BASIC = (
    *("singleturn/singleturn.json", "Benchmark/singleturn/singleturn.json", "singleturn.json"),
    *("basic_edit.json", "Basic/basic_edit.json", "Benchmark/Basic/basic_edit.json"),
)
_UGE = ("UGE_edit.json", "hard/UGE_edit.json", "UGE/UGE_edit.json", "Benchmark/UGE/UGE_edit.json")
_HARD = ("hard", "Benchmark/hard")  # the folder of the UGE images in Benchmark.tar


@dataclass(frozen=True, slots=True)
class ImgEditParams(OfficialParams):
    """Parameters of `imgedit`."""

    repo: str = "sysuyy/ImgEdit"
    suite: Literal["basic", "uge", "multiturn"] = "basic"
    """Which of the three: results are published for each apart. The authors judge `multiturn` by eye."""


class ImgEdit(OfficialBenchmark):
    """One suite of ImgEdit-Bench."""

    Params = ImgEditParams
    archives = ("Benchmark.tar",)
    files_wanted = ("Benchmark.tar",)
    fields: ClassVar[Mapping[str, str]] = {"image": "id", "instruction": "prompt"}
    known_texts: ClassVar[Mapping[str, str]] = {"basic": "e5b1add8f1126681", "uge": "9e13108cd4da405a"}
    card = BenchmarkCard(
        title="ImgEdit-Bench",
        size="basic: 737 samples on 171 images, 9 groups; uge: 47 samples; multiturn: chains of 2-3 turns, 3 groups",
        homepage="https://github.com/PKU-YuanGroup/ImgEdit",
        hub="sysuyy/ImgEdit",
        licence="MIT (data, as the Hub says); the repository with code and prompts has no licence",
        citation="Ye et al., ImgEdit: A Unified Image Editing Dataset and Benchmark, arXiv:2505.20275, 2025",
        protocol="imgedit",
        counts={**{f"basic/{name}": n for name, n in TYPES.items()}, "uge/uge": 47},
        layouts=("{key}.png",),
    )

    def readers(self, root: Path) -> Mapping[str, Benchmark]:
        if self.params.suite == "basic":
            roles = {**self.fields, "category": "edit_type"}
            return {"basic": RecordsOf(self.annotations(root, _BASIC), roles, "{key}", _with_key)}
        if self.params.suite == "uge":
            return {"uge": RecordsOf(self.annotations(root, _UGE, _HARD), self.fields, "{key}", _with_key)}
        if root.is_file() and root.suffix == ".json":
            raise self.unlike(root, "the folder with content_memory, content_understand and version_backtrace")
        return {kind: self._chains(root, kind) for kind in CHAINS}

    def adapted(self, group: str, sample: Sample) -> Sample | None:
        if group == "basic":
            one_of(f"{self._root}: sample {sample.id!r}", "edit_type", sample.category, (*TYPES, *OLD_TYPES))
            return replace(sample, language="en")
        after = f"{group}/{sample.after}" if sample.after else ""
        return replace(sample, category=group, language="en", after=after)

    def expected(self) -> Mapping[str, int]:
        start = f"{self.params.suite}/"
        return {name.removeprefix(start): n for name, n in self.card.counts.items() if name.startswith(start)}

    def differs(self) -> tuple[str, ...]:
        """As every benchmark says it; the data's first version by its name, and that there is no published protocol."""
        if self.params.suite == "basic" and any(sample.category in OLD_TYPES for sample in self):
            return ("the first version of the data, with the type 'alter' for 'adjust'",)
        if self.params.suite == "multiturn":
            return ("a suite that the authors judge by eye",)
        return super().differs()

    def part(self) -> str:
        return str(self.params.suite)

    def _chains(self, root: Path, kind: str) -> RecordsOf:
        places = [f"{start}{kind}" for start in ("multiturn/", "Benchmark/multiturn/", "")]
        at = self.annotations(root, [f"{place}/annotation.json" for place in places], places)
        at = replace(at, folder=at.folder.removesuffix(kind), subfolder="kind" if at.folder.endswith(kind) else "")

        def rows(where: str, record: JsonRecord) -> Iterator[JsonRecord]:
            return _turns(where, replace(record, value={**record.value, "kind": kind}))

        return RecordsOf(at, {**self.fields, "previous_turn": "previous_turn"}, "{kind}/{key}/turn{turn}", rows)


def _with_key(where: str, record: JsonRecord) -> Iterator[JsonRecord]:
    del where
    yield replace(record, value={**record.value, "key": record.key})


def _turns(where: str, record: JsonRecord) -> Iterator[JsonRecord]:
    """A record for every turn of a chain: `turn1`, `turn2`, ..., of which none is left out."""
    texts = {name: text for name, text in record.value.items() if re.fullmatch(r"turn\d+", name) and text}
    wanted = [f"turn{number}" for number in range(1, len(texts) + 1)]
    if not texts or set(wanted) != set(texts):
        what = f"expected {', '.join(wanted) or 'turn1'}, found {', '.join(texts) or 'no turn'}"
        raise BenchmarkError(f"{where}: {what}; fix the data")
    for number, name in enumerate(wanted, 1):
        previous = f"{record.key}/turn{number - 1}" if number > 1 else ""
        made = {"key": record.key, "turn": number, "prompt": texts[name], "previous_turn": previous}
        yield replace(record, value={**record.value, **made})
