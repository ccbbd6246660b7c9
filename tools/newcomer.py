"""`make newcomer`: what a newcomer does first, in an empty folder with a fresh environment, timed step by step.

The wheel is built from this checkout and installed. Its dependencies are those of the Python that runs this script, and
the commands are cut off from the network; with `--download` pip fetches them, as it does for a user. A step that fails
ends the script with 1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 900
NOWHERE = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
TRACKERS = ("trackio", "mlflow", "swanlab", "wandb")
MY_EDITOR = """\
from PIL import ImageOps


def edit(image, instruction, *, seed):
    return ImageOps.mirror(image)
"""
MY_JUDGE = """\
from PIL import ImageChops, ImageStat


def judge(source, edited, instruction):
    changed = ImageStat.Stat(ImageChops.difference(source.convert("L"), edited.convert("L"))).mean[0]
    return min(10.0, changed / 10)
"""
PICTURES = """\
from pathlib import Path
from PIL import Image, ImageOps

for folder in ("photos", "edits", "named"):
    Path(folder).mkdir()
rows, named = ["image,instruction"], ["id,image,instruction,category"]
for number in range(6):
    picture = Image.linear_gradient("L").rotate(15 * number).convert("RGB")
    picture.save(f"photos/photo-{number}.png")
    for name in (f"edits/photo-{number}.png", f"named/scene-{number}.png"):
        ImageOps.mirror(picture).save(name)
    rows.append(f"photo-{number}.png,mirror the picture")
    named.append(f"scene-{number},photo-{number}.png,mirror the picture,{'even' if number % 2 == 0 else 'odd'}")
Path("photos/manifest.csv").write_text("\\n".join(rows) + "\\n")
Path("photos/named.csv").write_text("\\n".join(named) + "\\n")
"""


class StepError(Exception):
    """What a command said that should not have failed, or what was not there afterwards."""


class Skipped(Exception):  # noqa: N818  no error
    """Why a step cannot be taken here."""


class Newcomer:
    """A folder, and an environment whose commands are run there."""

    def __init__(self, folder: Path, download: bool) -> None:
        self.folder, self.download = folder, download
        self.work = folder / "work"
        self.work.mkdir()
        self.bin = folder / "env" / "bin"
        self.num_commands = 0

    def type(self, *command: str, allowed: tuple[int, ...] = (0,)) -> str:
        """Runs one command as it is typed; what it said."""
        self.num_commands += 1
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("EDITEVAL_", "PYTHON"))}
        env = {**kept, "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"}
        env |= {"TRACKIO_DIR": str(self.work / "trackio")}  # else it keeps its runs in the home folder
        env |= {} if self.download else {**NOWHERE, "PIP_NO_INDEX": "1"}
        done = subprocess.run(
            command, cwd=self.work, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        if done.returncode not in allowed:
            raise StepError(
                f"$ {' '.join(command)}\nexit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            )
        return done.stdout + done.stderr

    def write(self, name: str, text: str) -> None:
        (self.work / name).write_text(text, encoding="utf-8")

    def install(self) -> None:
        wheels = self.folder / "wheels"
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        self.type(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(wheels), str(ROOT))
        (wheel,) = wheels.glob("editeval-*.whl")
        self.type(sys.executable, "-m", "venv", *([] if self.download else ["--without-pip"]), str(self.bin.parent))
        if self.download:
            self.type(str(self.bin / "pip"), "install", "--quiet", str(wheel))
            return
        (packages,) = self.bin.parent.glob("lib/python*/site-packages")
        (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
        target = ["--python", str(self.bin / "python"), "install", "--no-deps", "--no-index", str(wheel)]
        self.type(*pip, *target)

    def default_run(self) -> None:
        self.type("editeval", "run", "--limit", "10", allowed=(0, 3))  # 3: the stand-in fails some edits, as it is told
        self.must_be("outputs/latest/report.html")

    def init(self) -> None:
        self.type("editeval", "init", "mine.yaml")
        self.type("editeval", "check", "mine.yaml")
        self.type("editeval", "run", "mine.yaml", "--limit", "10", allowed=(0, 3))

    def own_function(self) -> None:
        self.write("my_editor.py", MY_EDITOR)
        self.type("editeval", "run", "--model", "my_editor.py", "--allow-code", "--gpus", "cpu", "--limit", "10")

    def own_pictures(self) -> None:
        self.write("my_judge.py", MY_JUDGE)
        self.write("pictures.py", PICTURES)
        self.type("python", "pictures.py")
        self.six_scored("run", "--model", "my_editor.py")

    def own_csv(self) -> None:
        self.six_scored("run", "--model", "my_editor.py", "--set", "benchmark.params.manifest=named.csv")

    def own_edits(self) -> None:
        self.six_scored("import", "edits", "--name", "elsewhere")
        self.six_scored("import", "named", "--set", "benchmark.params.manifest=named.csv")

    def six_scored(self, *command: str) -> None:
        data = ("--benchmark", "image_folder", "--data", "photos", "--judge", "my_judge.py", "--allow-code")
        said = self.type("editeval", *command, *data, "--gpus", "cpu")
        if "6 of 6 samples scored" not in said:
            raise StepError(f"$ editeval {' '.join(command)}\n{said}")

    def two_models(self) -> None:
        self.type("editeval", "run", "--model", "target", "--gpus", "cpu", "--limit", "10", "--name", "best")
        self.type("editeval", "run", "--model", "identity", "--gpus", "cpu", "--limit", "10", "--name", "nothing")
        said = self.type("editeval", "compare", "best", "nothing")
        if "best better than nothing on overall (+10.00" not in said:
            raise StepError(said)
        self.type("editeval", "runs")

    def opened(self) -> None:
        code = "import editeval; r = editeval.open_run('outputs/latest'); print(r.summary()[0]); r._repr_html_()"
        self.type("python", "-c", code)

    def notebook(self) -> None:
        """The cells as one program: a kernel is a large package. The last expression of a cell is printed."""
        cells = json.loads((ROOT / "examples" / "notebook.ipynb").read_text("utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        self.write("notebook.py", "\n\n".join([*code, 'assert run.exit_code == 0 and "<img" in run._repr_html_()\n']))
        self.type("python", "notebook.py")

    def tracker(self) -> None:
        find = f"from importlib.util import find_spec; print(next(filter(find_spec, {TRACKERS!r}), ''))"
        name = subprocess.check_output([str(self.bin / "python"), "-c", find], text=True).strip()
        if not name:
            raise Skipped(f"none of {', '.join(TRACKERS)} is installed")
        offline = ("--set", f"tracking.type={name}", "--set", "tracking.offline=true")
        said = self.type("editeval", "run", "--model", "identity", "--gpus", "cpu", "--limit", "4", *offline)
        if "tracking:" in said:  # how every complaint of a tracker begins
            raise StepError(said)

    def must_be(self, name: str) -> None:
        if not (self.work / name).is_file():
            raise StepError(f"{name} is not there")


def steps(newcomer: Newcomer) -> Iterator[tuple[str, Callable[[], None]]]:
    yield "install the wheel", newcomer.install
    yield "the default run", newcomer.default_run
    yield "a configuration: init, check, run", newcomer.init
    yield "a function of one's own as the editor", newcomer.own_function
    yield "a folder of one's own pictures, and a judge", newcomer.own_pictures
    yield "a CSV of one's own, with ids and categories", newcomer.own_csv
    yield "edits that were made elsewhere", newcomer.own_edits
    yield "a table of two models", newcomer.two_models
    yield "a run opened in Python", newcomer.opened
    yield "the notebook of examples/", newcomer.notebook
    yield "a tracker, offline", newcomer.tracker


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--download", action="store_true", help="pip fetches the dependencies")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="newcomer-") as place:
        newcomer, start = Newcomer(Path(place), options.download), time.monotonic()
        print(f"{'step':<48} {'commands':>8} {'seconds':>8}", flush=True)
        for name, step in steps(newcomer):
            before, began = newcomer.num_commands, time.monotonic()
            try:
                step()
            except Skipped as reason:
                print(f"{name:<48} skipped: {reason}", flush=True)
                continue
            except (StepError, subprocess.TimeoutExpired) as error:
                print(f"{name:<48} FAILED\n{error}")
                return 1
            print(f"{name:<48} {newcomer.num_commands - before:>8} {time.monotonic() - began:>8.1f}", flush=True)
        print(f"{'all':<48} {newcomer.num_commands:>8} {time.monotonic() - start:>8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
