"""Every file of configs/ is sound by itself, and what its comments compute is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from editeval import plugins
from editeval.config.load import Overrides, load_config
from editeval.config.schema import Config
from editeval.editors.diffusion.families import FAMILIES
from editeval.judges.chat.official_use import official_use
from editeval.judges.chat.params import AskParams

ROOT = Path(__file__).parent.parent.parent
EVERY = sorted((ROOT / "configs").glob("*/*.yaml"))
OF_JUDGES = [path for path in EVERY if path.parent.name == "judges"]
JUDGES = [path for path in OF_JUDGES if "  protocol: " in path.read_text(encoding="utf-8")]
FILES = [path for path in EVERY if path not in OF_JUDGES]
MODELS = [path for path in FILES if path.parent.name == "models"]
BENCHMARKS = [path for path in FILES if path.parent.name == "benchmarks"]
FORMULA = re.compile(r"^#   (judge calls|edit time|memory) +([^=]+) = ([0-9.]+)", re.MULTILINE)
NAMED = {
    "flux2_dev": "flux2",
    "qwen_image_edit_2509": "qwen_image_edit_plus",
    "qwen_image_edit_2511": "qwen_image_edit_plus",
}


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def formulas(path: Path) -> dict[str, tuple[str, str]]:
    return {name: (text, result) for name, text, result in FORMULA.findall(path.read_text(encoding="utf-8"))}


def value_of(text: str) -> float:
    assert re.fullmatch(r"[0-9.e x/()+^]+", text), text
    return float(eval(text.replace("x", "*").replace("^", "**"), {"__builtins__": {}}))


def loaded(path: Path) -> Config:
    return load_config(path, environ={})


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_is_sound_alone_and_warns_of_nothing(path: Path) -> None:
    config = loaded(path)
    assert not config.warnings
    assert config.reward_model is not None and config.reward_model.type == "openai_chat"
    plugins.load("benchmarks", config.benchmark.type, False)
    assert f"configs/{name_of(path)}.yaml --dry-run" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_its_arithmetic_is_marked_and_right(path: Path) -> None:
    assert "Arithmetic, not measured" in path.read_text(encoding="utf-8")
    found = formulas(path)
    assert set(found) == {"judge calls", "edit time", "memory"}
    for text, result in found.values():
        digits = len(result.partition(".")[2])
        assert f"{value_of(text):.{digits}f}" == result, text


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_judge_calls_are_those_of_the_benchmark_and_its_protocol(path: Path) -> None:
    config = loaded(path)
    benchmark = plugins.load("benchmarks", config.benchmark.type, False)(config.benchmark.params)
    params = config.reward_model.params if config.reward_model else None
    assert isinstance(params, AskParams) and params.protocol == (benchmark.card.protocol or "pointwise")
    asked: dict[str, int] = {}
    for request in params.asking.examples():
        category = str(request.metadata.get("category"))
        asked[category] = max(asked.get(category, 0), len(params.asking.questions(request)))
    counts = {group.rpartition("/")[2]: number for group, number in benchmark.expected().items()}
    if config.benchmark.type == "magicbrush":
        del counts["test"]  # it is not on the Hub
    text, _ = formulas(path)["judge calls"]
    calls = sum(number * asked.get(group, max(asked.values())) for group, number in counts.items())
    assert value_of(text) == calls * params.num_replies


@pytest.mark.parametrize("path", JUDGES, ids=name_of)
def test_a_judge_is_that_of_its_authors_with_what_its_command_adds(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    command = next(line for line in text.splitlines() if f"editeval score RUN configs/{name_of(path)}.yaml" in line)
    sets: dict[str, str] = dict(re.findall(r"--set ([a-z_.]+)=(\S+)", command))
    assert set(sets.values()) <= {"COMMIT", "OTHER_RUN"}
    said = tuple(f"{name}={value.replace('COMMIT', 'a1' * 20)}" for name, value in sets.items())
    config = load_config(path, Overrides(sets=said), environ={})
    params = config.reward_model.params if config.reward_model else None
    assert isinstance(params, AskParams) and not config.warnings
    use = official_use(params)
    assert use is not None and use.differs == ("words (own wording)", *params.asking.departs)
    for name, (formula, result) in formulas(path).items():
        assert f"{value_of(formula):.{len(result.partition('.')[2])}f}" == result, name
    request = next(iter(params.asking.examples()))
    assert value_of(formulas(path)["judge calls"][0]) == len(params.asking.questions(request)) * params.num_replies


@pytest.mark.parametrize("path", [path for path in OF_JUDGES if path not in JUDGES], ids=name_of)
def test_a_judge_for_any_benchmark_asks_as_the_benchmark_does(path: Path) -> None:
    config = load_config(path, Overrides(benchmark="gedit"), environ={})
    params = config.reward_model.params if config.reward_model else None
    assert isinstance(params, AskParams) and params.protocol == "gedit"
    for name, (formula, result) in formulas(path).items():
        assert f"{value_of(formula):.{len(result.partition('.')[2])}f}" == result, name


@pytest.mark.parametrize("path", MODELS, ids=name_of)
def test_steps_and_guidance_are_those_of_the_family(path: Path) -> None:
    params, family = loaded(path).diffusion_model.params, FAMILIES[NAMED.get(path.stem, path.stem)]
    assert params is not None
    steps = family.distilled_steps or family.num_inference_steps
    assert params.num_inference_steps == steps
    stated = re.findall(r"^    (\w*guidance_scale|true_cfg_scale): ([0-9.]+)$", path.read_text(encoding="utf-8"), re.M)
    assert {name: float(value) for name, value in stated}.items() <= family.guidance.items()
    text, _ = formulas(path)["edit time"]
    passes = 2 if stated and ("true_cfg_scale" in dict(stated) or "negative_prompt" in family.guidance) else 1
    passes = 1 if family.name == "flux_kontext" else passes
    assert text.startswith(f"606 x {steps} x {passes} x 2 x ")


def test_there_is_a_file_for_every_benchmark_and_for_the_models_that_run() -> None:
    names = plugins.available("benchmarks")
    published = {name for name in names if hasattr(plugins.load("benchmarks", name, False), "card")}
    assert published == {path.stem for path in BENCHMARKS}
    families = {NAMED.get(path.stem, path.stem) for path in MODELS}
    assert set(FAMILIES) - families == {"instruct_pix2pix", "qwen_image_2_1"}, "no checkpoint of theirs is named here"
