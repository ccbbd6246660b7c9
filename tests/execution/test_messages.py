"""Requests, scores and failures survive the trip through a frame unchanged."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editeval.execution.worker_messages import (
    BudgetQuestion,
    Delivery,
    Done,
    EncodedEdit,
    LoadFailed,
    Ready,
    StepDone,
    Unit,
    WorkerMessage,
    WorkerSpec,
    pack_message,
    pack_unit,
    read_message,
    unpack_scores,
    unpack_unit,
)
from editeval.types import EditRequest, Failure, JudgeRequest, Score, UsageRequest

TEXT = st.text(max_size=20)
IMAGE = st.binary(max_size=40)
METADATA = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT | st.lists(TEXT, max_size=2))
EDITS = st.builds(
    EditRequest,
    key=TEXT,
    images=st.lists(IMAGE, max_size=3).map(tuple),
    instruction=TEXT,
    seed=st.integers(0, 2**31 - 1),
    overrides=METADATA,
    target=st.none() | IMAGE,
)
JUDGEMENTS = st.builds(
    JudgeRequest,
    key=TEXT,
    sources=st.lists(IMAGE, min_size=1, max_size=3).map(tuple),
    edited=IMAGE,
    instruction=TEXT,
    target=st.none() | IMAGE,
    mask=st.none() | IMAGE,
    prompt=st.none() | st.tuples(TEXT, TEXT),
    metadata=METADATA,
    references=st.lists(IMAGE, max_size=2).map(tuple),
    reference_text=TEXT,
    language=TEXT,
    edited_b=st.none() | IMAGE,
)
SCORES = st.builds(Score, TEXT, TEXT, TEXT, st.floats(0, 10), TEXT, seconds=st.floats(0, 1e6)) | st.builds(
    Score, TEXT, TEXT, TEXT, st.none(), TEXT, reason=st.text(min_size=1, max_size=10)
)


def travelled(unit: Unit) -> Unit:
    header, blobs = pack_unit("the key", unit)
    assert (header["type"], header["key"]) == ("request", "the key")
    return unpack_unit(json.loads(json.dumps(header, allow_nan=False)), blobs)


@settings(max_examples=60, deadline=None)
@given(EDITS)
def test_an_edit_request_arrives_as_it_was(request_: EditRequest) -> None:
    assert travelled(request_) == request_


@settings(max_examples=60, deadline=None)
@given(st.lists(JUDGEMENTS, max_size=4).map(tuple))
def test_a_batch_of_judge_requests_arrives_as_it_was(batch: tuple[JudgeRequest, ...]) -> None:
    assert travelled(batch) == batch


def test_absent_images_stay_absent_and_empty_ones_stay_empty() -> None:
    batch = (
        JudgeRequest("猫", (b"s",), b"e", "变蓝 🔄", target=None, mask=b""),
        JudgeRequest("b", (b"",), b"", "", target=b"r", mask=None, prompt=("", "")),
    )
    found = travelled(batch)
    assert isinstance(found, tuple)
    assert [(r.target, r.mask, r.prompt) for r in found] == [(None, b"", None), (b"r", None, ("", ""))]


def travelled_back(message: WorkerMessage) -> WorkerMessage | None:
    header, blobs = pack_message(message)
    return read_message(json.loads(json.dumps(header, allow_nan=False)), blobs)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(SCORES, min_size=1, max_size=3), max_size=3))
def test_scores_arrive_as_they_were(scores: list[list[Score]]) -> None:
    assert travelled_back(Delivery("a", scores)) == Delivery("a", scores)


@pytest.mark.parametrize("change", [{"value": None}, {"reason": "refused"}])
def test_a_score_that_breaks_its_promise_is_refused_on_arrival(change: dict[str, Any]) -> None:
    sound = asdict(Score("a", "judge", "overall", 5.0))
    assert unpack_scores([[sound]]) == [[Score("a", "judge", "overall", 5.0)]]
    with pytest.raises(ValueError, match="score a/overall"):
        unpack_scores([[sound | change]])


READY: dict[str, Any] = {"type": "ready", "pid": 1, "started_at": 1.0, "ended_at": 2}
SCORED = [[asdict(Score("a", "judge", "overall", 5.0))]]
BILL = asdict(UsageRequest(calls=1, prompt_tokens=100, usd=0.5, max_calls=9))
DONE: dict[str, Any] = {"type": "done", "key": "a", "started_at": 1.0, "seconds": 0.5}
SOUND: list[tuple[dict[str, Any], list[bytes]]] = [
    (READY | {"facts": {}}, []),
    (READY | {"facts": {"commit": "c0ffee", "num_devices": 2, "scale": 0.5, "compiled": False, "revision": None}}, []),
    ({"type": "load_failed", "error": asdict(Failure("oom", "m"))}, []),
    ({"type": "done", "key": "a", "started_at": 1.0, "seconds": 0.5}, []),
    ({"type": "done", "key": "a", "started_at": 1.0, "seconds": 0.5, "error": asdict(Failure("oom", "m"))}, []),
    ({"type": "result", "key": "a", "width": 1, "height": 1, "flags": []}, [b"png"]),
    ({"type": "result", "key": "a", "scores": SCORED}, []),
    ({"type": "progress", "key": "a", "step": 1, "num_steps": 9}, []),
    ({"type": "pay", "number": 7, "bill": BILL}, []),
]
NONSENSES: list[tuple[dict[str, Any], list[bytes]]] = [
    ({}, []),
    ({"type": None}, []),
    (READY | {"facts": {}, "started_at": "now"}, []),
    (READY, []),
    (READY | {"facts": None}, []),
    (READY | {"facts": ["sdpa"]}, []),
    (READY | {"facts": {"devices": ["cpu", "cpu"]}}, []),
    (READY | {"facts": {"attention": {"name": "sdpa"}}}, []),
    (READY | {"facts": {"scale": float("nan")}}, []),
    (READY | {"facts": {3: "x"}}, []),
    (READY | {"facts": {"scale": 10**400}}, []),
    (READY | {"facts": {}, "ended_at": float("inf")}, []),
    ({"type": "load_failed", "error": {"reason": "oom"}}, []),
    (READY | {"facts": {}, "pid": 10**30}, []),
    (READY | {"facts": {}, "started_at": 10**30}, []),
    (DONE | {"key": 3}, []),
    (DONE | {"started_at": 10**30}, []),
    (DONE | {"started_at": 1e300}, []),
    (DONE | {"seconds": 10**30}, []),
    (DONE | {"seconds": -1.0}, []),
    (DONE | {"peak_memory_gib": "much"}, []),
    (DONE | {"peak_memory_gib": True}, []),
    (DONE | {"peak_memory_gib": [1.0]}, []),
    (DONE | {"peak_memory_gib": float("nan")}, []),
    (DONE | {"peak_memory_gib": 10**30}, []),
    ({"type": "result", "key": "a", "width": 10**30, "height": 1, "flags": []}, [b"png"]),
    ({"type": "result", "key": "a", "width": -1, "height": 1, "flags": []}, [b"png"]),
    *(
        ({"type": "result", "key": "a", "scores": [[SCORED[0][0] | change]]}, [])
        for change in (
            {"seconds": 10**30},
            {"seconds": "1"},
            {"raw": {}},
            {"judge": ["x"]},
            {"metric": 7},
            {"value": True},
        )
    ),
    ({"type": "result", "key": "a", "scores": [["overall"]]}, []),
    ({"type": "progress", "key": "a", "step": 10**30, "num_steps": 9}, []),
    ({"type": "pay", "number": 7, "bill": BILL | {"calls": 10**30}}, []),
    ({"type": "done", "key": "a", "started_at": 1.0, "seconds": 0.5, "error": None}, []),
    ({"type": "done", "key": "a", "started_at": 1.0, "seconds": 0.5, "error": {"reason": 1, "message": 2}}, []),
    ({"type": "result", "key": "a", "width": 1, "height": 1, "flags": []}, []),
    ({"type": "result", "key": "a", "width": 1, "height": 1}, [b"png"]),
    ({"type": "result", "key": "a", "width": 1, "height": 1, "flags": "black"}, [b"png"]),
    ({"type": "result", "key": "a", "width": "1", "height": 1, "flags": []}, [b"png"]),
    ({"type": "result", "key": "a", "scores": [[]]}, []),
    ({"type": "result", "key": "a", "scores": [[{"value": 5.0}]]}, []),
    ({"type": "result", "key": "a", "scores": 5}, []),
    ({"type": "progress", "key": "a", "step": 1}, []),
    ({"type": "progress", "key": "a", "step": 1, "num_steps": None}, []),
    ({"type": "progress", "key": "a", "step": "1", "num_steps": 9}, []),
    ({"type": "progress", "step": 1, "num_steps": 9}, []),
    ({"type": "pay", "bill": BILL}, []),
    ({"type": "pay", "number": 7, "bill": BILL | {"calls": -1}}, []),
    ({"type": "pay", "number": 7, "bill": BILL | {"usd": float("nan")}}, []),
    ({"type": "pay", "number": 7, "bill": BILL | {"usd": "1"}}, []),
    ({"type": "pay", "number": 7, "bill": BILL | {"calls": 10**400}}, []),
    ({"type": "pay", "number": 7, "bill": BILL | {"calls": None}}, []),
    ({"type": "pay", "number": 7, "bill": BILL | {"tip": 1}}, []),
]


def test_what_a_worker_may_send_is_told_from_nonsense() -> None:
    for message in SOUND:
        assert read_message(*message) is not None
    for message in NONSENSES:
        with pytest.raises(ValueError, match=r".+"):
            read_message(*message)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["type", "key", "error", "scores", "width", "seconds"]), METADATA | TEXT))
def test_no_header_is_too_strange_to_be_read(header: dict[str, Any]) -> None:
    with contextlib.suppress(ValueError):
        read_message(header, [])


def test_a_failure_arrives_as_it_was() -> None:
    failure = Failure("exception", "a\nb", "Traceback 🔄")
    for message in (Done("a", 1.0, 2.0, 3.0, failure), Delivery("a", failure), LoadFailed(failure, True)):
        assert travelled_back(message) == message


def test_what_a_worker_says_arrives_as_it_was() -> None:
    for message in (
        Ready(7, 1.0, 2.5, {"commit": "c0ffee", "compiled": False}),
        StepDone("a", 3, 9),
        Done("a", 1.0, 2.0),
        Delivery("a", EncodedEdit(b"png", 3, 2, ("black",))),
        BudgetQuestion(7, UsageRequest(calls=1, max_usd=0.5)),
    ):
        assert travelled_back(message) == message


def test_a_worker_spec_knows_its_stage() -> None:
    assert WorkerSpec("editors", "identity").stage == "edit"
    assert WorkerSpec("judges", "reference").stage == "judge"
