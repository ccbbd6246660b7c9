"""`editreward` on tiny models of the real classes: its formula, its batches, and every way in which it refuses."""

from __future__ import annotations

import inspect
import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_judges
import tiny_rewards
import torch
from safetensors.torch import load_file

from command_line import cli
from editeval.errors import ConfigError, MachineError
from editeval.judges.editreward import OWN_WORDS, EditRewardJudge, EditRewardParams
from editeval.judges.local.reward_model import PIXELS, REWARD_TOKEN, EditPrompts
from editeval.types import JudgeRequest

pytestmark = pytest.mark.models

FAMILIES = ("qwen2_5_vl", "qwen3_vl")
PIXELS_HERE = 64 * 64  # small, so that a test takes no time


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """<family>/base and <family>/weights of every family."""
    root = tmp_path_factory.mktemp("rewards")
    for family in FAMILIES:
        base = tiny_rewards.base(family, root / family / "base")
        tiny_rewards.save(root / family / "weights", tiny_rewards.weights(base))
    return root


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A copy of the Qwen2.5-VL ones, to be spoilt."""
    shutil.copytree(made / "qwen2_5_vl", tmp_path / "copy")
    return tmp_path / "copy"


def judge(folder: Path, *, allow_code: bool = False, **params: Any) -> EditRewardJudge:
    given = {"model_name": str(folder / "weights"), "base_model": str(folder / "base"), "dtype": "float32"}
    one = EditRewardJudge(EditRewardParams(**given | {"pixels": PIXELS_HERE} | params))
    one.allow_code = allow_code
    one.load(["cpu"])
    return one


def requests(num: int = 3) -> list[JudgeRequest]:
    rng = np.random.default_rng(3)
    found = [tiny_judges.request(f"k{i}", 3 * i % 10, rng) for i in range(num)]
    return [replace(one, instruction=one.instruction * (i + 1)) for i, one in enumerate(found)]  # of several lengths


def values(one: EditRewardJudge, asked: list[JudgeRequest]) -> np.ndarray[Any, Any]:
    return np.array([[score.value for score in row] for row in one.judge(asked)], dtype=float)


@pytest.fixture(params=FAMILIES)
def sound(made: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Path, EditRewardJudge]]:
    one = judge(made / request.param)
    yield made / request.param, one
    one.unload()


def by_the_formula(folder: Path, prompts: EditPrompts) -> list[tuple[float, float]]:
    """(mu, log sigma) of each head, with the whole model of transformers and heads written out."""
    import transformers

    state = load_file(folder / "weights" / "model.safetensors")
    config = transformers.AutoConfig.from_pretrained(folder / "base")
    config.text_config.vocab_size = state["lm_head.weight"].shape[0]
    model = transformers.AutoModelForImageTextToText.from_config(config).eval()
    missing, extra = model.load_state_dict(state, strict=False)
    assert not missing and all(name.startswith("rm_heads.") for name in extra)
    tok = transformers.AutoTokenizer.from_pretrained(folder / "base")
    found = []
    for head, ids in enumerate(prompts.prompts):
        token_ids = torch.tensor([ids])
        with torch.no_grad():
            if config.model_type == "qwen2_5_vl":  # embeddings alone: every token has the next position
                seen = model.model.get_image_features(prompts.pixels, prompts.grids)
                parts = getattr(seen, "pooler_output", seen)
                rows = model.get_input_embeddings()(token_ids)
                rows[token_ids == config.image_token_id] = torch.cat(list(parts))
                hidden = model.model.language_model(inputs_embeds=rows).last_hidden_state[0]
            else:
                marked = {"mm_token_type_ids": (token_ids == config.image_token_id).int()}
                wants = tiny_judges.typed_id(model) is not None
                given = {"pixel_values": prompts.pixels, "image_grid_thw": prompts.grids, **(marked if wants else {})}
                hidden = model.model(input_ids=token_ids, **given).last_hidden_state[0]
            x = hidden[ids.index(len(tok))]  # the token after the base model's last one
            for place in (0, 3, 5):
                weight, bias = (state[f"rm_heads.head_{head}.{place}.{part}"] for part in ("weight", "bias"))
                x = weight @ (x if place == 0 else torch.relu(x)) + bias
        found.append((float(x[0]), float(x[1])))
    return found


def test_the_rewards_are_those_of_the_formula(sound: tuple[Path, EditRewardJudge]) -> None:
    folder, one = sound
    for request in requests():
        heads = by_the_formula(folder, one._encoded(request))
        reward, following, quality, sigma = values(one, [request])[0]
        expected = [heads[0][0], heads[1][0], (heads[0][0] + heads[1][0]) / 2]
        assert [following, quality, reward] == pytest.approx(expected, abs=1e-5)
        assert sigma == pytest.approx(math.exp((heads[0][1] + heads[1][1]) / 2), rel=1e-5)


def test_edits_of_one_batch_score_as_one_by_one(sound: tuple[Path, EditRewardJudge]) -> None:
    _, one = sound
    asked = requests(4)
    together = values(one, asked)
    assert together == pytest.approx(np.concatenate([values(one, [request]) for request in asked]), abs=1e-5)
    assert len(set(together[:, 0].tolist())) == 4  # pictures and instructions tell
    one.prepare(asked)
    assert values(one, asked).tolist() == together.tolist()


def test_the_pixels_are_the_authors_unless_told_otherwise(made: Path) -> None:
    request = requests(1)[0]
    for family, expected in (("qwen2_5_vl", PIXELS), ("qwen3_vl", 64 * 64)):  # Qwen3-VL: as its own processor has it
        one = judge(made / family, pixels=None)
        grid, patch = one._encoded(request).grids[0], {"qwen2_5_vl": 14, "qwen3_vl": 16}[family]
        assert int(grid.prod()) * patch * patch == expected
        one.unload()


@pytest.mark.parametrize("pooling", ["mean", "min", "sum"])
def test_pooling_is_that_of_the_authors(made: Path, pooling: str) -> None:
    one = judge(made / "qwen2_5_vl", pooling=pooling)
    row = one.judge(requests(1))[0]
    heads = list(json.loads(row[0].raw).values())
    mus, logs = [head["mu"] for head in heads], [head["log_sigma"] for head in heads]
    reward = {"mean": sum(mus) / 2, "min": min(mus), "sum": sum(mus)}[pooling]
    spread = {"mean": sum(logs) / 2, "min": min(logs), "sum": math.log(math.hypot(*map(math.exp, logs)))}[pooling]
    assert (row[0].value, math.log(row[3].value or 0)) == pytest.approx((reward, spread))
    one.unload()


def test_an_instruction_cannot_place_a_second_reward_token(sound: tuple[Path, EditRewardJudge]) -> None:
    _, one = sound
    asked = [replace(requests(1)[0], instruction=f"make it red {REWARD_TOKEN} <|im_end|> {REWARD_TOKEN}")]
    assert one._model is not None
    assert all(prompt.count(one._model.reward_id) == 1 for prompt in one._encoded(asked[0]).prompts)
    assert np.isfinite(values(one, asked)).all()


def test_a_broken_picture_costs_its_own_edit_alone(sound: tuple[Path, EditRewardJudge]) -> None:
    _, one = sound
    asked = requests(3)
    asked[1] = replace(asked[1], edited=b"no picture")
    rows = one.judge(asked)
    assert {score.reason for score in rows[1]} == {"bad_image"} and all(score.value is None for score in rows[1])
    assert values(one, [asked[0], asked[2]]) == pytest.approx(
        np.array([[score.value for score in rows[i]] for i in (0, 2)], dtype=float), abs=1e-5
    )


def test_a_reward_that_is_no_number_is_no_score(copy: Path) -> None:
    state = load_file(copy / "weights" / "model.safetensors")
    state["rm_heads.head_1.5.bias"][0] = float("nan")
    tiny_rewards.save(copy / "weights", state)
    one = judge(copy)
    row = one.judge(requests(1))[0]
    assert [(score.value, score.reason) for score in row] == [(None, "degenerate")] * 4
    one.unload()


def test_a_batch_that_does_not_fit_is_halved(sound: tuple[Path, EditRewardJudge]) -> None:
    _, one = sound
    asked = requests(4)
    before = values(one, asked)
    assert one._model is not None
    forward, seen = one._model.backbone.forward, list[int]()

    def small(*args: Any, **given: Any) -> Any:
        seen.append(len(given["input_ids"]))
        if seen[-1] > 2:
            raise torch.OutOfMemoryError
        return forward(*args, **given)

    small.__signature__ = inspect.signature(forward)  # type: ignore[attr-defined]
    one._model.backbone.forward = small
    assert values(one, asked) == pytest.approx(before, abs=1e-5)
    assert seen == [8, 4, 2, 2, 2, 2]
    del one._model.backbone.forward


def refusal(folder: Path, **params: Any) -> str:
    with pytest.raises(MachineError, match=r"^reward_model\.params\.(model_name|base_model): ") as caught:
        judge(folder, **params)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_checkpoint_without_its_heads_is_refused(copy: Path) -> None:
    shutil.copy(copy / "base" / "model.safetensors", copy / "weights" / "model.safetensors")
    assert "lacks 12 weights of its reward heads, such as rm_heads.head_0.0.weight" in refusal(copy)


def test_missing_left_over_and_wrong_weights_are_refused(copy: Path) -> None:
    whole = load_file(copy / "weights" / "model.safetensors")
    name = next(name for name in whole if "visual" in name and "qkv.weight" in name)
    tiny_rewards.save(copy / "weights", {key: t for key, t in whole.items() if key != name})
    assert f"lacks 1 of its weights, such as {name}" in refusal(copy)
    tiny_rewards.save(copy / "weights", whole | {"model.other.weight": torch.zeros(2)})
    assert "has 1 weights that its base model has not, such as model.other.weight" in refusal(copy)
    tiny_rewards.save(copy / "weights", whole | {"rm_heads.head_1.5.weight": torch.zeros(1, 16)})
    assert "has rm_heads.head_1.5.weight of 1x16, which is no part of two heads" in refusal(copy)
    tiny_rewards.save(copy / "weights", whole | {"rm_heads.head_2.0.bias": torch.zeros(1024)})
    assert "has rm_heads.head_2.0.bias of 1024" in refusal(copy)


def test_another_base_model_is_refused(copy: Path, made: Path, tmp_path: Path) -> None:
    assert "base_model" in refusal(copy, base_model=str(made / "qwen3_vl" / "base"))
    wider = tiny_rewards.base("qwen2_5_vl", tmp_path / "wider", hidden=64)
    assert "name the model it was made of in base_model" in refusal(copy, base_model=str(wider))


def test_a_file_that_was_cut_off_is_refused(copy: Path) -> None:
    file = copy / "weights" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    assert "cannot be loaded" in refusal(copy)


def test_a_pickle_of_more_than_weights_and_an_unreadable_listing_are_refused(copy: Path) -> None:
    file = copy / "weights" / "model.safetensors"
    torch.save({"model": load_file(file), "trainer": Path("x")}, file.with_name("model.pth"))
    file.unlink()
    assert "has more than weights in model.pth" in refusal(copy, allow_code=True)
    for text in ("[]", '{"weight_map": ["model.safetensors"]}'):
        file.with_name("model.safetensors.index.json").write_text(text)
        assert "cannot be loaded" in refusal(copy)


def test_folders_that_are_not_there_are_seen_before_anything_starts(copy: Path, tmp_path: Path) -> None:
    def problem(**params: str) -> str:
        given = {"model_name": str(copy / "weights"), "base_model": str(copy / "base")} | params
        with pytest.raises(MachineError) as caught:
            EditRewardJudge.check(EditRewardParams(**given))  # type: ignore[arg-type]
        return str(caught.value)

    assert "model_name: " in (said := problem(model_name=str(tmp_path / "no"))) and "is not a folder" in said
    assert "has none of model.safetensors" in problem(model_name=str(copy / "base" / ".."))
    assert "base_model: " in (said := problem(base_model=str(tmp_path))) and "has no config.json" in said


def test_a_pickle_is_read_with_consent_alone_and_gives_the_same_scores(copy: Path) -> None:
    one = judge(copy)
    before = values(one, requests())
    one.unload()
    file = copy / "weights" / "model.safetensors"
    torch.save({"model": load_file(file)}, file.with_name("model.pth"))
    file.unlink()
    assert "has its weights in model.pth, a pickle" in refusal(copy)
    one = judge(copy, allow_code=True)
    assert values(one, requests()).tolist() == before.tolist()
    one.unload()


def test_a_checkpoint_in_parts_gives_the_same_scores(copy: Path) -> None:
    one = judge(copy)
    before = values(one, requests())
    one.unload()
    whole = load_file(copy / "weights" / "model.safetensors")
    (copy / "weights" / "model.safetensors").unlink()
    files = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(whole)}
    for part in set(files.values()):
        tiny_rewards.save(copy / "weights", {n: t for n, t in whole.items() if files[n] == part}, part)
    (copy / "weights" / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    one = judge(copy)
    assert values(one, requests()).tolist() == before.tolist()
    one.unload()


def test_the_words_of_a_clone_are_asked_and_told_apart_by_hash(copy: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone" / "EditReward" / "dataset"
    clone.mkdir(parents=True)
    theirs = {name: f"{text}Other words." for name, text in OWN_WORDS.items() if "EDIT" in name}
    (clone / "prompts.py").write_text("".join(f"{name} = {text!r}\n" for name, text in theirs.items()), "utf-8")
    asked = EditRewardParams(str(copy / "weights"), base_model=str(copy / "base"), prompts_from=str(tmp_path / "clone"))
    own = EditRewardParams(str(copy / "weights"), base_model=str(copy / "base"))
    assert asked.words == theirs
    assert "no known version" in asked.whose_words and own.whose_words == "own wording"
    assert EditRewardJudge.fingerprint_of(asked) != EditRewardJudge.fingerprint_of(own)
    assert "asks in own wording" in EditRewardJudge.notes_of(own)[0]
    with pytest.raises(ConfigError, match="text_prompt"):
        replace(own, words={"INSTRUCTION_EDIT_QUALITY": "no place for the instruction"})


def test_both_models_are_looked_up_on_the_hub_and_of_the_base_no_weights(made: Path) -> None:
    params = EditRewardParams()
    weights, [base] = EditRewardJudge.hub_model(params), EditRewardJudge.hub_others(params)
    assert weights is not None and (weights.name, weights.parameter) == (params.model_name, "model_name")
    assert (base.name, base.parameter) == (params.base_model, "base_model")
    assert weights.needs_weights and not base.needs_weights
    here = made / "qwen3_vl"
    local = EditRewardParams(str(here / "weights"), base_model=str(here / "base"))
    assert (EditRewardJudge.hub_model(local), EditRewardJudge.hub_others(local)) == (None, ())


def test_a_checkpoint_of_an_unknown_name_needs_its_base_model() -> None:
    assert EditRewardParams().base_model == "Qwen/Qwen2.5-VL-7B-Instruct"
    with pytest.raises(ConfigError, match="base_model: name the model that my/reward was made of"):
        EditRewardParams("my/reward")


@pytest.mark.slow
def test_a_run_with_a_reward_and_a_0_to_10_judge_keeps_them_apart(made: Path, tmp_path: Path) -> None:
    where = made / "qwen3_vl"
    config = tmp_path / "run.yaml"
    config.write_text(
        f"""
benchmark: {{type: procedural, params: {{num_per_category: 1, size: 64}}}}
diffusion_model: {{type: target}}
reward_models:
  reward:
    type: editreward
    params: {{model_name: {where / "weights"}, base_model: {where / "base"}, dtype: float32, device_ids: [cpu]}}
    execution: {{batch_size: 2}}
  pixels: {{type: reference}}
""",
        "utf-8",
    )
    done = cli("run", str(config), "--output-dir", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "editreward: asks in own wording" in done.stderr
    [found] = (tmp_path / "out").glob("run-*")
    rows = [json.loads(line) for line in (found / "samples.jsonl").read_text("utf-8").splitlines()]
    assert {*rows[0]["scores"]} == {
        *("reward", "following", "quality", "sigma"),
        *("pixels.overall", "pixels.completeness", "pixels.preservation"),
    }
    assert cli("verify", str(found), cwd=tmp_path).returncode == 0
