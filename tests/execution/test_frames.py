"""Frames: what goes in comes out, and whatever else arrives is a FrameError, promptly."""

from __future__ import annotations

import contextlib
import json
import math
import socket
import struct
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editeval.execution.transport import (
    AT_ONCE,
    MAX_BLOB,
    MAX_BLOBS,
    MAX_HEADER,
    Channel,
    FrameError,
    QueueChannel,
    SocketChannel,
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
HEADERS = st.dictionaries(st.text(max_size=10), JSON, max_size=5)
BLOBS = st.lists(st.binary(max_size=2000), max_size=6)
HEAD = struct.Struct("!II")
LENGTH = struct.Struct("!Q")


@contextlib.contextmanager
def socket_ends() -> Iterator[tuple[SocketChannel, SocketChannel]]:
    one, two = (SocketChannel(end) for end in socket.socketpair())
    try:
        yield one, two
    finally:
        one.close()
        two.close()


def receive(data: bytes) -> Any:
    """What arrives when a peer sends `data` and hangs up; 5 s at most."""
    theirs, ours = socket.socketpair()
    ours.settimeout(5)
    with theirs, ours:
        writer = threading.Thread(target=lambda: (theirs.sendall(data), theirs.shutdown(socket.SHUT_WR)))
        writer.start()
        try:
            return SocketChannel(ours).recv()
        finally:
            ours.close()
            writer.join()


def framed(header: bytes, blobs: tuple[bytes, ...] = ()) -> bytes:
    lengths = b"".join(LENGTH.pack(len(blob)) for blob in blobs)
    return HEAD.pack(len(header), len(blobs)) + lengths + header + b"".join(blobs)


@settings(max_examples=80, deadline=None)
@given(HEADERS, BLOBS)
def test_what_is_sent_arrives_in_order(header: dict[str, Any], blobs: list[bytes]) -> None:
    with socket_ends() as (one, two):
        one.send(header, blobs)
        one.send({"second": True})
        assert two.recv() == (header, blobs)
        assert two.recv() == ({"second": True}, [])


def test_a_blob_larger_than_every_buffer_arrives_whole_from_many_threads() -> None:
    blob = bytes(range(256)) * 4096
    with socket_ends() as (one, two):
        senders = [threading.Thread(target=one.send, args=({"n": n}, [blob, b"", blob])) for n in range(4)]
        for sender in senders:
            sender.start()
        frames = [two.recv() for _ in senders]
        for sender in senders:
            sender.join()
    assert sorted(header["n"] for header, _ in frames) == [0, 1, 2, 3]
    assert all(blobs == [blob, b"", blob] for _, blobs in frames)


def test_half_a_surrogate_pair_survives_the_trip() -> None:
    header = {"instruction": "make it \ud83d blue", "whole": "\U0001f504", "nul": "\x00"}
    with socket_ends() as (one, two):
        one.send(header)
        assert two.recv() == (header, [])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, {1, 2}, b"bytes", object()])
def test_what_is_no_json_is_refused_before_a_byte_is_sent(value: Any) -> None:
    with socket_ends() as (one, two):
        with pytest.raises((TypeError, ValueError)):
            one.send({"value": value})
        one.send({"still": "sound"})
        assert two.recv() == ({"still": "sound"}, [])


class Large(bytes):
    """Claims to be larger than a frame may carry."""

    def __len__(self) -> int:
        return MAX_BLOB + 1


def test_what_the_other_side_would_refuse_is_not_sent() -> None:
    with socket_ends() as (one, two):
        for blobs in ([Large()], [b""] * (MAX_BLOBS + 1)):
            with pytest.raises(ValueError, match="too large to be sent"):
                one.send({}, blobs)
        one.send({"still": "sound"})
        assert two.recv() == ({"still": "sound"}, [])


@pytest.mark.parametrize("cut", range(40))
def test_a_peer_that_closes_in_the_middle_is_gone(cut: int) -> None:
    whole = framed(b'{"a": 1}', (b"0123456789", b"x"))
    assert len(whole) == 43
    with pytest.raises(FrameError, match="the other side is gone"):
        receive(whole[:cut])


@pytest.mark.parametrize(
    "data",
    [
        framed(b"[1, 2]"),
        framed(b"null"),
        framed(b""),
        framed(b"{'a': 1}"),
        framed(b'{"a": 1'),
        framed(b'{"a": NaN}'),
        framed(b'{"a": -Infinity}'),
        framed(b'{"a": "\xff\xfe"}'),
        framed(b"[" * 200_000),
        HEAD.pack(MAX_HEADER + 1, 0),
        HEAD.pack(2, MAX_BLOBS + 1),
        HEAD.pack(2, 1) + LENGTH.pack(MAX_BLOB + 1) + b"{}",
        HEAD.pack(2, 9) + 9 * LENGTH.pack(MAX_BLOB) + b"{}",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
def test_garbage_is_a_frame_error(data: bytes) -> None:
    with pytest.raises(FrameError, match="not a frame"):
        receive(data)


def test_a_large_frame_takes_memory_only_as_it_comes() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FrameError, match="the other side is gone"):
            receive(HEAD.pack(2, 1) + LENGTH.pack(MAX_BLOB) + b"{}" + b"not all of it")
        assert tracemalloc.get_traced_memory()[1] < 2 * AT_ONCE
    finally:
        tracemalloc.stop()


def test_a_blob_larger_than_what_is_reserved_arrives_as_it_was() -> None:
    blob = bytes(range(256)) * (AT_ONCE // 256) * 2 + b"the end"
    assert receive(framed(b"{}", (blob,))) == ({}, [blob])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_end_in_a_frame_error_or_a_frame_and_never_hang(data: bytes) -> None:
    try:
        header, blobs = receive(data)
    except FrameError:
        return
    assert data.startswith(framed(json.dumps(header).encode(), tuple(blobs))[:4])


def test_sending_to_a_peer_that_left_is_a_frame_error() -> None:
    one, two = (SocketChannel(end) for end in socket.socketpair())
    two.close()
    two.close()
    with pytest.raises(FrameError, match="the other side is gone"):
        for _ in range(3):
            one.send({"type": "start"}, [b"0" * 100_000])
    one.close()


def test_closing_wakes_a_receiver_on_either_side() -> None:
    for create in (lambda: tuple(SocketChannel(end) for end in socket.socketpair()), QueueChannel.create_ends):
        ends = create()
        heard: list[str] = []

        def listen(channel: Channel, heard: list[str] = heard) -> None:
            with pytest.raises(FrameError):
                channel.recv()
            heard.append("gone")

        threads = [threading.Thread(target=listen, args=(end,)) for end in ends]
        for thread in threads:
            thread.start()
        ends[0].close()
        for thread in threads:
            thread.join(60)
        assert heard == ["gone", "gone"]
        ends[1].close()


def test_queue_channels_carry_frames_both_ways_and_know_when_they_are_closed() -> None:
    one, two = QueueChannel.create_ends()
    one.send({"a": 1}, (b"x",))
    two.send({"b": 2})
    assert two.recv() == ({"a": 1}, [b"x"]) and one.recv() == ({"b": 2}, [])
    one.close()
    with pytest.raises(FrameError, match="closed"):
        one.send({})
    with pytest.raises(FrameError, match="gone"):
        two.recv()
    with pytest.raises(FrameError, match="closed"):
        two.send({})
