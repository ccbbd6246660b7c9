"""From what the parts of the judging bench measured to the lines of its table; no measuring here."""

from __future__ import annotations

from typing import Any

BATCH_4 = 2.7
"""The speed-up of batch 4 that the v2.1 document claims."""
EXPECTED = 3.0
"""Expected values against a written reply of 128 tokens: at least so many times as fast."""
MEANINGLESS = "TINY MODELS ON A CPU: these numbers only show that the bench runs; they mean nothing."
COLUMNS = (
    ("judgements / s, expected value", "judgements_s", "{:.2f}"),
    ("times batch 1", "judgements_ratio", "{:.2f}"),
    ("replies of {n} tokens / s", "replies_s", "{:.2f}"),
    ("times batch 1", "replies_ratio", "{:.2f}"),
    ("expected / written, per prompt", "expected_ratio", "{:.1f}"),
)


def finish(part: dict[str, Any]) -> dict[str, Any]:
    """The part with its ratios: times batch 1, and expected value over written reply."""
    first = part["rows"][0]
    for row in part["rows"]:
        row["judgements_ratio"] = row["judgements_s"] / first["judgements_s"]
        row["replies_ratio"] = row["replies_s"] / first["replies_s"]
        row["expected_ratio"] = row["prompts_s"] / row["replies_s"]
    return part


def row_of(part: dict[str, Any], batch: int) -> dict[str, Any] | None:
    """The row of that batch size, if it was measured."""
    return next((row for row in part["rows"] if row["batch"] == batch), None)


def markdown(result: dict[str, Any]) -> str:
    """The whole report."""
    lines = [f"**{MEANINGLESS}**", ""] if result["is_tiny"] else []
    lines += ["### Judging: pointwise, two pictures, by batch size", "", *(f"- {line}" for line in result["machine"])]
    for part in result["parts"]:
        lines += ["", f"#### {part['title']}", ""]
        if "problem" in part:
            lines.append(f"- {part['problem']}")
            continue
        lines += ["| batch | " + " | ".join(title.format(n=result["reply_tokens"]) for title, _, _ in COLUMNS) + " |"]
        lines += ["|---:|" + "---:|" * len(COLUMNS)]
        for row in part["rows"]:
            cells = [form.format(row[key]) for _, key, form in COLUMNS]
            lines.append(f"| {row['batch']} | " + " | ".join(cells) + " |")
        claims = [
            text if result["is_tiny"] else f"{'reached' if ok else 'MISSED'}: {text}" for text, ok in verdicts(part)
        ]
        lines += ["", *(f"- {note}" for note in [*part["notes"], *claims])]
    return "\n".join(lines)


def verdicts(part: dict[str, Any]) -> list[tuple[str, bool]]:
    """(claim with its number, whether it holds), for what was measured."""
    row = row_of(part, 4)
    if row is None or "problem" in part:
        return []
    faster, shorter = row["replies_ratio"], row["expected_ratio"]
    found = [
        (f"batch 4 is {faster:.2f} times batch 1 in written replies, to reach {BATCH_4}", faster >= BATCH_4),
        (
            f"at batch 4 an expected value is {shorter:.1f} times as fast as a written reply, to reach {EXPECTED:g}",
            shorter >= EXPECTED,
        ),
    ]
    if "prepare_s" in part:
        prepare_ms, device_ms = 1000 * part["prepare_s"], 1000 / row["judgements_s"]
        text = f"preparing a judgement takes {prepare_ms:.1f} ms on {part['num_threads']} threads, the device "
        found.append((f"{text}{device_ms:.1f} ms at batch 4; preparing is to take less", prepare_ms <= device_ms))
    return found


def _word(holds: bool) -> str:
    return "reached" if holds else "MISSED"
