"""vllm_vlm at the seam to vLLM, with an object of its shape; tests/models/test_judge_vllm.py has the real one."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from contracts.judge_contract import check_judge
from editeval.errors import ConfigError, MachineError
from editeval.execution.validation import describe
from editeval.execution.worker_messages import are_facts
from editeval.images import encode_png
from editeval.judges.protocols import protocol as protocols
from editeval.judges.vllm_vlm import EngineLostError, VllmVlmJudge, VllmVlmParams
from editeval.types import JudgeRequest, Score
from fakes.fake_vllm import TOO_LONG, EngineDeadError, FakeVllm, VLLMClientError


def picture(shade: int, size: tuple[int, int] = (48, 32)) -> bytes:
    return encode_png(Image.new("RGB", size, (shade, 40, 90)))


def request(key: str, shade: int = 10, instruction: str = "make it red") -> JudgeRequest:
    prompt = ("You grade.", f"Asked for: {instruction}. Answer with a single number from 0 to 10.")
    metadata = {"category": "physical"}
    return JudgeRequest(key, (picture(shade),), picture(255 - shade), instruction, prompt=prompt, metadata=metadata)


REQUESTS = [request(f"s{i}", 20 * i, word) for i, word in enumerate(("red", "blue, 更蓝", "green"))]
LONG = request("long", instruction=TOO_LONG)


def loaded(vllm: FakeVllm, devices: tuple[str, ...] = ("cpu",), **params: Any) -> VllmVlmJudge:
    judge = VllmVlmJudge(VllmVlmParams(**params), vllm)
    judge.load(devices)
    return judge


def found(row: list[Score]) -> dict[str, float | str | None]:
    return {score.metric: score.value if score.value is not None else score.reason for score in row}


@pytest.mark.parametrize("protocol", [name for name in protocols.PROTOCOLS if not protocols.class_of(name).grammars])
@pytest.mark.parametrize("scoring", ["auto", "samples"])
def test_it_keeps_the_judge_contract(protocol: str, scoring: str) -> None:
    class WithFake(VllmVlmJudge):
        def __init__(self, params: VllmVlmParams) -> None:
            super().__init__(params, FakeVllm(off_labels=0.0))

    rows = check_judge(WithFake, VllmVlmParams(protocol=protocol, scoring=scoring), REQUESTS)
    assert all(score.value is not None for row in rows for score in row)


def test_it_says_what_it_loaded() -> None:
    judge = loaded(FakeVllm(), ("cuda:0", "cuda:1"), dtype="float16")
    facts = judge.facts()
    assert (facts["commit"], facts["dtype"], facts["num_devices"]) == ("c" * 40, "float16", 2)
    assert facts["attention"] == "auto" and are_facts(facts)
    judge.unload()
    assert judge.facts() == {}


def test_a_batch_of_requests_is_one_batch_of_the_engine() -> None:
    vllm = FakeVllm()
    loaded(vllm).judge(REQUESTS)
    assert [len(batch) for batch in vllm.batches] == [9], "three requests, three questions"
    expected = {"max_tokens": 2, "temperature": 0.0, "seed": 0, "logprobs": 20, "structured_outputs": None}
    assert vars(vllm.params[0]) == expected | {"top_p": 1.0, "top_k": -1}


def test_unlikely_tokens_are_cut_where_authors_of_a_protocol_cut_them() -> None:
    vllm = FakeVllm()
    loaded(vllm, protocol="editscore").judge(REQUESTS[:1])
    drawn = {"max_tokens": 512, "temperature": 0.7, "top_p": 0.9, "top_k": 20, "seed": 42}
    assert [vars(one) for one in vllm.params] == [drawn | {"logprobs": None, "structured_outputs": None}] * 2


def test_the_engine_is_loaded_as_the_parameters_say() -> None:
    vllm = FakeVllm()
    judge = loaded(vllm, ("cuda:0", "cuda:1"), model_name="m", max_model_len=4096, engine={"enforce_eager": True})
    (options,) = vllm.loaded
    assert (options["model"], options["tensor_parallel_size"], options["max_model_len"]) == ("m", 2, 4096)
    assert options["logprobs_mode"] == "raw_logprobs" and options["generation_config"] == "vllm"
    assert options["trust_remote_code"] is False and options["enforce_eager"] is True
    assert options["load_format"] == "safetensors"
    judge.unload()
    judge.unload()
    assert vllm.num_closed == 1


def test_scores_are_expected_values_with_mass_and_tokens_in_raw() -> None:
    (row,) = loaded(FakeVllm(off_labels=0.05)).judge(REQUESTS[:1])
    kept = json.loads(row[3].raw)["quality"]
    assert kept["mass"] == pytest.approx(0.95, abs=1e-4)
    mean = sum(k * share for k, share in enumerate(kept["labels"])) / kept["mass"]
    assert row[3].value == pytest.approx(mean * 10 / 9, abs=1e-4)
    assert kept["usage"] == {"prompt": 70, "reply": 2}


def test_too_little_mass_or_no_probabilities_leave_the_score_out() -> None:
    (row,) = loaded(FakeVllm(off_labels=0.4)).judge(REQUESTS[:1])
    assert set(found(row).values()) == {"low_mass"}
    (row,) = loaded(FakeVllm(gives_logprobs=False)).judge(REQUESTS[:1])
    assert set(found(row).values()) == {"no_probabilities"}


def test_a_label_that_goes_on_to_another_digit_is_no_label() -> None:
    (row,) = loaded(FakeVllm(goes_on=0.05)).judge(REQUESTS[:1])
    assert all(score.value is not None for score in row)
    (row,) = loaded(FakeVllm(goes_on=0.95)).judge(REQUESTS[:1])
    assert set(found(row).values()) == {"low_mass"}
    assert json.loads(row[3].raw)["quality"]["ends"] == pytest.approx(0.05)


def test_a_model_that_computes_nan_gives_degenerate_replies() -> None:
    (row,) = loaded(FakeVllm(off_labels=float("nan"))).judge(REQUESTS[:1])
    assert set(found(row).values()) == {"degenerate"}


@pytest.mark.parametrize(
    ("protocol", "kinds"),
    [("viescore", ["json", "json"]), ("re_edit", ["json", "regex", "json"]), ("rubric", ["regex"])],
)
def test_the_form_follows_the_answer_format(protocol: str, kinds: list[str]) -> None:
    vllm = FakeVllm(off_labels=0.0)
    loaded(vllm, protocol=protocol, num_samples=1).judge(REQUESTS[:1])
    forms = [params.structured_outputs for params in vllm.params]
    assert [next(kind for kind, value in vars(form).items() if value) for form in forms] == kinds
    vllm.params.clear()
    loaded(vllm, protocol=protocol, num_samples=1, output="plain").judge(REQUESTS[:1])
    assert {params.structured_outputs for params in vllm.params} == {None}


def test_labels_are_never_forced() -> None:
    vllm = FakeVllm(off_labels=0.9)
    (row,) = loaded(vllm, scoring="samples", output="structured").judge(REQUESTS[:1])
    assert {params.structured_outputs for params in vllm.params} == {None}
    assert set(found(row).values()) == {"unparsable"}, "it wanted to say something else, and that shows"


def test_samples_have_seeds_of_their_own() -> None:
    vllm = FakeVllm(off_labels=0.0)
    judge = loaded(vllm, protocol="viescore", num_samples=3)
    rows = judge.judge(REQUESTS)
    assert len({params.seed for params in vllm.params}) == len(vllm.params) == 18
    assert json.loads(rows[0][0].raw)["perceptual_quality"]["num_read"] == 3


@pytest.mark.parametrize("invalid", [VLLMClientError, ValueError])
def test_an_invalid_request_fails_alone(invalid: type[Exception]) -> None:
    vllm = FakeVllm(invalid=invalid)
    judge = loaded(vllm)
    clean = judge.judge(REQUESTS)
    rows = judge.judge([REQUESTS[0], LONG, *REQUESTS[1:]])
    assert [found(row) for row in (rows[0], *rows[2:])] == [found(row) for row in clean]
    values = found(rows[1])
    assert values["overall"] == values["following"] == "declined"
    assert isinstance(values["quality"], float), "the question without the instruction was asked"
    assert "longer than the maximum model length" in rows[1][1].raw


def test_a_broken_picture_never_reaches_the_engine() -> None:
    vllm = FakeVllm()
    rows = loaded(vllm).judge([REQUESTS[0], replace(REQUESTS[1], edited=b"no image")])
    assert set(found(rows[1]).values()) == {"bad_image"}
    assert [len(batch) for batch in vllm.batches] == [3]


def test_a_dead_engine_costs_the_process_and_another_error_is_left_to_the_worker() -> None:
    vllm = FakeVllm()
    judge = loaded(vllm)
    vllm.error = EngineDeadError("EngineCore encountered an issue")
    with pytest.raises(EngineLostError) as lost:
        judge.judge(REQUESTS)
    assert describe(lost.value).reason == "device_lost"
    vllm.error = RuntimeError("CUDA out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        judge.judge(REQUESTS)
    assert len(judge.judge(REQUESTS)) == 3


def test_reasons_come_after_the_score_in_a_second_batch_and_change_nothing() -> None:
    plain, vllm = FakeVllm(), FakeVllm()
    without = loaded(plain).judge(REQUESTS)
    rows = loaded(vllm, reasons=True).judge(REQUESTS)
    assert [found(row) for row in rows] == [found(row) for row in without]
    assert [len(batch) for batch in vllm.batches] == [9, 9]
    assert json.loads(rows[0][1].raw)["following"]["rationale"]["text"].startswith("Because I said ")


def test_a_model_that_cannot_be_had_is_one_line() -> None:
    with pytest.raises(MachineError, match=r"model_name: 'absent': absent is not a local folder. And no model"):
        loaded(FakeVllm(), model_name="absent")


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vllm is installed here")
def test_without_vllm_it_says_what_to_install() -> None:
    judge = VllmVlmJudge(VllmVlmParams())
    with pytest.raises(MachineError, match="needs the package vllm; pip install vllm"):
        judge.load(["cuda:0"])
    judge.unload()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model_name": " "}, "model_name: must name a checkpoint"),
        ({"dtype": "int4"}, "dtype: must be one of"),
        ({"protocol": "pairs"}, "protocol: must be one of"),
        ({"scoring": "expected", "protocol": "rubric"}, "scoring: expected needs a protocol"),
        ({"temperature": 0.0}, "temperature: at 0 all samples are the same"),
        ({"max_model_len": 8}, "max_model_len: must be at least 256"),
        ({"gpu_memory_utilization": 1.5}, "gpu_memory_utilization"),
        *(
            ({"engine": {name: "evil.Class"}}, f"engine: '{name}' cannot be set here; known: async_scheduling")
            for name in (
                "trust_remote_code",
                "worker_cls",
                "worker_extension_cls",
                "scheduler_cls",
                "logits_processors",
            )
        ),
        ({"engine": {"load_format": "pt"}}, "engine: load_format must be one of safetensors"),
        ({"engine": {"quantization": {"a": 1}}}, "engine: quantization must be a number, true, false or a word"),
    ],
)
def test_a_wrong_parameter_is_one_line_that_names_it(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        VllmVlmParams(**given)
