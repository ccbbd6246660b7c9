"""A model's name on the Hub is looked up before anything starts, of judges as of editors; the server is a real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from editeval.judges.transformers_vlm import TransformersVlmJudge, TransformersVlmParams
from editeval.judges.vllm_vlm import VllmVlmJudge, VllmVlmParams
from fakes.hub_server import COMMIT, HubServer

pytestmark = pytest.mark.models

REPO = "somebody/judge"
NOWHERE = "http://127.0.0.1:9"
LISTING = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """As much of a judge's checkpoint as is looked at from outside."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


class Place:
    """A folder for runs with a cache of the Hub's of its own."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "HF_TOKEN")}
        self.environ = kept | {"HF_HOME": str(folder / "hf")} | environ

    def run(self, editor: Mapping[str, Any], judge: Mapping[str, Any]) -> list[str]:
        """The lines that a refused run prints."""
        config = {
            "benchmark": {"type": "procedural", "params": {"num_per_category": 1, "size": 64}},
            "diffusion_model": dict(editor),
            "reward_model": dict(judge),
        }
        path = self.folder / "run.yaml"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        command = [sys.executable, "-m", "editeval", "run", str(path)]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 2, done.stderr
        assert not (self.folder / "outputs").exists(), "nothing has begun"
        assert "Traceback" not in done.stderr
        return done.stderr.splitlines()

    def look_up(self, name: str, revision: str | None = None) -> str:
        """The problem with the judge of that name."""
        judge = TransformersVlmJudge.hub_model(TransformersVlmParams(model_name=name, revision=revision))
        assert judge is not None
        script = "import json, sys; from editeval.machine import hub; from editeval.types import HubModel; "
        script += (
            "print(hub.problem_of(HubModel(**json.loads(sys.argv[1])))); sys.stdout.flush(); import os; os._exit(0)"
        )
        wanted = json.dumps({"name": judge.name, "revision": judge.revision, "file": judge.file})
        command = [sys.executable, "-c", script, wanted]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=60, check=True)
        return done.stdout.strip()

    def download(self, *names: str) -> None:
        """These files are in the cache."""
        script = (
            "import sys; from huggingface_hub import hf_hub_download as d; [d(sys.argv[1], n) for n in sys.argv[2:]]"
        )
        subprocess.run([sys.executable, "-c", script, REPO, *names], env=self.environ, check=True, timeout=60)


IDENTITY = {"type": "identity"}


def judge(**params: Any) -> dict[str, Any]:
    return {"type": "transformers_vlm", "params": {"device_ids": ["cpu"], "model_name": REPO} | params}


def editor(name: str) -> dict[str, Any]:
    return {"type": "qwen_image_edit", "params": {"device_ids": ["cpu"], "model_name": name}}


def test_a_judge_that_the_hub_does_not_know_costs_no_edit(model: Path, tmp_path: Path) -> None:
    with HubServer(REPO, model) as hub:
        (said,) = Place(tmp_path, {"HF_ENDPOINT": hub.url}).run(IDENTITY, judge(model_name="nobody/else"))
    assert said.startswith("editeval: reward_model.params.model_name: the Hub knows no nobody/else; check the spelling")


def test_a_gated_judge_and_a_wrong_revision_are_told_before_anything_starts(model: Path, tmp_path: Path) -> None:
    with HubServer(REPO, model, is_gated=True) as hub:
        (said,) = Place(tmp_path, {"HF_ENDPOINT": hub.url}).run(IDENTITY, judge())
    assert said.endswith(f"{REPO} is gated; accept its licence on the Hub, then `hf auth login` or set HF_TOKEN")
    with HubServer(REPO, model) as hub:
        (said,) = Place(tmp_path, {"HF_ENDPOINT": hub.url}).run(IDENTITY, judge(revision="v9"))
    assert said.endswith(f"{REPO} has no revision 'v9'; fix revision")


def test_an_adapter_that_the_hub_does_not_have_is_named_as_such(model: Path, tmp_path: Path) -> None:
    with HubServer(REPO, model) as hub:
        place = Place(tmp_path, {"HF_ENDPOINT": hub.url})
        lines = place.run(IDENTITY, judge(adapter="somebody/lora", adapter_revision="a" * 40))
        assert len(lines) == 1, lines
        (said,) = lines
        assert said.startswith("editeval: reward_model.params.adapter: the Hub knows no somebody/lora;")
        given = {"model_name": str(model), "adapter": REPO, "adapter_revision": COMMIT}
        (said,) = place.run(IDENTITY, judge(**given))
        assert (
            f"reward_model.params.adapter: {REPO} has no adapter_config.json; it is no checkpoint of this kind" in said
        )


def test_a_hub_that_is_silent_is_named_for_each_model(model: Path, tmp_path: Path) -> None:
    with HubServer(REPO, model, is_silent=True) as hub:
        lines = Place(tmp_path, {"HF_ENDPOINT": hub.url}).run(editor("somebody/editor"), judge())
    for line, name in zip(lines, ("somebody/editor", REPO), strict=True):
        assert line.startswith("editeval: ") and f"{name} is not in the cache and the Hub " in line
        assert "does not answer within 3 s; download it first, or give a folder" in line


@pytest.mark.parametrize("address", [NOWHERE, "http://no-such-host.invalid"])
def test_without_a_network_a_name_that_is_not_in_the_cache_is_refused(tmp_path: Path, address: str) -> None:
    (said,) = Place(tmp_path, {"HF_ENDPOINT": address}).run(IDENTITY, judge())
    assert f"{REPO} is not in the cache and the Hub " in said and "download it first, or give a folder" in said


def test_offline_the_hub_is_not_asked(model: Path, tmp_path: Path) -> None:
    with HubServer(REPO, model) as hub:
        (said,) = Place(tmp_path, {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "1"}).run(IDENTITY, judge())
        assert hub.asked == []
    assert f"{REPO} is not in the cache and HF_HUB_OFFLINE is set" in said


CUT_OFF = """
import sys
from editeval.errors import MachineError
from editeval.judges.local import adapter
from editeval.judges.local.pretrained import ModelRequest, load_config
for read in (
    lambda: load_config(ModelRequest(sys.argv[1], None, "float32", False)),
    lambda: adapter.read(sys.argv[1], sys.argv[2]),
):
    try:
        read()
    except MachineError as error:
        print(error)
"""


def test_a_download_that_is_cut_off_is_one_line_for_a_model_and_for_an_adapter(model: Path, tmp_path: Path) -> None:
    (model / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 4}), encoding="utf-8")
    (model / "config.json").write_text(json.dumps({"model_type": "qwen2_5_vl"}), encoding="utf-8")
    with HubServer(REPO, model) as hub:
        hub.is_cut = True
        place = Place(tmp_path, {"HF_ENDPOINT": hub.url})
        command = [sys.executable, "-c", CUT_OFF, REPO, COMMIT]
        done = subprocess.run(command, env=place.environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    of_model, of_adapter = done.stdout.splitlines()
    assert of_model.startswith(f"reward_model.params.model_name: '{REPO}' cannot be loaded: "), of_model
    assert of_adapter.startswith("reward_model.params.adapter: ") and "adapter_config.json cannot be had" in of_adapter


def test_a_model_in_the_cache_needs_no_network(model: Path, tmp_path: Path) -> None:
    with HubServer(REPO, model) as hub:
        place = Place(tmp_path, {"HF_ENDPOINT": hub.url})
        assert place.look_up(REPO) == ""
        assert [path for path in hub.asked if REPO in path] == [f"/{REPO}/resolve/main/config.json"], "one question"
        place.download("config.json", "model.safetensors")
        num_asked = len(hub.asked)
        assert place.look_up(REPO) == "" and len(hub.asked) == num_asked
    assert Place(tmp_path, {"HF_ENDPOINT": NOWHERE}).look_up(REPO) == ""
    assert Place(tmp_path, {"HF_ENDPOINT": NOWHERE}).look_up(REPO, "v9") != "", "that revision is not there"


def test_a_model_that_is_half_in_the_cache_is_not_there(model: Path, tmp_path: Path) -> None:
    (model / "model.safetensors").unlink()
    (model / "model.safetensors.index.json").write_text(json.dumps(LISTING), encoding="utf-8")
    for part in ("model-1.safetensors", "model-2.safetensors"):
        (model / part).write_bytes(b"weights")
    with HubServer(REPO, model) as hub:
        place = Place(tmp_path, {"HF_ENDPOINT": hub.url})
        place.download("config.json", "model.safetensors.index.json", "model-1.safetensors")
        cut_off = Place(tmp_path, {"HF_ENDPOINT": NOWHERE})
        assert "is not in the cache and the Hub cannot be reached" in cut_off.look_up(REPO)
        place.download("model-2.safetensors")
        assert cut_off.look_up(REPO) == ""


def test_the_interpreter_that_will_load_the_judge_is_the_one_that_looks(model: Path, tmp_path: Path) -> None:
    elsewhere, notes = tmp_path / "elsewhere", tmp_path / "notes"
    elsewhere.write_text(f'#!/bin/sh\necho "$@" >> "{notes}"\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    elsewhere.chmod(0o755)
    with HubServer(REPO, model) as hub:
        place = Place(tmp_path, {"HF_ENDPOINT": hub.url, "EDITEVAL_ALLOW_CODE": "1"})
        (said,) = place.run(IDENTITY, judge(model_name="nobody/else") | {"execution": {"python": str(elsewhere)}})
    assert "the Hub knows no nobody/else" in said
    assert "editeval.machine.hub" in notes.read_text(encoding="utf-8").split()


def test_what_each_engine_would_get_from_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "somebody" / "here").mkdir(parents=True)
    for cls, params in ((TransformersVlmJudge, TransformersVlmParams), (VllmVlmJudge, VllmVlmParams)):
        found = cls.hub_model(params(model_name=REPO, revision="v1"))
        assert found is not None and (found.name, found.revision, found.file) == (REPO, "v1", "config.json")
        assert cls.hub_model(params(model_name="/some/folder")) is None
        assert cls.hub_model(params(model_name="somebody/here")) is None, "a folder of that name is what is loaded"
    assert VllmVlmJudge.hub_model(VllmVlmParams(model_name="somebody/quantised:Q4_K_M")) is None
