"""Arguments of `batch_edit` that would mean something else than they say are refused before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import editeval
from editeval.errors import ConfigError


@pytest.mark.parametrize(
    ("instructions", "options", "words"),
    [
        (["x", "y"], {"enable_batch_sync": "no"}, "enable_batch_sync must be True or False, got 'no'"),
        (["x", "y"], {"enable_batch_sync": 0}, "enable_batch_sync must be True or False, got 0"),
        (["x", None], {}, "instructions must be a list of texts"),
        ("xy", {}, "instructions must be a list of texts, got 'xy'"),
    ],
)
def test_a_wrong_type_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instructions: Any, options: dict[str, Any], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    picture = Image.new("RGB", (8, 8))
    with editeval.load_editor("identity", device_ids=["cpu"]) as model, pytest.raises(ConfigError, match=words):
        model.batch_edit([picture, picture], instructions, **options)
