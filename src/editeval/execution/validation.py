"""What a model returned, held against what it promised; and what it raised, as a Failure."""

from __future__ import annotations

import gc
import re
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from editeval import images, plugin_errors
from editeval.errors import BadOutputError, EditevalError, Reason
from editeval.execution.worker_messages import Fact, are_facts
from editeval.redaction import redacted
from editeval.types import Editor, Failure, Judge, JudgeRequest, Score, off_scale

if TYPE_CHECKING:
    from PIL.Image import Image

_NO_MEMORY = re.compile(r"out of memory|CUBLAS_STATUS_ALLOC_FAILED|CUDNN_STATUS_ALLOC_FAILED")
_DEVICE_LOST = re.compile(r"CUDA error|device-side assert|CU(BLAS|DNN)_STATUS_(EXECUTION_FAILED|INTERNAL_ERROR)")
"""After such an error every later call in the process fails as well: the process must go."""


def checked_facts(model: Editor | Judge) -> dict[str, Fact]:
    """What `model` says of itself. Raises BadOutputError if it cannot be recorded."""
    facts = model.facts()
    if not are_facts(facts):
        raise BadOutputError(f"facts() must name strings, finite numbers, true, false or None; it returned {facts!r}")
    return dict(facts)


def checked_image(image: object) -> Image:
    """The image in a mode that a PNG can hold. Raises BadOutputError for what is none."""
    from PIL.Image import Image

    if not isinstance(image, Image):
        raise BadOutputError(f"the editor returned {type(image).__name__}, not a PIL image")
    if not image.width or not image.height:
        raise BadOutputError(f"the editor returned a picture of {image.width}x{image.height} pixels")
    return images.normalised(image)


def judged(judge: Judge, unit: tuple[JudgeRequest, ...]) -> list[list[Score]]:
    """Scores of a batch. Requests that fail by themselves are unscored; if all of them do, the batch fails."""
    answers = _salvaged(judge, unit)
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    if len(errors) == len(answers):
        raise errors[0]
    return [
        _unscored(judge, request.key, describe(answer)) if isinstance(answer, Exception) else answer
        for request, answer in zip(unit, answers, strict=True)
    ]


def _salvaged(judge: Judge, unit: tuple[JudgeRequest, ...]) -> Sequence[list[Score] | Exception]:
    """What became of each request. A batch that fails is halved, so that a bad request costs its neighbours nothing."""
    try:
        return _checked_scores(judge, judge.judge(unit), unit)
    except Exception as error:
        if describe(error).reason in ("device_lost", "environment"):
            raise
        if len(unit) == 1:
            return [error]
    release_memory()
    middle = len(unit) // 2
    return [*_salvaged(judge, unit[:middle]), *_salvaged(judge, unit[middle:])]


def _unscored(judge: Judge, key: str, failure: Failure) -> list[Score]:
    name = type(judge).__module__.rpartition(".")[2]
    metrics = judge.metrics_of(judge.params)
    return [Score(key, name, metric, None, failure.message, failure.reason) for metric in metrics]


def _checked_scores(judge: Judge, scores: object, unit: Sequence[JudgeRequest]) -> list[list[Score]]:
    if not isinstance(scores, list):
        raise BadOutputError(f"the judge returned {type(scores).__name__}, not one list of scores per request")
    if len(scores) != len(unit):
        raise BadOutputError(f"the judge returned {len(scores)} results for {len(unit)} requests")
    promised, scales = judge.metrics_of(judge.params), judge.scales_of(judge.params)
    for row, request in zip(scores, unit, strict=True):
        if not isinstance(row, list) or not all(isinstance(score, Score) for score in row):
            raise BadOutputError(f"the judge's scores for {request.key} are {type(row).__name__}, not Score objects")
        if not row or any(score.sample_id != request.key for score in row):
            raise BadOutputError(f"the judge's scores for {request.key} name {[s.sample_id for s in row]}")
        given = sorted(score.metric for score in row)
        if given != sorted(promised):
            raise BadOutputError(f"the judge gave {request.key} the metrics {given}, not {sorted(promised)}")
        headline = next(score for score in row if score.metric == promised[0])
        if headline.reason == Reason.NOT_APPLICABLE:
            raise BadOutputError(f"the judge says of {request.key} that its headline does not apply; it always must")
        problem = off_scale(row, scales)
        if problem:
            raise ValueError(problem)
    return [sorted(row, key=lambda score: promised.index(score.metric)) for row in scores]  # the headline first


def describe(error: BaseException) -> Failure:
    """`error` as a Failure: one word to filter by, one line to read, the traceback to debug with.

    Of an error in a plug-in of the user's own, the line names file and line, and the traceback has its frames alone.
    """
    said = plugin_errors.said(error)
    text = redacted(f"{type(error).__name__}: {said}" if said else type(error).__name__)
    place = plugin_errors.place_of(error)
    trace = redacted(plugin_errors.own_traceback(error) if place else "".join(traceback.format_exception(error)))
    if isinstance(error, EditevalError) and error.reason != "exception":
        return Failure(error.reason, redacted(said), trace)
    line = " ".join(text.split()) + (f" ({place})" if place else "")
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or _NO_MEMORY.search(text):
        return Failure("oom", line, trace)
    if type(error).__name__ == "AcceleratorError" or _DEVICE_LOST.search(text):
        return Failure("device_lost", line, trace)
    return Failure("exception", line, trace)


def release_memory() -> None:
    """Give back what the failed request left: its tensors, and the memory that torch keeps for reuse."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
