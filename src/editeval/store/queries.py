"""What a ledger tells about work that goes on: who did what last, and how fast. For onlookers; cheap on large runs.

`+stage` keeps SQLite from an index where the last few rows are wanted: it walks back from the end instead.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from editeval.store.ledger_events import CHANGES, EditsTaken, Invocation, SubsetChosen
from editeval.store.records import Attempt, EditSettings, ScoreSet
from editeval.store.run_store import RunStore
from editeval.types import Edit, Failure, Score, Subset


@dataclass(frozen=True, slots=True)
class WorkerActivity:
    """What one worker of a stage has recorded since some moment. Judge attempts count samples."""

    stage: str
    judging_id: str
    worker: int
    device: str
    num_done: int
    num_failed: int
    last_sample: str
    last_ended_at: float
    seconds_per_sample: float | None  # of its last few that did not fail


@dataclass(frozen=True, slots=True)
class LastFailure:
    """The attempt that failed last."""

    stage: str
    sample_id: str
    worker: int
    error: Failure


NUM_LAST = 10


def last_command(store: RunStore, but_not: str = "") -> tuple[str, ...]:
    """What was typed to make or continue the run, the latest that is not `editeval BUT_NOT`; empty if unknown."""
    typed = [recorded.event.argv for recorded in store.events_of(Invocation)]
    return next((argv for argv in reversed(typed) if argv[1:2] != (but_not,)), ())


def metrics(store: RunStore, judging_id: str) -> tuple[str, ...]:
    """What this judging measures, the headline first; nothing before its first score."""
    found = store.query(  # of one sample: a judge gives the same ones to each
        "SELECT metric FROM scores WHERE judging_id = ?1 AND sample_id = "
        "(SELECT sample_id FROM scores WHERE judging_id = ?1 LIMIT 1) ORDER BY place",
        judging_id,
    )
    return tuple(row[0] for row in found)


def has_value(store: RunStore, judging_id: str, parent: str = "") -> dict[str, bool]:
    """By sample, those that are not wanted now included: whether its headline is a score, or was left unscored.

    Those that `parent` has replies for, which are still to be read for this score set, count as they stand there.
    """
    sql = "SELECT sample_id, value IS NOT NULL FROM scores WHERE judging_id = ? AND place = 0"
    found = {sample_id: bool(scored) for sample_id, scored in store.query(sql, judging_id)}
    if parent:
        left = kept_inputs(store, judging_id, parent)
        found |= {sample_id: bool(scored) for sample_id, scored in store.query(sql, parent) if sample_id in left}
    return found


def kept_inputs(store: RunStore, judging_id: str, parent: str) -> dict[str, str | None]:
    """By sample, what the judge was shown for `parent`: samples that were never tried for `judging_id`."""
    sql = (
        "SELECT c.sample_id, c.inputs FROM scores c WHERE c.judging_id = ?1 AND c.place = 0 AND NOT EXISTS "
        "(SELECT 1 FROM scores o WHERE o.judging_id = ?2 AND o.sample_id = c.sample_id)"
    )
    tried = {key for (key,) in store.query("SELECT sample_id FROM attempts WHERE judging_id = ?", judging_id)}
    return {sample_id: inputs for sample_id, inputs in store.query(sql, parent, judging_id) if sample_id not in tried}


def subset(store: RunStore) -> Subset | None:
    """Which part of its benchmark the run covers; None for all of it, and for runs that do not say."""
    chosen = store.latest(SubsetChosen)
    return chosen.event.subset if chosen else None


def covered(store: RunStore) -> dict[str, dict[str, int]]:
    """Wanted samples by language and by named subset, in benchmark order; "" is neither, and alone it is nothing."""
    found: dict[str, dict[str, int]] = {}
    for by in ("language", "subset"):
        wanted = "position IS NOT NULL AND seed_index = 1"
        counts = dict(
            store.query(f"SELECT {by}, COUNT(*) FROM samples WHERE {wanted} GROUP BY 1 ORDER BY MIN(position)")
        )
        found[by] = counts if any(counts) else {}
    return found


def headline_scores(store: RunStore, judging_id: str) -> list[tuple[str, str, float]]:
    """(cluster, sample, headline score) of every wanted edit that this judging has scored."""
    return [
        (row[0], row[1] or row[2], row[3])
        for row in store.query(
            "SELECT s.cluster, s.repeat_of, s.id, c.value FROM samples s CROSS JOIN scores c "
            "ON c.judging_id = ? AND c.sample_id = s.id AND c.place = 0 "
            "WHERE s.position IS NOT NULL AND c.value IS NOT NULL",
            judging_id,
        )
    ]


def workers(store: RunStore, since_at: float) -> list[WorkerActivity]:
    """One row per stage, judging and worker that recorded an attempt begun since `since_at` (unix seconds)."""
    found = store.query(
        "SELECT stage, judging_id, worker, device, SUM(reason IS NULL), SUM(reason IS NOT NULL), MAX(seq) "
        "FROM attempts WHERE started_at >= ? GROUP BY stage, judging_id, worker ORDER BY stage, judging_id, worker",
        since_at,
    )
    return [_worker(store, row) for row in found]


def _worker(store: RunStore, row: tuple[str, str, int, str, int, int, int]) -> WorkerActivity:
    stage, judging_id, worker, device, num_done, num_failed, last_seq = row
    last = store.query(
        "SELECT sample_id, started_at, seconds, reason FROM attempts WHERE seq <= ? AND +stage = ? AND judging_id = ? "
        "AND worker = ? ORDER BY seq DESC LIMIT ?",
        last_seq,
        stage,
        judging_id,
        worker,
        NUM_LAST,
    )
    done = [(started_at, seconds) for _, started_at, seconds, reason in last if reason is None]
    per_sample = sum(seconds for _, seconds in set(done)) / len(done) if done else None  # a batch is one span
    sample, started_at, seconds, _ = last[0]
    return WorkerActivity(
        stage, judging_id, worker, device, num_done, num_failed, sample, started_at + seconds, per_sample
    )


def ends(store: RunStore, stage: str, judging_id: str, since_at: float, count: int) -> list[tuple[float, float]]:
    """(ended_at, seconds) of the last `count` samples that were settled by an attempt begun since `since_at`."""
    table = "edits" if stage == "edit" else "scores"
    where = "t.sample_id = a.sample_id AND " + ("t.attempt = a.attempt" if stage == "edit" else "t.judging_id = ?1")
    found = store.query(
        f"SELECT a.started_at + a.seconds, a.seconds FROM attempts a WHERE a.judging_id = ?1 AND +a.stage = ?2 "
        f"AND a.started_at >= ?3 AND EXISTS (SELECT 1 FROM {table} t WHERE {where}) ORDER BY a.seq DESC LIMIT ?4",
        judging_id,
        stage,
        since_at,
        count,
    )
    return sorted((row[0], row[1]) for row in found)


def num_edits(store: RunStore) -> int:
    """Edits that the run has, done or failed, those of samples that are not wanted now included."""
    return int(store.query("SELECT COUNT(*) FROM edits")[0][0])


def num_without_inputs(store: RunStore) -> int:
    """Done edits of wanted samples that a version made which did not record what they were made of."""
    found = store.query(
        "SELECT COUNT(*) FROM edits e JOIN samples s ON s.id = e.sample_id WHERE s.position IS NOT NULL AND "
        "e.status = 'done' AND (COALESCE(e.source_sha256, '') = '' OR COALESCE(e.inputs, '') = '')"
    )
    return int(found[0][0])


def num_made(store: RunStore) -> dict[int | None, int]:
    """Edits that were made here, wanted or not, by the seq of their invocation; None: not recorded."""
    found = store.query("SELECT invocation, COUNT(*) FROM edits WHERE COALESCE(origin, '') = '' GROUP BY 1")
    return {row[0]: row[1] for row in found}


def num_attempts(store: RunStore) -> int:
    """Attempts ever recorded: it grows with everything that an editor or a judge gave."""
    return int(store.query("SELECT COALESCE(MAX(seq), 0) FROM attempts")[0][0])


def is_unchanged_since(store: RunStore, seq: int, num_known: int) -> bool:
    """Whether nothing has changed a result since the event `seq`, when `num_known` attempts were on record."""
    kinds = [kind.kind for kind in CHANGES]
    sql = f"SELECT COALESCE(MAX(seq), 0) FROM events WHERE kind IN ({', '.join('?' for _ in kinds)})"
    return num_attempts(store) == num_known and bool(store.query(sql, *kinds)[0][0] < seq)


@dataclass(frozen=True, slots=True)
class EditsMade:
    """Edits of wanted samples that were made alike."""

    setting: EditSettings | None  # of the event under which they are on record; None: not recorded
    origin: str  # the run that they were taken over from; empty: made here
    num_done: int
    num_failed: int

    @property
    def num(self) -> int:
        return self.num_done + self.num_failed


def edits_made(store: RunStore) -> list[EditsMade]:
    """How the edits of wanted samples were made."""
    settings = settings_of_edits(store)
    found = store.query(
        "SELECT e.invocation, COALESCE(e.origin, ''), SUM(e.status = 'done'), SUM(e.status = 'failed') FROM edits e "
        "JOIN samples s ON s.id = e.sample_id WHERE s.position IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return [EditsMade(settings.get(row[0]), *row[1:]) for row in found]


def settings_of_edits(store: RunStore) -> dict[int, EditSettings]:
    """By the seq of the event that the edits' `invocation` names: one of this run, or of one that they come from."""
    found = {one.seq: one.event.editing for one in store.events_of(Invocation) if one.event.editing}
    return found | {one.seq: one.event.editing for one in store.events_of(EditsTaken)}


def num_retries(store: RunStore, stage: str, judging_id: str, since_at: float) -> int:
    """Attempts since `since_at` that were not the first at their sample."""
    found = store.query(
        "SELECT COUNT(*) FROM attempts WHERE stage = ? AND judging_id = ? AND started_at >= ? AND attempt > 1",
        stage,
        judging_id,
        since_at,
    )
    return int(found[0][0])


def reasons(store: RunStore, judging_id: str) -> dict[str, int]:
    """Why wanted samples have no edit, or under `judging_id` no headline score, most frequent first."""
    table, extra = ("scores", "AND t.place = 0 AND t.judging_id = ?") if judging_id else ("edits", "AND ? = ''")
    found = store.query(
        f"SELECT t.reason, COUNT(*) FROM {table} t CROSS JOIN samples s ON s.id = t.sample_id "
        f"WHERE s.position IS NOT NULL AND t.reason <> '' {extra} GROUP BY t.reason ORDER BY COUNT(*) DESC, t.reason",
        judging_id,
    )
    return {row[0]: row[1] for row in found}


def last_failure(store: RunStore, since_at: float) -> LastFailure | None:
    """Of the attempts begun since `since_at`, the one that failed last."""
    found = store.query(
        "SELECT stage, sample_id, worker, reason, message, traceback FROM attempts "
        "WHERE reason IS NOT NULL AND started_at >= ? ORDER BY seq DESC LIMIT 1",
        since_at,
    )
    if not found:
        return None
    stage, sample_id, worker, *error = found[0]
    return LastFailure(stage, sample_id, worker, Failure(*error))


def scored_by(store: RunStore, sample_id: str) -> list[str]:
    """The score sets that have scores of this sample."""
    return [row[0] for row in store.query("SELECT DISTINCT judging_id FROM scores WHERE sample_id = ?", sample_id)]


def source_digests(store: RunStore) -> dict[str, str]:
    """By sample, the digest of the source images that were edited, where it is known."""
    return dict(store.query("SELECT sample_id, source_sha256 FROM edits WHERE source_sha256 IS NOT NULL"))


def num_seeds(store: RunStore) -> int:
    """Wanted edits of each sample; 1 where nothing is wanted."""
    sql = "SELECT COALESCE(MAX(seed_index), 1) FROM samples WHERE position IS NOT NULL"
    return int(store.query(sql)[0][0])


def most_seeds(store: RunStore) -> int:
    """Of how many seeds any sample is on record, those that are not wanted now included."""
    return int(store.query("SELECT COALESCE(MAX(seed_index), 1) FROM samples")[0][0])


def instruction_of(store: RunStore, sample_id: str) -> str | None:
    """The instruction on record; None for a sample that was never selected."""
    found = store.query("SELECT instruction FROM samples WHERE id = ?", sample_id)
    return str(found[0][0]) if found else None


@dataclass(frozen=True, slots=True)
class SampleDetail:
    """One sample: its texts, its edit, every attempt, and what every judging said."""

    sample_id: str
    category: str
    cluster: str
    instruction: str
    description: str
    position: int | None  # in the latest selection; None: it is not wanted now
    language: str
    subset: str
    edit: Edit | None
    attempts: tuple[Attempt, ...]
    judgings: tuple[tuple[ScoreSet, tuple[Score, ...]], ...]  # those that have seen it


def matching(store: RunStore, text: str) -> list[str]:
    """Ids that `text` means: the very id, or those that the glob matches, or those that begin with it."""
    ids = sorted(store.sample_ids())
    if text in ids:
        return [text]
    if any(char in text for char in "*?["):
        return [sample_id for sample_id in ids if fnmatch.fnmatchcase(sample_id, text)]
    return [sample_id for sample_id in ids if text and sample_id.startswith(text)]


def sample_detail(store: RunStore, sample_id: str) -> SampleDetail:
    """Raises KeyError for a sample that the run never wanted."""
    found = store.query(
        "SELECT category, cluster, instruction, description, position, language, subset FROM samples WHERE id = ?",
        sample_id,
    )
    if not found:
        raise KeyError(sample_id)
    category, cluster, instruction, description, position, language, subset = found[0]
    scored = ((judging, _scores(store, judging, sample_id)) for judging in store.judgings())
    return SampleDetail(
        sample_id=sample_id,
        category=category,
        cluster=cluster,
        instruction=instruction,
        description=description,
        position=position,
        language=language,
        subset=subset,
        edit=store.edit_of(sample_id),
        attempts=tuple(store.attempts(sample_id=sample_id)),
        judgings=tuple((judging, scores) for judging, scores in scored if scores),
    )


def _scores(store: RunStore, judging: ScoreSet, sample_id: str) -> tuple[Score, ...]:
    found = store.query(
        "SELECT sample_id, judge, metric, value, raw, reason, seconds FROM scores "
        "WHERE judging_id = ? AND sample_id = ? ORDER BY place",
        judging.id,
        sample_id,
    )
    return tuple(Score(*row) for row in found)
