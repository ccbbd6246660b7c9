"""The data sets of people's judgements that are known by name, and where each is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from editeval.benchmarks.hub_dataset import HubDatasetParams, downloaded
from editeval.errors import ConfigError
from editeval.preferences.human_data import OVERALL, HumanData, with_keys
from editeval.preferences.imagenhub_edits import edits_in
from editeval.preferences.mmrb2_pairs import built_file, pairs_in
from editeval.preferences.pair_tables import LAYOUTS

OWN = "own"
IMAGENHUB = "imagenhub"


@dataclass(frozen=True, slots=True)
class KnownData:
    """One data set. `rule`: how its authors count, a name of certificates/human_agreement.RULES."""

    rule: str
    repo: str = ""  # on the Hub; empty: it is not there as a whole
    patterns: tuple[str, ...] = ()
    main: str = ""
    is_macro: bool = False
    is_stretched: bool = False


KNOWN: Mapping[str, KnownData] = {
    "editreward_bench": KnownData(
        "ties wrong", "EditScore/EditReward-Bench", main=OVERALL, is_macro=True, is_stretched=True
    ),
    "tiger_editreward_bench": KnownData("ties calibrated", "TIGER-Lab/EditReward-Bench"),
    "mmrb2": KnownData(
        "each order's verdict",
        "rl-research/multimodal-rewardbench-2",
        ("edit/*.parquet", "*/edit-*.parquet", "edit-*.parquet"),
    ),
    "editreward_compass": KnownData("ties below 1e-5", "DogNeverSleep/EditReward-Compass"),
    IMAGENHUB: KnownData("ties wrong", main="O"),
    "vcreward": KnownData("ties wrong", "GEditBench-v2/VCReward-Bench"),
    OWN: KnownData("ties wrong"),
}


def human_data(name: str, path: str) -> HumanData:
    """The data set called `name`, in `path` or from the Hub, with the key of every edit.

    Raises ConfigError for a wrong name or place, BenchmarkError for what is no such data, MachineError where the Hub is
    needed and cannot be reached.
    """
    known = KNOWN.get(name)
    if known is None:
        raise ConfigError(f"--data: must be one of {', '.join(KNOWN)}, got {name!r}")
    place = _place(name, known, path)
    if name == IMAGENHUB:
        found = HumanData(name, rated=tuple(edits_in(place)))
    elif name == "mmrb2" and (file := built_file(place)) is not None:
        found = HumanData(name, tuple(pairs_in(file)))
    else:
        found = HumanData(name, tuple(LAYOUTS[name].pairs(place)))
    ways = {name: getattr(known, name) for name in ("main", "rule", "is_macro", "is_stretched")}
    return with_keys(replace(found, **ways))


def _place(name: str, known: KnownData, path: str) -> Path:
    if path:
        place = Path(path).expanduser()
        if not place.exists():
            raise ConfigError(f"--path: no file or folder {path!r}; check the path")
        return place
    if not known.repo:
        raise ConfigError(f"--data {name}: is not on the Hub as a whole; name its folder or file with --path")
    return downloaded(HubDatasetParams(known.repo, allow_patterns=known.patterns))
