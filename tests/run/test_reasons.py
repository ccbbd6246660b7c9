"""Why a new run begins is said truly."""

from __future__ import annotations

from pathlib import Path

import pytest
from identity_fakes import Bench, log_of

EDITOR = """
from dataclasses import dataclass, field
from PIL import Image
from editeval.types import Editor
@dataclass(frozen=True)
class Params:
    many: dict[str, list[str]] = field(default_factory=dict)
class E(Editor):
    Params = Params
    default_device = "cpu"
    def edit(self, request, progress):
        return Image.new("RGB", (16, 12), "red")
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, num_samples=2)


def test_weights_in_a_list_are_a_reason_only_if_they_changed(bench: Bench) -> None:
    (bench.folder / "ed.py").write_text(EDITOR)
    one, two = bench.folder / "one.bin", bench.folder / "two.bin"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    params = {"device_ids": ["cpu"], "many": {"l": [str(one), str(two)]}}
    editor = {"type": str(bench.folder / "ed.py"), "params": params, "execution": {"backend": "inprocess"}}
    bench.run(diffusion_model=editor)
    two.write_bytes(b"3")
    assert " differs in weights named by many.l.1 (two.bin): a new run begins" in log_of(
        bench.run(diffusion_model=editor)
    )


def test_what_no_text_of_a_sample_says_is_told_as_what_it_may_be(bench: Bench) -> None:
    bench.run()
    manifest = bench.data / "manifest.jsonl"
    manifest.write_text(manifest.read_text().replace('"id": "s00"', '"metadata": {"k": 1}, "id": "s00"'))
    assert " differs in benchmark: images, masks, metadata or samples: a new run begins" in log_of(bench.run())
