"""Tiny real models for the tests of this folder, built once per session. They need requirements/models.txt."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from editeval.images import encode_png

os.environ["HF_HUB_OFFLINE"] = "1"  # a hub call by mistake fails at once; read when huggingface_hub is imported

collect_ignore_glob = [] if find_spec("torch") and find_spec("transformers") else ["test_*.py"]
"""Where torch is not installed, no file of this folder can be imported."""

Folder = Callable[[str], Path]


def pytest_configure(config: pytest.Config) -> None:
    """The marker of this folder."""
    config.addinivalue_line("markers", "models: needs torch, diffusers and transformers; run by `make test-models`")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let diffusers deprecate: what it does to numpy is not ours to fix."""
    for item in items:
        if item.get_closest_marker("models"):
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning:diffusers.*"))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in one fixed order, as in a worker; skips the whole folder where torch is not installed."""
    torch = pytest.importorskip("torch", reason="pip install -r requirements/models.txt")
    pytest.importorskip("diffusers", reason="pip install -r requirements/models.txt")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """tiny(name): the folder of that tiny checkpoint."""
    root = tmp_path_factory.mktemp("tiny")

    def folder(name: str) -> Path:
        import tiny_pipelines

        return root / name if (root / name).exists() else tiny_pipelines.save(name, root / name)

    return folder


def picture(seed: int, size: tuple[int, int] = (96, 64)) -> bytes:
    """A smooth coloured PNG that no other seed gives."""
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return encode_png(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
