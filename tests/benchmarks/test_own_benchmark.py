"""The benchmark that the documentation shows is short, keeps the contract and runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from command_line import cli
from contracts.benchmark_contract import check_benchmark
from editeval import plugins
from editeval.errors import BenchmarkError

DOCS = Path(__file__).parents[2] / "docs"


def shown(page: str) -> tuple[str, str]:
    """The Python file and the configuration of its section."""
    section = re.split(r"^##+ ", (DOCS / page).read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = next(part for part in section if "my_photos.py" in part)
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)[0], re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    python, yaml = shown("configuration.md")
    (tmp_path / "my_photos.py").write_text(python, encoding="utf-8")
    (tmp_path / "my.yaml").write_text(yaml, encoding="utf-8")
    (tmp_path / "photos").mkdir()
    Image.linear_gradient("L").resize((64, 48)).rotate(90).convert("RGB").save(tmp_path / "photos" / "sea.png")
    rows = "picture,category,instruction\nsea.png,light,make it brighter\nsea.png,shape,mirror the picture\n"
    (tmp_path / "photos" / "edits.csv").write_text(rows, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_benchmark_of_ones_own_is_one_file_of_less_than_60_lines_the_same_in_both_languages() -> None:
    assert shown("configuration.md") == shown("configuration.zh-CN.md")
    assert shown("configuration.md")[0].count("\n") < 60


def test_it_keeps_the_contract(folder: Path) -> None:
    cls = plugins.load("benchmarks", str(folder / "my_photos.py"), allow_code=True)
    check_benchmark(cls, cls.Params())
    before = cls(cls.Params()).fingerprint()
    Image.new("RGB", (64, 48), (90, 120, 201)).save(folder / "photos" / "sea.png")
    assert cls(cls.Params()).fingerprint() != before
    with pytest.raises(BenchmarkError, match="no picture of the category 'people'"):
        cls(cls.Params(category="people"))


def test_it_runs_as_the_page_says(folder: Path) -> None:
    done = cli("run", "my.yaml", "--allow-code", cwd=folder)
    assert len(list((folder / "outputs" / "latest" / "edits").glob("*.png"))) == 2, done
