"""The same pixels and texts on every machine. A hash may only change together with `GENERATOR`."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from editeval.benchmarks.procedural import GENERATOR, LazyImage, ProceduralBenchmark, ProceduralParams
from editeval.benchmarks.scenes import render
from editeval.types import Sample

# sha256 (first 16 digits) over the RGB pixels of source and target and the mask's bytes, 256 x 256
GOLDEN = {
    "physical/0000": "57028cd7e8c27bb6",  # falling
    "physical/0003": "871645e192e989bc",  # lake
    "environmental/0000": "dc1857184c75f242",  # view
    "environmental/0003": "6f130fa1212ae331",  # seasons
    "cultural/0000": "abc21c88cd1ce2a0",  # clocks
    "cultural/0003": "e0d70220dfd31237",  # chess
    "causal/0000": "93603cb783f881e8",  # balance
    "causal/0003": "e5bf24317a6fd745",  # candles
    "referential/0000": "4ccf485f19820fdc",  # toy_shelf
    "referential/0003": "01a79d874a4308b1",  # balloons
}

DEFAULT_SIZE = ("physical/0000", "f30304eb05342778")
TEXTS = "f82af741d0b2f4c0"
PROBE = """
from editeval.benchmarks.procedural import ProceduralBenchmark, ProceduralParams
import hashlib
sample = next(iter(ProceduralBenchmark(ProceduralParams(num_per_category=18, size=256))))
print(hashlib.sha256(sample.target.read()).hexdigest())
"""


def digest(sample: Sample) -> str:
    assert isinstance(sample.image, LazyImage)
    cell = sample.image.cell
    content = hashlib.sha256()
    for part in (render.source(*cell[:4], cell.size), render.target(cell), render.mask(cell)):
        content.update(part.tobytes())
    return content.hexdigest()[:16]


def test_the_hashes_belong_to_this_generator() -> None:
    assert GENERATOR == "2", "a new generator has new hashes: renew GOLDEN, DEFAULT_SIZE and TEXTS"


@pytest.mark.parametrize("sample_id", GOLDEN)
def test_every_kind_of_scene_has_its_known_pixels(sample_id: str) -> None:
    found = {s.id: s for s in ProceduralBenchmark(ProceduralParams(num_per_category=18, size=256))}
    assert digest(found[sample_id]) == GOLDEN[sample_id]


def test_the_default_size_has_its_known_pixels() -> None:
    first = next(iter(ProceduralBenchmark(ProceduralParams())))
    assert (first.id, digest(first)) == DEFAULT_SIZE


def test_the_texts_of_the_default_are_known() -> None:
    lines = [
        f"{s.id}|{s.instruction}|{s.metadata['instruction_zh']}|{s.description}"
        for s in ProceduralBenchmark(ProceduralParams())
    ]
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16] == TEXTS


def test_pixels_do_not_depend_on_the_vector_instructions_of_the_processor() -> None:
    plain = {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX X86_V3 X86_V4"}
    outputs = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROBE], env=os.environ | extra, capture_output=True, check=True
        ).stdout
        for extra in ({}, plain)
    ]
    assert outputs[0] == outputs[1] != b""
