"""Where a worker lives: in a process of its own, or (for debugging and small models) in a thread of this process."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Protocol

from editeval.errors import EditevalError
from editeval.execution.transport import Channel, Frame, FrameError, ProtocolError, QueueChannel, SocketChannel
from editeval.execution.worker import Worker
from editeval.execution.worker_messages import PROTOCOL_ERROR
from editeval.machine.gpus import TOLD, told, visible_gpus

GRACE_S = 10.0
"""How long a worker that was asked to leave may take before it is killed."""

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Handle(Protocol):
    """A live worker. After `on_gone` was called it is dead and its device is free."""

    place: str  # where its devices are, if it is not where they are named: "node7:cuda:0"
    waiting_for: str  # what its start waits for, which is not there yet; empty if nothing is lacking

    def send(self, header: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
        """Waits while the worker does not read. Raises FrameError if it is gone."""
        ...

    def send_nowait(self, header: dict[str, Any]) -> None:
        """As `send`, but never waits and never raises."""
        ...

    def kill(self) -> None:
        """End it now."""
        ...

    def stop(self) -> None:
        """Ask it to leave, wait for it, kill it if it takes longer than GRACE_S."""
        ...


class Listener(Protocol):
    """What the owner of a handle is told, from a thread of the handle's own."""

    def on_frame(self, frame: Frame) -> None: ...

    def on_gone(self, how: str) -> None: ...

    def on_broken(self, error: EditevalError) -> None:
        """No worker of this kind can live any more: the work ends with `error`."""
        ...


Launch = Callable[[int, Sequence[str], Listener], Handle]
"""launch(worker, devices, listener): start one worker; it still has to be told what to load."""


class ProcessHandle:
    """A worker in a process of its own, on a private socket pair that nobody else can reach."""

    place = waiting_for = ""

    def __init__(self, process: subprocess.Popen[bytes], channel: SocketChannel, listener: Listener) -> None:
        self.pid = process.pid
        self._process = process
        self._channel = channel
        self._listener = listener
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, header: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
        self._channel.send(header, blobs)

    def send_nowait(self, header: dict[str, Any]) -> None:
        self._channel.send_nowait(header)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def stop(self) -> None:
        self.send_nowait({"type": "exit"})
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()

    def _listen(self) -> None:
        is_sane = True
        try:
            while True:
                self._listener.on_frame(self._channel.recv())
        except ProtocolError:
            is_sane = False
        except FrameError:
            with contextlib.suppress(subprocess.TimeoutExpired):  # it is ending; how, only waiting tells
                self._process.wait(GRACE_S)
        self.kill()
        code = self._process.wait()
        self._channel.close()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._listener.on_gone(how if is_sane else PROTOCOL_ERROR)


class ThreadHandle:
    """A worker in a thread: no isolation, but a debugger gets into it.

    No thread can be killed: one that breaks a time limit runs on, and nobody listens to it any more.
    """

    place = waiting_for = ""

    def __init__(self, listener: Listener) -> None:
        self.pid = os.getpid()
        self._channel, theirs = QueueChannel.create_ends()
        self._listener = listener
        self._thread = threading.Thread(target=self._serve, args=(theirs,), daemon=True)
        self._thread.start()
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, header: dict[str, Any], blobs: Sequence[bytes] = ()) -> None:
        self._channel.send(header, blobs)

    def send_nowait(self, header: dict[str, Any]) -> None:
        self._channel.send_nowait(header)

    def kill(self) -> None:
        self._channel.close()

    def stop(self) -> None:
        self.send_nowait({"type": "exit"})
        self._thread.join(GRACE_S)
        self.kill()

    def _serve(self, channel: Channel) -> None:
        with contextlib.suppress(FrameError):
            Worker(channel).serve()
        channel.close()

    def _listen(self) -> None:
        try:
            while True:
                self._listener.on_frame(self._channel.recv())
        except FrameError:
            self._listener.on_gone("thread ended")


def launch_thread(worker: int, devices: Sequence[str], listener: Listener) -> Handle:
    """The in-process backend."""
    del worker, devices
    return ThreadHandle(listener)


def process_launcher(
    log_path: Callable[[int], Path], python: str | None = None, environ: Mapping[str, str] | None = None
) -> Launch:
    """The process backend: a worker is `python -m editeval.execution.worker`; its output goes to `log_path(worker)`.

    `python` is the interpreter; None is the one that runs editeval. `environ` replaces the environment of this process.

    All are started by one thread that lives as long as the launcher: Linux kills a worker (PR_SET_PDEATHSIG) when the
    thread that started it ends, and the threads that ask for a worker come and go.
    """
    spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawn")

    def launch(worker: int, devices: Sequence[str], listener: Listener) -> Handle:
        ours, theirs = socket.socketpair()
        path = log_path(worker)
        path.parent.mkdir(parents=True, exist_ok=True)
        with theirs, path.open("ab") as log:
            log.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} worker {worker} on {', '.join(devices)}\n".encode())
            log.flush()
            environment = worker_environment(devices, os.environ if environ is None else environ)
            process = spawner.submit(_spawn, python or sys.executable, theirs.fileno(), log, environment).result()
        return ProcessHandle(process, SocketChannel(ours), listener)

    return launch


def _spawn(python: str, descriptor: int, log: IO[bytes], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [python, "-m", "editeval.execution.worker", str(descriptor)],
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,  # Ctrl-C is for the parent; a worker that loses its parent ends by itself
    )


def worker_environment(devices: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a worker: it sees its own GPUs only, as cuda:0.., and a CPU worker computes in one thread."""
    import editeval

    result = dict(environ)
    source = str(Path(str(editeval.__file__)).parent.parent)
    result["PYTHONPATH"] = os.pathsep.join(p for p in (source, environ.get("PYTHONPATH")) if p)
    result["PYTHONUNBUFFERED"] = "1"
    gpus = [device.removeprefix("cuda:") for device in devices if device.startswith("cuda")]
    visible = visible_gpus(environ)
    result.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # the driver's numbers, as nvidia-smi and `doctor` show them
    result["CUDA_VISIBLE_DEVICES"] = ",".join(visible[int(g)] if visible else g for g in gpus)
    if gpus:
        result[TOLD] = told(environ)
    if not gpus:
        result.update(dict.fromkeys(_ONE_THREAD, "1"))
    return result
