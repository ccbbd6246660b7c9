"""Many small experiments side by side, each in a child made by fork: the interpreter and the imports are paid once."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
PATIENCE_S = 120.0
ENDED = 0


@dataclass(frozen=True)
class Finding:
    """What one experiment showed. `violations` are broken promises, one line each; `facts` are counted."""

    name: str
    violations: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


def scratch() -> Path:
    """A folder in memory where there is one: the layer decides what a disk would have kept, not the disk."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="chaos-", dir=memory if os.access(memory, os.W_OK) else None))


def experiments(
    things: Sequence[T], trial: Callable[[T, Path], Finding], num_parallel: int
) -> Iterator[tuple[T, Finding]]:
    """`trial(thing, empty folder)` of every thing, as they end. One that raises, dies or hangs has broken a promise."""
    waiting = list(enumerate(things))[::-1]
    running: dict[int, _Child] = {}
    root = scratch()
    selector = selectors.DefaultSelector()
    try:
        while waiting or running:
            while waiting and len(running) < num_parallel:
                number, thing = waiting.pop()
                child = _Child(thing, root / str(number), trial)
                running[child.pipe] = child
                selector.register(child.pipe, selectors.EVENT_READ)
            ready = [key.fd for key, _ in selector.select(0.2)]
            overdue = [pipe for pipe, child in running.items() if child.is_overdue()]
            for pipe in dict.fromkeys([*ready, *overdue]):
                child = running[pipe]
                if pipe in overdue or child.read() == ENDED:
                    selector.unregister(pipe)
                    del running[pipe]
                    yield child.thing, child.finding(pipe in overdue)
                    shutil.rmtree(child.folder, ignore_errors=True)
    finally:
        for child in running.values():
            child.kill()
        shutil.rmtree(root, ignore_errors=True)


class _Child:
    """One experiment under way."""

    def __init__(self, thing: Any, folder: Path, trial: Callable[[Any, Path], Finding]) -> None:
        self.thing, self.folder = thing, folder
        self._deadline = time.monotonic() + PATIENCE_S
        self._said = b""
        folder.mkdir()
        self.pipe, write_end = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.setpgid(0, 0)  # what it leaves behind can be ended with it
            os.close(self.pipe)
            _perform(thing, folder, trial, write_end)
        os.close(write_end)

    def read(self) -> int:
        chunk = os.read(self.pipe, 65536)
        self._said += chunk
        return len(chunk)

    def is_overdue(self) -> bool:
        return time.monotonic() > self._deadline

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self.pipe)

    def finding(self, is_overdue: bool) -> Finding:
        self.kill()
        name = str(self.thing)
        if is_overdue:
            return Finding(name, [f"hangs: not done after {PATIENCE_S:.0f} s"])
        try:
            return Finding(**json.loads(self._said))
        except ValueError:
            return Finding(name, [f"the experiment died: {self._said[-300:]!r}"])


def _perform(thing: Any, folder: Path, trial: Callable[[Any, Path], Finding], pipe: int) -> None:
    try:
        finding = trial(thing, folder)
    except BaseException as error:  # noqa: BLE001  whatever it was, it is told
        trace = traceback.extract_tb(error.__traceback__)
        where = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(trace[-6:]))
        finding = Finding(str(thing), [f"{type(error).__name__}: {error} at {where}"])
    with os.fdopen(pipe, "w") as out:
        json.dump({"name": finding.name, "violations": finding.violations, "facts": finding.facts}, out)
    os._exit(0)


def in_child(act: Callable[[], str]) -> tuple[str, int]:
    """(what `act` returned, or what it raised; signal that ended it or 0), in a child of its own."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        try:
            said = act()
        except BaseException as error:  # noqa: BLE001
            trace = traceback.extract_tb(error.__traceback__)
            where = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(trace[-6:]))
            said = f"BUG {type(error).__name__}: {error} at {where}"
        os.write(write_end, said.encode("utf-8", "replace")[:60_000])
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        said = pipe.read().decode("utf-8", "replace")
    _, status = os.waitpid(child, 0)
    return said, os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
