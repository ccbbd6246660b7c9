"""`arrow_folder`: a folder that `save_to_disk` of the `datasets` library wrote; that library is not needed.

Columns and `fields` are as in `parquet`. Needs pyarrow (the extra `parquet`). Licence: that of your data.
Cost: the files are mapped, and pictures are read when they are wanted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from editeval.benchmarks._tables import TableBenchmark, complete
from editeval.errors import BenchmarkError


@dataclass(frozen=True, slots=True)
class ArrowFolderParams:
    """Parameters of `arrow_folder`."""

    path: str = ""
    """The folder; required."""
    split: str = ""
    """Which split, if the folder has several."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Role -> column; "" switches a role off. Roles: see ROLES in _records.py."""
    id_template: str = ""
    """How ids are made, such as "{task_type}/{key}": columns, {category} and {index}; empty: by `id`."""


class ArrowFolder(TableBenchmark):
    """The rows of a saved data set as samples."""

    Params = ArrowFolderParams

    def files(self) -> list[Path]:
        folder = _split_of(self.params.path, self.params.split)
        state = _read(folder / "state.json")
        if state.get("_indices_files") or state.get("_indices_data_files"):
            raise BenchmarkError(
                f"{folder}: rows chosen by a list of indices; call flatten_indices() before save_to_disk"
            )
        listed = state.get("_data_files")
        names = [str(entry["filename"]) for entry in listed] if isinstance(listed, list) else []
        found = [folder / Path(name).name for name in names] or sorted(folder.glob("*.arrow"))
        absent = [path.name for path in found if not path.is_file()]
        if absent or not found:
            what = f"no {', '.join(absent[:5])}, which its state.json names" if absent else "no Arrow file"
            raise BenchmarkError(f"{folder}: {what}; copy or download the whole folder")
        return complete(found, folder)


def _split_of(path: str, split: str) -> Path:
    """The folder with the files."""
    if not path:
        raise BenchmarkError("benchmark.params.path: no folder given; set it to what save_to_disk wrote")
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise BenchmarkError(f"benchmark.params.path: no folder {str(folder)!r}; check the path")
    listed = _read(folder / "dataset_dict.json").get("splits")
    splits = [str(name) for name in listed] if isinstance(listed, list) else []
    if outside := next((name for name in splits if name in ("", ".", "..") or Path(name).name != name), None):
        raise BenchmarkError(f"{folder / 'dataset_dict.json'}: a split is a folder in it, got {outside!r}; correct it")
    if not split and len(splits) == 1:
        split = splits[0]
    if splits and split not in splits:
        has = ", ".join(splits)
        raise BenchmarkError(f"benchmark.params.split: expected one of {has}, got {split!r}; {folder} has these")
    if split and not splits:
        raise BenchmarkError(f"benchmark.params.split: {folder} has no splits, got {split!r}; leave it out")
    return folder / split


def _read(file: Path) -> dict[str, object]:
    if file.exists() and not file.is_file():
        raise BenchmarkError(f"{file}: a pipe or a folder, and no file; copy or download the whole folder")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise BenchmarkError(f"{file}: cannot be read: {error}; copy or download the folder again") from error
    return content if isinstance(content, dict) else {}
