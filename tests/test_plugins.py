"""Plug-ins are found by their file name, listed without being imported, and foreign code needs consent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from editeval import plugins
from editeval.errors import ConfigError
from editeval.types import Benchmark, Editor, Judge

LISTING = """
import sys
from editeval import plugins
listed = {f"editeval.{kind}.{name}" for kind in plugins.KINDS for name in plugins.available(kind)}
heavy = {"torch", "diffusers", "transformers", "scipy", "PIL", "numpy", "yaml", "pydantic", "jinja2", "rich"}
print(len(listed), sorted((listed | heavy) & set(sys.modules)))
"""


def test_listing_imports_no_plug_in_and_no_library() -> None:
    done = subprocess.run([sys.executable, "-c", LISTING], capture_output=True, text=True, check=True, timeout=60)
    count, _, imported = done.stdout.strip().partition(" ")
    assert int(count) >= 8 and imported == "[]"


def test_what_is_listed_are_the_modules_that_do_not_begin_with_an_underscore() -> None:
    for kind in plugins.KINDS:
        folder = Path(str(plugins.__file__)).parent / kind
        assert plugins.available(kind) == sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_"))
    assert {"identity", "target", "classical", "simulated"} <= set(plugins.available("editors"))
    assert {"procedural", "image_folder", "json_records"} <= set(plugins.available("benchmarks"))
    assert "reference" in plugins.available("judges")


@pytest.mark.parametrize(("kind", "base"), [("editors", Editor), ("judges", Judge), ("benchmarks", Benchmark)])
def test_every_plug_in_loads_by_its_name_and_has_params_with_defaults(kind: str, base: type) -> None:
    for name in plugins.available(kind):
        cls = plugins.load(kind, name)
        assert issubclass(cls, base) and cls.__module__ == f"editeval.{kind}.{name}"
        assert cls.Params() == cls.Params()
        assert (sys.modules[cls.__module__].__doc__ or "").strip(), f"{name} has no card"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("identiy", "editors: no type 'identiy'; did you mean 'identity'? available: "),
        ("zzz", "editors: no type 'zzz'; available: "),
        ("_hidden", "editors: no type '_hidden'; "),
        ("rules", "editors: no type 'rules'; "),
        ("", "editors: no type ''; "),
        ("../os", "editors: '../os' is code from outside editeval; "),
        ("os.path", "editors: 'os.path' is code from outside editeval; "),
    ],
)
def test_an_unknown_name_is_one_line_with_a_suggestion(name: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plugins.load("editors", name)
    assert str(caught.value).startswith(words) and "\n" not in str(caught.value)


def test_foreign_code_is_not_imported_without_consent() -> None:
    code = (
        "import sys\nfrom editeval import plugins\nfrom editeval.errors import ConfigError\n"
        "try:\n    plugins.load('editors', 'fakes.fake_editor')\nexcept ConfigError as error:\n    print(error)\n"
        "print('fakes' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    line, imported = done.stdout.splitlines()
    assert "add --allow-code or set EDITEVAL_ALLOW_CODE=1" in line and imported == "False"


def test_foreign_code_loads_with_consent() -> None:
    assert plugins.load("editors", "fakes.fake_editor", allow_code=True).__name__ == "FakeEditor"
    assert plugins.load("judges", "fakes.fake_judge", allow_code=True).__name__ == "FakeJudge"


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("editors", "fakes.absent", "no module 'fakes.absent' on the Python path"),
        ("editors", "absent_package.module", "no module 'absent_package.module' on the Python path"),
        ("judges", "fakes.fake_editor", "must define exactly one Judge subclass, got 0"),
        ("editors", "two_editors_of_a_test.plugin", "must define exactly one Editor subclass, got 2"),
    ],
)
def test_foreign_code_that_is_no_plug_in_is_one_line(
    kind: str, name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "two_editors_of_a_test"
    package.mkdir()
    cls = "class {}(Editor):\n    def edit(self, request, progress):\n        return None\n\n\n"
    text = f"from editeval.types import Editor\n\n\n{cls.format('One')}{cls.format('Two')}"
    (package / "plugin.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        plugins.load(kind, name, allow_code=True)
    assert words in str(caught.value)


def test_a_missing_library_of_foreign_code_keeps_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "needy_package_of_a_test"
    package.mkdir()
    (package / "plugin.py").write_text("import a_library_that_nobody_has\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="a_library_that_nobody_has"):
        plugins.load("editors", "needy_package_of_a_test.plugin", allow_code=True)
