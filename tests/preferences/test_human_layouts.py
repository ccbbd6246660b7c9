"""Sets of people's judgements are read as they are published: who won, what was looked at, which edits are the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import human_sets
from editeval.certificates.human_agreement import RULES
from editeval.cli.parser import PEOPLE
from editeval.errors import BenchmarkError, ConfigError, MachineError
from editeval.preferences.data_sets import KNOWN, human_data
from editeval.preferences.human_data import HumanData, limited, pairs_of
from human_sets import Told

PAIRS = (Told(1, 200, 10), Told(1, 200, 30, "b", "remove"), Told(2, 50, 60, "a", "remove"))
TIED = (*PAIRS, Told(3, 9, 8, "tie"))
Build = Callable[[Path, Sequence[Told]], Path]


def read(name: str, build: Build, folder: Path, pairs: Sequence[Told]) -> HumanData:
    return human_data(name, str(build(folder, pairs)))


@pytest.mark.parametrize(
    ("name", "build", "pairs"),
    [
        ("editreward_bench", human_sets.editreward_bench, PAIRS),
        ("vcreward", human_sets.vcreward, TIED),
        ("mmrb2", human_sets.mmrb2_table, PAIRS),
        ("mmrb2", human_sets.mmrb2_json, PAIRS),
        ("editreward_compass", human_sets.compass, TIED),
        ("own", human_sets.own, TIED),
    ],
)
def test_every_pair_is_there_with_its_winner_its_words_and_its_pictures(
    tmp_path: Path, name: str, build: Build, pairs: Sequence[Told]
) -> None:
    data = read(name, build, tmp_path, pairs)
    assert len(data.pairs) == data.num_all == len(pairs) and not data.missing
    for told, pair in zip(pairs, data.pairs, strict=True):
        sides = [pair.a.edited.read(), pair.b.edited.read()]
        wanted = [human_sets.edited(told, "a"), human_sets.edited(told, "b")]
        is_turned = name in ("editreward_bench", "editreward_compass") and told.winner == "b"
        assert sides == (wanted[::-1] if is_turned else wanted)
        assert pair.winner == (1.0 if is_turned else {"a": 1.0, "b": 0.0, "tie": 0.5}[told.winner])
        assert pair.a.instruction == f"Paint it, number {told.source}."
        assert [image.read() for image in pair.a.sources] == [human_sets.source(told.source)]
        assert pair.task == ("" if name == "editreward_compass" else told.task)
    keys = [{pair.a.key, pair.b.key} for pair in data.pairs]
    assert len(keys[0] & keys[1]) == 1, "the same edit is asked about once"
    assert data.pairs[0].cluster == data.pairs[1].cluster != data.pairs[2].cluster, "a cluster is a source"


def test_rankings_of_several_edits_are_pairs_of_one_group(tmp_path: Path) -> None:
    three = [Told(5, 200, 100, "a", "3pair"), Told(5, 200, 50, "b", "3pair"), Told(5, 100, 50, "a", "3pair")]
    data = read("tiger_editreward_bench", human_sets.tiger, tmp_path, [*three, Told(6, 1, 2, "tie", "2pair")])
    assert [pair.winner for pair in data.pairs] == [1.0, 0.0, 1.0, 0.5]
    assert len({pair.group for pair in data.pairs[:3]}) == 1 and data.pairs[3].group != data.pairs[0].group


def test_ratings_become_pairs_where_people_saw_a_difference(tmp_path: Path) -> None:
    ratings = {"Good": [(1.0, 1.0), (1.0, 0.5)], "Bad": [(0.0, 0.5), (1.0, 0.5)]}
    place = human_sets.imagenhub(tmp_path, ratings, {"Good": [200, 100], "Bad": [20, 100]})
    data = human_data("imagenhub", str(place))
    assert len(data.rated) == 4 and data.rated[0].ratings == {"SC": 1.0, "PQ": 1.0, "O": 1.0}
    assert [pair.winner for pair in pairs_of(data.rated, "SC")] == [1.0], "the second sample is a tie"
    assert data.rated[0].cluster == "sample_0" and data.rated[0].shown.editor == "Good"


def test_other_pictures_under_the_same_names_are_other_data(tmp_path: Path) -> None:
    first = human_data("own", str(human_sets.own(tmp_path, PAIRS)))
    (tmp_path / "0a.png").write_bytes(human_sets.dot(77))
    second = human_data("own", str(tmp_path / "pairs.jsonl"))
    assert first.digest != second.digest and first.pairs[1].key == second.pairs[1].key
    assert first.pairs[0].a.key != second.pairs[0].a.key


def test_a_picture_that_is_not_there_is_named_and_costs_its_pair_alone(tmp_path: Path) -> None:
    file = human_sets.own(tmp_path, PAIRS)
    (tmp_path / "1b.png").unlink()
    data = human_data("own", str(file))
    assert data.num_shown == 2 and [pair.is_shown for pair in data.pairs] == [True, False, True]
    assert len(data.missing) == 1 and "1b.png" in data.missing[0]


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    file = human_sets.own(tmp_path / "set", PAIRS)
    (tmp_path / "secret.png").write_bytes(human_sets.dot(1))
    (tmp_path / "set" / "0a.png").unlink()
    (tmp_path / "set" / "0a.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(BenchmarkError, match="leads out of"):
        human_data("own", str(file))


def test_a_limit_takes_from_every_task_and_dimension_and_never_half_a_ranking(tmp_path: Path) -> None:
    pairs = [Told(n, 200, n, "a", task, where) for n in range(20) for task in "xy" for where in ("overall", "VC")]
    data = read("editreward_bench", human_sets.editreward_bench, tmp_path, pairs)
    few = limited(data, 8)
    assert len(few.pairs) == 8
    assert sorted((p.task, p.dimension) for p in few.pairs) == sorted(
        [(t, d) for t in "xy" for d in ("overall", "VC")] * 2
    )
    assert limited(data, 8).pairs == few.pairs and limited(data, None) is data
    three = [Told(n // 3, 200, n, "a", "3pair") for n in range(30)]
    groups = limited(read("tiger_editreward_bench", human_sets.tiger, tmp_path / "t", three), 4)
    assert len(groups.pairs) == 6 and len({pair.group for pair in groups.pairs}) == 2


SOUND = {"source": "s.png", "a": "a.png", "b": "b.png", "instruction": "x", "winner": "a"}
COMPASS = {"source_image": "s.png", "winner": "a.png", "loser": "b.png", "prompt": "x"}


@pytest.mark.parametrize(
    ("name", "row", "said"),
    [
        ("own", SOUND | {"winner": "left"}, "winner must be"),
        ("own", SOUND | {"b": ""}, "must have two edits, got 1"),
        ("own", SOUND | {"source": "../s.png"}, "leaves the folder"),
        ("editreward_compass", COMPASS, "label must be"),
    ],
)
def test_a_row_that_is_no_pair_is_one_line(tmp_path: Path, name: str, row: dict[str, str], said: str) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    with pytest.raises(BenchmarkError, match=said) as found:
        human_data(name, str(tmp_path / "rows.jsonl"))
    assert "\n" not in str(found.value)


def test_what_is_not_there_says_what_would_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"--data: must be one of .*mmrb2.*, got 'mmrb3'"):
        human_data("mmrb3", "")
    with pytest.raises(ConfigError, match="--path: no file or folder"):
        human_data("vcreward", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="imagenhub: is not on the Hub"):
        human_data("imagenhub", "")
    (tmp_path / "edit_response_only.json").write_text("{}")
    with pytest.raises(BenchmarkError, match="build it with the authors'"):
        human_data("mmrb2", str(tmp_path))
    with pytest.raises(BenchmarkError, match=r"must hold a Parquet file, an Arrow folder, got none of it"):
        human_data("vcreward", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    with pytest.raises(MachineError, match=r"not in the cache|needs the package huggingface_hub"):
        human_data("vcreward", "")


def test_the_command_line_knows_every_data_set_and_every_one_is_counted_in_a_known_way() -> None:
    assert tuple(KNOWN) == PEOPLE and {known.rule for known in KNOWN.values()} <= RULES.keys()
