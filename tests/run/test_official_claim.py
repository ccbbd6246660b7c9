"""The first line of a report: official, or what differs; from the ledger alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pipeline_fakes import config, log_of, report_of, run

from editeval.benchmarks.gedit import GEdit
from editeval.cli.export import _model as table_of
from editeval.errors import BenchmarkError, ConfigError
from editeval.judges.protocols import protocol as protocols
from editeval.judges.protocols.gedit import GEditProtocol
from editeval.judges.protocols.protocol import PromptSource
from editeval.reports.tex import render_tex
from editeval.run import official, results
from editeval.run.pipeline import RunResult
from editeval.run.plan import make_plan
from editeval.run.recorded import plan_of
from editeval.run.reparse import changes, reparse_of, with_samples
from editeval.store.run_store import RunStore
from fakes.chat_server import ChatServer, Handler, saying
from published import GEDIT_GROUPS, complex_edit_table, gedit, parquet

SAID = '{"score": [8, 6], "reasoning": "x"}'
WORDS = {name: f"Words for {name}: <instruction>" for name in GEditProtocol.own_words}
FILE = "GEdit-Bench/viescore/vie_prompts.py"
OWN_WORDS = "words (own wording)"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words above are the official ones, and eleven samples in each language are the whole benchmark."""
    hashes = {name: (protocols.text_digest(text),) for name, text in WORDS.items()}
    monkeypatch.setattr(GEditProtocol, "prompt_source", PromptSource("github.com/a/b", (FILE,), hashes))
    counts = {**{f"en/{name}": 1 for name in GEDIT_GROUPS}, "cn": 11}
    monkeypatch.setattr(GEdit, "card", replace(GEdit.card, counts=counts))


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as running:
        yield running.will(saying(SAID), repeats=True)


def clone(folder: Path, **changed: str) -> str:
    file = folder / "clone" / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{name} = {text!r}\n" for name, text in {**WORDS, **changed}.items()))
    return str(folder / "clone")


def settings(tmp_path: Path, server: ChatServer, **params: Any) -> dict[str, Any]:
    data = tmp_path / "GEdit-Bench"
    judge = {"base_url": server.url, "model": "gpt-4.1", "max_retries": 0, **params}
    return {
        "benchmark": {"type": "gedit", "params": {"path": str(data if data.exists() else gedit(tmp_path))}},
        "reward_model": {"type": "openai_chat", "params": judge, "execution": {"backend": "inprocess"}},
    }


def judged(tmp_path: Path, server: ChatServer, changes: dict[str, Any] | None = None, **params: Any) -> RunResult:
    return run(tmp_path / "out", **settings(tmp_path, server, **params), **(changes or {}))


def claim(result: RunResult) -> dict[str, Any]:
    found: dict[str, Any] = report_of(result)["run"]["official_claim"]
    with RunStore.read(result.plan.dir) as store:
        assert not list(official.stale_claim(store)), "it follows from the ledger"
    return found


def test_the_authors_words_judge_settings_data_and_every_score_make_it_official(
    tmp_path: Path, server: ChatServer
) -> None:
    result = judged(tmp_path, server, prompts_from=clone(tmp_path))
    found = claim(result)
    line = "official: GEdit-Bench Avg 6 (en, intersection; judge gpt-4.1; data compared by counts)"
    assert (found["is_official"], found["differs"], found["lines"]) == (True, [], [line])
    assert found["protocol"] == "gedit", "the benchmark's own, without a word of the configuration"
    assert result.plan.config.origins["reward_model.params.protocol"] == "benchmark"
    texts = [(result.plan.dir / name).read_text() for name in ("report.md", "report.html")]
    assert texts[0].splitlines()[2] == f"**{line}**".replace("_", "\\_")
    assert line in texts[1]


def test_several_seeds_are_not_official(tmp_path: Path, server: ChatServer) -> None:
    seeds = {"diffusion_model__params__num_seeds": 2}
    result, said = judged(tmp_path, server, seeds, prompts_from=clone(tmp_path)), "seeds (2 edits of each sample"
    assert not claim(result)["is_official"] and said in claim(result)["lines"][0]
    assert said in official.expected(result.plan, result.plan.judgings[0])


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({}, OWN_WORDS),
        ({"model": "gpt-4o"}, "judge (gpt-4o instead of gpt-4.1)"),
        ({"temperature": 0.0}, "temperature (0 instead of the server's default)"),
        ({"max_new_tokens": 1000}, "max_new_tokens (1000 instead of 1400)"),
        ({"num_samples": 2}, "num_samples (2 instead of 1)"),
        ({"max_image_side": 64}, "preparation (pictures are shrunk to 64 pixels)"),
        ({"extra": {"reasoning_effort": "low"}}, "extra (reasoning_effort)"),
    ],
)
def test_each_setting_that_differs_is_named(
    tmp_path: Path, server: ChatServer, params: dict[str, Any], says: str
) -> None:
    theirs = {"prompts_from": clone(tmp_path)} if params else {}
    plan = make_plan(config(tmp_path / "out", **settings(tmp_path, server, **theirs, **params)))
    assert official.expected(plan, plan.judgings[0]) == f"protocol gedit, not official: differs in: {says}"


def test_a_changed_character_is_named_and_the_words_are_used(tmp_path: Path, server: ChatServer) -> None:
    name = "_prompts_0shot_rule_PQ"
    path = clone(tmp_path, **{name: WORDS[name] + "."})
    found = claim(judged(tmp_path, server, prompts_from=path))
    assert found["differs"] == [f"words (constant {name} of {FILE} is not a known version)"]
    assert any(WORDS[name] + "." in str(call["messages"]) for call in server.calls)


def test_words_that_change_between_two_commands_are_asked_anew_and_old_ones_need_no_clone(
    tmp_path: Path, server: ChatServer
) -> None:
    path = clone(tmp_path)
    first = judged(tmp_path, server, prompts_from=path)
    num_calls = len(server.calls)
    clone(tmp_path, _context_no_delimit="Other words.")
    second = judged(tmp_path, server, prompts_from=path)
    assert second.plan.dir == first.plan.dir and len(server.calls) >= 2 * num_calls - 2
    assert claim(second)["is_official"] is False
    (tmp_path / "clone" / FILE).unlink()
    with RunStore.read(first.plan.dir) as store:
        told = {judging.id: judging.details["official_use"]["differs"] for judging in store.judgings()}
    assert [len(told[one.plan.judging_id]) for one in (first, second)] == [0, 1]


def test_replies_are_read_again_in_the_words_of_the_run_and_with_its_data_or_not_at_all(
    tmp_path: Path, server: ChatServer
) -> None:
    result = judged(tmp_path, server, prompts_from=clone(tmp_path))
    (tmp_path / "clone" / FILE).unlink()
    with RunStore.read(result.plan.dir) as store:
        reading = reparse_of(store.judgings()[0], None, None)
        whole = with_samples(reading, store, lambda: plan_of(store, False))
        assert changes(store, whole) == ([], 33)
        assert whole.loaded.words == WORDS
        shutil.rmtree(tmp_path / "GEdit-Bench")
        with pytest.raises(BenchmarkError, match="nothing at"):
            with_samples(reading, store, lambda: plan_of(store, False))
        gedit(tmp_path, per_group=2)
        with pytest.raises(ConfigError, match=r"protocol gedit: .* not the data that were judged"):
            with_samples(reading, store, lambda: plan_of(store, False))


def test_the_table_for_a_paper_says_it(tmp_path: Path, server: ChatServer) -> None:
    result = judged(tmp_path, server, prompts_from=clone(tmp_path))
    with RunStore.read(result.plan.dir) as store:
        model, metric = table_of(store)
    assert "official: GEdit-Bench Avg 6 (en, intersection; judge gpt-4.1; data compared by counts)" in render_tex(
        [model], metric, "x"
    )


@pytest.mark.parametrize(
    ("name", "is_other"),
    [("gpt-4.1-2025-04-14", False), ("openai/gpt-4.1", False), ("gpt-4.1-mini", True), ("tiny", True), ("", False)],
)
def test_a_server_that_names_another_model_than_the_judge_is_believed(
    tmp_path: Path, server: ChatServer, name: str, is_other: bool
) -> None:
    def judge(handler: Handler) -> None:
        answer = {"finish_reason": "stop", "message": {"role": "assistant", "content": SAID}}
        handler.json(200, {"choices": [answer], "model": name})

    result = judged(tmp_path, server.will(judge, repeats=True), prompts_from=clone(tmp_path))
    found = claim(result)
    assert found["differs"] == ([f"judge ({name} answered instead of gpt-4.1)"] if is_other else [])
    assert ("answers as" in log_of(result)) is is_other


def test_one_reply_that_cannot_be_read_is_named(tmp_path: Path, server: ChatServer) -> None:
    def judge(handler: Handler) -> None:
        is_odd = "draw ps_human 0" in str(handler.fields["messages"])
        saying("No idea at all." if is_odd else SAID)(handler)

    server.will(judge, repeats=True)
    found = claim(judged(tmp_path, server, prompts_from=clone(tmp_path)))
    says = ["coverage (10 of 11 scores)", "mean (a group has no score)"]
    assert (found["is_official"], found["differs"]) == (False, says)
    assert found["lines"] == [
        "not official: GEdit-Bench Avg none (en, intersection; judge gpt-4.1; data compared by counts) differs in: "
        + ", ".join(says)
    ]


def test_a_subset_other_data_and_another_benchmark_are_named(tmp_path: Path, server: ChatServer) -> None:
    path = clone(tmp_path)
    found = claim(judged(tmp_path, server, {"evaluation__first": 5}, prompts_from=path))
    assert found["differs"] == ["subset (5 of 11)"]
    raw = judged(tmp_path, server, {"benchmark__params__source": "input_image_raw"}, prompts_from=path)
    assert claim(raw)["differs"] == ["data (source is input_image_raw)"]
    other = run(
        tmp_path / "out",
        reward_model=settings(tmp_path, server, prompts_from=path, protocol="gedit")["reward_model"],
    )
    assert claim(other)["differs"] == ["benchmark (procedural instead of gedit)"]


def test_each_language_has_a_number_of_its_own(tmp_path: Path, server: ChatServer) -> None:
    result = judged(tmp_path, server, {"benchmark__params__language": "both"}, prompts_from=clone(tmp_path))
    found = claim(result)
    assert [line.partition("(")[2] for line in found["lines"]] == [
        "en, intersection; judge gpt-4.1; data compared by counts)",
        "cn, intersection; judge gpt-4.1; data compared by counts)",
    ]
    told = report_of(result)
    numbers = [(one["name"], one["language"], one["num_scores"]) for one in told["run"]["official"]]
    assert numbers[:2] == [("Avg", "en", 11), ("Avg", "cn", 11)] and len(numbers) == 6
    of_groups = [one for group in told["groups"] for one in group.get("official", ())]
    assert of_groups and {one["num_scores"] for one in of_groups} == {11}, "no number mixes languages"


def test_a_claim_that_does_not_follow_from_the_ledger_is_a_problem(tmp_path: Path, server: ChatServer) -> None:
    result = judged(tmp_path, server)
    path = result.plan.dir / "report.json"
    page = result.plan.dir / "report.md"
    sound = page.read_text()
    page.write_text(sound.replace("**not official", "**official", 1))
    with RunStore.read(result.plan.dir) as store:
        assert [problem.where for problem in official.stale_claim(store)] == ["report.md"]
    page.write_text(sound)
    content = report_of(result)
    assert OWN_WORDS in claim(result)["differs"]
    content["run"]["official_claim"] |= {"is_official": True, "differs": []}
    path.write_text(json.dumps(content))
    with RunStore.read(result.plan.dir) as store:
        (problem,) = official.stale_claim(store)
    assert "official_claim: is_official True, False by the ledger" in str(problem)
    content["run"]["official_claim"] = ["official"]
    path.write_text(json.dumps(content))
    with RunStore.read(result.plan.dir) as store:
        (problem,) = official.stale_claim(store)
    assert "official_claim: benchmark None, " in str(problem)


def test_each_of_two_judges_has_a_line_of_its_own(tmp_path: Path, server: ChatServer) -> None:
    given = settings(tmp_path, server, prompts_from=clone(tmp_path))
    judge = given.pop("reward_model")
    other = {**judge, "params": {**judge["params"], "model": "gpt-4o"}}
    result = run(tmp_path / "out", **given, reward_models={"other": other, "authors": judge}, reward_model=None)
    first, second = claim(result)["lines"]
    assert first.startswith("not official: ") and "judge (gpt-4o instead of gpt-4.1)" in first
    assert second.startswith("official: ") and "judge gpt-4.1" in second


def test_the_protocol_of_a_judge_is_said_to_be_asked_as_by_its_authors_or_not_and_never_official(
    tmp_path: Path, server: ChatServer
) -> None:
    given = settings(tmp_path, server, prompts_from=clone(tmp_path))
    judge = given.pop("reward_model")
    reward = {**judge, "params": {"base_url": server.url, "model": "m", "protocol": "editscore"}}
    result = run(tmp_path / "out", **given, reward_models={"reward": reward, "authors": judge}, reward_model=None)
    found = claim(result)
    first, second = found["lines"]
    assert first.startswith(
        "not as its authors ask: editscore overall 2.4 (en, intersection, 11 of 11 scores; judge m)"
    )
    assert "differs in: words (own wording), judge (m instead of Qwen/Qwen3-VL-8B-Instruct + EditScore/" in first
    assert second.startswith("official: ") and (found["protocol"], found["is_official"]) == ("gedit", True)
    plan = make_plan(result.plan.config)
    assert official.expected(plan, plan.judgings[0]).startswith("protocol editscore, not as its authors ask: differs")
    assert official.expected(plan, plan.judgings[1]).startswith("protocol gedit, official, if every sample is scored")


def test_a_run_without_samples_of_the_protocol_has_no_official_number(tmp_path: Path, server: ChatServer) -> None:
    result = judged(tmp_path, server, prompts_from=clone(tmp_path))
    with RunStore.reopen(result.plan.dir) as store:
        store.select([])
        (shown,) = results.configured_by(result.plan.judgings)
        found = official.claim_of(store, (shown,))
    assert found is not None and (found["is_official"], found["lines"]) == (False, [])


def test_a_number_that_says_whose_it_is_does_not_say_it_twice(tmp_path: Path, server: ChatServer) -> None:
    parquet(tmp_path / "test_real-00000-of-00001.parquet", complex_edit_table("real", 2))
    grades = dict.fromkeys(("instruction_following", "identity_preservation", "perceptual_quality"), "7")
    server.will(saying(json.dumps(grades)), repeats=True)
    changes = {"benchmark": {"type": "complex_edit", "params": {"path": str(tmp_path)}}}
    asked = {"base_urls": [server.url], "model": "tiny", "protocol": "complex_edit", "num_samples": 2}
    judge = {"type": "openai_chat", "params": asked, "execution": {"device_ids": ["cpu"], "backend": "inprocess"}}
    (line,) = claim(run(tmp_path / "out", reward_model=judge, **changes))["lines"]
    assert line.startswith("not official: Complex-Edit overall 7 (en, full set; judge tiny; data compared by counts)")
