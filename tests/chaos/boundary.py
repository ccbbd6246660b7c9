"""What strangers' files may cost: no file is opened outside of their folder, and memory stays bounded."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

PEAK_MIB = 600
_OWN = ("/usr/", "/lib", "/proc/self/", "/dev/null", "/dev/urandom", sys.prefix, sys.base_prefix)
_NAMES = ("listdir", "scandir", "remove", "rename", "mkdir", "rmdir", "symlink", "link")
_EVENTS = ("open", *(f"os.{name}" for name in _NAMES))
_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "os.fork")


class Boundary:
    """While inside, whatever is opened, changed, started or connected is noted. Once in a process: hooks stay."""

    def __init__(self, folder: Path) -> None:
        self._inside = f"{folder.resolve()}/"
        self._is_open = False
        self._outside: list[str] = []
        source = Path(sys.modules["editeval"].__file__ or "").parents[1]
        self._own = (*_OWN, str(source), str(Path(__file__).parents[1]))

    def __enter__(self) -> Boundary:
        self._is_open = True
        sys.addaudithook(self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open = False

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._is_open:
            return
        if event in _STARTS:
            self._outside.append(f"{event} {arguments[:2]!r}")
        elif event in _EVENTS and isinstance(arguments[0], str | bytes | os.PathLike):
            if isinstance(arguments[0], str) and "/" not in arguments[0] and arguments[0] != "..":
                return  # beneath a directory that was opened before
            path = os.path.realpath(os.path.abspath(os.fsdecode(arguments[0])))  # noqa: PTH100
            if not f"{path}/".startswith(self._inside) and not path.startswith(self._own):
                self._outside.append(f"{event} of {path}")

    def violations(self) -> list[str]:
        """What was opened outside, and a peak of more than PEAK_MIB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        too_much = [f"took {peak} MiB, more than {PEAK_MIB}"] if peak > PEAK_MIB else []
        return [f"outside: {one}" for one in dict.fromkeys(self._outside)][:5] + too_much
