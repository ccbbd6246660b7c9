"""Every error that editeval raises on purpose.

    EditevalError
    |-- UserError               one line, exit 2, no traceback: the user can fix it
    |   |-- ConfigError         a key, a value, a flag, a plug-in; carries file:line where there is one
    |   |   `-- MistakesError   more than one mistake, a line each
    |   |-- BenchmarkError      the data set: empty, duplicate ids, missing fields
    |   |-- MachineError        a device, a package, a checkpoint, the disk
    |   |   `-- ClusterLostError  the head of the Ray cluster is gone; exit 3: the same command continues
    |   `-- RunConflictError    the run directory belongs to another process or another run
    |-- ImageError              one image is broken: fails that sample only
    |-- BadOutputError          a model returned something that is no result: fails that sample only
    |-- BudgetError             a limit on spending is reached: what was not asked for stays pending
    |-- EditRefusedError        an editor declines one request: fails that sample only, and is not tried again
    `-- EditBatchError          `batch_edit` finished, but some edits failed; carries all outcomes

Messages read *where: what, got what; what to do*.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pathlib import Path

    from editeval.types import Outcome


class Reason(StrEnum):
    """Why an edit failed or a score is missing: the word in the ledger, its family, and if another attempt may help.

    A family is what `retry --only` also takes. Plug-ins may use words of their own; those have no family.
    """

    family: str
    is_retried: bool

    def __new__(cls, word: str, family: str, is_retried: bool = False) -> Reason:
        member = str.__new__(cls, word)
        member._value_ = word
        member.family = family
        member.is_retried = is_retried
        return member

    # the metric is not one of this sample's: nothing is missing
    NOT_APPLICABLE = "not_applicable", "not_asked"
    # the reply is there, and no score can be read from it
    EMPTY = "empty", "parse"
    DEGENERATE = "degenerate", "parse"
    TRUNCATED = "truncated", "parse"
    UNPARSABLE = "unparsable", "parse"
    AMBIGUOUS = "ambiguous", "parse"
    WRONG_SCALE = "wrong_scale", "parse"
    OUT_OF_RANGE = "out_of_range", "parse"
    NOT_A_NUMBER = "not_a_number", "parse"
    LOW_MASS = "low_mass", "parse"
    NO_PROBABILITIES = "no_probabilities", "parse"
    NO_ANSWER = "no_answer", "parse"
    # the judge says that it has nothing to judge
    NOT_SEEN = "not_seen", "unseen"
    CANNOT_JUDGE = "cannot_judge", "unseen"
    # a model or a service declines
    REFUSED = "refused", "refusal"
    CONTENT_FILTER = "content_filter", "refusal"
    # the request cannot be asked as it is
    BAD_REQUEST = "bad_request", "request"
    DECLINED = "declined", "request"
    TOO_LONG = "too_long", "request"
    NO_PROMPT = "no_prompt", "request"
    NO_REFERENCE = "no_reference", "request"
    NO_CHANGE = "no_change", "request"
    SIZE_MISMATCH = "size_mismatch", "image"
    BAD_SOURCE = "bad_source", "image"
    BAD_IMAGE = "bad_image", "image"
    SOURCE_CHANGED = "source_changed", "image"
    NO_PAIR = "no_pair", "image"
    PREVIOUS_TURN = "previous_turn", "image"
    MISSING = "missing", "image"
    # processes, devices, time, networks, money
    BAD_OUTPUT = "bad_output", "output"
    EXCEPTION = "exception", "error", True
    OOM = "oom", "memory", True
    TIMEOUT = "timeout", "timeout", True
    STALLED = "stalled", "timeout", True
    WORKER_DIED = "worker_died", "crash", True
    DEVICE_LOST = "device_lost", "crash", True
    TRANSPORT = "transport", "network", True
    BUDGET = "budget", "spending"
    ENVIRONMENT = "environment", "machine"


FAMILIES: Mapping[str, frozenset[str]] = {
    family: frozenset(reason.value for reason in Reason if reason.family == family)
    for family in dict.fromkeys(reason.family for reason in Reason)
}
"""The groups of reasons by the word that `retry --only` takes."""


class EditevalError(Exception):
    """Root of the tree. `reason` is the word under which a request that fails with it is counted."""

    reason: ClassVar[str] = Reason.EXCEPTION


class UserError(EditevalError):
    """Something the user can fix. The command line prints it as one line and exits with `exit_code`."""

    reason = Reason.BAD_REQUEST
    exit_code: ClassVar[int] = 2

    @property
    def parts(self) -> tuple[UserError, ...]:
        """The single mistakes, each of which is one line."""
        return (self,)


class ConfigError(UserError):
    """A configuration file, a flag or a parameter is wrong."""


class MistakesError(ConfigError):
    """More than one mistake. Its text has one line for each."""

    def __init__(self, parts: Sequence[UserError]) -> None:
        super().__init__("\n".join(map(str, parts)))
        self._parts = tuple(parts)

    @property
    def parts(self) -> tuple[UserError, ...]:
        return self._parts


class Problems:
    """Collects mistakes, so that a user is told all of them at once. `file` is the one whose lines give their order."""

    def __init__(self, file: object = "") -> None:
        self.found: list[UserError] = []
        self._place = re.compile(rf"{re.escape(str(file))}(?::(?P<line>\d+))?: ")

    def add(self, error: UserError) -> None:
        """Keeps every part of `error`. Of two about the same key in the same line the first is kept."""
        for part in error.parts:
            if not self.concern(self._subject(part)):
                self.found.append(part)

    def concern(self, subject: str) -> bool:
        """Whether one of them is about `subject`, which is `file:line: key`."""
        return subject in (self._subject(known) for known in self.found)

    @contextmanager
    def collect(self) -> Iterator[None]:
        """A UserError inside ends the block, is kept, and is not raised."""
        try:
            yield
        except UserError as error:
            self.add(error)

    def check(self) -> None:
        """Raises what was found: one mistake as it is, several as MistakesError, in the order of their lines."""
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            raise MistakesError(sorted(self.found, key=self._position))

    def _position(self, error: UserError) -> tuple[int, int]:
        """First what is missing from a file, then its lines in order, then everything else as it was found."""
        match = self._place.match(str(error))
        return (0, int(match["line"] or 0)) if match else (1, 0)

    @staticmethod
    def _subject(error: UserError) -> str:
        """`file:line: key` of a message, the whole message if it has no such beginning."""
        where, _, rest = str(error).partition(": ")
        key, _, said = rest.partition(": ")
        return f"{where}: {key}" if said and " " not in key else str(error)


class BenchmarkError(UserError):
    """The benchmark cannot be used as it is."""


class MachineError(UserError):
    """This machine lacks something the configuration asks for: no request can succeed, the run stops."""

    reason = Reason.ENVIRONMENT


class ClusterLostError(MachineError):
    """The machine that holds a cluster together went away in the middle of a run; everything that finished is safe."""

    exit_code = 3


class RunConflictError(UserError):
    """The run directory is in use, or does not fit this configuration."""


class ImageError(EditevalError):
    """An image cannot be read, or is not one that editeval accepts."""

    reason = Reason.BAD_SOURCE


class BadOutputError(EditevalError):
    """A model returned something that is no result."""

    reason = Reason.BAD_OUTPUT


class BudgetError(EditevalError):
    """A limit on spending is reached, and no further call is made."""

    reason = Reason.BUDGET


class EditRefusedError(EditevalError):
    """The editor will not or cannot carry out this instruction; trying again would not help."""

    reason = Reason.REFUSED


class EditBatchError(EditevalError):
    """Some edits of a batch failed. `outcomes` holds one outcome per input, in input order; `logs` is a folder."""

    def __init__(self, outcomes: Sequence[Outcome[Any]], logs: Path) -> None:
        failed = [o for o in outcomes if o.error is not None]
        first = f"; first: {failed[0].key}: {failed[0].error.message}" if failed and failed[0].error else ""
        super().__init__(f"{len(failed)} of {len(outcomes)} edits failed{first}; worker logs: {logs}")
        self.outcomes = list(outcomes)
