"""What a run must have come to, computed without the program under test; and what must hold in between."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos import tiny_benchmark, tiny_editor, tiny_judge
from chaos.workload import BATCH, SEED, Workload
from editeval.run import results
from editeval.store.run_store import RunStore
from editeval.store.verify import verify


def _broken_at() -> str:
    """The line of the tiny editor that raises, as messages name it."""
    path = Path(tiny_editor.__file__)
    lines = path.read_text(encoding="utf-8").splitlines()
    number = lines.index('            raise RuntimeError("cannot edit this")') + 1
    return f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}:{number}"


JUDGED = {"judge": "chaos.tiny_judge", "protocol": None}
ALWAYS_FAIL = {
    "refused": {"reason": "refused", "message": "I would rather not"},
    "broken": {"reason": "exception", "message": f"RuntimeError: cannot edit this ({_broken_at()})"},
}
GROWING = ("pictures.jsonl", "gpu.csv")
"""Appended to, and read line by line; a line that is cut short is made again, or missed."""
_PNG_END = b"IEND\xaeB`\x82"


@dataclass(frozen=True)
class Result:
    """All of a run that no fault may change."""

    samples: bytes  # samples.jsonl
    scores: bytes  # scores.csv
    images: Mapping[str, str]  # file name -> sha256

    @classmethod
    def of(cls, work: Workload) -> Result:
        run = work.run
        images = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted((run / "edits").iterdir())}
        return cls((run / "samples.jsonl").read_bytes(), (run / "scores.csv").read_bytes(), images)

    def differences(self, other: Result) -> Iterator[str]:
        if self.samples != other.samples:
            yield "samples.jsonl differs from that of a run without faults"
        if self.scores != other.scores:
            yield "scores.csv differs from that of a run without faults"
        if self.images != other.images:
            changed = sorted(set(self.images.items()) ^ set(other.images.items()))
            yield f"the images differ from those of a run without faults: {changed[:2]}"


def expected_samples(work: Workload, failed: Mapping[str, Mapping[str, str]] = ALWAYS_FAIL) -> list[dict[str, Any]]:
    """The lines of samples.jsonl."""
    weights = tiny_editor.weights_in(str(work.checkpoint)) if work.has_weights else b""
    edits = {
        s.id: None if s.id in failed else _png(s.image.read(), s.id, s.instruction, weights) for s in _samples(work)
    }
    every = list(edits)
    company = {
        key: [other for other in every[n - n % BATCH : n - n % BATCH + BATCH] if edits[other] is not None]
        for n, key in enumerate(every)
    }
    lines = []
    for sample in _samples(work):
        png = edits[sample.id]
        edit = {
            "status": "failed" if png is None else "done",
            "sha256": None if png is None else hashlib.sha256(png).hexdigest(),
            "seed": seed_of(sample.id),
            "error": dict(failed[sample.id]) if png is None else None,
        }
        scores = {} if png is None else _scores(png, company[sample.id] if work.is_moody else [])
        lines.append({"id": sample.id, "category": sample.category, "edit": edit, "scores": scores})
    return lines


def _samples(work: Workload) -> Any:
    return tiny_benchmark.TinyBenchmark(tiny_benchmark.TinyParams(work.num_samples, work.changed))


def seed_of(sample_id: str) -> int:
    """As the documentation has it: the first 31 bits of SHA-256 of '<base seed>:<sample id>'."""
    return int(hashlib.sha256(f"{SEED}:{sample_id}".encode()).hexdigest()[:8], 16) % 2**31


def _png(source: bytes, sample_id: str, instruction: str, weights: bytes) -> bytes:
    buffer = io.BytesIO()
    tiny_editor.painted(source, seed_of(sample_id), instruction, weights).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _scores(png: bytes, company: list[str]) -> dict[str, Any]:
    values = {metric: tiny_judge.value_of(png, metric, company) for metric in tiny_judge.TinyJudge.metrics}
    return {metric: {"value": value, "reason": None} | JUDGED for metric, value in sorted(values.items())}


def faults_of(work: Workload, failed: Mapping[str, Mapping[str, str]] = ALWAYS_FAIL) -> list[str]:
    """What is wrong with a finished run, by itself: results, files, ledger, attempts."""
    told = [json.loads(line) for line in (work.run / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    wanted = expected_samples(work, failed)
    wrong = [f"{a['id'][:20]}: {a} instead of {b}" for a, b in zip(told, wanted, strict=False) if a != b]
    if len(told) != work.num_samples:
        wrong.append(f"{len(told)} lines for {work.num_samples} samples")
    with RunStore.read(work.run) as store:
        wrong += [f"verify: {problem}" for problem in verify(store, results.prefixes(results.shown(store)))]
    return [*wrong, *torn_files(work), *_attempt_faults(work, failed)]


def _attempt_faults(work: Workload, failed: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Every attempt stands in the ledger as often as it was made known, and an attempt that succeeded ends the work."""
    history: dict[tuple[str, str], list[tuple[int, bool]]] = {}
    with RunStore.read(work.run) as store:
        for attempt in store.attempts():
            history.setdefault((attempt.stage, attempt.sample_id), []).append((attempt.attempt, attempt.error is None))
        taken = {edit.sample_id for edit in store.edits() if edit.origin}
    for sample_id in tiny_benchmark.ids(work.num_samples):
        edits = history.pop(("edit", sample_id), [])
        judged = history.pop(("judge", sample_id), [])
        succeeded = [is_good for _, is_good in edits].count(True)
        if sample_id in taken:
            if edits or [is_good for _, is_good in judged].count(True) > 1:
                yield f"{sample_id[:20]}: taken over, yet its attempts are {edits} and {judged}"
        elif sample_id in failed:
            if succeeded or judged or not edits:
                yield f"{sample_id}: failed, yet its attempts are {edits} and {judged}"
        elif succeeded != 1 or not edits[-1][1]:
            yield f"{sample_id[:20]}: {succeeded} successful edits on record: {edits}"
        elif [is_good for _, is_good in judged].count(True) != 1 or not judged[-1][1]:
            yield f"{sample_id[:20]}: judged {judged}"
    if history:
        yield f"attempts of nobody: {list(history)}"


def recorded(run: Path) -> set[str]:
    """ "edit ID" and "judge ID" of every row, read with plain SQL; the run need not be finished or even begun."""
    ledger = run / "ledger.sqlite"
    if not (run / "manifest.json").exists():  # the ledger is still being made
        return set()
    with contextlib.closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as db:
        edits = {f"edit {row[0]}" for row in db.execute("SELECT sample_id FROM edits")}
        return edits | {f"judge {row[0]}" for row in db.execute("SELECT DISTINCT sample_id FROM scores")}


def torn_files(work: Workload) -> Iterator[str]:
    """Files that stand under their final names and are not whole."""
    for path in work.out.glob("chaos-*/**/*"):
        names = path.relative_to(work.out).parts
        if path.is_dir() or names[-1].startswith("ledger.sqlite") or names[-1] in GROWING:
            continue
        if any(name.startswith(".") for name in names):
            continue  # not there yet
        data = path.read_bytes()
        if not _is_whole(path, data):
            yield f"{path.name}: torn, {len(data)} bytes under its final name"


def _is_whole(path: Path, data: bytes) -> bool:
    if path.suffix == ".png":
        return data.endswith(_PNG_END)
    if path.suffix == ".html":
        return data.rstrip().endswith(b"</html>")
    if path.suffix == ".json":
        with contextlib.suppress(ValueError):
            return isinstance(json.loads(data), dict)
        return False
    if path.suffix == ".webp":
        return len(data) == 8 + int.from_bytes(data[4:8], "little")
    return path.suffix not in (".jsonl", ".csv", ".md", ".js", ".css") or data.endswith(b"\n")


def redone(work: Workload, since: int, had: set[str]) -> Iterator[str]:
    """Edits that were made again from `since` on although the ledger had them."""
    again = Counter(line for line in work.executions()[since:] if not line.startswith("ack "))
    for key in sorted(again):
        if f"edit {key}" in had:
            yield f"{key[:20]}: edited again although it was on record"
