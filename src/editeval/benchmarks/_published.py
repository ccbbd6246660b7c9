"""What benchmarks by name share. Such a benchmark is mainly a table: the authors' fields, how ids are made, the counts.

Files are found by what they are: a folder of `save_to_disk`, Parquet or Arrow files, a JSON file. Nothing is refused
because it is another version of the data: `differs` says how it differs.
"""

from __future__ import annotations

import glob
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import islice
from pathlib import Path
from typing import ClassVar

from editeval.benchmarks._files import refuse_duplicates
from editeval.benchmarks._json_stream import read_records
from editeval.benchmarks._records import did_you_mean
from editeval.benchmarks._table_files import opened
from editeval.benchmarks._tables import TableBenchmark, complete
from editeval.benchmarks.arrow_folder import ArrowFolder, ArrowFolderParams
from editeval.benchmarks.hub_dataset import HubDatasetParams, downloaded
from editeval.benchmarks.json_records import FIELDS, FURTHER, JsonRecords, JsonRecordsParams
from editeval.benchmarks.parquet import Parquet, ParquetParams
from editeval.errors import BenchmarkError
from editeval.types import Benchmark, PluginParams, Sample

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_MADE = ("index", "category")  # placeholders of id_template that need no field
_PLACE = ("path", "repo", "revision", "images")  # parameters that say where the data are, and not which


@dataclass(frozen=True, slots=True)
class BenchmarkCard:
    """What is known of a published benchmark."""

    title: str
    size: str
    homepage: str
    hub: str  # owner/name on the Hugging Face Hub; empty: it is not there
    licence: str
    citation: str
    protocol: str  # name of its official protocol
    counts: Mapping[str, int] = field(default_factory=dict)
    """Samples of the known version by "language/category", category, or, where no more is known, language or "all"."""
    layouts: tuple[str, ...] = ()
    """Of edits made elsewhere, such as "{task_type}/{language}/{key}.png": fields of Sample.metadata, {id}, {category}
    and {language}."""


@dataclass(frozen=True, slots=True)
class PublishedParams:
    """Where the data of a named benchmark are."""

    path: str = ""
    """What was downloaded. Empty: it is downloaded from the Hugging Face Hub."""
    repo: str = ""
    """The data set there, owner/name; counts only without `path`."""
    revision: str = ""
    """Its commit; "" for main, as it is today."""


class PublishedBenchmark(Benchmark):
    """A benchmark by name."""

    Params = PublishedParams
    card: ClassVar[BenchmarkCard]
    fields: ClassVar[Mapping[str, str]] = {}  # role -> the authors' field; roles: see _records.py and json_records.py
    id_template: ClassVar[str] = ""
    files_wanted: ClassVar[tuple[str, ...]] = ()  # patterns of the files to download; empty: all

    def __init__(self, params: PluginParams) -> None:
        super().__init__(params)
        self._samples: tuple[Sample, ...] = ()
        self._root: Path | None = None
        self._readers: Mapping[str, Benchmark] = {}

    # ------------------------------------------------------------------------------------ what a subclass may say

    def readers(self, root: Path) -> Mapping[str, Benchmark]:
        """What reads the files under `root`, by a name of your own that `adapted` gets."""
        return {"": self.table(root, self.fields)}

    def adapted(self, group: str, sample: Sample) -> Sample | None:
        """`sample` as the benchmark has it; None: it is none of those that the parameters ask for."""
        del group
        return sample

    def expected(self) -> Mapping[str, int]:
        """Those of the card's counts that hold under these parameters."""
        return self.card.counts

    # ------------------------------------------------------------------------------------ what it can use

    def table(self, root: Path, names: Mapping[str, str], id_template: str | None = None) -> TableBenchmark:
        """What reads the rows of the Arrow or Parquet files in or under `root`."""
        template = self.id_template if id_template is None else id_template
        folders = [
            file.parent for name in ("dataset_dict.json", "state.json", "*.arrow") for file in _under(root, name)
        ]
        found: TableBenchmark
        if folders:
            splits = ArrowFolderParams(str(folders[0]), _split(folders[0]), dict(names), template)
            found = ArrowFolder(splits)
        elif root.suffix == ".parquet" or any(_under(root, "*.parquet")):
            found = Parquet(ParquetParams(str(root), dict(names), template))
        else:
            raise self.unlike(root, "Parquet or Arrow files")
        file = found.files()[0]
        self._need(file, opened(file).schema.names, names, template)
        return found

    def split(self, root: Path, split: str, names: Mapping[str, str], id_template: str) -> TableBenchmark:
        """What reads one split of several under `root`: saved, or Parquet files that are named after it."""
        if (root / "dataset_dict.json").is_file() and (root / split).is_dir():
            return ArrowFolder(ArrowFolderParams(str(root), split, dict(names), id_template))
        if any(root.rglob(f"{split}*.parquet")):
            pattern = f"{glob.escape(str(root))}/**/{split}*.parquet"
            return Parquet(ParquetParams(pattern, dict(names), id_template))
        raise self.unlike(root, f"the split {split!r}, saved or in Parquet files,")

    def records(self, file: Path, names: Mapping[str, str], id_template: str | None = None) -> JsonRecords:
        """What reads the records of the JSON file `file`: `names` has all roles, and `image_path` where files are."""
        template = self.id_template if id_template is None else id_template
        if not file.is_file():
            raise self.unlike(file.parent, repr(file.name))
        if file != Path(self.params.path).expanduser():  # which is the user's word, link or not
            complete([file], file.parent)
        first = next(iter(islice(read_records(file), 1)), None)
        if first is not None:
            own = ["key"] if first.key else []  # of an object of records
            self._need(file, [*first.value, *own], names, template)
        every = {**dict.fromkeys((*FIELDS, *FURTHER), ""), **names}
        return JsonRecords(JsonRecordsParams(str(file), every, id_template=template))

    def unlike(self, place: Path, expected: str) -> BenchmarkError:
        """That `place` does not hold the data."""
        if place.is_dir():
            names = sorted(path.name for path in islice(place.iterdir(), 1000))
            found = ", ".join(names[:8]) + (", ..." if names[8:] else "") or "an empty folder"
        else:
            found = "a file of another kind" if place.exists() else "nothing there"
        what = f"expected {expected} of {self.card.title}, found {found}"
        return BenchmarkError(f"{place}: {what}; docs/benchmarks.md says how to get the data")

    # ------------------------------------------------------------------------------------ what it is

    def __iter__(self) -> Iterator[Sample]:
        if not self._samples:
            kept: list[Sample] = []
            for group, reader in self._found().items():
                kept += filter(None, (self.adapted(group, self._restored(sample)) for sample in reader))
            if not kept:
                raise BenchmarkError(f"{self._root}: {self._none_left()}; change benchmark.params")
            places = [f"number {number}" for number in range(len(kept))]
            refuse_duplicates(str(self._root), [s.id for s in kept], places, "download the data again")
            self._samples = tuple(kept)
        return iter(self._samples)

    def fingerprint(self) -> str:
        """Hash of the files and of the parameters that decide which samples they give."""
        usual = {f.name: f.default for f in fields(self.params)}
        changed = {name: value for name, value in self._chosen().items() if value != usual[name]}
        read = {group: reader.fingerprint() for group, reader in self._found().items()}
        return hashlib.sha256(json.dumps([type(self).__name__, read, changed], sort_keys=True).encode()).hexdigest()

    def differs(self) -> tuple[str, ...]:
        """How the data differ from the known version, one short phrase each; nothing: they do not."""
        expected = self.expected()
        if not expected:
            return ("how many samples the published version has is not on record here",)
        found = Counter(_group(sample, expected) for sample in self)
        wanted, total = sum(expected.values()), sum(found.values())
        said = [f"{wanted} samples expected, found {total}"] if total != wanted else []
        parts = {name: num for name, num in expected.items() if name != "all"}
        said += [f"group {name} has {found[name]} of {num}" for name, num in parts.items() if found[name] != num]
        said += [f"group {name} is not in the known version" for name in found if name not in expected]
        return tuple(said)

    def compared_by(self) -> str:
        """By what `differs` knows the known version: "counts", where nothing of its content is on record here."""
        return "counts"

    def notes(self) -> tuple[str, ...]:
        """The parameters that decide which samples there are, and how the data differ from the known version."""
        said, differs = ", ".join(f"{name} {value}" for name, value in self._chosen().items()), self.differs()
        more = f"; {len(differs) - 3} more" if len(differs) > 3 else ""
        version = f"not the known version of {self.card.title}: {'; '.join(differs[:3])}{more}" if differs else ""
        return tuple(filter(None, (said, version)))

    def _chosen(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self.params).items() if name not in _PLACE and value != {}}

    def _found(self) -> Mapping[str, Benchmark]:
        if not self._readers:
            self._root = self._place()
            self._readers = self.readers(self._root)
        return self._readers

    def _place(self) -> Path:
        """Where the data are; they are downloaded if no path is given."""
        if self.params.path:
            place = Path(self.params.path).expanduser()
            if not place.exists():
                raise BenchmarkError(f"benchmark.params.path: nothing at {str(place)!r}; check the path")
            return place
        if not self.params.repo:
            what = f"no path given, and {self.card.title} is not on the Hub"
            raise BenchmarkError(f"benchmark.params.path: {what}; set it to what you downloaded (docs/benchmarks.md)")
        return downloaded(HubDatasetParams(self.params.repo, self.params.revision, self.files_wanted))

    def _restored(self, sample: Sample) -> Sample:
        """With the authors' own fields in its metadata, also those that have a role."""
        roles = {"category": sample.category, "language": sample.language, "subset": sample.subset}
        own = {self.fields[role]: value for role, value in roles.items() if value and self.fields.get(role)}
        return replace(sample, metadata={**own, **sample.metadata})

    def _need(self, file: Path, found: list[str], names: Mapping[str, str], template: str) -> None:
        """Raises BenchmarkError unless every field is there that decides what is edited and how a sample is called."""
        made = [name for name in _PLACEHOLDER.findall(template) if name not in _MADE or name in found]
        roles = [
            names[role] for role in ("image", "image_path", "instruction", "category", "language") if role in names
        ]
        wanted = dict.fromkeys([*made, *filter(None, roles)])
        absent = [name for name in wanted if name not in found and name.split(".")[0] not in found]
        if absent:
            hint = did_you_mean(absent[0], found)
            what = f"expected the field {absent[0]!r} of {self.card.title}, found {', '.join(found)}"
            raise BenchmarkError(f"{file}: {what}; {hint}docs/benchmarks.md says which data it reads")

    def _none_left(self) -> str:
        """That the parameters leave nothing, and what there would be."""
        has = Counter(sample.language for reader in self._found().values() for sample in reader)
        listed = ", ".join(f"{number} in {name!r}" if name else str(number) for name, number in has.items())
        asked = ", ".join(f"{name} {value!r}" for name, value in self._chosen().items())
        return f"no sample with {asked}; the data have {listed}"


def _under(root: Path, pattern: str) -> list[Path]:
    return [root] if root.is_file() and root.match(pattern) else sorted(root.rglob(pattern))


def _split(folder: Path) -> str:
    """The split of a saved data set that benchmarks are published in; empty where there is one, or none."""
    names = [path.name for path in folder.iterdir() if path.is_dir()] if (folder / "dataset_dict.json").exists() else []
    return next((name for name in ("train", "test") if name in names), "")


def _group(sample: Sample, expected: Mapping[str, int]) -> str:
    """The group of `expected` in which `sample` counts."""
    names = (f"{sample.language}/{sample.category}", sample.category, sample.language, "all")
    return next((name for name in names if name in expected), names[0].lstrip("/"))
