"""A worker asks before it pays: every question gets its own answer, and none waits for one that cannot come."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from editeval.execution.transport import QueueChannel
from editeval.execution.worker import CLOSED, BudgetClient
from editeval.types import UsageRequest


def test_while_the_model_loads_whoever_pays_hears_the_answer_itself() -> None:
    ours, theirs = QueueChannel.create_ends()
    client = BudgetClient(theirs)
    with ThreadPoolExecutor(1) as threads:
        paid = threads.submit(client.request_budget, UsageRequest(calls=1, max_calls=9))
        header, _ = ours.recv()
        assert header["type"] == "pay" and (header["bill"]["calls"], header["bill"]["max_calls"]) == (1, 9)
        ours.send({"type": "paid", "number": header["number"] + 1, "why": "of another process"}, [])
        ours.send({"type": "paid", "number": header["number"], "why": "max_calls is reached"}, [])
        assert paid.result(60) == "max_calls is reached"


def test_answers_reach_those_who_asked_in_whatever_order_they_come() -> None:
    ours, theirs = QueueChannel.create_ends()
    client = BudgetClient(theirs)
    client.is_read = True
    with ThreadPoolExecutor(2) as threads:
        paid = {tokens: threads.submit(client.request_budget, UsageRequest(prompt_tokens=tokens)) for tokens in (5, 7)}
        asked = [ours.recv()[0] for _ in paid]
        for header in reversed(asked):
            client.paid({"type": "paid", "number": header["number"], "why": str(header["bill"]["prompt_tokens"])})
        assert {tokens: future.result(60) for tokens, future in paid.items()} == {5: "5", 7: "7"}


def test_nobody_waits_when_nothing_is_read_any_more_neither_before_nor_after() -> None:
    ours, theirs = QueueChannel.create_ends()
    client = BudgetClient(theirs)
    client.is_read = True
    with ThreadPoolExecutor(1) as threads:
        paid = threads.submit(client.request_budget, UsageRequest(calls=1))
        ours.recv()
        client.close()
        assert paid.result(60) == CLOSED
    said: list[str] = []
    late = threading.Thread(target=lambda: said.append(client.request_budget(UsageRequest(calls=1))), daemon=True)
    late.start()
    late.join(60)
    assert said == [CLOSED], "asked after the end, as the last retry of a call does"
