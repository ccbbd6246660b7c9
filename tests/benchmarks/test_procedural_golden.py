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
    "physical/0000": "61f21d8110a6872c",  # falling
    "physical/0003": "3b6dc6beb02913cd",  # lake
    "physical/0006": "57c64722d4d5afb6",  # tanks
    "physical/0009": "2cd99311a05bbc6a",  # scale
    "environmental/0000": "7b0f33c0f3922c98",  # view
    "environmental/0003": "b737cd01e51aa607",  # lamps
    "environmental/0006": "0dd9049380dcefe1",  # seasons
    "environmental/0009": "64fafdb566fced01",  # street
    "cultural/0000": "950977c866b85138",  # clocks
    "cultural/0003": "c3a70636f241d71c",  # signals
    "cultural/0006": "e664b1c044bc0520",  # flags
    "cultural/0009": "0338c1ee3535cd18",  # chess
    "cultural/0012": "257f4111b79a3158",  # signs
    "causal/0000": "2b0b4acb47aa272c",  # balance
    "causal/0003": "ef70d7e9029403ae",  # circuit
    "causal/0006": "27aacb1cf46ea687",  # dominoes
    "causal/0009": "1a2aeeb3486fa0da",  # glasses
    "causal/0012": "b4fc4f10ecc501f6",  # candles
    "referential/0000": "f407db4b18f41c4e",  # toy_shelf
    "referential/0003": "22ec8f2febad2b37",  # pinboard
    "referential/0006": "c1a0b060131d0f71",  # balloons
}

DEFAULT_SIZE = ("physical/0000", "8caee027ce964565")
TEXTS = "20c496eacf8a5868"
PROBE = """
from editeval.benchmarks.procedural import ProceduralBenchmark, ProceduralParams
import hashlib
sample = next(iter(ProceduralBenchmark(ProceduralParams(num_per_category=18, size=256))))
print(hashlib.sha256(sample.reference.read()).hexdigest())
"""


def digest(sample: Sample) -> str:
    assert isinstance(sample.image, LazyImage)
    cell = sample.image.cell
    content = hashlib.sha256()
    for part in (render.source(*cell[:4], cell.size), render.target(cell), render.mask(cell)):
        content.update(part.tobytes())
    return content.hexdigest()[:16]


def test_the_hashes_belong_to_this_generator() -> None:
    assert GENERATOR == "1", "a new generator has new hashes: renew GOLDEN, DEFAULT_SIZE and TEXTS"


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
