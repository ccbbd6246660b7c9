"""The frame protocol through any history of a connection: every frame once, in order, whole, until nonsense comes."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from editeval.execution.transport import Frame, FrameError, ProtocolError, SocketChannel

HEADERS = st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=10), max_size=4)
BLOBS = st.lists(st.binary(max_size=300), max_size=3)
PROTOCOL_ERROR = (
    struct.pack("!II", 2**32 - 1, 0),
    struct.pack("!II", 2, 2**20) + b"{}",
    struct.pack("!IIQ", 2, 1, 2**40) + b"{}",
    struct.pack("!II", 4, 0) + b"[1]x",
    struct.pack("!II", 10, 0) + b'{"a": NaN}',
    struct.pack("!II", 2, 0) + b"\xff\xfe",
)


class FrameMachine(RuleBasedStateMachine):
    """Two ends of a channel, and the frames that are under way. A write never fills a socket's buffer here."""

    @initialize()
    def connect(self) -> None:
        ours, theirs = socket.socketpair()
        self.sockets = (ours, theirs)
        self.ends = (SocketChannel(ours), SocketChannel(theirs))
        self.under_way: tuple[list[Frame], list[Frame]] = ([], [])  # towards the first end, towards the second
        self.is_open = True
        self.rest = b""  # of a frame that the first end sends piece by piece
        for sock in self.sockets:
            sock.settimeout(5)

    @precondition(lambda self: not self.is_open)
    @rule()
    def connect_again(self) -> None:
        self.connect()

    @property
    def num_bytes(self) -> int:
        return sum(len(json.dumps(h)) + sum(map(len, blobs)) for way in self.under_way for h, blobs in way)

    @precondition(lambda self: self.is_open and not self.rest and self.num_bytes < 20_000)
    @rule(end=st.integers(0, 1), header=HEADERS, blobs=BLOBS)
    def send(self, end: int, header: dict[str, Any], blobs: list[bytes]) -> None:
        self.ends[end].send(header, blobs)
        self.under_way[1 - end].append((header, blobs))

    @precondition(lambda self: self.is_open and not self.rest)
    @rule(value=st.sampled_from([float("nan"), {1, 2}, b"bytes"]))
    def send_what_no_frame_can_carry(self, value: Any) -> None:
        try:
            self.ends[0].send({"value": value})
        except (TypeError, ValueError):
            return
        raise AssertionError("it was sent")

    @precondition(lambda self: self.is_open and not self.rest and self.num_bytes < 20_000)
    @rule(header=HEADERS, blobs=BLOBS, data=st.data())
    def send_a_piece(self, header: dict[str, Any], blobs: list[bytes], data: st.DataObject) -> None:
        text = json.dumps(header, ensure_ascii=False).encode("utf-8", "surrogatepass")
        lengths = b"".join(struct.pack("!Q", len(blob)) for blob in blobs)
        whole = struct.pack("!II", len(text), len(blobs)) + lengths + text + b"".join(blobs)
        cut = data.draw(st.integers(1, len(whole)))
        self.sockets[0].sendall(whole[:cut])
        self.rest = whole[cut:]
        self.under_way[1].append((header, blobs))

    @precondition(lambda self: self.rest)
    @rule()
    def send_the_rest(self) -> None:
        self.sockets[0].sendall(self.rest)
        self.rest = b""

    @precondition(lambda self: any(self._whole(end) for end in (0, 1)))
    @rule(first=st.integers(0, 1))
    def receive(self, first: int) -> None:
        end = first if self._whole(first) else 1 - first
        assert self.ends[end].recv() == self.under_way[end].pop(0)

    def _whole(self, end: int) -> int:
        """Frames under way towards `end` that have been sent to their last byte."""
        return len(self.under_way[end]) - (1 if self.rest and end == 1 else 0)

    @precondition(lambda self: self.is_open and not self.rest)
    @rule(nonsense=st.sampled_from(PROTOCOL_ERROR))
    def talk_nonsense(self, nonsense: bytes) -> None:
        """What came before it still arrives; it is known as nonsense at once, though the sender is still there."""
        self.sockets[0].sendall(nonsense)
        while self.under_way[1]:
            assert self.ends[1].recv() == self.under_way[1].pop(0)
        try:
            self.ends[1].recv()
        except ProtocolError:
            self._hang_up()
            return
        raise AssertionError("nonsense was taken for a frame")

    @precondition(lambda self: self.is_open)
    @rule()
    def hang_up(self) -> None:
        """What was sent whole still arrives; then, and in the middle of a frame, the other side is gone."""
        num_whole = self._whole(1)
        self.ends[0].close()
        for frame in self.under_way[1][:num_whole]:
            assert self.ends[1].recv() == frame
        try:
            self.ends[1].recv()
        except ProtocolError as error:
            raise AssertionError("a peer that left talked no nonsense") from error
        except FrameError:
            self._hang_up()
            return
        raise AssertionError("nobody was there, and yet a frame came")

    def _hang_up(self) -> None:
        self.is_open, self.rest = False, b""
        for way in self.under_way:
            way.clear()
        for end in self.ends:
            end.close()

    def teardown(self) -> None:
        if hasattr(self, "ends"):
            self._hang_up()


FrameMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestFrames = FrameMachine.TestCase
