"""The judging bench runs from end to end on tiny models, and its full-size ones are the published architectures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
sys.path.append(str(BENCH))  # as when `python bench/judging.py` runs

import judging_models  # noqa: E402
import judging_table  # noqa: E402

pytestmark = pytest.mark.models

PUBLISHED = {"8b": 8_767_123_696, "30b-a3b": 31_070_754_032}
"""Parameters of Qwen3-VL-8B-Instruct and Qwen3-VL-30B-A3B-Instruct."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_full_size_models_have_the_published_number_of_parameters(name: str) -> None:
    import torch
    import transformers

    config = judging_models.config(name, judging_models.tokenizer())
    with torch.device("meta"):
        model = transformers.AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    assert sum(parameter.numel() for parameter in model.parameters()) == PUBLISHED[name]


def test_a_megapixel_is_as_many_tokens_as_with_the_published_processor() -> None:
    from editeval.images import decode

    (request,) = judging_models.requests(1, 1024)
    made = judging_models.image_processor()(images=[decode(request.source)], return_tensors="pt")
    assert int(made["image_grid_thw"].prod()) // 4 == 1024


def part(batch_4: float, written_4: float) -> dict[str, Any]:
    rows = [
        {"batch": 1, "judgements_s": 2.0, "prompts_s": 6.0, "replies_s": 1.0},
        {"batch": 4, "judgements_s": batch_4, "prompts_s": 15.0, "replies_s": written_4},
    ]
    return judging_table.finish({"rows": rows, "notes": [], "prepare_s": 0.1, "num_threads": 4})


def test_claims_hold_only_where_they_are_reached() -> None:
    assert [holds for _, holds in judging_table.verdicts(part(5.0, 3.0))] == [True, True, True]
    assert [holds for _, holds in judging_table.verdicts(part(20.0, 2.6))] == [False, True, False]
    assert [holds for _, holds in judging_table.verdicts(part(5.0, 6.0))] == [True, False, True]
    assert judging_table.verdicts({"problem": "not measured", "rows": []}) == []


@pytest.mark.slow
def test_the_whole_bench_runs_on_a_tiny_model(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCH / "judging.py"), "--tiny", "--batches", "1,2,4", "--reply-tokens", "8"]
    command += ["--engines", "transformers", "--json", str(tmp_path / "result.json")]
    environment = {**os.environ, "PYTHONPATH": str(BENCH.parent / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert judging_table.MEANINGLESS in done.stdout
    result: dict[str, Any] = json.loads((tmp_path / "result.json").read_text())
    (measured,) = result["parts"]
    assert [row["batch"] for row in measured["rows"]] == [1, 2, 4]
    assert all(row[key] > 0 for row in measured["rows"] for key in ("judgements_s", "prompts_s", "replies_s"))
    assert measured["rows"][0]["judgements_ratio"] == 1.0
    assert "reached" not in done.stdout and "MISSED" not in done.stdout, "a tiny model reaches and misses nothing"
    assert "preparing alongside" in done.stdout
    assert [one["to_reach"] for one in measured["ratios"]] == [2.0, None, None]
    assert all(one["ratio"] > 0 for one in measured["ratios"]) and "share_prefix" in done.stdout
