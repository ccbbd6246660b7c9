"""Where a checkpoint is and what is in it, before anything of it is loaded; every way that can fail is one line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from editeval.editors.diffusion import download
from editeval.editors.diffusion.download import INDEX, KEY
from editeval.errors import ConfigError, MachineError

REVISION = "diffusion_model.params.revision"
_NETWORKS = ("transformer", "unet", "vae", "text_encoder", "image_encoder", "safety_checker")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def is_path(model_name: str) -> bool:
    """True if `model_name` means a folder: there is one, or it cannot be the id of a repository."""
    return model_name.startswith(("/", "./", "../", "~")) or not _HUB_ID.fullmatch(model_name) or _folder(model_name)


def _folder(model_name: str) -> bool:
    return Path(model_name).expanduser().is_dir()


def read_index(model_name: str, revision: str | None) -> dict[str, Any]:
    """The content of model_index.json. Raises MachineError or ConfigError, one line, if it cannot be found or read."""
    path = _local_index(model_name, revision) if is_path(model_name) else download.find_index(model_name, revision)
    try:
        index = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise MachineError(f"{KEY}: {path} cannot be read: {_line(error)}; copy the checkpoint again") from error
    if not isinstance(index, dict) or "_class_name" not in index:
        raise MachineError(f"{KEY}: {path} names no pipeline class; it is not a diffusers checkpoint")
    return index


def _local_index(model_name: str, revision: str | None) -> Path:
    folder = Path(model_name).expanduser()
    if revision is not None and revision != folder.resolve().name:  # a snapshot of the Hub's cache bears its commit
        raise ConfigError(f"{REVISION}: {model_name} is a folder, and a folder has no revisions; leave it out")
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing there"
        raise MachineError(f"{KEY}: {model_name}: {found}; give a checkpoint folder, or the id of a Hub repository")
    if not (folder / INDEX).is_file():
        raise MachineError(f"{KEY}: {model_name}: no {INDEX} in it; give the folder of a diffusers checkpoint")
    return folder / INDEX


def check_complete(folder: Path, index: dict[str, Any]) -> None:
    """Raises MachineError, one line, unless every component is there with its config and all its weight files.

    Without a config the libraries would build a default model, of many gigabytes and with random weights.
    """
    for name, entry in index.items():
        if not name.startswith("_") and isinstance(entry, list) and len(entry) == 2 and entry[0] is not None:
            lost = _lost(folder, name)
            if lost:
                raise MachineError(f"{KEY}: {folder}: {lost} is missing; copy or download the checkpoint again")


def _lost(folder: Path, name: str) -> str:
    """What component `name` lacks; empty if nothing."""
    part = folder / name
    if not part.is_dir():
        return f"folder {name}"
    if not name.startswith(_NETWORKS):
        return ""
    if not (part / "config.json").is_file():
        return f"{name}/config.json"
    wanted: set[str] = set()
    for listing in part.glob("*.safetensors.index.json"):
        wanted |= set(json.loads(listing.read_text("utf-8")).get("weight_map", {}).values())
    absent = sorted(file for file in wanted if not (part / file).is_file())
    if absent:
        return f"{name}/{absent[0]} ({len(absent)} of {len(wanted)} weight files)"
    return "" if any(part.glob("*.safetensors")) or any(part.glob("*.bin")) else f"{name}: every weight file"


def num_parameters(folder: Path) -> int:
    """Numbers in all *.safetensors of a checkpoint folder, from their headers; a broken header counts nothing."""
    paths = (path for path in folder.glob("*/*.safetensors") if not path.stem.endswith((".fp16", ".bf16", ".ema")))
    return sum(_numbers_in(path) for path in paths)


def _numbers_in(path: Path) -> int:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= 100_000_000:
            return 0
        try:
            header = json.loads(file.read(length))
        except ValueError:
            return 0
    shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
    return sum(_product(shape) for shape in shapes)


def _product(shape: list[int]) -> int:
    product = 1
    for length in shape:
        product *= length
    return product


def check_family(index: dict[str, Any], wanted: str, families: dict[str, tuple[str, ...]]) -> str:
    """The family of a checkpoint; `wanted` if it is named ("auto": by its class). Raises ConfigError if that fails."""
    name = index["_class_name"]
    name = name[-1] if isinstance(name, list) else str(name)
    found = next((family for family, pipelines in families.items() if name in pipelines), None)
    if found is None and wanted == "auto":
        known = ", ".join(sorted(families))
        raise ConfigError(f"{KEY}: its pipeline is {name}, of no family that editeval knows; known: {known}")
    if found is not None and wanted not in ("auto", found):
        raise ConfigError(
            f"{KEY}: its pipeline is {name}, family {found}, not {wanted}; use another type or checkpoint"
        )
    return found or wanted


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
