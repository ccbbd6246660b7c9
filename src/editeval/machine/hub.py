"""What the Hugging Face Hub says about a model, before anything of it is loaded.

`python -m editeval.machine.hub MODEL` looks one up from the interpreter that will load it: whether it has a client of
the Hub, and which cache that client uses, only that interpreter knows. A model in the cache needs no network. The Hub
is asked once, for the head of one small file, and has ANSWER_S: its client tries again for half a minute before it
gives up, and a name server may take as long.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from editeval.errors import MachineError
from editeval.types import HubModel

ANSWER_S = 3.0
"""How long the Hub may take to say that it has a model."""
ANSWER_TOTAL_S = 60
"""How long the whole of what it says about a repository may take, and each pause of a connection."""
ANSWER_BYTES = 64 << 20
"""How large that may be: the list of a million files."""
GIB = 2**30
WEIGHTS = (".safetensors", ".bin", ".pt", ".gguf")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LEADS_OUT = re.compile(r"\.\./|\.\.$|^/|\\|\0|\"/|/\"?$")
_KERNEL_KEYS = ("attn_implementation", "experts_implementation")  # also with underscores in front, and words behind


def command(python: str, model: HubModel) -> list[str]:
    """What `python` must run to look `model` up; it prints {"problem": one line, empty if the model can be loaded}."""
    return [python, "-P", "-m", "editeval.machine.hub", json.dumps(asdict(model))]


def refusal(model: HubModel, error: BaseException) -> str:
    """What the Hub said no to, and what to do; empty if it said nothing of the kind."""
    kinds = {cls.__name__ for cls in type(error).__mro__}
    if "GatedRepoError" in kinds:
        return f"{model.name} is gated; accept its licence on the Hub, then `hf auth login` or set HF_TOKEN"
    if "RevisionNotFoundError" in kinds:
        return f"{model.name} has no revision {model.revision!r}; fix revision"
    if "RepositoryNotFoundError" in kinds:
        return f"the Hub knows no {model.name}; check the spelling (a private one needs HF_TOKEN), or give a folder"
    if _is_missing_entry(error):
        return f"{model.name} has no {model.file}; it is no checkpoint of this kind" if model.is_file_needed else ""
    if _status(error) in (401, 403):
        return f"the Hub refuses {model.name} ({_status(error)}); `hf auth login` or set HF_TOKEN, or give a folder"
    return ""


@cache
def guard() -> None:
    """From now on the Hub's client of this process ends an answer that is too large, too slow, or that leads elsewhere.

    The client (huggingface_hub 1.33 and 2.4) has no limit of size or time for what is said of a repository, and makes
    paths in its cache of the commit and the ETag that a server names, with any `../` in them. A server that HF_ENDPOINT
    names may be anybody's. Not covered: how large files are, which is for the disk. Does nothing without the client.
    """
    with suppress(ImportError):
        import huggingface_hub  # type: ignore[import-not-found]
        from huggingface_hub.utils import _http  # type: ignore[import-not-found]

        def client() -> Any:
            made = _http.default_client_factory()
            before, behind = (made.event_hooks[name] for name in ("request", "response"))
            made.event_hooks = {"request": [*before, _limit], "response": [*behind, _check_answer]}
            return made

        huggingface_hub.set_client_factory(client)


def _limit(request: Any) -> None:
    """No request waits for ever: the client itself asks for that, so that no default of it would help."""
    given = request.extensions.get("timeout") or {}
    limits = {name: given.get(name) or ANSWER_TOTAL_S for name in ("connect", "read", "write", "pool")}
    request.extensions = {**request.extensions, "timeout": limits}


def _check_answer(response: Any) -> None:
    """Raises MachineError for an answer of the Hub that is none; called before its body is read, which it may do."""
    names = [response.headers.get("X-Repo-Commit", "")]
    if response.request.method == "HEAD":
        names += [response.headers.get(name, "") for name in ("ETag", "X-Linked-Etag")]
    if "/api/" in (path := response.request.url.path) and "/resolve" not in path:
        body, ends_at = bytearray(), time.monotonic() + ANSWER_TOTAL_S
        for part in response.iter_bytes():
            body += part
            if len(body) > ANSWER_BYTES or time.monotonic() > ends_at:
                why = f"more than {ANSWER_BYTES >> 20} MiB" if len(body) > ANSWER_BYTES else f"{ANSWER_TOTAL_S} s"
                raise MachineError(f"the Hub's answer about {path} takes {why}; check HF_ENDPOINT, or try again")
        response._content = bytes(body)  # what `read` leaves behind
        try:
            said = json.loads(body) if response.is_success and body else {}
        except (ValueError, RecursionError) as error:
            raise MachineError(f"the Hub's answer about {path} cannot be read: {error}; check HF_ENDPOINT") from error
        names += [str(said.get("sha") or "")] if isinstance(said, dict) else []
    if odd := next((name for name in names if _LEADS_OUT.search(name) or len(name) > 1000), ""):
        raise MachineError(f"the Hub names a version {odd[:60]!r}, which leads out of its cache; check HF_ENDPOINT")


def kernel_in(config: object) -> str:
    """The repository of the Hub whose code the configuration of a checkpoint asks to run; empty if it names none.

    transformers takes `attn_implementation` and its like from config.json. A name with a slash is a kernel there: with
    the package kernels installed, it is downloaded and imported whoever wrote it (5.2), or from some owners (5.23).
    """
    left = [config]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            named = [below for key, below in value.items() if str(key).strip("_").startswith(_KERNEL_KEYS)]
            names = [name for one in named for name in (one.values() if isinstance(one, dict) else [one])]
            if found := next((name for name in names if isinstance(name, str) and "/" in name), ""):
                return found
        left += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return ""


def client_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """`others`, and what the Hub's client raises for a refusal or a connection that ends, if it is installed.

    Of which library that is, the client's version decides.
    """
    try:
        from huggingface_hub import errors
    except ImportError:
        return others
    raised = errors.HfHubHTTPError.__mro__
    return (*others, *(cls for cls in raised if issubclass(cls, Exception) and cls is not Exception))


def problem_of(model: HubModel) -> str:
    """Why `model` cannot be loaded, and what to do; empty if it is in the cache or the Hub has it."""
    try:
        import huggingface_hub
    except ImportError:
        return f"{model.name} is no folder, and {sys.executable} has no huggingface_hub to get it; install it there"
    guard()
    if is_cached(model):
        return ""
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        why = "HF_HUB_OFFLINE is set"
    else:
        error = _asked(model)
        refused = refusal(model, error) if error is not None else ""
        if error is None or refused or _is_missing_entry(error):
            return refused
        why = f"the Hub {_complaint(error)}"
    return f"{model.name} is not in the cache and {why}; download it first, or give a folder"


def is_cached(model: HubModel) -> bool:
    """Whether that revision is in the cache, with every weight that it names, if any is needed. Asks no server."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(model.name, model.file, cache_dir=model.cache_dir, revision=model.revision)
    if not isinstance(found, str) or not model.needs_weights:
        return isinstance(found, str)
    folder = Path(found).parent
    weights = {path for path in folder.rglob("*") if path.suffix in WEIGHTS and path.exists()}
    return bool(weights) and all(path in weights for path in _promised(folder)) and _has_components(Path(found))


def commit_in_cache(model: HubModel) -> str | None:
    """The commit that `model` means in this machine's cache; None if it is not there. Asks no server, needs no client.

    A loader that reaches the Hub may find that a branch has moved on: the commit it loaded has to be compared.
    """
    if model.revision and _COMMIT.fullmatch(model.revision):
        return model.revision
    cache = Path(model.cache_dir).expanduser() if model.cache_dir else cache_folder(os.environ)
    folder = cache / f"models--{model.name.replace('/', '--')}"
    try:
        commit = (folder / "refs" / (model.revision or "main")).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return commit if _COMMIT.fullmatch(commit) else None


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where the Hub's client keeps its files, by its documented variables."""
    named = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE")
    if named:
        return Path(named).expanduser()
    base = environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(environ.get("HF_HOME") or Path(base, "huggingface")).expanduser() / "hub"


def _promised(folder: Path) -> list[Path]:
    """The weight files that the listings in `folder` name."""
    return [
        listing.parent / name for listing in folder.rglob("*.index.json") for name in set(_weight_map(listing).values())
    ]


def _weight_map(listing: Path) -> dict[str, str]:
    found = _read(listing).get("weight_map")
    return found if isinstance(found, dict) else {}


def _has_components(file: Path) -> bool:
    """A pipeline of diffusers: whether every component has a folder. Other models have none."""
    if file.name != "model_index.json":
        return True
    parts = {name: entry for name, entry in _read(file).items() if not name.startswith("_")}
    wanted = [name for name, entry in parts.items() if isinstance(entry, list) and len(entry) == 2 and entry[0]]
    return all((file.parent / name).is_dir() for name in wanted)


def _read(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # loading it raises an error that names what cannot be read
    return content if isinstance(content, dict) else {}


def _asked(model: HubModel) -> BaseException | None:
    """What the Hub's client raises when it is asked for the model; None if it may be loaded."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="hub")
    url = hf_hub_url(model.name, model.file, revision=model.revision)
    asked = executor.submit(get_hf_file_metadata, url, timeout=ANSWER_S)
    executor.shutdown(wait=False)
    try:
        return asked.exception(ANSWER_S + 0.25)
    except TimeoutError as error:
        return error


def _complaint(error: BaseException) -> str:
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return f"does not answer within {ANSWER_S:g} s"
    status = _status(error)
    if status is not None:
        return f"answers {status}"
    said = " ".join(str(error).split())[:200] or type(error).__name__
    return f"cannot be reached: {said}"


def _status(error: BaseException) -> int | None:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _is_missing_entry(error: BaseException) -> bool:
    kinds = {cls.__name__ for cls in type(error).__mro__}
    return "EntryNotFoundError" in kinds and "LocalEntryNotFoundError" not in kinds


# -- the cache ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CheckpointFolder:
    """A model in the cache."""

    name: str
    size_gib: float
    num_revisions: int
    is_complete: bool  # False: a download was broken off


def checkpoints(folder: Path) -> list[CheckpointFolder]:
    """Every model in the cache, biggest first. A folder that is missing or cannot be read has none."""
    found = []
    with suppress(OSError):
        for place in sorted(folder.glob("models--*")):
            with suppress(OSError):
                found.append(_checkpoint(place))
    return sorted(found, key=lambda c: -c.size_gib)


def _checkpoint(place: Path) -> CheckpointFolder:
    sizes = {entry.name: entry.stat().st_size for entry in _entries(place / "blobs")}
    revisions = [entry for entry in _entries(place / "snapshots") if entry.is_dir()]
    partial = any(name.endswith(".incomplete") for name in sizes)
    name = place.name.removeprefix("models--").replace("--", "/")
    return CheckpointFolder(name, round(sum(sizes.values()) / GIB, 2), len(revisions), bool(revisions) and not partial)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def main() -> None:
    """Entry of the look-up: the model, as JSON, is the only argument."""
    problem = problem_of(HubModel(**json.loads(sys.argv[1])))
    sys.stdout.write(json.dumps({"problem": problem}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # a thread that still waits for a name server must not hold this process


if __name__ == "__main__":
    main()
