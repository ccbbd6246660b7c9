"""Benchmarks that are published as folders, through the whole pipeline: edits, questions, and the authors' number."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from command_line import cli
from editeval.config.load import load_mapping
from editeval.run.pipeline import RunResult, evaluate
from fakes.chat_server import ChatServer, Handler, refuse, saying
from published_folders import imgedit, kris, rededit, rise

pytestmark = pytest.mark.slow

GRADES = "A first thing: 4\nA second thing: 3\nA third thing: 5\n"
SCORES = json.dumps({f"{name}_score": 4 for name in ("consistency", "instruction", "knowledge", "quality")})


def run(
    folder: Path, data: Path, name: str, reply: Callable[[Handler], None], **params: Any
) -> tuple[RunResult, list[Any]]:
    """The run, and the calls about samples that the server got."""
    with ChatServer() as server:
        server.will(reply, repeats=True)
        judge = {"base_urls": [server.url], "model": "tiny-judge", "backoff_s": 0.01, "protocol": name}
        config: dict[str, Any] = {
            "benchmark": {"type": name, "params": {"path": str(data), **params}},
            "diffusion_model": {"type": "identity", "execution": {"device_ids": ["cpu"], "backend": "inprocess"}},
            "reward_model": {"type": "openai_chat", "params": judge, "execution": {"device_ids": ["cpu"]}},
            "evaluation": {"output_dir": str(folder)},
            "logging": {"console_output": False},
        }
        return evaluate(load_mapping(config, "published.yaml", environ={})), server.calls


def numbers(result: RunResult) -> dict[str, float | None]:
    report = json.loads((result.plan.dir / "report.json").read_text(encoding="utf-8"))
    return {found["name"]: found["value"] for found in report["run"]["official"]}


def shown(calls: list[Any]) -> Counter[int]:
    """How many calls had how many pictures."""
    return Counter(sum(part["type"] == "image_url" for part in call["messages"][-1]["content"]) for call in calls)


@pytest.mark.parametrize("suite", ["basic", "uge"])
def test_imgedit(tmp_path: Path, suite: str) -> None:
    said = GRADES if suite == "basic" else "Brief reasoning: good\nScore: 3\n"
    result, calls = run(tmp_path, imgedit(tmp_path), "imgedit", saying(said), suite=suite)
    assert result.exit_code == 0 and shown(calls)[2] >= (9 if suite == "basic" else 2)
    assert numbers(result) == {"Overall": 4.0 if suite == "basic" else 3.0}


def test_the_authors_name_of_a_criterion_stands_with_its_scores(tmp_path: Path) -> None:
    result, _ = run(tmp_path, imgedit(tmp_path), "imgedit", saying(GRADES))
    folder = result.plan.dir
    rows = [json.loads(line) for line in (folder / "samples.jsonl").read_text(encoding="utf-8").splitlines()]
    style = next(row for row in rows if row["category"] == "style")
    assert style["scores"]["criterion_1"]["authors_name"] == "Style Fidelity"
    assert "authors_name" not in style["scores"]["overall"]
    assert "| style (Content Preservation) | 3.00 |" in (folder / "report.md").read_text(encoding="utf-8")
    assert (
        json.loads((folder / "report.json").read_text())["authors_names"]["criterion_3"]["extract"] == "Visual Quality"
    )
    assert (
        "  criterion_3        5.00  Rendering Quality\n" in cli("show", str(folder), style["id"], cwd=tmp_path).stdout
    )
    told = json.loads(cli("show", str(folder), style["id"], "--json", cwd=tmp_path).stdout)
    scores = told["judgings"][0]["scores"]
    assert [score.get("authors_name") for score in scores if score["metric"] == "criterion_2"] == [
        "Content Preservation"
    ]


def test_a_server_that_takes_no_top_p_is_named_where_the_authors_send_it(tmp_path: Path) -> None:
    def answer(handler: Handler) -> None:
        refuse(handler, "top_p") if "top_p" in handler.fields else saying(GRADES)(handler)

    result, calls = run(tmp_path, rededit(tmp_path), "rededit", answer)
    assert result.exit_code == 0 and "top_p" not in calls[-1]
    report = json.loads((result.plan.dir / "report.json").read_text(encoding="utf-8"))
    assert "settings (the server takes no top_p)" in report["run"]["official_claim"]["differs"]
    imgedit_result, _ = run(tmp_path / "other", imgedit(tmp_path), "imgedit", answer)
    report = json.loads((imgedit_result.plan.dir / "report.json").read_text(encoding="utf-8"))
    assert not [one for one in report["run"]["official_claim"]["differs"] if "top_p" in one], "they send none"


def test_rededit(tmp_path: Path) -> None:
    result, calls = run(tmp_path, rededit(tmp_path), "rededit", saying(GRADES))
    assert result.exit_code == 0 and shown(calls)[2] >= 15
    assert numbers(result) == {"Overall": 4.0}


def test_kris(tmp_path: Path) -> None:
    result, calls = run(tmp_path, kris(tmp_path), "kris", saying(SCORES))
    assert result.exit_code == 0
    assert shown(calls)[4] >= 2, "four frames, with consistency and with the instruction"
    assert set(numbers(result).values()) == {75.0}, "every score is 4 of 5"


def test_rise(tmp_path: Path) -> None:
    result, calls = run(tmp_path, rise(tmp_path), "rise", saying("It is right.\nFinal Score: 1"))
    assert result.exit_code == 0 and shown(calls)[1] >= 5
    rows = [json.loads(line) for line in (result.plan.dir / "samples.jsonl").read_text().splitlines()]
    by_id = {row["id"]: {name: score["value"] for name, score in row["scores"].items()} for row in rows}
    assert by_id["temporal_reasoning_2"]["consistency"] is None, "consistency_free: it does not apply"
    assert by_id["temporal_reasoning_1"]["consistency"] == 1.0
    assert by_id["logical_reasoning_6"]["consistency"] == 5.0, "asked as yes or no"
