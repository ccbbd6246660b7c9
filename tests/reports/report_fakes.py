"""A believable run, drawn here: 5 categories, a few failures, pictures with shapes and Chinese text."""

from __future__ import annotations

import hashlib
import io
import math
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw

from editeval.prompts import CATEGORIES
from editeval.reports.badge import decide_badge
from editeval.reports.data import Report, coverage_of, survey
from editeval.store.records import SampleRow
from editeval.types import Score, Summary

METRICS = ("overall", "completeness", "preservation")
INSTRUCTIONS = (
    "Let the ball on the ramp roll down to the ground.",
    "Make it winter: snow on the roof, no leaves on the tree.",
    "把红色的杯子换成蓝色的，其他保持不变。",
    "Pour the rest of the water out of the glass; show what follows from that.",
    "Recolour the second circle from the left, and nothing else.",
)
STATISTICS = ("mean", "std", "median", "min", "max", "count")


def drawing(seed: int, recolour: float = 0.0, size: int = 384) -> bytes:
    """A PNG: sky, ground, a sun and three objects; `recolour` moves the second one's colour."""
    rng = random.Random(seed)
    image = Image.new("RGB", (size, size))
    draw = ImageDraw.Draw(image)
    hue = rng.randrange(180, 250)
    for y in range(size):
        draw.line([(0, y), (size, y)], fill=(hue - y // 4, 200 - y // 8, 235 - y // 10))
    horizon = size * 2 // 3
    draw.rectangle([0, horizon, size, size], fill=(96 + seed % 40, 140, 90))
    draw.ellipse([size * 0.7, size * 0.08, size * 0.88, size * 0.26], fill=(255, 214, 90))
    for index in range(3):
        x = size * (0.12 + 0.29 * index)
        shift = int(150 * recolour) if index == 1 else 0
        colour = (max(0, rng.randrange(150, 230) - shift), rng.randrange(40, 160), min(255, 60 + shift))
        draw.ellipse([x, horizon - size * 0.05, x + size * 0.24, horizon + size * 0.03], fill=(70, 95, 66))
        draw.ellipse([x, horizon - size * 0.25, x + size * 0.22, horizon], fill=colour)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def row_of(index: int, status: str = "done", value: float | None = 7.0, **changes: object) -> SampleRow:
    """One sample; done with a score, unless told otherwise."""
    done = status == "done"
    category = CATEGORIES[index % len(CATEGORIES)]
    scores: dict[str, Score] = {}
    if done:
        for metric, factor in zip(METRICS, (1.0, 0.9, 1.05), strict=True):
            amount = None if value is None else min(10.0, value * factor)
            scores[metric] = Score(
                f"s{index}", "fake", metric, amount, reason="" if amount is not None else "unparsable"
            )
    row = SampleRow(
        id=f"{category}/{index:04d}",
        category=category,
        instruction=INSTRUCTIONS[index % len(INSTRUCTIONS)],
        cluster="",
        position=index,
        status=status,
        sha256=hashlib.sha256(str(index).encode()).hexdigest() if done else None,
        seed=1000 + index,
        error_reason="oom" if status == "failed" else None,
        error_message="out of memory: wanted 3.1 GiB, 1.2 GiB free" if status == "failed" else None,
        seconds=2.0 + index % 7 / 10 if status != "pending" else None,
        device="cpu",
        worker=index % 2,
        attempt=1 if done else 3,
        edited_path=f"edits/{index}.png" if done else None,
        scores=scores,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def value_of(index: int) -> float:
    """Scores that look like scores: another middle per category, some spread, some zeros."""
    rng = random.Random(index)
    if rng.random() < 0.06:
        return 0.0
    return min(10.0, max(0.0, rng.gauss((7.8, 6.1, 4.4, 5.2, 8.6)[index % 5], 1.6)))


def summarised(rows: list[SampleRow], metrics: tuple[str, ...] = METRICS) -> tuple[Summary, ...]:
    """Plain summaries of `rows`, good enough for a picture (the real ones are another room's)."""
    summaries = []
    for metric in metrics:
        categories = list(dict.fromkeys(row.category for row in rows))
        parts = [summary(metric, name, [r for r in rows if r.category == name]) for name in categories]
        means = [part.mean for part in parts if part.mean is not None]
        micro = summary(metric, "micro", rows)
        macro = replace(micro, category="macro", mean=sum(means) / len(means) if means else None)
        summaries += [*parts, macro, micro]
    return tuple(summaries)


def summary(metric: str, category: str, rows: list[SampleRow]) -> Summary:
    failed = sum(row.status == "failed" for row in rows)
    scores = [row.scores[metric] for row in rows if metric in row.scores]
    values = sorted(score.value for score in scores if score.value is not None)
    count, total = len(values), len(rows)
    if not values:
        return Summary(metric, category, total, 0, failed, total - failed, *[None] * 7, 0.0, 10.0)
    mean = sum(values) / count
    std = math.sqrt(sum((v - mean) ** 2 for v in values) / count)
    half = 1.96 * std / math.sqrt(count)
    return Summary(
        metric=metric,
        category=category,
        num_samples=total,
        num_scored=count,
        num_failed=failed,
        num_unscored=total - failed - count,
        mean=mean,
        std=std,
        median=values[count // 2],
        min=values[0],
        max=values[-1],
        ci_low=mean - half,
        ci_high=mean + half,
        lowest=mean * count / total,
        highest=(mean * count + 10 * (total - count)) / total,
    )


def report_of(rows: list[SampleRow], directory: Path, **changes: object) -> Report:
    """A Report over `rows`; anything else can be replaced by keyword."""
    seen = survey(iter(rows), "overall")
    badge, warnings = decide_badge(seen)
    positions = {row.id: row.position for row in rows}

    def images(sample_id: str) -> tuple[bytes | None, bytes | None]:
        position = positions[sample_id]
        return drawing(position), drawing(position, 1.0)

    report = Report(
        run={
            "id": "3f9c2a7be01d4455",
            "name": "classical on procedural",
            "dir": str(directory),
            "created_at": 1795000000.0,
            "editor": "classical",
            "judge": "reference",
            "benchmark": "procedural (270 samples)",
            "policy": "batch_sync",
            "devices": ["cpu", "cpu"],
            "num_samples": len(rows),
        },
        badge=badge,
        warnings=warnings,
        coverage=coverage_of(seen),
        summaries=summarised(rows),
        headline_metric="overall",
        statistics=STATISTICS,
        timing={
            "wall_s": 412.4,
            "load_s": 3.21,
            "edit_s": 301.7,
            "judge_s": 88.9,
            "workers": [
                {"worker": 0, "device": "cpu", "busy_s": 291.2, "idle_s": 10.5, "num_edits": 135},
                {"worker": 1, "device": "cpu", "busy_s": 263.0, "idle_s": 38.7, "num_edits": 135},
            ],
        },
        policies=(
            {"policy": "batch_sync", "makespan_s": 301.7, "idle_fraction": 0.082, "max_drift": 0},
            {"policy": "bounded_drift", "makespan_s": 293.3, "idle_fraction": 0.055, "max_drift": 2},
            {"policy": "round_robin", "makespan_s": 291.2, "idle_fraction": 0.048, "max_drift": None},
            {"policy": "dynamic", "makespan_s": 277.9, "idle_fraction": 0.003, "max_drift": None},
        ),
        batches=tuple(_batches()),
        provenance={
            "config": {
                "benchmark": {"type": "procedural", "params": {"num_samples": 270, "seed": 0}},
                "diffusion_model": {"type": "classical", "params": {"device_ids": ["cpu", "cpu"]}},
                "reward_model": {"type": "reference", "params": {}},
                "evaluation": {"categories": ["物理", "environmental"], "statistics": list(STATISTICS)},
            },
            "versions": {"editeval": "3.0.0", "python": "3.11.7", "pillow": "12.2.0", "numpy": "2.3.4"},
            "origins": {"benchmark.type": "config.yaml", "diffusion_model.type": "--set"},
            "argv": ["editeval", "run", "config.yaml", "--set", "benchmark.params.seed=0"],
            "hosts": ["node-1"],
            "prompts_sha256": "c0ffee" * 10,
        },
        samples=lambda: iter(rows),
        images=images,
    )
    return replace(report, **changes)  # type: ignore[arg-type]


def _batches() -> Iterator[dict[str, object]]:
    rng = random.Random(1)
    started_at = 1795000003.0
    for index in range(45):
        seconds = 2.0 + abs(rng.gauss(0, 0.35))
        worker = int(rng.random() < 0.4)
        yield {"index": index + 1, "started_at": started_at, "seconds": seconds, "slowest_worker": worker}
        started_at += seconds + 0.05


def believable_rows(count: int = 270) -> list[SampleRow]:
    """Rows of a run in which four edits failed, two of them otherwise, and three could not be scored."""
    rows = []
    for index in range(count):
        status = "failed" if index in (12, 77, 133, 201) else "done"
        value = None if index in (30, 140, 222) else value_of(index)
        died = {"error_reason": "worker_died", "error_message": "worker 1 ended with signal 9"}
        rows.append(row_of(index, status, value, **(died if index == 201 else {})))
    return rows


def draw_edits(rows: list[SampleRow], directory: Path) -> None:
    """The edited picture of every finished sample."""
    (directory / "edits").mkdir(exist_ok=True)
    for row in rows:
        if row.edited_path and row.status == "done":
            score = row.scores["overall"].value or 0.0
            (directory / row.edited_path).write_bytes(drawing(row.position, score / 10))
