"""Whatever cannot work is one line, from the command line, before a second worker starts to load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from conftest import Folder
from fakes.hub_server import COMMIT, HubServer
from fakes.nvidia_smi import write_driver

pytestmark = pytest.mark.models

REPO = "nobody/tiny-klein"
KEY = "diffusion_model.params.model_name: "


def run(folder: Path, params: Mapping[str, object], environ: Mapping[str, str]) -> str:
    """Everything that `editeval run` with six workers prints; it must end with exit code 2."""
    config = {
        "benchmark": {"type": "procedural", "params": {"num_per_category": 1, "size": 64}},
        "diffusion_model": {"type": "diffusers_pipeline", "params": {"device_ids": ["cpu"] * 6, **params}},
        "evaluation": {"output_dir": str(folder / "out")},
    }
    (folder / "bad.yaml").write_text(yaml.safe_dump(config), "utf-8")
    inherited = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "HF_TOKEN")}
    done = subprocess.run(
        [sys.executable, "-m", "editeval", "run", str(folder / "bad.yaml")],
        env=inherited | {"HF_HOME": str(folder / "hf")} | dict(environ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    return done.stderr


CONSENT = {"EDITEVAL_ALLOW_CODE": "1"}


def check(folder: Path, line: str, params: Mapping[str, object], environ: Mapping[str, str] | None = None) -> None:
    """Raises AssertionError unless that run prints `line`, as one line, and has loaded one worker at most."""
    said = run(folder, params, environ or {})
    last = said.splitlines()[-1]
    assert last.startswith("editeval: ")
    assert line in last
    assert "Traceback" not in said
    assert said.count("Loading worker") <= 1


def test_a_gated_model_without_a_token(tiny: Folder, tmp_path: Path) -> None:
    with HubServer(REPO, tiny("flux2_klein"), is_gated=True) as hub:
        line = f"{KEY}{REPO} is gated; accept its licence on the Hub, then `hf auth login` or set HF_TOKEN"
        check(tmp_path, line, {"model_name": REPO}, {"HF_ENDPOINT": hub.url})


def test_a_wrong_revision(tiny: Folder, tmp_path: Path) -> None:
    with HubServer(REPO, tiny("flux2_klein")) as hub:
        line = f"{KEY}{REPO} has no revision 'v9'; fix revision"
        check(tmp_path, line, {"model_name": REPO, "revision": "v9"}, {"HF_ENDPOINT": hub.url})


def test_a_model_that_the_hub_does_not_know(tiny: Folder, tmp_path: Path) -> None:
    with HubServer(REPO, tiny("flux2_klein")) as hub:
        line = f"{KEY}the Hub knows no nobody/else; check the spelling"
        check(tmp_path, line, {"model_name": "nobody/else"}, {"HF_ENDPOINT": hub.url})


@pytest.mark.parametrize(
    ("address", "why"), [("http://127.0.0.1:9", "cannot be reached: "), ("http://no-such-host.invalid", "the Hub ")]
)
def test_a_hub_that_cannot_be_reached(address: str, why: str, tmp_path: Path) -> None:
    check(tmp_path, f"{KEY}{REPO} is not in the cache and ", {"model_name": REPO}, {"HF_ENDPOINT": address})
    said = run(tmp_path, {"model_name": REPO}, {"HF_ENDPOINT": address})
    assert why in said
    assert "download it first, or give a folder" in said


def test_a_hub_that_never_answers(tiny: Folder, tmp_path: Path) -> None:
    with HubServer(REPO, tiny("flux2_klein"), is_silent=True) as hub:
        said = run(tmp_path, {"model_name": REPO}, {"HF_ENDPOINT": hub.url})
    assert f"{KEY}{REPO} is not in the cache and the Hub " in said.splitlines()[-1]


def test_no_network_is_wanted(tmp_path: Path) -> None:
    line = f"{KEY}{REPO} is not in the cache and HF_HUB_OFFLINE is set; download it first, or give a folder"
    check(tmp_path, line, {"model_name": REPO}, {"HF_HUB_OFFLINE": "1"})


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    check(tmp_path, f"{KEY}/nowhere/at/all: nothing there; give a checkpoint folder", {"model_name": "/nowhere/at/all"})


def test_a_revision_of_a_folder(tiny: Folder, tmp_path: Path) -> None:
    line = "diffusion_model.params.revision: "
    check(tmp_path, line, {"model_name": str(tiny("flux2_klein")), "revision": "main"})


def test_a_checkpoint_with_a_file_missing_is_told_before_the_libraries_load(tiny: Folder, tmp_path: Path) -> None:
    import shutil

    folder = shutil.copytree(tiny("flux2_klein"), tmp_path / "copy")
    (folder / "transformer" / "diffusion_pytorch_model.safetensors").unlink()
    check(tmp_path, f"{KEY}{folder}: transformer: every weight file is missing", {"model_name": str(folder)})


def test_a_pipeline_of_no_family(tiny: Folder, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "SomeNewPipeline"}), "utf-8")
    check(tmp_path, f"{KEY}its pipeline is SomeNewPipeline, of no family", {"model_name": str(folder)})


def test_remote_code_without_a_pinned_revision(tmp_path: Path) -> None:
    line = "trust_remote_code: needs `revision` pinned to a commit of 40 hex digits, got 'main'"
    check(tmp_path, line, {"model_name": REPO, "trust_remote_code": True, "revision": "main"}, CONSENT)


def test_a_device_that_is_not_there(tiny: Folder, tmp_path: Path) -> None:
    line = "diffusion_model.params.device_ids: no cuda:7 on this machine"
    check(tmp_path, line, {"model_name": str(tiny("flux2_klein")), "device_ids": [7]}, driver(tmp_path, free_mib=1))


def hollow(folder: Path) -> Path:
    """A full-size Qwen-Image-Edit: 57 GB of weights that take no disk."""
    bench = str(Path(__file__).parents[2] / "bench")
    if bench not in sys.path:
        sys.path.append(bench)
    import gpu_checkpoint

    return gpu_checkpoint.write("v1", folder, is_tiny=False)


def driver(folder: Path, free_mib: int) -> dict[str, str]:
    """A PATH with a driver's tool that knows one GPU with so much free memory."""
    tools = folder / "tools"
    tools.mkdir()
    write_driver(tools, 1, free_mib)
    return {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}


def test_too_little_memory_on_the_host_and_on_the_gpu(tmp_path: Path) -> None:
    given = {"model_name": str(hollow(tmp_path / "full"))}
    weights = f"{KEY}the weights take 53.7 GiB, "
    gpu = {"device_ids": [0]}
    check(tmp_path, f"{weights}cuda:0 has 19.5 GiB free; free it, or", given | gpu, driver(tmp_path, free_mib=20_000))
    if _host_gib() < 53:
        check(tmp_path, f"{weights}this machine's memory has ", given)


def _host_gib() -> float:
    from editeval.editors.diffusion.loading import host_bytes

    return (host_bytes() or 0) / 2**30


def test_a_model_from_the_hub_is_edited_with_and_again_without_the_hub(tiny: Folder, tmp_path: Path) -> None:
    params = {"model_name": REPO, "dtype": "float32", "num_inference_steps": 1, "size": "64x64", "device_ids": ["cpu"]}
    with HubServer(REPO, tiny("flux2_klein")) as hub:
        first = edit(tmp_path, "first", params, hub.url)
        pinned = edit(tmp_path, "pinned", params | {"revision": COMMIT}, hub.url)
        assert any(path.startswith(f"/{REPO}/resolve/{COMMIT}/") for path in hub.asked), "the very commit was fetched"
    cached = edit(tmp_path, "cached", params, "http://127.0.0.1:9")
    assert first == pinned == cached
    for name in ("first", "pinned", "cached"):
        report = json.loads((tmp_path / name / "latest" / "report.json").read_text("utf-8"))
        loaded = report["provenance"]["models"]["edit"]
        assert (loaded["pipeline"], loaded["commit"]) == ("Flux2KleinPipeline", COMMIT)


def edit(folder: Path, name: str, params: Mapping[str, object], address: str) -> list[str]:
    """The hashes of the edits of a whole run."""
    config = {
        "benchmark": {"type": "procedural", "params": {"num_per_category": 1, "size": 64}},
        "diffusion_model": {"type": "diffusers_pipeline", "params": dict(params)},
        "evaluation": {"output_dir": str(folder / name)},
    }
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(config), "utf-8")
    environ = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    environ |= {"HF_HOME": str(folder / "hf"), "HF_ENDPOINT": address}
    command = [sys.executable, "-m", "editeval", "run", str(folder / f"{name}.yaml")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    lines = (folder / name / "latest" / "samples.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["edit"]["sha256"] for line in lines]
