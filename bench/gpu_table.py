"""From what the parts of the GPU bench measured to the lines of its table; no measuring here."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import gpu_flops

NAMES = {"a": "(a) plain diffusers loop", "b": "(b) editeval, default", "c": "(c) editeval, `acceleration: exact`"}
COLUMNS = (
    ("s / image", "seconds", "{:.2f}"),
    ("s / step", "step_s", "{:.4f}"),
    ("TFLOP/s", "tflops", "{:.1f}"),
    ("of matmul", "of_matmul", "{:.0%}"),
    ("times (a)", "speedup", "{:.2f}"),
    ("latents, rel. error", "latents_error", "{:.1e}"),
    ("first step, rel. error", "first_error", "{:.1e}"),
    ("pixels, largest difference", "pixel_difference", "{:d}"),
    ("load s", "load_s", "{:.1f}"),
    ("host GiB while loading", "host_gib", "{:.2f}"),
    ("GPU peak GiB", "peak_gib", "{:.1f}"),
)
LIMITS = {"b": 0.98, "c": 1.4}  # at least so many times as fast as (a); 0.98: no slower, within the noise
LEAST_OF_MATMUL = 0.75
MEANINGLESS = "TINY MODELS ON A CPU: these numbers only show that the bench runs; they mean nothing."


@dataclass(frozen=True, slots=True)
class Measured:
    """One way to edit, as it was measured. `out` holds its latents."""

    part: str  # a | b | c
    full_s: float  # one edit of `steps` steps
    short_s: float  # one edit of `short_steps` steps
    besides_ms: float  # between two edits
    load_s: float
    host_gib: float
    peak_gib: float | None
    out: Path


@dataclass(frozen=True, slots=True)
class Work:
    """What was to be done: steps measured and steps meant, and what a step costs."""

    steps: int
    short_steps: int
    meant_steps: int
    passes: list[gpu_flops.Tokens]
    config: dict[str, Any]
    matmul: float  # FLOP/s

    def flops(self) -> float:
        """Of one edit of `meant_steps`."""
        return gpu_flops.edit_flops(self.config, self.passes, self.meant_steps)


def row(measured: Measured, work: Work, plain: Measured | None) -> dict[str, Any]:
    """The numbers of one line, by the keys of COLUMNS."""
    step_s = (measured.full_s - measured.short_s) / (work.steps - work.short_steps)
    seconds = measured.full_s + (work.meant_steps - work.steps) * step_s
    result: dict[str, Any] = dataclasses.asdict(measured) | {"out": str(measured.out)}
    result |= {"seconds": seconds, "step_s": step_s, "is_extrapolated": work.steps != work.meant_steps}
    result["tflops"] = work.flops() / seconds / 1e12
    result["of_matmul"] = work.flops() / seconds / work.matmul
    if plain is not None:
        plain_step_s = (plain.full_s - plain.short_s) / (work.steps - work.short_steps)
        result["speedup"] = (plain.full_s + (work.meant_steps - work.steps) * plain_step_s) / seconds
        for name in ("latents", "first"):
            result[f"{name}_error"] = relative(measured.out / f"{name}.npy", plain.out / f"{name}.npy")
        result["pixel_difference"] = largest_difference(measured.out / "full.png", plain.out / "full.png")
    return result


def harness_share(measured: Measured, row: dict[str, Any]) -> str:
    """What passes between two edits, and how much of an edit that is: opening, saving and everything of the harness."""
    share = measured.besides_ms / 1000 / (row["seconds"] + measured.besides_ms / 1000)
    return f"between two edits, {NAMES[measured.part]}: {measured.besides_ms:.1f} ms, {share:.2%} of the time"


def relative(a: Path, b: Path) -> float:
    """||a - b|| / ||b|| of two stored arrays. Raises ValueError if one holds NaN or infinity, or b nothing."""
    ours, theirs = (np.load(path).astype(np.float64) for path in (a, b))
    size = float(np.linalg.norm(theirs))
    if not (np.isfinite(ours).all() and np.isfinite(size) and size > 0):
        raise ValueError(f"{a}: the latents are not finite, or those of the plain loop are empty")
    return float(np.linalg.norm(ours - theirs)) / size


def largest_difference(a: Path, b: Path) -> int:
    """Of two pictures of one size, 0-255."""
    ours, theirs = (np.asarray(Image.open(path).convert("RGB")).astype(int) for path in (a, b))
    return int(np.abs(ours - theirs).max())


def load_passes(out: Path) -> list[gpu_flops.Tokens]:
    """The forward passes of a step, as a part wrote them down."""
    return [gpu_flops.Tokens(**entry) for entry in json.loads((out / "passes.json").read_text())]


def markdown(result: dict[str, Any]) -> str:
    """The whole report of one model."""
    lines = [f"**{MEANINGLESS}**", ""] if result["is_tiny"] else []
    lines += [result["title"], "", *(f"- {line}" for line in result["machine"]), ""]
    lines += ["| | " + " | ".join(title for title, _, _ in COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    for part, values in result["rows"].items():
        cells = [_cell(values, key, form) for _, key, form in COLUMNS]
        lines.append(f"| {NAMES[part]} | " + " | ".join(cells) + " |")
    lines += [f"- {NAMES[part]}: {problem}" for part, problem in result["problems"].items()]
    lines += ["", *(f"- {line}" for line in result["notes"])]
    if result["probe"]:
        lines += ["", "| one forward pass | ms | rel. error against the first |", "|---|---:|---:|"]
        lines += [_probe_line(entry) for entry in result["probe"]]
    return "\n".join(lines)


def _cell(values: dict[str, Any], key: str, form: str) -> str:
    value = values.get(key)
    if value is None:
        return "-"
    mark = " (extrapolated)" if key == "seconds" and values["is_extrapolated"] else ""
    return form.format(value) + mark


def _probe_line(entry: dict[str, Any]) -> str:
    if "problem" in entry:
        return f"| {entry['variant']} | not here: {entry['problem']} | - |"
    return f"| {entry['variant']} | {entry['ms']:.1f} | {entry['error']:.1e} |"


def verdicts(rows: dict[str, dict[str, Any]]) -> list[tuple[str, bool]]:
    """(what was to be reached, whether it was), for what was measured."""
    found = []
    for part, least in LIMITS.items():
        if "speedup" in rows.get(part, {}):
            text = f"{NAMES[part]} at {rows[part]['speedup']:.2f} times the speed of (a), to reach {least}"
            found.append((text, rows[part]["speedup"] >= least))
    if "c" in rows:
        text = f"{NAMES['c']} at {rows['c']['of_matmul']:.0%} of the matmul rate, to reach {LEAST_OF_MATMUL:.0%}"
        found.append((text, rows["c"]["of_matmul"] >= LEAST_OF_MATMUL))
    return found
