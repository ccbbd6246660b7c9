"""Frames between the parent and a worker: a JSON header and raw bytes. No pickle, so a frame can only carry data.

8 bytes   !II   length of the header, number of blobs
n x 8     !Q    length of each blob
header    UTF-8 JSON object
blobs     raw
"""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import struct
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import NoReturn, Protocol

_HEAD = struct.Struct("!II")
_LENGTH = struct.Struct("!Q")
MAX_HEADER = 64 << 20
MAX_BLOB = 1 << 30
MAX_BLOBS = 1 << 16
MAX_FRAME = 4 << 30  # all blobs together
AT_ONCE = 16 << 20  # bytes of memory that are reserved before anything has come

Header = Mapping[str, object]
"""JSON values."""
Frame = tuple[Header, list[bytes]]


class FrameError(ConnectionError):
    """The other side sent something that is no frame, or is gone."""


class ProtocolError(FrameError):
    """The other side is there, but sent something that is no frame: nothing that follows can be understood either."""


class Channel(Protocol):
    """Ordered frames, both ways. `recv` raises FrameError once the other side is gone."""

    def send(self, header: Header, blobs: Sequence[bytes] = ()) -> None: ...

    def send_nowait(self, header: Header) -> None:
        """As `send`, but never waits and never raises: a side that is gone does not get it."""
        ...

    def recv(self) -> Frame: ...

    def close(self) -> None: ...


class SocketChannel:
    """Frames over a connected stream socket. Any thread may send; one thread receives."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._lock = threading.Lock()
        self._posted: deque[bytes] = deque()  # whole frames, but the first may have begun to leave; lock to take any

    def send(self, header: Header, blobs: Sequence[bytes] = ()) -> None:
        """Raises TypeError or ValueError, before anything is sent, for what no frame can carry."""
        head = _head(header, blobs)
        try:
            with self._lock:
                self._send_posted()
                self._socket.sendall(head)
                for blob in blobs:
                    self._socket.sendall(blob)
        except OSError as error:
            raise FrameError(f"the other side is gone: {error}") from error

    def send_nowait(self, header: Header) -> None:
        """As `send`, but never waits and never raises. Posted frames keep their order.

        The thread that decides for all workers must not wait for one that has stopped reading.
        """
        self._posted.append(_head(header, ()))
        if self._lock.acquire(blocking=False):
            try:
                with contextlib.suppress(OSError):  # no room now, or the other side is gone
                    self._send_posted(socket.MSG_DONTWAIT)
            finally:
                self._lock.release()
        if self._posted:
            threading.Thread(target=self._wait_and_send_posted, daemon=True).start()

    def _send_posted(self, flags: int = 0) -> None:
        while self._posted:
            rest = self._posted[0][self._socket.send(self._posted[0], flags) :]
            if rest:
                self._posted[0] = rest
            else:
                self._posted.popleft()

    def _wait_and_send_posted(self) -> None:
        with self._lock, contextlib.suppress(OSError):  # gone: `recv` raises where it is called
            self._send_posted()

    def recv(self) -> Frame:
        header_size, num_blobs = _HEAD.unpack(self._read(_HEAD.size))
        if header_size > MAX_HEADER or num_blobs > MAX_BLOBS:
            raise ProtocolError(f"not a frame: header of {header_size} bytes, {num_blobs} blobs")
        sizes = [_LENGTH.unpack(self._read(_LENGTH.size))[0] for _ in range(num_blobs)]
        if any(size > MAX_BLOB for size in sizes) or sum(sizes) > MAX_FRAME:
            raise ProtocolError(f"not a frame: blobs of {sum(sizes)} bytes")
        try:
            text = self._read(header_size).decode("utf-8", "surrogatepass")
            header: object = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError, MemoryError) as error:
            raise ProtocolError(f"not a frame: {error}") from error
        if not isinstance(header, dict):
            raise ProtocolError(f"not a frame: header is {type(header).__name__}")
        try:
            return header, [bytes(self._read(size)) for size in sizes]
        except MemoryError as error:
            raise ProtocolError(f"blobs of {sum(sizes)} bytes: no memory for them") from error

    def end(self) -> None:
        """Nothing more comes or goes; what has come already can still be received (on Linux)."""
        with contextlib.suppress(OSError):  # already closed by the other side: that is what is asked for
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.end()
        self._socket.close()

    def _read(self, size: int) -> bytearray:
        buffer, have = bytearray(min(size, AT_ONCE)), 0
        while have < size:
            if have == len(buffer):  # what was announced is believed as far as it has come
                buffer.extend(bytes(min(have, size - have)))
            try:
                with memoryview(buffer) as view:
                    count = self._socket.recv_into(view[have:])
            except OSError as error:
                raise FrameError(f"the other side is gone: {error}") from error
            if not count:
                raise FrameError("the other side is gone")
            have += count
        return buffer


def check_frame(header: Header, blobs: Sequence[bytes]) -> None:
    """Raises TypeError or ValueError for what no frame can carry."""
    _head(header, blobs)


def _head(header: Header, blobs: Sequence[bytes]) -> bytes:
    """Everything of a frame but its blobs."""
    text = json.dumps(dict(header), ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")
    sizes = [len(blob) for blob in blobs]
    is_small = len(text) <= MAX_HEADER and len(blobs) <= MAX_BLOBS and sum(sizes) <= MAX_FRAME
    if not is_small or any(size > MAX_BLOB for size in sizes):
        raise ValueError(f"too large to be sent: header of {len(text)} bytes, {len(blobs)} blobs of {sum(sizes)} bytes")
    return _HEAD.pack(len(text), len(blobs)) + b"".join(_LENGTH.pack(len(b)) for b in blobs) + text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class QueueChannel:
    """One end of a pair of in-memory channels between two threads of this process."""

    def __init__(self, inbox: queue.SimpleQueue[Frame | None], outbox: queue.SimpleQueue[Frame | None]) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._open = True

    @classmethod
    def create_ends(cls) -> tuple[QueueChannel, QueueChannel]:
        """Two connected ends."""
        one: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        two: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        return cls(one, two), cls(two, one)

    def send(self, header: Header, blobs: Sequence[bytes] = ()) -> None:
        if not self._open:
            raise FrameError("the channel is closed")
        self._outbox.put((header, list(blobs)))

    def send_nowait(self, header: Header) -> None:
        with contextlib.suppress(FrameError):
            self.send(header)

    def recv(self) -> Frame:
        frame = self._inbox.get()
        if frame is None:
            self._open = False
            raise FrameError("the other side is gone")
        return frame

    def close(self) -> None:
        if self._open:
            self._open = False
            self._outbox.put(None)
            self._inbox.put(None)
