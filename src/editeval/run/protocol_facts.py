"""What there is to say of a protocol: what it asks and measures, and how its authors ask and count."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from editeval.judges.protocols.protocol import PROTOCOLS as PROTOCOLS
from editeval.judges.protocols.protocol import OfficialSettings, class_of, load
from editeval.types import Metric


def about(name: str) -> str:
    """The first line of its module's docstring."""
    return (sys.modules[class_of(name).__module__].__doc__ or "").partition("\n")[0]


def facts_of(name: str) -> Iterator[tuple[str, str]]:
    """(label, text) of all that is known of the protocol called `name`."""
    protocol = theirs = load(name)
    source, settings = protocol.prompt_source, protocol.settings
    if source is not None:  # it may ask more in the authors' words
        theirs = load(name, words=dict.fromkeys(source.hashes, ""))
    yield name, about(name).partition(": ")[2]
    if protocol.benchmark:
        yield "benchmark", protocol.benchmark
    scales = {metric: theirs.scales.get(metric, Metric(metric)).range for metric in theirs.metrics}
    more = [metric for metric in theirs.metrics if metric not in protocol.metrics]
    yield "metrics", "; ".join(f"{metric} {scales[metric]}" for metric in protocol.metrics)
    if more:
        yield "", f"with the authors' words also: {'; '.join(f'{metric} {scales[metric]}' for metric in more)}"
    for category, names in theirs.labels.items():
        yield "", f"in {category}: {'; '.join(names.values())}"
    shown: dict[str, dict[str, None]] = {}  # roles by question, in order
    for question in (one for request in theirs.examples() for one in theirs.questions(request)):
        shown.setdefault(question.name, {}).update(dict.fromkeys(image.role for image in question.shown))
    yield "questions", "; ".join(f"{question} ({', '.join(roles)})" for question, roles in shown.items())
    if source is not None:
        files = dict.fromkeys((*source.files, *(file for _, file, _ in source.elsewhere)))
        yield "their words", f"{source.repository}: {', '.join(files)} (prompts_from: a clone of it)"
    if settings is not None:
        yield "their judges", ", ".join(settings.judges)
        yield "settings", _settings(settings)
    if protocol.departs:
        yield "by default", f"differs in: {'; '.join(protocol.departs)}"
    for switch, meaning in protocol.switches.items():
        yield "switch", f"{switch}: {meaning}"
    for mean in theirs.official:
        yield "their number", f"{mean.name}: {mean.rule}"


def _settings(settings: OfficialSettings) -> str:
    said = {name: getattr(settings, name) for name in ("temperature", "max_new_tokens", "num_samples", "top_p")}
    told = [f"{name} {'not sent' if value is None else format(value, 'g')}" for name, value in said.items()]
    cut = {"top_k": settings.top_k, "seed": settings.seed}
    told += [f"{name} {value}" for name, value in cut.items() if value is not None]
    return ", ".join([*told, "the form of replies is forced" if settings.is_form_forced else "replies in plain text"])
