"""Which files a plug-in from outside consists of."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from editeval.machine.digest import digest_of_sources, sources_of

Load = Callable[[str, dict[str, str]], ModuleType]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """load(module, {file: source}) -> the module, imported from a folder on the Python path."""
    root = tmp_path / "plugins"
    root.mkdir()
    monkeypatch.syspath_prepend(root)

    def loaded(name: str, files: dict[str, str]) -> ModuleType:
        for file, source in files.items():
            path = root / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, encoding="utf-8")
        importlib.invalidate_caches()
        forget()
        return importlib.import_module(name)

    yield loaded
    forget()


def forget() -> None:
    for known in [name for name in sys.modules if name.startswith("zz_")]:
        del sys.modules[known]


PACKAGE = {
    "zz_mine/__init__.py": "",
    "zz_mine/editor.py": "import json, numpy\nfrom editeval.types import Editor\nfrom . import shade\n",
    "zz_mine/shade.py": "def level():\n    from zz_helper.deep import x\n    return x\n",
    "zz_mine/unused.py": "y = 1\n",
    "zz_helper/__init__.py": "",
    "zz_helper/deep.py": "x = 1\n",
}


def test_a_plugin_is_its_module_and_what_it_imports_that_is_no_library(load: Load) -> None:
    found = sources_of(load("zz_mine.editor", PACKAGE))
    assert sorted(found) == ["editor.py", "zz_helper", "zz_helper.deep", "zz_mine", "zz_mine.shade"]


@pytest.mark.parametrize("file", ["zz_mine/editor.py", "zz_mine/shade.py", "zz_helper/deep.py", "zz_mine/__init__.py"])
def test_a_change_in_any_of_them_is_another_plugin(load: Load, file: str) -> None:
    before = digest_of_sources(sources_of(load("zz_mine.editor", PACKAGE)))
    assert before == digest_of_sources(sources_of(load("zz_mine.editor", PACKAGE)))
    after = digest_of_sources(sources_of(load("zz_mine.editor", {**PACKAGE, file: f"{PACKAGE[file]}z = 1\n"})))
    assert after != before


def test_what_it_does_not_import_does_not_count(load: Load) -> None:
    before = sources_of(load("zz_mine.editor", PACKAGE))
    assert sources_of(load("zz_mine.editor", {**PACKAGE, "zz_mine/unused.py": "y = 2\n"})) == before


def test_a_module_of_its_own_with_a_sibling(load: Load) -> None:
    found = sources_of(load("zz_single", {"zz_single.py": "import zz_sibling\n", "zz_sibling.py": ""}))
    assert sorted(found) == ["zz_sibling", "zz_single.py"]


def test_modules_that_import_each_other_and_files_that_do_not_parse_end(load: Load) -> None:
    files = {"zz_a.py": "def f():\n    import zz_b, zz_c\n", "zz_b.py": "import zz_a\n", "zz_c.py": "not python ("}
    assert sorted(sources_of(load("zz_a", files))) == ["zz_a.py", "zz_b", "zz_c"]


def test_a_library_consists_of_its_own_package(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site-packages"
    (site / "zz_lib").mkdir(parents=True)
    (site / "zz_lib" / "__init__.py").write_text("from zz_lib import inner\nimport zz_other\n")
    (site / "zz_lib" / "inner.py").write_text("")
    (site / "zz_other.py").write_text("")
    monkeypatch.syspath_prepend(site)
    assert sorted(sources_of(load("zz_lib", {}))) == ["__init__.py", "zz_lib.inner"]


def test_a_module_further_down_the_path_goes_before_a_plain_folder_of_its_name(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = tmp_path / "later"
    later.mkdir()
    (later / "zz_aid.py").write_text("LEVEL = 1\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(later)])
    files = {"zz_one.py": "import zz_aid\n", "zz_aid/notes.txt": "no module\n"}
    before = sources_of(load("zz_one", files))
    assert sorted(before) == ["zz_aid", "zz_one.py"]
    (later / "zz_aid.py").write_text("LEVEL = 2\n")
    assert sources_of(load("zz_one", files)) != before


def test_a_package_without_init_lies_in_every_folder_of_the_path(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = tmp_path / "later" / "zz_spread"
    later.mkdir(parents=True)
    (later / "second.py").write_text("x = 1\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(later.parent)])
    files = {"zz_one.py": "from zz_spread import first, second\n", "zz_spread/first.py": "x = 1\n"}
    assert sorted(sources_of(load("zz_one", files))) == ["zz_one.py", "zz_spread.first", "zz_spread.second"]


class Cycle:
    """Its end runs Python, so that another thread may come in between."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        for _ in range(50):
            pass


@pytest.mark.slow
def test_threads_that_parse_at_the_same_time_are_not_in_each_others_way(load: Load) -> None:
    """CPython 3.11 raises SystemError in some of 1,000 plain calls of `ast.parse`."""
    module = load("zz_long", {"zz_long.py": "x = [a + b for a, b in () if a.b(b)]\n" * 60})
    errors: list[BaseException] = []

    def parse(depth: int) -> None:
        if depth:
            parse(depth - 1)
            return
        for _ in range(300):
            Cycle()
            try:
                sources_of(module)
            except SystemError as error:
                errors.append(error)

    thresholds = gc.get_threshold()
    interval = sys.getswitchinterval()
    gc.set_threshold(20, 2, 2)
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=parse, args=(depth,)) for depth in (0, 50, 150)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*thresholds)
        sys.setswitchinterval(interval)
    assert not errors
