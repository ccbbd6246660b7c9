"""Where a worker lives: its process (for debugging and small models a thread of this one), and the thread of its parent
that reads requests and sends them ahead, so that the event loop never waits for a disk."""

from __future__ import annotations

import contextlib
import os
import queue
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Protocol

from editeval.errors import EditevalError
from editeval.execution.devices import worker_environment
from editeval.execution.transport import Channel, Frame, FrameError, Header, ProtocolError, QueueChannel, SocketChannel
from editeval.execution.worker import Worker
from editeval.execution.worker_messages import PROTOCOL_ERROR, Unit, pack_unit
from editeval.types import Failure

# -- workers -----------------------------------------------------------------------------------------------------------

GRACE_S = 10.0
"""How long a worker that was asked to leave may take before it is killed."""
GIVE_UP_S = 60.0
"""How long one that was killed may take to end: a driver that hangs holds a process for ever."""
HURRY_S = 1.0
"""The same where nobody may have to wait: its supervisor goes on without us."""

MARKED = "EDITEVAL_WORKER"
"""The variable by which the processes of a worker are known."""


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

    def stop(self, patience_s: float = GIVE_UP_S) -> None:
        """Ask it to leave, unless it has been killed; kill it if it takes longer than GRACE_S.

        Its end, once it is killed, is waited for no longer than `patience_s`.
        """
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
    """A worker in a process of its own, on a private socket pair, beneath a supervisor that ends with it.

    What ends it is the end of the processes, not of the socket, of which a process that the worker started may hold
    the other end. `mark` is in the environment of all of them.
    """

    def __init__(
        self, supervisor: subprocess.Popen[bytes], channel: SocketChannel, listener: Listener, mark: str
    ) -> None:
        self.pid = supervisor.pid
        self._supervisor = supervisor
        self._mark = mark
        self._has_ended = threading.Event()
        self._is_killed = False
        self._pidfd: int | None = None  # names this process and no later one with its number
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # an old kernel
                self._pidfd = os.pidfd_open(self.pid)
                weakref.finalize(self, os.close, self._pidfd)
        threading.Thread(target=self._watch, args=(channel,), daemon=True).start()
        super().__init__(channel, listener)

    def kill(self) -> None:
        self._is_killed = True
        for number in (signal.SIGTERM, signal.SIGCONT):
            with contextlib.suppress(ProcessLookupError):
                if self._pidfd is None:
                    self._supervisor.send_signal(number)
                else:
                    signal.pidfd_send_signal(self._pidfd, number)

    def stop(self, patience_s: float = GIVE_UP_S) -> None:
        if not self._is_killed:
            self.send_nowait({"type": "exit"})
            if not self._has_ended.wait(GRACE_S):
                self.kill()
        self._has_ended.wait(patience_s)

    def _watch(self, channel: SocketChannel) -> None:
        if self._supervisor.wait() != 0:  # it may be the supervisor that was killed
            end_marked(self._mark)
        self._has_ended.set()
        channel.end()

    def _end(self, is_sane: bool) -> str:
        if is_sane:
            self._has_ended.wait(GRACE_S)  # only its own end shows how it ended
        self.kill()
        if not self._has_ended.wait(GIVE_UP_S):
            return f"killed, and not ended after {GIVE_UP_S:.0f} s"
        code = self._supervisor.returncode
        self._channel.close()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def end_marked(mark: str) -> None:
    """Kill what a worker leaves behind whose supervisor was killed: every process with `mark` in its environment."""
    if not hasattr(os, "pidfd_open"):
        return
    for _ in range(10):  # what is killed may just have started another one
        found = [entry for entry in Path("/proc").glob("[0-9]*") if _is_marked(entry, mark)]
        for entry in found:
            with contextlib.suppress(OSError):  # it ended by itself
                pidfd = os.pidfd_open(int(entry.name))
                try:
                    if _is_marked(entry, mark):  # still the same process
                        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                finally:
                    os.close(pidfd)
        if not found:
            return
        time.sleep(0.02)


def _is_marked(entry: Path, mark: str) -> bool:
    try:
        return f"{MARKED}={mark}".encode() in (entry / "environ").read_bytes().split(b"\0")
    except OSError:  # it ended, or belongs to somebody else
        return False


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

    def stop(self, patience_s: float = GIVE_UP_S) -> None:
        self.send_nowait({"type": "exit"})
        self._thread.join(min(GRACE_S, patience_s))
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
    """The process backend: a worker beneath its supervisor; its output goes to `log_path(worker)`.

    `python` is the interpreter; None is the one that runs editeval. `environ` replaces the environment of this process.

    All are started by one thread that lives as long as the launcher: Linux tells a supervisor (PR_SET_PDEATHSIG) when
    the thread that started it ends, and the threads that ask for a worker come and go.
    """
    spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawn")

    def launch(worker: int, devices: Sequence[str], listener: Listener) -> Handle:
        ours, theirs = socket.socketpair()
        path = log_path(worker)
        path.parent.mkdir(parents=True, exist_ok=True)
        with theirs, path.open("ab") as log:
            log.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} worker {worker} on {', '.join(devices)}\n".encode())
            log.flush()
            mark = secrets.token_hex(16)
            environment = worker_environment(devices, os.environ if environ is None else environ) | {MARKED: mark}
            process = spawner.submit(_spawn, python or sys.executable, theirs.fileno(), log, environment).result()
        return ProcessHandle(process, SocketChannel(ours), listener, mark)

    return launch


def _spawn(python: str, descriptor: int, log: IO[bytes], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        # -P: no file of the current folder is taken for a module of a library
        [python, "-P", "-m", "editeval.execution.supervisor", str(descriptor), str(os.getpid())],
        pass_fds=[descriptor],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,  # Ctrl-C is for the parent
    )


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
        except MemoryError:  # a file larger than memory, say
            why = "its images do not fit into the memory of this machine"
            put(PrefetchStep(prefetched, "failed", Failure("bad_source", why)))
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
