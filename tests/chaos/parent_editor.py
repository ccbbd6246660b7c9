"""An editor that starts other processes of the kind that its script asks for, and then ends, dies or hangs.

Every process of such a family notes itself in the file `family` of the script's folder, as "PID START", which names it
for good; whoever reads the file can say which of them are alive.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL.Image import Image

from editeval.images import decode
from editeval.types import Editor, EditRequest, Progress

LIFE_S = 300.0
PATIENCE_S = 30.0


@dataclass(frozen=True)
class ParentParams:
    folder: str = ""
    kind: str = "fork"  # of KINDS
    then: str = "end"  # "end" | "die" | "exit" | "hang"
    at: str = "edit"  # or "load"


class ParentEditor(Editor):
    Params = ParentParams
    params: ParentParams
    default_device = "cpu"

    def load(self, device: str) -> None:
        if self.params.at == "load":
            self._start_family()

    def edit(self, request: EditRequest, progress: Progress) -> Image:
        if self.params.at == "edit":
            self._start_family()
        if self.params.then == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.params.then == "exit":
            os._exit(3)
        elif self.params.then == "hang":
            signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
            time.sleep(LIFE_S)
        return decode(request.images[0])

    def _start_family(self) -> None:
        """Returns once a new member of the family is there."""
        family = Path(self.params.folder) / "family"
        before = len(members(family))
        KINDS[self.params.kind](family)
        deadline = time.monotonic() + PATIENCE_S
        while len(members(family)) == before and time.monotonic() < deadline:
            time.sleep(0.005)


def members(family: Path) -> list[tuple[int, str]]:
    """(process id, when it was started) of all that have noted themselves."""
    lines = family.read_text().splitlines() if family.exists() else []
    return [(int(line.split()[0]), line.split()[1]) for line in lines if line.count(" ") == 1]


def alive(family: Path) -> list[int]:
    """Those of them that have not ended."""
    return [pid for pid, started in members(family) if _started(pid) == started]


def _stat(pid: int | str) -> list[str]:
    """Fields of its stat, from the third on; none for a process that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return [] if fields[0] in "ZX" else fields


def _started(pid: int | str) -> str:
    fields = _stat(pid)
    return fields[19] if fields else ""


def note(family: Path, pid: str = "self") -> None:
    """That process (this one) is one of the family."""
    with contextlib.suppress(FileNotFoundError):  # the experiment is over
        number = Path(f"/proc/{pid}/stat").read_text().split()[0]  # as the others see it, in any namespace
        descriptor = os.open(family, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(descriptor, f"{number} {_started(pid)}\n".encode())
        os.close(descriptor)


def _live(family: Path) -> None:
    note(family)
    time.sleep(LIFE_S)


def _forked(act: Callable[[], None], fork: Callable[[], int] = os.fork) -> None:
    """`act` in a child, which never returns."""
    if fork() == 0:
        try:
            act()
        finally:
            os._exit(0)


def _plain(family: Path) -> None:
    _forked(lambda: _live(family))


def _native(family: Path) -> None:
    """As a library forks: nothing that Python does at a fork is done, so the child holds the worker's socket."""
    _forked(lambda: _live(family), ctypes.PyDLL(None).fork)


def _deaf(family: Path) -> None:
    """It ignores every signal that can be ignored."""

    def act() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
        _live(family)

    _forked(act)


def _session(family: Path) -> None:
    def act() -> None:
        os.setsid()
        _live(family)

    _forked(act)


def _double(family: Path) -> None:
    _forked(lambda: _forked(lambda: _live(family)))


def _daemon(family: Path) -> None:
    """As the book has it: double fork, a session of its own, nothing inherited is kept open."""

    def act() -> None:
        os.setsid()
        os.chdir("/")
        os.closerange(0, 256)
        _forked(lambda: _live(family))

    _forked(act)


def _deaf_daemon(family: Path) -> None:
    def act() -> None:
        os.setsid()
        _deaf(family)

    _forked(act)


def _stopped(family: Path) -> None:
    def act() -> None:
        note(family)
        os.kill(os.getpid(), signal.SIGSTOP)

    _forked(act)


def _chain(family: Path) -> None:
    """Each lives for a moment and leaves a successor, in a session of its own."""

    def act() -> None:
        deadline = time.monotonic() + LIFE_S
        note(family)
        while time.monotonic() < deadline and family.exists():
            os.setsid()
            time.sleep(0.02)
            if os.fork():
                return
            note(family)

    _forked(act)


def _program(family: Path, *before: str, environment: dict[str, str] | None = None) -> None:
    """Another program, with nothing of ours in it, not even the environment."""
    command = [*before, sys.executable, "-S", "-E", "-c", f"import time; time.sleep({LIFE_S})"]
    child = subprocess.Popen(command, env={} if environment is None else environment, start_new_session=True)
    note(family, str(child.pid))


def _namespace(family: Path) -> None:
    """In a namespace of process ids of its own: `unshare` and the first process in there."""
    child = subprocess.Popen(["unshare", "--pid", "--fork", "sleep", str(LIFE_S)], close_fds=False)
    deadline = time.monotonic() + PATIENCE_S
    while not (inner := _children_of(child.pid)) and time.monotonic() < deadline:
        time.sleep(0.005)
    for pid in (child.pid, *inner):
        note(family, str(pid))


def _children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _many(family: Path) -> None:
    for _ in range(3):
        _double(family)
        _plain(family)


KINDS: dict[str, Callable[[Path], None]] = {
    "fork": _plain,
    "native fork": _native,
    "deaf": _deaf,
    "setsid": _session,
    "double fork": _double,
    "daemon": _daemon,
    "deaf daemon": _deaf_daemon,
    "stopped": _stopped,
    "chain": _chain,
    "program": _program,
    "namespace": _namespace,
    "many": _many,
}
