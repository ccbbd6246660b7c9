"""How often to look: seldom enough that looking costs next to nothing, however many workers there are to show."""

from __future__ import annotations

import time

SHARE = 0.002  # of a core, for each thing that is done again and again
MAX_REST_S = 3.0  # whatever it costs: a picture older than `status` takes for live would be no picture


class Thrift:
    """`with thrift: ...` around what is done again and again; `rest_s` is then how long to leave it alone."""

    def __init__(self, at_least_s: float) -> None:
        self._at_least_s = at_least_s
        self._begun = 0.0
        self.rest_s = at_least_s

    def __enter__(self) -> None:
        self._begun = time.thread_time()

    def __exit__(self, *_: object) -> None:
        wanted = (time.thread_time() - self._begun) / SHARE
        self.rest_s = max(self._at_least_s, min(wanted, MAX_REST_S))
