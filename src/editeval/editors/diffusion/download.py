"""What the Hugging Face Hub says about a checkpoint: asked once, answered within seconds, and one line if it fails.

The Hub's own client tries again for half a minute before it gives up, and a name server may take as long. A run with a
wrong name, a wrong revision or no network has to end at once; a model that is in the cache has to load without one.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from editeval.errors import MachineError
from editeval.machine.hub import refusal
from editeval.types import HubModel

KEY = "diffusion_model.params.model_name"
INDEX = "model_index.json"
INSTALL = "pip install torch torchvision, then pip install -r requirements/models.txt"
ANSWER_S = 4.0
"""How long the Hub may take to say that it has a model."""


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
        raise MachineError(f"diffusion_model: huggingface_hub is missing; {INSTALL}") from error

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
    return f"the Hub cannot be reached: {_line(refused)}"


def find_index(model_name: str, revision: str | None) -> Path:
    """model_index.json of a Hub model; from the cache where the Hub cannot be reached. Raises MachineError."""
    why = why_offline(model_name, revision)
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise MachineError(f"diffusion_model: huggingface_hub is missing; {INSTALL}") from error

    try:
        found = hf_hub_download(model_name, INDEX, revision=revision, local_files_only=bool(why))
    except (OSError, ValueError, RuntimeError) as error:
        raise MachineError(f"{KEY}: {problem(model_name, revision, error, why)}") from error
    return Path(found)


def download(diffusers: Any, model_name: str, revision: str | None, trust_remote_code: bool) -> Path:
    """The folder with everything that the pipeline needs. Raises MachineError, one line."""
    why = why_offline(model_name, revision)
    try:
        folder = diffusers.DiffusionPipeline.download(
            model_name, revision=revision, trust_remote_code=trust_remote_code, local_files_only=bool(why)
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise MachineError(f"{KEY}: {problem(model_name, revision, error, why)}") from error
    return Path(folder)


def problem(model_name: str, revision: str | None, error: BaseException, why: str) -> str:
    """One line: why `model_name` cannot be downloaded, and what to do. `why` is what `why_offline` returned."""
    refused = _refusal(model_name, revision, error)
    if refused:
        return refused
    if why:
        return f"{model_name} is not in the cache and {why}; download it first, or give a folder"
    return f"{model_name} cannot be downloaded from the Hub: {_line(error)}; try again, or give a folder"


def _refusal(model_name: str, revision: str | None, error: BaseException) -> str:
    """What the Hub said no to; empty if it said nothing of the kind."""
    return refusal(wanted(model_name, revision), error)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
