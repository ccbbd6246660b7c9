"""Where a checkpoint is and what is in it, before anything of it is loaded; every way that can fail is one line.

The Hub is asked once and answers within seconds: its own client tries again for half a minute before it gives up, and
a name server may take as long. A run with a wrong name, a wrong revision or no network has to end at once; a model that
is in the cache has to load without one.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

from editeval.errors import ConfigError, MachineError
from editeval.machine import hub
from editeval.machine.hub import refusal
from editeval.machine.versions import to_install
from editeval.text import brief
from editeval.types import HubModel

Index = Mapping[str, object]  # the content of model_index.json
KEY = "diffusion_model.params.model_name"
INDEX = "model_index.json"
ANSWER_S = 4.0
"""How long the Hub may take to say that it has a model."""
SAFETENSORS = "pickles can run code: convert them to safetensors or, if you trust them, add --allow-code"
KERNEL = "take that setting out of the file or, if you trust it, add --allow-code"
REVISION = "diffusion_model.params.revision"
_NETWORKS = ("transformer", "unet", "vae", "text_encoder", "image_encoder", "safety_checker")
COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def is_path(model_name: str) -> bool:
    """True if `model_name` means a folder: there is one, or it cannot be the id of a repository."""
    if model_name.startswith(("/", "./", "../", "~")) or not _HUB_ID.fullmatch(model_name):
        return True
    return Path(model_name).is_dir()


def read_index(model_name: str, revision: str | None) -> Index:
    """The content of model_index.json. Raises MachineError or ConfigError, one line, if it cannot be found or read."""
    path = _local_index(model_name, revision) if is_path(model_name) else find_index(model_name, revision)
    index = _read_json(path)
    if not isinstance(index, dict) or not index.get("_class_name"):
        raise MachineError(f"{KEY}: {path} names no pipeline class; it is not a diffusers checkpoint")
    return index


def _read_json(path: Path) -> Any:
    """What is in the file. Raises MachineError, one line, for what cannot be read."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise MachineError(f"{KEY}: {path} cannot be read: {brief(error)}; copy the checkpoint again") from error


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


def check_complete(folder: Path, index: Index, allow_pickles: bool = False) -> None:
    """Raises MachineError, one line, unless every component is there with its config and all its weight files.

    Without a config the libraries would build a default model, of many gigabytes and with random weights.
    """
    for name, entry in index.items():
        if not name.startswith("_") and isinstance(entry, list) and len(entry) == 2 and entry[0] is not None:
            lost = _lost(folder, name)
            if lost:
                raise MachineError(f"{KEY}: {folder}: {lost} is missing; copy or download the checkpoint again")
            config = folder / name / "config.json"
            kernel = hub.kernel_in(_read_json(config)) if config.is_file() and not allow_pickles else ""
            if kernel:
                raise MachineError(f"{KEY}: {config}: asks to run code of {kernel}; {KERNEL}")
            if name.startswith(_NETWORKS) and not allow_pickles and not any((folder / name).glob("*.safetensors")):
                raise MachineError(f"{KEY}: {folder}: the weights of {name} are pickles; {SAFETENSORS}")


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
        content = _read_json(listing)
        wanted |= set(map(str, content["weight_map"].values() if "weight_map" in content else ()))
    absent = sorted(file for file in wanted if not (part / file).is_file())
    if absent:
        return f"{name}/{absent[0]} ({len(absent)} of {len(wanted)} weight files)"
    weights = (path.is_file() for pattern in ("*.safetensors", "*.bin") for path in part.glob(pattern))
    return "" if any(weights) else f"{name}: every weight file"


def num_parameters(folder: Path) -> int:
    """Numbers in all *.safetensors of a checkpoint folder, from their headers; a broken header counts nothing."""
    paths = (path for path in folder.glob("*/*.safetensors") if not path.stem.endswith((".fp16", ".bf16", ".ema")))
    return sum(_numbers_in(path) for path in paths if path.is_file())  # a pipe would wait for its writer


def _numbers_in(path: Path) -> int:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 0 < length <= 100_000_000:
            return 0
        try:
            header = json.loads(file.read(length))
            shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
            return sum(int(math.prod(shape)) for shape in shapes)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return 0


def check_family(index: Index, wanted: str, families: dict[str, tuple[str, ...]]) -> str:
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


def wanted(model_name: str, revision: str | None) -> HubModel:
    """A diffusers checkpoint on the Hub."""
    return HubModel(model_name, revision, INDEX)


def why_offline(model_name: str, revision: str | None) -> str:
    """Why the Hub cannot be asked, so that only the cache can help; empty if it has that revision of the model.

    Raises MachineError, one line, if it has not.
    """
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        return "HF_HUB_OFFLINE is set"
    try:
        from huggingface_hub import HfApi  # type: ignore[import-not-found]
    except ImportError as error:
        raise MachineError(f"diffusion_model: huggingface_hub is missing; {to_install('gpu')}") from error

    hub.guard()
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hub")
    asked = executor.submit(HfApi().model_info, model_name, revision=revision, timeout=ANSWER_S)
    executor.shutdown(wait=False)
    try:
        refused = asked.exception(ANSWER_S + 0.25)
    except TimeoutError:
        return f"the Hub does not answer within {ANSWER_S:g} s"
    if refused is None:
        return ""
    if _refusal(model_name, revision, refused):
        raise MachineError(f"{KEY}: {_refusal(model_name, revision, refused)}") from refused
    return f"the Hub cannot be reached: {brief(refused)}"


def find_index(model_name: str, revision: str | None) -> Path:
    """model_index.json of a Hub model; from the cache where the Hub cannot be reached. Raises MachineError."""
    why = why_offline(model_name, revision)
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise MachineError(f"diffusion_model: huggingface_hub is missing; {to_install('gpu')}") from error

    try:
        found = hf_hub_download(model_name, INDEX, revision=revision, local_files_only=bool(why))
    except hub.client_errors(ValueError, RuntimeError) as error:
        raise MachineError(f"{KEY}: {problem(model_name, revision, error, why)}") from error
    return Path(found)


def download(diffusers: ModuleType, model_name: str, revision: str | None, how: Mapping[str, bool | None]) -> Path:
    """The folder with all that the pipeline needs; `how` has further arguments. Raises MachineError, one line."""
    why = why_offline(model_name, revision)
    try:
        folder = diffusers.DiffusionPipeline.download(model_name, revision=revision, local_files_only=bool(why), **how)
    except hub.client_errors(ValueError, RuntimeError) as error:
        has_pickles_only = how["use_safetensors"] and "safetensors" in str(error)
        said = f"{model_name}: {SAFETENSORS}" if has_pickles_only else problem(model_name, revision, error, why)
        raise MachineError(f"{KEY}: {said}") from error
    return Path(folder)


def problem(model_name: str, revision: str | None, error: BaseException, why: str) -> str:
    """One line: why `model_name` cannot be downloaded, and what to do. `why` is what `why_offline` returned."""
    refused = _refusal(model_name, revision, error)
    if refused:
        return refused
    if why:
        return f"{model_name} is not in the cache and {why}; download it first, or give a folder"
    return f"{model_name} cannot be downloaded from the Hub: {brief(error)}; try again, or give a folder"


def _refusal(model_name: str, revision: str | None, error: BaseException) -> str:
    """What the Hub said no to; empty if it said nothing of the kind."""
    return refusal(wanted(model_name, revision), error)
