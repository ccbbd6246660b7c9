"""What `--model` and `--judge` may say in place of a section of YAML, and the section that it stands for.

    qwen-image-edit-2511         a ready file of configs/models (of configs/judges for a judge); - and _ are one
    Qwen/Qwen-Image-Edit-2511    the checkpoint of a ready file, with the same parameters; or any other on the Hub
    checkpoints/step-1000        a folder that holds one
    identity, reference          a built-in type; my_editor.py, package.module:Class: code of your own
    judge.yaml                   for a judge: a file with a section reward_model

What a name stands for is written in its ready file and nowhere else.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from editeval import plugins
from editeval.config import ready
from editeval.config.yaml_tree import FILE, Plain, Source, child, plain, read_file
from editeval.errors import ConfigError

FLAGS = {"editors": "--model", "judges": "--judge"}
SECTIONS = {"editors": ("diffusion_model",), "judges": ("reward_model", "reward_models")}
_FOLDERS = {"editors": "configs/models", "judges": "configs/judges"}
_OF_A_CHECKPOINT = {"editors": "diffusers_pipeline", "judges": "transformers_vlm"}
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")


def known(kind: str) -> dict[str, Path]:
    """Short name -> ready file, of "editors" or "judges"."""
    return {_spelled(path.stem): path for path in sorted((ready.folder() / _FOLDERS[kind]).glob("*.yaml"))}


def file_of(kind: str, word: str) -> Path | None:
    """The ready file that `word` names, by its own name or by its checkpoint."""
    files = known(kind)
    return files.get(_spelled(word)) or next((file for file in files.values() if _checkpoint(kind, file) == word), None)


def sections(kind: str, word: str) -> Mapping[str, Plain]:
    """The sections that `word` stands for, by name. Raises ConfigError, one line, if it stands for nothing."""
    files, flag, what = known(kind), FLAGS[kind], FLAGS[kind].strip("-")
    if not word.strip():
        raise ConfigError(f"{flag}: is empty; name a {what}, or leave {flag} out")
    if kind == "editors" and Path(word).suffix in (".yaml", ".yml"):
        raise ConfigError(f"{flag}: {word} is a configuration, not a model; write `editeval run {word}`")
    path = file_of(kind, word)
    if path is not None:
        return _written(kind, path)
    (section, *_) = SECTIONS[kind]
    if kind == "judges" and Path(word).suffix in (".yaml", ".yml"):
        if found := _written(kind, Path(word)):
            return found
        raise ConfigError(f"{flag} {word}: has no section reward_model; name a file that has one")
    is_folder = Path(word).expanduser().is_dir()
    if not is_folder and (word in plugins.available(kind) or word in plugins.installed(kind) or _is_code(word)):
        return {section: {"type": word}}
    if is_folder or _HUB_ID.fullmatch(word):
        return {section: {"type": _OF_A_CHECKPOINT[kind], "params": {"model_name": word}}}
    names = [*files, *plugins.available(kind)]
    close = difflib.get_close_matches(_spelled(word), names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    also = f"a folder that exists, an id of the Hub (owner/name) or a file my_{plugins.KINDS[kind].__name__.lower()}.py"
    raise ConfigError(f"{flag}: no {what} {word!r}; {hint}known: {', '.join(names)}; or name {also}")


def _spelled(word: str) -> str:
    return word.lower().replace("_", "-").replace(".", "-")


def _is_code(word: str) -> bool:
    return plugins.is_file(word) or ":" in word or re.fullmatch(r"\w+(\.\w+)+", word) is not None


@cache
def _written(kind: str, path: Path) -> Mapping[str, Plain]:
    """What the file at `path` has of the sections."""
    tree = read_file(path, Source(str(path), f"file {path}", FILE, numbered=True))
    return {name: plain(tree.children[name]) for name in SECTIONS[kind] if child(tree, name) is not None}


def _checkpoint(kind: str, path: Path) -> str:
    """The checkpoint, or the served model, that a ready file is about; empty for one with an adapter."""
    section = _written(kind, path).get(SECTIONS[kind][0])
    params = section.get("params") if isinstance(section, dict) else None
    named = params if isinstance(params, dict) and "adapter" not in params else {}
    return str(named.get("model_name", named.get("model", "")))
