"""Where a worker lives: its devices, its process (for debugging and small models a thread of this one), and the thread
of its parent that reads requests and sends them ahead, so that the event loop never waits for a disk."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Protocol

from editeval.errors import ConfigError, EditevalError, MachineError
from editeval.execution.transport import Channel, Frame, FrameError, Header, ProtocolError, QueueChannel, SocketChannel
from editeval.execution.worker import Worker
from editeval.execution.worker_messages import PROTOCOL_ERROR, Unit, pack_unit
from editeval.machine.gpus import DRIVER_LINES, driver_lines, num_gpus, visible_gpus
from editeval.types import Failure

# -- devices -----------------------------------------------------------------------------------------------------------

MARK = "ray:"
"""Begins the name of a GPU of a Ray cluster. Which GPU of which node ray:3 is, Ray says when a worker has started."""


def resolve_devices(
    device_ids: Sequence[str] | None, default_device: str, count: Callable[[], int] = num_gpus
) -> tuple[str, ...]:
    """The devices meant: those named, or without names every GPU (a plug-in that wants "cpu" gets one CPU worker).

    `count` says how many GPUs there are.
    """
    if device_ids is not None:
        return tuple(device_ids)
    if default_device == "cpu":
        return ("cpu",)
    return tuple(f"cuda:{i}" for i in range(count()))


def device_problem(where: str, devices: Sequence[str]) -> str | None:
    """One line saying which of `devices` this machine lacks; None if they are all there."""
    wanted = [d for d in devices if d.startswith("cuda")]
    if devices and not wanted:
        return None
    present = num_gpus()
    missing = [d for d in wanted if int(d.removeprefix("cuda:")) >= present]
    if not missing and devices:
        return None
    found = f"{present} GPU{'' if present == 1 else 's'}"
    if not devices:
        return f"{where}: no GPU on this machine; name devices, for instance device_ids: [cpu]"
    return (
        f"{where}: no {', '.join(missing)} on this machine (it has {found}); name devices it has, or device_ids: [cpu]"
    )


def group_devices(where: str, devices: Sequence[str], devices_per_worker: int) -> list[tuple[str, ...]]:
    """One group of devices per worker, in order.

    Raises ConfigError if they do not divide evenly or a GPU is named twice, MachineError if one is not there.
    """
    gpus = [d for d in devices if d.startswith("cuda")]
    twice = sorted({d for d in gpus if gpus.count(d) > 1})
    if twice:
        raise ConfigError(f"{where}: {', '.join(twice)} named twice; one worker touches one model on its own device")
    lacking = device_problem(where, devices)
    if lacking:
        raise MachineError(lacking)
    return deal_devices(where, devices, devices_per_worker)


def deal_devices(where: str, devices: Sequence[str], devices_per_worker: int) -> list[tuple[str, ...]]:
    """`devices` in groups, in order. Raises ConfigError if they do not divide evenly."""
    if len(devices) % devices_per_worker:
        raise ConfigError(f"{where}: {len(devices)} devices cannot be dealt to workers of {devices_per_worker} each")
    return [tuple(devices[i : i + devices_per_worker]) for i in range(0, len(devices), devices_per_worker)]


# -- workers -----------------------------------------------------------------------------------------------------------

GRACE_S = 10.0
"""How long a worker that was asked to leave may take before it is killed."""

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Handle(Protocol):
    """A live worker. After `on_gone` was called it is dead and its device is free."""

    place: str  # where its devices are, if it is not where they are named: "node7:cuda:0"
    waiting_for: str  # what its start waits for, which is not there yet; empty if nothing is lacking

    def send(self, header: Header, blobs: Sequence[bytes] = ()) -> None:
        """Waits while the worker does not read. Raises FrameError if it is gone."""
        ...

    def send_nowait(self, header: Header) -> None:
        """As `send`, but never waits and never raises."""
        ...

    def kill(self) -> None:
        """End it now."""
        ...

    def stop(self) -> None:
        """Ask it to leave, wait for it, kill it if it takes longer than GRACE_S."""
        ...


class Listener(Protocol):
    """Gets what a handle has to say, from a thread of the handle's own."""

    def on_frame(self, frame: Frame) -> None: ...

    def on_gone(self, how: str) -> None: ...

    def on_broken(self, error: EditevalError) -> None:
        """No worker of this kind can live any more: the work ends with `error`."""
        ...


Launch = Callable[[int, Sequence[str], Listener], Handle]
"""launch(worker, devices, listener): start one worker; what it loads is the first message to it."""


class _ChannelHandle:
    """A worker of this machine, at the other end of a channel."""

    place = waiting_for = ""

    def __init__(self, channel: Channel, listener: Listener) -> None:
        self._channel = channel
        self._listener = listener
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, header: Header, blobs: Sequence[bytes] = ()) -> None:
        self._channel.send(header, blobs)

    def send_nowait(self, header: Header) -> None:
        self._channel.send_nowait(header)

    def _listen(self) -> None:
        is_sane = True
        try:
            while True:
                self._listener.on_frame(self._channel.recv())
        except ProtocolError:
            is_sane = False
        except FrameError:
            pass
        how = self._end(is_sane)
        self._listener.on_gone(how if is_sane else PROTOCOL_ERROR)

    def _end(self, is_sane: bool) -> str:
        """It is dead. Returns how it ended; waits for it to end by itself if `is_sane`."""
        raise NotImplementedError


class ProcessHandle(_ChannelHandle):
    """A worker in a process of its own, on a private socket pair that no other process can reach."""

    def __init__(self, process: subprocess.Popen[bytes], channel: SocketChannel, listener: Listener) -> None:
        self.pid = process.pid
        self._process = process
        super().__init__(channel, listener)

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

    def _end(self, is_sane: bool) -> str:
        if is_sane:
            with contextlib.suppress(subprocess.TimeoutExpired):  # only its own end shows how it ended
                self._process.wait(GRACE_S)
        self.kill()
        code = self._process.wait()
        self._channel.close()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


class ThreadHandle(_ChannelHandle):
    """A worker in a thread: no isolation, but a debugger gets into it.

    No thread can be killed: one that breaks a time limit runs on, and what it says is not read any more.
    """

    def __init__(self, listener: Listener) -> None:
        self.pid = os.getpid()
        ours, theirs = QueueChannel.create_ends()
        self._thread = threading.Thread(target=self._serve, args=(theirs,), daemon=True)
        self._thread.start()
        super().__init__(ours, listener)

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

    def _end(self, is_sane: bool) -> str:
        return "thread ended"


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
        result[DRIVER_LINES] = driver_lines(environ)
    else:
        result.update(dict.fromkeys(_ONE_THREAD, "1"))
    return result


# -- feeding -----------------------------------------------------------------------------------------------------------

Build = Callable[[str], Unit]
"""build(key): the request called `key`, read from disk."""


@dataclass(frozen=True, slots=True)
class PrefetchedRequest:
    """A request on its way to a worker. `number` is never used twice, so that late events about an earlier request are
    recognised: one that was dropped and sent again, or one of an earlier run whose keys meant other images."""

    number: int
    request: int
    key: str
    build: Build


@dataclass(frozen=True, slots=True)
class PrefetchStep:
    """How far a prefetched request is; `failure` says why it could not be built."""

    prefetched: PrefetchedRequest
    state: Literal["built", "sent", "failed"]
    failure: Failure | None = None


def prefetch(
    handle: Handle,
    requests: queue.SimpleQueue[PrefetchedRequest | None],
    put: Callable[[PrefetchStep | BaseException], None],
) -> None:
    """Sends every request until None. Puts each step of each; and an error that is a bug, which ends the work."""
    while (prefetched := requests.get()) is not None:
        try:
            frame = pack_unit(prefetched.key, prefetched.build(prefetched.key))
            put(PrefetchStep(prefetched, "built"))
            handle.send(*frame)
        except FrameError:
            return
        except (EditevalError, OSError, ValueError) as error:  # ValueError: what no frame can carry
            reason = "bad_request" if isinstance(error, ValueError) else getattr(error, "reason", "environment")
            put(PrefetchStep(prefetched, "failed", Failure(reason, str(error))))
        except BaseException as error:  # the event loop raises it too, or it would wait for ever
            put(error)
            if isinstance(error, Exception):
                return
            raise
        else:
            put(PrefetchStep(prefetched, "sent"))
