"""Real worker processes with an editor that sleeps, fails, dies and hangs on demand."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scripted_workers import Script

from editeval.errors import ImageError, MachineError
from editeval.execution.backends import Handle, Listener, launch_thread, process_launcher
from editeval.execution.policies import POLICIES
from editeval.execution.pool import Pool, PoolSpec
from editeval.execution.pool_events import PROGRESS_EVENTS, PoolEvent
from editeval.execution.worker_messages import PROTOCOL_ERROR, WorkerSpec
from editeval.execution.worker_state import EventSink, Limits, WorkerState
from editeval.images import decode, encode_png
from editeval.types import EditRequest, JudgeRequest, Outcome

PNG = encode_png(Image.new("RGB", (16, 12), "teal"))


def build(key: str) -> EditRequest:
    return EditRequest(key, (PNG,), f"edit {key}", seed=int(key))


def keys(count: int) -> list[str]:
    return [str(i) for i in range(count)]


class Run:
    """One pool run: its outcomes by key, and what it said meanwhile."""

    def __init__(
        self,
        tmp_path: Path,
        num_workers: int = 2,
        limits: Limits | None = None,
        policy: str = "batch_sync",
        in_threads: bool = False,
        **params: object,
    ):
        self.notices: list[PoolEvent] = []
        self.tmp_path = tmp_path
        (tmp_path / "notes").mkdir(exist_ok=True)
        self.spec = PoolSpec(
            WorkerSpec("editors", "fakes.fake_editor", {"notes": str(tmp_path / "notes")} | params, allow_code=True),
            devices=[("cpu",)] * num_workers,
            policy=policy,
            limits=limits or Limits(),
        )
        self.launch = launch_thread if in_threads else process_launcher(lambda worker: tmp_path / f"worker{worker}.log")

    def __call__(self, count: int, build: Callable[[str], EditRequest] = build) -> dict[str, Outcome]:
        with Pool(self.spec, self.launch, self.notices.append) as pool:
            outcomes = list(pool.run(keys(count), build))
        assert len({o.key for o in outcomes}) == len(outcomes) == count, "each request has exactly one outcome"
        return {o.key: o for o in outcomes}

    def kinds(self) -> list[str]:
        return [n.kind for n in self.notices if n.kind not in {"tick", *PROGRESS_EVENTS}]


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_gives_every_request_one_outcome_with_the_same_bytes(tmp_path: Path, policy: str) -> None:
    outcomes = Run(tmp_path, num_workers=3, policy=policy)(10)
    for key, outcome in outcomes.items():
        assert outcome.value is not None, outcome.error
        assert decode(outcome.value.png).getpixel((0, 0)) == (int(key), 0, len(f"edit {key}"))
        assert (outcome.value.width, outcome.value.height) == (16, 12)


def test_models_load_one_after_another_and_nothing_starts_before_all_are_ready(tmp_path: Path) -> None:
    run = Run(tmp_path, in_threads=True, num_workers=3, load_seconds=0.2)
    outcomes = run(3)
    ready = [n.data for n in run.notices if n.kind == "ready"]
    spans = sorted((d["started_at"], d["ended_at"]) for d in ready)
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))
    assert min(o.started_at for o in outcomes.values()) >= spans[-1][1]
    assert run.kinds()[:6] == ["loading", "ready"] * 3


def test_load_concurrency_lets_that_many_models_load_at_the_same_time(tmp_path: Path) -> None:
    run = Run(tmp_path, in_threads=True, num_workers=4, limits=Limits(load_concurrency=2), load_seconds=0.5)
    run(4)
    spans = [(n.data["started_at"], n.data["ended_at"]) for n in run.notices if n.kind == "ready"]
    together = [sum(start <= at < end for start, end in spans) for at, _ in spans]
    assert max(together) <= 2
    assert run.kinds()[:3] == ["loading", "loading", "ready"]


def test_batch_sync_starts_a_batch_only_when_the_one_before_has_ended_everywhere(tmp_path: Path) -> None:
    outcomes = Run(tmp_path, in_threads=True, num_workers=3, slow={"1": 0.3, "5": 0.3}, seconds=0.02)(9)
    for batch in range(1, 3):
        before = [outcomes[str(i)] for i in range(3 * batch - 3, 3 * batch)]
        after = [outcomes[str(i)] for i in range(3 * batch, 3 * batch + 3)]
        assert max(o.started_at + o.seconds for o in before) <= min(o.started_at for o in after) + 1e-3


@pytest.mark.parametrize("fault", [{"out_of_memory": {"4": 1}}, {"kills_once": ["4"]}, {"raises": ["4"]}])
def test_a_batch_whose_request_is_retried_stays_open_and_the_log_says_so(
    tmp_path: Path, fault: dict[str, object]
) -> None:
    run = Run(tmp_path, num_workers=3, seconds=0.05, slow={"5": 0.3}, **fault)
    outcomes = run(12)
    assert [kind for kind in run.kinds() if kind in ("attempt", "batch")].index("attempt") == 1, "in batch 2"
    batches = [n.data["batch"] for n in run.notices if n.kind == "batch"]
    assert batches[0].members == ("0", "1", "2") and batches[1].members == ("3", "4", "5")
    failed = [n.data["outcome"] for n in run.notices if n.kind == "attempt"]
    ends = {key: outcomes[key].started_at + outcomes[key].seconds for key in ("3", "4", "5")}
    later = [o for o in [*outcomes.values(), *failed] if int(o.key) > 5]
    assert max(ends.values()) <= batches[1].ended_at <= min(o.started_at for o in later)
    assert sorted(key for batch in batches for key in batch.members) == sorted(outcomes)


def test_a_retry_at_the_end_comes_after_the_last_batch(tmp_path: Path) -> None:
    run = Run(tmp_path, num_workers=2, seconds=0.02, out_of_memory={"1": 1})
    run.spec = replace(run.spec, retry="at_end")
    outcomes = run(6)
    batches = [n.data["batch"] for n in run.notices if n.kind == "batch"]
    assert [(b.members, b.deferred) for b in batches] == [
        (("0",), ("1",)),
        (("2", "3"), ()),
        (("4", "5"), ()),
        (("1",), ()),
    ]
    assert outcomes["1"].started_at >= batches[2].ended_at


def test_a_worker_that_is_lost_for_good_leaves_batches_of_the_others(tmp_path: Path) -> None:
    class Stillborn:
        """A worker whose process is gone as soon as it is there."""

        place = waiting_for = ""
        send_nowait = send = lambda self, header, blobs=(): None
        kill = stop = lambda self: None

    run = Run(tmp_path, num_workers=3, seconds=0.05, kills_once=["1"])
    launch, launched = run.launch, []

    def launch_once(worker: int, devices: Sequence[str], listener: Listener) -> Handle:
        launched.append(worker)
        if launched.count(1) > 1 and worker == 1:
            listener.on_gone("exit code 1")
            return Stillborn()
        return launch(worker, devices, listener)

    run.launch = launch_once
    outcomes = run(9)
    assert all(o.error is None for o in outcomes.values())
    (given_up,) = [n.data for n in run.notices if n.kind == "worker_given_up"]
    assert given_up["worker"] == 1 and given_up["is_lost"] and "10 times in a row" in given_up["how"]
    over = [n.data["batch"] for n in run.notices if n.kind == "batch"]
    batches = [(b.index, b.total, b.num_workers) for b in over]
    assert batches == [(1, 4, 3), (2, 4, 2), (3, 4, 2), (4, 4, 2)]


def test_round_robin_binds_request_i_to_worker_i_mod_n(tmp_path: Path) -> None:
    outcomes = Run(tmp_path, in_threads=True, num_workers=3, policy="round_robin", slow={"0": 0.3})(9)
    assert {key: o.worker for key, o in outcomes.items()} == {str(i): i % 3 for i in range(9)}


def test_one_worker_never_runs_two_requests_at_once(tmp_path: Path) -> None:
    outcomes = Run(tmp_path, in_threads=True, num_workers=2, policy="dynamic", seconds=0.02, slow={"3": 0.2})(12)
    for worker in (0, 1):
        spans = sorted((o.started_at, o.started_at + o.seconds) for o in outcomes.values() if o.worker == worker)
        assert all(earlier[1] <= later[0] + 1e-3 for earlier, later in pairwise(spans))


def test_a_failed_edit_is_a_failure_with_reason_and_traceback_and_never_an_image(tmp_path: Path) -> None:
    run = Run(tmp_path, in_threads=True, raises=["2"])
    outcome = run(5)["2"]
    assert outcome.value is None and outcome.error is not None
    assert outcome.error.reason == "exception" and "cannot edit 2" in outcome.error.message
    assert "Traceback" in outcome.error.traceback
    assert outcome.attempt == 3 and run.kinds().count("attempt") == 2


def test_a_refusal_is_not_tried_again(tmp_path: Path) -> None:
    outcome = Run(tmp_path, in_threads=True, refuse=["1"])(3)["1"]
    assert outcome.error is not None and outcome.error.reason == "refused" and outcome.attempt == 1


def test_a_broken_source_fails_its_own_request_only(tmp_path: Path) -> None:
    def broken(key: str) -> EditRequest:
        if key == "1":
            raise ImageError("1.png: not there")
        return EditRequest(key, (b"not a picture" if key == "2" else PNG,), "edit", seed=0)

    outcomes = Run(tmp_path, in_threads=True)(6, broken)
    assert {k: o.error.reason for k, o in outcomes.items() if o.error} == {"1": "bad_source", "2": "bad_source"}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_killed_worker_costs_nothing_but_time(tmp_path: Path, policy: str) -> None:
    run = Run(tmp_path, policy=policy, kills_once=["1", "4"])
    outcomes = run(8)
    assert all(o.error is None for o in outcomes.values())
    assert run.kinds().count("worker_lost") == 2
    assert outcomes["1"].attempt >= 2  # more, if the second death took its unsent result along


def test_a_request_that_kills_every_worker_is_given_up_and_the_others_live(tmp_path: Path) -> None:
    outcomes = Run(tmp_path, kills=["3"])(8)
    assert {k for k, o in outcomes.items() if o.error} == {"3"}
    assert outcomes["3"].error is not None
    assert outcomes["3"].error.reason == "worker_died" and "SIGKILL" in outcomes["3"].error.message


def test_a_request_that_kills_its_worker_at_once_takes_no_finished_neighbour_along(tmp_path: Path) -> None:
    """The edit before it is still being encoded when the worker dies; once is bad luck, every time would be a fault."""
    noise = np.random.default_rng(0).integers(0, 256, (800, 800, 3), dtype=np.uint8)
    large = encode_png(Image.fromarray(noise))
    outcomes = Run(tmp_path, num_workers=1, kills=["3"])(6, lambda key: EditRequest(key, (large,), "", int(key)))
    assert {k for k, o in outcomes.items() if o.error} == {"3"}
    assert outcomes["2"].attempt <= 2 and outcomes["3"].attempt == 3


def test_a_worker_that_must_be_restarted_first_hands_over_what_it_has_finished(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (800, 800, 3), dtype=np.uint8)
    large = encode_png(Image.fromarray(noise))
    run = Run(tmp_path, num_workers=1, device_error_once=["3"])
    outcomes = run(6, lambda key: EditRequest(key, (large,), "", int(key)))
    assert {k: o.attempt for k, o in outcomes.items()} == dict.fromkeys(keys(6), 1) | {"3": 2}
    assert run.kinds().count("worker_lost") == 1


def test_requests_in_a_row_that_kill_their_only_worker_do_not_end_the_run(tmp_path: Path) -> None:
    outcomes = Run(tmp_path, num_workers=1, kills=["1", "2"])(4)
    assert {k: o.error.reason for k, o in outcomes.items() if o.error} == {"1": "worker_died", "2": "worker_died"}


@pytest.mark.parametrize("fate", ["die", "die_encoding", "device_lost"])
@pytest.mark.parametrize("num_workers", [1, 3])
def test_poison_samples_in_a_row_end_no_run(fate: str, num_workers: int) -> None:
    """Nine in front kill 27 workers; a device is blamed after ten deaths of requests that had killed none before."""
    script = Script({str(i): [fate] * 3 for i in range(9)}, lambda _: encode_png(Image.new("RGB", (3, 2))))
    notices: list[PoolEvent] = []
    spec = PoolSpec(WorkerSpec("editors", "scripted"), [("cpu",)] * num_workers)
    with Pool(spec, script.launch, notices.append) as pool:
        outcomes = {o.key: o for o in pool.run(keys(12), lambda key: EditRequest(key, (b"",), "", 0))}
    assert {key for key, outcome in outcomes.items() if outcome.error} == set(keys(9))
    assert len(outcomes) == 12 and not [n for n in notices if n.kind == "worker_given_up"]


def test_a_machine_that_kills_its_worker_at_any_request_ends_the_run() -> None:
    script = Script({str(i): ["die"] * 3 for i in range(40)}, lambda _: b"")
    seen = []
    with (
        pytest.raises(MachineError, match="no worker is left: each died 10 times in a row"),
        Pool(PoolSpec(WorkerSpec("editors", "scripted"), [("cpu",)] * 2), script.launch) as pool,
    ):
        seen += pool.run(keys(40), lambda key: EditRequest(key, (b"",), "", 0))
    assert len(seen) < 30, "most of them are never tried"


def test_what_was_done_before_an_error_that_ends_the_run_is_not_lost() -> None:
    """The result of request 1 is still on its way when request 2 finds that nothing can succeed any more."""
    script = Script({"1": ["behind"], "2": ["environment"]}, lambda _: encode_png(Image.new("RGB", (3, 2))))
    seen = []
    with (
        pytest.raises(MachineError, match="the key is revoked"),
        Pool(PoolSpec(WorkerSpec("editors", "scripted"), [("cpu",)], policy="dynamic"), script.launch) as pool,
    ):
        for outcome in pool.run(keys(9), lambda key: EditRequest(key, (b"",), "", 0)):
            seen.append(outcome.key)
    assert seen == ["0", "1"], "and nothing is started after the error"


NONSENSE = [
    "{}",
    '{"type": 7}',
    '{"type": "done", "key": "2"}',
    '{"type": "result", "key": "nobody", "scores": []}',
    '{"type": "done", "key": "5", "started_at": 0, "seconds": 0}',
    '{"type": "ready", "pid": 1, "started_at": 0, "ended_at": 0, "facts": {}}',
    '{"type": "progress", "key": "2", "step": 1}',
    '{"type": "ready", "pid": 1, "started_at": 0, "ended_at": 0, "facts": {"too large": 1' + "0" * 400 + "}}",
    "[this is no header",
]


def test_a_worker_that_talks_nonsense_is_replaced_and_its_request_tried_again(tmp_path: Path) -> None:
    said = {str(2 * number): header for number, header in enumerate(NONSENSE)}
    run = Run(tmp_path, num_workers=1, babbles_once=said, seconds=0.05)
    outcomes = run(2 * len(said))
    assert all(o.error is None for o in outcomes.values())
    assert {key for key, outcome in outcomes.items() if outcome.attempt > 1} == set(said)
    deaths = [n.data["how"] for n in run.notices if n.kind == "worker_lost"]
    assert deaths == [f"its worker died ({PROTOCOL_ERROR})"] * len(said)


def test_a_death_is_not_held_against_what_was_finished_before_it(tmp_path: Path) -> None:
    """ "2" has failed twice by itself; its third edit waits for its encoder when "4" kills the worker."""
    noise = np.random.default_rng(0).integers(0, 256, (800, 800, 3), dtype=np.uint8)
    large = encode_png(Image.fromarray(noise))
    run = Run(tmp_path, num_workers=1, out_of_memory={"2": 2}, kills_once=["4"])
    outcomes = run(5, lambda key: EditRequest(key, (large,), "", int(key)))
    assert all(o.error is None for o in outcomes.values())
    assert outcomes["2"].attempt in (3, 4)


def test_a_hanging_request_is_ended_and_tried_again(tmp_path: Path) -> None:
    run = Run(tmp_path, limits=Limits(timeout_s=3.0), hangs_once=["2"])
    outcomes = run(4)
    assert all(o.error is None for o in outcomes.values()) and outcomes["2"].attempt == 2
    attempt = next(n.data["outcome"] for n in run.notices if n.kind == "attempt")
    assert attempt.error.reason == "timeout"


def test_out_of_memory_is_tried_again_then_in_a_fresh_process_then_given_up(tmp_path: Path) -> None:
    run = Run(tmp_path, num_workers=1, out_of_memory={"1": 1, "3": 2, "5": 9})
    outcomes = run(7)
    assert {k: o.attempt for k, o in outcomes.items()} == {"0": 1, "1": 2, "2": 1, "3": 3, "4": 1, "5": 3, "6": 1}
    assert {k: o.error.reason for k, o in outcomes.items() if o.error} == {"5": "oom"}
    lost = [n.data["how"] for n in run.notices if n.kind == "worker_lost"]
    assert lost == ["its worker died (restarted after oom)"] * 2


def test_a_sticky_device_error_costs_one_process_and_no_other_request(tmp_path: Path) -> None:
    run = Run(tmp_path, num_workers=2, device_error_once=["2"], seconds=0.02)
    outcomes = run(9)
    assert all(o.error is None for o in outcomes.values())
    assert {k for k, o in outcomes.items() if o.attempt > 1} == {"2"}
    assert run.kinds().count("worker_lost") == 1


def test_a_model_that_cannot_be_loaded_stops_everything_before_the_second_load(tmp_path: Path) -> None:
    run = Run(tmp_path, in_threads=True, cannot_load="no such checkpoint")
    with pytest.raises(MachineError, match=r"worker 0 on cpu: .* no such checkpoint"):
        run(4)
    assert len(list((tmp_path / "notes").glob("load-*"))) == 1


def test_leaving_the_pool_ends_every_process(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run(2)
    pids = [n.data["pid"] for n in run.notices if n.kind == "ready"]
    assert pids and not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_draining_finishes_what_runs_and_starts_nothing_more(tmp_path: Path) -> None:
    run = Run(tmp_path, in_threads=True, seconds=0.1)
    with Pool(run.spec, run.launch, run.notices.append) as pool:
        outcomes = []
        for outcome in pool.run(keys(20), build):
            outcomes.append(outcome)
            pool.drain()
    num_started = sum(notice.kind == "started" for notice in run.notices)
    assert len(outcomes) == num_started < 20 and all(o.error is None for o in outcomes)


def test_a_caller_that_stops_listening_need_not_wait_and_ends_the_pool(tmp_path: Path) -> None:
    run = Run(tmp_path, slow={"3": 600.0})
    handles = []

    def launch(worker: int, devices: Sequence[str], listener: Listener) -> Handle:
        handles.append(run.launch(worker, devices, listener))
        return handles[-1]

    with Pool(run.spec, launch) as pool:
        with pytest.raises(KeyboardInterrupt):
            for outcome in pool.run(keys(4), build):
                if outcome.key == "2":  # 3 is running now, for ten minutes
                    raise KeyboardInterrupt
        assert [handle._supervisor.wait(60) for handle in handles] == [-9] * 2, "killed, before anybody closed the pool"
        with pytest.raises(MachineError, match="has ended"):
            list(pool.run(keys(1), build))


def test_no_worker_is_started_after_an_abort_that_comes_while_one_is(tmp_path: Path) -> None:
    """The worker of "1" has died; while its successor is being launched, another thread aborts."""
    run = Run(tmp_path, kills_once=["1"], seconds=0.05)
    launch, handles = run.launch, []

    def launch_and_abort(worker: int, devices: Sequence[str], listener: Listener) -> Handle:
        handle = launch(worker, devices, listener)
        handles.append(handle)
        if len(handles) == 3:
            aborting = threading.Thread(target=pool.abort)
            aborting.start()
            aborting.join()
        return handle

    with Pool(run.spec, launch_and_abort) as pool:
        list(pool.run(keys(8), build))
        assert len(handles) == 3
        ends = [handle._supervisor.wait(60) for handle in handles]  # the newborn is ended before it has a worker
        assert ends[:2] == [-9] * 2 and ends[2] in (-9, -15), "killed, before anybody closed the pool"


def test_closing_a_pool_ends_a_run_that_goes_on_in_another_thread(tmp_path: Path) -> None:
    run = Run(tmp_path, num_workers=3, seconds=30.0)
    has_started = threading.Event()
    pool = Pool(run.spec, run.launch, lambda notice: has_started.set() if notice.kind == "started" else None)
    pool.__enter__()
    outcomes: list[Outcome] = []
    running = threading.Thread(target=lambda: outcomes.extend(pool.run(keys(9), build)))
    running.start()
    assert has_started.wait(60)
    pool.close()
    running.join(60)
    assert not running.is_alive() and all(o.error is not None for o in outcomes)
    assert all(worker.handle is None for worker in pool._dispatcher.workers)


def test_closing_while_a_model_loads_does_not_wait_for_it(tmp_path: Path) -> None:
    run = Run(tmp_path, num_workers=1, load_seconds=60.0)

    def interrupt(notice: PoolEvent) -> None:
        if list((tmp_path / "notes").glob("load-*")):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Pool(run.spec, run.launch, interrupt):
        raise AssertionError("it cannot be ready")
    assert not list((tmp_path / "notes").glob("loaded-*"))


def test_a_pool_can_run_several_times(tmp_path: Path) -> None:
    run = Run(tmp_path, in_threads=True)
    with Pool(run.spec, run.launch) as pool:
        for _ in range(3):
            assert len(list(pool.run(keys(4), build))) == 4


def test_a_worker_that_was_restarted_in_one_run_is_still_there_in_the_next(tmp_path: Path) -> None:
    run = Run(tmp_path, kills_once=["1"], seconds=0.15)
    with Pool(run.spec, run.launch, run.notices.append) as pool:
        for _ in range(2):
            assert all(outcome.error is None for outcome in pool.run(keys(6), build))
            time.sleep(0.2)  # long enough for a worker that dies with the thread that started it
    assert run.kinds().count("worker_lost") == 1


def test_a_pool_that_was_made_in_a_thread_outlives_the_thread(tmp_path: Path) -> None:
    run = Run(tmp_path)
    pool = Pool(run.spec, run.launch, run.notices.append)
    maker = threading.Thread(target=pool.__enter__)
    maker.start()
    maker.join()
    with contextlib.closing(pool):
        time.sleep(0.2)
        assert len(list(pool.run(keys(4), build))) == 4
    assert "worker_lost" not in run.kinds()


def test_an_image_that_was_still_on_its_way_when_a_run_ended_is_never_edited_in_the_next(tmp_path: Path) -> None:
    """Worker 0 is still being sent "1" when worker 1 has taken it over and the run is done."""
    release = threading.Event()
    calls = []

    def first(key: str) -> EditRequest:
        calls.append(key)
        if key == "1" and calls.count("1") == 1:
            release.wait(60)
        return EditRequest(key, (PNG,), "old", seed=0)

    def second(key: str) -> EditRequest:
        time.sleep(0.5 if key == "1" else 0.0)
        return EditRequest(key, (PNG,), "newer", seed=0)

    run = Run(tmp_path, policy="dynamic", slow={"0": 0.5, "c": 1.2})
    with Pool(run.spec, run.launch) as pool:
        assert len(list(pool.run(["0", "1", "2"], first))) == 3
        threading.Timer(0.2, release.set).start()
        outcomes = {o.key: o for o in pool.run(["a", "1", "c"], second)}
    assert outcomes["1"].worker == 0 and outcomes["1"].attempt == 1
    assert {decode(o.value.png).getpixel((0, 0))[2] for o in outcomes.values()} == {len("newer")}


def test_every_metric_comes_once_and_the_headline_first_in_whatever_order_the_judge_gives_them(tmp_path: Path) -> None:
    modes = {"1": "headline_last", "2": "twice"}
    spec = PoolSpec(WorkerSpec("judges", "fakes.fake_judge", {"modes": modes}, allow_code=True), devices=[("cpu",)])

    def batch(key: str) -> tuple[JudgeRequest, ...]:
        return (JudgeRequest(key, (PNG,), PNG, "edit"),)

    with Pool(spec, launch_thread) as pool:
        outcomes = {o.key: o for o in pool.run(keys(3), batch)}
    assert [[s.metric for s in outcomes[k].value[0]] for k in "01"] == [["overall", "care"]] * 2
    assert outcomes["2"].error is not None and outcomes["2"].error.reason == "bad_output"
    assert "['care', 'overall', 'overall'], not ['care', 'overall']" in outcomes["2"].error.message


def test_the_in_process_backend_gives_the_same_bytes(tmp_path: Path) -> None:
    run = Run(tmp_path)
    theirs = run(4)
    run.launch = launch_thread
    assert {k: o.value for k, o in run(4).items()} == {k: o.value for k, o in theirs.items()}


def test_a_thread_that_breaks_a_limit_is_not_said_to_be_killed() -> None:
    worker = WorkerState(0, ("cpu",), handle=launch_thread(0, ("cpu",), EventSink(queue.SimpleQueue(), 0, 0)))
    said = {}
    for limit in ("timeout", "stalled", "start_timeout"):
        worker.kill(limit)
        said[limit] = worker.death("thread ended", Limits(timeout_s=2, stall_s=3, start_timeout_s=4)).message
    assert said["timeout"] == "no result after 2 s; nobody waits for its thread any more, which cannot be killed"
    assert said["stalled"].startswith("no progress for 3 s; nobody waits")
    assert said["start_timeout"] == "worker not ready after 4 s; given up"


def test_those_who_watch_hear_when_an_edit_begins_how_far_it_is_and_when_its_device_is_free(tmp_path: Path) -> None:
    run = Run(tmp_path, in_threads=True, num_workers=2, steps=4, seconds=1.2)
    run(4)
    told = [(n.kind, n.data["key"], n.data.get("step")) for n in run.notices if n.kind in PROGRESS_EVENTS]
    for key in ("0", "1", "2", "3"):
        mine = [(kind, step) for kind, k, step in told if k == key]
        assert mine[0] == ("started", None) and mine[-1] == ("finished", None)
        steps = [step for kind, step in mine[1:-1] if kind == "progress"]
        assert steps == sorted(steps) and 2 <= len(steps) == len(mine) - 2
    assert all(n.data["num_steps"] == 4 for n in run.notices if n.kind == "progress")
