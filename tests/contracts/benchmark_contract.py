"""What every benchmark plug-in must do, whatever its data; each benchmark's test calls `check_benchmark` once.

A violation is an AssertionError that names the rule.
"""

from __future__ import annotations

import dataclasses
import json
import pickle
import time
from collections.abc import Sequence
from typing import Any

from PIL import Image

from editeval.errors import ImageError
from editeval.images import decode
from editeval.types import Benchmark, ImageRef, Sample

MAX_SAMPLE_BYTES = 64 * 1024
MAX_SECONDS_PER_SAMPLE = 0.005
SPARE_SECONDS = 1.0


def check_benchmark(benchmark_class: type[Benchmark], params: Any, *, num_decoded: int = 12) -> None:
    """Raises AssertionError unless the benchmark keeps every rule; decodes `num_decoded` samples, evenly spread."""
    _check_params(benchmark_class, params)
    benchmark = benchmark_class(params)
    samples = _timed_samples(benchmark)
    assert samples, "an empty benchmark must raise BenchmarkError, not yield nothing"
    assert _described(_timed_samples(benchmark)) == _described(samples), "the second iteration gives other samples"
    for sample in samples:
        _check_texts(sample)
        _check_size(sample)
    _check_ids(samples)
    _check_other_instance(benchmark_class, params, benchmark, samples)
    step = max(1, len(samples) // num_decoded)
    for sample in samples[::step][:num_decoded]:
        _check_images(sample)
    assert _described(list(benchmark)) == _described(samples), "reading images changes the samples"


def _check_params(benchmark_class: type[Benchmark], params: Any) -> None:
    kind = benchmark_class.Params
    assert dataclasses.is_dataclass(kind), "Params is not a dataclass"
    assert isinstance(params, kind), f"params are {type(params).__name__}, not {kind.__name__}"
    assert kind.__dataclass_params__.frozen, "Params is not frozen"  # type: ignore[attr-defined]
    kind()  # every field has a default


def _timed_samples(benchmark: Benchmark) -> list[Sample]:
    started = time.process_time()
    samples = list(benchmark)
    seconds = time.process_time() - started
    allowed = SPARE_SECONDS + MAX_SECONDS_PER_SAMPLE * len(samples)
    assert seconds <= allowed, f"{len(samples)} samples took {seconds:.1f} s of CPU: does it read pixels?"
    return samples


def _described(samples: Sequence[Sample]) -> list[tuple[Any, ...]]:
    return [(s.id, s.category, s.instruction, s.description, s.cluster, s.metadata) for s in samples]


def _check_texts(sample: Sample) -> None:
    for name in ("id", "category", "instruction"):
        value = getattr(sample, name)
        assert isinstance(value, str) and value.strip(), f"{sample.id!r}: {name} is {value!r}"
        value.encode()
    for name in ("description", "cluster"):
        assert isinstance(getattr(sample, name), str), f"{sample.id!r}: {name} is no text"
    try:
        copy = json.loads(json.dumps(dict(sample.metadata), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise AssertionError(f"{sample.id!r}: metadata is not JSON: {error}") from error
    assert copy == sample.metadata, f"{sample.id!r}: metadata does not survive JSON"


def _check_size(sample: Sample) -> None:
    num_bytes = len(pickle.dumps(sample))
    assert num_bytes <= MAX_SAMPLE_BYTES, f"{sample.id!r}: {num_bytes} bytes: does it hold pixels?"


def _check_ids(samples: Sequence[Sample]) -> None:
    ids = [sample.id.casefold() for sample in samples]
    repeated = sorted({i for i in ids if ids.count(i) > 1}) if len(set(ids)) < len(ids) else []
    assert not repeated, f"ids are not unique: {repeated}"


def _check_other_instance(
    benchmark_class: type[Benchmark], params: Any, benchmark: Benchmark, samples: Sequence[Sample]
) -> None:
    fresh = benchmark_class(params)
    fingerprint = fresh.fingerprint()
    assert isinstance(fingerprint, str) and fingerprint, f"fingerprint is {fingerprint!r}"
    assert fingerprint == benchmark.fingerprint() == fresh.fingerprint(), "the fingerprint is not stable"
    assert _described(list(fresh)) == _described(samples), "another instance gives other samples"


def _check_images(sample: Sample) -> None:
    source = _decoded(sample, "image", sample.image, "RGB")
    if sample.target is not None:
        reference = _decoded(sample, "reference", sample.target, "RGB")
        assert reference.size == source.size, f"{sample.id!r}: reference is {reference.size}, source {source.size}"
    if sample.mask is not None:
        mask = _decoded(sample, "mask", sample.mask, "L")
        assert mask.size == source.size, f"{sample.id!r}: mask is {mask.size}, source {source.size}"
        assert mask.getextrema()[1] == 255, f"{sample.id!r}: the mask allows no change"


def _decoded(sample: Sample, name: str, image: ImageRef, mode: str) -> Image.Image:
    try:
        data = image.read()
        assert data == image.read(), f"{sample.id!r}: {name} gives other bytes the second time"
        return decode(data, mode)
    except ImageError as error:
        raise AssertionError(f"{sample.id!r}: {name} does not decode: {error}") from error
