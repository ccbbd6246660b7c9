"""Scores of single samples of any origin through the protocol and the official means of a benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from editeval.judges.parsing.reply import ParsedReply
from editeval.judges.protocols.protocol import Protocol
from editeval.reproduce.published import Recomputed
from editeval.types import JudgeRequest, Metric, OfficialMean

UNREADABLE = ParsedReply(reason="unparsable")


def request_of(key: str, metadata: Mapping[str, object]) -> JudgeRequest:
    """What a protocol is told about a sample whose images are elsewhere."""
    return JudgeRequest(key, (b"",), b"", "", metadata=dict(metadata))


def number_of(value: object) -> float | None:
    """A finite number, also where it is written as text; else None."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):  # an integer of 400 digits
        return None
    return number if number is not None and abs(number) < 1e9 else None


def is_yes(text: str) -> bool:
    """What a cell of a saved table says; nothing, NaN, 0 and 0.0 are no."""
    word = text.strip().lower()
    return word not in ("", "nan", "none", "false", "no") and number_of(word) != 0


def as_reading(protocol: Protocol, metric: str, value: object) -> ParsedReply:
    """A kept score as what a reply said; one off the metric's scale is none."""
    number, scale = number_of(value), protocol.scales.get(metric) or Metric(metric)
    return UNREADABLE if number is None or not scale.has(number) else ParsedReply((number,))


@dataclass(frozen=True, slots=True)
class SampleScores:
    """The metrics of one sample."""

    category: str
    values: Mapping[str, ParsedReply]


@dataclass(frozen=True, slots=True)
class Bug:
    """The same samples as the published scripts score them."""

    switch: str
    samples: Sequence[SampleScores]


def rows_of(
    table: str, protocol: Protocol, samples: Sequence[SampleScores], bug: Bug | None = None, notes: tuple[str, ...] = ()
) -> Iterator[Recomputed]:
    """The mean of every metric in every category, then the official means, the first of them with `notes`."""
    for category in sorted({sample.category for sample in samples}):
        for metric in protocol.metrics:
            mean = _rounding(OfficialMean(metric, (metric,), "samples", categories=(category,)), protocol)
            yield _row((table, category, metric), mean, samples, bug)
    for number, mean in enumerate(protocol.official):
        yield _row((table, "all", mean.name), mean, samples, bug, () if number else notes)


def _rounding(mean: OfficialMean, protocol: Protocol) -> OfficialMean:
    """`mean` of one category, with scores and the result scaled and rounded as on the way to the official one."""
    official = next((one for one in protocol.official if mean.metrics[0] in one.metrics), None)
    if official is None:
        return mean
    steps = replace(mean, score_digits=official.score_digits, digits=official.category_digits)
    return replace(steps, factor=official.factor, offset=official.offset)


def _row(
    place: tuple[str, str, str],
    mean: OfficialMean,
    samples: Sequence[SampleScores],
    bug: Bug | None,
    notes: tuple[str, ...] = (),
) -> Recomputed:
    read, missing = _counts(mean, samples)
    matched = mean.of(_by_category(mean, bug.samples)) if bug else None
    value = mean.of(_by_category(mean, samples))
    return Recomputed(*place, value, read, missing, matched, bug.switch if bug else "", notes=notes)


def _by_category(mean: OfficialMean, samples: Iterable[SampleScores]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for sample in samples:
        row = found.setdefault(sample.category, [])
        row += [sample.values[name].values[0] for name in mean.metrics if _has(sample, name)]
    return found


def _has(sample: SampleScores, metric: str) -> bool:
    return metric in sample.values and not sample.values[metric].reason


def _counts(mean: OfficialMean, samples: Iterable[SampleScores]) -> tuple[int, int]:
    """(scores that are there, that are not and should be)."""
    covered = [sample for sample in samples if mean.covers(sample.category)]
    wanted = [reading for sample in covered for name, reading in sample.values.items() if name in mean.metrics]
    read = sum(not reading.reason for reading in wanted)
    missing = sum(reading.reason not in ("", "not_applicable") for reading in wanted)
    return read, missing
