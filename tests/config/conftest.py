from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from config_fakes.minimal import MINIMAL, Load

from editeval.config.load import Overrides, load_config
from editeval.config.schema import Config
from editeval.errors import ConfigError


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """load(text, *sets, environ=..., **flags): the configuration in `text`, saved as config.yaml."""

    def loaded(text: str | bytes = MINIMAL, *sets: str, environ: dict[str, str] | None = None, **flags: Any) -> Config:
        path = tmp_path / "config.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config(path, Overrides(sets=sets, **flags), environ or {}, allow_code=True)

    return loaded


@pytest.fixture
def refused(load: Load, tmp_path: Path) -> Callable[..., str]:
    """The message for a configuration that must be refused, without the folder: a line for each mistake."""

    def message(*args: Any, **kwargs: Any) -> str:
        with pytest.raises(ConfigError) as caught:
            load(*args, **kwargs)
        text = str(caught.value)
        assert text.count("\n") == len(caught.value.parts) - 1
        return text.replace(f"{tmp_path}/", "")

    return message
