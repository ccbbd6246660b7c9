"""Checks on answers made by hand: what each measures, on which metric, and what costs the certificate."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from certificates.certificate_fakes import NUM_SAMPLES, answered, sound, spoilt, status_of
from editeval.benchmarks.procedural import GENERATOR
from editeval.certificates import certificate, conditions
from editeval.certificates.certificate import CERTIFIED, NOT_CERTIFIED, assemble
from editeval.certificates.checks import CHECKS, NOT_APPLICABLE, SUITE, findings
from editeval.certificates.conditions import Answers
from editeval.errors import MachineError, UserError
from editeval.judges.reference import ReferenceJudge, ReferenceParams
from editeval.judges.vllm_vlm import VllmVlmJudge, VllmVlmParams
from editeval.reports.badge import certificate_line, certificate_warnings
from editeval.types import Judge

ONE = ("overall",)


def content(answers: Answers, reads_instruction: bool = True) -> dict[str, Any]:
    return assemble("key", answers, reads_instruction, {"num_samples": NUM_SAMPLES, "created_at": 1.0})


def changed(**arm_values: Callable[[int], float | None]) -> Answers:
    """Of a sound judge with one metric, but for these arms."""

    def value_of(arm: str, metric: str, number: int) -> float | None:
        return arm_values[arm](number) if arm in arm_values else sound(arm, metric, number)

    return answered(ONE, value_of)


def test_a_sound_judge_is_certified_and_what_it_cannot_show_is_not_counted_as_shown() -> None:
    made = content(answered(ONE, sound))
    assert made["verdict"] == CERTIFIED and not spoilt(made)
    absent = {c["name"] for c in made["checks"] if c["status"] == NOT_APPLICABLE}
    assert absent == {"identity > over edit", "target > blank picture"}
    blank = [c for c in made["checks"] if c["name"] == "target > blank picture"]
    assert [(c["metric"], c["status"]) for c in blank] == [("overall", "passed"), ("", NOT_APPLICABLE)]


@pytest.mark.parametrize(
    ("arm", "value", "name"),
    [
        (conditions.IDENTITY, lambda n: 9.9 if n < 2 else 0.2, "target > identity"),  # 28 of 30: 0.93
        (conditions.WRONG, lambda n: 9.9 if n < 4 else 0.2, "target > wrong object"),
        (conditions.PARTIAL, lambda n: 9.9 if n < 8 else 5.0, "target > partial"),
        (conditions.PARTIAL, lambda n: 0.0 if n < 8 else 5.0, "partial > identity"),
        (conditions.OVER_EDIT, lambda n: 9.9 if n < 4 else 0.2, "target > over edit"),
        (conditions.REENCODED, lambda n: 8.0 if n < 4 else 9.5, "target re-encoded = target"),
        (conditions.UNSEEN, lambda n: 4.0 if n < 8 else 9.5, "unseen change > partial"),
        (conditions.FLAT, lambda n: 9.9 if n < 5 else 0.2, "unseen change > flat paint"),
        (conditions.IDENTITY, lambda n: 1.1, "identity is bad"),
        (conditions.SHUFFLED, lambda n: 9.5 + n / 100, "another instruction"),
        (conditions.SWAPPED, lambda n: 9.9 if n < 4 else 0.2, "target > swapped pictures"),
        (conditions.SWAPPED, lambda n: 1.6, "swapped as bad as identity"),
        (conditions.BLANK, lambda n: 1.1, "blank picture is bad"),
        (conditions.SHAM, lambda n: 5.5, "JPEG 95 shifts nothing"),
        (conditions.IN_PICTURE, lambda n: 1.5 if n < 2 else 0.0, "plea inside the picture"),
        (conditions.IN_INSTRUCTION, lambda n: 10.0, "plea inside the instruction"),
    ],
)
def test_one_fault_is_found_by_its_check(arm: str, value: Callable[[int], float], name: str) -> None:
    made = content(changed(**{arm: value}))
    assert made["verdict"] == NOT_CERTIFIED
    assert name in spoilt(made)


def test_a_tie_is_not_in_order_and_is_counted() -> None:
    made = content(changed(partial=lambda n: 9.5 + n / 100))
    check = next(c for c in made["checks"] if c["name"] == "target > partial")
    assert (check["status"], check["value"], check["tied"]) == ("failed", 0.0, 1.0)
    assert made["figures"]["tied"] == pytest.approx(1 / 6)


def test_noise_is_a_warning_that_does_not_cost_the_certificate() -> None:
    made = content(changed(asked_again=lambda n: 5.0 + n / 100 + (1 if n % 2 else -1)))
    assert made["verdict"] == CERTIFIED and status_of(made, "asked again") == "warned"
    assert made["figures"]["retest_change"] == pytest.approx(1.0)
    assert made["figures"]["retest_sd"] == pytest.approx(0.5**0.5)


def test_unscored_replies_are_counted_and_never_guessed() -> None:
    made = content(changed(target=lambda n: None if n < 4 else 9.5 + n / 100))
    assert made["unscored"] == {"refused": 4}
    assert status_of(made, "target is good") == "not measured"
    assert made["verdict"] == NOT_CERTIFIED
    few = content(changed(target=lambda n: None if n < 3 else 9.5 + n / 100))
    target = next(r for r in few["rungs"] if r["arm"] == "target")
    assert target["metrics"]["overall"]["num_scored"] == 27 and target["num_asked"] == 30
    assert target["metrics"]["overall"]["mean"] == pytest.approx(9.5 + sum(range(3, 30)) / 27 / 100)
    assert few["verdict"] == CERTIFIED and status_of(few, "coverage") == "passed"


def test_scores_without_ends_are_compared_with_each_other_alone() -> None:
    def shifted(arm: str, metric: str, number: int) -> float:
        return 7 * sound(arm, metric, number) - 300

    def made(value_of: Callable[[str, str, int], float]) -> dict[str, Any]:
        answers = answered(ONE, value_of)
        answers.without_ends = frozenset(ONE)
        return content(answers)

    found, on_ten = made(shifted), content(answered(ONE, sound))
    left_out = {check.name for check in CHECKS if check.needs_ends}
    assert {name for name in left_out if status_of(found, name) == NOT_APPLICABLE} == left_out
    assert [c["status"] for c in found["checks"] if c["name"] not in left_out] == [
        c["status"] for c in on_ten["checks"] if c["name"] not in left_out
    ]
    assert found["verdict"] == CERTIFIED
    backwards = made(lambda arm, metric, number: -shifted(arm, metric, number))
    assert backwards["verdict"] == NOT_CERTIFIED and status_of(backwards, "target > identity") == "failed"
    assert made(lambda *_: 3.0)["verdict"] == NOT_CERTIFIED


def test_low_coverage_warns_and_then_fails() -> None:
    def mute(share: float) -> dict[str, Any]:
        return content(answered(ONE, lambda a, m, n: None if n < share * NUM_SAMPLES else sound(a, m, n)))

    assert status_of(mute(0.1), "coverage") == "warned" and mute(0.1)["verdict"] == CERTIFIED
    assert status_of(mute(0.2), "coverage") == "failed"


def test_a_judge_that_scores_nothing_is_not_certified() -> None:
    made = content(answered(ONE, lambda *_: None))
    assert made["verdict"] == NOT_CERTIFIED
    assert {c["status"] for c in made["checks"]} == {"not measured", "not applicable", "failed"}


def test_a_judge_that_is_never_told_the_instruction_is_not_asked_about_it() -> None:
    made = content(answered(ONE, sound), reads_instruction=False)
    readers = {check.name for check in CHECKS if check.is_for_readers}
    assert len(readers) == 4
    assert {name for name in readers if status_of(made, name) == NOT_APPLICABLE} == readers
    assert made["verdict"] == CERTIFIED


@pytest.mark.parametrize(
    ("judge", "params", "expected"),
    [
        (ReferenceJudge, ReferenceParams(), ("completeness", "preservation", "preservation", None)),
        *(
            (VllmVlmJudge, VllmVlmParams(protocol=protocol), expected)
            for protocol, expected in {
                "pointwise": ("following", "preservation", "preservation", "quality"),
                "rubric": ("overall", "overall", None, None),
                "viescore": ("semantic_consistency", "semantic_consistency", None, "perceptual_quality"),
                "re_edit": ("instruction_following", "semantic_consistency", None, None),
            }.items()
        ),
    ],
)
def test_each_check_uses_the_metric_it_concerns(
    judge: type[Judge], params: Any, expected: tuple[str | None, ...]
) -> None:
    answers = Answers(judge.metrics_of(params), judge.roles_of(params))
    asked = ("following", "preservation", "preservation alone", "quality alone")
    assert tuple(answers.metric_for(role) for role in asked) == expected
    assert answers.metric_for("headline") == answers.metrics[0]


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (("mean", "semantic_consistency", "instruction_following"), ("instruction_following", "semantic_consistency")),
        (("mean", "completeness", "perceptual_quality"), ("completeness", "mean")),
        (("mean", "semantic_consistency"), ("semantic_consistency", "semantic_consistency")),
        (("mean",), ("mean", "mean")),
    ],
)
def test_a_judge_from_outside_is_checked_on_the_metrics_that_the_documentation_names(
    metrics: tuple[str, ...], expected: tuple[str, str]
) -> None:
    judge = type("JudgeFromOutside", (Judge,), {"metrics": metrics})
    answers = Answers(metrics, judge.roles_of(None))
    assert (answers.metric_for("following"), answers.metric_for("preservation")) == expected
    quality = "perceptual_quality" if "perceptual_quality" in metrics else None
    assert answers.metric_for("quality alone") == quality and answers.metric_for("preservation alone") is None


def test_a_certificate_of_the_pictures_of_an_older_benchmark_counts_no_more(tmp_path: Path) -> None:
    assert (GENERATOR, SUITE) == ("2", 3), "a new version of the benchmark is new pictures: raise SUITE too"
    made = content(answered(ONE, sound))
    certificate.write(tmp_path, made, [])
    assert certificate.certificate_of(tmp_path, "key") is not None
    certificate.write(tmp_path, made | {"suite": 2}, [])  # made with version 1
    assert certificate.certificate_of(tmp_path, "key") is None


def test_a_certificate_of_somebody_else_is_told_from_one_s_own_and_a_file_that_is_none_is_one_line(
    tmp_path: Path,
) -> None:
    path = certificate.write(tmp_path, content(answered(ONE, sound)), [])
    own = certificate.certificate_of(tmp_path, "key")
    assert own is not None and own["is_own"] and certificate_warnings({"a": (own, ())}) == []

    kept = json.loads(path.read_bytes())
    path.write_text(json.dumps(kept | {"num_samples": 6000}))
    other = certificate.certificate_of(tmp_path, "key")
    assert other is not None and not other["is_own"]
    assert "not certified by you" in str(certificate_line(other))
    assert "by somebody else" in str(certificate_warnings({"a": (other, ())})[0])

    for text in ("[" * 100_000, "[]", json.dumps(kept | {"checks": [{}]}), json.dumps(kept | {"num_samples": "60"})):
        path.write_text(text)
        with pytest.raises(MachineError, match="not a certificate"):
            certificate.certificate_of(tmp_path, "key")
    path.unlink()
    os.mkfifo(path)  # opening it would wait for somebody who writes
    with pytest.raises(UserError, match="a device or the like"):
        certificate.certificate_of(tmp_path, "key")


def test_no_check_is_made_twice_on_one_metric() -> None:
    for metrics in (ONE, ("overall", "following", "preservation", "quality")):
        made = [(f.name, f.metric) for f in findings(answered(metrics, sound), True)]
        assert len(made) == len(set(made))


def test_a_share_at_its_threshold_passes() -> None:
    made = content(changed(wrong_object=lambda n: 9.9 if n < 3 else 0.2))  # 27 of 30: 0.90 exactly
    check = next(c for c in made["checks"] if c["name"] == "target > wrong object")
    assert check["value"] == 0.90 and check["status"] == "passed"
    assert check["low"] < 0.90 < check["high"]
