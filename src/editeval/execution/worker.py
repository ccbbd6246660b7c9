"""One worker: one model on its device, one request at a time.

A supervisor (see there) runs it as a process on an inherited socket.

Three threads share the work so that the device never waits for us:
    reader    receives requests ahead of time and decodes their images
    main      runs the model, and says "done" the moment the pixels exist
    writer    encodes the PNG and sends it while the next request runs
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import operator
import os
import queue
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from editeval import images, plugin_errors, plugins
from editeval.errors import UserError
from editeval.execution.transport import Channel, FrameError, Header, SocketChannel
from editeval.execution.validation import checked_facts, checked_image, describe, judged, release_memory
from editeval.execution.worker_messages import (
    BudgetQuestion,
    Delivery,
    Done,
    EncodedEdit,
    LoadFailed,
    Ready,
    StepDone,
    Unit,
    Value,
    WorkerMessage,
    WorkerSpec,
    pack_message,
    unpack_spec,
    unpack_unit,
)
from editeval.redaction import RedactingFormatter, guard_tracebacks, redacted
from editeval.types import Editor, EditRequest, Failure, Judge, Progress, Score, UsageRequest

if TYPE_CHECKING:
    from PIL.Image import Image

Computed = tuple["Image", bytes, bytes | None] | list[list[Score]]
"""An edited image, its encoded source and the file that it was made elsewhere as; or the scores of a batch."""
PROGRESS_INTERVAL_S = 0.25
PATIENCE_S = 0.05
"""How long an image may wait to be encoded for the next request to start: encoding takes cores that the start needs.
Not where the next request waits for the image: under batch synchronisation, results are urgent."""
BREATHER_S = 0.01
"""... and then for the starts of the other workers of its batch, where workers are more than cores."""
SWITCH_INTERVAL_S = 0.0005
"""How long a thread of a worker may keep the interpreter from the others. Python's 5 ms would be 5 ms of an idle
device: the main thread waits for it when a request is started while another one is being decoded or encoded."""


CLOSED = "the budget service has shut down"


class BudgetClient:
    """Asks the parent; `paid` takes the answers. Any thread may ask; while the model loads, only one."""

    def __init__(self, channel: Channel) -> None:
        self.is_read = False  # another thread receives what comes; until then the caller of `request_budget` does
        self._channel = channel
        self._numbers = itertools.count(time.time_ns())  # none that an earlier process of this worker used
        self._answers: dict[object, queue.SimpleQueue[str]] = {}  # by the bill's number
        self._lock = threading.Lock()
        self._is_closed = False

    def request_budget(self, bill: UsageRequest) -> str:
        """Returns the reason the budget refuses, or an empty string. Blocks until the parent answers, or FrameError."""
        number, answer = next(self._numbers), queue.SimpleQueue[str]()
        with self._lock:
            if self._is_closed:
                return CLOSED
            self._answers[number] = answer
        self._channel.send(*pack_message(BudgetQuestion(number, bill)))
        while not self.is_read and answer.empty():
            self.paid(self._channel.recv()[0])
        return answer.get()

    def paid(self, header: Header) -> None:
        """One message of the parent; what answers no bill is passed over."""
        with self._lock:
            answer = self._answers.pop(header["number"], None) if header["type"] == "paid" else None
        if answer is not None:
            answer.put(str(header["why"]))

    def close(self) -> None:
        """No answer comes any more: those who wait, and those who ask from now on, get CLOSED."""
        with self._lock:
            self._is_closed = True
            waiting = list(self._answers.values())
            self._answers.clear()
        for answer in waiting:
            answer.put(CLOSED)


class Worker:
    """Serves one channel until the other side says "exit" or is gone."""

    def __init__(self, channel: Channel, log_name: str = "") -> None:
        """`log_name` is the file that standard error goes to; empty for a thread, which has no log of its own."""
        self._channel = channel
        self._log_name = log_name
        self._waiting: dict[str, Unit] = {}  # received, not started
        self._starts: queue.SimpleQueue[tuple[str, bool] | None] = queue.SimpleQueue()  # (key, is urgent); None: leave
        self._is_busy = threading.Event()  # the device computes
        self._budget = BudgetClient(channel)
        self._results: queue.SimpleQueue[tuple[str, Computed, bool] | None] = queue.SimpleQueue()

    def serve(self) -> None:
        """Load the model that the first frame names, then work. Returns when there is nothing more to do."""
        model = self._load(*unpack_spec(self._channel.recv()[0]))
        if model is None:
            return
        self._budget.is_read = True
        threading.Thread(target=self._read, args=(model,), daemon=True).start()
        writer = threading.Thread(target=self._write, daemon=True)
        writer.start()
        while (start := self._starts.get()) is not None:
            key, is_urgent = start
            self._run(model, key, self._waiting.pop(key), is_urgent)
        self._results.put(None)
        writer.join()
        model.unload()
        with contextlib.suppress(FrameError):
            self._channel.send({"type": "bye"})

    def _load(self, spec: WorkerSpec, devices: list[str], worker: int) -> Editor | Judge | None:
        started_at, start = time.time(), time.perf_counter()
        try:
            cls = plugins.load(spec.kind, spec.type, spec.allow_code)
            model: Editor | Judge = cls(plugins.params_of(cls, spec.params))
            model.worker, model.allow_code = worker, spec.allow_code
            model.request_budget = self._budget.request_budget
            if isinstance(model, Editor):
                model.load(devices[0])
            else:
                model.load(devices)
            facts = checked_facts(model)
            images.warm_up()
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a model raises while loading belongs to the parent
            failure = describe(error)
            log = self._log_own(error, f"{spec.type} cannot be loaded", failure)
            failure = replace(failure, message=f"{failure.message}; its traceback is in {log}") if log else failure
            self._send(LoadFailed(failure, isinstance(error, UserError)))
            return None
        ended_at = started_at + time.perf_counter() - start  # whatever becomes of the clock meanwhile
        self._send(Ready(os.getpid(), started_at, ended_at, facts))
        return model

    def _send(self, message: WorkerMessage) -> None:
        self._channel.send(*pack_message(message))

    def _read(self, model: Editor | Judge) -> None:
        try:
            while True:
                header, blobs = self._channel.recv()
                kind, key = header["type"], str(header.get("key"))
                if kind == "request":
                    if "edit" in header:
                        blobs = [images.predecode(blob) for blob in blobs]
                    unit = unpack_unit(header, blobs)
                    if isinstance(model, Judge) and isinstance(unit, tuple):
                        model.prepare(unit)
                    self._waiting[key] = unit
                elif kind == "start":
                    self._starts.put((key, bool(header.get("is_urgent"))))
                elif kind == "drop":
                    self._waiting.pop(key, None)
                elif kind == "paid":
                    self._budget.paid(header)
                elif kind == "exit":
                    break
        except FrameError:  # the parent is gone: so is our purpose
            if isinstance(self._channel, SocketChannel):
                os._exit(1)
        finally:  # whatever ended the reading: a worker that gets nothing any more must leave, not wait
            self._starts.put(None)
            self._budget.close()

    def _run(self, model: Editor | Judge, key: str, unit: Unit, is_urgent: bool) -> None:
        _begin_peak_memory()
        self._is_busy.set()
        started_at, start = time.time(), time.perf_counter()
        value: Computed | None = None
        failure = None
        try:
            if isinstance(model, Editor) and isinstance(unit, EditRequest):
                value = checked_image(model.edit(unit, self._progress(key))), unit.images[0], unit.found
            elif isinstance(model, Judge) and isinstance(unit, tuple):
                value = judged(model, unit)
            else:
                raise TypeError(f"{type(model).__name__} cannot serve {type(unit).__name__}")
        except Exception as error:  # noqa: BLE001  the one place where anything may go wrong: it becomes a Failure
            failure = describe(error)
            self._log_own(error, key, failure)
        self._is_busy.clear()
        # from here to the next start the device waits for us
        done = Done(key, started_at, time.perf_counter() - start, _peak_memory_gib(), failure)
        if failure is not None and failure.reason == "oom":
            release_memory()  # only here: inside the handler the traceback still holds the tensors
        with contextlib.suppress(FrameError):
            self._send(done)
            if value is not None:
                self._results.put((key, value, is_urgent))

    def _log_own(self, error: BaseException, what: str, failure: Failure) -> str:
        """Write the traceback of an error in a plug-in of the user's own to this worker's log; returns the log's path.

        Nothing, and "", for any other error, and in a thread, which has no log of its own: the ledger keeps it.
        """
        if not (self._log_name and plugin_errors.place_of(error)):
            return ""
        sys.stderr.write(f"{what}: {failure.reason}\n{failure.traceback}")
        sys.stderr.flush()
        return str(plugin_errors.from_here(Path(self._log_name)))

    def _progress(self, key: str) -> Progress:
        last = time.monotonic()

        def progress(step: int, num_steps: int) -> None:
            nonlocal last
            step, num_steps = operator.index(step), operator.index(num_steps)  # numpy's too; else this edit fails
            now = time.monotonic()
            if now - last >= PROGRESS_INTERVAL_S:  # the last step needs no message of its own: "done" follows
                last = now
                with contextlib.suppress(FrameError):
                    self._send(StepDone(key, step, num_steps))

        return progress

    def _write(self) -> None:
        stands_back = False
        while (result := self._results.get()) is not None:
            key, value, is_urgent = result
            if not is_urgent:
                stands_back = stands_back or _stand_back()
                self._is_busy.wait(PATIENCE_S)
                time.sleep(BREATHER_S)
            try:
                self._send(Delivery(key, _encoded(value)))
            except FrameError:
                continue  # the parent is gone: the reader ends this process
            except Exception as error:  # noqa: BLE001  what cannot be encoded or sent fails its own request only
                with contextlib.suppress(FrameError):
                    self._send(Delivery(key, describe(error)))


def _encoded(value: Computed) -> Value:
    """What can be sent: the PNG of an image; scores whose raw replies hold no secret."""
    if isinstance(value, list):
        return [[replace(score, raw=redacted(score.raw)) for score in row] for row in value]
    image, encoded_source, file = value
    source = images.decode(encoded_source)
    flags = (*images.flags_of(image, source), *(images.flags_of_file(file, image, source) if file else ()))
    return EncodedEdit(images.encode_png(image), image.width, image.height, flags)


def _stand_back() -> bool:
    """True: this thread computes only with what the others leave; on a busy machine the device path comes first.

    For good: without privileges a thread cannot come back. One whose results are urgent never begins.
    """
    with contextlib.suppress(AttributeError, OSError):  # not on this system: then it takes its turn like any other
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)
    return True


def _cuda() -> ModuleType | None:
    """torch.cuda if the plug-in works with it, else None; the worker itself never imports torch."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_initialized() else None


def _begin_peak_memory() -> None:
    """What `_peak_memory_gib` says concerns what follows."""
    cuda = _cuda()
    if cuda is not None:
        for device in range(cuda.device_count()):
            cuda.reset_peak_memory_stats(device)


def _peak_memory_gib() -> float | None:
    """The most that this request held on one of the worker's GPUs, weights included.

    None where torch does not know it: on the CPU, on a server, and where a library computes in a process of its own.
    """
    cuda = _cuda()
    held = [cuda.max_memory_allocated(device) / 2**30 for device in range(cuda.device_count())] if cuda else []
    return max(held, default=None)


def main(descriptor: int, log_name: str) -> None:
    """A worker process on the inherited socket `descriptor`; what it prints goes to the file `log_name`."""
    import faulthandler

    faulthandler.enable()
    guard_tracebacks()
    log = logging.StreamHandler(sys.stderr)
    log.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[log])
    logging.getLogger("editeval").setLevel(logging.INFO)  # what plug-ins say goes to the worker's own log file
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    ours = socket.socket(fileno=descriptor)
    os.register_at_fork(after_in_child=ours.close)  # else a child would keep the conversation open
    Worker(SocketChannel(ours), log_name or "the worker's log").serve()
