"""The bench's editor under a dotted name, as out-of-tree code is named."""

from __future__ import annotations

from bench_fakes import Sleeper as _Sleeper


class Sleeper(_Sleeper):
    """See bench_fakes."""
