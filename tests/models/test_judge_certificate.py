"""A real vision-language model that knows nothing is put to the ladder, in its own worker, and is not certified."""

from __future__ import annotations

from pathlib import Path

import pytest
from judge_fixtures import build

from certificates.certificate_fakes import NUM_SAMPLES, certified, spoilt, status_of
from editeval.run.certify import Suite

pytestmark = pytest.mark.models


def test_a_tiny_untrained_model_answers_everything_and_is_not_certified(tmp_path: Path) -> None:
    folder = build("qwen3_vl", tmp_path / "model", love_digits="pointwise")
    params = {"model_name": str(folder), "dtype": "float32", "protocol": "pointwise", "min_label_mass": 0.0}
    judge = {"type": "qwen3_vl", "params": params | {"device_ids": ["cpu"], "batch_size": 13}}
    made = certified(tmp_path, judge, Suite(NUM_SAMPLES, size=64)).content
    assert made is not None and made["verdict"] == "not certified"
    assert made["judge"]["metrics"] == ["overall", "following", "preservation", "quality"]
    assert made["figures"]["coverage"] == 1.0 and made["unscored"] == {}
    assert {"target is good", "another instruction"} & spoilt(made)
    assert status_of(made, "asked again") == "passed"  # other neighbours in the batch, the same score
