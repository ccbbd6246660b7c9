"""`hub_dataset`: a data set of the Hugging Face Hub at one commit, downloaded and then read as another benchmark type.

What `huggingface_hub` documents holds: a download that was broken off goes on, files in the cache are not asked for
again, and HF_ENDPOINT, HF_HUB_OFFLINE, HF_HUB_CACHE, HF_TOKEN and `hf auth login` count.

Needs huggingface_hub (the extra `hub`). Licence: that of the data set; see its page. Cost: the download.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from editeval import plugins
from editeval.errors import BenchmarkError, ConfigError, MachineError
from editeval.machine import hub
from editeval.machine.versions import to_install
from editeval.types import Benchmark, HubModel, Sample

_REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class HubDatasetParams:
    """Parameters of `hub_dataset`."""

    repo: str = ""
    """owner/name; required."""
    revision: str = ""
    """A commit; required for results that others can repeat. A branch or tag, or "" for main, is what it is today."""
    allow_patterns: tuple[str, ...] = ()
    """Which files to download, such as "data/test-*.parquet"; empty: all of them."""
    format: str = "parquet"
    """The benchmark type that reads them."""
    path: str = ""
    """Its `path`, relative to the data set; empty: the whole."""
    params: Mapping[str, object] = field(default_factory=dict)
    """Its other parameters, such as `fields`."""


class HubDataset(Benchmark):
    """The samples of a data set of the Hub."""

    Params = HubDatasetParams

    def __init__(self, params: HubDatasetParams) -> None:
        super().__init__(params)
        self._inner: Benchmark | None = None
        self._commit = ""

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._read())

    def fingerprint(self) -> str:
        """Hash of the data set's name, of the commit that was found and of the samples."""
        parts = [self._read().fingerprint(), self.params.repo, self._commit]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _read(self) -> Benchmark:
        if self._inner is None:
            cls = _format(self.params)
            folder = downloaded(self.params)
            self._commit = folder.name
            self._inner = _of(cls, folder, self.params)
        return self._inner


def _format(params: HubDatasetParams) -> type[Benchmark]:
    """The class that reads the files. Raises BenchmarkError for what is wrong with the parameters."""
    where = "benchmark.params"
    if not _REPO.fullmatch(params.repo):
        raise BenchmarkError(f"{where}.repo: expected owner/name, got {params.repo!r}; it is in the data set's address")
    if params.path.startswith("/") or ".." in params.path.split("/"):
        raise BenchmarkError(f"{where}.path: must stay in the data set, got {params.path!r}; give a relative path")
    try:
        cls: type[Benchmark] = plugins.load("benchmarks", params.format)
    except ConfigError as error:
        raise BenchmarkError(f"{where}.format: {error}") from error
    names = [f.name for f in dataclasses.fields(cls.Params)]
    if "path" not in names or cls is HubDataset:
        raise BenchmarkError(f"{where}.format: {params.format} reads no files; name a type that has a path")
    wrong = [name for name in params.params if name not in names or name == "path"]
    if wrong:
        has = ", ".join(sorted({*names} - {"path"}))
        raise BenchmarkError(f"{where}.params: {params.format} has no {wrong[0]!r}, it has: {has}")
    return cls


def _of(cls: type[Benchmark], folder: Path, params: HubDatasetParams) -> Benchmark:
    place = folder / params.path
    found = any(place.parent.glob(place.name)) if params.path else any(folder.iterdir())
    if not found:
        has = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
        listed = ", ".join(has[:8]) + (", ..." if has[8:] else "") or "none"
        raise BenchmarkError(
            f"{params.repo}: no file {params.path!r}; downloaded: {listed}; fix path or allow_patterns"
        )
    return cls(plugins.params_of(cls, {**params.params, "path": str(place)}))


def downloaded(params: HubDatasetParams) -> Path:
    """The folder of the commit in the cache, with all wanted files. Raises MachineError if they cannot be had."""
    try:
        import huggingface_hub  # type: ignore[import-not-found]
    except ImportError as error:
        what = f"benchmark: needs the package huggingface_hub ({error})"
        raise MachineError(f"{what}: {to_install('hub')}") from error
    hub.guard()
    try:
        client = huggingface_hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
        folder = client.snapshot_download(
            params.repo,
            repo_type="dataset",
            revision=params.revision or None,
            allow_patterns=list(params.allow_patterns) or None,
            cache_dir=hub.cache_folder(os.environ),
        )
    except hub.client_errors(ValueError, TypeError, AssertionError, MachineError) as error:  # no answer of a Hub
        raise MachineError(f"benchmark: {_why(params, error, huggingface_hub)}") from error
    return Path(folder)


def _why(params: HubDatasetParams, error: Exception, client: ModuleType) -> str:
    """One line about a download that did not come about."""
    asked = HubModel(params.repo, params.revision or None, file="", is_file_needed=False)
    refused = hub.refusal(asked, error) or (hub.refusal(asked, error.__cause__) if error.__cause__ else "")
    if refused:
        return refused
    name = f"{params.repo} at {params.revision}" if params.revision else params.repo
    why = "HF_HUB_OFFLINE is set" if client.constants.HF_HUB_OFFLINE else "the Hub cannot be reached"
    if isinstance(error, client.errors.LocalEntryNotFoundError):
        return f"{name} is not in the cache, or only in part, and {why}; repeat this where there is a network"
    said = (str(error).splitlines() or [type(error).__name__])[0][:300]
    return f"{name} cannot be downloaded: {said}; the same command goes on with it"
