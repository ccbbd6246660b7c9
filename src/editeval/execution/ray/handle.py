"""The ray backend: a worker's process lives on a node of a Ray cluster, behind an actor that passes its frames.

Ray only carries: who gets what, trying again, deadlines and restarts are the dispatcher's, as with every other backend.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from pathlib import Path
from typing import Any

from editeval.errors import ClusterLostError
from editeval.execution.backends import GIVE_UP_S, GRACE_S, Handle, Launch, Listener
from editeval.execution.devices import MARK
from editeval.execution.ray.actor import Collected, Place, RayWorkerActor, source_digest
from editeval.execution.ray.cluster import Cluster, last_line
from editeval.execution.transport import Frame, FrameError, Header, check_frame

log = logging.getLogger("editeval")

POLL_S = 2.0
"""How long one call waits for the worker to say something; its log is never older than that."""
PATIENCE_S = 10.0
"""How long a worker may wait for a place on the cluster before that is said."""


def ray_launcher(cluster: Cluster, log_path: Callable[[int], Path], python: str | None) -> Launch:
    """The ray backend: every worker is put where GPUs are free, spread over the nodes; its log comes to this machine.

    `python` is the interpreter on the nodes; None is the one that Ray runs in there.
    Launching raises ClusterLostError if the cluster is lost.
    """
    host = cluster.ray.remote(RayWorkerActor)

    def launch(worker: int, devices: Sequence[str], listener: Listener) -> Handle:
        cluster.require()
        num_gpus = sum(device.startswith(MARK) for device in devices)
        local = [f"cuda:{i}" for i in range(num_gpus)] or ["cpu"]
        actor = host.options(
            num_cpus=0,
            num_gpus=num_gpus,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=4,  # deliver, collect, where, end
            scheduling_strategy="SPREAD",
        ).remote(worker, local, python, source_digest())
        wanted = f"{num_gpus} free GPU{'' if num_gpus == 1 else 's'} on one node" if num_gpus else "a node"
        return RayHandle(cluster, actor, wanted, listener, log_path(worker))

    return launch


Delivered = Future[None]
"""Of one frame on its way: done once it is there, or with a FrameError. Any thread may set it; the first one counts."""


def _set(delivered: Delivered, error: Exception | None) -> None:
    with contextlib.suppress(InvalidStateError):
        delivered.set_result(None) if error is None else delivered.set_exception(error)


class RayHandle:
    """A worker on a node of the cluster. Its actor is never restarted: the dispatcher asks for a new one."""

    def __init__(self, cluster: Cluster, actor: Any, wanted: str, listener: Listener, log_path: Path) -> None:
        self.place = self._node = ""
        self.waiting_for = f"{wanted} of the Ray cluster {cluster.address}"
        self._cluster = cluster
        self._actor = actor
        self._listener = listener
        self._log_path = log_path
        self._is_log_broken = False
        self._outbox: queue.SimpleQueue[tuple[Frame, Delivered] | None] = queue.SimpleQueue()
        self._undelivered: set[Delivered] = set()
        self._lock = threading.Lock()
        self._gone = threading.Event()
        threading.Thread(target=self._deliver, daemon=True).start()
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, header: Header, blobs: Sequence[bytes] = ()) -> None:
        self._put(header, blobs).result()

    def send_nowait(self, header: Header) -> None:
        with contextlib.suppress(FrameError):
            self._put(header, ())

    def kill(self) -> None:
        self._kill_actor()
        timer = threading.Timer(GRACE_S, self._end, ("killed; its node does not answer",))  # a node may be cut off
        timer.daemon = True
        timer.start()

    def stop(self, patience_s: float = GIVE_UP_S) -> None:
        self.send_nowait({"type": "exit"})
        if not self._gone.wait(min(GRACE_S, patience_s)):
            self.kill()
            self._gone.wait(min(2 * GRACE_S, patience_s))

    def _put(self, header: Header, blobs: Sequence[bytes]) -> Delivered:
        check_frame(header, blobs)
        delivered = Delivered()
        with self._lock:
            if self._gone.is_set():
                raise FrameError("the other side is gone")
            self._undelivered.add(delivered)
            self._outbox.put(((header, list(blobs)), delivered))
        return delivered

    def _deliver(self) -> None:
        """One call after the other, or they would overtake each other; each takes along all that waits."""
        from ray.exceptions import RayError

        while (first := self._outbox.get()) is not None:
            waiting = [first]
            with contextlib.suppress(queue.Empty):
                while (more := self._outbox.get_nowait()) is not None:
                    waiting.append(more)
                self._outbox.put(None)
            error: Exception | None = None
            try:
                self._cluster.ray.get(self._actor.deliver.remote([frame for frame, _ in waiting]))
            except RayError as lost:  # `_listen` finds out too, and ends this worker
                error = FrameError(f"the other side is gone: {type(lost).__name__}")
            for _, delivered in waiting:
                _set(delivered, error)
            with self._lock:
                self._undelivered.difference_update(delivered for _, delivered in waiting)

    def _listen(self) -> None:
        from ray.exceptions import RayError

        with self._cluster.on_loss(self._break):
            try:
                self._arrive()
                end = ""
                while not end and not self._gone.is_set():
                    collected: Collected = self._cluster.ray.get(self._actor.collect.remote(POLL_S))
                    self._keep_log(collected["log"])
                    for header, blobs in collected["frames"]:
                        self._pass_on((header, blobs))
                    end = collected["end"]
            except RayError as error:
                end = self._how(error)
            self._end(end)

    def _arrive(self) -> None:
        """Its actor has a place on the cluster."""
        call = self._actor.where.remote()
        ready, _ = self._cluster.ray.wait([call], timeout=PATIENCE_S)
        if not ready and not self._gone.is_set():
            log.warning("%s: waiting for %s", self._log_path.stem, self.waiting_for)
        found: Place = self._cluster.ray.get(call)
        self._node = found["node"]
        self.place = f"{found['node']}:{'+'.join(found['devices'])}"
        self.waiting_for = ""

    def _pass_on(self, frame: Frame) -> None:
        with self._lock:
            if not self._gone.is_set():
                self._listener.on_frame(frame)

    def _end(self, how: str) -> None:
        self._close(lambda: self._listener.on_gone(how))

    def _break(self, error: ClusterLostError) -> None:
        try:
            self._actor.end.remote()  # straight to its node: what would kill the actor is lost
        finally:  # whatever Ray makes of that, now that it has lost its head
            self._close(lambda: self._listener.on_broken(error))

    def _close(self, notify: Callable[[], None]) -> None:
        """It is gone, and whatever still comes from it counts no more. Does nothing the second time."""
        with self._lock:
            if self._gone.is_set():
                return
            self._gone.set()
            notify()
            self._outbox.put(None)
            for delivered in self._undelivered:
                _set(delivered, FrameError("the other side is gone"))
        self._kill_actor()

    def _kill_actor(self) -> None:
        from ray.exceptions import RayError

        with contextlib.suppress(RayError):
            self._cluster.ray.kill(self._actor, no_restart=True)

    def _keep_log(self, text: bytes) -> None:
        if not text or self._is_log_broken:
            return
        try:
            self._log_path.parent.mkdir(parents=True, exist_ok=True)
            with self._log_path.open("ab") as file:
                file.write(text)
        except OSError as error:
            self._is_log_broken = True
            why = error.strerror or error
            log.warning("%s: %s; the worker's log is incomplete, the run is not", self._log_path, why)

    def _how(self, error: Exception) -> str:
        """What Ray's error means, in words of ours."""
        from ray.exceptions import ActorDiedError, RayTaskError

        where = f"node {self._node}" if self._node else "its node"
        if isinstance(error, RayTaskError):
            return f"{where}: {last_line(error)}"
        if isinstance(error, ActorDiedError) and "node has died" not in str(error):
            return f"its actor on {where} ended: {last_line(error)}"
        return f"{where} was lost ({type(error).__name__})"
