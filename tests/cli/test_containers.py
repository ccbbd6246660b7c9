"""The Dockerfiles copy files that exist, and install the versions that the requirements and the Makefile name."""

from __future__ import annotations

import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FILES = [ROOT / "Dockerfile", ROOT / "Dockerfile.gpu"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_dockerfile_copies_what_exists_and_is_let_in_and_installs_from_hashes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split() if line[0] == "!"]
    copied = [word for line in re.findall(r"^COPY (.+) \S+$", text, re.MULTILINE) for word in line.split()]
    for name in copied:
        assert (ROOT / name).exists() and any(fnmatch(name.split("/")[0], one) for one in let_in), name
    for lock in re.findall(r"--require-hashes --requirement (\S+)", text):
        assert lock in copied and "--hash=sha256:" in (ROOT / lock).read_text(encoding="utf-8")
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    for name in re.findall(r'ROOT / "([\w.]+)"', setup):
        assert name in copied, f"{name} goes into the package"
    assert "--require-hashes" in text and text.rstrip().endswith('ENTRYPOINT ["editeval"]\nCMD ["run"]')


def test_torch_of_the_gpu_image_is_that_of_the_tests() -> None:
    image = (ROOT / "Dockerfile.gpu").read_text(encoding="utf-8")
    (tested,) = re.findall(r"^TORCH \?= (\S+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert re.findall(r"^ARG TORCH=(\S+)$", image, re.MULTILINE) == [tested]
    page = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    assert f"pip install {tested} torchvision" in page
    for lock in ("models", "models-older"):
        pins = dict(
            re.findall(r"^([\w-]+)==(\S+)", (ROOT / f"requirements/{lock}.txt").read_text("utf-8"), re.MULTILINE)
        )
        assert pins["diffusers"] in page and pins["transformers"] in page


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_image_is_built_and_makes_the_default_run(path: Path, tmp_path: Path) -> None:
    docker = shutil.which("docker")
    is_running = (
        docker and subprocess.run([docker, "info"], capture_output=True, timeout=60, check=False).returncode == 0
    )
    if not is_running:
        pytest.skip("no docker daemon on this machine: the images are not built here")
    image = f"editeval-test-{path.name.lower().replace('.', '-')}"
    subprocess.run(["docker", "build", "--tag", image, "--file", path, ROOT], timeout=3000, check=True)
    run = ["docker", "run", "--rm", "--volume", f"{tmp_path}:/work", image, "run", "--limit", "5"]
    assert subprocess.run(run, timeout=600, check=False).returncode in (0, 3)
    assert (tmp_path / "outputs").is_dir()
