"""`hub_dataset`: downloaded once by the Hub's own client from a real server on loopback, then read as another type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from editeval.benchmarks.gedit import GEdit, GEditParams
from editeval.benchmarks.hub_dataset import HubDataset, HubDatasetParams
from editeval.benchmarks.json_records import JsonRecords, JsonRecordsParams
from editeval.errors import BenchmarkError, MachineError
from editeval.images import encode_png
from editeval.machine.hub import ANSWER_TOTAL_S, guard
from editeval.types import Sample
from fakes.hub_server import COMMIT, HubServer

pytestmark = pytest.mark.models

REPO = "somebody/edits"
NOWHERE = "http://127.0.0.1:9"
FIELDS = {"id": "key", "image_path": "image", "instruction": "prompt", "category": ""}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A data set of two samples, and a cache that is empty."""
    folder = tmp_path / "served"
    (folder / "images").mkdir(parents=True)
    rows = []
    for i in range(2):
        (folder / "images" / f"{i}.png").write_bytes(encode_png(Image.new("RGB", (8, 8), (i, 0, 0))))
        rows.append({"key": f"s{i}", "image": f"images/{i}.png", "prompt": f"Edit {i}."})
    (folder / "edits.json").write_text(json.dumps(rows), encoding="utf-8")
    (folder / "README.md").write_text("about", encoding="utf-8")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    set_offline(monkeypatch, False)
    with HubServer(REPO, folder) as server:
        server.kind = "datasets"
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def set_offline(monkeypatch: pytest.MonkeyPatch, is_offline: bool) -> None:
    """What HF_HUB_OFFLINE does; the Hub's client reads the variable when it is imported."""
    constants = pytest.importorskip("huggingface_hub").constants
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", is_offline)


def benchmark(**given: Any) -> HubDataset:
    usual = {"repo": REPO, "revision": COMMIT, "format": "json_records", "path": "edits.json"}
    return HubDataset(HubDatasetParams(**{**usual, "params": {"fields": FIELDS}, **given}))


def samples(**given: Any) -> list[Sample]:
    return list(benchmark(**given))


def refusal(kind: type[Exception], **given: Any) -> str:
    with pytest.raises(kind) as caught:
        samples(**given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_data_set_is_downloaded_and_read_as_the_format_says(hub: HubServer) -> None:
    found = samples()
    assert [(s.id, s.instruction) for s in found] == [("s0", "Edit 0."), ("s1", "Edit 1.")]
    assert found[1].image.read() == (hub.folder / "images" / "1.png").read_bytes()
    assert benchmark().fingerprint() == benchmark().fingerprint()


def test_a_named_benchmark_without_a_path_is_downloaded_and_is_the_same_as_with_one(hub: HubServer) -> None:
    pytest.importorskip("pyarrow")
    from published import gedit  # draws with pyarrow

    path = gedit(hub.folder)
    here, there = GEdit(GEditParams(str(path))), GEdit(GEditParams(repo=REPO, revision=COMMIT))
    assert [s.id for s in there] == [s.id for s in here] and len(list(there)) == 11
    assert next(iter(there)).image.read() == next(iter(here)).image.read()
    assert there.fingerprint() == here.fingerprint()


def test_without_a_revision_the_commit_that_was_found_is_in_the_fingerprint(hub: HubServer) -> None:
    alone = JsonRecords(JsonRecordsParams(str(hub.folder / "edits.json"), FIELDS)).fingerprint()
    assert benchmark(revision="").fingerprint() == benchmark(revision=COMMIT).fingerprint() != alone


def test_only_what_the_patterns_allow_is_downloaded(hub: HubServer) -> None:
    samples(allow_patterns=("*.json", "images/*"))
    assert not any(path.endswith("README.md") for path in hub.asked if "resolve" in path)


def test_what_is_in_the_cache_needs_no_network(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    fingerprint = benchmark().fingerprint()
    set_offline(monkeypatch, True)
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    num_asked = len(hub.asked)
    assert benchmark().fingerprint() == fingerprint
    assert len(hub.asked) == num_asked


def test_half_a_download_is_said_offline(hub: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    samples()
    (got,) = (tmp_path / "cache").rglob("snapshots/*/images/1.png")
    got.unlink()
    set_offline(monkeypatch, True)
    assert f"{REPO} at {COMMIT} is not in the cache, or only in part, and HF_HUB" in refusal(MachineError)
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    set_offline(monkeypatch, False)
    assert "only in part, and the Hub cannot be reached" in refusal(MachineError)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    set_offline(monkeypatch, False)
    assert samples()[1].image.read(), "and the same command goes on with it"


def test_a_connection_that_ends_halfway_and_an_answer_that_is_none_are_one_line(hub: HubServer) -> None:
    hub.is_cut = True
    assert "cannot be downloaded" in refusal(MachineError) and "goes on with it" in refusal(MachineError)
    hub.is_cut = False
    assert len(samples()) == 2, "it does"
    for about in (b"[]", b"[[", b'{"id": "x", "sha": null}', b"[" * 100_000, b" " * (65 << 20)):
        hub.about = about
        assert "cannot be downloaded" in refusal(MachineError, revision="")


def test_a_server_writes_nothing_outside_of_the_cache(hub: HubServer, tmp_path: Path) -> None:
    away = "../" * 9 + str(tmp_path / "written").lstrip("/")  # from blobs/ in the cache, and from refs/
    hub.etag = away
    assert "leads out of its cache" in refusal(MachineError)
    hub.etag, hub.commit = "", away
    assert "leads out of its cache" in refusal(MachineError)
    hub.commit, hub.about = COMMIT, json.dumps({"_id": "0", "id": REPO, "sha": away, "siblings": []}).encode()
    assert "leads out of its cache" in refusal(MachineError, revision="")
    assert not list(tmp_path.glob("written*"))


def test_no_question_to_the_hub_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    set_offline(monkeypatch, False)
    guard()
    session = pytest.importorskip("huggingface_hub").get_session()
    request = session.build_request("GET", f"{NOWHERE}/api/datasets/{REPO}", timeout=None)  # as the client asks
    for hook in session.event_hooks["request"]:
        hook(request)
    assert request.extensions["timeout"] == dict.fromkeys(("connect", "read", "write", "pool"), ANSWER_TOTAL_S)


def test_offline_and_out_of_reach_are_said_in_one_line(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    set_offline(monkeypatch, True)
    assert f"{REPO} at {COMMIT} is not in the cache, or only in part, and HF_HUB_OFFLINE is set" in refusal(
        MachineError
    )
    set_offline(monkeypatch, False)
    monkeypatch.setenv("HF_ENDPOINT", NOWHERE)
    assert "in the cache, or only in part, and the Hub cannot be reached" in refusal(MachineError)


def test_gated_unknown_and_wrong_revision_are_said_in_one_line(hub: HubServer) -> None:
    assert "the Hub knows no somebody/else" in refusal(MachineError, repo="somebody/else")
    assert "has no revision 'v9'" in refusal(MachineError, revision="v9")
    hub.is_gated = True
    assert f"{REPO} is gated; accept its licence" in refusal(MachineError)


def test_wrong_parameters_are_said_before_anything_is_downloaded(hub: HubServer) -> None:
    assert "repo: expected owner/name, got 'edits'" in refusal(BenchmarkError, repo="edits")
    assert "no type 'parket'; did you mean 'parquet'?" in refusal(BenchmarkError, format="parket")
    assert "--allow-code" in refusal(BenchmarkError, format="code.py")
    assert "has no 'feilds', it has: fields" in refusal(BenchmarkError, params={"feilds": {}})
    assert "reads no files" in refusal(BenchmarkError, format="procedural", params={})
    assert "must stay in the data set" in refusal(BenchmarkError, path="../x.json")
    assert not hub.asked


def test_a_path_that_is_not_there_is_said_with_what_is(hub: HubServer) -> None:
    said = refusal(BenchmarkError, path="test.json")
    assert "no file 'test.json'; downloaded: README.md, edits.json, images/0.png" in said


def test_a_link_in_the_cache_leads_to_its_own_blobs_only(hub: HubServer, tmp_path: Path) -> None:
    samples()
    (got,) = (tmp_path / "cache").rglob("snapshots/*/images/1.png")
    got.unlink()
    (tmp_path / "secret.png").write_bytes(b"secret")
    got.symlink_to(tmp_path / "secret.png")
    alone = JsonRecords(JsonRecordsParams(str(got.parent.parent / "edits.json"), FIELDS))
    with pytest.raises(BenchmarkError, match="is a link that leads out of"):
        list(alone)
