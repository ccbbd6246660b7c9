"""Plug-ins are found by their file name, listed without being imported, and foreign code needs consent."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from editeval import plugins
from editeval.cli.list import list_names
from editeval.errors import ConfigError
from editeval.machine.digest import sources_of
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


def test_what_is_listed_are_the_modules_that_do_not_begin_with_an_underscore_and_the_named_classes() -> None:
    for kind in plugins.KINDS:
        folder = Path(str(plugins.__file__)).parent / kind
        modules = {p.stem for p in folder.glob("*.py") if not p.stem.startswith("_")}
        assert plugins.available(kind) == sorted(modules | plugins.CLASSES.get(kind, {}).keys())
    assert {"identity", "target", "classical", "simulated"} <= set(plugins.available("editors"))
    assert {"procedural", "image_folder", "json_records"} <= set(plugins.available("benchmarks"))
    assert "reference" in plugins.available("judges")


@pytest.mark.parametrize(("kind", "base"), [("editors", Editor), ("judges", Judge), ("benchmarks", Benchmark)])
def test_every_plug_in_loads_by_its_name_and_has_params_with_defaults(kind: str, base: type) -> None:
    for name in plugins.available(kind):
        cls = plugins.load(kind, name)
        assert issubclass(cls, base) and cls.__module__ == plugins.built_in(kind, name)[0]
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


EDITOR = """\
from editeval.types import Editor


class Mine(Editor):
    default_device = "cpu"

    def edit(self, request, progress):
        return None
"""


def written(folder: Path, name: str, text: str = EDITOR) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("spelling", ["{}", "{}:Mine"])
def test_a_file_is_a_plug_in_with_or_without_the_name_of_its_class(spelling: str, tmp_path: Path) -> None:
    path = written(tmp_path, "my_editor.py")
    cls = plugins.load("editors", spelling.format(path), allow_code=True)
    assert cls.__name__ == "Mine" and cls.Params() == cls.Params(), "without Params it has none"
    assert plugins.load("editors", str(path), allow_code=True) is cls
    with pytest.raises(ConfigError, match="add --allow-code"):
        plugins.load("editors", str(path))


def test_a_file_is_looked_for_beside_the_configuration_first_then_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, beside = tmp_path / "here", tmp_path / "beside"
    written(here, "one.py")
    written(here, "both.py")
    written(beside, "both.py")
    monkeypatch.chdir(here)
    assert plugins.absolute("both.py:Mine", beside) == f"{beside}/both.py:Mine"
    assert plugins.absolute("./one.py", beside) == f"{here}/one.py"
    assert plugins.absolute("nowhere.py", beside) == f"{beside}/nowhere.py"
    assert plugins.absolute("package.module:Mine", beside) == "package.module:Mine"
    assert plugins.absolute("identity", beside) == "identity"


def test_a_class_of_a_module_can_be_named_where_there_are_several() -> None:
    assert plugins.load("editors", "fakes.fake_editor:FakeEditor", allow_code=True).__name__ == "FakeEditor"
    with pytest.raises(ConfigError, match=r"'Other' is no Editor subclass in .*fake_editor\.py; it has: FakeEditor"):
        plugins.load("editors", "fakes.fake_editor:Other", allow_code=True)


def test_an_installed_package_s_entry_point_needs_no_consent_and_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, "installed_for_a_test/editor.py")
    points = "[editeval.editors]\ntheirs = installed_for_a_test.editor:Mine\nidentity = nobody.listens\n"
    written(tmp_path, "installed_for_a_test-1.0.dist-info/entry_points.txt", points)
    written(tmp_path, "installed_for_a_test-1.0.dist-info/METADATA", "Name: installed-for-a-test\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert plugins.load("editors", "theirs").__name__ == "Mine"
    assert plugins.load("editors", "identity").__module__ == "editeval.editors.identity", "ours cannot be replaced"
    with pytest.raises(ConfigError, match="did you mean 'theirs'"):
        plugins.load("editors", "their")
    assert list_names(Namespace(what="editors", name=None)) == 0
    listed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["theirs", "installed", "by", "installed-for-a-test"] in listed


BROKEN = {
    "a missing library": (
        "import nobody_has_this\n",
        "broken.py:1: ModuleNotFoundError: No module named 'nobody_has_this'",
    ),
    "a syntax error": (EDITOR + "    def load(self:\n", "broken.py:9: SyntaxError: "),
    "an error when it is imported": (EDITOR + "\nMine.speed = 1 / 0\n", "broken.py:10: ZeroDivisionError: division"),
    "an exit": ("raise SystemExit(3)\n", "broken.py:1: SystemExit: 3"),
    "no edit": (EDITOR.replace("def edit", "def other"), "broken.py:4: Mine has no edit(); every Editor needs it"),
    "no class": ("x = 1\n", "must define exactly one Editor subclass, got 0"),
    "two classes": (EDITOR + EDITOR.replace("Mine", "Yours"), "got 2; name one: "),
    "Params that are neither": (
        EDITOR.replace('    default_device = "cpu"', "    class Params:\n        x = 1"),
        "broken.py:4: Params must be a dataclass or a pydantic model, got Params",
    ),
    "an older name": (
        EDITOR.replace('    default_device = "cpu"', "    sees_reference = True"),
        "broken.py:4: `sees_reference` is called `sees_target`, and the target `request.target`",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("is_file", [True, False])
def test_what_is_wrong_with_code_of_one_s_own_is_one_line_with_its_file_and_line(
    name: str, is_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, words = BROKEN[name]
    package = f"broken_{abs(hash((name, is_file)))}"
    path = written(tmp_path, f"{package}/broken.py", text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        plugins.load("editors", str(path) if is_file else f"{package}.broken", allow_code=True)
    said = str(caught.value)
    assert words in said and "\n" not in said
    assert "editeval/plugin" not in said and "importlib" not in said


def test_files_beside_a_file_can_be_imported_either_way(tmp_path: Path) -> None:
    written(tmp_path, "beside_of_a_test.py", "NAME = 'beside'\n")
    text = f"import beside_of_a_test\nfrom . import beside_of_a_test as same\n{EDITOR}\nMine.name = same.NAME\n"
    assert plugins.load("editors", str(written(tmp_path, "with_help.py", text)), allow_code=True).name == "beside"


def test_the_code_of_a_plug_in_is_its_file_and_what_it_imports_of_its_folder(tmp_path: Path) -> None:
    written(tmp_path, "deep/__init__.py", "")
    written(tmp_path, "deep/er.py", "from . import sibling\n")
    written(tmp_path, "deep/sibling.py", "import json\n")
    written(tmp_path, "lazy.py", "")
    written(tmp_path, "unused.py", "")
    written(tmp_path, "site-packages/library.py", "")
    text = "import json\nfrom deep import er\n" + EDITOR + "        import lazy\n"
    cls = plugins.load("editors", str(written(tmp_path, "whole.py", text)), allow_code=True)
    assert list(sources_of(sys.modules[cls.__module__])) == ["deep", "deep.er", "deep.sibling", "lazy", "whole.py"]


def test_the_code_of_an_installed_package_ends_where_the_package_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "site-packages"
    written(root, "ours_of_a_test/__init__.py", "")
    written(root, "ours_of_a_test/plugin.py", f"import neighbour_of_a_test\nfrom ours_of_a_test import part\n{EDITOR}")
    written(root, "ours_of_a_test/part.py", "")
    written(root, "neighbour_of_a_test.py", "")
    monkeypatch.syspath_prepend(str(root))
    cls = plugins.load("editors", "ours_of_a_test.plugin", allow_code=True)
    found = sources_of(sys.modules[cls.__module__])
    assert list(found) == ["ours_of_a_test", "ours_of_a_test.part", "plugin.py"]


def test_files_beside_a_file_are_its_code_however_they_are_imported(tmp_path: Path) -> None:
    written(tmp_path, "near_of_a_test.py", "")
    written(tmp_path, "also_of_a_test.py", "")
    text = f"import near_of_a_test\nfrom . import also_of_a_test\n{EDITOR}"
    cls = plugins.load("editors", str(written(tmp_path, "has_both.py", text)), allow_code=True)
    assert list(sources_of(sys.modules[cls.__module__])) == ["also_of_a_test", "has_both.py", "near_of_a_test"]


TYPED = """\
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Inner:
    depth: int = 1


@dataclass(frozen=True)
class Settings:
    weights: Path
    sizes: tuple[int, ...] = (1,)
    inner: Inner = Inner()
"""


def test_a_worker_gets_the_parameters_that_were_checked_not_their_json(tmp_path: Path) -> None:
    text = f"{TYPED}\n\n{EDITOR}".replace('    default_device = "cpu"', "    Params = Settings")
    cls = plugins.load("editors", str(written(tmp_path, "typed.py", text)), allow_code=True)
    given = {"weights": "/models/x", "sizes": [1, 2], "inner": {"depth": 3}}
    params = plugins.params_of(cls, given)
    assert params == cls.Params(Path("/models/x"), (1, 2), type(params.inner)(3))
    assert isinstance(params.weights, Path)
