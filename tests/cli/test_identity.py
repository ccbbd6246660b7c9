"""From the command line, process by process: changed code, changed weights, changed samples; `verify` and `status`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from editeval.images import encode_png
from editeval.store.run_store import RunStore

pytestmark = pytest.mark.slow

EDITOR = """
from dataclasses import dataclass
from editeval.types import Editor
from zz_plugin.painting import painted

@dataclass(frozen=True)
class Params:
    weights: str = ""

class Mine(Editor):
    Params = Params
    default_device = "cpu"
    def edit(self, request, progress):
        progress(1, 1)
        return painted(request.images[0])
"""
PAINTING = """
from PIL import Image
from editeval.images import decode

def painted(source):
    return Image.new("RGB", decode(source).size, "red")
"""
JUDGE = """
from dataclasses import dataclass
from editeval.types import Judge, Score

@dataclass(frozen=True)
class Params:
    pass

class Strict(Judge):
    Params = Params
    metrics = ("overall",)
    default_device = "cpu"
    def judge(self, requests):
        return [[Score(request.key, "strict", "overall", 4.0)] for request in requests]
"""
CONFIG = """\
benchmark: {type: image_folder, params: {path: data}}
diffusion_model: {type: zz_plugin.editor, params: {device_ids: [cpu], weights: model}}
reward_model: {type: zz_plugin.judge, params: {device_ids: [cpu]}}
"""


class Place:
    """A folder in which a user works."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in (("editor", EDITOR), ("painting", PAINTING), ("judge", JUDGE), ("__init__", "")):
            self.write(f"zz_plugin/{name}.py", text)
        self.write("mine.yaml", CONFIG)
        self.write("model/config.json", "{}")
        self.write("model/weights.pt", "one")
        rows = [{"id": f"s{n}", "image": f"{n}.png", "instruction": f"paint {n}"} for n in range(6)]
        for number in range(6):
            self.paint(number, (number, 0, 0))
        self.write("data/manifest.jsonl", "\n".join(map(json.dumps, rows)))

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def paint(self, number: int, colour: tuple[int, int, int]) -> None:
        (self.folder / "data").mkdir(exist_ok=True)
        (self.folder / "data" / f"{number}.png").write_bytes(encode_png(Image.new("RGB", (9, 7), colour)))

    def __call__(self, *arguments: str, expected: int = 0) -> str:
        """What the command said, on both streams."""
        environment = {**os.environ, "EDITEVAL_ALLOW_CODE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        environment["PYTHONPATH"] = os.pathsep.join([str(self.folder), environment["PYTHONPATH"]])
        command = [sys.executable, "-m", "editeval", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == expected, (arguments, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def runs(self) -> list[Path]:
        """The latest last."""
        found = (path for path in (self.folder / "outputs").glob("mine-*") if path.is_dir())
        return sorted(found, key=lambda path: json.loads((path / "manifest.json").read_text())["created_at"])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made("run", "mine.yaml", "--display", "plain")
    return made


def test_a_changed_file_of_an_editor_is_another_run_and_verify_says_which(place: Place) -> None:
    assert "0 problems" in place("verify", "latest")
    assert "6 edited already, 0 to edit" in place("run", "mine.yaml", "--display", "plain")
    place.write("zz_plugin/painting.py", PAINTING.replace("red", "blue"))
    (first,) = place.runs()
    said = place("verify", first.name, expected=3)
    assert "diffusion_model: inputs: code of the plug-in (zz_plugin.painting): not what made 6 edits" in said
    assert f"{first.name} differs in code of the plug-in (zz_plugin.painting): a new run begins" in place(
        "run", "mine.yaml", "--dry-run"
    )
    said = place("run", "mine.yaml", "--display", "plain")
    assert f"{first.name} differs in code of the plug-in (zz_plugin.painting): a new run begins" in said
    assert "6 to edit" in said
    old, new = place.runs()
    assert old == first and "0 problems" in place("verify", new.name)
    assert place("retry", first.name, expected=2).startswith(f"editeval: {first}: changed since its edits: code of the")


def test_a_changed_judge_adds_scores_and_the_old_ones_stay(place: Place) -> None:
    place.write("zz_plugin/judge.py", JUDGE.replace("4.0", "9.0"))
    said = place("verify", "latest", expected=3)
    assert "reward_model: inputs: code of the plug-in (judge.py): not what made the scores of judge (" in said
    assert "4.00" in place("report", "latest"), "a report shows what there is"
    said = place("run", "mine.yaml", "--display", "plain")
    assert "reward_model: changed: code of the plug-in (judge.py): scores are made again" in said
    assert "9.00" in said and "0 to edit" in said
    (run,) = place.runs()
    with RunStore.read(run) as store:
        values = [{row.scores["overall"].value for row in store.rows(judging.id)} for judging in store.judgings()]
    assert values == [{4.0}, {9.0}]


def test_changed_weights_and_samples_are_told_by_verify_and_what_is_gone_is_unknown(place: Place) -> None:
    place.write("model/weights.pt", "two")
    place.paint(3, (200, 0, 0))
    said = place("verify", "latest", expected=3)
    assert "weights named by weights (weights.pt): not what made 6 edits" in said
    assert "benchmark: inputs: 's3': the source image is not the one that was edited" in said and "2 problems" in said
    for path in sorted((place.folder / "model").iterdir()):
        path.unlink()
    (place.folder / "model").rmdir()
    place.paint(3, (3, 0, 0))
    said = place("verify", "latest")
    assert "unknown: diffusion_model: weights named by weights: not on this machine any more" in said
    (place.folder / "data" / "manifest.jsonl").unlink()
    assert "unknown: benchmark: the sources of " in place("verify", "latest")


def test_status_and_report_name_what_was_reused(place: Place) -> None:
    (first,) = place.runs()
    place.write("data/manifest.jsonl", (place.folder / "data" / "manifest.jsonl").read_text().replace("t 5", "t it"))
    said = place("run", "mine.yaml", "--display", "plain")
    assert f"{first.name} differs in benchmark: 1 sample of 6" in said
    assert f"5 edits and the scores of 4 reused from {first.name}" in said and "1 to edit" in said
    assert f"5 edits and the scores of 4 reused from {first.name}" in place("status", "latest")
    (one,) = json.loads(place("status", "latest", "--json"))["reused"]
    assert one == {"run": first.name, "num_edits": 5, "num_scored": 4}
    assert f"reused  5 edits and the scores of 4 from {first.name}" in place("report", "latest")
    assert "0 problems" in place("verify", "latest")
    assert "'s5': the instruction is not the one that was followed" in place("verify", first.name, expected=3)
