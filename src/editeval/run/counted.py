"""The scores of a run by metric, gathered in one pass over its samples, and the summaries that they give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from editeval.reports import data
from editeval.run import results
from editeval.run.results import ShownScoreSet
from editeval.stats.equating import Equating
from editeval.stats.summary import Entry, summarise
from editeval.store.records import SampleRow
from editeval.store.run_store import RunStore
from editeval.types import Metric, OfficialMean, Summary


def headline(store: RunStore, shown: Sequence[ShownScoreSet]) -> Summary:
    """Of the first metric of the score sets that a run shows, over all samples, from its ledger."""
    label, first = shown[0].labels[0], shown[:1]
    entries = [results.entry_of(row, label) for row in results.rows(store, first)]
    scale, bridged = results.scales(store, first).get(label), results.equatings(store, first).get(label)
    return next(one for one in summarise(entries, label, scale, bridged) if one.category == data.MICRO)


class Counted:
    """The entries of every metric, gathered in one pass over the samples."""

    def __init__(
        self, metrics: Sequence[str], scales: Mapping[str, Metric], bridged: Mapping[str, Equating] | None = None
    ) -> None:
        self._scales, self._bridged = scales, bridged or {}
        self.entries: dict[str, list[Entry]] = {metric: [] for metric in metrics}
        self._names: dict[str, list[str]] = {by: [] for by in data.GROUPED_BY}
        self.samples: list[str] = []  # their ids, in the order of the entries

    def passing(self, samples: Iterator[SampleRow]) -> Iterator[SampleRow]:
        """`samples`, each counted on its way."""
        for row in samples:
            self.samples.append(row.sample)
            for metric, entries in self.entries.items():
                entries.append(results.entry_of(row, metric))
            for by, names in self._names.items():
                names.append(getattr(row, by))
            yield row

    def scale(self, metric: str) -> Metric:
        return self._scales.get(metric) or Metric(metric)

    def groups(self, official: Sequence[tuple[OfficialMean, Sequence[str]]]) -> Iterator[data.SampleGroup]:
        """The samples by language and by named subset; nothing of one that they all share."""
        for by, names in self._names.items():
            if len(set(names)) < 2:
                continue
            parts: dict[str, Counted] = {}
            for at, name in enumerate(names):
                if name not in parts:
                    parts[name] = Counted(tuple(self.entries), self._scales, self._bridged)
                for metric, entries in self.entries.items():
                    parts[name].entries[metric].append(entries[at])
                for other, all_names in self._names.items():
                    parts[name]._names[other].append(all_names[at])
            for name, part in parts.items():
                told = (number for one in official for number in part.official(*one))
                means = tuple(told) if name else ()  # the rest of a benchmark has no name
                yield data.SampleGroup(by, name, tuple(part.summaries()), means)

    def official(self, mean: OfficialMean, labels: Sequence[str]) -> Iterator[dict[str, object]]:
        """What report.json says of a number that the authors would print: one for each language, as with them."""
        languages = self._names["language"]
        several = dict.fromkeys(languages) if len(set(languages)) > 1 else {}
        for language in several or ("",):
            scores: dict[str, list[float]] = {}
            pairs = (pair for label in labels for pair in zip(self.entries[label], languages, strict=True))
            spoken = (entry for entry, one in pairs if not several or one == language)
            entries = [entry for entry in spoken if mean.covers(entry[0]) and entry[2] != "not_applicable"]
            for category, _, _, value, *_ in entries:
                scores.setdefault(category, []).extend([] if value is None else [value])
            counts = {"num_scored": sum(map(len, scores.values())), "num_scores": len(entries)}
            said = {"language": language} if several else {}
            named = {"name": mean.name, "metrics": list(labels), "value": mean.of(scores), "rule": mean.rule}
            yield {**named, **counts, **said}

    def summaries(self) -> Iterator[Summary]:
        for metric, entries in self.entries.items():
            yield from summarise(entries, metric, self._scales.get(metric), self._bridged.get(metric))
