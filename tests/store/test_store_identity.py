"""Which parameters of a plug-in from outside stand in an identity by the content of what they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from editeval.config.load import load_mapping
from editeval.run.stage_devices import plugin_of
from editeval.store.fingerprints import inputs_of

SOURCE = """
from dataclasses import dataclass
from editeval.types import Editor
@dataclass(frozen=True)
class Params:
    table: str = ""
class E(Editor):
    Params = Params
    default_device = "cpu"
    is_remote = {is_remote}
    def edit(self, request, progress): ...
"""


@pytest.mark.parametrize("is_remote", [False, True])
@pytest.mark.parametrize("written", ["table.txt", "./table.txt", "sub/table.txt"])
def test_a_file_that_a_parameter_names_counts_by_its_content_behind_a_server_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, is_remote: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sub").mkdir()
    Path("er.py").write_text(SOURCE.format(is_remote=is_remote))
    model = {"type": "./er.py", "params": {"table": written, "device_ids": ["cpu"]}}
    config = load_mapping(
        {"benchmark": {"type": "procedural"}, "diffusion_model": model}, "made", environ={}, allow_code=True
    )
    digests = set()
    for text in ("3", "7"):
        Path(written).write_text(text)
        digests.add(inputs_of(config.diffusion_model, plugin_of(config, config.diffusion_model)).weights["table"])
    assert len(digests) == 2
