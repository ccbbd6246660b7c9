"""Addresses of servers, as they are written in a configuration."""

from __future__ import annotations


def is_address(text: str) -> bool:
    """Whether it is host:port and nothing more: `ray://head:10001` is another program's, and could not carry a run."""
    host, _, port = text.rpartition(":")
    return bool(host) and "/" not in host and port.isdecimal() and 0 < int(port) < 65536
