"""`editeval.judge`: edits at hand, one or many, without a run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import editeval
from editeval.errors import ConfigError, ImageError
from editeval.images import encode_png
from fakes.chat_server import ChatServer, parts, saying

ROOT = Path(__file__).parents[2]
EXACT = {"judge": "reference", "device_ids": ["cpu"]}


def picture(*colour: int) -> Image.Image:
    image = Image.new("RGB", (32, 32), (90, 90, 90))
    image.paste(tuple(colour), (4, 4, 20, 20))
    return image


SOURCE, TARGET = picture(200, 0, 0), picture(0, 0, 200)
MASK = Image.new("L", (32, 32), 0)
MASK.paste(255, (4, 4, 20, 20))


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as running:
        yield running


def test_one_edit_gives_a_score_per_metric_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    TARGET.save(tmp_path / "edited.png")
    found = editeval.judge(SOURCE, tmp_path / "edited.png", "make it blue", target=TARGET, mask=MASK, **EXACT)
    assert {score.metric: score.value for score in found}["overall"] == pytest.approx(10)
    assert [path.name for path in tmp_path.iterdir()] == ["edited.png"]


def test_many_edits_keep_their_order_and_what_cannot_be_scored_says_why() -> None:
    found = editeval.judge(
        [SOURCE, SOURCE, encode_png(SOURCE)],
        [TARGET, SOURCE, TARGET],
        ["make it blue"] * 3,
        target=[TARGET, TARGET, TARGET],
        mask=[MASK, MASK, None],
        **EXACT,
    )
    values = [next(score.value for score in row if score.metric == "overall") for row in found]
    assert values[0] == pytest.approx(10) and values[1] < 5 and values[2] is None
    assert {score.reason for score in found[2]} == {"no_reference"}


def test_a_served_judge_is_asked_in_its_protocol_and_keeps_raw_replies(server: ChatServer) -> None:
    params = {"base_url": server.url, "model": "tiny-judge", "protocol": "pointwise"}
    found = editeval.judge([SOURCE, picture(1, 2, 3)], TARGET, "make it blue", judge="openai_chat", **params)
    assert found[0].value is not None and all(score.raw for score in found)
    asked = [len(pictures) for pictures, text in map(parts, server.calls) if "make it blue" in text]
    assert asked and max(asked) == 3  # both sources and the edit; the first call only tries the server


def test_a_reply_that_is_no_score_has_a_reason_and_is_kept(server: ChatServer) -> None:
    server.will(saying("It is a picture of a square."), repeats=True)
    params = {"base_url": server.url, "model": "tiny-judge", "protocol": "pointwise"}
    found = editeval.judge([SOURCE], [TARGET], ["make it blue"], judge="openai_chat", **params)
    assert [score.value for score in found[0]] == [None] * len(found[0])
    assert all(score.reason and "picture of a square" in score.raw for score in found[0])


def test_no_edits_send_no_request(server: ChatServer) -> None:
    found = editeval.judge([], [], [], judge="openai_chat", base_url=server.url, model="m", protocol="pointwise")
    assert found == [] and not server.calls


def test_a_configuration_names_the_judge_too(tmp_path: Path) -> None:
    judge = "reward_model: {type: reference, params: {device_ids: [cpu]}}\n"
    whole = "benchmark: {type: image_folder, params: {path: gone}}\ndiffusion_model: {type: identity}\n"
    for text in (judge, whole + judge):  # one with nothing but a judge is enough, as for `editeval import`
        (tmp_path / "judge.yaml").write_text(text, encoding="utf-8")
        found = editeval.judge(SOURCE, TARGET, "", judge=tmp_path / "judge.yaml", target=TARGET, mask=MASK)
        assert found[0].value == pytest.approx(10)


def test_mistakes_are_one_line_each(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lists of different lengths: source 1, edited 2, instruction 1"):
        editeval.judge([SOURCE], [TARGET, TARGET], ["a"], **EXACT)
    with pytest.raises(ConfigError, match="edited: must be a list, as instruction is, got Image"):
        editeval.judge([SOURCE], TARGET, ["a"], **EXACT)
    with pytest.raises(ImageError, match=r"gone\.png"):
        editeval.judge(tmp_path / "gone.png", TARGET, "a", **EXACT)
    with pytest.raises(ConfigError, match="must be a PIL image, bytes or a path, got int"):
        editeval.judge(7, TARGET, "a", **EXACT)
    with pytest.raises(ConfigError, match="nobody"):
        editeval.judge(SOURCE, TARGET, "a", judge="nobody")


def test_the_snippet_of_the_docs_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, image in (("source", SOURCE), ("edited", TARGET), ("target", TARGET), ("mask", MASK)):
        image.save(f"{name}.png")
    page = (ROOT / "docs" / "import.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(snippet, names)
    assert names["overall"] == pytest.approx(10)
