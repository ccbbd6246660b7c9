"""`editeval meta`: a judge with known errors gets exactly the accuracy that it has, and its runs say so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml
from PIL import Image
from pipeline_fakes import report_of, run

import human_sets
from command_line import cli
from editeval.images import decode, encode_png
from editeval.preferences.data_sets import human_data
from editeval.preferences.human_data import ShownEdit
from editeval.run.meta import Questions
from fakes import chat_server
from fakes.chat_server import ChatServer
from human_sets import Told

THREADS = {"backend": "inprocess", "batch_size": 4}


def pairs(num_right: int, num_wrong: int, num_tied: int = 0, **more: Any) -> list[Told]:
    """Every pair of a source of its own; the judge says which edit is redder."""
    right = [Told(n, 200, 100, "a", **more) for n in range(num_right)]
    wrong = [Told(n + num_right, 100, 101, "a", **more) for n in range(num_wrong)]
    tied = [Told(n + num_right + num_wrong, 100, 100, "a", **more) for n in range(num_tied)]
    return right + wrong + tied


def judge_file(folder: Path, judge: dict[str, Any]) -> Path:
    file = folder / "judge.yaml"
    tree = {
        "reward_model": judge,
        "evaluation": {"output_dir": str(folder / "out")},
        "logging": {"console_output": False},
    }
    file.write_text(yaml.safe_dump(tree))
    return file


def redness(folder: Path, **params: Any) -> dict[str, Any]:
    return {"type": "fakes.redness_judge", "params": {"notes": str(folder / "notes"), **params}, "execution": THREADS}


PLAIN_JUDGE = {"type": "fakes.redness_judge", "execution": THREADS}


def meta(folder: Path, judge: dict[str, Any], data: str, place: Path, *flags: str) -> CompletedProcess[str]:
    file = judge_file(folder, judge)
    return cli("meta", str(file), "--data", data, "--path", str(place), "--allow-code", *flags, cwd=folder)


def content_of(done: CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode in (0, 3), done.stderr
    return dict(json.loads(done.stdout))


def asked(folder: Path) -> list[str]:
    notes = folder / "notes"
    found = notes.read_text().split() if notes.exists() else []
    notes.unlink(missing_ok=True)
    return found


def whole(content: dict[str, Any]) -> dict[str, Any]:
    return dict(next(group for group in content["groups"] if group["task"] == "all"))


def test_known_errors_give_exactly_the_expected_accuracy_and_every_edit_is_asked_about_once(tmp_path: Path) -> None:
    told = [*pairs(28, 5, 1), Told(0, 200, 50), Told(0, 100, 50)]
    place = human_sets.editreward_bench(tmp_path, told)
    done = meta(tmp_path, redness(tmp_path), "editreward_bench", place, "--json")
    found = whole(content_of(done))
    assert found["num_pairs"] == found["num_scored"] == 36 and found["ties wrong"]["value"] == pytest.approx(30 / 36)
    assert found["ties half"]["value"] == pytest.approx(30.5 / 36) and found["num_clusters"] == 34
    keys = asked(tmp_path)
    assert len(keys) == len(set(keys)) == 2 * 33 + 1 + 1, "equal edits of one source are one"
    assert done.returncode == 0 and "68 edits" in done.stderr


def test_a_judge_without_a_scale_is_compared_all_the_same(tmp_path: Path) -> None:
    place = human_sets.vcreward(tmp_path / "set", pairs(40, 10))
    done = meta(tmp_path, redness(tmp_path, is_unbounded=True), "vcreward", place, "--json")
    found = content_of(done)
    assert whole(found)["ties wrong"]["value"] == 0.8 and found["verdict"] == "certified"
    assert found["checks"][0]["name"] == "agrees with people: consistency", "the only dimension counts by the headline"


def test_a_judge_that_does_not_agree_fails_with_3_and_no_answer_is_no_verdict(tmp_path: Path) -> None:
    place = human_sets.own(tmp_path / "set", pairs(20, 20))
    done = meta(tmp_path, redness(tmp_path), "own", place)
    assert (
        done.returncode == 3 and "not certified" in done.stdout and "agrees with people: overall: 0.50" in done.stdout
    )
    blind = meta(tmp_path, redness(tmp_path, blind_from=20), "own", place, "--json")
    found = content_of(blind)
    assert blind.returncode == 3 and found["unscored"] == {"refused": 20} and whole(found)["num_scored"] == 20


def test_what_was_answered_is_not_asked_again_and_changed_pictures_are(tmp_path: Path) -> None:
    place = human_sets.own(tmp_path / "set", pairs(30, 4))
    first = content_of(meta(tmp_path, redness(tmp_path), "own", place, "--json"))
    assert len(asked(tmp_path)) == 68
    again = content_of(meta(tmp_path, redness(tmp_path), "own", place, "--json"))
    assert asked(tmp_path) == [] and again["groups"] == first["groups"] and again["data"] == first["data"]
    (place.parent / "0a.png").write_bytes(human_sets.dot(10, 0))
    changed = content_of(meta(tmp_path, redness(tmp_path), "own", place, "--json"))
    assert len(asked(tmp_path)) == 1 and changed["data"]["digest"] != first["data"]["digest"]
    assert whole(changed)["ties wrong"]["value"] == pytest.approx(29 / 34)
    kept = tmp_path / "out" / "certificates"
    answers = [json.loads(line) for line in next(kept.glob("*.own.jsonl")).read_text().splitlines()]
    assert len(answers) == 69 and {row["score_set"] for row in answers} == {first["key"]}


def test_a_limit_asks_about_less_and_never_takes_the_place_of_a_fuller_certificate(tmp_path: Path) -> None:
    place = human_sets.own(tmp_path / "set", pairs(40, 4))
    few = meta(tmp_path, redness(tmp_path), "own", place, "--json", "--limit", "30")
    assert content_of(few)["data"]["num_used"] == 30 and len(asked(tmp_path)) == 60
    full = meta(tmp_path, redness(tmp_path), "own", place, "--json")
    assert len(asked(tmp_path)) == 28, "the rest"
    few = meta(tmp_path, redness(tmp_path), "own", place, "--json", "--limit", "30")
    assert "Not kept" in few.stderr
    kept = json.loads(next((tmp_path / "out" / "certificates").glob("*.own-*.json")).read_text())
    assert kept["data"]["num_used"] == 44 and kept["groups"] == content_of(full)["groups"]


def test_other_own_pairs_do_not_wash_away_a_failure_and_the_same_pairs_do(tmp_path: Path) -> None:
    bad, good = (human_sets.own(tmp_path / name, told) for name, told in (("b", pairs(20, 20)), ("g", pairs(60, 4))))
    assert meta(tmp_path, PLAIN_JUDGE, "own", bad).returncode == 3
    assert meta(tmp_path, PLAIN_JUDGE, "own", good).returncode == 0
    about = report_of(run(tmp_path / "out", reward_model=PLAIN_JUDGE))
    digests = {one["data"]["digest"][:8] for one in about["run"]["judgings"][0]["certificate"]["photographic"]}
    assert len(digests) == 2 and about["badge"] == "invalid judge"
    line = str(about["run"]["judgings"][0]["certificate"]["line"])
    assert all(f"photographs of own {digest}: " in line for digest in digests)
    for file in (tmp_path / "out" / "certificates").glob("*.own-*.json"):
        content = json.loads(file.read_text())
        file.write_text(json.dumps(content | {"verdict": "not certified"}))
    assert meta(tmp_path, PLAIN_JUDGE, "own", good).returncode == 0
    verdicts = [json.loads(file.read_text())["verdict"] for file in file.parent.glob("*.own-*.json")]
    assert sorted(verdicts) == ["certified", "not certified"]


def test_pairs_whose_pictures_cannot_be_read_are_missing_in_the_coverage(tmp_path: Path) -> None:
    place = human_sets.own(tmp_path / "set", pairs(40, 2))
    for number in range(8):
        (place.parent / f"{number}a.png").unlink()
    found = content_of(meta(tmp_path, redness(tmp_path), "own", place, "--json"))
    coverage = found["checks"][-1]
    assert (coverage["num_compared"], coverage["num_asked"], coverage["status"]) == (34, 42, "failed")
    assert found["verdict"] == "not certified" and found["unscored"] == {"missing": 8}
    assert (found["data"]["num_used"], found["data"]["num_missing"]) == (34, 8) and whole(found)["num_pairs"] == 42
    assert len(asked(tmp_path)) == 68
    few = content_of(meta(tmp_path, redness(tmp_path), "own", place, "--json", "--limit", "30"))
    assert few["checks"][-1]["num_asked"] == 30 and few["data"]["num_used"] < 30


def test_a_rated_edit_that_cannot_be_read_costs_its_pairs_and_its_rank(tmp_path: Path) -> None:
    num = 40
    ratings = {"Good": [(1.0, 1.0)] * num, "Bad": [(0.0, 1.0)] * num}
    place = human_sets.imagenhub(tmp_path / "set", ratings, {"Good": [200] * num, "Bad": [90] * num})
    lost = sorted(place.rglob("Good/*.jpg"))[:10]
    for file in lost:
        file.unlink()
    found = content_of(meta(tmp_path, redness(tmp_path), "imagenhub", place, "--json"))
    about = next(group for group in found["groups"] if group["dimension"] == "O" and group["task"] == "all")
    assert (about["num_pairs"], about["num_scored"]) == (num, num - len(lost)) and found["verdict"] == "not certified"
    ranked = next(one for one in found["rankings"] if one["dimension"] == "O")
    assert (ranked["num_edits"], ranked["num_scored"]) == (2 * num, 2 * num - len(lost))


def test_the_cost_comes_first_and_a_dry_run_asks_nothing(tmp_path: Path) -> None:
    place = human_sets.own(tmp_path / "set", pairs(3, 0))
    nowhere = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "usd_per_mtok_in": 2.0, "max_usd": 5.0}
    judge = {"type": "openai_chat", "params": {**nowhere, "protocol": "pairwise"}}
    done = meta(tmp_path, judge, "own", place, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "3 pairs, each in both orders" in done.stderr and "24 calls, about" in done.stderr and "USD" in done.stderr
    assert not (tmp_path / "out").exists()
    single = meta(tmp_path, {"type": "openai_chat", "params": nowhere}, "own", place, "--dry-run")
    assert "6 edits" in single.stderr and "18 calls, about" in single.stderr
    certified = cli(
        "certify", str(judge_file(tmp_path, {"type": "openai_chat", "params": nowhere})), "--dry-run", cwd=tmp_path
    )
    assert certified.returncode == 0 and " calls, about " in certified.stderr


def test_a_pairwise_judge_is_asked_in_both_orders_and_one_that_always_takes_a_place_is_found(tmp_path: Path) -> None:
    place = human_sets.mmrb2_json(tmp_path / "set", pairs(30, 0))
    with ChatServer() as server:
        server.will(chat_server.saying(json.dumps({"winner": "Image A"})), repeats=True)
        params = {"base_url": server.url, "model": "tiny-judge", "protocol": "pairwise"}
        judge = {"type": "openai_chat", "params": params, "execution": THREADS}
        done = meta(tmp_path, judge, "mmrb2", place / "edit.json", "--json")
    found = content_of(done)
    assert done.returncode == 3
    assert whole(found)["each order's verdict"]["value"] == 0.5 and whole(found)["ties wrong"]["value"] == 0.0
    assert found["position"]["first"] == 1.0 and found["position"]["contradictions"] == 1.0


def test_ratings_give_rank_correlations_and_pairs(tmp_path: Path) -> None:
    num = 40
    ratings = {"Good": [(1.0, 1.0)] * num, "Bad": [(0.0 if n % 2 else 0.5, 1.0) for n in range(num)]}
    place = human_sets.imagenhub(
        tmp_path / "set", ratings, {"Good": [200] * num, "Bad": [90 if n % 2 else 30 for n in range(num)]}
    )
    found = content_of(meta(tmp_path, redness(tmp_path), "imagenhub", place, "--json"))
    assert (
        next(g for g in found["groups"] if g["dimension"] == "O" and g["task"] == "all")["ties wrong"]["value"] == 1.0
    )
    ranked = {one["dimension"]: one for one in found["rankings"]}
    assert ranked["SC"]["editors"]["Bad"] == pytest.approx(-1.0) and ranked["SC"]["editors"]["Good"] is None
    assert ranked["SC"]["pooled"] > 0 and ranked["PQ"]["within"] is None


def test_a_server_that_is_away_and_a_budget_that_is_spent_are_no_failure_of_the_judge(tmp_path: Path) -> None:
    place = human_sets.own(tmp_path / "set", pairs(3, 0))
    with ChatServer() as server:
        server.will(chat_server.saying('{"winner": "Image A"}'), repeats=True)
        params = {"base_url": server.url, "model": "tiny-judge", "protocol": "pairwise", "max_calls": 9}
        judge = {"type": "openai_chat", "params": params, "execution": THREADS | {"batch_size": 1}}
        done = meta(tmp_path, judge, "own", place)
        assert done.returncode == 3 and "Not kept: not all was answered (2 budget)" in done.stderr, done.stderr
        assert not list((tmp_path / "out" / "certificates").glob("*.json"))
        judge["params"] = params | {"max_calls": 99}
        again = meta(tmp_path, judge, "own", place)
    assert "Certificate: " in again.stderr and len(list((tmp_path / "out" / "certificates").glob("*.own-*.json"))) == 1


def test_edits_are_shown_in_the_size_of_their_source_where_the_authors_do_so(tmp_path: Path) -> None:
    place = human_sets.editreward_bench(tmp_path, [Told(0, 200, 100)])
    data = human_data("editreward_bench", str(place))
    large = next(iter(data.pairs)).a
    questions = Questions(replace(data, is_stretched=True), 1, False, {"k": (large, None), "s": (OTHER_SIZE, None)})
    assert questions.request("k").edited == large.edited.read(), "of the same size: as it is"
    assert decode(questions.request("s").edited).size == (8, 8)
    assert decode(replace(questions, data=replace(data, is_stretched=False)).request("s").edited).size == (16, 4)


@dataclass(frozen=True)
class Bytes:
    data: bytes

    def read(self) -> bytes:
        return self.data


OTHER_SIZE = ShownEdit((Bytes(human_sets.source(1)),), "x", Bytes(encode_png(Image.new("RGB", (16, 4)))))


@pytest.mark.parametrize(
    ("judge", "flags", "said"),
    [
        ({"type": "reference"}, (), "compares with a known target"),
        ({"type": "fakes.redness_judge"}, ("--limit", "5"), "--limit: a verdict takes at least 30, got 5"),
        ({"type": "fakes.redness_judge"}, ("--judge", "other"), "--judge other"),
    ],
)
def test_a_judge_that_cannot_be_asked_is_one_line(
    tmp_path: Path, judge: dict[str, Any], flags: Sequence[str], said: str
) -> None:
    done = meta(tmp_path, judge, "own", human_sets.own(tmp_path / "set", pairs(2, 0)), *flags)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1


def test_a_judge_that_fails_on_photographs_gives_no_badge_better_than_invalid_judge(tmp_path: Path) -> None:
    place = human_sets.own(tmp_path / "set", pairs(20, 20))
    assert meta(tmp_path, PLAIN_JUDGE, "own", place).returncode == 3
    result = run(tmp_path / "out", reward_model=PLAIN_JUDGE)
    report = report_of(result)
    assert report["badge"] == "invalid judge"
    (about,) = report["run"]["judgings"]
    (kept,) = about["certificate"]["photographic"]
    assert kept["verdict"] == "not certified" and kept["data"]["name"] == "own"
    assert any("photographs of own: NOT CERTIFIED" in warning for warning in report["warnings"])
    text = (result.plan.dir / "report.md").read_text(encoding="utf-8")
    page = (result.plan.dir / "report.html").read_text(encoding="utf-8")
    assert "**invalid judge**" in text and "photographs of own: NOT CERTIFIED" in text
    for kind in ("md", "tex"):
        exported = cli("export", str(result.plan.dir), "--to", kind, "--output", "-", "--allow-code", cwd=tmp_path)
        assert "photographs of own: NOT CERTIFIED" in exported.stdout, exported.stderr
    assert "photographs of own: NOT CERTIFIED" in page and "own 的照片：未通过认证" in page and "评判模型无效" in page


def test_a_judge_that_agrees_with_people_is_shown_with_its_figures(tmp_path: Path) -> None:
    assert meta(tmp_path, PLAIN_JUDGE, "own", human_sets.own(tmp_path / "set", pairs(60, 4))).returncode == 0
    result = run(tmp_path / "out", reward_model=PLAIN_JUDGE)
    report = report_of(result)
    assert report["badge"] != "invalid judge"
    line = "photographs of own: accuracy 0.94"
    assert line in str(report["run"]["judgings"][0]["certificate"]["line"])
    assert line in (result.plan.dir / "report.md").read_text(encoding="utf-8")
    assert line in (result.plan.dir / "report.html").read_text(encoding="utf-8")
