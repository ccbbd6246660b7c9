"""One run, two interpreters: editing and judging under different versions of one library."""

from __future__ import annotations

import site
import sys
import venv
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pipeline_fakes import config, report_of, run, samples_of

from editeval.errors import MachineError
from editeval.run.pipeline import evaluate
from editeval.store.run_store import RunStore


def interpreter(folder: Path, level: int) -> str:
    """A virtual environment with version `level` of the library `shade`, and this environment's packages behind it."""
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    (packages / "shade.py").write_text(f"LEVEL = {level}\n", encoding="utf-8")
    others = [*site.getsitepackages(), *(p for p in sys.path if p.endswith("site-packages"))]
    (packages / "others.pth").write_text("\n".join(others) + "\n", encoding="utf-8")
    return str(folder / "bin" / "python")


def settings(tmp_path: Path, one: str, two: str) -> dict[str, Any]:
    return {
        "diffusion_model": {"type": "fakes.tinted_editor", "execution": {"python": one}},
        "reward_model": {"type": "fakes.tinted_judge", "execution": {"python": two}},
    }


def test_editing_and_judging_run_under_two_versions_of_one_library(tmp_path: Path) -> None:
    one, two = interpreter(tmp_path / "one", 1), interpreter(tmp_path / "two", 2)
    result = run(tmp_path / "out", **settings(tmp_path, one, two))
    assert result.exit_code == 0
    assert {s["scores"]["overall"]["value"] for s in samples_of(result)} == {2.0}
    with RunStore.read(result.plan.dir) as store:
        paths = [store.edit_path(edit.sample_id) for edit in store.edits()]
    assert {Image.open(path).getpixel((0, 0)) for path in paths} == {(1, 0, 0)}
    used = report_of(result)["provenance"]["interpreters"]
    assert {section: entry["python"] for section, entry in used.items()} == {
        "diffusion_model": one,
        "reward_model": two,
    }
    assert used["reward_model"]["versions"]["python"].startswith("3.")


def test_an_interpreter_that_is_not_there_is_named_before_anything_starts(tmp_path: Path) -> None:
    broken = settings(tmp_path, sys.executable, str(tmp_path / "gone"))
    with pytest.raises(MachineError, match=r"^reward_model\.execution\.python: .*gone' is no working Python"):
        evaluate(config(tmp_path / "out", **broken))
    assert not (tmp_path / "out").exists()


def test_an_interpreter_that_cannot_ask_the_hub_is_named(tmp_path: Path) -> None:
    """Looked up where it will be loaded: this one has a client of the Hub that is broken."""
    one, two = interpreter(tmp_path / "one", 1), interpreter(tmp_path / "two", 2)
    (next((tmp_path / "two").glob("lib/python*/site-packages")) / "huggingface_hub.py").write_text("1 / 0\n")
    broken = settings(tmp_path, one, two)
    broken["reward_model"] |= {"type": "fakes.hub_judge"}
    with pytest.raises(
        MachineError, match=r"^reward_model\.params\.model_name: .*two/bin/python cannot look a/b up: Zero"
    ):
        evaluate(config(tmp_path / "out", **broken))
    assert not (tmp_path / "out").exists()
