"""Functions, callables and iterables of one's own as editor, judge and benchmark: no class of ours, no Params."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from command_line import cli
from editeval import plugins
from editeval.errors import BadOutputError, BenchmarkError, ConfigError
from editeval.images import encode_png
from editeval.types import EditRequest, JudgeRequest, Metric

EDITOR = """
    from pathlib import Path

    class Fade:
        def __init__(self, device, strength: float = 0.5):
            self.device, self.strength = device, strength

        def __call__(self, image, instruction, *, seed):
            return image.point(lambda value: int(value * self.strength))
"""
JUDGE = """
    def judge(source, edited, instruction):
        share = edited.getpixel((0, 0))[0] / max(1, source.getpixel((0, 0))[0])
        odd = {"none": None, "nan": float("nan"), "far": 7}.get(instruction, share)
        return {"share": odd, "loss": 1 - share, "reply": f"share {share:.2f}"}

    judge.metrics = {"share": (0, 1), "loss": (None, 1, "lower")}
"""
DATA = """
    from PIL import Image

    def samples(shade: int = 100):
        for instruction in ("plain", "none", "nan", "far"):
            yield {"image": Image.new("RGB", (64, 64), (shade, 0, 0)), "instruction": instruction, "id": instruction}
"""
YAML = """
    benchmark: {type: my_data.py, params: {shade: 200}}
    diffusion_model: {type: 'my_editor.py:Fade', params: {strength: 0.25}, execution: {backend: inprocess}}
    reward_model: {type: my_judge.py, execution: {backend: inprocess}}
"""


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        suffix = ".yaml" if name == "config" else ".py"
        (folder / f"{name}{suffix}").write_text(textwrap.dedent(text), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = written(tmp_path_factory.mktemp("own"), my_editor=EDITOR, my_judge=JUDGE, my_data=DATA, config=YAML)
    done = cli("run", "config.yaml", "--allow-code", "--display", "none", cwd=folder)
    assert done.returncode == 3, done.stderr  # three samples are unscored
    return folder


def test_a_class_a_function_and_a_generator_make_a_run(ran: Path) -> None:
    lines = (ran / "outputs" / "latest" / "samples.jsonl").read_text("utf-8").splitlines()
    found = {one["id"]: one["scores"] for one in map(json.loads, lines)}
    assert found["plain"]["share"]["value"] == 0.25 and found["plain"]["loss"]["value"] == 0.75
    shown = cli("show", "latest", "plain", cwd=ran).stdout
    assert "share 0.25" in shown, "`reply` of the dict is kept as what the judge said"


def test_what_is_no_number_on_its_scale_is_unscored_and_says_why(ran: Path) -> None:
    lines = (ran / "outputs" / "latest" / "samples.jsonl").read_text("utf-8").splitlines()
    found = {one["id"]: one["scores"]["share"] for one in map(json.loads, lines)}
    reasons = {name: score["reason"] for name, score in found.items() if score["value"] is None}
    assert reasons == {"none": "no_answer", "nan": "not_a_number", "far": "out_of_range"}


def test_another_source_is_another_run_and_in_one_process_the_new_code_runs(tmp_path: Path) -> None:
    files = {"my_judge": JUDGE, "my_data": DATA, "config": YAML, "helping_of_a_test": "FACTOR = 1\n"}
    editor = EDITOR.replace("from pathlib import Path", "from helping_of_a_test import FACTOR")
    folder = written(tmp_path, my_editor=editor.replace("* self.str", "* FACTOR * self.str"), **files)
    first = cli("run", "config.yaml", "--allow-code", "--display", "none", cwd=folder)
    (folder / "helping_of_a_test.py").write_text("FACTOR = 2.0\n", encoding="utf-8")
    again = cli("run", "config.yaml", "--allow-code", "--display", "none", cwd=folder)
    assert first.returncode == again.returncode == 3
    found = []
    for run in (folder / "outputs").glob("config-*"):
        lines = (run / "samples.jsonl").read_text("utf-8").splitlines()
        found += [one["scores"]["share"]["value"] for one in map(json.loads, lines) if one["id"] == "plain"]
    assert sorted(found) == [0.25, 0.5]


def load(folder: Path, kind: str, text: str, name: str = "") -> type[Any]:
    path = folder / f"own_{abs(hash(text))}.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return plugins.load(kind, f"{path}{name}", allow_code=True)


def edited(cls: type[Any], **overrides: object) -> Any:
    editor = cls(cls.Params())
    editor.load("cpu")
    source = encode_png(Image.new("RGB", (8, 8), (1, 2, 3)))
    return editor.edit(EditRequest("x", (source,), "do it", 7, overrides), lambda step, of: None)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("def edit(image, instruction, *, seed):\n return image.size, instruction, seed", "", ((8, 8), "do it", 7)),
        ("def edit(img, prompt, seed=0):\n return prompt, seed", "", ("do it", 7)),
        ("def edit(images, prompt):\n return len(images), prompt", "", (1, "do it")),
        ("def edit(prompt, image):\n return prompt, image.mode", "", ("do it", "RGB")),
        ("def other(image, /, instruction, *, device, k=3):\n return instruction, device, k", ":other", ("do it",) * 1),
        ("class A:\n def __call__(self, image, text, seed):\n  return text, seed", ":A", ("do it", 7)),
        ("import functools\ndef f(n, image, text):\n return n, text\nmine = functools.partial(f, 5)", ":mine", (5,)),
    ],
)
def test_a_call_gets_what_its_parameters_are_called_or_in_order(
    text: str, name: str, expected: tuple[object, ...], tmp_path: Path
) -> None:
    assert edited(load(tmp_path, "editors", text, name))[: len(expected)] == expected


def test_parameters_with_plain_defaults_are_params_and_a_call_can_override_them(tmp_path: Path) -> None:
    text = "M = object()\ndef edit(image, text, *, k: int = 3, s='a', x=0.5, model=M):\n return k, s, x, model is M"
    cls = load(tmp_path, "editors", text)
    assert edited(cls) == (3, "a", 0.5, True) and edited(cls, k=4)[0] == 4
    assert list(cls.Params.__dataclass_fields__) == ["k", "s", "x"]
    with pytest.raises(ConfigError, match="has no parameter 'strength'"):
        edited(cls, strength=1)


@pytest.mark.parametrize(
    ("kind", "text", "name", "words"),
    [
        ("editors", "def edit(*, prompt): ...", "", "edit(*, prompt): takes no image; it is called as "),
        ("editors", "async def edit(image, text): ...", "", "is async; make it a plain function"),
        ("editors", "def make(image, text): ...", "", "got 0, and no function `edit`; it has make: name one, "),
        ("editors", "class A:\n x = 1", ":A", "'A' is no Editor subclass in "),
        ("editors", "x = 3", ":x", "'x' is no Editor subclass in "),
        ("judges", "def judge(a, b): ...\njudge.metrics = ['a']", "", "metrics must be a dict such as "),
        ("judges", "def judge(a, b): ...\njudge.metrics = {'m': (1, 0)}", "", "metrics: metric m: low must be less"),
        ("judges", "def judge(a, b): ...\njudge.metrics = {'m': (0, 1, 'best')}", "", "got 'm': (0, 1, 'best')"),
        ("judges", "def judge(*, source): ...", "", "takes no edited; it is called as "),
        ("benchmarks", "samples = (x for x in ())", "", "can be read only once; make it a function, or a list"),
    ],
)
def test_what_cannot_be_called_is_one_line(kind: str, text: str, name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, kind, text, name)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def judged(cls: type[Any]) -> Any:
    judge = cls(cls.Params())
    judge.load(["cpu"])
    picture = encode_png(Image.new("RGB", (8, 8), (1, 2, 3)))
    ((score,),) = judge.judge([JudgeRequest("x", (picture,), picture, "do it")])
    return score.value


@pytest.mark.parametrize("value", ["7", "7.0", "numpy.float32(7)", "numpy.array([7])", "{'score': 7}"])
def test_a_number_of_any_library_is_a_score_of_0_to_10(value: str, tmp_path: Path) -> None:
    cls = load(tmp_path, "judges", f"import numpy\ndef judge(source, edited, instruction):\n return {value}")
    assert judged(cls) == 7 and cls.scales_of(None) == {"score": Metric("score", 0, 10)}


@pytest.mark.parametrize("value", ["'7'", "True", "[7, 8]", "{'other': 7}", "numpy.array([7, 8])"])
def test_anything_else_is_no_score(value: str, tmp_path: Path) -> None:
    cls = load(tmp_path, "judges", f"import numpy\ndef judge(source, edited, instruction):\n return {value}")
    with pytest.raises(BadOutputError, match=r"returned .*(return a number|metrics are score)"):
        judged(cls)


PNG = "b'not read yet'"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("3", "sample 0: must be a dict with image and instruction, got int"),
        ("{'instruction': 'x'}", "needs `image`, or a list of `images`, got neither"),
        (f"{{'image': {PNG}}}", "no instruction"),
        (f"{{'image': {PNG}, 'instruction': 'x', 'targt': {PNG}}}", "no field 'targt'; did you mean 'target'?"),
        (f"{{'image': {PNG}, 'instruction': 'x', 'zoom': 1}}", "keep what is your own in `metadata`"),
        (f"{{'image': {PNG}, 'instruction': 'x', 'metadata': {{'a': {{1}}}}}}", "metadata: must be JSON values"),
        (f"{{'image': {PNG}, 'instruction': 'x', 'id': 1.5}}", "id must be text, got 1.5"),
        (f"{{'images': {PNG}, 'instruction': 'x'}}", "images: must be a list of images, got bytes"),
        ("{'image': 3, 'instruction': 'x'}", "must be a path, bytes or a PIL image, got int"),
    ],
)
def test_a_row_that_is_no_sample_is_one_line(row: str, words: str, tmp_path: Path) -> None:
    cls = load(tmp_path, "benchmarks", f"samples = [{row}]")
    with pytest.raises(BenchmarkError) as caught:
        list(cls(cls.Params()))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_ids_are_numbers_categories_all_and_paths_beside_the_file(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    cls = load(tmp_path, "benchmarks", "samples = [{'image': 'a.png', 'instruction': 'x'}] * 2")
    first, second = cls(cls.Params())
    assert (first.id, second.id, first.category) == ("0000", "0001", "all")
    assert first.cluster == second.cluster, "of one picture"
    before = cls(cls.Params()).fingerprint()
    Image.new("RGB", (8, 9)).save(tmp_path / "a.png")
    assert cls(cls.Params()).fingerprint() != before


def test_an_id_twice_and_no_samples_are_one_line(tmp_path: Path) -> None:
    row = f"{{'image': {PNG}, 'instruction': 'x', 'id': 'a'}}"
    for text, words in ((f"samples = [{row}, {row}]", "the id 'a' is taken"), ("def samples():\n return []", "no sam")):
        cls = load(tmp_path, "benchmarks", text)
        with pytest.raises(BenchmarkError, match=words):
            list(cls(cls.Params()))


def test_a_class_that_is_iterated_over_has_params_and_may_yield_samples_of_ours(tmp_path: Path) -> None:
    text = """
        from editeval import Sample
        from editeval.images import BytesImage
        class Mine:
            def __init__(self, n: int = 2):
                self.n = n
            def __iter__(self):
                return iter([Sample(str(i), "c", (BytesImage(b"x"),), "do it") for i in range(self.n)])
    """
    cls = load(tmp_path, "benchmarks", text, ":Mine")
    assert [sample.id for sample in cls(cls.Params(n=3))] == ["0", "1", "2"]


def test_every_public_name_is_what_it_says_and_importing_the_package_is_light(run_python: Callable[..., str]) -> None:
    code = "import sys, editeval\nheavy = {'PIL', 'numpy', 'yaml', 'rich', 'torch'}\n"
    code += "print(sorted(heavy & set(sys.modules)))\n"
    code += "print(all(getattr(editeval, name) is not None for name in editeval.__all__), 'torch' in sys.modules)\n"
    assert run_python(code).split("\n")[:2] == ["[]", "True False"]


@pytest.fixture
def run_python() -> Callable[..., str]:
    import subprocess
    import sys

    def run(code: str) -> str:
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    return run
