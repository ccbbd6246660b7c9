"""A bridge: the map that carries one judge's scores over to another's scale, as a file, and what it is fitted on.

The file is data: JSON of the fields of `Bridge` with a format, a version and a digest of all of it. What is anchored on
runs names both score sets by their ids, which are hashes of judge, protocol, prompts and weights.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from editeval.errors import ConfigError
from editeval.files import Folder, StrangeFileError, from_json, write_atomic
from editeval.metrics import OfficialMean, OfficialUse
from editeval.stats import equating
from editeval.stats.equating import Equating
from editeval.store import manifest
from editeval.store.records import Json, parsed
from editeval.types import Metric

FORMAT, VERSION = "editeval-bridge", 1
MAX_BYTES = 16_000_000


@dataclass(frozen=True, slots=True)
class BridgedJudge:
    """A judge as the bridge knows it. `id`: of its score set; empty for scores that came without a run."""

    name: str
    id: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where samples are from that both judges scored: a run, or a table."""

    name: str
    digest: str  # the run's id, or the SHA-256 of the table
    editor: str = ""
    benchmark: str = ""  # its fingerprint


@dataclass(frozen=True, slots=True)
class BridgedMetric:
    """One metric: which of the given ones goes over to which, on whose scale."""

    given: str
    wanted: str
    scale: Metric
    equating: Equating


@dataclass(frozen=True, slots=True)
class Bridge:
    """All that the file holds. Scores of the judge `source` are carried over to the scale of the judge `target`."""

    source: BridgedJudge
    target: BridgedJudge
    anchors: tuple[Anchor, ...]
    metrics: tuple[BridgedMetric, ...]
    languages: tuple[str, ...] = ()  # of the anchors' samples; none if they do not say
    official: tuple[OfficialMean, ...] = ()  # numbers that authors make of the target's scores
    official_use: OfficialUse | None = None

    @property
    def digest(self) -> str:
        return manifest.run_id(self.as_json())

    @property
    def short(self) -> str:
        """What it is called."""
        return self.digest[:8]

    def as_json(self) -> Json:
        """Its fields, as the file has them but for format, version and digest."""
        content: Json = json.loads(json.dumps(asdict(self), allow_nan=False))
        return content


def write(bridge: Bridge, path: Path) -> None:
    """The file, complete or untouched. Raises ConfigError where another file is."""
    head = {"format": FORMAT, "version": VERSION, "digest": bridge.digest}
    data = (json.dumps({**head, **bridge.as_json()}, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"--out {path}: no folder {path.absolute().parent}; make it, or name another file")
    if path.exists() and content_of(path, MAX_BYTES, "--out") != data:
        raise ConfigError(f"--out {path}: another file is there; remove it, or name another one")
    write_atomic(path, data)


def read(path: Path) -> Bridge:
    """The bridge in a file. Raises ConfigError, one line, for anything else and for one that was changed."""
    data = content_of(path, MAX_BYTES, "--bridge")
    try:
        content = from_json(data)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(f"must be a file that `editeval bridge` wrote, with format {FORMAT!r}")
        if content.get("version") != VERSION:
            raise ValueError(f"is of version {content.get('version')!r}, this editeval reads {VERSION}")
        bridge = of_json(
            {name: value for name, value in content.items() if name not in ("format", "version", "digest")}
        )
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise ConfigError(f"--bridge {path}: {error}") from error
    if content.get("digest") != bridge.digest:
        raise ConfigError(f"--bridge {path}: was changed after it was written; fit it again with `editeval bridge`")
    return bridge


def of_json(content: Json) -> Bridge:
    """The bridge with these fields. Raises ValueError or TypeError for what no `editeval bridge` writes."""
    bridge = parsed(Bridge, content)
    texts = [bridge.source.name, bridge.source.id, bridge.target.name, bridge.target.id, *bridge.languages]
    if not bridge.metrics or not all(isinstance(text, str) for text in texts):
        raise ValueError("must name two judges and their metrics")
    for one in bridge.metrics:
        _check(one.equating)
    return bridge


def _check(found: Equating) -> None:
    knots = found.map.knots
    numbers = [*(number for knot in knots for number in knot), found.low, found.high, found.noise, found.correlation]
    numbers += [*found.means.values(), *(one.error for one in found.errors)]
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers) or found.noise < 0:
        raise ValueError("its map and errors must be finite numbers")
    is_rising = all(x < next_x and y <= next_y + 1e-9 for (x, y), (next_x, next_y) in pairwise(knots))
    if not 1 <= len(knots) <= equating.MAX_KNOTS or not is_rising:
        raise ValueError(f"its map must rise over 1 to {equating.MAX_KNOTS} knots")


def content_of(path: Path, limit: int, flag: str) -> bytes:
    """Of a file that the user named. Raises ConfigError, which calls it `flag`, for what cannot be read."""
    place = path.resolve()  # the user named it, by way of links or not
    try:
        return Folder(place.parent).read(place.name, limit)
    except StrangeFileError as error:
        raise ConfigError(f"{flag} {path}: must be a file of at most {limit:,} bytes") from error
    except OSError as error:
        raise ConfigError(f"{flag} {path}: cannot be read: {error.strerror}") from error
