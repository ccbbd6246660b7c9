"""What the browser looks at: configurations of small real runs, and large reports written without a run."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from report_fakes import report_of, row_of, value_of

from editeval.reports.site.thumbnails import FOLDER, INDEX, Found, ThumbnailStore
from editeval.reports.site.write import write_report_html
from editeval.store.records import SampleRow

PERIOD = 40  # after so many samples of a large report its pictures come again
BENCHMARK = {"type": "procedural", "params": {"num_per_category": 4}}
SCROLL = """async () => {
  const list = document.querySelector('.rows'), frames = [], blanks = [];
  let last = performance.now();
  for (let i = 0; i < 150; i++) {
    list.scrollTop += i < 100 ? 120 : 90000;
    await new Promise(done => requestAnimationFrame(done));
    const now = performance.now();
    frames.push(now - last);
    last = now;
    await new Promise(done => requestAnimationFrame(done));
    last = performance.now();
    const box = list.getBoundingClientRect();
    blanks.push(!document.elementFromPoint(box.x + 40, box.y + box.height / 2)?.closest('.row'));
  }
  frames.sort((a, b) => a - b);
  const nodes = document.querySelectorAll('.row').length;
  return { median: frames[75], p95: frames[142], blanks: blanks.filter(Boolean).length, nodes };
}"""
PAYLOADS = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '"><img src=x onerror=alert(3)>',
    "'><svg onload=alert(4)>",
    "javascript:alert(5)",
    "<iframe srcdoc='<script>alert(6)</script>'>",
    "${alert(7)}{{alert(8)}}`${alert(9)}`",
    "<!--<script>alert(10)//-->",
    "\u2028alert(11)\u2029\u202egnp.exe",
    "__proto__",
    "constructor",
)


CHANCES = {"default": {"partial": 0.5, "over_edit": 0.3, "wrong_object": 0.2}}  # no exact one: few scores are equal


def config_of(benchmark: dict[str, Any], editor: str) -> dict[str, Any]:
    more = {"chances": CHANCES} if editor == "simulated" else {}
    return {
        "benchmark": benchmark,
        "diffusion_model": {"type": editor, "params": {"device_ids": ["cpu", "cpu"], **more}},
        "reward_model": {"type": "reference", "params": {"device_ids": ["cpu"]}},
    }


def picture(seed: int, size: int = 96) -> bytes:
    """A PNG with something to see."""
    image = Image.new("RGB", (size, size), (40 + seed * 37 % 180, 60 + seed * 91 % 160, 90 + seed * 53 % 140))
    image.paste((250, 220, 60), (size // 4, size // 4, size // 2, size // 2 + seed % 20))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def hostile_benchmark(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """(benchmark, editor): ids, instructions and categories are PAYLOADS; every third edit fails with its id."""
    images = folder / "images"
    images.mkdir()
    (images / "a.png").write_bytes(picture(1))
    rows = [
        {"id": f"{number} {text}", "image": "a.png", "instruction": f"{text} {text}", "category": text}
        for number, text in enumerate(PAYLOADS)
    ]
    rows[-2]["id"], rows[-1]["id"] = PAYLOADS[-2:]
    (images / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    params = {"device_ids": ["cpu"], "raises": [row["id"] for row in rows[::3]]}
    return {"type": "image_folder", "params": {"path": str(images)}}, {"type": "fakes.fake_editor", "params": params}


def large_report(directory: Path, count: int) -> Path:
    """report.html of `count` samples with PERIOD pictures among them, five of a hundred edits failed."""
    pictures = [picture(seed) for seed in range(PERIOD)]
    (directory / "edits").mkdir(parents=True)
    names = [hashlib.sha256(data).hexdigest() for data in pictures]
    for name, data in zip(names, pictures, strict=True):
        (directory / "edits" / f"{name[:32]}.png").write_bytes(data)
    rows = []
    for index in range(count):
        name = names[index % PERIOD]
        row = row_of(index, "failed" if index % 20 == 7 else "done", value_of(index))
        done = {"sha256": name, "edited_path": f"edits/{name[:32]}.png"} if row.status == "done" else {}
        rows.append(replace(row, id=f"sample/{index:06d}", **done))  # type: ignore[arg-type]
    report = report_of(rows, directory)

    def images(sample_id: str) -> tuple[bytes, bytes]:
        number = int(sample_id.rpartition("/")[2])
        return pictures[number % PERIOD], pictures[(number + 1) % PERIOD]

    _know_pictures(directory, rows, images)
    return write_report_html(replace(report, images=images), directory)


def _know_pictures(directory: Path, rows: list[SampleRow], images: Callable[[str], tuple[bytes, bytes]]) -> None:
    """The shelf holds the pictures of all rows, as after a run: made for the first PERIOD, known for the others."""
    for folder in ("thumbs", "pictures"):
        (directory / FOLDER / folder).mkdir(parents=True)
    shelf = ThumbnailStore(directory)
    for row in rows[:PERIOD]:
        edited = (directory / row.edited_path).read_bytes() if row.edited_path else None
        shelf.add(Found(row.id, *images(row.id), edited, row.sha256))
    index = directory / FOLDER / INDEX
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    with index.open("a", encoding="utf-8") as file:
        for number, row in enumerate(rows[PERIOD:], start=PERIOD):
            file.write(json.dumps([row.id, *lines[number % PERIOD][1:]]) + "\n")


def opening_ms(page: Any) -> float:
    """From the beginning of the navigation until every row is there."""
    return float(page.evaluate("performance.getEntriesByName('complete')[0].startTime"))
