"""`evaluate` with functions of the calling program, what `Run` says of a run, and the examples as they stand."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import editeval
from editeval.errors import ConfigError, UserError

EXAMPLES = Path(__file__).parents[2] / "examples"
ROWS = [
    {"image": Image.new("RGB", (32, 32), (shade, 0, 0)), "instruction": f"<b>{shade}</b>", "id": f"s{shade}"}
    for shade in (0, 50, 100, 150, 200, 250)
] + [{"image": b"no picture", "instruction": "x", "id": "broken"}]


def bright(source: Image.Image, edited: Image.Image, instruction: str) -> float:
    del source, instruction
    red = edited.getpixel((0, 0))
    assert isinstance(red, tuple)
    return red[0] / 25.5


def same(image: Image.Image, instruction: str) -> Image.Image:
    del instruction
    return image


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    found = tmp_path_factory.mktemp("python")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(found)
        yield found


@pytest.fixture(scope="module")
def run(folder: Path) -> editeval.Run:
    return editeval.evaluate(editor=same, judge=bright, benchmark=ROWS, progress=False)


def test_functions_of_a_program_make_a_run(run: editeval.Run) -> None:
    assert run.exit_code == 3, "one source is no picture"
    found = {row["id"]: row for row in run.scores()}
    assert [found[f"s{shade}"]["score"] for shade in (0, 250)] == [0.0, pytest.approx(250 / 25.5)]
    assert found["broken"]["score"] is None and found["broken"]["score_reason"] == "bad_source"
    assert found["s50"]["edit"].is_file() and found["broken"]["edit"] is None
    (macro,) = [row for row in run.summary() if row["category"] == "macro"]
    assert macro["num_scored"] == 6 and macro["num_failed"] == 1 and run.report().is_file()


def test_nothing_that_a_function_made_is_taken_over_but_edits_of_known_code_are(run: editeval.Run) -> None:
    again = editeval.evaluate(editor=same, judge=bright, benchmark=ROWS, progress=False)
    assert again.path != run.path
    known = {"editor": {"type": "identity", "execution": {"backend": "inprocess"}}, "benchmark": ROWS}
    one = editeval.evaluate(judge=bright, progress=False, **known)
    other = editeval.evaluate(judge=lambda source, edited, text: 1.0, progress=False, **known)
    assert one.path == other.path and other.scores()[5]["score"] == 1.0, "the edits stay, and are judged anew"


def test_a_run_is_shown_short_and_as_html_with_small_pictures_and_escaped_texts(run: editeval.Run) -> None:
    assert len(repr(run)) < 200 and "score 4.90" in repr(run) and "85.7 % of 7 samples scored" in repr(run)
    page = run._repr_html_()
    assert page.count("<img") == 6 and len(page) < 20_000
    assert "<b>" not in page and "&lt;b&gt;50" in page


def test_a_run_is_compared_with_another_one(run: editeval.Run) -> None:
    darker = editeval.evaluate(
        editor=lambda image, text: image.point(lambda value: value // 2), judge=bright, benchmark=ROWS, progress=False
    )
    found = run.compare(darker.path)["pairs"][0]["overall"]
    assert (found["wins"], found["losses"]) == (5, 0) and found["num_shared"] == 6


def test_a_file_s_judge_is_replaced_and_its_own_code_still_needs_consent(folder: Path) -> None:
    (folder / "c.yaml").write_text(
        "benchmark: {type: procedural, params: {num_per_category: 1, size: 64}}\n"
        "diffusion_model: {type: my_editor.py}\nreward_models: {a: {type: reference}, b: {type: openai_chat}}\n"
    )
    (folder / "my_editor.py").write_text("raise SystemExit('was run')\n")
    with pytest.raises(ConfigError, match="is code from outside editeval"):
        editeval.evaluate("c.yaml", judge=bright, progress=False)
    found = editeval.evaluate("c.yaml", editor=same, judge=bright, progress=False)
    assert [row["metric"] for row in found.summary() if row["category"] == "macro"] == ["score"]


def test_in_another_program_its_name_says_what_to_do(run: editeval.Run) -> None:
    from editeval import plugins

    with pytest.raises(ConfigError, match=r"'other' was given by a Python program.*into a file.*my_edit\.py"):
        plugins.load("editors", f"other{plugins.GIVEN}")


def test_what_cannot_be_given_is_one_line(folder: Path) -> None:
    for given, words in (({"editor": 3}, "must be callable"), ({"benchmark": iter(ROWS)}, "can be read only once")):
        with pytest.raises(ConfigError, match=words):
            editeval.evaluate(progress=False, **given)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="progress: must be True, False or one of"):
        editeval.evaluate(editor=same, benchmark=ROWS, progress="fancy")
    with pytest.raises(UserError, match="is no run directory"):
        editeval.open_run(folder)


def test_the_line_of_a_notebook_is_written_over_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    editeval.evaluate(editor=same, benchmark=ROWS, progress="line")
    said = capsys.readouterr()
    assert said.out.startswith("\rStatus: ") and said.out.count("\n") == 1
    assert "INFO" not in said.err and "WARNING broken: edit failed" in said.err


SAID = {
    "own_editor": r"^Run\('outputs/.*, 100 % of 10 samples scored",
    "own_judge": "^changed: 0.00, 100% scored$",
    "own_benchmark": "^0000 light 10.0$",
    "judge_images": r"^a.png \{'l1': 0.41",
    "compare_two": r"^evaluate-\w+ and evaluate-\w+ on overall: difference ",
}


def test_every_example_is_run_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == SAID.keys()
    assert not [name for name in SAID if len((EXAMPLES / f"{name}.py").read_text("utf-8").splitlines()) > 40]


@pytest.mark.slow
@pytest.mark.parametrize("name", SAID)
def test_an_example_runs_in_an_empty_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert re.search(SAID[name], capsys.readouterr().out, re.MULTILINE)


def test_the_cells_of_the_notebook_run_one_after_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a kernel, whose package is large: the cells are one program. The picture is that of its last run."""
    cells = json.loads((EXAMPLES / "notebook.ipynb").read_text("utf-8"))["cells"]
    code = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    program = tmp_path / "notebook.py"
    program.write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    left = runpy.run_path(str(program))
    assert left["run"].exit_code == 0 and "<img" in left["run"]._repr_html_()


def test_the_blocks_of_the_pages_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The editor, the judge and the benchmark together, and the Python by itself: the last blocks of four pages."""
    docs = EXAMPLES.parent / "docs"
    blocks = [
        re.findall(r"```python\n(.*?)```", (docs / f"{page}.md").read_text("utf-8"), re.DOTALL)[-1]
        for page in ("your_model", "your_judge", "your_data", "your_code")
    ]
    monkeypatch.chdir(tmp_path)
    for name, text in zip(("my_editor", "my_judge", "my_data", "program"), blocks, strict=True):
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    Image.new("RGB", (64, 48), (90, 40, 200)).save("a.png")
    Path("edits.csv").write_text("picture,category,instruction\na.png,light,brighten\n", encoding="utf-8")
    inprocess = {"execution": {"backend": "inprocess"}}
    found = editeval.evaluate(
        editor={"type": "my_editor.py:MyModel", "params": {"strength": 0.5}, **inprocess},
        judge={"type": "my_judge.py", **inprocess},
        benchmark={"type": "my_data.py"},
        progress=False,
        allow_code=True,
    )
    assert found.exit_code == 0 and found.scores()[0]["red"] == 45
    runpy.run_path("program.py")
