"""The process above a worker: when the worker has ended, every process that descends from it is ended too.

`python -P -m editeval.execution.supervisor FD PARENT` starts one; FD is the worker's socket, PARENT the process id of
whoever starts it, standard output the worker's log. It is small: it forks before anything is imported, and the child
becomes the worker. On Linux it is the subreaper of all that the worker starts: whatever becomes a daemon there (setsid,
a double fork) becomes a child of the supervisor when its own parent ends. It signals its own children only, and those
whose end it has not taken note of yet, so that no process id can mean somebody else's process.

It ends as its worker ended: with the same exit code, or by the same signal. SIGTERM asks it to end the worker and its
family at once; Linux sends that, too, when the process that runs editeval is gone.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path

FAMILY_S = 0.5
"""How long the processes that a worker leaves behind may take to end by themselves (SIGTERM) before they are killed."""
MAX_LOG_BYTES = 8 << 20  # of the log file of a worker, over all of its processes
LEAST_BYTES = 64 << 10  # of its output that each process may write however full the file is, and of its end
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_POLL_S = 0.01


def main() -> None:
    """Entry of the process; returns in the worker only, when that has nothing more to do."""
    descriptor, parent = int(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(descriptor, False)  # what the worker executes does not get it
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which decides
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return  # it ended before it could be watched
    own, log = os.getpid(), _name_of(sys.stdout.fileno())
    pipe, theirs = os.pipe()
    worker = os.fork()
    if worker:
        os.close(theirs)
        os.close(descriptor)
        _end_like(Supervisor(worker, pipe).supervise())
    os.setsid()  # a group of its own
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # even if a library holds the interpreter lock
    if os.getppid() != own:
        return
    os.dup2(theirs, 1)
    os.dup2(theirs, 2)
    os.close(theirs)
    os.close(pipe)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
    from editeval.execution.worker import main as serve

    serve(descriptor, log)


_WATCHED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP}


class Supervisor:
    """Watches one worker, and copies to its log what it and its family print into `pipe`."""

    def __init__(self, worker: int, pipe: int) -> None:
        self._worker = worker
        self._status: int | None = None  # of the worker, once it has ended
        self._must_end = False  # somebody asked it to end the worker
        self._log = WorkerLog(pipe)
        self._poll = select.poll()
        self._wake, wake = os.pipe()
        for end in (self._wake, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only wakes it up
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
        self._poll.register(self._wake, select.POLLIN)
        self._poll.register(pipe, select.POLLIN)

    def _on_signal(self, *_: object) -> None:
        self._must_end = True

    def supervise(self) -> int:
        """The status with which the worker ended; nothing that descends from it is left."""
        self._reap()
        while self._status is None:
            if self._must_end:
                os.kill(self._worker, signal.SIGKILL)
            self._poll.poll(None if not self._must_end else 1000)
            self._take_in()
            self._reap()
        self._end_family()
        self._take_in()
        self._log.close()
        return self._status

    def _take_in(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 4096)
        if not self._log.copy():
            with contextlib.suppress(KeyError):
                self._poll.unregister(self._log.pipe)

    def _reap(self) -> bool:
        """Take note of every child that has ended; whether any is left."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == self._worker:
                    self._status = status
                if not pid:
                    return True
        return False

    def _end_family(self) -> None:
        """One generation after the other: what loses its parent becomes a child of this process."""
        deadline = time.monotonic() + FAMILY_S
        asked: set[int] = set()
        if sys.platform != "linux":  # only the group can be found there
            with contextlib.suppress(OSError):
                os.killpg(self._worker, signal.SIGKILL)
        while self._reap():
            for child in _children():
                is_late = time.monotonic() > deadline
                if is_late or child not in asked:
                    os.kill(child, signal.SIGKILL if is_late else signal.SIGTERM)
                    asked.add(child)
            self._take_in()
            time.sleep(_POLL_S)


class WorkerLog:
    """The log file of a worker, which is open as standard output: no larger than MAX_LOG_BYTES, and says what it lacks.

    When it is full, the end of what follows is kept in memory, and written when the worker has ended. Secrets that a
    library prints stay out of it.
    """

    def __init__(self, pipe: int) -> None:
        from editeval.redaction import LineRedactor  # the worker has been forked by now

        self._lines = LineRedactor()
        self.pipe = pipe
        os.set_blocking(pipe, False)
        self._room = max(LEAST_BYTES, MAX_LOG_BYTES - os.fstat(1).st_size)
        self._num_cut = 0
        self._end = b""

    def copy(self) -> bool:
        """Some of what has been printed is in the log; whether more can come."""
        for _ in range(16):  # then signals are looked at
            try:
                data = os.read(self.pipe, 65536)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._add(self._lines.feed(data))
        return True

    def close(self) -> None:
        """What was kept is in the log."""
        self._add(self._lines.end())
        if self._num_cut:
            num_lost = self._num_cut - len(self._end)
            _write(f"\n--- {num_lost:,} bytes are left out here; the last {len(self._end):,}:\n".encode() + self._end)

    def _add(self, data: bytes) -> None:
        data, rest = data[: self._room], data[self._room :]
        self._room -= len(data)
        if rest and not self._num_cut:
            data += b"\n--- the log is full: what follows is cut, its end comes when the worker ends\n"
        _write(data)
        self._num_cut += len(rest)
        self._end = (self._end + rest)[-LEAST_BYTES:]


def _write(data: bytes) -> None:
    with contextlib.suppress(OSError):  # a full disk: the worker must not wait for it, and nobody can be told here
        while data:
            data = data[os.write(1, data) :]


def _name_of(descriptor: int) -> str:
    """The file that is open there; empty if that cannot be known."""
    with contextlib.suppress(OSError):
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        return name if name.startswith("/") else ""
    return ""


def _children() -> list[int]:
    """The children of this process. Empty where there is no /proc."""
    own = os.getpid()
    with contextlib.suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/self/task/{own}/children").read_text(encoding="ascii").split()]
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):  # a kernel without that list
        with contextlib.suppress(OSError):
            if int(stat.read_bytes().rpartition(b")")[2].split()[1]) == own:
                found.append(int(stat.parent.name))
    return found


def _end_like(status: int) -> None:
    """End as a process did that ended with `status`. Never returns."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the worker's core, if it left one, is what counts
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        os._exit(128 + number)
    os._exit(os.waitstatus_to_exitcode(status))


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
