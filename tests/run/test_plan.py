"""What is decided before anything starts: which samples, which seeds, which identity."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editeval.benchmarks.procedural import ProceduralBenchmark
from editeval.config.load import load_mapping
from editeval.config.schema import Config
from editeval.errors import BenchmarkError, ConfigError, MachineError
from editeval.execution.ray import cluster
from editeval.run.plan import hash_of, judging_plans, make_plan, seed_of
from editeval.run.selection import select
from editeval.run.stage_devices import device_warnings
from editeval.store.fingerprints import json_params
from editeval.types import Benchmark

SEEDS = st.integers(0, 2**31 - 1)
PROMPT = {"system_prompt": "s", "user_prompt_template": "{edit_instruction}"}


def config(**changes: Any) -> Config:
    """Fifteen drawn scenes, five categories; `changes` are dotted keys with __ for dots."""
    tree: dict[str, Any] = {
        "benchmark": {"type": "procedural", "params": {"num_per_category": 3, "size": 64}},
        "diffusion_model": {"type": "identity", "params": {"device_ids": ["cpu"]}},
        "reward_model": {"type": "reference", "params": {"device_ids": ["cpu"]}},
    }
    for key, value in changes.items():
        *path, last = key.split("__")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return load_mapping(tree, "plan", environ={}, allow_code=True)


def chosen(**changes: Any) -> list[str]:
    settings = config(**changes)
    return [s.id for s in select(ProceduralBenchmark(settings.benchmark.params), settings)]


@given(SEEDS, st.text(max_size=30))
def test_a_seed_is_the_first_31_bits_of_a_hash_of_base_seed_and_id(base: int, sample_id: str) -> None:
    digest = hashlib.sha256(f"{base}:{sample_id}".encode()).hexdigest()
    assert seed_of(base, sample_id) == int(digest[:8], 16) % 2**31


def test_seeds_of_a_run_do_not_meet() -> None:
    assert len({seed_of(0, f"physical_{i:04d}") for i in range(2000)}) == 2000


def test_a_golden_seed_never_changes() -> None:
    assert (seed_of(0, "a"), seed_of(42, "a")) == (502515194, 387138681)


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_hashes_of_texts_are_equal_if_and_only_if_the_texts_are(one: list[str], two: list[str]) -> None:
    assert (hash_of(one) == hash_of(two)) == (one == two)


def test_where_a_text_ends_matters_and_half_a_surrogate_pair_has_a_hash() -> None:
    assert len({hash_of(t) for t in (["ab"], ["a", "b"], ["", "ab"], ["ab", ""], ["1:a"], [], ["\ud83d"])}) == 7


def test_everything_is_selected_in_benchmark_order_without_filters() -> None:
    everything = chosen()
    assert len(everything) == 15 and everything == [s.id for s in ProceduralBenchmark(config().benchmark.params)]


def test_categories_samples_and_limit_narrow_each_other_and_keep_the_order() -> None:
    everything = chosen()
    causal = chosen(benchmark__categories=["causal", "physical"])
    assert causal == [i for name in ("causal", "physical") for i in everything if i.startswith(name)]
    assert chosen(evaluation__first=4) == everything[:4]
    assert chosen(evaluation__limit=99) == chosen(evaluation__first=99) == everything
    assert chosen(benchmark__categories=["causal"], evaluation__first=2) == [i for i in causal if "causal" in i][:2]
    assert chosen(evaluation__samples=[everything[7], everything[2]]) == [everything[2], everything[7]]
    assert chosen(evaluation__samples=["*"], evaluation__first=1) == everything[:1]


def test_limit_draws_evenly_over_the_categories_by_the_base_seed_in_benchmark_order() -> None:
    everything = chosen()
    five, ten = chosen(evaluation__limit=5), chosen(evaluation__limit=10)
    assert Counter(i.partition("/")[0] for i in ten) == dict.fromkeys({i.partition("/")[0] for i in everything}, 2)
    assert len({i.partition("/")[0] for i in five}) == 5 and set(five) < set(ten)
    assert ten == [i for i in everything if i in ten] == chosen(evaluation__limit=10)
    assert ten != chosen(evaluation__limit=10, diffusion_model__params__seed=1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"benchmark__categories": ["weather"]},
            "benchmark.categories: no sample of 'weather'; it has: physical (3), ",
        ),
        ({"evaluation__samples": ["zzz*"]}, "--sample zzz*: matches none of 15 ids, such as "),
        (
            {"benchmark__categories": ["causal"], "evaluation__samples": ["physical*"]},
            "--sample physical*: matches none of 3 ids",
        ),
    ],
)
def test_a_filter_that_leaves_nothing_is_one_line(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(BenchmarkError) as caught:
        chosen(**changes)
    assert str(caught.value).startswith(words) and "\n" not in str(caught.value)


def identity(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    return make_plan(config(evaluation__output_dir=str(tmp_path), **changes)).identity


def test_devices_policy_limit_categories_and_judge_are_no_part_of_a_run_s_identity(tmp_path: Path) -> None:
    plain = identity(tmp_path)
    for changes in (
        {"diffusion_model__params__device_ids": ["cpu"] * 3},
        {"diffusion_model__execution": {"policy": "dynamic", "max_attempts": 1, "timeout_s": 5}},
        {"evaluation__limit": 2},
        {"evaluation__samples": ["*1*"]},
        {"benchmark__categories": ["causal"]},
        {"reward_model": None},
    ):
        assert identity(tmp_path, **changes) == plain, changes


def test_seed_editor_parameters_and_content_are_part_of_it(tmp_path: Path) -> None:
    found = [
        identity(tmp_path, **changes)
        for changes in (
            {},
            {"diffusion_model__params__seed": 1},
            {"diffusion_model__type": "fakes.fake_editor"},
            {"diffusion_model": {"type": "fakes.fake_editor", "params": {"device_ids": ["cpu"], "seconds": 1.0}}},
            {"benchmark__params__num_per_category": 4},
            {"benchmark__params__size": 96},
        )
    ]
    assert all(one != two for i, one in enumerate(found) for two in found[:i])


def judging_id_of(settings: Config) -> str:
    return "".join(judging.id for judging in judging_plans(settings))


def test_a_judging_is_known_by_everything_that_decides_a_score() -> None:
    plain = judging_id_of(config())
    assert len(plain) == 16 and plain == judging_id_of(config(diffusion_model__params__seed=5, evaluation__limit=1))
    assert plain == judging_id_of(config(reward_model__params__device_ids=["cpu", "cpu"]))
    server = {"type": "openai_chat", "params": {"model": "m", "base_url": "http://127.0.0.1:1/v1"}}
    elsewhere = {**server, "params": {**server["params"], "base_url": "http://127.0.0.1:2/v1", "concurrency": 3}}
    assert judging_id_of(config(reward_model=server)) == judging_id_of(config(reward_model=elsewhere))
    others = [
        judging_id_of(config(reward_model__params__forgiven_distance=8)),
        judging_id_of(config(reward_model__params__seed=3)),
        judging_id_of(config(reward_model__type="fakes.fake_judge")),
    ]
    assert len({plain, *others}) == 4
    assert judging_id_of(config(reward_model=None)) == ""


def test_the_size_of_a_call_counts_only_where_it_may_change_a_score() -> None:
    server = {"type": "openai_chat", "params": {"model": "m", "base_url": "http://127.0.0.1:1/v1"}}
    for judge, may_matter in ((server, False), ({"type": "reference"}, False), ({"type": "fakes.fake_judge"}, True)):
        ids = {judging_id_of(config(reward_model={**judge, "execution": {"batch_size": size}})) for size in (1, 4, 32)}
        assert len(ids) == (3 if may_matter else 1), judge


def test_a_plan_knows_names_metrics_and_devices(tmp_path: Path) -> None:
    plan = make_plan(config(evaluation__output_dir=str(tmp_path), diffusion_model__params__device_ids=["cpu", "cpu"]))
    assert plan.log_name == plan.editor.__name__ and plan.judgings[0].labels[0] == "overall"
    assert (plan.editor_devices(), plan.judgings[0].devices()) == ([("cpu",), ("cpu",)], [("cpu",)])
    assert list(tmp_path.iterdir()) == [], "planning writes nothing"
    without = make_plan(config(evaluation__output_dir=str(tmp_path), reward_model=None))
    assert (without.judgings, without.judging_id) == ((), "")


def test_a_judge_that_uses_prompts_needs_one_for_every_category(tmp_path: Path) -> None:
    settings = {
        "reward_model": {"type": "qwen3_vl", "params": {"protocol": "rubric"}},
        "evaluation__output_dir": str(tmp_path),
    }
    four = dict.fromkeys(("physical", "environmental", "cultural", "causal"), PROMPT)
    with pytest.raises(ConfigError, match=r"plan: prompts: no prompt for 'referential'; it has: .*physical"):
        make_plan(config(prompts=four, **settings))
    assert make_plan(config(prompts={**four, "referential": PROMPT}, **settings)).judgings
    only = {"benchmark__categories": ["causal"], "prompts": {"causal": PROMPT}}
    assert len(make_plan(config(**only, **settings)).samples) == 3


def test_devices_that_are_missing_are_a_warning_of_the_check() -> None:
    assert device_warnings(config()) == []
    lines = device_warnings(config(diffusion_model__params__device_ids=[97], reward_model__params__device_ids=[98]))
    assert [line.partition(" on this machine")[0] for line in lines] == [
        "diffusion_model.params.device_ids: no cuda:97",
        "reward_model.params.device_ids: no cuda:98",
    ]


@dataclass(frozen=True)
class OddParams:
    path: Path = Path("/a")
    words: tuple[str, ...] = ("x", "y")
    table: dict[str, float] = field(default_factory=lambda: {"猫": 1.5})
    nothing: str | None = None


def test_parameters_become_json_values() -> None:
    assert json_params(OddParams()) == {"path": "/a", "words": ["x", "y"], "table": {"猫": 1.5}, "nothing": None}


def test_a_backend_that_is_not_there_is_no_mistake_of_the_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(address: str | None) -> None:
        raise MachineError(f"no Ray cluster answers at {address}")

    monkeypatch.setattr(cluster, "connect", lost)
    ray = {"backend": "ray", "ray_address": "127.0.0.1:9"}
    (line,) = device_warnings(config(diffusion_model__execution=ray))
    assert line == "diffusion_model.execution.backend: no Ray cluster answers at 127.0.0.1:9"


@pytest.mark.parametrize("name", ["macro", "micro"])
def test_a_category_cannot_be_called_as_a_row_over_all_categories(name: str) -> None:
    settings = config()
    samples = list(ProceduralBenchmark(settings.benchmark.params))
    samples[2] = replace(samples[2], category=name)
    with pytest.raises(BenchmarkError, match=f"{re.escape(samples[2].id)}.*'{name}' is a reserved category name"):
        select(cast(Benchmark, samples), settings)
