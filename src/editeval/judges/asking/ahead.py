"""Requests whose preparation has begun in other threads, until `judge` comes for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from editeval.types import JudgeRequest

T = TypeVar("T")
Begin = Callable[[Sequence[JudgeRequest]], list[Future[T]]]


class Ahead(Generic[T]):
    """Keeps what was begun for the newest two batches: one is judged, one waits."""

    def __init__(self, begin: Begin[T]) -> None:
        self._begin = begin
        self._begun: list[tuple[Sequence[JudgeRequest], list[Future[T]]]] = []

    def prepare(self, requests: Sequence[JudgeRequest]) -> None:
        """Begin now; returns at once."""
        self._begun = [*self._begun[-1:], (requests, self._begin(requests))]

    def take(self, requests: Sequence[JudgeRequest]) -> list[T]:
        """What the preparation of `requests` gave, in order; begun here if it was not before."""
        begun = next((futures for of, futures in self._begun if of is requests), None)
        self._begun = [entry for entry in self._begun if entry[0] is not requests]
        return [future.result() for future in begun or self._begin(requests)]
