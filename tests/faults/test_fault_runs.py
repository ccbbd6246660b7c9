"""Rows P12, D1, D5, D9, D10 and I3-I7 of the fault table: whole runs as a user types them, and what breaks them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fault_runs import IDS, cli, config_in, samples_in
from PIL import Image

from editeval.images import decode, encode_png
from editeval.store.run_store import RunStore
from waiting import wait_for

pytestmark = pytest.mark.slow


def started(folder: Path) -> subprocess.Popen[str]:
    """A run in the background, one edit of which has landed; what it says on stderr goes to the file `said`."""
    command = [sys.executable, "-m", "editeval", "run", "small.yaml", "--allow-code"]
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=said, text=True)
    wait_for(lambda: list((folder / "outputs").glob("small-*/edits/*.png")) or process.poll() is not None)
    assert process.poll() is None, "it ended early"
    return process


def workers_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended while we looked
        if int(fields[1]) == pid:
            found.append(int(entry.parent.name))
    return found


def test_a_second_interrupt_stops_at_once_and_the_run_continues_to_the_same_result(tmp_path: Path) -> None:
    config_in(tmp_path, once={IDS[2]: "deadlock"})  # what waits for that edit never ends
    process = started(tmp_path)
    workers = workers_of(process.pid)
    wait_for(lambda: list((tmp_path / "notes").glob("first-*")))
    process.send_signal(signal.SIGINT)
    wait_for(lambda: "once more stops at once" in (tmp_path / "said").read_text("utf-8"))
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    said = (tmp_path / "said").read_text("utf-8")
    assert "To continue: editeval run small.yaml" in said and "Traceback" not in said
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    assert cli("run", "small.yaml", "--allow-code", cwd=tmp_path).returncode == 0
    stopped = samples_in(tmp_path)
    assert cli("run", "small.yaml", "--allow-code", "--fresh", cwd=tmp_path).returncode == 0
    assert samples_in(tmp_path) == stopped


def test_a_second_run_on_the_same_directory_is_told_who_holds_it(tmp_path: Path) -> None:
    config_in(tmp_path, seconds=1.0)
    process = started(tmp_path)
    process.send_signal(signal.SIGSTOP)  # it holds what it has for as long as the others ask
    second = cli("run", "small.yaml", "--allow-code", cwd=tmp_path)
    assert second.returncode == 2 and f"in use by process {process.pid} on " in second.stderr
    assert second.stderr.count("\n") == 1 and "--fresh" in second.stderr
    assert cli("retry", "--allow-code", cwd=tmp_path).returncode == 2
    process.send_signal(signal.SIGCONT)
    assert process.wait(120) == 0 and len(samples_in(tmp_path)) == 5


@pytest.mark.parametrize("jump", ["3600", "-3600", "-1790000000", "random"])
def test_a_clock_that_jumps_changes_no_result_and_gives_no_negative_time(tmp_path: Path, jump: str) -> None:
    """The clock on the wall jumps in the parent and in its workers; durations are counted by another one."""
    (tmp_path / "clock").mkdir()
    (tmp_path / "clock" / "sitecustomize.py").write_text(
        "import os, random, time\n"
        "real, begun = time.time, time.monotonic()\n"
        "step = os.environ['JUMP']\n"
        "def jumping():\n"
        "    if step == 'random':\n"
        "        return real() + random.choice((-7200, -3600, 0, 3600, 7200))\n"
        "    return real() + (float(step) if time.monotonic() - begun > 1.0 else 0.0)\n"
        "time.time = jumping\n",
        encoding="utf-8",
    )
    config_in(tmp_path, seconds=0.4)
    assert cli("run", "small.yaml", "--allow-code", cwd=tmp_path).returncode == 0
    calm = samples_in(tmp_path)
    path = os.pathsep.join([str(tmp_path / "clock"), os.environ["PYTHONPATH"]])
    wild = cli("run", "small.yaml", "--allow-code", "--fresh", cwd=tmp_path, PYTHONPATH=path, JUMP=jump)
    assert wild.returncode == 0, wild.stderr
    assert samples_in(tmp_path) == calm
    with RunStore.read(tmp_path / "outputs" / "latest") as store:
        assert all(edit.attempt == 1 and 0.4 <= edit.seconds < 1800 for edit in store.edits())
        events = store.events()
        assert [event.seq for event in events] == sorted(event.seq for event in events)
    report = json.loads((tmp_path / "outputs" / "latest" / "report.json").read_text(encoding="utf-8"))
    spans = [value for name, value in report["timing"].items() if name.endswith("_s")]
    assert all(value >= 0 for value in spans), report["timing"]
    assert cli("verify", cwd=tmp_path).returncode == 0


def test_a_full_disk_in_the_middle_of_a_run_is_one_line_and_the_run_continues_afterwards(tmp_path: Path) -> None:
    """No file may grow beyond 120 kB: the ledger meets that after a few edits, as on a disk that fills up."""
    config_in(tmp_path, says="x" * 30_000, faults=dict.fromkeys(IDS, "raise"))
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000)); "
    limit += "from editeval.cli.main import main; main(['run', 'small.yaml', '--allow-code'])"
    full = subprocess.run([sys.executable, "-c", limit], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert full.returncode == 2, full.stderr
    last = full.stderr.strip().splitlines()[-1]
    assert last.startswith("editeval: ") and "the same command continues" in last and "Traceback" not in full.stderr
    assert cli("verify", cwd=tmp_path).returncode == 0, "what was recorded is sound"
    assert cli("run", "small.yaml", "--allow-code", cwd=tmp_path).returncode == 3
    assert {row["edit"]["error"]["reason"] for row in samples_in(tmp_path).values()} == {"exception"}


def test_a_benchmark_that_changed_is_another_run_and_the_old_one_stays(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.png").write_bytes(encode_png(Image.new("RGB", (8, 8), "red")))
    (data / "manifest.jsonl").write_text('{"id": "a", "image": "a.png", "instruction": "x"}\n', encoding="utf-8")
    text = "benchmark: {type: image_folder, params: {path: data}}\ndiffusion_model: {type: identity, params: "
    (tmp_path / "small.yaml").write_text(text + "{device_ids: [cpu]}}\n", encoding="utf-8")
    assert cli("run", "small.yaml", cwd=tmp_path).returncode == 0
    first = (tmp_path / "outputs" / "latest").resolve()
    before = samples_in(tmp_path)
    (data / "a.png").write_bytes(encode_png(Image.new("RGB", (8, 8), "blue")))
    assert cli("run", "small.yaml", cwd=tmp_path).returncode == 0
    second = (tmp_path / "outputs" / "latest").resolve()
    assert second != first and samples_in(tmp_path) != before
    assert json.loads((first / "samples.jsonl").read_text(encoding="utf-8")) == before["a"]
    found = cli("verify", str(first), cwd=tmp_path)
    assert found.returncode == 3 and "1 problems" in found.stdout
    assert "benchmark: inputs: 'a': the source image is not the one that was edited" in found.stdout


def _animation(path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(path, "WEBP", save_all=True, append_images=frames[1:], lossless=True)


def _turned(path: Path) -> None:
    image = Image.new("RGB", (8, 4), "red")
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(path, exif=exif)


PICTURES = {
    "cmyk.jpg": (lambda path: Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(path, quality=100), (8, 8)),
    "rgba.png": (lambda path: Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(path), (8, 8)),
    "turned.jpg": (_turned, (4, 8)),
    "sixteen.png": (lambda path: Image.new("I;16", (8, 8), 40_000).save(path), (8, 8)),
    "moving.webp": (_animation, (8, 8)),
    "truncated.png": (lambda path: path.write_bytes(encode_png(Image.new("RGB", (64, 64), "red"))[:-30]), None),
    "page.png": (lambda path: path.write_bytes(b"<html>404</html>"), None),
    "nothing.png": (lambda path: path.write_bytes(b""), None),
    "bomb.png": (lambda path: Image.new("1", (20_000, 20_000)).save(path), None),
}


def test_every_odd_picture_is_edited_as_it_is_seen_or_fails_alone(tmp_path: Path) -> None:
    """One run over all of them; edited and judged pixels come through the same normalisation."""
    data = tmp_path / "data"
    data.mkdir()
    ids = {name: f"../{name}" for name in PICTURES}
    ids |= {"rgba.png": "编辑/😀", "turned.jpg": "x" * 300, "cmyk.jpg": "C:\\windows\\a|b?*"}
    rows = []
    for name, (draw, _) in PICTURES.items():
        draw(data / name)
        rows.append({"id": ids[name], "image": name, "instruction": "do nothing", "category": "odd"})
    (data / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    text = "benchmark: {type: image_folder, params: {path: data}}\ndiffusion_model: {type: identity, params: "
    (tmp_path / "small.yaml").write_text(text + "{device_ids: [cpu, cpu]}}\n", encoding="utf-8")
    done = cli("run", "small.yaml", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    found = samples_in(tmp_path)
    assert list(found) == list(ids.values())
    with RunStore.read(tmp_path / "outputs" / "latest") as store:
        for name, (_, size) in PICTURES.items():
            edit = store.edit_of(ids[name])
            assert edit is not None
            if size is None:
                assert edit.error is not None and edit.error.reason == "bad_source", name
                continue
            assert (edit.width, edit.height) == size, name
            pixels = decode(store.read_edit(edit))
            colours = {"rgba.png": (255, 255, 255), "sixteen.png": (155, 155, 155), "moving.webp": (255, 0, 0)}
            if name in colours:
                assert pixels.getpixel((1, 1)) == colours[name], name
    assert {path.parent.name for path in tmp_path.rglob("*.png")} <= {"data", "edits", "pictures"}


def test_a_smaller_selection_of_a_finished_run_is_reported_as_a_part_of_it(tmp_path: Path) -> None:
    config_in(tmp_path)
    assert cli("run", "small.yaml", "--allow-code", cwd=tmp_path).returncode == 0
    part = cli("run", "small.yaml", "--allow-code", "--limit", "2", cwd=tmp_path)
    words = "covers 2 of the 5 edits that this run has"
    assert part.returncode == 0 and f"this report {words}" in part.stdout
    assert words in (tmp_path / "outputs" / "latest" / "report.md").read_text(encoding="utf-8")
    whole = cli("run", "small.yaml", "--allow-code", cwd=tmp_path)
    assert "covers" not in whole.stdout and "5 edited already, 0 to edit" in whole.stderr
