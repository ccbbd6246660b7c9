"""What every judge promises; each judge's test calls `check_judge`."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any

from editeval.types import Judge, JudgeRequest, Score


def check_judge(
    judge_class: type[Judge], params: Any, requests: Sequence[JudgeRequest], *, device: str = "cpu"
) -> list[list[Score]]:
    """AssertionError unless the judge keeps its promises on `requests` (at least two, one of them readable).

    Checked: documented parameters with defaults, JSON-able; metrics declared and given in full, headline first or
    not; one list per request, in order; 0-10 or a reason, never NaN; the same again; order and batches do not matter;
    an unreadable image is unscored and leaves its neighbours alone; requests are not changed.
    """
    assert len(requests) >= 2 and len({r.key for r in requests}) == len(requests)
    _check_params(judge_class, params)
    judge = judge_class(params)
    judge.load([device])
    try:
        before = [dataclasses.astuple(r) for r in requests]
        first = judge.judge(requests)
        assert [dataclasses.astuple(r) for r in requests] == before, "a request was changed"
        _check_scores(judge_class, params, requests, first)
        assert _values(judge.judge(requests)) == _values(first), "the same requests gave other scores"
        backwards = judge.judge(list(reversed(requests)))
        assert _values(list(reversed(backwards))) == _values(first), "the order of the requests changed scores"
        alone = [judge.judge([request])[0] for request in requests]
        assert _values(alone) == _values(first), "judged alone, a request has other scores than in a batch"
        _check_neighbours(judge, requests, first)
        assert judge.judge([]) == []
    finally:
        judge.unload()
        judge.unload()
    return first


def _check_params(judge_class: type[Judge], params: Any) -> None:
    cls = judge_class.Params
    assert dataclasses.is_dataclass(cls) and isinstance(params, cls)
    for field in dataclasses.fields(cls):
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        assert has_default, f"{cls.__name__}.{field.name} has no default"
    values = json.loads(json.dumps(dataclasses.asdict(params)))
    assert cls(**values) == params, "parameters do not survive the way to a worker"
    metrics = judge_class.metrics_of(params)
    assert metrics and len(set(metrics)) == len(metrics)


def _check_scores(
    judge_class: type[Judge], params: Any, requests: Sequence[JudgeRequest], rows: Sequence[Sequence[Score]]
) -> None:
    assert len(rows) == len(requests), f"{len(rows)} results for {len(requests)} requests"
    for request, row in zip(requests, rows, strict=True):
        assert {s.metric for s in row} == set(judge_class.metrics_of(params)), f"{request.key}: metrics {row}"
        assert len(row) == len(judge_class.metrics_of(params))
        for score in row:
            assert score.sample_id == request.key
            assert (score.value is None) == bool(score.reason)
            assert score.value is None or (math.isfinite(score.value) and 0 <= score.value <= 10)
            assert " " not in score.reason, "a reason is one word"
            assert score.seconds >= 0


def _check_neighbours(judge: Judge, requests: Sequence[JudgeRequest], first: Sequence[Sequence[Score]]) -> None:
    broken = dataclasses.replace(requests[0], key="broken", edited=b"not an image")
    rows = judge.judge([broken, *requests])
    assert all(s.value is None and s.reason for s in rows[0]), "an unreadable edit was scored"
    assert _values(rows[1:]) == _values(first), "an unreadable edit changed its neighbours' scores"


def _values(rows: Sequence[Sequence[Score]]) -> list[list[tuple[str, str, float | None, str]]]:
    return [[(s.sample_id, s.metric, s.value, s.reason) for s in row] for row in rows]
