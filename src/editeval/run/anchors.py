"""What a bridge is fitted on: edits that two judges scored, in runs or in tables of scores that came without one."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from editeval.errors import ConfigError, MistakesError
from editeval.files import from_json
from editeval.metrics import OfficialMean, OfficialUse
from editeval.run import results
from editeval.run.bridge import Anchor, Bridge, BridgedJudge, BridgedMetric, content_of
from editeval.run.results import ShownScoreSet
from editeval.stats import equating
from editeval.stats.equating import ScorePair
from editeval.store import manifest
from editeval.store.run_store import RunStore
from editeval.store.score_sets import official_in, official_use_in, scales_in
from editeval.types import Metric

MAX_TABLE_BYTES = 512_000_000
MAX_SCORE = 1e9  # in size; beyond it squares lose digits, or have none
_COLUMNS = ("editor", "sample", "from", "to")
Pairs = dict[str, list[ScorePair]]  # by metric, of the judge on whose scale the scores are to be


@dataclass(slots=True)
class Anchors:
    """What both judges scored, as it is gathered."""

    source: BridgedJudge
    target: BridgedJudge
    anchors: list[Anchor] = field(default_factory=list)
    pairs: Pairs = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)  # metric of the target -> that of the source
    scales: Mapping[str, Metric] = field(default_factory=dict)
    languages: set[str] = field(default_factory=set)
    official: tuple[OfficialMean, ...] = ()
    official_use: OfficialUse | None = None


def fitted(anchors: Anchors) -> Bridge:
    """The bridge over `anchors`.

    Raises ConfigError, a line for each metric that cannot be fitted.
    """
    found, mistakes = [], []
    for wanted, given in anchors.given.items():
        pairs = equating.with_enough(anchors.pairs.get(wanted, ()))
        if why := equating.too_little(pairs):
            mistakes.append(ConfigError(f"--anchor: {wanted}: {why}; name more runs or rows that both judged"))
            continue
        scale = anchors.scales.get(wanted) or Metric(wanted)
        found.append(BridgedMetric(given, wanted, scale, equating.equating(pairs)))
    if mistakes:
        raise MistakesError(mistakes) if len(mistakes) > 1 else mistakes[0]
    names = {one.wanted for one in found}
    official = tuple(mean for mean in anchors.official if names.issuperset(mean.metrics))
    use = anchors.official_use if official else None
    about = (tuple(sorted(filter(None, anchors.languages))), official, use)
    return Bridge(anchors.source, anchors.target, tuple(anchors.anchors), tuple(found), *about)


# -- anchors that are runs -----------------------------------------------------------------------------------------


def of_runs(directories: Sequence[Path], source: str, target: str, metrics: Mapping[str, str]) -> Anchors:
    """What the score sets called `source` and `target` both scored in the runs.

    Raises ConfigError for a run without one of them, and for runs in which a name means different judges.
    """
    gathered: Anchors | None = None
    for directory in dict.fromkeys(path.resolve() for path in directories):
        with RunStore.read(directory) as store:
            known = _score_sets(store, (source, target), directory)
            if gathered is None:
                gathered = _begun(store, *known, metrics)
            for flag, one, before in zip(("--from", "--to"), known, (gathered.source, gathered.target), strict=True):
                if one.id != before.id:
                    raise ConfigError(
                        f"{flag} {before.name}: {directory.name} has {one.id}, another version than {before.id} of "
                        f"{gathered.anchors[0].name}; name runs in which judge and protocol are the same"
                    )
            _add_run(gathered, store, *known)
    assert gathered is not None  # the command line wants one
    return gathered


def _score_sets(store: RunStore, words: Sequence[str], directory: Path) -> tuple[ShownScoreSet, ShownScoreSet]:
    try:
        source, target = (
            results.meant(store, [word], flag)[0] for flag, word in zip(("--from", "--to"), words, strict=True)
        )
    except ConfigError as error:
        raise ConfigError(f"--anchor {directory.name}: {error}") from error
    if source.id == target.id or source.is_equated or target.is_equated:
        raise ConfigError(
            f"--anchor {directory.name}: --from {source.name} and --to {target.name} must be two judges' own scores"
        )
    return source, target


def _begun(store: RunStore, source: ShownScoreSet, target: ShownScoreSet, metrics: Mapping[str, str]) -> Anchors:
    details = {one.id: one.details for one in store.judgings()}
    given = dict(metrics) or {name: name for name in target.metrics if name in source.metrics}
    if not given:
        raise ConfigError(
            f"--metric: {target.name} gives {', '.join(target.metrics)}, {source.name} gives "
            f"{', '.join(source.metrics)}, no name is in both; say which is which: --metric TO=FROM"
        )
    for wanted, name in given.items():
        if wanted not in target.metrics or name not in source.metrics:
            raise ConfigError(
                f"--metric {wanted}={name}: {target.name} gives {', '.join(target.metrics)}, {source.name} gives "
                f"{', '.join(source.metrics)}"
            )
    scales, own = scales_in(details[target.id]), scales_in(details[source.id])
    for wanted, name in given.items():
        sides = [known.get(metric) or Metric(metric) for known, metric in ((scales, wanted), (own, name))]
        if sides[0].is_higher_better != sides[1].is_higher_better:
            raise ConfigError(
                f"--metric {wanted}={name}: more is better on one side and less on the other, so no rising map fits"
            )
    judges = [BridgedJudge(one.name, one.id, one.title) for one in (source, target)]
    gathered = Anchors(judges[0], judges[1], given=given, scales=scales)
    gathered.official = tuple(official_in(details[target.id]))
    gathered.official_use = official_use_in(details[target.id])
    return gathered


def _add_run(gathered: Anchors, store: RunStore, source: ShownScoreSet, target: ShownScoreSet) -> None:
    identity = store.manifest["identity"]
    own = {name: value for name, value in identity.items() if name not in ("benchmark", "seed")}
    editor = manifest.run_id(own)[:12]  # two runs of one editor are one editor
    anchor = Anchor(store.dir.name, store.manifest["run_id"], editor, str(identity["benchmark"]))
    gathered.anchors.append(anchor)
    labels = {source.id: "from.", target.id: "to."}
    for row in store.labelled_rows(labels):
        for wanted, given in gathered.given.items():
            scores = [results.value_of(row, label) for label in (f"from.{given}", f"to.{wanted}")]
            if scores[0] is not None and scores[1] is not None:
                pair = ScorePair(editor, row.cluster, row.category, scores[0], scores[1])
                gathered.pairs.setdefault(wanted, []).append(pair)
                gathered.languages.add(row.language)


# -- anchors that are tables ---------------------------------------------------------------------------------------


def of_tables(paths: Sequence[Path], source: str, target: str, metrics: Mapping[str, str]) -> Anchors:
    """What rows {editor, sample, from, to} say, with cluster, category and metric if they have them. `.csv`, `.jsonl`.

    Raises ConfigError, which names file and line.
    """
    if metrics:
        raise ConfigError("--metric: a table names its metrics itself, in the column `metric`; leave --metric out")
    gathered = Anchors(BridgedJudge(source), BridgedJudge(target))
    seen: set[tuple[str, str, str]] = set()
    for path in dict.fromkeys(map(Path.resolve, paths)):
        data = content_of(path, MAX_TABLE_BYTES, "--anchor")
        gathered.anchors.append(Anchor(path.name, hashlib.sha256(data).hexdigest()))
        for place, row in _rows(path, data):
            metric, pair = _pair(row, place)
            key = (metric, pair.editor, str(row["sample"]))
            if key in seen:
                raise ConfigError(f"{place}: {pair.editor}/{row['sample']} is there twice; keep one")
            seen.add(key)
            gathered.pairs.setdefault(metric, []).append(pair)
    if not gathered.pairs:
        raise ConfigError(f"--anchor {paths[0]}: no rows; it must have the columns {', '.join(_COLUMNS)}")
    gathered.given = {name: name for name in gathered.pairs}
    gathered.scales = {name: Metric(name, None, None) for name in gathered.pairs}  # a table does not say
    return gathered


def _rows(path: Path, data: bytes) -> Iterator[tuple[str, Mapping[str, object]]]:
    """(file and line, row) of a table."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"--anchor {path}: must be UTF-8 text, got other bytes") from error
    if path.suffix == ".csv":
        reader = csv.DictReader(text.splitlines())
        try:
            for row in reader:
                yield f"{path}:{reader.line_num}", {str(name): value for name, value in row.items()}
        except csv.Error as error:
            raise ConfigError(f"{path}:{reader.line_num}: {error}") from error
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{path}:{number}", _object(line, f"{path}:{number}")


def _object(line: str, place: str) -> Mapping[str, object]:
    try:
        row = from_json(line)
    except ValueError as error:
        raise ConfigError(f"{place}: must be a JSON object: {error}") from error
    if not isinstance(row, dict):
        raise ConfigError(f"{place}: must be a JSON object, got {type(row).__name__}")
    return row


def _pair(row: Mapping[str, object], place: str) -> tuple[str, ScorePair]:
    """The metric and the pair of a row."""
    missing = [name for name in _COLUMNS if row.get(name) in (None, "")]
    if missing:
        raise ConfigError(f"{place}: must have {', '.join(_COLUMNS)}, lacks {', '.join(missing)}")
    given, wanted = (_number(row[name], f"{place}: {name}") for name in ("from", "to"))
    text = {name: str(row.get(name) or "") for name in ("cluster", "category", "metric")}
    pair = ScorePair(str(row["editor"]), text["cluster"] or str(row["sample"]), text["category"], given, wanted)
    return text["metric"] or "overall", pair


def _number(value: object, place: str) -> float:
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not abs(number) <= MAX_SCORE:
        least = f" of at most {MAX_SCORE:g} in size" if math.isfinite(number) else ""
        raise ConfigError(f"{place}: must be a number{least}, got {str(value)[:60]!r}")
    return number
