"""Small pictures, samples and outcomes for the store's tests and for the processes that they start and kill."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from editeval.store.manifest import Manifest, identity
from editeval.store.run_store import RunStore
from editeval.types import Failure, Outcome, Sample, Score

JUDGING = "judging-1"


class NoImage:
    def read(self) -> bytes:
        raise AssertionError("the store never reads an image")


def sample(sample_id: str, category: str = "physical", cluster: str = "") -> Sample:
    return Sample(sample_id, category, (NoImage(),), f"change {sample_id}", "a scene", cluster=cluster)


def samples(count: int) -> list[Sample]:
    return [sample(f"s{number:03}") for number in range(count)]


def png(text: str, num_bytes: int = 0) -> bytes:
    """A PNG of 3 x 2 whose bytes depend on `text`; padded by a private chunk."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = bytes([0, *text.encode()[:3].ljust(3), 0, 1, 2, 3])
    filling = (text.encode() * (1 + num_bytes // max(1, len(text))))[: num_bytes or len(text)]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + chunk(b"prVt", filling)
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


def done(key: str, value: Any = None, attempt: int = 1) -> Outcome[Any]:
    return Outcome(key, png(key) if value is None else value, None, 0, "cpu", attempt, 1000.0, 0.5, 0.25)


def failed(key: str, reason: str = "oom", message: str = "no memory left", attempt: int = 1) -> Outcome[Any]:
    return Outcome(key, None, Failure(reason, message, "trace"), 1, "cpu", attempt, 1000.0, 0.5)


def scores(sample_id: str, value: float | None = 5.0) -> list[Score]:
    reason = "" if value is not None else "unparsable"
    return [
        Score(sample_id, "reference", "overall", value, raw="said", reason=reason, seconds=0.1),
        Score(sample_id, "reference", "preservation", 9.5),
    ]


def manifest(**changes: Any) -> Manifest:
    parts = {"benchmark": "b" * 64, "editor": "identity", "params": {"steps": 50, "deep": {"a": 1}}, "seed": 42}
    return Manifest("demo", identity(**{**parts, **changes}), argv=["editeval"], versions={}, host={"name": "here"})


def work(directory: Path, wanted: Iterable[Sample], acknowledge: Any = lambda text: None) -> None:
    """What a run does: edit what is pending, judge what is pending; `acknowledge` is told after every record."""
    with RunStore.open(directory, manifest()) as store:
        store.select(wanted)
        for key in store.pending_edits():
            store.record_edit(done(key), seed=1)
            acknowledge(f"edit {key}")
        store.add_judging(JUDGING, "reference", {})
        for key in store.pending_scores(JUDGING):
            store.record_score_batch(JUDGING, [(scores(key), done(key, 1))])
            acknowledge(f"judge {key}")


def result(directory: Path) -> list[Any]:
    """Everything of a run that may not depend on kills."""
    with RunStore.read(directory) as store:
        rows = [(r.id, r.position, r.sha256, dict(r.scores)) for r in store.rows(JUDGING)]
        attempts = sorted((a.stage, a.sample_id, a.attempt) for a in store.attempts())
    files = sorted((path.name, path.read_bytes()) for path in (directory / "edits").glob("[!.]*"))
    return [rows, attempts, files]
