"""editeval: evaluate instruction-based image-editing models on every GPU, with numbers that can be trusted."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["EditBatchError", "EditevalError", "evaluate", "judge", "load_config", "load_editor"]

_HOMES = {
    "evaluate": "editeval.api",
    "judge": "editeval.api",
    "load_editor": "editeval.api",
    "load_config": "editeval.config.load",
    "EditBatchError": "editeval.errors",
    "EditevalError": "editeval.errors",
}


def __getattr__(name: str) -> Any:
    """Public names are imported when they are first asked for, so that a worker imports nothing it does not need."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'editeval' has no attribute {name!r}")
