"""`editeval compare`: runs by a judge of pairs, by people's verdicts, by their scores."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from PIL import Image

from command_line import cli
from editeval.images import decode, encode_png
from editeval.run.pair_verdicts import Verdicts, document
from editeval.store.run_store import RunStore
from fakes import chat_server
from fakes.chat_server import ChatServer, parts

RUNS = ("dark", "light", "medium")
SHADES = {"dark": 60, "light": 200, "medium": 130}
BENCHMARK = "benchmark: {type: procedural, params: {num_per_category: 2, size: 64}}\nlogging: {console_output: false}\n"
NUM = 10  # samples


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs of grey pictures; of one sample `dark` and `medium` have the same."""
    root = tmp_path_factory.mktemp("compare")
    (root / "config.yaml").write_text(BENCHMARK)
    (root / "larger.yaml").write_text(BENCHMARK.replace("num_per_category: 2", "num_per_category: 3"))
    ids = [f"{category}/{n:04d}" for category in CATEGORIES for n in range(2)]
    for name in RUNS:
        noise, lines = random.Random(name), []
        for n, sample_id in enumerate(ids):
            shade = 90 if n == 4 and name != "light" else SHADES[name] + noise.randrange(-20, 20)
            (root / f"{name}-{n}.png").write_bytes(encode_png(Image.new("RGB", (64, 64), (shade,) * 3)))
            lines.append(json.dumps({"id": sample_id, "image": f"{name}-{n}.png"}))
        (root / f"{name}.jsonl").write_text("\n".join(lines))
        assert cli("import", f"{name}.jsonl", "config.yaml", "--name", name, cwd=root).returncode == 0
    return root


CATEGORIES = ("physical", "environmental", "cultural", "causal", "referential")


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def says(handler: Any, word: str) -> None:
    chat_server.saying(json.dumps({"winner": word}))(handler)


def lighter(handler: Any) -> None:
    """Prefers the lighter of the two edits."""
    pictures, _ = parts(handler.fields)
    a, b = (decode(picture).getpixel((0, 0)) for picture in [*pictures, pictures[-1]][-3:-1])
    says(handler, "Tie" if a == b else "Image A" if a > b else "Image B")


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as running:
        yield running.will(lighter, repeats=True)


def judge(place: Path, server: ChatServer, **params: Any) -> str:
    asked = {"base_url": server.url, "model": "tiny-judge", "protocol": "pairwise", "concurrency": 1} | params
    section = {"type": "openai_chat", "params": asked, "execution": {"backend": "inprocess"}}
    (place / "judge.yaml").write_text(json.dumps({"reward_model": section}))
    return "judge.yaml"


def compare(place: Path, *arguments: str, **environment: str) -> CompletedProcess[str]:
    return cli("compare", *arguments, cwd=place, **environment)


def found(done: CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def pairs_of(document: dict[str, Any], question: str = "overall") -> dict[str, dict[str, Any]]:
    (one,) = (one for one in document["questions"] if one["name"] == question)
    return {f"{pair['a']} {pair['b']}": pair for pair in one["pairs"]}


def test_every_pair_is_asked_in_both_orders_and_ranked(place: Path, server: ChatServer) -> None:
    document = found(compare(place, *RUNS, "--judge", judge(place, server), "--json"))
    assert [one["name"] for one in document["questions"]] == ["overall", "following", "preservation", "quality"]
    pairs = pairs_of(document)
    assert {name: (one["wins"], one["ties"], one["losses"]) for name, one in pairs.items()} == {
        "dark light": (0, 0, NUM),
        "dark medium": (0, 1, NUM - 1),
        "light medium": (NUM, 0, 0),
    }
    assert pairs["dark medium"]["num_equal"] == document["counts"]["equal"] == 1, "the same picture is not asked about"
    assert document["counts"]["asked"] == 3 * NUM - 1 and len(server.calls) == 1 + 8 * (3 * NUM - 1)
    assert [one["name"] for one in document["questions"][0]["standings"]] == ["light", "medium", "dark"]
    assert (
        {one["flipped"] for one in document["position"]}
        == {0.0}
        == {one["first_won"] - 0.5 for one in document["position"]}
    )
    (file,) = (place / "outputs" / "comparisons").glob("*/comparison.json")
    assert json.loads(file.read_text()) == document
    assert "| light : medium |" in file.with_suffix(".md").read_text()


def test_a_judge_that_prefers_a_place_makes_ties_and_is_found_out(place: Path, server: ChatServer) -> None:
    server.will(lambda handler: says(handler, "Image A"), repeats=True)
    done = compare(place, "dark", "light", "--judge", judge(place, server))
    assert " hold with 95 % for every look at once" in " ".join(done.stdout.split())
    assert done.returncode == 0 and "On overall, dark and light are not distinguishable." in " ".join(
        done.stdout.split()
    )
    document = found(compare(place, "dark", "light", "--judge", "judge.yaml", "--json"))
    assert pairs_of(document)["dark light"]["ties"] == NUM
    assert {(one["flipped"], one["first_won"]) for one in document["position"]} == {(1.0, 1.0)}


def test_what_was_answered_is_not_asked_again_and_another_model_costs_its_own_pairs_alone(
    place: Path, server: ChatServer
) -> None:
    asked = judge(place, server)
    first = found(compare(place, "dark", "light", "--judge", asked, "--json"))
    num = len(server.calls)
    assert num == 1 + 8 * NUM
    assert found(compare(place, "light", "dark", "--judge", asked, "--json")) == first, (
        "in whatever order they are named"
    )
    assert len(server.calls) == num
    found(compare(place, *RUNS, "--judge", asked, "--json"))
    assert len(server.calls) == num + 1 + 8 * (2 * NUM - 1)


def test_a_changed_edit_and_a_changed_judge_do_not_get_old_verdicts(place: Path, server: ChatServer) -> None:
    found(compare(place, "dark", "light", "--judge", judge(place, server), "--json"))
    num = len(server.calls)
    found(compare(place, "dark", "light", "--judge", judge(place, server, seed=1), "--json"))
    assert len(server.calls) == 2 * num
    lines = (place / "dark.jsonl").read_text().splitlines()
    (place / "dark.jsonl").write_text("\n".join([lines[0].replace("dark-0", "light-1"), *lines[1:]]))
    assert cli("import", "dark.jsonl", "config.yaml", "--name", "dark", "--fresh", cwd=place).returncode == 0
    new = max((place / "outputs").glob("dark-*"), key=lambda path: path.stat().st_mtime).name
    found(compare(place, new, "light", "--judge", judge(place, server), "--json"))
    assert len(server.calls) == 3 * num, "another directory is another model"


def test_a_server_that_goes_away_in_between_costs_nothing_twice(place: Path, server: ChatServer) -> None:
    asked = judge(place, server, max_retries=0, max_usd=None)

    def breaks(handler: Any) -> None:
        (lighter if len(server.calls) < 40 else chat_server.image_server.status(503))(handler)

    server.will(breaks, repeats=True)
    first = compare(place, "dark", "light", "--judge", asked, "--json")
    assert first.returncode == 3, first.stderr
    kept = len((next((place / "outputs" / "comparisons").glob("answers-*.jsonl"))).read_text().splitlines())
    server.will(lighter, repeats=True)
    server.calls.clear()
    document = found(compare(place, "dark", "light", "--judge", asked, "--json"))
    assert document["counts"]["asked"] == NUM and 0 < len(server.calls) - 1 < 8 * NUM and kept


def test_a_judge_that_gives_no_verdicts_is_given_up_after_the_first_round(place: Path, server: ChatServer) -> None:
    for name in ("grey", "white"):
        (place / f"{name}.jsonl").write_text(
            (place / "light.jsonl").read_text().replace("light-", "medium-", 1 + len(name))
        )
        assert cli("import", f"{name}.jsonl", "config.yaml", "--name", name, cwd=place).returncode == 0
    server.will(chat_server.saying("I like both."), repeats=True)
    done = compare(place, *RUNS, "grey", "white", "--judge", judge(place, server))
    assert done.returncode == 2 and "pairs of edits have no verdict (unparsable " in done.stderr.splitlines()[-1]
    assert len(server.calls) < 1 + 8 * 10 * NUM


def test_nothing_is_kept_beside_a_strangers_runs_or_written_through_a_link(place: Path, server: ChatServer) -> None:
    logs, elsewhere = place / "outputs" / "logs", place / "elsewhere"
    elsewhere.write_text("mine")
    logs.mkdir(exist_ok=True)
    (logs / "compare.log").unlink(missing_ok=True)
    (logs / "compare.log").symlink_to(elsewhere)
    refused = compare(place, "dark", "light", "--judge", judge(place, server))
    assert refused.returncode == 2 and "compare.log is a link" in refused.stderr and not server.calls
    runs = [str(next((place / "outputs").glob(f"{name}-*"))) for name in ("dark", "light")]
    asked = (*runs, "--judge", "judge.yaml", "--output-dir", "here")
    done = compare(place, *asked, XDG_CONFIG_HOME=str(place / "another"))
    assert done.returncode == 0 and list((place / "here" / "comparisons").glob("answers-*.jsonl"))
    assert elsewhere.read_text() == "mine" and not (place / "outputs" / "comparisons").exists()


def test_max_pairs_is_never_exceeded_and_is_said(place: Path, server: ChatServer) -> None:
    document = found(compare(place, *RUNS, "--judge", judge(place, server), "--max-pairs", "7", "--json"))
    assert document["counts"]["asked"] <= 7 and document["method"]["stopped"] == "max_pairs"
    assert len(server.calls) == 1 + 8 * document["counts"]["asked"]
    assert {one["num_possible"] for one in pairs_of(document).values()} == {NUM}


def test_max_pairs_below_the_samples_of_the_first_source_image_is_refused(tmp_path: Path, server: ChatServer) -> None:
    (tmp_path / "source.png").write_bytes(encode_png(Image.new("RGB", (16, 16))))
    lines = [{"id": str(n), "image": "source.png", "instruction": f"Edit {n}."} for n in range(3)]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (tmp_path / "config.yaml").write_text("benchmark: {type: image_folder, params: {path: .}}\n")
    for name in ("dark", "light"):
        for n in range(3):
            (tmp_path / f"{name}{n}.png").write_bytes(encode_png(Image.new("RGB", (16, 16), (SHADES[name] + n,) * 3)))
        edits = [{"id": str(n), "image": f"{name}{n}.png"} for n in range(3)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, edits)))
        assert cli("import", f"{name}.jsonl", "config.yaml", "--name", name, cwd=tmp_path).returncode == 0
    asked = ("dark", "light", "--judge", judge(tmp_path, server), "--json", "--max-pairs")
    done = compare(tmp_path, *asked, "2")
    assert (done.returncode, done.stdout) == (2, "") and "give at least 3, got 2" in done.stderr
    assert found(compare(tmp_path, *asked, "3"))["counts"]["asked"] == 3


def test_an_edit_that_is_not_as_recorded_has_no_verdict_and_stops_nothing(place: Path, server: ChatServer) -> None:
    edit = next((place / "outputs").glob("dark-*/edits/*.png"))
    edit.write_bytes(next((place / "outputs").glob("light-*/edits/*.png")).read_bytes())
    done = compare(place, "dark", "light", "--judge", judge(place, server), "--json")
    assert done.returncode == 3 and "Traceback" not in done.stderr, done.stderr
    assert json.loads(done.stdout)["counts"]["reasons"] == {"bad_image": 4}


def test_a_source_image_counts_once_in_the_position_too() -> None:
    verdicts = Verdicts(("x", "y"), ("overall",))
    verdicts.orders["overall"] = {"large": [(1.0, 1.0)] * 90} | {f"s{n}": [(1.0, 0.0)] for n in range(30)}
    (position,) = document(verdicts, is_sequential=True, seed=0, about={})["position"]
    assert position["flipped_low"] <= position["flipped"] <= position["flipped_high"]
    assert position["first_low"] <= position["first_won"] <= position["first_high"]


def test_all_asks_for_everything_at_one_look(place: Path, server: ChatServer) -> None:
    document = found(compare(place, *RUNS, "--judge", judge(place, server), "--all", "--json"))
    assert document["method"] | {"seed": 0} == document["method"]
    assert not document["method"]["is_sequential"] and document["counts"]["asked"] == 3 * NUM - 1


def test_a_mean_of_several_questions_can_decide(place: Path, server: ChatServer) -> None:
    asked = judge(place, server, protocol="gedit_v2")
    document = found(compare(place, "dark", "light", "--judge", asked, "--json"))
    assert pairs_of(document)["dark light"]["losses"] == NUM and document["position"][0]["question"] != "overall"


def broken(place: Path, name: str, change: Callable[[Path], object]) -> None:
    change(next((place / "outputs").glob(f"{name}-*")))


def test_what_cannot_be_compared_is_one_line(place: Path, server: ChatServer) -> None:
    asked = judge(place, server)
    for arguments, said in {
        (): "compare takes two runs or more, got 0",
        ("dark",): "compare takes two runs or more, got 1",
        ("dark", "light"): "dark-.*: has no scores; `editeval score .*dark-.* CONFIG` judges it",
        ("dark", "dark", "--judge", asked): "two runs or more, got 1",
        ("dark", "light", "--max-pairs", "3"): "--max-pairs: is about asking a judge",
        ("dark", "light", "--judge", asked, "--max-pairs", "0"): "must be at least 1, got 0",
        ("dark", "light", "--judge", asked, "--all", "--max-pairs", "3"): "--all: asks about everything",
        ("dark", "--verdicts", "x.jsonl"): "the models are those of the file",
        ("--verdicts", "x.jsonl"): "x.jsonl: no such file or folder",
        (
            "dark",
            "light",
            "--judge",
            judge_of_one(place),
        ): "looks at one edit; set a protocol that compares two: .*pairwise",
        ("dark", "light", "--judge", two_judges(place)): "names 2 judges; a comparison takes one",
    }.items():
        done = compare(place, *arguments)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
        assert __import__("re").search(said, done.stderr), done.stderr
    assert not server.calls and not (place / "outputs" / "comparisons").exists()


def judge_of_one(place: Path) -> str:
    (place / "one.yaml").write_text("reward_model: {type: reference, params: {device_ids: [cpu]}}\n")
    return "one.yaml"


def two_judges(place: Path) -> str:
    one = json.loads((place / "judge.yaml").read_text())["reward_model"]
    other = one | {"params": one["params"] | {"seed": 1}}
    (place / "two.yaml").write_text(json.dumps({"reward_models": {"one": one, "other": other}}))
    return "two.yaml"


def test_runs_of_other_data_are_named(place: Path, server: ChatServer) -> None:
    lines = (place / "dark.jsonl").read_text()
    (place / "other.jsonl").write_text(lines)
    assert cli("import", "other.jsonl", "larger.yaml", "--name", "other", cwd=place).returncode in (0, 3)
    done = compare(place, "dark", "other", "--judge", judge(place, server))
    assert (
        done.returncode == 2 and "are runs of different benchmarks or data" in done.stderr and "other-" in done.stderr
    )


def test_peoples_verdicts_are_ranked_without_any_run(tmp_path: Path) -> None:
    rows = [{"id": n, "a": "fox", "b": "ant", "winner": "fox" if n % 4 else "tie"} for n in range(40)]
    rows += [{"id": n, "a": "ant", "b": "fox", "winner": "A", "question": "quality"} for n in range(40)]
    (tmp_path / "people.jsonl").write_text("\n".join(map(json.dumps, rows)))
    document = found(compare(tmp_path, "--verdicts", "people.jsonl", "--json"))
    one, other = pairs_of(document)["ant fox"], pairs_of(document, "quality")["ant fox"]
    assert (one["wins"], one["ties"], one["losses"], one["better"]) == (0, 10, 30, "fox")
    assert (other["wins"], other["better"]) == (40, "ant")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["people.jsonl"]
    done = compare(tmp_path, "--verdicts", "people.jsonl", "--out", "there")
    assert "On overall, fox is better than ant: won 88 % (95 %" in done.stdout
    assert (tmp_path / "there" / "comparison.md").is_file()


def test_a_question_with_more_verdicts_than_the_first_is_not_asked_more_than_is_possible(tmp_path: Path) -> None:
    rows = [{"id": n, "a": "fox", "b": "ant", "winner": "fox"} for n in range(10)]
    rows += [{"id": n, "a": "ant", "b": "fox", "winner": "fox", "question": "quality"} for n in range(30)]
    (tmp_path / "people.jsonl").write_text("\n".join(map(json.dumps, rows)))
    document = found(compare(tmp_path, "--verdicts", "people.jsonl", "--json"))
    assert {pairs_of(document, name)["ant fox"]["num_possible"] for name in ("overall", "quality")} == {30}
    assert document["counts"]["possible"] == document["counts"]["asked"] == 30


def test_published_layouts_of_peoples_verdicts_are_read(tmp_path: Path) -> None:
    pair = {"response_a": {"model_name": "fox"}, "response_b": {"model_name": "ant"}, "chosen": "B"}
    same = pair | {"id": "same", "response_b": {"model_name": "fox"}}
    pairs = [*({"id": f"p{n}_fox_1_ant_2", **pair} for n in range(20)), same]
    (tmp_path / "edit.json").write_text(json.dumps({"pairs": pairs}))
    document = found(compare(tmp_path, "--verdicts", "edit.json", "--json"))
    assert pairs_of(document)["ant fox"]["wins"] == 20 and document["verdicts"]["num_left_out"] == 1
    for content, said in ((5, "must be JSON with `pairs`"), ([pair], "edit.json: pairs[0]: must have id, response_a")):
        (tmp_path / "edit.json").write_text(json.dumps({"pairs": content}))
        wrong = compare(tmp_path, "--verdicts", "edit.json")
        assert wrong.returncode == 2 and said in wrong.stderr, "without an id all pairs would be of one source image"
    folder = tmp_path / "Task"
    folder.mkdir()
    for rater in range(2):
        rows = [f"{n}.jpg\t[1, 0.5]\t[0.5, {0.5 * rater}]" for n in range(15)]
        (folder / f"rater{rater}.tsv").write_text("\n".join(["uid\tfox\tant", *rows]))
    document = found(compare(tmp_path, "--verdicts", "Task", "--json"))
    assert [one["name"] for one in document["questions"]] == ["overall", "consistency", "quality"]
    counted = {
        name: pairs_of(document, name)["fox ant"]
        if "fox ant" in pairs_of(document, name)
        else pairs_of(document, name)["ant fox"]
        for name in ("consistency", "quality")
    }
    assert [(one["num_images"], one["ties"]) for one in counted.values()] == [(15, 0), (15, 15)]
    for content, said in (("uid\tfox\n1\t[7, 0]", "1: ratings must be 0 to 1"), ("fox", "must have the columns uid")):
        (folder / "rater0.tsv").write_text(content)
        wrong = compare(tmp_path, "--verdicts", "Task")
        assert wrong.returncode == 2 and f" Task/rater0.tsv: {said}" in wrong.stderr


MANY = "\n".join(f'{{"id": {n}, "a": "m0", "b": "m{n}", "winner": "a"}}' for n in range(1, 51))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"id": 1, "a": "x", "b": "y", "winner": "z"}', "people.jsonl:1: winner: must be x, y, a, b or tie, got 'z'"),
        ('\n{"id": 1, "a": "x", "b": "y"}', "people.jsonl:2: must be an object with id, a, b and winner"),
        ("[1]", "people.jsonl:1: must be an object"),
        ('{"id": 1, "a": 7, "b": "y", "winner": "a"}', "a: must be text, got 7"),
        ('{"id": 1, "a": "x", "b": ["y"], "winner": "a"}', "b: must be text, got ['y']"),
        (MANY, "at most 50 models can be ranked at once, got 51; leave some out"),
        ("", "has no verdict on two models"),
    ],
)
def test_a_wrong_line_of_verdicts_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "people.jsonl").write_text(text)
    done = compare(tmp_path, "--verdicts", "people.jsonl")
    assert done.returncode == 2 and said in done.stderr


def test_scores_of_runs_are_compared_without_a_judge(place: Path) -> None:
    scored = (
        BENCHMARK + "reward_model: {type: reference, params: {device_ids: [cpu]}, execution: {backend: inprocess}}\n"
    )
    (place / "scored.yaml").write_text(scored)
    for name in ("dark", "light"):
        assert cli("score", name, "scored.yaml", cwd=place).returncode in (0, 3)
    done = compare(place, "dark", "light", "--json")
    (pair,) = json.loads(done.stdout)["pairs"]
    one = pair["overall"]
    assert one["num_shared"] == one["wins"] + one["ties"] + one["losses"] == NUM
    assert "overall, mean over samples" in compare(place, "dark", "light").stdout
    dark = next((place / "outputs").glob("dark-*"))
    shutil.copytree(dark, place / "elsewhere" / dark.name)
    twice = compare(place, str(dark), f"elsewhere/{dark.name}")
    assert twice.returncode == 2 and f"two runs are called {dark.name}; rename" in twice.stderr
    with RunStore.read(dark) as store:
        assert store.manifest["name"] == "dark"
    one = next((place / "outputs").glob("dark-*"))
    shutil.copytree(one, place / "copy" / one.name)
    refused = compare(place, str(one), f"copy/{one.name}")
    assert refused.returncode == 2 and f"two runs are called {one.name}" in refused.stderr and not refused.stdout
