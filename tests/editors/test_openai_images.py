"""openai_images against a real HTTP server that misbehaves on demand."""

from __future__ import annotations

import io
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from contracts.editor_contract import check_editor
from editeval.editors._images_api import form
from editeval.editors.openai_images import OpenaiImages, OpenaiImagesParams
from editeval.errors import ConfigError, EditRefusedError, ImageError, MachineError
from editeval.http.calls import MAX_WAIT_S, pause_s
from editeval.http.client import BadReplyError, HttpRequest, TransportError, exchange, parse_url
from editeval.images import decode, encode_png
from editeval.types import EditRequest
from fakes import image_server
from fakes.image_dialects import Effective
from fakes.image_server import Handler, ImageServer

PNG = encode_png(Image.radial_gradient("L").convert("RGB").resize((64, 48)))
REQUESTS = [EditRequest(f"r{i}", (PNG,), f"make it {word}", seed=i) for i, word in enumerate(("red", "blue, 更蓝"))]
QUICK: dict[str, Any] = {"timeout_s": 5.0, "deadline_s": 8.0, "max_retries": 2, "backoff_s": 0.01}
OPENAI: dict[str, Any] = {"dialect": "openai", "model": "tiny-edit"}


@pytest.fixture
def server() -> Iterator[ImageServer]:
    with ImageServer() as running:
        yield running


def params(server: ImageServer, **changes: Any) -> OpenaiImagesParams:
    given: dict[str, Any] = {"base_url": server.url, "model": "tiny-edit", "size": "64x48", **QUICK, **changes}
    return OpenaiImagesParams(**given)


def loaded(server: ImageServer, **changes: Any) -> OpenaiImages:
    editor = OpenaiImages(params(server, **changes))
    editor.load("cpu")
    return editor


def edit(editor: OpenaiImages, request: EditRequest = REQUESTS[0]) -> Image.Image:
    return editor.edit(request, lambda step, num_steps: None)


@pytest.mark.parametrize("dialect", ["vllm_omni", "sglang", "openai"])
def test_it_keeps_the_editor_contract_in_every_dialect(dialect: str) -> None:
    size = "1024x1024" if dialect == "openai" else "64x48"
    with ImageServer(dialect=dialect) as server:
        check_editor(OpenaiImages, params(server, dialect=dialect, size=size), REQUESTS, same_size=dialect != "openai")


def test_every_field_is_sent_explicitly(server: ImageServer) -> None:
    edit(loaded(server), REQUESTS[1])
    common = {
        "model": "tiny-edit",
        "prompt": "make it blue, 更蓝",
        "n": "1",
        "size": "64x48",
        "output_format": "png",
        "response_format": "b64_json",
        "generator_device": "cpu",
        "seed": "1",
        "num_inference_steps": "50",
        "true_cfg_scale": "4.0",
        "negative_prompt": " ",
    }
    assert server.calls[0].fields == {**common, "output_compression": "100"}
    with ImageServer(dialect="sglang") as sglang:
        edit(loaded(sglang, dialect="sglang"), REQUESTS[1])
    exact = {"quality": "exact", "enable_teacache": "false", "enable_cache_dit": "false"}
    assert sglang.calls[0].fields == {**common, **exact}
    assert server.done == sglang.done, "both do the same in the end, though their defaults differ"


def bare(server: ImageServer, **fields: str) -> Effective:
    """What the server does for a request that leaves everything to it."""
    kind, body = form({"prompt": "make it blue", "model": "tiny-edit", **fields}, [PNG])
    message = HttpRequest("POST", "/images/edits", body, kind)
    reply = exchange(parse_url("", server.url), message, 5.0, 1 << 24)
    assert reply.status == 200, reply.body
    return server.done[-1]


def test_servers_that_are_left_their_defaults_do_something_else(server: ImageServer) -> None:
    with ImageServer(dialect="sglang") as sglang:
        ours, theirs = bare(server), bare(sglang)
        assert ours.size == (64, 48) and theirs.size == (1184, 896)
        assert ours.file_format == "PNG" and theirs.file_format == "JPEG"
        assert ours.settings[2] is None and theirs.settings[2] == " ", "guidance: off and on"
        assert bare(server) != ours and bare(sglang) == theirs, "seed: random, and 42"


def test_openai_gets_only_fields_that_it_has() -> None:
    with ImageServer(dialect="openai") as server:
        edit(loaded(server, dialect="openai", size="model", extra={"quality": "high"}))
        with pytest.raises(
            EditRefusedError, match=r"not accepted by the server: 400: Unknown parameter: 'generator_device'"
        ):
            edit(loaded(server, dialect="vllm_omni"))
    assert server.calls[0].fields == {
        "model": "tiny-edit",
        "prompt": "make it red",
        "n": "1",
        "size": "auto",
        "output_format": "png",
        "quality": "high",
        "background": "auto",
        "moderation": "auto",
    }


@pytest.mark.parametrize("name", ["num_inference_steps", "true_cfg_scale", "guidance_scale", "negative_prompt"])
def test_what_a_dialect_has_no_field_for_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name}: the dialect openai has no such field"):
        OpenaiImagesParams(**OPENAI, **{name: "x" if name == "negative_prompt" else 4})


def test_the_parameters_show_what_is_sent() -> None:
    assert OpenaiImagesParams().num_inference_steps == 50
    assert OpenaiImagesParams().negative_prompt == " "
    assert OpenaiImagesParams(**OPENAI).num_inference_steps is None


@pytest.mark.parametrize(
    ("rule", "source", "asked"),
    [
        ("model", (64, 64), "1024x1024"),
        ("model", (640, 480), "1184x896"),
        ("model", (100, 3000), "192x5600"),
        ("source", (65, 50), "1152x896"),
        ("320x240", (64, 48), "320x240"),
    ],
)
def test_the_size_asked_for_follows_the_rule(
    server: ImageServer, rule: str, source: tuple[int, int], asked: str
) -> None:
    request = replace(REQUESTS[0], images=(encode_png(Image.new("RGB", source, "teal")),))
    image = edit(loaded(server, size=rule), request)
    assert server.calls[0].fields["size"] == asked
    assert image.size == (source if rule == "source" else tuple(map(int, asked.split("x"))))


def test_a_size_that_the_server_chose_is_scaled_back_only_where_that_stretches_nothing() -> None:
    with ImageServer(dialect="openai") as server:
        editor = loaded(server, dialect="openai", size="source")
        fits = encode_png(Image.new("RGB", (96, 64), "teal"))
        assert edit(editor, replace(REQUESTS[0], images=(fits,))).size == (96, 64)
        with pytest.raises(BadReplyError, match="size source would stretch: the source is 64x48, the edit 1536x1024"):
            edit(editor)


def test_a_result_of_another_size_is_a_failure_and_is_not_stretched(server: ImageServer) -> None:
    server.quirks.size_off_by = 16
    with pytest.raises(BadReplyError, match="asked for 64x48, got 80x48"):
        edit(loaded(server))


def test_only_the_pixels_of_an_image_leave_this_machine(server: ImageServer) -> None:
    notes = PngInfo()
    notes.add_text("where", "at home")
    buffer = io.BytesIO()
    Image.new("RGBA", (32, 32), (255, 0, 0, 0)).save(buffer, "PNG", pnginfo=notes)
    edit(loaded(server), replace(REQUESTS[0], images=(buffer.getvalue(),)))
    sent = server.calls[0].image
    assert b"at home" in buffer.getvalue() and b"at home" not in sent
    assert decode(sent).getpixel((0, 0)) == (255, 255, 255)
    with pytest.raises(ImageError):
        edit(loaded(server), replace(REQUESTS[0], images=(b"/etc/passwd",)))
    assert len(server.calls) == 1


def test_per_request_overrides_change_the_fields_and_nothing_else_may_be_overridden(server: ImageServer) -> None:
    editor = loaded(server)
    edit(editor, replace(REQUESTS[0], overrides={"num_inference_steps": 8, "size": "32x32"}))
    assert server.calls[0].fields["num_inference_steps"] == "8" and server.calls[0].fields["size"] == "32x32"
    for overrides in ({"base_url": "http://elsewhere"}, {"num_inference_steps": "many"}, {"size": "huge"}):
        with pytest.raises(ConfigError):
            edit(editor, replace(REQUESTS[0], overrides=overrides))
    assert len(server.calls) == 1


# -- what passes -------------------------------------------------------------------------------------------------------

PASSING: dict[str, Callable[[Handler], None]] = {
    "429": image_server.status(429, "slow down", "rate_limit_exceeded"),
    "429 with nonsense": image_server.status(429, "slow down", Retry_After="soon"),
    "408": image_server.status(408),
    "409": image_server.status(409),
    "500": image_server.status(500, "worker died"),
    "502 from a proxy": image_server.body(b"<html>Bad gateway</html>", 502, "text/html"),
    "503": image_server.status(503),
    "529": image_server.status(529),
    "no reply": image_server.hang_up,
    "reset": image_server.reset,
    "cut body": image_server.break_off,
    "cut chunked body": image_server.break_off_chunked,
    "HTML with 200": image_server.body(b"<html>Log in</html>", 200, "text/html"),
    "garbage JSON": image_server.body(b'{"data": [{"b64'),
    "deep JSON": image_server.body(b"[" * 200_000),
    "JSON list": image_server.body(b"[1]"),
    "no data": image_server.body(b'{"data": []}'),
    "error object with 200": image_server.body(b'{"error": {"message": "queue is full", "code": "busy"}}'),
    "error text with 200": image_server.body(b'{"error": "queue is full"}'),
    "not HTTP": lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n"),
    "bad chunk": image_server.body(b"zz\r\n", Transfer_Encoding="chunked"),
    "empty": image_server.body(b""),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_asked_again_and_costs_nothing(server: ImageServer, name: str) -> None:
    editor = loaded(server)
    clean = edit(editor)
    server.will(PASSING[name], PASSING[name])
    assert edit(editor).tobytes() == clean.tobytes()
    assert len(server.calls) == 4


@pytest.mark.parametrize("name", PASSING)
def test_what_does_not_pass_is_asked_a_bounded_number_of_times(server: ImageServer, name: str) -> None:
    editor = loaded(server, max_retries=1)
    server.will(PASSING[name], repeats=True)
    with pytest.raises(TransportError, match="no usable answer in 2 calls"):
        edit(editor)
    assert len(server.calls) == 2


SLOW: dict[str, Callable[[Handler], None]] = {
    "silence": image_server.silence,
    "one header at a time": image_server.drip([b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"]),
    "a status line that never ends": image_server.drip([b"HTTP/1.1 200 ", b"O"]),
    "one byte at a time": image_server.drip([b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "]),
    "small chunks": image_server.drip([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"]),
}


@pytest.mark.parametrize("name", SLOW)
def test_the_time_limit_is_for_the_whole_call(server: ImageServer, name: str) -> None:
    editor = loaded(server, timeout_s=0.3, max_retries=1)
    server.will(SLOW[name], SLOW[name])
    begin = time.monotonic()
    with pytest.raises(TransportError, match=r"in 2 calls .* no whole reply within"):
        edit(editor)
    assert time.monotonic() - begin >= 0.6, "two limits: the server went on for longer"
    assert edit(loaded(server)).size == (64, 48)
    assert not [t for t in threading.enumerate() if isinstance(t, threading.Timer) and t.is_alive()]


def test_the_deadline_covers_every_call_and_pause(server: ImageServer) -> None:
    editor = loaded(server, timeout_s=0.3, deadline_s=0.8, max_retries=20)
    server.will(image_server.silence, repeats=True)
    with pytest.raises(TransportError):
        edit(editor)
    assert len(server.calls) <= 3, "as many as 0.8 s have room for, not 21"


def test_retry_after_is_honoured(server: ImageServer) -> None:
    editor = loaded(server)
    server.will(image_server.status(429, Retry_After="0.4"))
    begin = time.monotonic()
    edit(editor)
    assert time.monotonic() - begin >= 0.4 and len(server.calls) == 2


def test_a_wait_beyond_the_deadline_is_not_waited_for(server: ImageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = loaded(server)
    server.will(image_server.status(429, Retry_After="3600"))
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with pytest.raises(TransportError, match="1 call "):
        edit(editor)
    assert not slept and len(server.calls) == 1


def test_pauses_double_are_capped_and_depend_on_the_seed_alone() -> None:
    first, again, other = ([pause_s(i, None, 1.0, random.Random(seed)) for i in range(20)] for seed in (7, 7, 8))
    assert first == again != other
    assert all(0.5 * 2**i <= first[i] <= 2**i for i in range(6))
    assert max(first) == MAX_WAIT_S
    assert pause_s(0, 1e9, 1.0, random.Random(0)) == MAX_WAIT_S


def test_the_randomness_of_the_process_is_left_alone(server: ImageServer) -> None:
    editor = loaded(server)
    state = random.getstate()
    server.will(image_server.status(500))
    edit(editor)
    assert random.getstate() == state


# -- what ends the request ---------------------------------------------------------------------------------------------

REFUSALS = {
    "OpenAI": image_server.status(400, "Your request was rejected by the safety system.", "moderation_blocked"),
    "without a code": image_server.status(400, "rejected as a result of our safety system."),
    "policy": image_server.status(403, "no", "content_policy_violation"),
    "with 200": image_server.body(b'{"error": {"message": "violates the content policy", "code": null}}'),
    "bad field": image_server.body(b'{"detail": [{"loc": ["body", "size"], "msg": "bad size"}]}', 422),
    "too large": image_server.status(413, "image too large"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_fails_that_request_at_once_with_the_servers_words(server: ImageServer, name: str) -> None:
    editor = loaded(server)
    server.will(REFUSALS[name])
    with pytest.raises(EditRefusedError, match=r"safety|no$|policy|bad size|too large"):
        edit(editor)
    assert len(server.calls) == 1
    assert edit(editor).size == (64, 48), "the next request is served"


BROKEN = {
    "no image": image_server.holding(b"<html>"),
    "a GIF": image_server.holding(b"GIF89a" + bytes(40)),
    "half a PNG": image_server.holding(PNG[: len(PNG) // 2]),
    "said to be huge": image_server.body(b"x", Content_Length=str(100_000_000)),
    "huge without saying so": image_server.flood,
    "compressed": image_server.body(b"\x1f\x8b\x08\x00", Content_Encoding="gzip"),
    "neither image nor url": image_server.body(b'{"data": [{"file_path": "/etc/passwd"}]}'),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_useless_answer_fails_that_request_and_is_never_an_image(server: ImageServer, name: str) -> None:
    editor = loaded(server, max_reply_mib=1, timeout_s=3.0)
    server.will(BROKEN[name])
    with pytest.raises(BadReplyError):
        edit(editor)
    assert len(server.calls) == 1
    assert edit(editor).size == (64, 48)


# -- what ends the run -------------------------------------------------------------------------------------------------

FATAL = {
    "401": image_server.status(401, "who are you", "invalid_api_key"),
    "402": image_server.status(402, "pay"),
    "403": image_server.status(403, "forbidden"),
    "404": image_server.status(404, "The model `tiny-edit` does not exist", "model_not_found"),
    "405": image_server.body(b"", 405, "text/plain"),
    "no such model": image_server.status(400, "Model mismatch: request specifies another", "400"),
    "quota": image_server.status(429, "You exceeded your current quota", "insufficient_quota"),
    "redirect": image_server.body(b"", 307, Location="https://elsewhere.example/login"),
}


@pytest.mark.parametrize("name", FATAL)
def test_what_no_retry_can_cure_stops_after_one_call(server: ImageServer, name: str) -> None:
    editor = loaded(server)
    server.will(FATAL[name], repeats=True)
    messages = set()
    for request in (*REQUESTS, *REQUESTS):
        with pytest.raises(MachineError) as caught:
            edit(editor, request)
        messages.add(str(caught.value))
    assert len(server.calls) == 1, "later edits of this worker make no call"
    assert len(messages) == 1 and server.url in messages.pop()


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(
    server: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    assert edit(loaded(server)).size == (64, 48)


def test_a_wrong_key_is_found_before_the_first_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGES_KEY", "wrong-one")
    with ImageServer(key="right-one") as server:
        with pytest.raises(MachineError, match="does not accept the key"):
            loaded(server, api_key_env="IMAGES_KEY")
        assert len(server.gets) == 1 and not server.calls


def test_a_model_that_is_not_served_is_found_before_the_first_edit(server: ImageServer) -> None:
    with pytest.raises(MachineError, match=r"has no 'other'; it serves 'tiny-edit'"):
        loaded(server, model="other")


def test_a_server_without_a_list_of_models_is_used(server: ImageServer) -> None:
    server.quirks.lists_models = False
    assert edit(loaded(server)).size == (64, 48)


def test_a_server_that_is_not_there_is_one_line(server: ImageServer) -> None:
    server.server_close()
    with pytest.raises(MachineError, match=r"no usable answer in 3 calls.*cannot be reached.*start the server"):
        loaded(server)


# -- images behind addresses -------------------------------------------------------------------------------------------


def test_an_image_behind_an_address_is_fetched_only_if_allowed_and_without_the_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("IMAGES_KEY", "canary-5d1c")
    with ImageServer(key="canary-5d1c") as server:
        direct = edit(loaded(server, api_key_env="IMAGES_KEY"))
        server.quirks.answers_url = True
        with pytest.raises(BadReplyError, match="allow_url_results"):
            edit(loaded(server, api_key_env="IMAGES_KEY"))
        assert len(server.gets) == 2
        fetched = edit(loaded(server, api_key_env="IMAGES_KEY", allow_url_results=True))
        assert fetched.tobytes() == direct.tobytes()
        path, headers = server.gets[-1]
        assert path.startswith("/files/") and "Authorization" not in headers


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/latest", "file:///etc/passwd", "http://127.0.0.1:1/x.png", "//x", "http://[", "ftp://x/y"],
)
def test_an_address_elsewhere_is_never_fetched(server: ImageServer, url: str) -> None:
    editor = loaded(server, allow_url_results=True)
    server.will(image_server.body(b'{"data": [{"url": "%s"}]}' % url.encode()))
    with pytest.raises(BadReplyError, match=r"another host|cannot be used"):
        edit(editor)


# -- which server ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("worker", "used"), [(0, 0), (1, 1), (4, 0)])
def test_worker_i_talks_to_address_i_mod_n(worker: int, used: int) -> None:
    with ImageServer() as first, ImageServer() as second:
        editor = OpenaiImages(replace(params(first), base_url="", base_urls=(first.url, second.url)))
        editor.worker = worker
        editor.load("cpu")
        edit(editor)
        assert [len(first.calls), len(second.calls)] == [1 - used, used]


# -- parameters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dialect": "triton"}, "dialect: must be one of vllm_omni, sglang, openai"),
        ({"base_url": "http://a", "base_urls": ("http://b",)}, "base_urls: given together"),
        ({"base_url": "127.0.0.1:8000"}, "base_url: must be an http or https address"),
        ({"base_url": "http://a:99999"}, "base_url: is not an address"),
        ({"base_urls": ("http://a", "ftp://b")}, r"base_urls\[1\]: must be"),
        ({"base_url": "http://a/v1?x=1"}, "query or fragment"),
        ({"base_url": "http://a/\r\nX: y"}, "must be an http or https address"),
        ({"size": "10x"}, 'size: must be "model", "source" or WIDTHxHEIGHT'),
        ({"size": "0x5"}, "size: must be"),
        ({"num_inference_steps": 0}, "num_inference_steps: must be an integer from 1"),
        ({"num_inference_steps": 8.5}, "num_inference_steps"),
        ({"true_cfg_scale": float("nan")}, "true_cfg_scale"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"max_retries": True}, "max_retries"),
        ({"model": ""}, "model: is empty"),
        ({"extra": {"seed": 1}}, "extra.seed: is decided by the editor"),
        ({"extra": {"Bad Name": 1}}, "extra: a field name"),
        ({"extra": {"api_key": "x"}}, "secrets do not belong"),
        ({"extra": {"lora": {"a": 1}}}, "extra.lora: must be text"),
    ],
)
def test_a_wrong_parameter_is_one_line_that_names_it(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        OpenaiImagesParams(**given)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("api_key_env", "sk-proj-canary0000000000"),
        ("api_key_env", "hf_canary0000000000"),
        ("api_key_env", "AKIACANARY0000000000"),
        ("base_url", "https://user:canary0000@host/v1"),
        ("base_url", "https://user:canary0000@host:port/v1"),
    ],
)
def test_a_key_in_the_configuration_is_refused_and_not_repeated(field: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        OpenaiImagesParams(**{field: value})
    assert "canary" not in str(caught.value).lower()


def test_a_key_variable_that_is_not_set_is_named(server: ImageServer) -> None:
    with pytest.raises(MachineError, match="the environment variable IMAGES_KEY is not set"):
        loaded(server, api_key_env="IMAGES_KEY")


def test_all_tries_of_an_edit_have_one_idempotency_key_and_no_other_edit_has_it(server: ImageServer) -> None:
    editor = loaded(server)
    same = [REQUESTS[0], replace(REQUESTS[0], key="twin"), replace(REQUESTS[0], seed=9), REQUESTS[1]]
    for request in same:
        server.will(image_server.status(500), image_server.reset)
        edit(editor, request)
    keys = [call.headers["Idempotency-Key"] for call in server.calls]
    assert len(keys) == 12 and [len(set(keys[i : i + 3])) for i in range(0, 12, 3)] == [1, 1, 1, 1]
    assert len(set(keys)) == 4, "the sample and the seed are part of it, even where the server has no seed"
    edit(loaded(server), REQUESTS[0])
    assert server.calls[-1].headers["Idempotency-Key"] == keys[0], "that of a worker in the place of a killed one"
    edit(loaded(server, num_inference_steps=7), REQUESTS[0])
    assert server.calls[-1].headers["Idempotency-Key"] not in keys


def test_several_source_images_are_a_list_of_files_and_only_for_the_dialect_that_takes_them() -> None:
    _, one = form({"prompt": "p"}, [PNG])
    _, two = form({"prompt": "p"}, [PNG, PNG])
    assert (one.count(b'name="image"'), two.count(b'name="image[]"'), two.count(PNG)) == (1, 2, 2)
    most = [OpenaiImages.max_images_of(OpenaiImagesParams(**params)) for params in ({}, OPENAI)]
    assert most == [1, 16]
