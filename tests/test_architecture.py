"""The house rules that a machine can hold: who imports whom, how long files are, where things may be caught."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src" / "editeval"
FILES = sorted(SRC.rglob("*.py"))

LEVELS = {
    **dict.fromkeys(("types", "errors"), 0),
    **dict.fromkeys(
        (
            "machine",
            "images",
            "plugins",
            "plugin_errors",
            "prompts",
            "categories",
            "http",
            "hub",
            "numbers",
            "redaction",
            "rungs",
            "text",
        ),
        1,
    ),
    **dict.fromkeys(("config", "viewer"), 2),
    "certificates": 3,
    **dict.fromkeys(
        ("benchmarks", "editors", "judges", "execution", "store", "stats", "reports", "doctor", "display"), 3
    ),
    **dict.fromkeys(("selection", "plan", "preparation", "stages", "run", "rereading"), 4),
    **dict.fromkeys(("reporting", "pipeline", "certification"), 4),
    **dict.fromkeys(("api", "commands", "cli", "__main__"), 5),
}
ORDER_IN_LEVEL = {
    "errors": 1,
    "text": 1,
    "types": 0,
    "plugin_errors": 0,
    "plugins": 1,
    "selection": -1,
    "plan": 0,
    "run": 2,
    "stages": 1,
    "reporting": 3,
    "preparation": 1,
    "pipeline": 4,
    "certification": 5,
    "rereading": 3,
    "api": 0,
    "commands": 0,
    "cli": 1,
    "__main__": 2,
}
CARRIERS = (
    "worker.py",
    "dispatch.py",
    "plugin_errors.py",
)  # what a model raises becomes a Failure; what a thread raises is raised in the loop; what a plug-in raises, one line
HEAVY = {
    "torch",
    "torchvision",
    "diffusers",
    "transformers",
    "accelerate",
    "vllm",
    "ray",
    "scipy",
    "skimage",
    "openai",
    "datasets",
    "pyarrow",
}
CONFIG_LIBRARIES = {"pydantic", "yaml"}
REPORT_LIBRARIES = {"rich"}


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[tuple[str, int, bool]]:
    """(module, line, inside a function or under TYPE_CHECKING) of every import, function-local ones too."""

    def walk(node: ast.AST, is_deferred: bool) -> Iterator[tuple[str, int, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, child.lineno, is_deferred) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                assert child.level == 0, f"line {child.lineno}: imports are absolute"
                if child.module == "editeval":
                    yield from ((f"editeval.{alias.name}", child.lineno, is_deferred) for alias in child.names)
                else:
                    yield child.module, child.lineno, is_deferred
            is_typing = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, is_deferred or is_function or is_typing)

    yield from walk(tree, False)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_a_module_imports_only_from_lower_levels_and_rooms_never_from_each_other(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    for module, line, _ in imports(parsed(path)):
        parts = module.split(".")
        if parts[0] != "editeval" or len(parts) < 2 or parts[1] == room:
            continue
        mine = (LEVELS[room], ORDER_IN_LEVEL.get(room, 0))
        theirs = (LEVELS[parts[1]], ORDER_IN_LEVEL.get(parts[1], 0))
        assert theirs < mine, f"{path.name}:{line}: {room} (level {mine}) imports {module} (level {theirs})"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_heavy_libraries_are_imported_inside_functions_of_level_3_only(path: Path) -> None:
    for module, line, is_deferred in imports(parsed(path)):
        top = module.split(".")[0]
        if top in HEAVY:
            assert is_deferred and LEVELS[room_of(path)] == 3, f"{path.name}:{line}: {module}"
        if top in CONFIG_LIBRARIES:
            assert room_of(path) in ("config", "reports", "api"), (
                f"{path.name}:{line}: {module} belongs to the boundary"
            )
        if top in REPORT_LIBRARIES:
            assert is_deferred and LEVELS[room_of(path)] >= 3, f"{path.name}:{line}: {module} would slow the start"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 350, f"{path.name}: {text.count(chr(10))} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 60, f"{path.name}:{node.lineno}: {node.name} has {length} lines"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_only_the_worker_catches_everything(path: Path) -> None:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            raises_again = any(isinstance(n, ast.Raise) and n.exc is None for n in ast.walk(node))
            is_broad = caught in ("everything", "Exception", "BaseException")
            assert not is_broad or raises_again or path.name in CARRIERS, f"{path.name}:{node.lineno}: {caught}"


def test_package_inits_are_empty() -> None:
    for path in SRC.rglob("*/__init__.py"):
        assert not path.read_text(encoding="utf-8").strip(), path


def test_nothing_is_pickled_or_evaluated() -> None:
    for path in FILES:
        tree = parsed(path)
        assert not {m.split(".")[0] for m, _, _ in imports(tree)} & {"pickle", "dill", "marshal", "shelve"}, path
        names = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        assert not names & {"eval", "exec"}, path


def test_every_room_and_module_has_a_level() -> None:
    assert {room_of(path) for path in FILES} - {"__init__"} <= set(LEVELS)
