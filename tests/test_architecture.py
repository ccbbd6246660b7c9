"""The rules of the code that a machine can check, one test per rule: imports, sizes, broad handlers, names."""

from __future__ import annotations

import ast
import graphlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

SRC = Path(__file__).parent.parent / "src" / "editeval"
FILES = sorted(SRC.rglob("*.py"))

# package or module of the root -> those it may import, besides `types` and `errors`, which all may
ALLOWED = {
    # what everything stands on
    "metrics": (),
    "types": ("metrics",),
    "errors": (),
    "redaction": (),
    "rungs": (),
    "text": ("redaction",),
    "files": (),
    "images": (),
    "prompts": (),
    "plugin_errors": (),
    "machine": (),
    "own_code": ("images", "machine"),
    "plugins": ("own_code", "plugin_errors", "redaction"),
    # what a user can replace; plug-ins import no other plug-in
    "http": ("text",),
    "benchmarks": ("config", "images", "machine", "plugins", "prompts", "rungs"),
    "editors": ("http", "images", "machine", "rungs", "text"),
    "judges": ("http", "images", "machine", "metrics", "prompts", "text"),
    # the parts of a run
    "config": ("files", "http", "machine", "plugins", "prompts", "redaction", "text"),
    "stats": ("store",),
    "certificates": ("files", "images", "prompts", "stats", "store"),
    "execution": ("config", "images", "machine", "plugin_errors", "plugins", "redaction", "text"),
    "store": ("config", "files", "images", "machine", "metrics", "prompts", "text"),
    "display": ("files", "machine", "text"),
    "trackers": ("config", "display", "images", "redaction", "text"),
    "reports": ("files", "images", "machine", "plugins", "store", "text"),
    "viewer": ("files", "reports"),
    # what puts them together
    "run": (
        *("benchmarks", "certificates", "config", "display", "execution", "files", "images", "judges"),
        *("machine", "metrics", "plugin_errors", "plugins", "preferences", "prompts", "redaction"),
        *("reports", "stats", "store", "text", "trackers"),
    ),
    "reproduce": ("files", "judges", "metrics", "stats"),
    "preferences": ("benchmarks", "files", "reproduce", "stats"),
    "api": ("config", "execution", "images", "machine", "plugins", "run", "store"),
    "evaluation": ("api", "config", "display", "images", "machine", "plugins", "reports", "run", "store", "text"),
    "cli": (
        *("certificates", "config", "display", "execution", "files", "images", "machine", "plugin_errors", "plugins"),
        *("preferences", "redaction", "reports", "reproduce", "run", "stats", "store", "text", "viewer"),
    ),
    "__main__": ("cli",),
}
PLUGINS = ("benchmarks", "editors", "judges")
# library -> packages that may import it; True: inside functions only
LIBRARIES = {
    **dict.fromkeys(
        ("torch", "torchvision", "torchmetrics", "diffusers", "transformers", "accelerate"), (True, PLUGINS)
    ),
    **dict.fromkeys(("vllm", "skimage", "openai", "datasets"), (True, PLUGINS)),
    "scipy": (True, (*PLUGINS, "stats")),
    "pyarrow": (True, (*PLUGINS, "reports")),
    "ray": (True, ("execution",)),
    **dict.fromkeys(("wandb", "trackio", "mlflow", "swanlab"), (True, ("trackers",))),
    "rich": (True, ("text", "reports", "display", "run", "cli")),
    "pydantic": (True, ("config", "reports", "api")),
    "yaml": (False, ("config", "judges", "text")),
    "jinja2": (True, ("reports",)),
}
# What a model raises becomes a Failure; what a thread raises is raised in the loop; what a plug-in raises, one line; so
# is what the library of a tracking service raises.
CATCH_EVERYTHING = ("worker.py", "dispatch.py", "plugin_errors.py", "tracking.py")
MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 6


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def package_of(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def at(path: Path, line: int) -> str:
    return f"{path.relative_to(SRC)}:{line}"


def imports(tree: ast.AST) -> Iterator[tuple[str, int, bool]]:
    """(module, line, inside a function or under TYPE_CHECKING) of every import."""

    def walk(node: ast.AST, is_deferred: bool) -> Iterator[tuple[str, int, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, child.lineno, is_deferred) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0 and child.module, f"line {child.lineno}: imports are absolute"
                if child.module == "editeval":
                    yield from ((f"editeval.{alias.name}", child.lineno, is_deferred) for alias in child.names)
                else:
                    yield child.module, child.lineno, is_deferred
            is_typing = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, is_deferred or is_function or is_typing)

    yield from walk(tree, False)


def arrows() -> Iterator[tuple[str, str, str]]:
    """(package, package it imports, where) of every import between packages, those inside functions too."""
    for path in FILES:
        for module, line, _ in imports(parsed(path)):
            top, _, rest = module.partition(".")
            target = rest.split(".")[0]
            if top == "editeval" and target and target != package_of(path):
                yield package_of(path), target, at(path, line)


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(parsed(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def broken(rule: Callable[[Path], Iterator[str]]) -> list[str]:
    """What breaks `rule`, in all files."""
    return [problem for path in FILES for problem in rule(path)]


def test_packages_import_what_the_table_allows() -> None:
    wrong = [
        f"{where}: {package} imports {target}"
        for package, target, where in arrows()
        if package != "__init__" and target not in ("types", "errors", *ALLOWED.get(package, ()))
    ]
    assert not wrong


def test_the_table_has_no_cycle_and_nothing_that_is_not_so() -> None:
    list(graphlib.TopologicalSorter(ALLOWED).static_order())  # raises CycleError
    assert set(ALLOWED) == {package_of(path) for path in FILES} - {"__init__"}
    found = {(package, target) for package, target, _ in arrows()}
    assert not {(p, t) for p, targets in ALLOWED.items() for t in targets} - found


def test_a_plug_in_imports_no_other_plug_in() -> None:
    def rule(path: Path) -> Iterator[str]:
        if package_of(path) not in PLUGINS or len(path.relative_to(SRC).parts) != 2 or path.name.startswith("_"):
            return
        for module, line, _ in imports(parsed(path)):
            parts = module.split(".")
            is_plug_in = parts[:2] == ["editeval", package_of(path)] and len(parts) == 3
            if is_plug_in and (SRC / parts[1] / f"{parts[2]}.py").is_file() and not parts[2].startswith("_"):
                yield f"{at(path, line)}: {module}"

    assert not broken(rule)


def test_libraries_are_imported_where_they_belong() -> None:
    def rule(path: Path) -> Iterator[str]:
        for module, line, is_deferred in imports(parsed(path)):
            is_late, packages = LIBRARIES.get(module.split(".")[0], (False, (package_of(path),)))
            if package_of(path) not in packages or (is_late and not is_deferred):
                yield f"{at(path, line)}: {module}: {'inside a function ' if is_late else ''}of {', '.join(packages)}"

    assert not broken(rule)


def test_files_stay_small() -> None:
    long = {at(path, path.read_text(encoding="utf-8").count("\n")) for path in FILES}
    assert not {where for where in long if int(where.rpartition(":")[2]) > MAX_FILE_LINES}


def test_functions_stay_small() -> None:
    def rule(path: Path) -> Iterator[str]:
        for node in functions(path):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{at(path, node.lineno)}: {node.name} has {length} lines"

    assert not broken(rule)


def test_functions_take_few_parameters() -> None:
    """But the drawing of scenes, whose strokes have a place, a size and colours, and the Python interface."""

    def rule(path: Path) -> Iterator[str]:
        for node in functions(path):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            count = sum(argument.arg not in ("self", "cls") for argument in given)
            if (
                count > MAX_PARAMETERS
                and package_of(path) not in ("api", "evaluation")
                and path.parent.name != "scenes"
            ):
                yield f"{at(path, node.lineno)}: {node.name} takes {count}"

    assert not broken(rule)


def test_only_the_worker_catches_everything() -> None:
    def rule(path: Path) -> Iterator[str]:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else "everything"
                raises_again = any(isinstance(n, ast.Raise) and n.exc is None for n in ast.walk(node))
                is_broad = caught in ("everything", "Exception", "BaseException")
                if is_broad and not raises_again and path.name not in CATCH_EVERYTHING:
                    yield f"{at(path, node.lineno)}: {caught}"

    assert not broken(rule)


def test_package_inits_are_empty() -> None:
    assert not [path for path in SRC.rglob("*/__init__.py") if path.read_text(encoding="utf-8").strip()]


def test_nothing_is_pickled_or_evaluated() -> None:
    def rule(path: Path) -> Iterator[str]:
        tree = parsed(path)
        for module, line, _ in imports(tree):
            if module.split(".")[0] in ("pickle", "dill", "marshal", "shelve"):
                yield f"{at(path, line)}: {module}"
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
                yield f"{at(path, node.lineno)}: {node.func.id}"

    assert not broken(rule)


def test_all_sql_is_in_the_store() -> None:
    def rule(path: Path) -> Iterator[str]:
        for node in ast.walk(parsed(path)):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
            is_sql = is_text and str(node.value).startswith(("SELECT ", "INSERT ", "UPDATE ", "DELETE FROM "))
            if is_sql and package_of(path) != "store":
                yield at(path, node.lineno)

    assert not broken(rule)


def test_no_public_class_name_stands_for_two_things() -> None:
    names = Counter(
        node.name
        for path in FILES
        for node in parsed(path).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert not {name for name, count in names.items() if count > 1}


def test_no_file_name_stands_for_two_things() -> None:
    """A command is in the file of its name, in `cli`, and what it does may be in the file of that name elsewhere.

    A benchmark and its protocol have one name, that of the benchmark.
    """
    own = [path for path in FILES if package_of(path) != "cli" and path.parent.name != "protocols"]
    names = Counter(path.name for path in own if path.name != "__init__.py")
    assert not {name for name, count in names.items() if count > 1}
