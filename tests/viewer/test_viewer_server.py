"""The server of `editeval view`: who may ask it, what it gives away, and what can be written through it."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from report_fakes import report_of, row_of

from editeval.errors import MachineError, UserError
from editeval.reports.site import page
from editeval.reports.site.payload import data_of, script
from editeval.reports.site.write import write_report_html
from editeval.viewer import ratings
from editeval.viewer.server import MAX_BODY, ShownRun, Viewer

STEM = "0123456789abcdef" * 2
JSON = {"Content-Type": "application/json"}
Answer = tuple[int, bytes]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run with one file of every kind that may be read, and some that may not."""
    run = tmp_path / "run"
    run.mkdir()
    write_report_html(report_of([row_of(0)], run), run)
    for name in (f"edits/{STEM}.png", f"report/thumbs/{STEM}.webp", f"report/pictures/{STEM}.jpg"):
        path = run / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (run / "ledger.sqlite").write_bytes(b"secret")
    (tmp_path / "outside.png").write_bytes(b"secret")
    (run / "edits" / f"{'f' * 32}.png").symlink_to(tmp_path / "outside.png")
    return run


@pytest.fixture
def viewer(run_dir: Path) -> Iterator[Viewer]:
    server = Viewer([ShownRun(run_dir, "abc", "run", frozenset({"a", "__proto__"}))])
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server
    server.stop()
    thread.join(timeout=60)
    assert not thread.is_alive()


def ask(viewer: Viewer, path: str, method: str = "GET", body: object = None, **headers: str) -> Answer:
    """(status, body); `path` follows the token, unless it begins with a slash."""
    connection = http.client.HTTPConnection("127.0.0.1", viewer.port, timeout=60)
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    address = path if path.startswith("/") else f"/{viewer.token}/{path}"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, address, data, named)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def headers(viewer: Viewer, path: str) -> Mapping[str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", viewer.port, timeout=60)
    connection.request("GET", f"/{viewer.token}/{path}")
    found = dict(connection.getresponse().getheaders())
    connection.close()
    return found


def rate(viewer: Viewer, body: object, **headers: str) -> Answer:
    own = {"Origin": f"http://127.0.0.1:{viewer.port}", "Content_Type": "application/json"}
    return ask(viewer, "runs/0/ratings", "POST", body, **(own | headers))


def test_it_gives_the_page_the_front_end_and_the_files_of_a_report(viewer: Viewer, run_dir: Path) -> None:
    status, body = ask(viewer, "")
    assert status == 200 and b"connect-src 'self'" in body and b"file:" not in body.partition(b"</head>")[0]
    assert b"1 of 1 samples scored" in body and b"runs/0/report/thumbs/" in body
    assert ask(viewer, "app/main.js") == (200, page.asset("main.js"))
    for name in (
        f"edits/{STEM}.png",
        f"report/thumbs/{STEM}.webp",
        f"report/pictures/{STEM}.jpg",
    ):
        assert ask(viewer, f"runs/0/{name}") == (200, (run_dir / name).read_bytes())
    assert ask(viewer, "runs/0/ratings") == (200, b'{"ratings": {}}')
    status, body = ask(viewer, "runs/0/data/rows-0")
    assert status == 200 and [row[0] for row in json.loads(body)] == [row_of(0).id]
    assert json.loads(ask(viewer, "runs/0/data/run")[1])["num_samples"] == 1


def test_only_the_front_end_runs_and_data_are_json(viewer: Viewer, run_dir: Path) -> None:
    """What lies in the run is sent as what it is for, and no script that has not this answer's nonce runs."""
    head, page_of = headers(viewer, ""), ask(viewer, "")[1].decode()
    nonce = re.search(r"script-src &#39;nonce-([\w-]{20,})&#39;|script-src 'nonce-([\w-]{20,})'", page_of)
    assert nonce and page_of.count(f'nonce="{nonce[1] or nonce[2]}"') == len(page.SCRIPTS)
    assert "frame-ancestors 'none'" in head["Content-Security-Policy"]
    assert nonce[0] not in ask(viewer, "")[1].decode(), "another one each time"
    (run_dir / "report" / "data" / "rows-0.js").write_text("fetch('http://evil.example')")
    assert ask(viewer, "runs/0/report/data/rows-0.js")[0] == 404
    status, body = ask(viewer, "runs/0/data/rows-0")
    assert status == 409 and b"evil" not in body
    for name in ("data/run", f"edits/{STEM}.png", "ratings", f"report/thumbs/{STEM}.webp"):
        head = headers(viewer, f"runs/0/{name}")
        assert "javascript" not in head["Content-Type"] and head["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in head["Content-Security-Policy"]


def test_a_link_or_a_pipe_in_the_place_of_a_picture_gives_nothing(viewer: Viewer, run_dir: Path) -> None:
    for number, folder in enumerate(("edits", "report/thumbs", "report/pictures")):
        name = f"{number:032x}.{'png' if number != 1 else 'webp'}"
        (run_dir / folder / name).symlink_to(run_dir.parent / "outside.png")
        assert ask(viewer, f"runs/0/{folder}/{name}")[0] == 404
        (run_dir / folder / name).unlink()
        os.mkfifo(run_dir / folder / name)
        assert ask(viewer, f"runs/0/{folder}/{name}")[0] == 404


def test_what_to_type_is_not_a_strangers_to_say(run_dir: Path) -> None:
    path = run_dir / "report" / "data" / "run.js"
    path.write_text(path.read_text().replace('"commands":{', '"commands":{"more":"rm -rf ~",'))
    path.write_text(re.sub(r'"commands": ?\{', '"commands": {"more": "rm -rf", ', path.read_text()))
    for is_own in (True, False):
        block = ShownRun(run_dir, "abc", "run", frozenset(), is_own=is_own).block()
        assert ("rm" in json.dumps(block["commands"])) == is_own
    assert f"editeval show {run_dir}" in block["commands"]["show"]


def test_the_page_is_that_of_the_report_as_it_is_now(viewer: Viewer, run_dir: Path) -> None:
    write_report_html(report_of([row_of(0), row_of(1, "failed")], run_dir), run_dir)
    assert b"1 of 2 samples scored" in ask(viewer, "")[1]


@pytest.mark.parametrize(
    "text", ["", "alert(1)", 'ui.receive("run", 0, {);\n', 'ui.receive("run", 0, {"schema": 99});\n', "\xff"]
)
def test_a_report_that_cannot_be_read_is_one_line_and_what_to_type(viewer: Viewer, run_dir: Path, text: str) -> None:
    (run_dir / "report" / "data" / "run.js").write_bytes(text.encode("latin-1"))
    status, body = ask(viewer, "")
    assert status == 409 and f"editeval report {run_dir}".encode() in body and b"\n" not in body
    (run_dir / "report" / "data" / "run.js").unlink()
    assert ask(viewer, "")[0] == 409


def test_it_listens_on_the_loopback_interface_only(viewer: Viewer) -> None:
    assert viewer._server.socket.getsockname()[0] == "127.0.0.1"
    assert viewer.url.startswith("http://127.0.0.1:") and len(viewer.token) >= 32


@pytest.mark.parametrize("path", ["/", "/wrong/", "/wrong/app/main.js", "/favicon.ico", "//", "/%2e%2e/", "/*"])
def test_without_the_token_nothing_is_given(viewer: Viewer, path: str) -> None:
    status, body = ask(viewer, path)
    assert status == 403 and b"token" in body


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1", "localhost", "127.0.0.1:1", "[::1]", "0.0.0.0", ""]
)
def test_other_names_of_this_machine_are_refused(viewer: Viewer, host: str) -> None:
    assert ask(viewer, "", Host=host)[0] == 403
    assert rate(viewer, {"a": {"stars": 1}}, Host=host)[0] == 403


def test_its_own_names_are_accepted(viewer: Viewer) -> None:
    for name in ("127.0.0.1", "localhost"):
        assert ask(viewer, "", Host=f"{name}:{viewer.port}")[0] == 200


def test_two_hosts_are_none(viewer: Viewer) -> None:
    with socket.create_connection(("127.0.0.1", viewer.port), timeout=60) as connection:
        host = f"Host: 127.0.0.1:{viewer.port}\r\n"
        connection.sendall(f"GET /{viewer.token}/ HTTP/1.1\r\n{host}Host: evil.example\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_requests_that_another_site_makes_are_refused(viewer: Viewer, site: str) -> None:
    assert ask(viewer, "", Sec_Fetch_Site=site)[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "runs/0/ledger.sqlite",
        "runs/0/edits/../ledger.sqlite",
        "runs/0/edits/%2e%2e/ledger.sqlite",
        "runs/0/edits/..%2fledger.sqlite",
        "runs/0/../outside.png",
        "runs/0/report/../ledger.sqlite",
        "runs/0/report/data/../../ledger.sqlite",
        "runs/0/report/thumbs//etc/passwd",
        "runs/0//etc/passwd",
        "runs/0/edits/",
        "runs/0/edits",
        "runs/0/",
        f"runs/0/edits/{'f' * 32}.png",
        f"runs/0/edits/{STEM}.png/",
        f"runs/0/edits/{STEM}.png%00",
        f"runs/0/edits/{'0' * 32}.png",
        f"runs/1/edits/{STEM}.png",
        f"runs/-1/edits/{STEM}.png",
        f"runs/00000/edits/{STEM}.png",
        "runs/0/manifest.json",
        "runs/0/report/pictures.jsonl",
        "app/../page.py",
        "app/words.json",
        "app/page.html",
        "app/",
        "/",
    ],
)
def test_nothing_but_a_reports_own_files_is_given(viewer: Viewer, path: str) -> None:
    status, body = ask(viewer, path)
    assert status in (403, 404)
    assert b"secret" not in body and b"root:" not in body


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(viewer: Viewer, method: str) -> None:
    assert ask(viewer, "runs/0/ratings", method, {})[0] in (501, 405)


def test_a_rating_is_in_the_run_when_the_answer_comes(viewer: Viewer, run_dir: Path) -> None:
    rating = {"verdict": "bad", "stars": 2, "comment": "</script>\u2028", "judge_wrong": True, "blind": True}
    assert rate(viewer, {"a": rating, "__proto__": {"stars": 5}})[0] == 200
    kept = json.loads((run_dir / "ratings.json").read_bytes())
    assert kept == {"schema_version": 1, "run_id": "abc", "ratings": {"__proto__": {"stars": 5}, "a": rating}}
    assert rate(viewer, {"a": None})[0] == 200
    assert ratings.read(run_dir) == {"__proto__": {"stars": 5}}
    assert not list(run_dir.glob(".*.tmp"))


@pytest.mark.parametrize("origin", ["", "null", "http://evil.example", "https://127.0.0.1:{port}", "http://127.0.0.1"])
def test_ratings_are_taken_from_our_own_page_only(viewer: Viewer, run_dir: Path, origin: str) -> None:
    assert rate(viewer, {"a": {"stars": 1}}, Origin=origin.format(port=viewer.port))[0] == 403
    assert not (run_dir / "ratings.json").exists()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_what_a_form_can_send_is_no_rating(viewer: Viewer, kind: str) -> None:
    assert rate(viewer, {"a": {"stars": 1}}, Content_Type=kind)[0] == 415


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"a"',
        {"b": {"stars": 1}},
        {"a": {}},
        {"a": 5},
        {"a": {"stars": 0}},
        {"a": {"stars": 6}},
        {"a": {"stars": True}},
        {"a": {"stars": 1.5}},
        {"a": {"verdict": "great"}},
        {"a": {"comment": "x" * 4001}},
        {"a": {"comment": ""}},
        {"a": {"judge_wrong": 1}},
        {"a": {"path": "/etc/passwd"}},
        {"a": {"stars": 1}, "b": {"stars": 1}},
    ],
)
def test_what_is_no_rating_changes_nothing(viewer: Viewer, run_dir: Path, body: object) -> None:
    assert rate(viewer, body)[0] == 400
    assert not (run_dir / "ratings.json").exists()


def test_a_body_that_is_too_long_is_not_read(viewer: Viewer) -> None:
    assert rate(viewer, b"", Content_Length=str(MAX_BODY + 1))[0] == 413
    assert rate(viewer, b"", Content_Length="-1")[0] in (400, 413)


def test_a_broken_file_of_ratings_is_told_and_left_alone(viewer: Viewer, run_dir: Path) -> None:
    (run_dir / "ratings.json").write_text("{")
    status, body = rate(viewer, {"a": {"stars": 1}})
    assert status == 409 and b"not a file of ratings" in body
    assert (run_dir / "ratings.json").read_text() == "{"
    with pytest.raises(UserError, match="not a file of ratings"):
        ratings.read(run_dir)


def test_raters_with_a_name_have_files_of_their_own(run_dir: Path) -> None:
    for rater, stars in (("", 1), ("ann", 2), ("博文", 3)):
        assert ratings.change(run_dir, "abc", {"a": {"stars": stars}}, {"a"}, rater) == 1
    assert ratings.of_all(run_dir) == {rater: {"a": {"stars": n}} for n, rater in ((1, ""), (2, "ann"), (3, "博文"))}
    assert (run_dir / "ratings-ann.json").is_file()
    for name in ("../ann", "a b", "-x", "x" * 41):
        with pytest.raises(UserError, match="--rater: must be up to 40 letters"):
            Viewer([], rater=name)


def test_many_readers_and_writers_lose_nothing(viewer: Viewer, run_dir: Path) -> None:
    threads = [
        threading.Thread(target=rate, args=(viewer, {name: {"stars": 1 + n % 5}}))
        for n, name in enumerate(["a", "__proto__"] * 8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert set(ratings.read(run_dir)) == {"a", "__proto__"}


def _rates(run_dir: Path, which: int) -> None:
    for number in range(20):
        ratings.change(run_dir, "abc", {f"{which}-{number}": {"stars": 1 + which}}, {f"{which}-{number}"})


def test_two_viewers_lose_no_rating(run_dir: Path) -> None:
    """Two processes, as two `editeval view` of one run are."""
    context = multiprocessing.get_context("fork")
    viewers = [context.Process(target=_rates, args=(run_dir, which)) for which in (0, 1)]
    for one in viewers:
        one.start()
    for one in viewers:
        one.join(timeout=120)
    assert len(ratings.read(run_dir)) == 40


@pytest.mark.parametrize(
    "text", ['{"ratings": ' + "[" * 100_000, '{"ratings": {"a": ' + '{"b":' * 99 + "1" + "}" * 101]
)
def test_deep_ratings_are_told_in_one_line(run_dir: Path, text: str) -> None:
    (run_dir / "ratings.json").write_text(text)
    with pytest.raises(UserError, match="not a file of ratings"):
        ratings.read(run_dir)


@pytest.mark.parametrize(
    "change", [{"summaries": 5}, {"run": None}, {"worst": [[1, [2]]]}, {"coverage": {}}, {"row": {}}]
)
def test_a_report_of_other_shapes_is_one_line(viewer: Viewer, run_dir: Path, change: dict[str, object]) -> None:
    path = run_dir / "report" / "data" / "run.js"
    block = json.loads(data_of(run_dir, "run", 0)) | change
    path.write_bytes(script("run", 0, json.dumps(block)))
    status, body = ask(viewer, "")
    assert status == 409 and b"\n" not in body, body


def test_the_page_may_be_opened_from_a_file_of_ours_and_nothing_else_may(viewer: Viewer) -> None:
    browser = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "document"}
    assert ask(viewer, "", **browser)[0] == 200
    assert ask(viewer, "", Sec_Fetch_Site="cross-site", Sec_Fetch_Dest="iframe")[0] == 403
    assert ask(viewer, "runs/0/data/run", **browser)[0] == 403


def test_a_port_in_use_is_said_in_one_line(viewer: Viewer) -> None:
    with pytest.raises(MachineError, match=f"--port {viewer.port}"):
        Viewer([], viewer.port)


def test_a_rating_changes_nothing_but_the_ratings(viewer: Viewer, run_dir: Path) -> None:
    def files() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file() and "ratings" not in path.name}

    before = files()
    assert rate(viewer, {"a": {"stars": 1, "verdict": "bad", "judge_wrong": True}})[0] == 200
    assert files() == before and (run_dir / "ratings.json").exists()


def test_ratings_nested_without_end_are_refused_in_words(viewer: Viewer, run_dir: Path) -> None:
    status, body = rate(viewer, b"[" * 100_000 + b"]" * 100_000)
    assert status in (400, 413) and b"Traceback" not in body
    assert not (run_dir / "ratings.json").exists()
