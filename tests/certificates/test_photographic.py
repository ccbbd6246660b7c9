"""Agreement with people: known errors give exactly the expected figures, ties count as they are said to."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from editeval.certificates.human_agreement import ALL, MEAN, Counting, PairAnswer, RatedAnswer
from editeval.certificates.photographic import assemble, photographic_of, write_photographic
from editeval.errors import MachineError, UserError
from editeval.stats.agreement import credit, tie_threshold

PLAIN = Counting("ties wrong", is_macro=False, main="")
ABOUT = {"data": {"name": "own", "digest": "d" * 64, "num_used": 1}}


def answer(people: float, margin: float | None, cluster: str, task: str = "", **more: Any) -> PairAnswer:
    return PairAnswer(more.pop("dimension", "overall"), task, cluster, "", "overall", people, margin, **more)


def made(pairs: Sequence[PairAnswer], counting: Counting = PLAIN, rated: Sequence[RatedAnswer] = ()) -> dict[str, Any]:
    return assemble("key", pairs, rated, counting, ABOUT)


def row(content: dict[str, Any], task: str = ALL, dimension: str = "overall") -> dict[str, Any]:
    (found,) = [g for g in content["groups"] if (g["dimension"], g["task"]) == (dimension, task)]
    return dict(found)


def test_known_errors_give_exactly_the_expected_accuracy() -> None:
    right = [answer(1.0, 2.0, str(n), "add") for n in range(70)] + [
        answer(0.0, -1.0, f"r{n}", "remove") for n in range(10)
    ]
    wrong = [answer(1.0, -0.5, f"w{n}", "add") for n in range(10)] + [
        answer(0.0, 0.5, f"v{n}", "remove") for n in range(10)
    ]
    content = made(right + wrong)
    whole = row(content)
    assert whole["ties wrong"]["value"] == whole["ties half"]["value"] == 0.8 and whole["num_scored"] == 100
    assert (
        row(content, "add")["ties wrong"]["value"] == 70 / 80 and row(content, "remove")["ties wrong"]["value"] == 0.5
    )
    assert row(content, MEAN)["ties wrong"]["value"] == pytest.approx((70 / 80 + 0.5) / 2)
    assert content["verdict"] == "certified" and content["controls"]["always the first edit, one order"] == 0.8
    assert [g["task"] for g in content["groups"] if g["is_official"]] == [ALL]
    macro = made(right + wrong, Counting("ties wrong", is_macro=True, main="overall"))
    assert [g["task"] for g in macro["groups"] if g["is_official"]] == [MEAN]


def test_ties_are_wrong_half_right_or_called_by_a_threshold_and_all_three_are_named() -> None:
    pairs = [answer(1.0, 3.0, str(n)) for n in range(6)] + [answer(1.0, 0.0, f"t{n}") for n in range(2)]
    pairs += [answer(0.5, 0.2, f"p{n}") for n in range(2)]
    whole = row(made(pairs))
    assert whole["ties wrong"]["value"] == 0.6 and whole["ties half"]["value"] == pytest.approx(0.8)
    assert whole["ties calibrated"]["value"] == 0.8 and whole["threshold"] == 0.2 and whole["ties"] == 0.2
    near = row(made([answer(0.5, 5e-6, "x"), answer(1.0, 5e-6, "y")], Counting("ties below 1e-5", False, "")))
    assert near["ties below 1e-5"]["value"] == 0.5 and near["ties wrong"]["value"] == 0.5


def test_the_threshold_is_the_best_and_the_least_of_all() -> None:
    for seed in range(50):
        draw = random.Random(seed)
        people = [draw.choice([0.0, 0.5, 1.0]) for _ in range(9)]
        margins = [draw.choice([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]) for _ in range(9)]

        def right(limit: float, people: list[float] = people, margins: list[float] = margins) -> float:
            return sum(credit(p, m, threshold=limit) for p, m in zip(people, margins, strict=True))

        limits = sorted({0.0, *map(abs, margins)})
        assert tie_threshold(people, margins) == max(limits, key=lambda limit: (right(limit), -limit))


def test_the_interval_knows_that_pairs_of_one_source_resemble_each_other() -> None:
    """Beside the textbook formula, written out here: residuals summed by cluster, Student's t."""
    shares = [1.0, 0.75, 0.5, 0.25] * 10
    pairs = [answer(1.0, 1.0 if n < 4 * share else -1.0, str(c)) for c, share in enumerate(shares) for n in range(4)]
    whole = row(made(pairs))["ties half"]
    mean = sum(shares) / len(shares)
    squares = sum((4 * (share - mean)) ** 2 for share in shares)
    error = math.sqrt(len(shares) / (len(shares) - 1) * squares) / (4 * len(shares))
    t_39 = 2.022690920036762
    assert whole["value"] == mean and whole["low"] == pytest.approx(mean - t_39 * error, abs=1e-9)
    assert whole["high"] == pytest.approx(mean + t_39 * error, abs=1e-9)
    single = row(made([PairAnswer("overall", "", str(n), "", "", 1.0, p.margin) for n, p in enumerate(pairs)]))[
        "ties half"
    ]
    assert single["high"] - single["low"] < whole["high"] - whole["low"]


def test_a_judge_that_tosses_coins_or_answers_too_seldom_fails() -> None:
    coins = [answer(1.0, 1.0 if n % 2 else -1.0, str(n)) for n in range(200)]
    assert made(coins)["verdict"] == "not certified"
    sound = [answer(1.0, 1.0, str(n)) for n in range(100)]
    assert made(sound)["verdict"] == "certified"
    silent = [answer(1.0, None, f"s{n}", reason="refused") for n in range(15)]
    content = made(sound + silent)
    assert content["verdict"] == "not certified" and content["unscored"] == {"refused": 15}
    assert row(content)["ties wrong"]["value"] == 1.0 and row(content)["num_scored"] == 100, (
        "missing ones are not counted"
    )
    assert [check["status"] for check in content["checks"]] == ["passed", "failed"]
    assert made([answer(1.0, 1.0, "one source") for _ in range(100)])["verdict"] == "not certified"


def test_a_metric_of_its_own_must_agree_with_people_about_its_own_dimension() -> None:
    good = [answer(1.0, 1.0, str(n)) for n in range(60)]
    bad = [answer(1.0, 1.0 if n % 2 else -1.0, str(n), dimension="VC") for n in range(60)]
    counting = Counting("ties wrong", False, "overall")
    assert made(good + bad, counting)["verdict"] == "not certified"
    standing_in = [answer(1.0, p.margin, p.cluster, dimension="VC", is_own_metric=False) for p in bad]
    assert made(good + standing_in, counting)["verdict"] == "certified", "the headline is asked about the whole"


def test_the_main_dimension_is_the_first_check_in_whatever_order_the_data_have_them() -> None:
    other = [answer(1.0, 1.0, f"o{n}", dimension="VC") for n in range(60)]
    main = [answer(1.0, 1.0 if n % 4 else -1.0, str(n)) for n in range(60)]
    content = made(other + main, Counting("ties wrong", False, "overall"))
    assert [check["name"] for check in content["checks"]][:2] == [f"agrees with people: {d}" for d in ("overall", "VC")]
    assert content["checks"][0]["value"] == 0.75, "what reports show of the certificate"


def test_without_a_main_dimension_and_a_metric_of_its_own_all_dimensions_decide() -> None:
    pairs = [
        answer(1.0, 1.0 if n % 2 else -1.0, f"{d}{n}", dimension=d, is_own_metric=False)
        for n in range(60)
        for d in "xy"
    ]
    content = made(pairs)
    assert content["verdict"] == "not certified"
    assert [check["status"] for check in content["checks"]] == ["failed", "failed", "passed"]


def test_a_few_pairs_certify_nothing() -> None:
    few = made([answer(1.0, 1.0, str(n)) for n in range(29)])
    assert few["verdict"] == "not certified" and few["checks"][-1]["status"] == "not measured"
    assert few["checks"][-1]["note"] == "a verdict takes at least 30 pairs, got 29"
    assert made([answer(1.0, 1.0, str(n)) for n in range(30)])["verdict"] == "certified"


def test_each_order_of_a_pairwise_judge_counts_and_its_liking_for_a_place_is_measured() -> None:
    always_a = [answer(1.0, 0.0, str(n), orders=((True, 1.0), (False, 1.0))) for n in range(40)]
    content = made(always_a, Counting("each order's verdict", False, ""))
    whole = row(content)
    assert whole["each order's verdict"]["value"] == 0.5 == whole["ties half"]["value"]
    assert whole["ties wrong"]["value"] == 0.0 and content["verdict"] == "not certified"
    assert content["position"]["first"] == 1.0 and content["position"]["contradictions"] == 1.0
    assert content["position"]["num_verdicts"] == 80
    half = [answer(1.0, None, str(n), reason="unparsable", orders=((True, 1.0),)) for n in range(4)]
    assert made(always_a + half)["position"]["num_pairs"] == 40


def test_a_ranking_is_right_where_all_of_its_pairs_are() -> None:
    pairs = [PairAnswer("overall", "", g, g, "m", 1.0, m) for g, m in (("x", 1.0), ("x", 2.0), ("y", 1.0), ("y", -1.0))]
    assert made(pairs)["whole_groups"]["value"] == 0.5 and made(pairs)["whole_groups"]["num_groups"] == 2


def test_rank_correlation_is_taken_within_every_editor_and_over_all() -> None:
    rated = []
    for editor, shift in (("x", 0.0), ("y", 5.0)):
        for n in range(8):
            judge = float(n) if editor == "x" else float((n * 3) % 8)
            rated.append(RatedAnswer("O", editor, str(n), "overall", n + shift, judge))
    found = made([answer(1.0, 1.0, "c")], rated=rated)["rankings"][0]
    second = 1 - 6 * sum((n - (n * 3) % 8) ** 2 for n in range(8)) / (8 * 63)
    assert found["editors"] == {"x": pytest.approx(1.0), "y": pytest.approx(second)}
    assert found["as_printed"] == pytest.approx(math.tanh((1.0 + second) / 2)) and found["low"] is None
    assert found["pooled"] is not None and found["pooled"] < 1.0 and found["within"] > found["as_printed"]
    assert not any(a == b for a, b in pairwise([found["within"], found["as_printed"], found["pooled"]]))


def test_a_certificate_is_kept_by_score_set_and_data_set_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    content = made([answer(1.0, 1.0, str(n)) for n in range(40)])
    path = write_photographic(tmp_path, content)
    assert path == tmp_path / "certificates" / "key.own-dddddddd.json"
    assert photographic_of(tmp_path, "key") == [content | {"is_own": True}] and photographic_of(tmp_path, "other") == []
    (tmp_path / "certificates" / "key.json").write_text("{}")  # the drawn one is none of these
    assert len(photographic_of(tmp_path, "key")) == 1
    path.write_text("{}")
    with pytest.raises(MachineError, match="not a certificate"):
        photographic_of(tmp_path, "key")
    write_photographic(tmp_path, content | {"checks": [{"value": "high"}]})
    with pytest.raises(MachineError, match="not a certificate"):
        photographic_of(tmp_path, "key")
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(UserError, match="a link"):
        photographic_of(tmp_path, "key")
    (tmp_path / "file" / "certificates").parent.mkdir()
    (tmp_path / "file" / "certificates").write_text("")
    with pytest.raises(MachineError, match="cannot be read"):
        photographic_of(tmp_path / "file", "key")
