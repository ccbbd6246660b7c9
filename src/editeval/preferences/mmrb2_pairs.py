"""MMRB2's task `edit` as its authors' scripts build it: `edit.json` beside the folders of its pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from editeval.benchmarks._files import ImageDirectory
from editeval.errors import BenchmarkError
from editeval.files import Folder, from_json
from editeval.preferences.human_data import OVERALL, HumanPair, ShownEdit, winner_of
from editeval.types import ImageRef

MAX_BYTES = 256 << 20
_NAMES = ("edit.json", "benchmark/edit.json")
_UNBUILT = ("edit_response_only.json", "benchmark/edit_response_only.json")


def built_file(place: Path) -> Path | None:
    """The file of pairs in `place`; None if it holds no such. Raises BenchmarkError where it is not built yet."""
    if place.is_file():
        return place if place.suffix == ".json" else None
    found = next((place / name for name in _NAMES if (place / name).is_file()), None)
    if found is None and any((place / name).is_file() for name in _UNBUILT):
        what = "holds answers without prompts and pictures; build it with the authors' benchmark/build_from_hf.py"
        raise BenchmarkError(f"--path {place}: {what}, or leave --path out for the Hub's data set")
    return found


def pairs_in(file: Path) -> list[HumanPair]:
    """Every pair of `file`. Raises BenchmarkError for what is none."""
    try:
        content = from_json(Folder(file.parent).read(file.name, MAX_BYTES))
    except (OSError, ValueError) as error:
        raise BenchmarkError(f"{file}: cannot be read: {error}; build it again") from error
    listed = content.get("pairs") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not listed:
        raise BenchmarkError(f"{file}: must be an object with a list `pairs`; build it again")
    place = ImageDirectory(file.parent)
    return [_pair(f"{file}: pair {number}", entry, place) for number, entry in enumerate(listed)]


def _pair(where: str, entry: object, place: ImageDirectory) -> HumanPair:
    if not isinstance(entry, dict):
        raise BenchmarkError(f"{where}: must be an object, got {type(entry).__name__}; build the file again")
    words, sources = _content(where, entry.get("prompt_content"), place)
    if not sources:
        raise BenchmarkError(f"{where}: no picture in prompt_content; build the file again")
    a, b = (
        _shown(where, entry.get(name), place, tuple(sources), words.strip()) for name in ("response_a", "response_b")
    )
    won = winner_of(where, entry.get("chosen"), "A", "B")
    return HumanPair(str(entry.get("id", where)), a, b, won, OVERALL, str(entry.get("prompt_source") or ""))


def _shown(where: str, response: object, place: ImageDirectory, sources: tuple[ImageRef, ...], words: str) -> ShownEdit:
    told: Mapping[str, object] = response if isinstance(response, dict) else {}
    _, pictures = _content(where, told.get("response_content"), place)
    if len(pictures) != 1:
        raise BenchmarkError(f"{where}: a response must have one picture, got {len(pictures)}; build the file again")
    return ShownEdit(sources, words, pictures[0], str(told.get("model_name") or ""))


def _content(where: str, parts: object, place: ImageDirectory) -> tuple[str, list[ImageRef]]:
    """The words, in which of several pictures each is called by its number, and the pictures."""
    listed = list(_parts(where, parts))
    pictures: list[ImageRef] = []
    words = []
    several = sum(kind == "image" for kind, _ in listed) > 1
    for kind, value in listed:
        if kind == "text":
            words.append(value)
            continue
        pictures.append(place.image(where, "image", value))
        words += [f"[image {len(pictures)}]"] if several else []
    return " ".join(words), pictures


def _parts(where: str, parts: object) -> Iterator[tuple[str, str]]:
    for part in parts if isinstance(parts, list) else ():
        if not isinstance(part, list) or len(part) != 2 or part[0] not in ("text", "image"):
            raise BenchmarkError(f"{where}: must be lists of ['text' or 'image', ...]; build the file again")
        yield str(part[0]), str(part[1])
