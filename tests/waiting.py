"""A bounded wait for what another process or thread does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

PAUSE_S = 0.02


def wait_for(condition: Callable[[], Any], num_tries: int = 3000) -> Any:
    """What `condition` returns once it is true; after `num_tries` looks with a pause behind each, the test fails."""
    for _ in range(num_tries):
        if found := condition():
            return found
        time.sleep(PAUSE_S)
    pytest.fail(f"it never happened: {num_tries} looks at {getattr(condition, '__qualname__', condition)}")
