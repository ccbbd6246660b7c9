"""Where a judgement waits for its edits: editing lands them, judging picks them up."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from editeval.errors import EditevalError
from editeval.types import Edit


class NotEditedError(EditevalError):
    """There is nothing to judge: the edits failed, or an interrupt came before them."""

    reason = "not_edited"


class Landings:
    """Edits on record, and those still awaited; a judgement waits here for the edits it is about."""

    def __init__(self, edits: Iterable[Edit], awaited: Iterable[str]) -> None:
        self._done = {edit.sample_id: edit for edit in edits if edit.path is not None}
        self._awaited = set(awaited)
        self._changed = threading.Condition()
        self._is_closed = not self._awaited

    def land(self, edit: Edit) -> None:
        """`edit` is on record."""
        with self._changed:
            self._awaited.discard(edit.sample_id)
            if edit.path is not None:
                self._done[edit.sample_id] = edit
            self._changed.notify_all()

    def close(self) -> None:
        """No more edits come in this invocation."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def done(self, ids: Sequence[str]) -> list[Edit]:
        """The edits of `ids` that are done so far, in order."""
        with self._changed:
            return [self._done[key] for key in ids if key in self._done]

    def wait(self, ids: Sequence[str]) -> list[Edit]:
        """The edits of `ids` once each is done or failed. Raises NotEditedError if there will be none, or not all."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._awaited.isdisjoint(ids))
            if not self._awaited.isdisjoint(ids):
                raise NotEditedError("its edits were interrupted")
            found = [self._done[key] for key in ids if key in self._done]
        if not found:
            raise NotEditedError("its edits failed")
        return found
