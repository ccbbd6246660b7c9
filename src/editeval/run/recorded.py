"""What a run that exists says of itself: its configuration, the plan that follows, and how its edits were made.

`score` leaves an invocation with other judges; the run's configuration stays that of its latest `run` or `retry`.
"""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from editeval.config.schema import Config
from editeval.errors import BenchmarkError, UserError
from editeval.images import FileImage
from editeval.reports.i18n import Message
from editeval.run import results
from editeval.run.plan import Plan, make_plan
from editeval.stats.summary import running_interval
from editeval.store import ledger_seal, queries
from editeval.store.ledger_events import RUN, SCORE, Invocation, ReportWritten
from editeval.store.manifest import ABSENT
from editeval.store.records import EditSettings
from editeval.store.run_store import RunStore
from editeval.text import key_parts, one_line
from editeval.types import Benchmark, Metric, Sample

log = logging.getLogger("editeval")
_OLD_CLASSICAL = ("feather_px", "inpaint_radius_px", "on_unclear", "work_px")
"""Parameters of the rule-based editor that was called `classical` before: its runs can still be reported."""
UNKNOWN = "unknown"


def invocation_of(store: RunStore) -> Invocation:
    """The latest invocation that set the run's configuration."""
    found = [recorded.event for recorded in store.events_of(Invocation)]
    return next((one for one in reversed(found) if one.command == RUN), found[-1])


def settings_of(store: RunStore, invocation: Invocation | None = None) -> dict[str, Any]:
    """The configuration as JSON values: the manifest, and what the latest `run` (or another invocation) had changed."""
    settings: dict[str, Any] = copy.deepcopy(dict(store.manifest["config"]))
    for key, (_, value) in (invocation or invocation_of(store)).config_changes.items():
        if value == ABSENT:
            _remove(settings, key_parts(key))
            continue
        *path, last = key_parts(key)
        place = settings
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    model = settings.get("diffusion_model", {})
    if model.get("type") == "classical":
        model["params"] = {key: value for key, value in model.get("params", {}).items() if key not in _OLD_CLASSICAL}
    selected = settings.get("evaluation", {})
    if "first" not in selected:  # of a version in which --limit took the first samples
        selected |= {"first": selected.get("limit"), "limit": None}
    return settings


def settings_here(store: RunStore, invocation: Invocation | None = None) -> dict[str, Any]:
    """Those to work with: a stranger's run does not say where this machine's results and logs go.

    They go into the run directory.
    """
    settings = settings_of(store, invocation)
    if not store.is_own:
        settings["evaluation"] = {**settings.get("evaluation", {}), "output_dir": str(store.dir.absolute())}
        logging = settings.get("logging", {})
        settings["logging"] = {name: value for name, value in logging.items() if name not in ("log_file", "log_dir")}
    return settings


def origins_of(store: RunStore) -> dict[str, str]:
    """Where every value of the run's configuration came from: dotted key -> "file config.yaml:12" and the like."""
    origins = dict(store.manifest["origins"])
    for key, (_, value) in invocation_of(store).origin_changes.items():
        if value == ABSENT:
            origins.pop(key, None)
        else:
            origins[key] = str(value)
    return origins


def stranger_of(store: RunStore) -> Path | None:
    """The run directory, if it may be a stranger's: what its settings execute needs consent then."""
    return None if store.is_own else store.dir


def config_of(store: RunStore, allow_code: bool, is_working: bool = True) -> Config:
    """The run's configuration. It may be somebody else's: code that it names is imported only with `allow_code`.

    `is_working`: workers are to start with it, and servers are asked: in a stranger's run that needs consent.
    """
    from editeval.config.load import load_mapping  # pydantic: `status`, which only looks, starts without it

    name, found_in = store.manifest["name"], stranger_of(store) if is_working else None
    config = load_mapping(settings_here(store), name, allow_code=allow_code, found_in=found_in)
    warnings = invocation_of(store).warnings
    return replace(config, origins=origins_of(store), warnings=config.warnings if warnings is None else warnings)


def scoring_of(store: RunStore, allow_code: bool) -> Config | None:
    """The configuration of the `score` that came after the run's latest invocation; None if there was none."""
    from editeval.config.load import load_mapping

    latest = store.latest(Invocation)
    if latest is None or latest.event.command != SCORE:
        return None
    settings, name = settings_here(store, latest.event), store.manifest["name"]
    return load_mapping(settings, name, allow_code=allow_code, found_in=stranger_of(store))


_GONE = FileImage(Path("/dev/null/the data set is gone"))


class RecordedBenchmark(Benchmark):
    """The wanted samples of a run as its ledger has them: texts, no pictures."""

    def __init__(self, store: RunStore) -> None:
        super().__init__(None)
        self._fingerprint = str(store.manifest["identity"]["benchmark"])
        self._samples = [
            Sample(
                *(row.id, row.category, (_GONE,), row.instruction, row.description, _GONE, None, row.cluster),
                language=row.language,
                subset=row.subset,
                repeat_of=row.repeat_of,
                seed_index=row.seed_index,
            )
            for row in store.rows(None)
        ]

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._samples)

    def fingerprint(self) -> str:
        return self._fingerprint


def plan_of(store: RunStore, allow_code: bool, is_looking: bool = False) -> Plan:
    """The plan of the run's configuration, in the directory where the run is.

    Its judges have the ids that they had then, also if their weights are not on this machine, or their code has
    changed. For somebody who `is_looking` the run is enough: its data set may be gone, and that is said.
    """
    config = config_of(store, allow_code, is_working=False)
    try:
        plan = make_plan(config, directory=store.dir, is_editing=False)
    except UserError as error:
        if not is_looking or not all(isinstance(part, BenchmarkError) for part in error.parts):
            raise
        log.warning("%s; the run alone is shown: texts and the pictures that it holds", one_line(error))
        everything = replace(config, limit=None, first=None, samples=())
        recorded = replace(everything, benchmark=replace(config.benchmark, params=RecordedBenchmark(store)))
        plan = make_plan(recorded, directory=store.dir, is_editing=False)
        plan = replace(plan, config=config, subset=queries.subset(store))
    then = results.configured_ids(store)
    judgings = (replace(judging, id=then.get(judging.name, judging.id)) for judging in plan.judgings)
    return replace(plan, judgings=tuple(judgings), is_editing=True)


def editing_of(plan: Plan) -> EditSettings:
    """How this invocation edits: on record with it, so that every edit says under which setting it was made."""
    execution = plan.config.diffusion_model.execution
    devices = tuple("+".join(group) for group in plan.editor_devices())
    return EditSettings(execution.policy, execution.max_drift, devices, plan.config.limit)


def headline_of(store: RunStore, score_set_id: str) -> tuple[float, float | None, float | None] | None:
    """(mean, low, high) of a score set's headline as the report has it; None unless it is there and still holds."""
    written = report_that_holds(store)
    mean, low, high = written.headlines.get(score_set_id, (None,) * 3) if written else (None,) * 3
    return None if mean is None else (mean, low, high)


def headline_so_far(
    store: RunStore, score_set_id: str, scale: Metric, is_equated: bool
) -> tuple[float, float | None, float | None] | None:
    """(mean, low, high) of the headline scores that are there, from the ledger; None without any."""
    scores = queries.headline_scores(store, score_set_id) if score_set_id else []
    if not scores:
        return None
    mean, low, high = running_interval(scores, scale)
    return (mean, None, None) if is_equated else (mean, low, high)  # the error of a bridge is in the report's


def report_that_holds(store: RunStore) -> ReportWritten | None:
    """What the latest report says; None unless it is there and no result has changed since."""
    written = store.latest(ReportWritten)
    holds = written is not None and queries.is_unchanged_since(store, written.seq, written.event.attempts)
    return written.event if written is not None and holds else None


def change_of_ledger(store: RunStore) -> Message | None:
    """That another program changed edits or scores of the run; None if none did. Reads every row."""
    return Message("out_changed") if store.ledger_state() == ledger_seal.CHANGED else None


def edits_by_policy(store: RunStore) -> list[dict[str, object]]:
    """{"policy", "num_edits", "share"} of every policy that made edits of wanted samples; UNKNOWN: not recorded."""
    made: Counter[str] = Counter()
    for one in queries.edits_made(store):
        if one.num_done:
            unknown = f"{UNKNOWN} (reused from {one.origin})" if one.origin else UNKNOWN
            made[_policy(one.setting) if one.setting else unknown] += one.num_done
    whole = made.total()
    return [{"policy": name, "num_edits": count, "share": count / whole} for name, count in made.most_common()]


def changed_setting(plan: Plan, store: RunStore) -> str:
    """One line if kept edits were made under another policy, device list or limit than this invocation has; or empty.

    Whoever switches a policy to compare must know that what is there already is not made again.
    """
    now, before = editing_of(plan), _setting_before(store)
    kept: Counter[str] = Counter()
    num_kept = 0
    for one in queries.edits_made(store):
        num_kept += one.num
        other = _difference(one, now, before)
        if other:
            kept[other] += one.num
    if not kept:
        return ""
    made = ", ".join(f"{count} with {other}" for other, count in kept.items())
    left = len(plan.samples) - num_kept
    return (
        f"Edits that are there are kept: {made}; {left or 'none'} left to make with {_described(now)}; "
        "--fresh makes all of them again"
    )


def _setting_before(store: RunStore) -> EditSettings | None:
    """That of the latest invocation that edits, before this one."""
    earlier = [one.event.editing for one in store.events_of(Invocation) if one.seq != store.invocation]
    return next((editing for editing in reversed(earlier) if editing), None)


def _difference(kept: queries.EditsMade, now: EditSettings, before: EditSettings | None) -> str:
    """How the setting of kept edits differs from that of now. The limit is worth a word only when it has changed."""
    made = kept.setting
    if made is None:
        return f"an unknown setting ({f'reused from {kept.origin}' if kept.origin else 'by an older version'})"
    differs = [_policy(made) != _policy(now), made.devices != now.devices]
    is_limit_new = before is not None and before.limit != now.limit and made.limit != now.limit
    return _described(made) if any(differs) or is_limit_new else ""


def _described(setting: EditSettings) -> str:
    devices = ", ".join(f"{device} x{n}" if n > 1 else device for device, n in Counter(setting.devices).items())
    limit = f", limit {setting.limit}" if setting.limit is not None else ""
    return f"policy {_policy(setting)} on {devices}{limit}"


def _policy(setting: EditSettings) -> str:
    drift = setting.max_drift
    return f"{setting.policy} (max drift {drift})" if drift is not None else setting.policy


def _remove(place: dict[str, object], path: list[str]) -> None:
    """The leaf at `path` is gone, and with it every mapping that it leaves empty."""
    first, *rest = path
    below = place.get(first)
    if rest and isinstance(below, dict):
        _remove(below, rest)
    if not rest or below == {}:
        place.pop(first, None)
