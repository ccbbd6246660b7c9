"""What this machine has: processor, memory, disks and their file systems. What cannot be found out is left out."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30


@dataclass(frozen=True, slots=True)
class Disk:
    """Free space where `path` is, or would be."""

    path: Path
    free_gib: float
    total_gib: float


def memory_gib() -> tuple[float, float] | None:
    """(total, available) of the host, GiB; None where Linux does not say."""
    with suppress(OSError, KeyError, ValueError):
        rows = (line.split() for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
        kib = {row[0].rstrip(":"): int(row[1]) for row in rows if len(row) > 1}
        return round(kib["MemTotal"] / 2**20, 1), round(kib["MemAvailable"] / 2**20, 1)
    return None


def disk(path: Path) -> Disk | None:
    """The disk that `path` is on, or its nearest parent that exists; None if that is unknown."""
    for place in (path.absolute(), *path.absolute().parents):
        try:
            usage = shutil.disk_usage(place)
        except OSError:
            continue
        return Disk(path, round(usage.free / GIB, 1), round(usage.total / GIB, 1))
    return None


def host() -> dict[str, str | int | float | None]:
    """Name, system, processor, its logical CPUs (all, and those this process may use) and memory of this machine."""
    return {
        "name": socket.gethostname(),
        "system": platform.platform(),
        "cpu": _cpu_model(),
        "num_cpus": os.cpu_count(),
        "num_usable_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "ram_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 2),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


# -- file systems ------------------------------------------------------------------------------------------------------

MOUNTINFO = Path("/proc/self/mountinfo")
# Not one machine's own disk: shared memory maps, which the write-ahead log needs, are not coherent on these.
_SHARED = frozenset(
    (
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "cvmfs", "fhgfs", "gfs", "gfs2", "glusterfs", "gpfs"),
        *("lustre", "mmfs", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "panfs", "pvfs2", "smb2", "smb3", "smbfs"),
        *("vboxsf", "virtiofs", "wekafs"),
    )
)
"""Not one machine's own disk: shared memory maps, which the write-ahead log needs, are not coherent on these."""


def journal_mode(path: Path, mountinfo: Path = MOUNTINFO) -> str:
    """ "WAL" on a local file system; "DELETE", slower but safe for one writer, on a network one."""
    return "DELETE" if is_shared(file_system(path, mountinfo)) else "WAL"


def is_shared(kind: str) -> bool:
    """True for file systems that other machines may write to, and for those in user space (sshfs, s3fs, ...)."""
    return kind in _SHARED or kind.startswith("fuse.")


def file_system(path: Path, mountinfo: Path = MOUNTINFO) -> str:
    """Type of the file system that holds `path` ("ext4", "nfs4"); "" where the kernel does not say (not Linux)."""
    return _mount_of(path, mountinfo)[1]


def mount_point(path: Path, mountinfo: Path = MOUNTINFO) -> Path:
    """Where the file system that holds `path` is mounted; `path` itself where the kernel does not say."""
    return _mount_of(path, mountinfo)[0]


def _mount_of(path: Path, mountinfo: Path) -> tuple[Path, str]:
    """(mount point, type) of the file system that holds `path`."""
    try:
        lines = mountinfo.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return path, ""
    target = path.resolve()
    best: tuple[int, Path, str] = (-1, path, "")
    for line in lines:  # id parent major:minor root MOUNT-POINT options [tags] - TYPE source super-options
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = Path(_unescape(fields[4]))
        depth = len(point.parts)
        if depth >= best[0] and target.is_relative_to(point):  # of two mounts on one point the later one is seen
            best = (depth, point, after.split(" ")[0])
    return best[1:]


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Another one after every start of the machine; empty where the system does not say (not Linux)."""
    try:
        return BOOT_ID_FILE.read_text(encoding="ascii").strip()
    except OSError:
        return ""
