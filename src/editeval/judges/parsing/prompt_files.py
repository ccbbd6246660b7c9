"""The words of a benchmark's authors, out of a file of theirs that the user has: read as data, never imported or run.

.py            strings that are assigned to a name at the top level: also in parentheses, several in a row, or added;
               an f-string keeps the plain names in it in their braces, another expression makes it none, as a call
.json, .yaml   strings by key; a string further down by the keys and numbers on the way to it: system.0.text
"""

from __future__ import annotations

import ast
import hashlib
import json
import stat
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from editeval.errors import ConfigError
from editeval.text import one_line, shortened

MAX_BYTES = 1 << 20  # of a file; the largest that is known has 60 kB
MAX_VALUES = 10_000  # in a JSON or YAML file
MAX_LISTED = 8  # constants in a message
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError, OSError)


@dataclass(frozen=True, slots=True)
class PromptSource:
    """Where the authors' own words are: read from the user's copy, known here by hash only."""

    repository: str  # "github.com/owner/name", for messages
    files: tuple[str, ...]  # paths in a clone, of which the first that is there counts; or the file itself is named
    hashes: Mapping[str, tuple[str, ...]]  # constant, or key -> first 16 hex of the sha256 of each known official text
    elsewhere: tuple[tuple[str, str, str], ...] = ()  # (constant, file in a clone, its name there) of those in others

    def unknown(self, words: Mapping[str, str]) -> list[str]:
        """The constants whose text in `words` is no known official one, or is not there."""
        return [name for name, known in self.hashes.items() if text_digest(words.get(name)) not in known]

    def read(self, place: Path) -> dict[str, str]:
        """The constants that are in the clone, or the file, `place`. Raises ConfigError if `files` has none of theirs.

        A file of `elsewhere` that is not there is no error: its constants are left out.
        """
        wanted: dict[tuple[str, ...], dict[str, str]] = {self.files: {}}
        elsewhere = {constant: ((file,), there) for constant, file, there in self.elsewhere}
        for constant in self.hashes:
            files, there = elsewhere.get(constant, (self.files, constant))
            wanted.setdefault(files, {})[there] = constant
        words: dict[str, str] = {}
        for files, names in wanted.items():
            if files == self.files or any((place / file).is_file() for file in files):
                found = read(place, self.repository, files, tuple(names))
                words |= {names[there]: text for there, text in found.items()}
        return words


def text_digest(text: str | None) -> str:
    """The first 16 hex digits of the sha256 of `text` in UTF-8; empty for none."""
    return "" if text is None else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def read(place: Path, repository: str, files: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Those of the constants `names` that the first of `files` in the folder `place`, or the file `place`, has.

    Raises ConfigError, one line, if there is no such file, if it cannot be read, or if it has none of them.
    """
    path = _file_in(place, repository, files)
    try:
        text = _text(path)
        found = _FORMATS[path.suffix](text)
    except KeyError:
        raise ConfigError(f"prompts_from: {path}: must be one of {', '.join(_FORMATS)}, got {path.suffix!r}") from None
    except _UNREADABLE as error:
        said = getattr(error, "strerror", None) or getattr(error, "msg", None) or str(error) or type(error).__name__
        raise ConfigError(f"prompts_from: {path}: cannot be read: {one_line(said)}") from None
    words = {name: found[name] for name in names if name in found}
    if not words:
        raise ConfigError(
            f"prompts_from: {path}: expected the words of {repository}, constants {_listed(names)}; "
            f"got {_listed(list(found))}"
        )
    return words


def _file_in(place: Path, repository: str, files: Sequence[str]) -> Path:
    if place.is_file():
        return place
    if not place.is_dir():
        raise ConfigError(f"prompts_from: {place}: no such file or folder; name a clone of {repository}, or the file")
    there = [place / name for name in files if (place / name).is_file()]
    if not there:
        expected = " or ".join(files)
        raise ConfigError(
            f"prompts_from: {place}: expected {expected} of {repository} in it; name a clone, or the file"
        )
    if not there[0].resolve().is_relative_to(place.resolve()):
        raise ConfigError(f"prompts_from: {there[0]}: a link out of {place}; name the file itself")
    return there[0]


def _text(path: Path) -> str:
    with path.open("rb") as file:
        found = file.read(MAX_BYTES + 1) if stat.S_ISREG(path.stat().st_mode) else b"\0" * (MAX_BYTES + 1)
    if len(found) > MAX_BYTES:
        raise ValueError(f"must be an ordinary file of at most {MAX_BYTES >> 20} MiB")
    return found.decode("utf-8").replace("\r\n", "\n")  # as Python itself reads a source


def _of_python(text: str) -> dict[str, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about their escapes
        body = ast.parse(text).body
    found = {name: value for one in body if isinstance(one, ast.FunctionDef) for name, value in _listed_in(one)}
    for statement in body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
        for target in targets:
            if isinstance(target, ast.Name):
                found.pop(target.id, None)  # the last one counts
                value = _literal(getattr(statement, "value", None))
                if value is not None:
                    found[target.id] = value
    return found


def _listed_in(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """(function, name and number, joined by points; string) of the lists that are assigned to a name in it.

    Of a string that is added to a name (`name += "..."`), (function and name; string).
    """
    for statement in ast.walk(function):
        if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
            added = _literal(statement.value)
            yield from [] if added is None else [(f"{function.name}.{statement.target.id}", added)]
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.List):
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
            strings = [(i, _literal(one)) for i, one in enumerate(statement.value.elts)]
            yield from ((f"{function.name}.{name}.{i}", one) for name in names for i, one in strings if one is not None)


def _literal(value: ast.expr | None) -> str | None:
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        sides = (_literal(value.left), _literal(value.right))
        return None if None in sides else "".join(filter(None, sides))
    if isinstance(value, ast.JoinedStr):
        parts = [_named(part) if isinstance(part, ast.FormattedValue) else _literal(part) for part in value.values]
        return None if None in parts else "".join(filter(None, parts))
    try:
        found = None if value is None else ast.literal_eval(value)
    except (ValueError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _named(part: ast.FormattedValue) -> str | None:
    """`{name}`, for what an f-string puts there as it is."""
    is_plain = isinstance(part.value, ast.Name) and part.conversion == -1 and part.format_spec is None
    return f"{{{part.value.id}}}" if is_plain and isinstance(part.value, ast.Name) else None


def _of_json(text: str) -> dict[str, str]:
    return dict(_strings(json.loads(text)))


def _of_yaml(text: str) -> dict[str, str]:
    import yaml

    try:
        for count, event in enumerate(yaml.parse(text, yaml.SafeLoader)):
            if isinstance(event, yaml.AliasEvent):
                raise ValueError("has aliases, with which a small file is endless; write what they stand for")
            if count > 4 * MAX_VALUES:
                raise ValueError(f"has more than {MAX_VALUES} values")
        return dict(_strings(yaml.safe_load(text)))
    except (yaml.YAMLError, LookupError, AttributeError) as error:  # the last two: !!int '', !!timestamp x
        raise ValueError(shortened(str(error), 120)) from None


def _strings(value: object) -> Iterator[tuple[str, str]]:
    """(keys and numbers on the way, joined by points; string), of at most MAX_VALUES values."""
    waiting: list[tuple[tuple[str, ...], object]] = [((), value)]
    for _ in range(MAX_VALUES):
        if not waiting:
            return
        way, one = waiting.pop()
        if isinstance(one, str):
            yield ".".join(way), one
        elif isinstance(one, dict):
            waiting += [((*way, str(key)), below) for key, below in one.items()]
        elif isinstance(one, list):
            waiting += [((*way, str(i)), below) for i, below in enumerate(one)]
    raise ValueError(f"has more than {MAX_VALUES} values")


_FORMATS: Mapping[str, Callable[[str], dict[str, str]]] = {
    ".py": _of_python,
    ".json": _of_json,
    ".yaml": _of_yaml,
    ".yml": _of_yaml,
}


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(one_line(name)[:60] for name in names[:MAX_LISTED]) + more if names else "no constants"
