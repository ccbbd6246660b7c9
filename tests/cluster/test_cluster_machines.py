"""What a cluster lacks is one line that names the node, before anything is loaded; Python code finds it too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cluster_runs import Machines, finished, write_config

import editeval

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore")]  # Ray's own
MODEL = "diffusion_model"
PACKAGE = Path(str(editeval.__file__)).parent
TESTS = str(Path(__file__).parent.parent)


def refused(config: Path, *flags: str) -> str:
    """The one line with which the run ends before it begins."""
    done = finished("run", str(config), *flags)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_what_the_cluster_lacks_is_said_in_a_line_and_with_the_node(healthy: Machines, tmp_path: Path) -> None:
    config = write_config(tmp_path, healthy.address)
    line = refused(config, "--device-ids", "0-5")
    assert f"device_ids: no GPU 4, 5: the Ray cluster {healthy.address} has 4 GPUs" in line
    three = [f"--set={MODEL}.execution.device_ids=[0, 1, 2]", f"--set={MODEL}.execution.devices_per_worker=3"]
    assert "has 0 GPUs for workers with 3 on one node each" in refused(config, *three)
    line = refused(config, f"--set={MODEL}.execution.python=/nowhere/python")
    assert f"{MODEL}.execution.python: '/nowhere/python' is no working Python" in line and "(node n" in line
    pipeline = [f"--set={MODEL}.type=qwen_image_edit", f"--set={MODEL}.params={{model_name: /nowhere}}"]
    assert "/nowhere: nothing there" in (line := refused(config, *pipeline)) and "(node n" in line
    done = finished("run", str(config), f"--set={MODEL}.params.cannot_load=no such weights")
    assert done.returncode == 2
    assert "worker 0 on n" in done.stderr and ":cuda:0: fakes.fake_editor cannot be loaded" in done.stderr
    done = finished("run", str(config), "--dry-run")
    assert done.returncode == 0 and "4 workers, ray backend" in done.stdout and "worker 3 on ray:3" in done.stdout


def test_a_node_with_another_editeval_or_without_one_is_named(healthy: Machines, tmp_path: Path) -> None:
    config = write_config(tmp_path, healthy.address)
    shutil.copytree(PACKAGE, tmp_path / "other" / "editeval", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "other" / "editeval" / "errors.py").open("a", encoding="utf-8") as file:
        file.write("# one comment more\n")
    name = healthy.add(PYTHONPATH=f"{tmp_path / 'other'}{os.pathsep}{TESTS}")
    assert f"node {name} has another editeval than this machine" in refused(config)
    healthy.kill(name)
    (tmp_path / "without" / "editeval").mkdir(parents=True)
    (tmp_path / "without" / "editeval" / "__init__.py").touch()
    name = healthy.add(PYTHONPATH=f"{tmp_path / 'without'}{os.pathsep}{TESTS}")
    assert f"node {name}: editeval is not installed there; install the wheel of " in refused(config)
    healthy.kill(name)
    time.sleep(3)  # until the head knows


CODE = """
import sys
import editeval
from editeval.config.load import load_mapping
config = load_mapping({
    "benchmark": {"type": "procedural"},
    "diffusion_model": {
        "type": "identity",
        "execution": {"backend": "ray", "ray_address": sys.argv[1], "device_ids": ["cpu", "cpu", "cpu"]},
    },
    "evaluation": {"output_dir": sys.argv[2]},
}, "code")
with editeval.load_editor(config) as model:
    images = model.batch_edit([sys.argv[3]] * 5, ["nothing"] * 5)
print([image.size for image in images])
"""


def test_python_code_edits_on_the_processors_of_the_cluster(healthy: Machines, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (40, 30), (200, 30, 30)).save(tmp_path / "a.png")
    command = [sys.executable, "-c", CODE, healthy.address, str(tmp_path / "outputs"), str(tmp_path / "a.png")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.stdout.strip().endswith(str([(40, 30)] * 5)), done.stderr


LOOK_UP = """
import sys
from editeval.execution.ray import cluster
from editeval.types import HubModel
print(cluster.check_hub_model(sys.argv[1], True, sys.executable, HubModel("nobody/nothing", None, "model_index.json")))
"""


def test_a_model_is_looked_up_by_the_nodes_that_will_load_it(healthy: Machines) -> None:
    command = [sys.executable, "-c", LOOK_UP, healthy.address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    said = done.stdout.strip().splitlines()[-1]
    assert "nobody/nothing" in said and "(node n" in said, done.stderr
