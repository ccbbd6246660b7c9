"""A judge that compares the edits of two runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pipeline_fakes import THREADS, fake_editor, report_of, run, samples_of

from editeval.errors import ConfigError, UserError
from editeval.images import decode
from editeval.run.pipeline import RunResult
from editeval.store.opponent import Opponent, comes_first
from editeval.store.run_store import RunStore
from fakes import chat_server
from fakes.chat_server import ChatServer
from fakes.shown import pixels

METRICS = ("overall", "instruction_following", "visual_consistency", "visual_quality")


def against(tmp_path: Path, **changes: Any) -> RunResult:
    """The other run: edits alone, of which the first failed."""
    return run(
        tmp_path / "other",
        diffusion_model=fake_editor(tmp_path, refuse=["physical/0000"]),
        reward_model=None,
        **changes,
    )


def compared(tmp_path: Path, server: ChatServer, other: str, winner: str = "Image A", **params: Any) -> RunResult:
    server.will(chat_server.saying(json.dumps({"winner": winner})), repeats=True)
    asked = {"base_url": server.url, "model": "tiny-judge", "protocol": "gedit_v2", "against": other, **params}
    judge = {"type": "openai_chat", "params": asked, "execution": {**THREADS, "device_ids": ["cpu"]}}
    return run(tmp_path / "mine", reward_model=judge)


def values(result: RunResult) -> dict[str, set[float | str]]:
    """Sample id -> what its metrics have: values, or reasons."""
    return {
        row["id"]: {one["reason"] if one["value"] is None else one["value"] for one in row["scores"].values()}
        for row in samples_of(result)
    }


def test_a_judge_that_prefers_a_place_makes_a_draw_and_a_sample_without_pair_is_unscored(tmp_path: Path) -> None:
    other = against(tmp_path)
    with ChatServer() as server:
        result = compared(tmp_path, server, str(other.plan.dir))
        shown = server.calls[1:]
    found = values(result)
    assert found.pop("physical/0000") == {"no_pair"}
    assert len(found) == 9 and set(map(frozenset, found.values())) == {frozenset({0.5})}
    assert len(shown) == 9 * 6, "three questions, two orders, and none about the sample without a pair"
    report = report_of(result)
    assert report["scales"]["overall"]["high"] == 1.0
    (line,) = report["run"]["official_claim"]["lines"]
    assert line.startswith("not official: gedit_v2 win rate 0.5 (") and "an Elo of 17 models" in line
    assert next(s for s in report["summaries"] if s["category"] == "micro")["num_unscored"] == 1


def test_both_edits_of_the_same_sample_are_shown(tmp_path: Path) -> None:
    other = against(tmp_path)
    with ChatServer() as server:
        result = compared(tmp_path, server, str(other.plan.dir))
        calls = [call for call in server.calls[1:] if "better picture" in json.dumps(call)]
    pairs = {
        tuple(
            pixels(part["image_url"]["url"]).tobytes()
            for part in call["messages"][1]["content"]
            if part["type"] != "text"
        )
        for call in calls
    }
    edits = []
    for directory in (result.plan.dir, other.plan.dir):
        with RunStore.read(directory) as store:
            edits.append({e.sample_id: decode(store.read_edit(e)).tobytes() for e in store.edits() if e.path})
    mine, theirs = edits
    assert pairs == {pair for key in theirs for pair in ((mine[key], theirs[key]), (theirs[key], mine[key]))}


@pytest.mark.parametrize(("winner", "verdict"), [("Image A", 1.0), ("Image B", 0.0), ("Tie", 0.5)])
def test_single_order_decides_by_the_names_of_the_models_else_of_the_runs(
    tmp_path: Path, winner: str, verdict: float
) -> None:
    other = against(tmp_path)
    with ChatServer() as server:
        result = compared(tmp_path, server, str(other.plan.dir), winner, match_published=["single_order"])
        assert len(server.calls) == 1 + 9 * 3
    assert values(result)["physical/0001"] == {verdict}, "equal names: this run is image A"


def imported(tmp_path: Path, edits: Path, name: str, **changes: Any) -> RunResult:
    """The edits of a run under another model's name."""
    editor = {"type": "imported", "params": {"folder": str(edits), "name": name, "num_workers": 1}}
    return run(tmp_path / f"by {name}", diffusion_model={**editor, "execution": THREADS}, **changes)


@pytest.mark.parametrize(("theirs", "verdict"), [("alpha", 0.0), ("zeta", 1.0)])
def test_an_import_has_its_place_by_the_name_it_was_given(tmp_path: Path, theirs: str, verdict: float) -> None:
    made = against(tmp_path, evaluation__first=2)
    other = imported(tmp_path, made.plan.dir / "edits", theirs, reward_model=None, evaluation__first=2)
    with ChatServer() as server:
        server.will(chat_server.saying('{"winner": "Image A"}'), repeats=True)
        asked = {"base_url": server.url, "model": "tiny-judge", "protocol": "gedit_v2", "against": str(other.plan.dir)}
        asked["match_published"] = ["single_order"]
        judge = {"type": "openai_chat", "params": asked, "execution": {**THREADS, "device_ids": ["cpu"]}}
        mine = imported(tmp_path, made.plan.dir / "edits", "model", reward_model=judge, evaluation__first=2)
    assert values(mine)["physical/0001"] == {verdict}, "image A wins: the edit of the model that comes first"


def test_names_are_ordered_word_by_word_and_numbers_as_numbers() -> None:
    assert comes_first("model-9", "model-10") == "edited"
    assert comes_first("Qwen-Edit-2511", "qwen-edit-2509") == "edited_b"
    assert comes_first("7b", "alpha") == "edited"


def test_the_content_of_the_other_run_decides_which_score_set_it_is(tmp_path: Path) -> None:
    one, two = against(tmp_path), against(tmp_path, benchmark__params__num_per_category=1)
    digests = {Opponent.read(str(other.plan.dir)).digest for other in (one, two)}
    assert len(digests) == 2
    with ChatServer() as server:
        first = compared(tmp_path, server, str(one.plan.dir))
        num = len(server.calls)
        moved = tmp_path / "elsewhere"
        one.plan.dir.rename(moved)
        again = compared(tmp_path, server, str(moved))
        assert (again.plan.judging_id, len(server.calls)) == (first.plan.judging_id, num), "its place does not matter"
        other = compared(tmp_path, server, str(two.plan.dir))
        assert other.plan.judging_id != first.plan.judging_id
        assert [id for id, found in values(other).items() if found == {"no_pair"}] != []


def test_a_picture_that_was_altered_there_is_no_opponent(tmp_path: Path) -> None:
    other = against(tmp_path)
    with RunStore.read(other.plan.dir) as store:
        altered, swapped = store.edit_path("causal/0000"), store.edit_path("causal/0001")
    altered.write_bytes(swapped.read_bytes())
    with ChatServer() as server:
        result = compared(tmp_path, server, str(other.plan.dir))
    assert values(result)["causal/0000"] == {"bad_image"} and values(result)["causal/0001"] == {0.5}


def test_another_source_under_the_same_id_is_no_pair(tmp_path: Path) -> None:
    other = against(tmp_path, benchmark__params__size=96)
    with ChatServer() as server:
        result = compared(tmp_path, server, str(other.plan.dir))
        assert len(server.calls) == 1
    assert set(map(frozenset, values(result).values())) == {frozenset({"no_pair"})}


def test_what_is_no_other_run_is_one_line(tmp_path: Path) -> None:
    with ChatServer() as server:
        with pytest.raises(UserError, match=r"against: .*name the directory of a run of the same benchmark"):
            compared(tmp_path, server, str(tmp_path / "nowhere"))
        mine = compared(tmp_path, server, str(against(tmp_path).plan.dir))
        with pytest.raises(ConfigError, match="is this run itself"):
            compared(tmp_path, server, str(mine.plan.dir))


def test_a_run_says_whose_edits_its_own_are_compared_with(tmp_path: Path) -> None:
    with ChatServer() as server, pytest.raises(ConfigError, match="against: the judge compares with the edits of anot"):
        compared(tmp_path, server, "")


def test_the_four_verdicts_of_pairwise_are_scores_of_a_run(tmp_path: Path) -> None:
    other = against(tmp_path)
    with ChatServer() as server:
        result = compared(tmp_path, server, str(other.plan.dir), protocol="pairwise")
        assert len(server.calls) == 1 + 9 * 8
    assert values(result)["causal/0000"] == {0.5}
    assert set(samples_of(result)[0]["scores"]) == {"overall", "following", "preservation", "quality"}
