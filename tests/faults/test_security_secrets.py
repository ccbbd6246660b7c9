"""Row S9 of the security table: a secret is in no file, log, message or argument; a configuration cannot hold one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fault_runs import CONFIG, config_in

from command_line import cli
from editeval.config.load import load_config
from editeval.redaction import MAX_LINE, LineRedactor, redacted, secrets_in
from fakes import image_server
from fakes.image_server import ImageServer

CANARY = "canary-58e1-d07b-9f3a"  # no form that only keys have
KEY_LIKE = "sk-proj-" + "A1b2C3d4" * 4
ENVIRONMENT = {"IMAGES_KEY": CANARY, "HF_TOKEN": "hf_" + "x9" * 17}


def leaks(folder: Path, *said: str) -> list[str]:
    """Every file under `folder` and every text in which a secret stands."""
    secrets = [CANARY, KEY_LIKE, ENVIRONMENT["HF_TOKEN"]]
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = [str(path) for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)]
    return found + [text for text in said if any(secret in text for secret in secrets)]


def served(folder: Path, url: str, more: str = "") -> Path:
    path = folder / "served.yaml"
    params = f"base_url: {url}, model: tiny-edit, size: source, api_key_env: IMAGES_KEY, max_retries: 0{more}"
    execution = "{max_attempts: 1, backend: inprocess}"
    path.write_text(
        "benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}\n"
        f"diffusion_model: {{type: openai_images, params: {{{params}}}, execution: {execution}}}\n",
        encoding="utf-8",
    )
    return path


def test_a_key_that_a_server_repeats_is_in_no_file_and_no_message(tmp_path: Path) -> None:
    with ImageServer(key=CANARY) as server:
        server.will(
            image_server.status(500, f"upstream refused Bearer {CANARY}"),
            image_server.status(400, f"safety system: {CANARY}", "moderation_blocked"),
            image_server.body(CANARY.encode(), 422, "text/plain", X_Key=CANARY),
        )
        served(tmp_path, server.url)
        done = cli("run", "served.yaml", "--debug", cwd=tmp_path, **ENVIRONMENT)
        assert done.returncode == 3, done.stderr
        assert server.calls[0].headers["Authorization"] == f"Bearer {CANARY}", "it was sent"
    looked = [cli(command, cwd=tmp_path, **ENVIRONMENT) for command in ("status", "report", "verify")]
    said = [text for each in (done, *looked) for text in (each.stdout, each.stderr)]
    assert not leaks(tmp_path, *said)
    assert b"IMAGES_KEY" in (tmp_path / "outputs" / "latest" / "manifest.json").read_bytes(), "the name is on record"


def test_a_wrong_key_costs_no_edit_and_is_not_shown(tmp_path: Path) -> None:
    with ImageServer(key="another") as server:  # it answers with what it was sent
        served(tmp_path, server.url)
        done = cli("run", "served.yaml", cwd=tmp_path, **ENVIRONMENT)
        assert done.returncode == 2 and "does not accept the key" in done.stderr
        assert len(server.calls) == 0 and len(server.gets) == 1, "one question that costs nothing"
    assert not leaks(tmp_path, done.stdout, done.stderr)


def test_an_exception_that_quotes_a_secret_is_recorded_without_it(tmp_path: Path) -> None:
    """Libraries put addresses and headers into their messages; tracebacks are kept with every failure."""
    config_in(tmp_path, faults={"causal/0000": "leak"})
    done = cli("run", "small.yaml", "--allow-code", "--set", "diffusion_model.execution.max_attempts=1",
               cwd=tmp_path, **ENVIRONMENT)  # fmt: skip
    assert done.returncode == 3 and "[IMAGES_KEY]" in done.stderr
    assert not leaks(tmp_path, done.stdout, done.stderr)
    judged = config_in(tmp_path, CONFIG.replace("type: reference, params: {", "type: fakes.leaky_judge, params: {"))
    done = cli("run", str(judged), "--allow-code", "--fresh", cwd=tmp_path, **ENVIRONMENT)
    assert done.returncode == 0 and not leaks(tmp_path, done.stdout, done.stderr), "nor with what a judge says"


def test_a_bug_and_a_dying_worker_show_no_secret_in_their_traceback(tmp_path: Path) -> None:
    script = "import os; from editeval.redaction import guard_tracebacks; guard_tracebacks(); {}"
    bug = "raise ValueError('sent ' + os.environ['IMAGES_KEY'])"
    thread = "import threading; t = threading.Thread(target=lambda: int(os.environ['IMAGES_KEY'])); t.start(); t.join()"
    for code in (bug, thread):
        command = [sys.executable, "-c", script.format(code)]
        environ = {**os.environ, **ENVIRONMENT}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert "[IMAGES_KEY]" in done.stderr and "Traceback" in done.stderr and CANARY not in done.stderr


PASTED = {
    "a key where its variable's name belongs": f"diffusion_model.params.api_key_env={KEY_LIKE}",
    "a parameter called api_key": f"diffusion_model.params.api_key={CANARY}x",
    "a parameter called token": "diffusion_model.params.hub_token=anything at all",
    "a key as a model": f"diffusion_model.params.model={KEY_LIKE}",
    "the value of a variable": f"diffusion_model.params.model={CANARY}",
    "the value of a variable inside a text": f"prompts.physical.system_prompt=my key is {CANARY}",
    "a further form field": f"diffusion_model.params.extra={{user: {KEY_LIKE}}}",
    "a key in a list": f"benchmark.categories=[physical, {KEY_LIKE}]",
    "a password in an address": f"diffusion_model.params.base_url=http://me:{CANARY}@127.0.0.1:9/v1",
    "a key in a query": f"diffusion_model.params.base_url=http://127.0.0.1:9/v1?key={KEY_LIKE}",
    "no assignment at all": KEY_LIKE,
}


@pytest.mark.parametrize("mistake", PASTED)
def test_a_secret_in_a_configuration_is_refused_in_one_line_that_does_not_show_it(tmp_path: Path, mistake: str) -> None:
    served(tmp_path, "http://127.0.0.1:9/v1")
    done = cli("run", "served.yaml", "--set", PASTED[mistake], cwd=tmp_path, **ENVIRONMENT)
    assert done.returncode == 2 and all(said.startswith("editeval: --set: ") for said in done.stderr.splitlines())
    assert done.stderr and "Traceback" not in done.stderr
    assert not leaks(tmp_path, done.stdout, done.stderr)
    assert not (tmp_path / "outputs").exists()


def test_a_secret_in_the_file_is_named_with_its_line(tmp_path: Path) -> None:
    served(tmp_path, "http://127.0.0.1:9/v1", f",\n  api_key: {KEY_LIKE}")
    done = cli("check", "served.yaml", cwd=tmp_path)
    assert done.returncode == 2 and KEY_LIKE not in done.stderr
    assert done.stderr.startswith("editeval: served.yaml:3: diffusion_model.params.api_key: secrets do not belong in")
    assert "give its NAME in api_key_env" in done.stderr


def test_only_variables_that_say_so_are_secrets() -> None:
    environ = {
        "OPENAI_API_KEY": "abcdefgh",
        "KEYBOARD": "qwertz-layout",
        "TOKENIZERS_PARALLELISM": "false-as-ever",
        "SSL_KEY": "/etc/ssl/private.pem",
        "DB_PASSWORD": "abcdefghij",
        "SHORT_KEY": "1",
        "MY_SECRET_FLAG": "true",
        "GIT_AUTHOR_NAME": "somebody-or-other",
    }
    assert list(secrets_in(environ).items()) == [("abcdefghij", "DB_PASSWORD"), ("abcdefgh", "OPENAI_API_KEY")]
    assert redacted("abcdefghij abcdefgh qwertz-layout", environ) == "[DB_PASSWORD] [OPENAI_API_KEY] qwertz-layout"
    assert redacted(f"key {KEY_LIKE}, ok", {}) == "key [secret], ok" and redacted("task-sk-1 risk-free", {}) == (
        "task-sk-1 risk-free"
    )


VARIABLES = (
    "HF_TOKEN",
    "OPENAI_API_KEY",
    "OPENAIKEY",
    "PGPASSWORD",
    "MYSQL_PWD",
    "AWS_SECRET_ACCESS_KEY",
    "DB_PASS",
    "AWS_SESSION_TOKEN",
    "SMTP_AUTH",
    "SENTRY_DSN",
    "SESSION_COOKIE",
    "GITLAB_PAT",
    "CLIENT_SECRETS",
)


@pytest.mark.parametrize("name", VARIABLES)
def test_the_value_of_a_usual_secret_variable_is_not_shown(name: str) -> None:
    for value in ("correct-horse", "/zK9+x7bPxRfiCYEXAMPLEKEYwJalrXUtnFEMIK7"):
        assert redacted(f"sent <{value}>", {name: value}) == f"sent <[{name}]>"


def test_the_variable_that_api_key_env_names_is_a_secret_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"GATEWAY": "correct-horse"}
    monkeypatch.setenv("GATEWAY", "correct-horse")
    assert redacted("sent correct-horse", environ) == "sent correct-horse"
    path = served(tmp_path, "http://127.0.0.1:9/v1")
    path.write_text(path.read_text(encoding="utf-8").replace("IMAGES_KEY", "GATEWAY"), encoding="utf-8")
    monkeypatch.setenv("_EDITEVAL_SECRETS", "")  # so that it is put back
    load_config(path, environ={})
    assert redacted("sent correct-horse", environ) == "sent [GATEWAY]"


TOKEN = "q7" * 12
FORMS = {
    f"https://me:{TOKEN}@host.example/v1": "https://[secret]@host.example/v1",
    f"git+https://{TOKEN}@host.example/x": "git+https://[secret]@host.example/x",
    f"header Authorization: Bearer {TOKEN}": "header Authorization: Bearer [secret]",
    f"'Authorization': 'Basic {TOKEN}='": "'Authorization': 'Basic [secret]'",
    f"GET /v1?a=1&token={TOKEN}&b=2": "GET /v1?a=1&token=[secret]&b=2",
    f"GET /v1?key={TOKEN} HTTP/1.1": "GET /v1?key=[secret] HTTP/1.1",
    f"/x?X-Amz-Signature={TOKEN}": "/x?X-Amz-Signature=[secret]",
    f'{{"api_key": "{TOKEN}"}}': '{"api_key": "[secret]"}',
    f"x-api-key: {TOKEN}": "x-api-key: [secret]",
    f"hf_{TOKEN} and ghs_{TOKEN}{TOKEN}": "[secret] and [secret]",
    f"AIza{TOKEN}{TOKEN}": "[secret]",
    "ASIA" + "Q7" * 8: "[secret]",
    f"eyJ{TOKEN}.{TOKEN}.{TOKEN}": "[secret]",
}


@pytest.mark.parametrize("text", FORMS)
def test_what_has_the_form_of_a_secret_or_stands_in_its_place_is_not_shown(text: str) -> None:
    assert redacted(text, {}) == FORMS[text]


@pytest.mark.parametrize(
    "text",
    ("see http://127.0.0.1:8000/v1?key=short", "http://user@host/", "the bearer of this letter", "key: 12, token: 3",
     "a monkey = a key", "https://example.org/a@b", "authorization: none"),
)  # fmt: skip
def test_text_without_a_secret_stays_as_it_is(text: str) -> None:
    assert redacted(text, {}) == text


def test_output_comes_out_line_by_line_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret comes in pieces, at the end of a line, in a progress bar, in a line without an end."""
    monkeypatch.setenv("IMAGES_KEY", CANARY)
    lines = LineRedactor()
    assert lines.feed(CANARY[:9].encode()) == b""
    assert lines.feed(CANARY[9:].encode() + b"\n\xff") == b"[IMAGES_KEY]\n"
    assert lines.feed(b"50 %\r") == b"\xff50 %\r", "a progress bar has no other end"
    long = b"x " * MAX_LINE + CANARY[:9].encode()
    assert lines.feed(long) == b"x " * MAX_LINE
    assert lines.feed(CANARY[9:].encode() + b" tail " + CANARY.encode()) + lines.end() == (
        b"[IMAGES_KEY] tail [IMAGES_KEY]"
    )
    assert lines.end() == b""


def test_what_a_worker_prints_is_in_its_log_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable's name says nothing; only the configuration does. A child of the worker prints it as well."""
    for name, value in {"GATEWAY": CANARY, "_EDITEVAL_SECRETS": ""}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "printing.py").write_text(PRINTING, encoding="utf-8")
    (tmp_path / "c.yaml").write_text(
        "benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}\n"
        "diffusion_model: {type: printing.py, params: {api_key_env: GATEWAY}, execution: {device_ids: [cpu]}}\n",
        encoding="utf-8",
    )
    done = cli("run", "c.yaml", "--allow-code", "--first", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (log,) = (tmp_path / "outputs" / "logs").glob("*worker0.log")
    text = log.read_text(encoding="utf-8")
    assert "key [GATEWAY] of the worker" in text and "key [GATEWAY] of its child" in text
    assert not leaks(tmp_path, done.stdout, done.stderr)


PRINTING = """
import os, subprocess, sys
from dataclasses import dataclass
from editeval.images import decode
from editeval.types import Editor

@dataclass(frozen=True)
class Printing_Params:
    api_key_env: str = ""

class Printing(Editor):
    Params = Printing_Params
    default_device = "cpu"

    def edit(self, request, progress):
        print("key", os.environ["GATEWAY"], "of the worker", flush=True)
        subprocess.run(["sh", "-c", "echo key $GATEWAY of its child"], check=True)
        return decode(request.images[0])
"""
