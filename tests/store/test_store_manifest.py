"""The manifest holds what one needs to doubt a number."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from pathlib import Path

import store_fakes as fakes

from editeval.store import manifest
from editeval.store.ledger_events import Invocation
from editeval.store.manifest import Manifest, differences
from editeval.store.run_store import RunStore


def test_the_manifest_says_what_ran_where_with_which_versions(tmp_path: Path) -> None:
    parts = manifest.identity("f" * 64, "identity", {"size": [1, 2]}, 42)
    wanted = Manifest(
        "配置", parts, {"a": 1}, {"a": "file config.yaml:3"}, devices=["cpu", "cpu"], argv=["editeval", "run"]
    )
    with RunStore.open(tmp_path / "run", wanted) as store:
        content = json.loads((tmp_path / "run" / "manifest.json").read_text())
        assert content == store.manifest == manifest.read(tmp_path / "run" / "manifest.json")
        event = store.events_of(Invocation)[0].event
    assert content["schema_version"] == 1 and content["run_id"] == wanted.run_id and content["name"] == "配置"
    assert content["identity"] == parts and content["origins"] == {"a": "file config.yaml:3"}
    assert content["versions"]["python"] == platform.python_version()
    assert content["versions"]["sqlite"] == sqlite3.sqlite_version
    assert {"editeval", "numpy", "pillow"} <= content["versions"].keys()
    assert content["host"]["num_cpus"] >= content["host"]["num_usable_cpus"] >= 1
    assert content["host"]["ram_gib"] > 0 and content["host"]["cpu"]
    assert (event.argv, event.devices, event.pid) == (("editeval", "run"), ("cpu", "cpu"), os.getpid())


def test_every_invocation_is_on_record_and_the_manifest_stays_the_first(tmp_path: Path) -> None:
    for _ in range(3):
        with RunStore.open(tmp_path / "run", fakes.manifest()) as store:
            created_at = store.manifest["created_at"]
    with RunStore.read(tmp_path / "run") as reader:
        assert len(reader.events_of(Invocation)) == 3
        assert reader.manifest["created_at"] == created_at < reader.events_of(Invocation)[2].at


def test_opening_to_repair_adds_no_invocation(tmp_path: Path) -> None:
    fakes.work(tmp_path / "run", fakes.samples(1))
    with RunStore.reopen(tmp_path / "run") as store:
        assert store.is_writer and len(store.events_of(Invocation)) == 1


def test_differences_name_leaves_and_nothing_that_json_cannot_tell_apart() -> None:
    assert differences({"a": {"b": (1, 2)}, "c": 1}, {"c": 1, "a": {"b": [1, 2]}}) == {}
    assert differences({"a": 1}, {"a": True}) == {"a": (1, True)}
    assert differences({"a": {"b": 1}}, {"a": {}}) == {"a.b": (1, "(absent)"), "a": ("(absent)", {})}
