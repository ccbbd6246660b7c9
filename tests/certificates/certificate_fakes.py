"""Answers made by hand, and judges that are broken in one way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from editeval.certificates import conditions
from editeval.certificates.conditions import Answers
from editeval.config.load import load_mapping
from editeval.config.schema import Config
from editeval.run.certify import Certified, Suite, certify
from editeval.run.plan import judging_plans
from editeval.run.scheduler import Interrupt
from editeval.types import Score

NUM_SAMPLES = 30
SUITE = Suite(NUM_SAMPLES, size=64)
SOUND = {
    conditions.TARGET: 9.5,
    conditions.REENCODED: 9.4,
    conditions.PARTIAL: 5.0,
    conditions.SHAM: 5.1,
    conditions.AGAIN: 5.0,
    conditions.UNSEEN: 9.4,
}
"""What a sound judge says, by arm; everything else is nothing."""


def answered(metrics: tuple[str, ...], value_of: Callable[[str, str, int], float | None]) -> Answers:
    """Answers to every arm: value_of(arm, metric, number of the sample); None is unscored as `refused`."""
    answers = Answers(metrics, {})
    for arm in conditions.ARMS:
        for number in range(NUM_SAMPLES):
            key = f"sample {number}"
            values = {metric: value_of(arm, metric, number) for metric in metrics}
            rows = [Score(key, "j", m, v, "", "" if v is not None else "refused") for m, v in values.items()]
            answers.add(arm, key, rows)
    return answers


def sound(arm: str, metric: str, number: int) -> float:
    """Of a judge with one metric; a hundredth per sample, so that not all are equal."""
    del metric
    return SOUND.get(arm, 0.2) + number / 100


def config(output_dir: Path, judge: dict[str, Any], **sections: Any) -> Config:
    """The built-in benchmark, no editor to speak of, and this judge."""
    tree = {
        "benchmark": {"type": "procedural"},
        "diffusion_model": {"type": "identity"},
        "reward_model": judge,
        "evaluation": {"output_dir": str(output_dir)},
        "logging": {"console_output": False},
    }
    return load_mapping(tree | sections, "small", environ={}, allow_code=True)


def ladder_judge(broken: str = "", **params: Any) -> dict[str, Any]:
    """The section reward_model with the judge that knows the answers."""
    given = {"device_ids": ["cpu"], "batch_size": 8, "broken": broken} | params
    return {"type": "fakes.ladder_judge", "params": given, "execution": {"backend": "inprocess"}}


def certified(output_dir: Path, judge: dict[str, Any], suite: Suite = SUITE, **sections: Any) -> Certified:
    """What becomes of certifying `judge`."""
    made = config(output_dir, judge, **sections)
    return certify(made, judging_plans(made)[0], Interrupt(), suite)


def spoilt(content: dict[str, Any]) -> set[str]:
    """Names of the checks that cost the certificate."""
    return {check["name"] for check in content["checks"] if check["status"] in ("failed", "not measured")}


def status_of(content: dict[str, Any], name: str, metric: str | None = None) -> str:
    """The status of one check."""
    found = [c["status"] for c in content["checks"] if c["name"] == name and metric in (None, c["metric"])]
    assert len(found) == 1, (name, metric, content["checks"])
    return str(found[0])
