"""The only input of the renderers, and what one pass over the samples says about a run.

Report --write_*--> report.json, samples.jsonl, scores.csv, report.md, report.html; --render_terminal--> the terminal
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from editeval.errors import Reason
from editeval.images import FLAGS, FLAGS_OF_FILES
from editeval.reports.i18n import Message
from editeval.reports.reply_text import reply_text
from editeval.store.records import SampleRow
from editeval.types import ImageRef, Metric, Subset, Summary

NUM_BINS = 50
"""Over a whole scale: 0.2 each on 0-10."""


@dataclass(slots=True)
class Histogram:
    """Scores by category. On a scale without two ends each is kept: the last one may show how far bins reach."""

    scale: Metric
    lowest: float | None = None
    highest: float | None = None
    _counts: dict[str, list[int]] = field(default_factory=dict)
    _kept: dict[str, array[float]] = field(default_factory=dict)

    def begin(self, category: str) -> None:
        """The category is there from now on, with or without scores."""
        self._counts.setdefault(category, [0] * NUM_BINS)

    def add(self, category: str, value: float) -> None:
        self.begin(category)
        self.lowest = value if self.lowest is None else min(self.lowest, value)
        self.highest = value if self.highest is None else max(self.highest, value)
        place = self.scale.place(value)
        if place is not None:
            self._counts[category][min(int(place * NUM_BINS / 10), NUM_BINS - 1)] += 1
        else:
            self._kept.setdefault(category, array("d")).append(value)

    def bins(self) -> dict[str, tuple[int, ...]]:
        """Category -> NUM_BINS counts, over `scale.axis(lowest, highest)`."""
        return {category: self._binned(category) for category in self._counts}

    def _binned(self, category: str) -> tuple[int, ...]:
        if category not in self._kept:
            return tuple(self._counts[category])
        import numpy as np

        ends = self.scale.axis(self.lowest, self.highest)
        return tuple(np.histogram(self._kept[category], NUM_BINS, ends)[0].tolist())


ANOTHER_BENCHMARK = Message("another_benchmark")
VALID, WARNED, INVALID, INVALID_JUDGE = "valid", "valid with warnings", "invalid", "invalid judge"
MICRO, MACRO = "micro", "macro"
NOT_JUDGED = "not_judged"  # an edit exists, but the ledger has no score for it
OF_SUBSET = " (subset)"  # what a badge ends with if only a part of the benchmark was wanted

JsonObject: TypeAlias = Mapping[str, Any]
"""JSON values by name, from a ledger of any version: a reader takes nothing in it for granted."""

CHANGED = "changed_since"
"""A word of the page: what is there now is not what was edited, or not the edit that is on record."""

Images = Callable[[str], tuple[bytes | str | None, bytes | None]]
"""images(sample id) -> encoded (source, target); None for what cannot be read, CHANGED in place of another source.

Several threads may call it.
"""


Further = Callable[[str], Sequence[tuple[str, ImageRef]]]
"""further(sample id) -> (role, image): "source_2", ..., "reference", "reference_2", ...; not read yet."""


def nothing_further(sample_id: str) -> tuple[()]:
    """Every sample has one source and no reference."""
    del sample_id
    return ()


@dataclass(frozen=True, slots=True)
class Cause:
    """Why samples have no score: one row per stage ("edit" or "judge") and reason, with one example."""

    stage: str
    reason: str
    count: int
    example_id: str
    example_message: str


@dataclass(frozen=True, slots=True)
class Survey:
    """Counts of one pass over the samples; "scored" and "unscored" speak of the headline metric.

    num_samples = num_scored + num_unscored + num_failed + num_pending. Its size does not grow with the samples.
    """

    num_samples: int
    num_done: int
    num_failed: int
    num_pending: int
    num_scored: int
    num_unscored: int
    num_duplicates: int  # edits whose bytes equal those of another sample's edit
    num_alike: tuple[int, int]  # samples whose seeds all gave the same picture, of those with several edits
    num_flagged: Mapping[str, int]  # done edits by flag: black | constant | unchanged
    num_answers: int  # judge answers, over all metrics ...
    num_unparsed: int  # ... and those that gave no value
    lowest: float | None  # of the headline scores
    highest: float | None
    metrics: tuple[str, ...]  # in the order they were first seen
    causes: tuple[Cause, ...]  # most frequent first, edits before judgements
    histograms: Mapping[str, tuple[int, ...]]  # category -> NUM_BINS counts of headline scores, over Metric.axis

    @property
    def coverage(self) -> float:
        """Share of the samples that have a headline score, 0-1."""
        return self.num_scored / self.num_samples if self.num_samples else 0.0

    @property
    def parse_rate(self) -> float | None:
        """Share of the judge's answers that gave a value; None if it never answered."""
        return 1 - self.num_unparsed / self.num_answers if self.num_answers else None


@dataclass(frozen=True, slots=True)
class SampleGroup:
    """The samples of one language, or of one named subset; there is none of what all samples share."""

    by: str  # "language" or "subset"
    name: str  # empty: the data do not say, or they are in no named subset
    summaries: tuple[Summary, ...]  # of every metric, as those of the report
    official: tuple[JsonObject, ...] = ()  # as `run.official`


GROUPED_BY = ("language", "subset")
"""Fields of a SampleRow."""


@dataclass(frozen=True, slots=True)
class Report:
    """One run, ready to be rendered. Every mapping holds JSON values only.

    run: id, name, dir, created_at (unix seconds), editor, judge, benchmark, policy, devices, num_samples; where each
    was edited several times also num_seeds and num_distinct: then counts of samples are of edits, here and elsewhere;
    num_in_run (edits that the run has, also of samples that are not wanted now), subset ({num, of, how} or None).
    coverage: what `coverage_of` returns. timing: wall_s, load_s, edit_s, judge_s, `workers`, a list of
    {worker, device, busy_s, idle_s, num_edits}, and `cost` of editing under run.policy: measured_s =
    ideal_s + policy_s + failures_s + rest_s, for num_edits of the of_edits that the run made;
    `costs` has every policy that edited.
    policies: {policy, makespan_s, failures_s (of it), idle_fraction, max_drift, num_edits, of_edits}, of the edits made
    under run.policy, replayed with their failures.
    batches: {index, started_at, seconds, slowest_worker, num_workers, num_requests, deferred}; of older runs the first
    four. provenance: config, origins, versions, argv, hosts, ...
    `samples()` starts a new pass in benchmark order; `images` is asked for what the run has no pictures of yet.
    """

    run: JsonObject
    badge: str
    warnings: tuple[Message, ...]
    coverage: JsonObject
    summaries: tuple[Summary, ...]
    headline_metric: str  # empty: the run has no judge, its edits are the result
    statistics: tuple[str, ...]  # of mean, std, median, min, max, count: the columns that tables show
    timing: JsonObject
    policies: tuple[JsonObject, ...]
    batches: tuple[JsonObject, ...]
    provenance: JsonObject
    samples: Callable[[], Iterator[SampleRow]]
    images: Images
    originals: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # sample -> (name, sha256) of the file
    survey: Survey | None = None  # spares the renderers a pass each
    timeline: JsonObject = field(default_factory=dict)  # the chart of `stats.timeline`; empty if not asked for
    histories: Mapping[str, Sequence[JsonObject]] = field(default_factory=dict)  # failed attempts, by sample
    scales: Mapping[str, Metric] = field(default_factory=dict)  # of the metrics that are not 0-10
    authors_names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # metric -> category -> name there
    further: Further = nothing_further
    groups: tuple[SampleGroup, ...] = ()  # by language, then by named subset, where there is more than one
    certificate: JsonObject | None = None  # what is known of how far this judge can be trusted

    def scale(self, metric: str) -> Metric:
        """That of a metric, by its label."""
        return self.scales.get(metric) or Metric(metric)

    @property
    def subset(self) -> Subset | None:
        """The part of the benchmark that was wanted; None for all of it."""
        subset = self.run.get("subset")
        return Subset(**subset) if subset else None

    def headline(self, category: str) -> Summary | None:
        """The headline metric's summary of `category` ("micro" and "macro" included); None if there is none."""
        return next((s for s in self.summaries if (s.metric, s.category) == (self.headline_metric, category)), None)


def surveyed(report: Report) -> Survey:
    """The report's survey; takes one pass over the samples if the report came without."""
    return report.survey or survey(report.samples(), report.headline_metric, report.scale(report.headline_metric))


def survey(samples: Iterator[SampleRow], headline_metric: str, scale: Metric | None = None) -> Survey:
    """What one pass over `samples` says. `scale`: of the headline; None: 0-10."""
    tally = _Tally(headline_metric, Histogram(scale or Metric(headline_metric)))
    for row in samples:
        tally.add(row)
    return tally.survey()


def coverage_of(seen: Survey) -> JsonObject:
    """The `coverage` block of report.json: counts that add up, and the scored share."""
    return {
        "num_samples": seen.num_samples,
        "num_edited": seen.num_done,
        "num_failed": seen.num_failed,
        "num_pending": seen.num_pending,
        "num_scored": seen.num_scored,
        "num_unscored": seen.num_unscored,
        "scored": seen.coverage,
        "parse_rate": seen.parse_rate,
        "num_duplicates": seen.num_duplicates,
        **{f"num_{flag}": seen.num_flagged.get(flag, 0) for flag in FLAGS},
        **{f"num_{flag}": seen.num_flagged[flag] for flag in FLAGS_OF_FILES if flag in seen.num_flagged},
    }


def scored_value(row: SampleRow, metric: str) -> float | None:
    """The sample's score; None if it has none, and always for an edit that is not done."""
    score = row.scores.get(metric)
    return score.value if score is not None and row.status == "done" else None


def why_unscored(row: SampleRow, metric: str) -> str:
    """One word for why a finished edit has no score."""
    score = row.scores.get(metric)
    return score.reason if score is not None else NOT_JUDGED


@dataclass(slots=True)
class _Tally:
    """Grows by one row at a time; 8 bytes per edit (for duplicates) are all that it keeps of each."""

    metric: str
    histogram: Histogram
    statuses: dict[str, int] = field(default_factory=lambda: {"done": 0, "failed": 0, "pending": 0})
    num_scored: int = 0
    flagged: Counter[str] = field(default_factory=Counter)
    num_answers: int = 0
    num_unparsed: int = 0
    metrics: dict[str, None] = field(default_factory=dict)
    causes: dict[tuple[str, str], Cause] = field(default_factory=dict)
    hashes: array[int] = field(default_factory=lambda: array("Q"))
    sample: str = ""  # that the last row was an edit of
    pictures: list[int] = field(default_factory=list)  # of that sample
    alike: tuple[int, int] = (0, 0)

    def add(self, row: SampleRow) -> None:
        self.statuses[row.status] += 1
        self.histogram.begin(row.category)
        self.metrics.update(dict.fromkeys(row.scores))
        if row.status == "failed":
            self._count("edit", row.error_reason or "unknown", row.id, row.error_message or "")
        elif row.status == "done":
            self._add_done(row)

    def _add_done(self, row: SampleRow) -> None:
        if row.sample != self.sample:
            self._end_sample()
            self.sample = row.sample
        self.pictures.extend([int(row.sha256[:16], 16)] if row.sha256 else [])
        self.flagged.update(row.flags)
        asked = [score for score in row.scores.values() if score.reason != Reason.NOT_APPLICABLE]
        self.num_answers += len(asked)
        self.num_unparsed += sum(score.value is None for score in asked)
        value = scored_value(row, self.metric)
        if value is None:
            raw = score.raw if (score := row.scores.get(self.metric)) else ""
            if self.metric:
                self._count("judge", why_unscored(row, self.metric), row.id, reply_text(raw))
            return
        self.num_scored += 1
        self.histogram.add(row.category, value)

    def _end_sample(self) -> None:
        """One picture of several seeds is counted once: it says nothing of other samples."""
        different = set(self.pictures)
        if len(self.pictures) > 1:
            self.alike = self.alike[0] + (len(different) == 1), self.alike[1] + 1
        self.hashes.extend(different)
        self.pictures.clear()

    def _count(self, stage: str, reason: str, sample_id: str, message: str) -> None:
        first = self.causes.get((stage, reason)) or Cause(stage, reason, 0, sample_id, "")
        told = first.example_message or message[:2000]
        self.causes[stage, reason] = replace(first, count=first.count + 1, example_message=told)

    def survey(self) -> Survey:
        done = self.statuses["done"]
        self._end_sample()
        return Survey(
            num_samples=sum(self.statuses.values()),
            num_done=done,
            num_failed=self.statuses["failed"],
            num_pending=self.statuses["pending"],
            num_scored=self.num_scored,
            num_unscored=done - self.num_scored,
            num_duplicates=_num_repeated(self.hashes),
            num_alike=self.alike,
            num_flagged={flag: self.flagged[flag] for flag in (*FLAGS, *FLAGS_OF_FILES) if flag in self.flagged},
            num_answers=self.num_answers,
            num_unparsed=self.num_unparsed,
            lowest=self.histogram.lowest,
            highest=self.histogram.highest,
            metrics=tuple(self.metrics),
            causes=tuple(sorted(self.causes.values(), key=lambda cause: (cause.stage, -cause.count, cause.reason))),
            histograms=self.histogram.bins(),
        )


def _num_repeated(values: Sequence[int]) -> int:
    import numpy as np

    _, counts = np.unique(np.asarray(values, dtype=np.uint64), return_counts=True)
    return int(counts[counts > 1].sum())
