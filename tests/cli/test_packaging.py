"""The sdist and the wheel are complete: both are built from the checkout, and run without it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from command_line import cli
from editeval.config import ready
from editeval.machine.versions import to_install

ROOT = Path(__file__).parent.parent.parent
READY = [ROOT / "config.yaml", ROOT / "config_multi_gpu.yaml", *(ROOT / "configs").rglob("*.yaml")]


def done(*command: str | Path, cwd: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("EDITEVAL_", "PYTHON"))}
    ended = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, f"{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}"
    return ended.stdout + ended.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the sdist, which was built from the checkout."""
    folder = tmp_path_factory.mktemp("build")
    build = "import sys; from setuptools import build_meta; getattr(build_meta, f'build_{sys.argv[1]}')(sys.argv[2])"
    done(sys.executable, "-c", build, "sdist", folder, cwd=ROOT)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    unpacked = folder / sdist.name.removesuffix(".tar.gz")
    for name in (
        "Makefile",
        "CHANGELOG.md",
        "main.py",
        "docs/glossary.md",
        "requirements/dev.txt",
        "tests/conftest.py",
    ):
        assert (unpacked / name).read_bytes() == (ROOT / name).read_bytes(), name
    done(sys.executable, "-c", build, "wheel", folder, cwd=unpacked)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; its dependencies are those of this environment, so nothing is downloaded."""
    home = tmp_path_factory.mktemp("venv")
    done(sys.executable, "-m", "venv", "--without-pip", home, cwd=home)
    pip = (sys.executable, "-m", "pip", "--python", home / "bin/python", "install", "--no-deps", "--no-index")
    done(*pip, "--disable-pip-version-check", wheel, cwd=home)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return home / "bin/editeval"


@pytest.mark.slow
def test_the_wheel_has_the_ready_files_of_the_checkout_and_names_no_host_of_its_own(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        for path in READY:
            assert archive.read(f"editeval/ready/{path.relative_to(ROOT)}") == path.read_bytes()
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode("utf-8")
    assert "Project-URL" not in metadata and "License-Expression: MIT" in metadata
    assert {"gpu", "judge", "parquet", "metrics", "ray", "trackers", "all"} <= set(
        re.findall(r"Provides-Extra: (\S+)", metadata)
    )


@pytest.mark.slow
def test_an_installed_wheel_runs_its_default_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    said = done(installed, "run", "--limit", "5", "--display", "plain", cwd=tmp_path)
    assert "5/5" in said or "5 samples" in said, said
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]
    assert "config_multi_gpu.yaml: sound" in done(installed, "check", "config_multi_gpu.yaml", cwd=tmp_path)
    sources = done(installed.with_name("python"), "-c", "import editeval; print(editeval.__file__)", cwd=tmp_path)
    assert str(installed.parent.parent) in sources


def test_a_file_of_ones_own_comes_before_the_ready_one_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ready.located("config.yaml") == ready.folder() / "config.yaml"
    assert ready.located("configs/models/flux2_dev.yaml") == ready.folder() / "configs/models/flux2_dev.yaml"
    for other in ("/config.yaml", "../config.yaml", "./none.yaml", "pyproject.toml", "tests/fixtures/x.yaml"):
        assert ready.located(other) == Path(other)
    Path("config.yaml").write_text("benchmark: {type: procedural}", encoding="utf-8")
    assert ready.located("config.yaml") == Path("config.yaml")


def test_what_is_to_be_installed_is_named_by_its_packages_and_for_this_python() -> None:
    command = to_install("parquet")
    assert command.endswith("install 'pyarrow>=19'") and "editeval" not in command.replace(sys.executable, "")
    for path in (*(ROOT / "src").rglob("*.py"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("README*.md")):
        text = path.read_text(encoding="utf-8")
        assert path.name == "decisions.md" or not re.search(
            r"pip install(?![^\n]*--no-index)[^\n]*['\" ]editeval(\[|==)", text
        ), f"{path}: no index has editeval"


def test_a_name_that_is_neither_here_nor_ready_is_one_line(tmp_path: Path) -> None:
    done = cli("check", "configs/models/none.yaml", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "none.yaml" in done.stderr
