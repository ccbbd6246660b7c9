"""GEditBench v2: verdicts on pairs of edits, `eval_{if,vc,vq}*/*.jsonl`, and the Elo of every model.

A line is {"key": "{sample}_pair_{model}_vs_{model}", "results": {"winner": W}}, where W is Image A, Image B or Tie; any
other winner (Failed) is no verdict, as there.
"""

from __future__ import annotations

from collections.abc import Iterator

from editeval.files import from_json
from editeval.reproduce.clone import Clone, PublishedDataError
from editeval.reproduce.published import Recomputed, ResultFormat
from editeval.stats.elo import PairVerdict, elo

_TABLE = "Elo of the models"
_DIMENSIONS = ("eval_if", "eval_vc", "eval_vq")
_WON = {"Image A": 1.0, "Image B": 0.0, "Tie": 0.5}
_SWITCH = "prior_by_name"


def recompute(clone: Clone) -> Iterator[Recomputed]:
    """The Elo of every model, over the dimensions that are there."""
    dimensions, num_failed = [], 0
    for file in _files(clone):
        verdicts, failed = _verdicts(clone, file)
        dimensions.append(verdicts)
        num_failed += failed
    ours, theirs = elo(dimensions), elo(dimensions, is_prior_by_name=True)
    num = sum(map(len, dimensions))
    for model in sorted(ours, key=lambda name: (-ours[name], name)):
        yield Recomputed(_TABLE, model, "Elo", ours[model], num, num_failed, theirs[model], _SWITCH)


def _files(clone: Clone) -> Iterator[str]:
    """One file per dimension, of which one at least is needed."""
    found = 0
    for dimension in _DIMENSIONS:
        folders = [name for name in clone.names() if name.startswith(dimension)]
        files = [f"{folder}/{name}" for folder in folders for name in clone.names(folder) if name.endswith(".jsonl")]
        if len(files) > 1:
            raise PublishedDataError(f"{clone.root}: {dimension}: must be one file, got {', '.join(files)}")
        found += len(files)
        yield from files
    if not found:
        raise PublishedDataError(f"{clone.root}: must hold {'/, '.join(_DIMENSIONS)}/ with a .jsonl file, got none")


def _verdicts(clone: Clone, file: str) -> tuple[list[PairVerdict], int]:
    """(the verdicts, the number of lines without one)."""
    found, num_failed = [], 0
    for number, line in enumerate(clone.text(file).splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = from_json(line)
            _, both = str(entry["key"]).split("_pair_", 1)
            a, b = both.split("_vs_", 1)
            said = (entry.get("results") or entry.get("result") or {}).get("winner")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            where = f"{clone.root / file}: line {number}"
            raise PublishedDataError(f"{where}: must have a key with _pair_ and _vs_, and results") from error
        won = _WON.get(said) if isinstance(said, str) else None
        if won is None or a == b:
            num_failed += 1
        else:
            found.append(PairVerdict(a, b, won))
    return found, num_failed


RESULTS = ResultFormat(
    name="gedit_v2",
    title="GEditBench v2: verdicts on pairs of edits",
    repository="",
    commit="",
    layout="eval_if*/*.jsonl, eval_vc*/*.jsonl, eval_vq*/*.jsonl, as in geditv2.zip",
    words="those that the run used",
    rule="Elo of Davidson's model with ties, jointly over the dimensions; the prior is about the mean of the models",
    recompute=recompute,
    switches={_SWITCH: "the prior is about the last model by name, so that an Elo depends on names"},
    digits=0,
)
