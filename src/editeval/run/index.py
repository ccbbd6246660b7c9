"""The runs of a folder, a line each: what made the edits, what they scored, and what that is worth.

Cheap: one look at the ledger of each run. A number comes from the latest report while no result has changed since, else
from the scores themselves, and then says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from editeval import plugins
from editeval.certificates.photographic import certificates_in
from editeval.errors import UserError
from editeval.reports import data
from editeval.reports.badge import is_trusted
from editeval.run import official, results
from editeval.run.recorded import headline_so_far, report_that_holds
from editeval.run.results import ShownScoreSet
from editeval.store import directories, manifest, queries
from editeval.store.ledger_events import Invocation, ReportWritten
from editeval.store.manifest import Content
from editeval.store.run_store import RunStore
from editeval.text import one_line, printable
from editeval.types import Metric, Subset

NAME = "evaluation.name"
RUNNING, COMPLETE, INCOMPLETE, UNFINISHED, BROKEN = "running", "complete", "incomplete", "unfinished", "broken"
"""Somebody writes to it | all that is wanted is scored | some of it failed | some of it is not done | not readable."""
_MODEL_KEYS = ("model_name", "model")
_WEIGHTS_FILES = re.compile(r"(pytorch_lora_weights|adapter_model|model|lora|weights)\.\w+")
Trusted = dict[tuple[Path, str], bool]
"""By folder and score set: whether no certificate speaks against its judge."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run. Where `problem` says why it cannot be read, nothing else is known of it."""

    dir: Path
    problem: str = ""
    run_id: str = ""
    name: str = ""  # the one that it was given
    model: str = ""
    benchmark: str = ""
    benchmark_id: str = ""  # its fingerprint: equal for equal samples
    subset: Subset | None = None
    score_set: str = ""  # id of the first one that is shown; empty: the edits are the result
    judge: str = ""
    protocol: str = ""
    metric: str = ""  # the headline's
    scale: Metric = field(default_factory=lambda: Metric(""))
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""  # why the mean has no interval: a word of `stats.intervals`
    num_samples: int = 0  # of several seeds for each, edits
    num_seeds: int = 1
    num_scored: int = 0  # without a judge: edited
    badge: str = ""  # empty: no report holds
    state: str = BROKEN
    created_at: float = 0.0
    is_official: bool | None = None  # None: not known, or there is no official number
    is_judge_trusted: bool = True  # False: the judge of these scores fails a certificate

    @property
    def coverage(self) -> float:
        return self.num_scored / self.num_samples if self.num_samples else 0.0


def runs_in(folder: Path) -> list[RunEntry]:
    """Every run in `folder`, the newest first. Links are not followed; one that cannot be read is an entry as well."""
    return entries(directories.all_runs(folder))


def entries(found: Sequence[Path]) -> list[RunEntry]:
    """Of these run directories, the newest first."""
    known: Trusted = {}
    return sorted(
        (_entry(directory, known) for directory in found), key=lambda entry: (-entry.created_at, entry.dir.name)
    )


def find_run(word: str, folder: Path) -> Path:
    """The run that `word` means, as `directories.resolve_run` says, names that runs were given included."""
    return directories.resolve_run(word, folder, _name_in)


def label_of(store: RunStore) -> str:
    """What tables call the run: the name that it was given, or what made its edits."""
    return name_of(store) or model_of(store.manifest)


def name_of(store: RunStore) -> str:
    """The name that the run was given last; empty if it has none."""
    first = store.manifest["config"].get("evaluation")
    names = [first.get("name") if isinstance(first, Mapping) else None]
    for one in store.events_of(Invocation):
        names.append(one.event.config_changes.get(NAME, (None, names[0]))[1])
    given = (name for name in reversed(names) if name and name != manifest.ABSENT)
    return printable(next(given, ""))


def model_of(content: Content) -> str:
    """The checkpoint, with its adapters, or the editor; of one that has other parameters, with its configuration."""
    stage = content["config"].get("diffusion_model")
    told: Mapping[str, object] = stage if isinstance(stage, Mapping) else {}
    given = told.get("params")
    params: Mapping[str, object] = given if isinstance(given, Mapping) else {}
    kind = plugins.short_name(str(content["identity"]["editor"]))
    if kind == "imported":
        return printable(params.get("name") or kind)
    if checkpoint := checkpoint_of(params):
        return printable(checkpoint)
    is_told_by_kind = not content["identity"].get("params") or content["name"] in ("config", kind)
    return printable(kind if is_told_by_kind else f"{kind} ({content['name']})")


def checkpoint_of(params: Mapping[str, object]) -> str:
    """The last word of the model and of each adapter that parameters name; empty if they name none."""
    model = next((str(params[key]) for key in _MODEL_KEYS if isinstance(params.get(key), str) and params[key]), "")
    adapters = params.get("lora")
    listed = adapters if isinstance(adapters, list | tuple) else []
    paths = [str(one.get("path") or "") for one in listed if isinstance(one, Mapping)]
    return " + ".join(map(_last_word, filter(None, [model, *paths]))) if model else ""


def _last_word(place: str) -> str:
    """`X` of `org/X`; of a file with a usual name, its folder; of a download from the Hub, its model."""
    path = PurePath(place)
    if _WEIGHTS_FILES.fullmatch(path.name) and path.parent.name:
        path = path.parent
    if path.parent.name == "snapshots" and path.parent.parent.name.startswith("models--"):
        return path.parent.parent.name.rpartition("--")[2]
    return path.stem if path.suffix == ".safetensors" else path.name or place


def _name_in(directory: Path) -> str:
    try:
        with RunStore.read(directory) as store:
            return name_of(store)
    except (UserError, OSError):
        return ""  # whoever opens it says what is wrong


def _entry(directory: Path, known: Trusted) -> RunEntry:
    try:
        is_running = directories.writer_of(directory) is not None
        with RunStore.read(directory) as store:
            return _read(store, is_running, known)
    except UserError as error:
        return RunEntry(directory, one_line(error).removeprefix(f"{directory}: "))
    except OSError as error:
        return RunEntry(directory, one_line(f"cannot be read: {error.strerror or error}"))


def _read(store: RunStore, is_running: bool, known: Trusted) -> RunEntry:
    shown = results.shown(store)
    first = shown[0] if shown else None
    used, name = official.recorded(store), name_of(store)
    settings = store.manifest["config"].get("benchmark")
    kind = settings.get("type") if isinstance(settings, Mapping) else ""
    entry = RunEntry(
        dir=store.dir,
        run_id=store.manifest["run_id"],
        name=name,
        model=name or model_of(store.manifest),
        benchmark=printable(used.name if used else plugins.short_name(str(kind or ""))),
        benchmark_id=str(store.manifest["identity"]["benchmark"]),
        subset=queries.subset(store),
        num_seeds=queries.num_seeds(store),
        created_at=float(store.manifest["created_at"]),
        state=RUNNING,
    )
    if first is not None:
        entry = replace(_judged(entry, store, first), is_judge_trusted=_is_trusted(store, first, known))
    written = _told_of(store, first)
    entry = _counted(entry, store, first) if written is None else _reported(entry, written)
    return replace(entry, state=RUNNING) if is_running else entry


def has_failed_judge(store: RunStore, first: ShownScoreSet) -> bool:
    """Whether a certificate that is there now, or a report that holds, says so of the judge that a run shows first."""
    written = _told_of(store, first)
    is_told = written is not None and written.badge.startswith(data.INVALID_JUDGE)
    return is_told or not _is_trusted(store, first, {})


def _told_of(store: RunStore, first: ShownScoreSet | None) -> ReportWritten | None:
    """The report that holds, if it speaks of these scores."""
    written = report_that_holds(store)
    if written is None or written.num_samples < 0:
        return None
    return written if first is None or first.id in written.headlines else None


def _judged(entry: RunEntry, store: RunStore, first: ShownScoreSet) -> RunEntry:
    params = {one.id: one.details for one in store.judgings()}.get(first.id, {}).get("params")
    kind = first.judge if first.is_equated else plugins.short_name(first.judge)
    model = checkpoint_of(params) if isinstance(params, Mapping) else ""
    metric = first.labels[0]
    return replace(
        entry,
        score_set=first.id,
        judge=printable(model or kind),
        protocol=printable(first.protocol),
        metric=printable(metric),
        scale=results.scales(store, (first,)).get(metric) or Metric(metric),
    )


def _is_trusted(store: RunStore, first: ShownScoreSet, known: Trusted) -> bool:
    """Whether no certificate that is there now speaks against the judge."""
    key = store.dir.parent, first.judged_in
    if key not in known:
        known[key] = is_trusted(*certificates_in(key[0], [key[1]]))
    return known[key]


def _reported(entry: RunEntry, written: ReportWritten) -> RunEntry:
    mean, low, high = written.headlines.get(entry.score_set, (None,) * 3)
    badge, is_whole = written.badge, not written.badge.endswith(data.OF_SUBSET)
    if not entry.is_judge_trusted and badge.removesuffix(data.OF_SUBSET) in (data.VALID, data.WARNED):
        badge = data.INVALID_JUDGE + ("" if is_whole else data.OF_SUBSET)
    return replace(
        entry,
        mean=mean,
        low=low,
        high=high,
        note=written.note,
        num_samples=written.num_samples,
        num_scored=written.num_scored,
        badge=badge,
        state=COMPLETE if written.num_scored == written.num_samples else INCOMPLETE,
        is_official=written.is_official,
    )


def _counted(entry: RunEntry, store: RunStore, first: ShownScoreSet | None) -> RunEntry:
    """By the scores themselves: the run works, was cut short, or its report is of an older version."""
    counts = store.counts(entry.score_set or None)
    found = headline_so_far(store, first.id, entry.scale, first.is_equated) if first else None
    mean, low, high = found or (None, None, None)
    num_scored, num_left = counts.num_scored, counts.num_pending_edits + counts.num_pending_scores
    if first is None:
        num_scored, num_left = counts.num_edited, counts.num_pending_edits
    state = UNFINISHED if num_left or not counts.num_wanted else INCOMPLETE
    return replace(
        entry,
        mean=mean,
        low=low,
        high=high,
        num_samples=counts.num_wanted,
        num_scored=num_scored,
        state=COMPLETE if 0 < num_scored == counts.num_wanted else state,
    )
