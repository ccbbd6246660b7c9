"""Reading requests and sending them ahead: one thread per worker, so that the event loop never waits for a disk."""

from __future__ import annotations

import queue
from collections.abc import Callable
from dataclasses import dataclass

from editeval.errors import EditevalError
from editeval.execution.backends import Handle
from editeval.execution.transport import FrameError
from editeval.execution.worker_messages import Unit, pack_unit
from editeval.types import Failure

Build = Callable[[str], Unit]
ARRIVED = 0  # no prefetched request has this number


@dataclass(frozen=True, slots=True)
class PrefetchedRequest:
    """A request on its way to a worker. `number` is never used twice, so that late events about an earlier request are
    recognised: one that was dropped and sent again, or one of an earlier run whose keys meant other images."""

    number: int
    request: int
    key: str
    build: Build


def prefetch(handle: Handle, requests: queue.SimpleQueue[PrefetchedRequest | None], tell: Callable[..., None]) -> None:
    """Sends every request until None. Calls `tell` with "built", then "sent"; or "unbuilt" and why, or "broken"."""
    while (prefetched := requests.get()) is not None:
        try:
            frame = pack_unit(prefetched.key, prefetched.build(prefetched.key))
            tell("built", prefetched)
            handle.send(*frame)
        except FrameError:
            return
        except (EditevalError, OSError, ValueError) as error:  # ValueError: what no frame can carry
            reason = "bad_request" if isinstance(error, ValueError) else getattr(error, "reason", "environment")
            tell("unbuilt", prefetched, Failure(reason, str(error)))
        except BaseException as error:  # a bug: the event loop raises it too, or it would wait for ever
            tell("broken", error)
            if isinstance(error, Exception):
                return
            raise
        else:
            tell("sent", prefetched)
