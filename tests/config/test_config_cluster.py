"""The keys of backend ray: what goes together, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from config_fakes.minimal import MINIMAL, Load

EDITOR, JUDGE = "diffusion_model.execution", "reward_model.execution"
RAY = (f"{EDITOR}.backend=ray", f"{EDITOR}.ray_address=head:6379")


def test_a_stage_may_work_on_a_cluster_and_says_which(load: Load) -> None:
    execution = load(MINIMAL, *RAY, f"{EDITOR}.device_ids=0-15").diffusion_model.execution
    assert (execution.backend, execution.ray_address) == ("ray", "head:6379")
    assert execution.device_ids is not None and execution.device_ids[15] == "cuda:15"
    assert load(MINIMAL, f"{EDITOR}.backend=ray").diffusion_model.execution.ray_address is None


@pytest.mark.parametrize("address", ["ray://head:10001", "head", ":6379", "head:0", "head:port", "auto"])
def test_an_address_is_a_host_and_a_port(refused: Callable[..., str], address: str) -> None:
    assert "must be host:port of the head of a Ray cluster" in refused(
        MINIMAL, f"{EDITOR}.backend=ray", f"{EDITOR}.ray_address={address!r}"
    )


def test_an_address_without_the_backend_is_refused_unless_a_stronger_word_took_the_backend_away(
    load: Load, refused: Callable[..., str]
) -> None:
    assert "only diffusion_model.execution.backend ray has one, got backend process" in refused(MINIMAL, RAY[1])
    text = MINIMAL.replace("config_fakes.editor", "config_fakes.editor, execution: {backend: ray, ray_address: 'h:1'}")
    config = load(text, f"{EDITOR}.backend=process")
    assert config.diffusion_model.execution.ray_address is None
    assert "ray_address: has no effect: --set sets backend process" in config.warnings[0]


def test_one_run_has_one_cluster_and_a_node_its_own_packages(load: Load, refused: Callable[..., str]) -> None:
    judge = (f"{JUDGE}.backend=ray", f"{JUDGE}.ray_address=other:6379")
    assert "one run uses one Ray cluster" in refused(MINIMAL, *RAY, *judge)
    config = load(MINIMAL, *RAY, judge[0], f"{JUDGE}.ray_address=head:6379")
    assert config.reward_model is not None and config.reward_model.execution.ray_address == "head:6379"
    assert "name their interpreter in python" in refused(MINIMAL, *RAY, f"{EDITOR}.requirements=[torch]")
    assert load(MINIMAL, *RAY, f"{EDITOR}.python=/opt/p").diffusion_model.execution.python == "/opt/p"
