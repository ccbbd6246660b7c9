"""editeval: evaluate instruction-based image-editing models on every GPU, with numbers that can be trusted."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "editeval.api": ("judge", "load_editor"),
    "editeval.evaluation": ("Run", "evaluate", "open_run"),
    "editeval.config.load": ("load_config",),
    "editeval.errors": ("EditBatchError", "EditevalError"),
    "editeval.types": (
        *("Benchmark", "Editor", "EditRequest", "ImageRef", "Judge", "JudgeRequest", "Metric", "Sample", "Score"),
    ),
    "editeval.judges.protocols.protocol": ("Protocol",),
}
__all__ = sorted(name for names in _HOMES.values() for name in names)


def __getattr__(name: str) -> Any:
    """Public names are imported when they are first asked for, so that a worker imports nothing it does not need."""
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is not None:
        return getattr(import_module(home), name)
    raise AttributeError(f"module 'editeval' has no attribute {name!r}")
